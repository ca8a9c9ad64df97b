//! recordio — run a program, and show on standard error what it reads and writes.

use std::cell::RefCell;
use std::io::Write;
use std::process::ExitCode;
use std::rc::Rc;

use prog::{Args, Chain, Fatal, Program};
use ucspi_tcp::relay::{self, PORTION, Passed, Through};
use ucspi_tcp::secrets::Secrets;
use ucspi_tcp::tap::{self, Before, Bytes};
use unix::{clock, fd, process};

const RECORDIO: Program = Program::new("recordio", "[ -ptx ] program [ arg ... ]");

fn main() -> ExitCode {
    prog::main(RECORDIO, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let mut bytes = Bytes::AsTheyAre;
    let mut secrets = None;
    let mut is_timed = false;
    while let Some(opt) = args.option(b"ptx")? {
        match opt.letter {
            b'p' => secrets = Some(Rc::default()),
            b't' => is_timed = true,
            _ => bytes = Bytes::Escaped,
        }
    }
    let mut next = args.chain()?;
    let program = process::id();
    let shown = |sign| Shown {
        before: Before::new(&format!("{program} {sign} "), is_timed),
        is_client: sign == '<',
        bytes,
        secrets: secrets.clone(),
        open: Vec::new(),
        lines: Vec::new(),
    };
    relay::surround(&mut next, shown('<'), shown('>'))?;
    Ok(next)
}

/// What passes in one direction is shown before it is passed on.
struct Shown {
    before: Before,
    is_client: bool,
    bytes: Bytes,
    /// What is secret depends on both directions.
    secrets: Option<Rc<RefCell<Secrets>>>,
    /// What is shown of a reading that may have secrets; kept for its memory, as the next.
    open: Vec<u8>,
    /// Lines for the log.
    lines: Vec<u8>,
}

impl Through for Shown {
    fn pass(&mut self, read: &[u8], _: &mut Vec<u8>) -> Passed {
        let before = self.before.now(clock::wall);
        self.lines.clear();
        let mut shown = read;
        if let Some(secrets) = &self.secrets {
            if self.is_client {
                self.open.clear();
                secrets.borrow_mut().hide(read, &mut self.open);
                shown = &self.open;
            } else {
                secrets.borrow_mut().hear(read);
            }
        }
        if read.is_empty() {
            tap::push_end(&mut self.lines, before);
        } else {
            tap::push_lines(&mut self.lines, before, shown, self.bytes);
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
