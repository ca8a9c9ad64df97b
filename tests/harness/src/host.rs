//! A private mail host for end-to-end tests.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use unix::user::User;

use crate::account;
use crate::background::{self, Background};
use crate::command::{Command, Run};
use crate::ground;
use crate::side::{Side, our_programs};
use crate::wait::{free_port, until};

/// The host's domain.
pub const DOMAIN: &str = "daisychain.example";
/// The host's user; mail lands in `you/Maildir`.
pub const ADDRESS: &str = "you@daisychain.example";

/// The older form of the instructions for [`Host::fixes_up`].
pub const FIXUP_BY_SH: &str = "\
| [ \"@$HOST\" = \"@fixme\" ] || ( echo Permission denied; exit 100 )
| qmail-inject -f \"$SENDER\" -- \"$EXT2\"
";

/// A host of our programs in a directory of its own, made and run by `package/try-host`; ended when
/// dropped. Root's hosts belong to the account `nobody`, because mail is never delivered to uid 0.
#[derive(Debug)]
pub struct Host {
    side: Side,
    running: Option<Background>,
    port: u16,
    account: Option<User>,
}

impl Host {
    /// Makes a host and starts it; its SMTP service listens at [`Host::port`].
    #[must_use]
    pub fn start() -> Host {
        let mut host = Host::made();
        host.resume();
        host
    }

    /// A host without qmail-queued, whose socket cannot be made: all its messages go through qmail-queue.
    #[must_use]
    pub fn without_queued() -> Host {
        let mut host = Host::made();
        host.without_socket();
        host.resume();
        host
    }

    /// From its next start on the host has no qmail-queued: what is there cannot be the directory of its socket.
    pub fn without_socket(&self) {
        let _ = fs::remove_dir_all(self.path("qmail/run")); // there may be none
        self.write("qmail/run", "");
    }

    /// Makes a host that does not run yet, to be changed first; [`Host::resume`] starts it.
    #[must_use]
    pub fn made() -> Host {
        let account = account::instead_of_root();
        let host = Host { side: Side::ours(), running: None, port: free_port(), account };
        host.write("port", host.port.to_string());
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/harness");
        let script = tests.parent().expect("the checkout").join("package/try-host");
        ground::place(&script, &host.path("../try-host")).expect("package/try-host");
        fs::create_dir(host.path("../target")).expect("a directory");
        let link = host.path("../target/command");
        std::os::unix::fs::symlink(host.reachable_programs(), link).expect("a link");
        host.give_away(&host.side.path());
        host
    }

    /// Our programs, or a copy where the host's account cannot reach them.
    fn reachable_programs(&self) -> PathBuf {
        let programs = our_programs();
        if self.account.is_none() || account::is_reachable(&programs) {
            return programs;
        }
        let copy = self.side.path().join("programs");
        fs::create_dir(&copy).expect("a directory");
        for entry in fs::read_dir(programs).expect("our programs").flatten() {
            if entry.path().is_file() {
                ground::place(&entry.path(), &copy.join(entry.file_name())).expect("a copy");
            }
        }
        copy
    }

    fn give_away(&self, path: &Path) {
        if let Some(user) = &self.account {
            account::give_away(path, user);
        }
    }

    /// Starts the host, also again after [`Host::stop`], and waits for its SMTP service.
    pub fn resume(&mut self) {
        self.resume_under(&[]);
    }

    /// The same, with every process of it run by another program: the words before its own.
    pub fn resume_under(&mut self, words: &[OsString]) {
        let script = ["sh".into(), self.path("../try-host"), self.path(""), DOMAIN.into()];
        self.running = Some(self.command_under(words, script).start_in_background());
        self.listens();
    }

    /// Waits until the SMTP service takes connections.
    fn listens(&self) {
        let takes = || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        assert!(until(takes), "no SMTP service: {}", self.said());
    }

