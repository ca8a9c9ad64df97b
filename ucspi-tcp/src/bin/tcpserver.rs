//! tcpserver — accept TCP connections, and start a program for each.

use std::io::Write;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use ucspi_tcp::server::start::{self, Identity, Listener};
use ucspi_tcp::server::{Options, Server};
use ucspi_tcp::verbosity::Verbosity;
use unix::fd;
use unix::signal::{self, Held, Signal};

const TCPSERVER: Program = Program::new(
    "tcpserver",
    "[ -461UXpPhHrRoOdDqQv ] [ -c limit ] [ -x rules.cdb ] [ -B banner ] [ -g gid ] [ -u uid ] \
     [ -b backlog ] [ -l localname ] [ -t timeout ] [ -I interface ] [ -C perip ] [ -N pernet ] \
     [ -f perminute ] [ -L load ] [ -m message ] [ -T lifetime ] [ -i idle ] [ -K idle ] [ -G grace ] \
     [ -k kept ] [ -s fd ] [ -a balancers ] [ -w timeout ] host port program",
);

fn main() -> ExitCode {
    prog::main(TCPSERVER, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let options = Options::parse(&mut args, start::limits()?)?;
    let is_quiet = options.common.verbosity == Verbosity::Quiet;
    serve(options).map_err(|fatal| if is_quiet { fatal.hushed() } else { fatal })
}

fn serve(options: Options) -> Result<Exit, Fatal> {
    let held = Held::new(&[Signal::SIGCHLD]).or_fatal("unable to catch signals")?;
    signal::exit_on(Signal::SIGTERM, 0).or_fatal("unable to catch signals")?;
    signal::ignore(Signal::SIGPIPE).or_fatal("unable to catch signals")?;

    let identity = Identity::find(&options)?;
    let listeners = start::listen(&options)?;
    identity.assume()?;
    let limit = start::limit(&options)?;
    if options.prints_port {
        print_port(&listeners);
    }
    // Free numbers 0 and 1 would be given to connections.
    fd::replace_by_null(0)
        .and_then(|()| fd::replace_by_null(1))
        .or_fatal("unable to open /dev/null")?;
    Server::new(options, limit, listeners, held)?.run()?;
    Ok(Exit::OK)
}

fn print_port(listeners: &[Listener]) {
    if let Some(first) = listeners.first() {
        let line = format!("{}\n", first.address.port());
        // Who has asked for the line is gone; the service is not.
        let _ = fd::stdout().write_all(line.as_bytes());
    }
}
