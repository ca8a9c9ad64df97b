//! Names of the variables that describe a connection.
//!
//! Source: the UNIX Client-Server Program Interface, 1996, and tcp-environ(5).

/// The variable that names the protocol; its value begins the names of the others.
pub const PROTO: &[u8] = b"PROTO";

/// The value of `PROTO` over IPv4.
pub const TCP: &[u8] = b"TCP";

/// The value of `PROTO` over IPv6.
pub const TCP6: &[u8] = b"TCP6";

/// `TCPLOCALIP`: the address that the client reached.
pub const LOCAL_IP: &[u8] = b"TCPLOCALIP";
/// `TCPLOCALPORT`: the port that the client reached, in decimal.
pub const LOCAL_PORT: &[u8] = b"TCPLOCALPORT";
/// `TCPLOCALHOST`: the local host's name, absent if it is unknown.
pub const LOCAL_HOST: &[u8] = b"TCPLOCALHOST";
/// `TCPREMOTEIP`: the peer's address.
pub const REMOTE_IP: &[u8] = b"TCPREMOTEIP";
/// `TCPREMOTEPORT`: the peer's port, in decimal.
pub const REMOTE_PORT: &[u8] = b"TCPREMOTEPORT";
/// `TCPREMOTEHOST`: the peer's name in lower case, absent if it is unknown.
pub const REMOTE_HOST: &[u8] = b"TCPREMOTEHOST";
/// `TCPREMOTEINFO`: what the peer's ident server says, absent if it was not asked or failed.
pub const REMOTE_INFO: &[u8] = b"TCPREMOTEINFO";

/// `TCP6LOCALIP`: as `TCPLOCALIP`, in IPv6 form for both families.
pub const LOCAL_IP6: &[u8] = b"TCP6LOCALIP";
/// `TCP6LOCALPORT`: as `TCPLOCALPORT`.
pub const LOCAL_PORT6: &[u8] = b"TCP6LOCALPORT";
/// `TCP6LOCALHOST`: as `TCPLOCALHOST`.
pub const LOCAL_HOST6: &[u8] = b"TCP6LOCALHOST";
/// `TCP6REMOTEIP`: as `TCPREMOTEIP`, in IPv6 form for both families.
pub const REMOTE_IP6: &[u8] = b"TCP6REMOTEIP";
/// `TCP6REMOTEPORT`: as `TCPREMOTEPORT`.
pub const REMOTE_PORT6: &[u8] = b"TCP6REMOTEPORT";
/// `TCP6REMOTEHOST`: as `TCPREMOTEHOST`.
pub const REMOTE_HOST6: &[u8] = b"TCP6REMOTEHOST";
/// `TCP6REMOTEINFO`: as `TCPREMOTEINFO`.
pub const REMOTE_INFO6: &[u8] = b"TCP6REMOTEINFO";
/// `TCP6INTERFACE`: the network interface of a link-local peer, absent for any other.
pub const INTERFACE6: &[u8] = b"TCP6INTERFACE";

/// The name of a variable of any UCSPI protocol: `PROTO` and what it is about, as in
/// `SSL` and `REMOTEIP`.
#[must_use]
pub fn name(proto: &[u8], what: &[u8]) -> Vec<u8> {
    [proto, what].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_begins_with_the_protocol() {
        assert_eq!(name(TCP, b"REMOTEIP"), REMOTE_IP);
        assert_eq!(name(TCP6, b"LOCALHOST"), LOCAL_HOST6);
        assert_eq!(name(b"UNIX", b"REMOTEPID"), b"UNIXREMOTEPID");
    }
}
