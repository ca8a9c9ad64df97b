//! Pieces of a diagnostic.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Something that can stand in a line of text: words, bytes, a path, a number, or a tuple of these.
///
/// Bytes are written unchanged. Nothing is rendered unless the line is written.
pub trait Piece {
    /// Appends itself to `line`.
    fn render(&self, line: &mut Vec<u8>);
}

impl<T: Piece + ?Sized> Piece for &T {
    fn render(&self, line: &mut Vec<u8>) {
        (**self).render(line);
    }
}

macro_rules! bytes {
    ($($type:ty: $as_bytes:expr),+ $(,)?) => { $(
        impl Piece for $type {
            fn render(&self, line: &mut Vec<u8>) {
                let as_bytes: fn(&$type) -> &[u8] = $as_bytes;
                line.extend_from_slice(as_bytes(self));
            }
        }
    )+ };
}

bytes! {
    str: |text| text.as_bytes(),
    String: |text| text.as_bytes(),
    [u8]: |bytes| bytes,
    Vec<u8>: |bytes| bytes,
    OsStr: |text| text.as_bytes(),
    OsString: |text| text.as_bytes(),
    Path: |path| path.as_os_str().as_bytes(),
    PathBuf: |path| path.as_os_str().as_bytes(),
}

impl<const N: usize> Piece for [u8; N] {
    fn render(&self, line: &mut Vec<u8>) {
        line.extend_from_slice(self);
    }
}

macro_rules! numbers {
    ($($type:ty),+) => { $(
        impl Piece for $type {
            fn render(&self, line: &mut Vec<u8>) {
                line.extend_from_slice(self.to_string().as_bytes());
            }
        }
    )+ };
}

numbers!(
    u8,
    u16,
    u32,
    u64,
    usize,
    i32,
    i64,
    std::net::IpAddr,
    std::net::Ipv4Addr,
    std::net::Ipv6Addr
);

macro_rules! tuples {
    ($(($($name:ident)+))+) => { $(
        impl<$($name: Piece),+> Piece for ($($name,)+) {
            fn render(&self, line: &mut Vec<u8>) {
                #[allow(non_snake_case, reason = "the type's name is also the variable's")]
                let ($($name,)+) = self;
                $($name.render(line);)+
            }
        }
    )+ };
}

tuples! {
    (A) (A B) (A B C) (A B C D) (A B C D E) (A B C D E F) (A B C D E F G) (A B C D E F G H)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_are_joined_without_change() {
        let mut line = Vec::new();
        ("unable to open ", Path::new("a/b"), b" \xff ", 7u32).render(&mut line);
        assert_eq!(line, b"unable to open a/b \xff 7");
    }
}
