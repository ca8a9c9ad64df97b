//! The power goes at every moment of a delivery to an mbox: what was delivered is there, what was there
//! before is unharmed, and what a cut has torn swallows no message that comes later.

use std::io::Write;
use std::path::Path;

use crash::{File, Image, Model, Order};
use qmail::mailbox::{Mbox, append_on};
use qmail::message::Message;
use queue::disk::Disk;

const MBOX: &str = "home/Mailbox";
const HEAD: [&[u8]; 2] = [b"From a@b date\n", b"Delivered-To: you@here\n"];
const BODY: &[u8] = b"Subject: x\n\nbody\n";
const BEFORE: &[u8] = b"From c@d date\n\nolder\n\n";

fn whole() -> Vec<u8> {
    [HEAD.concat(), BODY.to_vec(), b"\n".to_vec()].concat()
}

/// As `mailbox::append` does it, but for the lock.
fn deliver(disk: &mut Model) -> bool {
    let mut message = tempfile::tempfile().unwrap();
    message.write_all(BODY).unwrap();
    let Ok(File(inode)) = disk.append(MBOX) else { return false };
    let end = disk.length(inode);
    let mbox = Mbox { directory: Path::new("home"), end, is_locked: true };
    let is_open_line = end > 0 && disk.seen().read(MBOX).unwrap().last() != Some(&b'\n');
    let message = &mut Message::new(message);
    append_on(disk, &mut File(inode), &mbox, is_open_line, &HEAD, message).is_ok()
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// It was delivered, and is not there, or not as a message of its own.
    Lost,
    /// What was there before is not as it was.
    Harmed,
}

/// True if the mbox holds the message, with its `From ` line at the beginning of a line.
fn holds(mbox: &[u8]) -> bool {
    let whole = whole();
    (0..mbox.len())
        .any(|at| mbox[at..].starts_with(&whole) && (at == 0 || mbox[..at].ends_with(b"\n")))
}

fn check(image: &Image, before: &[u8], is_delivered: bool) -> Result<(), Fault> {
    let mbox = image.read(MBOX).unwrap_or_default();
    if !mbox.starts_with(before) {
        return Err(Fault::Harmed);
    }
    if is_delivered && !holds(&mbox[before.len()..]) {
        return Err(Fault::Lost);
    }
    Ok(())
}

fn every_cut(disk: &Model, before: &[u8], order: Order) -> Result<Vec<Image>, Fault> {
    let mut images = Vec::new();
    for calls in 0.. {
        let mut disk = disk.clone().cut_after(calls);
        let is_delivered = deliver(&mut disk);
        for image in disk.images(order) {
            check(&image, before, is_delivered)?;
            images.push(image);
        }
        if is_delivered {
            break;
        }
    }
    Ok(images)
}

fn with_mail() -> Model {
    Model::holding([(MBOX, 1, BEFORE.to_vec())])
}

#[test]
fn after_any_power_cut_what_was_delivered_is_there() {
    for order in [Order::Any, Order::Journal] {
        let new = every_cut(&Model::new(), b"", order).unwrap().len();
        let longer = every_cut(&with_mail(), BEFORE, order).unwrap().len();
        println!("{order:?}: {new} and {longer} images");
    }
}

#[test]
fn what_was_torn_swallows_no_message_that_comes_later() {
    for (disk, before) in [(Model::new(), &b""[..]), (with_mail(), BEFORE)] {
        for torn in every_cut(&disk, before, Order::Any).unwrap() {
            let mut disk = torn.restart();
            assert!(deliver(&mut disk));
            for image in disk.images(Order::Any) {
                assert_eq!(check(&image, before, true), Ok(()));
            }
        }
    }
}

/// A process that is killed leaves bytes, and perhaps a name that is not durable: the next relies on neither.
#[test]
fn a_delivery_after_one_that_was_killed_is_as_durable() {
    for calls in 0..6 {
        let mut disk = Model::new().cut_after(calls);
        deliver(&mut disk); // it is killed
        let mut disk = disk.cut_after(usize::MAX);
        assert!(deliver(&mut disk));
        for image in disk.images(Order::Any) {
            assert!(holds(image.read(MBOX).unwrap_or_default()), "killed at call {calls}");
        }
    }
}

#[test]
fn whatever_call_fails_the_mbox_is_as_it_was() {
    for failing in 0..6 {
        let mut disk = with_mail().failing_after(failing);
        let is_delivered = deliver(&mut disk);
        for image in disk.images(Order::Any) {
            assert_eq!(check(&image, BEFORE, is_delivered), Ok(()), "call {failing}");
        }
        // What was cut off again is not there for the running system, cut or no cut.
        assert!(is_delivered || disk.length(1) <= BEFORE.len() as u64, "call {failing}");
    }
}

/// The model is worth something only if it notices what is left out.
#[test]
fn each_sync_is_needed() {
    for disk in
        [Model::new().forgetting_files_of("home"), Model::new().forgetting_directory("home")]
    {
        assert_eq!(every_cut(&disk, b"", Order::Any).unwrap_err(), Fault::Lost);
    }
}
