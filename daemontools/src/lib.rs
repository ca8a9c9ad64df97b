//! Supervision and logging: the cores of the programs in `src/bin`.

pub mod envdir;
pub mod gather;
pub mod limits;
pub mod multilog;
pub mod tai;
