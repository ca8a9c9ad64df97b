//! tcpcontrol — run a program if compiled rules allow the connection that the environment tells of.

use std::ffi::OsStr;
use std::io::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

use prog::{Args, Chain, Exit, Fatal, OrFatal, Program};
use ucspi_tcp::control::Told;
use ucspi_tcp::rules::{self, Item};
use unix::{fd, process};
use wire::decimal;

const TCPCONTROL: Program = Program::new("tcpcontrol", "rules.cdb program [ arg ... ]");
/// Exit code of a connection that was refused.
const REFUSED: Exit = Exit::HARD;

fn main() -> ExitCode {
    prog::main(TCPCONTROL, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let path = args.path()?;
    let mut next = args.chain()?;

    let told =
        Told::read(|name| std::env::var_os(OsStr::from_bytes(name)).map(OsStringExt::into_vec));
    let rule = rules::find_in(&path, told.peer()).or_fatal(("unable to read ", &path))?;
    let data = rule.map(|rule| rule.data).unwrap_or_default();
    if rules::items(&data).any(|item| item == Item::Deny) {
        tell(b"deny", &told);
        return Err(Fatal::silent(REFUSED));
    }
    for item in rules::items(&data) {
        if let Item::Set(name, value) = item {
            next.env.set(name, value);
        }
    }
    tell(b"ok", &told);
    Ok(next)
}

/// Logs the verdict as tcpserver does, under the number that the program will have.
fn tell(verdict: &[u8], told: &Told) {
    let mut line = [b"tcpcontrol: ", verdict, b" "].concat();
    decimal::push(&mut line, process::id().as_raw().unsigned_abs().into());
    line.push(b' ');
    told.push_fields(&mut line);
    line.push(b'\n');
    // A log that cannot be written is no reason to refuse anybody.
    let _ = fd::stderr().write_all(&line);
}
