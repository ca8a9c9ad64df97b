//! What a client says to qmail-smtpd, up to its message.
#![no_main]

use std::net::IpAddr;

use libfuzzer_sys::fuzz_target;
use qmail::smtp::line::{LONGEST, Line, Lines};
use qmail::smtp::session::{Asked, Envelope, Judgement, Policy, Session, Settings, Step, Trouble};

struct Site;

impl Policy for Site {
    fn is_own_address(&mut self, address: IpAddr) -> Result<bool, Trouble> {
        Ok(address.is_loopback())
    }

    fn refuses_sender(&mut self, sender: &[u8]) -> bool {
        sender.starts_with(b"bad")
    }

    fn accepts_recipient(&mut self, recipient: &[u8]) -> Result<bool, Trouble> {
        Ok(recipient.ends_with(b"@h") || !recipient.contains(&b'@'))
    }

    fn judges(&mut self, asked: &Asked<'_>) -> Judgement {
        match asked.recipient.first() {
            Some(b'0') => Judgement::Unknown,
            Some(b'1') => Judgement::Unclear,
            Some(b'2') => Judgement::End("421 enough\r\n".into()),
            Some(b'3') => Judgement::Refused("450 later\r\n".into()),
            _ => Judgement::Welcome,
        }
    }

    fn is_fed_up(&mut self, unknown: u64) -> Result<bool, Trouble> {
        Ok(unknown >= 5)
    }
}

fn check(envelope: &Envelope) {
    assert!(!envelope.sender.ends_with(b"@[]"));
    let recipients: Vec<&[u8]> = envelope.recipients().collect();
    assert!((1..=3).contains(&recipients.len()));
    for address in [&[envelope.sender.as_slice()], recipients.as_slice()].concat() {
        assert!(!address.iter().any(|byte| b"\0\r\n".contains(byte)));
    }
    for recipient in recipients {
        assert!(recipient.ends_with(b"@h") || !recipient.contains(&b'@'));
    }
}

/// Everything that is replied to `data`, which comes `size` bytes at a time.
fn replies(data: &[u8], size: usize) -> Vec<u8> {
    let mut session = Session::new(Settings {
        greeting: b"h".to_vec(),
        literal_host: Some(b"h".to_vec()),
        relay: None,
        recipients: 3,
        databytes: 1000,
    });
    let mut lines = Lines::default();
    let mut all = Vec::new();
    for part in data.chunks(size) {
        let mut rest = part;
        while !rest.is_empty() {
            let (taken, line) = lines.take(rest);
            rest = &rest[taken..];
            let Some(line) = line else {
                assert!(rest.is_empty());
                break;
            };
            assert!(
                matches!(line, Line::TooLong)
                    || matches!(line, Line::Text(text) if text.len() <= LONGEST)
            );
            let mut out = Vec::new();
            let step = session.line(line, &mut Site, &mut out);
            let last = |line: &&[u8]| line.get(3) == Some(&b' ') && line.ends_with(b"\r\n");
            let count = out.split_inclusive(|byte| *byte == b'\n').filter(last).count();
            match &step {
                Step::Message(envelope) => {
                    check(envelope);
                    assert!(out.is_empty());
                }
                _ => assert_eq!(count, 1),
            }
            all.extend(out);
        }
    }
    all
}

fuzz_target!(|data: &[u8]| {
    assert_eq!(replies(data, usize::MAX), replies(data, 1 + data.len() / 5));
});
