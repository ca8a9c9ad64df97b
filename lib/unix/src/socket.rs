//! Listening, connecting with a timeout, local and remote addresses.

mod hand;
mod local;
mod traffic;

use std::ffi::OsStr;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::time::{Duration, Instant};

use nix::net::if_::{InterfaceFlags, if_indextoname, if_nametoindex};
use nix::sys::socket::{MsgFlags, SockaddrStorage};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};

use crate::poll;

pub use hand::{channel, hand_over, pair, send_now, take_over, wait_over};
pub use local::{accept_local, connect_at, listen_at, peer_user};
pub use traffic::quiet;

/// The steps of [`listen`], each with an error message of its own in tcpserver.
#[derive(Debug)]
pub enum ListenError {
    /// socket(2).
    Create(io::Error),
    /// bind(2), with `SO_REUSEADDR`.
    Bind(io::Error),
    /// listen(2).
    Listen(io::Error),
}

/// A TCP socket that listens at `address`.
///
/// An IPv6 address takes IPv6 connections only if `v6_only`; otherwise `::` takes both families.
pub fn listen(address: SocketAddr, backlog: i32, v6_only: bool) -> Result<OwnedFd, ListenError> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(ListenError::Create)?;
    if address.is_ipv6() {
        socket.set_only_v6(v6_only).map_err(ListenError::Bind)?;
    }
    socket.set_reuse_address(true).map_err(ListenError::Bind)?;
    socket.bind(&address.into()).map_err(ListenError::Bind)?;
    socket.listen(backlog).map_err(ListenError::Listen)?;
    Ok(socket.into())
}

/// The next connection of `listener`, closed on exec, and where it comes from.
pub fn accept(listener: &impl AsFd) -> io::Result<(OwnedFd, SocketAddr)> {
    let (socket, address) = SockRef::from(listener).accept()?;
    Ok((socket.into(), inet(&address)?))
}

/// The steps of [`connect_in_steps`], each with an error message of its own in tcpclient.
#[derive(Debug)]
pub enum ConnectError {
    /// socket(2).
    Create(io::Error),
    /// bind(2).
    Bind(io::Error),
    /// connect(2), or its limit, which is `ETIMEDOUT`.
    Connect(io::Error),
}

impl From<ConnectError> for io::Error {
    fn from(error: ConnectError) -> io::Error {
        let (ConnectError::Create(error)
        | ConnectError::Bind(error)
        | ConnectError::Connect(error)) = error;
        error
    }
}

/// Connects to `address`, from `local` if given, within `limit`. The socket is blocking.
pub fn connect(
    address: SocketAddr,
    local: Option<SocketAddr>,
    limit: Duration,
) -> io::Result<OwnedFd> {
    Ok(connect_in_steps(address, local, limit)?)
}

/// As [`connect`], for callers that need to know what failed.
pub fn connect_in_steps(
    address: SocketAddr,
    local: Option<SocketAddr>,
    limit: Duration,
) -> Result<OwnedFd, ConnectError> {
    let deadline = Instant::now() + limit;
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))
        .map_err(ConnectError::Create)?;
    if let Some(local) = local {
        socket.bind(&local.into()).map_err(ConnectError::Bind)?;
    }
    finish_connect(&socket, address, deadline).map_err(ConnectError::Connect)?;
    Ok(socket.into())
}

fn finish_connect(socket: &Socket, address: SocketAddr, deadline: Instant) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {
            if !poll::until(socket, true, Some(deadline))? {
                return Err(io::Error::from_raw_os_error(libc::ETIMEDOUT));
            }
            if let Some(error) = socket.take_error()? {
                return Err(error);
            }
        }
        other => other?,
    }
    socket.set_nonblocking(false)
}

/// Begins to connect to `address` and does not wait. The socket is non-blocking; once it is
/// writable, [`error`] says whether it is connected.
pub fn begin_connect(address: SocketAddr, local: Option<SocketAddr>) -> io::Result<OwnedFd> {
    let kind = Type::STREAM.nonblocking();
    let socket = Socket::new(Domain::for_address(address), kind, Some(Protocol::TCP))?;
    if let Some(local) = local {
        socket.bind(&local.into())?;
    }
    match socket.connect(&address.into()) {
        Err(error) if error.raw_os_error() == Some(libc::EINPROGRESS) => {}
        other => other?,
    }
    Ok(socket.into())
}

