//! The end of a server and the begin of the next: what the original does not have.

use std::io::Read;
use std::net::{TcpListener, TcpStream};

use harness::{Background, Run, Side, until};
use unix::signal::Signal;

use super::{PLAIN, Server};

const ECHO: [&str; 3] = ["sh", "-c", "echo hello; read x; echo $x"];

fn hello(client: &mut TcpStream) {
    let mut hello = [0; 6];
    client.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello\n");
}

fn start(side: &Side, options: &[&str], program: &[&str]) -> Server {
    Server::start(side, &[&PLAIN[..], options].concat(), "127.0.0.1", program)
}

#[test]
fn a_server_that_stops_gracefully_waits_for_its_programs() {
    let side = Side::ours();
    let mut server = start(&side, &["-G", "60"], &ECHO);
    let mut client = server.connect("127.0.0.1", "127.0.0.1");
    hello(&mut client);
    server.background.signal(Signal::SIGTERM);
    server.background.hears("tcpserver: stopping: 1/40\n");
    assert!(TcpStream::connect(("127.0.0.1", server.port)).is_err());
    std::io::Write::write_all(&mut client, b"still there\n").unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "still there\n");
    assert_eq!(server.background.ends(), 0);
    server.ended(1);
}

#[test]
fn a_server_without_programs_stops_at_once() {
    let side = Side::ours();
    let mut server = start(&side, &["-G", "60"], &ECHO);
    server.background.hears("tcpserver: status: 0/40\n");
    server.background.signal(Signal::SIGTERM);
    assert_eq!(server.background.ends(), 0);
    server.background.hears("tcpserver: stopping: 0/40\n");
}

#[test]
fn programs_that_outlast_the_grace_are_sent_term() {
    let trap = [
        "sh",
        "-c",
        "trap 'echo term > heard; exit' TERM; echo hello; while :; do sleep 0.1; done",
    ];
    for grace in ["1", "0"] {
        let side = Side::ours();
        let mut server = start(&side, &["-G", grace], &trap);
        let mut client = server.connect("127.0.0.1", "127.0.0.1");
        hello(&mut client);
        server.background.signal(Signal::SIGTERM);
        assert_eq!(server.background.ends(), 0);
        assert!(until(|| side.read("heard") == b"term\n"));
    }
    // A second signal ends the waiting.
    let side = Side::ours();
    let mut server = start(&side, &["-G", "600"], &trap);
    let mut client = server.connect("127.0.0.1", "127.0.0.1");
    hello(&mut client);
    server.background.signal(Signal::SIGTERM);
    server.background.hears("tcpserver: stopping: 1/40\n");
    server.background.signal(Signal::SIGTERM);
    assert_eq!(server.background.ends(), 0);
    assert!(until(|| side.read("heard") == b"term\n"));
}

#[test]
fn a_program_that_ignores_term_outlasts_the_server_and_its_grace() {
    let side = Side::ours();
    let script = "trap '' TERM; echo hello; read x; echo $x";
    let mut server = start(&side, &["-G", "1"], &["sh", "-c", script]);
    let mut client = server.connect("127.0.0.1", "127.0.0.1");
    hello(&mut client);
    let told = std::time::Instant::now();
    server.background.signal(Signal::SIGTERM);
    assert_eq!(server.background.ends(), 0);
    assert!(told.elapsed() >= std::time::Duration::from_secs(1));
    server.background.hears("tcpserver: stopping: 1/40\n");
    // It has its connection to the end.
    std::io::Write::write_all(&mut client, b"still there\n").unwrap();
    let mut rest = String::new();
    client.read_to_string(&mut rest).unwrap();
    assert_eq!(rest, "still there\n");
}

