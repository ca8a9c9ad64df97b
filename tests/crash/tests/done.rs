//! The power goes while recipients are marked and a message is removed: who is told of a success is not
//! served again, nobody is forgotten, and what is gone comes back in nobody's way.

use crash::{Image, Model, Order};
use qmail::send::Channel;
use qmail::send::ledger::Ledger;
use queue::path::{Area, MessageId};
use queue::sweep::{Answer, Cleaner, Request};

const ID: MessageId = MessageId(100);
const MESSAGE: &[u8] = b"body\n";
const ENVELOPE: &[u8] = b"u7\0p9\0Fa@b\0Tx@here\0Ty@here\0Tz@there\0";
const LOCAL: &[u8] = b"Tx@here\0Ty@here\0";

/// How far it has come, as the log and qmail-clean were told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Told {
    Nothing,
    /// x is done.
    First,
    /// All are done.
    All,
}

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// A recipient who was not served is forgotten.
    Lost,
    /// One who was told to be served would be again.
    Twice,
    /// Something asks for a message that is not there.
    Stray,
}

fn preprocessed() -> Model {
    Model::holding([
        (Area::Mess.of(ID), 1, MESSAGE.to_vec()),
        (Area::Todo.of(ID), 2, ENVELOPE.to_vec()),
        (Area::Info.of(ID), 3, b"Fa@b\0".to_vec()),
        (Area::Local.of(ID), 4, LOCAL.to_vec()),
        (Area::Remote.of(ID), 5, b"Tz@there\0".to_vec()),
    ])
}

fn clean(cleaner: &mut Cleaner, disk: &mut Model, request: Request) -> Option<()> {
    let line = request.to_bytes();
    let answers = cleaner.answer(disk, &[line.strip_suffix(b"\0")?.to_vec()]);
    (answers == [Answer::Done]).then_some(())
}

/// What qmail-send and qmail-clean do in three turns, until the power goes: `told` is how far they came.
fn go_on(disk: &mut Model, told: &mut Told) -> Option<()> {
    let (mut ledger, mut cleaner) = (Ledger::default(), Cleaner::default());
    clean(&mut cleaner, disk, Request::Envelope(ID))?;
    ledger.left_todo();
    ledger.mark(disk, Channel::Local, ID, 0).ok()?;
    ledger.settle(disk).is_empty().then_some(())?;
    *told = Told::First;
    ledger.remove(disk, Channel::Local, ID).ok()?;
    ledger.settle(disk).is_empty().then_some(())?;
    ledger.remove(disk, Channel::Remote, ID).ok()?;
    ledger.end(disk, ID).ok()?;
    ledger.settle(disk).is_empty().then_some(())?;
    *told = Told::All;
    clean(&mut cleaner, disk, Request::Message(ID))
}

fn check(image: &Image, told: Told) -> Result<(), Fault> {
    let read = |area: Area| image.read(&area.of(ID));
    let is_due = |area: Area, recipient: &[u8]| {
        read(area).is_some_and(|file| file.windows(recipient.len()).any(|at| at == recipient))
    };
    if read(Area::Todo).is_some() {
        return match told {
            Told::Nothing if read(Area::Mess) == Some(MESSAGE) => Ok(()),
            Told::Nothing => Err(Fault::Lost),
            _ if read(Area::Mess).is_none() => Err(Fault::Stray),
            _ => Err(Fault::Twice),
        };
    }
    if read(Area::Info).is_none() {
        // What comes back of the recipients belongs to nobody: crash/preprocess.
        return if told == Told::Nothing { Err(Fault::Lost) } else { Ok(()) };
    }
    if told == Told::All {
        return Err(Fault::Twice);
    }
    if read(Area::Mess) != Some(MESSAGE) {
        return Err(Fault::Stray);
    }
    if told == Told::First && is_due(Area::Local, b"Tx@here\0") {
        return Err(Fault::Twice);
    }
    // Before all is told the message may have ended in this turn, but z is not marked alone.
    let is_open = told == Told::Nothing;
    if is_open && !(is_due(Area::Local, b"Ty@here\0") && is_due(Area::Remote, b"Tz@there\0")) {
        return Err(Fault::Lost);
    }
    Ok(())
}

/// Cuts the power after each call, and gives how many disks were looked at.
fn every_cut(disk: &Model, order: Order) -> Result<usize, Fault> {
    let mut seen = 0;
    for calls in 0.. {
        let (mut disk, mut told) = (disk.clone().cut_after(calls), Told::Nothing);
        let is_done = go_on(&mut disk, &mut told).is_some();
        for image in disk.images(order) {
            check(&image, told)?;
            seen += 1;
        }
        if is_done {
            break;
        }
    }
    Ok(seen)
}

