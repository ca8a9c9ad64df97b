//! What may be on the disk after the power has gone.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use queue::path::{Area, MessageId};
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
    names: BTreeMap<PathBuf, u64>,
    bytes: BTreeMap<u64, Rc<Vec<u8>>>,
}

impl Image {
    /// Every file: its name, its inode and what it holds.
    pub fn files(&self) -> impl Iterator<Item = (&Path, u64, &[u8])> {
        self.names.iter().map(|(name, &inode)| (name.as_path(), inode, self.contents(inode)))
    }

    /// The inode of that name.
    #[must_use]
    pub fn inode(&self, name: &(impl AsRef<Path> + ?Sized)) -> Option<u64> {
        self.names.get(name.as_ref()).copied()
    }

    /// What an inode holds, with a name or without.
    #[must_use]
    pub fn contents(&self, inode: u64) -> &[u8] {
        self.bytes.get(&inode).map(|bytes| bytes.as_slice()).unwrap_or_default()
    }

    /// What the file of that name holds.
    #[must_use]
    pub fn read(&self, name: &(impl AsRef<Path> + ?Sized)) -> Option<&[u8]> {
        self.names.get(name.as_ref()).map(|&inode| self.contents(inode))
    }

    /// Which files message `id` has.
    #[must_use]
    pub fn of(&self, id: MessageId) -> Files {
        Files::of(Area::ALL.into_iter().filter(|area| self.read(&area.of(id)).is_some()))
    }

    /// Every message that has any file.
    #[must_use]
    pub fn messages(&self) -> Vec<MessageId> {
        let last = |name: &PathBuf| MessageId::parse(name.file_name()?.as_encoded_bytes());
        let mut found: Vec<_> = self.names.keys().filter_map(last).collect();
        found.sort_unstable();
        found.dedup();
        found
    }

    /// The disk again, for those who come after the power cut.
    #[must_use]
    pub fn restart(&self) -> Model {
        Model::holding(self.files().map(|(name, inode, bytes)| (name, inode, bytes.to_vec())))
    }

    /// Makes a change.
    pub(crate) fn apply(&mut self, change: &Change) {
        self.apply_share(change, Share::All);
    }

    fn apply_share(&mut self, change: &Change, share: Share) {
        match change {
            _ if share == Share::None => {}
            Change::Named(name, inode) => {
                self.names.insert(name.clone(), *inode);
            }
            Change::Unnamed(name) => {
                self.names.remove(name);
            }
            Change::Shortened(inode, length) => {
                let length = usize::try_from(*length).expect("a small file");
                Rc::make_mut(self.bytes.entry(*inode).or_default()).resize(length, 0);
            }
            Change::Written { inode, offset, bytes, .. } => {
                let file = Rc::make_mut(self.bytes.entry(*inode).or_default());
                let length = if share == Share::Half { bytes.len() / 2 } else { bytes.len() };
                let start = usize::try_from(*offset).expect("a small file");
                // Where something before it was lost, a file has a hole.
                file.resize(file.len().max(start + length), 0);
                for (to, from) in file[start..].iter_mut().zip(&bytes[..length]) {
                    *to = if share == Share::Zeros { 0 } else { *from };
                }
            }
        }
    }
}

/// What may have become of the changes that are not sure.
struct Chances<'a> {
    model: &'a Model,
    order: Order,
    /// Of each change, what may be there; one alternative if it is sure.
    shares: Vec<&'static [Share]>,
    /// How many alternatives there are for each choice that is to be made.
    choices: Vec<usize>,
}

