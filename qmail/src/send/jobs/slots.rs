//! Deliveries under way on one channel.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::JobNumber;

/// A delivery under way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivery {
    /// What the log calls it.
    pub number: u64,
    /// The pass it belongs to.
    pub job: JobNumber,
    /// Where the recipient's letter is in the file of recipients.
    pub offset: u64,
    /// The recipient.
    pub recipient: Vec<u8>,
}

/// The slots of a channel: how many deliveries are under way at a time, where those that share a
/// connection count as one.
#[derive(Debug, Default)]
pub struct Slots {
    limit: u16,
    used: u16,
    places: Places<(Delivery, u32)>,
    /// How many deliveries are left of each group.
    groups: Places<u32>,
}

/// Which delivery another one shares a slot with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// None.
    Own,
    /// The one whose number this is.
    Of(u32),
}

impl Slots {
    /// So many slots.
    #[must_use]
    pub fn new(limit: u16) -> Slots {
        Slots { limit, ..Slots::default() }
    }

    /// From now on so many; deliveries under way stay.
    pub fn set_limit(&mut self, limit: u16) {
        self.limit = limit;
    }

    /// How many slots there are.
    #[must_use]
    pub fn limit(&self) -> u16 {
        self.limit
    }

    /// How many of them are used; more than there are after the limit was lowered.
    #[must_use]
    pub fn used(&self) -> u16 {
        self.used
    }

    /// True if another delivery may begin.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.used < self.limit
    }

    /// How many may begin.
    #[must_use]
    pub fn free(&self) -> u16 {
        self.limit.saturating_sub(self.used)
    }

    /// Puts a delivery in; there must be room unless it shares a slot. Gives the number that the spawner
    /// is to know it by, the lowest that is free.
    pub fn take(&mut self, delivery: Delivery, group: Group) -> u32 {
        let shared = match group {
            Group::Own => None,
            Group::Of(number) => self.places.get(number).map(|(_, group)| *group),
        };
        let group = shared.unwrap_or_else(|| {
            self.used = self.used.saturating_add(1);
            self.groups.put(0)
        });
        if let Some(count) = self.groups.get(group) {
            *count += 1;
        }
        self.places.put((delivery, group))
    }

    /// Takes a delivery out; `None` if no delivery has this number.
    pub fn release(&mut self, number: u32) -> Option<Delivery> {
        let (delivery, group) = self.places.take(number)?;
        if let Some(count) = self.groups.get(group) {
            *count -= 1;
            if *count == 0 {
                self.groups.take(group);
                self.used = self.used.saturating_sub(1);
            }
        }
        Some(delivery)
    }
}

/// Things by number, the lowest free one for each new thing.
#[derive(Debug)]
struct Places<T> {
    places: Vec<Option<T>>,
    free: BinaryHeap<Reverse<u32>>,
}

impl<T> Default for Places<T> {
    fn default() -> Places<T> {
        Places { places: Vec::new(), free: BinaryHeap::new() }
    }
}

impl<T> Places<T> {
    fn place(&mut self, number: u32) -> Option<&mut Option<T>> {
        self.places.get_mut(usize::try_from(number).ok()?)
    }

    fn get(&mut self, number: u32) -> Option<&mut T> {
        self.place(number)?.as_mut()
    }

    fn put(&mut self, thing: T) -> u32 {
        if let Some(Reverse(number)) = self.free.pop() {
            if let Some(place) = self.place(number) {
                *place = Some(thing);
            }
            return number;
        }
        self.places.push(Some(thing));
        u32::try_from(self.places.len() - 1).unwrap_or(u32::MAX)
    }

    fn take(&mut self, number: u32) -> Option<T> {
        let thing = self.place(number)?.take()?;
        self.free.push(Reverse(number));
        Some(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn delivery(number: u64) -> Delivery {
        Delivery { number, job: JobNumber(0), offset: 0, recipient: b"a@b".into() }
    }

    #[test]
    fn the_lowest_free_slot_is_used() {
        let mut slots = Slots::new(3);
        assert_eq!([1, 2, 3].map(|number| slots.take(delivery(number), Group::Own)), [0, 1, 2]);
        assert!(!slots.has_room());
        assert_eq!(slots.release(1).map(|delivery| delivery.number), Some(2));
        assert_eq!(slots.release(0).map(|delivery| delivery.number), Some(1));
        assert_eq!(slots.release(0), None);
        assert_eq!(slots.release(99), None);
        assert_eq!(slots.take(delivery(4), Group::Own), 0);
        assert_eq!(slots.take(delivery(5), Group::Own), 1);
    }

    #[test]
    fn a_lower_limit_lets_deliveries_end() {
        let mut slots = Slots::new(2);
        slots.take(delivery(1), Group::Own);
        slots.take(delivery(2), Group::Own);
        slots.set_limit(1);
        assert_eq!((slots.used(), slots.limit(), slots.has_room()), (2, 1, false));
        slots.release(0);
        assert!(!slots.has_room());
        slots.release(1);
        assert!(slots.has_room());
    }

    #[test]
    fn those_who_share_a_connection_count_as_one() {
        let mut slots = Slots::new(2);
        let first = slots.take(delivery(1), Group::Own);
        assert_eq!(slots.take(delivery(2), Group::Of(first)), 1);
        assert_eq!((slots.used(), slots.has_room()), (1, true));
        assert_eq!(slots.take(delivery(3), Group::Own), 2);
        slots.release(first);
        assert_eq!((slots.used(), slots.has_room()), (2, false));
        slots.release(1);
        assert_eq!((slots.used(), slots.has_room()), (1, true));
        assert_eq!(slots.take(delivery(4), Group::Of(2)), 0);
        assert_eq!(slots.used(), 1);
    }

    proptest! {
        #[test]
        fn no_slot_holds_two_deliveries(
            limit in 1u16..20,
            steps in proptest::collection::vec((any::<bool>(), 0u32..20), 0..100),
        ) {
            let mut slots = Slots::new(limit);
            let mut model = std::collections::BTreeMap::new();
            for (number, (is_take, slot)) in (0..).zip(steps) {
                if is_take && slots.has_room() {
                    let taken = slots.take(delivery(number), Group::Own);
                    prop_assert!(taken < limit.into());
                    prop_assert_eq!(model.insert(taken, number), None);
                } else {
                    let released = slots.release(slot).map(|delivery| delivery.number);
                    prop_assert_eq!(released, model.remove(&slot));
                }
                prop_assert_eq!(usize::from(slots.used()), model.len());
            }
        }
    }
}
