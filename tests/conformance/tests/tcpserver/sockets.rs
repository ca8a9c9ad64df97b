//! One server at several ports.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use harness::{Side, until};

#[test]
fn a_server_has_several_ports_by_several_sockets() {
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [first, second] = sockets.each_ref().map(|socket| socket.as_raw_fd().to_string());
    let side = Side::ours();
    let options = ["tcpserver", "-v", "-HRl0", "-s", &first, "-s", &second];
    let program = ["ignored", "ignored", "sh", "-c", "echo $TCPLOCALPORT"];
    let command = side.command([&options[..], &program].concat());
    let server = command.keeping(&sockets).start_in_background();
    assert!(until(|| server.stderr().ends_with(b"status: 0/40\n")));
    for socket in &sockets {
        let address = socket.local_addr().unwrap();
        let mut got = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut got).unwrap();
        assert_eq!(got, format!("{}\n", address.port()));
    }
}
