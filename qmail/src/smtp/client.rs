//! The client's half of a session, as a machine: replies in, commands and a report out.

mod attempts;

use std::collections::VecDeque;
use std::net::IpAddr;

use wire::ip;

use super::offers::Offers;
use super::reply::{Class, Reply};
use crate::addr::quote;

pub use attempts::{Attempts, Ending};

/// How many recipients are named before the reply to the first of them is awaited, where a host reads on.
/// Few enough for the host not to wait until its replies are read: they lie in the socket.
const TOGETHER: usize = 100;

/// A message that is to be sent to one host. Its report is qmail-remote(8)'s: records that end in a zero
/// byte, one for each recipient in turn (`r` taken, `h` refused, `s` refused for now) and one for the
/// message (`K` taken, `D` refused, `Z` refused for now).
///
/// Recipients who are too many for the host, which says so with 452, get the message in a transaction of
/// their own behind that of the others. What became of it then stands in the recipients' records.
/// Source: RFC 5321 section 4.5.3.1.10.
#[derive(Debug)]
pub struct Conversation<'a> {
    helo: &'a [u8],
    sender: Vec<u8>,
    /// The command that begins a transaction.
    mail: Vec<u8>,
    /// In the form in which they are sent; `None` for one that cannot be.
    recipients: Vec<Option<Vec<u8>>>,
    /// What is to be told of each, without the zero byte; empty for one of whom nothing is known.
    records: Vec<Vec<u8>>,
    /// The numbers of those that this transaction is still to name.
    names: VecDeque<usize>,
    /// Those that it has named together and whose replies are still to come.
    named: VecDeque<usize>,
    /// How many it may name together.
    together: usize,
    /// Those whom the host has taken in this transaction.
    taken: Vec<usize>,
    /// Those who are too many for this transaction.
    excess: VecDeque<usize>,
    /// The message has been sent to others.
    is_sent_to_some: bool,
    /// The host's address, as text.
    host: Vec<u8>,
    /// The message's size in bytes, if it is known; then it can be sent more than once.
    size: Option<u64>,
    awaits: Awaits,
}

/// What the next reply is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Awaits {
    Greeting,
    Ehlo,
    Helo,
    Mail,
    /// The recipient of this number.
    Rcpt(usize),
    Data,
    /// The message, of which not all has been sent, or all.
    Message {
        is_sent: bool,
    },
}

/// What comes next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// What there is to send is to be sent, and a reply awaited.
    Listen,
    /// The message is to be sent, and its reply awaited.
    Message,
    /// The conversation is over. QUIT is to be sent; what is said to it does not matter.
    Leave(Ending),
}

/// The sender cannot be written in a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadSender;

