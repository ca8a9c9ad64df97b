//! The power goes at every moment of a delivery to a maildir: what was delivered is there, and no reader
//! ever sees a part of it.

use std::io::Write;

use crash::{Image, Model, Order};
use qmail::maildir::Names;
use qmail::message::Message;

const HEAD: [&[u8]; 2] = [b"Return-Path: <a@b>\n", b"Delivered-To: you@here\n"];
const BODY: &[u8] = b"Subject: x\n\nbody\n";

fn deliver(disk: &mut Model) -> bool {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(BODY).unwrap();
    let mut names = Names::new(b"here", 1);
    names.deliver_on(disk, &HEAD, &mut Message::new(file), || false).is_ok()
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Lost,
    Torn,
}

fn check(image: &Image, is_delivered: bool) -> Result<(), Fault> {
    let whole = [HEAD.concat(), BODY.to_vec()].concat();
    let mut found = image.files().filter(|(name, ..)| name.starts_with("new")).peekable();
    if is_delivered && found.peek().is_none() {
        return Err(Fault::Lost);
    }
    if found.all(|(_, _, bytes)| bytes == whole) { Ok(()) } else { Err(Fault::Torn) }
}

fn every_cut(disk: &Model, order: Order) -> Result<usize, Fault> {
    let mut seen = 0;
    for calls in 0.. {
        let mut disk = disk.clone().cut_after(calls);
        let is_delivered = deliver(&mut disk);
        for image in disk.images(order) {
            check(&image, is_delivered)?;
            seen += 1;
        }
        if is_delivered && disk.calls() <= calls {
            break;
        }
    }
    Ok(seen)
}

#[test]
fn after_any_power_cut_the_message_is_whole_or_not_there() {
    for order in [Order::Any, Order::Journal] {
        let seen = every_cut(&Model::new(), order).unwrap();
        println!("{order:?}: {seen} images");
        assert!(seen > 100, "{order:?}: only {seen} images");
    }
}

#[test]
fn whatever_call_fails_it_is_reported_as_it_is() {
    for failing in 0..10 {
        let mut disk = Model::new().failing_after(failing);
        let is_delivered = deliver(&mut disk);
        for order in [Order::Any, Order::Journal] {
            for image in disk.images(order) {
                assert_eq!(check(&image, is_delivered), Ok(()), "call {failing}");
            }
        }
    }
}

/// The model is worth something only if it notices what is left out.
#[test]
fn each_sync_is_needed() {
    let forgetful = [
        (Model::new().forgetting_files_of("tmp"), Fault::Torn),
        (Model::new().forgetting_directory("new"), Fault::Lost),
    ];
    for (disk, fault) in forgetful {
        assert_eq!(every_cut(&disk, Order::Any), Err(fault));
    }
}
