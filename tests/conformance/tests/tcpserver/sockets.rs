//! Sockets that listen: how many, and how long their backlog is.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;
use std::time::Duration;

use harness::{Run, Side, case, until};

use super::Server;

#[test]
fn a_server_has_several_ports_by_several_sockets() {
    // Descriptors from 64 on are not taken, and other tests may have all others at the moment.
    let mut sockets = Vec::new();
    assert!(until(|| {
        sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap()).into();
        sockets.iter().all(|socket| socket.as_raw_fd() < 64)
    }));
    let [first, second] = [0, 1].map(|place: usize| sockets[place].as_raw_fd().to_string());
    let side = Side::ours();
    let options = ["tcpserver", "-v", "-HRl0", "-s", &first, "-s", &second];
    let program = ["ignored", "ignored", "sh", "-c", "echo $TCPLOCALPORT"];
    let command = side.command([&options[..], &program].concat());
    let server = command.keeping(&sockets).start_in_background();
    server.hears("status: 0/40\n");
    for socket in &sockets {
        let address = socket.local_addr().unwrap();
        let mut got = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut got).unwrap();
        assert_eq!(got, format!("{}\n", address.port()));
    }
}

#[test]
fn the_backlog_is_as_long_as_is_asked_for() {
    let soon = Duration::from_millis(200);
    for (option, all_wait, limit) in [("-b1", false, soon), ("-b20", true, super::LIMIT)] {
        case(|side| {
            let options = ["-v", "-HR", "-l0", "-c1", option];
            let mut server =
                Server::start(side, &options, "127.0.0.1", &["sh", "-c", "echo hello; read x"]);
            // Who has a program does not wait.
            let mut first = server.connect("127.0.0.1", "127.0.0.1");
            first.read_exact(&mut [0; 6]).unwrap();
            let at = ([127, 0, 0, 1], server.port).into();
            let connect = || TcpStream::connect_timeout(&at, limit).ok();
            let waiting: Vec<TcpStream> = std::iter::from_fn(connect).take(10).collect();
            assert_eq!(waiting.len() == 10, all_wait, "{option}: {}", waiting.len());
            Run { stdout: Vec::new(), stderr: Vec::new(), exit: 0 }
        })
        .same();
    }
}
