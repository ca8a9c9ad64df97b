//! What is shown of a message in two lines on a terminal: for qbiff and maildirwatch.

use std::io::{self, BufRead, BufReader, Read};

use crate::addr::field;
use crate::inject::split::{Splitter, Step};

/// What is read of a message at most: a header beyond it is not looked at.
const MOST: u64 = 1 << 20;

/// Who has sent a message to whom, and how it begins. Values have no line end; what is missing is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The value of Return-Path.
    pub sender: Option<Vec<u8>>,
    /// The value of Delivered-To.
    pub recipient: Option<Vec<u8>>,
    /// The From field, with its name.
    pub from: Option<Vec<u8>>,
    /// The subject and what follows it in the body, line ends among it.
    pub text: Vec<u8>,
}

impl Summary {
    /// Reads as much of a message as is needed for a text of `room` bytes.
    pub fn read(input: impl Read, room: usize) -> io::Result<Summary> {
        let mut input = BufReader::new(input.take(MOST));
        let (mut summary, mut splitter) = (Summary::default(), Splitter::default());
        let mut line = Vec::new();
        loop {
            line.clear();
            if input.read_until(b'\n', &mut line)? == 0 {
                summary.field(splitter.end(), room);
                return Ok(summary);
            }
            if !line.ends_with(b"\n") {
                line.push(b'\n');
            }
            match splitter.line(&line) {
                Step::More => {}
                Step::Field(field) => summary.field(Some(field), room),
                Step::Body(field, begin) => {
                    summary.field(field, room);
                    summary.add(&begin, room);
                    break;
                }
            }
        }
        let left = room.saturating_sub(summary.text.len());
        let mut body = Vec::new();
        input.take(left as u64).read_to_end(&mut body)?;
        if body.len() < left && body.last().is_some_and(|&byte| byte != b'\n') {
            body.push(b'\n');
        }
        summary.add(&body, room);
        Ok(summary)
    }

    fn field(&mut self, field: Option<Vec<u8>>, room: usize) {
        let Some(field) = field else { return };
        let name = field::name(&field).unwrap_or_default().to_ascii_lowercase();
        match name.as_slice() {
            b"subject" => self.add(value(&field), room),
            b"delivered-to" => self.recipient = Some(without_end(value(&field))),
            b"return-path" => self.sender = Some(without_end(value(&field))),
            b"from" => self.from = Some(without_end(&field)),
            _ => {}
        }
    }

    fn add(&mut self, text: &[u8], room: usize) {
        self.text.extend_from_slice(text);
        self.text.truncate(room);
    }
}

/// What follows the colon, and the blanks and line ends behind that.
fn value(field: &[u8]) -> &[u8] {
    let (_, value) = wire::text::split_once(field, b':').unwrap_or_default();
    let start = value.iter().position(|byte| !b" \t\r\n".contains(byte));
    start.and_then(|start| value.get(start..)).unwrap_or_default()
}

fn without_end(text: &[u8]) -> Vec<u8> {
    text.strip_suffix(b"\n").unwrap_or(text).to_vec()
}

/// `text` with `instead` for every byte that a terminal might obey.
#[must_use]
pub fn harmless(text: &[u8], instead: u8) -> Vec<u8> {
    text.iter().map(|&byte| if (32..127).contains(&byte) { byte } else { instead }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn text(message: &str) -> String {
        String::from_utf8(Summary::read(message.as_bytes(), 20).unwrap().text).unwrap()
    }

    #[test]
    fn a_text_is_the_subject_and_the_beginning_of_the_body() {
        assert_eq!(text("Subject:  hi\nTo: x\n\none\ntwo"), "hi\n\none\ntwo\n");
        assert_eq!(text("subject: a\nSUBJECT: b\n c\n"), "a\nb\n c\n");
        assert_eq!(text("Subject:\n\n0123456789012345678901234567"), "\n0123456789012345678");
        assert_eq!(text("no header\n"), "\nno header\n");
        assert_eq!(text(""), "");
    }

    #[test]
    fn the_fields_are_those_of_the_last_of_each_name() {
        let message = b"Return-Path: <a@b>\nDelivered-To: x\nDelivered-To: y\nFrom: A (b)\n";
        let summary = Summary::read(&message[..], 9).unwrap();
        assert_eq!(summary.sender.as_deref(), Some(&b"<a@b>"[..]));
        assert_eq!(summary.recipient.as_deref(), Some(&b"y"[..]));
        assert_eq!(summary.from.as_deref(), Some(&b"From: A (b)"[..]));
        assert_eq!(Summary::read(&b"To: x\n"[..], 9).unwrap(), Summary::default());
    }

    #[test]
    fn a_header_without_end_is_not_read_to_its_end() {
        let endless = io::repeat(b'x');
        let summary = Summary::read((&b"Subject: "[..]).chain(endless), 100).unwrap();
        assert_eq!(summary.text, [b'x'; 100]);
    }

    #[test]
    fn nothing_that_a_terminal_obeys_is_left() {
        assert_eq!(harmless(b"a\x1b[2J\x7f\xff~ \n", b'/'), b"a/[2J//~ /");
    }

    proptest! {
        #[test]
        fn any_message_has_a_summary(message: Vec<u8>, room in 0usize..200) {
            let summary = Summary::read(&message[..], room).unwrap();
            prop_assert!(summary.text.len() <= room);
        }
    }
}
