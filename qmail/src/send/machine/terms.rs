//! What the queue manager hears and says.

use queue::path::{Area, MessageId};
use queue::sweep::Request;

use crate::send::todo::{Preprocessed, Single, Written};
use crate::send::{Channel, Channels};

/// What happens to the queue manager.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// qmail-clean answers requests.
    Answers(Vec<u8>),
    /// It begins, with these messages in the queue, and some that could not be looked at.
    Begin(Vec<Found>, Vec<MessageId>),
    /// A message has had its bounce, or needs none; or it could not be sent.
    Bounced(MessageId, bool),
    /// qmail-clean has ended.
    CleanerGone,
    /// A message's sender is forgotten; or it could not be.
    Ended(MessageId, bool),
    /// Messages of one directory of `mess/`.
    InMess(Vec<MessageId>),
    /// To end when no delivery is under way any more (SIGTERM).
    Leave,
    /// The control files say this.
    Limits(Limits),
    /// `todo/` has been listed, or could not be. True if the trigger is being watched.
    Listed(Option<Vec<MessageId>>, bool),
    /// A message has been looked at again.
    Looked(MessageId, Look),
    /// The file of recipients, or in that other area of the sender, could not be opened.
    NotOpened(Channel, Area),
    /// The file of recipients could not be read.
    NotRead(Channel),
    /// A file of recipients has been opened.
    Opened {
        /// On which channel.
        channel: Channel,
        /// The message's birth, in seconds since 1970.
        birth: i64,
        /// Its sender.
        sender: Vec<u8>,
    },
    /// Messages whose files nobody needs.
    Orphans(Vec<MessageId>),
    /// Messages whose envelopes may be removed; some that were only read; and those of which nothing is to be
    /// believed, whose envelopes are to be removed.
    Preprocessed(Vec<Preprocessed>, Vec<Single>, Vec<MessageId>),
    /// The trigger has been pulled.
    Pulled,
    /// The next bytes of a file of recipients, and whether they are the last.
    Read(Channel, Vec<u8>, bool),
    /// A file of recipients is gone; or it could not be removed.
    Removed(Channel, MessageId, bool),
    /// A spawner reports on deliveries.
    Reports(Channel, Vec<u8>),
    /// The control files are to be read again (SIGHUP).
    Reread,
    /// There is a new message with a number that was free.
    Reused(MessageId),
    /// Every message is to be tried now (SIGALRM).
    RunNow,
    /// A spawner has ended.
    SpawnerGone(Channel),
    /// What has happened is told; time for one portion of everything else.
    Turn,
    /// What there is of messages that were to be preprocessed after all.
    WrittenDown(Vec<(MessageId, Written)>),
}

/// What is to be done. Those that say so are answered by an event, at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Ask qmail-clean, which answers when it has done it.
    Ask(Request),
    /// Send what the message has in `bounce/`; answer with [`Event::Bounced`].
    Bounce(MessageId),
    /// See whether there is an envelope of this number, whose message is gone; answer with [`Event::Reused`] if so.
    Check(MessageId),
    /// Close the channel's file of recipients.
    Close(Channel),
    /// Add a recipient's failure to the message's bounce, for good.
    Complain {
        /// The message.
        id: MessageId,
        /// The recipient's channel.
        channel: Channel,
        /// The recipient.
        recipient: Vec<u8>,
        /// Why.
        report: Vec<u8>,
    },
    /// Log the message's end and remove its sender; answer with [`Event::Ended`].
    End(MessageId),
    /// See which of these messages of `mess/` are nobody's; answer with [`Event::Orphans`].
    Examine(Vec<MessageId>),
    /// End the process.
    Exit,
    /// Write these lines.
    Log(Vec<u8>),
    /// See which files a message has; answer with [`Event::Looked`].
    Look(MessageId),
    /// Mark a recipient as done.
    Mark(Channel, MessageId, u64),
    /// Open a message's file of recipients for a pass; answer with [`Event::Opened`] or
    /// [`Event::NotOpened`].
    Open(Channel, MessageId),
    /// Say that the message has ended, which was delivered straight from `todo/` and is gone from there.
    Over(MessageId),
    /// Preprocess messages, or only read those that have a single recipient, so many of each channel; answer with
    /// [`Event::Preprocessed`].
    Preprocess(Vec<MessageId>, Channels<usize>),
    /// Read on in the channel's file of recipients; answer with [`Event::Read`] or
    /// [`Event::NotRead`].
    Read(Channel),
    /// Remove a file of recipients; if that cannot be, mark the last recipient as done. Answer with
    /// [`Event::Removed`].
    Remove(Channel, MessageId, Option<u64>),
    /// Read the control files again; answer with [`Event::Limits`] if that can be.
    Reread,
    /// Note on the file of recipients when it is due, in seconds since 1970.
    Save(Channel, MessageId, i64),
    /// Watch the trigger anew and list `todo/`; answer with [`Event::Listed`].
    Scan,
    /// Send commands to a spawner.
    Send(Channel, Vec<u8>),
    /// List the directory of `mess/` with this number; answer with [`Event::InMess`].
    Sweep(u64),
    /// Preprocess these after all; answer with [`Event::WrittenDown`].
    WriteDown(Vec<Single>),
}

/// A message in the queue that is preprocessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Found {
    /// Which.
    pub id: MessageId,
    /// When it is due on each channel that it has recipients on, in seconds since 1970.
    pub due: Channels<Option<i64>>,
    /// True if it has a file in `bounce/`.
    pub has_bounce: bool,
}

/// What a look at a message showed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// It is to be delivered.
    Found(Found),
    /// It is not there, or not preprocessed.
    Gone,
    /// It could not be seen.
    Trouble,
}

/// Numbers out of control files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// How many deliveries at a time.
    pub concurrency: Channels<u16>,
    /// How many recipients of one message may share a connection to their host.
    pub together: u16,
    /// How long recipients are tried, in seconds.
    pub lifetime: u64,
}
