//! Random numbers from the kernel.
#![expect(unsafe_code, reason = "getrandom(2) has no wrapper here")]

use std::io;

use crate::errno::Errno;

/// Fills `bytes` with random ones, fit for what an attacker must not guess.
///
/// May wait for the kernel's pool shortly after the machine has started.
pub fn fill(bytes: &mut [u8]) -> io::Result<()> {
    let mut rest = bytes;
    while !rest.is_empty() {
        // By number: the standard library knows getrandom() as a symbol that may be missing, and
        // linked with musl and link-time optimisation it then is, for us too.
        // SAFETY: the kernel writes at most `rest.len()` bytes into the slice.
        let got = unsafe {
            libc::syscall(
                libc::SYS_getrandom,
                rest.as_mut_ptr(),
                rest.len(),
                libc::c_uint::from(0u8),
            )
        };
        match usize::try_from(got) {
            Ok(got) => rest = rest.get_mut(got..).unwrap_or_default(),
            Err(_) if Errno::last() == Errno::EINTR => {}
            Err(_) => return Err(io::Error::last_os_error()),
        }
    }
    Ok(())
}

/// A random number.
pub fn number() -> io::Result<u32> {
    let mut bytes = [0; 4];
    fill(&mut bytes)?;
    Ok(u32::from_ne_bytes(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_fillings_differ() {
        let (mut one, mut two) = ([0; 32], [0; 32]);
        fill(&mut one).unwrap();
        fill(&mut two).unwrap();
        assert_ne!(one, two);
    }
}
