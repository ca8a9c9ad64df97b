//! The queue manager: preprocessing, routing, deliveries, retries, bounces.
//!
//! `route`, `retry`, `schedule`, `jobs`, `bounce`, `log` and `machine` decide and touch nothing;
//! `todo` and `ledger` are steps over a disk. `settings` asks for control files. What the machine
//! wants done is done in [`crate::world`].

pub mod bounce;
pub mod jobs;
pub mod ledger;
pub mod log;
pub mod machine;
pub mod retry;
pub mod route;
pub mod schedule;
pub mod settings;
pub mod todo;

use std::ops::{Index, IndexMut};

use queue::path::Area;

/// By which spawner a recipient's delivery is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Channel {
    /// qmail-lspawn.
    Local,
    /// qmail-rspawn.
    Remote,
}

impl Channel {
    /// Both.
    pub const ALL: [Channel; 2] = [Channel::Local, Channel::Remote];

    /// Where its recipients are kept.
    #[must_use]
    pub const fn area(self) -> Area {
        match self {
            Channel::Local => Area::Local,
            Channel::Remote => Area::Remote,
        }
    }

    /// What the log calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Channel::Local => "local",
            Channel::Remote => "remote",
        }
    }
}

/// Something that there is one of for each channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Channels<T> {
    /// That of [`Channel::Local`].
    pub local: T,
    /// That of [`Channel::Remote`].
    pub remote: T,
}

impl<T> Channels<T> {
    /// One of each, made from its channel.
    pub fn make(mut make: impl FnMut(Channel) -> T) -> Channels<T> {
        Channels { local: make(Channel::Local), remote: make(Channel::Remote) }
    }
}

impl<T> Index<Channel> for Channels<T> {
    type Output = T;

    fn index(&self, channel: Channel) -> &T {
        match channel {
            Channel::Local => &self.local,
            Channel::Remote => &self.remote,
        }
    }
}

impl<T> IndexMut<Channel> for Channels<T> {
    fn index_mut(&mut self, channel: Channel) -> &mut T {
        match channel {
            Channel::Local => &mut self.local,
            Channel::Remote => &mut self.remote,
        }
    }
}
