//! Helpers: children of qmail-lspawn that do one piece of work after the other.
//!
//! A helper finds a channel as descriptor [`CHANNEL`], on which it first says [`READY`]. Then it gets
//! questions, each a message, some with the open file of a mail message; it answers each thing that is
//! asked, in the order in which they are asked, in messages of one or more answers: the exit code that a
//! program of its own would have ended with, the length of its output in two bytes (the lower one first),
//! the output. It ends when the channel does.
//!
//! Whoever does not say [`READY`] is another program under the same name, which knows nothing of this.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use prog::Chain;
use unix::process::SpawnError;
use unix::{fd, poll, socket};

use super::desk::Errand;

/// The option that makes a program a helper.
pub const OPTION: &str = "-s";

/// The descriptor of the channel.
pub const CHANNEL: i32 = 3;

/// What a helper says first. The number is of the questions' form: a program of another form is no helper.
pub const READY: &[u8] = b"ready 2";

/// No exit code: what is asked needs a process of its own.
pub const DECLINED: u8 = 255;

/// No exit code: what the question takes for granted is not so (any more).
pub const DOUBTFUL: u8 = 254;

/// The longest question, and the longest message of answers, in bytes.
pub const LONGEST: usize = 32 * 1024;

/// Questions that a helper looks at together.
pub const TOGETHER: usize = 64;

/// More output than this is not told by a helper.
const LONGEST_OUTPUT: usize = 4000;

/// What was asked for has been done, or cannot be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// The exit code, or [`DECLINED`].
    pub code: u8,
    /// What a program of its own would have printed.
    pub output: Vec<u8>,
}

impl Answer {
    /// It needs a process of its own.
    #[must_use]
    pub fn declined() -> Answer {
        Answer { code: DECLINED, output: Vec::new() }
    }

    /// It rests on something that is not so.
    #[must_use]
    pub fn doubtful() -> Answer {
        Answer { code: DOUBTFUL, output: Vec::new() }
    }

    fn push(&self, out: &mut Vec<u8>) {
        let (code, output) = match u16::try_from(self.output.len()) {
            Ok(length) if self.output.len() <= LONGEST_OUTPUT => (self.code, length),
            _ => (DECLINED, 0),
        };
        out.push(code);
        out.extend(output.to_le_bytes());
        out.extend(self.output.iter().take(output.into()));
    }

    /// The answers of a message; `None` if it is not made of whole ones.
    fn parse_all(mut message: &[u8]) -> Option<Vec<Answer>> {
        let mut answers = Vec::new();
        while !message.is_empty() {
            let ([code, low, high], rest) = message.split_first_chunk()?;
            let length = usize::from(u16::from_le_bytes([*low, *high]));
            let (output, rest) = rest.split_at_checked(length)?;
            answers.push(Answer { code: *code, output: output.to_vec() });
            message = rest;
        }
        Some(answers)
    }
}

/// A question as a helper gets it.
#[derive(Debug)]
pub struct Question {
    /// What is asked.
    pub bytes: Vec<u8>,
    /// The mail message that it is about.
    pub message: Option<File>,
}

/// What a helper does: answers questions that have come together until the channel ends. `None` ends it
/// before.
pub fn attend(mut answer: impl FnMut(Vec<Question>) -> Option<Vec<Answer>>) -> io::Result<()> {
    let channel = fd::take(CHANNEL)?;
    fd::close_on_exec(&channel, true)?;
    socket::send_now(&channel, READY, None)?;
    let mut buffer = vec![0; LONGEST];
    loop {
        poll::until(&channel, false, None)?;
        let mut questions = Vec::new();
        let mut is_end = false;
        while questions.len() < TOGETHER {
            match socket::take_over(&channel, &mut buffer) {
                Ok((0, _)) => is_end = true,
                Ok((length, given)) => {
                    let bytes = buffer.get(..length).unwrap_or_default().to_vec();
                    questions.push(Question { bytes, message: given.map(File::from) });
                    continue;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
            break;
        }
        if is_end {
            return Ok(()); // nobody hears the answers
        }
        let Some(answers) = answer(questions) else { return Ok(()) };
        let mut out = Vec::new();
        for answer in answers {
            if out.len() + LONGEST_OUTPUT + 3 > LONGEST {
                send(&channel, &out)?;
                out.clear();
            }
            answer.push(&mut out);
        }
        if !out.is_empty() {
            send(&channel, &out)?;
        }
    }
}

fn send(channel: &OwnedFd, message: &[u8]) -> io::Result<()> {
    loop {
        match socket::send_now(channel, message, None) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                poll::until(channel, true, None)?;
            }
            other => return other,
        }
    }
}

