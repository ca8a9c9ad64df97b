//! The power goes at every moment of a turn of qmail-queued: what was accepted is whole and is believed, and what
//! is believed is whole.

use crash::{Image, Model, Order};
use queue::deposit::{Origin, Refusal, Stamp, Turn, deposit};
use queue::disk::Disk;
use queue::path::{Area, MessageId};
use queue::seal::Head;
use queue::state::State;
use queue::sweep::Request;

/// What a queue must not show after a power cut.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// It was accepted and is not queued.
    Lost,
    /// It is believed, and not what was handed over.
    Torn,
    /// Its files are no state of a message.
    NoState,
    /// The queue takes no more messages.
    Stuck,
}

/// Messages and their envelopes, of different sizes and contents.
const MESSAGES: [(&str, &str); 3] = [
    ("body\n", "Fa@b\0Tc@d\0\0"),
    ("another\n\nbody\n", "F\0Te@f\0Tg@h\0\0"),
    ("", "Fi@j\0Tk@l\0\0"),
];

fn stamp(number: u64) -> Stamp {
    Stamp { number, uid: 1000, origin: Origin::User, time: 1_795_220_489 }
}

/// The file of message `place` in `mess/`, and the records of its envelope.
fn original(place: usize) -> (Vec<u8>, &'static [u8]) {
    let (message, envelope) = MESSAGES[place];
    let message = [&stamp(place as u64).received(), message.as_bytes()].concat();
    (message, envelope.strip_suffix('\0').unwrap().as_bytes())
}

/// Hands over so many messages in one turn. Those that were refused on the way, or at its end, are not named.
fn hand_over(disk: &mut Model, messages: usize) -> Vec<(usize, MessageId)> {
    let (mut turn, mut written) = (Turn::default(), Vec::new());
    for (place, (message, envelope)) in MESSAGES.iter().enumerate().take(messages) {
        let stamp = stamp(place as u64);
        if turn.add(disk, &stamp, message.as_bytes(), envelope.as_bytes()).is_ok() {
            written.push(place);
        }
    }
    let results = turn.settle(disk);
    let accepted = written.into_iter().zip(results);
    accepted.filter_map(|(place, result)| Some((place, result.ok()?))).collect()
}

/// What qmail-send makes of an envelope in `todo/`: which message it is if it is believed.
fn believed(image: &Image, id: MessageId) -> Result<Option<usize>, Fault> {
    let envelope = image.read(&Area::Todo.of(id)).unwrap_or_default();
    let message = image.read(&Area::Mess.of(id));
    match (Head::of(envelope), message) {
        (Head::Sealed(seal), Some(message)) if seal.proves(message, envelope) => {
            let is_it = |place: &usize| {
                let (text, records) = original(*place);
                text == message && envelope.ends_with(records)
            };
            (0..MESSAGES.len()).find(is_it).map(Some).ok_or(Fault::Torn)
        }
        (Head::Sealed(_) | Head::Torn, _) => Ok(None),
        (Head::Plain | Head::Foreign, _) => Err(Fault::Torn),
    }
}

/// Looks at a disk that a power cut has left, goes on with it, and hands over once more.
fn check(image: &Image, accepted: &[(usize, MessageId)], order: Order) -> Result<(), Fault> {
    for &(place, id) in accepted {
        let is_queued = image.of(id).state() == Some(State::Queued);
        if !is_queued || believed(image, id) != Ok(Some(place)) {
            return Err(Fault::Lost);
        }
    }
    let mut next = image.restart();
    for id in image.messages() {
        let files = image.of(id);
        let stray = files.has(Area::Todo) && believed(image, id)?.is_none();
        // Without a journal the envelope being written may outlive its message, and is in nobody's way.
        let left = order == Order::Any && !files.has(Area::Mess) && !files.has(Area::Todo);
        if files.state().is_none() && !stray && !left {
            return Err(Fault::NoState);
        }
        if stray {
            // Before qmail-send has been there: nothing is put into its place. Afterwards it is gone.
            let mut before = next.clone();
            for (_, other) in hand_over(&mut before, 1) {
                assert_ne!(other, id, "an envelope was replaced");
            }
            let envelope = before.seen().read(&Area::Todo.of(id)).map(<[u8]>::to_vec);
            assert_eq!(envelope.as_deref(), image.read(&Area::Todo.of(id)), "an envelope was lost");
            Request::Envelope(id).perform(&mut next).map_err(|_| Fault::Stuck)?;
        }
    }
    match hand_over(&mut next, 1)[..] {
        [(0, id)] if believed(&next.seen(), id) == Ok(Some(0)) => Ok(()),
        _ => Err(Fault::Stuck),
    }
}

