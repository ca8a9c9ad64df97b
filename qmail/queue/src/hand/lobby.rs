//! Connections whose packet has not been read: who may come in, who is served next, who has waited too long.

use std::time::{Duration, Instant};

/// Connections at a time. Others are closed at once, so that their messages go elsewhere.
pub const PLACES: usize = 256;

/// For how long a connection without a packet is kept.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// Connections, each with the time at which it came.
#[derive(Debug)]
pub struct Lobby<C> {
    guests: Vec<Guest<C>>,
}

/// A connection.
#[derive(Debug)]
pub struct Guest<C> {
    /// What it is.
    pub client: C,
    came: Instant,
    /// True if there may be something to read.
    is_ready: bool,
}

impl<C> Default for Lobby<C> {
    fn default() -> Lobby<C> {
        Lobby { guests: Vec::new() }
    }
}

impl<C> Lobby<C> {
    /// Lets a connection in, which may have sent its packet already. Where there is no place for it, it is dropped.
    pub fn admit(&mut self, now: Instant, client: C) {
        if self.guests.len() < PLACES {
            self.guests.push(Guest { client, came: now, is_ready: true });
        }
    }

    /// Sends one back that [`Lobby::next`] gave, and that has nothing to read yet.
    pub fn wait(&mut self, guest: Guest<C>) {
        self.guests.push(Guest { is_ready: false, ..guest });
    }

    /// All connections, in the order of [`Lobby::mark`].
    pub fn clients(&self) -> impl Iterator<Item = &C> {
        self.guests.iter().map(|guest| &guest.client)
    }

    /// Notes of each whether there is something to read.
    pub fn mark(&mut self, ready: impl IntoIterator<Item = bool>) {
        for (guest, is_ready) in self.guests.iter_mut().zip(ready) {
            guest.is_ready = is_ready;
        }
    }

    /// Those that may have something to read, no more than `most`; they are out.
    pub fn next(&mut self, most: usize) -> Vec<Guest<C>> {
        self.guests.extract_if(.., |guest| guest.is_ready).take(most).collect()
    }

    /// Drops those that have waited too long.
    pub fn clear(&mut self, now: Instant) {
        self.guests.retain(|guest| now.saturating_duration_since(guest.came) < PATIENCE);
    }

    /// For how long nobody has waited too long; `None` if nobody waits.
    #[must_use]
    pub fn limit(&self, now: Instant) -> Option<Duration> {
        let first = self.guests.iter().map(|guest| guest.came).min()?;
        Some((first + PATIENCE).saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lobby(now: Instant, names: &[u32]) -> Lobby<u32> {
        let mut lobby = Lobby::default();
        for name in names {
            lobby.admit(now, *name);
        }
        lobby
    }

    fn names(guests: Vec<Guest<u32>>) -> Vec<u32> {
        guests.into_iter().map(|guest| guest.client).collect()
    }

    #[test]
    fn a_new_connection_is_looked_at_once_and_then_when_something_has_come() {
        let mut lobby = lobby(Instant::now(), &[1, 2, 3]);
        assert_eq!(names(lobby.next(2)), [1, 2]);
        for guest in lobby.next(2) {
            lobby.wait(guest);
        }
        assert_eq!(names(lobby.next(2)), [0; 0]);
        assert_eq!(lobby.clients().collect::<Vec<_>>(), [&3]);
        lobby.mark([true]);
        assert_eq!(names(lobby.next(2)), [3]);
    }

    #[test]
    fn whoever_waits_too_long_has_to_go() {
        let now = Instant::now();
        let mut lobby = lobby(now, &[1]);
        let later = now + PATIENCE / 2;
        lobby.admit(later, 2);
        for guest in lobby.next(1) {
            lobby.wait(guest); // its time goes on
        }
        assert_eq!(lobby.limit(later), Some(PATIENCE / 2));
        lobby.clear(now + PATIENCE);
        assert_eq!(lobby.clients().collect::<Vec<_>>(), [&2]);
        lobby.clear(later + PATIENCE);
        assert_eq!(lobby.limit(later), None);
    }

    #[test]
    fn there_is_no_place_for_more() {
        let names: Vec<u32> = (0..300).collect();
        let lobby = lobby(Instant::now(), &names);
        assert_eq!(lobby.clients().count(), PLACES);
    }
}
