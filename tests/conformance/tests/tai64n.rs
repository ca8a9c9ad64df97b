//! tai64n beside the original.

use harness::{Background, Run, case};

/// An escaped text with every label replaced.
fn without_times(text: &str) -> String {
    let mut parts = text.split('@');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_label = part.len() >= 24
            && part.bytes().take(24).all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        result.extend(if is_label { ["@TIME", &part[24..]] } else { ["@", part] });
    }
    result
}

#[test]
fn every_line_gets_a_label() {
    for input in [
        &b"ONE\nTWO\n"[..],
        b"",
        b"\n\n",
        b"no newline",
        b"zero \0 byte\n\xff\n",
        b"@4000000000000000 one more\n",
    ] {
        case(|side| side.command(["tai64n"]).stdin(input).run()).normalised(without_times).same();
    }
}

#[test]
fn a_large_input_comes_through() {
    let input = "a line of text\n".repeat(50_000);
    case(|side| side.command(["tai64n"]).stdin(&input).run()).normalised(without_times).same();
}

#[test]
fn arguments_do_not_matter() {
    case(|side| side.command(["tai64n", "-x", "y"]).stdin("a\n").run())
        .normalised(without_times)
        .same();
}

fn converse(mut program: Background) -> Run {
    let mut stdout = program.talk("first\n", "\n");
    stdout += &program.talk("second, and a part", " a part");
    stdout += &program.talk(" of it\n", "\n");
    program.close_input();
    let exit = program.ends();
    Run { stdout: stdout.into_bytes(), stderr: program.stderr(), exit }
}

#[test]
fn nothing_waits_for_more_input() {
    case(|side| converse(side.command(["tai64n"]).converse())).normalised(without_times).same();
}

#[test]
fn the_time_is_that_of_the_first_byte() {
    let case = case(|side| {
        let mut program = side.command(["tai64n"]).converse();
        let before = program.talk("x", "x");
        let _ = program.talk("y\n", "\n");
        let after = program.talk("z", "z");
        assert!(before < after, "{before} {after}");
        let script = format!("echo '{after}' | tai64nlocal; date -u '+%Y-%m-%d %H:'");
        let shown = String::from_utf8(side.run(["sh", "-c", &script]).stdout).unwrap();
        let (label, hour) = shown.split_once('\n').unwrap();
        // Only at the turn of an hour could it be otherwise.
        Run { stdout: vec![u8::from(label[..13] == hour[..13])], stderr: Vec::new(), exit: 0 }
    });
    assert_eq!(case.ours().run.stdout, [1]);
    let _ = case.same_stdout();
}

#[test]
fn an_output_that_is_full_ends_it() {
    case(|side| side.command(["sh", "-c", "tai64n > /dev/full"]).stdin("a\n").run())
        .differing_stderr("tai64n: fatal: unable to write output: out of disk space\n", "")
        .differing_exit(111, 111);
}

#[test]
fn an_input_that_cannot_be_read_ends_it() {
    case(|side| side.run(["sh", "-c", "exec tai64n < ."]))
        .differing_stderr("tai64n: fatal: unable to read input: is a directory\n", "")
        .differing_exit(111, 111);
}
