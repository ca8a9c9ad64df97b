//! The spawners' machine: protocol, reports, the loop that both are, and the helpers of one of them.

pub mod desk;
pub mod helper;
pub mod known;
pub mod local;
mod order;
pub mod protocol;
pub mod report;
mod room;
pub mod serve;
