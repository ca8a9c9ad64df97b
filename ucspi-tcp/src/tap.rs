//! recordio's output lines.

use memchr::memchr;
use unix::clock::Wall;
use wire::tai;

/// Longest piece of data on one line, as the original has it: it reads so much at a time.
const PIECE: usize = 256;

/// How bytes are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bytes {
    /// As the original does.
    AsTheyAre,
    /// Printable: `\` and three octal digits for what is not ASCII, or a control, and `\\` for `\`.
    Escaped,
}

/// What stands at the beginning of each line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Before {
    text: Vec<u8>,
    is_timed: bool,
}

impl Before {
    /// `text`, and in front of it the time, as tai64n(8) writes it, if `is_timed`.
    #[must_use]
    pub fn new(text: &str, is_timed: bool) -> Before {
        let room: &[u8] = if is_timed { &[b' '; tai::STAMP] } else { b"" };
        Before { text: [room, text.as_bytes()].concat(), is_timed }
    }

    /// The beginning of lines about what was read now; `clock` is not asked without need.
    pub fn now(&mut self, clock: impl FnOnce() -> Wall) -> &[u8] {
        if self.is_timed
            && let Some(stamp) = self.text.first_chunk_mut()
        {
            let Wall { seconds, nanos } = clock();
            *stamp = tai::stamp(seconds, nanos);
        }
        &self.text
    }
}

/// Appends the lines that show `data`, which was read at once.
///
/// Each is `before`, then the line and a blank, or, where the line goes on behind the piece of 256
/// bytes or the end of what was read, the part and `+`. Source: recordio(1), and as observed: pieces
/// are counted from the beginning of `data`.
pub fn push_lines(out: &mut Vec<u8>, before: &[u8], data: &[u8], bytes: Bytes) {
    let push = |out: &mut Vec<u8>, text: &[u8]| match bytes {
        Bytes::AsTheyAre => out.extend_from_slice(text),
        Bytes::Escaped => push_escaped(out, text),
    };
    for piece in data.chunks(PIECE) {
        let mut rest = piece;
        while !rest.is_empty() {
            out.extend_from_slice(before);
            if let Some((line, after)) = memchr(b'\n', rest).and_then(|at| cut(rest, at)) {
                push(out, line);
                out.extend_from_slice(b" \n");
                rest = after;
            } else {
                push(out, rest);
                out.extend_from_slice(b"+\n");
                rest = &[];
            }
        }
    }
}

fn push_escaped(out: &mut Vec<u8>, text: &[u8]) {
    for &byte in text {
        match byte {
            b'\\' => out.extend_from_slice(b"\\\\"),
            b' '..=b'~' => out.push(byte),
            _ => out.extend([b'\\', b'0' + (byte >> 6), b'0' + (byte >> 3 & 7), b'0' + (byte & 7)]),
        }
    }
}

fn cut(bytes: &[u8], at: usize) -> Option<(&[u8], &[u8])> {
    let (line, rest) = bytes.split_at_checked(at)?;
    Some((line, rest.get(1..)?))
}

/// Appends the line that shows the end of a direction.
pub fn push_end(out: &mut Vec<u8>, before: &[u8]) {
    out.extend_from_slice(before);
    out.extend_from_slice(b"[EOF]\n");
}

/// The whole lines at the beginning of `lines` that together have at most `most` bytes; at least one
/// line. What writes no more at once shares a pipe with others without mixing lines.
#[must_use]
pub fn portion(lines: &[u8], most: usize) -> &[u8] {
    let head = lines.get(..most).unwrap_or(lines);
    if head.len() == lines.len() {
        return lines;
    }
    let end = memchr::memrchr(b'\n', head).or_else(|| memchr(b'\n', lines));
    end.and_then(|end| lines.get(..=end)).unwrap_or(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(data: &[u8]) -> String {
        let mut out = Vec::new();
        push_lines(&mut out, b"7 < ", data, Bytes::AsTheyAre);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_whole_line_ends_in_a_blank_and_a_part_in_a_plus() {
        assert_eq!(shown(b"one\nthr"), "7 < one \n7 < thr+\n");
        assert_eq!(shown(b"\n\n"), "7 <  \n7 <  \n");
        assert_eq!(shown(b""), "");
    }

    #[test]
    fn a_long_line_is_shown_in_pieces() {
        let line = [&[b'a'; 300][..], b"\nb\n"].concat();
        let (first, second) = ("a".repeat(256), "a".repeat(44));
        assert_eq!(shown(&line), format!("7 < {first}+\n7 < {second} \n7 < b \n"));
        let exact = [&[b'a'; 256][..], b"\n"].concat();
        assert_eq!(shown(&exact), format!("7 < {first}+\n7 <  \n"));
    }

    #[test]
    fn bytes_can_be_made_printable() {
        let mut out = Vec::new();
        push_lines(&mut out, b"7 < ", b"a\x1b[2J \\\r\n\xe9\0+", Bytes::Escaped);
        assert_eq!(out, b"7 < a\\033[2J \\\\\\015 \n7 < \\351\\000++\n");
    }

    #[test]
    fn lines_may_begin_with_the_time() {
        let mut timed = Before::new("7 < ", true);
        let clock = |seconds| move || Wall { seconds, nanos: 848_605_500 };
        assert_eq!(timed.now(clock(994_720_184)), b"@400000003b4a39c23294b13c 7 < ");
        assert_eq!(timed.now(clock(994_720_185)), b"@400000003b4a39c33294b13c 7 < ");
        assert_eq!(Before::new("7 < ", false).now(|| panic!("no time is needed")), b"7 < ");
    }

    #[test]
    fn an_end_is_a_line_of_its_own() {
        let mut out = Vec::new();
        push_end(&mut out, b"7 > ");
        assert_eq!(out, b"7 > [EOF]\n");
    }

    #[test]
    fn a_portion_is_whole_lines() {
        assert_eq!(portion(b"a\nbb\nccc\n", 5), b"a\nbb\n");
        assert_eq!(portion(b"a\nbb\nccc\n", 4), b"a\n");
        assert_eq!(portion(b"aaaa\nb\n", 2), b"aaaa\n");
        assert_eq!(portion(b"a\n", 9), b"a\n");
    }

    proptest! {
        #[test]
        fn nothing_is_lost(data: Vec<u8>) {
            let mut out = Vec::new();
            push_lines(&mut out, b"7 < ", &data, Bytes::AsTheyAre);
            let mut again = Vec::new();
            for line in out.split_inclusive(|&byte| byte == b'\n') {
                let line = line.strip_prefix(b"7 < ").unwrap();
                match line {
                    [line @ .., b' ', b'\n'] => again.extend([line, b"\n"].concat()),
                    [part @ .., b'+', b'\n'] => again.extend(part),
                    _ => panic!("{line:?}"),
                }
            }
            prop_assert_eq!(again, data);
        }
    }
}
