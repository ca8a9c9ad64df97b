//! Local deliveries: whose they are, and which process makes them.
//!
//! Runs as root, and only looks names up. One qmail-getpw, and one of qmail-local for each user with deliveries
//! waiting (up to four where there are a great many), do one piece of work after the other (see
//! [`super::helper`]). What those decline, and everything where they are other programs which know nothing of
//! this, has a process of its own.

mod errands;

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStringExt;
use std::rc::Rc;
use std::time::{Duration, Instant};

use lookup::cdb::Kept;
use prog::Chain;
use queue::home::Home;
use unix::errno;
use unix::image::Step;
use unix::process::{SpawnError, Status};
use unix::{Gid, Uid};

use super::desk::{Desk, Outcome, Trust};
use super::helper::{self, Answer, DOUBTFUL, Helper};
use super::known::Known;
use super::protocol::Slot;
use super::report::{self, code};
use super::serve::{Capture, Next, Order, Run, Spawner, Unstarted};
use crate::users::getpw::{Basis, Found};
use crate::users::{self, Owner};

use errands::{Delivery, Mail, Source};

pub use errands::Task;

/// More than a report may have, and than qmail-getpw can print.
const KEPT_OUTPUT: usize = 64 * 1024;

/// Helpers for one user at a time.
const HELPERS: usize = 4;

/// Deliveries that a helper has in hand before there is another: as many as wait for the disk together.
const SHARE: usize = helper::TOGETHER;

/// What differs from host to host.
#[derive(Debug)]
pub struct Place {
    /// The home of the host.
    pub home: Home,
    /// Whom qmail-getpw runs as; `None` for the caller.
    pub getpw: Option<(Uid, Gid)>,
    /// What is done where no .qmail file says anything.
    pub default_delivery: OsString,
    /// Nothing to read from and to write to.
    pub null: File,
}

/// qmail-lspawn.
#[derive(Debug)]
pub struct Local {
    place: Place,
    users: Kept,
    /// What qmail-getpw has said.
    known: Known,
    /// What qmail-getpw is asked.
    lookups: Desk<Task>,
    lookup_trust: Trust,
    /// What is to be delivered, by user. New desks are put at the end.
    desks: Vec<(Uid, Gid, Desk<Delivery>)>,
    delivery_trust: Trust,
}

/// What a child is that does one thing.
#[derive(Debug)]
pub enum Job {
    /// qmail-getpw, for this recipient.
    Getpw(Task),
    /// qmail-local.
    Local(Slot),
}

impl Local {
    /// One that has not begun.
    #[must_use]
    pub fn new(place: Place) -> Local {
        Local {
            users: Kept::new(place.home.join("users/cdb")),
            place,
            known: Known::default(),
            lookups: Desk::new(Instant::now()),
            lookup_trust: Trust::default(),
            desks: Vec::new(),
            delivery_trust: Trust::default(),
        }
    }

    /// Who controls `local` by users/cdb: nobody if there is none, or it does not say. A record that
    /// names nobody is the code of a report.
    fn assigned(&mut self, local: &[u8]) -> io::Result<Option<Result<Owner, u8>>> {
        let cdb = match self.users.current() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        Ok(users::record(cdb, local)?.map(|record| Owner::parse(&record).ok_or(code::USAGE)))
    }

    /// What qmail-getpw has found out.
    fn found(&mut self, task: Task, exit: Option<u8>, output: &[u8]) -> Option<Next<Job>> {
        let code = match (exit, Found::parse(output)) {
            (Some(0), Some(Found { owner, basis })) => {
                if let (Some(round), Basis::Accounts) = (task.round, basis) {
                    self.known.learn(Instant::now(), round, &task.recipient.local, &owner);
                }
                return self.deliver(task, owner, Source::Asked);
            }
            (Some(0), None) => code::USAGE,
            (Some(code), _) => code,
            (None, _) => code::SYSTEM,
        };
        Some(report(&task, report::local_code(code, b"")))
    }

    /// Finds out who controls a recipient that users/cdb says nothing of.
    fn look_up(&mut self, mut task: Task) -> Option<Next<Job>> {
        let now = Instant::now();
        // Who has no helper of ours has nobody to confirm what is remembered.
        task.round = self.delivery_trust.is_left().then(|| self.known.look()).flatten();
        let known = task.round.and_then(|_| self.known.owner(now, &task.recipient.local));
        if let Some(owner) = known.cloned() {
            return self.deliver(task, owner, Source::Remembered);
        }
        self.lookups.push(now, task);
        None
    }

    /// What was remembered is in doubt: asks anew.
    fn ask_again(&mut self, task: Task) {
        self.known.forget(&task.recipient.local);
        self.lookups.push(Instant::now(), task);
    }

