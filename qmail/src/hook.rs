//! The words of a sendmail mailer, filled in. Source: qmail 1.03, qsmhook.

/// A delivery, as the words of a mailer name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mail {
    /// `%g`: the sender.
    pub sender: Vec<u8>,
    /// `%h`: the host.
    pub host: Vec<u8>,
    /// `%u`: the recipient's local part.
    pub local: Vec<u8>,
}

impl Mail {
    /// Takes `prefix` from the local part, if it begins so; case does not matter.
    pub fn strip(&mut self, prefix: &[u8]) {
        let Some((head, rest)) = self.local.split_at_checked(prefix.len()) else { return };
        if head.eq_ignore_ascii_case(prefix) {
            self.local = rest.to_vec();
        }
    }

    /// `word` with what stands behind its percent signs in their place; `%%` is one, and any other
    /// letter is nothing.
    #[must_use]
    pub fn fill(&self, word: &[u8]) -> Vec<u8> {
        let mut filled = Vec::with_capacity(word.len());
        let mut bytes = word.iter();
        while let Some(&byte) = bytes.next() {
            if byte != b'%' {
                filled.push(byte);
                continue;
            }
            match bytes.next() {
                Some(b'%') => filled.push(b'%'),
                Some(b'g') => filled.extend_from_slice(&self.sender),
                Some(b'h') => filled.extend_from_slice(&self.host),
                Some(b'u') => filled.extend_from_slice(&self.local),
                _ => {}
            }
        }
        filled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mail() -> Mail {
        Mail { sender: b"a@b".into(), host: b"h.test".into(), local: b"fax-123".into() }
    }

    #[test]
    fn a_word_is_filled_in() {
        let mail = mail();
        for (word, filled) in [
            ("-f%g", "-fa@b"),
            ("%u@%h", "fax-123@h.test"),
            ("100%%", "100%"),
            ("%x%", ""),
            ("%%u", "%u"),
            ("", ""),
        ] {
            assert_eq!(mail.fill(word.as_bytes()), filled.as_bytes(), "{word}");
        }
    }

    #[test]
    fn a_prefix_is_taken_off_once_for_each_time() {
        let mut mail = mail();
        mail.strip(b"FAX-");
        assert_eq!(mail.local, b"123");
        mail.strip(b"fax-");
        mail.strip(b"12345");
        assert_eq!(mail.local, b"123");
    }
}
