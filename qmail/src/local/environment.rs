//! What a delivery's programs are told, and the lines that are put before a message.
//!
//! Strangers choose most of these values. No value here begins like a shell function, which some
//! shells once executed when they imported it.

use wire::date;
use wire::text::rsplit_once;

use crate::addr::quote;

/// Whom a message is for, and who sent it: the arguments of qmail-local.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delivery {
    /// Login name of the user who controls the address.
    pub user: Vec<u8>,
    /// That user's home directory.
    pub home: Vec<u8>,
    /// The part of the address before the `@`.
    pub local: Vec<u8>,
    /// What stands between the user's own address and the extension.
    pub dash: Vec<u8>,
    /// The extension.
    pub ext: Vec<u8>,
    /// The part of the address behind the `@`.
    pub host: Vec<u8>,
    /// The envelope sender.
    pub sender: Vec<u8>,
}

/// Which owner files an address has; see [`super::dotqmail::owners`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Owners {
    /// Both.
    Each,
    /// None.
    Nobody,
    /// The first.
    One,
}

impl Delivery {
    /// `Delivered-To: local@host`, a line; a newline in the address is an underscore.
    #[must_use]
    pub fn delivered_to(&self) -> Vec<u8> {
        line(&[b"Delivered-To: ", &self.local, b"@", &self.host])
    }

    /// `Return-Path: <sender>`, a line; the sender quoted as RFC 822 asks for.
    #[must_use]
    pub fn return_path(&self) -> Vec<u8> {
        line(&[b"Return-Path: <", &quote::address(&self.sender), b">"])
    }

    /// `From sender date`, the line that begins a message in an mbox. Blanks in the sender are dashes;
    /// without a sender it is MAILER-DAEMON.
    #[must_use]
    pub fn from_line(&self, seconds: i64) -> Vec<u8> {
        let mut line = b"From ".to_vec();
        if self.sender.is_empty() {
            line.extend_from_slice(b"MAILER-DAEMON");
        }
        line.extend(
            self.sender.iter().map(|&byte| if b" \t\n".contains(&byte) { b'-' } else { byte }),
        );
        line.push(b' ');
        date::push_from_line(&mut line, seconds);
        line.push(b'\n');
        line
    }

    /// True if owner files can make another the sender: not for bounces, which have none, or one of
    /// their own.
    #[must_use]
    pub fn may_have_owner(&self) -> bool {
        !self.sender.is_empty() && self.sender != b"#@[]"
    }

    /// The sender of what is forwarded: the sender, or the address's owner, or a form of that which
    /// qmail-send completes for each recipient.
    #[must_use]
    pub fn new_sender(&self, owners: Owners) -> Vec<u8> {
        let sender = match owners {
            Owners::Each => [&self.local, &b"-owner-@"[..], &self.host, b"-@[]"].concat(),
            Owners::Nobody => self.sender.clone(),
            Owners::One => [&self.local, &b"-owner@"[..], &self.host].concat(),
        };
        harmless(sender)
    }

    /// The variables of a program: `default` is for `$DEFAULT`, if a file for several addresses is
    /// followed. Source: qmail-command(8).
    #[must_use]
    pub fn variables(
        &self,
        default: Option<&[u8]>,
        new_sender: &[u8],
        seconds: i64,
    ) -> Vec<(&'static str, Vec<u8>)> {
        let after_dash = |text: &'_ [u8]| -> Vec<u8> {
            let dash = text.iter().position(|&byte| byte == b'-');
            dash.and_then(|dash| text.get(dash + 1..)).unwrap_or_default().to_vec()
        };
        let before_dot =
            |host: &[u8]| rsplit_once(host, b'.').map_or(host, |(before, _)| before).to_vec();
        let ext2 = after_dash(&self.ext);
        let ext3 = after_dash(&ext2);
        let ext4 = after_dash(&ext3);
        let host2 = before_dot(&self.host);
        let host3 = before_dot(&host2);
        let host4 = before_dot(&host3);
        let recipient = [&self.local, &b"@"[..], &self.host].concat();
        let mut variables = vec![
            ("USER", self.user.clone()),
            ("HOME", self.home.clone()),
            ("LOCAL", self.local.clone()),
            ("HOST", self.host.clone()),
            ("RECIPIENT", recipient),
            ("DTLINE", self.delivered_to()),
            ("SENDER", self.sender.clone()),
            ("RPLINE", self.return_path()),
            ("UFLINE", self.from_line(seconds)),
            ("EXT", self.ext.clone()),
            ("EXT2", ext2),
            ("EXT3", ext3),
            ("EXT4", ext4),
            ("HOST2", host2),
            ("HOST3", host3),
            ("HOST4", host4),
            ("NEWSENDER", new_sender.to_vec()),
        ];
        if let Some(default) = default {
            variables.push(("DEFAULT", default.to_vec()));
        }
        for (_, value) in &mut variables {
            *value = harmless(std::mem::take(value));
        }
        variables
    }
}

/// A line of these parts.
fn line(parts: &[&[u8]]) -> Vec<u8> {
    let mut line = parts.concat();
    for byte in line.iter_mut().filter(|byte| **byte == b'\n') {
        *byte = b'_';
    }
    line.push(b'\n');
    line
}

