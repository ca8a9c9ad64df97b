//! The socket of qmail-queued, which the original does not have, and how long that lives.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use harness::{Background, Side, until};
use unix::signal::Signal;

/// Stands in for qmail-queued: writes down how it was started, and when it is to end.
const QUEUED: &str = r#"#!/bin/sh
open=
for fd in 0 1 2 3 4 5 6 7 8 9; do
  [ -e /proc/$$/fd/$fd ] || continue
  case $(readlink /proc/$$/fd/$fd) in
    pipe:*) open="$open $fd=pipe" ;;
    socket:*) open="$open $fd=socket" ;;
    */queued) ;; # this script, in some shells
    *) open="$open $fd=other" ;;
  esac
done
echo "$#,$open, $PWD, $(umask)" > WORK/said/part.$$
mv WORK/said/part.$$ WORK/said/begins.$$
read line <&1
mv WORK/said/begins.$$ WORK/said/ends.$$
"#;

/// Stands in for qmail-send, and tells whose number it has.
const SEND: &str = "#!/bin/sh\necho > WORK/said/send.$$\nexec cat WORK/never\n";

fn host() -> Side {
    let side = Side::ours();
    let work = side.path().display().to_string();
    let script = |name: &str, text: &str| {
        side.script(&format!("daemons/{name}"), &text.replace("WORK", &work));
    };
    for daemon in ["qmail-lspawn", "qmail-rspawn", "qmail-clean"] {
        script(daemon, "#!/bin/sh\nexec cat\n");
    }
    script("qmail-queued", QUEUED);
    script("qmail-send", SEND);
    side.directory("said");
    let made = side.run(["mkfifo", "never"]);
    assert_eq!(made.exit, 0);
    side
}

/// Starts the host, and waits until its qmail-send is there.
fn start(side: &Side, home: &Path) -> Background {
    let path = format!("{}/daemons:/usr/bin:/bin", side.path().display());
    let words = ["sh", "-c", "umask 077; exec \"$@\"", "sh"].map(Into::into);
    let program = side.programs().join("qmail-start");
    let command = side.command(words.into_iter().chain([program]));
    let started = command.env("PATH", path).env("QMAILHOME", home).start_in_background();
    let said = side.path().join(format!("said/send.{}", started.pid()));
    assert!(until(|| said.exists()), "{:?}", started.stderr());
    started
}

/// What the stand-ins for qmail-queued have said, those that have begun or those that have ended.
fn said(side: &Side, what: &str) -> Vec<String> {
    let entries = fs::read_dir(side.path().join("said")).unwrap().flatten();
    let paths = entries.map(|entry| entry.path());
    let named = |path: &PathBuf| path.file_stem().is_some_and(|stem| stem == what);
    paths.filter(named).filter_map(|path| fs::read_to_string(path).ok()).collect()
}

#[test]
fn qmail_queued_is_started_with_a_socket_and_lives_as_long_as_qmail_send() {
    let side = host();
    let home = side.home().to_owned();
    let running = start(&side, &home);
    assert!(until(|| said(&side, "begins").len() == 1));
    let begins = said(&side, "begins").concat();
    assert_eq!(begins.replace("0077", "077"), "0, 0=socket 1=pipe, /, 077\n");
    let socket = fs::metadata(home.join("run/queue")).unwrap();
    assert!(socket.file_type().is_socket());
    // Nobody but the owner may use a private host.
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(home.join("run")).unwrap().permissions().mode() & 0o777, 0o755);
    running.signal(Signal::SIGKILL);
    assert!(until(|| said(&side, "ends").len() == 1));
}

#[test]
fn a_second_one_leaves_the_first_ones_socket_alone_and_the_next_one_replaces_it() {
    let side = host();
    let home = side.home().to_owned();
    let first = start(&side, &home);
    assert!(until(|| said(&side, "begins").len() == 1));
    let number = || fs::metadata(home.join("run/queue")).unwrap().ino();
    let socket = number();
    let second = start(&side, &home);
    assert_eq!((said(&side, "begins").len(), number()), (1, socket));
    drop(second);
    assert_eq!(number(), socket);
    first.signal(Signal::SIGKILL);
    assert!(until(|| said(&side, "ends").len() == 1));
    let _third = start(&side, &home);
    assert!(until(|| said(&side, "begins").len() == 1));
    assert_ne!(number(), socket);
}

#[test]
fn a_home_with_a_long_name_has_one_as_well() {
    let side = host();
    let home = side.path().join("long".repeat(50)).join("home");
    fs::create_dir_all(&home).unwrap();
    symlink(side.programs(), home.join("bin")).unwrap();
    let _running = start(&side, &home);
    assert!(until(|| said(&side, "begins").len() == 1));
    assert!(fs::metadata(home.join("run/queue")).unwrap().file_type().is_socket());
}

#[test]
fn a_script_in_the_place_of_qmail_queue_has_all_messages() {
    let side = host();
    let home = side.home().to_owned();
    fs::remove_file(home.join("bin")).unwrap(); // a link to our programs
    fs::create_dir(home.join("bin")).unwrap();
    fs::write(home.join("bin/qmail-queue"), "#!/bin/sh\nexec filter\n").unwrap();
    drop(start(&side, &home));
    assert!(!home.join("run").exists());
    fs::remove_file(home.join("bin/qmail-queue")).unwrap();
    symlink(side.programs().join("qmail-queue"), home.join("bin/qmail-queue")).unwrap();
    let _running = start(&side, &home);
    assert!(until(|| said(&side, "begins").len() == 1));
}

#[test]
fn a_host_goes_on_without_qmail_queued() {
    let side = host();
    let home = side.home().to_owned();
    // Where its directory cannot be,
    fs::write(home.join("run"), "").unwrap();
    drop(start(&side, &home));
    fs::remove_file(home.join("run")).unwrap();
    // where it cannot be executed,
    side.script("daemons/qmail-queued", "#!/nonexistent\n");
    drop(start(&side, &home));
    assert!(!home.join("run/queue").exists() && !home.join("run/queue.new").exists());
    fs::remove_dir_all(home.join("run")).unwrap();
    // and where it is not.
    fs::remove_file(side.path().join("daemons/qmail-queued")).unwrap();
    drop(start(&side, &home));
    assert!(!home.join("run").exists());
    assert_eq!(said(&side, "begins"), [""; 0]);
}