    /// Hears qmail-getpw if it `is_ready`, and asks it what waits.
    fn attend_lookups(&mut self, now: Instant, is_ready: bool) -> Vec<Next<Job>> {
        let (place, trust) = (&self.place, &mut self.lookup_trust);
        let outcome = self.lookups.attend(now, is_ready, trust, || place.getpw_helper());
        let Outcome { answers, declined, alone } = outcome;
        let alone = declined.into_iter().chain(alone);
        let mut next: Vec<_> = alone.map(|task| self.place.getpw_alone(task)).collect();
        for (task, Answer { code, output }) in answers {
            next.extend(self.found(task, Some(code), &output));
        }
        next
    }

    /// Puts a delivery on its user's desk, unless there is no delivering to that user.
    fn deliver(&mut self, task: Task, owner: Owner, source: Source) -> Option<Next<Job>> {
        if owner.uid.is_root() {
            return Some(report(&task, report::local_code(code::ROOT, b"")));
        }
        if self.place.home.private && owner.uid != Uid::current() {
            let text = "DThis is a private mail host: it delivers only to its own user. (#5.1.1)\n";
            return Some(report(&task, text.into()));
        }
        let (uid, gid, now) = (owner.uid, owner.gid, Instant::now());
        let delivery = Delivery { task, owner, source };
        let theirs = self.desks.iter_mut().filter(|(u, g, _)| (*u, *g) == (uid, gid));
        let mut theirs: Vec<_> = theirs.map(|(.., desk)| desk).collect();
        let loads: Vec<_> = theirs.iter().map(|desk| desk.load()).collect();
        let place = desk_for(&loads);
        if let Some(desk) = place.and_then(|place| theirs.get_mut(place)) {
            desk.push(now, delivery);
        } else {
            let mut desk = Desk::new(now);
            desk.push(now, delivery);
            self.desks.push((uid, gid, desk));
        }
        None
    }
}

/// Which of a user's desks, by how much work each has, takes one more delivery; `None` for a new one.
///
/// The first with little to do, so that there is another helper only where it is needed.
fn desk_for(loads: &[usize]) -> Option<usize> {
    let least = || (0..loads.len()).min_by_key(|place| loads.get(*place));
    let free = loads.iter().position(|load| *load < SHARE);
    free.or_else(|| least().filter(|_| loads.len() >= HELPERS))
}

fn report(task: &Task, text: Vec<u8>) -> Next<Job> {
    Next::Report(task.recipient.slot, text)
}

impl Place {
    /// A process of its own for a delivery.
    fn alone(&self, delivery: Delivery) -> Next<Job> {
        let Delivery { task, owner, .. } = delivery;
        let message = match task.mail.file.open() {
            Ok(message) => message,
            Err(text) => return report(&task, text.into()),
        };
        let slot = task.recipient.slot;
        let mut chain = Chain::new([
            "bin/qmail-local".into(),
            "--".into(),
            OsString::from_vec(owner.user),
            owner.home.into_os_string(),
            OsString::from_vec(task.recipient.local),
            OsString::from_vec(owner.dash),
            OsString::from_vec(owner.ext),
            OsString::from_vec(task.recipient.domain),
            OsString::from_vec(task.mail.sender.clone()),
            self.default_delivery.clone(),
        ]);
        chain.directory(&self.home.path);
        chain.descriptor(0, message);
        if !self.home.private {
            chain.identity(owner.uid, owner.gid);
        }
        Next::Run(Box::new(Run { chain, capture: Capture::Both, job: Job::Local(slot) }))
    }

    /// A helper for the deliveries of a user.
    fn helper(&self, uid: Uid, gid: Gid) -> Result<Helper<Delivery>, SpawnError> {
        let words =
            ["bin/qmail-local".into(), helper::OPTION.into(), self.default_delivery.clone()];
        let mut chain = Chain::new(words);
        chain.directory(&self.home.path);
        if !self.home.private {
            chain.identity(uid, gid);
        }
        Helper::start(chain, &self.null)
    }

    fn getpw(&self, word: OsString) -> Chain {
        let mut chain = Chain::new(["bin/qmail-getpw".into(), word]);
        chain.directory(&self.home.path);
        if let Some((uid, gid)) = self.getpw {
            chain.identity(uid, gid);
        }
        chain
    }

    /// A process of its own for a question to qmail-getpw.
    fn getpw_alone(&self, task: Task) -> Next<Job> {
        let mut chain = self.getpw(OsString::from_vec(task.recipient.local.clone()));
        chain.close(0); // the pipe that our commands come from
        Next::Run(Box::new(Run { chain, capture: Capture::Output, job: Job::Getpw(task) }))
    }

    fn getpw_helper(&self) -> Result<Helper<Task>, SpawnError> {
        Helper::start(self.getpw(helper::OPTION.into()), &self.null)
    }
}

impl Spawner for Local {
    type Job = Job;

