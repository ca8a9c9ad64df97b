//! tcpcat beside the original.

mod scripts;

use harness::{Case, case};
use scripts::{Server, script};

fn shown(says: &[u8]) -> Case {
    case(|side| {
        let server = Server::start(says);
        let run = script(side, "tcpcat", &["127.0.0.1", &server.port.to_string()]).run();
        assert_eq!(server.heard(), b"");
        run
    })
}

#[test]
fn everything_is_shown_as_it_is() {
    shown(b"").same();
    shown(b"one\r\ntwo\n\x00\x07\xff\r").same();
    let all: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    shown(&all).same();
}

#[test]
fn nobody_listening_is_told() {
    let port = harness::free_port().to_string();
    case(|side| script(side, "tcpcat", &["127.0.0.1", &port]).run()).same();
}

#[test]
fn the_quote_of_the_day_of_this_host_is_meant_if_nothing_else_is_said() {
    if std::net::TcpStream::connect("127.0.0.1:17").is_err() {
        case(|side| script(side, "tcpcat", &[]).run()).same();
        case(|side| script(side, "tcpcat", &["127.0.0.1"]).run()).same();
    }
}
