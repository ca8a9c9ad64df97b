//! The words and signs of a structured header field (RFC 822, section 3.3).

/// One lexical token; texts are held without their quoting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Token {
    /// `@`
    At,
    /// A run of ordinary bytes.
    Atom(Vec<u8>),
    /// `:`
    Colon,
    /// `,`
    Comma,
    /// `( … )`; the parentheses of nested comments are dropped.
    Comment(Vec<u8>),
    /// `.`
    Dot,
    /// `<`
    Left,
    /// `[ … ]`
    Literal(Vec<u8>),
    /// `" … "`
    Quoted(Vec<u8>),
    /// `>`
    Right,
    /// `;`
    Semicolon,
}

/// A quote, comment or literal is not closed, or closed without having been opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unbalanced;

/// The tokens of `text`. Blanks and line ends only separate. A backslash takes the next byte as it
/// is; one at the very end of an atom is dropped.
///
/// An atom with a byte that must not stand in one (a blank, a control, an 8-bit byte, a backslash,
/// or a sign that is not escaped when it is written) becomes a quoted string.
pub fn parse(text: &[u8]) -> Result<Vec<Token>, Unbalanced> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let [byte, tail @ ..] = rest {
        let (token, after) = match byte {
            b' ' | b'\t' | b'\r' | b'\n' => (None, tail),
            b'.' => (Some(Token::Dot), tail),
            b',' => (Some(Token::Comma), tail),
            b'@' => (Some(Token::At), tail),
            b'<' => (Some(Token::Left), tail),
            b'>' => (Some(Token::Right), tail),
            b':' => (Some(Token::Colon), tail),
            b';' => (Some(Token::Semicolon), tail),
            b'(' => enclosed(tail, Some(b'('), b')').map(|(i, a)| (Some(Token::Comment(i)), a))?,
            b'"' => enclosed(tail, None, b'"').map(|(i, a)| (Some(Token::Quoted(i)), a))?,
            b'[' => enclosed(tail, None, b']').map(|(i, a)| (Some(Token::Literal(i)), a))?,
            b')' | b']' => return Err(Unbalanced),
            _ => {
                let (token, after) = atom(rest);
                (Some(token), after)
            }
        };
        tokens.extend(token);
        rest = after;
    }
    Ok(tokens)
}

/// What stands before the `close` that matches, and what follows it; `open` nests.
fn enclosed(text: &[u8], open: Option<u8>, close: u8) -> Result<(Vec<u8>, &[u8]), Unbalanced> {
    let mut inner = Vec::new();
    let mut depth = 1;
    let mut rest = text;
    loop {
        match rest {
            [b'\\', byte, after @ ..] => {
                inner.push(*byte);
                rest = after;
            }
            [] | [b'\\'] => return Err(Unbalanced),
            [byte, after @ ..] => {
                rest = after;
                if *byte == close {
                    depth -= 1;
                    if depth == 0 {
                        return Ok((inner, rest));
                    }
                } else if Some(*byte) == open {
                    depth += 1;
                } else {
                    inner.push(*byte);
                }
            }
        }
    }
}

/// The atom that `text` starts with.
fn atom(text: &[u8]) -> (Token, &[u8]) {
    let mut inner = Vec::new();
    let mut rest = text;
    loop {
        match rest {
            [b'\\', byte, after @ ..] => {
                inner.push(*byte);
                rest = after;
            }
            [] | [b'\\'] => {
                rest = &[];
                break;
            }
            [byte, ..] if b" \t\r\n([\"<>;:@,.".contains(byte) => break,
            [byte, after @ ..] => {
                inner.push(*byte);
                rest = after;
            }
        }
    }
    let plain = |byte: &u8| (33..127).contains(byte) && !b")]\\<>;:@,.".contains(byte);
    let token = if inner.iter().all(plain) { Token::Atom(inner) } else { Token::Quoted(inner) };
    (token, rest)
}

/// The text of an address for an envelope: no quoting, no comments, no blanks.
#[must_use]
pub fn bare(tokens: &[Token]) -> Vec<u8> {
    let mut text = Vec::new();
    for token in tokens {
        match token {
            Token::Atom(inner) | Token::Quoted(inner) => text.extend_from_slice(inner),
            Token::Comment(_) => {}
            Token::Literal(inner) => {
                text.push(b'[');
                text.extend_from_slice(inner);
                text.push(b']');
            }
            sign => text.push(sign.sign()),
        }
    }
    text
}

