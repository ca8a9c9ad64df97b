//! What in the directory is a service, and what becomes of it when the directory changes.

use std::fs;
use std::os::unix::fs::symlink;

use harness::{case, sometime, until};

use crate::idle::waits_for_news;
use crate::services::{SLEEPER, children, comes_up, is_supervised, process, service, shows, svc};
use crate::{first_line, sides, svscan};

#[test]
fn a_directory_that_cannot_be_entered_is_fatal() {
    case(|side| side.run(["svscan", "nonexistent"])).same();
}

#[test]
fn an_unknown_option_is_wrong_usage() {
    let side = harness::Side::ours();
    for words in [&["svscan", "-z"][..], &["svscan", "-t", "x"], &["svscan", "-t"]] {
        let run = side.run(words);
        assert_eq!(run.exit, 100);
        let said = String::from_utf8(run.stderr).unwrap();
        assert!(said.ends_with("svscan: usage: svscan [ -t seconds ] [ dir [ program ... ] ]\n"));
    }
}

#[test]
fn directories_and_links_to_them_are_services_and_nothing_else() {
    for side in sides() {
        service(&side, "services/one", SLEEPER);
        service(&side, "services/.hidden", SLEEPER);
        service(&side, "elsewhere", SLEEPER);
        side.write("services/file", "");
        symlink("../elsewhere", side.path().join("services/link")).unwrap();
        symlink("one", side.path().join("services/twin")).unwrap();
        symlink("file", side.path().join("services/link-to-file")).unwrap();
        let svscan = svscan(&side);
        comes_up(&side, "services/one", 0);
        comes_up(&side, "elsewhere", 0);
        assert!(!side.path().join("services/.hidden/supervise").exists());
        assert_eq!(svscan.stderr(), b""); // and no second supervise for the twin
        side.keep(svscan);
    }
}

#[test]
fn a_supervise_that_cannot_be_started_is_warned_of() {
    let _ = case(|side| {
        service(side, "services/sv", SLEEPER);
        let svscan = side.command(["svscan", "services"]).env("PATH", "/nonexistent");
        let svscan = svscan.start_in_background();
        svscan.hears("\n");
        first_line(&svscan)
    })
    .same_stderr();
}

#[test]
fn a_dangling_link_is_warned_of_and_noticed_when_it_leads_somewhere() {
    let warning = "svscan: warning: unable to stat dangling: file does not exist\n";
    for side in sides() {
        side.directory("services");
        symlink("../later", side.path().join("services/dangling")).unwrap();
        let svscan = svscan(&side);
        svscan.hears(warning);
        service(&side, "aside", SLEEPER);
        fs::rename(side.path().join("aside"), side.path().join("later")).unwrap();
        comes_up(&side, "later", 0);
        side.keep(svscan);
    }
}

#[test]
fn a_dangling_link_is_warned_of_once() {
    let side = harness::Side::ours();
    side.directory("services");
    symlink("../later", side.path().join("services/dangling")).unwrap();
    let svscan = svscan(&side);
    svscan.hears("unable to stat dangling");
    // Three more readings of the directory.
    for name in ["a", "b", "c"] {
        service(&side, name, SLEEPER);
        symlink(format!("../{name}"), side.path().join("services").join(name)).unwrap();
        comes_up(&side, name, 0);
    }
    assert_eq!(String::from_utf8(svscan.stderr()).unwrap().lines().count(), 1);
    side.keep(svscan);
}

#[test]
fn a_link_that_appears_is_started_at_once() {
    let side = harness::Side::ours();
    service(&side, "first", SLEEPER);
    side.directory("services");
    symlink("../first", side.path().join("services/first")).unwrap();
    let svscan = svscan(&side);
    comes_up(&side, "first", 0);
    service(&side, "second", SLEEPER);
    waits_for_news(svscan.pid());
    symlink("../second", side.path().join("services/second")).unwrap();
    comes_up(&side, "second", 0);
    side.keep(svscan);
}

#[test]
fn a_directory_that_is_made_in_place_is_started_when_it_is_whole() {
    // Where a second passes between two of its files it may be taken for whole.
    sometime(|| {
        let side = harness::Side::ours();
        service(&side, "services/first", SLEEPER);
        let svscan = svscan(&side);
        comes_up(&side, "services/first", 0);
        for (name, run) in
            [("", "exec 2>&1; echo said; exec sleep 600"), ("/log", "exec cat > said")]
        {
            let name = format!("services/second{name}/run");
            side.write(&name, format!("#!/bin/sh\n{run}\n"));
            side.mode(&name, 0o755);
        }
        comes_up(&side, "services/second", 0);
        let log = || side.read("services/second/log/said");
        assert!(until(|| !log().is_empty() || !svscan.stdout().is_empty()));
        let said = [log(), svscan.stdout(), svscan.stderr()].map(String::from_utf8);
        side.keep(svscan);
        let expected = ["said\n", "", ""].map(|text| Ok(text.to_owned()));
        if said == expected { Ok(()) } else { Err(said) }
    });
}

#[test]
fn a_supervise_that_dies_is_started_again() {
    for side in sides() {
        service(&side, "services/sv", "echo up >> log\n");
        side.write("services/sv/down", "");
        let svscan = svscan(&side);
        is_supervised(&side, "services/sv");
        let old = children(svscan.pid());
        assert_eq!(old.len(), 1);
        svc(&side, "-x", "services/sv");
        assert!(until(|| process(old[0]).is_none()));
        assert!(until(|| children(svscan.pid()).len() == 1));
        is_supervised(&side, "services/sv");
        side.keep(svscan);
    }
}

#[test]
fn a_removed_service_goes_on_until_it_is_told_to_exit_and_does_not_come_back() {
    let side = harness::Side::ours();
    service(&side, "sv", SLEEPER);
    service(&side, "other", SLEEPER);
    side.directory("services");
    let link = side.path().join("services/sv");
    symlink("../sv", &link).unwrap();
    let svscan = svscan(&side);
    let pid = comes_up(&side, "sv", 0);
    fs::remove_file(&link).unwrap();
    // A sign that svscan has read the directory since.
    symlink("../other", side.path().join("services/other")).unwrap();
    comes_up(&side, "other", 0);
    assert!(process(pid).is_some());
    shows(&side, "sv", "sv: up (pid PID) S seconds\n");
    svc(&side, "-dx", "sv");
    assert!(until(|| side.run(["svok", "sv"]).exit == 100));
    // It comes back as soon as its link does.
    waits_for_news(svscan.pid());
    symlink("../sv", &link).unwrap();
    assert_ne!(comes_up(&side, "sv", 0), pid);
    side.keep(svscan);
}

#[test]
fn a_renamed_service_stays_one() {
    let side = harness::Side::ours();
    service(&side, "services/old", SLEEPER);
    service(&side, "other", SLEEPER);
    let svscan = svscan(&side);
    let pid = comes_up(&side, "services/old", 0);
    let folder = side.path().join("services");
    fs::rename(folder.join("old"), folder.join("new")).unwrap();
    symlink("../other", folder.join("other")).unwrap();
    comes_up(&side, "other", 0);
    assert_eq!(crate::services::status(&side, "services/new").0, pid);
    assert_eq!(svscan.stderr(), b"");
    side.keep(svscan);
}
