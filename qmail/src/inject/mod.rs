//! What qmail-inject makes of a message: header repair, envelope, return path.

pub mod header;
pub mod options;
pub mod split;
