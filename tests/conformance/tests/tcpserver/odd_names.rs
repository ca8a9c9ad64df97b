//! Names that could be mistaken for something else.

use harness::{Answer, Dns, Record, case, case_v6};

use super::{Server, has_ipv6, is_root, served};

#[test]
fn a_nul_in_a_name_cuts_nothing_off() {
    if !is_root() {
        return;
    }
    let world = |name: &str, _: &str| match name {
        "8.0.7.127.in-addr.arpa" => {
            Answer::Records(vec![Record::Pointer("good.example\0.bad.example".into())])
        }
        _ => Answer::NoName,
    };
    let Some(dns) = Dns::start_at("127.53.1.8", world) else { return };
    let case = case(|side| {
        let options = ["-v", "-R", "-l0"];
        let program = ["printenv", "TCPREMOTEHOST"];
        let place = [("DNSCACHEIP", &*dns.place())];
        let mut server = Server::start_with(side, &options, "127.0.0.1", &program, &place);
        let got = server.get("127.0.0.1", "127.7.0.8");
        server.ended(1);
        server.stop(got)
    });
    assert_eq!(case.ours().run.stdout, b"good.example\\000.bad.example\n");
    case.same();
}

#[test]
fn an_ipv6_address_keeps_its_colons_in_the_log_and_a_name_does_not() {
    if !has_ipv6() {
        return;
    }
    let options = ["-v", "-HR", "-l", "a:b"];
    let shown = |name: &str| {
        format!(
            "tcpserver: status: 0/40\ntcpserver: status: 1/40\ntcpserver: pid PID from ::1\n\
             tcpserver: ok PID {name}:::1:PORT :::1::CLIENT\ntcpserver: end PID status 0\n\
             tcpserver: status: 0/40\n"
        )
    };
    let edition = case_v6(|side| {
        let mut server = Server::start(side, &options, "::1", &["true"]);
        let got = server.get("::1", "::1");
        server.ended(1);
        server.stop(got)
    });
    let _ = edition.differing_stderr(&shown("a?b"), &shown("a:b"));
    // In 0.88 no field has a colon.
    case(|side| served(side, &options, &["true"])).same();
}
