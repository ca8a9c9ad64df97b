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
        // Written by a child: see submit's tests.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > bin/qmail-getpw; chmod +x bin/qmail-getpw";
        let mut chain = Chain::new(["/bin/sh", "-c", write, "sh", &print]);
        chain.directory(self.dir.path());
        assert!(chain.spawn().unwrap().wait().unwrap().is_success());
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

    fn has(&self, recipient: &str) -> bool {
        Recipients::new(&self.home, true).has(recipient.as_bytes()).unwrap()
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
    assert!(Recipients::new(&host.home, true).has(b"x@here.test").is_err());
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
    let mut writer = lookup::cdb::Writer::create(&host.dir.path().join("aside")).unwrap();
    writer.add(b"ann@here.test", b"").unwrap();
    writer.finish().unwrap().commit(&host.dir.path().join("control/validrcptto.cdb")).unwrap();
    assert!(host.has("Ann@Here.Test") && host.has("joe@here.test"));
}

#[test]
fn nothing_is_looked_at_where_that_is_off() {
    let host = Host::new();
    assert!(Recipients::new(&host.home, false).has(b"nobody-here@here.test").unwrap());
}
