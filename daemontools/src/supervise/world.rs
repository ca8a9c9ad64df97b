//! What the machine acts upon: the files and programs of a service, and its processes.

mod cgroup;
mod files;
mod programs;
mod reach;
mod takeover;

pub use cgroup::Cgroup;
pub use files::{Record, lock};
pub use programs::{Helper, Programs, leaves_nothing, means};
pub use reach::Family;
pub use takeover::{LeftBehind, how, left_behind};
