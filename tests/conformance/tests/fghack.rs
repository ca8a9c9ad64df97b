//! fghack beside the original.

use harness::{Run, Side, case};
use unix::signal::Signal;

#[test]
fn a_program_is_needed() {
    case(|side| side.run(["fghack"])).same();
}

#[test]
fn a_program_that_is_not_there_cannot_be_run() {
    case(|side| side.run(["fghack", "./nonexistent"])).same();
    case(|side| side.run(["fghack", "nonexistent", "x"])).same();
}

#[test]
fn the_exit_code_is_the_program_s() {
    for code in ["0", "1", "100", "111", "255"] {
        case(|side| side.run(["fghack", "sh", "-c", &format!("echo said; exit {code}")])).same();
    }
}

#[test]
fn a_program_that_a_signal_ends_has_crashed() {
    case(|side| side.run(["fghack", "sh", "-c", "kill -9 $$"])).same();
}

#[test]
fn descendants_in_the_background_are_waited_for() {
    let daemon = "(read x; echo the end) < fifo & exit 7";
    case(|side| {
        let make = side.run(["mkfifo", "fifo"]);
        assert_eq!(make.exit, 0);
        let mut hack = side.command(["fghack", "sh", "-c", daemon]).start_in_background();
        // The shell in front has gone when the fifo can be opened for writing; fghack is still there.
        let run = side.run([
            "sh",
            "-c",
            "exec 3> fifo; kill -0 $0 && echo there",
            &hack.pid().to_string(),
        ]);
        assert_eq!(run.stdout, b"there\n");
        let exit = hack.ends();
        std::fs::remove_file(side.path().join("fifo")).unwrap();
        Run { stdout: hack.stdout(), stderr: hack.stderr(), exit }
    })
    .same();
}

/// The numbers of the descriptors of a shell that has the program's.
const OPEN: &str = "ls /proc/$$/fd";

#[test]
fn the_program_has_the_pipe_and_thirty_copies() {
    case(|side| side.run(["fghack", "sh", "-c", OPEN])).same();
}

#[test]
fn descriptors_of_the_script_are_left_alone() {
    let script = "exec 5</dev/null 9</dev/null fghack sh -c \"$0\"";
    case(|side| side.run(["sh", "-c", script, OPEN])).same();
}

/// With the original the shell finds no descriptor free for its own library.
#[test]
fn few_descriptors_are_enough() {
    let script = "ulimit -n 12; exec fghack sh -c 'echo said &'";
    let run = Side::ours().run(["sh", "-c", script]);
    assert_eq!((run.stdout, run.stderr, run.exit), (b"said\n".to_vec(), vec![], 0));
}

#[test]
fn what_is_written_to_the_pipe_is_passed_over() {
    case(|side| side.run(["fghack", "sh", "-c", "echo x >&4; echo y >&8; echo said"])).same();
}

#[test]
fn a_signal_does_not_reach_the_program() {
    let script = "trap 'echo term' TERM; echo up; read x; echo down";
    case(|side| {
        let mut hack = side.command(["fghack", "sh", "-c", script]).converse();
        let mut stdout = hack.talk("", "up\n");
        hack.signal(Signal::SIGTERM);
        let exit = hack.ends();
        stdout += &hack.talk("\n", "down\n");
        Run { stdout: stdout.into_bytes(), stderr: hack.stderr(), exit }
    })
    .same();
}