#[test]
fn usr1_asks_who_is_connected() {
    let side = Side::ours();
    let mut server = start(&side, &[], &ECHO);
    let mut clients = ["127.0.0.1", "127.0.0.2"].map(|from| server.connect("127.0.0.1", from));
    clients.iter_mut().for_each(hello);
    server.background.signal(Signal::SIGUSR1);
    server.background.hears("tcpserver: connections: 2/40\n");
    let lines = |log: &str| {
        let lines = log.lines().filter(|line| line.starts_with("tcpserver: connection "));
        lines.map(|line| line.split(' ').nth(3).unwrap_or_default().to_owned()).collect::<Vec<_>>()
    };
    assert!(until(|| lines(&server.log()).len() == 2), "{}", server.log());
    let [first, second] = [0, 1].map(|place| server.clients[place]);
    let expected = [format!("127.0.0.1:{first}"), format!("127.0.0.2:{second}")];
    assert_eq!(lines(&String::from_utf8_lossy(&server.background.stderr())), expected);
    // It goes on, and programs are not bothered.
    for client in &mut clients {
        std::io::Write::write_all(client, b"x\n").unwrap();
        let mut rest = String::new();
        client.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "x\n");
    }
    server.ended(2);
}

#[test]
fn signals_are_seen_under_load() {
    let side = Side::ours();
    let server = start(&side, &["-c1000", "-G60"], &["true"]);
    let port = server.port;
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let background = std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
                    let _ = TcpStream::connect(("127.0.0.1", port));
                }
            });
        }
        let mut background = server.background;
        background.hears("tcpserver: end ");
        background.signal(Signal::SIGUSR1);
        background.hears("tcpserver: connections: ");
        background.signal(Signal::SIGTERM);
        let exit = background.ends();
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
        assert_eq!(exit, 0);
        background
    });
    drop(background);
}

/// `tcpserver` with the listening socket as descriptor 3, told so by `how`.
fn serve(side: &Side, socket: &TcpListener, how: &str) -> Background {
    let script = format!("exec 3<&0 0</dev/null; {how}");
    let command = side.command(["sh", "-c", &script]);
    command.stdin_from(socket.try_clone().unwrap()).start_in_background()
}

#[test]
fn a_server_is_replaced_without_losing_a_connection() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let side = Side::ours();
    let option = "exec tcpserver -1 -v -HRl0 -s3 ignored ignored \
        sh -c 'echo one; ls -l /proc/$$/fd | grep -c socket; env | grep -c LISTEN'";
    let systemd = "export LISTEN_FDNAMES=x LISTEN_FDS=1 LISTEN_PID=$$; \
        exec tcpserver -1 -v -HRl0 0 0 sh -c 'echo two; ls -l /proc/$$/fd | grep -c socket; env | grep -c LISTEN'";
    let address = socket.local_addr().unwrap();
    let read = |mut client: TcpStream| {
        let mut got = String::new();
        client.read_to_string(&mut got).unwrap();
        got
    };
    for (how, expected) in
        [(option, "one\n2\n0\n"), (systemd, "two\n2\n0\n"), (option, "one\n2\n0\n")]
    {
        let waiting: Vec<_> = (0..5).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut server = serve(&side, &socket, how);
        assert!(until(|| !server.stdout().is_empty()), "{}", server.stderr().escape_ascii());
        server.says(&format!("{}\n", address.port()));
        for client in waiting {
            assert_eq!(read(client), expected);
        }
        server.signal(Signal::SIGTERM);
        assert_eq!(server.ends(), 0);
    }
}

#[test]
fn a_descriptor_that_is_no_socket_is_fatal() {
    let side = Side::ours();
    let fatal = |words: &[&str], said: &str| {
        let Run { exit, stderr, .. } = side.run(words);
        assert_eq!((exit, String::from_utf8(stderr).unwrap()), (111, said.to_owned()));
    };
    fatal(
        &["tcpserver", "-s", "0", "0", "0", "true"],
        "tcpserver: fatal: unable to use descriptor 0: not a socket that listens\n",
    );
    fatal(
        &["tcpserver", "-s", "40", "0", "0", "true"],
        "tcpserver: fatal: unable to use descriptor 40: file descriptor not open\n",
    );
}
