//! The power goes while a sealed message is with qmail-send and qmail-clean, which may be before any of it is durable:
//! what is preprocessed is whole, and of what does not prove itself nothing is left that could be taken for a message.

use crash::{Belief, Image, Model, Order};
use qmail::domains::DomainSet;
use qmail::send::Channel;
use qmail::send::log::Log;
use qmail::send::route::Routes;
use qmail::send::todo::{self, Queued, Single, Written};
use queue::deposit::{Origin, Stamp, Turn};
use queue::path::{Area, MessageId};
use queue::sweep::{Answer, Cleaner, Request};

const ID: MessageId = MessageId(100);
const STAMP: Stamp = Stamp { number: 12, uid: 1000, origin: Origin::User, time: 1_795_220_489 };
const BODY: &[u8] = b"body\n";
const ENVELOPE: &[u8] = b"Fa@b\0Tx@here\0\0";

/// Pictures that are looked at of each cut, if there are more.
const MOST: usize = 150;

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// It was accepted, or believed and not delivered, and is forgotten.
    Lost,
    /// It is preprocessed, and neither whole nor its own.
    Torn,
    /// Its envelope was to be removed for good, and what is left would be taken for a message.
    Stray,
}

/// What qmail-send does with a message that proves itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Preprocesses it.
    Preprocess,
    /// Preprocesses it after an attempt from `todo/`.
    WriteDown,
    /// Delivers it from `todo/`.
    Straight,
}

const WAYS: [Way; 3] = [Way::Preprocess, Way::WriteDown, Way::Straight];

fn message() -> Vec<u8> {
    [&STAMP.received(), BODY].concat()
}

/// qmail-queued: the message is in `todo/`, and if `is_settled` also durable; true if it is accepted.
fn queue(disk: &mut Model, is_settled: bool) -> bool {
    let mut turn = Turn::default();
    let added = turn.add(disk, &STAMP, BODY, ENVELOPE);
    added.is_ok() && is_settled && turn.settle(disk).iter().all(Result::is_ok)
}

fn clean(cleaner: &mut Cleaner, disk: &mut Model, request: Request) -> Option<()> {
    let line = request.to_bytes();
    let answers = cleaner.answer(disk, &[line.strip_suffix(b"\0")?.to_vec()]);
    (answers == [Answer::Done]).then_some(())
}

/// True if the message has files without its sender's: what a qmail-send that begins finds out.
fn has_strays(image: &Image) -> bool {
    let files = image.of(ID);
    let strays = [Area::Local, Area::Remote, Area::Bounce];
    !files.has(Area::Info) && strays.into_iter().any(|area| files.has(area))
}

/// What qmail-send and qmail-clean do about what is in `todo/`, until the power goes; true if the message has been
/// delivered then.
fn go_on(disk: &mut Model, way: Way, is_delivered: &mut bool) -> Option<()> {
    let (seen, mut log, mut cleaner) = (disk.seen(), Log::default(), Cleaner::default());
    let Some(belief) = Belief::of(&seen, ID) else { return Some(()) };
    if belief == Belief::Broken {
        todo::purge(disk, ID, &mut log).ok()?;
        return clean(&mut cleaner, disk, Request::Envelope(ID));
    }
    let is_half_preprocessed = seen.of(ID).has(Area::Info) || has_strays(&seen);
    match way {
        Way::Straight if !is_half_preprocessed => {
            *is_delivered = true;
            clean(&mut cleaner, disk, Request::Over(ID))
        }
        Way::WriteDown if !is_half_preprocessed => {
            let (sender, recipients) = (b"a@b".to_vec(), b"Tx@here\0".to_vec());
            let channel = Channel::Local;
            let single = Single { id: ID, sender, channel, recipients, is_sealed: true };
            let written = todo::write_down(disk, &[single], &mut log);
            (written[0].1 == Written::Whole).then_some(())?;
            clean(&mut cleaner, disk, Request::Envelope(ID))
        }
        _ => {
            todo::anchor(disk, &mut log).ok()?;
            let locals = DomainSet::new([&b"here"[..]]);
            let routes = Routes { locals, ..Routes::default() };
            let envelope = seen.read(&Area::Todo.of(ID))?;
            let has_strays = has_strays(&seen);
            let queued = Queued { id: ID, bytes: 5, envelope, is_sealed: true, has_strays };
            let split = todo::split(disk, &routes, queued, &mut log);
            let settled = todo::settle(disk, split.into_iter().collect(), &mut log);
            (!settled.is_empty()).then_some(())?;
            clean(&mut cleaner, disk, Request::Envelope(ID))
        }
    }
}

/// Whether a disk is as it may be; `is_due` if the message must be there.
fn check(image: &Image, is_due: bool) -> Result<(), Fault> {
    let read = |area: Area| image.read(&area.of(ID));
    match Belief::of(image, ID) {
        Some(Belief::Proved) if read(Area::Mess) == Some(&message()) => return Ok(()),
        Some(Belief::Proved | Belief::Plain) => return Err(Fault::Torn),
        Some(Belief::Broken) => return if is_due { Err(Fault::Lost) } else { Ok(()) },
        None => {}
    }
    let recipients = [Area::Local, Area::Remote, Area::Bounce].map(read);
    match read(Area::Info) {
        None if is_due => Err(Fault::Lost),
        // Recipients without a sender are nobody's: crash/preprocess.
        None => Ok(()),
        Some(_) if read(Area::Mess).is_none() => Err(Fault::Stray),
        Some(b"Fa@b\0")
            if read(Area::Mess) == Some(&message())
                && recipients == [Some(&b"Tx@here\0"[..]), None, None] =>
        {
            Ok(())
        }
        Some(_) => Err(Fault::Torn),
    }
}

