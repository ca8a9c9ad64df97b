//! errno and its classic wording.

use std::io;

pub use nix::errno::Errno;

/// The errno inside `error`; `EIO` for an error that the kernel did not give.
#[must_use]
pub fn of(error: &io::Error) -> Errno {
    match (error.raw_os_error(), error.kind()) {
        (Some(number), _) => Errno::from_raw(number),
        (None, io::ErrorKind::TimedOut) => Errno::ETIMEDOUT,
        (None, io::ErrorKind::OutOfMemory) => Errno::ENOMEM,
        (None, io::ErrorKind::InvalidInput) => Errno::EINVAL,
        (None, io::ErrorKind::InvalidData) => Errno::EPROTO,
        (None, io::ErrorKind::BrokenPipe) => Errno::EPIPE,
        (None, _) => Errno::EIO,
    }
}

/// True if trying again later may help: the list that qmail uses for exec, stat and open alike.
#[must_use]
pub fn is_temporary(errno: Errno) -> bool {
    use Errno as E;
    matches!(
        errno,
        E::EINTR
            | E::ENOMEM
            | E::ETXTBSY
            | E::EIO
            | E::ETIMEDOUT
            | E::EAGAIN
            | E::EDEADLK
            | E::EBUSY
            | E::ENFILE
            | E::EMFILE
            | E::EFBIG
            | E::ENOSPC
            | E::ENETDOWN
            | E::ENETUNREACH
            | E::ENETRESET
            | E::ECONNABORTED
            | E::ECONNRESET
            | E::ENOBUFS
            | E::ETOOMANYREFS
            | E::ECONNREFUSED
            | E::EHOSTDOWN
            | E::EHOSTUNREACH
            | E::EUSERS
            | E::EDQUOT
            | E::ESTALE
            | E::ENOLCK
    )
}

/// What the original programs say for `errno`; log readers match these words, so they are not libc's.
#[must_use]
pub fn classic(errno: Errno) -> &'static str {
    use Errno as E;
    match errno {
        E::EINTR => "interrupted system call",
        E::ENOMEM => "out of memory",
        E::ENOENT => "file does not exist",
        E::ETXTBSY => "text busy",
        E::EIO => "input/output error",
        E::EEXIST => "file already exists",
        E::ETIMEDOUT => "timed out",
        E::EINPROGRESS => "operation in progress",
        E::EAGAIN => "temporary failure",
        E::EPIPE => "broken pipe",
        E::EPERM => "permission denied",
        E::EACCES => "access denied",
        E::ENXIO => "device not configured",
        E::EPROTO => "protocol error",
        E::EISDIR => "is a directory",
        E::ENOTDIR => "not a directory",
        E::ESRCH => "no such process",
        E::E2BIG => "argument list too long",
        E::ENOEXEC => "exec format error",
        E::EBADF => "file descriptor not open",
        E::ECHILD => "no child processes",
        E::EDEADLK => "operation would cause deadlock",
        E::EFAULT => "bad address",
        E::ENOTBLK => "not a block device",
        E::EBUSY => "device busy",
        E::EXDEV => "cross-device link",
        E::ENODEV => "device does not support operation",
        E::EINVAL => "invalid argument",
        E::ENFILE => "system cannot open more files",
        E::EMFILE => "process cannot open more files",
        E::ENOTTY => "not a tty",
        E::EFBIG => "file too big",
        E::ENOSPC => "out of disk space",
        E::ESPIPE => "unseekable descriptor",
        E::EROFS => "file system is read-only",
        E::EMLINK => "too many links",
        E::EDOM => "input out of range",
        E::ERANGE => "output out of range",
        E::EALREADY => "operation already in progress",
        E::ENOTSOCK => "not a socket",
        E::EDESTADDRREQ => "destination address required",
        E::EMSGSIZE => "message too long",
        E::EPROTOTYPE => "incorrect protocol type",
        E::ENOPROTOOPT => "protocol not available",
        E::EPROTONOSUPPORT => "protocol not supported",
        E::ESOCKTNOSUPPORT => "socket type not supported",
        E::EOPNOTSUPP => "operation not supported",
        E::EPFNOSUPPORT => "protocol family not supported",
        E::EAFNOSUPPORT => "address family not supported",
        E::EADDRINUSE => "address already used",
        E::EADDRNOTAVAIL => "address not available",
        E::ENETDOWN => "network down",
        E::ENETUNREACH => "network unreachable",
        E::ENETRESET => "network reset",
        E::ECONNABORTED => "connection aborted",
        E::ECONNRESET => "connection reset",
        E::ENOBUFS => "out of buffer space",
        E::EISCONN => "already connected",
        E::ENOTCONN => "not connected",
        E::ESHUTDOWN => "socket shut down",
        E::ETOOMANYREFS => "too many references",
        E::ECONNREFUSED => "connection refused",
        E::ELOOP => "symbolic link loop",
        E::ENAMETOOLONG => "file name too long",
        E::EHOSTDOWN => "host down",
        E::EHOSTUNREACH => "host unreachable",
        E::ENOTEMPTY => "directory not empty",
        E::EUSERS => "too many users",
        E::EDQUOT => "disk quota exceeded",
        E::ESTALE => "stale NFS file handle",
        E::EREMOTE => "too many levels of remote in path",
        E::ENOLCK => "no locks available",
        E::ENOSYS => "system call not available",
        E::EIDRM => "identifier removed",
        E::ENOMSG => "no message of desired type",
        E::EILSEQ => "illegal byte sequence",
        _ => "unknown error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_the_traditional_ones() {
        assert_eq!(classic(Errno::ENOENT), "file does not exist");
        assert_eq!(classic(Errno::EADDRINUSE), "address already used");
        assert_eq!(classic(Errno::EAGAIN), "temporary failure");
    }

    #[test]
    fn an_error_of_our_own_still_has_an_errno() {
        assert_eq!(of(&io::Error::from(io::ErrorKind::TimedOut)), Errno::ETIMEDOUT);
        assert_eq!(of(&io::Error::from_raw_os_error(2)), Errno::ENOENT);
    }
}
