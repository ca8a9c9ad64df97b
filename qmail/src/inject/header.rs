//! The header of an outgoing message: repaired, completed, and read for its envelope.

use std::collections::BTreeSet;

use wire::{date, decimal};

use crate::addr::field::{self, Addresses, Field};
use crate::addr::list;
use crate::addr::quote;
use crate::addr::rewrite::Defaults;
use crate::addr::token::{Token, bare, folded, parse};

use super::options::{Hack, Options};

/// The length of header lines, where it can be kept.
pub const WIDTH: usize = 80;

/// A line or address that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unparsable(pub Vec<u8>);

/// Who and when a message is injected: what its Date, Message-ID and per-message return path are made of.
#[derive(Clone, Copy, Debug)]
pub struct Origin<'a> {
    /// Seconds since 1970.
    pub seconds: i64,
    /// Below a second.
    pub nanos: u32,
    /// The injecting process.
    pub pid: u32,
    /// The host of new Message-IDs.
    pub id_host: &'a [u8],
}

/// A header being read.
#[derive(Debug)]
pub struct Header<'a> {
    options: &'a Options,
    defaults: &'a Defaults,
    seen: BTreeSet<Field>,
    kept: Vec<u8>,
    sender: Option<Vec<u8>>,
    recipients: Vec<Vec<u8>>,
    resent: Vec<Vec<u8>>,
    visible: Vec<Vec<u8>>,
}

/// A header as it is sent, and the envelope it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finished {
    /// The header, without the empty line behind it.
    pub text: Vec<u8>,
    /// The envelope sender.
    pub sender: Vec<u8>,
    /// The recipients that the header names.
    pub recipients: Vec<Vec<u8>>,
}

