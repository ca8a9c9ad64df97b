//! Clients that have to wait, and servers that are told instead: what the original does not have.

use std::io::Read;
use std::time::{Duration, Instant};

use harness::{Background, Dns, Side, until};

use super::world;

const SERVER: [&str; 3] = ["sh", "-c", "echo served $RBLSMTPD; read x && echo heard $x"];

/// rblsmtpd with `options`, whose client is silent.
fn start(side: &Side, options: &[&str], variables: &[(&str, &str)]) -> Background {
    let words = [&["rblsmtpd"], options, &SERVER].concat();
    let command = side.command(words).env("TCPREMOTEIP", "192.0.2.1");
    variables.iter().fold(command, |command, (name, value)| command.env(name, value)).converse()
}

fn log(client: &Background) -> String {
    let text = String::from_utf8_lossy(&client.stderr()).into_owned();
    text.replace(&format!(" pid {}: ", client.pid()), " pid PID: ")
}

#[test]
fn a_client_waits_before_it_hears_anything() {
    for (option, variables) in [(&["-w", "1"][..], &[][..]), (&["-W"], &[("GREETDELAY", "1")])] {
        let side = Side::ours();
        let before = Instant::now();
        let mut client = start(&side, option, variables);
        assert_eq!(client.talk("", "\n"), "served\n");
        assert!(before.elapsed() >= Duration::from_secs(1));
        assert_eq!(log(&client), "rblsmtpd: 192.0.2.1 pid PID: greetdelay: 1\n");
    }
}

#[test]
fn without_a_delay_nobody_waits() {
    let warning = "rblsmtpd: warning: no number in GREETDELAY\n";
    for (options, variables, expected) in [
        (&["-w0"][..], &[][..], ""),
        (&["-W"], &[], ""),
        (&["-W"], &[("GREETDELAY", "soon")], warning),
        (&["-w", "600"], &[("RBLSMTPD", "")], ""),
    ] {
        let side = Side::ours();
        let mut client = start(&side, options, variables);
        assert_eq!(client.talk("", "\n"), "served\n");
        assert_eq!(log(&client), expected);
    }
    let run = Side::ours().run(["rblsmtpd", "-w", "x", "true"]);
    assert!(run.stderr.starts_with(b"rblsmtpd: usage: ") && run.exit == 100);
}

#[test]
fn whom_a_list_in_front_decides_on_does_not_wait() {
    let dns = Dns::start(world);
    let servers = [("DNSCACHEIP", &*dns.place())];
    let side = Side::ours();
    let mut client = start(&side, &["-a", "white", "-w", "600"], &servers);
    assert_eq!(client.talk("", "\n"), "served\n");
    let mut client = start(&side, &["-r", "black", "-w", "600"], &servers);
    assert_eq!(client.talk("", "\n"), "220 rblsmtpd.local\r\n");
    let mut client = start(&side, &["-w", "1", "-r", "black"], &servers);
    assert_eq!(client.talk("", "\n"), "220 rblsmtpd.local\r\n");
    let expected = "rblsmtpd: 192.0.2.1 pid PID: greetdelay: 1\n\
        rblsmtpd: 192.0.2.1 pid PID: 451 go away\n";
    assert_eq!(log(&client), expected);
}

#[test]
fn who_speaks_before_may_be_refused() {
    let side = Side::ours();
    let mut client = start(&side, &["-w1"], &[]);
    assert_eq!(client.talk("HELO x\n", "HELO x\n"), "served\nheard HELO x\n");
    for (options, code) in [(&["-w1", "-e"][..], "451"), (&["-b", "-e", "-w1"], "553")] {
        let mut client = start(&side, options, &[]);
        let said = format!("{code} you spoke before you were greeted\r\n");
        let heard = client.talk("RCPT TO:<a>\r\n", &said);
        assert_eq!(heard, format!("220 rblsmtpd.local\r\n{said}"));
        assert!(log(&client).ends_with(&format!(": {}\n", said.trim_end())));
    }
}

#[test]
fn a_client_that_goes_while_it_waits_holds_nobody_up() {
    let side = Side::ours();
    let script = "exec tcpserver -1 -v -HR -l0 127.0.0.1 0 rblsmtpd -w 600 echo served";
    let server = side.command(["sh", "-c", script]).start_in_background();
    assert!(until(|| server.stdout().ends_with(b"\n")), "{}", server.stderr().escape_ascii());
    let port: u16 = String::from_utf8(server.stdout()).unwrap().trim().parse().unwrap();
    let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
    server.hears("greetdelay: 600\n");
    client.shutdown(std::net::Shutdown::Write).unwrap();
    let mut heard = Vec::new();
    client.read_to_end(&mut heard).unwrap();
    assert_eq!(heard, b"");
    server.hears(" status 0\n");
}

#[test]
fn the_server_may_be_told_instead() {
    let dns = Dns::start(world);
    let servers = [("DNSCACHEIP", &*dns.place())];
    let side = Side::ours();
    let mut client = start(&side, &["-i", "-r", "black"], &servers);
    assert_eq!(client.talk("", "\n"), "served [RBL info] go away\n");
    assert_eq!(log(&client), "rblsmtpd: 192.0.2.1 pid PID: 451 go away\n");
    let mut client = start(&side, &["-i", "-r", "no"], &servers);
    assert_eq!(client.talk("", "\n"), "served\n");
    // Whom the variable refuses is refused.
    let mut client = start(&side, &["-i"], &[("RBLSMTPD", "x")]);
    assert_eq!(client.talk("", "\n"), "220 rblsmtpd.local\r\n");
}
