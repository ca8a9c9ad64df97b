//! Sockets that have a path and keep messages apart (`SOCK_SEQPACKET`): unix(7).
#![expect(unsafe_code, reason = "a number that accept4(2) gives becomes an owned descriptor")]

use std::io;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};
use std::path::Path;

use nix::sys::socket::sockopt::PeerCredentials;
use nix::sys::socket::{
    AddressFamily, SockFlag, SockType, UnixAddr, accept4, bind, connect, getsockopt, socket,
};
use socket2::SockRef;

use crate::Uid;
use crate::dir::Dir;

/// A socket that listens under `name` in `directory`, where nothing of that name may be. Accepting does not
/// wait; whoever may write to the file may connect, and its mode is what the umask leaves of 0777.
pub fn listen_at(directory: &Dir, name: &Path, backlog: i32) -> io::Result<OwnedFd> {
    let socket = new()?;
    bind(socket.as_raw_fd(), &below(directory, name)?)?;
    // Not nix's, which refuses more than the C library's SOMAXCONN: 128 with musl.
    SockRef::from(&socket).listen(backlog)?;
    Ok(socket)
}

/// Connects to the socket at `path`, and does not wait (`EAGAIN` if too many do). Whoever listens may not have
/// accepted the connection yet; what is sent waits for that.
pub fn connect_at(path: &Path) -> io::Result<OwnedFd> {
    let socket = new()?;
    // The kernel has room for 108 bytes; a directory that is open is a shorter way.
    match (UnixAddr::new(path), path.parent(), path.file_name()) {
        (Err(_), Some(directory), Some(name)) => {
            let directory = Dir::base_at(directory)?;
            connect(socket.as_raw_fd(), &below(&directory, name.as_ref())?)?;
        }
        (address, ..) => connect(socket.as_raw_fd(), &address?)?,
    }
    Ok(socket)
}

/// The next connection of a socket of [`listen_at`], if there is one (`EAGAIN` if not): closed on exec, and
/// reading and writing do not wait.
pub fn accept_local(listener: &impl AsFd) -> io::Result<OwnedFd> {
    let number = accept4(listener.as_fd().as_raw_fd(), FLAGS)?;
    // SAFETY: the kernel has just made this descriptor for us.
    Ok(unsafe { OwnedFd::from_raw_fd(number) })
}

/// Whom the process belonged to that connected the other end, when it did: its effective user.
pub fn peer_user(socket: &impl AsFd) -> io::Result<Uid> {
    Ok(Uid::from_raw(getsockopt(socket, PeerCredentials)?.uid()))
}

const FLAGS: SockFlag = SockFlag::SOCK_CLOEXEC.union(SockFlag::SOCK_NONBLOCK);

fn new() -> io::Result<OwnedFd> {
    Ok(socket(AddressFamily::Unix, SockType::SeqPacket, FLAGS, None)?)
}

fn below(directory: &Dir, name: &Path) -> io::Result<UnixAddr> {
    let way = Path::new("/proc/self/fd").join(directory.as_fd().as_raw_fd().to_string());
    Ok(UnixAddr::new(&way.join(name))?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::socket::{is_listening_for_packets, receive, send};
    use std::fs;

    #[test]
    fn a_packet_waits_for_its_connection_to_be_accepted_and_says_whose_it_is() {
        let folder = std::env::temp_dir().join(format!("local-{}", std::process::id()));
        // Longer than an address may be.
        let long = folder.join("x".repeat(120));
        fs::create_dir_all(&long).unwrap();
        for place in [&folder, &long] {
            let directory = Dir::base_at(place).unwrap();
            let path = place.join("socket");
            assert_eq!(connect_at(&path).unwrap_err().raw_os_error(), Some(libc::ENOENT));
            let listener = listen_at(&directory, "socket".as_ref(), 4).unwrap();
            listen_at(&directory, "other".as_ref(), 100_000).unwrap(); // as much as there may be
            let error = listen_at(&directory, "socket".as_ref(), 4).unwrap_err();
            assert_eq!(error.raw_os_error(), Some(libc::EADDRINUSE));
            let error = accept_local(&listener).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::WouldBlock);

            let client = connect_at(&path).unwrap();
            assert!(is_listening_for_packets(&listener) && !is_listening_for_packets(&client));
            send(&client, &vec![7; 70_000]).unwrap();
            drop(client);
            let server = accept_local(&listener).unwrap();
            assert_eq!(peer_user(&server).unwrap(), Uid::effective());
            let mut packet = vec![0; 80_000];
            assert_eq!(receive(&server, &mut packet).unwrap(), 70_000);
            assert_eq!(receive(&server, &mut packet).unwrap(), 0);

            let waiting: Vec<_> = (0..9).map(|_| connect_at(&path)).collect();
            let refused = waiting.into_iter().find_map(Result::err).unwrap();
            assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
            drop(listener);
            let mut tries = (0..1000).map(|_| connect_at(&path));
            // A child of another test may have it, until it executes its program.
            let error = tries.find_map(|tried| {
                tried.err().filter(|error| error.kind() != io::ErrorKind::WouldBlock)
            });
            assert_eq!(error.unwrap().raw_os_error(), Some(libc::ECONNREFUSED));
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
