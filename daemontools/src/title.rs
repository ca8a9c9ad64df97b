//! readproctitle's rolling line.

/// The first bytes of the line, which always stay dots.
const MARK: usize = 3;

/// A line of fixed length that shows the last bytes of a stream.
///
/// It begins with three dots. Behind them stand the last bytes, zero bytes left out, right-adjusted
/// against dots as long as there are few. Source: readproctitle(8).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line(Vec<u8>);

impl Line {
    /// A line of `length` bytes; `None` if that is less than 5.
    #[must_use]
    pub fn new(length: usize) -> Option<Line> {
        (length > MARK + 1).then(|| Line(vec![b'.'; length]))
    }

    /// Appends the next part of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Some(window) = self.0.get_mut(MARK..) else { return };
        let shown = bytes.iter().filter(|&&byte| byte != 0);
        let count = shown.clone().count().min(window.len());
        window.rotate_left(count);
        for (place, byte) in window.iter_mut().rev().zip(shown.rev()) {
            *place = *byte;
        }
    }

    /// The line.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(length: usize, parts: &[&[u8]]) -> Vec<u8> {
        let mut title = Line::new(length).unwrap();
        for part in parts {
            title.feed(part);
        }
        title.text().to_vec()
    }

    #[test]
    fn text_comes_in_from_the_right() {
        assert_eq!(shown(20, &[]), b"....................");
        assert_eq!(shown(20, &[b"hello\nworld"]), b".........hello\nworld");
        assert_eq!(shown(8, &[b"hello\nworld"]), b"...world");
        assert_eq!(shown(8, &[b"hel", b"", b"lo\0\0w"]), b"...ellow");
    }

    #[test]
    fn a_line_needs_five_bytes() {
        assert_eq!(Line::new(4), None);
        assert_eq!(shown(5, &[b"abc"]), b"...bc");
    }

    proptest! {
        #[test]
        fn parts_do_not_matter(text: Vec<u8>, at: prop::sample::Index, length in 5usize..40) {
            let (one, other) = text.split_at(at.index(text.len() + 1));
            prop_assert_eq!(shown(length, &[one, other]), shown(length, &[&text]));
        }
    }
}
