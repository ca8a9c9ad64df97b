//! splogger — pass lines on to syslog.
//!
//! Lines on standard input become messages. A syslog that is not there is tried again with each
//! message; what it does not take is lost, as messages to syslog are.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::process::ExitCode;

use prog::{Args, Exit, Program};
use qmail::splog::{Lines, MAIL, datagram};
use unix::signal::{self, Signal};
use unix::{clock, fd};
use wire::decimal;

const SPLOGGER: Program = Program::new("splogger", "[ tag [ facility ] ]");

const SOCKET: &str = "/dev/log";

fn main() -> ExitCode {
    prog::main(SPLOGGER, run)
}

fn run(mut args: Args) -> Exit {
    let tag = args.optional().unwrap_or_else(|| "splogger".into());
    let number = |text: OsString| decimal::scan(text.as_bytes()).map_or(0, |(number, _)| number);
    let facility = args.optional().map_or(MAIL, number);

    let _ = signal::ignore(Signal::SIGPIPE); // or a daemon that goes away would take us along
    let mut syslog = Syslog { facility, tag, connection: None };
    let mut lines = Lines::default();
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let read = fd::stdin().read(&mut buffer).unwrap_or(0); // no more input, whatever the reason
        let now = clock::wall();
        let Some(bytes @ [_, ..]) = buffer.get(..read) else {
            lines.finish(now, |severity, text| syslog.send(severity, text));
            return Exit::OK;
        };
        lines.take(bytes, now, |severity, text| syslog.send(severity, text));
    }
}

/// The system's log, as syslog(3) reaches it.
struct Syslog {
    facility: u64,
    tag: OsString,
    connection: Option<Connection>,
}

enum Connection {
    Datagram(UnixDatagram),
    Stream(UnixStream),
}

impl Syslog {
    /// Twice, because a syslog daemon that was started again has another socket.
    fn send(&mut self, severity: u64, text: &[u8]) {
        let Some(at) = clock::local(clock::wall().seconds) else { return };
        let message = datagram(self.facility, severity, at, self.tag.as_bytes(), text);
        let sent = self.try_send(&message).or_else(|_| self.try_send(&message));
        let _ = sent; // what is lost is lost: there is nobody to tell
    }

    fn try_send(&mut self, message: &[u8]) -> io::Result<()> {
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::open()?,
        };
        connection.send(message)?;
        self.connection = Some(connection);
        Ok(())
    }
}

impl Connection {
    fn open() -> io::Result<Connection> {
        let socket = UnixDatagram::unbound()?;
        match socket.connect(SOCKET) {
            Ok(()) => Ok(Connection::Datagram(socket)),
            // Some daemons listen for connections instead.
            Err(_) => UnixStream::connect(SOCKET).map(Connection::Stream),
        }
    }

    fn send(&self, message: &[u8]) -> io::Result<()> {
        match self {
            Connection::Datagram(socket) => socket.send(message).map(drop),
            Connection::Stream(stream) => {
                let mut stream = stream;
                stream.write_all(&[message, &[0]].concat())
            }
        }
    }
}
