//! bouncesaying beside the recordings of the original.

use harness::{Case, Run, recorded};

fn case(name: &str, words: &[&str]) -> Case {
    recorded("bouncesaying", name, |side| {
        side.command([&["bouncesaying"], words].concat()).stdin("x").run()
    })
}

#[test]
fn wrong_usage() {
    case("usage", &[]).same();
}

#[test]
fn without_a_program_it_always_bounces() {
    case("text", &["This address no longer works. (#5.1.1)"]).same();
    case("empty-text", &[""]).same();
    case("odd-text", &["-n \u{e4}\n\u{1}"]).same();
}

#[test]
fn with_a_program_it_bounces_on_success_only() {
    recorded("bouncesaying", "codes", |side| {
        let mut stdout = Vec::new();
        for code in [0, 1, 99, 100, 110, 111, 112, 255] {
            let script = format!("echo said; exit {code}");
            let run = side.run(["bouncesaying", "text", "sh", "-c", &script]);
            stdout.extend(format!("{code}: exit {}\n", run.exit).into_bytes());
            stdout.extend([run.stdout, run.stderr].concat());
        }
        Run { stdout, stderr: Vec::new(), exit: 0 }
    })
    .same();
}

#[test]
fn what_cannot_be_run_or_crashes() {
    case("missing", &["text", "./no/such/program"]).same();
    case("crash", &["text", "sh", "-c", "kill -9 $$"]).same();
}
