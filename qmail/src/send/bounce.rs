//! Bounce and double-bounce text, in the QSBMF format.

use queue::disk::Disk;
use queue::path::{Area, MessageId};
use wire::{date, decimal};

use crate::addr::quote;
use crate::send::route;

/// Who bounces come from, and where double bounces go.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bounces {
    /// The user part of the From field.
    pub user: Vec<u8>,
    /// The host of the From field, which the text names too.
    pub host: Vec<u8>,
    /// Whom double bounces go to.
    pub double_to: Vec<u8>,
    /// Most bytes of a message that come back; 0 is any number.
    pub most: u64,
}

/// The sender of a double bounce: what it comes back as is thrown away.
const DOUBLE: &[u8] = b"#@[]";

/// One recipient's part of a bounce: whom the message did not reach, and why.
///
/// `report` may have several lines. The second of two newlines becomes `/`, so that the paragraph
/// has no blank line before its end. Source: qmail-send(8) and, for the newlines, as observed.
#[must_use]
pub fn paragraph(recipient: &[u8], report: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(recipient.len() + report.len() + 6);
    text.push(b'<');
    text.extend(recipient.iter().map(|&byte| if byte == b'\n' { b'_' } else { byte }));
    text.extend_from_slice(b">:\n");
    let last = report.len().saturating_sub(1);
    let mut before = b'\n';
    for (place, &byte) in report.iter().enumerate() {
        // Only the newline that ends the report may follow another.
        let is_second = byte == b'\n' && before == b'\n' && place != last;
        text.push(if is_second { b'/' } else { byte });
        before = byte;
    }
    if !report.is_empty() && before != b'\n' {
        text.push(b'\n');
    }
    text.push(b'\n');
    text
}

/// Adds a recipient's part to a message's bounce, for good: when the recipient is marked as done,
/// nothing else knows of the failure any more.
pub fn append<D: Disk>(disk: &mut D, id: MessageId, paragraph: &[u8]) -> Result<(), D::Error> {
    let name = Area::Bounce.of(id);
    let mut file = disk.append(&name)?;
    disk.sync_directory(&name.parent())?;
    disk.write(&mut file, paragraph)?;
    disk.sync(&file)
}

/// A bounce that is to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Letter<'a> {
    bounces: &'a Bounces,
    /// The sender of the message that comes back; empty if that was a bounce itself.
    original: &'a [u8],
}

impl Bounces {
    /// The bounce for a message from `sender`; `None` if that was a double bounce, after which there is
    /// no bounce.
    #[must_use]
    pub fn letter<'a>(&'a self, sender: &'a [u8]) -> Option<Letter<'a>> {
        let original = route::bounces_to(sender);
        (original != DOUBLE).then_some(Letter { bounces: self, original })
    }
}

