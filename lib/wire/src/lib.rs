//! Byte formats that need no I/O and belong to no single package.
