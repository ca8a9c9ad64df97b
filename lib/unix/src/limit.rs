//! Resource limits.

use std::io;

pub use nix::sys::resource::Resource;
use nix::sys::resource::{RLIM_INFINITY, getrlimit, setrlimit};

/// No limit.
pub const UNLIMITED: u64 = RLIM_INFINITY;

/// The soft and the hard limit of this process.
pub fn get(resource: Resource) -> io::Result<(u64, u64)> {
    Ok(getrlimit(resource)?)
}

/// Sets the soft and the hard limit of this process.
pub fn set(resource: Resource, soft: u64, hard: u64) -> io::Result<()> {
    Ok(setrlimit(resource, soft, hard)?)
}
