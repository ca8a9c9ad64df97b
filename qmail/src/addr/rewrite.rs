//! Qualification of addresses: routes removed, hosts and domains added.

use super::token::{Token, Unbalanced, parse};

/// What is added to addresses that are not complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Defaults {
    host: Vec<Token>,
    domain: Vec<Token>,
    plus: Vec<Token>,
}

impl Defaults {
    /// `host` for addresses without one, `domain` for hosts without a dot, `plus` for hosts that end
    /// in a plus sign.
    pub fn new(host: &[u8], domain: &[u8], plus: &[u8]) -> Result<Defaults, Unbalanced> {
        let after = |sign: &[u8], name: &[u8]| parse(&[sign, name].concat());
        Ok(Defaults {
            host: after(b"@", host)?,
            domain: after(b".", domain)?,
            plus: after(b".", plus)?,
        })
    }

    /// Completes one address, in the order of qmail-header(5).
    ///
    /// The empty address, and one whose host is `[]`, stay as they are.
    pub fn complete(&self, address: &mut Vec<Token>) {
        if let [.., Token::At, Token::Literal(text)] = address.as_slice()
            && text.is_empty()
        {
            return;
        }
        remove_route(address);
        address.pop_if(|last| *last == Token::Dot);
        address.pop_if(|last| *last == Token::At);
        if address.is_empty() {
            return;
        }
        if !address.contains(&Token::At) {
            address.extend_from_slice(&self.host);
        }
        if let Some(Token::Atom(name)) = address.last_mut()
            && name.pop_if(|last| *last == b'+').is_some()
        {
            address.extend_from_slice(&self.plus);
        }
        let host = address.rsplit(|token| *token == Token::At).next().unwrap_or_default();
        let is_whole = |token: &Token| matches!(token, Token::Dot | Token::Literal(_));
        if !host.iter().any(is_whole) {
            address.extend_from_slice(&self.domain);
        }
    }
}

/// `@a,@b:c` becomes `c`; a route without a colon leaves nothing.
fn remove_route(address: &mut Vec<Token>) {
    if address.first() == Some(&Token::At) {
        let end = address.iter().position(|token| *token == Token::Colon);
        address.drain(..end.map_or(address.len(), |colon| colon + 1));
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::bare;
    use super::*;

    fn complete(text: &str) -> String {
        let defaults = Defaults::new(b"mail.example.test", b"dom.test", b"plus.test").unwrap();
        let mut tokens = parse(text.as_bytes()).unwrap();
        defaults.complete(&mut tokens);
        String::from_utf8(bare(&tokens)).unwrap()
    }

    #[test]
    fn addresses_are_completed() {
        for (given, completed) in [
            ("a", "a@mail.example.test"),
            ("a@h", "a@h.dom.test"),
            ("a@h+", "a@h.plus.test"),
            ("a@h.x", "a@h.x"),
            ("a@[1.2.3.4]", "a@[1.2.3.4]"),
            ("@r,@s:a@h.x", "a@h.x"),
            ("@r", ""),
            ("a@", "a@mail.example.test"),
            ("a@h.x.", "a@h.x"),
            (".", ""),
            ("@[]", "@[]"),
            ("list-@h-@[]", "list-@h-@[]"),
            ("b+", "b+@mail.example.test"),
            ("", ""),
        ] {
            assert_eq!(complete(given), completed, "{given}");
        }
    }
}
