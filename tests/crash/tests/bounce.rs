//! The power goes while a failure is noted: once it is, it stays.

use crash::{Model, Order};
use qmail::send::bounce::append;
use queue::path::{Area, MessageId};

const ID: MessageId = MessageId(100);
const FIRST: &[u8] = b"<x@here>:\nno\n\n";
const SECOND: &[u8] = b"<y@here>:\nno\n\n";

/// True if, whenever the power goes after both failures are noted, both are there.
fn stays(disk: &Model) -> bool {
    let mut disk = disk.clone();
    append(&mut disk, ID, FIRST).unwrap();
    append(&mut disk, ID, SECOND).unwrap();
    let both = [FIRST, SECOND].concat();
    let name = Area::Bounce.of(ID);
    disk.images(Order::Any).iter().all(|image| image.read(&name) == Some(&both))
}

#[test]
fn a_failure_that_is_noted_survives_any_power_cut() {
    assert!(stays(&Model::new()));
}

#[test]
fn a_failure_that_was_noted_before_survives_the_next() {
    for calls in 0..4 {
        let mut disk = Model::new();
        append(&mut disk, ID, FIRST).unwrap();
        let mut disk = disk.clone().cut_after(disk.calls() + calls);
        let _ = append(&mut disk, ID, SECOND); // the power goes
        for image in disk.images(Order::Any) {
            assert!(image.read(&Area::Bounce.of(ID)).unwrap().starts_with(FIRST));
        }
    }
}

/// The model is worth something only if it notices what is left out.
#[test]
fn each_sync_is_needed() {
    let directory = Area::Bounce.of(ID).parent();
    assert!(!stays(&Model::new().forgetting_directory(directory)));
    assert!(!stays(&Model::new().forgetting_files_of(directory)));
}