/// How many disks are looked at for each cut, if there are more, where not all are.
const MOST: usize = 200;

/// Cuts the power after each call of a turn with so many messages on `disk`.
fn every_cut(disk: &Model, messages: usize, order: Order, most: usize) -> Result<usize, Fault> {
    let mut counting = disk.clone();
    hand_over(&mut counting, messages);
    let mut seen = 0;
    for calls in 0..=counting.calls() {
        let mut disk = disk.clone().cut_after(calls);
        let accepted = hand_over(&mut disk, messages);
        for image in disk.some_images(order, most) {
            check(&image, &accepted, order)?;
            seen += 1;
        }
    }
    Ok(seen)
}

#[test]
fn after_any_power_cut_a_message_is_whole_or_not_believed() {
    for messages in 1..=MESSAGES.len() {
        for order in [Order::Any, Order::Journal] {
            let most = if messages == 1 { usize::MAX } else { MOST };
            let seen = every_cut(&Model::new(), messages, order, most).unwrap();
            println!("{messages} messages, {order:?}: {seen} images");
            assert!(seen > 500, "{order:?}: only {seen} images");
        }
    }
}

#[test]
fn whatever_call_fails_nothing_is_lost_or_torn() {
    let mut seen = 0;
    for (messages, most) in [(1, 100), (2, 20)] {
        for order in [Order::Any, Order::Journal] {
            let mut disk = Model::new();
            hand_over(&mut disk, messages); // to count the calls
            for failing in 0..disk.calls() {
                let failing_disk = || Model::new().failing_after(failing);
                let mut disk = failing_disk();
                hand_over(&mut disk, messages);
                for calls in 0..=disk.calls() {
                    let mut disk = failing_disk().cut_after(calls);
                    let accepted = hand_over(&mut disk, messages);
                    for image in disk.some_images(order, most) {
                        let result = check(&image, &accepted, order);
                        assert_eq!(result, Ok(()), "call {failing}, cut {calls}");
                        seen += 1;
                    }
                }
            }
        }
    }
    println!("with a call that fails: {seen} images");
}

/// One message's failure is its own; that of `todo` is everybody's, that of `mess/R` of all who are there.
#[test]
fn a_sync_that_fails_refuses_those_who_need_it() {
    let mut disk = Model::new();
    let (mut turn, mut ids) = (Turn::default(), Vec::new());
    for (place, (message, envelope)) in MESSAGES.iter().enumerate() {
        let added =
            turn.add(&mut disk, &stamp(place as u64), message.as_bytes(), envelope.as_bytes());
        assert_eq!(added, Ok(()));
        ids = disk
            .seen()
            .messages()
            .into_iter()
            .filter(|id| disk.seen().of(*id).has(Area::Mess))
            .collect();
    }
    let before = disk.calls();
    assert_eq!(turn.settle(&mut disk), ids.iter().map(|id| Ok(*id)).collect::<Vec<_>>());
    // Six files, then the directories as they come: that of the first message, todo, those of the others.
    let failing = |call: usize| {
        let mut disk = Model::new().failing_after(before + call);
        let accepted = hand_over(&mut disk, MESSAGES.len());
        (accepted.into_iter().map(|(place, _)| place).collect::<Vec<_>>(), disk)
    };
    for (call, accepted) in [
        (0, &[1, 2][..]), // a message
        (3, &[0, 2]),     // an envelope
        (6, &[1, 2]),     // mess/R of the first
        (7, &[]),         // todo
        (9, &[0, 1]),     // mess/R of the last
    ] {
        let (left, disk) = failing(call);
        assert_eq!(left, accepted, "call {call}");
        for (place, id) in ids.iter().enumerate() {
            let image = disk.seen();
            // No name is taken away from under qmail-send, but what is refused is not believed.
            assert_eq!(image.of(*id).state(), Some(State::Queued));
            let expected = accepted.contains(&place).then_some(place);
            assert_eq!(believed(&image, *id), Ok(expected), "call {call}");
        }
    }
}

