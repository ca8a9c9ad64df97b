//! A trace of real programs, done again to the model of a disk.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use qmail::spawn::protocol::{Commands, Heard, Recipient, Reports};
use queue::hand::Answer;
use queue::series::{self, DESCRIPTOR};

use crate::model::Model;
use crate::trace::Call;

/// Something that the programs have told the world, or cannot take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Promise {
    /// No promise yet: a message has its name in `todo/`, from where on it may be delivered. The inode of its
    /// file in `mess/`.
    Queued(u64),
    /// A message is accepted: by the end of its qmail-queue, the answer of qmail-queued, or the reply of the SMTP server. The
    /// inode of its file in `mess/`.
    Accepted(u64),
    /// A spawner reports on the delivery of a message to a recipient: the report's letter.
    Reported { message: u64, recipient: Vec<u8>, letter: u8, is_local: bool },
    /// The last name of a message is about to be removed.
    Forgotten(u64),
}

/// What a step of the trace was.
#[derive(Debug)]
pub enum Step {
    /// A promise is being made: the disk is as it is just before.
    Promise(Promise),
    /// The disk has changed, or something is durable.
    Change,
}

/// What has been said to a spawner, and by it.
#[derive(Default)]
struct Spawner {
    commands: Commands,
    reports: Reports,
    has_begun: bool,
    /// What it was told last under a number: message and recipient.
    deliveries: HashMap<u32, (u64, Vec<u8>)>,
}

/// Who changes files that count.
const MAIL: [&str; 5] = ["qmail-queue", "qmail-queued", "qmail-send", "qmail-clean", "qmail-local"];

/// Which files count, and where what is traced has got to.
pub struct Replay<'a> {
    /// The disk so far.
    pub disk: Model,
    /// Directories that count, and the names that they have in the model.
    roots: &'a [(PathBuf, PathBuf)],
    /// Syncs that are taken for not done: to see that a test would notice.
    forgotten: &'a dyn Fn(&Path) -> bool,
    /// The inode that an open file of that path is: also when the name is gone.
    opened: HashMap<PathBuf, u64>,
    programs: HashMap<u32, String>,
    /// The messages that a qmail-queue has made.
    deposits: HashMap<u32, Vec<u64>>,
    /// The remote one and the local one.
    spawners: [Spawner; 2],
    /// The moments at which syncs have begun that are not done.
    syncing: HashMap<u32, u64>,
    /// The same of those that a process has asked for at once, by its number and theirs, and of what they are.
    asked: HashMap<(u32, u64), (PathBuf, u64)>,
    inodes: u64,
}

