//! What the kernel offers us, as safe types.
