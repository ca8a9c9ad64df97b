//! RFC 822 addresses: tokens, lists, header fields, qualification, quoting.

pub mod field;
pub mod list;
pub mod quote;
pub mod rewrite;
pub mod token;
