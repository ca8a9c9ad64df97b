//! qmail-smtpd — receive mail via SMTP.

use std::io;
use std::process::ExitCode;
use std::time::Duration;

use prog::{Args, Exit, Program, env};
use qmail::control::Control;
use qmail::further::Further;
use qmail::received::Peer;
use qmail::smtp::connection::Connection;
use qmail::smtp::log::Log;
use qmail::smtp::session::{Trouble, replies};
use qmail::smtpd::journal::Journal;
use qmail::smtpd::server::{LOST, Server};
use qmail::submit::Starter;
use queue::home::Home;
use unix::fd::Standard;
use unix::signal::{self, Signal};
use unix::timed::Timed;
use unix::{process, socket};

const SMTPD: Program = Program::new("qmail-smtpd", "");

/// Seconds for each read and write, where the administrator does not say.
const TIMEOUT: u64 = 1200;
/// No more is written at once, since the descriptor may be a blocking one.
const PIECE: usize = 4096;

type Client = Connection<Timed<Standard>, Timed<Standard>>;

fn main() -> ExitCode {
    prog::main(SMTPD, run)
}

fn run(_: Args) -> Exit {
    let _ = signal::ignore(Signal::SIGPIPE); // only for a better end
    let mut starter = Starter::new(&Home::find());
    let Some(mut further) = Further::offered() else {
        return serve(&mut starter, || ());
    };
    loop {
        let exit = serve(&mut starter, || further.hang_up());
        if let Err(end) = further.comes(exit) {
            return end;
        }
    }
}

/// Serves the client that the environment describes. Nothing here is from another one before, but what
/// starts queue programs; with `hang_up` the client knows that it is over, while such a program is still
/// to be let go.
fn serve(starter: &mut Starter, hang_up: impl FnOnce()) -> Exit {
    let _ = socket::no_delay(&Standard::Output); // only for speed; what is no socket has no delay

    let home = Home::find();
    starter.renew(&home);
    let control = Control::of(&home);
    let peer = Peer::read(env::get);
    let log = Log::new(process::id().as_raw().unsigned_abs(), &peer.ip);
    let journal = Journal::new(SMTPD, log);
    let timeout = control.number("timeoutsmtpd");
    let limit = timeout.as_ref().ok().copied().flatten().unwrap_or(TIMEOUT).max(1);
    let timed = |end| Timed::new(end, Duration::from_secs(limit));
    let mut client = Client::new(timed(Standard::Input), timed(Standard::Output), PIECE);

    let mut server = timeout.and_then(|_| Server::new(&home, &control, &peer, &journal, starter));
    let ended = match &mut server {
        Ok(server) => server.serve(&mut client),
        Err(error) => {
            journal.tell(b"unable to read controls", Some(error));
            abort(Trouble::Controls.reply(), &mut client)
        }
    };
    let exit = ended.unwrap_or_else(|error| {
        if error.kind() == io::ErrorKind::TimedOut {
            journal.tell(b"timeout", None);
            // A client that does not read what was said is not told more.
            if client.output().is_empty() {
                let _ = abort(replies::TIMEOUT, &mut client); // it ends in any case
            }
        }
        LOST
    });
    hang_up();
    exit
}

/// Says a last thing.
fn abort(reply: &str, client: &mut Client) -> io::Result<Exit> {
    client.output().extend_from_slice(reply.as_bytes());
    client.send()?;
    Ok(LOST)
}
