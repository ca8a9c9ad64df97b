//! What the kernel offers us, as safe types.
//!
//! The only crate of the workspace that contains `unsafe`. Every process of ours has one thread,
//! forever: that fact is what several functions here rest on ([`process::fork`] above all).

pub mod aio;
pub mod clock;
pub mod dir;
pub mod environment;
pub mod errno;
pub mod fd;
pub mod fifo;
pub mod file;
pub mod image;
pub mod kin;
pub mod launch;
pub mod limit;
pub mod load;
pub mod pidfd;
pub mod poll;
pub mod process;
pub mod random;
mod raw;
pub mod signal;
pub mod socket;
pub mod timed;
pub mod title;
pub mod together;
pub mod user;
pub mod watch;

pub use nix::unistd::{Gid, Pid, Uid};
