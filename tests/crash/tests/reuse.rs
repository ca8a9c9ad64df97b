//! A number is used again: what a power cut has left of a message whose file is gone is being removed, while another
//! message that has its number is deposited. Every interleaving of the two.

use std::collections::VecDeque;
use std::path::Path;

use crash::{Belief, Cut, File, Image, Model, Order};
use qmail::send::log::Log;
use qmail::send::todo;
use queue::deposit::{Origin, Stamp, Turn, deposit};
use queue::disk::Disk;
use queue::path::{Area, MessageId};
use queue::state::State;
use queue::sweep::Request;

const ID: MessageId = MessageId(100);
const STAMP: Stamp = Stamp { number: 12, uid: 1000, origin: Origin::User, time: 1_795_220_489 };
const BODY: &[u8] = b"body\n";
const ENVELOPE: &[u8] = b"Fa@b\0Tc@d\0\0";

/// What qmail-send and qmail-clean do about an envelope, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    /// qmail-send looks at it; if it proves itself there are no further steps.
    Look,
    /// What an attempt to preprocess it has left goes.
    Purge,
    /// qmail-clean removes the name in `intd/`.
    Intd,
    /// And that in `todo/`.
    Todo,
}

const STEPS: [Step; 4] = [Step::Look, Step::Purge, Step::Intd, Step::Todo];

/// The disk of a deposit, before whose calls the others do something.
struct Shared {
    disk: Model,
    calls: usize,
    /// Before which call each step is made.
    steps: VecDeque<(usize, Step)>,
}

impl Shared {
    fn new(disk: Model, before: &[usize], steps: &[Step]) -> Shared {
        Shared {
            disk,
            calls: 0,
            steps: before.iter().copied().zip(steps.iter().copied()).collect(),
        }
    }

    fn turn(&mut self) -> &mut Model {
        let call = self.calls;
        self.calls += 1;
        while let Some((_, step)) = self.steps.pop_front_if(|(before, _)| *before <= call) {
            self.make(step);
        }
        &mut self.disk
    }

    fn make(&mut self, step: Step) {
        let disk = &mut self.disk;
        let [intd, todo] = Request::Envelope(ID).names();
        match step {
            Step::Look => {
                if Belief::of(&disk.seen(), ID) != Some(Belief::Broken) {
                    self.steps.clear();
                }
            }
            Step::Purge => {
                if todo::purge(disk, ID, &mut Log::default()).is_err() {
                    self.steps.clear();
                }
            }
            // One that is not there is as good as removed.
            Step::Intd => drop(disk.unlink(&intd)),
            Step::Todo => drop(disk.unlink(&todo)),
        }
    }

    /// The steps that are left are made.
    fn end(mut self) -> Model {
        while let Some((_, step)) = self.steps.pop_front() {
            self.make(step);
        }
        self.disk
    }
}

impl Disk for Shared {
    type File = File;
    type Error = Cut;

