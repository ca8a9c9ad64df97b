//! splogger beside the recordings of the original, with a /dev/log of its own.

use std::os::unix::net::UnixDatagram;

use harness::{Case, Run, Side, recorded, skipped_for};

/// Runs splogger where `/dev/log` is a socket of ours, in a mount namespace; gives what the socket
/// got as standard output, a line each.
fn logged(side: &Side, args: &[&str], input: &[u8]) -> Run {
    side.directory("dev");
    side.write("dev/null", "");
    let socket = UnixDatagram::bind(side.path().join("dev/log")).unwrap();
    socket.set_nonblocking(true).unwrap();
    let script =
        "set -e; mount --bind /dev/null dev/null; mount --rbind dev /dev; exec splogger \"$@\"";
    let words = ["unshare", "-rm", "sh", "-c", script, "sh"];
    let mut run = side.command([&words, args].concat()).stdin(input).run();
    let mut message = [0; 2000];
    while let Ok(length) = socket.recv(&mut message) {
        run.stdout.extend_from_slice(&message[..length]);
        run.stdout.push(b'\n');
    }
    std::fs::remove_dir_all(side.path().join("dev")).unwrap();
    run
}

/// True if this machine lets us have a mount namespace.
fn namespaces() -> bool {
    let able =
        Side::ours().run(["unshare", "-rm", "mount", "-t", "tmpfs", "tmpfs", "/mnt"]).exit == 0;
    if !able {
        skipped_for("mount namespaces");
    }
    able
}

fn splogger(name: &str, args: &[&str], input: &[u8]) -> Option<Case> {
    let case = || {
        recorded("splogger", name, |side| logged(side, args, input))
            .normalised(|text| text.split("\\n").map(without_times).collect::<Vec<_>>().join("\\n"))
    };
    namespaces().then(case)
}

/// `<22>DATE TAG: SECONDS.MICROSECONDS text`, without the date and the digits.
fn without_times(line: &str) -> String {
    let Some((priority, rest)) = line.split_once('>') else { return line.to_owned() };
    let rest = rest.get("Nov 21 00:21:29 ".len()..).unwrap_or_default();
    let (tag, rest) = rest.split_once(": ").unwrap_or((rest, ""));
    let stamp =
        rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.').len();
    let (stamp, text) = rest.split_at(stamp);
    let shape = stamp.split_once('.').map(|(_, micros)| micros.len());
    assert_eq!(shape, Some(6), "{line}");
    format!("{priority}>DATE {tag}: STAMP{text}")
}

#[test]
fn lines_become_messages() {
    let input = b"new msg 7\nwarning: trouble\nalert: cannot start\nwarnings: none\n alert: x\n";
    if let Some(case) = splogger("lines", &[], input) {
        case.same();
    }
}

#[test]
fn tag_and_facility() {
    for (name, args) in [
        ("tag", &["qmail"][..]),
        ("facility", &["smtpd", "3"]),
        ("facility-0", &["q", "0"]),
        ("facility-127", &["q", "127"]),
        ("facility-128", &["q", "128"]),
        ("facility-digits", &["q", "3x"]),
        ("facility-none", &["q", "x"]),
        ("more", &["q", "3", "more"]),
    ] {
        if let Some(case) = splogger(name, args, b"x\nwarning: y\nalert: z\n") {
            case.same();
        }
    }
}

#[test]
fn long_lines_and_strange_bytes() {
    let long = |length: usize| [b"alert: ".as_slice(), &vec![b'x'; length - 7], b"\n"].concat();
    let input = [long(799), long(800), long(1700), b"\n\na\tb\xe9\0c\x7f\n".to_vec()].concat();
    if let Some(case) = splogger("long", &[], &input) {
        case.same();
    }
}

#[test]
fn a_last_line_without_its_end_is_logged() {
    if let Some(case) = splogger("unfinished", &[], b"whole\npart") {
        case.same_exit().same_stderr().differing_stdout(
            "<22>DATE splogger: STAMP whole\n<22>DATE splogger: STAMP part\n",
            "<22>DATE splogger: STAMP whole\n",
        );
    }
}

#[test]
fn without_a_syslog_it_goes_on() {
    if !namespaces() {
        return;
    }
    recorded("splogger", "no-syslog", |side| {
        side.directory("dev");
        side.write("dev/null", "");
        let script =
            "set -e; mount --bind /dev/null dev/null; mount --rbind dev /dev; splogger; echo $?";
        let words = ["unshare", "-rm", "sh", "-c", script];
        let run = side.command(words).stdin("x\ny\n").run();
        std::fs::remove_dir_all(side.path().join("dev")).unwrap();
        run
    })
    .same();
}

#[test]
fn a_syslog_that_takes_connections() {
    if !namespaces() {
        return;
    }
    let run = |side: &Side| {
        side.directory("dev");
        side.write("dev/null", "");
        let listener = std::os::unix::net::UnixListener::bind(side.path().join("dev/log")).unwrap();
        let script =
            "set -e; mount --bind /dev/null dev/null; mount --rbind dev /dev; exec splogger";
        let words = ["unshare", "-rm", "sh", "-c", script];
        let mut run = side.command(words).stdin("x\ny\n").run();
        let (mut stream, _) = listener.accept().unwrap();
        std::io::Read::read_to_end(&mut stream, &mut run.stdout).unwrap();
        let text = String::from_utf8_lossy(&run.stdout).replace('\0', "\n");
        run.stdout = text.into_bytes();
        std::fs::remove_dir_all(side.path().join("dev")).unwrap();
        run
    };
    recorded("splogger", "stream", run)
        .normalised(|text| text.split("\\n").map(without_times).collect::<Vec<_>>().join("\\n"))
        .same();
}
