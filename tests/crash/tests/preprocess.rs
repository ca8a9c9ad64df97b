//! The power goes at every moment of preprocessing: the message stays queued until its recipients are
//! where they belong, and it gets nobody else's.

use crash::{Image, Model, Order};
use qmail::domains::DomainSet;
use qmail::send::Channel;
use qmail::send::log::Log;
use qmail::send::route::Routes;
use qmail::send::todo::{self, Queued, Single, Written, settle, split};
use queue::disk::Disk;
use queue::path::{Area, MessageId, Name};
use queue::state::State;
use queue::sweep::Request;

const ID: MessageId = MessageId(100);
const MESSAGE: &[u8] = b"body\n";
const TO_BOTH: &[u8] = b"u7\0p9\0Fa@b\0Tx@here\0Ty@there\0";
const TO_HERE: &[u8] = b"u7\0p9\0Fa@b\0Tx@here\0";

#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// The message has been forgotten.
    Lost,
    /// Its recipients or its sender are not its own.
    Torn,
}

fn queued(envelope: &[u8]) -> Vec<(Name, u64, Vec<u8>)> {
    vec![(Area::Mess.of(ID), 1, MESSAGE.to_vec()), (Area::Todo.of(ID), 2, envelope.to_vec())]
}

/// Preprocesses the message, and lets qmail-clean remove its envelope.
fn preprocess(disk: &mut Model, envelope: &[u8], has_strays: bool) -> bool {
    let locals = DomainSet::new([&b"here"[..]]);
    let routes = Routes { locals, ..Routes::default() };
    let mut log = Log::default();
    let queued = Queued { id: ID, bytes: 5, envelope, is_sealed: false, has_strays };
    let split = split(disk, &routes, queued, &mut log);
    let settled = settle(disk, split.into_iter().collect(), &mut log);
    !settled.is_empty() && Request::Envelope(ID).perform(disk).is_ok()
}

fn check(image: &Image, envelope: &[u8]) -> Result<State, Fault> {
    let read = |area: Area| image.read(&area.of(ID));
    if read(Area::Mess) != Some(MESSAGE) {
        return Err(Fault::Lost);
    }
    if read(Area::Todo).is_some() {
        return if read(Area::Todo) == Some(envelope) {
            Ok(State::Queued)
        } else {
            Err(Fault::Torn)
        };
    }
    let remote: Option<&[u8]> = (envelope == TO_BOTH).then_some(b"Ty@there\0");
    let wanted = [Some(&b"Fa@b\0"[..]), Some(b"Tx@here\0"), remote, None];
    match [Area::Info, Area::Local, Area::Remote, Area::Bounce].map(read) {
        found if found == wanted => Ok(State::Preprocessed),
        [None, ..] => Err(Fault::Lost),
        _ => Err(Fault::Torn),
    }
}

/// True if the message has files without its sender's: what a qmail-send that begins finds out.
fn has_strays(image: &Image) -> bool {
    let files = image.of(ID);
    let strays = [Area::Local, Area::Remote, Area::Bounce];
    !files.has(Area::Info) && strays.into_iter().any(|area| files.has(area))
}

/// Cuts the power after each call, and gives each thing that may be left after each.
fn every_cut(disk: &Model, order: Order, envelope: &[u8], has_strays: bool) -> Vec<Image> {
    let mut images = Vec::new();
    for calls in 0.. {
        let mut disk = disk.clone().cut_after(calls);
        let is_done = preprocess(&mut disk, envelope, has_strays);
        images.extend(disk.images(order));
        if is_done {
            break;
        }
    }
    images
}

#[test]
fn after_any_power_cut_the_message_is_queued_or_preprocessed() {
    for order in [Order::Any, Order::Journal] {
        let images = every_cut(&Model::holding(queued(TO_BOTH)), order, TO_BOTH, false);
        let states: Vec<_> = images.iter().map(|image| check(image, TO_BOTH).unwrap()).collect();
        println!("{order:?}: {} images", states.len());
        assert!(states.len() > 100, "{order:?}: only {} images", states.len());
        assert!(states.contains(&State::Preprocessed) && states.contains(&State::Queued));
    }
}

#[test]
fn it_goes_on_where_a_power_cut_broke_it_off() {
    let mut seen = 0;
    for order in [Order::Any, Order::Journal] {
        let images = every_cut(&Model::holding(queued(TO_BOTH)), order, TO_BOTH, false);
        for image in images.iter().filter(|image| image.of(ID).has(Area::Todo)) {
            let mut disk = image.restart();
            assert!(preprocess(&mut disk, TO_BOTH, has_strays(image)));
            for image in disk.images(order) {
                seen += 1;
                check(&image, TO_BOTH).unwrap();
            }
        }
    }
    println!("gone on with: {seen} images");
}

