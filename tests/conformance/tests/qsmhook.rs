//! qsmhook beside the recordings of the original, which is that of qmail 1.03.

use harness::{Case, Command, Side, recorded};

const VARIABLES: [(&str, &str); 6] = [
    ("UFLINE", "From me DATE\n"),
    ("RPLINE", "Return-Path: <me>\n"),
    ("DTLINE", "Delivered-To: you\n"),
    ("SENDER", "me@a.test"),
    ("LOCAL", "Fax-123"),
    ("HOST", "b.test"),
];

fn command<'a>(side: &'a Side, words: &[&str]) -> Command<'a> {
    let command = side.command([&["qsmhook"], words].concat()).stdin("the message\nits end");
    VARIABLES.iter().fold(command, |command, (name, value)| command.env(name, value))
}

fn case(name: &str, words: &[&str]) -> Case {
    recorded("qsmhook", name, |side| command(side, words).run())
}

const USAGE: &str = "qsmhook: usage: qsmhook [ -DFlMmnPs ] [ -x prefix ] cmd [ arg ... ]\n";
const ORIGINAL: &str = "qsmhook: fatal: incorrect usage\n";

#[test]
fn wrong_usage() {
    case("usage", &[]).same_exit().same_stdout().differing_stderr(USAGE, ORIGINAL);
    let illegal = "qsmhook: illegal option -- q\n";
    case("option", &["-q", "cat"])
        .same_exit()
        .differing_stderr(&format!("{illegal}{USAGE}"), illegal);
    for (name, _) in VARIABLES {
        recorded("qsmhook", &format!("without-{name}"), |side| {
            command(side, &["cat"]).unset(name).run()
        })
        .same_exit()
        .differing_stderr(USAGE, ORIGINAL);
    }
}

#[test]
fn the_flags_of_a_mailer_choose_the_lines() {
    case("from", &["cat"]).same();
    case("all", &["-lP", "cat"]).same();
    case("none", &["-n", "cat"]).same();
    case("others", &["-DFMms", "-P", "-l", "-n", "cat"]).same();
}

#[test]
fn the_words_of_a_mailer_are_filled_in() {
    let show = "cat > /dev/null; for word in \"$0\" \"$@\"; do echo \"<$word>\"; done";
    case("words", &["sh", "-c", show, "%u", "-f%g", "%u@%h", "100%%", "a%xb", "%"]).same();
    case("prefix", &["-x", "fax-", "sh", "-c", show, "%u"]).same();
    case("prefixes", &["-xFAX-", "-x1", "-xno", "sh", "-c", show, "%u"]).same();
    case("program", &["--", "%%", "x"]).same_exit().differing_stderr(
        "qsmhook: fatal: unable to run %: file does not exist\n",
        "qsmhook: fatal: command not found\n",
    );
}

#[test]
fn the_programs_exit_code_is_passed_on() {
    for code in ["0", "1", "99", "100", "111", "255"] {
        let script = format!("cat > /dev/null; exit {code}");
        case(&format!("exit-{code}"), &["sh", "-c", &script]).same();
    }
    case("crash", &["sh", "-c", "cat > /dev/null; kill -9 $$"])
        .same_exit()
        .differing_stderr("qsmhook: fatal: child crashed\n", "qsmhook: fatal: temporary problem\n");
}
