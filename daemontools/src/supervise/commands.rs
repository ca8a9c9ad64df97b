//! The bytes of supervise/control.

use unix::signal::Signal;

/// A command, and whom it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Command {
    /// Its letter.
    pub letter: u8,
    /// Whom the signals reach that it sends.
    pub reach: Reach,
}

/// Whom a signal reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The service's process.
    Process,
    /// It, and everything that it has started, and that has started, and so on.
    Whole,
}

/// The commands that were read in one go. `+` lets those behind it reach everything, `=` the process
/// alone; that, too, is what each reading begins with, and what encore's `l` brings back.
pub fn commands(bytes: &[u8]) -> impl Iterator<Item = Command> {
    let mut reach = Reach::Process;
    bytes.iter().filter_map(move |&letter| {
        match letter {
            b'+' => reach = Reach::Whole,
            b'=' | b'l' => reach = Reach::Process,
            _ => return Some(Command { letter, reach }),
        }
        None
    })
}

/// The signal that a command sends to a running service.
pub(super) fn signal(letter: u8) -> Option<Signal> {
    Some(match letter {
        b'1' => Signal::SIGUSR1,
        b'2' => Signal::SIGUSR2,
        b'a' => Signal::SIGALRM,
        b'c' => Signal::SIGCONT,
        b'h' => Signal::SIGHUP,
        b'i' => Signal::SIGINT,
        b'k' => Signal::SIGKILL,
        b'p' => Signal::SIGSTOP,
        b'q' => Signal::SIGQUIT,
        b't' => Signal::SIGTERM,
        b'w' => Signal::SIGWINCH,
        _ => return None,
    })
}

/// Whether a signal is likely to end the service: then that end is no failure.
pub(super) fn may_end(signal: Signal) -> bool {
    !matches!(signal, Signal::SIGCONT | Signal::SIGSTOP | Signal::SIGWINCH)
}

/// What a file `down-signal` names: `INT`, `SIGINT` or `2`. Source: s6's file of that name.
#[must_use]
pub fn named(text: &[u8]) -> Option<Signal> {
    let text = str::from_utf8(text).ok()?.trim().to_ascii_uppercase();
    if let Ok(number) = text.parse::<i32>() {
        return Signal::try_from(number).ok();
    }
    let name = if text.starts_with("SIG") { text } else { format!("SIG{text}") };
    name.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Reach::{Process, Whole};

    #[test]
    fn plus_and_equals_say_whom_what_follows_reaches() {
        let read = |bytes| -> Vec<(char, Reach)> {
            commands(bytes).map(|c| (char::from(c.letter), c.reach)).collect()
        };
        assert_eq!(read(b"dx"), [('d', Process), ('x', Process)]);
        assert_eq!(read(b"t+dk=u"), [('t', Process), ('d', Whole), ('k', Whole), ('u', Process)]);
        assert_eq!(read(b"l+tlt"), [('t', Whole), ('t', Process)]);
    }

    #[test]
    fn a_signal_is_named_in_any_of_three_ways() {
        for text in ["2", "2\n", "INT", " SIGINT\n", "sigint"] {
            assert_eq!(named(text.as_bytes()), Some(Signal::SIGINT), "{text:?}");
        }
        for text in ["", "\n", "0", "-1", "999", "NONE", "\u{fc}"] {
            assert_eq!(named(text.as_bytes()), None, "{text:?}");
        }
    }
}