/// A disk with files of a message that had the number before, whose removal a power cut has undone.
fn with_strays() -> Model {
    let mut files = queued(TO_HERE);
    files.push((Area::Remote.of(ID), 3, b"Tother@there\0".to_vec()));
    files.push((Area::Bounce.of(ID), 4, b"<other@there>:\nno\n\n".to_vec()));
    Model::holding(files)
}

#[test]
fn another_message_s_recipients_do_not_come_back() {
    for order in [Order::Any, Order::Journal] {
        let images = every_cut(&with_strays(), order, TO_HERE, true);
        println!("with strays, {order:?}: {} images", images.len());
        for image in images {
            check(&image, TO_HERE).unwrap();
        }
    }
}

#[test]
fn whatever_call_fails_nothing_is_lost_or_torn() {
    for failing in 0..20 {
        let mut disk = Model::holding(queued(TO_BOTH)).failing_after(failing);
        preprocess(&mut disk, TO_BOTH, false);
        for image in disk.images(Order::Any) {
            check(&image, TO_BOTH).unwrap();
        }
    }
}

/// Preprocesses the message after all, whose delivery has been tried straight from `todo/`.
fn write_down(disk: &mut Model) -> Written {
    let (sender, recipients) = (b"a@b".to_vec(), b"Tx@here\0".to_vec());
    let single = Single { id: ID, sender, channel: Channel::Local, recipients, is_sealed: false };
    todo::write_down(disk, &[single], &mut Log::default())[0].1
}

#[test]
fn what_was_tried_from_todo_is_preprocessed_like_any_other() {
    for order in [Order::Any, Order::Journal] {
        let mut seen = 0;
        for calls in 0..30 {
            let mut disk = Model::holding(queued(TO_HERE)).cut_after(calls);
            if write_down(&mut disk) == Written::Whole {
                let _ = Request::Envelope(ID).perform(&mut disk); // the power may go there
            }
            for image in disk.images(order) {
                check(&image, TO_HERE).unwrap();
                seen += 1;
            }
        }
        println!("after all, {order:?}: {seen} images");
    }
}

/// A delivery that succeeds meanwhile ends the message where it lies.
#[test]
fn what_could_not_be_preprocessed_leaves_nothing_for_the_next_of_its_number() {
    let mut outcomes = Vec::new();
    for failing in 0..20 {
        let mut disk = Model::holding(queued(TO_HERE)).failing_after(failing);
        let written = write_down(&mut disk);
        outcomes.push(written);
        match written {
            Written::Whole => {}
            Written::Partly => {
                for image in disk.images(Order::Any) {
                    check(&image, TO_HERE).unwrap();
                }
            }
            Written::NotAtAll => {
                assert!(Request::Envelope(ID).perform(&mut disk).is_ok());
                disk.sync_directory(&Area::Todo.of(ID).parent()).unwrap();
                for image in disk.images(Order::Any) {
                    assert_eq!(image.of(ID).state(), Some(State::Message), "{failing}");
                }
            }
        }
    }
    assert!(outcomes.contains(&Written::NotAtAll) && outcomes.contains(&Written::Whole));
}

/// The model is worth something only if it notices what is left out.
#[test]
fn each_sync_is_needed() {
    let directory = |area: Area| area.of(ID).parent();
    for (area, fault) in
        [(Area::Info, Fault::Lost), (Area::Local, Fault::Torn), (Area::Remote, Fault::Torn)]
    {
        let disk = Model::holding(queued(TO_BOTH));
        let forgetful = [
            (disk.clone().forgetting_directory(directory(area)), &fault),
            (disk.forgetting_files_of(directory(area)), &Fault::Torn),
        ];
        for (disk, fault) in forgetful {
            let images = every_cut(&disk, Order::Any, TO_BOTH, false);
            let found = images.iter().any(|image| check(image, TO_BOTH).as_ref() == Err(fault));
            assert!(found, "{area:?}: no {fault:?}");
        }
    }
    for area in [Area::Remote, Area::Bounce] {
        let disk = with_strays().forgetting_directory(directory(area));
        let images = every_cut(&disk, Order::Any, TO_HERE, true);
        assert!(images.iter().any(|image| check(image, TO_HERE) == Err(Fault::Torn)), "{area:?}");
    }
}