/// `value`, but for its first byte if it begins like a function of the shell.
pub(crate) fn harmless(mut value: Vec<u8>) -> Vec<u8> {
    if value.starts_with(b"()")
        && let Some(first) = value.first_mut()
    {
        *first = b'_';
    }
    value
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 21 Nov 2026 00:25:34 UTC.
    const THEN: i64 = 1_795_220_734;

    fn delivery(local: &str, ext: &str, host: &str, sender: &str) -> Delivery {
        Delivery {
            user: b"spec".to_vec(),
            home: b"/home/spec".to_vec(),
            local: local.into(),
            dash: b"-".to_vec(),
            ext: ext.into(),
            host: host.into(),
            sender: sender.into(),
        }
    }

    fn shown(variables: Vec<(&'static str, Vec<u8>)>) -> Vec<String> {
        let mut lines: Vec<String> = variables
            .into_iter()
            .map(|(name, value)| format!("{name}={}", String::from_utf8(value).unwrap().trim_end()))
            .collect();
        lines.sort();
        lines
    }

    #[test]
    fn the_variables_are_those_of_qmail_command() {
        let delivery = delivery("spec-A.b-C-D", "A.b-C-D", "mx.sub.h.test", "S nder@x.y");
        let variables = delivery.variables(Some(b"C-D"), b"new@x.y", THEN);
        let expected = [
            "DEFAULT=C-D",
            "DTLINE=Delivered-To: spec-A.b-C-D@mx.sub.h.test",
            "EXT2=C-D",
            "EXT3=D",
            "EXT4=",
            "EXT=A.b-C-D",
            "HOME=/home/spec",
            "HOST2=mx.sub.h",
            "HOST3=mx.sub",
            "HOST4=mx",
            "HOST=mx.sub.h.test",
            "LOCAL=spec-A.b-C-D",
            "NEWSENDER=new@x.y",
            "RECIPIENT=spec-A.b-C-D@mx.sub.h.test",
            "RPLINE=Return-Path: <\"S nder\"@x.y>",
            "SENDER=S nder@x.y",
            "UFLINE=From S-nder@x.y Sat Nov 21 00:25:34 2026",
            "USER=spec",
        ];
        assert_eq!(shown(variables), expected);
    }

    #[test]
    fn there_is_a_default_only_behind_a_default_file() {
        let variables = delivery("spec", "", "h", "").variables(None, b"", THEN);
        assert!(variables.iter().all(|(name, _)| *name != "DEFAULT"));
    }

    #[test]
    fn lines_hold_one_newline() {
        let delivery = delivery("a\nb", "", "h\n", "c\td\n@x y");
        assert_eq!(delivery.delivered_to(), b"Delivered-To: a_b@h_\n");
        assert_eq!(delivery.return_path(), b"Return-Path: <\"c\td\\_\"@x y>\n");
        assert_eq!(delivery.from_line(THEN), b"From c-d-@x-y Sat Nov 21 00:25:34 2026\n");
    }

    #[test]
    fn nobody_is_the_mailer_daemon() {
        let delivery = delivery("spec", "", "h", "");
        assert_eq!(delivery.return_path(), b"Return-Path: <>\n");
        assert_eq!(delivery.from_line(0), b"From MAILER-DAEMON Thu Jan 01 00:00:00 1970\n");
    }

    #[test]
    fn owners_become_the_sender() {
        let list = delivery("spec-list", "list", "h", "s@x");
        assert_eq!(list.new_sender(Owners::Nobody), b"s@x");
        assert_eq!(list.new_sender(Owners::One), b"spec-list-owner@h");
        assert_eq!(list.new_sender(Owners::Each), b"spec-list-owner-@h-@[]");
        assert!(list.may_have_owner());
        assert!(!delivery("a", "", "h", "").may_have_owner());
        assert!(!delivery("a", "", "h", "#@[]").may_have_owner());
    }

    proptest! {
        #[test]
        fn no_value_begins_a_function(
            words in prop::collection::vec("[(]?[)]?[ {:;}]{0,3}[-.@]?[(]?[)]?[a-z-]{0,3}", 6),
        ) {
            let [local, ext, host, sender, user, default] = &words[..] else { panic!("six") };
            let mut delivery = delivery(local, ext, host, sender);
            delivery.user = user.clone().into_bytes();
            let sender = delivery.new_sender(Owners::Nobody);
            for (name, value) in delivery.variables(Some(default.as_bytes()), &sender, THEN) {
                prop_assert!(!value.starts_with(b"()"), "{}", name);
            }
        }

        #[test]
        fn the_three_lines_are_lines(local: Vec<u8>, host: Vec<u8>, sender: Vec<u8>) {
            let delivery = Delivery { local, host, sender, ..Delivery::default() };
            for line in [delivery.delivered_to(), delivery.return_path(), delivery.from_line(0)] {
                prop_assert_eq!(line.iter().position(|&byte| byte == b'\n'), Some(line.len() - 1));
            }
        }
    }
}
