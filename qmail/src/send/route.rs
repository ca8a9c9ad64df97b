//! Recipient → local, remote or virtual; and the sender that a recipient is sent from.

use std::borrow::Cow;

use crate::domains::{DomainMap, DomainSet};
use crate::send::Channel;

/// What the control files say about recipients.
#[derive(Clone, Debug, Default)]
pub struct Routes {
    /// Domains whose addresses are local as they are.
    pub locals: DomainSet,
    /// Domains in which `user%host` stands for `user@host`.
    pub percenthack: DomainSet,
    /// What is put before addresses that are somebody's.
    pub virtualdomains: DomainMap,
    /// The domain of addresses that have none.
    pub envnoathost: Vec<u8>,
}

impl Routes {
    /// Where mail to `recipient` goes, and under which address.
    ///
    /// In this order: a missing domain is added; percent signs are resolved; a domain of locals is
    /// local; a key of virtualdomains puts its value and `-` in front and is local, or leaves the
    /// address remote if the value is empty; anything else is remote. Domains end the address after
    /// its last `@` and have no case. Source: qmail-send(8).
    #[must_use]
    pub fn route<'a>(&self, recipient: &'a [u8]) -> (Channel, Cow<'a, [u8]>) {
        let mut address = Cow::Borrowed(recipient);
        let mut at = memchr::memrchr(b'@', recipient).unwrap_or_else(|| {
            let address = address.to_mut();
            address.push(b'@');
            address.extend_from_slice(&self.envnoathost);
            recipient.len()
        });
        while self.percenthack.contains(address.get(at + 1..).unwrap_or_default()) {
            let percent = address.get(..at).and_then(|local| memchr::memrchr(b'%', local));
            let Some(percent) = percent else { break };
            let address = address.to_mut();
            address.truncate(at);
            address.splice(percent..=percent, *b"@");
            at = percent;
        }
        if self.locals.contains(domain(&address)) {
            return (Channel::Local, address);
        }
        match self.virtualdomains.address(&address) {
            None | Some(b"") => (Channel::Remote, address),
            Some(prepend) => (Channel::Local, [prepend, b"-", &address].concat().into()),
        }
    }

    /// The address that `recipient` of `channel` had before virtualdomains put something in front.
    #[must_use]
    pub fn without_prepend<'a>(&self, channel: Channel, recipient: &'a [u8]) -> &'a [u8] {
        if channel == Channel::Remote {
            return recipient;
        }
        let at = memchr::memrchr(b'@', recipient).unwrap_or(0);
        let local = recipient.get(..at).unwrap_or_default();
        // A key that is a whole address leaves no other trace than that it is one.
        let of_address = memchr::memchr_iter(b'-', local).find_map(|dash| {
            let (prepend, address) = (local.get(..dash)?, recipient.get(dash + 1..)?);
            (self.virtualdomains.get(address)? == prepend).then_some(address)
        });
        let of_domain = || {
            let prepend = self.virtualdomains.host(domain(recipient)).filter(|p| !p.is_empty())?;
            recipient.strip_prefix(prepend)?.strip_prefix(b"-")
        };
        of_address.or_else(of_domain).unwrap_or(recipient)
    }
}

/// What follows the last `@`; nothing without one.
fn domain(address: &[u8]) -> &[u8] {
    let at = memchr::memrchr(b'@', address);
    at.and_then(|at| address.get(at + 1..)).unwrap_or_default()
}

/// What ends a sender that is to be another for each recipient.
const VERP: &[u8] = b"-@[]";

/// The envelope sender for one recipient: `list-@host-@[]` becomes `list-user=domain@host` for
/// `user@domain`; any other sender is used as it is. Source: qmail-send(8).
#[must_use]
pub fn sender_for<'a>(sender: &'a [u8], recipient: &[u8]) -> Cow<'a, [u8]> {
    let expanded = || {
        let list = sender.strip_suffix(VERP)?;
        let (before, host) = wire::text::rsplit_once(list, b'@')?;
        let (user, domain) = wire::text::rsplit_once(recipient, b'@')?;
        Some([before, user, b"=", domain, b"@", host].concat())
    };
    expanded().map_or(Cow::Borrowed(sender), Cow::Owned)
}

/// The host that a recipient is at: what stands behind the last `@`.
#[must_use]
pub fn host_of(recipient: &[u8]) -> &[u8] {
    wire::text::rsplit_once(recipient, b'@').map_or(b"", |(_, host)| host)
}

