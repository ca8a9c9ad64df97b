//! qmail-lspawn — make local deliveries, many at a time.
//!
//! The one daemon of the mail system that stays root. For each command of qmail-send it finds out
//! who controls the recipient, and runs qmail-local as that user; it touches no file of a user's
//! and looks at nothing in a message. Says nothing itself.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use lookup::cdb::{Cdb, Kept};
use prog::{Args, Chain, Exit, Program};
use qmail::spawn::report::{self, code};
use qmail::spawn::serve::{Capture, Next, Order, Run, Spawner, serve};
use qmail::users::{self, Owner};
use queue::home::{Account, Group, Home};
use unix::errno;
use unix::image::Step;
use unix::process::{SpawnError, Status};
use unix::{Gid, Uid};

const QMAIL_LSPAWN: Program = Program::new("qmail-lspawn", "defaultdelivery").silent();

/// More than a report may have, and than qmail-getpw can print.
const KEPT_OUTPUT: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(QMAIL_LSPAWN, run)
}

fn run(mut args: Args) -> Exit {
    let Some(default_delivery) = args.optional() else {
        return Exit::HARD;
    };
    let home = Home::find();
    let Ok(getpw) = identity_of_getpw(&home) else {
        return Exit::SOFT;
    };
    let users = Kept::new(home.join("users/cdb"));
    match serve(&home, Local { home: home.clone(), getpw, users, default_delivery }) {
        Ok(()) => Exit::OK,
        Err(_) => Exit::SOFT,
    }
}

/// Whom qmail-getpw runs as, which reads the account database for us; `None` for the caller.
fn identity_of_getpw(home: &Home) -> io::Result<Option<(Uid, Gid)>> {
    if home.private {
        return Ok(None);
    }
    let [uid] = home.uid([Account::Passwd])?;
    Ok(Some((uid, home.gid(Group::Nofiles)?)))
}

struct Local {
    home: Home,
    getpw: Option<(Uid, Gid)>,
    users: Kept,
    default_delivery: OsString,
}

/// What a delivery's child is.
enum Job {
    /// qmail-getpw, for this order.
    Getpw(Order),
    /// qmail-local.
    Local,
}

impl Spawner for Local {
    type Job = Job;

    fn begin(&mut self, order: Order) -> Next<Job> {
        // An address without a local part is where mail goes to be thrown away.
        if order.local.is_empty() {
            return Next::Report(b"K".into());
        }
        match self.assigned(&order.local) {
            Ok(Some(Ok(owner))) => self.deliver(order, owner),
            Ok(Some(Err(code))) => Next::Report(report::local_code(code, b"")),
            Ok(None) => self.ask_getpw(order),
            Err(_) => Next::Report(report::local_code(code::CDB, b"")),
        }
    }

    fn unstarted(&mut self, job: Job, error: SpawnError) -> Vec<u8> {
        let (step, errno) = match error {
            SpawnError::Enter(failure) => (failure.step, failure.errno),
            SpawnError::Fork(errno) => (Step::Descriptors, errno),
        };
        let code = match (step, job) {
            (Step::Exec, Job::Getpw(_)) => code::EXEC_GETPW,
            (Step::Exec, Job::Local) if errno::is_temporary(errno) => code::EXEC_SOFT,
            (Step::Exec, Job::Local) => code::EXEC_HARD,
            (Step::Directory | Step::Group | Step::User, _) => code::USAGE,
            (Step::Cgroup | Step::Descriptors | Step::Limits, _) => code::SYSTEM,
        };
        report::local_code(code, b"")
    }

    fn ended(&mut self, job: Job, status: Status, output: Vec<u8>) -> Next<Job> {
        let order = match job {
            Job::Local => return Next::Report(report::local(status, &output)),
            Job::Getpw(order) => order,
        };
        match (status.code(), Owner::parse(&output)) {
            (Some(0), Some(owner)) => self.deliver(order, owner),
            (Some(0), None) => Next::Report(report::local_code(code::USAGE, b"")),
            (Some(code), _) => Next::Report(report::local_code(code, b"")),
            (None, _) => Next::Report(report::local_code(code::SYSTEM, b"")),
        }
    }

    fn keep(&self) -> usize {
        KEPT_OUTPUT
    }
}

impl Local {
    /// Who controls `local` by users/cdb: nobody if there is none, or it does not say. A record that
    /// names nobody is the code of a report.
    fn assigned(&mut self, local: &[u8]) -> io::Result<Option<Result<Owner, u8>>> {
        let cdb = match self.users.current() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        Ok(record(cdb, local)?.map(|record| Owner::parse(&record).ok_or(code::USAGE)))
    }

    fn ask_getpw(&self, order: Order) -> Next<Job> {
        let local = OsString::from_vec(order.local.clone());
        let mut chain = Chain::new(["bin/qmail-getpw".into(), local]);
        chain.directory(&self.home.path);
        chain.close(0); // the pipe that our commands come from
        if let Some((uid, gid)) = self.getpw {
            chain.identity(uid, gid);
        }
        Next::Run(Box::new(Run { chain, capture: Capture::Output, job: Job::Getpw(order) }))
    }

    fn deliver(&self, order: Order, owner: Owner) -> Next<Job> {
        if owner.uid.is_root() {
            return Next::Report(report::local_code(code::ROOT, b""));
        }
        if self.home.private && owner.uid != Uid::current() {
            let text = "DThis is a private mail host: it delivers only to its own user. (#5.1.1)\n";
            return Next::Report(text.into());
        }
        let mut chain = Chain::new([
            "bin/qmail-local".into(),
            "--".into(),
            OsString::from_vec(owner.user),
            owner.home.into_os_string(),
            OsString::from_vec(order.local),
            OsString::from_vec(owner.dash),
            OsString::from_vec(owner.ext),
            OsString::from_vec(order.domain),
            OsString::from_vec(order.sender),
            self.default_delivery.clone(),
        ]);
        chain.directory(&self.home.path);
        chain.descriptor(0, order.message);
        if !self.home.private {
            chain.identity(owner.uid, owner.gid);
        }
        Next::Run(Box::new(Run { chain, capture: Capture::Both, job: Job::Local }))
    }
}

/// The data for `local` in users/cdb, completed. Without the record that lists the wildcards, it is
/// not a file that qmail-newu has made.
fn record(cdb: &Cdb, local: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let wildcards = cdb.find(b"")?.ok_or(errno::Errno::EPROTO)?;
    for (key, rest) in users::keys(local, &wildcards) {
        if let Some(data) = cdb.find(&key)? {
            return Ok(Some([&data, rest, &[0]].concat()));
        }
    }
    Ok(None)
}
