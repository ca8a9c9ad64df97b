//! Hand descriptors over to another process.
#![expect(unsafe_code, reason = "a number that came with a message becomes an owned descriptor")]

use std::io::{self, IoSlice, IoSliceMut};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};

use nix::sys::socket::{
    AddressFamily, ControlMessage, ControlMessageOwned, MsgFlags, SockFlag, SockType, recvmsg,
    sendmsg, socketpair,
};

/// Two ends of a channel that keeps messages apart; both close on exec.
pub fn pair() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SockType::Datagram;
    Ok(socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Two ends of a channel that keeps messages apart and has an end; both close on exec.
///
/// A message of length 0 says that the other end is closed.
pub fn channel() -> io::Result<(OwnedFd, OwnedFd)> {
    let kind = SockType::SeqPacket;
    Ok(socketpair(AddressFamily::Unix, kind, None, SockFlag::SOCK_CLOEXEC)?)
}

/// Sends a message, and a descriptor that the receiver gets a duplicate of. `EAGAIN` if there is no room.
pub fn send_now(
    channel: &impl AsFd,
    message: &[u8],
    given: Option<BorrowedFd<'_>>,
) -> io::Result<()> {
    let given: Vec<RawFd> = given.iter().map(AsRawFd::as_raw_fd).collect();
    let rights = [ControlMessage::ScmRights(&given)];
    let rights = if given.is_empty() { &[][..] } else { &rights };
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    let channel = channel.as_fd().as_raw_fd();
    sendmsg::<()>(channel, &[IoSlice::new(message)], rights, flags, None)?;
    Ok(())
}

/// Sends a message with a descriptor that the receiver gets a duplicate of. Waits for room.
pub fn hand_over(channel: &impl AsFd, message: &[u8], given: &impl AsFd) -> io::Result<()> {
    let (channel, given) = (channel.as_fd().as_raw_fd(), [given.as_fd().as_raw_fd()]);
    let rights = [ControlMessage::ScmRights(&given)];
    sendmsg::<()>(channel, &[IoSlice::new(message)], &rights, MsgFlags::MSG_NOSIGNAL, None)?;
    Ok(())
}

/// The next message, if there is one (`EAGAIN` if not): what fits into `message` of it, and its
/// descriptor, closed on exec.
pub fn take_over(channel: &impl AsFd, message: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    take(channel, message, MsgFlags::MSG_DONTWAIT)
}

/// As [`take_over`], and waits for a message, unless the channel was made one that never waits.
pub fn wait_over(channel: &impl AsFd, message: &mut [u8]) -> io::Result<(usize, Option<OwnedFd>)> {
    loop {
        match take(channel, message, MsgFlags::empty()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

fn take(
    channel: &impl AsFd,
    message: &mut [u8],
    flags: MsgFlags,
) -> io::Result<(usize, Option<OwnedFd>)> {
    let flags = flags | MsgFlags::MSG_CMSG_CLOEXEC;
    let mut space = nix::cmsg_space!(RawFd);
    let mut parts = [IoSliceMut::new(message)];
    let channel = channel.as_fd().as_raw_fd();
    let received = recvmsg::<()>(channel, &mut parts, Some(&mut space), flags)?;
    let mut given = None;
    for rights in received.cmsgs()? {
        if let ControlMessageOwned::ScmRights(numbers) = rights {
            for number in numbers {
                // SAFETY: the kernel has just made this descriptor for us.
                given = Some(unsafe { OwnedFd::from_raw_fd(number) });
            }
        }
    }
    Ok((received.bytes, given))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    #[test]
    fn a_descriptor_comes_with_its_message() {
        let (here, there) = pair().unwrap();
        let (read, write) = crate::fd::pipe().unwrap();
        hand_over(&there, b"12345678", &read).unwrap();
        drop(read);
        let mut message = [0; 16];
        let (length, given) = take_over(&here, &mut message).unwrap();
        assert_eq!(message.get(..length), Some(&b"12345678"[..]));
        nix::unistd::write(&write, b"x").unwrap();
        drop(write);
        let mut text = String::new();
        std::fs::File::from(given.unwrap()).read_to_string(&mut text).unwrap();
        assert_eq!(text, "x");
        let error = take_over(&here, &mut message).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn a_channel_has_an_end_and_is_not_waited_for() {
        let (here, there) = channel().unwrap();
        let (read, _write) = crate::fd::pipe().unwrap();
        send_now(&there, b"one", None).unwrap();
        send_now(&there, b"two", Some(read.as_fd())).unwrap();
        let mut message = [0; 16];
        assert!(matches!(take_over(&here, &mut message), Ok((3, None))));
        assert!(matches!(wait_over(&here, &mut message), Ok((3, Some(_)))));
        let full = (0..100_000).find_map(|_| send_now(&there, &[0; 1000], None).err());
        assert_eq!(full.unwrap().kind(), io::ErrorKind::WouldBlock);
        while take_over(&here, &mut message).is_ok() {}
        drop(there);
        // Waited for: another test's child may have that end, too, until it has become its program.
        assert!(matches!(wait_over(&here, &mut message), Ok((0, None))));
        assert!(matches!(take_over(&here, &mut message), Ok((0, None))));
        let error = send_now(&here, b"x", None).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }
}
