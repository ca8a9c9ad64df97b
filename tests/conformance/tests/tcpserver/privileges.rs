//! Rights that must not come back.

use harness::Side;

use super::is_root;

#[test]
fn a_server_that_could_become_root_again_does_not_start() {
    if !is_root() {
        return;
    }
    // The capabilities of root outlast its number.
    let kept = ["setpriv", "--securebits", "+no_setuid_fixup"];
    let side = Side::ours();
    if side.run([&kept[..], &["true"]].concat()).exit != 0 {
        return harness::skipped_for("securebits (setpriv)");
    }
    let server = ["tcpserver", "-1", "-HRl0", "-u65534", "-g65534", "127.0.0.1", "0", "true"];
    let run = side.run([&kept[..], &server].concat());
    let said = "tcpserver: fatal: unable to set uid: root can be regained\n";
    assert_eq!((run.exit, run.stdout, run.stderr), (111, Vec::new(), said.into()));
}