/// The tokens as header text, with a line end, folded after commas so that lines have at most
/// `width` bytes where that is possible. A continuation starts with two spaces.
#[must_use]
pub fn folded(tokens: &[Token], width: usize) -> Vec<u8> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    // What follows the last comma is a part too, even if it is nothing.
    let end = tokens.ends_with(&[Token::Comma]).then_some(&[][..]);
    for part in tokens.split_inclusive(|token| *token == Token::Comma).chain(end) {
        let part = plain(part, !lines.is_empty());
        match lines.last_mut() {
            // The line end and blank that might stand between are counted, as the original does.
            Some(line) if line.len() + 2 + part.len() <= width => line.extend_from_slice(&part),
            Some(_) => lines.push([b" ", part.as_slice()].concat()),
            None => lines.push(part),
        }
    }
    let mut text = lines.join(&b'\n');
    text.push(b'\n');
    text
}

/// The tokens on one line, with a blank wherever two would run together.
fn plain(tokens: &[Token], after_comma: bool) -> Vec<u8> {
    let mut text = Vec::new();
    let mut last = after_comma.then_some(&Token::Comma);
    for token in tokens {
        if last.is_some_and(|last| needs_blank(last, token)) {
            text.push(b' ');
        }
        match token {
            Token::Atom(inner) => escaped(&mut text, inner),
            Token::Comment(inner) => {
                text.push(b'(');
                escaped(&mut text, inner);
                text.push(b')');
            }
            Token::Literal(inner) => {
                text.push(b'[');
                escaped(&mut text, inner);
                text.push(b']');
            }
            Token::Quoted(inner) => {
                text.push(b'"');
                escaped(&mut text, inner);
                text.push(b'"');
            }
            sign => text.push(sign.sign()),
        }
        last = Some(token);
    }
    text
}

fn needs_blank(left: &Token, right: &Token) -> bool {
    let is_word = |token: &Token| {
        matches!(token, Token::Atom(_) | Token::Comment(_) | Token::Literal(_) | Token::Quoted(_))
    };
    matches!(left, Token::Colon | Token::Comma)
        || *right == Token::Left
        || (is_word(left) && is_word(right))
}

fn escaped(text: &mut Vec<u8>, inner: &[u8]) {
    for &byte in inner {
        if b"\"[]()\\\r\n".contains(&byte) {
            text.push(b'\\');
        }
        text.push(byte);
    }
}

impl Token {
    /// The byte of a token that is one sign; 0 for the others.
    const fn sign(&self) -> u8 {
        match self {
            Token::At => b'@',
            Token::Colon => b':',
            Token::Comma => b',',
            Token::Dot => b'.',
            Token::Left => b'<',
            Token::Right => b'>',
            Token::Semicolon => b';',
            Token::Atom(_) | Token::Comment(_) | Token::Literal(_) | Token::Quoted(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn atom(text: &str) -> Token {
        Token::Atom(text.into())
    }

    #[test]
    fn words_and_signs_are_told_apart() {
        let tokens = parse(b"\"a \\\" b\" <x@[1.2]> (c (d) e);").unwrap();
        let expected = [
            Token::Quoted(b"a \" b".to_vec()),
            Token::Left,
            atom("x"),
            Token::At,
            Token::Literal(b"1.2".to_vec()),
            Token::Right,
            Token::Comment(b"c d e".to_vec()),
            Token::Semicolon,
        ];
        assert_eq!(tokens, expected);
    }

    #[test]
    fn what_is_not_closed_or_not_opened_is_no_text() {
        for text in ["(", "(a(b)", "\"a", "[a", "a )", "]", "(a\\"] {
            assert_eq!(parse(text.as_bytes()), Err(Unbalanced), "{text}");
        }
    }

    #[test]
    fn an_atom_that_cannot_stand_bare_is_quoted() {
        assert_eq!(folded(&parse("Jörg".as_bytes()).unwrap(), 80), "\"Jörg\"\n".as_bytes());
        assert_eq!(folded(&parse(b"a)b").unwrap(), 80), b"\"a\\)b\"\n");
    }

    #[test]
    fn lines_are_folded_after_commas() {
        let text = b"To: aaaaaaaa, bbbbbbbb, cccccccc";
        let tokens = parse(text).unwrap();
        assert_eq!(folded(&tokens, 80), b"To: aaaaaaaa, bbbbbbbb, cccccccc\n");
        assert_eq!(folded(&tokens, 24), b"To: aaaaaaaa,\n  bbbbbbbb, cccccccc\n");
        assert_eq!(folded(&tokens, 5), b"To: aaaaaaaa,\n  bbbbbbbb,\n  cccccccc\n");
    }

    #[test]
    fn the_bare_text_has_no_quoting_and_no_comments() {
        let tokens = parse(b"(x) \"a b\" @ [1.2.3.4]").unwrap();
        assert_eq!(bare(&tokens), b"a b@[1.2.3.4]");
    }
}
