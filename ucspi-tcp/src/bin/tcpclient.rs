//! tcpclient — connect to a TCP server, and run a program with the connection.

use std::convert::Infallible;
use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::process::ExitCode;

use prog::{Args, Chain, Exit, Fatal, OrFatal, Piece, Program};
use ucspi_tcp::ask::{self, Wanted};
use ucspi_tcp::client::{Attempts, Options};
use ucspi_tcp::connection::{Connection, VARIABLES};
use ucspi_tcp::verbosity::Verbosity;
use ucspi_tcp::{hosts, ports};
use unix::errno::{self, Errno};
use unix::fd;
use unix::signal::{self, Signal};
use unix::socket::{self, ConnectError};

/// The usage line is that of the IPv6 edition.
const TCPCLIENT: Program = Program::new(
    "tcpclient",
    "[ -46hHrRdDqQv ] [ -i localip ] [ -p localport ] [ -T timeoutconn ] [ -l localname ] \
     [ -t timeoutinfo ] [ -I interface ] host port program",
);

fn main() -> ExitCode {
    prog::main(TCPCLIENT, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    // The program has other things there. Whoever waits for the end of these must not wait longer.
    drop((fd::take(6), fd::take(7)));
    let options = Options::parse(&mut args)?;
    if options.common.verbosity == Verbosity::Quiet {
        // Also of a program that cannot be run nothing is said.
        return Err(prepare(options).map_or_else(|fatal| fatal, Chain::exec).hushed());
    }
    prepare(options)
}

/// The program, with its connection.
fn prepare(options: Options) -> Result<Chain, Fatal> {
    signal::ignore(Signal::SIGPIPE).or_fatal("unable to ignore SIGPIPE")?;
    let port = ports::figure_out(&options.port)?;
    let socket = connect(&options, port)?;
    if options.common.no_delay {
        // Without it the connection works all the same.
        let _ = socket::no_delay(&socket);
    }

    let local = socket::local_address(&socket).or_fatal("unable to get local address")?;
    let remote = socket::remote_address(&socket).or_fatal("unable to get remote address")?;
    let mut connection = Connection::new(local, remote, options.common.as_ipv6);
    connection.local_host = options.common.local_host;
    connection.interface = ask::interface(remote);
    if options.common.verbosity == Verbosity::All {
        let mut shown = Vec::new();
        connection.push_remote_ip(&mut shown);
        tell(("connected to ", shown, " port ", remote.port()));
    }
    let user = options.common.asks_ident.then_some(options.common.timeout);
    ask::ask(Wanted { name: options.common.asks_name, is_paranoid: false, user }, &mut connection);

    let mut next = options.program;
    for variable in VARIABLES {
        next.env.unset(variable);
    }
    let Ok(()) = connection.variables(|name, value| {
        next.env.set(name, value);
        Ok::<_, Infallible>(())
    });
    let second = fd::duplicate(&socket, 8).or_fatal("unable to set up descriptor 7")?;
    next.descriptor(6, socket);
    next.descriptor(7, second);
    Ok(next)
}

/// A connection to one of the host's addresses.
fn connect(options: &Options, port: u16) -> Result<OwnedFd, Fatal> {
    let scope = hosts::scope(options.common.interface.as_deref())?;
    let mut addresses = hosts::addresses(&options.host, options.common.only_ipv4)?;
    if let Some(local) = options.local_ip {
        addresses.retain(|address| address.is_ipv4() == local.is_ipv4());
        if addresses.is_empty() {
            return Err(Fatal::soft(("no IP address for ", &options.host)));
        }
    }
    let mut attempts = Attempts::new(addresses, options.connect);
    while let Some((address, limit)) = attempts.begin() {
        let from = from(options, address, scope);
        let error = match socket::connect_in_steps(hosts::place(address, port, scope), from, limit)
        {
            Ok(socket) => return Ok(socket),
            Err(ConnectError::Bind(error)) => {
                return Err(Fatal::because("unable to bind socket", error));
            }
            // A kernel without IPv6 may still reach the next address.
            Err(ConnectError::Create(error)) if errno::of(&error) != Errno::EAFNOSUPPORT => {
                return Err(Fatal::because("unable to create socket", error));
            }
            Err(ConnectError::Create(error) | ConnectError::Connect(error)) => errno::of(&error),
        };
        let is_told = options.common.verbosity != Verbosity::Quiet;
        if !(error == Errno::ETIMEDOUT && attempts.postpone(address)) && is_told {
            let what = ("unable to connect to ", address, " port ", port);
            tell((what, ": ", errno::classic(error)));
        }
    }
    // Everything has been said.
    Err(Fatal::silent(Exit::SOFT))
}

/// Where the connection is to come from, if that matters.
fn from(options: &Options, to: IpAddr, scope: u32) -> Option<SocketAddr> {
    let any: IpAddr = match to {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let is_any = options.local_ip.is_none() && options.local_port == 0;
    (!is_any).then(|| hosts::place(options.local_ip.unwrap_or(any), options.local_port, scope))
}

/// Says `tcpclient: what`: these lines have no kind.
fn tell(what: impl Piece) {
    let mut line = Vec::new();
    ("tcpclient: ", what, "\n").render(&mut line);
    // There is nowhere else to say it.
    let _ = fd::stderr().write_all(&line);
}
