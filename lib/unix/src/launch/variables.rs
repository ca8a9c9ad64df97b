//! What one child is told beside the others.

use std::ffi::CStr;
use std::io;

use crate::errno::Errno;

/// Variables for one child, beside those of the [`super::Launcher`]. Kept from child to child, it
/// stops allocating.
#[derive(Debug, Default)]
pub struct Variables {
    /// `NAME=value` and a zero byte, one after another.
    pub(super) bytes: Vec<u8>,
    entries: Vec<Entry>,
    /// Some entries stand for variables that the launcher may have too.
    replaces: bool,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    start: usize,
    name: usize,
    replaces: bool,
    is_live: bool,
}

impl Variables {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.entries.clear();
        self.replaces = false;
    }

    /// Adds a variable that neither the launcher nor this list has; `value` appends its value.
    ///
    /// `EINVAL` if there is a zero byte in it.
    pub fn add(&mut self, name: &[u8], value: impl FnOnce(&mut Vec<u8>)) -> io::Result<()> {
        self.push(name, value, false)
    }

    /// Sets a variable whoever has it.
    ///
    /// `EINVAL` if there is a zero byte in it.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> io::Result<()> {
        let earlier = self.entries.len();
        self.push(name, |out| out.extend_from_slice(value), true)?;
        self.replaces = true;
        for entry in self.entries.iter_mut().take(earlier) {
            if self.bytes.get(entry.start..entry.start + entry.name) == Some(name) {
                entry.is_live = false;
            }
        }
        Ok(())
    }

    fn push(
        &mut self,
        name: &[u8],
        value: impl FnOnce(&mut Vec<u8>),
        replaces: bool,
    ) -> io::Result<()> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(name);
        self.bytes.push(b'=');
        value(&mut self.bytes);
        if self.bytes.get(start..).unwrap_or_default().contains(&0) {
            self.bytes.truncate(start);
            return Err(Errno::EINVAL.into());
        }
        self.bytes.push(0);
        self.entries.push(Entry { start, name: name.len(), replaces, is_live: true });
        Ok(())
    }

    /// Whether `string`, a `NAME=value` of the launcher, is replaced here.
    pub(super) fn hides(&self, string: &[u8]) -> bool {
        self.replaces
            && self.entries.iter().filter(|entry| entry.replaces).any(|entry| {
                let name = self.bytes.get(entry.start..=entry.start + entry.name);
                name.is_some_and(|name| string.starts_with(name))
            })
    }

    /// Each `NAME=value` that counts.
    pub(super) fn strings(&self) -> impl Iterator<Item = &[u8]> {
        self.starts().filter_map(|start| {
            CStr::from_bytes_until_nul(self.bytes.get(start..)?).ok().map(CStr::to_bytes)
        })
    }

    /// Where in the bytes each variable begins that counts.
    pub(super) fn starts(&self) -> impl Iterator<Item = usize> {
        self.entries.iter().filter(|entry| entry.is_live).map(|entry| entry.start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_of_a_variable_counts() {
        let mut variables = Variables::default();
        variables.add(b"A", |out| out.push(b'1')).unwrap();
        variables.set(b"A", b"2").unwrap();
        variables.set(b"A", b"3").unwrap();
        assert!(variables.set(b"A", b"4\0").is_err());
        let starts: Vec<_> = variables.starts().collect();
        assert_eq!(starts, [8]);
        assert_eq!(&variables.bytes[8..], b"A=3\0");
        assert!(variables.strings().eq([b"A=3"]));
        assert!(variables.hides(b"A=x"));
        assert!(!variables.hides(b"AB=x"));
    }
}