impl<'a> Header<'a> {
    /// An empty header; `sender` is the envelope sender if the caller has named one.
    #[must_use]
    pub fn new(
        options: &'a Options,
        defaults: &'a Defaults,
        sender: Option<Vec<u8>>,
    ) -> Header<'a> {
        Header {
            options,
            defaults,
            seen: BTreeSet::new(),
            kept: Vec::new(),
            sender,
            recipients: Vec::new(),
            resent: Vec::new(),
            visible: Vec::new(),
        }
    }

    /// Takes one field, with its line ends.
    ///
    /// Addresses are completed and the field folded anew. A recipient field that makes no sense is
    /// passed on as it is, and names nobody; a sender field that makes no sense is an error.
    pub fn field(&mut self, line: &[u8]) -> Result<(), Unparsable> {
        let Some(field) = field::name(line).and_then(Field::named) else {
            self.kept.extend_from_slice(line);
            return Ok(());
        };
        let options = self.options;
        if (field == Field::From && options.hacks.has(Hack::DropFrom))
            || (field == Field::MessageId && options.hacks.has(Hack::DropMessageId))
            || (field == Field::ReturnPath && options.hacks.has(Hack::IgnoreReturnPath))
        {
            return Ok(());
        }
        self.seen.insert(field);
        let rewritten = match field.addresses() {
            Addresses::None => None,
            kind => match self.rewritten(line, kind) {
                Some(text) => Some(text),
                None if matches!(kind, Addresses::Sender | Addresses::Senders) => {
                    return Err(Unparsable(line.to_vec()));
                }
                None => None,
            },
        };
        if !field.is_dropped() {
            self.kept.extend_from_slice(rewritten.as_deref().unwrap_or(line));
        }
        Ok(())
    }

    /// The field with its addresses completed, and noted where they are needed.
    fn rewritten(&mut self, line: &[u8], kind: Addresses) -> Option<Vec<u8>> {
        let tokens = parse(line).ok()?;
        let [name, Token::Colon, list @ ..] = tokens.as_slice() else { return None };
        let mut found = Vec::new();
        let mut text = vec![name.clone(), Token::Colon];
        text.extend(
            list::rewrite(list, &mut |address| {
                self.defaults.complete(address);
                found.push(bare(address));
            })
            .ok()?,
        );
        match kind {
            Addresses::VisibleRecipients => {
                self.visible.extend_from_slice(&found);
                self.recipients.append(&mut found);
            }
            Addresses::Recipients => self.recipients.append(&mut found),
            Addresses::ResentRecipients => self.resent.append(&mut found),
            Addresses::Sender => {
                if self.sender.is_none() {
                    self.sender = found.into_iter().next().map(|path| self.for_recipients(path));
                }
            }
            Addresses::None | Addresses::Senders => {}
        }
        Some(folded(&text, WIDTH))
    }

    /// A return path, marked if each recipient is to get one of its own.
    fn for_recipients(&self, mut path: Vec<u8>) -> Vec<u8> {
        if self.options.hacks.has(Hack::Verp) {
            path.extend_from_slice(b"-@[]");
        }
        path
    }

    /// Ends the header: adds what is missing. `lists` are the mailing lists that a Mail-Followup-To
    /// is for, in lower case.
    pub fn finish(
        mut self,
        origin: &Origin<'_>,
        lists: &[Vec<u8>],
    ) -> Result<Finished, Unparsable> {
        let is_resent = self.seen.iter().any(|field| field.is_resent());
        let sender = match self.sender.take() {
            Some(sender) => sender,
            None => self.default_sender(origin),
        };
        let mut text = Vec::new();
        if is_resent {
            self.add_missing(&mut text, origin, RESENT)?;
        } else {
            self.add_missing(&mut text, origin, FIRST_SENT)?;
            self.add_followup(&mut text, lists);
        }
        text.append(&mut self.kept);
        let recipients = if is_resent { self.resent } else { self.recipients };
        Ok(Finished { text, sender, recipients })
    }

    fn default_sender(&self, origin: &Origin<'_>) -> Vec<u8> {
        let stamp = format!("{}.{}", origin.seconds, origin.pid);
        let mut address = self.options.return_path(stamp.as_bytes());
        self.defaults.complete(&mut address);
        self.for_recipients(bare(&address))
    }

    fn add_missing(
        &mut self,
        text: &mut Vec<u8>,
        origin: &Origin<'_>,
        fields: Origins,
    ) -> Result<(), Unparsable> {
        let prefix = fields.prefix.as_bytes();
        if !self.seen.contains(&fields.date) {
            text.extend_from_slice(prefix);
            text.extend_from_slice(b"Date: ");
            date::push_header(text, origin.seconds);
            text.push(b'\n');
        }
        if !self.seen.contains(&fields.message_id) {
            text.extend_from_slice(prefix);
            push_message_id(text, origin);
        }
        if !self.seen.contains(&fields.from) {
            let from = self.options.from_field();
            let rewritten = self.rewritten(&from, Addresses::Senders);
            text.extend_from_slice(prefix);
            text.extend_from_slice(&rewritten.ok_or(Unparsable(from))?);
        }
        if !self.seen.contains(&fields.to) && !self.seen.contains(&fields.cc) {
            text.extend_from_slice(prefix);
            text.extend_from_slice(b"Cc: recipient list not shown: ;\n");
        }
        Ok(())
    }

    /// Answers to a mailing list go to everybody who got the message, and not to its sender.
    fn add_followup(&self, text: &mut Vec<u8>, lists: &[Vec<u8>]) {
        let is_list = |address: &Vec<u8>| lists.contains(&address.to_ascii_lowercase());
        if self.seen.contains(&Field::MailFollowupTo) || !self.visible.iter().any(is_list) {
            return;
        }
        let addresses: Vec<_> =
            self.visible.iter().rev().map(|address| quote::address(address)).collect();
        text.extend_from_slice(b"Mail-Followup-To: ");
        text.extend_from_slice(&addresses.join(&b",\n  "[..]));
        text.push(b'\n');
    }
}

/// The fields that a message must have when it is sent, for the first time or again.
#[derive(Clone, Copy)]
struct Origins {
    prefix: &'static str,
    date: Field,
    message_id: Field,
    from: Field,
    to: Field,
    cc: Field,
}

const FIRST_SENT: Origins = Origins {
    prefix: "",
    date: Field::Date,
    message_id: Field::MessageId,
    from: Field::From,
    to: Field::To,
    cc: Field::Cc,
};

const RESENT: Origins = Origins {
    prefix: "Resent-",
    date: Field::ResentDate,
    message_id: Field::ResentMessageId,
    from: Field::ResentFrom,
    to: Field::ResentTo,
    cc: Field::ResentCc,
};

/// `Message-ID: <20261121002403.10074.123456.qmail@host>`: second, process, microsecond.
fn push_message_id(text: &mut Vec<u8>, origin: &Origin<'_>) {
    text.extend_from_slice(b"Message-ID: <");
    date::push_digits(text, origin.seconds);
    text.push(b'.');
    decimal::push(text, u64::from(origin.pid));
    text.push(b'.');
    decimal::push_padded(text, u64::from(origin.nanos / 1000), 6);
    text.extend_from_slice(b".qmail@");
    text.extend_from_slice(origin.id_host);
    text.extend_from_slice(b">\n");
}

