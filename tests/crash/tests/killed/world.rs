//! A host without supervise, in which one program is run by strace when a test says so.

use std::ffi::OsString;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use harness::{Background, Command, Host, Peer, Smtp, executable, free_port, skipped_for, until};
use unix::signal::Signal;

const YOU: &str = "you@daisychain.example";
const RECIPIENTS: [&str; 5] = [
    YOU,
    "you-also@daisychain.example",
    "you-box@daisychain.example",
    "you-fail@daisychain.example",
    "friend@elsewhere.example",
];

/// How long a round may be without progress before the host is started again.
const PATIENCE: Duration = Duration::from_millis(1500);

/// How often deferred deliveries are tried again.
const FLUSH: Duration = Duration::from_millis(50);

/// A running host.
pub struct World {
    pub host: Host,
    peer: Peer,
    port: u16,
    daemons: Option<Background>,
    smtpd: Option<Background>,
    /// Which connections of the peer, and which bytes of the log, were looked at.
    heard: usize,
    program: String,
}

/// What a round has shown.
pub struct Found {
    /// Copies beyond one for each recipient.
    pub repeated: usize,
    /// True if the log, or a reply, says that something is wrong.
    pub is_told: bool,
}

impl World {
    /// A host whose `program` can be traced; `None` (and one line) if its account cannot run strace.
    pub fn new(strace: &[OsString], program: &str) -> Option<World> {
        let mut host = Host::made();
        let probe = ["-o", "/dev/null", "true"].map(OsString::from);
        if host.command(strace.iter().chain(&probe)).run().exit != 0 {
            skipped_for("the account of the test's host cannot run strace");
            return None;
        }
        let peer = Peer::start(Peer::agree);
        let remote = format!("elsewhere.example:127.0.0.1:{}\n", peer.port());
        host.write("qmail/control/smtproutes", remote);
        host.write("you/.qmail-also", "./also/\n");
        host.write("you/.qmail-box", "./Mailbox\n");
        host.write("you/.qmail-fail", "|exit 100\n");
        // The queue and the user are made as the host starts.
        host.resume();
        host.stop();
        if program == "qmail-queue" {
            host.without_socket();
        }
        let also = host.path("you/also").into_os_string();
        assert_eq!(host.command(["maildirmake".into(), also]).run().exit, 0);
        let real = fs::canonicalize(host.path("../target/command")).expect("programs");
        let bin = host.path("wrapped");
        fs::create_dir(&bin).expect("a directory");
        for entry in fs::read_dir(&real).expect("programs").flatten() {
            let name = entry.file_name();
            if name != *program && entry.path().is_file() {
                symlink(entry.path(), bin.join(name)).expect("a link");
            }
        }
        let words: Vec<_> = strace.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        let script = format!(
            "#!/bin/sh\nif mv '{0}/options' \"{0}/options.$$\" 2>/dev/null; then\n  \
             read -r options < \"{0}/options.$$\"; exec {1} -D -qq $options {2} \"$@\"\nfi\nexec {2} \"$@\"\n",
            host.path("").display(),
            words.join(" "),
            real.join(program).display(),
        );
        host.write(&format!("wrapped/{program}"), script);
        executable(&bin.join(program));
        let home = host.path("qmail/bin");
        fs::remove_file(&home).expect("a link");
        symlink(&bin, home).expect("a link");
        let program = program.to_owned();
        let mut world =
            World { host, peer, port: free_port(), daemons: None, smtpd: None, heard: 0, program };
        let port = world.port.to_string();
        let words = ["tcpserver", "-H", "-R", "-l", "x", "127.0.0.1", &port, "qmail-smtpd"];
        world.smtpd = Some(world.command(&words).env("RELAYCLIENT", "").start_in_background());
        // To the end of the first dialogue there is, so that no run of the program is left over.
        let mut first = None;
        assert!(until(|| {
            first = TcpStream::connect(("127.0.0.1", world.port)).ok();
            first.is_some()
        }));
        let mut first = first.expect("a connection");
        first.write_all(b"QUIT\r\n").expect("a server");
        let mut said = String::new();
        first.read_to_string(&mut said).expect("a server");
        assert!(said.starts_with("220 "), "{said}");
        Some(world)
    }

