//! qmail-send and its spawners: what they say to one another, and the loop that both spawners are.

pub mod protocol;
pub mod report;
pub mod serve;
