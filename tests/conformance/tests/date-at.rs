//! date@ beside the original.

mod scripts;

use harness::{Case, case};
use scripts::{Server, script};

/// What is shown of what the server at `host` says.
fn shown(host: &str, says: &[u8]) -> Option<Case> {
    let server = Server::at(host, 13, says)?;
    Some(case(|side| {
        let run = script(side, "date@", &[host]).run();
        assert_eq!(server.heard(), b"");
        run
    }))
}

#[test]
fn lines_are_shown_without_carriage_returns_and_controls() {
    let says: [(&str, &[u8]); 3] = [
        ("127.13.0.1", b""),
        ("127.13.0.2", b"one\r\ntwo\nthree\r\r\n"),
        ("127.13.0.3", b"\x1b[2J\x00\xe9\r\nlast\r"),
    ];
    for (host, says) in says {
        if let Some(case) = shown(host, says) {
            case.same();
        }
    }
}

#[test]
fn nobody_listening_is_told() {
    case(|side| script(side, "date@", &["127.13.0.9"]).run()).same();
    if std::net::TcpStream::connect("127.0.0.1:13").is_err() {
        case(|side| script(side, "date@", &[]).run()).same();
    }
}
