//! preline beside the recordings of the original.

use harness::{Case, Command, Side, recorded};

const PAGE: &str = "the message\nits end";

/// With the variables of a delivery set.
fn command<'a>(side: &'a Side, words: &[&str]) -> Command<'a> {
    side.command([&["preline"], words].concat())
        .env("UFLINE", "From me DATE\n")
        .env("RPLINE", "Return-Path: <me>\n")
        .env("DTLINE", "Delivered-To: you\n")
        .stdin(PAGE)
}

fn case(name: &str, words: &[&str]) -> Case {
    recorded("preline", name, |side| command(side, words).run())
}

const OURS: &str = "preline: usage: preline [ -frdFRD ] cmd [ arg ... ]\n";
const ORIGINAL: &str = "preline: usage: preline cmd [ arg ... ]\n";

#[test]
fn wrong_usage() {
    case("usage", &[]).same_exit().same_stdout().differing_stderr(OURS, ORIGINAL);
    let illegal = "preline: illegal option -- x\n";
    case("option", &["-x", "cat"])
        .same_exit()
        .differing_stderr(&format!("{illegal}{OURS}"), &format!("{illegal}{ORIGINAL}"));
    for name in ["UFLINE", "RPLINE", "DTLINE"] {
        recorded("preline", &format!("without-{name}"), |side| {
            command(side, &["-frd", "cat"]).unset(name).run()
        })
        .same_exit()
        .differing_stderr(OURS, ORIGINAL);
    }
}

#[test]
fn the_lines_stand_before_the_message() {
    case("all", &["cat"]).same();
    case("no-from", &["-f", "cat"]).same();
    case("no-return-path", &["-r", "cat"]).same();
    case("no-delivered-to", &["-d", "cat"]).same();
    case("none", &["-frd", "cat"]).same();
    case("again", &["-frdFR", "-D", "-f", "cat"]).same();
    case("arguments", &["--", "sh", "-c", "cat; echo \"$0\" \"$@\"", "-f", "a b"]).same();
    recorded("preline", "empty", |side| command(side, &["cat"]).stdin("").run()).same();
    recorded("preline", "empty-none", |side| command(side, &["-frd", "cat"]).stdin("").run())
        .same();
}

#[test]
fn the_programs_exit_code_is_passed_on() {
    for code in ["0", "1", "99", "100", "111", "255"] {
        let script = format!("cat > /dev/null; exit {code}");
        case(&format!("exit-{code}"), &["sh", "-c", &script]).same();
    }
    case("crash", &["sh", "-c", "cat > /dev/null; kill -9 $$"]).same();
    case("missing", &["./no/such/program"]).same();
    case("directory", &["/"]).same();
}

#[test]
fn a_large_message_is_whole() {
    let message = "x\n".repeat(500_000);
    let side = Side::ours();
    let run = command(&side, &["-d", "cat"]).stdin_file(&message).run();
    assert_eq!(run.exit, 0);
    assert!(run.stdout == format!("From me DATE\nReturn-Path: <me>\n{message}").into_bytes());
}

#[test]
fn a_program_may_stop_reading() {
    let message = "x\n".repeat(500_000);
    let case = |code: &str| {
        let script = format!("head -n 1; exit {code}");
        recorded("preline", &format!("deaf-{code}"), |side| {
            command(side, &["sh", "-c", &script]).stdin_file(&message).run()
        })
    };
    let words = "preline: fatal: unable to copy input: broken pipe\n";
    case("0").same_stdout().differing_exit(0, 111).differing_stderr("", words);
    case("100").same_stdout().differing_exit(100, 111).differing_stderr("", words);
}

#[test]
fn the_program_has_sigpipe_as_usual() {
    case("sigpipe", &["sh", "-c", "cat > /dev/null; yes | head -n 1"]).same();
}