impl<'a> Replay<'a> {
    /// An empty disk.
    pub fn new(
        roots: &'a [(PathBuf, PathBuf)],
        forgotten: &'a dyn Fn(&Path) -> bool,
    ) -> Replay<'a> {
        Replay {
            disk: Model::new(),
            roots,
            forgotten,
            opened: HashMap::new(),
            programs: HashMap::new(),
            deposits: HashMap::new(),
            spawners: Default::default(),
            syncing: HashMap::new(),
            asked: HashMap::new(),
            inodes: 0,
        }
    }

    /// Runs the whole trace; `look` sees the disk after each step that matters.
    ///
    /// What a call changes is there when it returns. A sync makes durable what had returned before it
    /// began, and a promise is made when its call begins.
    pub fn run<E>(
        mut self,
        calls: &[Call],
        mut look: impl FnMut(&Model, &Step) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut steps: Vec<(usize, bool, &Call)> = calls
            .iter()
            .flat_map(|call| [(call.began, false, call), (call.ended, true, call)])
            .collect();
        steps.sort_by_key(|(line, is_end, _)| (*line, *is_end));
        for (_, is_end, call) in steps {
            if is_end {
                let before = (self.disk.now(), self.disk.unsettled());
                let queued = self.end(call);
                if before != (self.disk.now(), self.disk.unsettled()) {
                    look(&self.disk, &Step::Change)?;
                }
                if let Some(message) = queued {
                    look(&self.disk, &Step::Promise(Promise::Queued(message)))?;
                }
            } else {
                for promise in self.begin(call) {
                    look(&self.disk, &Step::Promise(promise))?;
                }
            }
        }
        Ok(())
    }

    fn program(&self, pid: u32) -> &str {
        self.programs.get(&pid).map_or("", String::as_str)
    }

    /// The name that a path has in the model, if it counts.
    fn name(&self, path: &Path) -> Option<PathBuf> {
        self.roots.iter().find_map(|(root, name)| {
            let inner = path.strip_prefix(root).ok()?;
            (!inner.starts_with("lock")).then(|| name.join(inner))
        })
    }

    fn file(&self, call: &Call, number: usize) -> Option<u64> {
        let name = self.name(&call.opened(number)?)?;
        self.opened.get(&name).copied()
    }

    fn begin(&mut self, call: &Call) -> Vec<Promise> {
        match (self.program(call.pid), call.name.as_str()) {
            (_, "fsync" | "fdatasync") => {
                self.syncing.insert(call.pid, self.disk.now());
                Vec::new()
            }
            (_, "io_submit") => {
                let (pid, now) = (call.pid, self.disk.now());
                let requests = call.requests().into_iter();
                self.asked.extend(requests.map(|(number, path)| ((pid, number), (path, now))));
                Vec::new()
            }
            ("qmail-queue", "exit_group") if call.argument(0) == "0" => {
                self.accepted(call.pid, None)
            }
            // It says that it takes another message.
            ("qmail-queue", "write" | "sendto") if call.descriptor(0) == Some(DESCRIPTOR) => {
                self.accepted(call.pid, None)
            }
            ("qmail-queued", "sendto") => match Answer::parse(&call.bytes(1)) {
                Some(Answer { code: 0, number }) => self.accepted_as(number),
                _ => Vec::new(),
            },
            ("qmail-smtpd", "write" | "writev") if call.descriptor(0) == Some(1) => {
                let said = String::from_utf8_lossy(&call.bytes(1)).into_owned();
                let qp = said.split(" qp ").nth(1).and_then(|qp| qp.trim().parse::<u64>().ok());
                qp.map_or_else(Vec::new, |qp| self.accepted_as(qp))
            }
            ("qmail-send", "write" | "writev") => {
                match call.descriptor(0) {
                    Some(1) => self.command(true, &call.bytes(1)),
                    Some(3) => self.command(false, &call.bytes(1)),
                    _ => {}
                }
                Vec::new()
            }
            ("qmail-lspawn", "write" | "writev") if call.descriptor(0) == Some(1) => {
                self.reports(true, &call.bytes(1))
            }
            ("qmail-rspawn", "write" | "writev") if call.descriptor(0) == Some(1) => {
                self.reports(false, &call.bytes(1))
            }
            (_, "unlinkat") => {
                let name = self.name(&call.path_at(1)).filter(|name| name.starts_with("mess"));
                let message = name.and_then(|name| self.disk.inode(&name));
                message.map(Promise::Forgotten).into_iter().collect()
            }
            _ => Vec::new(),
        }
    }

    /// The message that logs know under that number.
    fn accepted_as(&self, qp: u64) -> Vec<Promise> {
        let round = series::number(0, 1);
        let pid = u32::try_from(qp % round).expect("a process number");
        self.accepted(pid, usize::try_from(qp / round).ok())
    }

    /// The message that a qmail-queue has made as its `round`th, or last of all.
    fn accepted(&self, pid: u32, round: Option<usize>) -> Vec<Promise> {
        let made = self.deposits.get(&pid).map(Vec::as_slice).unwrap_or_default();
        let message = round.map_or(made.last(), |round| made.get(round));
        message.map(|&message| Promise::Accepted(message)).into_iter().collect()
    }

    /// Remembers what a spawner is told to deliver.
    fn command(&mut self, is_local: bool, mut bytes: &[u8]) {
        let spawner = &mut self.spawners[usize::from(is_local)];
        while let Some(command) = spawner.commands.next(&mut bytes) {
            let name = format!("mess/{}", String::from_utf8_lossy(&command.file));
            let Some(message) = self.disk.inode(Path::new(&name)) else { continue };
            for Recipient { slot, address } in command.recipients {
                spawner.deliveries.insert(slot.number, (message, address));
            }
        }
    }

    fn reports(&mut self, is_local: bool, mut bytes: &[u8]) -> Vec<Promise> {
        let spawner = &mut self.spawners[usize::from(is_local)];
        if !std::mem::replace(&mut spawner.has_begun, true) {
            bytes = &bytes[1..]; // how many deliveries it bears
        }
        let mut found = Vec::new();
        while let Some(heard) = spawner.reports.next(&mut bytes) {
            let Heard::Report(report) = heard else { continue };
            let letter = report.text.first().copied().unwrap_or(b'Z');
            if let Some((message, recipient)) = spawner.deliveries.get(&report.delivery) {
                let (message, recipient) = (*message, recipient.clone());
                found.push(Promise::Reported { message, recipient, letter, is_local });
            }
        }
        found
    }

    /// Does what a call has done; gives the message that is queued by it.
    fn end(&mut self, call: &Call) -> Option<u64> {
        if call.result < 0 {
            return None;
        }
        let is_somewhere = match call.name.as_str() {
            "openat" => call.path_at(1).is_absolute() || !call.argument(2).contains("O_CREAT"),
            "unlinkat" => call.path_at(1).is_absolute(),
            "linkat" | "renameat" => call.path_at(1).is_absolute() && call.path_at(3).is_absolute(),
            _ => true,
        };
        assert!(
            is_somewhere || !MAIL.contains(&self.program(call.pid)),
            "nobody knows where that is: {call:?}"
        );
        match call.name.as_str() {
            "execve" => {
                let program = PathBuf::from(String::from_utf8_lossy(&call.bytes(0)).into_owned());
                let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
                self.programs.insert(call.pid, name);
            }
            "openat" => self.open(call),
            "write" | "writev" => {
                if let Some(inode) = self.file(call, 0) {
                    let bytes = call.bytes(1);
                    let written = usize::try_from(call.result).unwrap_or(0).min(bytes.len());
                    self.disk.written(inode, self.disk.length(inode), &bytes[..written]);
                }
            }
            "pwrite64" => {
                if let Some(inode) = self.file(call, 0) {
                    let offset = call.argument(3).parse().expect("an offset");
                    self.disk.written(inode, offset, &call.bytes(1));
                }
            }
            "ftruncate" => {
                if let Some(inode) = self.file(call, 0) {
                    self.disk.shortened(inode, call.argument(1).parse().expect("a length"));
                }
            }
            "linkat" => {
                if let Some(name) = self.name(&call.path_at(3)) {
                    let old = self.name(&call.path_at(1)).and_then(|old| self.disk.inode(&old));
                    let inode = old.expect("a file that is linked has a name");
                    self.disk.named(&name, inode);
                    self.opened.insert(name.clone(), inode);
                    if name.starts_with("mess") {
                        self.deposits.entry(call.pid).or_default().push(inode);
                    }
                    if name.starts_with("todo") {
                        return self.deposits.get(&call.pid)?.last().copied();
                    }
                }
            }
            "unlinkat" => {
                let name = self.name(&call.path_at(1));
                if let Some(name) = name.filter(|name| self.disk.inode(name).is_some()) {
                    self.disk.unnamed(&name);
                }
            }
            "fsync" | "fdatasync" => {
                let moment = self.syncing.remove(&call.pid).unwrap_or(0);
                self.sync(call.opened(0), moment);
            }
            "io_getevents" => {
                for number in call.done() {
                    let (path, moment) = self.asked.remove(&(call.pid, number)).expect("a request");
                    self.sync(Some(path), moment);
                }
            }
            "renameat" | "renameat2" | "truncate" | "pwritev" | "copy_file_range" | "sendfile"
            | "splice" | "io_uring_enter" => {
                let paths = [call.path_at(0), call.path_at(1), call.path_at(3)];
                let is_ours = paths.iter().any(|path| self.name(path).is_some())
                    || [0, 1, 2].iter().any(|&number| self.file(call, number).is_some());
                assert!(!is_ours, "the model has no {}: {call:?}", call.name);
            }
            _ => {}
        }
        None
    }

    fn open(&mut self, call: &Call) {
        let flags = call.argument(2);
        let Some(name) = self.name(&call.path_at(1)).filter(|_| flags.contains("O_CREAT")) else {
            return;
        };
        if let Some(inode) = self.disk.inode(&name) {
            assert!(!flags.contains("O_TRUNC"), "the model has no O_TRUNC: {call:?}");
            self.opened.insert(name, inode);
            return;
        }
        self.inodes += 1;
        self.disk.named(&name, self.inodes);
        self.opened.insert(name, self.inodes);
    }

    /// What was done to a file or directory before `moment` is durable.
    fn sync(&mut self, opened: Option<PathBuf>, moment: u64) {
        let Some(name) = opened.and_then(|path| self.name(&path)) else { return };
        if (self.forgotten)(&name) {
            return;
        }
        match self.opened.get(&name) {
            Some(&inode) => self.disk.synced(inode, moment),
            None => self.disk.synced_directory(&name, moment),
        }
    }
}