impl<'a> Conversation<'a> {
    /// With a host that has just been connected to.
    pub fn new<'b>(
        host: IpAddr,
        helo: &'a [u8],
        sender: &[u8],
        recipients: impl IntoIterator<Item = &'b [u8]>,
    ) -> Result<Conversation<'a>, BadSender> {
        // The queue's own mark of a bounce that cannot be returned means nothing to others.
        let sender = if sender == b"#@[]" { &b""[..] } else { sender };
        let recipients: Vec<_> = recipients.into_iter().map(path).collect();
        Ok(Conversation {
            helo,
            sender: path(sender).ok_or(BadSender)?,
            mail: Vec::new(),
            records: vec![Vec::new(); recipients.len()],
            names: (0..recipients.len()).collect(),
            named: VecDeque::new(),
            together: 1,
            recipients,
            taken: Vec::new(),
            excess: VecDeque::new(),
            is_sent_to_some: false,
            host: ip::text(host),
            size: None,
            awaits: Awaits::Greeting,
        })
    }

    /// About a message of `size` bytes.
    #[must_use]
    pub fn of_size(self, size: Option<u64>) -> Conversation<'a> {
        Conversation { size, ..self }
    }

    /// Takes the reply to what was last sent; appends to `out` what is to be sent next.
    pub fn reply(&mut self, reply: &Reply, out: &mut Vec<u8>) -> Next {
        let class = reply.class();
        match self.awaits {
            Awaits::Greeting if reply.code == Some(220) => {
                self.say(Awaits::Ehlo, &[b"EHLO ", self.helo], out)
            }
            Awaits::Greeting => {
                self.leave_early(class == Class::Permanent, " but greeting failed", reply, out)
            }
            Awaits::Ehlo if reply.code == Some(250) => self.begin(Offers::parse(&reply.text), out),
            Awaits::Ehlo if class == Class::Permanent => {
                self.say(Awaits::Helo, &[b"HELO ", self.helo], out)
            }
            Awaits::Helo if reply.code == Some(250) => self.begin(Offers::default(), out),
            Awaits::Ehlo | Awaits::Helo => {
                self.leave_early(false, " but my name was rejected", reply, out)
            }
            Awaits::Mail => self.sender_answered(class, reply, out),
            Awaits::Rcpt(number) => self.recipient_answered(number, class, reply, out),
            Awaits::Data => self.data_answered(class, reply, out),
            Awaits::Message { .. } => self.message_answered(class, reply, out),
        }
    }

    fn sender_answered(&mut self, class: Class, reply: &Reply, out: &mut Vec<u8>) -> Next {
        let before = match class {
            Class::Permanent => "DConnected to ",
            Class::Temporary => "ZConnected to ",
            Class::Proceed | Class::Success => return self.next_recipient(out),
        };
        self.leave(before, " but sender was rejected", Some(reply), out)
    }

    fn recipient_answered(
        &mut self,
        number: usize,
        class: Class,
        reply: &Reply,
        out: &mut Vec<u8>,
    ) -> Next {
        match class {
            Class::Permanent => self.dislike(number, b'h', reply),
            Class::Temporary => {
                self.dislike(number, b's', reply);
                if reply.code == Some(452) && !self.taken.is_empty() && self.size.is_some() {
                    self.excess.push_back(number);
                }
            }
            Class::Proceed | Class::Success => {
                self.record(number, b"r".to_vec());
                self.taken.push(number);
            }
        }
        self.next_recipient(out)
    }

    fn data_answered(&mut self, class: Class, reply: &Reply, out: &mut Vec<u8>) -> Next {
        let before = match class {
            Class::Proceed => {
                self.awaits = Awaits::Message { is_sent: false };
                return Next::Message;
            }
            Class::Permanent => "D",
            // A host that does not wait for the message would take its lines for commands.
            Class::Temporary | Class::Success => "Z",
        };
        self.leave(before, " failed on DATA command", Some(reply), out)
    }

    fn message_answered(&mut self, class: Class, reply: &Reply, out: &mut Vec<u8>) -> Next {
        let before = match class {
            Class::Success if self.excess.is_empty() => {
                return self.leave("K", " accepted message", Some(reply), out);
            }
            Class::Success => {
                let (letter, text) = self.what("K", " accepted message", Some(reply));
                self.tell_each(letter, &text);
                self.is_sent_to_some = true;
                self.names = std::mem::take(&mut self.excess);
                out.extend_from_slice(&self.mail);
                self.awaits = Awaits::Mail;
                return Next::Listen;
            }
            Class::Permanent => "D",
            Class::Temporary | Class::Proceed => "Z",
        };
        self.leave(before, " failed after I sent the message", Some(reply), out)
    }

    /// The end of the message is about to be sent: from now on the host may have it.
    pub fn message_ends(&mut self) {
        self.awaits = Awaits::Message { is_sent: true };
    }

    /// The connection is lost, or the host has been silent for too long.
    #[must_use]
    pub fn died(mut self) -> Ending {
        let what = match self.awaits {
            Awaits::Message { is_sent: true } => {
                " but connection died. Possible duplicate! (#4.4.2)\n"
            }
            _ => " but connection died. (#4.4.2)\n",
        };
        let text = [b"Connected to ", self.host.as_slice(), what.as_bytes()].concat();
        match self.awaits {
            Awaits::Greeting | Awaits::Ehlo | Awaits::Helo => {
                Ending::Early { is_permanent: false, text }
            }
            _ => Ending::Final(self.conclude(b'Z', &text)),
        }
    }

    /// The message cannot be read to its end.
    #[must_use]
    pub fn unreadable(mut self) -> Ending {
        Ending::Final(self.conclude(b'Z', b"Unable to read message. (#4.3.0)\n"))
    }

    /// Names the sender, unless the message is bigger than the host takes.
    fn begin(&mut self, offers: Offers, out: &mut Vec<u8>) -> Next {
        if let Some(size) = self.size
            && let Some(limit) = offers.exceeded_by(size)
        {
            let after =
                format!(" takes at most {limit} bytes, and the message has {size} (#5.3.4)");
            return self.leave("D", &after, None, out);
        }
        if offers.pipelining {
            self.together = TOGETHER;
        }
        let parameters = offers.parameters(self.size);
        self.mail = [b"MAIL FROM:<", self.sender.as_slice(), b">", &parameters, b"\r\n"].concat();
        out.extend_from_slice(&self.mail);
        self.awaits = Awaits::Mail;
        Next::Listen
    }

    fn say(&mut self, awaits: Awaits, command: &[&[u8]], out: &mut Vec<u8>) -> Next {
        for part in command {
            out.extend_from_slice(part);
        }
        out.extend_from_slice(b"\r\n");
        self.awaits = awaits;
        Next::Listen
    }

    /// Goes on to the next recipient that can be named, or else asks for DATA.
    fn next_recipient(&mut self, out: &mut Vec<u8>) -> Next {
        if self.named.is_empty() {
            self.name_recipients(out);
        }
        match self.named.pop_front() {
            Some(number) => {
                self.awaits = Awaits::Rcpt(number);
                Next::Listen
            }
            None if self.taken.is_empty() => self.leave("DGiving up on ", "", None, out),
            None => self.say(Awaits::Data, &[b"DATA"], out),
        }
    }

    /// Names as many as it may together.
    fn name_recipients(&mut self, out: &mut Vec<u8>) {
        while self.named.len() < self.together
            && let Some(number) = self.names.pop_front()
        {
            if let Some(Some(recipient)) = self.recipients.get(number) {
                out.extend([b"RCPT TO:<", recipient.as_slice(), b">\r\n"].concat());
                self.named.push_back(number);
            } else {
                let text = "hSMTP cannot transfer an address with a line end in it. (#5.1.3)\n";
                self.record(number, text.into());
            }
        }
    }

    fn dislike(&mut self, number: usize, letter: u8, reply: &Reply) {
        let mut record = vec![letter];
        record.extend_from_slice(&self.host);
        record.extend_from_slice(b" does not like recipient.\n");
        push_said(&mut record, reply);
        self.record(number, record);
    }

    fn record(&mut self, number: usize, text: Vec<u8>) {
        if let Some(record) = self.records.get_mut(number) {
            *record = text;
        }
    }

    /// Ends with `before`, the host's address, `after` and what the host said.
    fn leave(
        &mut self,
        before: &str,
        after: &str,
        reply: Option<&Reply>,
        out: &mut Vec<u8>,
    ) -> Next {
        out.extend_from_slice(b"QUIT\r\n");
        let (letter, text) = self.what(before, after, reply);
        Next::Leave(Ending::Final(self.conclude(letter, &text)))
    }

    /// Ends the report with what became of the message. Where others have it already, those who were taken
    /// since are told instead.
    fn conclude(&mut self, letter: u8, text: &[u8]) -> Vec<u8> {
        let end = if self.is_sent_to_some {
            self.tell_each(letter, text);
            b"K\0".to_vec()
        } else {
            [&[letter], text, &[0]].concat()
        };
        // Those behind one of whom nothing is known are not told of: a record has no name.
        let mentioned = self.records.iter().take_while(|record| !record.is_empty());
        let mut report: Vec<u8> =
            mentioned.flat_map(|record| [record, &b"\0"[..]]).flatten().copied().collect();
        report.extend(end);
        report
    }

    /// Tells those who were taken what became of the message.
    fn tell_each(&mut self, letter: u8, text: &[u8]) {
        let letter = match letter {
            b'K' => b'r',
            b'D' => b'h',
            _ => b's',
        };
        for number in std::mem::take(&mut self.taken) {
            self.record(number, [&[letter], text].concat());
        }
    }

    fn leave_early(
        &mut self,
        is_permanent: bool,
        after: &str,
        reply: &Reply,
        out: &mut Vec<u8>,
    ) -> Next {
        out.extend_from_slice(b"QUIT\r\n");
        let (_, text) = self.what("ZConnected to ", after, Some(reply));
        Next::Leave(Ending::Early { is_permanent, text })
    }

    /// A letter, which `before` begins with, and the text behind it.
    fn what(&self, before: &str, after: &str, reply: Option<&Reply>) -> (u8, Vec<u8>) {
        let (letter, before) = before.as_bytes().split_first().unwrap_or((&b'Z', b""));
        let mut text = [before, &self.host, after.as_bytes(), b".\n"].concat();
        if let Some(reply) = reply {
            push_said(&mut text, reply);
        }
        (*letter, text)
    }
}

fn push_said(report: &mut Vec<u8>, reply: &Reply) {
    report.extend_from_slice(b"Remote host said: ");
    report.extend_from_slice(&reply.text);
}

/// An address as it stands between angle brackets; none for one that would end the command.
///
/// What is before the last `@` is quoted if it has to be; an address without `@` stays as it is.
fn path(address: &[u8]) -> Option<Vec<u8>> {
    if memchr::memchr2(b'\r', b'\n', address).is_some() {
        return None;
    }
    let has_domain = address.contains(&b'@');
    Some(if has_domain { quote::address(address) } else { address.to_vec() })
}

#[cfg(test)]
mod tests;
