//! The parts of multilog: what its arguments say, what happens to each line, and how a directory's
//! files turn over. Only [`directory`] and [`processor`] touch files.

pub mod action;
pub mod directory;
pub mod input;
pub mod pattern;
pub mod processor;
pub mod rotate;
pub mod script;
pub mod trouble;
