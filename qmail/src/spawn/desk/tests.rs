use super::super::helper::READY;
use super::*;
use std::os::fd::OwnedFd;
use unix::socket;

#[derive(Debug, PartialEq, Eq)]
struct Thing(u32);

impl Errand for Thing {
    fn goes_with(&self, other: &Thing) -> bool {
        self.0 / 100 == other.0 / 100
    }
    fn push_head(&self, question: &mut Vec<u8>) {
        question.extend(format!("{}:", self.0 / 100).into_bytes());
    }
    fn push(&self, question: &mut Vec<u8>) {
        question.extend(format!("{},", self.0).into_bytes());
        if self.0 == 666 {
            question.resize(LONGEST + 1, 0);
        }
    }
    fn message(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

/// A desk whose helper is the test, and the time.
struct Office {
    desk: Desk<Thing>,
    trust: Trust,
    now: Instant,
    theirs: Option<OwnedFd>,
    started: u32,
}

impl Office {
    fn new() -> Office {
        let now = Instant::now();
        let (desk, trust) = (Desk::new(now), Trust::default());
        Office { desk, trust, now, theirs: None, started: 0 }
    }

    fn push(&mut self, things: impl IntoIterator<Item = u32>) {
        for thing in things {
            self.desk.push(self.now, Thing(thing));
        }
    }

    /// What the helper has done, with the codes, and what needs a process of its own.
    fn attend(&mut self) -> (Vec<(u32, u8)>, Vec<u32>) {
        let Office { desk, trust, now, theirs, started } = self;
        let outcome = desk.attend(*now, true, trust, || {
            let (ours, other) = socket::channel().unwrap();
            *theirs = Some(other);
            *started += 1;
            Ok(Helper::on(ours))
        });
        let answers = outcome.answers.into_iter().map(|(thing, answer)| (thing.0, answer.code));
        let alone = outcome.declined.into_iter().chain(outcome.alone);
        (answers.collect(), alone.map(|thing| thing.0).collect())
    }

    fn say(&self, message: &[u8]) {
        socket::send_now(self.theirs.as_ref().unwrap(), message, None).unwrap();
    }

    /// The next question, if there is one.
    fn question(&self) -> Option<String> {
        let mut buffer = vec![0; LONGEST];
        let (length, _) = socket::take_over(self.theirs.as_ref().unwrap(), &mut buffer).ok()?;
        Some(String::from_utf8(buffer[..length].to_vec()).unwrap())
    }
}

const NOTHING: (Vec<(u32, u8)>, Vec<u32>) = (Vec::new(), Vec::new());

#[test]
fn what_goes_together_is_asked_together_and_the_rest_waits_for_the_answers() {
    let mut office = Office::new();
    office.push([101, 102, 201]);
    assert_eq!(office.attend(), NOTHING);
    assert_eq!(office.question().as_deref(), Some("1:101,102,"));
    assert_eq!(office.question().as_deref(), Some("2:201,"));
    office.push([103]);
    assert_eq!(office.attend(), NOTHING);
    assert_eq!(office.question(), None);
    office.say(READY);
    office.say(b"\0\0\0\x64\0\0\xff\0\0");
    assert_eq!(office.attend(), (vec![(101, 0), (102, 100)], vec![201]));
    assert_eq!(office.question().as_deref(), Some("1:103,"));
    assert_eq!(office.started, 1);
}

#[test]
fn a_helper_that_dies_costs_only_what_it_had_in_hand() {
    let mut office = Office::new();
    office.push([101, 102]);
    office.attend();
    office.say(READY);
    office.say(b"\0\0\0");
    office.push([103]);
    office.question();
    office.theirs = None;
    assert_eq!(office.attend(), (vec![(101, 0)], vec![102]));
    assert_eq!(office.started, 2);
    assert_eq!(office.question().as_deref(), Some("1:103,"));
}

#[test]
fn what_waits_behind_something_that_hangs_has_a_process_of_its_own() {
    let mut office = Office::new();
    office.push([101]);
    office.attend();
    office.say(READY);
    office.attend();
    office.push([102]);
    assert_eq!(office.attend(), NOTHING);
    assert_eq!(office.desk.deadline(), Some(office.now + PATIENCE));
    office.now += PATIENCE;
    assert_eq!(office.attend(), (vec![], vec![102]));
    // What hangs is not touched: it may still be done.
    assert_eq!(office.desk.deadline(), None);
    assert!(!office.desk.is_empty());
}

#[test]
fn another_program_is_not_tried_for_ever() {
    let mut office = Office::new();
    for round in 1..=5 {
        office.push([101]);
        let started = office.attend();
        if round <= ATTEMPTS {
            office.say(b"user\x001\0");
            assert_eq!((started, office.attend()), (NOTHING, (vec![], vec![101])));
        } else {
            assert_eq!(started, (vec![], vec![101]));
        }
    }
    assert_eq!(office.started, ATTEMPTS);
}

#[test]
fn who_does_not_say_that_it_is_a_helper_is_not_waited_for_long() {
    let mut office = Office::new();
    office.push([101]);
    office.attend();
    assert_eq!(office.desk.deadline(), Some(office.now + START));
    office.now += START;
    assert_eq!(office.attend(), (vec![], vec![101]));
}

#[test]
fn who_has_been_a_helper_is_trusted_whatever_a_user_does_to_his() {
    let mut office = Office::new();
    office.push([101]);
    office.attend();
    office.say(READY);
    office.say(b"\0\0\0");
    office.attend();
    for _ in 0..9 {
        office.theirs = None;
        office.push([101]);
        office.attend();
    }
    assert!(office.trust.is_left());
}

#[test]
fn a_helper_with_nothing_to_do_goes() {
    let mut office = Office::new();
    office.push([101]);
    office.attend();
    office.say(READY);
    office.say(b"\0\0\0");
    assert_eq!(office.attend(), (vec![(101, 0)], vec![]));
    assert_eq!(office.desk.deadline(), Some(office.now + IDLE));
    office.now += IDLE;
    assert_eq!(office.attend(), NOTHING);
    assert!(office.desk.is_empty());
}

#[test]
fn what_is_too_long_to_ask_has_a_process_of_its_own() {
    let mut office = Office::new();
    office.push([666, 101]);
    assert_eq!(office.attend(), (vec![], vec![666]));
    assert_eq!(office.question().as_deref(), Some("1:101,"));
}

#[test]
fn a_question_is_bounded() {
    let mut office = Office::new();
    office.push(100..200);
    office.attend();
    let counts: Vec<_> = std::iter::from_fn(|| office.question())
        .map(|question| question.matches(',').count())
        .collect();
    assert_eq!(counts, [IN_A_QUESTION, IN_A_QUESTION]);
}
