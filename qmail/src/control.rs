//! Control files: a line, a number, a list; defaults from `me`.

use std::cell::OnceCell;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use prog::env;
use queue::home::Home;
use unix::file;
use wire::decimal;

/// The directory `control/` of a host. Files are read when they are asked for.
///
/// A file that does not exist is `None`: the program's own default applies. One that cannot be read
/// is an error, never a default.
#[derive(Debug)]
pub struct Control {
    directory: PathBuf,
    me: OnceCell<Option<Vec<u8>>>,
}

impl Control {
    /// The control files of `home`.
    #[must_use]
    pub fn of(home: &Home) -> Control {
        Control::new(home.join("control"))
    }

    /// The control files in `directory`.
    #[must_use]
    pub fn new(directory: PathBuf) -> Control {
        Control { directory, me: OnceCell::new() }
    }

    /// The host's own name, `control/me`; read once.
    pub fn me(&self) -> io::Result<Option<&[u8]>> {
        if let Some(me) = self.me.get() {
            return Ok(me.as_deref());
        }
        let me = self.line("me")?;
        Ok(self.me.get_or_init(|| me).as_deref())
    }

    /// The first line of a file, without trailing spaces and tabs; empty for an empty file.
    pub fn line(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        let Some(mut file) = self.open(name)? else {
            return Ok(None);
        };
        let mut line = Vec::new();
        let mut buffer = [0; 512];
        loop {
            let part = match file.read(&mut buffer) {
                Ok(read) => buffer.get(..read).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            let end = memchr::memchr(b'\n', part);
            line.extend_from_slice(part.get(..end.unwrap_or(part.len())).unwrap_or_default());
            if end.is_some() || part.is_empty() {
                line.truncate(trimmed(&line).len());
                return Ok(Some(line));
            }
        }
    }

    /// The first line of a file, or else of `me`; `None` if both are missing.
    pub fn line_or_me(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        match self.line(name)? {
            Some(line) => Ok(Some(line)),
            None => Ok(self.me()?.map(<[u8]>::to_vec)),
        }
    }

    /// The number that the first line starts with. A line without digits at its start counts as a
    /// missing file; a number beyond 64 bits as the greatest.
    pub fn number(&self, name: &str) -> io::Result<Option<u64>> {
        Ok(self.line(name)?.as_deref().and_then(leading_number))
    }

    /// The variable `variable` as a number, which is 0 if it has no digits; or else a file, as
    /// [`Control::number`] reads it.
    pub fn number_or(&self, variable: &str, name: &str) -> io::Result<Option<u64>> {
        match env::get(variable) {
            Some(value) => Ok(Some(leading_number(&value).unwrap_or(0))),
            None => self.number(name),
        }
    }

    /// The lines of a file.
    pub fn list(&self, name: impl AsRef<Path>) -> io::Result<Option<List>> {
        let Some(mut file) = self.open(name)? else {
            return Ok(None);
        };
        Ok(Some(List { text: file::read_short(&mut file)? }))
    }

    /// The lines of a file, or else `me` as the only line; `None` if both are missing.
    pub fn list_or_me(&self, name: &str) -> io::Result<Option<List>> {
        match self.list(name)? {
            Some(list) => Ok(Some(list)),
            None => Ok(self.me()?.map(|me| List { text: me.to_vec() })),
        }
    }

    fn open(&self, name: impl AsRef<Path>) -> io::Result<Option<File>> {
        match file::open_file(&self.directory.join(name)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// The text of a control file that is a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List {
    text: Vec<u8>,
}

impl List {
    /// A list with this text.
    #[must_use]
    pub fn new(text: impl Into<Vec<u8>>) -> List {
        List { text: text.into() }
    }

    /// The lines in order, each without trailing spaces and tabs; those that are then empty, and
    /// those that start with `#`, are left out. The last needs no newline.
    pub fn lines(&self) -> impl Iterator<Item = &[u8]> {
        self.text
            .split(|&byte| byte == b'\n')
            .map(trimmed)
            .filter(|line| line.first().is_some_and(|&byte| byte != b'#'))
    }
}

/// `line` without spaces, tabs and newlines at its end.
fn trimmed(line: &[u8]) -> &[u8] {
    let end = line.iter().rposition(|byte| !b" \t\n".contains(byte)).map_or(0, |last| last + 1);
    line.get(..end).unwrap_or_default()
}

fn leading_number(line: &[u8]) -> Option<u64> {
    let starts = line.first().is_some_and(u8::is_ascii_digit);
    starts.then(|| decimal::scan(line).map_or(u64::MAX, |(number, _)| number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn control(files: &[(&str, &str)]) -> (tempfile::TempDir, Control) {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        let control = Control::new(dir.path().to_owned());
        (dir, control)
    }

    #[test]
    fn the_first_line_counts_without_trailing_blanks() {
        let (_dir, control) = control(&[("a", "one \t\ntwo\n"), ("b", "x"), ("empty", "")]);
        assert_eq!(control.line("a").unwrap().unwrap(), b"one");
        assert_eq!(control.line("b").unwrap().unwrap(), b"x");
        assert_eq!(control.line("empty").unwrap().unwrap(), b"");
        assert_eq!(control.line("missing").unwrap(), None);
    }

    #[test]
    fn a_long_line_is_read_whole() {
        let long = "x".repeat(2000);
        let (_dir, control) = control(&[("a", &format!("{long}\nmore"))]);
        assert_eq!(control.line("a").unwrap().unwrap(), long.as_bytes());
    }

    #[test]
    fn me_stands_in_for_a_missing_file() {
        let (_dir, control) = control(&[("me", "mail.example\n"), ("helohost", "other\n")]);
        assert_eq!(control.line_or_me("helohost").unwrap().unwrap(), b"other");
        assert_eq!(control.line_or_me("idhost").unwrap().unwrap(), b"mail.example");
        let locals = control.list_or_me("locals").unwrap().unwrap();
        assert_eq!(locals.lines().collect::<Vec<_>>(), [b"mail.example"]);
    }

    #[test]
    fn a_number_is_the_digits_at_the_start() {
        let files = [("a", "20 x"), ("b", "x20"), ("c", ""), ("d", "99999999999999999999")];
        let (_dir, control) = control(&files);
        assert_eq!(control.number("a").unwrap(), Some(20));
        assert_eq!(control.number("b").unwrap(), None);
        assert_eq!(control.number("c").unwrap(), None);
        assert_eq!(control.number("d").unwrap(), Some(u64::MAX));
    }

    #[test]
    fn a_list_has_no_comments_and_no_empty_lines() {
        let list = List::new("# no\none \n\n \t\n two # data\nlast");
        assert_eq!(list.lines().collect::<Vec<_>>(), [&b"one"[..], b" two # data", b"last"]);
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        let (dir, control) = control(&[]);
        std::fs::create_dir(dir.path().join("me")).unwrap();
        assert!(control.line("me").is_err());
        assert!(control.list_or_me("locals").is_err());
    }
}
