//! Received lines, written and counted.

use wire::date;

/// A message that names this many hosts is going round in circles.
pub const MOST_HOPS: u32 = 100;

/// Whom a server talks to, and by which name it was reached. Source: tcp-environ(5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// `$TCPLOCALHOST`, or else `$TCPLOCALIP`.
    pub local: Vec<u8>,
    /// `$TCPREMOTEHOST`.
    pub host: Vec<u8>,
    /// `$TCPREMOTEINFO`, if it is set.
    pub info: Option<Vec<u8>>,
    /// `$TCPREMOTEIP`.
    pub ip: Vec<u8>,
}

impl Peer {
    /// Reads the variables; a missing one is `unknown`. A variable that is empty is not missing.
    pub fn read(variable: impl Fn(&str) -> Option<Vec<u8>>) -> Peer {
        let unknown = || b"unknown".to_vec();
        Peer {
            local: variable("TCPLOCALHOST")
                .or_else(|| variable("TCPLOCALIP"))
                .unwrap_or_else(unknown),
            host: variable("TCPREMOTEHOST").unwrap_or_else(unknown),
            info: variable("TCPREMOTEINFO"),
            ip: variable("TCPREMOTEIP").unwrap_or_else(unknown),
        }
    }

    /// Appends the two lines that say how a message came here.
    ///
    /// `helo` is the name that the client gave itself: told if it is not the host's name already.
    pub fn push_received(
        &self,
        out: &mut Vec<u8>,
        protocol: &str,
        helo: Option<&[u8]>,
        seconds: i64,
    ) {
        out.extend_from_slice(b"Received: from ");
        push_safe(out, &self.host);
        if let Some(helo) = helo.filter(|helo| !helo.eq_ignore_ascii_case(&self.host)) {
            out.extend_from_slice(b" (HELO ");
            push_safe(out, helo);
            out.push(b')');
        }
        out.extend_from_slice(b" (");
        if let Some(info) = &self.info {
            push_safe(out, info);
            out.push(b'@');
        }
        push_safe(out, &self.ip);
        out.extend_from_slice(b")\n  by ");
        push_safe(out, &self.local);
        out.extend_from_slice(b" with ");
        out.extend_from_slice(protocol.as_bytes());
        out.extend_from_slice(b"; ");
        date::push_header(out, seconds);
        out.push(b'\n');
    }
}

/// Strangers choose these bytes: what could mean something in a header becomes a question mark.
fn push_safe(out: &mut Vec<u8>, bytes: &[u8]) {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b".@%+/=:-[]".contains(&byte);
    out.extend(bytes.iter().map(|&byte| if is_safe(byte) { byte } else { b'?' }));
}

/// Looks at a message as it passes: how many hosts it has seen, and how long its header is.
///
/// Lines end in LF. The header ends at the first empty line.
#[derive(Debug, Default)]
pub struct Passing {
    place: Place,
    /// The beginning of the line's field name.
    name: [u8; NAME],
    /// How much of a field name is seen; more than `NAME` if it is longer.
    named: usize,
    hops: u32,
    size: u64,
    /// A line has been seen that is no field, so what follows is not the header's size.
    is_broken: bool,
}

/// Of the longest name that counts.
const NAME: usize = b"delivered-to".len();
/// Longest name that a field may have: that of a line.
const LONGEST_NAME: usize = 998;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    LineStart,
    Name,
    Rest,
    Body,
}

impl Passing {
    /// How many fields `Received` and `Delivered-To` there are.
    #[must_use]
    pub fn hops(&self) -> u32 {
        self.hops
    }

    /// How many bytes the header has, as far as its lines are fields.
    #[must_use]
    pub fn header_size(&self) -> u64 {
        self.size
    }

    /// The message's next bytes.
    pub fn look(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        while let Some(&byte) = rest.first() {
            let length = match self.place {
                Place::Body => return,
                Place::Rest => memchr::memchr(b'\n', rest).unwrap_or(rest.len() - 1) + 1,
                Place::LineStart | Place::Name => 1,
            };
            let (seen, tail) = rest.split_at_checked(length).unwrap_or_default();
            rest = tail;
            if !self.is_broken {
                self.size += length as u64;
            }
            if self.place != Place::Rest {
                self.name_byte(byte);
            } else if seen.ends_with(b"\n") {
                self.place = Place::LineStart;
            }
        }
    }

