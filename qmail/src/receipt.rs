//! Receipts that senders ask for in a header field. Source: qreceipt(1).

use crate::addr::token::{Token, bare, parse};
use crate::addr::{field, list, quote};

/// The field that asks for a receipt, in lower case.
const ASKS: &[u8] = b"notice-requested-upon-delivery-to";

/// A field that asks for a receipt, but names nobody that can be understood: the field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unparsable(pub Vec<u8>);

/// What the header says that a receipt depends on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Request {
    /// True if a receipt of this address is asked for.
    is_made: bool,
    /// The last Message-ID field, with its line ends.
    message_id: Option<Vec<u8>>,
}

impl Request {
    /// Takes one field, with its line ends. `target` is the address that the message was delivered to;
    /// it is compared byte by byte.
    pub fn field(&mut self, line: &[u8], target: &[u8]) -> Result<(), Unparsable> {
        let name = field::name(line).unwrap_or_default().to_ascii_lowercase();
        match name.as_slice() {
            b"message-id" => self.message_id = Some(line.to_vec()),
            ASKS => self.is_made |= names(line, target).ok_or_else(|| Unparsable(line.to_vec()))?,
            _ => {}
        }
        Ok(())
    }

    /// The receipt for `sender`; `None` if none was asked for, or the sender is nobody.
    #[must_use]
    pub fn receipt(&self, sender: &[u8], target: &[u8]) -> Option<Vec<u8>> {
        if !self.is_made || sender.is_empty() || sender == b"#@[]" {
            return None;
        }
        let sender = quote::in_field(sender);
        let mut text = Vec::with_capacity(512);
        for part in [
            b"From: DELIVERY NOTICE SYSTEM <",
            sender.as_slice(),
            b">\nTo: <",
            &sender,
            b">\nSubject: success notice\n\n\
              Hi! This is the qreceipt program. Your message was delivered to the\n\
              following address: ",
            target,
            b". Thanks for asking.\n",
        ] {
            text.extend_from_slice(part);
        }
        if let Some(id) = &self.message_id {
            text.extend_from_slice(b"Your ");
            text.extend_from_slice(id);
        }
        Some(text)
    }
}

/// True if `target` is among the addresses of a field; `None` if it cannot be understood.
fn names(line: &[u8], target: &[u8]) -> Option<bool> {
    let tokens = parse(line).ok()?;
    let [_, Token::Colon, addresses @ ..] = tokens.as_slice() else { return None };
    let mut is_named = false;
    list::rewrite(addresses, &mut |address| is_named |= bare(address) == target).ok()?;
    Some(is_named)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn receipt(fields: &[&str], sender: &str) -> Option<String> {
        let mut request = Request::default();
        for line in fields {
            request.field(line.as_bytes(), b"me@h").unwrap();
        }
        let text = request.receipt(sender.as_bytes(), b"me@h")?;
        Some(String::from_utf8(text).unwrap())
    }

    const ASKED: &str = "Notice-Requested-Upon-Delivery-To: you@h, Me <me@h>\n";

    #[test]
    fn who_asks_gets_a_receipt() {
        let text = receipt(&[ASKED, "Message-ID: <1@x>\n"], "s t@x.y").unwrap();
        assert!(
            text.starts_with("From: DELIVERY NOTICE SYSTEM <\"s t\"@x.y>\nTo: <\"s t\"@x.y>\n")
        );
        assert!(text.ends_with(" address: me@h. Thanks for asking.\nYour Message-ID: <1@x>\n"));
    }

    #[test]
    fn no_sender_adds_a_field() {
        let text = receipt(&[ASKED], "s\nBcc: t@x.y").unwrap();
        assert!(text.contains("\nTo: <\"s_Bcc: t\"@x.y>\nSubject: "), "{text}");
    }

    #[test]
    fn nobody_else_does() {
        assert_eq!(receipt(&[], "s@x.y"), None);
        assert_eq!(receipt(&[ASKED], ""), None);
        assert_eq!(receipt(&[ASKED], "#@[]"), None);
        assert_eq!(receipt(&["notice-requested-upon-delivery-to: ME@h\n"], "s@x.y"), None);
    }

    #[test]
    fn nonsense_is_told() {
        let line = b"Notice-Requested-Upon-Delivery-To: (me@h\n";
        let told = Request::default().field(line, b"me@h");
        assert_eq!(told, Err(Unparsable(line.to_vec())));
    }

    proptest! {
        #[test]
        fn any_field_is_read(text: Vec<u8>, asks: bool) {
            let name: &[u8] = if asks { b"Notice-Requested-Upon-Delivery-To:" } else { b"" };
            let _ = Request::default().field(&[name, &text].concat(), b"me@h");
        }
    }
}
