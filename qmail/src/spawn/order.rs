//! What a spawner is to deliver, once it is known that it can be.

use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use unix::{Uid, file};

use super::protocol::Slot;

/// A message that is to be delivered.
#[derive(Debug)]
pub struct Order {
    /// The message, open for reading at its start.
    pub message: File,
    /// Where it lies, to open it again.
    pub file: Letter,
    /// The envelope sender.
    pub sender: Vec<u8>,
    /// To whom: one, unless the command had the wide form.
    pub recipients: Vec<Recipient>,
}

/// One of the recipients of an order.
#[derive(Clone, Debug)]
pub struct Recipient {
    /// What the report goes to.
    pub slot: Slot,
    /// The address before its last `@`.
    pub local: Vec<u8>,
    /// The address behind it.
    pub domain: Vec<u8>,
}

/// A message's file, below the working directory.
#[derive(Clone, Debug)]
pub struct Letter {
    pub(super) path: PathBuf,
    /// The account that every message belongs to.
    pub(super) owner: Uid,
}

impl Letter {
    /// Opens it for reading at its start, or gives the report that says why not.
    ///
    /// Each program that may read a message has an open file of its own: the place in it is shared.
    pub fn open(&self) -> Result<File, &'static str> {
        let message = file::open_read(&self.path)
            .map_err(|_| "Zqmail-spawn unable to open message. (#4.3.0)\n")?;
        let stat =
            message.metadata().map_err(|_| "Zqmail-spawn unable to fstat message. (#4.3.0)\n")?;
        if !stat.is_file() {
            return Err("ZSorry, message has wrong type. (#4.3.5)\n");
        }
        // Whoever else could put files there could have any file of root's delivered.
        if stat.uid() != self.owner.as_raw() {
            return Err("ZSorry, message has wrong owner. (#4.3.5)\n");
        }
        Ok(message)
    }
}
