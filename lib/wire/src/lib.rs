//! Byte formats that need no I/O and belong to no single package.

pub mod connection;
pub mod date;
pub mod decimal;
pub mod gather;
pub mod ip;
pub mod netstring;
pub mod next;
pub mod tai;
pub mod text;
pub mod ucspi;