/// The error that waits at a socket, which is thereby taken off it.
pub fn error(socket: &impl AsFd) -> io::Result<()> {
    match SockRef::from(socket).take_error()? {
        Some(error) => Err(error),
        None => Ok(()),
    }
}

/// Receives a datagram into `buffer` if there is one (`EAGAIN` if not), and gives its length; what
/// does not fit is dropped.
pub fn receive(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = MsgFlags::MSG_DONTWAIT;
    Ok(nix::sys::socket::recv(socket.as_fd().as_raw_fd(), buffer, flags)?)
}

/// As [`receive`], and what is received stays to be received again.
pub fn peek(socket: &impl AsFd, buffer: &mut [u8]) -> io::Result<usize> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_PEEK;
    Ok(nix::sys::socket::recv(socket.as_fd().as_raw_fd(), buffer, flags)?)
}

/// Sends what the socket takes without waiting (`EAGAIN` if that is nothing).
pub fn send(socket: &impl AsFd, bytes: &[u8]) -> io::Result<usize> {
    let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
    Ok(nix::sys::socket::send(socket.as_fd().as_raw_fd(), bytes, flags)?)
}

/// Whether a call failed because its descriptor is no socket.
#[must_use]
pub fn is_not_one(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOTSOCK)
}

/// A UDP socket connected to `address`, so that only its answers are received.
pub fn datagram(address: SocketAddr) -> io::Result<OwnedFd> {
    let socket = Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    socket.connect(&address.into())?;
    Ok(socket.into())
}

/// Ends a connection in both directions, whoever else has a descriptor for it.
pub fn shut_down(socket: &impl AsFd) -> io::Result<()> {
    SockRef::from(socket).shutdown(std::net::Shutdown::Both)
}

/// Whether the descriptor is a TCP socket that listens.
#[must_use]
pub fn is_listening(fd: &impl AsFd) -> bool {
    let socket = SockRef::from(fd);
    socket.is_listener().unwrap_or(false) && socket.r#type().is_ok_and(|kind| kind == Type::STREAM)
}

/// Whether the descriptor is a socket that keeps messages apart, and listens.
#[must_use]
pub fn is_listening_for_packets(fd: &impl AsFd) -> bool {
    let socket = SockRef::from(fd);
    let kind = socket.r#type();
    socket.is_listener().unwrap_or(false) && kind.is_ok_and(|kind| kind == Type::SEQPACKET)
}

/// Our end of a connection.
pub fn local_address(socket: &impl AsFd) -> io::Result<SocketAddr> {
    inet(&SockRef::from(socket).local_addr()?)
}

/// The peer's end of a connection.
pub fn remote_address(socket: &impl AsFd) -> io::Result<SocketAddr> {
    inet(&SockRef::from(socket).peer_addr()?)
}

/// The addresses of this host's network interfaces, of those that are up.
pub fn interface_addresses() -> io::Result<Vec<IpAddr>> {
    let address = |storage: SockaddrStorage| match storage.as_sockaddr_in() {
        Some(four) => Some(IpAddr::V4(four.ip())),
        None => storage.as_sockaddr_in6().map(|six| IpAddr::V6(six.ip())),
    };
    let interfaces = nix::ifaddrs::getifaddrs()?;
    Ok(interfaces
        .filter(|interface| interface.flags.contains(InterfaceFlags::IFF_UP))
        .filter_map(|interface| interface.address.and_then(address))
        .collect())
}

/// The number of a network interface; `ENODEV` if there is none of that name.
pub fn interface_index(name: &OsStr) -> io::Result<u32> {
    Ok(if_nametoindex(name)?)
}

