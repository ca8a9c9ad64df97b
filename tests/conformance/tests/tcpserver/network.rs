//! Many addresses of both families, in a network of the test's own.

use std::io::Read;
use std::net::{SocketAddr, SocketAddrV6, TcpStream};

use harness::{Network, Run, Side, case_v6, own_network, skipped_for, until};

use super::{PLAIN, Server, compile};

/// True inside a network in which `prepare` has been done; false if there is nothing left to do.
fn is_inside(test: &str, prepare: &str) -> bool {
    let network = own_network(&format!("network::{test}"), prepare);
    if let Network::Shared(why) = &network {
        skipped_for(&format!("a network of the test's own: {why}"));
    }
    network == Network::Own
}

/// Three networks of 64 bits, two of them in one of 48.
const ADDRESSES: &str = "for ip in 0:1::1 0:1:8::2 0:2::1 1::1; do \
    ip -6 addr add 2001:db8:$ip/128 dev lo nodad || exit 1; done";
const SERVER: &str = "2001:db8:0:1::1";
const NEAR: &str = "2001:db8:0:1:8::2";

/// A program that holds its connection.
const HOLD: [&str; 3] = ["sh", "-c", "echo hello; read x"];

fn start(side: &Side, options: &[&str]) -> Server {
    Server::start(side, &[&PLAIN[..], options].concat(), "0", &HOLD)
}

/// The server's address that a client from `from` connects to.
fn near(from: &str) -> &'static str {
    if from.contains(':') { SERVER } else { "127.0.0.1" }
}

fn held(server: &mut Server, from: &str) -> TcpStream {
    let mut client = server.connect(near(from), from);
    let mut hello = [0; 6];
    client.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello\n", "{from}");
    client
}

/// While one from `first` is connected: whether each of `others` is refused because of the network.
fn refused(options: &[&str], first: &str, others: &[&str]) -> Vec<bool> {
    let side = Side::ours();
    let mut server = start(&side, options);
    let _first = held(&mut server, first);
    let mut is_refused = |from: &&str| {
        let mut client = server.connect(near(from), from);
        if client.read(&mut [0]).is_ok_and(|length| length > 0) {
            return false;
        }
        let fields = format!(" :{from}::");
        let is_denied = |line: &str| line.contains(&fields) && line.ends_with(" MAXCONNC:1");
        assert!(until(|| server.log().lines().any(is_denied)), "{}", server.log());
        true
    };
    others.iter().map(&mut is_refused).collect()
}

#[test]
fn networks_have_the_width_that_is_asked_for() {
    if !is_inside("networks_have_the_width_that_is_asked_for", ADDRESSES) {
        return;
    }
    let six = [NEAR, "2001:db8:0:2::1", "2001:db8:1::1"];
    let of_six = |option| refused(&[option], SERVER, &six);
    assert_eq!(of_six("-N1"), [true, false, false]);
    assert_eq!(of_six("-N1/24/64"), [true, false, false]);
    assert_eq!(of_six("-N1/24/48"), [true, true, false]);
    assert_eq!(of_six("-N1/24/32"), [true, true, true]);
    assert_eq!(of_six("-N1/0/128"), [false, false, false]);
    let four = ["127.0.0.2", "127.0.1.1", "127.1.1.1", SERVER];
    let of_four = |option| refused(&[option], "127.0.0.1", &four);
    assert_eq!(of_four("-N1"), [true, false, false, false]);
    assert_eq!(of_four("-N1/16"), [true, true, false, false]);
    assert_eq!(of_four("-N1/8"), [true, true, true, false]);
    assert_eq!(of_four("-N1/32/128"), [false, false, false, false]);
}

#[test]
fn a_rule_s_limit_is_for_a_network_of_64_bits() {
    if !is_inside("a_rule_s_limit_is_for_a_network_of_64_bits", ADDRESSES) {
        return;
    }
    let side = Side::ours();
    compile(&side, "2001:db8::/32:allow,MAXCONNC=\"2\",DIEMSG=\"421 all of you\"\n");
    let mut server = start(&side, &["-x", "cdb"]);
    let _held = [SERVER, NEAR].map(|from| held(&mut server, from));
    assert_eq!(server.get(SERVER, SERVER), b"421 all of you\r\n");
    let _other = held(&mut server, "2001:db8:0:2::1");
}

#[test]
fn a_network_of_64_bits_connects_so_often_a_minute() {
    if !is_inside("a_network_of_64_bits_connects_so_often_a_minute", ADDRESSES) {
        return;
    }
    let side = Side::ours();
    let options = [&PLAIN[..], &["-f2"]].concat();
    let mut server = Server::start(&side, &options, "0", &["echo", "ok"]);
    let mut get = |from: &str| server.get(SERVER, from);
    assert_eq!(get(SERVER), b"ok\n");
    assert_eq!(get(NEAR), b"ok\n");
    assert_eq!(get(SERVER), b"");
    assert_eq!(get("2001:db8:0:2::1"), b"ok\n");
}

/// An interface with a link-local address, which takes its traffic from itself.
const LINK: &str = "ip link add v0 type veth peer name v1 && ip link set v0 up && \
    ip link set v1 up && ip -6 addr add fe80::1:1/64 dev v0 nodad";
const SHOW: [&str; 3] = ["sh", "-c", "env | grep -E '^(PROTO|TCP)' | sort"];

#[test]
fn a_link_local_client_has_an_interface() {
    if !is_inside("a_link_local_client_has_an_interface", LINK) {
        return;
    }
    let scope = unix::socket::interface_index("v0".as_ref()).unwrap();
    let place =
        |port| SocketAddr::from(SocketAddrV6::new("fe80::1:1".parse().unwrap(), port, 0, scope));
    for (options, host) in [(&["-Iv0"][..], "fe80::1:1"), (&["-Iv0"], "0"), (&[], "0")] {
        let case = case_v6(|side| {
            let options = [&PLAIN[..], options].concat();
            let leak = [("TCP6INTERFACE", "leak")];
            let mut server = Server::start_with(side, &options, host, &SHOW, &leak);
            let mut client = server.reach(place(server.port), place(0));
            let mut got = String::new();
            client.read_to_string(&mut got).unwrap();
            let port = server.clients[0].to_string();
            let got = got.replace(&port, "CLIENT").replace(&server.port.to_string(), "PORT");
            server.ended(1);
            server.stop(got.into_bytes())
        });
        let told = String::from_utf8_lossy(&case.ours().run.stdout).into_owned();
        assert!(told.contains("PROTO=TCP6\nTCP6INTERFACE=v0\n"), "{told}");
        case.same();
    }
    // Without an interface such an address is none.
    case_v6(|side| side.run(["tcpserver", "fe80::1:1", "0", "true"])).same();
}

#[test]
fn an_interface_that_is_not_there_is_fatal() {
    let side = Side::ours();
    let Run { exit, stderr, .. } = side.run(["tcpserver", "-I", "none", "::1", "0", "true"]);
    let expected = "tcpserver: fatal: unable to find interface none: \
        device does not support operation\n";
    assert_eq!((exit, String::from_utf8(stderr).unwrap()), (111, expected.to_owned()));
}
