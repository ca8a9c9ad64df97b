//! Whatever happens, and in whatever order: nobody is forgotten, nobody is served twice.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::*;
use super::host::{Hears, Host, Preprocesses};
use crate::spawn::protocol::Command;

#[derive(Clone, Debug)]
enum Step {
    /// A message to so many local and remote recipients.
    Inject(u8, u8),
    /// One of the deliveries under way on a channel ends so.
    Report(Channel, u8, char),
    Pull,
    RunNow,
    /// Until the next deadline.
    Sleep,
    /// The limits become these.
    Limit(u16, u16),
    /// qmail-clean becomes slow, or answers what it was asked.
    Cleaner(bool),
    /// Its answers take their time, or not any more.
    Mute(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let channel = prop_oneof![Just(Channel::Local), Just(Channel::Remote)];
    let letter = proptest::sample::select(vec!['D', 'K', 'K', 'Z', '?']);
    prop_oneof![
        (0..4u8, 0..4u8).prop_map(|(local, remote)| Step::Inject(local, remote)),
        (channel, any::<u8>(), letter).prop_map(|(channel, n, l)| Step::Report(channel, n, l)),
        Just(Step::Pull),
        Just(Step::RunNow),
        Just(Step::Sleep),
        (0..4u16, 0..4u16).prop_map(|(local, remote)| Step::Limit(local, remote)),
        any::<bool>().prop_map(Step::Cleaner),
        any::<bool>().prop_map(Step::Mute),
    ]
}

/// A host, and what became of each recipient.
struct Run {
    host: Host,
    under_way: Channels<BTreeMap<u32, Command>>,
    done: BTreeSet<String>,
    waiting: BTreeSet<String>,
    next: u64,
}

fn text(command: &Command) -> String {
    String::from_utf8(command.recipients[0].address.clone()).unwrap()
}

impl Run {
    /// `bears`: what the spawners say of themselves.
    fn new(bears: Option<u16>, preprocesses: Preprocesses, others: Option<u8>) -> Run {
        let mut host = Host::new();
        host.bears = bears;
        host.others = others;
        host.preprocesses = preprocesses;
        Run {
            host: host.begin(),
            under_way: Channels::default(),
            done: BTreeSet::new(),
            waiting: BTreeSet::new(),
            next: 1,
        }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Inject(local, remote) => {
                let serial = self.next;
                self.next += 1;
                let recipients = (0..local).map(|n| format!("{serial}.{n}@here.test"));
                let others = (0..remote).map(|n| format!("{serial}.{n}@there.test"));
                let recipients: Vec<_> = recipients.chain(others).collect();
                let envelope: String = recipients.iter().flat_map(|to| ["T", to, "\0"]).collect();
                self.waiting.extend(recipients);
                // A number is free again as soon as its message is gone.
                let id = (1..1000).find(|id| !self.host.disk.mess.contains_key(id)).unwrap();
                self.host.queue(id, &format!("Fa@b\0{envelope}"));
            }
            Step::Report(channel, number, letter) => {
                let running = &mut self.under_way[channel];
                let nth = usize::from(number) % running.len().max(1);
                if let Some((&slot, _)) = running.iter().nth(nth) {
                    let command = running.remove(&slot).unwrap();
                    let recipient = text(&command);
                    if matches!(letter, 'D' | 'K') {
                        self.waiting.remove(&recipient);
                        assert!(self.done.insert(recipient));
                    }
                    self.host.report_on(
                        channel,
                        command.recipients[0].slot,
                        &format!("{letter}text\n"),
                    );
                }
            }
            Step::Pull => {
                self.host.tell(Event::Pulled);
                self.host.turn();
            }
            Step::RunNow => self.host.tell(Event::RunNow),
            Step::Sleep => self.host.sleep(),
            Step::Limit(local, remote) => {
                self.host.limits.concurrency = Channels { local, remote };
                self.host.tell(Event::Reread);
            }
            Step::Cleaner(is_slow) => {
                for request in self.host.unanswered.take().unwrap_or_default() {
                    self.host.clean(request, b'+');
                }
                self.host.unanswered = is_slow.then(Vec::new);
                self.host.turn();
            }
            Step::Mute(is_mute) => {
                self.host.hears = if is_mute { Hears::Later } else { Hears::AtOnce };
                self.host.turn();
            }
        }
        self.listen();
    }

    fn listen(&mut self) {
        for channel in Channel::ALL {
            for command in std::mem::take(&mut self.host.sent[channel]) {
                let recipient = text(&command);
                assert!(self.waiting.contains(&recipient), "{recipient} again");
                let before =
                    self.under_way[channel].insert(command.recipients[0].slot.number, command);
                assert_eq!(before, None, "a slot is used twice");
            }
        }
    }

    /// Nothing fails any more.
    fn finish(&mut self) {
        self.step(&Step::Limit(10, 20));
        self.step(&Step::Cleaner(false));
        self.step(&Step::Mute(false));
        for _ in 0..200 {
            self.step(&Step::Pull);
            self.step(&Step::RunNow);
            for channel in Channel::ALL {
                while !self.under_way[channel].is_empty() {
                    self.step(&Step::Report(channel, 0, 'K'));
                }
            }
            if self.host.disk.mess.is_empty() {
                return;
            }
        }
        panic!("not everything ends: {:?}", self.host.disk.mess);
    }
}

proptest! {
    #[test]
    fn everybody_is_served_once(
        steps in proptest::collection::vec(step(), 0..80),
        bears in proptest::option::of(Just(1000)),
        preprocesses in proptest::sample::select(vec![Preprocesses::Everything, Preprocesses::TheRest]),
        others in proptest::option::of(Just(b'x')),
    ) {
        let mut run = Run::new(bears, preprocesses, others);
        for step in &steps {
            run.step(step);
        }
        run.finish();
        prop_assert!(run.waiting.is_empty());
        let disk = &run.host.disk;
        prop_assert!(disk.todo.is_empty() && disk.info.is_empty() && disk.bounce.is_empty());
        prop_assert!(disk.recipients.local.is_empty() && disk.recipients.remote.is_empty());
    }
}
