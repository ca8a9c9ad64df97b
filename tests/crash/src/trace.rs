//! What strace says about system calls, as values.
//!
//! Written by `strace -f -y -s 100000`: each line begins with the process number, descriptors carry
//! their paths, and strings are whole.

use std::collections::HashMap;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// A system call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// Who made it.
    pub pid: u32,
    /// Its name: `openat`.
    pub name: String,
    /// Its arguments, as strace writes them.
    pub arguments: Vec<String>,
    /// What it returned; -1 if it failed or never did.
    pub result: i64,
    /// The line on which it began.
    pub began: usize,
    /// The line on which it returned.
    pub ended: usize,
}

/// Reads a trace. What is no call (signals, exits) is passed over.
#[must_use]
pub fn parse(trace: &[u8]) -> Vec<Call> {
    let text = String::from_utf8_lossy(trace);
    let mut open: HashMap<u32, (usize, String)> = HashMap::new();
    let mut calls = Vec::new();
    for (line, text) in text.lines().enumerate() {
        let Some((pid, rest)) = text.split_once(' ') else { continue };
        let Ok(pid) = pid.parse() else { continue };
        let rest = rest.trim_start();
        if let Some(start) = rest.strip_suffix("<unfinished ...>") {
            open.insert(pid, (line, start.trim_end().to_owned()));
        } else if let Some(end) = rest.strip_prefix("<... ") {
            let Some((began, start)) = open.remove(&pid) else { continue };
            let Some((_, end)) = end.split_once("resumed>") else { continue };
            calls.extend(call(pid, began, line, &format!("{start}{end}")));
        } else {
            calls.extend(call(pid, line, line, rest));
        }
    }
    // One that never returned may have been an exit.
    for (pid, (began, start)) in open {
        calls.extend(call(pid, began, began, &format!("{start}) = ?")));
    }
    calls.sort_by_key(|call| call.began);
    calls
}

fn call(pid: u32, began: usize, ended: usize, text: &str) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(" = ")?;
    let arguments = arguments.trim_end().strip_suffix(')')?;
    let digits = result.split(|char: char| char != '-' && !char.is_ascii_digit()).next()?;
    let (name, mut arguments) = modern(name, split(arguments));
    // Where a name that an older call opened led to is only in the result.
    if let (true, Some((_, path))) =
        (text.starts_with("open(") || text.starts_with("creat("), result.split_once('<'))
    {
        arguments[1] = format!("\"{}\"", path.rsplit_once('>')?.0);
    }
    Some(Call {
        pid,
        name: name.to_owned(),
        arguments,
        result: digits.parse().unwrap_or(-1),
        began,
        ended,
    })
}

/// The call in the form that names directories: musl calls open(2) where glibc calls openat(2), and so on.
///
/// strace does not tell the working directory of the older ones: a name of theirs that is not absolute stays as
/// it is.
fn modern(name: &str, mut arguments: Vec<String>) -> (&str, Vec<String>) {
    let name = match name {
        "creat" => {
            arguments.insert(1, "O_WRONLY|O_CREAT|O_TRUNC".into());
            "openat"
        }
        "open" => "openat",
        "unlink" => "unlinkat",
        "link" => "linkat",
        "rename" => "renameat",
        other => return (other, arguments),
    };
    arguments.insert(0, "AT_FDCWD".into());
    if matches!(name, "linkat" | "renameat") {
        arguments.insert(2, "AT_FDCWD".into());
    }
    (name, arguments)
}

/// The arguments between the commas that are not inside of anything.
fn split(arguments: &str) -> Vec<String> {
    let (mut found, mut start, mut depth) = (Vec::new(), 0, 0_i32);
    let (mut is_quoted, mut is_escaped) = (false, false);
    for (place, char) in arguments.char_indices() {
        match char {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if is_quoted => {}
            '[' | '{' | '<' | '(' => depth += 1,
            ']' | '}' | '>' | ')' => depth -= 1,
            ',' if depth == 0 => {
                found.push(arguments[start..place].trim().to_owned());
                start = place + 1;
            }
            _ => {}
        }
    }
    found.push(arguments[start..].trim().to_owned());
    found
}

impl Call {
    /// An argument, or nothing if there are not so many.
    #[must_use]
    pub fn argument(&self, number: usize) -> &str {
        self.arguments.get(number).map_or("", String::as_str)
    }

    /// The number of a descriptor that is an argument.
    #[must_use]
    pub fn descriptor(&self, number: usize) -> Option<i32> {
        self.argument(number).split('<').next()?.parse().ok()
    }

    /// The path of a descriptor that is an argument.
    #[must_use]
    pub fn opened(&self, number: usize) -> Option<PathBuf> {
        let (_, path) = self.argument(number).split_once('<')?;
        let (path, _) = path.rsplit_once('>')?;
        path.starts_with('/').then(|| PathBuf::from(path))
    }

    /// The bytes of every string in an argument, one after the other.
    #[must_use]
    pub fn bytes(&self, number: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut rest = self.argument(number).as_bytes();
        let mut is_quoted = false;
        while let Some((&byte, tail)) = rest.split_first() {
            rest = tail;
            match byte {
                b'"' => is_quoted = !is_quoted,
                b'\\' if is_quoted => rest = unescape(rest, &mut bytes),
                _ if is_quoted => bytes.push(byte),
                _ => {}
            }
        }
        bytes
    }

    /// What an `io_submit(2)` asks for, as far as it was taken: the number of each request, and the path of its file
    /// or directory.
    #[must_use]
    pub fn requests(&self) -> Vec<(u64, PathBuf)> {
        let taken = usize::try_from(self.result).unwrap_or(0);
        let request = |text: &str| {
            let path = text.split_once("aio_fildes=")?.1.split_once('<')?.1.rsplit_once('>')?.0;
            Some((number(text.split_once("aio_data=")?.1)?, PathBuf::from(path)))
        };
        self.argument(2).split('{').skip(1).take(taken).filter_map(request).collect()
    }

