//! ipmeprint beside the recordings of the original.

use harness::{Run, Side, recorded};

/// In a network of its own, where there is nothing but the loopback interface.
fn alone(side: &Side) -> Run {
    // SIOCSIFFLAGS with IFF_UP: a small machine has neither ip nor ifconfig.
    let script = "use Socket; socket(S, AF_INET, SOCK_DGRAM, 0) or die; \
                  $lo = pack('Z16 s x22', 'lo', 1); ioctl(S, 0x8914, $lo) or die; exec @ARGV";
    side.run(["unshare", "-n", "perl", "-e", script, "ipmeprint"])
}

#[test]
fn the_addresses_of_interfaces_follow_those_of_any_host() {
    if !unix::Uid::current().is_root() {
        harness::skipped_for("only root can make a network of its own");
        return;
    }
    let _ = recorded("ipmeprint", "loopback", alone)
        .differing_stdout("0.0.0.0\n::\n127.0.0.1\n::1\n", "0.0.0.0\n127.0.0.1\n")
        .same_exit()
        .same_stderr();
}

#[test]
fn anybody_may_ask() {
    let run = Side::ours().command(["ipmeprint"]).as_user().run();
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(text.starts_with("0.0.0.0\n::\n"), "{text}");
    assert_eq!(run.exit, 0);
}
