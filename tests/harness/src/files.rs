//! What lies in a directory, in a form that can be compared, shown and recorded.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::side::Side;
use crate::unescaped;

/// One thing in a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `file`, `dir`, `fifo`, `link` or `other`.
    pub kind: &'static str,
    /// Permission bits, set-id bits among them; 0 for a link.
    pub mode: u32,
    /// A file's contents, or a link's target.
    pub contents: Vec<u8>,
}

/// Everything below a directory, by relative name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Files(pub BTreeMap<String, Entry>);

impl Files {
    /// What is below `root` now.
    pub(crate) fn of(root: PathBuf) -> Files {
        let mut files = Files::default();
        files.add(&root, &root);
        files
    }

    fn add(&mut self, root: &Path, directory: &Path) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            let Ok(meta) = fs::symlink_metadata(&path) else { continue };
            let kind = meta.file_type();
            let (kind, contents) = if kind.is_dir() {
                self.add(root, &path);
                ("dir", Vec::new())
            } else if kind.is_file() {
                ("file", contents(&path, &meta.permissions()))
            } else if kind.is_symlink() {
                let target = fs::read_link(&path).unwrap_or_default();
                ("link", target.as_os_str().as_encoded_bytes().to_vec())
            } else if kind.is_fifo() {
                ("fifo", Vec::new())
            } else {
                ("other", Vec::new())
            };
            let mode = if kind == "link" { 0 } else { meta.permissions().mode() & 0o7777 };
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            self.0.insert(name, Entry { kind, mode, contents });
        }
    }

    pub(crate) fn named(mut self, side: &Side) -> Files {
        for entry in self.0.values_mut() {
            entry.contents = crate::command::named(&entry.contents, side);
        }
        self
    }

    /// Puts names and contents, escaped, through `change`.
    pub(crate) fn change(&mut self, change: &impl Fn(&str) -> String) {
        let old = std::mem::take(&mut self.0);
        for (name, mut entry) in old {
            entry.contents = unescaped(&change(&entry.contents.escape_ascii().to_string()));
            self.0.insert(change(&name), entry);
        }
    }

    /// The inverse of `to_string`.
    pub(crate) fn parse(text: &str) -> Files {
        let mut files = Files::default();
        let mut current = None;
        for line in text.lines() {
            if let Some(contents) = line.strip_prefix("  ") {
                let entry = current.as_ref().and_then(|name| files.0.get_mut(name));
                entry.expect("contents follow a name").contents.extend(unescaped(contents));
                continue;
            }
            let mut words = line.splitn(3, ' ');
            let (kind, mode, name) = (words.next(), words.next(), words.next());
            let kinds = ["file", "dir", "fifo", "link", "other"];
            let kind = kinds.into_iter().find(|known| Some(*known) == kind).expect("a kind");
            let mode = u32::from_str_radix(mode.expect("a mode"), 8).expect("a mode");
            let name = name.expect("a name").to_owned();
            current = Some(name.clone());
            files.0.insert(name, Entry { kind, mode, contents: Vec::new() });
        }
        files
    }
}

/// The contents of a file, also of one whose mode forbids its owner to read it.
fn contents(path: &Path, permissions: &fs::Permissions) -> Vec<u8> {
    let forbidden = |error: std::io::Error| {
        let open = fs::Permissions::from_mode(permissions.mode() | 0o400);
        if fs::set_permissions(path, open).is_err() {
            return error.to_string().into_bytes();
        }
        let contents = fs::read(path).unwrap_or_else(|error| error.to_string().into_bytes());
        fs::set_permissions(path, permissions.clone()).expect("a file of ours");
        contents
    };
    fs::read(path).unwrap_or_else(forbidden)
}

impl fmt::Display for Files {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, entry) in &self.0 {
            writeln!(out, "{} {:04o} {name}", entry.kind, entry.mode)?;
            for line in entry.contents.split_inclusive(|&byte| byte == b'\n') {
                writeln!(out, "  {}", line.escape_ascii())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_reads_back() {
        let mut files = Files::default();
        let entry =
            |kind, contents: &[u8]| Entry { kind, mode: 0o640, contents: contents.to_vec() };
        files.0.insert("a b".into(), entry("file", b"x\n\0\xff\\n  y\nno end"));
        files.0.insert("c".into(), entry("dir", b""));
        assert_eq!(Files::parse(&files.to_string()), files);
    }
}
