//! What the program is told, and the state it is started in.

use harness::{Answer, Dns, Run, Side, case, case_v6};

use super::{PLAIN, Server, has_ipv6, served};

const SHOW: [&str; 3] = ["sh", "-c", "env | grep -E '^(PROTO|TCP|RULE)' | sort"];

/// The variables that the program gets, with ports replaced.
fn variables(side: &Side, options: &[&str], host: &str, address: &str) -> Run {
    let inherited = [
        ("TCPREMOTEHOST", "leak"),
        ("TCPREMOTEINFO", "leak"),
        ("TCPLOCALHOST", "leak"),
        ("TCPUNRELATED", "stays"),
    ];
    let mut server = Server::start_with(side, options, host, &SHOW, &inherited);
    let got = String::from_utf8(server.get(address, address)).unwrap();
    server.ended(1);
    let client = server.clients[0].to_string();
    let got = got.replace(&client, "CLIENT").replace(&server.port.to_string(), "PORT");
    server.stop(got.into_bytes())
}

#[test]
fn an_ipv4_connection_is_described() {
    case(|side| variables(side, &PLAIN, "127.0.0.1", "127.0.0.1")).same();
    case(|side| variables(side, &["-v", "-HR", "-l", ""], "127.0.0.1", "127.0.0.1")).same();
}

#[test]
fn an_ipv4_connection_looks_the_same_on_a_socket_for_both_families() {
    case(|side| variables(side, &PLAIN, "0", "127.0.0.1")).same();
}

#[test]
fn an_ipv6_connection_is_described() {
    if has_ipv6() {
        case_v6(|side| variables(side, &PLAIN, "0", "::1")).same();
        case_v6(|side| variables(side, &PLAIN, "::1", "::1")).same();
    }
}

#[test]
fn an_ipv4_connection_can_look_like_ipv6() {
    if has_ipv6() {
        let options = [&PLAIN[..], &["-6"]].concat();
        case_v6(|side| variables(side, &options, "0", "127.0.0.1")).same();
    }
}

#[test]
fn an_ipv4_connection_has_no_variables_of_ipv6() {
    if !has_ipv6() {
        return;
    }
    let case = case_v6(|side| variables(side, &PLAIN, "0", "127.0.0.1"));
    let ours = String::from_utf8(case.ours().run.stdout.clone()).unwrap();
    assert!(!ours.contains("TCP6"), "{ours}");
    if let Some(original) = case.original() {
        let original = String::from_utf8(original.run.stdout.clone()).unwrap();
        let four: Vec<&str> = original.lines().filter(|line| !line.starts_with("TCP6")).collect();
        assert_eq!(ours.lines().collect::<Vec<_>>(), four);
    }
}

#[test]
fn a_name_that_is_inherited_twice_does_not_leak() {
    // A shell would drop the second, so the server is started without one.
    let side = Side::ours();
    side.write("twice.py", TWICE);
    let Some(mut python) = harness::client("python3", ["twice.py"]) else { return };
    let program = side.programs().join("tcpserver");
    let output = harness::output(python.current_dir(side.path()).arg(program)).unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(shown, "None\n", "{}", output.stderr.escape_ascii());
}

/// Starts the server with a variable twice, and shows what the program has of it.
const TWICE: &str = "
import ctypes, os, socket, sys
libc = ctypes.CDLL(None)
show = 'import os; os.write(1, repr(os.environ.get(\"TCPREMOTEHOST\")).encode() + b\"\\\\n\")'
words = [sys.argv[1], '-1', '-HR', '-l0', '127.0.0.1', '0', sys.executable, '-c', show]
strings = ['TCPREMOTEHOST=one', 'TCPREMOTEHOST=two', 'PATH=/usr/bin:/bin']
strings += [f'{name}={os.environ[name]}' for name in os.environ if name not in ('PATH',)]
array = lambda items: (ctypes.c_char_p * (len(items) + 1))(*[i.encode() for i in items], None)
reader, writer = os.pipe()
pid = os.fork()
if pid == 0:
    os.dup2(writer, 1)
    libc.execve(sys.argv[1].encode(), array(words), array(strings))
    os._exit(1)
