//! When `todo/` is listed, and what of it is preprocessed in a turn.

use std::collections::VecDeque;

use queue::path::MessageId;

use super::{Action, Asked, Machine, SYSTEM_FAILURE};
use crate::send::Channel;
use crate::send::machine::deliver::Fresh;
use crate::send::machine::straight::PATIENCE;
use crate::send::todo::{Preprocessed, Recipients, Single};

/// Between two looks into `todo/` whatever happens, in seconds.
const SLEEP_TODO: i64 = 1500;

/// The same where the trigger cannot be watched.
const SLEEP_BLIND: i64 = 30;

/// The same after `todo/` could not be listed.
const SLEEP_UNLISTED: i64 = 10;

/// Messages preprocessed in a turn. They share the syncs of directories; and while they are written,
/// no report is heard.
const BATCH: usize = 64;

/// Messages whose recipients are kept in memory until their first pass.
const FRESH: usize = 1000;

/// What is known of `todo/`.
#[derive(Debug)]
pub(super) struct Todo {
    /// Messages that were listed, and are not preprocessed yet.
    listed: VecDeque<MessageId>,
    /// From when on they are preprocessed, whatever they are.
    late: i64,
    /// How many are being preprocessed.
    begun: usize,
    /// When it is listed next.
    due: i64,
    is_pulled: bool,
}

impl Todo {
    pub(super) fn due_at(due: i64) -> Todo {
        Todo { listed: VecDeque::new(), late: due, begun: 0, due, is_pulled: false }
    }

    /// There is something new.
    pub(super) fn pull(&mut self) {
        self.is_pulled = true;
    }

    /// A message is left there, on a full disk say: nobody pulls the trigger for it again.
    pub(super) fn try_again(&mut self, now: i64) {
        self.due = self.due.min(now.saturating_add(SYSTEM_FAILURE));
    }

    /// When there is something to do; `may_look` if messages may be looked at now.
    pub(super) fn next(&self, now: i64, may_look: bool) -> i64 {
        match (self.listed.is_empty(), may_look) {
            (true, _) if !self.is_pulled => self.due,
            (true, _) | (false, true) => now,
            (false, false) => self.late,
        }
    }

    /// True if those that are listed have waited long enough.
    pub(super) fn has_waited(&self, now: i64) -> bool {
        now >= self.late
    }
}

impl Machine {
    /// One portion: what has been listed before, or else a new list.
    pub(super) fn scan_or_preprocess(&mut self, now: i64) {
        if !self.todo.listed.is_empty() {
            self.preprocess(now);
        } else if self.todo.is_pulled || now >= self.todo.due {
            self.todo.is_pulled = false;
            self.act(Action::Scan);
        }
    }

    pub(super) fn listed(&mut self, now: i64, ids: Option<Vec<MessageId>>, is_watching: bool) {
        let Some(ids) = ids else {
            self.log.alert("unable to opendir todo, sleeping...");
            self.todo.due = now.saturating_add(SLEEP_UNLISTED);
            return;
        };
        self.todo.due = now.saturating_add(if is_watching { SLEEP_TODO } else { SLEEP_BLIND });
        for id in ids {
            // The others are known already; their envelopes are about to go.
            if !self.leaving_todo.contains(&id) && !self.straight.has(id) {
                self.todo.listed.push_back(id);
            } else if self.straight.is_delivered(id) {
                // Unless that has happened by now, and another message has the number.
                self.doubtful.insert(id);
            }
        }
        self.todo.late = now.saturating_add(PATIENCE);
        self.preprocess(now);
    }

    /// There is an envelope of a number whose message is gone.
    pub(super) fn reused(&mut self, now: i64, id: MessageId) {
        if self.leaving_todo.contains(&id)
            || self.straight.has(id)
            || self.todo.listed.contains(&id)
        {
            return;
        }
        if self.todo.listed.is_empty() {
            self.todo.late = now.saturating_add(PATIENCE);
        }
        self.todo.listed.push_back(id);
    }

    fn preprocess(&mut self, now: i64) {
        let count = self.may_look_at(now, self.todo.listed.len().min(BATCH));
        if count > 0 {
            let batch = self.todo.listed.drain(..count).collect();
            self.todo.begun = count;
            self.act(Action::Preprocess(batch, self.room()));
        }
    }

    pub(super) fn preprocessed(
        &mut self,
        now: i64,
        messages: Vec<Preprocessed>,
        singles: Vec<Single>,
        broken: Vec<MessageId>,
    ) {
        let seen = messages.len() + singles.len() + broken.len();
        if seen < std::mem::take(&mut self.todo.begun) {
            self.todo.try_again(now);
        }
        for id in broken {
            self.ask(Asked::Broken(id));
        }
        for single in singles {
            self.lie(now, single);
        }
        for message in messages {
            self.ask(Asked::Envelope(message, now));
        }
    }

    /// Keeps the recipients of a message that is about to have its first pass.
    pub(super) fn keep(
        &mut self,
        channel: Channel,
        id: MessageId,
        birth: i64,
        sender: &[u8],
        recipients: Recipients,
    ) {
        if let Recipients::Few(recipients) = recipients
            && self.fresh.len() < FRESH
        {
            let fresh = Fresh { sender: sender.to_vec(), birth, recipients };
            self.fresh.insert((channel, id), fresh);
        }
    }
}
