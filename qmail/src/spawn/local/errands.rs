//! What helpers are asked: who controls a recipient, and to deliver to one.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::ffi::OsStrExt;
use std::rc::Rc;

use crate::serving::DOUBT;
use crate::spawn::desk::Errand;
use crate::spawn::known::Round;
use crate::spawn::serve::{Letter, Recipient};
use crate::users::Owner;

/// What the recipients of a command have in common.
#[derive(Debug)]
pub(super) struct Mail {
    pub(super) message: File,
    pub(super) file: Letter,
    pub(super) sender: Vec<u8>,
}

/// A recipient of a message.
#[derive(Debug)]
pub struct Task {
    pub(super) recipient: Recipient,
    pub(super) mail: Rc<Mail>,
    /// When it is that qmail-getpw is asked, if the answer is to be remembered.
    pub(super) round: Option<Round>,
}

/// A recipient of a message, and whose it is.
#[derive(Debug)]
pub(super) struct Delivery {
    pub(super) task: Task,
    pub(super) owner: Owner,
    pub(super) source: Source,
}

/// How an owner is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// It has just been found out.
    Asked,
    /// From an earlier question: qmail-local is to see that it is the owner's home.
    Remembered,
}

impl Errand for Task {
    fn goes_with(&self, _: &Task) -> bool {
        true
    }

    fn push_head(&self, _: &mut Vec<u8>) {}

    fn push(&self, question: &mut Vec<u8>) {
        push_fields(question, &[&self.recipient.local]);
    }

    fn message(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}

impl Errand for Delivery {
    fn goes_with(&self, other: &Delivery) -> bool {
        Rc::ptr_eq(&self.task.mail, &other.task.mail)
    }

    fn push_head(&self, question: &mut Vec<u8>) {
        push_fields(question, &[&self.task.mail.sender]);
    }

    fn push(&self, question: &mut Vec<u8>) {
        let Owner { user, home, dash, ext, .. } = &self.owner;
        let Recipient { local, domain, .. } = &self.task.recipient;
        let home = home.as_os_str().as_bytes();
        let doubt: &[u8] = if self.source == Source::Remembered { DOUBT } else { b"" };
        push_fields(question, &[user, home, local, dash, ext, domain, doubt]);
    }

    fn message(&self) -> Option<BorrowedFd<'_>> {
        Some(self.task.mail.message.as_fd())
    }
}

fn push_fields(question: &mut Vec<u8>, fields: &[&[u8]]) {
    for field in fields {
        question.extend_from_slice(field);
        question.push(0);
    }
}
