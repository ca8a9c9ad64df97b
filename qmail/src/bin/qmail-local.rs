//! qmail-local — deliver a message as its recipient's .qmail file says.
//!
//! What it says is its report, which qmail-lspawn passes on; a line of its own has no name before it.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, Program};
use qmail::deliver::{Work, hard, say, soft, trouble};
use qmail::local::dotqmail::{Instruction, candidates};
use qmail::local::environment::Delivery;
use qmail::local::loops::{Finding, Search};
use qmail::local::plan::{DotQmail, Plan, Tally};
use qmail::message::Message;
use qmail::spawn::report::code;
use queue::home::PATRN;
use unix::errno::{self, Errno};
use unix::fd::Direct;
use unix::{Uid, file, process};

const QMAIL_LOCAL: Program =
    Program::new("qmail-local", "[ -nN ] user homedir local dash ext domain sender aliasempty");

/// A larger .qmail file is read in several steps.
const MOST_ROOM: usize = 1 << 20;

fn main() -> ExitCode {
    prog::main(QMAIL_LOCAL, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
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
    if !only_show && Uid::effective().is_root() {
        let text = "Not allowed to perform deliveries as root. (#4.3.0)";
        return Err(Fatal::lines(Exit(code::ROOT), text));
    }
    process::umask(0o077);
    enter_home(&delivery.home, only_show)?;
    let mut message = message()?;
    if !only_show {
        refuse_loops(&delivery, &mut message)?;
    }
    let found = find(&delivery)?;
    let (file, default_part) = match &found {
        Some(found) => {
            let text = found.text.as_slice();
            (Some(DotQmail { text, forward_only: found.forward_only }), found.default)
        }
        None if delivery.dash.is_empty() => (None, None),
        None => return Err(hard("Sorry, no mailbox here by that name. (#5.1.1)")),
    };
    let plan = Plan::new(file, &default);
    if only_show {
        return show(plan);
    }
    Work::new(&delivery, default_part, message).follow(plan)
}

fn is_temporary(error: &io::Error) -> bool {
    errno::is_temporary(errno::of(error))
}

fn enter_home(home: &[u8], only_show: bool) -> Result<(), Fatal> {
    std::env::set_current_dir(OsStr::from_bytes(home))
        .map_err(|error| trouble(("Unable to switch to ", home), &error))?;
    let mode = match std::fs::metadata(".") {
        Ok(data) => data.permissions().mode(),
        Err(error) => return Err(trouble("Unable to stat home directory", &error)),
    };
    if mode & PATRN != 0 {
        return Err(soft("Uh-oh: home directory is writable. (#4.7.0)"));
    }
    if mode & 0o1000 == 0 {
        return Ok(());
    }
    if only_show {
        let warning = b"Warning: home directory is sticky.\n";
        let _ = unix::fd::stderr().write_all(warning); // it is no more than a warning
        return Ok(());
    }
    Err(soft("Home directory is sticky: user is editing his .qmail file. (#4.2.1)"))
}

/// The message, which is standard input; programs find it there too.
fn message() -> Result<Message, Fatal> {
    let input = unix::fd::take(0).map_err(|error| unreadable(&error))?;
    Ok(Message::new(File::from(input)))
}

fn unreadable(error: &io::Error) -> Fatal {
    match errno::of(error) {
        Errno::ESPIPE => soft("Unable to rewind message. (#4.3.0)"),
        _ => trouble("Unable to read message", error),
    }
}

fn refuse_loops(delivery: &Delivery, message: &mut Message) -> Result<(), Fatal> {
    let line = delivery.delivered_to();
    let mut search = Search::new(&line);
    loop {
        let block = message.block().map_err(|error| unreadable(&error))?;
        if block.is_empty() {
            return Ok(());
        }
        match search.look(block) {
            Finding::Absent => return Ok(()),
            Finding::Found => {
                let text = "This message is looping: it already has my Delivered-To line. (#5.4.6)";
                return Err(hard(text));
            }
            Finding::Open => {}
        }
    }
}

/// The .qmail file that counts.
struct Found<'a> {
    text: Vec<u8>,
    forward_only: bool,
    /// What `$DEFAULT` is to be.
    default: Option<&'a [u8]>,
}

/// Looks for it. A file that may be there but cannot be opened never gives way to another.
fn find(delivery: &Delivery) -> Result<Option<Found<'_>>, Fatal> {
    for candidate in candidates(&delivery.dash, &delivery.ext) {
        let name = &candidate.name;
        let unopened = |error: &io::Error| trouble(("Unable to open ", name), error);
        let file = match file::open_read(Path::new(OsStr::from_bytes(name))) {
            Ok(file) => file,
            Err(error)
                if is_temporary(&error) || error.kind() == io::ErrorKind::PermissionDenied =>
            {
                return Err(unopened(&error));
            }
            Err(_) => continue,
        };
        let data = file.metadata().map_err(|error| unopened(&error))?;
        if !data.is_file() {
            continue;
        }
        let mode = data.permissions().mode();
        if mode & PATRN != 0 {
            return Err(soft("Uh-oh: .qmail file is writable. (#4.7.0)"));
        }
        // Room for one read more than there should be, which finds the end.
        let room = usize::try_from(data.len()).unwrap_or(0).saturating_add(64);
        let mut text = Vec::with_capacity(room.min(MOST_ROOM));
        Direct(&file)
            .read_to_end(&mut text)
            .map_err(|error| trouble(("Unable to read ", name), &error))?;
        let default = candidate.default;
        return Ok(Some(Found { text, forward_only: mode & 0o100 != 0, default }));
    }
    Ok(None)
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
