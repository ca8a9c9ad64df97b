//! What the machine acts upon: the files and programs of a service, and its processes.

mod files;
mod programs;
mod reach;
mod takeover;

pub use files::{Record, lock};
pub use programs::{Helper, Programs, means};
pub use reach::send_to_all;
pub use takeover::{LeftBehind, how, left_behind};
