//! Address lists (RFC 822, section 6.1), in the shapes that people write.
//!
//! A list is easiest to read from right to left: the host stands last, and a `>` says what is to its
//! left. Two words without a comma between them are two addresses.

use super::token::Token;

/// The list cannot be understood: a group in a group, a colon outside one, or a `>` without its `<`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed;

/// Hands each address of `list` to `rewrite`, last first, and gives the list with what that left of
/// them. An address between angle brackets keeps the comments in it, others have none; `<>` is an
/// empty one.
pub fn rewrite(
    list: &[Token],
    rewrite: &mut dyn FnMut(&mut Vec<Token>),
) -> Result<Vec<Token>, Malformed> {
    let mut reader = Reader {
        rest: list,
        output: Vec::new(),
        address: Vec::new(),
        rewrite,
        word_may_follow: true,
    };
    reader.read()?;
    reader.output.reverse();
    Ok(reader.output)
}

/// The state between two tokens. `output` and `address` are in reverse order.
struct Reader<'a> {
    rest: &'a [Token],
    output: Vec<Token>,
    address: Vec<Token>,
    rewrite: &'a mut dyn FnMut(&mut Vec<Token>),
    /// False just to the left of a word: another word then begins another address.
    word_may_follow: bool,
}

impl Reader<'_> {
    fn read(&mut self) -> Result<(), Malformed> {
        let mut in_group = false;
        while let Some(token) = self.take() {
            match token {
                Token::Semicolon => {
                    self.end_address_with_comma();
                    if in_group {
                        return Err(Malformed);
                    }
                    in_group = true;
                    self.word_may_follow = true;
                    self.output.push(token);
                }
                Token::Colon => {
                    self.end_address();
                    if !in_group {
                        return Err(Malformed);
                    }
                    in_group = false;
                    self.output.push(token);
                    self.take_group_name();
                }
                Token::Right => {
                    self.end_address_with_comma();
                    self.output.push(token);
                    self.take_route_address()?;
                }
                Token::Comma => {
                    self.end_address();
                    self.word_may_follow = true;
                    self.output.push(token);
                }
                // A comment is a blank, wherever it stands.
                Token::Comment(_) => self.output.push(token),
                Token::Atom(_) | Token::Quoted(_) | Token::Literal(_) => {
                    if !self.word_may_follow {
                        self.end_address_with_comma();
                    }
                    self.word_may_follow = false;
                    self.address.push(token);
                }
                Token::At | Token::Dot | Token::Left => {
                    self.word_may_follow = true;
                    self.address.push(token);
                }
            }
        }
        self.end_address();
        Ok(())
    }

    fn take(&mut self) -> Option<Token> {
        let (last, rest) = self.rest.split_last()?;
        self.rest = rest;
        Some(last.clone())
    }

    fn end_address(&mut self) {
        if !self.address.is_empty() {
            self.give_address();
        }
    }

    fn end_address_with_comma(&mut self) {
        if !self.address.is_empty() {
            self.give_address();
            self.output.push(Token::Comma);
        }
    }

    fn give_address(&mut self) {
        self.address.reverse();
        (self.rewrite)(&mut self.address);
        self.output.extend(self.address.drain(..).rev());
    }

    /// Everything to the left of a group's colon, up to the comma before it.
    fn take_group_name(&mut self) {
        while let Some(token) = self.take() {
            let is_comma = token == Token::Comma;
            self.output.push(token);
            if is_comma {
                break;
            }
        }
        self.word_may_follow = true;
    }

    /// `phrase < … ` to the left of a `>`; the address counts even if it is empty.
    fn take_route_address(&mut self) -> Result<(), Malformed> {
        loop {
            match self.take() {
                Some(Token::Left) => break,
                Some(token) => self.address.push(token),
                None => return Err(Malformed),
            }
        }
        self.give_address();
        self.output.push(Token::Left);
        while let Some(
            Token::Comment(_) | Token::Atom(_) | Token::Quoted(_) | Token::At | Token::Dot,
        ) = self.rest.last()
        {
            let token = self.take();
            self.output.extend(token);
        }
        self.word_may_follow = false;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::rewrite::Defaults;
    use super::super::token::{bare, folded, parse};
    use super::*;

    /// The rewritten list on one line, and the addresses in the order they were given.
    fn read(text: &str) -> Result<(String, Vec<String>), Malformed> {
        let defaults =
            Defaults::new(b"mail.example.test", b"example.test", b"example.test").unwrap();
        let mut found = Vec::new();
        let list = rewrite(&parse(text.as_bytes()).unwrap(), &mut |address| {
            defaults.complete(address);
            found.push(String::from_utf8(bare(address)).unwrap());
        })?;
        Ok((String::from_utf8(folded(&list, 10_000)).unwrap(), found))
    }

    #[test]
    fn the_shapes_that_people_write_are_understood() {
        let given = "a b, \"Q. X\" <u@h>, (c) x@y (d), grp: m@n, o;, joe@mac+, z@host, \
                     <@r:s@t.u>, foo.bar@[1.2.3.4], <>, \"a b\"@c.d, a.@x.y";
        let expected = "a@mail.example.test, b@mail.example.test, \"Q. X\" <u@h.example.test>, \
                        x@y.example.test (c) (d), grp: m@n.example.test, o@mail.example.test;, \
                        joe@mac.example.test, z@host.example.test, <s@t.u>, foo.bar@[1.2.3.4], <>, \
                        \"a b\"@c.d, a.@x.y\n";
        let (text, found) = read(given).unwrap();
        assert_eq!(text, expected);
        assert_eq!(found.first().map(String::as_str), Some("a.@x.y"));
        assert_eq!(found.last().map(String::as_str), Some("a@mail.example.test"));
        assert_eq!(found.len(), 13);
    }

    #[test]
    fn a_list_that_makes_no_sense_is_refused() {
        assert_eq!(read("a: b"), Err(Malformed));
        assert_eq!(read("a>"), Err(Malformed));
        assert_eq!(read("g: h: x;;"), Err(Malformed));
    }

    #[test]
    fn comments_stay_beside_their_address() {
        assert_eq!(
            read("djb fred (x)").unwrap().0,
            "djb@mail.example.test, fred@mail.example.test (x)\n"
        );
    }
}
