//! How much a program says.

/// How much is said on standard error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verbosity {
    /// `-q`: nothing.
    Quiet,
    /// `-Q`, the default: what went wrong.
    Errors,
    /// `-v`: also every connection.
    All,
}
