//! fifo beside what daemontools 0.53 did.

use harness::{Run, recorded};
use unix::signal::Signal;

#[test]
fn a_name_is_needed() {
    recorded("fifo", "usage", |side| side.run(["fifo"])).same();
}

#[test]
fn a_fifo_that_cannot_be_made_is_fatal() {
    recorded("fifo", "no-folder", |side| side.run(["fifo", "nonexistent/fifo"])).same();
}

#[test]
fn what_is_no_fifo_ends() {
    recorded("fifo", "file", |side| {
        side.write("file", "text");
        side.run(["fifo", "file"])
    })
    .same();
    recorded("fifo", "folder", |side| {
        side.directory("folder");
        side.run(["fifo", "folder"])
    })
    .same();
}

#[test]
fn it_shows_what_several_writers_write() {
    recorded("fifo", "writers", |side| {
        let fifo = side.command(["fifo", "fifo"]).start_in_background();
        let is_there = "until [ -p fifo ]; do :; done; echo one > fifo; ls -l fifo | cut -c 1-10";
        let shown = side.run(["sh", "-c", is_there]);
        fifo.says("one\n");
        let _ = side.run(["sh", "-c", "echo two > fifo"]);
        fifo.says("two\n");
        fifo.signal(Signal::SIGTERM);
        let mut fifo = fifo;
        let exit = fifo.ends();
        std::fs::remove_file(side.path().join("fifo")).unwrap();
        Run { stdout: [fifo.stdout(), shown.stdout].concat(), stderr: fifo.stderr(), exit }
    })
    .same();
}
