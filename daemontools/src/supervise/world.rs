//! What the machine acts upon: the files and programs of a service, and its processes.

mod cgroup;
mod files;
mod programs;
mod reach;
mod rest;
mod takeover;

pub use cgroup::Cgroup;
pub use files::{Record, lock};
pub use programs::{Helper, Programs, means};
pub use reach::Family;
pub use rest::{Rest, leaves_nothing};
pub use takeover::{Births, LOOKING, LeftBehind, births, how, left_behind};
