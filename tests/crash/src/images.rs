//! What may be on the disk after the power has gone.

use std::collections::BTreeMap;

use queue::path::{Area, MessageId, Name};
use queue::state::Files;

use crate::model::{Change, Model};

/// What a file system keeps of the names that were changed and not synced. Of bytes, each keeps what
/// it likes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Any of them: what POSIX allows.
    Any,
    /// A first part of them, in the order they were made: a journal of names, as in ext4 and xfs.
    Journal,
}

/// How much of a change has reached the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    None,
    All,
    /// The first half of the bytes.
    Half,
    /// The length, but zeros for bytes.
    Zeros,
}

/// The contents of a disk.
#[derive(Clone, Debug, Default)]
pub struct Image {
    names: Vec<(Name, u64)>,
    bytes: BTreeMap<u64, Vec<u8>>,
}

impl Image {
    /// Every file: its name, its inode and what it holds.
    pub fn files(&self) -> impl Iterator<Item = (Name, u64, &[u8])> {
        self.names.iter().map(|&(name, inode)| {
            (name, inode, self.bytes.get(&inode).map(Vec::as_slice).unwrap_or_default())
        })
    }

    /// What the file of that name holds.
    #[must_use]
    pub fn read(&self, name: &Name) -> Option<&[u8]> {
        self.files().find(|(known, ..)| known == name).map(|(_, _, bytes)| bytes)
    }

    /// Which files message `id` has.
    #[must_use]
    pub fn of(&self, id: MessageId) -> Files {
        Files::of(Area::ALL.into_iter().filter(|area| self.read(&area.of(id)).is_some()))
    }

    /// Every message that has any file.
    #[must_use]
    pub fn messages(&self) -> Vec<MessageId> {
        let last = |name: &Name| {
            let number = name.as_bytes().rsplit(|&byte| byte == b'/').next()?;
            MessageId::parse(number)
        };
        let mut found: Vec<_> = self.names.iter().filter_map(|(name, _)| last(name)).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The disk again, for those who come after the power cut.
    #[must_use]
    pub fn restart(&self) -> Model {
        Model::holding(self.files().map(|(name, inode, bytes)| (name, inode, bytes.to_vec())))
    }

    fn apply(&mut self, change: &Change, share: Share) {
        match (change, share) {
            (_, Share::None) => {}
            (Change::Named(name, inode), _) => self.names.push((*name, *inode)),
            (Change::Unnamed(name), _) => self.names.retain(|(known, _)| known != name),
            (Change::Emptied(inode), _) => self.bytes.entry(*inode).or_default().clear(),
            (Change::Appended(inode, bytes), share) => {
                let file = self.bytes.entry(*inode).or_default();
                match share {
                    Share::Half => file.extend(bytes.iter().take(bytes.len() / 2)),
                    Share::Zeros => file.extend(bytes.iter().map(|_| 0)),
                    Share::None | Share::All => file.extend(bytes),
                }
            }
        }
    }
}

impl Model {
    /// Everything that may be on the disk if the power goes now.
    #[must_use]
    pub fn images(&self, order: Order) -> Vec<Image> {
        let mut images = vec![(Image::default(), true)];
        for (place, (change, durable)) in self.log.iter().enumerate() {
            let named = matches!(change, Change::Named(..) | Change::Unnamed(_));
            // In a journal, what is durable carries along all that was done before.
            let later = || {
                self.log.iter().skip(place).any(|(later, durable)| {
                    *durable && matches!(later, Change::Named(..) | Change::Unnamed(_))
                })
            };
            let sure = *durable || (named && order == Order::Journal && later());
            let shares: &[Share] = match change {
                _ if sure => &[Share::All],
                Change::Appended(..) => &[Share::None, Share::All, Share::Half, Share::Zeros],
                _ => &[Share::None, Share::All],
            };
            images = images
                .into_iter()
                .flat_map(|(image, journal)| {
                    shares.iter().filter_map(move |&share| {
                        let lost = named && share == Share::None;
                        // Behind the first name that was lost, a journal has no more.
                        if named && order == Order::Journal && !journal && share == Share::All {
                            return None;
                        }
                        let mut image = image.clone();
                        image.apply(change, share);
                        Some((image, journal && !lost))
                    })
                })
                .collect();
        }
        images.into_iter().map(|(image, _)| image).collect()
    }
}
