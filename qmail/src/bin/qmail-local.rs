//! qmail-local — deliver a message as its recipient's .qmail file says.
//!
//! What it says is its report, which qmail-lspawn passes on; a line of its own has no name before it.
//! qmail-lspawn also keeps one as a helper, which makes one delivery after the other.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write;
use std::os::unix::ffi::OsStringExt;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use qmail::deliver::{Work, say, soft};
use qmail::local::dotqmail::Instruction;
use qmail::local::environment::Delivery;
use qmail::local::plan::{Plan, Tally};
use qmail::message::Message;
use qmail::reception::{self, unreadable};
use qmail::serving::Clerk;
use qmail::spawn::helper;
use unix::{fd, process};

const QMAIL_LOCAL: Program =
    Program::new("qmail-local", "[ -nN ] user homedir local dash ext domain sender aliasempty");

fn main() -> ExitCode {
    prog::main(QMAIL_LOCAL, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let words = args.rest();
    if words.first().is_some_and(|word| word == helper::OPTION) {
        return serve(&words);
    }
    let mut args = Args::new(args.name(), words);
    let mut only_show = false;
    while let Some(option) = args.option(b"nN")? {
        only_show = option.letter == b'n';
    }
    let mut words = [const { Vec::new() }; 8];
    for word in &mut words {
        *word = args.operand()?.into_vec();
    }
    let [user, home, local, dash, ext, host, sender, default] = words;
    if args.optional().is_some() || !home.starts_with(b"/") {
        return Err(args.usage());
    }
    let delivery = Delivery { user, home, local, dash, ext, host, sender };
    if !only_show {
        reception::refuse_root()?;
    }
    process::umask(0o077);
    if reception::enter_home(&delivery)?.is_sticky {
        if !only_show {
            return Err(reception::is_editing());
        }
        let warning = b"Warning: home directory is sticky.\n";
        let _ = fd::stderr().write_all(warning); // it is no more than a warning
    }
    // The message is standard input; programs find it there too.
    let input = fd::take(0).map_err(|error| unreadable(&error))?;
    let mut message = Message::new(File::from(input));
    if !only_show {
        reception::refuse_loops(&delivery, &mut message)?;
    }
    let found = reception::find(&delivery)?;
    let plan = Plan::new(found.as_ref().map(|found| found.file()), &default);
    if only_show {
        return show(plan);
    }
    let default_part = found.as_ref().and_then(|found| found.default);
    let (code, report) = Work::new(&delivery, default_part, message).follow(plan)?;
    if !report.is_empty() {
        say(&report)?;
    }
    Ok(code)
}

/// Makes deliveries for qmail-lspawn until it has no more.
fn serve(words: &[OsString]) -> Result<Exit, Fatal> {
    let [_, default] = words else { return Ok(Exit::HARD) };
    reception::refuse_root()?;
    process::umask(0o077);
    let mut clerk = Clerk::new(default.clone().into_vec());
    match helper::attend(|questions| clerk.answer(questions)) {
        Ok(()) => Ok(Exit::OK),
        Err(_) => Ok(Exit::SOFT), // nobody reads a reason
    }
}

/// What would be done.
fn show(plan: Plan<'_>) -> Result<Exit, Fatal> {
    let mut out = Vec::new();
    let mut tally = Tally::default();
    let mut refusal = None;
    for instruction in plan {
        let (kind, what, count) = match instruction {
            Ok(Instruction::Forward(address)) => ("forward ", address, &mut tally.forwards),
            Ok(Instruction::Maildir(name)) => ("maildir ", name, &mut tally.files),
            Ok(Instruction::Mbox(name)) => ("mbox ", name, &mut tally.files),
            Ok(Instruction::Program(command)) => ("program ", command, &mut tally.programs),
            Ok(Instruction::ForwardOnly | Instruction::Nothing) => continue,
            Err(reason) => {
                refusal = Some(soft(reason.text()));
                break;
            }
        };
        *count += 1;
        out.extend([kind.as_bytes(), what, b"\n"].concat());
    }
    if refusal.is_none() {
        out.extend(tally.line());
    }
    say(&out)?;
    refusal.map_or(Ok(Exit::OK), Err)
}