    fn begin(&mut self, order: Order) -> Vec<Next<Job>> {
        let Order { message, file, sender, recipients } = order;
        let mail = Rc::new(Mail { message, file, sender });
        let mut next = Vec::new();
        for recipient in recipients {
            let task = Task { recipient, mail: mail.clone(), round: None };
            // An address without a local part is where mail goes to be thrown away.
            if task.recipient.local.is_empty() {
                next.push(report(&task, b"K".into()));
                continue;
            }
            match self.assigned(&task.recipient.local) {
                Ok(Some(Ok(owner))) => next.extend(self.deliver(task, owner, Source::Asked)),
                Ok(Some(Err(code))) => next.push(report(&task, report::local_code(code, b""))),
                Ok(None) => next.extend(self.look_up(task)),
                Err(_) => next.push(report(&task, report::local_code(code::CDB, b""))),
            }
        }
        next
    }

    fn unstarted(&mut self, job: Job, why: Unstarted) -> Vec<(Slot, Vec<u8>)> {
        let slot = match &job {
            Job::Getpw(task) => task.recipient.slot,
            Job::Local(slot) => *slot,
        };
        let code = match (&why, &job) {
            (Unstarted::Spawn(SpawnError::Enter(failure)), job) => match (failure.step, job) {
                (Step::Exec, Job::Getpw(_)) => code::EXEC_GETPW,
                (Step::Exec, Job::Local(_)) if errno::is_temporary(failure.errno) => {
                    code::EXEC_SOFT
                }
                (Step::Exec, Job::Local(_)) => code::EXEC_HARD,
                (Step::Directory | Step::Group | Step::User, _) => code::USAGE,
                (Step::Cgroup | Step::Descriptors | Step::Limits, _) => code::SYSTEM,
            },
            _ => code::SYSTEM,
        };
        let text = why.report().map_or_else(|| report::local_code(code, b""), Into::into);
        vec![(slot, text)]
    }

    fn ended(&mut self, job: Job, status: Status, output: Vec<u8>) -> Vec<Next<Job>> {
        match job {
            Job::Local(slot) => vec![Next::Report(slot, report::local(status, &output))],
            Job::Getpw(task) => self.found(task, status.code(), &output).into_iter().collect(),
        }
    }

    fn keep(&self) -> usize {
        KEPT_OUTPUT
    }

    fn watched(&self) -> Vec<BorrowedFd<'_>> {
        let desks = self.desks.iter().filter_map(|(.., desk)| desk.watched());
        self.lookups.watched().into_iter().chain(desks).collect()
    }

    fn attend(&mut self, ready: &[bool]) -> Vec<Next<Job>> {
        let (now, mut ready) = (Instant::now(), ready.iter().copied());
        let mut is_ready = |fd: Option<BorrowedFd<'_>>| fd.is_some() && ready.next() == Some(true);
        // Users that come up below are behind all that were waited for.
        let is_found = is_ready(self.lookups.watched());
        let mut next = self.attend_lookups(now, is_found);
        let mut doubtful = Vec::new();
        for (uid, gid, desk) in &mut self.desks {
            let is_ready = is_ready(desk.watched());
            let Outcome { answers, declined, alone } =
                desk.attend(now, is_ready, &mut self.delivery_trust, || {
                    self.place.helper(*uid, *gid)
                });
            for (delivery, Answer { code, output }) in answers {
                if code == DOUBTFUL && delivery.source == Source::Remembered {
                    doubtful.push(delivery.task);
                } else {
                    next.push(report(&delivery.task, report::local_code(code, &output)));
                }
            }
            next.extend(declined.into_iter().map(|delivery| self.place.alone(delivery)));
            for delivery in alone {
                match delivery.source {
                    Source::Asked => next.push(self.place.alone(delivery)),
                    Source::Remembered => doubtful.push(delivery.task),
                }
            }
        }
        if !doubtful.is_empty() {
            for task in doubtful {
                self.ask_again(task);
            }
            next.extend(self.attend_lookups(now, false));
        }
        self.desks.retain(|(.., desk)| !desk.is_empty());
        next
    }

    fn patience(&self) -> Option<Duration> {
        let desks = self.desks.iter().filter_map(|(.., desk)| desk.deadline());
        let first = desks.chain(self.lookups.deadline()).min()?;
        Some(first.saturating_duration_since(Instant::now()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_helper_has_all_there_is_to_do_until_that_is_a_great_deal() {
        assert_eq!(desk_for(&[]), None);
        assert_eq!(desk_for(&[0]), Some(0));
        assert_eq!(desk_for(&[63]), Some(0));
        assert_eq!(desk_for(&[64]), None);
        assert_eq!(desk_for(&[64, 3]), Some(1));
        assert_eq!(desk_for(&[66, 65, 64, 65]), Some(2));
    }
}
