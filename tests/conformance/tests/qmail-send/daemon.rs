//! A qmail-send whose spawners and qmail-clean are the test.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use harness::{Background, Run, Side, Which, until};
use unix::fifo;
use unix::signal::Signal;

/// The pipes: descriptor, sign of the redirection, name.
const PIPES: [(u8, char, &str); 6] = [
    (1, '>', "to-local"),
    (2, '<', "from-local"),
    (3, '>', "to-remote"),
    (4, '<', "from-remote"),
    (5, '>', "to-clean"),
    (6, '<', "from-clean"),
];

/// A queue, qmail-send, and what was seen of both.
pub struct Daemon<'a> {
    pub side: &'a Side,
    /// Whether times of messages are noted at the end; they differ where a second has passed.
    pub notes_due: bool,
    /// The spawners are of ours, which understand wide commands.
    pub is_wide: bool,
    running: Option<Background>,
    pipes: BTreeMap<&'static str, File>,
    /// What was heard on a pipe and not looked at.
    heard: RefCell<BTreeMap<&'static str, Vec<u8>>>,
    /// What the test saw, to be compared.
    seen: RefCell<String>,
}

impl<'a> Daemon<'a> {
    /// An empty queue and a host called mail.test.
    pub fn new(side: &'a Side) -> Daemon<'a> {
        let daemon = Daemon {
            side,
            notes_due: false,
            is_wide: false,
            running: None,
            pipes: BTreeMap::new(),
            heard: RefCell::default(),
            seen: RefCell::default(),
        };
        let names = ["mess", "info", "local", "remote"];
        let split = names.into_iter().flat_map(|name| (0..23).map(move |n| format!("{name}/{n}")));
        for name in split.chain(["todo", "intd", "bounce", "pid", "lock"].map(str::to_owned)) {
            fs::create_dir_all(daemon.queue(&name)).unwrap();
            for entry in fs::read_dir(daemon.queue(&name)).unwrap().flatten() {
                if name != "lock" {
                    fs::remove_file(entry.path()).unwrap();
                }
            }
        }
        fs::write(daemon.queue("lock/sendmutex"), "").unwrap();
        let _ = fs::remove_file(daemon.queue("lock/trigger")); // it may not be there
        fifo::make(&daemon.queue("lock/trigger"), 0o622).unwrap();
        fs::set_permissions(daemon.queue("lock/trigger"), fs::Permissions::from_mode(0o622))
            .unwrap();
        for name in fs::read_dir(side.home().join("control")).unwrap().flatten() {
            fs::remove_file(name.path()).unwrap();
        }
        side.control("me", "mail.test\n");
        side.control(
            "virtualdomains",
            "virt.test:joe-virt\none@single.test:joe-one\n.wild.test:w\n",
        );
        side.control("percenthack", "ph.test\n");
        side.script("queue", QUEUE);
        daemon
    }

    pub fn queue(&self, name: &str) -> PathBuf {
        self.side.home().join("queue").join(name)
    }

    /// Puts a message in, as qmail-queue leaves it. A bar in `envelope` stands for a zero byte.
    pub fn put(&self, id: u64, envelope: &str) {
        self.file(&format!("mess/{}/{id}", id % 23), &format!("Subject: {id}\n\nx\n"));
        // In one step, as qmail-queue does it: qmail-send may be looking.
        let new = format!("pid/{id}");
        self.file(&new, envelope);
        fs::rename(self.queue(&new), self.queue(&format!("todo/{id}"))).unwrap();
    }

    /// Makes a file of the queue. A bar stands for a zero byte.
    pub fn file(&self, name: &str, contents: &str) {
        fs::write(self.queue(name), contents.replace('|', "\0")).unwrap();
        fs::set_permissions(self.queue(name), fs::Permissions::from_mode(0o644)).unwrap();
    }

    /// Puts a message in, as qmail-send leaves it: `age` seconds old, recipients due now.
    pub fn put_preprocessed(&self, id: u64, age: u64, sender: &str, area: &str, recipients: &str) {
        self.file(&format!("mess/{}/{id}", id % 23), &format!("Subject: {id}\n\nx\n"));
        let info = format!("info/{}/{id}", id % 23);
        self.file(&info, &format!("F{sender}|"));
        self.age(&info, age);
        self.file(&format!("{area}/{}/{id}", id % 23), recipients);
    }

    /// Makes a file of the queue `age` seconds old.
    pub fn age(&self, name: &str, age: u64) {
        let then = SystemTime::now() - Duration::from_secs(age);
        let times = fs::FileTimes::new().set_accessed(then).set_modified(then);
        File::options().write(true).open(self.queue(name)).unwrap().set_times(times).unwrap();
    }

    /// Starts qmail-send; `most` is what the spawners say that they bear.
    pub fn start(&mut self, most: u8) {
        self.start_with(most, "queue", &[]);
    }

    /// The same with another queue program, and with other files in place of pipes.
    pub fn start_with(&mut self, most: u8, queue: &str, instead: &[(&str, &str)]) {
        let path = self.side.path();
        for (_, _, name) in PIPES {
            fifo::make(&path.join(name), 0o600).unwrap();
            let mut options = OpenOptions::new();
            let fifo = options.read(true).write(true).custom_flags(0o4000).open(path.join(name));
            self.pipes.insert(name, fifo.unwrap());
        }
        if most > 0 {
            self.tell("from-local", &[most]);
            self.tell("from-remote", &[most]);
        }
        fs::write(path.join("log"), "").unwrap();
        let redirections = PIPES.map(|(number, sign, name)| {
            let other = instead.iter().find(|(pipe, _)| *pipe == name).map(|(_, other)| *other);
            format!("{number}{sign}{}", other.unwrap_or(name))
        });
        let script = format!("exec \"$1\" 0>>log {}", redirections.join(" "));
        let program = self.side.programs().join("qmail-send");
        let words =
            ["sh".as_ref(), "-c".as_ref(), script.as_ref(), "sh".as_ref(), program.as_os_str()];
        let command = self.side.command(words).env("QMAILQUEUE", path.join(queue));
        self.running = Some(command.start_in_background());
    }

    /// Starts it and waits for its first line.
    pub fn begin(&mut self) {
        self.start(100);
        self.logs("status: local 0/10 remote 0/20\n");
    }

    pub fn log(&self) -> String {
        String::from_utf8_lossy(&self.side.read("log")).into_owned()
    }

    /// Waits until the log holds `text`.
    pub fn logs(&self, text: &str) {
        assert!(until(|| self.log().contains(text)), "no {text:?} in\n{}", self.log());
    }

    /// Waits until the log ends with `text`.
    pub fn logs_last(&self, text: &str) {
        assert!(until(|| self.log().ends_with(text)), "no {text:?} at the end of\n{}", self.log());
    }

    /// Says something on a pipe.
    pub fn tell(&self, pipe: &str, bytes: &[u8]) {
        (&self.pipes[pipe]).write_all(bytes).unwrap();
    }

    /// Closes the pipe on which a daemon speaks: it has ended.
    pub fn hang_up(&mut self, pipe: &'static str) {
        self.pipes.remove(pipe);
    }

    /// Waits for something on a pipe that ends with `count` zero bytes; notes and gives it.
    pub fn hear(&self, pipe: &'static str, count: usize) -> String {
        let mut heard = self.heard.borrow_mut();
        let bytes = heard.entry(pipe).or_default();
        let enough = until(|| {
            self.listen(pipe, bytes);
            end(bytes, count).is_some()
        });
        assert!(enough, "{pipe}: {:?}\n{}", bytes.escape_ascii().to_string(), self.log());
        let rest = bytes.split_off(end(bytes, count).unwrap());
        let text = bytes.escape_ascii().to_string();
        *bytes = rest;
        self.note(&format!("{pipe} {text}"));
        text
    }

    /// Adds what comes on a pipe to `bytes`. That ours asks whether it is understood is answered as the
    /// original's spawners answer it, unless they are to be ours.
    fn listen(&self, pipe: &str, bytes: &mut Vec<u8>) {
        let mut buffer = [0; 4096];
        if let Ok(read) = (&self.pipes[pipe]).read(&mut buffer) {
            bytes.extend_from_slice(&buffer[..read]);
        }
        if pipe != "to-clean" && bytes.starts_with(b"\xffwide\0\0\0") {
            bytes.drain(..8);
            let no: &[u8] = b"\xffZInternal error: delnum too big. (#4.3.5)\n\0";
            let answer = if self.is_wide { b"\xffK200\0" } else { no };
            self.tell(&pipe.replace("to-", "from-"), answer);
        }
    }

    /// Answers the questions that it has asked of the spawners.
    pub fn answer_questions(&self) {
        let mut heard = self.heard.borrow_mut();
        for pipe in ["to-local", "to-remote"] {
            self.listen(pipe, heard.entry(pipe).or_default());
        }
    }

    /// A command of a delivery: number, file, sender, recipient; gives those that are text.
    pub fn command(&self, channel: &str) -> String {
        let pipe = if channel == "local" { "to-local" } else { "to-remote" };
        // The number may be a zero byte of its own.
        let mut heard = self.heard.borrow_mut();
        let bytes = heard.entry(pipe).or_default();
        let first = until(|| {
            self.listen(pipe, bytes);
            !bytes.is_empty()
        });
        assert!(first, "{pipe}: nothing\n{}", self.log());
        let number = bytes.remove(0);
        drop(heard);
        self.note(&format!("number {number}"));
        self.hear(pipe, 3)
    }

    /// Reports on a delivery.
    pub fn report(&self, channel: &str, number: u8, text: &str) {
        let bytes = [&[number], text.as_bytes(), &[0]].concat();
        self.tell(if channel == "local" { "from-local" } else { "from-remote" }, &bytes);
    }

    /// Message `id` is preprocessed, delivered to its one recipient and removed, and the daemon ends; gives the
    /// command of the delivery.
    pub fn delivers(mut self, id: u64) -> String {
        self.clean();
        let command = self.command("local");
        self.report("local", 0, "Kok\n");
        self.clean();
        self.logs(&format!("end msg {id}\n"));
        assert_eq!(self.leave().exit, 0);
        command
    }

    /// qmail-clean is asked; does it and answers.
    pub fn clean(&self) {
        self.clean_as(b"+");
    }

    /// qmail-clean is asked; does it if `answer` says so.
    pub fn clean_as(&self, answer: &[u8]) {
        let request = self.hear("to-clean", 1);
        let (kind, id) = request.trim_end_matches("\\x00").split_once('/').unwrap();
        if answer == b"+" {
            let number: u64 = id.parse().unwrap();
            if kind != "foop" {
                fs::remove_file(self.queue(&format!("todo/{id}"))).unwrap();
            }
            if kind != "todo" {
                fs::remove_file(self.queue(&format!("mess/{}/{id}", number % 23))).unwrap();
            }
        }
        self.tell("from-clean", answer);
    }

    /// The greatest resident size of qmail-send so far, in KiB.
    pub fn peak(&self) -> u64 {
        let pid = self.running.as_ref().unwrap().pid();
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().trim_end_matches(" kB").parse().unwrap()
    }

    /// Pulls the trigger.
    pub fn pull(&self) {
        let pull = || {
            fifo::write_end(&self.queue("lock/trigger"))
                .is_ok_and(|mut end| end.write_all(&[0]).is_ok())
        };
        assert!(until(pull), "nobody watches the trigger");
    }

    pub fn signal(&self, signal: Signal) {
        self.running.as_ref().unwrap().signal(signal);
    }

    /// Ends it and waits for that.
    pub fn leave(&mut self) -> Run {
        self.signal(Signal::SIGTERM);
        self.end()
    }

    /// Waits until it has ended; gives what was seen, the log, and the files of the queue.
    pub fn end(&mut self) -> Run {
        let exit = self.running.as_mut().unwrap().ends();
        self.note_queue();
        if self.notes_due {
            self.note_due();
        }
        self.without_our_headers();
        let log = self.log();
        for (_, _, name) in PIPES {
            let _ = fs::remove_file(self.side.path().join(name)); // some were never made
        }
        for name in ["log", "queue"] {
            let _ = fs::remove_file(self.side.path().join(name)); // as above
        }
        Run { stdout: self.seen.take().into_bytes(), stderr: log.into_bytes(), exit }
    }

    /// Something that the test saw.
    pub fn note(&self, text: &str) {
        let _ = writeln!(self.seen.borrow_mut(), "{text}"); // into a String, which takes everything
    }

    /// Notes what is in the queue: contents, and of recipients when they are due, from the birth on.
    pub fn note_queue(&self) {
        for area in ["mess", "todo", "info", "local", "remote", "bounce"] {
            let mut found: Vec<_> = walk(&self.queue(area));
            found.sort();
            for path in found {
                let name = path.strip_prefix(self.queue("")).unwrap().display().to_string();
                let contents = fs::read(&path).unwrap();
                let mode = fs::metadata(&path).unwrap().mode() & 0o777;
                let kept = if area == "mess" { "" } else { &contents.escape_ascii().to_string() };
                self.note(&format!("{name} {mode:o} {kept}"));
            }
        }
    }

    /// Notes how long after its birth each message is due.
    fn note_due(&self) {
        for area in ["local", "remote"] {
            for path in walk(&self.queue(area)) {
                let time = |path: &PathBuf| fs::metadata(path).map(|meta| meta.mtime());
                let info = self.queue("info").join(path.strip_prefix(self.queue(area)).unwrap());
                let Ok(birth) = time(&info) else { continue };
                let due = time(&path).unwrap() - birth;
                let name = path.strip_prefix(self.queue("")).unwrap().display().to_string();
                self.note(&format!("{name} is due {due} seconds after its birth"));
            }
        }
    }

    /// Takes what ours has and the original has not out of a bounce, which must be there.
    fn without_our_headers(&self) {
        let bounce = self.side.read("bounce");
        if bounce.is_empty() || self.side.which() != Which::Ours {
            return;
        }
        let text = String::from_utf8(bounce).unwrap();
        let (head, body) = text.split_once("\n\n").unwrap();
        let ours = [
            "Message-ID: <",
            "Auto-Submitted: auto-replied",
            "MIME-Version: 1.0",
            "Content-Type: text/plain; charset=unknown-8bit",
            "Content-Transfer-Encoding: 8bit",
        ];
        let mut lines: Vec<&str> = head.lines().collect();
        for line in ours {
            let at = lines.iter().position(|found| found.starts_with(line));
            lines.remove(at.unwrap_or_else(|| panic!("no {line} in {head}")));
        }
        self.side.write("bounce", format!("{}\n\n{body}", lines.join("\n")));
    }
}

/// A queue program that keeps what it is given.
const QUEUE: &str =
    "#!/bin/sh\ncd \"${0%/*}\" && exec 3<&1 && cat > bounce && tr '\\000' '|' <&3 > envelope\n";

/// Where `count` zero bytes have been.
fn end(bytes: &[u8], count: usize) -> Option<usize> {
    bytes.iter().enumerate().filter(|(_, byte)| **byte == 0).nth(count - 1).map(|(at, _)| at + 1)
}

fn walk(path: &PathBuf) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(path).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(walk(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
