//! tcpclient's parts: its options, and the order in which it tries addresses.

mod attempts;
mod options;

pub use attempts::{Attempts, Timeouts};
pub use options::Options;