    fn command<'a>(&'a self, words: &[&str]) -> Command<'a> {
        let bin = self.host.path("wrapped").display().to_string();
        self.host.command(words).env("PATH", format!("{bin}:/usr/local/bin:/usr/bin:/bin"))
    }

    /// The program that dies.
    pub fn program(&self) -> &str {
        &self.program
    }

    /// The program's next run is under strace with these options.
    pub fn options(&mut self, options: &str) {
        if self.outlives_a_round() {
            let _ = self.finish(); // the round before has its log
        }
        self.host.write("options", format!("{options}\n"));
    }

    /// True if the next round would be served by a process that runs already: a daemon, or a qmail-local
    /// that qmail-lspawn keeps.
    fn outlives_a_round(&self) -> bool {
        let staying = ["qmail-send", "qmail-clean", "qmail-lspawn", "qmail-local", "qmail-rspawn"];
        staying.contains(&&*self.program) || self.program == "qmail-queued"
    }

    /// True if the message of a round is to be qmail-queued's, which must be there before it.
    fn is_for_queued(&self) -> bool {
        ["qmail-queued", "qmail-smtpd"].contains(&&*self.program)
    }

    /// Ends the daemons in order, if they do not take too long; gives their log.
    pub fn finish(&mut self) -> String {
        self.finish_within(PATIENCE)
    }

    fn finish_within(&mut self, limit: Duration) -> String {
        if let Some(daemons) = &mut self.daemons {
            let started = Instant::now();
            World::signal(daemons, Signal::SIGTERM);
            until(|| daemons.has_ended() || started.elapsed() > limit);
        }
        let log = self.log();
        self.daemons = None;
        log
    }

    /// Sends a signal to qmail-send, once the process has become that.
    fn signal(daemons: &Background, signal: Signal) {
        if World::is_send(daemons) {
            daemons.signal(signal);
        }
    }

    fn is_send(daemons: &Background) -> bool {
        let name = fs::read_to_string(format!("/proc/{}/comm", daemons.pid())).unwrap_or_default();
        name.starts_with("qmail-send")
    }

    fn start(&mut self) {
        let daemons = self.command(&["qmail-start", "./Maildir/"]).start_in_background();
        self.daemons = Some(daemons);
    }

    fn log(&self) -> String {
        let log = self.daemons.as_ref().map(Background::stdout).unwrap_or_default();
        String::from_utf8_lossy(&log).into_owned()
    }

    /// Sends a message to everybody; true if it was accepted. A client that gets no answer tries again.
    fn send(&self, name: &str) -> bool {
        let mut smtp = Smtp::connect(self.port);
        let text = format!("Subject: {name}\r\n\r\nbody of {name}.\r\n.");
        let mut lines = vec!["HELO x".to_owned(), format!("MAIL FROM:<{YOU}>")];
        lines.extend(RECIPIENTS.map(|recipient| format!("RCPT TO:<{recipient}>")));
        lines.extend(["DATA".to_owned(), text]);
        smtp.reply();
        lines.iter().all(|line| {
            let reply = smtp.say(line);
            reply.starts_with("250") || reply.starts_with("354")
        })
    }

    /// Takes a message through the host, whatever happens to the program on the way, until everybody has
    /// it and the queue holds nothing of it.
    pub fn round(&mut self, name: &str) -> Found {
        let (mut attempts, mut breaks) = (1, 0);
        let mut said = String::new();
        let before = self.in_mess();
        if self.is_for_queued() && self.daemons.is_none() {
            self.start();
            // The socket is there when qmail-start has become qmail-send.
            assert!(until(|| World::is_send(self.daemons.as_ref().expect("started"))));
        }
        while !self.send(name) {
            attempts += 1;
            assert!(attempts < 4, "{}: {name}: not accepted", self.program);
        }
        if self.daemons.is_none() {
            self.start();
        }
        let began = Instant::now();
        let mut last = Instant::now();
        let mut flushed = Instant::now();
        while !(self.has_all(name) && self.is_drained()) {
            let limit = Duration::from_mins(2);
            assert!(began.elapsed() < limit, "{}: {name}: {}\n{said}", self.program, self.log());
            let has_ended = self.daemons.as_mut().is_some_and(Background::has_ended);
            if has_ended || last.elapsed() > PATIENCE {
                breaks += usize::from(!has_ended);
                said.push_str(&self.finish());
                self.start();
                last = Instant::now();
            }
            // What is deferred is not waited for. It hears of this once it has said something.
            if flushed.elapsed() > FLUSH && self.log().contains("status: ") {
                flushed = Instant::now();
                World::signal(self.daemons.as_ref().expect("started"), Signal::SIGALRM);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        // A qmail-send that is told to end does not wait for what qmail-clean answers last.
        if self.program == "qmail-clean" {
            until(|| self.in_mess() <= before || is_told(&said) || is_told(&self.log()));
        }
        // What a call that fails at the very end leads to is told by those that end then.
        let last_words = Duration::from_secs(20);
        let is_over = self.outlives_a_round();
        said.push_str(&if is_over { self.finish_within(last_words) } else { self.log() });
        let is_told = attempts > 1 || is_told(&said);
        let copies = self.copies(name);
        // One more for the death, and for each time that the host was ended in the middle of its work.
        let most = attempts + 1 + breaks;
        for (who, copies) in &copies {
            assert!((1..=most).contains(copies), "{name}: {who}: {copies} copies\n{said}");
        }
        self.look_for_torn(name);
        self.empty();
        Found { repeated: copies.iter().map(|(_, copies)| copies - 1).sum(), is_told }
    }

    fn mbox(&self) -> String {
        let mbox = fs::read(self.host.path("you/Mailbox")).unwrap_or_default();
        String::from_utf8_lossy(&mbox).into_owned()
    }

    /// What is in the second maildir.
    fn also(&self) -> Vec<String> {
        let mail = self.host.mail_in("you/also").into_iter();
        mail.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }

    /// How many copies each recipient has, and the sender of the bounce.
    fn copies(&self, name: &str) -> [(&'static str, usize); 5] {
        let body = format!("\nbody of {name}.\n");
        let mail: Vec<_> = self
            .host
            .mail()
            .iter()
            .map(|mail| String::from_utf8_lossy(mail).into_owned())
            .collect();
        let (bounces, mail): (Vec<_>, Vec<_>) = mail
            .iter()
            .filter(|mail| mail.contains(&body))
            .partition(|mail| mail.contains("--- Below"));
        let also = self.also().iter().filter(|mail| mail.contains(&body)).count();
        // An mbox may have a torn message before the whole one.
        let boxed = self.mbox().matches(&format!("\nbody of {name}.\n\n")).count();
        let heard = self.peer.heard();
        let is_sent = |heard: &&String| heard.contains(&format!("\r\nbody of {name}.\r\n.\r\n"));
        let sent = heard.iter().skip(self.heard).filter(is_sent).count();
        [
            ("maildir", mail.len()),
            ("other maildir", also),
            ("mbox", boxed),
            ("sender", bounces.len()),
            ("peer", sent),
        ]
    }

    fn has_all(&self, name: &str) -> bool {
        self.copies(name).iter().all(|(_, copies)| *copies > 0)
    }

    /// True if there is no message. What moves from todo/ to info/ meanwhile is seen the second time.
    fn is_drained(&self) -> bool {
        let is_empty = |area: &str| files(&self.host.path("qmail/queue").join(area)).is_empty();
        let areas = ["info", "todo", "local", "remote", "bounce", "info", "todo"];
        areas.into_iter().all(is_empty)
    }

    fn in_mess(&self) -> usize {
        files(&self.host.path("qmail/queue/mess")).len()
    }

    fn look_for_torn(&self, name: &str) {
        let first = self.host.mail().into_iter();
        let first = first.map(|mail| String::from_utf8_lossy(&mail).into_owned());
        for mail in first.chain(self.also()) {
            let is_whole =
                mail.starts_with("Return-Path: ") && mail.ends_with(&format!("body of {name}.\n"));
            assert!(is_whole, "{name}: torn: {mail}");
        }
    }

    fn empty(&mut self) {
        self.heard = self.peer.heard().len();
        for maildir in ["you/Maildir/new", "you/also/new"] {
            for file in files(&self.host.path(maildir)) {
                fs::remove_file(file).expect("a message");
            }
        }
        let _ = fs::write(self.host.path("you/Mailbox"), ""); // there may be none
    }

    /// Two days later all is gone that the dead have left in the queue.
    pub fn nothing_stays(&mut self) {
        let _ = self.finish(); // what it says is of the rounds
        let queue = self.host.path("qmail/queue");
        let then = SystemTime::now() - Duration::from_hours(48);
        let left = |areas: &[&str]| -> Vec<PathBuf> {
            areas.iter().flat_map(|area| files(&queue.join(area))).collect()
        };
        let areas = ["pid", "intd", "mess"];
        for file in left(&areas) {
            let times = fs::FileTimes::new().set_accessed(then).set_modified(then);
            fs::File::options()
                .write(true)
                .open(file)
                .expect("a file")
                .set_times(times)
                .expect("root may");
        }
        self.start();
        let is_gone = until(|| left(&areas).is_empty());
        assert!(is_gone, "{}: it stays: {:?}\n{}", self.program, left(&areas), self.log());
        assert!(self.is_drained());
    }
}

/// True if a log says that something is wrong.
fn is_told(log: &str) -> bool {
    ["warning: ", "alert: ", ": deferral: ", "trigger: ", "trouble"]
        .iter()
        .any(|word| log.contains(word))
}

/// The files in a directory and those below it.
fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
