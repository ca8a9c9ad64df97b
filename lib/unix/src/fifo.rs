//! Fifos, and the trigger idiom: a fifo whose only message is that somebody wrote.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::sys::stat::Mode;

/// Makes a fifo with `mode` (less the umask). A file already there is left alone and is no error.
pub fn make(path: &Path, mode: u32) -> io::Result<()> {
    match nix::unistd::mkfifo(path, Mode::from_bits_truncate(mode)) {
        Err(nix::errno::Errno::EEXIST) => Ok(()),
        other => Ok(other?),
    }
}

/// The reading end; does not wait for a writer, and reads do not block.
pub fn read_end(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path)
}

/// The writing end; does not wait: `ENXIO` if nobody reads. Writes do not block.
pub fn write_end(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(libc::O_NONBLOCK).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn without_a_reader_there_is_no_writer() {
        let dir = std::env::temp_dir().join(format!("unix-fifo-{}", std::process::id()));
        std::fs::create_dir(&dir).unwrap();
        let path = dir.join("trigger");
        make(&path, 0o600).unwrap();
        make(&path, 0o600).unwrap();
        assert_eq!(write_end(&path).unwrap_err().raw_os_error(), Some(libc::ENXIO));
        let mut reader = read_end(&path).unwrap();
        write_end(&path).unwrap().write_all(b"x").unwrap();
        let mut byte = [0];
        assert_eq!(reader.read(&mut byte).unwrap(), 1);
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
