//! Sending a message on, from a program that a .qmail file runs.

use std::io::{self, Read, Write};

use prog::{Fatal, OrFatal, env};
use queue::home::Home;

use crate::submit::{Submission, Verdict};

const BUFFER: usize = 64 * 1024;

/// Hands `$DTLINE` and `message` to the queue, for `recipients`, with the value of the variable `sender`
/// as sender; gives the process id of the queue program.
pub fn send(sender: &str, recipients: &[&[u8]], message: &mut impl Read) -> Result<u64, Fatal> {
    let set = |name: &str| env::get(name).ok_or_else(|| Fatal::hard((name, " not set")));
    let (from, line) = (set(sender)?, set("DTLINE")?);
    let mut submission = Submission::start(&Home::find()).or_fatal("unable to fork")?;
    let _ = submission.write_all(&line); // trouble shows in the verdict
    copy(message, &mut submission).or_fatal("unable to read message")?;
    submission.envelope(&from, recipients.iter().copied());
    match submission.finish() {
        Verdict::Accepted { qp } => Ok(qp),
        Verdict::Permanent(text) => Err(Fatal::hard(&*text)),
        Verdict::Temporary(text) => Err(Fatal::soft(&*text)),
    }
}

/// Copies what can be read. An error leaves the submission without its end: nothing is queued.
fn copy(message: &mut impl Read, submission: &mut Submission) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER];
    loop {
        match message.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(read) => submission.write_all(buffer.get(..read).unwrap_or_default())?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
