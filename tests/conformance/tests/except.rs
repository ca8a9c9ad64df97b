//! except beside the recordings of the original.

use harness::{Case, Run, recorded};

fn case(name: &str, words: &[&str]) -> Case {
    recorded("except", name, |side| side.command([&["except"], words].concat()).stdin("x").run())
}

#[test]
fn wrong_usage() {
    case("usage", &[]).same();
}

#[test]
fn success_and_failure_change_places() {
    recorded("except", "codes", |side| {
        let mut stdout = Vec::new();
        for code in [0, 1, 99, 100, 101, 110, 111, 112, 255] {
            let run = side.run(["except", "sh", "-c", &format!("echo said; exit {code}")]);
            stdout.extend(format!("{code}: exit {}\n", run.exit).into_bytes());
            stdout.extend([run.stdout, run.stderr].concat());
        }
        Run { stdout, stderr: Vec::new(), exit: 0 }
    })
    .same();
}

#[test]
fn what_cannot_be_run_or_crashes() {
    case("missing", &["./no/such/program"]).same();
    case("crash", &["sh", "-c", "kill -9 $$"]).same();
}

#[test]
fn a_program_gets_the_message_and_its_arguments() {
    case("arguments", &["sh", "-c", "cat; echo \"$0\" \"$@\"; exit 1", "-v", "--", "a b"]).same();
}
