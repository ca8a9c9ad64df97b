//! Commands: what qmail-send wants delivered.

use queue::path::MessageId;
use wire::decimal;

use super::{Slot, WIDE};

/// A field longer than this is not kept. qmail-queue refuses addresses beyond 1002 bytes, so only
/// nonsense is this long.
const LONGEST_FIELD: usize = 64 * 1024;

/// The longest message file name, with its zero byte.
const LONGEST_FILE: usize = 100;

/// A wide command of more recipients than this is taken as several.
const MOST_RECIPIENTS: usize = 1000;

/// The file of the question whether the wide form is understood.
const QUESTION: &[u8] = b"wide";

/// One recipient of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// What the report will carry.
    pub slot: Slot,
    /// The address.
    pub address: Vec<u8>,
}

impl Recipient {
    /// The local part and the domain, split at the last `@`; or the report for an address without one.
    pub fn split(&self) -> Result<(&[u8], &[u8]), &'static str> {
        let at = self.address.iter().rposition(|&byte| byte == b'@');
        at.and_then(|at| {
            let (local, domain) = self.address.split_at_checked(at)?;
            Some((local, domain.get(1..)?))
        })
        .ok_or("DSorry, address must include host name. (#5.1.3)\n")
    }
}

/// A message that is to be delivered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Command {
    /// The message's file, below `mess/`.
    pub file: Vec<u8>,
    /// The envelope sender; may be empty.
    pub sender: Vec<u8>,
    /// To whom.
    pub recipients: Vec<Recipient>,
    /// True if a field was too long to keep.
    pub overlong: bool,
}

impl Command {
    /// True if it is only the question whether the wide form is understood.
    #[must_use]
    pub fn is_question(&self) -> bool {
        self.file == QUESTION && self.recipients.is_empty()
    }

    /// The report for a command whose message cannot be there.
    pub fn check(&self) -> Result<(), &'static str> {
        let digit_or_slash = |&byte: &u8| byte == b'/' || byte.is_ascii_digit();
        if self.overlong {
            return Err("Zqmail-spawn out of memory. (#4.3.0)\n");
        }
        if self.file.first() == Some(&b'/') || !self.file.iter().all(digit_or_slash) {
            return Err("DInternal error: messid has nonnumerics. (#5.3.5)\n");
        }
        if self.file.len() + 1 > LONGEST_FILE {
            return Err("DInternal error: messid too long. (#5.3.5)\n");
        }
        if self.file.is_empty() {
            return Err("DInternal error: messid too short. (#5.3.5)\n");
        }
        Ok(())
    }
}

/// Appends a command as the original's qmail-send writes it.
pub fn push_command(
    out: &mut Vec<u8>,
    delivery: u8,
    id: MessageId,
    sender: &[u8],
    recipient: &[u8],
) {
    out.push(delivery);
    push_message(out, id, sender);
    out.extend_from_slice(recipient);
    out.push(0);
}

/// Appends the beginning of a wide command.
pub fn begin_wide(out: &mut Vec<u8>, id: MessageId, sender: &[u8]) {
    out.push(WIDE);
    push_message(out, id, sender);
}

/// Appends a recipient of a wide command.
pub fn push_recipient(out: &mut Vec<u8>, number: u32, address: &[u8]) {
    decimal::push(out, number.into());
    out.push(0);
    out.extend_from_slice(address);
    out.push(0);
}

/// Appends the end of a wide command.
pub fn end_wide(out: &mut Vec<u8>) {
    out.push(0);
}

fn push_message(out: &mut Vec<u8>, id: MessageId, sender: &[u8]) {
    decimal::push(out, id.subdirectory());
    out.push(b'/');
    decimal::push(out, id.0);
    out.push(0);
    out.extend_from_slice(sender);
    out.push(0);
}

/// The question whether the wide form is understood.
#[must_use]
pub fn hello() -> Vec<u8> {
    [&[WIDE], QUESTION, b"\0\0\0"].concat()
}

/// Commands out of bytes that arrive in pieces of any size.
#[derive(Debug, Default)]
pub struct Commands {
    part: Command,
    place: Place,
    is_wide: bool,
    /// The field that has not ended.
    field: Vec<u8>,
    /// The number of the recipient whose address is being read.
    number: u32,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    First,
    File,
    Sender,
    Number,
    Recipient,
}

impl Commands {
    /// Takes bytes off the front of `bytes` until a command is whole; `None` once they are used up.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Command> {
        while let [first, rest @ ..] = *bytes {
            if let Place::First = self.place {
                self.is_wide = *first == WIDE;
                self.number = (*first).into();
                self.place = Place::File;
                *bytes = rest;
                continue;
            }
            let end = memchr::memchr(0, bytes);
            let (text, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len()))?;
            let room = LONGEST_FIELD - self.field.len();
            self.part.overlong |= text.len() > room;
            self.field.extend(text.iter().take(room));
            if end.is_none() {
                *bytes = &[];
                return None;
            }
            *bytes = rest.get(1..).unwrap_or_default();
            let field = std::mem::take(&mut self.field);
            if let Some(command) = self.take_in(field) {
                return Some(command);
            }
        }
        None
    }

    /// A field has ended; gives the command if it was its last.
    fn take_in(&mut self, field: Vec<u8>) -> Option<Command> {
        let mut is_last = false;
        self.place = match self.place {
            Place::First | Place::File => {
                self.part.file = field;
                Place::Sender
            }
            Place::Sender => {
                self.part.sender = field;
                if self.is_wide { Place::Number } else { Place::Recipient }
            }
            Place::Number => {
                // A number that is none is one that nobody has.
                self.number = decimal::parse(&field)
                    .and_then(|number| u32::try_from(number).ok())
                    .unwrap_or(u32::MAX);
                is_last = field.is_empty();
                Place::Recipient
            }
            Place::Recipient => {
                let slot = Slot { number: self.number, is_wide: self.is_wide };
                self.part.recipients.push(Recipient { slot, address: field });
                if self.part.recipients.len() == MOST_RECIPIENTS {
                    return Some(self.split_off());
                }
                is_last = !self.is_wide;
                Place::Number
            }
        };
        if !is_last {
            return None;
        }
        self.place = Place::First;
        Some(std::mem::take(&mut self.part))
    }

    /// The command up to here; the rest of it is another one.
    fn split_off(&mut self) -> Command {
        self.place = Place::Number;
        let Command { file, sender, recipients, overlong } = std::mem::take(&mut self.part);
        self.part =
            Command { file: file.clone(), sender: sender.clone(), overlong, ..Command::default() };
        Command { file, sender, recipients, overlong }
    }
}
