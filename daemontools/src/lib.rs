//! Supervision and logging: the cores of the programs in `src/bin`.

pub mod account;
pub mod cyclog;
pub mod envdir;
pub mod envini;
pub mod exit;
pub mod filter;
pub mod limits;
pub mod local;
pub mod multilog;
pub mod report;
pub mod service;
pub mod stamp;
pub mod state;
pub mod status;
pub mod supervise;
pub mod svscan;
pub mod tai;
pub mod title;
pub mod usually;
pub mod waiting;
