//! Questions that others answer.

pub mod cdb;