/// The sender that bounces go to: without the mark that makes it another for each recipient.
#[must_use]
pub fn bounces_to(sender: &[u8]) -> &[u8] {
    sender.strip_suffix(VERP).unwrap_or(sender)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn set(lines: &[&str]) -> DomainSet {
        DomainSet::new(lines.iter().map(|line| line.as_bytes()))
    }

    fn routes() -> Routes {
        Routes {
            locals: set(&["mail.example.test", "both.test"]),
            percenthack: set(&["ph.test"]),
            virtualdomains: DomainMap::new(
                [
                    "virt.test:spec-virt",
                    "one@single.test:spec-one",
                    ".wild.test:spec-wild",
                    "out.wild.test:",
                    "both.test:never",
                ]
                .map(str::as_bytes),
            ),
            envnoathost: b"mail.example.test".into(),
        }
    }

    fn route(recipient: &str) -> (Channel, String) {
        let routes = routes();
        let (channel, address) = routes.route(recipient.as_bytes());
        (channel, String::from_utf8(address.into_owned()).unwrap())
    }

    fn local(address: &str) -> (Channel, String) {
        (Channel::Local, address.to_owned())
    }

    fn remote(address: &str) -> (Channel, String) {
        (Channel::Remote, address.to_owned())
    }

    #[test]
    fn an_address_without_a_domain_gets_one() {
        assert_eq!(route("nohost"), local("nohost@mail.example.test"));
        assert_eq!(route(""), local("@mail.example.test"));
    }

    #[test]
    fn the_last_at_sign_counts_and_case_is_kept() {
        assert_eq!(route("a@b@Mail.Example.TEST"), local("a@b@Mail.Example.TEST"));
        assert_eq!(route("a@mail.example.test@b"), remote("a@mail.example.test@b"));
        assert_eq!(route("a@sub.mail.example.test"), remote("a@sub.mail.example.test"));
    }

    #[test]
    fn percent_signs_are_resolved_from_the_right() {
        assert_eq!(route("user%x.remote@ph.test"), remote("user@x.remote"));
        assert_eq!(route("user%mail.example.test@PH.test"), local("user@mail.example.test"));
        assert_eq!(route("a%b%c@ph.test"), remote("a%b@c"));
        assert_eq!(route("a%b%ph.test@ph.test"), remote("a@b"));
        assert_eq!(route("user@ph.test"), remote("user@ph.test"));
        assert_eq!(route("a%b@c@ph.test"), remote("a@b@c"));
        assert_eq!(route("a%b@other.test"), remote("a%b@other.test"));
    }

    #[test]
    fn virtual_domains_are_local_with_a_prefix() {
        assert_eq!(route("x@virt.test"), local("spec-virt-x@virt.test"));
        assert_eq!(route("a@b.wild.test"), local("spec-wild-a@b.wild.test"));
        assert_eq!(route("a@wild.test"), remote("a@wild.test"));
        assert_eq!(route("ONE@single.test"), local("spec-one-ONE@single.test"));
        assert_eq!(route("two@single.test"), remote("two@single.test"));
        assert_eq!(route("a@out.wild.test"), remote("a@out.wild.test"));
    }

    #[test]
    fn locals_come_before_virtual_domains() {
        assert_eq!(route("a@both.test"), local("a@both.test"));
    }

    #[test]
    fn the_empty_key_takes_what_is_left() {
        let mut routes = routes();
        routes.virtualdomains = DomainMap::new([&b":alias-uucp"[..]]);
        let (channel, address) = routes.route(b"x@anywhere");
        assert_eq!((channel, &address[..]), (Channel::Local, &b"alias-uucp-x@anywhere"[..]));
    }

    #[test]
    fn bounces_show_what_the_sender_wrote() {
        let routes = routes();
        let shown = |recipient: &'static str| {
            let shown = routes.without_prepend(Channel::Local, recipient.as_bytes());
            std::str::from_utf8(shown).unwrap()
        };
        assert_eq!(shown("spec-virt-x@virt.test"), "x@virt.test");
        assert_eq!(shown("spec-wild-a@b.wild.test"), "a@b.wild.test");
        assert_eq!(shown("spec-one-one@single.test"), "one@single.test");
        assert_eq!(shown("spec-virtx@virt.test"), "spec-virtx@virt.test");
        assert_eq!(shown("spec-virt-x@other.test"), "spec-virt-x@other.test");
        assert_eq!(shown("spec-virt-nohost"), "spec-virt-nohost");
        let remote = routes.without_prepend(Channel::Remote, b"spec-one-one@single.test");
        assert_eq!(remote, b"spec-one-one@single.test");
    }

    #[test]
    fn a_list_s_sender_names_the_recipient() {
        let sender = |sender, recipient| sender_for(sender, recipient).into_owned();
        let list = b"list-@mail.example.test-@[]";
        assert_eq!(sender(list, b"u1@remote.test"), b"list-u1=remote.test@mail.example.test");
        assert_eq!(sender(list, b"a@b@c"), b"list-a@b=c@mail.example.test");
        assert_eq!(sender(list, b"nohost"), list);
        assert_eq!(sender(b"a@b", b"u1@remote.test"), b"a@b");
        assert_eq!(sender(b"list-@[]", b"u1@remote.test"), b"list-@[]");
        assert_eq!(sender(b"-@[]", b"u1@remote.test"), b"-@[]");
        assert_eq!(sender(b"#@[]", b"u1@remote.test"), b"#@[]");
        assert_eq!(sender(b"@-@[]", b"u1@remote.test"), b"u1=remote.test@");
    }

    #[test]
    fn a_list_s_bounces_go_to_its_owner() {
        assert_eq!(bounces_to(b"list-@host-@[]"), b"list-@host");
        assert_eq!(bounces_to(b"#@[]"), b"#@[]");
        assert_eq!(bounces_to(b"-@[]"), b"");
        assert_eq!(bounces_to(b""), b"");
    }

    proptest! {
        #[test]
        fn every_recipient_has_a_domain_afterwards(recipient in "[a-c%@.-]{0,12}") {
            let routes = routes();
            let (_, address) = routes.route(recipient.as_bytes());
            prop_assert!(address.contains(&b'@'));
        }

        #[test]
        fn what_is_put_in_front_is_taken_away_again(
            user in "[a-c-]{0,4}",
            domain in "(virt|single|b\\.wild|out\\.wild|other)\\.test",
        ) {
            let routes = routes();
            let wanted = format!("{user}@{domain}").into_bytes();
            let (channel, address) = routes.route(&wanted);
            prop_assert_eq!(routes.without_prepend(channel, &address), &wanted[..]);
        }

        #[test]
        fn any_bytes_are_routed(recipient: Vec<u8>, sender: Vec<u8>) {
            let (channel, address) = routes().route(&recipient);
            let _ = routes().without_prepend(channel, &address);
            let _ = sender_for(&sender, &address);
        }
    }
}
