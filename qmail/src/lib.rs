//! The mail system: the cores of the programs in `src/bin`.
