//! Recipients that every message has besides its own: control/extraqueue.
//!
//! The original is told of them when it is built (`QUEUE_EXTRA`).

use std::borrow::Cow;
use std::io::{self, Read};

use unix::file;

use crate::home::Home;

/// A file with more bytes than this is a mistake.
const MOST: u64 = 64 * 1024;

/// Such recipients, as records of an envelope.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extra {
    records: Vec<u8>,
}

impl Extra {
    /// Those of a host; none without the file.
    pub fn read(home: &Home) -> io::Result<Extra> {
        let mut text = Vec::new();
        match file::open_read(&home.join("control/extraqueue")) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Extra::default()),
            file => file?.take(MOST + 1).read_to_end(&mut text)?,
        };
        if text.len() as u64 > MOST {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        Ok(Extra::parse(&text))
    }

    /// One address a line, without blanks at its end. Empty lines, and those that start with `#`, are left
    /// out, and those with a zero byte: that would end a record.
    #[must_use]
    pub fn parse(text: &[u8]) -> Extra {
        let mut records = Vec::new();
        for line in text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end) {
            if !line.is_empty() && !line.starts_with(b"#") && !line.contains(&0) {
                records.push(b'T');
                records.extend_from_slice(line);
                records.push(0);
            }
        }
        Extra { records }
    }

    /// The same for an envelope that is there as a whole.
    #[must_use]
    pub fn added_to<'a>(&self, envelope: &'a [u8]) -> Cow<'a, [u8]> {
        if self.records.is_empty() {
            return Cow::Borrowed(envelope);
        }
        let mut all = Vec::with_capacity(envelope.len() + self.records.len());
        let _ = self.with(envelope).read_to_end(&mut all); // of a slice: it cannot fail
        Cow::Owned(all)
    }

    /// The envelope that `envelope` holds, with these recipients before its own.
    #[must_use]
    pub fn with<R: Read>(&self, envelope: R) -> With<'_, R> {
        With { envelope, extra: &self.records, place: Place::Sender }
    }
}

/// An envelope that has recipients put in front of its own. It is read in the form that qmail-queue(8) takes.
#[derive(Debug)]
pub struct With<'a, R> {
    envelope: R,
    /// What has not been given yet.
    extra: &'a [u8],
    place: Place,
}

#[derive(Clone, Copy, Debug)]
enum Place {
    /// Before the zero byte that ends the sender.
    Sender,
    /// Behind it.
    Extra,
    /// Wherever else.
    Rest,
}

impl<R: Read> Read for With<'_, R> {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.place {
            Place::Rest => self.envelope.read(room),
            Place::Extra => {
                let given = self.extra.read(room)?; // of a slice: it cannot fail
                if given == 0 && !room.is_empty() {
                    self.place = Place::Rest;
                    return self.envelope.read(room);
                }
                Ok(given)
            }
            // A byte at a time: whatever follows the sender must be left where it is. Without extra
            // recipients nothing is in the way.
            Place::Sender if self.extra.is_empty() => self.envelope.read(room),
            Place::Sender => {
                let Some(first) = room.get_mut(..1) else { return Ok(0) };
                let given = self.envelope.read(first)?;
                if given == 1 && first == [0] {
                    self.place = Place::Extra;
                }
                Ok(given)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn with(text: &[u8], envelope: &[u8], size: usize) -> Vec<u8> {
        let extra = Extra::parse(text);
        let mut reader = extra.with(envelope);
        let (mut all, mut room) = (Vec::new(), vec![0; size]);
        loop {
            match reader.read(&mut room).unwrap() {
                0 => return all,
                read => all.extend_from_slice(&room[..read]),
            }
        }
    }

    #[test]
    fn extra_recipients_come_before_the_others() {
        let all = with(b"# copies\nlog\n\nme@x.test \n", b"Fa@b\0Tc@d\0\0", 4096);
        assert_eq!(all, b"Fa@b\0Tlog\0Tme@x.test\0Tc@d\0\0");
        assert_eq!(with(b"log", b"F\0\0", 4096), b"F\0Tlog\0\0");
    }

    #[test]
    fn without_any_nothing_changes() {
        assert_eq!(with(b"#\n", b"Fa@b\0Tc@d\0\0", 4096), b"Fa@b\0Tc@d\0\0");
        assert_eq!(Extra::parse(b"a\0b\n"), Extra::default());
    }

    #[test]
    fn a_host_may_have_none_and_not_too_many() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home { path: dir.path().into(), private: true };
        assert_eq!(Extra::read(&home).unwrap(), Extra::default());
        std::fs::create_dir(dir.path().join("control")).unwrap();
        let file = dir.path().join("control/extraqueue");
        std::fs::write(&file, "log\n").unwrap();
        assert_eq!(Extra::read(&home).unwrap(), Extra::parse(b"log"));
        std::fs::write(&file, vec![b'x'; 70_000]).unwrap();
        assert!(Extra::read(&home).is_err());
        std::fs::remove_file(&file).unwrap();
        std::fs::create_dir(&file).unwrap();
        assert!(Extra::read(&home).is_err());
    }

    proptest! {
        #[test]
        fn pieces_do_not_matter(envelope: Vec<u8>, size in 1usize..9) {
            let sender = envelope.iter().position(|&byte| byte == 0).map(|at| at + 1);
            let (before, after) = envelope.split_at(sender.unwrap_or(envelope.len()));
            let extra: &[u8] = if sender.is_some() { b"Tlog\0" } else { b"" };
            prop_assert_eq!(with(b"log", &envelope, size), [before, extra, after].concat());
            prop_assert_eq!(Extra::parse(b"log").added_to(&envelope), [before, extra, after].concat());
            prop_assert_eq!(Extra::default().added_to(&envelope), envelope.as_slice());
        }
    }
}
