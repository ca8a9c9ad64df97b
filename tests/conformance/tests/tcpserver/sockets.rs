//! One server at several ports.

use std::io::Read;
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd;

use harness::{Side, until};

#[test]
fn a_server_has_several_ports_by_several_sockets() {
    if harness::client("bash", []).is_none() {
        return;
    }
    let sockets = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    for socket in &sockets {
        unix::fd::close_on_exec(socket, false).unwrap();
    }
    let [first, second] = sockets.each_ref().map(AsRawFd::as_raw_fd);
    // Numbers above 9 are for bash only.
    let script = format!(
        "exec tcpserver -v -HRl0 -s {first} -s {second} ignored ignored \
         sh -c 'echo $TCPLOCALPORT'"
    );
    let side = Side::ours();
    let server = side.command(["bash", "-c", &script]).start_in_background();
    assert!(until(|| server.stderr().ends_with(b"status: 0/40\n")));
    for socket in &sockets {
        let address = socket.local_addr().unwrap();
        let mut got = String::new();
        TcpStream::connect(address).unwrap().read_to_string(&mut got).unwrap();
        assert_eq!(got, format!("{}\n", address.port()));
    }
}
