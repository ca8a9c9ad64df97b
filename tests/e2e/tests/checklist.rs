//! qmail's own list of things to try after it is installed (TEST.deliver), step by step.

use harness::{DOMAIN, Host, Peer, becomes, until};

/// As `echo to: WHOM | qmail-inject`, by the host's user.
fn inject(host: &Host, words: &[&str], message: &str) {
    let words = [&["qmail-inject"], words].concat();
    let run = host.command(words).env("QMAILUSER", "you").stdin(message).run();
    assert_eq!((run.exit, String::from_utf8_lossy(&run.stderr).as_ref()), (0, ""));
}

/// The lines that qmail-send has logged of everything since it started, without the times and
/// with `N` for each message, process and user.
fn logged(host: &Host) -> Vec<String> {
    let log = host.log("qmail");
    let lines = log.lines().filter_map(|line| line.split_once(' ').map(|(_, line)| line));
    lines
        .map(|line| {
            let mut words: Vec<&str> = line.split(' ').collect();
            for place in 1..words.len() {
                if matches!(words[place - 1], "msg" | "bytes" | "qp" | "uid") {
                    words[place] = if words[place].ends_with(':') { "N:" } else { "N" };
                }
            }
            words.join(" ")
        })
        .collect()
}

/// Waits for the end of `count` messages, and gives what was logged.
fn after(host: &Host, count: usize) -> Vec<String> {
    let ended = || logged(host).iter().filter(|line| *line == "end msg N").count();
    assert!(until(|| ended() >= count), "{}", host.said());
    logged(host)
}

#[test]
fn step_1_the_log_shows_the_status() {
    let host = Host::start();
    host.logs("qmail", " status: local 0/10 remote 0/20\n");
}

#[test]
fn step_2_four_daemons_wait() {
    let host = Host::start();
    host.logs("qmail", "status: ");
    let send = host.service_pid("qmail");
    let is_in_session = |pid: &str| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let after_name = stat.rsplit(") ").next().unwrap_or_default().to_owned();
        after_name.split(' ').nth(1) == Some(send.as_str())
    };
    let name = |pid: &str| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let first = line.split(|&byte| byte == 0).next().unwrap_or_default();
        String::from_utf8_lossy(first).rsplit('/').next().unwrap_or_default().to_owned()
    };
    let names = || {
        let entries = std::fs::read_dir("/proc").expect("/proc").flatten();
        let pids = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
        let children = pids.filter(|pid| pid.parse::<u32>().is_ok() && is_in_session(pid));
        let mut names: Vec<String> = children.map(|pid| name(&pid)).collect();
        names.push(name(&send));
        names.sort();
        names
    };
    // And one that is only for speed.
    let queued = "qmail-queued";
    becomes(names, ["qmail-clean", "qmail-lspawn", queued, "qmail-rspawn", "qmail-send"]);
}

#[test]
fn step_3_local_to_local() {
    let host = Host::start();
    inject(&host, &[], "to: you\n");
    assert_eq!(
        after(&host, 1),
        [
            "status: local 0/10 remote 0/20",
            "new msg N",
            "info msg N: bytes N from <you@daisychain.example> qp N uid N",
            "starting delivery 1: msg N to local you@daisychain.example",
            "status: local 1/10 remote 0/20",
            "delivery 1: success: did_1+0+0/",
            "status: local 0/10 remote 0/20",
            "end msg N",
        ]
    );
    assert_eq!(host.receives(1).len(), 1);
}

#[test]
fn step_4_local_to_nobody() {
    let host = Host::start();
    inject(&host, &[], "to: nonexistent\n");
    assert_eq!(
        after(&host, 2)[2..],
        [
            "info msg N: bytes N from <you@daisychain.example> qp N uid N",
            "starting delivery 1: msg N to local nonexistent@daisychain.example",
            "status: local 1/10 remote 0/20",
            "delivery 1: failure: Sorry,_no_mailbox_here_by_that_name._(#5.1.1)/",
            "status: local 0/10 remote 0/20",
            "bounce msg N qp N",
            "end msg N",
            "new msg N",
            "info msg N: bytes N from <> qp N uid N",
            "starting delivery 2: msg N to local you@daisychain.example",
            "status: local 1/10 remote 0/20",
            "delivery 2: success: did_1+0+0/",
            "status: local 0/10 remote 0/20",
            "end msg N",
        ]
    );
    assert!(host.receives(1)[0].contains("<nonexistent@daisychain.example>:\n"));
}

#[test]
fn step_5_local_to_remote() {
    let host = Host::start();
    let peer = Peer::start(Peer::agree);
    host.write("qmail/control/smtproutes", format!("wherever.example:127.0.0.1:{}\n", peer.port()));
    inject(&host, &[], "to: me@wherever.example\n");
    assert_eq!(
        after(&host, 1)[3..],
        [
            "starting delivery 1: msg N to remote me@wherever.example",
            "status: local 0/10 remote 1/20",
            "delivery 1: success: 127.0.0.1_accepted_message./Remote_host_said:_250_ok/",
            "status: local 0/10 remote 0/20",
            "end msg N",
        ]
    );
    assert_eq!(peer.hears(1).len(), 1);
}

#[test]
fn step_6_local_to_postmaster_in_any_case() {
    let host = Host::start();
    host.write("qmail/alias/.qmail-postmaster", "");
    host.run_script(
        "qmail",
        "#!/bin/sh\nexec 2>&1\ncd ../..\n\
         exec env - PATH=\"$PATH\" QMAILHOME=\"$PWD/qmail\" qmail-start ./Mailbox\n",
    );
    inject(&host, &[], "to: POSTmaster\n");
    host.arrives("qmail/alias/Mailbox", "\nDelivered-To: POSTmaster@daisychain.example\n");
}

#[test]
fn step_7_a_double_bounce() {
    let host = Host::start();
    let words = ["-f", "nonexistent"];
    inject(&host, &words, "To: unknownuser\nSubject: testing\n\nThis is only a test.\n");
    let mail = host.receives(1);
    for text in [
        "Return-Path: <#@[]>\n",
        "\nDelivered-To: postmaster@daisychain.example\n",
        "<nonexistent@daisychain.example>:\n",
        "<unknownuser@daisychain.example>:\n",
    ] {
        assert!(mail[0].contains(text), "no {text:?} in {}", mail[0]);
    }
    host.drains();
}

/// Deliveries run with the user's group and no other.
#[test]
fn step_8_group_membership() {
    let host = Host::start();
    host.write("you/.qmail-groups", "|id -G >> MYGROUPS; exit 0\n");
    inject(&host, &[&format!("you-groups@{DOMAIN}")], "");
    host.drains();
    let mine = String::from_utf8(host.command(["id", "-g"]).run().stdout).expect("a number");
    let groups = std::fs::read_to_string(host.path("you/MYGROUPS")).expect("a file");
    if unix::Uid::current().is_root() {
        assert_eq!(groups, mine);
    } else {
        // Who is not root cannot take groups away.
        assert!(groups.split_whitespace().any(|group| group == mine.trim()), "{groups}");
    }
}
