//! Messages by time of next attempt.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use queue::path::MessageId;

/// Messages that wait for their time, in seconds since 1970. Those of one second come out in the
/// order in which they were put in.
#[derive(Debug, Default)]
pub struct Schedule {
    heap: BinaryHeap<Reverse<Entry>>,
    count: u64,
}

/// A message and its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Entry {
    /// When its time has come.
    pub time: i64,
    /// How many were put in before it.
    number: u64,
    /// The message.
    pub id: MessageId,
    /// True if the message's file bears this time already.
    pub is_saved: bool,
}

impl Schedule {
    /// Puts a message in that is due at `time`.
    pub fn push(&mut self, time: i64, id: MessageId) {
        self.insert(time, id, false);
    }

    /// Puts a message in whose file says that it is due at `time`.
    pub fn push_saved(&mut self, time: i64, id: MessageId) {
        self.insert(time, id, true);
    }

    fn insert(&mut self, time: i64, id: MessageId, is_saved: bool) {
        self.heap.push(Reverse(Entry { time, number: self.count, id, is_saved }));
        self.count += 1;
    }

    /// When the next message is due.
    #[must_use]
    pub fn next(&self) -> Option<i64> {
        self.heap.peek().map(|Reverse(entry)| entry.time)
    }

    /// Takes the next message out if it is due at `now`.
    pub fn pop(&mut self, now: i64) -> Option<MessageId> {
        if self.next()? > now {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| entry.id)
    }

    /// Takes a message out, whenever it is due.
    pub fn remove(&mut self, id: MessageId) {
        self.heap.retain(|Reverse(entry)| entry.id != id);
    }

    /// Makes every message due at `now`, in the order in which they were due.
    pub fn run(&mut self, now: i64) {
        let entries = std::mem::take(self).heap.into_sorted_vec();
        for Reverse(entry) in entries.into_iter().rev() {
            self.push(now, entry.id);
        }
    }

    /// Takes everything out, in no order.
    pub fn drain(&mut self) -> impl Iterator<Item = Entry> {
        self.heap.drain().map(|Reverse(entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn due(schedule: &mut Schedule, now: i64) -> Vec<u64> {
        std::iter::from_fn(|| schedule.pop(now)).map(|id| id.0).collect()
    }

    #[test]
    fn the_earliest_comes_first_and_equals_in_order() {
        let mut schedule = Schedule::default();
        for (time, id) in [(30, 1), (10, 2), (20, 3), (10, 4), (10, 5)] {
            schedule.push(time, MessageId(id));
        }
        assert_eq!(schedule.next(), Some(10));
        assert_eq!(due(&mut schedule, 9), []);
        assert_eq!(due(&mut schedule, 20), [2, 4, 5, 3]);
        assert_eq!(due(&mut schedule, 99), [1]);
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn one_that_is_removed_never_comes_out() {
        let mut schedule = Schedule::default();
        for (time, id) in [(30, 1), (10, 2), (20, 3), (10, 4)] {
            schedule.push(time, MessageId(id));
        }
        schedule.remove(MessageId(2));
        schedule.remove(MessageId(5));
        assert_eq!(due(&mut schedule, 99), [4, 3, 1]);
    }

    #[test]
    fn running_makes_all_due_and_keeps_their_order() {
        let mut schedule = Schedule::default();
        for (time, id) in [(30, 1), (10, 2), (20, 3)] {
            schedule.push_saved(time, MessageId(id));
        }
        schedule.run(5);
        assert_eq!(schedule.next(), Some(5));
        assert!(schedule.drain().all(|entry| !entry.is_saved));
        for (time, id) in [(30, 1), (10, 2), (20, 3)] {
            schedule.push_saved(time, MessageId(id));
        }
        schedule.run(5);
        assert_eq!(due(&mut schedule, 5), [2, 3, 1]);
    }

    proptest! {
        #[test]
        fn all_come_out_sorted_by_time(times in proptest::collection::vec(0..20_i64, 0..50)) {
            let mut schedule = Schedule::default();
            for (number, &time) in (0..).zip(&times) {
                schedule.push(time, MessageId(number));
            }
            let mut expected: Vec<_> = (0_u64..).zip(&times).map(|(n, &time)| (time, n)).collect();
            expected.sort_unstable();
            let expected: Vec<_> = expected.into_iter().map(|(_, number)| number).collect();
            prop_assert_eq!(due(&mut schedule, 20), expected);
        }
    }
}
