//! tcpserver beside the original.

#[path = "tcpserver/guards.rs"]
mod guards;
#[path = "tcpserver/kept.rs"]
mod kept;
#[path = "tcpserver/kept_ends.rs"]
mod kept_ends;
#[path = "tcpserver/limits.rs"]
mod limits;
#[path = "tcpserver/log.rs"]
mod log;
#[path = "tcpserver/names.rs"]
mod names;
#[path = "tcpserver/network.rs"]
mod network;
#[path = "tcpserver/odd_names.rs"]
mod odd_names;
#[path = "tcpserver/privileges.rs"]
mod privileges;
#[path = "tcpserver/proxy.rs"]
mod proxy;
#[path = "tcpserver/reload.rs"]
mod reload;
#[path = "tcpserver/rules.rs"]
mod rules;
#[path = "tcpserver/sockets.rs"]
mod sockets;
#[path = "tcpserver/start.rs"]
mod start;
#[path = "tcpserver/stop.rs"]
mod stop;
#[path = "tcpserver/time.rs"]
mod time;
#[path = "tcpserver/told.rs"]
mod told;
#[path = "tcpserver/trouble.rs"]
mod trouble;

use std::io::Read;
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::Duration;

use harness::{Background, Run, Side, until};
use unix::signal::Signal;

const LIMIT: Duration = Duration::from_mins(1);

/// Nothing is looked up.
const PLAIN: [&str; 4] = ["-v", "-HR", "-l", "local"];

/// A server that has told its port.
struct Server {
    background: Background,
    port: u16,
    /// Ports of clients, in order.
    clients: Vec<u16>,
}

impl Server {
    /// `tcpserver -1` with `options`, at a free port of `host`.
    fn start(side: &Side, options: &[&str], host: &str, program: &[&str]) -> Server {
        Server::start_with(side, options, host, program, &[])
    }

    fn start_with(
        side: &Side,
        options: &[&str],
        host: &str,
        program: &[&str],
        variables: &[(&str, &str)],
    ) -> Server {
        let words = [&["tcpserver", "-1"], options, &["--", host, "0"], program].concat();
        let command = variables
            .iter()
            .fold(side.command(words), |command, (name, value)| command.env(name, value));
        let background = command.start_in_background();
        let is_told = || background.stdout().ends_with(b"\n");
        assert!(until(is_told), "no port: {}", background.stderr().escape_ascii());
        let told = String::from_utf8(background.stdout()).unwrap();
        Server { port: told.trim().parse().unwrap(), background, clients: Vec::new() }
    }

    /// A connection to `address`, from `from`.
    fn connect(&mut self, address: &str, from: &str) -> TcpStream {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        self.reach(SocketAddr::new(ip(address), self.port), SocketAddr::new(ip(from), 0))
    }

    fn reach(&mut self, to: SocketAddr, from: SocketAddr) -> TcpStream {
        let socket: OwnedFd = unix::socket::connect(to, Some(from), LIMIT).expect("a server");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        self.clients.push(stream.local_addr().unwrap().port());
        stream
    }

    /// What a client from `from` gets until the server closes.
    fn get(&mut self, address: &str, from: &str) -> Vec<u8> {
        let mut stream = self.connect(address, from);
        let mut got = Vec::new();
        let _ = stream.read_to_end(&mut got); // a reset is an end, too
        got
    }

    /// What a client on the same host gets.
    fn ask(&mut self) -> Vec<u8> {
        self.get("127.0.0.1", "127.0.0.1")
    }

    /// Waits until so many programs have ended (or were refused) and that was told.
    fn ended(&self, count: usize) {
        let is_told = || {
            let text = String::from_utf8_lossy(&self.background.stderr()).into_owned();
            let last = text.lines().last().unwrap_or_default();
            text.matches("tcpserver: end ").count() >= count && last.contains("status: ")
        };
        assert!(until(is_told), "{}", self.background.stderr().escape_ascii());
    }

    /// Ends the server; `stdout` is what clients got. Numbers that differ from run to run are
    /// replaced in the log.
    fn stop(mut self, stdout: Vec<u8>) -> Run {
        self.background.signal(Signal::SIGTERM);
        let exit = self.background.ends();
        Run { stdout, stderr: self.log().into_bytes(), exit }
    }

    fn log(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.background.stderr()).into_owned();
        // Clients first: one at another address may have the server's own number.
        for client in &self.clients {
            text = text.replace(&format!(":{client}\n"), ":CLIENT\n");
        }
        text = text.replace(&format!(":{}", self.port), ":PORT");
        text.lines().map(without_pid).collect()
    }
}

/// A line of the log with `PID` for the process number.
fn without_pid(line: &str) -> String {
    let mut words: Vec<&str> = line.split(' ').collect();
    if let ["tcpserver:", "pid" | "ok" | "deny" | "end" | "timeout", pid, ..] = words.as_mut_slice()
    {
        *pid = "PID";
    }
    words.join(" ") + "\n"
}

/// Serves one client.
fn served(side: &Side, options: &[&str], program: &[&str]) -> Run {
    let mut server = Server::start(side, options, "127.0.0.1", program);
    let got = server.ask();
    if options.contains(&"-v") && !options.contains(&"-Q") {
        server.ended(1);
    }
    server.stop(got)
}

/// Compiles rules into `cdb`, with ours, so that both sides have the same.
fn compile(side: &Side, rules: &str) {
    let tool = Side::ours();
    let run = tool.command(["tcprules", "cdb", "tmp"]).stdin(rules).run();
    assert_eq!(run.exit, 0, "{}", run.stderr.escape_ascii());
    // As tcprules does it: whole or not at all.
    side.write("cdb.new", tool.read("cdb"));
    std::fs::rename(side.path().join("cdb.new"), side.path().join("cdb")).unwrap();
}

/// Whether this host has IPv6 at all.
fn has_ipv6() -> bool {
    let has = std::net::TcpListener::bind("[::1]:0").is_ok();
    if !has {
        harness::skipped_for("IPv6");
    }
    has
}

fn is_root() -> bool {
    let is = unix::process::user().1.is_root();
    if !is {
        harness::skipped_for("only root can do this");
    }
    is
}