    /// Ends the host: every process of it at once, by SIGKILL.
    pub fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            let group = running.pid();
            drop(running);
            // A process that has been killed may take a moment to go, and its locks and sockets with it.
            background::group_ends(group);
        }
    }

    /// The process number of svscan, whose process group the whole host is.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.running.as_ref().map_or(0, Background::pid)
    }

    /// The processes of the host whose first arguments end with these words.
    #[must_use]
    pub fn processes(&self, words: &[&str]) -> Vec<i32> {
        let group = self.pid().to_string();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").expect("processes").flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            // Either may be gone by now.
            let command = fs::read(entry.path().join("cmdline")).unwrap_or_default();
            let stat = fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
            let arguments: Vec<&[u8]> = command.split(|&byte| byte == 0).collect();
            let is_named = arguments.len() > words.len()
                && arguments.iter().zip(words).all(|(is, wanted)| is.ends_with(wanted.as_bytes()));
            let fields = stat.rsplit_once(") ").map_or("", |(_, fields)| fields);
            if is_named && fields.split(' ').nth(2) == Some(&group) {
                found.push(pid);
            }
        }
        found
    }

    /// Waits for the one process of the host whose first arguments end with these words.
    #[must_use]
    pub fn process(&self, words: &[&str]) -> i32 {
        let mut found = Vec::new();
        let is_there = until(|| {
            found = self.processes(words);
            found.len() == 1
        });
        assert!(is_there, "{words:?}: {found:?}\n{}", self.said());
        found.first().copied().unwrap_or_default()
    }

    /// A program run as the host's account, with `$QMAILHOME` set.
    pub fn command<W: AsRef<std::ffi::OsStr>>(
        &self,
        words: impl IntoIterator<Item = W>,
    ) -> Command<'_> {
        self.command_under(&[], words)
    }

    /// The same, run by another program that keeps the caller's account.
    fn command_under<W: AsRef<std::ffi::OsStr>>(
        &self,
        under: &[OsString],
        words: impl IntoIterator<Item = W>,
    ) -> Command<'_> {
        let account: &[&str] = if self.account.is_some() { &["setuidgid", "nobody"] } else { &[] };
        let account = account.iter().map(|word| {
            // What runs it need not know where our programs are.
            self.side.own(word.as_ref()).map_or_else(|| word.into(), PathBuf::into_os_string)
        });
        let mut all: Vec<OsString> = under.iter().cloned().chain(account).collect();
        all.extend(words.into_iter().map(|word| word.as_ref().to_owned()));
        self.side.command(all).env("QMAILHOME", self.path("qmail"))
    }

    /// Sends a message through `sendmail`, which must take it.
    ///
    /// # Panics
    ///
    /// If it does not: tells what it and the host have said.
    #[track_caller]
    pub fn sends(&self, message: &str, args: &[&str]) {
        let Run { exit, stdout, stderr } = self.send(message, args);
        let said = [stdout, stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert!(exit == 0, "sendmail {args:?} exits {exit}: {said}\n{}", self.said());
    }

    /// Sends a message through `sendmail`.
    pub fn send(&self, message: &str, args: &[&str]) -> Run {
        self.command([&["sendmail"], args].concat()).stdin(message).run()
    }

    /// Sends a command to a service (`smtpd`, `qmail`, `qmail/log`).
    pub fn svc(&self, option: &str, service: &str) {
        let service = self.path("service").join(service);
        let run = self.command(["svc".as_ref(), option.as_ref(), service.as_os_str()]).run();
        assert_eq!((run.exit, run.stderr), (0, Vec::new()), "svc {option}");
    }

    /// Has qmail-send read its control files again. Whatever is queued from now on is routed by the new ones.
    pub fn rereads(&self) {
        self.logs("qmail", "status: "); // earlier the signal would end it
        self.signals("-h", "qmail");
    }

    /// Has mail for the domain `fixme` done to as `instructions` say, which is how the FAQs mend the
    /// messages of simple clients.
    pub fn fixes_up(&self, instructions: &str) {
        self.write("qmail/control/virtualdomains", "fixme:fixup\n");
        self.write("qmail/alias/.qmail-fixup-default", instructions);
        self.rereads();
    }

    /// Sends a signal to a service and waits until its supervise has passed it on: what happens afterwards
    /// comes after it for the service, too.
    pub fn signals(&self, option: &str, service: &str) {
        let is_paused = || self.status(service).ends_with(", paused");
        // Supervise does one after the other, and tells of the second.
        self.svc(&format!("{option}p"), service);
        assert!(until(is_paused), "{service}: {}", self.status(service));
        self.svc("-c", service);
        assert!(until(|| !is_paused()), "{service}: {}", self.status(service));
    }

    /// What svstat says of a service, without its name: `up (pid 12) 3 seconds`.
    #[must_use]
    pub fn status(&self, service: &str) -> String {
        let service = self.path("service").join(service);
        let run = self.command(["svstat".as_ref(), service.as_os_str()]).run();
        let line = String::from_utf8_lossy(&run.stdout).into_owned();
        line.rsplit(": ").next().unwrap_or_default().trim_end().to_owned()
    }

    /// Waits until svstat's words on a service start with `start`.
    pub fn becomes(&self, service: &str, start: &str) {
        let is_so = || self.status(service).starts_with(start);
        assert!(until(is_so), "{service}: {} instead of {start}", self.status(service));
    }

    /// Waits until a service is up; gives its process number.
    #[must_use]
    pub fn service_pid(&self, service: &str) -> String {
        let pid = || {
            let status = self.status(service);
            Some(status.strip_prefix("up (pid ")?.split(')').next()?.to_owned())
        };
        assert!(until(|| pid().is_some()), "{service}: {}", self.status(service));
        pid().unwrap_or_default()
    }

    /// Replaces the run script of a service, restarts it, and waits until the new process is there (and
    /// for the SMTP service, until it answers).
    pub fn run_script(&self, service: &str, script: &str) {
        let old = self.service_pid(service);
        self.write(&format!("service/{service}/run.new"), script);
        let new = self.path(&format!("service/{service}/run.new"));
        fs::set_permissions(&new, fs::Permissions::from_mode(0o755)).expect("a script");
        fs::rename(new, self.path(&format!("service/{service}/run"))).expect("a script");
        self.svc("-t", service);
        assert!(until(|| self.service_pid(service) != old), "{service} goes on as before");
        if service == "smtpd" {
            self.listens();
        }
    }

    /// The port of the SMTP service on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The case's directory and our programs.
    #[must_use]
    pub fn side(&self) -> &Side {
        &self.side
    }

    /// A path of the host: `qmail/control/me`, `you/Maildir`, `service/smtpd`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.side.path().join("try").join(name)
    }

    /// Writes a file of the host, which then belongs to the host's account.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        let path = self.path(name);
        let mut made = Vec::new();
        for parent in path.ancestors().skip(1).take_while(|parent| !parent.exists()) {
            made.push(parent.to_owned());
        }
        fs::create_dir_all(path.parent().expect("a file has a directory")).expect("a directory");
        ground::write(&path, contents.as_ref(), None).expect("a file");
        for path in made.into_iter().chain([path]) {
            self.give_away(&path);
        }
    }

    /// What a service has logged (`smtpd` or `qmail`).
    #[must_use]
    pub fn log(&self, service: &str) -> String {
        let path = self.path(&format!("service/{service}/log/main/current"));
        String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
    }

    /// Waits until a service has logged `text`.
    pub fn logs(&self, service: &str, text: &str) {
        let logged = until(|| self.log(service).contains(text));
        assert!(logged, "{service} does not log {text:?}:\n{}\n{}", self.log(service), self.said());
    }

    /// Everything that went wrong or was logged, for a test that fails.
    #[must_use]
    pub fn said(&self) -> String {
        let start = self.running.as_ref().map(Background::stderr).unwrap_or_default();
        let start = String::from_utf8_lossy(&start).into_owned();
        format!("{start}\nsmtpd:\n{}\nqmail:\n{}", self.log("smtpd"), self.log("qmail"))
    }

    /// The messages in the user's Maildir.
    #[must_use]
    pub fn mail(&self) -> Vec<Vec<u8>> {
        self.mail_in("you/Maildir")
    }

    /// The messages in any Maildir of the host.
    #[must_use]
    pub fn mail_in(&self, maildir: &str) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.path(maildir).join("new")).into_iter().flatten().flatten();
        entries.filter_map(|entry| fs::read(entry.path()).ok()).collect()
    }

    /// Waits until the user's Maildir holds `count` messages; gives them as text.
    #[must_use]
    pub fn receives(&self, count: usize) -> Vec<String> {
        let arrived = until(|| self.mail().len() >= count);
        assert!(arrived, "{} of {count} messages arrived\n{}", self.mail().len(), self.said());
        self.mail().iter().map(|mail| String::from_utf8_lossy(mail).into_owned()).collect()
    }

    /// Waits until a file of the host contains `text`.
    pub fn arrives(&self, file: &str, text: &str) {
        let read =
            || String::from_utf8_lossy(&fs::read(self.path(file)).unwrap_or_default()).into_owned();
        let came = until(|| read().contains(text));
        assert!(came, "no {text:?} in {file}: {:?}\n{}", read(), self.said());
    }

    /// Waits until the queue holds no message.
    pub fn drains(&self) {
        let mess = self.path("qmail/queue/mess");
        let is_empty = || {
            fs::read_dir(&mess).into_iter().flatten().flatten().all(|part| {
                fs::read_dir(part.path()).map_or(true, |mut entries| entries.next().is_none())
            })
        };
        assert!(until(is_empty), "the queue is not empty\n{}", self.said());
    }
}
