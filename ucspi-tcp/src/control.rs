//! A connection as the environment of a UCSPI program tells of it, whoever has accepted it.

use wire::{ip, ucspi};

use crate::connection::push_field;
use crate::rules::Peer;

/// What is said of a connection. Source: the UNIX Client-Server Program Interface, 1996.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    local_host: Option<Vec<u8>>,
    local_ip: Option<Vec<u8>>,
    local_port: Option<Vec<u8>>,
    remote_host: Option<Vec<u8>>,
    remote_ip: Option<Vec<u8>>,
    remote_port: Option<Vec<u8>>,
    remote_info: Option<Vec<u8>>,
}

impl Told {
    /// Reads the variables of `$PROTO` (`SSLREMOTEIP` for `SSL`), or of TCP without that, out of an
    /// environment.
    #[must_use]
    pub fn read(get: impl Fn(&[u8]) -> Option<Vec<u8>>) -> Told {
        let proto = get(ucspi::PROTO).filter(|proto| !proto.is_empty());
        let proto = proto.as_deref().unwrap_or(ucspi::TCP);
        let value = |what: &[u8]| get(&ucspi::name(proto, what));
        // Rules know a mapped address in its IPv4 form, and any other in the form of RFC 5952.
        let address = |what: &[u8]| {
            let text = value(what)?;
            Some(ip::parse(&text).map_or(text, |address| ip::text(ip::unmapped(address))))
        };
        Told {
            local_host: value(b"LOCALHOST"),
            local_ip: address(b"LOCALIP"),
            local_port: value(b"LOCALPORT"),
            remote_host: value(b"REMOTEHOST"),
            remote_ip: address(b"REMOTEIP"),
            remote_port: value(b"REMOTEPORT"),
            remote_info: value(b"REMOTEINFO"),
        }
    }

    /// The peer, for rules. Without an address only those that need none can match.
    #[must_use]
    pub fn peer(&self) -> Peer<'_> {
        Peer {
            ip: self.remote_ip.as_deref().unwrap_or_default(),
            host: self.remote_host.as_deref(),
            info: self.remote_info.as_deref(),
        }
    }

    /// Appends the fields of a log line as tcpserver has them: `LHOST:LIP:LPORT
    /// RHOST:RIP:INFO:RPORT`.
    pub fn push_fields(&self, out: &mut Vec<u8>) {
        push_field(out, self.local_host.as_deref());
        out.push(b':');
        push_address(out, self.local_ip.as_deref());
        out.push(b':');
        push_field(out, self.local_port.as_deref());
        out.push(b' ');
        push_field(out, self.remote_host.as_deref());
        out.push(b':');
        push_address(out, self.remote_ip.as_deref());
        out.push(b':');
        push_field(out, self.remote_info.as_deref());
        out.push(b':');
        push_field(out, self.remote_port.as_deref());
    }
}

/// An address keeps its colons; what is none is like any other text.
fn push_address(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) if ip::parse(text).is_some() => out.extend_from_slice(text),
        text => push_field(out, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(variables: &[(&str, &str)]) -> Told {
        Told::read(|name| {
            let found = variables.iter().find(|(known, _)| known.as_bytes() == name);
            found.map(|(_, value)| value.as_bytes().to_vec())
        })
    }

    fn fields(variables: &[(&str, &str)]) -> String {
        let mut out = Vec::new();
        told(variables).push_fields(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_fields_are_those_of_tcpserver() {
        let variables = [
            ("PROTO", "TCP"),
            ("TCPLOCALHOST", "a b:c%"),
            ("TCPLOCALIP", "127.0.0.1"),
            ("TCPLOCALPORT", "25"),
            ("TCPREMOTEIP", "192.0.2.1"),
            ("TCPREMOTEPORT", "40000"),
        ];
        assert_eq!(fields(&variables), "a?b?c?:127.0.0.1:25 :192.0.2.1::40000");
        assert_eq!(fields(&[]), ":: :::");
    }

    #[test]
    fn the_protocol_names_the_variables() {
        let told = told(&[
            ("PROTO", "SSL"),
            ("SSLREMOTEIP", "192.0.2.1"),
            ("SSLREMOTEINFO", "joe"),
            ("TCPREMOTEIP", "192.0.2.2"),
            ("TCPREMOTEHOST", "other.example"),
        ]);
        let peer = told.peer();
        assert_eq!((peer.ip, peer.host, peer.info), (&b"192.0.2.1"[..], None, Some(&b"joe"[..])));
    }

    #[test]
    fn addresses_are_those_that_rules_have() {
        let ip = |text| told(&[("TCPREMOTEIP", text)]).peer().ip.to_vec();
        assert_eq!(ip("::ffff:192.0.2.1"), b"192.0.2.1");
        assert_eq!(ip("2001:DB8:0::1"), b"2001:db8::1");
        assert_eq!(ip("nonsense"), b"nonsense");
        assert_eq!(ip(""), b"");
        assert_eq!(fields(&[("TCPREMOTEIP", "2001:db8::1")]), ":: :2001:db8::1::");
        assert_eq!(fields(&[("TCPREMOTEIP", "a:b\n")]), ":: :a?b?::");
    }
}