impl Letter<'_> {
    /// How much of the message comes back, if it has `size` bytes.
    #[must_use]
    pub fn kept(&self, size: u64) -> u64 {
        match self.bounces.most {
            0 => size,
            most => size.min(most),
        }
    }

    /// The envelope sender: empty, or for a double bounce the one that cannot bounce.
    #[must_use]
    pub fn sender(&self) -> &'static [u8] {
        if self.is_double() { DOUBLE } else { b"" }
    }

    /// The envelope recipient.
    #[must_use]
    pub fn recipient(&self) -> &[u8] {
        if self.is_double() { &self.bounces.double_to } else { self.original }
    }

    fn is_double(&self) -> bool {
        self.original.is_empty()
    }

    /// What stands before the paragraphs. `now` is in seconds since 1970; `number`, which no other bounce of
    /// that second has, makes the Message-ID unique.
    #[must_use]
    pub fn head(&self, now: i64, number: u64) -> Vec<u8> {
        let Bounces { user, host, .. } = self.bounces;
        let mut text = Vec::with_capacity(1024);
        text.extend_from_slice(b"Date: ");
        date::push_header(&mut text, now);
        let to = quote::in_field(self.recipient());
        let parts = [b"\nFrom: ", &*quote::local(user), b"@", host, b"\nTo: ", &to];
        text.extend(parts.concat());
        text.extend_from_slice(b"\nSubject: failure notice\nMessage-ID: <");
        date::push_digits(&mut text, now);
        text.push(b'.');
        decimal::push(&mut text, number);
        text.extend([b".qmail@", &host[..]].concat());
        text.extend_from_slice(
            b">\n\
              Auto-Submitted: auto-replied\n\
              MIME-Version: 1.0\n\
              Content-Type: text/plain; charset=unknown-8bit\n\
              Content-Transfer-Encoding: 8bit\n\
              \n\
              Hi. This is the qmail-send program at ",
        );
        text.extend_from_slice(host);
        text.extend_from_slice(if self.is_double() {
            b".\n\
              I tried to deliver a bounce message to this address, but the bounce bounced!\n\n"
        } else {
            b".\n\
              I'm afraid I wasn't able to deliver your message to the following addresses.\n\
              This is a permanent error; I've given up. Sorry it didn't work out.\n\n"
        });
        text
    }

    /// What stands between the paragraphs and the message that comes back, which has `size` bytes. Says
    /// so if not all of it does.
    #[must_use]
    pub fn middle(&self, size: u64) -> Vec<u8> {
        let line = match (self.kept(size), self.is_double()) {
            (kept, true) if kept < size => {
                format!("are the first {kept} of the {size} bytes of the original bounce")
            }
            (kept, false) if kept < size => {
                format!("are the first {kept} of the {size} bytes of the message")
            }
            (_, true) => "is the original bounce".to_owned(),
            (_, false) => "is a copy of the message".to_owned(),
        };
        let line = format!("--- Below this line {line}.\n\nReturn-Path: <").into_bytes();
        [line, quote::in_field(self.original), b">\n".to_vec()].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn bounces() -> Bounces {
        Bounces {
            user: b"MAILER-DAEMON".into(),
            host: b"mail.example.test".into(),
            double_to: b"postmaster@mail.example.test".into(),
            most: 50_000,
        }
    }

    fn shown(recipient: &[u8], report: &[u8]) -> String {
        String::from_utf8(paragraph(recipient, report)).unwrap()
    }

    #[test]
    fn a_paragraph_ends_with_a_blank_line() {
        let report = b"Sorry, no mailbox here by that name. (#5.1.1)\n";
        let expected = "<a@b>:\nSorry, no mailbox here by that name. (#5.1.1)\n\n";
        assert_eq!(shown(b"a@b", report), expected);
        assert_eq!(shown(b"a@b", b"no line end"), "<a@b>:\nno line end\n\n");
        assert_eq!(shown(b"a@b", b""), "<a@b>:\n\n");
    }

    #[test]
    fn a_paragraph_has_no_blank_line_inside() {
        assert_eq!(shown(b"r", b"a\n\n\nb"), "<r>:\na\n//b\n\n");
        assert_eq!(shown(b"r", b"\nb\n"), "<r>:\n/b\n\n");
        assert_eq!(shown(b"r", b"a\n\n\n"), "<r>:\na\n/\n\n");
        assert_eq!(shown(b"r", b"a\n\n"), "<r>:\na\n\n\n");
        assert_eq!(shown(b"r", b"\n"), "<r>:\n\n\n");
        assert_eq!(shown(b"a\nb", b"x"), "<a_b>:\nx\n\n");
    }

    #[test]
    fn a_bounce_goes_to_the_sender() {
        let bounces = bounces();
        let letter = bounces.letter(b"sender@remote.test").unwrap();
        assert_eq!(letter.sender(), b"");
        assert_eq!(letter.recipient(), b"sender@remote.test");
        let expected = "Date: 21 Nov 2026 00:21:29 -0000\n\
            From: MAILER-DAEMON@mail.example.test\n\
            To: sender@remote.test\n\
            Subject: failure notice\n\
            Message-ID: <20261121002129.4767.qmail@mail.example.test>\n\
            Auto-Submitted: auto-replied\n\
            MIME-Version: 1.0\n\
            Content-Type: text/plain; charset=unknown-8bit\n\
            Content-Transfer-Encoding: 8bit\n\
            \n\
            Hi. This is the qmail-send program at mail.example.test.\n\
            I'm afraid I wasn't able to deliver your message to the following addresses.\n\
            This is a permanent error; I've given up. Sorry it didn't work out.\n\
            \n";
        assert_eq!(String::from_utf8(letter.head(1_795_220_489, 4767)).unwrap(), expected);
        let expected = "--- Below this line is a copy of the message.\n\
            \n\
            Return-Path: <sender@remote.test>\n";
        assert_eq!(String::from_utf8(letter.middle(1000)).unwrap(), expected);
    }

    #[test]
    fn a_bounce_of_a_bounce_goes_to_the_postmaster() {
        let bounces = bounces();
        let letter = bounces.letter(b"").unwrap();
        assert_eq!(letter.sender(), b"#@[]");
        assert_eq!(letter.recipient(), b"postmaster@mail.example.test");
        let head = String::from_utf8(letter.head(0, 1)).unwrap();
        assert!(head.contains("\nTo: postmaster@mail.example.test\n"));
        assert!(head.ends_with(
            "at mail.example.test.\n\
             I tried to deliver a bounce message to this address, but the bounce bounced!\n\n"
        ));
        let expected = "--- Below this line is the original bounce.\n\nReturn-Path: <>\n";
        assert_eq!(String::from_utf8(letter.middle(1000)).unwrap(), expected);
    }

    #[test]
    fn a_long_message_does_not_come_back_whole() {
        let bounces = bounces();
        let line = |letter: Option<Letter<'_>>, size| {
            let text = String::from_utf8(letter.unwrap().middle(size)).unwrap();
            text.lines().next().unwrap().to_owned()
        };
        let single = bounces.letter(b"a@b");
        assert_eq!(line(single, 50_000), "--- Below this line is a copy of the message.");
        let cut = "--- Below this line are the first 50000 of the 50001 bytes of the message.";
        assert_eq!(line(single, 50_001), cut);
        let cut =
            "--- Below this line are the first 50000 of the 60000 bytes of the original bounce.";
        assert_eq!(line(bounces.letter(b""), 60_000), cut);
        assert_eq!(single.map(|letter| (letter.kept(7), letter.kept(50_001))), Some((7, 50_000)));
        let unlimited = Bounces { most: 0, ..bounces.clone() };
        let whole = unlimited.letter(b"a@b");
        assert_eq!(whole.map(|letter| letter.kept(1 << 40)), Some(1 << 40));
        assert_eq!(line(whole, 1 << 40), "--- Below this line is a copy of the message.");
    }

    #[test]
    fn a_double_bounce_does_not_bounce() {
        assert_eq!(bounces().letter(b"#@[]"), None);
    }

    #[test]
    fn a_list_s_owner_gets_its_bounces() {
        let bounces = bounces();
        let letter = bounces.letter(b"list-@host-@[]").unwrap();
        assert_eq!(letter.recipient(), b"list-@host");
        assert!(letter.middle(1000).ends_with(b"\nReturn-Path: <list-@host>\n"));
    }

    #[test]
    fn no_address_adds_a_field() {
        let bounces = bounces();
        let letter = bounces.letter(b"a\nBcc: b@c\r@d.test").unwrap();
        let head = String::from_utf8(letter.head(0, 1)).unwrap();
        assert!(head.contains("\nTo: \"a_Bcc: b@c_\"@d.test\nSubject: "), "{head}");
        assert!(letter.middle(1000).ends_with(b"\nReturn-Path: <\"a_Bcc: b@c_\"@d.test>\n"));
    }

    #[test]
    fn addresses_are_quoted() {
        let bounces = Bounces { user: b"Mail Daemon".into(), ..bounces() };
        let head = bounces.letter(b"x y\"z@remote.test").unwrap().head(0, 1);
        let head = String::from_utf8(head).unwrap();
        assert!(head.contains("\nFrom: \"Mail Daemon\"@mail.example.test\n"));
        assert!(head.contains("\nTo: \"x y\\\"z\"@remote.test\n"));
    }

    proptest! {
        #[test]
        fn only_the_end_of_a_paragraph_is_blank(recipient in "[a\n]{0,4}", report in "[a\n]{0,9}") {
            let text = shown(recipient.as_bytes(), report.as_bytes());
            let lines: Vec<_> = text.trim_end_matches('\n').split('\n').collect();
            prop_assert!(lines.iter().all(|line| !line.is_empty()), "{:?}", text);
            prop_assert!(text.ends_with("\n\n"));
        }
    }
}
