//! Questions that others answer.

pub mod cdb;
pub mod resolver;
