//! The mail system: the cores of the programs in `src/bin`.

pub mod addr;
pub mod condition;
pub mod control;
pub mod deliver;
pub mod domains;
pub mod inject;
pub mod ipme;
pub mod listing;
pub mod local;
pub mod mailbox;
pub mod maildir;
pub mod message;
pub mod rcpthosts;
pub mod receipt;
pub mod received;
pub mod redirect;
pub mod send;
pub mod showctl;
pub mod smtp;
pub mod spawn;
pub mod splog;
pub mod submit;
pub mod tcpto;
pub mod users;
pub mod world;
