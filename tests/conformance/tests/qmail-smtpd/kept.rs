//! One process for many clients: what it leaves behind, and what its children see of it.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use harness::{Side, Smtp, becomes, until};

use crate::hostile::data_size;
use crate::{MESSAGE, Setup, talk};

/// Writes down what it was started with, and takes the message.
const SEEN: &str = "#!/bin/sh\ncd WORK\n{ env; ls /proc/$$/fd; readlink /proc/$$/fd/2; \
                    grep '^Sig[BIC]' /proc/self/status; umask; } >> seen\n";

fn program(path: &Path, text: &str, side: &Side) {
    side.script("program", &text.replace("WORK", &side.path().display().to_string()));
    fs::rename(side.path().join("program"), path).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).unwrap();
}

/// What queue program and RCPT program see. `queue` is the variable, if there is one.
fn seen(side: &Side, queue: Option<&str>) -> String {
    let bin = side.home().join("bin");
    fs::remove_file(&bin).unwrap(); // a link to the programs
    fs::create_dir(&bin).unwrap();
    let take = "cat > message; cat <&1 > envelope; exit 0\n";
    program(&bin.join("qmail-queue"), &[SEEN, take].concat(), side);
    program(&side.home().join("check"), SEEN, side);
    let queue = queue.map(|program| ("QMAILQUEUE", program));
    let queue = queue.unwrap_or(("QMAILQUEUE", "missing"));
    let env = [("RCPTCHECK", "check"), ("TCPREMOTEIP", "192.0.2.9"), queue];
    let setup = Setup { controls: &[("databytes", "1000\n")], env: &env };
    let run = talk(side, &setup, &[&MESSAGE[..], &["QUIT\r\n"]].concat());
    assert_eq!(run.exit, 0, "{}", run.stdout.escape_ascii());
    let (work, home) = (side.path().display().to_string(), side.home().display().to_string());
    let seen = String::from_utf8(side.read("seen")).unwrap();
    let kinds = |line: &str| if line.ends_with("/err") { "LOG".into() } else { line.to_owned() };
    let lines: Vec<String> =
        seen.replace(&work, "WORK").replace(&home, "HOME").lines().map(kinds).collect();
    lines.join("\n")
}

#[test]
fn programs_see_nothing_of_earlier_clients() {
    for queue in [None, Some("bin/qmail-queue")] {
        let [alone, kept] = [Side::ours(), Side::kept()].map(|side| seen(&side, queue));
        assert_eq!(kept, alone, "{queue:?}");
        let both = alone.matches("TCPREMOTEIP=192.0.2.9").count();
        assert!(both == 2 && !kept.contains("TCPNEXT"), "{kept}");
    }
}

#[test]
fn a_process_does_not_grow_with_its_clients() {
    let side = Side::ours();
    side.control("me", "mail.test\n");
    side.control("rcpthosts", "here.test\n");
    side.control("checkrecipient", "0\n");
    let bin = side.home().join("bin");
    fs::remove_file(&bin).unwrap(); // a link to the programs
    fs::create_dir(&bin).unwrap();
    program(
        &bin.join("qmail-queue"),
        "#!/bin/sh\nwhile read -r line; do :; done\nexit 54\n",
        &side,
    );
    let words = ["tcpserver", "-1vHRl0", "-k1", "127.0.0.1", "0", "qmail-smtpd"];
    let server = side.command(words).start_in_background();
    server.says("\n");
    let port = String::from_utf8(server.stdout()).unwrap().trim().parse().unwrap();
    let log = || String::from_utf8_lossy(&server.stderr()).into_owned();
    let ends = || log().matches("tcpserver: end ").count();
    let mut clients = 0;
    let mut serve = |count: usize| {
        for _ in 0..count {
            let mut client = Smtp::connect(port);
            client.envelope("a@b", "x@here.test");
            if clients % 3 > 0 {
                client.ok("DATA", "354 ");
                client.send("Subject: x\r\n");
            }
            if clients % 3 > 1 {
                client.ok(".", "451 ");
            }
            drop(client);
            clients += 1;
            becomes(ends, clients);
        }
        let pids: Vec<String> = log()
            .lines()
            .filter_map(|line| {
                Some(line.strip_prefix("tcpserver: pid ")?.split(' ').next()?.into())
            })
            .collect();
        assert!(pids.iter().all(|pid| *pid == pids[0]), "{pids:?}");
        pids[0].clone()
    };
    let pid = serve(20);
    let before = data_size(&pid);
    serve(200);
    let after = data_size(&pid);
    assert!(after < before + 200, "{before} kB, and {after} kB after 200 clients more");
    // Who broke off in a message has left no child behind, dead or alive.
    let children = format!("/proc/{pid}/task/{pid}/children");
    assert!(until(|| fs::read_to_string(&children).unwrap().split(' ').count() <= 2));
}