/// A helper as qmail-lspawn sees it. `T` is what it keeps of each thing that it asks.
#[derive(Debug)]
pub struct Helper<T> {
    channel: OwnedFd,
    asked: VecDeque<T>,
    is_ready: bool,
    /// What it says is read into this.
    buffer: Vec<u8>,
}

/// What a helper has said.
#[derive(Debug)]
pub struct Heard<T> {
    /// Answers.
    pub answers: Vec<(T, Answer)>,
    /// It has ended, or talks nonsense: what it has not answered.
    pub lost: Option<Vec<T>>,
}

impl<T> Helper<T> {
    /// Starts one. `null` is what it has instead of the descriptors 0, 1 and 2.
    pub fn start(mut chain: Chain, null: &impl AsFd) -> Result<Helper<T>, SpawnError> {
        let none = |error: io::Error| SpawnError::Fork(unix::errno::of(&error));
        let (channel, theirs) = socket::channel().map_err(none)?;
        for number in 0..CHANNEL {
            chain.descriptor(number, fd::duplicate(null, CHANNEL + 1).map_err(none)?);
        }
        chain.descriptor(CHANNEL, theirs);
        chain.launch()?;
        Ok(Helper::on(channel))
    }

    /// One at the other end of a channel.
    pub(super) fn on(channel: OwnedFd) -> Helper<T> {
        let buffer = vec![0; LONGEST];
        Helper { channel, asked: VecDeque::new(), is_ready: false, buffer }
    }

