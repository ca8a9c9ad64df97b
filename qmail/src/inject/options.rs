//! The environment of qmail-inject.

use crate::addr::quote;
use crate::addr::token::{Token, folded};

/// Reads a variable of the environment.
pub type Lookup<'a> = &'a dyn Fn(&str) -> Option<Vec<u8>>;

/// The letters of `$QMAILINJECT`; those without a meaning are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hacks(pub Vec<u8>);

/// What one letter of `$QMAILINJECT` asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hack {
    /// A From in the message is dropped.
    DropFrom = b'f' as isize,
    /// A Message-ID in the message is dropped.
    DropMessageId = b'i' as isize,
    /// A Return-Path in the message does not count.
    IgnoreReturnPath = b's' as isize,
    /// The name as a comment behind the address.
    NameAsComment = b'c' as isize,
    /// A return path for each message.
    PerMessagePath = b'm' as isize,
    /// A return path for each recipient.
    Verp = b'r' as isize,
}

impl Hacks {
    /// True if `hack` is asked for.
    #[must_use]
    pub fn has(&self, hack: Hack) -> bool {
        self.0.iter().any(|&letter| isize::from(letter) == hack as isize)
    }
}

/// What the user's environment asks for; source: qmail-inject(8), ENVIRONMENT VARIABLES.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The letters of `$QMAILINJECT`.
    pub hacks: Hacks,
    /// The user of the From address.
    pub user: Vec<u8>,
    /// The host of the From address.
    pub host: Option<Vec<u8>>,
    /// The user of the return path.
    pub sender_user: Vec<u8>,
    /// The host of the return path.
    pub sender_host: Option<Vec<u8>>,
    /// The user's full name.
    pub name: Option<Vec<u8>>,
}

impl Options {
    /// Reads the variables.
    #[must_use]
    pub fn read(variable: Lookup<'_>) -> Options {
        let first = |names: &[&str]| names.iter().find_map(|name| variable(name));
        let user = first(&["QMAILUSER", "MAILUSER", "USER", "LOGNAME"])
            .unwrap_or_else(|| b"anonymous".to_vec());
        let host = first(&["QMAILHOST", "MAILHOST"]);
        Options {
            hacks: Hacks(variable("QMAILINJECT").unwrap_or_default()),
            sender_user: variable("QMAILSUSER").unwrap_or_else(|| user.clone()),
            sender_host: variable("QMAILSHOST").or_else(|| host.clone()),
            name: first(&["QMAILNAME", "MAILNAME", "NAME"]),
            user,
            host,
        }
    }

    /// The From field to add, its address not completed yet.
    #[must_use]
    pub fn from_field(&self) -> Vec<u8> {
        let user = if quote::is_needed(&self.user) {
            Token::Quoted(self.user.clone())
        } else {
            Token::Atom(self.user.clone())
        };
        let mut address = vec![user];
        address.extend(host(self.host.as_ref()));
        let mut tokens = vec![Token::Atom(b"From".to_vec()), Token::Colon];
        match &self.name {
            Some(name) if self.hacks.has(Hack::NameAsComment) => {
                tokens.append(&mut address);
                tokens.push(Token::Comment(name.clone()));
            }
            Some(name) => {
                tokens.extend([Token::Quoted(name.clone()), Token::Left]);
                tokens.append(&mut address);
                tokens.push(Token::Right);
            }
            None => tokens.append(&mut address),
        }
        folded(&tokens, super::header::WIDTH)
    }

    /// The return path to use where the message has none, not completed yet; `stamp` tells one message
    /// from another.
    #[must_use]
    pub fn return_path(&self, stamp: &[u8]) -> Vec<Token> {
        let mut user = self.sender_user.clone();
        if self.hacks.has(Hack::PerMessagePath) {
            user.extend_from_slice(&[b"-", stamp].concat());
        }
        if self.hacks.has(Hack::Verp) {
            user.push(b'-');
        }
        let mut address = vec![Token::Quoted(user)];
        address.extend(host(self.sender_host.as_ref()));
        address
    }
}

/// `@` and the host, as the user wrote it: the text is read again, so it may be any domain.
fn host(host: Option<&Vec<u8>>) -> Vec<Token> {
    let Some(host) = host else { return Vec::new() };
    match crate::addr::token::parse(&[b"@", host.as_slice()].concat()) {
        Ok(tokens) => tokens,
        Err(_) => vec![Token::At, Token::Quoted(host.clone())],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> Options {
        Options::read(&|name| {
            variables
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| value.as_bytes().to_vec())
        })
    }

    #[test]
    fn the_first_variable_that_is_set_wins() {
        let read = options(&[("USER", "u"), ("MAILUSER", "m"), ("MAILHOST", "h.x")]);
        assert_eq!((read.user, read.host), (b"m".to_vec(), Some(b"h.x".to_vec())));
        assert_eq!(options(&[]).user, b"anonymous");
    }

    #[test]
    fn the_name_stands_before_the_address_or_behind_it() {
        let before = options(&[("USER", "od d"), ("NAME", "D. J. B \"x\"")]);
        assert_eq!(before.from_field(), b"From: \"D. J. B \\\"x\\\"\" <\"od d\">\n");
        let behind = options(&[
            ("USER", "boss"),
            ("QMAILHOST", "af.mil"),
            ("NAME", "The Boss"),
            ("QMAILINJECT", "c"),
        ]);
        assert_eq!(behind.from_field(), b"From: boss@af.mil (The Boss)\n");
    }

    #[test]
    fn the_return_path_may_tell_messages_and_recipients_apart() {
        let both = options(&[("USER", "joe"), ("QMAILINJECT", "rm")]);
        let path = both.return_path(b"17.5");
        assert_eq!(crate::addr::token::bare(&path), b"joe-17.5-");
    }
}
