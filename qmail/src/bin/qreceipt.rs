//! qreceipt — tell a sender who asks that the message has been delivered.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program, env};
use qmail::inject::split::{Splitter, Step};
use qmail::receipt::{Request, Unparsable};
use qmail::submit::{Submission, Verdict};
use queue::home::Home;

const QRECEIPT: Program = Program::new("qreceipt", "deliveryaddress");

fn main() -> ExitCode {
    prog::main(QRECEIPT, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let target = args.operand()?;
    let sender = env::get("SENDER").ok_or_else(|| args.usage())?;
    let request = header(target.as_bytes())?;
    let Some(text) = request.receipt(&sender, target.as_bytes()) else { return Ok(Exit::OK) };

    let mut receipt =
        Submission::start(&Home::find()).map_err(|_| Fatal::soft("unable to fork"))?;
    let _ = receipt.write_all(&text); // trouble shows in the verdict
    receipt.envelope(b"", [sender.as_slice()]);
    match receipt.finish() {
        Verdict::Accepted { .. } => Ok(Exit::OK),
        Verdict::Permanent(_) => Err(Fatal::hard("permanent qmail-queue error")),
        Verdict::Temporary(_) => Err(Fatal::soft("temporary qmail-queue error")),
    }
}

/// What the header of the message on standard input asks for.
fn header(target: &[u8]) -> Result<Request, Fatal> {
    let mut input = BufReader::new(unix::fd::stdin());
    let (mut request, mut splitter) = (Request::default(), Splitter::default());
    let mut line = Vec::new();
    loop {
        line.clear();
        let read = input.read_until(b'\n', &mut line).or_fatal("read error")?;
        let step = if read == 0 { None } else { Some(splitter.line(&line)) };
        let (field, is_end) = match step {
            None => (splitter.end(), true),
            Some(Step::More) => (None, false),
            Some(Step::Field(field)) => (Some(field), false),
            Some(Step::Body(field, _)) => (field, true),
        };
        if let Some(field) = field {
            request.field(&field, target).map_err(|Unparsable(field)| {
                let field = field.strip_suffix(b"\n").unwrap_or(&field);
                Fatal::hard(("unable to parse this: ", field))
            })?;
        }
        if is_end {
            return Ok(request);
        }
    }
}
