//! supervise beside the original.

#[path = "supervise/commands.rs"]
mod commands;
#[path = "supervise/hostile.rs"]
mod hostile;
#[path = "supervise/mixed.rs"]
mod mixed;
#[path = "supervise/ready.rs"]
mod ready;
#[path = "supervise/rest.rs"]
mod rest;
#[path = "supervise/scripts.rs"]
mod scripts;
#[path = "supervise/start.rs"]
mod start;
#[path = "supervise/state.rs"]
mod state;
#[path = "supervise/stop.rs"]
mod stop;
#[path = "supervise/takeover.rs"]
mod takeover;
#[path = "supervise/whole.rs"]
mod whole;

mod services;
