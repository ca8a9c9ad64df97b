//! TCP servers and clients by the UCSPI: the cores of the programs in `src/bin`.

pub mod rules;
