//! IPv6, beside the IPv6 edition.

use harness::{Case, Side, case_v6};

use super::{SHOW, Server, named};

/// Whether this host has IPv6 at all.
pub(super) fn has_ipv6() -> bool {
    let has = std::net::TcpListener::bind("[::1]:0").is_ok();
    if !has {
        harness::skipped_for("IPv6");
    }
    has
}

/// The variables of 0.88, which the IPv6 edition has alone.
const SHOW_OLD: [&str; 3] = ["sh", "-c", "env | grep -E '^(PROTO|TCP[LR])' | sort"];

fn connected(server: &str, options: &[&str], host: &str, program: &[&str]) -> Case {
    case_v6(|side| {
        let server = Server::start(server);
        let port = server.port.to_string();
        let words = [&["tcpclient", "-v", "-HRl0"], options, &[host, &port], program].concat();
        named(side.run(words), server.port)
    })
}

#[test]
fn a_connection_by_ipv6_is_told_of() {
    if !has_ipv6() {
        return;
    }
    connected("::1", &[], "::1", &SHOW_OLD).same();
    connected("::1", &["-i", "::1"], "::1", &SHOW_OLD).same();
    connected("::1", &["-p4568"], "::1", &SHOW_OLD).same();
    connected("::1", &["-I", "lo"], "::1", &SHOW_OLD).same();
    connected("::1", &["-6"], "::1", &SHOW_OLD).same();
}

#[test]
fn a_connection_by_ipv4_looks_as_ever() {
    connected("127.0.0.1", &[], "127.0.0.1", &SHOW).same();
    connected("127.0.0.1", &["-4"], "127.0.0.1", &SHOW).same();
    connected("127.0.0.1", &["-4"], "0", &SHOW).same();
    connected("127.0.0.1", &["-i", "::ffff:127.0.0.2"], "127.0.0.1", &SHOW).same();
    connected("127.0.0.1", &[], "::ffff:127.0.0.1", &SHOW).same();
    connected("127.0.0.1", &["-6"], "127.0.0.1", &SHOW_OLD).same();
}

#[test]
fn the_variables_of_ipv6_are_set_too() {
    if !has_ipv6() {
        return;
    }
    let case = connected("::1", &[], "::1", &SHOW);
    let expected = "PROTO=TCP6\nTCP6LOCALHOST=0\nTCP6LOCALIP=::1\nTCP6LOCALPORT=CLIENT\n\
        TCP6REMOTEIP=::1\nTCP6REMOTEPORT=SERVER\nTCPLOCALHOST=0\nTCPLOCALIP=::1\n\
        TCPLOCALPORT=CLIENT\nTCPREMOTEIP=::1\nTCPREMOTEPORT=SERVER\n";
    assert_eq!(String::from_utf8_lossy(&case.ours().run.stdout), expected);
}

#[test]
fn hosts_that_are_ipv6_addresses_are_no_names() {
    if !has_ipv6() {
        return;
    }
    let server = Server::start("::1");
    for host in ["::1", "[::1]", "0:0::1", "::"] {
        let port = server.port.to_string();
        let words = ["tcpclient", "-v", "-HRl0", host, &port, "true"];
        let run = named(Side::ours().run(words), server.port);
        assert_eq!(run.stderr, b"tcpclient: connected to ::1 port SERVER\n", "{host}");
    }
}

#[test]
fn no_ipv6_address_without_ipv6() {
    let side = Side::ours();
    let run = side.run(["tcpclient", "-4", "-HRl0", "::1", "1", "true"]);
    assert_eq!(run.stderr, b"tcpclient: fatal: no IP address for ::1\n");
    assert_eq!(run.exit, 111);
}

#[test]
fn an_interface_that_is_not_there_is_fatal() {
    let side = Side::ours();
    let run = side.run(["tcpclient", "-I", "nonexistent", "-HRl0", "::1", "1", "true"]);
    let message = "tcpclient: fatal: unable to find interface nonexistent: device does not support operation\n";
    assert_eq!(String::from_utf8(run.stderr).unwrap(), message);
    assert_eq!(run.exit, 111);
}
