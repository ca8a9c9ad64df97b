//! The parts of qmail-smtpd that read files, run programs and write a log; what it decides is in [`crate::smtp`].

pub mod journal;
pub mod server;
pub mod site;