/// The name of the network interface with that number.
pub fn interface_name(index: u32) -> io::Result<Vec<u8>> {
    let name = if_indextoname(index)?.into_bytes();
    // nix gives an empty name where the kernel knows none.
    if name.is_empty() { Err(io::Error::from_raw_os_error(libc::ENXIO)) } else { Ok(name) }
}

/// Sends small writes at once (`TCP_NODELAY`).
pub fn no_delay(socket: &impl AsFd) -> io::Result<()> {
    SockRef::from(socket).set_tcp_nodelay(true)
}

/// Has the kernel ask a peer that has been quiet for `idle`, whole seconds from one to 32767, whether
/// it is still there (`SO_KEEPALIVE`, `TCP_KEEPIDLE`).
pub fn keep_alive(socket: &impl AsFd, idle: Duration) -> io::Result<()> {
    SockRef::from(socket).set_tcp_keepalive(&TcpKeepalive::new().with_time(idle))
}

/// Removes the IP options, source routes among them, that the peer's SYN brought.
pub fn clear_ip_options(socket: &impl AsFd) -> io::Result<()> {
    ip_options::clear(socket.as_fd().as_raw_fd())
}

mod ip_options {
    #![expect(unsafe_code, reason = "IP_OPTIONS has no safe wrapper")]

    pub(super) fn clear(socket: std::os::fd::RawFd) -> std::io::Result<()> {
        // SAFETY: an empty option value: the kernel reads nothing.
        let result = unsafe {
            libc::setsockopt(socket, libc::IPPROTO_IP, libc::IP_OPTIONS, std::ptr::null(), 0)
        };
        if result < 0 { Err(std::io::Error::last_os_error()) } else { Ok(()) }
    }
}

fn inet(address: &SockAddr) -> io::Result<SocketAddr> {
    address.as_socket().ok_or_else(|| io::Error::from_raw_os_error(libc::EAFNOSUPPORT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_agree_on_their_addresses() {
        let listener = listen("127.0.0.1:0".parse().unwrap(), 5, false).unwrap();
        let at = local_address(&listener).unwrap();
        let client = connect(at, None, Duration::from_secs(5)).unwrap();
        assert!(poll::until(&listener, false, None).unwrap());
        let (server, from) = accept(&listener).unwrap();
        assert_eq!(from, local_address(&client).unwrap());
        assert_eq!(remote_address(&client).unwrap(), local_address(&server).unwrap());
        assert!(is_listening(&listener) && !is_listening(&server));
        let mut bytes = [0; 9];
        assert_eq!(peek(&server, &mut bytes).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        shut_down(&client).unwrap();
        assert!(poll::until(&server, false, None).unwrap());
        assert_eq!(peek(&server, &mut bytes).unwrap(), 0);
        clear_ip_options(&server).unwrap();
        no_delay(&server).unwrap();
        assert!(!SockRef::from(&server).keepalive().unwrap());
        keep_alive(&server, Duration::from_secs(77)).unwrap();
        assert!(SockRef::from(&server).keepalive().unwrap());
        assert_eq!(SockRef::from(&server).tcp_keepalive_time().unwrap(), Duration::from_secs(77));
    }

    #[test]
    fn the_loopback_interface_has_an_address() {
        assert!(interface_addresses().unwrap().contains(&"127.0.0.1".parse().unwrap()));
    }

    #[test]
    fn an_interface_has_a_number_and_a_name() {
        let index = interface_index("lo".as_ref()).unwrap();
        assert_eq!(interface_name(index).unwrap(), b"lo");
        assert!(interface_index("no such interface".as_ref()).is_err());
        assert!(interface_name(u32::MAX).is_err());
    }

    #[test]
    fn nobody_listening_is_refused() {
        // An address that no other test uses, and so none gets that port.
        let listener = listen("127.9.8.7:0".parse().unwrap(), 5, false).unwrap();
        let at = local_address(&listener).unwrap();
        drop(listener);
        // A child of another test may have it, until it executes its program.
        let mut tries = (0..1000).map(|_| connect(at, None, Duration::from_secs(5)));
        let error = tries.find_map(Result::err).unwrap();
        assert_eq!(error.raw_os_error(), Some(libc::ECONNREFUSED));
    }
}
