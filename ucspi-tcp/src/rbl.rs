//! List names, base order, the refusal session of rblsmtpd.

mod list;
mod session;

pub use list::{Finding, List, Purpose};
pub use session::Session;

/// Longest text of a reason, in bytes.
const TEXT: usize = 200;

/// What becomes of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is served.
    Accept,
    /// It is refused with this reply to almost everything.
    Refuse(Refusal),
}

/// A reply without the end of the line: code, blank, text of at most 200 bytes, printable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(Vec<u8>);

impl Refusal {
    /// The reply of `code` and as much of `text` as it may have; `?` stands for what cannot be printed.
    #[must_use]
    pub fn new(code: &[u8], text: &[u8]) -> Refusal {
        let text = text.iter().take(TEXT);
        let printable = text.map(|byte| if (32..127).contains(byte) { *byte } else { b'?' });
        Refusal([code, b" "].concat().into_iter().chain(printable).collect())
    }

    /// The reply.
    #[must_use]
    pub fn message(&self) -> &[u8] {
        &self.0
    }

    /// The reply without its code.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        self.0.get(4..).unwrap_or_default()
    }
}

/// What `$RBLSMTPD` says; `None` if it is not set, and the lists decide.
///
/// Empty, it accepts. Otherwise it is the reason of a refusal, a permanent one if it begins with `-`.
#[must_use]
pub fn by_variable(value: Option<&[u8]>) -> Option<Verdict> {
    Some(match value? {
        [] => Verdict::Accept,
        [b'-', text @ ..] => Verdict::Refuse(Refusal::new(b"553", text)),
        text => Verdict::Refuse(Refusal::new(b"451", text)),
    })
}

/// The code of a refusal that may be permanent.
#[must_use]
pub fn code(is_permanent: bool) -> &'static [u8] {
    if is_permanent { b"553" } else { b"451" }
}

/// What the lists say: the first that decides does, and `findings` after it are not looked at. Also the
/// place of that list, or the number of lists if none has decided.
///
/// Once a list could not be asked, no refusal is permanent. Source: rblsmtpd(1), and as observed.
#[must_use]
pub fn by_lists<'a>(findings: impl IntoIterator<Item = (&'a List, Finding)>) -> (Verdict, usize) {
    let (mut has_failed, mut place) = (false, 0);
    for (list, finding) in findings {
        match (list.purpose, finding) {
            (_, Finding::NotListed) => {}
            (Purpose::Allow, Finding::Listed(_)) => return (Verdict::Accept, place),
            (Purpose::Refuse, Finding::Listed(text)) => {
                let code = code(list.bounces && !has_failed);
                return (Verdict::Refuse(Refusal::new(code, &text)), place);
            }
            (Purpose::Allow, Finding::Failed) if !list.fails_closed => {
                return (Verdict::Accept, place);
            }
            (Purpose::Refuse, Finding::Failed) if list.fails_closed => {
                let error = Refusal::new(b"451", b"temporary RBL lookup error");
                return (Verdict::Refuse(error), place);
            }
            (_, Finding::Failed) => has_failed = true,
        }
        place += 1;
    }
    (Verdict::Accept, place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict<'a>(findings: impl IntoIterator<Item = (&'a List, Finding)>) -> Verdict {
        by_lists(findings).0
    }

    fn list(purpose: Purpose) -> List {
        List::new(purpose, b"list.example").unwrap()
    }

    fn refuse() -> List {
        list(Purpose::Refuse)
    }

    fn allow() -> List {
        list(Purpose::Allow)
    }

    fn listed(text: &str) -> Finding {
        Finding::Listed(text.as_bytes().to_vec())
    }

    fn refused(message: &str) -> Verdict {
        Verdict::Refuse(Refusal(message.as_bytes().to_vec()))
    }

    #[test]
    fn the_variable_decides_if_it_is_set() {
        assert_eq!(by_variable(None), None);
        assert_eq!(by_variable(Some(b"")), Some(Verdict::Accept));
        assert_eq!(by_variable(Some(b"go away")), Some(refused("451 go away")));
        assert_eq!(by_variable(Some(b"-go away")), Some(refused("553 go away")));
        assert_eq!(by_variable(Some(b"-")), Some(refused("553 ")));
    }

    #[test]
    fn the_first_list_that_decides_does() {
        let (r, a) = (refuse(), allow());
        assert_eq!(verdict([]), Verdict::Accept);
        assert_eq!(verdict([(&r, Finding::NotListed), (&r, listed("x"))]), refused("451 x"));
        assert_eq!(verdict([(&a, listed("")), (&r, listed("x"))]), Verdict::Accept);
        assert_eq!(verdict([(&r, listed("x")), (&a, listed(""))]), refused("451 x"));
    }

    #[test]
    fn the_place_is_that_of_the_list_that_decides() {
        let (r, a) = (refuse(), allow());
        let place = |findings: &[(&List, Finding)]| by_lists(findings.iter().cloned()).1;
        assert_eq!(place(&[(&r, Finding::NotListed), (&r, listed("x"))]), 1);
        assert_eq!(place(&[(&a, listed("")), (&r, listed("x"))]), 0);
        assert_eq!(place(&[(&r, Finding::Failed), (&a, Finding::NotListed)]), 2);
    }

    #[test]
    fn a_failure_is_open_or_closed_and_forbids_permanent_errors() {
        let (r, a) = (refuse(), allow());
        let closed = |list: &List| List { fails_closed: true, ..list.clone() };
        let bounces = List { bounces: true, ..refuse() };
        let (closed_r, closed_a) = (closed(&r), closed(&a));
        assert_eq!(verdict([(&bounces, listed("x"))]), refused("553 x"));
        assert_eq!(verdict([(&r, Finding::Failed), (&bounces, listed("x"))]), refused("451 x"));
        assert_eq!(
            verdict([(&closed_a, Finding::Failed), (&bounces, listed("x"))]),
            refused("451 x")
        );
        assert_eq!(verdict([(&a, Finding::Failed), (&bounces, listed("x"))]), Verdict::Accept);
        let error = refused("451 temporary RBL lookup error");
        assert_eq!(verdict([(&closed_r, Finding::Failed)]), error);
    }

    #[test]
    fn a_reason_is_short_and_printable() {
        let long = "y".repeat(201);
        assert_eq!(
            verdict([(&refuse(), listed(&long))]),
            refused(&format!("451 {}", "y".repeat(200)))
        );
        assert_eq!(verdict([(&refuse(), listed("a\r\nb\x7f\u{e9}"))]), refused("451 a??b???"));
    }
}