    fn create(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<File, Cut> {
        self.turn().create(name)
    }
    fn append(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<File, Cut> {
        self.turn().append(name)
    }
    fn open(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<File, Cut> {
        self.turn().open(name)
    }
    fn number(&mut self, file: &File) -> Result<MessageId, Cut> {
        self.turn().number(file)
    }
    fn write(&mut self, file: &mut File, bytes: &[u8]) -> Result<(), Cut> {
        self.turn().write(file, bytes)
    }
    fn overwrite(&mut self, file: &File, offset: u64, bytes: &[u8]) -> Result<(), Cut> {
        self.turn().overwrite(file, offset, bytes)
    }
    fn truncate(&mut self, file: &mut File, length: u64) -> Result<(), Cut> {
        self.turn().truncate(file, length)
    }
    fn start_sync(&mut self, _: &File) {}
    fn sync(&mut self, file: &File) -> Result<(), Cut> {
        self.turn().sync(file)
    }
    fn sync_directory(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<(), Cut> {
        self.turn().sync_directory(name)
    }
    fn link(
        &mut self,
        old: &(impl AsRef<Path> + ?Sized),
        new: &(impl AsRef<Path> + ?Sized),
    ) -> Result<(), Cut> {
        self.turn().link(old, new)
    }
    fn unlink(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<(), Cut> {
        self.turn().unlink(name)
    }
    fn exists(&mut self, name: &(impl AsRef<Path> + ?Sized)) -> Result<bool, Cut> {
        self.turn().exists(name)
    }
}

/// Who deposits the other message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depot {
    Queue,
    Queued,
}

impl Depot {
    /// The message's number, if it is accepted.
    fn hand_over(self, disk: &mut impl Disk) -> Option<MessageId> {
        if self == Depot::Queue {
            return deposit(disk, &STAMP, &mut &BODY[..], &mut &ENVELOPE[..]).ok();
        }
        let mut turn = Turn::default();
        turn.add(disk, &STAMP, BODY, ENVELOPE).ok()?;
        turn.settle(disk).pop()?.ok()
    }
}

/// What a message that was lost may have left: names of its envelope, and what is in that.
fn left() -> Vec<Vec<(Area, u64, Vec<u8>)>> {
    let mut disk = Model::new();
    let lost = Stamp { number: 7, ..STAMP };
    let added = Turn::default().add(&mut disk, &lost, b"another\n", b"Fx@y\0Tz@w\0\0");
    assert_eq!(added, Ok(()));
    let whole = disk.seen().read(&Area::Todo.of(ID)).unwrap().to_vec();
    let mut found = Vec::new();
    for envelope in [&whole[..], &whole[..20]] {
        let todo = (Area::Todo, 7, envelope.to_vec());
        found.push(vec![todo.clone()]);
        found.push(vec![todo.clone(), (Area::Intd, 7, envelope.to_vec())]);
        found.push(vec![todo.clone(), (Area::Intd, 8, b"u0\0".to_vec())]);
        let sender = (Area::Info, 9, b"Fx@y\0".to_vec());
        found.push(vec![todo, sender, (Area::Local, 10, b"Tz@w\0".to_vec())]);
    }
    found
}

fn holding(left: &[(Area, u64, Vec<u8>)]) -> Model {
    Model::holding(left.iter().map(|(area, inode, bytes)| (area.of(ID), *inode, bytes.clone())))
}

/// What is believed is the other message, as it was handed over; if it was accepted, it is believed.
fn check(image: &Image, accepted: Option<MessageId>) -> Result<(), &'static str> {
    let message = [&STAMP.received(), BODY].concat();
    for id in image.messages() {
        let is_it = || {
            let envelope = image.read(&Area::Todo.of(id)).unwrap_or_default();
            image.read(&Area::Mess.of(id)) == Some(&message)
                && envelope.ends_with(b"\0Fa@b\0Tc@d\0")
        };
        let belief = Belief::of(image, id);
        if matches!(belief, Some(Belief::Plain | Belief::Proved)) && !is_it() {
            return Err("torn, or another's");
        }
        if belief == Some(Belief::Broken) && accepted == Some(id) {
            return Err("lost");
        }
        if belief.is_none() && image.of(id).has(Area::Info) {
            return Err("taken for one that is preprocessed");
        }
    }
    match accepted {
        Some(id) if image.of(id).state() != Some(State::Queued) => Err("lost"),
        _ => Ok(()),
    }
}

/// Each way to put so many steps, in their order, before calls, of which there are so many.
fn interleavings(steps: usize, calls: usize) -> Vec<Vec<usize>> {
    let mut found = vec![Vec::new()];
    for _ in 0..steps {
        let longer = |begun: Vec<usize>| {
            let from = begun.last().copied().unwrap_or(0);
            (from..=calls).map(move |before| [&begun[..], &[before]].concat())
        };
        found = found.into_iter().flat_map(longer).collect();
    }
    found
}

fn calls(depot: Depot, disk: Model) -> usize {
    let mut disk = Shared::new(disk, &[], &[]);
    depot.hand_over(&mut disk);
    disk.calls
}

#[test]
fn whoever_is_first_an_accepted_message_keeps_its_envelope() {
    for depot in [Depot::Queue, Depot::Queued] {
        let (mut runs, mut accepted, mut refused) = (0, 0, 0);
        for left in left() {
            // A deposit that is refused has more calls than one that is not, and the other way round.
            let most = calls(depot, Model::new()).max(calls(depot, holding(&left)));
            for before in interleavings(STEPS.len(), most) {
                let mut shared = Shared::new(holding(&left), &before, &STEPS);
                let number = depot.hand_over(&mut shared);
                if number == Some(ID) {
                    accepted += 1;
                } else {
                    refused += 1;
                }
                let disk = shared.end();
                let is_queued = disk.seen().of(ID).has(Area::Todo);
                assert_eq!(is_queued, number.is_some(), "{left:?} {before:?}");
                for image in disk.some_images(Order::Any, 6) {
                    assert_eq!(check(&image, number), Ok(()), "{left:?} {before:?}");
                }
                runs += 1;
            }
        }
        println!("{depot:?}: {runs} interleavings, {accepted} accepted, {refused} refused");
        assert!(accepted > 100 && refused > 100);
    }
}

#[test]
fn whenever_the_power_goes_meanwhile_nothing_is_believed_that_is_not_whole() {
    for depot in [Depot::Queue, Depot::Queued] {
        let mut seen = 0;
        for left in left() {
            let most = calls(depot, Model::new()).max(calls(depot, holding(&left)));
            // Some of them; the power goes at each call of either.
            for before in interleavings(STEPS.len(), most).into_iter().step_by(53) {
                for cut in 0..=most + STEPS.len() {
                    let mut shared = Shared::new(holding(&left).cut_after(cut), &before, &STEPS);
                    let accepted = depot.hand_over(&mut shared);
                    for image in shared.disk.some_images(Order::Any, 6) {
                        assert_eq!(check(&image, accepted), Ok(()), "{left:?} {before:?} {cut}");
                        seen += 1;
                    }
                }
            }
        }
        println!("{depot:?}: {seen} images");
    }
}

/// The first fault of any interleaving with these steps.
fn fault(depot: Depot, steps: &[Step]) -> Option<&'static str> {
    for left in left() {
        for before in interleavings(steps.len(), calls(depot, Model::new())) {
            let mut shared = Shared::new(holding(&left), &before, steps);
            let accepted = depot.hand_over(&mut shared);
            let found = check(&shared.end().seen(), accepted);
            if let Err(fault) = found {
                return Some(fault);
            }
        }
    }
    None
}

/// The interleavings are worth something only if they notice what is done otherwise.
#[test]
fn qmail_clean_is_asked_once_and_what_was_preprocessed_goes_before() {
    use Step::{Intd, Look, Purge, Todo};
    for depot in [Depot::Queue, Depot::Queued] {
        assert_eq!(fault(depot, &STEPS), None);
        assert_eq!(fault(depot, &[Look, Purge, Todo, Todo]), Some("lost"));
        let preprocessed = Some("taken for one that is preprocessed");
        assert_eq!(fault(depot, &[Look, Intd, Todo]), preprocessed);
    }
}