os.close(writer)
port = int(os.fdopen(reader).readline())
with socket.create_connection(('127.0.0.1', port)) as client:
    sys.stdout.write(client.makefile().read())
os.kill(pid, 15)
os.wait()
";

#[test]
fn signals_are_as_they_were() {
    let script = "grep -E '^Sig(Blk|Ign|Cgt)' /proc/self/status";
    case(|side| served(side, &PLAIN, &["sh", "-c", script])).same();
    case(|side| served(side, &["-v", "-R", "-l0", "-H", "-B", "x\n"], &["sh", "-c", script]))
        .same();
}

#[test]
fn no_descriptor_of_the_server_is_open() {
    let side = Side::ours();
    super::compile(&side, ":allow\n");
    let show = ["sh", "-c", "ls /proc/$$/fd"];
    let options = [&PLAIN[..], &["-x", "cdb"]].concat();
    assert_eq!(served(&side, &options, &show).stdout, side.run(show).stdout);
    let options = ["-v", "-HRl0", "-B", &"x".repeat(4000), "-x", "cdb"];
    let served = served(&side, &options, &show).stdout;
    assert_eq!(served[4000..], side.run(show).stdout);
}

#[test]
fn both_descriptors_are_the_connection() {
    let script = "read line; echo \"got $line\"; echo error >&2";
    case(|side| {
        let mut server = Server::start(side, &PLAIN, "127.0.0.1", &["sh", "-c", script]);
        let mut client = server.connect("127.0.0.1", "127.0.0.1");
        std::io::Write::write_all(&mut client, b"hello\n").unwrap();
        let mut got = Vec::new();
        std::io::Read::read_to_end(&mut client, &mut got).unwrap();
        server.ended(1);
        server.stop(got)
    })
    .same();
}

#[test]
fn small_writes_are_sent_at_once_with_d() {
    let script = "import socket; print(socket.socket(fileno=0).getsockopt(6, 1))";
    let Some(python) = harness::client_words("python3") else { return };
    let python: Vec<&str> = python.iter().map(String::as_str).chain(["-c", script]).collect();
    case(|side| served(side, &["-v", "-HRD", "-l0"], &python)).same();
    case(|side| served(side, &["-v", "-HRDd", "-l0"], &python)).same();
}

#[test]
fn a_banner_comes_first() {
    let options = ["-v", "-HR", "-l0", "-B", "hello\n"];
    case(|side| served(side, &options, &["echo", "world"])).same();
    let long = "x".repeat(10_000);
    let options = ["-v", "-HR", "-l0", "-B", &long];
    case(|side| served(side, &options, &["echo", "world"])).same();
}

/// Connects with a record of the route in its IP options, and shows what the server sends.
const ROUTE: &str = "
import socket, sys
client = socket.socket()
client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([1, 7, 11, 4]) + bytes(8))
client.connect(('127.0.0.1', int(sys.argv[1])))
sys.stdout.write(client.makefile().read())
";

#[test]
fn ip_options_are_removed() {
    let Some(python) = harness::client_words("python3") else { return };
    let python: Vec<&str> = python.iter().map(String::as_str).collect();
    let script = "import socket; connection = socket.socket(fileno=0); \
        print(len(connection.getsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, 40)))";
    let dns = Dns::start(|_, _| Answer::NoName);
    let nobody = [("DNSCACHEIP", &*dns.place())];
    let length = |side: &Side, options: &[&str]| {
        let options = [&PLAIN[..], options].concat();
        let program = [&python[..], &["-c", script]].concat();
        let server = Server::start_with(side, &options, "127.0.0.1", &program, &nobody);
        let run = side.run([&python[..], &["-c", ROUTE, &server.port.to_string()]].concat());
        assert_eq!(run.exit, 0, "{}", run.stderr.escape_ascii());
        String::from_utf8(run.stdout).unwrap()
    };
    assert_eq!(length(&Side::ours(), &["-o"]), "12\n");
    // With and without a child of the server's own.
    for options in [&[][..], &["-oO"], &["-h"]] {
        assert_eq!(length(&Side::ours(), options), "0\n", "{options:?}");
    }
    assert_eq!(length(&Side::ours(), &["-oh"]), "12\n");
    if let Some(original) = Side::debian() {
        assert_eq!(length(&original, &["-O"]), "12\n");
    }
}