/// All that a power cut may leave of the deposit, and whether it was accepted.
fn deposits(order: Order) -> Vec<(Image, bool)> {
    let mut left = Vec::new();
    let mut whole = Model::new();
    queue(&mut whole, true);
    for calls in 0..=whole.calls() {
        let mut disk = Model::new().cut_after(calls);
        let is_accepted = queue(&mut disk, true);
        left.extend(disk.some_images(order, MOST).into_iter().map(|image| (image, is_accepted)));
    }
    left
}

/// Lets qmail-send go on with `disk`, cuts the power after each call, and looks at what is left, also when another
/// qmail-send has gone on with that in turn.
fn every_cut(disk: &Model, way: Way, order: Order, is_accepted: bool) -> Result<usize, Fault> {
    let mut seen = 0;
    let begun = disk.calls();
    for calls in begun.. {
        let (mut disk, mut is_delivered) = (disk.clone().cut_after(calls), false);
        let is_done = go_on(&mut disk, way, &mut is_delivered).is_some();
        for image in disk.some_images(order, MOST) {
            check(&image, is_accepted && !is_delivered)?;
            let mut next = image.restart();
            let mut is_delivered = is_delivered;
            go_on(&mut next, way, &mut is_delivered).expect("a disk that obeys");
            for image in next.some_images(order, 20) {
                check(&image, is_accepted && !is_delivered)?;
                seen += 1;
            }
            seen += 1;
        }
        if is_done {
            break;
        }
    }
    Ok(seen)
}

#[test]
fn whatever_a_power_cut_has_left_of_a_deposit_is_gone_on_with() {
    for order in [Order::Any, Order::Journal] {
        let left = deposits(order);
        let beliefs: Vec<_> = left.iter().map(|(image, _)| Belief::of(image, ID)).collect();
        for way in WAYS {
            let mut seen = 0;
            for (image, is_accepted) in &left {
                seen += every_cut(&image.restart(), way, order, *is_accepted).unwrap();
            }
            println!("{way:?}, {order:?}: {} deposits, {seen} images", left.len());
        }
        for belief in [None, Some(Belief::Broken), Some(Belief::Proved)] {
            assert!(beliefs.contains(&belief), "no {belief:?} among {}", left.len());
        }
    }
}

/// qmail-send has found it before it is durable, and qmail-queued dies, or waits.
fn undurable(disk: Model, way: Way, order: Order) -> Result<usize, Fault> {
    let mut disk = disk;
    queue(&mut disk, false);
    every_cut(&disk, way, order, false)
}

#[test]
fn what_is_preprocessed_before_it_was_durable_is_durable() {
    for order in [Order::Any, Order::Journal] {
        for way in WAYS {
            let seen = undurable(Model::new(), way, order).unwrap();
            println!("{way:?}, before it is durable, {order:?}: {seen} images");
        }
    }
}

/// The model is worth something only if it notices what is left out.
#[test]
fn each_sync_is_needed() {
    let directory = Area::Mess.of(ID).parent();
    for way in [Way::Preprocess, Way::WriteDown] {
        let disk = Model::new().forgetting_files_of(directory);
        assert_eq!(undurable(disk, way, Order::Any), Err(Fault::Torn));
        let disk = Model::new().forgetting_files_of(directory);
        assert_eq!(undurable(disk, way, Order::Journal), Err(Fault::Torn));
        let disk = Model::new().forgetting_directory(directory);
        assert_eq!(undurable(disk, way, Order::Any), Err(Fault::Stray));
        let disk = Model::new().forgetting_directory(Area::Todo.of(ID).parent());
        assert!(undurable(disk, way, Order::Any).is_err());
    }
}

/// Before the envelope of what does not prove itself goes, what an attempt to preprocess it has left must be gone.
#[test]
fn what_was_half_preprocessed_and_does_not_prove_itself_leaves_nothing() {
    let mut disk = Model::new();
    queue(&mut disk, false);
    let envelope = disk.seen().read(&Area::Todo.of(ID)).unwrap().to_vec();
    let left = Model::holding([
        (Area::Mess.of(ID), 1, b"Received".to_vec()),
        (Area::Todo.of(ID), 2, envelope),
        (Area::Info.of(ID), 3, b"Fa@b\0".to_vec()),
        (Area::Local.of(ID), 4, b"Tx@here\0".to_vec()),
    ]);
    for order in [Order::Any, Order::Journal] {
        println!(
            "half preprocessed, {order:?}: {}",
            every_cut(&left, Way::Preprocess, order, false).unwrap()
        );
    }
    for area in [Area::Info, Area::Local] {
        let left = left.clone().forgetting_directory(area.of(ID).parent());
        let is_missed = every_cut(&left, Way::Preprocess, Order::Any, false).is_err();
        assert_eq!(is_missed, area == Area::Info);
    }
}

#[test]
fn whatever_call_fails_nothing_is_lost_or_torn() {
    for way in WAYS {
        for is_settled in [false, true] {
            let mut disk = Model::new();
            let is_accepted = queue(&mut disk, is_settled);
            for failing in 0..30 {
                let mut disk = disk.clone().failing_after(disk.calls() + failing);
                let mut is_delivered = false;
                let _ = go_on(&mut disk, way, &mut is_delivered); // it stops there
                for image in disk.some_images(Order::Any, MOST) {
                    let is_due = is_accepted && !is_delivered;
                    assert_eq!(check(&image, is_due), Ok(()), "{way:?}, call {failing}");
                }
            }
        }
    }
}
