//! Commands and reports, as bytes on pipes.
//!
//! The original's form, which both sides understand: a command is a delivery number of one byte, then the
//! message's file below `mess/`, the sender and the recipient, each ended by a zero byte. A report is the
//! same number, a text that starts with `K`, `Z` or `D`, and a zero byte. A delivery number is free again
//! once its report has been sent.
//!
//! The wide form, for numbers of any size and several recipients in a command: the byte [`WIDE`], the
//! file and the sender, then for each recipient the number in decimal and the address, each ended by a
//! zero byte, and one zero byte more. Its reports are the byte [`WIDE`], the number in decimal, a colon, the
//! text and a zero byte, one for each recipient.
//!
//! qmail-send asks first whether it is understood, by [`hello`]: a wide command without recipients, for the
//! file `wide`. To the original that is one command for a delivery number that is too big; it reports just
//! that on the number [`WIDE`], which belongs to no delivery. Ours reports `K` and how many deliveries it bears at a
//! time. Nobody waits for the answer: each command says by its first byte which form it has.

mod commands;
mod reports;

pub use commands::{
    Command, Commands, Recipient, begin_wide, end_wide, hello, push_command, push_recipient,
};
pub use reports::{Heard, LONGEST_REPORT, Report, Reports, push_answer, push_report};

/// In the place of a delivery number: what follows has the wide form. Spawners of the original's kind bear at most
/// 255 deliveries, whose numbers begin with 0.
pub const WIDE: u8 = 255;

/// A delivery's number, and the form in which it is reported on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The number.
    pub number: u32,
    /// The command had the wide form.
    pub is_wide: bool,
}

impl Slot {
    /// A slot of a command in the original's form.
    #[must_use]
    pub fn narrow(number: u8) -> Slot {
        Slot { number: number.into(), is_wide: false }
    }

    /// A slot of a command in the wide form.
    #[must_use]
    pub fn wide(number: u32) -> Slot {
        Slot { number, is_wide: true }
    }
}

#[cfg(test)]
mod tests;
