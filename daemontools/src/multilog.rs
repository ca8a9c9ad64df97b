//! The parts of multilog: what its arguments say, what happens to each line, and how a directory's
//! files turn over. Only [`directory`], its place, and what runs processors touch files.

pub mod action;
mod behind;
pub mod directory;
pub mod glob;
pub mod input;
pub mod pattern;
mod place;
pub mod processor;
pub mod rotate;
pub mod script;
pub mod trouble;
