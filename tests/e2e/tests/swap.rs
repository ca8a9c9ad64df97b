//! Our programs and notqmail's in one another's place: each carries on with the queue that the other has
//! left, and each program alone works among the others'. Run by `tests/swap`.

use std::collections::BTreeMap;
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use harness::{Peer, Turn, skipped_for, until};
use queue::record::{Reader, Record};
use queue::seal;
use unix::Pid;
use unix::signal::{self, Signal};
use unix::user::User;

/// The programs of the transport.
const PROGRAMS: [&str; 9] = [
    "qmail-queue",
    "qmail-start",
    "qmail-send",
    "qmail-clean",
    "qmail-lspawn",
    "qmail-getpw",
    "qmail-local",
    "qmail-rspawn",
    "qmail-remote",
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Whose {
    Ours,
    Theirs,
}

use Whose::{Ours, Theirs};

impl Whose {
    fn other(self) -> Whose {
        if self == Ours { Theirs } else { Ours }
    }
}

/// An installed host: notqmail's home, with programs of both.
struct Host {
    home: PathBuf,
    peer: Peer,
    is_open: Arc<AtomicBool>,
    daemons: Option<Child>,
    sent: usize,
}

impl Host {
    /// `None` (and one line) where no home is given.
    fn new() -> Option<Host> {
        let Some(home) = std::env::var_os("DAISYCHAIN_SWAP") else {
            skipped_for("tests/swap takes the home of a built notqmail");
            return None;
        };
        let home = PathBuf::from(home);
        let theirs = home.join("theirs");
        if !theirs.exists() {
            fs::rename(home.join("bin"), &theirs).expect("their programs");
            fs::create_dir(home.join("bin")).expect("a directory");
        }
        let is_open = Arc::new(AtomicBool::new(true));
        let opens = Arc::clone(&is_open);
        let peer = Peer::start(move |line| match line {
            line if line.starts_with("RCPT") && !opens.load(Ordering::Relaxed) => {
                Turn::from("451 later")
            }
            line => Peer::agree(line),
        });
        let host = Host { home, peer, is_open, daemons: None, sent: 0 };
        let remote = format!("elsewhere.example:127.0.0.1:{}\n", host.peer.port());
        for (name, text) in [
            ("control/me", "mail.test\n"),
            ("control/smtproutes", remote.as_str()),
            ("alias/.qmail-ok", "./Maildir/\n"),
            ("alias/.qmail-box", "./Mailbox\n"),
            ("alias/.qmail-fail", "|exit 100\n"),
            ("alias/.qmail-later", "|exit 111\n"),
            ("alias/.qmail-sender", "./Maildir/\n"),
        ] {
            fs::write(host.home.join(name), text).expect("a file");
        }
        let alias = User::from_name(b"alias").ok().flatten().expect("qmail's accounts");
        for name in ["", "/tmp", "/new", "/cur"] {
            let path = host.home.join(format!("alias/Maildir{name}"));
            fs::create_dir_all(&path).expect("a directory");
            chown(&path, Some(alias.uid.as_raw()), Some(alias.gid.as_raw())).expect("root may");
        }
        host.forget();
        Some(host)
    }

    /// Installs programs: each whose `whose` says.
    fn install(&self, whose: impl Fn(&str) -> Whose) {
        let queue = User::from_name(b"qmailq").ok().flatten().expect("qmail's accounts");
        for program in PROGRAMS {
            let folder = match whose(program) {
                Ours => PathBuf::from(std::env::var_os("DAISYCHAIN_COMMAND").expect("tests/swap")),
                Theirs => self.home.join("theirs"),
            };
            let path = self.home.join("bin").join(program);
            let _ = fs::remove_file(&path); // there may be none
            fs::copy(folder.join(program), &path).expect("a program");
            let mode = if program == "qmail-queue" {
                chown(&path, Some(queue.uid.as_raw()), Some(queue.gid.as_raw())).expect("root may");
                0o4711
            } else {
                0o755
            };
            fs::set_permissions(&path, Permissions::from_mode(mode)).expect("a program");
        }
    }

    fn start(&mut self) {
        let log =
            File::options().create(true).append(true).open(self.home.join("log")).expect("a log");
        let bin = self.home.join("bin");
        let mut command = Command::new(bin.join("qmail-start"));
        command.arg("./Mailbox").env_clear().process_group(0).stdin(Stdio::null());
        command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
        command.stdout(log.try_clone().expect("a log")).stderr(log);
        self.daemons = Some(command.spawn().expect("qmail-start"));
        assert!(until(|| self.log().contains("status: local 0/10")), "{}", self.log());
    }

    /// A signal to qmail-send.
    fn signal(&self, which: Signal) {
        let pid = self.daemons.as_ref().expect("running daemons").id();
        signal::send(Pid::from_raw(pid.try_into().expect("a number")), which).expect("a process");
    }

    fn stop(&mut self) {
        self.signal(Signal::SIGTERM);
        let mut daemons = self.daemons.take().expect("running daemons");
        let ended = until(|| daemons.try_wait().expect("a child").is_some());
        assert!(ended, "it does not end: {}", self.log());
        assert!(self.log().ends_with("status: exiting\n"), "{}", self.log());
    }

    fn log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.home.join("log")).unwrap_or_default()).into_owned()
    }

    /// Puts a message into the queue.
    fn submit(&self, name: &str, recipients: &[&str]) {
        let (message, envelope) = (self.home.join("message"), self.home.join("envelope"));
        fs::write(&message, format!("Subject: {name}\n\nbody of {name}.\n")).expect("a file");
        let to: Vec<String> =
            recipients.iter().map(|recipient| format!("T{recipient}\0")).collect();
        fs::write(&envelope, format!("Fsender@mail.test\0{}\0", to.concat())).expect("a file");
        let mut command = Command::new(self.home.join("bin/qmail-queue"));
        command.stdin(File::open(message).expect("a file"));
        command.stdout(File::open(envelope).expect("a file"));
        assert!(command.status().expect("qmail-queue").success(), "{name} is not queued");
    }

    /// Gives the one message in `todo/` the seal that it would have from qmail-queued.
    fn seal(&self) {
        let [todo, mess] = ["todo", "mess"].map(|area| {
            let found = files(&self.home.join("queue").join(area));
            assert_eq!(found.len(), 1, "{found:?}");
            found[0].clone()
        });
        let plain = fs::read(&todo).expect("an envelope");
        let mut reader = Reader::new(plain.as_slice());
        let (mut uid, mut number, mut records) = (0, 0, Vec::new());
        while let Some((_, record)) = reader.read().expect("records") {
            match record {
                Record::Uid(found) => uid = found,
                Record::Pid(found) => number = found,
                record => record.write(&mut records),
            }
        }
        let message = fs::read(mess).expect("a message");
        fs::write(todo, seal::envelope(uid, number, &[&message], &records)).expect("an envelope");
    }

    /// How many copies of a message are where: Maildir, mbox, the bounce, the peer.
    fn copies(&self, name: &str) -> BTreeMap<&'static str, usize> {
        let body = format!("\nbody of {name}.\n");
        let read =
            |path: &Path| String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned();
        let new = fs::read_dir(self.home.join("alias/Maildir/new")).expect("a maildir").flatten();
        let mail: Vec<_> = new.map(|entry| read(&entry.path())).collect();
        let is_bounce = |mail: &&&String| mail.contains("--- Below this line");
        let mine: Vec<_> = mail.iter().filter(|mail| mail.contains(&body)).collect();
        let bounces: Vec<_> = mine.iter().copied().filter(|mail| is_bounce(&mail)).collect();
        let told = bounces.iter().filter(|mail| mail.contains("<fail@mail.test>:\n")).count();
        assert_eq!(told, bounces.len(), "{name}: {bounces:?}");
        let text = format!("\r\nbody of {name}.\r\n.\r\n");
        let heard = self.peer.heard();
        BTreeMap::from([
            ("bounce", bounces.len()),
            ("maildir", mine.len() - bounces.len()),
            ("mbox", read(&self.home.join("alias/Mailbox")).matches(&body).count()),
            ("peer", heard.iter().skip(self.sent).filter(|heard| heard.contains(&text)).count()),
        ])
    }

    /// Waits until a message is everywhere, and once.
    fn arrives(&self, name: &str, expected: &[(&'static str, usize)]) {
        let expected: BTreeMap<_, _> = expected.iter().copied().collect();
        let arrived = until(|| self.copies(name) == expected);
        assert!(arrived, "{name}: {:?}\n{}", self.copies(name), self.log());
    }

    /// Waits until no file of a message is left.
    fn drains(&self) {
        let areas = ["bounce", "info", "intd", "local", "mess", "pid", "remote", "todo"];
        let left = || -> Vec<_> {
            areas.iter().flat_map(|area| files(&self.home.join("queue").join(area))).collect()
        };
        assert!(until(|| left().is_empty()), "{:?}\n{}", left(), self.log());
    }

    /// Throws away what has arrived, and the log.
    fn forget(&self) {
        for path in files(&self.home.join("alias/Maildir")) {
            fs::remove_file(path).expect("a message");
        }
        for name in ["alias/Mailbox", "log"] {
            let _ = fs::remove_file(self.home.join(name)); // there may be none
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        if let Some(mut daemons) = self.daemons.take() {
            let pid = Pid::from_raw(daemons.id().try_into().expect("a number"));
            let _ = signal::send_group(pid, Signal::SIGKILL); // they may be gone
            let _ = daemons.wait(); // as above
        }
    }
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}

const ONCE: [(&str, usize); 4] = [("bounce", 1), ("maildir", 1), ("mbox", 1), ("peer", 1)];

#[test]
fn each_carries_on_with_the_queue_that_the_other_has_left() {
    for first in [Ours, Theirs] {
        let Some(mut host) = Host::new() else { return };
        fs::write(host.home.join("alias/.qmail-later"), "|exit 111\n").expect("a file");
        host.is_open.store(false, Ordering::Relaxed);
        host.install(|_| first);
        host.start();
        // Some are done with, some are deferred on each channel, and a failure waits to be told.
        let all = ["ok", "fail", "later", "box"].map(|name| format!("{name}@mail.test"));
        let mut all: Vec<&str> = all.iter().map(String::as_str).collect();
        all.push("friend@elsewhere.example");
        host.submit("deferred", &all);
        let waits = || host.log().matches(": deferral: ").count() == 2;
        assert!(until(waits), "{}", host.log());
        host.arrives("deferred", &[("bounce", 0), ("maildir", 1), ("mbox", 1), ("peer", 0)]);
        assert!(until(|| !files(&host.home.join("queue/bounce")).is_empty()));
        host.stop();
        // One is not even looked at.
        host.submit("fresh", &all);
        let left = files(&host.home.join("queue"));
        println!("{first:?} leaves {} files: ", left.len());
        for path in left {
            println!("  {}", path.strip_prefix(&host.home).expect("below").display());
        }

        fs::write(host.home.join("alias/.qmail-later"), "./Maildir/\n").expect("a file");
        host.is_open.store(true, Ordering::Relaxed);
        fs::remove_file(host.home.join("log")).expect("a log");
        host.install(|_| first.other());
        host.start();
        host.signal(Signal::SIGALRM);
        for name in ["deferred", "fresh"] {
            host.arrives(name, &[("bounce", 1), ("maildir", 2), ("mbox", 1), ("peer", 1)]);
        }
        host.drains();
        host.stop();
        println!("{:?} has carried on: everything arrived once, nothing is left", first.other());
    }
}

/// What qmail-queued has left in todo/ after a clean stop.
#[test]
fn a_message_with_a_seal_is_as_any_other_to_both() {
    for whose in [Ours, Theirs] {
        let Some(mut host) = Host::new() else { return };
        host.install(|_| whose);
        let name = format!("sealed-{whose:?}");
        let to = ["ok@mail.test", "box@mail.test", "fail@mail.test", "friend@elsewhere.example"];
        host.submit(&name, &to);
        host.seal();
        host.start();
        host.arrives(&name, &ONCE);
        host.drains();
        host.stop();
        println!("{whose:?}: a sealed message, once");
    }
}

#[test]
fn each_program_alone_works_among_the_others_of_the_other() {
    for whose in [Ours, Theirs] {
        for program in PROGRAMS {
            let Some(mut host) = Host::new() else { return };
            host.install(|name| if name == program { whose } else { whose.other() });
            host.start();
            let name = format!("{program}-{whose:?}");
            for number in 0..3 {
                let name = format!("{name}-{number}");
                let to =
                    ["ok@mail.test", "box@mail.test", "fail@mail.test", "friend@elsewhere.example"];
                host.submit(&name, &to);
                host.arrives(&name, &ONCE);
            }
            host.drains();
            host.stop();
            println!("{program}: {whose:?} among {:?}: 3 messages, each once", whose.other());
        }
    }
}