/// An address given as an argument, completed: quoted as RFC 822 wants, read, and made bare again.
pub fn argument(address: &[u8], defaults: &Defaults) -> Result<Vec<u8>, Unparsable> {
    let mut tokens = parse(&quote::address(address)).map_err(|_| Unparsable(address.to_vec()))?;
    defaults.complete(&mut tokens);
    Ok(bare(&tokens))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inject::options::Hacks;

    const ORIGIN: Origin<'static> = Origin {
        seconds: 1_795_220_643,
        nanos: 123_456_789,
        pid: 10_074,
        id_host: b"mail.example.test",
    };

    fn inject(
        options: &Options,
        fields: &[&str],
        lists: &[Vec<u8>],
    ) -> (String, String, Vec<String>) {
        let defaults =
            Defaults::new(b"mail.example.test", b"example.test", b"example.test").unwrap();
        let mut header = Header::new(options, &defaults, None);
        for field in fields {
            header.field(field.as_bytes()).unwrap();
        }
        let finished = header.finish(&ORIGIN, lists).unwrap();
        let string = |bytes| String::from_utf8(bytes).unwrap();
        let recipients = finished.recipients.into_iter().map(string).collect();
        (string(finished.text), string(finished.sender), recipients)
    }

    fn joe() -> Options {
        Options { user: b"joe".to_vec(), sender_user: b"joe".to_vec(), ..Options::default() }
    }

    #[test]
    fn what_is_missing_is_added_in_front() {
        let (text, sender, recipients) = inject(&joe(), &["Subject: x\n", "Bcc: a, b@c\n"], &[]);
        let expected = "Date: 21 Nov 2026 00:24:03 -0000\n\
                        Message-ID: <20261121002403.10074.123456.qmail@mail.example.test>\n\
                        From: joe@mail.example.test\n\
                        Cc: recipient list not shown: ;\n\
                        Subject: x\n";
        assert_eq!(text, expected);
        assert_eq!(sender, "joe@mail.example.test");
        assert_eq!(recipients, ["b@c.example.test", "a@mail.example.test"]);
    }

    #[test]
    fn a_message_sent_again_has_other_recipients_and_fields() {
        let given = ["Resent-To: again@x.y\n", "To: first@x.y\n", "Resent-From: me@x.y\n"];
        let (text, _, recipients) = inject(&joe(), &given, &[]);
        assert!(text.starts_with("Resent-Date: "), "{text}");
        assert!(!text.contains("\nDate:"), "{text}");
        assert_eq!(recipients, ["again@x.y"]);
    }

    #[test]
    fn a_recipient_field_without_sense_is_passed_on() {
        let (text, _, recipients) = inject(&joe(), &["To: a(b\n", "Cc: c@d.e\n"], &[]);
        assert!(text.contains("To: a(b\n"));
        assert_eq!(recipients, ["c@d.e"]);
    }

    #[test]
    fn a_sender_field_without_sense_is_an_error() {
        let options = joe();
        let defaults = Defaults::new(b"h", b"d", b"p").unwrap();
        let mut header = Header::new(&options, &defaults, None);
        assert_eq!(header.field(b"From: a(b\n"), Err(Unparsable(b"From: a(b\n".to_vec())));
    }

    #[test]
    fn the_return_path_may_come_from_the_message() {
        let given = ["Return-Path: <x@y.z>\n", "To: a@b.c\n"];
        assert_eq!(inject(&joe(), &given, &[]).1, "x@y.z");
        let verp = Options { hacks: Hacks(b"r".to_vec()), ..joe() };
        assert_eq!(inject(&verp, &given, &[]).1, "x@y.z-@[]");
        let ignoring = Options { hacks: Hacks(b"s".to_vec()), ..joe() };
        assert_eq!(inject(&ignoring, &given, &[]).1, "joe@mail.example.test");
        let both = Options { hacks: Hacks(b"rm".to_vec()), ..joe() };
        assert_eq!(
            inject(&both, &["To: a@b.c\n"], &[]).1,
            "joe-1795220643.10074-@mail.example.test-@[]"
        );
    }

    #[test]
    fn a_mailing_list_gets_a_followup_address() {
        let lists = [b"list@x.y".to_vec()];
        let given = ["To: one@a.b, two@a.b\n", "Cc: LIST@x.y\n"];
        let (text, ..) = inject(&joe(), &given, &lists);
        assert!(text.contains("Mail-Followup-To: LIST@x.y,\n  one@a.b,\n  two@a.b\n"), "{text}");
        assert!(!inject(&joe(), &["To: one@a.b\n"], &lists).0.contains("Mail-Followup-To"));
    }
}
