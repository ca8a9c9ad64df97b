//! The power goes at every moment of a deposit: what was accepted is whole, and nothing is torn.

use crash::{Image, Model, Order};
use queue::deposit::{Origin, Refusal, Stamp, deposit};
use queue::path::{Area, MessageId, Name};
use queue::state::State;

const STAMP: Stamp = Stamp { number: 12, uid: 1000, origin: Origin::User, time: 1_795_220_489 };
const MESSAGE: &[u8] =
    b"Received: (qmail 12 invoked by uid 1000); 21 Nov 2026 00:21:29 -0000\nbody\n";
const ENVELOPE: &[u8] = b"u1000\0p12\0Fa@b\0Tc@d\0";

/// What a queue must not show after a power cut.
#[derive(Debug, PartialEq, Eq)]
enum Fault {
    /// It was accepted and is not queued.
    Lost,
    /// It is queued, and not what was handed over.
    Torn,
    /// Its files are no state of a message.
    NoState,
    /// The queue takes no more messages.
    Stuck,
}

fn hand_over(disk: &mut Model) -> Result<MessageId, Refusal> {
    deposit(disk, &STAMP, &mut &b"body\n"[..], &mut &b"Fa@b\0Tc@d\0\0"[..])
}

fn check(image: &Image, accepted: Option<MessageId>, order: Order) -> Result<(), Fault> {
    if let Some(id) = accepted
        && image.of(id).state() != Some(State::Queued)
    {
        return Err(Fault::Lost);
    }
    for id in image.messages() {
        let files = image.of(id);
        if files.has(Area::Todo)
            && (image.read(&Area::Mess.of(id)), image.read(&Area::Todo.of(id)))
                != (Some(MESSAGE), Some(ENVELOPE))
        {
            return Err(Fault::Torn);
        }
        // Without a journal the envelope being written may outlive its message; see below that it
        // is in nobody's way.
        let stray = order == Order::Any && !files.has(Area::Mess) && !files.has(Area::Todo);
        if files.state().is_none() && !stray {
            return Err(Fault::NoState);
        }
    }
    let mut next = image.restart();
    match hand_over(&mut next) {
        Ok(id) if !image.of(id).has(Area::Todo) => Ok(()),
        _ => Err(Fault::Stuck),
    }
}

/// Cuts the power after each call of a deposit on `disk`, and looks at each thing that may be left.
fn every_cut(disk: &Model, order: Order) -> Result<usize, Fault> {
    let mut seen = 0;
    for calls in 0.. {
        let mut disk = disk.clone().cut_after(calls);
        let accepted = hand_over(&mut disk).ok();
        for image in disk.images(order) {
            check(&image, accepted, order)?;
            seen += 1;
        }
        if accepted.is_some() {
            break;
        }
    }
    Ok(seen)
}

#[test]
fn after_any_power_cut_the_message_is_whole_or_not_queued() {
    for order in [Order::Any, Order::Journal] {
        let seen = every_cut(&Model::new(), order).unwrap();
        println!("{order:?}: {seen} images");
        assert!(seen > 100, "{order:?}: only {seen} images");
    }
}

#[test]
fn whatever_call_fails_nothing_is_lost_or_torn() {
    let mut seen = 0;
    for order in [Order::Any, Order::Journal] {
        for failing in 0..20 {
            let mut disk = Model::new().failing_after(failing);
            let _ = hand_over(&mut disk); // to count the calls
            for calls in 0..=disk.calls() {
                let mut disk = Model::new().failing_after(failing).cut_after(calls);
                let accepted = hand_over(&mut disk).ok();
                for image in disk.images(order) {
                    seen += 1;
                    assert_eq!(
                        check(&image, accepted, order),
                        Ok(()),
                        "call {failing}, cut {calls}"
                    );
                }
            }
        }
    }
    println!("with a call that fails: {seen} images");
}

#[test]
fn an_envelope_left_over_from_a_message_that_is_gone_is_in_nobody_s_way() {
    let id = MessageId(100);
    let stray = || Model::holding([(Area::Intd.of(id), 7, b"u0\0".to_vec())]);
    let mut disk = stray();
    assert_eq!(hand_over(&mut disk), Ok(id));
    every_cut(&stray(), Order::Any).unwrap();
}

/// The model is worth something only if it notices what is left out.
#[test]
fn each_sync_is_needed() {
    let directory = |area: Area| area.of(MessageId(100)).parent();
    let cases: [(Model, Fault); 4] = [
        (Model::new().forgetting_directory(directory(Area::Todo)), Fault::Lost),
        (Model::new().forgetting_directory(directory(Area::Mess)), Fault::Torn),
        (Model::new().forgetting_files_of(directory(Area::Mess)), Fault::Torn),
        (Model::new().forgetting_files_of(directory(Area::Intd)), Fault::Torn),
    ];
    for (disk, fault) in cases {
        assert_eq!(every_cut(&disk, Order::Any), Err(fault));
    }
}

/// What a journal of names gives for nothing: the name in mess/ is older than the one in todo/.
#[test]
fn a_journal_keeps_the_message_s_name_without_a_sync() {
    let mess: Name = Area::Mess.of(MessageId(100)).parent();
    every_cut(&Model::new().forgetting_directory(mess), Order::Journal).unwrap();
}
