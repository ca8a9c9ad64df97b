//! qmail-local as a helper: deliveries for one user, several at a time.
//!
//! Only what needs no other process is done here: maildirs, mboxes, and mail that is thrown away. Whatever
//! runs a program or forwards is declined, and so is a .qmail file that is not followed to its end: those
//! deliveries have a process of their own, whose environment and descriptors are nobody else's. So has one to
//! an mbox that another holds, if the others in hand would wait with it.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use prog::Fatal;
use queue::disk::Files;
use unix::Uid;

use crate::deliver::{Work, soft};
use crate::local::dotqmail::Instruction;
use crate::local::environment::Delivery;
use crate::local::plan::{Plan, Tally};
use crate::mailbox;
use crate::maildir::Names;
use crate::maildir::batch::{Batch, Maildirs};
use crate::message::{Buffer, Message};
use crate::reception;
use crate::spawn::helper::{Answer, Question};

/// What is told of a recipient.
const FIELDS: usize = 7;

/// The last field of a recipient whose home may not be the user's any more.
pub const DOUBT: &[u8] = b"?";

/// Makes deliveries.
#[derive(Debug)]
pub struct Clerk {
    /// What is done where no .qmail file says anything.
    default: Vec<u8>,
    /// Whose deliveries they are.
    uid: Uid,
    names: Names,
    maildirs: Files<Maildirs>,
    buffer: Option<Buffer>,
}

/// What a delivery comes to, once the home is known.
enum Course {
    /// It is done, or has failed.
    Over(Answer),
    /// It is to be delivered to this maildir.
    Maildir(Vec<u8>),
}

impl Clerk {
    /// One that follows `default` where no .qmail file says anything.
    #[must_use]
    pub fn new(default: Vec<u8>) -> Clerk {
        let uid = Uid::effective();
        let (names, maildirs) = (Names::default(), Maildirs::on_disk());
        Clerk { default, uid, names, maildirs, buffer: None }
    }

    /// Makes the deliveries that are asked for, and answers for each. A question is the sender, then for each
    /// recipient user, home, local part, dash, extension, domain and [`DOUBT`] or nothing, each ended by a zero
    /// byte. `None` for one that is not that.
    pub fn answer(&mut self, questions: Vec<Question>) -> Option<Vec<Answer>> {
        let mut answers: Vec<Option<Answer>> = Vec::new();
        let mut batch = Batch::default();
        let fields = |question: &Question| memchr::memchr_iter(0, &question.bytes).count();
        let is_alone = questions.iter().map(fields).sum::<usize>() == 1 + FIELDS;
        for Question { bytes, message } in questions {
            let buffer = self.buffer.take().unwrap_or_default();
            let mut message = Message::again(message?, buffer);
            let mut fields = bytes.strip_suffix(&[0])?.split(|&byte| byte == 0).map(<[u8]>::to_vec);
            let sender = fields.next()?;
            while let Some(user) = fields.next() {
                let delivery = Delivery {
                    user,
                    home: fields.next()?,
                    local: fields.next()?,
                    dash: fields.next()?,
                    ext: fields.next()?,
                    host: fields.next()?,
                    sender: sender.clone(),
                };
                let place = answers.len();
                let is_doubtful = fields.next()? == DOUBT;
                let course = match self.enter(&delivery, is_doubtful) {
                    Ok(None) => self.course(&delivery, &mut message, is_alone),
                    Ok(Some(answer)) => Ok(Course::Over(answer)),
                    Err(fatal) => Err(fatal),
                };
                answers.push(match course {
                    Ok(Course::Over(answer)) => Some(answer),
                    Ok(Course::Maildir(name)) => {
                        self.maildir(&mut batch, &delivery, &name, &mut message, place)
                    }
                    Err(fatal) => Some(failed(fatal)),
                });
            }
            self.buffer = Some(message.into_buffer());
        }
        let tally = Tally { files: 1, ..Tally::default() };
        for (place, delivered) in batch.finish(&mut self.maildirs) {
            *answers.get_mut(place)? = Some(match delivered {
                Ok(()) => Answer { code: 0, output: tally.line() },
                Err(trouble) => failed(soft(trouble.text())),
            });
        }
        self.maildirs.places_mut().close();
        answers.into_iter().collect()
    }

    /// Enters the home, which has to be the user's own if that `is_doubtful`; or says why not.
    fn enter(&self, delivery: &Delivery, is_doubtful: bool) -> Result<Option<Answer>, Fatal> {
        if !delivery.home.starts_with(b"/") {
            return Ok(Some(if is_doubtful { Answer::doubtful() } else { Answer::declined() }));
        }
        let entered = reception::enter_home(delivery);
        if is_doubtful && !entered.as_ref().is_ok_and(|home| home.owner == self.uid) {
            return Ok(Some(Answer::doubtful()));
        }
        if entered?.is_sticky {
            return Err(reception::is_editing());
        }
        Ok(None)
    }

    /// Follows what the home says, but for a single maildir.
    fn course(
        &mut self,
        delivery: &Delivery,
        message: &mut Message,
        is_alone: bool,
    ) -> Result<Course, Fatal> {
        reception::refuse_loops(delivery, message)?;
        let found = reception::find(delivery)?;
        let plan = Plan::new(found.as_ref().map(|found| found.file()), &self.default);
        let mut files = Vec::new();
        for instruction in plan.clone() {
            match instruction {
                Ok(Instruction::ForwardOnly | Instruction::Nothing) => {}
                Ok(file @ (Instruction::Maildir(_) | Instruction::Mbox(_))) => files.push(file),
                Ok(Instruction::Forward(_) | Instruction::Program(_)) | Err(_) => {
                    return Ok(Course::Over(Answer::declined()));
                }
            }
        }
        let is_held = |file: &Instruction<'_>| match file {
            Instruction::Mbox(name) => mailbox::is_held(Path::new(OsStr::from_bytes(name))),
            _ => false,
        };
        if !is_alone && files.iter().any(is_held) {
            return Ok(Course::Over(Answer::declined()));
        }
        if let [Instruction::Maildir(name)] = files[..] {
            return Ok(Course::Maildir(name.to_vec()));
        }
        let Ok(file) = message.file().try_clone() else {
            return Ok(Course::Over(Answer::declined()));
        };
        let (exit, output) = Work::new(delivery, None, Message::new(file)).follow(plan)?;
        Ok(Course::Over(Answer { code: exit.0, output }))
    }

    /// Writes a message for a maildir below the working directory; answers at once if that cannot be.
    fn maildir(
        &mut self,
        batch: &mut Batch<Files<Maildirs>, usize>,
        delivery: &Delivery,
        name: &[u8],
        message: &mut Message,
        place: usize,
    ) -> Option<Answer> {
        let (path, dt) = (delivery.return_path(), delivery.delivered_to());
        let name = Path::new(OsStr::from_bytes(name));
        // Known by its whole name, because the next one may be below another home.
        let known = Path::new(OsStr::from_bytes(&delivery.home)).join(name);
        let added = self.maildirs.places_mut().open(known, name).and_then(|maildir| {
            let (disk, names) = (&mut self.maildirs, &mut self.names);
            let added = batch.add(disk, names, maildir, &[&path, &dt], message, place);
            added.map_err(|(_, trouble)| trouble)
        });
        added.err().map(|trouble| failed(soft(trouble.text())))
    }
}

/// The answer for a delivery that cannot be made.
fn failed(fatal: Fatal) -> Answer {
    // Every report on a delivery is lines; anything else would have to be told by its own process.
    fatal
        .into_lines()
        .map_or_else(Answer::declined, |(exit, output)| Answer { code: exit.0, output })
}
