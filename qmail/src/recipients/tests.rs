use super::*;

struct Host {
    dir: tempfile::TempDir,
    home: Home,
}

impl Host {
    fn new() -> Host {
        let dir = tempfile::tempdir().unwrap();
        for folder in ["bin", "control", "users", "alias", "box"] {
            fs::create_dir(dir.path().join(folder)).unwrap();
        }
        let home = Home { path: dir.path().into(), private: true };
        let host = Host { dir, home };
        host.getpw("alias", "$PWD/alias", "-", "$1");
        host.write("control/me", "here.test\n");
        host.write("control/virtualdomains", "virtual.test:v\nelsewhere.test:\n");
        host
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.dir.path().join(name), text).unwrap();
    }

    /// A qmail-getpw that always gives this answer, in the shell's words.
    fn getpw(&self, user: &str, home: &str, dash: &str, ext: &str) {
        let print = format!("printf '%s\\0' {user} 1 1 \"{home}\" \"{dash}\" \"{ext}\"");
        self.script("bin/qmail-getpw", &print);
    }

    /// users/cdb, in which `joe` and `joe-…` live in `box`.
    fn assign(&self) {
        let home = self.dir.path().join("box").display().to_string();
        let mut writer = lookup::cdb::Writer::create(&self.dir.path().join("aside")).unwrap();
        writer.add(b"", b"-").unwrap();
        writer.add(b"!joe\0", format!("joe\x001\x001\0{home}\0\0\0").as_bytes()).unwrap();
        writer.add(b"!joe-", format!("joe\x001\x001\0{home}\0-\0").as_bytes()).unwrap();
        writer.finish().unwrap().commit(&self.dir.path().join("users/cdb")).unwrap();
    }

    fn find(&self, recipient: &str) -> io::Result<Known> {
        let places = Places { mailboxes: true, list: None };
        Recipients::new(&self.home, places).find(recipient.as_bytes())
    }

    /// True unless it is certain that nobody has it.
    fn has(&self, recipient: &str) -> bool {
        self.find(recipient).unwrap() != Known::No
    }

    /// A database with these keys.
    fn database(&self, name: &str, keys: &[&str]) {
        let mut writer = lookup::cdb::Writer::create(&self.dir.path().join("aside")).unwrap();
        for key in keys {
            writer.add(key.as_bytes(), b"").unwrap();
        }
        writer.finish().unwrap().commit(&self.dir.path().join(name)).unwrap();
    }

    /// A program, written by a child: see submit's tests.
    fn script(&self, name: &str, text: &str) {
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > $2; chmod +x $2";
        let mut chain = Chain::new(["/bin/sh", "-c", write, "sh", text, name]);
        chain.directory(self.dir.path());
        assert!(chain.spawn().unwrap().wait().unwrap().is_success());
    }
}

#[test]
fn the_alias_user_s_files_say_who_there_is() {
    let host = Host::new();
    host.write("alias/.qmail-root", "");
    host.write("alias/.qmail-list-default", "");
    host.write("alias/.qmail-v-x", "");
    assert!(host.has("root@here.test") && host.has("ROOT@Here.Test") && host.has("root"));
    assert!(host.has("list-any@here.test"));
    assert!(host.has("x@virtual.test"));
    assert!(!host.has("nobody-here@here.test"));
    assert!(!host.has("y@virtual.test"));
    assert!(!host.has("list@here.test"));
}

#[test]
fn what_is_not_local_is_not_asked() {
    let host = Host::new();
    assert!(host.has("x@far.test") && host.has("x@elsewhere.test") && host.has("@here.test"));
}

#[test]
fn assigned_addresses_are_known() {
    let host = Host::new();
    host.assign();
    host.write("box/.qmail-one", "");
    assert!(host.has("joe@here.test") && host.has("Joe-One@here.test"));
    assert!(!host.has("joe-two@here.test"));
}

#[test]
fn a_home_that_is_missing_is_no_reason_to_refuse() {
    let host = Host::new();
    host.assign();
    fs::remove_dir(host.dir.path().join("box")).unwrap();
    assert!(host.has("joe-two@here.test"));
}

#[test]
fn a_database_that_is_torn_is_a_temporary_failure() {
    let host = Host::new();
    host.write("users/cdb", "torn");
    assert!(host.find("x@here.test").is_err());
}

#[test]
fn a_replaced_getpw_has_the_last_word() {
    let host = Host::new();
    assert!(!host.has("of-a-directory@here.test"));
    host.getpw("joe", "/", "", "");
    assert!(host.has("of-a-directory@here.test"));
    host.write("bin/qmail-getpw", "exit 1\n");
    assert!(host.has("of-a-directory@here.test"), "it cannot be told");
}

#[test]
fn a_list_decides_where_there_is_one() {
    let host = Host::new();
    host.write("control/validrcptto", "Joe@here.test\nlist-default@here.test\n@open.test\n");
    host.write("alias/.qmail-root", "");
    for known in ["JOE@here.test", "list-x@here.test", "anybody@open.test"] {
        assert!(host.has(known), "{known}");
    }
    for unknown in ["root@here.test", "list@here.test", "joe@far.test", "joe"] {
        assert!(!host.has(unknown), "{unknown}");
    }
    host.database("control/validrcptto.cdb", &["ann@here.test"]);
    host.database("control/morevalidrcptto.cdb", &["bob@here.test", "@more.test"]);
    assert!(host.has("Bob@here.test") && host.has("x@more.test"));
    assert!(host.has("Ann@Here.Test") && host.has("joe@here.test"));
}

