//! The replies that come from more than one place, or from outside.

/// The client has sent what belongs behind the reply to DATA before it.
pub const AHEAD: &str = "554 SMTP protocol violation: wait for 354 after DATA (#5.5.0)\r\n";
/// A CR without LF.
pub const BARE_CR: &str = "451 bare CR in message data, RFC 5321 section 2.3.8 (#4.6.0)\r\n";
/// A LF without CR.
pub const BARE_LF: &str = "451 See https://cr.yp.to/docs/smtplf.html.\r\n";
/// The message may come.
pub const GO_AHEAD: &str = "354 go ahead\r\n";
/// There is no process for the queue program.
pub const NO_QUEUE: &str = "451 qqt failure (#4.3.0)\r\n";
/// Nothing came for too long.
pub const TIMEOUT: &str = "451 timeout (#4.4.2)\r\n";

/// The program that is asked about recipients cannot tell.
pub const UNVERIFIED: &str = "421 unable to verify recipient (#4.3.0)\r\n";
/// It says that the client has sent enough.
pub const ENOUGH: &str = "421 you have exceeded your messaging limits (#4.3.0)\r\n";
/// It cannot be run.
pub const NO_CHECK: &str = "421 unable to execute recipient check (#4.3.0)\r\n";

/// What it says for the client is no refusal.
pub const NO_REPLY: &str = "451 temporary problem (#4.4.2)\r\n";
/// The client has named too many recipients whom nobody has.
pub const FED_UP: &str = "421 too many invalid addresses, goodbye (#4.3.0)\r\n";

pub(super) const UNKNOWN: &str = "550 sorry, no mailbox here by that name (#5.1.1)\r\n";
pub(super) const UNCLEAR: &str = "451 unable to verify recipient (#4.3.0)\r\n";
pub(super) const FOREIGN: &str =
    "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n";
pub(super) const TOO_BIG: &str =
    "552 sorry, that message size exceeds my databytes limit (#5.3.4)\r\n";
pub(super) const SYNTAX: &str = "555 syntax error (#5.5.4)\r\n";
pub(super) const WANT_MAIL: &str = "503 MAIL first (#5.5.1)\r\n";
