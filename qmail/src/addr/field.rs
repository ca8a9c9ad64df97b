//! Header fields: which are known, and what happens to each on injection.

use wire::text;

/// The fields that qmail-inject treats in a way of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Field {
    /// `Apparently-To:`
    ApparentlyTo,
    /// `Bcc:`
    Bcc,
    /// `Cc:`
    Cc,
    /// `Content-Length:`
    ContentLength,
    /// `Date:`
    Date,
    /// `Errors-To:`
    ErrorsTo,
    /// `From:`
    From,
    /// `Mail-Followup-To:`
    MailFollowupTo,
    /// `Message-ID:`
    MessageId,
    /// `Reply-To:`
    ReplyTo,
    /// `Resent-Bcc:`
    ResentBcc,
    /// `Resent-Cc:`
    ResentCc,
    /// `Resent-Date:`
    ResentDate,
    /// `Resent-From:`
    ResentFrom,
    /// `Resent-Message-ID:`
    ResentMessageId,
    /// `Resent-Reply-To:`
    ResentReplyTo,
    /// `Resent-Sender:`
    ResentSender,
    /// `Resent-To:`
    ResentTo,
    /// `Return-Path:`
    ReturnPath,
    /// `Return-Receipt-To:`
    ReturnReceiptTo,
    /// `Sender:`
    Sender,
    /// `To:`
    To,
}

const NAMES: [(&[u8], Field); 22] = [
    (b"apparently-to", Field::ApparentlyTo),
    (b"bcc", Field::Bcc),
    (b"cc", Field::Cc),
    (b"content-length", Field::ContentLength),
    (b"date", Field::Date),
    (b"errors-to", Field::ErrorsTo),
    (b"from", Field::From),
    (b"mail-followup-to", Field::MailFollowupTo),
    (b"message-id", Field::MessageId),
    (b"reply-to", Field::ReplyTo),
    (b"resent-bcc", Field::ResentBcc),
    (b"resent-cc", Field::ResentCc),
    (b"resent-date", Field::ResentDate),
    (b"resent-from", Field::ResentFrom),
    (b"resent-message-id", Field::ResentMessageId),
    (b"resent-reply-to", Field::ResentReplyTo),
    (b"resent-sender", Field::ResentSender),
    (b"resent-to", Field::ResentTo),
    (b"return-path", Field::ReturnPath),
    (b"return-receipt-to", Field::ReturnReceiptTo),
    (b"sender", Field::Sender),
    (b"to", Field::To),
];

/// Where the addresses of a field go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Addresses {
    /// The field has none, or they are not looked at.
    None,
    /// They are the message's recipients.
    Recipients,
    /// They are the recipients of a message that is sent again.
    ResentRecipients,
    /// They are completed and nothing more.
    Senders,
    /// The first is the envelope sender.
    Sender,
    /// They are recipients, and count for Mail-Followup-To.
    VisibleRecipients,
}

impl Field {
    /// The field of this name (any case), if it is one of those above.
    #[must_use]
    pub fn named(name: &[u8]) -> Option<Field> {
        NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|&(_, field)| field)
    }

    /// True if the field says that the message is sent again.
    #[must_use]
    pub fn is_resent(self) -> bool {
        use Field as F;
        matches!(
            self,
            F::ResentBcc
                | F::ResentCc
                | F::ResentDate
                | F::ResentFrom
                | F::ResentMessageId
                | F::ResentReplyTo
                | F::ResentSender
                | F::ResentTo
        )
    }

    /// What its addresses are for.
    #[must_use]
    pub fn addresses(self) -> Addresses {
        use Field as F;
        match self {
            F::To | F::Cc => Addresses::VisibleRecipients,
            F::Bcc | F::ApparentlyTo => Addresses::Recipients,
            F::ResentTo | F::ResentCc | F::ResentBcc => Addresses::ResentRecipients,
            F::ReturnPath => Addresses::Sender,
            F::Sender
            | F::From
            | F::ReplyTo
            | F::ReturnReceiptTo
            | F::ErrorsTo
            | F::ResentSender
            | F::ResentFrom
            | F::ResentReplyTo => Addresses::Senders,
            F::ContentLength
            | F::Date
            | F::MailFollowupTo
            | F::MessageId
            | F::ResentDate
            | F::ResentMessageId => Addresses::None,
        }
    }

    /// True if the field is never passed on.
    #[must_use]
    pub fn is_dropped(self) -> bool {
        matches!(self, Field::Bcc | Field::ResentBcc | Field::ReturnPath | Field::ContentLength)
    }
}

/// The name of the field that `line` starts: bytes 33…126 without a colon, at least one, then blanks
/// if any, then a colon. `None` if the line starts no field.
#[must_use]
pub fn name(line: &[u8]) -> Option<&[u8]> {
    let (name, _) = text::split_once(line, b':')?;
    let name = text::trim_end(name);
    (!name.is_empty() && name.iter().all(|byte| (33..127).contains(byte))).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_needs_a_name_and_a_colon() {
        assert_eq!(name(b"To: x\n"), Some(&b"To"[..]));
        assert_eq!(name(b"To \t: x\n"), Some(&b"To"[..]));
        assert_eq!(name(b"bad line\n"), None);
        assert_eq!(name(b"hello there: x\n"), None);
        assert_eq!(name(b": x\n"), None);
        assert_eq!(name("Jörg: x\n".as_bytes()), None);
    }

    #[test]
    fn names_are_compared_in_any_case() {
        assert_eq!(Field::named(b"RESENT-tO"), Some(Field::ResentTo));
        assert_eq!(Field::named(b"Subject"), None);
    }
}
