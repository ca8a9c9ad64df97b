//! The power goes at every moment of several deliveries that are made together: each that was reported is there,
//! and no reader of a maildir ever sees a part of one.

use std::io::Write;

use crash::{Image, Model, Order};
use qmail::maildir::Names;
use qmail::maildir::batch::Batch;
use qmail::message::Message;

const BODY: &[u8] = b"Subject: x\n\nbody\n";

/// Where each message goes.
const MAILDIRS: [&str; 3] = ["one", "two", "one"];

fn head(number: usize) -> Vec<u8> {
    format!("Delivered-To: {number}@here\n").into_bytes()
}

/// Which of the messages are delivered.
fn deliver(disk: &mut Model) -> [bool; 3] {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(BODY).unwrap();
    let (mut message, mut names) = (Message::new(file), Names::new(b"here", 1));
    let (mut batch, mut delivered) = (Batch::default(), [false; 3]);
    for (number, maildir) in MAILDIRS.into_iter().enumerate() {
        // One that cannot be written is no reason not to go on.
        let _ = batch.add(disk, &mut names, maildir.into(), &[&head(number)], &mut message, number);
    }
    for (number, result) in batch.finish(disk) {
        delivered[number] = result.is_ok();
    }
    delivered
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    Lost,
    Torn,
}

fn check(image: &Image, delivered: [bool; 3]) -> Result<(), Fault> {
    let whole = |number| [head(number), BODY.to_vec()].concat();
    let found: Vec<_> = image
        .files()
        .filter(|(name, ..)| name.starts_with("one/new") || name.starts_with("two/new"))
        .map(|(name, _, bytes)| (name.to_owned(), bytes.to_vec()))
        .collect();
    for (number, maildir) in MAILDIRS.into_iter().enumerate() {
        let is_there =
            found.iter().any(|(name, bytes)| name.starts_with(maildir) && *bytes == whole(number));
        if delivered[number] && !is_there {
            return Err(Fault::Lost);
        }
    }
    let is_whole = |bytes: &Vec<u8>| (0..3).any(|number| *bytes == whole(number));
    if found.iter().all(|(_, bytes)| is_whole(bytes)) { Ok(()) } else { Err(Fault::Torn) }
}

/// The number of disks looked at: at most so many after each call, for there are very many.
fn every_cut(disk: &Model, order: Order) -> Result<usize, Fault> {
    let mut seen = 0;
    for calls in 0.. {
        let mut disk = disk.clone().cut_after(calls);
        let delivered = deliver(&mut disk);
        for image in disk.some_images(order, 400) {
            check(&image, delivered)?;
            seen += 1;
        }
        if disk.calls() <= calls {
            assert_eq!(delivered, [true; 3]);
            break;
        }
    }
    Ok(seen)
}

#[test]
fn after_any_power_cut_what_was_delivered_is_there_and_whole() {
    for order in [Order::Any, Order::Journal] {
        let seen = every_cut(&Model::new(), order).unwrap();
        println!("{order:?}: {seen} images");
        assert!(seen > 500, "{order:?}: only {seen} images");
    }
}

#[test]
fn a_call_that_fails_costs_no_more_than_its_own() {
    let mut calls = Model::new();
    deliver(&mut calls);
    for failing in 0..calls.calls() {
        let mut disk = Model::new().failing_after(failing);
        let delivered = deliver(&mut disk);
        // The last calls are the syncs of both new/, the first of which two messages wait for.
        let lost = delivered.iter().filter(|delivered| !**delivered).count();
        assert!(lost <= 2, "call {failing}: {delivered:?}");
        for order in [Order::Any, Order::Journal] {
            for image in disk.some_images(order, 400) {
                assert_eq!(check(&image, delivered), Ok(()), "call {failing}");
            }
        }
    }
}

/// The model is worth something only if it notices what is left out.
#[test]
fn each_sync_is_needed() {
    let forgetful = [
        (Model::new().forgetting_files_of("one/tmp"), Fault::Torn),
        (Model::new().forgetting_files_of("two/tmp"), Fault::Torn),
        (Model::new().forgetting_directory("one/new"), Fault::Lost),
        (Model::new().forgetting_directory("two/new"), Fault::Lost),
    ];
    for (disk, fault) in forgetful {
        assert_eq!(every_cut(&disk, Order::Any), Err(fault));
    }
}
