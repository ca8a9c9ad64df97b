//! What the servers and clients of TCP tell their program: the environment of a connection.

use std::net::{IpAddr, SocketAddr};

use crate::{decimal, ip, ucspi};

/// Every variable that describes a connection. A server sets some of these and removes the others,
/// so that no inherited value is taken for one of this connection.
pub const VARIABLES: [&[u8]; 16] = [
    ucspi::PROTO,
    ucspi::LOCAL_IP,
    ucspi::LOCAL_PORT,
    ucspi::LOCAL_HOST,
    ucspi::REMOTE_IP,
    ucspi::REMOTE_PORT,
    ucspi::REMOTE_HOST,
    ucspi::REMOTE_INFO,
    ucspi::LOCAL_IP6,
    ucspi::LOCAL_PORT6,
    ucspi::LOCAL_HOST6,
    ucspi::REMOTE_IP6,
    ucspi::REMOTE_PORT6,
    ucspi::REMOTE_HOST6,
    ucspi::REMOTE_INFO6,
    ucspi::INTERFACE6,
];

/// Longest field of a log line.
const FIELD: usize = 100;

/// Both ends of a connection, and what is known of them.
#[derive(Clone, Debug)]
pub struct Connection {
    /// Our end.
    pub local: SocketAddr,
    /// The peer's end.
    pub remote: SocketAddr,
    /// This host's name.
    pub local_host: Option<Vec<u8>>,
    /// The peer's name.
    pub remote_host: Option<Vec<u8>>,
    /// What the peer says about its user.
    pub remote_info: Option<Vec<u8>>,
    /// The network interface of a link-local peer.
    pub interface: Option<Vec<u8>>,
    /// Tells of IPv4 addresses in their IPv6 form.
    pub as_ipv6: bool,
}

impl Connection {
    /// A connection of which only the addresses are known.
    #[must_use]
    pub fn new(local: SocketAddr, remote: SocketAddr, as_ipv6: bool) -> Connection {
        Connection {
            local,
            remote,
            local_host: None,
            remote_host: None,
            remote_info: None,
            interface: None,
            as_ipv6,
        }
    }

    /// Whether the program is told of `TCP6`: the peer has an IPv6 address, or is to seem so.
    #[must_use]
    pub fn is_ipv6(&self) -> bool {
        self.as_ipv6 || ip::unmapped(self.remote.ip()).is_ipv6()
    }

    /// The peer's address as rules have it: one that came by IPv4 is an IPv4 address.
    #[must_use]
    pub fn rule_ip(&self) -> Vec<u8> {
        ip::text(ip::unmapped(self.remote.ip()))
    }

    fn shown(&self, address: IpAddr) -> IpAddr {
        shown(address, self.as_ipv6)
    }

    /// Appends the peer's address as the program is told of it.
    pub fn push_remote_ip(&self, out: &mut Vec<u8>) {
        ip::push(out, self.shown(self.remote.ip()));
    }

    /// Calls `set` with the name and value of each variable that is to be set; those of
    /// [`VARIABLES`] that are not among them are to be removed.
    ///
    /// Source: tcp-environ(5); the variables of IPv6 are those of the IPv6 edition, but are
    /// set only when `PROTO` is `TCP6`.
    pub fn variables<E>(
        &self,
        mut set: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let six = self.is_ipv6();
        let mut text = Vec::with_capacity(ip::LONGEST);
        set(ucspi::PROTO, if six { ucspi::TCP6 } else { ucspi::TCP })?;
        let mut both = |name: &[u8], name6: &[u8], value: &[u8]| {
            set(name, value)?;
            if six { set(name6, value) } else { Ok(()) }
        };
        let mut with = |name: &[u8], name6: &[u8], push: &dyn Fn(&mut Vec<u8>)| {
            text.clear();
            push(&mut text);
            both(name, name6, &text)
        };
        let (local, remote) = (self.local, self.remote);
        with(ucspi::LOCAL_IP, ucspi::LOCAL_IP6, &|out| ip::push(out, self.shown(local.ip())))?;
        let push_local_port = |out: &mut Vec<u8>| decimal::push(out, local.port().into());
        with(ucspi::LOCAL_PORT, ucspi::LOCAL_PORT6, &push_local_port)?;
        with(ucspi::REMOTE_IP, ucspi::REMOTE_IP6, &|out| self.push_remote_ip(out))?;
        let push_remote_port = |out: &mut Vec<u8>| decimal::push(out, remote.port().into());
        with(ucspi::REMOTE_PORT, ucspi::REMOTE_PORT6, &push_remote_port)?;
        if let Some(host) = &self.local_host {
            both(ucspi::LOCAL_HOST, ucspi::LOCAL_HOST6, host)?;
        }
        if let Some(host) = &self.remote_host {
            both(ucspi::REMOTE_HOST, ucspi::REMOTE_HOST6, host)?;
        }
        if let Some(info) = &self.remote_info {
            both(ucspi::REMOTE_INFO, ucspi::REMOTE_INFO6, info)?;
        }
        match &self.interface {
            Some(interface) if six => set(ucspi::INTERFACE6, interface),
            _ => Ok(()),
        }
    }

