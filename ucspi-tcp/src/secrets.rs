//! Passwords in conversations about mail, so that a log need not show them.
//!
//! What a client says behind these words is secret, in capitals or not: `AUTH` and a mechanism (RFC
//! 4954 for SMTP, RFC 5034 for POP3), `PASS`, `APOP` and a name (RFC 1939), and behind a tag `LOGIN`,
//! and `AUTHENTICATE` and a mechanism (RFC 9051 for IMAP). So is everything that it says in the
//! exchange which such a command begins, until the server says that it is over.

use memchr::memchr_iter;

/// Stands for what is hidden, however long that is.
const HIDDEN: &[u8] = b"***";
/// So much of each line is looked at to know what it is.
const HEAD: usize = 256;
/// The longest end of a line that may tell the length of a literal.
const TAIL: usize = 24;

/// How far a conversation is, and what the client says next.
#[derive(Debug, Default)]
pub struct Secrets {
    state: State,
    /// What the client's last command was.
    command: Command,
    client: Line,
    server: Line,
    /// The rest of the client's line is secret.
    is_secret: bool,
}

/// What the client's next line is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// A command.
    #[default]
    Command,
    /// Part of a message.
    Message,
    /// Part of an exchange.
    Exchange,
    /// Of a command with secrets: the line's end is not among the next bytes, so many.
    Literal(u64),
}

/// What matters of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
enum Command {
    /// It begins an exchange, in IMAP with this tag.
    Authenticate(Option<Vec<u8>>),
    /// Message text may follow.
    Data,
    #[default]
    Other,
}

/// A line as far as it has come.
#[derive(Debug, Default)]
struct Line {
    head: Vec<u8>,
    tail: Vec<u8>,
}

impl Line {
    fn extend(&mut self, part: &[u8]) {
        let room = HEAD.saturating_sub(self.head.len());
        self.head.extend(part.iter().take(room));
        self.tail.extend(part.iter().skip(part.len().saturating_sub(TAIL)));
        let surplus = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..surplus);
    }
}

impl Secrets {
    /// Appends what the client has said, with secrets hidden.
    pub fn hide(&mut self, said: &[u8], out: &mut Vec<u8>) {
        for part in said.split_inclusive(|&byte| byte == b'\n') {
            let rest = self.open(part);
            if let Some(open) = part.get(..part.len() - rest.len()) {
                out.extend_from_slice(open);
            }
            let (secret, end) = rest.split_at(trimmed(rest).len());
            if !secret.is_empty() {
                out.extend_from_slice(HIDDEN);
            }
            out.extend_from_slice(end);
            if part.ends_with(b"\n") {
                self.end_line();
            }
        }
    }

    /// Takes note of what the server has said.
    pub fn hear(&mut self, said: &[u8]) {
        for part in said.split_inclusive(|&byte| byte == b'\n') {
            self.server.extend(part);
            if part.ends_with(b"\n") {
                let line = std::mem::take(&mut self.server);
                self.reply(&line.head);
            }
        }
    }

    /// The secret end of a part of a line.
    fn open<'a>(&mut self, part: &'a [u8]) -> &'a [u8] {
        let mut rest = part;
        match self.state {
            State::Message => rest = &[],
            State::Exchange => self.is_secret = true,
            State::Literal(left) => {
                self.is_secret = true;
                self.state = State::Literal(left.saturating_sub(part.len() as u64));
            }
            State::Command if self.is_secret => {}
            State::Command => {
                let known = self.client.head.len();
                self.client.extend(part);
                let before = |blank: usize| self.client.head.get(..known + blank);
                let secret = memchr_iter(b' ', part)
                    .map_while(|blank| Some((blank, before(blank)?)))
                    .find(|(_, head)| precedes_secret(head));
                let rest = secret.and_then(|(blank, _)| part.get(blank + 1..));
                self.is_secret = rest.is_some();
                return rest.unwrap_or_default();
            }
        }
        self.client.extend(part);
        rest
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.client);
        let was_secret = std::mem::take(&mut self.is_secret);
        match self.state {
            State::Message if trimmed(&line.head) == b"." => self.state = State::Command,
            State::Message | State::Exchange | State::Literal(1..) => {}
            State::Command | State::Literal(0) => {
                if self.state == State::Command {
                    self.command = command(&line.head);
                }
                self.state = match literal(&line.tail).filter(|_| was_secret) {
                    Some(length) => State::Literal(length.saturating_add(1)),
                    None if matches!(self.command, Command::Authenticate(_)) => State::Exchange,
                    None => State::Command,
                };
            }
        }
    }

    /// A line of the server. One that answers an earlier command may come late: an exchange that it
    /// seems to end goes on when the server asks for more.
    fn reply(&mut self, line: &[u8]) {
        match (&self.command, self.state) {
            (Command::Data, State::Command) if line.starts_with(b"354") => {
                self.state = State::Message;
            }
            (Command::Authenticate(_), State::Command) if asks(line) => {
                self.state = State::Exchange;
            }
            (Command::Authenticate(tag), State::Exchange) if ends(line, tag.as_deref()) => {
                self.state = State::Command;
            }
            _ => {}
        }
    }
}

/// The line without its end.
fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !matches!(byte, b'\r' | b'\n'));
    line.get(..end.map_or(0, |last| last + 1)).unwrap_or(line)
}

/// At most four words between blanks, in capitals.
fn words(line: &[u8]) -> Vec<Vec<u8>> {
    let words = trimmed(line).split(|&byte| byte == b' ').filter(|word| !word.is_empty());
    words.take(4).map(<[u8]>::to_ascii_uppercase).collect()
}

/// Whether what follows these words and a blank is secret.
fn precedes_secret(head: &[u8]) -> bool {
    let words = words(head);
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    matches!(
        words[..],
        [b"PASS"] | [b"APOP" | b"AUTH", _] | [_, b"LOGIN"] | [_, b"AUTHENTICATE", _]
    )
}

fn command(line: &[u8]) -> Command {
    let words = words(line);
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    match words[..] {
        [b"DATA"] => Command::Data,
        [b"AUTH", _, ..] => Command::Authenticate(None),
        [tag, b"AUTHENTICATE", _, ..] => Command::Authenticate(Some(tag.to_vec())),
        _ => Command::Other,
    }
}

/// Whether the server asks for the next part of an exchange.
fn asks(line: &[u8]) -> bool {
    line.starts_with(b"334") || line.starts_with(b"+ ") || trimmed(line) == b"+"
}

/// Whether the server says that an exchange is over.
fn ends(line: &[u8], tag: Option<&[u8]>) -> bool {
    match (words(line).first(), tag) {
        (first, Some(tag)) => first.is_some_and(|first| first == tag),
        (_, None) => matches!(
            line,
            [b'2', b'3', b'5', ..] | [b'4' | b'5', _, _, ..] | [b'+', b'O', b'K', ..] | [b'-', ..]
        ),
    }
}

/// The length of the literal that begins behind a line with this end. Source: RFC 9051 and RFC 7888,
/// `{7}` and `{7+}`.
fn literal(tail: &[u8]) -> Option<u64> {
    let inside = trimmed(tail).strip_suffix(b"}")?;
    let digits = inside.rsplit(|&byte| byte == b'{').next()?;
    wire::decimal::parse(digits.strip_suffix(b"+").unwrap_or(digits))
}

#[cfg(test)]
mod tests;
