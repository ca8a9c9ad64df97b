//! Arguments, sockets, identity.

use harness::{Answer, Dns, Record, Run, Side, case, case_v6, skipped_for, until};
use unix::signal::Signal;

use super::{PLAIN, Server, has_ipv6, is_root, served};

/// What our usage line has more than that of the IPv6 edition.
const MORE: &str = " [ -C perip ] [ -N pernet ] [ -f perminute ] [ -L load ] [ -m message ] [ -T lifetime ] \
    [ -i idle ] [ -K idle ] [ -G grace ] [ -k kept ] [ -s fd ] [ -a balancers ] [ -w timeout ]";

/// `tcpserver` with wrong arguments.
fn misused(arguments: &[&str]) {
    let words = [&["tcpserver"], arguments].concat();
    let case = case_v6(|side| side.run(words.iter().copied()));
    let ours = String::from_utf8_lossy(&case.ours().run.stderr).into_owned();
    assert!(ours.is_empty() || ours.contains(MORE), "{ours}");
    case.normalised(|text| text.replace(MORE, "")).same();
}

#[test]
fn host_port_and_program_are_needed() {
    misused(&[]);
    misused(&["0"]);
    misused(&["0", "0"]);
    misused(&["-v", "--", "0", "0"]);
}

#[test]
fn an_unknown_letter_and_a_missing_value_are_told() {
    misused(&["-z", "0", "0", "true"]);
    misused(&["-c"]);
    misused(&["-vHc"]);
    misused(&["-q", "-z"]);
}

#[test]
fn q_is_silent() {
    case(|side| side.run(["tcpserver", "-q"])).same();
    case(|side| side.run(["tcpserver", "-q", "0", "nosuchport", "true"])).same();
    case(|side| side.run(["tcpserver", "-q", "192.0.2.1", "0", "true"])).same();
    case(|side| served(side, &["-q", "-HR", "-l0"], &["./nonexistent"])).same();
}

#[test]
fn a_limit_of_zero_and_a_number_that_is_none_are_wrong_usage() {
    for wrong in ["-c0", "-cx", "-c4x", "-bx", "-tx"] {
        let run = Side::ours().run(["tcpserver", wrong, "0", "0", "true"]);
        assert_eq!(run.exit, 100, "{wrong}");
        assert!(run.stderr.starts_with(b"tcpserver: usage: tcpserver [ -461U"), "{wrong}");
    }
}

#[test]
fn a_port_that_nobody_knows_is_fatal() {
    case(|side| side.run(["tcpserver", "0", "nosuchport", "true"])).same();
    let run = Side::ours().run(["tcpserver", "0", "65536", "true"]);
    let expected = b"tcpserver: fatal: unable to figure out port number for 65536\n";
    assert_eq!((run.exit, run.stderr), (100, expected.to_vec()));
}

#[test]
fn an_address_that_is_not_ours_is_fatal() {
    case(|side| side.run(["tcpserver", "192.0.2.1", "0", "true"])).same();
}

#[test]
fn a_port_that_is_taken_is_fatal() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    case(|side| side.run(["tcpserver", "127.0.0.1", &port, "true"])).same();
    case(|side| side.run(["tcpserver", "0", &port, "true"])).same();
}

/// Whether a line of `file` starts with the word `first` and has the word `other`.
fn has_line(file: &str, first: &str, other: &str) -> bool {
    let text = std::fs::read_to_string(file).unwrap_or_default();
    text.lines().any(|line| {
        let mut words = line.split_whitespace();
        words.next() == Some(first) && words.any(|word| word == other)
    })
}

#[test]
fn a_name_of_etc_services_is_a_port() {
    if !has_line("/etc/services", "smtp", "25/tcp") {
        return skipped_for("/etc/services does not name smtp");
    }
    // Who is not root may not listen there; either way the port was understood.
    let run = Side::ours().run(["tcpserver", "192.0.2.1", "smtp", "true"]);
    assert!(run.stderr.starts_with(b"tcpserver: fatal: unable to bind: "));
}

