//! The samples of `/var/qmail/rc`: each gives qmail-start its default delivery, and a log.

use std::path::Path;

use harness::{Side, skipped_for};

const FORWARD: &str = "|dot-forward .forward\n";

/// What qmail-start is told by a sample.
fn told(sample: &str) -> String {
    let side = Side::ours();
    side.script("qmail-start", "#!/bin/sh\nprintf '<%s>' \"$@\"; echo \"${HOME-no home}\"\n");
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../package/boot");
    let sample = package.join(sample).display().to_string();
    let path = format!("{}:/usr/bin:/bin", side.path().display());
    let run = side.command(["sh", &sample]).env("HOME", "/").env("PATH", path).run();
    assert_eq!(run.exit, 0, "{}", run.stderr.escape_ascii());
    String::from_utf8(run.stdout).unwrap()
}

#[test]
fn each_sample_has_its_default_delivery() {
    if Path::new("/var/qmail/bin/qmail-start").exists() {
        return skipped_for("a qmail that is installed would be started");
    }
    let file = "\"${SENDER:-MAILER-DAEMON}\" -d \"$USER\"";
    let samples = [
        ("home", "./Mailbox".to_owned()),
        ("maildir", "./Maildir/".to_owned()),
        ("proc", "|preline procmail".to_owned()),
        ("binm1", format!("|preline -f /usr/libexec/mail.local -r {file}")),
        ("binm2", format!("|preline -f /bin/mail -r {file}")),
        ("binm3", format!("|preline -f /bin/mail -f {file}")),
    ];
    for (sample, delivery) in samples {
        assert_eq!(told(sample), format!("<{delivery}><splogger><qmail>no home\n"), "{sample}");
        if sample != "maildir" {
            let both = format!("<{FORWARD}{delivery}><splogger><qmail>no home\n");
            assert_eq!(told(&format!("{sample}+df")), both, "{sample}+df");
        }
    }
}