    fn name_byte(&mut self, byte: u8) {
        match (self.place, byte) {
            (Place::LineStart, b'\n') => self.place = Place::Body,
            (Place::LineStart, b' ' | b'\t') => self.place = Place::Rest,
            (Place::Name, b':') => {
                let name = self.name.get(..self.named).unwrap_or_default();
                let known = [&b"received"[..], b"delivered-to"];
                if known.iter().any(|known| name.eq_ignore_ascii_case(known)) {
                    self.hops = self.hops.saturating_add(1);
                }
                self.named = 0;
                self.place = Place::Rest;
            }
            (_, b'!'..=b'9' | b';'..=b'~') if self.named < LONGEST_NAME => {
                if let Some(slot) = self.name.get_mut(self.named) {
                    *slot = byte;
                }
                self.named += 1;
                self.place = Place::Name;
            }
            _ => {
                self.is_broken = true;
                self.named = 0;
                self.place = if byte == b'\n' { Place::LineStart } else { Place::Rest };
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// 21 Nov 2026 00:24:01 UTC.
    const THEN: i64 = 1_795_220_641;

    fn received(variables: &[(&str, &str)], helo: Option<&str>) -> String {
        let peer = Peer::read(|name| {
            let found = variables.iter().find(|(known, _)| *known == name);
            found.map(|(_, value)| (*value).into())
        });
        let mut out = Vec::new();
        peer.push_received(&mut out, "SMTP", helo.map(str::as_bytes), THEN);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_received_line_says_all_that_is_known() {
        let all = [
            ("TCPREMOTEIP", "192.0.2.1"),
            ("TCPREMOTEHOST", "client.test"),
            ("TCPREMOTEINFO", "joe"),
            ("TCPLOCALHOST", "mail.test"),
            ("TCPLOCALIP", "192.0.2.2"),
        ];
        assert_eq!(
            received(&all, Some("me")),
            "Received: from client.test (HELO me) (joe@192.0.2.1)\n  \
             by mail.test with SMTP; 21 Nov 2026 00:24:01 -0000\n"
        );
    }

    #[test]
    fn what_is_missing_is_unknown() {
        assert_eq!(
            received(&[], None),
            "Received: from unknown (unknown)\n  \
             by unknown with SMTP; 21 Nov 2026 00:24:01 -0000\n"
        );
        let some = [("TCPLOCALIP", "::1"), ("TCPREMOTEHOST", "")];
        assert_eq!(
            received(&some, Some("")),
            "Received: from  (unknown)\n  by ::1 with SMTP; 21 Nov 2026 00:24:01 -0000\n"
        );
    }

    #[test]
    fn a_client_that_gives_its_name_is_not_named_twice() {
        let line = received(&[("TCPREMOTEHOST", "client.test")], Some("CLIENT.test"));
        assert!(line.starts_with("Received: from client.test (unknown)\n"));
    }

    #[test]
    fn odd_bytes_are_question_marks() {
        let line = received(&[("TCPREMOTEINFO", "a b\n)(_\u{e9}")], Some("[IPv6:::1]; <x>"));
        assert!(
            line.starts_with("Received: from unknown (HELO [IPv6:::1]???x?) (a?b??????@unknown)\n")
        );
    }

    fn look(message: &str) -> (u32, u64) {
        let mut passing = Passing::default();
        passing.look(message.as_bytes());
        (passing.hops(), passing.header_size())
    }

    #[test]
    fn hops_are_whole_names_in_the_header() {
        assert_eq!(look("Received: a\nreceived:\n b\nDELIVERED-TO:x\n\nReceived: d\n").0, 3);
        assert_eq!(look("Received-SPF: a\nDelivered: b\nX-Received: c\n Received: d\n").0, 0);
        assert_eq!(look("Delivered-To-: a\nReceived : b\nReceived\n").0, 0);
        assert_eq!(look("odd\nReceived: a").0, 1);
    }

    #[test]
    fn the_header_ends_at_the_empty_line_or_what_is_no_field() {
        assert_eq!(look("A: b\n c\n\nbody: x\n").1, 9);
        assert_eq!(look("A: b\nFrom here\nC: d\n").1, 5 + "From ".len() as u64);
        assert_eq!(look(&format!("A: b\n{}\nC: d\n", "x".repeat(3000))).1, 5 + 999);
        assert_eq!(look(&format!("A: {}", "x".repeat(3000))).1, 3003);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_a_message_comes_in_pieces(
            message in "(Received:|Delivered-To:|x|:| |\n){0,30}", at in 0..200_usize,
        ) {
            let bytes = message.as_bytes();
            let (one, two) = bytes.split_at(at.min(bytes.len()));
            let mut passing = Passing::default();
            passing.look(one);
            passing.look(two);
            prop_assert_eq!((passing.hops(), passing.header_size()), look(&message));
        }
    }
}
