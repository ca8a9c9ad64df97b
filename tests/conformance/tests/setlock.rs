//! setlock beside the original.

use harness::{Run, Side, case, until};

#[test]
fn a_file_and_a_program_are_needed() {
    case(|side| side.run(["setlock"])).same();
    case(|side| side.run(["setlock", "whatever"])).same();
    case(|side| side.run(["setlock", "-z", "lock", "true"])).same();
}

#[test]
fn a_file_that_cannot_be_made_is_fatal() {
    case(|side| side.run(["setlock", "nonexistent/lock", "echo", "wrong"])).same();
    case(|side| side.run(["setlock", ".", "echo", "wrong"])).same();
}

#[test]
fn x_is_silent_about_it() {
    case(|side| side.run(["setlock", "-x", "nonexistent/lock", "echo", "wrong"])).same();
    case(|side| side.run(["setlock", "-xX", "nonexistent/lock", "echo", "wrong"])).same();
}

#[test]
fn the_file_is_made_and_the_program_run() {
    case(|side| side.run(["setlock", "lock", "echo", "ok"])).same();
}

#[test]
fn a_file_that_is_there_is_not_changed() {
    case(|side| {
        side.write("lock", "ok\n");
        side.run(["setlock", "lock", "cat", "lock"])
    })
    .same();
}

/// Runs setlock on a file that a setlock in front holds.
fn twice(side: &Side, options: &str) -> Run {
    let script = format!("setlock {options} lock echo one && echo two");
    side.run(["setlock", "lock", "sh", "-c", &script])
}

#[test]
fn n_complains_if_the_file_is_already_locked() {
    case(|side| twice(side, "-n")).same();
    case(|side| twice(side, "-Nn")).same();
}

#[test]
fn nx_is_silent_if_the_file_is_already_locked() {
    case(|side| twice(side, "-nx")).same();
    case(|side| twice(side, "-n -x")).same();
}

#[test]
fn without_n_the_lock_is_waited_for() {
    case(|side| {
        let mut holder =
            side.command(["setlock", "lock", "sh", "-c", "echo held; read x"]).converse();
        assert_eq!(holder.talk("", "\n"), "held\n");
        let mut waiter = side.command(["setlock", "lock", "echo", "mine"]).start_in_background();
        let blocked = format!("-> FLOCK  ADVISORY  WRITE {} ", waiter.pid());
        let locks = || std::fs::read_to_string("/proc/locks").unwrap_or_default();
        assert!(until(|| locks().contains(&blocked)), "nobody waits");
        holder.close_input();
        assert_eq!((holder.ends(), waiter.ends()), (1, 0)); // read x fails at the end
        Run { stdout: waiter.stdout(), stderr: waiter.stderr(), exit: 0 }
    })
    .same();
}

#[test]
fn the_program_has_the_file_open() {
    case(|side| side.run(["setlock", "lock", "sh", "-c", "basename $(readlink /proc/$$/fd/3)"]))
        .same();
}

#[test]
fn a_program_that_is_not_there_cannot_be_run() {
    case(|side| side.run(["setlock", "lock", "./nonexistent"])).same();
}
