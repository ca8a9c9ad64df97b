//! qmail-rcptcheck. The original belongs to a collection that Debian has not; its exit codes are those of
//! the variable `RCPTCHECK`.

use harness::Side;

/// What it ends with, and who was asked, if these programs are listed.
fn ends(list: &str) -> (i32, String) {
    let side = Side::ours();
    side.control("rcptchecks", list);
    for code in ["0", "100", "111", "112", "113", "120"] {
        let name = format!("check-{code}");
        side.host_file(&name, format!("#!/bin/sh\necho {code} $RECIPIENT >> asked\nexit {code}\n"));
        let path = side.home().join(&name).display().to_string();
        assert_eq!(side.run(["chmod", "+x", &path]).exit, 0);
    }
    let run = side.command(["qmail-rcptcheck"]).env("RECIPIENT", "joe").run();
    let asked = std::fs::read_to_string(side.home().join("asked")).unwrap_or_default();
    (run.exit, asked)
}

#[test]
fn the_first_that_refuses_decides() {
    assert_eq!(ends(""), (0, String::new()));
    assert_eq!(ends("# none\ncheck-0\n./check-112\n"), (0, "0 joe\n112 joe\n".into()));
    for code in [100, 111, 113, 120] {
        let asked = format!("0 joe\n{code} joe\n");
        assert_eq!(ends(&format!("check-0\ncheck-{code}\ncheck-0\n")), (code, asked));
    }
}

#[test]
fn who_cannot_be_asked_is_no_consent() {
    assert_eq!(ends("missing\ncheck-0\n"), (120, String::new()));
    let side = Side::ours();
    std::fs::create_dir(side.home().join("control/rcptchecks")).unwrap();
    let run = side.command(["qmail-rcptcheck"]).env("RECIPIENT", "joe").run();
    assert_eq!(run.exit, 111);
    assert!(run.stderr.starts_with(b"qmail-rcptcheck: fatal: unable to read rcptchecks: "));
}