    /// Appends the fields of an `ok` or `deny` line: `LHOST:LIP:LPORT RHOST:RIP:INFO:RPORT`.
    ///
    /// What is unknown is empty. IPv6 addresses keep their colons: a name ends at the first colon,
    /// and the last field is the port.
    pub fn push_fields(&self, out: &mut Vec<u8>) {
        push_field(out, self.local_host.as_deref());
        out.push(b':');
        ip::push(out, self.shown(self.local.ip()));
        out.push(b':');
        decimal::push(out, self.local.port().into());
        out.push(b' ');
        push_field(out, self.remote_host.as_deref());
        out.push(b':');
        self.push_remote_ip(out);
        out.push(b':');
        push_field(out, self.remote_info.as_deref());
        out.push(b':');
        decimal::push(out, self.remote.port().into());
    }
}

/// An address as the program and the log are told of it: one that came by IPv4 is an IPv4 address, or
/// is to seem IPv6.
#[must_use]
pub fn shown(address: IpAddr, as_ipv6: bool) -> IpAddr {
    if as_ipv6 { ip::mapped(address).into() } else { ip::unmapped(address) }
}

/// Appends text that others chose so that it cannot break the line or its fields: up to 99 bytes, or
/// 100 and `...`, with `?` for blanks, controls, bytes above 126, `%` and `:`.
pub fn push_field(out: &mut Vec<u8>, text: Option<&[u8]>) {
    let text = text.unwrap_or_default();
    out.extend(text.iter().take(FIELD).map(|&byte| match byte {
        b'%' | b':' | ..33 | 127.. => b'?',
        _ => byte,
    }));
    if text.len() >= FIELD {
        out.extend_from_slice(b"...");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::convert::Infallible;

    fn connection(local: &str, remote: &str) -> Connection {
        Connection::new(local.parse().unwrap(), remote.parse().unwrap(), false)
    }

    fn set(connection: &Connection) -> Vec<String> {
        let mut found = Vec::new();
        let done: Result<(), Infallible> = connection.variables(|name, value| {
            let (name, value) = (String::from_utf8_lossy(name), String::from_utf8_lossy(value));
            found.push(format!("{name}={value}"));
            Ok(())
        });
        assert_eq!(done, Ok(()));
        found
    }

    fn fields(connection: &Connection) -> String {
        let mut out = Vec::new();
        connection.push_fields(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn an_ipv4_peer_looks_as_ever_on_a_socket_for_both_families() {
        let connection = connection("[::ffff:127.0.0.1]:25", "[::ffff:192.0.2.1]:40000");
        let expected = [
            "PROTO=TCP",
            "TCPLOCALIP=127.0.0.1",
            "TCPLOCALPORT=25",
            "TCPREMOTEIP=192.0.2.1",
            "TCPREMOTEPORT=40000",
        ];
        assert_eq!(set(&connection), expected);
        assert_eq!(fields(&connection), ":127.0.0.1:25 :192.0.2.1::40000");
        assert_eq!(connection.rule_ip(), b"192.0.2.1");
    }

    #[test]
    fn an_ipv6_peer_has_both_sets_of_variables() {
        let mut connection = connection("[2001:db8::1]:25", "[fe80::2]:40000");
        connection.local_host = Some(b"a.b".to_vec());
        connection.interface = Some(b"eth0".to_vec());
        let expected = [
            "PROTO=TCP6",
            "TCPLOCALIP=2001:db8::1",
            "TCP6LOCALIP=2001:db8::1",
            "TCPLOCALPORT=25",
            "TCP6LOCALPORT=25",
            "TCPREMOTEIP=fe80::2",
            "TCP6REMOTEIP=fe80::2",
            "TCPREMOTEPORT=40000",
            "TCP6REMOTEPORT=40000",
            "TCPLOCALHOST=a.b",
            "TCP6LOCALHOST=a.b",
            "TCP6INTERFACE=eth0",
        ];
        assert_eq!(set(&connection), expected);
        assert_eq!(fields(&connection), "a.b:2001:db8::1:25 :fe80::2::40000");
    }

    #[test]
    fn an_ipv4_peer_can_be_made_to_look_like_ipv6() {
        let mut connection = connection("127.0.0.1:25", "192.0.2.1:40000");
        connection.as_ipv6 = true;
        assert_eq!(set(&connection)[..2], ["PROTO=TCP6", "TCPLOCALIP=::ffff:127.0.0.1"]);
        assert_eq!(connection.rule_ip(), b"192.0.2.1");
    }

    #[test]
    fn each_variable_that_is_set_is_in_the_list() {
        let mut connection = connection("[::1]:1", "[::1]:2");
        connection.local_host = Some(Vec::new());
        connection.remote_host = Some(Vec::new());
        connection.remote_info = Some(Vec::new());
        connection.interface = Some(Vec::new());
        let mut names: Vec<Vec<u8>> = Vec::new();
        let done: Result<(), Infallible> = connection.variables(|name, _| {
            names.push(name.to_vec());
            Ok(())
        });
        assert_eq!(done, Ok(()));
        assert_eq!(names.len(), VARIABLES.len());
        assert!(VARIABLES.iter().all(|name| names.iter().any(|set| set == name)));
    }

    #[test]
    fn fields_are_short_and_harmless() {
        let mut connection = connection("127.0.0.1:25", "192.0.2.1:40000");
        connection.local_host = Some(b"a b:c%d\x7f\xff".to_vec());
        connection.remote_host = Some(vec![b'x'; 99]);
        connection.remote_info = Some(vec![b'y'; 100]);
        let (x, y) = ("x".repeat(99), "y".repeat(100));
        let expected = format!("a?b?c?d??:127.0.0.1:25 {x}:192.0.2.1:{y}...:40000");
        assert_eq!(fields(&connection), expected);
    }
}
