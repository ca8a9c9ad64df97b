//! supervise beside the original.

#[path = "supervise/commands.rs"]
mod commands;
#[path = "supervise/start.rs"]
mod start;
#[path = "supervise/stop.rs"]
mod stop;

mod services;
