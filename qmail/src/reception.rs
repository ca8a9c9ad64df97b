//! What qmail-local looks at before it delivers: the home, the message, the .qmail file.
//! Source: qmail-local(8), dot-qmail(5).

use std::ffi::OsStr;
use std::fs::Metadata;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use prog::{Exit, Fatal};
use queue::home::PATRN;
use unix::errno::{self, Errno};
use unix::fd::Direct;
use unix::user::is_private_group;
use unix::{Gid, Uid, file};

use crate::deliver::{hard, soft, trouble};
use crate::local::dotqmail::candidates;
use crate::local::environment::Delivery;
use crate::local::loops::{Finding, Search};
use crate::local::plan::DotQmail;
use crate::message::Message;
use crate::spawn::report::code;

/// A larger .qmail file is read in several steps.
const MOST_ROOM: usize = 1 << 20;

/// Root delivers to nobody.
pub fn refuse_root() -> Result<(), Fatal> {
    if Uid::effective().is_root() {
        let text = "Not allowed to perform deliveries as root. (#4.3.0)";
        return Err(Fatal::lines(Exit(code::ROOT), text));
    }
    Ok(())
}

/// A home that is the working directory.
#[derive(Clone, Copy, Debug)]
pub struct Entered {
    /// Whose it is.
    pub owner: Uid,
    /// Its owner is editing.
    pub is_sticky: bool,
}

/// Makes a user's home the working directory, if mail may be delivered there.
pub fn enter_home(Delivery { user, home, .. }: &Delivery) -> Result<Entered, Fatal> {
    std::env::set_current_dir(OsStr::from_bytes(home))
        .map_err(|error| trouble(("Unable to switch to ", home), &error))?;
    let data = std::fs::metadata(".");
    let data = data.map_err(|error| trouble("Unable to stat home directory", &error))?;
    let mode = data.permissions().mode();
    if is_writable(&data, user) {
        return Err(soft("Uh-oh: home directory is writable. (#4.7.0)"));
    }
    Ok(Entered { owner: Uid::from_raw(data.uid()), is_sticky: mode & 0o1000 != 0 })
}

/// True if others than `user` can write to a file that says what happens to the user's mail.
fn is_writable(file: &Metadata, user: &[u8]) -> bool {
    const GROUP: u32 = 0o020;
    match file.mode() & PATRN {
        0 => false,
        // What cannot be told is not trusted.
        GROUP => !is_private_group(Gid::from_raw(file.gid()), user).unwrap_or(false),
        _ => true,
    }
}

/// The report while a home is sticky.
#[must_use]
pub fn is_editing() -> Fatal {
    soft("Home directory is sticky: user is editing his .qmail file. (#4.2.1)")
}

/// The report on a message that cannot be read.
#[must_use]
pub fn unreadable(error: &io::Error) -> Fatal {
    match errno::of(error) {
        Errno::ESPIPE => soft("Unable to rewind message. (#4.3.0)"),
        _ => trouble("Unable to read message", error),
    }
}

/// Fails if the message has been delivered to this address before.
pub fn refuse_loops(delivery: &Delivery, message: &mut Message) -> Result<(), Fatal> {
    let line = delivery.delivered_to();
    let mut search = Search::new(&line);
    message.restart();
    loop {
        let block = message.block().map_err(|error| unreadable(&error))?;
        if block.is_empty() {
            return Ok(());
        }
        match search.look(block) {
            Finding::Absent => return Ok(()),
            Finding::Found => {
                let text = "This message is looping: it already has my Delivered-To line. (#5.4.6)";
                return Err(hard(text));
            }
            Finding::Open => {}
        }
    }
}

/// The .qmail file that counts.
#[derive(Debug)]
pub struct Found<'a> {
    text: Vec<u8>,
    forward_only: bool,
    /// What `$DEFAULT` is to be.
    pub default: Option<&'a [u8]>,
}

impl Found<'_> {
    /// What it says.
    #[must_use]
    pub fn file(&self) -> DotQmail<'_> {
        DotQmail { text: &self.text, forward_only: self.forward_only }
    }
}

/// Looks for it in the working directory. `None` if there is none and the address needs none.
///
/// A file that may be there but cannot be opened never gives way to another.
pub fn find(delivery: &Delivery) -> Result<Option<Found<'_>>, Fatal> {
    for candidate in candidates(&delivery.dash, &delivery.ext) {
        let name = &candidate.name;
        let unopened = |error: &io::Error| trouble(("Unable to open ", name), error);
        let file = match file::open_read(Path::new(OsStr::from_bytes(name))) {
            Ok(file) => file,
            Err(error)
                if errno::is_temporary(errno::of(&error))
                    || error.kind() == io::ErrorKind::PermissionDenied =>
            {
                return Err(unopened(&error));
            }
            Err(_) => continue,
        };
        let data = file.metadata().map_err(|error| unopened(&error))?;
        if !data.is_file() {
            continue;
        }
        let mode = data.permissions().mode();
        if is_writable(&data, &delivery.user) {
            return Err(soft("Uh-oh: .qmail file is writable. (#4.7.0)"));
        }
        // Room for one read more than there should be, which finds the end.
        let room = usize::try_from(data.len()).unwrap_or(0).saturating_add(64);
        let mut text = Vec::with_capacity(room.min(MOST_ROOM));
        Direct(&file)
            .read_to_end(&mut text)
            .map_err(|error| trouble(("Unable to read ", name), &error))?;
        let default = candidate.default;
        return Ok(Some(Found { text, forward_only: mode & 0o100 != 0, default }));
    }
    if delivery.dash.is_empty() {
        return Ok(None);
    }
    Err(hard("Sorry, no mailbox here by that name. (#5.1.1)"))
}
