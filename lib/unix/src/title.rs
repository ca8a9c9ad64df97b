//! The process's own last argument, where ps(1) shows it.
#![expect(unsafe_code, reason = "the arguments' memory is reached by pointer")]

use std::os::unix::ffi::OsStrExt;

unsafe extern "C" {
    /// argv\[0\], as both glibc and musl keep it.
    static program_invocation_name: *mut libc::c_char;
}

/// The bytes of the last argument, to be overwritten in place.
///
/// There is one for a process at most: it borrows nothing, because the memory is the kernel's, made at
/// exec and never moved. Whoever has it must not ask for the arguments again.
#[derive(Debug)]
pub struct Title {
    start: *mut u8,
    length: usize,
}

impl Title {
    /// The last argument, unless there is none behind the program's own name, or the arguments do not
    /// lie one behind the other as the kernel puts them.
    #[must_use]
    pub fn last_argument() -> Option<Title> {
        let arguments: Vec<_> = std::env::args_os().collect();
        let (last, others) = arguments.split_last()?;
        if others.is_empty() {
            return None;
        }
        // SAFETY: a static of the C library, written before `main` and by nobody since.
        let mut place: *mut u8 = unsafe { program_invocation_name }.cast();
        if place.is_null() {
            return None;
        }
        for argument in others {
            if !holds(place, argument.as_bytes()) {
                return None;
            }
            place = place.wrapping_add(argument.len() + 1);
        }
        holds(place, last.as_bytes()).then_some(Title { start: place, length: last.len() })
    }

    /// How many bytes it has, without the zero byte at its end; that is for ever.
    #[must_use]
    pub fn len(&self) -> usize {
        self.length
    }

    /// True if there is nothing to overwrite.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Overwrites it with `text`, from its beginning; what does not fit is left out.
    pub fn show(&mut self, text: &[u8]) {
        let count = text.len().min(self.length);
        // SAFETY: `start` has `length` writable bytes, found by `last_argument` in the memory of the
        // arguments, which the kernel keeps for the life of the process; `text` lies elsewhere.
        unsafe { std::ptr::copy_nonoverlapping(text.as_ptr(), self.start, count) };
    }
}

/// Whether `text` and a zero byte are at `place`; reads no further than the first byte that differs.
fn holds(place: *const u8, text: &[u8]) -> bool {
    let wanted = text.iter().chain([&0]);
    wanted.enumerate().all(|(at, &byte)| {
        // SAFETY: every byte before this one was as expected, so this is still in the string that
        // `place` begins, whose zero byte has not been passed; the strings of the arguments follow
        // one another without a gap, and behind the last of them is the environment.
        unsafe { place.wrapping_add(at).read() == byte }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_compared_up_to_its_end() {
        let memory = b"abc\0def\0";
        assert!(holds(memory.as_ptr(), b"abc"));
        assert!(holds(memory.as_ptr().wrapping_add(4), b"def"));
        assert!(!holds(memory.as_ptr(), b"ab"));
        assert!(!holds(memory.as_ptr(), b"abd"));
    }
}
