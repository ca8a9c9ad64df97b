//! The mail queue on disk.
