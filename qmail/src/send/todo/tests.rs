//! Preprocessing on a real disk.

use std::fs;

use queue::disk::Queue;

use super::*;
use crate::domains::{DomainMap, DomainSet};

const ID: MessageId = MessageId(49);

struct Place {
    dir: tempfile::TempDir,
    queue: Queue,
    routes: Routes,
}

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        for name in Area::ALL.into_iter().flat_map(Area::directories) {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        let routes = Routes {
            locals: DomainSet::new([&b"here"[..]]),
            virtualdomains: DomainMap::new([&b"virt:joe"[..]]),
            envnoathost: b"here".into(),
            ..Routes::default()
        };
        Place { queue: Queue::at(dir.path()).unwrap(), dir, routes }
    }

    fn put(&self, area: Area, text: &str) {
        fs::write(self.dir.path().join(area.of(ID)), text).unwrap();
    }

    fn read(&self, area: Area) -> Option<String> {
        fs::read_to_string(self.dir.path().join(area.of(ID))).ok()
    }

    /// Preprocesses `envelope`; gives what came of it and the log.
    fn run(&mut self, envelope: &str, has_strays: bool) -> (Option<Preprocessed>, String) {
        let mut log = Log::default();
        let queued = Queued {
            id: ID,
            bytes: 300,
            envelope: envelope.as_bytes(),
            is_sealed: false,
            has_strays,
        };
        let split = split(&mut self.queue, &self.routes, queued, &mut log);
        let mut settled = settle(&mut self.queue, split.into_iter().collect(), &mut log);
        (settled.pop(), String::from_utf8(log.take()).unwrap())
    }
}

#[test]
fn recipients_are_sorted_into_channels() {
    let mut place = Place::new();
    let (done, log) = place.run("u7\0p99\0Fa@there\0Tx@here\0Ty@there\0Tz\0Tw@virt\0", false);
    assert_eq!(place.read(Area::Info).unwrap(), "Fa@there\0");
    assert_eq!(place.read(Area::Local).unwrap(), "Tx@here\0Tz@here\0Tjoe-w@virt\0");
    assert_eq!(place.read(Area::Remote).unwrap(), "Ty@there\0");
    assert_eq!(log, "new msg 49\ninfo msg 49: bytes 300 from <a@there> qp 99 uid 7\n");
    let done = done.unwrap();
    assert_eq!((done.id, done.sender), (ID, b"a@there".into()));
    let remote = done.recipients.remote.unwrap();
    assert_eq!(remote, Recipients::Few(b"Ty@there\0".into()));
}

#[test]
fn a_message_to_nobody_has_only_a_sender() {
    let mut place = Place::new();
    let (done, _) = place.run("u7\0p99\0F\0", false);
    assert_eq!(done.unwrap().recipients, Channels::default());
    assert_eq!(place.read(Area::Info).unwrap(), "F\0");
    assert_eq!((place.read(Area::Local), place.read(Area::Remote)), (None, None));
}

#[test]
fn an_earlier_attempt_is_replaced() {
    let mut place = Place::new();
    place.put(Area::Info, "Fhalf");
    place.put(Area::Remote, "Told@there\0");
    place.put(Area::Bounce, "old");
    let (done, _) = place.run("Fa@b\0Tx@here\0", false);
    assert!(done.is_some());
    assert_eq!(place.read(Area::Info).unwrap(), "Fa@b\0");
    assert_eq!((place.read(Area::Remote), place.read(Area::Bounce)), (None, None));
}

#[test]
fn strays_of_another_message_are_removed() {
    let mut place = Place::new();
    place.put(Area::Remote, "Told@there\0");
    place.put(Area::Bounce, "old");
    let (done, _) = place.run("Fa@b\0Tx@here\0", true);
    assert!(done.is_some());
    assert_eq!((place.read(Area::Remote), place.read(Area::Bounce)), (None, None));
}

#[test]
fn what_is_no_envelope_is_left_alone() {
    let mut place = Place::new();
    let info = "new msg 49\ninfo msg 49: bytes 300 from <a@b> qp 0 uid 0\n";
    let (done, log) = place.run("Fa@b\0Xc@d\0", false);
    assert_eq!((done, log), (None, format!("{info}warning: unknown record type in todo/49\n")));
    let (done, log) = place.run("u7\0Tc@d\0", false);
    assert_eq!((done, log.as_str()), (None, "new msg 49\nwarning: no sender in todo/49\n"));
}

#[test]
fn a_file_that_cannot_be_made_is_told() {
    let mut place = Place::new();
    place.put(Area::Local, "Tx@here\0");
    let (done, log) = place.run("Fa@b\0Tx@here\0", false);
    assert_eq!(done, None);
    assert!(log.ends_with("\nwarning: unable to create local/3/49\n"), "{log}");
    fs::remove_file(place.dir.path().join("local/3/49")).unwrap();
    fs::remove_file(place.dir.path().join("info/3/49")).unwrap();
    fs::remove_dir(place.dir.path().join("info/3")).unwrap();
    let (done, log) = place.run("Fa@b\0Tx@here\0", false);
    assert_eq!((done, log.as_str()), (None, "warning: unable to create info/3/49\n"));
}

#[test]
fn many_recipients_are_not_kept_in_memory() {
    let mut place = Place::new();
    let recipients = "Tsomebody@here\0".repeat(20_000);
    let (done, _) = place.run(&format!("Fa@b\0{recipients}"), false);
    assert_eq!(done.unwrap().recipients.local, Some(Recipients::Many));
    assert_eq!(place.read(Area::Local).unwrap(), recipients);
}
