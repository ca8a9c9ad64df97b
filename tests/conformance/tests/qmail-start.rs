//! qmail-start beside the recordings of the original.
//!
//! The original needs root and gives each daemon an account of its own; ours runs in a private home,
//! as whoever runs the test. So whom the daemons run as is not compared here.

use harness::{Case, recorded};

#[path = "qmail-start/queued.rs"]
mod queued;

/// Stands in for each daemon: writes down how it was started.
const DAEMON: &str = r#"#!/bin/sh
name=${0##*/}
open=
for fd in 0 1 2 3 4 5 6; do
  [ -e /proc/$$/fd/$fd ] || continue
  case $(readlink /proc/$$/fd/$fd) in
    pipe:*) open="$open $fd=pipe" ;;
    *) open="$open $fd=other" ;;
  esac
done
{
  echo "$# arguments:$open"
  for word; do echo "  [$word]"; done
  pwd; umask
} > WORK/said/$name.part
mv WORK/said/$name.part WORK/said/$name
"#;

/// Stands in for qmail-send: talks to the others, so that each pipe is seen to lead to the right one.
const SEND: &str = r"
for name in OTHERS; do until [ -e WORK/said/$name ]; do :; done; done
echo 'to the log' >&0
echo 'to lspawn' >&1; read line <&2; echo $line > WORK/said/from-lspawn
echo 'to rspawn' >&3; read line <&4; echo $line > WORK/said/from-rspawn
echo 'to clean' >&5; read line <&6; echo $line > WORK/said/from-clean
until [ -e WORK/said/log-line ]; do :; done
";

/// Runs qmail-start with stand-ins for everything it starts.
fn start(name: &str, args: &[&str]) -> Case {
    recorded("qmail-start", name, |side| {
        side.directory("said");
        side.mode("said", 0o777);
        let work = side.path().display().to_string();
        let logged = args.len() > 1;
        for daemon in ["qmail-lspawn", "qmail-rspawn", "qmail-clean", "qmail-send", "logger"] {
            let rest = match daemon {
                "logger" => {
                    "read line; echo $line > WORK/said/part; mv WORK/said/part WORK/said/log-line\n"
                }
                "qmail-send" => SEND,
                _ => "read line; echo \"$name got $line\"\n",
            };
            let others = "qmail-lspawn qmail-rspawn qmail-clean";
            let others = if logged { format!("{others} logger") } else { others.to_owned() };
            let script =
                format!("{DAEMON}{rest}").replace("OTHERS", &others).replace("WORK", &work);
            side.script(&format!("daemons/{daemon}"), &script);
        }
        if !logged {
            side.write("said/log-line", "");
        }
        let words: Vec<&str> = [&["qmail-start"], args].concat();
        let path = format!("{work}/daemons:/usr/bin:/bin");
        let run = side.command(words).env("PATH", path).run();
        std::fs::remove_dir_all(side.path().join("daemons")).unwrap();
        run
    })
}

#[test]
fn every_daemon_is_started_and_connected() {
    start("plain", &[]).same();
    start("delivery", &["./Maildir/"]).same();
    start("lines", &["|dot-forward .forward\n./Mailbox"]).same();
}

#[test]
fn a_logger_gets_what_qmail_send_says() {
    start("logger", &["./Mailbox", "logger", "a b", ""]).same();
}

#[test]
fn a_daemon_that_is_missing_ends_it() {
    recorded("qmail-start", "no-send", |side| {
        side.command(["qmail-start"]).env("PATH", side.path()).run()
    })
    .same();
}
