//! A desk: work for one helper, in the order in which it comes.

use std::collections::VecDeque;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use unix::process::SpawnError;

use super::helper::{Answer, DECLINED, Heard, Helper, LONGEST, TOGETHER};

/// A helper with nothing to do is kept for so long.
const IDLE: Duration = Duration::from_secs(2);

/// What a helper has not begun after this time, because it is busy with something else, gets a process of
/// its own.
const PATIENCE: Duration = Duration::from_secs(1);

/// A program that does not say within this time that it is a helper is none.
const START: Duration = Duration::from_secs(10);

/// How often a program may turn out to be no helper before it is not tried any more.
const ATTEMPTS: u32 = 3;

/// Things that are asked in one question.
const IN_A_QUESTION: usize = 32;

/// Something that a helper can do.
pub trait Errand {
    /// True if both can be asked in one question.
    fn goes_with(&self, other: &Self) -> bool;

    /// Appends the beginning of a question.
    fn push_head(&self, question: &mut Vec<u8>);

    /// Appends what is asked for.
    fn push(&self, question: &mut Vec<u8>);

    /// The mail message that it is about.
    fn message(&self) -> Option<BorrowedFd<'_>>;
}

/// Whether a program is a helper, as far as that is known.
#[derive(Debug, Default)]
pub struct Trust {
    failures: u32,
    /// It was, once. Then it is another's fault if it is not: that of a user who ends it, say.
    is_proven: bool,
}

impl Trust {
    /// False after it was none several times.
    #[must_use]
    pub fn is_left(&self) -> bool {
        self.is_proven || self.failures < ATTEMPTS
    }
}

/// Work that waits, and who does it.
#[derive(Debug)]
pub struct Desk<T> {
    waiting: VecDeque<(Instant, T)>,
    helper: Option<Helper<T>>,
    /// When the helper was last given something, or had done it all.
    since: Instant,
}

/// What has come of it.
#[derive(Debug)]
pub struct Outcome<T> {
    /// What the helper has done.
    pub answers: Vec<(T, Answer)>,
    /// What the helper has looked at, and leaves to a process of its own.
    pub declined: Vec<T>,
    /// What needs a process of its own, and no helper has looked at to the end.
    pub alone: Vec<T>,
}

impl<T: Errand> Desk<T> {
    /// An empty one.
    #[must_use]
    pub fn new(now: Instant) -> Desk<T> {
        Desk { waiting: VecDeque::new(), helper: None, since: now }
    }

    /// More work.
    pub fn push(&mut self, now: Instant, errand: T) {
        self.waiting.push_back((now, errand));
    }

    /// What to wait for.
    #[must_use]
    pub fn watched(&self) -> Option<BorrowedFd<'_>> {
        self.helper.as_ref().map(Helper::channel)
    }

    /// How much work there is that is not done.
    #[must_use]
    pub fn load(&self) -> usize {
        self.waiting.len() + self.helper.as_ref().map_or(0, Helper::load)
    }

    /// True if there is neither work nor helper.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty() && self.helper.is_none()
    }

    /// When it wants to be attended to at the latest.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        let helper = self.helper.as_ref()?;
        let own = match (helper.is_idle(), helper.is_ready()) {
            (true, _) => Some(self.since + IDLE),
            (false, false) => Some(self.since + START),
            (false, true) => None,
        };
        let first = self.waiting.front().map(|(since, _)| *since + PATIENCE);
        own.into_iter().chain(first).min()
    }

    /// Hears the helper if it `is_ready`, and gives it what waits; `start` starts one.
    pub fn attend(
        &mut self,
        now: Instant,
        is_ready: bool,
        trust: &mut Trust,
        start: impl FnOnce() -> Result<Helper<T>, SpawnError>,
    ) -> Outcome<T> {
        let mut outcome = Outcome { answers: Vec::new(), declined: Vec::new(), alone: Vec::new() };
        if is_ready {
            self.hear(now, trust, &mut outcome);
        }
        if self.helper.as_ref().is_some_and(|it| !it.is_ready() && now >= self.since + START) {
            self.lose(trust, Vec::new(), &mut outcome);
        }
        if self.waiting.is_empty() {
            if self.helper.as_ref().is_some_and(Helper::is_idle) && now >= self.since + IDLE {
                self.helper = None;
            }
            return outcome;
        }
        if self.helper.is_none() && trust.is_left() {
            self.since = now;
            self.helper = start().ok();
        }
        match &self.helper {
            None => outcome.alone.extend(self.waiting.drain(..).map(|(_, errand)| errand)),
            Some(helper) if helper.is_idle() => self.ask(now, &mut outcome),
            Some(_) => {
                let late = |(since, _): &(Instant, T)| now >= *since + PATIENCE;
                let late = self.waiting.iter().take_while(|waiting| late(waiting)).count();
                outcome.alone.extend(self.waiting.drain(..late).map(|(_, errand)| errand));
            }
        }
        outcome
    }

    fn hear(&mut self, now: Instant, trust: &mut Trust, outcome: &mut Outcome<T>) {
        let Some(helper) = &mut self.helper else { return };
        let Heard { answers, lost } = helper.hear();
        trust.is_proven |= helper.is_ready();
        if helper.is_idle() && !answers.is_empty() {
            self.since = now;
        }
        for (errand, answer) in answers {
            if answer.code == DECLINED {
                outcome.declined.push(errand);
            } else {
                outcome.answers.push((errand, answer));
            }
        }
        if let Some(lost) = lost {
            self.lose(trust, lost, outcome);
        }
    }

    /// The helper is gone. What it had in hand is done once more, each on its own: whatever ended the helper
    /// ends no more than that.
    fn lose(&mut self, trust: &mut Trust, lost: Vec<T>, outcome: &mut Outcome<T>) {
        let Some(mut helper) = self.helper.take() else { return };
        trust.is_proven |= helper.is_ready();
        trust.failures += 1;
        outcome.alone.extend(lost);
        outcome.alone.extend(helper.give_back());
    }

    /// Asks for as much as is done together.
    fn ask(&mut self, now: Instant, outcome: &mut Outcome<T>) {
        let Some(helper) = &mut self.helper else { return };
        self.since = now;
        let mut left = TOGETHER;
        while left > 0
            && let Some((_, first)) = self.waiting.pop_front()
        {
            let mut question = Vec::with_capacity(512);
            first.push_head(&mut question);
            first.push(&mut question);
            if question.len() > LONGEST {
                outcome.alone.push(first);
                continue;
            }
            left -= 1;
            let mut errands = vec![first];
            while left > 0
                && errands.len() < IN_A_QUESTION
                && let Some((_, next)) = self.waiting.front()
                && errands.last().is_some_and(|errand| errand.goes_with(next))
            {
                let before = question.len();
                next.push(&mut question);
                if question.len() > LONGEST {
                    question.truncate(before);
                    break;
                }
                left -= 1;
                errands.extend(self.waiting.pop_front().map(|(_, errand)| errand));
            }
            if let Err(errands) = helper.ask(&question, errands) {
                // There is no room, or it is gone, which will be heard.
                let errands = errands.into_iter().rev();
                errands.for_each(|errand| self.waiting.push_front((now, errand)));
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests;
