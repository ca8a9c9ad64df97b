//! A disk that forgets what a power cut may forget.
//!
//! The queue's steps run over [`Model`] as they run over a real disk, until the power goes. What was
//! not synced by then may have reached the platter or not: [`Model::images`] enumerates what may be
//! found afterwards.

//!
//! The same model takes what real programs have done, as strace saw it: [`trace`] reads that, [`Replay`]
//! does it to the model, and a [`Ledger`] knows what was promised at each moment.

mod belief;
mod images;
mod ledger;
mod model;
mod replay;
pub mod trace;

pub use belief::Belief;
pub use images::{Image, Order};
pub use ledger::{Fault, Ledger};
pub use model::{Cut, File, Model};
pub use replay::{Promise, Replay, Step};
