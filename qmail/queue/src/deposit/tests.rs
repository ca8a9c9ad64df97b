//! Deposits on a real disk.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::*;
use crate::disk::Queue;
use crate::state::{Files, State};

const STAMP: Stamp = Stamp { number: 4767, uid: 0, origin: Origin::User, time: 1_795_220_489 };
const RECEIVED: &str = "Received: (qmail 4767 invoked by uid 0); 21 Nov 2026 00:21:29 -0000\n";

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        let dir = tempfile::tempdir().unwrap();
        for name in Area::ALL.into_iter().flat_map(Area::directories) {
            fs::create_dir_all(dir.path().join(name)).unwrap();
        }
        fs::create_dir(dir.path().join("pid")).unwrap();
        Place(dir)
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn deposit(&self, message: &[u8], envelope: &[u8]) -> Result<MessageId, Refusal> {
        let mut queue = Queue::at(self.path()).unwrap();
        deposit(&mut queue, &STAMP, &mut { message }, &mut { envelope })
    }

    fn files(&self) -> Vec<String> {
        let mut found = Vec::new();
        let mut open = vec![self.path().to_owned()];
        while let Some(dir) = open.pop() {
            for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                if entry.file_type().unwrap().is_dir() {
                    open.push(entry.path());
                } else {
                    found.push(
                        entry.path().strip_prefix(self.path()).unwrap().display().to_string(),
                    );
                }
            }
        }
        found.sort();
        found
    }
}

#[test]
fn a_message_is_queued_byte_for_byte() {
    let place = Place::new();
    let id = place.deposit(b"Subject: x\n\nbody", b"Fa@b\0Tc@d\0Te@f\0\0").unwrap();
    let read = |area: Area| fs::read(place.path().join(area.of(id))).unwrap();
    assert_eq!(read(Area::Mess), format!("{RECEIVED}Subject: x\n\nbody").as_bytes());
    assert_eq!(read(Area::Todo), b"u0\0p4767\0Fa@b\0Tc@d\0Te@f\0");
    assert_eq!(fs::metadata(place.path().join(Area::Mess.of(id))).unwrap().ino(), id.0);
    let mut queue = Queue::at(place.path()).unwrap();
    assert_eq!(Files::find(&mut queue, id).unwrap().state(), Some(State::Queued));
    assert_eq!(place.files().len(), 3); // mess, intd, todo
}

#[test]
fn messages_and_envelopes_larger_than_the_buffer_are_whole() {
    let place = Place::new();
    let message = b"0123456789abcde\n".repeat(50_000);
    let envelope = [b"F\0".as_slice(), &b"Tsomebody@example.org\0".repeat(20_000), b"\0"].concat();
    let id = place.deposit(&message, &envelope).unwrap();
    let mess = fs::read(place.path().join(Area::Mess.of(id))).unwrap();
    assert!(mess.strip_prefix(RECEIVED.as_bytes()).unwrap() == message);
    let todo = fs::read(place.path().join(Area::Todo.of(id))).unwrap();
    assert!(todo.strip_prefix(b"u0\0p4767\0").unwrap() == envelope.strip_suffix(b"\0").unwrap());
}

#[test]
fn a_refused_message_leaves_nothing_behind() {
    let place = Place::new();
    let long = [b"F".as_slice(), &[b'x'; 1003], b"\0\0"].concat();
    for (envelope, refusal) in [
        (&b"Fa@b\0Tc@d\0"[..], Refusal::Read),
        (b"", Refusal::Read),
        (b"X", Refusal::Envelope),
        (&long, Refusal::AddressTooLong),
    ] {
        assert_eq!(place.deposit(b"x\n", envelope), Err(refusal));
        assert_eq!(place.files(), [""; 0]);
    }
}

#[test]
fn each_missing_directory_has_its_number() {
    for (name, refusal) in [
        ("pid", Refusal::Pid),
        ("mess", Refusal::Mess),
        ("intd", Refusal::Intd),
        ("todo", Refusal::Todo),
    ] {
        let place = Place::new();
        fs::rename(place.path().join(name), place.path().join("moved")).unwrap();
        assert_eq!(place.deposit(b"x\n", b"F\0\0"), Err(refusal));
        assert_eq!(place.files(), [""; 0]);
    }
}

#[test]
fn a_scratch_name_in_use_is_passed_over() {
    let place = Place::new();
    for attempt in 1..=8 {
        let name = Name::scratch(STAMP.number, STAMP.time, attempt);
        fs::write(place.path().join(name), "").unwrap();
    }
    place.deposit(b"x\n", b"F\0\0").unwrap();
    fs::write(place.path().join(Name::scratch(STAMP.number, STAMP.time, 9)), "").unwrap();
    assert_eq!(place.deposit(b"x\n", b"F\0\0"), Err(Refusal::Pid));
}

#[test]
fn an_envelope_left_by_a_power_cut_is_in_nobody_s_way() {
    let place = Place::new();
    let mut queue = Queue::at(place.path()).unwrap();
    let (id, _file) = create(&mut queue, &STAMP).unwrap();
    fs::write(place.path().join(Area::Intd.of(id)), "left over").unwrap();
    create_envelope(&mut queue, id).unwrap();
    assert_eq!(fs::read(place.path().join(Area::Intd.of(id))).unwrap(), b"");
}

#[test]
fn the_received_line_tells_where_the_message_came_from() {
    let line = |origin| String::from_utf8(Stamp { origin, ..STAMP }.received()).unwrap();
    assert_eq!(line(Origin::User), RECEIVED);
    for (origin, words) in [
        (Origin::Alias, "by alias"),
        (Origin::Bounce, "for bounce"),
        (Origin::Network, "from network"),
    ] {
        assert_eq!(line(origin), RECEIVED.replace("by uid 0", words));
    }
}
