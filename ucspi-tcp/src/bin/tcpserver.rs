//! tcpserver — accept TCP connections, and start a program for each.

use std::io::Write;
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use ucspi_tcp::ports;
use ucspi_tcp::server::start::{self, Identity, Listener};
use ucspi_tcp::server::{Options, Server};
use ucspi_tcp::verbosity::Verbosity;
use unix::poll::{self, Interest};
use unix::signal::{self, Held, Signal};
use unix::{clock, errno, fd, socket};

/// The usage line is that of the IPv6 edition.
const TCPSERVER: Program = Program::new(
    "tcpserver",
    "[ -461UXpPhHrRoOdDqQv ] [ -c limit ] [ -x rules.cdb ] [ -B banner ] [ -g gid ] [ -u uid ] \
     [ -b backlog ] [ -l localname ] [ -t timeout ] [ -I interface ] host port program",
);

fn main() -> ExitCode {
    prog::main(TCPSERVER, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let options = Options::parse(&mut args)?;
    let is_quiet = options.verbosity == Verbosity::Quiet;
    serve(options).map_err(|fatal| if is_quiet { fatal.hushed() } else { fatal })
}

fn serve(options: Options) -> Result<Exit, Fatal> {
    let port = ports::figure_out(&options.port)?;
    let held = Held::new(&[Signal::SIGCHLD]).or_fatal("unable to catch signals")?;
    signal::exit_on(Signal::SIGTERM, 0).or_fatal("unable to catch signals")?;
    signal::ignore(Signal::SIGPIPE).or_fatal("unable to catch signals")?;

    let identity = Identity::find(&options)?;
    let listeners = start::listen(&options, port)?;
    identity.assume()?;
    if options.prints_port {
        print_port(&listeners);
    }
    // Free numbers 0 and 1 would be given to connections.
    fd::replace_by_null(0)
        .and_then(|()| fd::replace_by_null(1))
        .or_fatal("unable to open /dev/null")?;

    let mut server = Server::new(options, held)?;
    server.tell_status();
    loop {
        server.flush();
        let is_idle = !(server.slots().may_accept() && accept(&mut server, &listeners));
        let is_signalled = is_idle && wait(&mut server, &listeners)?;
        // Without a signal only a child of this server can have ended.
        if is_signalled || server.slots().taken() > 0 {
            server.reap();
        }
    }
}

fn print_port(listeners: &[Listener]) {
    if let Some(first) = listeners.first() {
        let line = format!("{}\n", first.address.port());
        // Who has asked for the line is gone; the service is not.
        let _ = fd::stdout().write_all(line.as_bytes());
    }
}

/// Serves a connection from each socket that has one. False if there was none.
fn accept(server: &mut Server, listeners: &[Listener]) -> bool {
    let mut any = false;
    for listener in listeners {
        if !server.slots().may_accept() {
            break;
        }
        match socket::accept(&listener.socket) {
            Ok((connection, remote)) => {
                any = true;
                server.serve(listener, &connection, remote);
            }
            Err(error) => {
                if server.slots().accept_failed(errno::of(&error), clock::monotonic()) {
                    server.warn(&[b"unable to accept connections"], error);
                }
            }
        }
    }
    any
}

/// Waits for a connection, if one can be accepted, or for a child to end. True if there may be no
/// connection.
fn wait(server: &mut Server, listeners: &[Listener]) -> Result<bool, Fatal> {
    server.flush();
    let pause = server.slots().pause(clock::monotonic());
    let sockets = if server.slots().may_accept() { listeners } else { &[] };
    let mut interests: Vec<Interest<'_>> =
        sockets.iter().map(|listener| Interest::readable(&listener.socket)).collect();
    let ready = poll::wait_held(&mut interests, pause, server.held()).or_fatal("unable to wait")?;
    Ok(ready == 0)
}