#[test]
fn nothing_is_looked_at_where_that_is_off() {
    let host = Host::new();
    let nowhere = Places { mailboxes: false, list: None };
    let found = Recipients::new(&host.home, nowhere).find(b"nobody-here@here.test");
    assert_eq!(found.unwrap(), Known::Perhaps);
}

#[test]
fn a_line_of_a_list_may_say_no() {
    let host = Host::new();
    let lines = "@here.test\n-joe@here.test\n-ann@here.test\nann@here.test\n-@there.test\n";
    host.write("control/validrcptto", lines);
    assert!(host.has("x@here.test") && !host.has("joe@here.test") && host.has("ann@here.test"));
    assert!(!host.has("x@there.test"));
}

#[test]
fn another_list_may_be_named() {
    let host = Host::new();
    host.write("control/validrcptto", "joe@here.test\n");
    host.write("control/others", "ann@here.test\n");
    let list = Some("control/others".into());
    let mut recipients = Recipients::new(&host.home, Places { mailboxes: true, list });
    assert_eq!(recipients.find(b"ann@here.test").unwrap(), Known::Yes);
    assert_eq!(recipients.find(b"joe@here.test").unwrap(), Known::No);
}

#[test]
fn what_has_been_found_is_told_from_what_nobody_knows() {
    let host = Host::new();
    host.write("alias/.qmail-root", "");
    assert_eq!(host.find("root@here.test").unwrap(), Known::Yes);
    assert_eq!(host.find("x@far.test").unwrap(), Known::Perhaps);
    assert_eq!(host.find("nobody-here@here.test").unwrap(), Known::No);
}

#[test]
fn mailboxes_are_looked_for_in_some_domains_only() {
    let host = Host::new();
    host.write("control/chkrcptdomains", "virtual.test\n");
    assert_eq!(host.find("y@virtual.test").unwrap(), Known::No);
    assert_eq!(host.find("nobody-here@here.test").unwrap(), Known::Perhaps);
}

#[test]
fn for_each_domain_another_may_be_asked() {
    let host = Host::new();
    host.write("alias/.qmail-root", "");
    host.database("users/recipients.cdb", &[":ann@here.test", ":list-@here.test"]);
    host.script("bin/check", "read -r address <&3; test \"$address $1\" = 'joe@asked.test word'");
    let rules = "!all.test\nhere.test:users/recipients.cdb\n@asked.test|bin/check word\n";
    host.write("control/recipients", rules);
    for known in ["x@all.test", "Ann@here.test", "list-x-y@sub.here.test", "Joe@asked.test"] {
        let expected = if known.contains("sub") { Known::No } else { Known::Yes };
        assert_eq!(host.find(known).unwrap(), expected, "{known}");
    }
    assert_eq!(host.find("list-x-y@here.test").unwrap(), Known::Yes);
    for unknown in ["root@here.test", "ann@asked.test", "joe@sub.asked.test", "x@far.test"] {
        assert_eq!(host.find(unknown).unwrap(), Known::No, "{unknown}");
    }
    host.write("control/recipients", &format!("{rules}!*\n"));
    assert_eq!(host.find("root@here.test").unwrap(), Known::Yes);
    assert_eq!(host.find("nobody-here@here.test").unwrap(), Known::No);
}

#[test]
fn who_cannot_be_asked_is_a_temporary_failure() {
    let host = Host::new();
    for line in ["users/missing.cdb", "*|bin/missing", "*|bin/later"] {
        host.script("bin/later", "exit 111");
        host.write("control/recipients", line);
        assert!(host.find("x@here.test").is_err(), "{line}");
    }
}

#[test]
fn a_program_without_a_slash_is_one_in_the_home() {
    let host = Host::new();
    host.script("check", "read -r address <&3; test \"$address $1\" = 'joe@here.test word'");
    host.write("control/recipients", "*| check  word");
    assert_eq!(host.find("joe@here.test").unwrap(), Known::Yes);
    assert_eq!(host.find("ann@here.test").unwrap(), Known::No);
    // There is one in $PATH.
    host.write("control/recipients", "*|true");
    assert!(host.find("joe@here.test").is_err());
}

#[test]
fn a_question_that_is_no_address_is_a_temporary_failure() {
    let host = Host::new();
    host.script("check", "exit 0");
    host.write("control/recipients", "*|check");
    assert!(host.find(&"x".repeat(200_000)).is_err());
}

#[test]
fn a_list_that_is_named_and_missing_is_a_temporary_failure() {
    use std::ffi::OsString;

    let host = Host::new();
    host.write("control/validrcptto", "joe@here.test\n");
    let name = OsString::from_vec(b"control/\xff".to_vec());
    let find = |recipient: &[u8]| {
        let places = Places { mailboxes: true, list: Some(name.clone().into()) };
        Recipients::new(&host.home, places).find(recipient)
    };
    let error = find(b"joe@here.test").unwrap_err();
    assert!(error.to_string().ends_with(" does not exist"), "{error}");
    // A name is bytes.
    fs::write(host.dir.path().join(&name), "ann@here.test\n").unwrap();
    assert_eq!(find(b"ann@here.test").unwrap(), Known::Yes);
    assert_eq!(find(b"joe@here.test").unwrap(), Known::No);
}
