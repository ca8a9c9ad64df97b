//! maildirwatch — show the new mail of a maildir in a window.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use prog::{Args, Fatal, OrFatal, Program};
use qmail::inbox;
use qmail::summary::{Summary, harmless};
use unix::clock;
use unix::poll::{self, Interest};
use unix::watch::Watch;

const MAILDIRWATCH: Program = Program::new("maildirwatch", "");

/// Bytes that are shown of subject and body: two lines.
const WIDTH: usize = 158;
/// How long what is shown may be old where nothing tells of new mail.
const INTERVAL: Duration = Duration::from_secs(30);
/// Goes to the first place of the window, and clears it.
const CLEAR: &[u8] = b"\x1b[;H\x1b[;J";

fn main() -> ExitCode {
    prog::main(MAILDIRWATCH, |args| run(args).map_or_else(|fatal| fatal, |never| match never {}))
}

fn run(_: Args) -> Result<std::convert::Infallible, Fatal> {
    inbox::enter(&inbox::variable("MAILDIR")?)?;
    // Where this is not to be had, as on a network file system, time tells.
    let mut watch = Watch::directory(Path::new("new")).ok();
    loop {
        show(clock::wall().seconds)?;
        match &mut watch {
            Some(watch) => {
                let _ = poll::wait(&mut [Interest::readable(&*watch)], Some(INTERVAL)); // then it is time
                watch.drain();
            }
            None => clock::sleep(INTERVAL),
        }
    }
}

/// Shows all messages in new/, the oldest first.
fn show(now: i64) -> Result<(), Fatal> {
    inbox::clean(now);
    let mut out = CLEAR.to_vec();
    for (_, path) in inbox::messages(&["new"], i64::MAX)? {
        let Ok(file) = File::open(path) else { continue }; // it has just been read and moved
        let summary = Summary::read(file, WIDTH).or_fatal("trouble reading new message")?;
        push(&mut out, &summary);
    }
    unix::fd::stdout().write_all(&out).or_fatal("unable to write output")
}

fn push(out: &mut Vec<u8>, summary: &Summary) {
    let or_unknown = |value: &Option<Vec<u8>>| harmless(value.as_deref().unwrap_or(b"?"), b'?');
    let (sender, recipient) = (or_unknown(&summary.sender), or_unknown(&summary.recipient));
    for part in [b"FROM ", &sender[..], b" TO <", &recipient, b">\n"] {
        out.extend_from_slice(part);
    }
    if let Some(from) = &summary.from {
        for part in [b"\x1b[1m", &harmless(from, b'/')[..], b"\x1b[0m\n"] {
            out.extend_from_slice(part);
        }
    }
    out.extend_from_slice(&harmless(&summary.text, b'/'));
    out.extend_from_slice(b"\n\n");
}