/// The model is worth something only if it notices what is left out.
#[test]
fn each_sync_is_needed() {
    let directory = |area: Area| area.of(MessageId(100)).parent();
    for disk in [
        Model::new().forgetting_directory(directory(Area::Todo)),
        Model::new().forgetting_directory(directory(Area::Mess)),
        Model::new().forgetting_files_of(directory(Area::Mess)),
        Model::new().forgetting_files_of(directory(Area::Intd)),
    ] {
        for messages in [1, 2] {
            assert_eq!(every_cut(&disk, messages, Order::Any, MOST), Err(Fault::Lost));
        }
    }
}

/// Another message has the number of one whose name in `mess/` a power cut took away, and whose others it left.
#[test]
fn names_that_a_lost_message_has_left_are_not_another_s() {
    let id = MessageId(100);
    let mut disk = Model::new();
    hand_over(&mut disk, 2);
    let lost = |area: Area| disk.seen().read(&area.of(id)).unwrap().to_vec();
    let (intd, todo) =
        ((Area::Intd.of(id), 7, lost(Area::Intd)), (Area::Todo.of(id), 7, lost(Area::Todo)));
    let other = (Area::Todo.of(id), 8, lost(Area::Todo));
    let half = (Area::Todo.of(id), 7, lost(Area::Todo)[..9].to_vec());
    for (left, is_accepted) in [
        (vec![intd.clone()], true),
        (vec![todo.clone()], false),
        (vec![intd.clone(), todo], false),
        (vec![intd, other], false),
        (vec![half], false),
    ] {
        let disk = Model::holding(left);
        let accepted = hand_over(&mut disk.clone(), 1);
        assert_eq!(accepted.iter().any(|(_, other)| *other == id), is_accepted);
        // qmail-queue has no seal, and the same number.
        let mut queue = disk.clone();
        let (message, envelope) = MESSAGES[0];
        let (mut message, mut envelope) = (message.as_bytes(), envelope.as_bytes());
        let result = deposit(&mut queue, &stamp(0), &mut message, &mut envelope);
        assert_eq!(result, if is_accepted { Ok(id) } else { Err(Refusal::Todo) });
        every_cut(&disk, 1, Order::Any, MOST).unwrap();
    }
}

/// The message that has the number now is being written, and another's envelope is in `todo/`: removing that leaves
/// the other message in a state that goes on.
#[test]
fn a_removal_meets_the_deposit_of_another_message_at_any_moment() {
    let id = MessageId(100);
    let mut disk = Model::new();
    hand_over(&mut disk, 1);
    let stale = disk.seen().read(&Area::Todo.of(id)).unwrap().to_vec();
    let holding = || Model::holding([(Area::Todo.of(id), 7, stale.clone())]);
    let mut whole = holding();
    hand_over(&mut whole, 2);
    for calls in 0..whole.calls() {
        // As far as it has come, with the envelope of message 1 after a turn of its own.
        let mut disk = holding().cut_after(calls);
        let _ = hand_over(&mut disk, 2);
        let mut disk = disk.seen().restart();
        for name in Request::Envelope(id).names() {
            let _ = disk.unlink(&name); // one that is not there is as good as removed
        }
        for order in [Order::Any, Order::Journal] {
            for image in disk.some_images(order, MOST) {
                check(&image, &[], order).unwrap();
            }
        }
    }
}
