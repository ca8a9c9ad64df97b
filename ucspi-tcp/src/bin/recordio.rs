//! recordio — run a program, and show on standard error what it reads and writes.

use std::io::Write;
use std::process::ExitCode;

use prog::{Args, Chain, Fatal, Program};
use ucspi_tcp::relay::{self, PORTION, Passed, Through};
use ucspi_tcp::tap::{self, Bytes};
use unix::{fd, process};

const RECORDIO: Program = Program::new("recordio", "[ -x ] program [ arg ... ]");

fn main() -> ExitCode {
    prog::main(RECORDIO, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let mut bytes = Bytes::AsTheyAre;
    while args.option(b"x")?.is_some() {
        bytes = Bytes::Escaped;
    }
    let mut next = args.chain()?;
    let program = process::id();
    let shown = |sign| Shown { before: format!("{program} {sign} "), bytes, lines: Vec::new() };
    relay::surround(&mut next, shown('<'), shown('>'))?;
    Ok(next)
}

/// What passes in one direction is shown before it is passed on.
struct Shown {
    before: String,
    bytes: Bytes,
    /// Lines for the log; kept for their memory.
    lines: Vec<u8>,
}

impl Through for Shown {
    fn pass(&mut self, read: &[u8], _: &mut Vec<u8>) -> Passed {
        let before = self.before.as_bytes();
        self.lines.clear();
        if read.is_empty() {
            tap::push_end(&mut self.lines, before);
        } else {
            tap::push_lines(&mut self.lines, before, read, self.bytes);
        }
        let mut rest = self.lines.as_slice();
        while !rest.is_empty() {
            let portion = tap::portion(rest, PORTION);
            // A log that cannot be written must not stop the conversation.
            let _ = fd::stderr().write_all(portion);
            rest = rest.get(portion.len()..).unwrap_or_default();
        }
        Passed::AsRead
    }
}
