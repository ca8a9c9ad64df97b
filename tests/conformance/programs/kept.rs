//! A program for the tests of `tcpserver -k`: takes further connections, and does what the client says.
//!
//! To each client it says which process it is, and how many clients it has had. Then it does what
//! each line of the client asks for; at the end of the lines it ends the connection with code 0.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::process::exit;

use unix::signal::{self, Signal};
use unix::{Pid, fd, socket};
use wire::next::{self, Offer};

type Environment = BTreeMap<Vec<u8>, Vec<u8>>;

fn main() {
    let bytes = std::ffi::OsString::into_encoded_bytes;
    let mut environment: Environment =
        std::env::vars_os().map(|(name, value)| (bytes(name), bytes(value))).collect();
    let channel = environment.remove(next::VARIABLE).and_then(|value| channel(&value));
    let mut connection = fd::take(0).expect("a connection");
    let _ = fd::take(1).expect("the same"); // closes it
    let mut clients = 0;
    loop {
        clients += 1;
        let code = serve(connection, clients, &environment, channel.as_ref());
        let Some(channel) = &channel else { exit(code.into()) };
        if socket::send_now(channel, &next::over(code), None).is_err() {
            exit(code.into());
        }
        let mut message = vec![0; next::LONGEST];
        let (length, given) = socket::wait_over(channel, &mut message).expect("a channel");
        if length == 0 {
            exit(0);
        }
        let variables = next::variables(&message[..length]).expect("an environment");
        environment =
            variables.into_iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect();
        connection = given.expect("a connection");
    }
}

/// What the offer is about, if it is for this very program.
fn channel(offer: &[u8]) -> Option<OwnedFd> {
    let offer = Offer::parse(offer)?;
    let channel = fd::take(offer.descriptor).expect("a channel");
    fd::close_on_exec(&channel, true).expect("a channel");
    let own = fs::metadata("/proc/self/exe").expect("a program");
    offer.is_for(own.dev(), own.ino()).then_some(channel)
}

/// Serves a client; the code that its connection ends with.
fn serve(
    connection: OwnedFd,
    clients: u32,
    environment: &Environment,
    channel: Option<&OwnedFd>,
) -> u8 {
    let mut out = File::from(connection);
    let lines = BufReader::new(out.try_clone().expect("a connection")).lines();
    let own = Pid::this();
    let kept = if channel.is_some() { "kept" } else { "alone" };
    let mut say = |bytes: &[u8]| out.write_all(bytes).expect("a client");
    say(format!("{own} {clients} {kept}\n").as_bytes());
    // What is said to the server beside the protocol.
    let tell = |message: &[u8]| {
        socket::send_now(channel.expect("a channel"), message, None).expect("a server");
    };
    for line in lines {
        let line = line.expect("a client");
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("environment", _) => {
                for (name, value) in environment {
                    say(&[&name[..], b"=", value, b"\n"].concat());
                }
                say(b".\n");
            }
            ("log", words) => eprintln!("{words}"),
            ("code", code) => return code.parse().expect("a code"),
            ("exit", code) => exit(code.parse().expect("a code")),
            ("die", _) => signal::send(own, Signal::SIGKILL).expect("an end"),
            ("nonsense", _) => tell(b"two"),
            ("twice", code) => tell(&next::over(code.parse().expect("a code"))),
            ("stay", _) => {
                // Says that the connection is over, and neither closes it nor ends.
                tell(&next::over(0));
                loop {
                    std::thread::park();
                }
            }
            _ => panic!("{line}"),
        }
    }
    0
}
