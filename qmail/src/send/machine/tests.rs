//! The machine in a queue of memory: the walks that qmail's own pictures show, and what goes wrong.

mod broken;
mod host;
mod random;
mod straight;
mod trouble;
mod unnoted;
mod walks;
mod wide;
