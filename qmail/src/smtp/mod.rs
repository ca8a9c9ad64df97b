//! SMTP: commands, replies, the server's and the client's half of a session, message data.

pub mod address;
pub mod client;
pub mod connection;
pub mod data;
pub mod hosts;
pub mod intake;
pub mod line;
pub mod log;
pub mod offers;
pub mod reply;
pub mod session;
