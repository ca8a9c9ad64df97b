//! Supervision and logging: the cores of the programs in `src/bin`.
