//! What a queue program's end means.

use std::borrow::Cow;

use unix::process::Status;

/// What became of a message that was handed to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is queued for good.
    Accepted {
        /// By which logs know the message: the process id of the queue program, or a number made of it
        /// ([`queue::series::number`]).
        qp: u64,
    },
    /// It never will be; the text says why and ends in a status code such as `(#5.3.0)`.
    Permanent(Cow<'static, [u8]>),
    /// It is not, and may be later.
    Temporary(Cow<'static, [u8]>),
}

impl Verdict {
    /// Not queued, and why.
    #[must_use]
    pub const fn temporary(text: &'static str) -> Verdict {
        Verdict::Temporary(Cow::Borrowed(text.as_bytes()))
    }

    /// Never to be queued, and why.
    #[must_use]
    pub const fn permanent(text: &'static str) -> Verdict {
        Verdict::Permanent(Cow::Borrowed(text.as_bytes()))
    }

    /// The program could not be waited for.
    pub(super) const fn lost_child() -> Verdict {
        Verdict::temporary("qq waitpid surprise (#4.3.0)")
    }

    pub(super) fn of_status(status: Status, complete: bool, custom: &[u8], qp: u64) -> Verdict {
        match status.code() {
            Some(code) => Verdict::of_code(code, complete, custom, qp),
            None => Verdict::temporary("qq crashed (#4.3.0)"),
        }
    }

    /// What `code` means; `complete` says that we wrote all there was, `custom` is what the program
    /// wrote to descriptor 6. Source: qmail-queue(8), as all programs of notqmail word it.
    pub(super) fn of_code(code: u8, complete: bool, custom: &[u8], qp: u64) -> Verdict {
        let temporary = Verdict::temporary;
        match code {
            0 if complete => Verdict::Accepted { qp },
            0 | 54 => temporary("qq read error (#4.3.0)"),
            11 | 115 => Verdict::permanent("envelope address too long for qq (#5.1.3)"),
            31 => Verdict::permanent("mail server permanently rejected message (#5.3.0)"),
            12..=40 => Verdict::permanent("qq permanent problem (#5.3.0)"),
            51 => temporary("qq out of memory (#4.3.0)"),
            52 => temporary("qq timeout (#4.3.0)"),
            53 => temporary("qq write error or disk full (#4.3.0)"),
            55 => temporary("qq unable to read configuration (#4.3.0)"),
            56 => temporary("qq trouble making network connection (#4.3.0)"),
            61 => temporary("qq trouble in home directory (#4.3.0)"),
            62..=66 => temporary("qq trouble creating files in queue (#4.3.0)"),
            71 => temporary("mail server temporarily rejected message (#4.3.0)"),
            72 => temporary("connection to mail server timed out (#4.4.1)"),
            73 => temporary("connection to mail server rejected (#4.4.1)"),
            74 => temporary("communication with mail server failed (#4.4.2)"),
            81 | 91 => temporary("qq internal bug (#4.3.0)"),
            82 => of_text(custom).unwrap_or(temporary("qq temporary problem (#4.3.0)")),
            120 => temporary("unable to exec qq (#4.3.0)"),
            _ => temporary("qq temporary problem (#4.3.0)"),
        }
    }
}

/// A text of the program's own: a class letter and at least two bytes, of which the first line
/// counts. More lines would break the reply of a server that passes them on.
fn of_text(custom: &[u8]) -> Option<Verdict> {
    let end = custom.iter().position(|byte| b"\0\r\n".contains(byte)).unwrap_or(custom.len());
    match custom.get(..end)? {
        [b'D', text @ ..] if text.len() > 1 => Some(Verdict::Permanent(text.to_vec().into())),
        [b'Z', text @ ..] if text.len() > 1 => Some(Verdict::Temporary(text.to_vec().into())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: u8, custom: &str) -> Verdict {
        Verdict::of_code(code, true, custom.as_bytes(), 7)
    }

    #[test]
    fn zero_is_accepted_only_if_all_was_written() {
        assert_eq!(of(0, ""), Verdict::Accepted { qp: 7 });
        let short = Verdict::of_code(0, false, b"", 7);
        assert_eq!(short, Verdict::temporary("qq read error (#4.3.0)"));
    }

    #[test]
    fn eleven_to_forty_are_permanent() {
        assert_eq!(of(11, ""), Verdict::permanent("envelope address too long for qq (#5.1.3)"));
        assert_eq!(of(12, ""), Verdict::permanent("qq permanent problem (#5.3.0)"));
        assert_eq!(of(40, ""), Verdict::permanent("qq permanent problem (#5.3.0)"));
        assert_eq!(of(10, ""), Verdict::temporary("qq temporary problem (#4.3.0)"));
        assert_eq!(of(41, ""), Verdict::temporary("qq temporary problem (#4.3.0)"));
    }

    #[test]
    fn a_program_may_word_its_refusal() {
        assert_eq!(of(82, "Dno (#5.7.1)\nsecond"), Verdict::permanent("no (#5.7.1)"));
        assert_eq!(of(82, "Zlater"), Verdict::temporary("later"));
        for useless in ["", "D", "Dx", "Dx\nmore", "Kall is well"] {
            assert_eq!(of(82, useless), Verdict::temporary("qq temporary problem (#4.3.0)"));
        }
        assert_eq!(of(81, "Dno (#5.7.1)"), Verdict::temporary("qq internal bug (#4.3.0)"));
    }

    #[test]
    fn a_signal_is_a_crash() {
        let verdict = Verdict::of_status(Status::from_raw(9), true, b"", 7);
        assert_eq!(verdict, Verdict::temporary("qq crashed (#4.3.0)"));
    }
}
