//! Header and body: where one ends and the other begins.

use wire::text;

use crate::addr::field;

/// Feeds lines to [`Splitter::line`] until the body has begun.
#[derive(Debug, Default)]
pub struct Splitter {
    /// The field being collected, with its continuations.
    field: Vec<u8>,
}

/// What a line of the header turned out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// More is needed.
    More,
    /// A field is complete.
    Field(Vec<u8>),
    /// The header is complete, with its last field if there was one; these bytes begin the body.
    Body(Option<Vec<u8>>, Vec<u8>),
}

impl Splitter {
    /// Takes one line, with its line end. A line that is no field ends the header as an empty line
    /// does, and an empty line is put before it; a line `From …` becomes the field `MBOX-Line`.
    pub fn line(&mut self, line: &[u8]) -> Step {
        if !self.field.is_empty() && line.first().is_some_and(|&byte| text::is_blank(byte)) {
            self.field.extend_from_slice(line);
            return Step::More;
        }
        let next = if line.starts_with(b"From ") {
            [b"MBOX-Line: ", line].concat()
        } else if field::name(line).is_some() {
            line.to_vec()
        } else {
            let body = if line == b"\n" { line.to_vec() } else { [b"\n", line].concat() };
            return Step::Body(self.end(), body);
        };
        match std::mem::replace(&mut self.field, next) {
            whole if whole.is_empty() => Step::More,
            whole => Step::Field(whole),
        }
    }

    /// The last field, when the input ends within the header.
    pub fn end(&mut self) -> Option<Vec<u8>> {
        let last = std::mem::take(&mut self.field);
        (!last.is_empty()).then_some(last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(lines: &[&str]) -> (Vec<String>, Option<String>) {
        let string = |bytes| String::from_utf8(bytes).unwrap();
        let mut splitter = Splitter::default();
        let mut fields = Vec::new();
        for line in lines {
            match splitter.line(line.as_bytes()) {
                Step::More => {}
                Step::Field(field) => fields.push(string(field)),
                Step::Body(last, body) => {
                    fields.extend(last.map(string));
                    return (fields, Some(string(body)));
                }
            }
        }
        fields.extend(splitter.end().map(string));
        (fields, None)
    }

    #[test]
    fn an_empty_line_begins_the_body() {
        let (fields, body) = split(&["A: b\n", " c\n", "D: e\n", "\n"]);
        assert_eq!(fields, ["A: b\n c\n", "D: e\n"]);
        assert_eq!(body.as_deref(), Some("\n"));
    }

    #[test]
    fn a_line_that_is_no_field_gets_an_empty_line_before_it() {
        assert_eq!(split(&["bad line\n"]), (vec![], Some("\nbad line\n".into())));
        assert_eq!(split(&[" a\n"]), (vec![], Some("\n a\n".into())));
    }

    #[test]
    fn a_mailbox_line_becomes_a_field() {
        assert_eq!(split(&["From x y\n"]), (vec!["MBOX-Line: From x y\n".into()], None));
    }
}
