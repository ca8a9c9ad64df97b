//! Environment edits; numbers and names out of variables.

use std::ffi::{CString, OsStr, OsString};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// The value of a variable of this process, as bytes.
#[must_use]
pub fn get(name: &str) -> Option<Vec<u8>> {
    std::env::var_os(name).map(OsString::into_vec)
}

/// The value of a variable as a decimal number, if it is one.
#[must_use]
pub fn number(name: &str) -> Option<u64> {
    std::env::var_os(name).and_then(|value| crate::number(&value))
}

/// The environment that a next program gets: the inherited one, and edits.
///
/// An edited variable stands behind the inherited ones, in the order of the edits; every inherited
/// variable of that name is dropped, also where the name occurs twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Env {
    edits: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    cleared: bool,
}

impl Env {
    /// Sets `name` to `value`.
    pub fn set(&mut self, name: impl AsRef<[u8]>, value: impl AsRef<[u8]>) {
        self.edit(name.as_ref(), Some(value.as_ref().to_vec()));
    }

    /// Removes `name`.
    pub fn unset(&mut self, name: impl AsRef<[u8]>) {
        self.edit(name.as_ref(), None);
    }

    /// Sets or removes `name`.
    pub fn put(&mut self, name: impl AsRef<[u8]>, value: Option<impl AsRef<[u8]>>) {
        self.edit(name.as_ref(), value.map(|value| value.as_ref().to_vec()));
    }

    /// Drops everything inherited and every edit so far.
    pub fn clear(&mut self) {
        self.edits.clear();
        self.cleared = true;
    }

    /// What an edit made of `name`: `None` if there is no edit.
    #[must_use]
    pub fn edited(&self, name: impl AsRef<[u8]>) -> Option<Option<&[u8]>> {
        let name = name.as_ref();
        self.edits.iter().find(|(edited, _)| edited == name).map(|(_, value)| value.as_deref())
    }

    fn edit(&mut self, name: &[u8], value: Option<Vec<u8>>) {
        self.edits.retain(|(edited, _)| edited != name);
        self.edits.push((name.to_vec(), value));
    }

    /// `NAME=value` strings for exec. A zero byte in a name or value is an error.
    pub fn strings(&self) -> io::Result<Vec<CString>> {
        let inherited: Vec<_> =
            if self.cleared { Vec::new() } else { std::env::vars_os().collect() };
        self.over(inherited.iter().map(|(name, value)| (name.as_os_str(), value.as_os_str())))
    }

    fn over<'a>(
        &self,
        inherited: impl Iterator<Item = (&'a OsStr, &'a OsStr)>,
    ) -> io::Result<Vec<CString>> {
        let is_edited = |name: &OsStr| self.edits.iter().any(|(edit, _)| edit == name.as_bytes());
        let kept = inherited
            .filter(|(name, _)| !is_edited(name))
            .map(|(name, value)| (name.as_bytes(), value.as_bytes()));
        let set = self
            .edits
            .iter()
            .filter_map(|(name, value)| Some((name.as_slice(), value.as_deref()?)));
        kept.chain(set)
            .map(|(name, value)| Ok(CString::new([name, b"=", value].concat())?))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(env: &Env, inherited: &[(&str, &str)]) -> Vec<String> {
        let inherited = inherited.iter().map(|(n, v)| (OsStr::new(*n), OsStr::new(*v)));
        let strings = env.over(inherited).unwrap();
        strings.into_iter().map(|string| string.into_string().unwrap()).collect()
    }

    #[test]
    fn an_edit_replaces_every_inherited_variable_of_its_name() {
        let mut env = Env::default();
        env.set("A", "new");
        env.unset("B");
        let inherited = [("A", "1"), ("A", "2"), ("B", "3"), ("C", "4")];
        assert_eq!(edited(&env, &inherited), ["C=4", "A=new"]);
    }

    #[test]
    fn the_last_edit_of_a_name_counts() {
        let mut env = Env::default();
        env.set("A", "1");
        env.set("B", "2");
        env.set("A", "3");
        assert_eq!(edited(&env, &[]), ["B=2", "A=3"]);
        assert_eq!(env.edited("A"), Some(Some(&b"3"[..])));
        assert_eq!(env.edited("C"), None);
    }

    #[test]
    fn a_zero_byte_is_an_error() {
        let mut env = Env::default();
        env.set("A", b"x\0y");
        assert!(env.strings().is_err());
    }
}
