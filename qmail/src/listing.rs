//! What the programs say on standard output that look at the queue.

use std::io::{self, Write};

use prog::{Exit, Fatal, Piece};
use queue::path::MessageId;
use unix::errno::{self, classic};
use wire::date;

/// What a listing says of a message in its first line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Heading<'a> {
    /// When it was queued, in seconds since 1970.
    pub birth: i64,
    /// Its number.
    pub id: MessageId,
    /// Bytes of the message.
    pub size: u64,
    /// Who sent it; empty for a bounce.
    pub sender: &'a [u8],
    /// What else is to be said of it.
    pub state: State,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A delivery has failed for good, and the sender is yet to be told.
    Bouncing,
    /// On its way, and nothing has failed for good.
    Underway,
    /// qmail-send has not looked at it yet.
    Unprocessed,
}

impl Heading<'_> {
    /// Appends the line, with its newline.
    ///
    /// A blank follows the sender in any case, as the readers of the original's listing expect.
    pub fn push(&self, out: &mut Vec<u8>) {
        date::push_header(out, self.birth);
        out.truncate(out.len().saturating_sub(b"-0000".len()));
        let _ = write!(out, "GMT  #{}  {}  <", self.id, self.size); // into memory: cannot fail
        push_printable(out, self.sender);
        out.extend_from_slice(match self.state {
            State::Bouncing => b">  bouncing\n",
            State::Underway => b"> \n",
            State::Unprocessed => b">  unprocessed\n",
        });
    }
}

/// Appends the line of a recipient: `channel` is `local`, `remote`, or `todo` if that is not known yet.
pub fn push_recipient(out: &mut Vec<u8>, channel: &str, address: &[u8], is_done: bool) {
    out.extend_from_slice(if is_done { b"  done\t" } else { b"\t" });
    out.extend_from_slice(channel.as_bytes());
    out.push(b'\t');
    push_printable(out, address);
    out.push(b'\n');
}

/// Appends `text` with `_` for each byte that does not print: an address must not steer a terminal.
fn push_printable(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|&byte| if (32..=126).contains(&byte) { byte } else { b'_' }));
}

/// Says `fatal: what: cause` on standard output, where these programs complain; 111.
#[must_use]
pub fn fatal(what: impl Piece, cause: &io::Error) -> Fatal {
    let mut line = Vec::new();
    ("fatal: ", what, ": ", classic(errno::of(cause)), "\n").render(&mut line);
    let _ = unix::fd::stdout().write_all(&line); // there is nowhere else to complain
    Fatal::silent(Exit::SOFT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(sender: &[u8], state: State) -> String {
        let mut out = Vec::new();
        let birth = 1_793_492_489;
        Heading { birth, id: MessageId(421), size: 237, sender, state }.push(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_heading_tells_time_number_size_sender_and_state() {
        let start = "1 Nov 2026 00:21:29 GMT  #421  237  ";
        assert_eq!(heading(b"a@b", State::Underway), format!("{start}<a@b> \n"));
        assert_eq!(heading(b"", State::Bouncing), format!("{start}<>  bouncing\n"));
        assert_eq!(heading(b"", State::Unprocessed), format!("{start}<>  unprocessed\n"));
    }

    #[test]
    fn what_does_not_print_is_not_printed() {
        let mut out = Vec::new();
        push_recipient(&mut out, "local", b"\x1b[2J\xe4 b@c\n", true);
        push_recipient(&mut out, "todo", b"d", false);
        assert_eq!(out, b"  done\tlocal\t_[2J_ b@c_\n\ttodo\td\n");
    }
}
