//! The mail queue on disk: all that runs as the queue's owner, and what others need to read the queue.
//!
//! Formats and states are told in `doc/queue.md`.

pub mod caller;
pub mod deposit;
pub mod disk;
pub mod extra;
pub mod hand;
pub mod home;
pub mod path;
pub mod record;
pub mod seal;
pub mod series;
pub mod state;
pub mod sweep;
pub mod trigger;
pub mod walk;
