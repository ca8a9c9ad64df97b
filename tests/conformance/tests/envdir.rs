//! envdir beside the original.

use std::os::unix::fs::symlink;

use harness::{Run, Side, case};

#[test]
fn a_directory_and_a_program_are_needed() {
    case(|side| side.run(["envdir"])).same();
    case(|side| side.run(["envdir", "whatever"])).same();
}

#[test]
fn a_directory_that_cannot_be_entered_is_fatal() {
    case(|side| side.run(["envdir", "nonexistent", "echo", "yes"])).same();
    case(|side| {
        side.write("file", "x");
        side.run(["envdir", "file", "echo", "yes"])
    })
    .same();
    case(|side| {
        symlink("env1", side.path().join("env1")).unwrap();
        side.run(["envdir", "env1", "echo", "yes"])
    })
    .same();
}

#[test]
fn a_file_that_cannot_be_read_is_fatal() {
    case(|side| {
        side.directory("env");
        symlink("Message", side.path().join("env/Message")).unwrap();
        side.run(["envdir", "env", "echo", "yes"])
    })
    .same();
}

/// What `$Message` is with `contents` in the file of that name.
fn message(side: &Side, contents: &[u8]) -> Run {
    side.write("env/Message", contents);
    side.command(["envdir", "env", "sh", "-c", "echo \"${Message-unset}|\""])
        .env("Message", "inherited")
        .run()
}

#[test]
fn the_first_line_is_the_value() {
    for contents in [
        &b"This is a test. This is only a test.\n"[..],
        b"no newline",
        b"  leading and trailing \t \nsecond line\n",
        b"one\0two\0\n",
        b"\n",
        b" \t \n",
        b"\nsecond line\n",
        b"carriage return\r\n",
        b"",
    ] {
        case(|side| message(side, contents)).same();
    }
}

#[test]
fn a_large_file_is_a_value_too() {
    let contents = "x".repeat(100_000) + "\n";
    case(|side| message(side, contents.as_bytes())).same();
}

#[test]
fn hidden_files_do_not_count() {
    case(|side| {
        side.write("env/.Hidden", "x\n");
        side.run(["envdir", "env", "sh", "-c", "echo ${Hidden-unset}"])
    })
    .same();
}

#[test]
fn directories_nest_and_paths_are_relative() {
    case(|side| {
        side.write("env1/Message", "hello\n");
        side.write("env2/Message", "");
        side.run(["envdir", "env1", "envdir", "env2", "sh", "-c", "echo $Message; pwd"])
    })
    .same();
}

#[test]
fn the_environment_is_inherited_and_edited() {
    case(|side| {
        side.write("env/A", "1\n");
        side.write("env/B", "");
        side.command(["envdir", "env", "sh", "-c", "echo $A ${B-unset} $C"])
            .env("B", "2")
            .env("C", "3")
            .run()
    })
    .same();
}

#[test]
fn a_name_with_an_equals_sign_is_refused() {
    case(|side| {
        side.write("env/B=C", "x\n");
        side.run(["envdir", "env", "sh", "-c", "echo $B"])
    })
    .differing_stdout("", "C=x\n")
    .differing_stderr("envdir: fatal: unable to use env/B=C: a variable's name has no =\n", "")
    .differing_exit(111, 0);
}

#[test]
fn a_directory_inside_is_skipped() {
    case(|side| {
        side.directory("env/sub");
        side.write("env/A", "1\n");
        side.run(["envdir", "env", "sh", "-c", "echo $A"])
    })
    .differing_stdout("1\n", "")
    .differing_stderr("", "envdir: fatal: unable to read env/sub: is a directory\n")
    .differing_exit(0, 111);
}

#[test]
fn a_program_that_is_not_there_cannot_be_run() {
    case(|side| {
        side.directory("env");
        side.run(["envdir", "env", "./nonexistent"])
    })
    .same();
}