impl<'a> Chances<'a> {
    fn of(model: &'a Model, order: Order) -> Chances<'a> {
        let shares: Vec<&'static [Share]> = model
            .log
            .iter()
            .map(|entry| match &entry.change {
                _ if entry.is_durable => &[Share::All][..],
                // In a journal, what is durable carries along all that was done before.
                Change::Named(..) | Change::Unnamed(_)
                    if order == Order::Journal && entry.number < model.journal =>
                {
                    &[Share::All]
                }
                // What is not longer than a byte, or lies in blocks that were there, has no zeros.
                Change::Written { bytes, is_over_others: true, .. } if bytes.len() > 1 => {
                    &[Share::None, Share::All, Share::Half]
                }
                Change::Written { is_over_others: false, .. } => {
                    &[Share::None, Share::All, Share::Half, Share::Zeros]
                }
                _ => &[Share::None, Share::All],
            })
            .collect();
        let is_free = |(place, shares): (usize, &&[Share])| {
            shares.len() > 1 && (order == Order::Any || model.log[place].change.name().is_none())
        };
        let mut choices: Vec<usize> = Vec::new();
        if order == Order::Journal {
            let names = (shares.iter().zip(&model.log))
                .filter(|(shares, entry)| shares.len() > 1 && entry.change.name().is_some());
            choices.push(names.count() + 1);
        }
        let free = shares.iter().enumerate().filter(|&one| is_free(one));
        choices.extend(free.map(|(_, shares)| shares.len()));
        Chances { model, order, shares, choices }
    }

    /// The disk if these of the alternatives have come true.
    fn image(&self, chosen: &[usize]) -> Image {
        let mut chosen = chosen.iter().copied();
        let mut kept = if self.order == Order::Journal { chosen.next().unwrap_or(0) } else { 0 };
        let mut image = self.model.base.clone();
        for (entry, shares) in self.model.log.iter().zip(&self.shares) {
            let share = if shares.len() == 1 {
                shares[0]
            } else if self.order == Order::Journal && entry.change.name().is_some() {
                let is_kept = kept > 0;
                kept = kept.saturating_sub(1);
                if is_kept { Share::All } else { Share::None }
            } else {
                shares[chosen.next().unwrap_or(0)]
            };
            image.apply_share(&entry.change, share);
        }
        image
    }
}

impl Model {
    /// What the running system sees.
    #[must_use]
    pub fn seen(&self) -> Image {
        let mut image = self.base.clone();
        self.log.iter().for_each(|entry| image.apply(&entry.change));
        image
    }

    /// Everything that may be on the disk if the power goes now.
    #[must_use]
    pub fn images(&self, order: Order) -> Vec<Image> {
        let chances = Chances::of(self, order);
        let mut chosen = vec![0; chances.choices.len()];
        let mut images = Vec::new();
        loop {
            images.push(chances.image(&chosen));
            // The next in the order of an odometer.
            let next = chosen.iter().zip(&chances.choices).position(|(at, of)| at + 1 < *of);
            let Some(place) = next else { return images };
            chosen[..place].fill(0);
            chosen[place] += 1;
        }
    }

    /// The same, but no more than about `most`, if there are more: nothing lost, everything lost, each
    /// change lost alone and kept alone, and others by a lot that is the same in every run.
    #[must_use]
    pub fn some_images(&self, order: Order, most: usize) -> Vec<Image> {
        let chances = Chances::of(self, order);
        let all = chances.choices.iter().try_fold(1_usize, |all, of| all.checked_mul(*of));
        if all.is_some_and(|all| all <= most) {
            return self.images(order);
        }
        let whole: Vec<usize> = chances.choices.iter().map(|of| 1.min(of - 1)).collect();
        let none = vec![0; whole.len()];
        let mut images = vec![chances.image(&whole), chances.image(&none)];
        let mut lot = Lot(self.now() ^ whole.len() as u64);
        for place in (0..whole.len()).filter(|_| whole.len() * 2 < most) {
            let (mut but_one, mut only_one) = (whole.clone(), none.clone());
            but_one[place] = 0;
            only_one[place] = 1.min(chances.choices[place] - 1);
            images.extend([chances.image(&but_one), chances.image(&only_one)]);
        }
        while images.len() < most {
            let chosen: Vec<usize> = chances.choices.iter().map(|of| lot.below(*of)).collect();
            images.push(chances.image(&chosen));
        }
        images
    }
}

/// Numbers that look drawn by lot (splitmix64).
struct Lot(u64);

impl Lot {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut number = self.0;
        number = (number ^ (number >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        number = (number ^ (number >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((number ^ (number >> 31)) % limit.max(1) as u64).unwrap_or(0)
    }
}
