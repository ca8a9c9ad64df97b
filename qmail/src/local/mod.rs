//! What qmail-local does with a message, decided without looking at anything but bytes.

pub mod dotqmail;
pub mod environment;
pub mod loops;
pub mod mbox;
pub mod plan;
