//! tcprulescheck — say what tcpserver would do by a set of compiled rules.

use std::io::Write;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use ucspi_tcp::rules::{self, Item, Match, Peer};

const TCPRULESCHECK: Program = Program::new("tcprulescheck", "rules.cdb");

fn main() -> ExitCode {
    prog::main(TCPRULESCHECK, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let path = args.path()?;
    let ip = prog::env::get("TCPREMOTEIP").unwrap_or_else(|| b"0.0.0.0".to_vec());
    let host = prog::env::get("TCPREMOTEHOST");
    let info = prog::env::get("TCPREMOTEINFO");

    let peer = Peer { ip: &ip, host: host.as_deref(), info: info.as_deref() };
    let rule = rules::find_in(&path, peer).or_fatal(("unable to read ", &path))?;
    unix::fd::stdout().write_all(&shown(rule)).or_fatal("unable to write output")?;
    Ok(Exit::OK)
}

/// The rule in words; after a denial nothing more is said.
fn shown(rule: Option<Match>) -> Vec<u8> {
    let Some(rule) = rule else { return b"default:\nallow connection\n".to_vec() };
    let mut out = [b"rule ", &rule.key[..], b":\n"].concat();
    for item in rules::items(&rule.data) {
        match item {
            Item::Deny => {
                out.extend_from_slice(b"deny connection\n");
                return out;
            }
            Item::Set(name, value) => {
                out.extend([b"set environment variable ", name, b"=", value, b"\n"].concat());
            }
        }
    }
    out.extend_from_slice(b"allow connection\n");
    out
}
