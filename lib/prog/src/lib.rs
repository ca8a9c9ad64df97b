//! What a program is: arguments, diagnostics, the chain.
