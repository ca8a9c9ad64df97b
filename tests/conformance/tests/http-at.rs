//! http@ beside the original.

mod scripts;

use harness::{Case, Run, case};
use scripts::{Server, script};

/// What is asked for `page`, and shown of what the server says.
fn asked(page: &[&str], says: &[u8]) -> Case {
    case(|side| {
        let server = Server::start(says);
        let port = server.port.to_string();
        let arguments = match page {
            [page] => vec!["127.0.0.1", page, &port],
            _ => vec!["127.0.0.1", "", &port],
        };
        let run = script(side, "http@", &arguments).run();
        let asked = String::from_utf8(server.heard()).unwrap().replace(&port, "PORT");
        Run { stdout: [asked.as_bytes(), &run.stdout].concat(), ..run }
    })
}

#[test]
fn the_body_of_a_page_is_shown() {
    asked(&["index.html"], b"HTTP/1.0 200 OK\r\nServer: x\r\n\r\nHello\nworld\n").same();
    asked(&[], b"HTTP/1.0 200 OK\r\n\r\n").same();
    asked(&["a/b?c=%20&d"], b"HTTP/1.0 200 OK\nServer: x\n\none\ntwo\n").same();
}

#[test]
fn without_an_empty_line_there_is_no_body() {
    asked(&[], b"").same();
    asked(&[], b"HTTP/1.0 200 OK\r\nServer: x\r\n").same();
    asked(&[], b"hello").same();
}

#[test]
fn the_body_is_shown_as_it_is() {
    let head = b"HTTP/1.0 200 OK\r\n\r\n";
    let body: Vec<u8> = (0..=255).cycle().take(300_000).collect();
    let case = asked(&["x.png"], &[head, &body[..]].concat());
    let question = b"GET /x.png HTTP/1.0\r\nHost: 127.0.0.1:PORT\r\n\r\n";
    assert!(case.ours().run.stdout == [&question[..], &body].concat());
    let question = "GET / HTTP/1.0\r\nHost: 127.0.0.1:PORT\r\n\r\n";
    // The original takes carriage returns and empty lines away, and puts a newline at the end.
    let _ = asked(&[], &[&head[..], b"a\r\n\nb"].concat())
        .differing_stdout(&format!("{question}a\r\n\nb"), &format!("{question}a\nb\n"));
}

#[test]
fn nobody_listening_is_told() {
    let port = harness::free_port().to_string();
    let _ = case(|side| script(side, "http@", &["127.0.0.1", "", &port]).run())
        .same_stdout()
        .same_stderr()
        .differing_exit(111, 0);
    if std::net::TcpStream::connect("127.0.0.1:80").is_err() {
        let _ = case(|side| script(side, "http@", &[]).run()).same_stdout().same_stderr();
    }
}
