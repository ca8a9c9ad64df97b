//! Questions that others answer.

pub mod cdb;
pub mod hosts;
pub mod ident;
pub mod resolver;
