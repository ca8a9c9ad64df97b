//! How many at a time.

use std::io::Read;

use harness::{Run, case, until};

use super::{Server, is_root};

#[test]
fn at_the_limit_clients_wait() {
    case(|side| {
        let options = ["-v", "-HR", "-l0", "-c1"];
        let program = ["sh", "-c", "echo hello; read x"];
        let mut server = Server::start(side, &options, "127.0.0.1", &program);
        let mut first = server.connect("127.0.0.1", "127.0.0.1");
        let mut hello = [0; 6];
        first.read_exact(&mut hello).unwrap();
        let mut second = server.connect("127.0.0.1", "127.0.0.1");
        drop(first);
        second.read_exact(&mut hello).unwrap();
        drop(second);
        server.ended(2);
        server.stop(hello.to_vec())
    })
    .same();
}

#[test]
fn four_hundred_clients_have_their_programs_at_a_time() {
    case(|side| {
        let options = ["-v", "-HR", "-l0", "-c400", "-b100"];
        let mut server = Server::start(side, &options, "127.0.0.1", &["cat"]);
        let mut echo = |client: &mut std::net::TcpStream| {
            std::io::Write::write_all(client, b"x").unwrap();
            client.read_exact(&mut [0]).unwrap();
        };
        let connect = |_| server.connect("127.0.0.1", "127.0.0.1");
        let mut clients: Vec<_> = (0..400).map(connect).collect();
        clients.iter_mut().for_each(&mut echo);
        let mut waiting = server.connect("127.0.0.1", "127.0.0.1");
        drop(clients.pop());
        echo(&mut waiting);
        drop((clients, waiting));
        server.ended(401);
        let log = server.log();
        let most = log.lines().filter_map(|line| line.strip_prefix("tcpserver: status: "));
        let most = most.map(|count| count.split('/').next().unwrap().parse::<u32>().unwrap()).max();
        Run { stdout: format!("{most:?}").into_bytes(), stderr: Vec::new(), exit: 0 }
    })
    .differing_stdout("Some(400)", "Some(400)")
    .same();
}

#[test]
fn want_of_descriptors_is_waited_out() {
    let side = harness::Side::ours();
    let server = Server::start(&side, &["-v", "-HR", "-l0"], "127.0.0.1", &["echo", "ok"]);
    let limit = |files: &str| {
        let (pid, files) = (server.background.pid().to_string(), format!("--nofile={files}:1024"));
        assert_eq!(side.run(["prlimit", "--pid", &pid, &files]).exit, 0);
    };
    limit("4");
    let first = std::time::Instant::now();
    let mut client = server_connection(server.port);
    server.background.hears(
        "tcpserver: warning: unable to accept connections: process cannot open more files\n",
    );
    let warnings = || {
        let log = String::from_utf8_lossy(&server.background.stderr()).into_owned();
        log.matches("unable to accept").count()
    };
    // Each attempt is a second after the one before.
    assert!(until(|| warnings() >= 3));
    assert!(first.elapsed() > std::time::Duration::from_secs(2));
    limit("1024");
    let mut got = Vec::new();
    client.read_to_end(&mut got).unwrap();
    assert_eq!(got, b"ok\n");
    server.ended(1);
}

fn server_connection(port: u16) -> std::net::TcpStream {
    std::net::TcpStream::connect(("127.0.0.1", port)).unwrap()
}

#[test]
fn a_fork_that_fails_drops_the_connection() {
    if !is_root() {
        return;
    }
    for options in [&["-v", "-HR", "-l0", "-u65534"][..], &["-v", "-HR", "-u65534"]] {
        let side = harness::Side::ours();
        // The local name is asked of nobody, at once.
        let nobody = [("DNSCACHEIP", "127.0.0.1:9")];
        let mut server = Server::start_with(&side, options, "127.0.0.1", &["echo", "ok"], &nobody);
        let pid = server.background.pid().to_string();
        let limited = side.run(["setuidgid", "nobody", "prlimit", "--pid", &pid, "--nproc=0:"]);
        assert_eq!(limited.exit, 0, "{}", limited.stderr.escape_ascii());
        assert_eq!(server.ask(), b"");
        server.background.hears("unable to fork");
        server.background.hears("temporary failure\ntcpserver: status: 0/40\n");
        let expected = "tcpserver: status: 0/40\ntcpserver: status: 1/40\n\
            tcpserver: warning: dropping connection, unable to fork: temporary failure\n\
            tcpserver: status: 0/40\n";
        assert_eq!(server.log(), expected);
    }
}

#[test]
fn a_child_of_the_run_script_has_no_place() {
    let side = harness::Side::ours();
    // It ends when somebody hears it, which is when the server is there.
    let script = "sh -c 'echo $$ > child; echo heard > fifo' & \
        exec tcpserver -1 -v -HR -l0 127.0.0.1 0 sh -c 'echo ok; read x'";
    assert_eq!(side.run(["mkfifo", "fifo"]).exit, 0);
    let background = side.command(["sh", "-c", script]).start_in_background();
    assert!(until(|| background.stdout().ends_with(b"\n") && side.read("child").ends_with(b"\n")));
    let port = String::from_utf8(background.stdout()).unwrap().trim().parse().unwrap();
    let server = Server { background, port, clients: Vec::new() };
    let mut client = server_connection(server.port);
    let mut got = [0; 3];
    client.read_exact(&mut got).unwrap();
    assert_eq!(&got, b"ok\n");
    assert_eq!(side.run(["cat", "fifo"]).stdout, b"heard\n");
    let child = String::from_utf8(side.read("child")).unwrap();
    let proc = std::path::Path::new("/proc").join(child.trim());
    assert!(until(|| !proc.exists()), "the server takes note of it");
    drop(client);
    server.ended(1);
    let expected = "tcpserver: status: 0/40\ntcpserver: status: 1/40\n";
    let log = server.log();
    assert!(log.starts_with(expected), "{log}");
    assert!(log.ends_with("tcpserver: end PID status 256\ntcpserver: status: 0/40\n"), "{log}");
    assert_eq!(log.matches("tcpserver: end ").count(), 1, "{log}");
}
