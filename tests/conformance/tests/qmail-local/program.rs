//! Programs: what they are given, and what their exit codes mean.

use harness::{Case, Side, recorded};

use crate::{Delivery, Several, without_ids};

/// Shows the variables that a delivery sets.
pub const SHOW: &str = "|for v in USER HOME LOCAL HOST HOST2 HOST3 HOST4 RECIPIENT EXT EXT2 EXT3 EXT4 \
                    DEFAULT SENDER NEWSENDER DTLINE RPLINE UFLINE; do \
                    eval \"printf '%s\\n' \\\"$v=\\${$v-unset}\\\"\"; done\n";

/// Runs the program in the file of this name.
fn run(name: &str, file: &str, text: &str, delivery: Delivery<'_>) -> Case {
    recorded("qmail-local", name, |side| {
        side.write(&format!("home/{file}"), text);
        delivery.run(side)
    })
    .normalised(without_ids)
}

#[test]
fn a_program_is_told_who_and_where() {
    let odd = Delivery { host: "mx.sub.h.test", sender: "S nder@x.y", ..Delivery::to("A.b-C-D") };
    run("environment", ".qmail-a:b-default", SHOW, odd).same();
    run("environment-exact", ".qmail-a:b-c-d", SHOW, odd).same();
    run("environment-plain", ".qmail", SHOW, Delivery::default()).same();
    run("environment-default", ".qmail-x-default", SHOW, Delivery::to("x-Default")).same();
    let bounce = Delivery { sender: "", host: "host", ..Delivery::to("a---b") };
    run("environment-bounce", ".qmail-default", SHOW, bounce).same();
    let lines = Delivery { sender: "a\nb@c", host: "h\ni", ..Delivery::default() };
    run("environment-newlines", ".qmail", SHOW, lines).same();
}

#[test]
fn a_value_never_begins_a_function() {
    let text = "|echo \"$SENDER\" \"$NEWSENDER\" \"$EXT\" \"$DEFAULT\" \"$HOST\"\n";
    let delivery =
        Delivery { sender: "() { :;}; echo evil@x", host: "() { x.y", ..Delivery::to("() { z") };
    run("function", ".qmail-default", text, delivery).differing_stdout(
        "_) { :;}; echo evil@x _) { :;}; echo evil@x _) { z _) { z _) { x.y\ndid 0+0+1\n",
        "() { :;}; echo evil@x () { :;}; echo evil@x () { z () { z () { x.y\ndid 0+0+1\n",
    );
}

#[test]
fn a_program_gets_the_message_from_its_start_in_the_home() {
    let text = "|head -c 3; pwd\n|cat; echo; echo said >&2\n";
    run("program-input", ".qmail", text, Delivery::default()).same();
}

#[test]
fn exit_codes_go_on_stop_bounce_or_defer() {
    recorded("qmail-local", "exit-codes", |side| {
        let mut several = Several::default();
        let codes = [0, 1, 2, 63, 64, 65, 66, 70, 71, 75, 76, 77, 78, 79, 98, 99, 100, 101, 111];
        for code in codes.into_iter().chain([112, 113, 126, 127, 255]) {
            side.write("home/.qmail", format!("|echo first; exit {code}\n|echo second\n"));
            several.add(&code.to_string(), &Delivery::default().run(side));
        }
        several.run()
    })
    .same();
}

#[test]
fn a_crash_is_a_deferral() {
    run("program-crash", ".qmail", "|kill -9 $$\n", Delivery::default()).same();
    run("program-missing", ".qmail", "|/nonexistent/program 2>/dev/null\n", Delivery::default())
        .same();
}

#[test]
fn a_program_that_does_not_read_is_no_trouble() {
    let message = "x\n".repeat(100_000);
    let delivery = Delivery { message: &message, ..Delivery::default() };
    run("program-deaf", ".qmail", "|exit 0\n|exit 0\n", delivery).same();
}

#[test]
fn sigpipe_has_its_default_action() {
    run("program-sigpipe", ".qmail", "|yes | head -n 1\n|echo done\n", Delivery::default()).same();
}

#[test]
fn no_descriptor_of_ours_reaches_a_program() {
    let side = Side::ours();
    // What the tests were started with is there in any case.
    let list = "echo $(ls /proc/self/fd)";
    let inherited = side.command(["sh", "-c", list]).as_user().run().stdout;
    side.write("home/.qmail", format!("./Mailbox\n|{list}\n"));
    let run = Delivery::default().run(&side);
    assert_eq!(run.exit, 0);
    assert!(run.stdout.starts_with(&inherited), "{}", run.stdout.escape_ascii());
}

#[test]
fn a_message_may_have_more_than_two_gibibytes() {
    let side = Side::ours();
    side.write("home/.qmail", "|test \"$(wc -c)\" = 2147483700 && tail -c 1 > last\n|exit 0\n");
    let path = side.path().join("home/message");
    side.write("home/message", "Subject: x\n\nbody");
    let file = std::fs::File::options().write(true).open(path).unwrap();
    file.set_len((1 << 31) + 52).unwrap();
    let script = "exec qmail-local -- spec \"$PWD/home\" spec '' '' h.test s@x.y x < home/message";
    let local = side.program("qmail-local").display().to_string();
    let script = script.replace("qmail-local", &local);
    let run = side.command(["sh", "-c", &script]).as_user().run();
    assert_eq!((run.exit, run.stdout, run.stderr), (0, b"did 0+0+2\n".to_vec(), Vec::new()));
}
