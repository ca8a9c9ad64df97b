//! The mail system: the cores of the programs in `src/bin`.

pub mod addr;
pub mod control;
pub mod domains;
pub mod inject;
pub mod ipme;
pub mod rcpthosts;
pub mod received;
pub mod send;
pub mod smtp;
pub mod spawn;
pub mod splog;
pub mod submit;
pub mod tcpto;
pub mod users;
pub mod world;