#[test]
fn after_any_power_cut_nobody_is_forgotten_and_nobody_served_again() {
    for order in [Order::Any, Order::Journal] {
        println!("{order:?}: {} images", every_cut(&preprocessed(), order).unwrap());
    }
}

#[test]
fn whatever_call_fails_nobody_is_forgotten() {
    for failing in 0..20 {
        for order in [Order::Any, Order::Journal] {
            let (mut disk, mut told) = (preprocessed().failing_after(failing), Told::Nothing);
            let _ = go_on(&mut disk, &mut told); // it stops there
            for image in disk.images(order) {
                assert_eq!(check(&image, told), Ok(()), "call {failing}");
            }
        }
    }
}

/// The model is worth something only if it notices what is left out.
#[test]
fn each_sync_is_needed() {
    let directory = |area: Area| area.of(ID).parent();
    let forgetful = [
        preprocessed().forgetting_directory(directory(Area::Todo)),
        preprocessed().forgetting_directory(directory(Area::Info)),
        preprocessed().forgetting_files_of(directory(Area::Local)),
    ];
    for disk in forgetful {
        assert_eq!(every_cut(&disk, Order::Any), Err(Fault::Twice));
    }
}

/// A message that was delivered straight from `todo/`.
fn delivered() -> Model {
    let envelope = b"u7\0p9\0Fa@b\0Tx@here\0".to_vec();
    Model::holding([(Area::Mess.of(ID), 1, MESSAGE.to_vec()), (Area::Todo.of(ID), 2, envelope)])
}

/// Who removes such a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Remover {
    /// A qmail-clean of ours, in one.
    Ours,
    /// Another's: qmail-send makes durable that the envelope is gone.
    Others,
}

/// How such a message goes.
fn go(remover: Remover, disk: &mut Model, told: &mut Told) -> Option<()> {
    let (mut ledger, mut cleaner) = (Ledger::default(), Cleaner::default());
    if remover == Remover::Ours {
        let line = Request::Over(ID).to_bytes().strip_suffix(b"\0")?.to_vec();
        match cleaner.answer(disk, &[line])[..] {
            [Answer::Done] => {}
            [Answer::Partly] => {
                ledger.left_todo();
                ledger.over();
                ledger.settle(disk).is_empty().then_some(())?;
            }
            _ => return None,
        }
        *told = Told::All;
        return Some(());
    }
    clean(&mut cleaner, disk, Request::Envelope(ID))?;
    ledger.left_todo();
    ledger.over();
    ledger.settle(disk).is_empty().then_some(())?;
    *told = Told::All;
    clean(&mut cleaner, disk, Request::Message(ID))
}

fn check_delivered(image: &Image, told: Told) -> Result<(), Fault> {
    let files = image.of(ID);
    match (files.has(Area::Todo), files.has(Area::Mess)) {
        (true, false) => Err(Fault::Stray),
        (true, true) if told == Told::All => Err(Fault::Twice),
        _ => Ok(()),
    }
}

fn every_cut_delivered(remover: Remover, disk: &Model, order: Order) -> Result<usize, Fault> {
    let mut seen = 0;
    for failing in [false, true] {
        for calls in 0..12 {
            let disk = disk.clone();
            let mut disk = if failing { disk.failing_after(calls) } else { disk.cut_after(calls) };
            let mut told = Told::Nothing;
            let _ = go(remover, &mut disk, &mut told); // it stops there
            for image in disk.images(order) {
                check_delivered(&image, told)?;
                seen += 1;
            }
        }
    }
    Ok(seen)
}

#[test]
fn a_message_that_never_left_todo_does_not_come_back() {
    for remover in [Remover::Ours, Remover::Others] {
        for order in [Order::Any, Order::Journal] {
            let seen = every_cut_delivered(remover, &delivered(), order).unwrap();
            println!("straight, {remover:?}, {order:?}: {seen} images");
        }
        let forgetful = delivered().forgetting_directory(Area::Todo.of(ID).parent());
        assert_eq!(every_cut_delivered(remover, &forgetful, Order::Any), Err(Fault::Twice));
    }
}

/// qmail-clean by itself: a qmail-send that is another's syncs nothing.
#[test]
fn an_envelope_does_not_outlive_its_message() {
    let run = |mut disk: Model| {
        let mut cleaner = Cleaner::default();
        clean(&mut cleaner, &mut disk, Request::Envelope(ID)).unwrap();
        clean(&mut cleaner, &mut disk, Request::Message(ID)).unwrap();
        let images = disk.images(Order::Any);
        images.iter().any(|image| image.of(ID).has(Area::Todo) && !image.of(ID).has(Area::Mess))
    };
    assert!(!run(preprocessed()));
    assert!(run(preprocessed().forgetting_directory(Area::Todo.of(ID).parent())));
}
