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

/// The slots of a channel. Their numbers are what a spawner knows a delivery by; the lowest free one
/// is used next.
#[derive(Debug, Default)]
pub struct Slots {
    limit: u16,
    used: u16,
    places: Vec<Option<Delivery>>,
    free: BinaryHeap<Reverse<u16>>,
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

    /// Puts a delivery into a slot, for which there must be room.
    pub fn take(&mut self, delivery: Delivery) -> u16 {
        self.used += 1;
        if let Some(Reverse(number)) = self.free.pop() {
            if let Some(place) = self.places.get_mut(usize::from(number)) {
                *place = Some(delivery);
            }
            number
        } else {
            self.places.push(Some(delivery));
            self.used - 1
        }
    }

    /// Frees a slot; `None` if there was no delivery in it.
    pub fn release(&mut self, number: u16) -> Option<Delivery> {
        let delivery = self.places.get_mut(usize::from(number))?.take()?;
        self.used -= 1;
        self.free.push(Reverse(number));
        Some(delivery)
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
        assert_eq!([1, 2, 3].map(|number| slots.take(delivery(number))), [0, 1, 2]);
        assert!(!slots.has_room());
        assert_eq!(slots.release(1).map(|delivery| delivery.number), Some(2));
        assert_eq!(slots.release(0).map(|delivery| delivery.number), Some(1));
        assert_eq!(slots.release(0), None);
        assert_eq!(slots.release(99), None);
        assert_eq!(slots.take(delivery(4)), 0);
        assert_eq!(slots.take(delivery(5)), 1);
    }

    #[test]
    fn a_lower_limit_lets_deliveries_end() {
        let mut slots = Slots::new(2);
        slots.take(delivery(1));
        slots.take(delivery(2));
        slots.set_limit(1);
        assert_eq!((slots.used(), slots.limit(), slots.has_room()), (2, 1, false));
        slots.release(0);
        assert!(!slots.has_room());
        slots.release(1);
        assert!(slots.has_room());
    }

    proptest! {
        #[test]
        fn no_slot_holds_two_deliveries(
            limit in 1u16..20,
            steps in proptest::collection::vec((any::<bool>(), 0u16..20), 0..100),
        ) {
            let mut slots = Slots::new(limit);
            let mut model = std::collections::BTreeMap::new();
            for (number, (is_take, slot)) in (0..).zip(steps) {
                if is_take && slots.has_room() {
                    let taken = slots.take(delivery(number));
                    prop_assert!(taken < limit);
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
