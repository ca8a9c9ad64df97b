//! qsmhook — run a program that was a mailer of sendmail.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

use prog::{Args, Chain, Exit, Fatal, Program, env};
use qmail::feeding;
use qmail::hook::Mail;

const QSMHOOK: Program = Program::new("qsmhook", "[ -DFlMmnPs ] [ -x prefix ] cmd [ arg ... ]");

fn main() -> ExitCode {
    prog::main(QSMHOOK, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let set = |name: &str, args: &Args| env::get(name).ok_or_else(|| args.usage());
    // In the order they are to stand in.
    let [from, path, to] = [set("UFLINE", &args)?, set("RPLINE", &args)?, set("DTLINE", &args)?];
    let mut mail = Mail {
        local: set("LOCAL", &args)?,
        host: set("HOST", &args)?,
        sender: set("SENDER", &args)?,
    };
    let (mut has_from, mut has_path, mut has_to) = (true, false, false);
    while let Some(option) = args.option(b"DFlMmnPsx:")? {
        match option.letter {
            b'l' => has_to = true,
            b'n' => has_from = false,
            b'P' => has_path = true,
            b'x' => mail.strip(option.value.as_bytes()),
            _ => {} // about fields and recipients, which are qmail's affair
        }
    }
    let lines = [(from, has_from), (path, has_path), (to, has_to)];
    let head = lines.into_iter().filter(|(_, wanted)| *wanted).flat_map(|(line, _)| line).collect();
    let words = args.rest();
    if words.is_empty() {
        return Err(args.usage());
    }
    let words = words.iter().map(|word| OsString::from_vec(mail.fill(word.as_bytes())));
    feeding::feed(Chain::new(words), head)
}