    /// What an `io_getevents(2)` tells: the number of each request that has been done without an error.
    #[must_use]
    pub fn done(&self) -> Vec<u64> {
        let events = self.argument(3).split('{').skip(1).filter(|text| text.contains(" res=0,"));
        events.filter_map(|text| number(text.strip_prefix("data=")?)).collect()
    }

    /// The path that an argument is, below the directory that the argument before it is.
    #[must_use]
    pub fn path_at(&self, number: usize) -> PathBuf {
        let name = PathBuf::from(std::ffi::OsString::from_vec(self.bytes(number)));
        let directory = number.checked_sub(1).and_then(|before| self.opened(before));
        plain(&directory.unwrap_or_default().join(name))
    }
}

/// The number that a text begins with, as strace writes it.
fn number(text: &str) -> Option<u64> {
    let digits = text.split(|char: char| !char.is_ascii_alphanumeric()).next()?;
    digits.strip_prefix("0x").map_or(digits.parse().ok(), |hex| u64::from_str_radix(hex, 16).ok())
}

/// The path without `.`.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, std::path::Component::CurDir)).collect()
}

/// Reads what stands behind a backslash; gives what is left.
fn unescape<'a>(rest: &'a [u8], bytes: &mut Vec<u8>) -> &'a [u8] {
    let octal = rest.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
    if octal > 0 {
        let number =
            rest[..octal].iter().fold(0_u32, |sum, digit| sum * 8 + u32::from(digit - b'0'));
        bytes.extend(u8::try_from(number));
        return &rest[octal..];
    }
    let Some((&letter, tail)) = rest.split_first() else { return rest };
    bytes.push(match letter {
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 11,
        b'f' => 12,
        other => other,
    });
    tail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_has_paths_and_bytes() {
        let trace = br#"12 openat(5</q>, "pid/./12", O_WRONLY|O_CREAT, 0644) = 4</q/pid/12>
12 writev(4</q/pid/12>(deleted), [{iov_base="a, \"b\" = \00015\0K\n", iov_len=9}], 1) = 9
12 --- SIGCHLD {si_signo=SIGCHLD} ---
"#;
        let calls = parse(trace);
        assert_eq!(calls.len(), 2);
        assert_eq!(calls[0].path_at(1), Path::new("/q/pid/12"));
        assert_eq!((calls[0].argument(2), calls[0].result), ("O_WRONLY|O_CREAT", 4));
        assert_eq!(calls[1].opened(0).unwrap(), Path::new("/q/pid/12"));
        assert_eq!((calls[1].descriptor(0), calls[1].result), (Some(4), 9));
        assert_eq!(calls[1].bytes(1), b"a, \"b\" = \x0015\0K\n");
    }

    #[test]
    fn older_calls_are_as_those_that_replaced_them() {
        let trace = br#"12 open("/q/pid/12", O_RDONLY|O_LARGEFILE) = 4</q/pid/12>
12 creat("./a", 0644) = 5</q/a>
12 link("/q/a", "/q/b") = 0
12 rename("/q/a", "/q/b") = 0
12 unlink("/q/b") = 0
"#;
        let calls = parse(trace);
        let names: Vec<_> = calls.iter().map(|call| call.name.as_str()).collect();
        assert_eq!(names, ["openat", "openat", "linkat", "renameat", "unlinkat"]);
        assert_eq!(calls[0].path_at(1), Path::new("/q/pid/12"));
        assert_eq!(calls[0].argument(2), "O_RDONLY|O_LARGEFILE");
        assert_eq!(calls[1].path_at(1), Path::new("/q/a"));
        assert!(calls[1].argument(2).contains("O_CREAT"));
        for call in &calls[2..4] {
            assert_eq!((call.path_at(1), call.path_at(3)), ("/q/a".into(), "/q/b".into()));
        }
        assert_eq!(calls[4].path_at(1), Path::new("/q/b"));
    }

    #[test]
    fn what_is_asked_for_at_once_has_numbers() {
        let request = |data, path| {
            format!("{{aio_data={data}, aio_lio_opcode=IOCB_CMD_FDSYNC, aio_fildes=3<{path}>}}")
        };
        let event = |data, result| format!("{{data={data}, obj=0x7ff, res={result}, res2=0}}");
        let trace = format!(
            "12 io_submit(0x7f0, 3, [{}, {}, {}]) = 2\n12 io_getevents(0x7f0, 2, 4, [{}, {}], NULL) = 2\n",
            request("0", "/q/a"),
            request("0x1f", "/q/b"),
            request("0x2", "/q/c"),
            event("0x1f", "0"),
            event("0", "-5"),
        );
        let calls = parse(trace.as_bytes());
        assert_eq!(calls[0].requests(), [(0, "/q/a".into()), (31, "/q/b".into())]);
        assert_eq!(calls[1].done(), [31]);
    }

    #[test]
    fn a_call_that_others_interrupt_is_put_together() {
        let trace = b"12 fsync(4</q/a> <unfinished ...>\n13 exit_group(0)    = ?\n\
                      12 <... fsync resumed>)              = 0\n14 fsync(5</q/b> <unfinished ...>\n";
        let calls = parse(trace);
        let found: Vec<_> =
            calls.iter().map(|call| (call.pid, call.result, call.began, call.ended)).collect();
        assert_eq!(found, [(12, 0, 0, 2), (13, -1, 1, 1), (14, -1, 3, 3)]);
    }
}
