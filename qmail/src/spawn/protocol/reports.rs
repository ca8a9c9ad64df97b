//! Reports: what became of deliveries.

use wire::decimal;

use super::{Slot, WIDE};

/// What became of a delivery.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The number that the command had.
    pub delivery: u32,
    /// The text, with its first letter.
    pub text: Vec<u8>,
}

/// What a spawner says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// That a delivery has ended.
    Report(Report),
    /// That it understands the wide form, and how many deliveries it bears; or that it does not.
    Answer(Option<u16>),
}

/// What of a report's text is kept; with the number that is 10,000 bytes.
pub const LONGEST_REPORT: usize = 9_999;

/// Appends a report. `text` holds no zero byte.
pub fn push_report(out: &mut Vec<u8>, slot: Slot, text: &[u8]) {
    if slot.is_wide {
        out.push(WIDE);
        decimal::push(out, slot.number.into());
        out.push(b':');
    } else {
        out.push(u8::try_from(slot.number).unwrap_or(WIDE));
    }
    out.extend_from_slice(text);
    out.push(0);
}

/// Appends the answer to [`super::hello`] of a spawner that bears so many deliveries.
pub fn push_answer(out: &mut Vec<u8>, most: u16) {
    out.extend_from_slice(&[WIDE, b'K']);
    decimal::push(out, most.into());
    out.push(0);
}

/// Reports out of bytes that arrive in pieces of any size.
#[derive(Debug, Default)]
pub struct Reports {
    delivery: Option<u8>,
    text: Vec<u8>,
}

impl Reports {
    /// Takes bytes off the front of `bytes` until a report is whole; `None` once they are used up.
    ///
    /// What is beyond [`LONGEST_REPORT`] is dropped. Where a spawner wrote no text at all, there is
    /// none: that is for the reader to complain of.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Heard> {
        loop {
            let Some(delivery) = self.delivery else {
                let (&first, rest) = bytes.split_first()?;
                self.delivery = Some(first);
                *bytes = rest;
                continue;
            };
            let end = memchr::memchr(0, bytes);
            let (text, rest) = bytes.split_at_checked(end.unwrap_or(bytes.len()))?;
            self.text.extend(text.iter().take(LONGEST_REPORT - self.text.len()));
            *bytes = rest.get(1..).unwrap_or_default();
            end?;
            self.delivery = None;
            let text = std::mem::take(&mut self.text);
            return Some(if delivery == WIDE {
                wide(&text)
            } else {
                Heard::Report(Report { delivery: delivery.into(), text })
            });
        }
    }
}

fn wide(text: &[u8]) -> Heard {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = |digits: &[u8]| decimal::parse(digits).unwrap_or(u64::MAX);
    match text.split_at_checked(digits) {
        Some((digits @ [_, ..], [b':', rest @ ..])) => Heard::Report(Report {
            delivery: u32::try_from(number(digits)).unwrap_or(u32::MAX),
            text: rest.to_vec(),
        }),
        _ => Heard::Answer(text.strip_prefix(b"K").and_then(|most| {
            let most = decimal::parse(most)?;
            u16::try_from(most).ok()
        })),
    }
}
