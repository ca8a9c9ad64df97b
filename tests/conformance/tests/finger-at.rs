//! finger@ beside the original.

mod scripts;

use harness::{Case, Run, case};
use scripts::{Server, script};

/// What is asked, and shown of what the server at `host` says.
fn asked(host: &str, user: &[&str], says: &[u8]) -> Option<Case> {
    let server = Server::at(host, 79, says)?;
    Some(case(|side| {
        let run = script(side, "finger@", &[&[host], user].concat()).run();
        let seen = [&server.heard()[..], b"|", &run.stdout].concat();
        Run { stdout: seen, ..run }
    }))
}

#[test]
fn the_server_is_asked_for_a_user() {
    for (host, user) in [
        ("127.79.0.1", &[][..]),
        ("127.79.0.2", &["joe"]),
        ("127.79.0.3", &[""]),
        ("127.79.0.4", &["/W joe%s"]),
    ] {
        if let Some(case) = asked(host, user, b"Login: joe\r\nPlan:\r\n\x1bx\n") {
            case.same();
        }
    }
}

#[test]
fn nobody_listening_is_told() {
    case(|side| script(side, "finger@", &["127.79.0.9", "joe"]).run()).same();
    if std::net::TcpStream::connect("127.0.0.1:79").is_err() {
        case(|side| script(side, "finger@", &[]).run()).same();
    }
}
