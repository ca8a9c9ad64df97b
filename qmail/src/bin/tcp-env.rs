//! tcp-env — put what is known about a TCP connection into the environment of a program.

use std::convert::Infallible;
use std::net::IpAddr;
use std::process::ExitCode;
use std::time::Duration;

use lookup::ident;
use lookup::resolver::{Error, Resolver};
use prog::{Args, Chain, Exit, Fatal, OrFatal, Program, env};
use unix::signal::{self, Signal};
use unix::{fd, socket};
use wire::connection::{Connection, VARIABLES};
use wire::{decimal, ip, ucspi};

const TCP_ENV: Program =
    Program::new("tcp-env", "[ -rR ] [ -t timeout ] program").misuse(Exit::SOFT).silent();

/// How long each look-up of names may take.
const NAMES: Duration = Duration::from_secs(26);
/// The name of a host whose name nobody could tell at the time.
const UNTOLD: &[u8] = b"softdnserror";

fn main() -> ExitCode {
    prog::main(TCP_ENV, run)
}

fn run(mut args: Args) -> Result<Chain, Fatal> {
    let (mut asks_ident, mut seconds) = (true, 30);
    loop {
        // What is no option changes nothing, as with the original.
        match args.option(b"rRt:") {
            Ok(Some(opt)) if opt.letter == b't' => {
                let value = decimal::scan(opt.value.as_encoded_bytes());
                seconds = value.map_or(0, |(number, _)| number);
            }
            Ok(Some(opt)) => asks_ident = opt.letter == b'r',
            Ok(None) => break,
            Err(_) => {}
        }
    }
    let mut next = args.chain()?;
    if env::get("PROTO").is_some_and(|proto| proto == ucspi::TCP || proto == ucspi::TCP6) {
        return Ok(next);
    }

    let _ = signal::ignore(Signal::SIGPIPE); // of the ident server
    let local = socket::local_address(&fd::stdin()).or_fatal("unable to get local address")?;
    let remote = socket::remote_address(&fd::stdin()).or_fatal("unable to get remote address")?;
    let mut connection = Connection::new(local, remote, false);
    // The ident server connects while names are looked up.
    let limit = asks_ident.then_some(Duration::from_secs(seconds));
    let query = limit.and_then(|limit| ident::Query::begin(local, remote, ident::PORT, limit));
    let resolver = Resolver::of_process().within(NAMES);
    connection.local_host = known(resolver.ptr(ip::unmapped(local.ip())));
    connection.remote_host = known(verified(&resolver, ip::unmapped(remote.ip())));
    connection.remote_info = query.and_then(ident::Query::finish);
    let _ = signal::default(Signal::SIGPIPE); // as above

    for variable in VARIABLES {
        next.env.unset(variable);
    }
    let Ok(()) = connection.variables(|name, value| {
        next.env.set(name, value);
        Ok::<_, Infallible>(())
    });
    Ok(next)
}

fn known(name: Result<Vec<u8>, Error>) -> Option<Vec<u8>> {
    match name {
        Ok(name) => Some(name),
        Err(error) => error.is_soft().then(|| UNTOLD.to_vec()),
    }
}

/// The name of `address`, if the address is among those of the name: whoever owns an address can give
/// it any name.
fn verified(resolver: &Resolver, address: IpAddr) -> Result<Vec<u8>, Error> {
    let name = resolver.ptr(address)?;
    let is_theirs = resolver.addresses(&name)?.contains(&address);
    if is_theirs { Ok(name) } else { Err(Error::NoName) }
}