#[test]
fn a_service_is_listened_for_by_its_name() {
    let port = harness::free_port();
    let services = format!("chain {}/udp\nchain {port}/tcp daisy\n", port ^ 1);
    for name in ["chain", "daisy"] {
        case(|side| {
            side.write("services", &services);
            let over = harness::laid_over(side, "services", "/etc/services").unwrap_or_default();
            let mut got = Vec::new();
            if !over.is_empty() {
                let words = ["tcpserver", "-1", "-HRl0", "127.0.0.1", name, "echo", "ok"];
                let words = over.iter().map(String::as_str).chain(words);
                let server = side.command(words).start_in_background();
                let is_told = || server.stdout().ends_with(b"\n");
                assert!(until(is_told), "{}", server.stderr().escape_ascii());
                got = server.stdout();
                let mut client = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
                std::io::Read::read_to_end(&mut client, &mut got).unwrap();
                assert_eq!(String::from_utf8_lossy(&got), format!("{port}\nok\n"));
            }
            Run { stdout: got, stderr: Vec::new(), exit: 0 }
        })
        .same();
    }
}

#[test]
fn the_port_is_printed_and_standard_output_closed() {
    case(|side| {
        let script = "tcpserver -1 -HR -l0 127.0.0.1 0 true | { cat > port; echo closed > flag; }";
        let shell = side.command(["sh", "-c", script]).start_in_background();
        let is_closed = || side.read("flag") == b"closed\n";
        assert!(until(is_closed), "{}", shell.stderr().escape_ascii());
        let port = String::from_utf8(side.read("port")).unwrap();
        side.write("port", "");
        let is_port = port.trim().parse::<u16>().is_ok() && port.ends_with('\n');
        Run { stdout: is_port.to_string().into_bytes(), stderr: shell.stderr(), exit: 0 }
    })
    .same();
}

#[test]
fn term_ends_the_server_and_no_program() {
    case(|side| {
        let program = ["sh", "-c", "read x; echo $x > heard"];
        let mut server = Server::start(side, &PLAIN, "127.0.0.1", &program);
        let mut client = server.connect("127.0.0.1", "127.0.0.1");
        server.background.hears("tcpserver: ok ");
        server.background.signal(Signal::SIGTERM);
        assert_eq!(server.background.ends(), 0);
        std::io::Write::write_all(&mut client, b"still there\n").unwrap();
        assert!(until(|| side.read("heard") == b"still there\n"));
        Run { stdout: Vec::new(), stderr: server.log().into_bytes(), exit: 0 }
    })
    .same();
}

#[test]
fn other_signals_end_it_as_ever() {
    for signal in [Signal::SIGHUP, Signal::SIGINT, Signal::SIGALRM, Signal::SIGUSR2] {
        case(|side| {
            let mut server = Server::start(side, &PLAIN, "127.0.0.1", &["true"]);
            server.background.hears("tcpserver: status: 0/40\n");
            server.background.signal(signal);
            let exit = server.background.ends();
            Run { stdout: Vec::new(), stderr: server.log().into_bytes(), exit }
        })
        .same();
    }
}

#[test]
fn one_server_has_both_families() {
    if !has_ipv6() {
        return;
    }
    for host in ["0", "", "::", "::0"] {
        let side = Side::ours();
        let mut server = Server::start(&side, &PLAIN, host, &["sh", "-c", "echo $TCPREMOTEIP"]);
        assert_eq!(server.get("127.0.0.1", "127.0.0.1"), b"127.0.0.1\n", "{host}");
        assert_eq!(server.get("::1", "::1"), b"::1\n", "{host}");
    }
}

#[test]
fn one_family_can_be_had_alone() {
    let side = Side::ours();
    let try_six = |options: &[&str], host: &str| {
        let mut server = Server::start(&side, options, host, &["echo", "ok"]);
        assert_eq!(server.ask(), b"ok\n");
        std::net::TcpStream::connect(("::1", server.port)).is_ok()
    };
    let four = [&PLAIN[..], &["-4"]].concat();
    assert!(!try_six(&four, "0"));
    assert!(!try_six(&PLAIN, "0.0.0.0"));
    assert!(!try_six(&PLAIN, "127.0.0.1"));
}

