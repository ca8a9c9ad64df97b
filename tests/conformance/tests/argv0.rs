//! argv0 beside the original.

use harness::{Case, case};

fn run(words: &[&str]) -> Case {
    case(|side| {
        side.script("bin/tool", "#!/bin/sh\necho tool \"$@\"\nexit 7\n");
        let words = words.to_vec();
        side.command(words)
            .env("PATH", format!("{}/bin:/usr/bin:/bin", side.path().display()))
            .run()
    })
}

#[test]
fn the_program_is_told_another_name() {
    run(&["argv0", "sh", "name", "-c", "echo $0 $1", "-", "x"]).same();
    run(&["argv0", "sh", "name", "-c", "echo \"$0\"; exit 3"]).same();
    run(&["argv0", "/bin/sh", "", "-c", "echo \"[$0]\""]).same();
    run(&["argv0", "sh", "-sh", "-c", "echo $0"]).same();
}

#[test]
fn a_program_and_a_name_are_needed() {
    run(&["argv0"]).same();
    run(&["argv0", "sh"]).same();
    run(&["argv0", "-x"]).same();
}

#[test]
fn there_are_no_options() {
    run(&["argv0", "--", "sh"]).same();
    run(&["argv0", "-v", "sh"]).same();
}

#[test]
fn the_program_is_searched_for() {
    run(&["argv0", "tool", "x", "a", "b c"]).same();
    run(&["argv0", "./bin/tool", "x", "a"]).same();
    run(&["argv0", "nonexistent", "x"]).same();
    run(&["argv0", "./nonexistent", "x"]).same();
    run(&["argv0", "", "x"]).same();
    run(&["argv0", "/", "x"]).same();
}

#[test]
fn the_search_goes_on_past_some_errors() {
    // Nothing there; a file that may not be executed; a folder of that name; and what ends it.
    for before in ["nowhere", "data", "folder", "data/tool"] {
        case(|side| {
            side.script("bin/tool", "#!/bin/sh\necho tool\n");
            side.write("data/tool", "no program");
            side.write("folder/tool/file", "");
            let place = side.path().display().to_string();
            let command = side.command(["argv0", "tool", "x"]);
            command.env("PATH", format!("{place}/{before}:{place}/bin:/bin")).run()
        })
        .same();
    }
}
