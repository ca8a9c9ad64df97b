//! What the tests of elq, pinq and qail share.

use harness::{Command, Side, recorded};

fn command<'a>(side: &'a Side, program: &str, reader: &str) -> Command<'a> {
    for folder in ["tmp", "new", "cur"] {
        side.directory(&format!("Maildir/{folder}"));
    }
    side.write("Maildir/new/1", "Subject: x\n\n");
    assert_eq!(side.run(["touch", "-d", "2001-01-01", "Maildir/new/1"]).exit, 0);
    side.script(&format!("readers/{reader}"), "#!/bin/sh\necho \"$#: $*\"; cat Mailbox; exit 7\n");
    let path = [side.path().join("readers"), side.programs().to_owned()];
    let path = path.map(|path| path.to_string_lossy().into_owned()).join(":");
    let command = side.command([program, "a b", "c"]).env("PATH", path + ":/usr/bin:/bin");
    command.env("MAIL", side.path().join("Mailbox")).env("MAILTMP", side.path().join("Tmp"))
}

pub(crate) fn mail_is_moved_and_then_read(program: &str, reader: &str) {
    recorded(program, "moved", |side| {
        command(side, program, reader).env("MAILDIR", side.path().join("Maildir")).run()
    })
    .same();
}

pub(crate) fn without_having_moved_it_nothing_is_read(program: &str, reader: &str) {
    recorded(program, "not-moved", |side| {
        command(side, program, reader).env("MAILDIR", side.path().join("missing")).run()
    })
    .same();
}