#[test]
fn a_name_is_listened_for_at_each_of_its_addresses() {
    let address = |text: &str| Record::Address(text.parse().unwrap());
    let dns = Dns::start(move |name, kind| match (name, kind) {
        ("dns.example", "A") => Answer::Records(vec![address("127.8.2.1"), address("127.8.2.2")]),
        _ => Answer::NoData,
    });
    let side = Side::ours();
    side.write(
        "hosts",
        "127.8.1.1 chain.example\n127.8.1.2 other chain.example\n::1 chain.example\n",
    );
    let Some(over) = harness::laid_over(&side, "hosts", "/etc/hosts") else { return };
    let mut of_hosts = vec!["127.8.1.1", "127.8.1.2"];
    of_hosts.extend(has_ipv6().then_some("::1"));
    for (name, addresses) in
        [("chain.example", &of_hosts[..]), ("dns.example", &["127.8.2.1", "127.8.2.2"])]
    {
        let words = ["tcpserver", "-1", "-HRl0", name, "0", "echo", "ok"];
        let words = over.iter().map(String::as_str).chain(words);
        let server = side.command(words).env("DNSCACHEIP", dns.place()).start_in_background();
        let is_told = || server.stdout().ends_with(b"\n");
        assert!(until(is_told), "{}", server.stderr().escape_ascii());
        let port = String::from_utf8(server.stdout()).unwrap().trim().parse::<u16>().unwrap();
        for address in addresses {
            let address: std::net::IpAddr = address.parse().unwrap();
            let mut client = std::net::TcpStream::connect((address, port)).unwrap();
            let mut got = Vec::new();
            std::io::Read::read_to_end(&mut client, &mut got).unwrap();
            assert_eq!(got, b"ok\n", "{address}");
        }
    }
    // /etc/hosts goes before DNS, which is not asked for what is there.
    assert!(dns.asked().iter().all(|asked| asked.name == "dns.example"), "{:?}", dns.asked());
}

const WHO: [&str; 3] = ["sh", "-c", "id -u; id -g; id -G"];

#[test]
fn uid_and_gid_are_taken() {
    if is_root() {
        case(|side| served(side, &["-v", "-HR", "-l0", "-u65534", "-g65533"], &WHO)).same();
    }
}

#[test]
fn uid_and_gid_come_from_the_environment() {
    if is_root() {
        case(|side| {
            let options = ["-v", "-HR", "-l0", "-U"];
            let ids = [("UID", "65534"), ("GID", "65533")];
            let mut server = Server::start_with(side, &options, "127.0.0.1", &WHO, &ids);
            let got = server.ask();
            server.ended(1);
            server.stop(got)
        })
        .same();
    }
}

#[test]
fn nothing_of_root_s_is_kept() {
    if is_root() {
        let number = case(|side| served(side, &["-v", "-HR", "-l0", "-u65534"], &WHO));
        let _ = number.differing_stdout("65534\n65534\n65534\n", "65534\n0\n0\n");
    }
}

#[test]
fn a_number_without_an_account_needs_a_group() {
    if !is_root() {
        return;
    }
    let has_account =
        |uid: u32| unix::user::User::from_uid(unix::Uid::from_raw(uid)).unwrap().is_some();
    let uid = (54_321..65_000).find(|uid| !has_account(*uid)).unwrap().to_string();
    let run = Side::ours().run(["tcpserver", "-u", &uid, "127.0.0.1", "0", "true"]);
    let expected = format!("tcpserver: fatal: no account has uid {uid}, so -g is needed\n");
    assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap()), (100, expected));
    let (user, who) = (format!("-u{uid}"), format!("{uid}\n65533\n65533\n"));
    let options = ["-v", "-HR", "-l0", &user, "-g65533"];
    let _ = case(|side| served(side, &options, &WHO)).differing_stdout(&who, &who);
}

#[test]
fn an_account_can_be_named() {
    if is_root() {
        let side = Side::ours();
        let run = served(&side, &["-HR", "-l0", "-u", "nobody"], &WHO);
        assert_eq!(run.stdout, b"65534\n65534\n65534\n");
        let run = served(&side, &["-HR", "-l0", "-u", "nobody", "-g", "daemon"], &WHO);
        assert_eq!(run.stdout, b"65534\n1\n1\n");
    }
    let run = Side::ours().run(["tcpserver", "-u", "no such", "127.0.0.1", "0", "true"]);
    assert_eq!(
        (run.exit, run.stderr),
        (100, b"tcpserver: fatal: unknown account no such\n".to_vec())
    );
    let run = Side::ours().run(["tcpserver", "-g", "no such", "127.0.0.1", "0", "true"]);
    assert_eq!(
        (run.exit, run.stderr),
        (100, b"tcpserver: fatal: unknown group no such\n".to_vec())
    );
}

#[test]
fn zero_changes_nothing() {
    case(|side| served(side, &["-v", "-HR", "-l0", "-u0", "-g0"], &WHO)).same();
}
