//! errorsto beside what daemontools 0.53 did.

use harness::recorded;

#[test]
fn a_file_and_a_program_are_needed_and_nothing_is_said() {
    recorded("errorsto", "nothing", |side| side.run(["errorsto"])).same();
    recorded("errorsto", "no-program", |side| side.run(["errorsto", "file"])).same();
}

#[test]
fn errors_are_appended_and_output_stays() {
    let script = "echo out; echo err >&2; exit 7";
    recorded("errorsto", "new", |side| side.run(["errorsto", "file", "sh", "-c", script])).same();
    recorded("errorsto", "old", |side| {
        side.write("file", "before\n");
        side.run(["errorsto", "file", "sh", "-c", script])
    })
    .same();
}

#[test]
fn a_file_that_cannot_be_opened_is_111() {
    recorded("errorsto", "no-folder", |side| {
        side.run(["errorsto", "nonexistent/file", "echo", "wrong"])
    })
    .same();
    recorded("errorsto", "folder", |side| side.run(["errorsto", ".", "echo", "wrong"])).same();
}

#[test]
fn a_program_that_is_not_there_is_111() {
    recorded("errorsto", "missing", |side| side.run(["errorsto", "file", "./nonexistent"])).same();
}
