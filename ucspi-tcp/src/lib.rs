//! TCP servers and clients by the UCSPI: the cores of the programs in `src/bin`.

pub mod ask;
pub mod client;
pub mod control;
pub mod crlf;
pub mod guests;
pub mod hosts;
pub mod limits;
pub mod meter;
pub mod options;
pub mod pool;
pub mod ports;
pub mod proxy;
pub mod rbl;
pub mod relay;
pub mod rules;
pub mod secrets;
pub mod server;
pub mod slots;
pub mod tap;
pub mod verbosity;
pub mod watch;

pub use wire::connection;
