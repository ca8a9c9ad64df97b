//! Many short pieces of text, gathered for one write.

/// Bytes put together piece by piece.
///
/// What a `Vec` does, but faster where pieces are the length of a line: a copy of a few dozen bytes by
/// the C library of a static program costs several times what the bytes cost.
#[derive(Clone, Debug, Default)]
pub struct Gather {
    /// The text, and room behind it.
    bytes: Vec<u8>,
    length: usize,
}

impl Gather {
    /// Room for `capacity` bytes, which grows when it is used up.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Gather {
        Gather { bytes: vec![0; capacity], length: 0 }
    }

    /// Appends a piece.
    #[inline]
    pub fn push(&mut self, piece: &[u8]) {
        let room = self.bytes.get_mut(self.length..);
        match room.and_then(|room| room.get_mut(..piece.len())) {
            Some(room) => {
                copy(room, piece);
                self.length += piece.len();
            }
            None => self.grow(piece),
        }
    }

    /// Appends a piece for which there is no room. (Apart, so that `push` needs no registers for it.)
    #[cold]
    #[inline(never)]
    fn grow(&mut self, piece: &[u8]) {
        self.bytes.truncate(self.length);
        self.bytes.extend_from_slice(piece);
        self.length = self.bytes.len();
        self.bytes.resize(self.length.next_power_of_two(), 0);
    }

    /// Appends a piece of a length that is known when compiling.
    pub fn push_array<const N: usize>(&mut self, piece: &[u8; N]) {
        match self.bytes.get_mut(self.length..).and_then(<[u8]>::first_chunk_mut) {
            Some(room) => {
                *room = *piece;
                self.length += N;
            }
            None => self.push(piece),
        }
    }

    /// The text so far.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }

    /// Forgets the text.
    pub fn clear(&mut self) {
        self.length = 0;
    }

    /// Forgets the first `count` bytes.
    pub fn drop_first(&mut self, count: usize) {
        let count = count.min(self.length);
        self.bytes.copy_within(count..self.length, 0);
        self.length -= count;
    }
}

/// Copies `from` to `to`, which has the same length: where it is short, as two pieces of a size that is
/// known when compiling, which overlap. (A loop over pieces would be compiled into the library's copy.)
fn copy(to: &mut [u8], from: &[u8]) {
    let is_done = match from.len() {
        0 => true,
        1 => by::<1>(to, from),
        2..=3 => by::<2>(to, from),
        4..=7 => by::<4>(to, from),
        8..=16 => by::<8>(to, from),
        17..=32 => by::<16>(to, from),
        33..=64 => by::<32>(to, from),
        65..=128 => by::<64>(to, from),
        129..=256 => by::<128>(to, from),
        _ => false,
    };
    if !is_done {
        to.copy_from_slice(from);
    }
}

/// Copies the first and the last `N` bytes; false if there are fewer.
fn by<const N: usize>(to: &mut [u8], from: &[u8]) -> bool {
    if let (Some(place), Some(first)) = (to.first_chunk_mut::<N>(), from.first_chunk::<N>()) {
        *place = *first;
    }
    match (to.last_chunk_mut::<N>(), from.last_chunk::<N>()) {
        (Some(place), Some(last)) => {
            *place = *last;
            true
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_dropped_is_gone_from_the_front() {
        let mut gather = Gather::default();
        gather.push(b"one two");
        gather.drop_first(4);
        gather.push_array(b" three");
        assert_eq!(gather.text(), b"two three");
        gather.clear();
        assert_eq!(gather.text(), b"");
    }

    proptest! {
        #[test]
        fn pieces_are_joined_without_change(
            pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20),
        ) {
            let mut gather = Gather::with_capacity(64);
            for piece in &pieces {
                gather.push(piece);
            }
            prop_assert_eq!(gather.text(), pieces.concat());
        }
    }
}
