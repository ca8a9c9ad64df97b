//! How long a connection has been quiet.
#![expect(unsafe_code, reason = "TCP_INFO has no safe wrapper")]

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

/// For how long no bytes have come from the peer, nor gone there and been acknowledged.
///
/// Probes that keep the connection alive, or that ask a peer who does not read for room, are no
/// traffic; nor are bytes sent again and again to a peer who is gone. Source: tcp(7), `TCP_INFO`.
pub fn quiet(socket: &impl AsFd) -> io::Result<Duration> {
    let mut info = MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = u32::try_from(size_of::<libc::tcp_info>()).unwrap_or_default();
    // SAFETY: the kernel writes at most `length` bytes into `info`.
    let result = unsafe {
        libc::getsockopt(
            socket.as_fd().as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: numbers only, and zero where the kernel wrote nothing.
    let info = unsafe { info.assume_init() };
    let sent = info.tcpi_last_data_sent.max(info.tcpi_last_ack_recv);
    Ok(Duration::from_millis(sent.min(info.tcpi_last_data_recv).into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_new_connection_has_not_been_quiet_for_long() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        assert!(quiet(&client).unwrap() < Duration::from_mins(1));
        assert!(quiet(&server).unwrap() < Duration::from_mins(1));
        assert!(quiet(&crate::fd::pipe().unwrap().0).is_err());
    }
}
