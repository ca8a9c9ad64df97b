//! sendmail — hand a message to qmail, for programs that know only sendmail.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;

use prog::{Args, Chain, Env, Fatal, Program};
use queue::home::Home;
use wire::text;

const SYNOPSIS: &str = "[ -t ] [ -fsender ] [ -Fname ] [ -bp ] [ -bs ] [ arg ... ]";
const SENDMAIL: Program = Program::new("sendmail", SYNOPSIS);

/// Options of the original sendmail whose meaning qmail has anyway or has no use for. Those with a
/// value are what today's clients give: header limits, DSN wishes, configuration files.
const LETTERS: &[u8] = b"vimte:f:F:p:o:B:xb:r:N:O:R:V:L:C:h:X:nUGEJI";

fn main() -> ExitCode {
    prog::main(SENDMAIL, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let mut from_header = false;
    let mut sender = None;
    let mut name = None;
    while let Some(opt) = args.option(LETTERS)? {
        match (opt.letter, opt.value.as_bytes()) {
            (b't', _) => from_header = true,
            (b'f' | b'r', _) => sender = Some(opt.value),
            (b'F', _) => name = Some(opt.value),
            (b'b', [b'p', ..]) => return Ok(list_queue()),
            (b'b', [b's', ..]) => return Ok(speak_smtp()),
            (b'b', [b'm', ..]) => {}
            (b'b', [b'i', ..]) | (b'I', _) => return Err(no_aliases()),
            (b'b', _) => return Err(args.usage()),
            (b'E' | b'J', _) => args.end_cluster(), // Sony NEWS-OS: an optional value, attached
            _ => {}
        }
    }
    match args.name().as_bytes() {
        b"mailq" => return Ok(list_queue()),
        b"newaliases" => return Err(no_aliases()),
        _ => {}
    }

    let mut inject = in_home("bin/qmail-inject");
    inject.argument(if from_header { "-H" } else { "-a" });
    if let Some(sender) = &sender {
        inject.argument("-f");
        inject.argument(sender);
        become_sender(&mut inject.env, sender);
    }
    if let Some(name) = name {
        inject.env.set("MAILNAME", name.as_bytes());
    }
    inject.argument("--");
    for word in args.rest() {
        inject.argument(word);
    }
    Ok(inject)
}

/// A program of the host, run in its home directory.
fn in_home(program: &str) -> Chain {
    let mut next = Chain::new([program]);
    next.directory(Home::find().path);
    next
}

/// An alias database is not qmail's.
fn no_aliases() -> Fatal {
    Fatal::hard("please use fastforward/newaliases instead")
}

fn list_queue() -> Chain {
    in_home("bin/qmail-qread")
}

/// The From address follows the envelope sender, and the user's name is not theirs.
fn become_sender(env: &mut Env, sender: &OsStr) {
    for name in ["QMAILNAME", "MAILNAME", "NAME", "QMAILHOST", "MAILHOST"] {
        env.unset(name);
    }
    match text::rsplit_once(sender.as_bytes(), b'@') {
        Some((user, host)) => {
            env.set("QMAILHOST", host);
            env.set("QMAILUSER", user);
        }
        None => env.set("QMAILUSER", sender.as_bytes()),
    }
}

/// SMTP on standard input and output, as from a trusted client on this host unless a server in front
/// says otherwise.
fn speak_smtp() -> Chain {
    let mut next = in_home("bin/qmail-smtpd");
    if prog::env::get("PROTO").is_none() {
        for (name, value) in [
            ("RELAYCLIENT", ""),
            ("DATABYTES", "0"),
            ("PROTO", "TCP"),
            ("TCPLOCALIP", "127.0.0.1"),
            ("TCPLOCALHOST", "localhost"),
            ("TCPREMOTEIP", "127.0.0.1"),
            ("TCPREMOTEHOST", "localhost"),
            ("TCPREMOTEINFO", "sendmail-bs"),
        ] {
            next.env.set(name, value);
        }
    }
    next
}
