//! A disk that forgets what a power cut may forget.
//!
//! The queue's steps run over [`Model`] as they run over a real disk, until the power goes. What was
//! not synced by then may have reached the platter or not: [`Model::images`] enumerates what may be
//! found afterwards.

mod images;
mod model;

pub use images::{Image, Order};
pub use model::{Cut, File, Model};