    /// The channel, to wait for.
    #[must_use]
    pub fn channel(&self) -> BorrowedFd<'_> {
        self.channel.as_fd()
    }

    /// How much it has not answered.
    #[must_use]
    pub fn load(&self) -> usize {
        self.asked.len()
    }

    /// True if it has answered everything.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.asked.is_empty()
    }

    /// True if it has shown that it is a helper.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.is_ready
    }

    /// Asks `items`, all in one question, and with the first one's message. They are given back if that
    /// cannot be.
    pub fn ask(&mut self, question: &[u8], items: Vec<T>) -> Result<(), Vec<T>>
    where
        T: Errand,
    {
        let message = items.first().and_then(Errand::message);
        match socket::send_now(&self.channel, question, message) {
            Ok(()) => {
                self.asked.extend(items);
                Ok(())
            }
            Err(_) => Err(items),
        }
    }

    /// Gives back what it has not answered.
    pub fn give_back(&mut self) -> impl Iterator<Item = T> {
        self.asked.drain(..)
    }

    /// Hears what it has to say.
    pub fn hear(&mut self) -> Heard<T> {
        let mut answered = Vec::new();
        loop {
            // With everything answered nothing more is to be said; its end is heard in time.
            if self.asked.is_empty() && !answered.is_empty() {
                return Heard { answers: answered, lost: None };
            }
            let message = match socket::take_over(&self.channel, &mut self.buffer) {
                Ok((0, _)) => break,
                Ok((length, None)) => self.buffer.get(..length).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Heard { answers: answered, lost: None };
                }
                // It ended before it had read everything. What it said before that comes next.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => continue,
                Ok((_, Some(_))) | Err(_) => break,
            };
            if !self.is_ready {
                if message != READY {
                    break;
                }
                self.is_ready = true;
                continue;
            }
            let answers = Answer::parse_all(message);
            let Some(answers) = answers.filter(|answers| answers.len() <= self.asked.len()) else {
                break;
            };
            answered.extend(self.asked.drain(..answers.len()).zip(answers));
        }
        Heard { answers: answered, lost: Some(self.asked.drain(..).collect()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    impl Errand for u32 {
        fn goes_with(&self, _: &u32) -> bool {
            true
        }
        fn push_head(&self, _: &mut Vec<u8>) {}
        fn push(&self, _: &mut Vec<u8>) {}
        fn message(&self) -> Option<BorrowedFd<'_>> {
            None
        }
    }

    fn answer(code: u8, output: &[u8]) -> Answer {
        Answer { code, output: output.to_vec() }
    }

    /// A helper whose other end is the test.
    fn helper() -> (Helper<u32>, OwnedFd) {
        let (channel, theirs) = socket::channel().unwrap();
        (Helper::on(channel), theirs)
    }

    /// What it answers, and what is lost.
    fn hear(helper: &mut Helper<u32>) -> (Vec<(u32, u8)>, Option<Vec<u32>>) {
        let Heard { answers, lost } = helper.hear();
        (answers.into_iter().map(|(item, answer)| (item, answer.code)).collect(), lost)
    }

    #[test]
    fn answers_belong_to_what_was_asked_first() {
        let (mut helper, theirs) = helper();
        helper.ask(b"a", vec![1, 2]).unwrap();
        helper.ask(b"b", vec![3]).unwrap();
        socket::send_now(&theirs, READY, None).unwrap();
        socket::send_now(&theirs, b"\x00\x02\x00ok", None).unwrap();
        assert_eq!(hear(&mut helper), (vec![(1, 0)], None));
        socket::send_now(&theirs, b"\x64\x00\x00\xff\x00\x00", None).unwrap();
        assert_eq!(hear(&mut helper), (vec![(2, 100), (3, DECLINED)], None));
        assert!(helper.is_idle() && helper.is_ready());
    }

    #[test]
    fn what_is_not_answered_at_the_end_is_given_back() {
        let (mut helper, theirs) = helper();
        helper.ask(b"a", vec![1, 2]).unwrap();
        socket::send_now(&theirs, READY, None).unwrap();
        socket::send_now(&theirs, b"\0\0\0", None).unwrap();
        drop(theirs);
        assert_eq!(hear(&mut helper), (vec![(1, 0)], Some(vec![2])));
        assert!(helper.ask(b"a", vec![3]).is_err());
    }

    #[test]
    fn who_talks_nonsense_is_lost() {
        let nonsense: [&[u8]; 4] = [b"\0\x05\0ok", b"\0\0\0\0\0\0", b"\0", b"ready"];
        for message in nonsense {
            let (mut helper, theirs) = helper();
            helper.ask(b"a", vec![1]).unwrap();
            socket::send_now(&theirs, READY, None).unwrap();
            socket::send_now(&theirs, message, None).unwrap();
            assert_eq!(hear(&mut helper), (vec![], Some(vec![1])), "{message:?}");
        }
        let (mut helper, theirs) = helper();
        helper.ask(b"a", vec![1]).unwrap();
        socket::send_now(&theirs, b"did 0+0+0\n", None).unwrap();
        assert_eq!(hear(&mut helper), (vec![], Some(vec![1])));
        assert!(!helper.is_ready());
    }

    #[test]
    fn too_much_output_needs_a_process_of_its_own() {
        let mut out = Vec::new();
        answer(100, &[b'x'; 5000]).push(&mut out);
        assert_eq!(Answer::parse_all(&out), Some(vec![Answer::declined()]));
    }

    proptest! {
        #[test]
        fn answers_read_back(wanted: Vec<(u8, Vec<u8>)>) {
            let wanted: Vec<_> = wanted.iter().map(|(code, text)| answer(*code, text)).collect();
            let mut out = Vec::new();
            for answer in &wanted {
                answer.push(&mut out);
            }
            prop_assert_eq!(Answer::parse_all(&out), Some(wanted));
        }

        #[test]
        fn any_message_is_read_or_refused(message: Vec<u8>) {
            let _ = Answer::parse_all(&message); // it is enough that it comes back
        }
    }
}
