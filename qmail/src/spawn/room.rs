//! How many deliveries a spawner has descriptors for.

use prog::Chain;
use queue::home::SPAWN;
use unix::limit::{self, Resource};

/// Deliveries at a time, where there are descriptors for so many.
const MOST: u16 = 1000;

/// Descriptors that a delivery needs at most, and those that a spawner needs anyway.
const DESCRIPTORS: (u64, u64) = (3, 40);

/// How many deliveries at a time there is room for, and the limit of descriptors that children are to
/// find as it was.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Room {
    most: Option<u16>,
    before: Option<(u64, u64)>,
}

impl Room {
    /// Makes room for as many as can be; gives how many.
    pub(super) fn make(&mut self) -> u16 {
        if let Some(most) = self.most {
            return most;
        }
        let (each, ours) = DESCRIPTORS;
        let wanted = u64::from(MOST) * each + ours;
        let mut limit = 0;
        if let Ok((soft, hard)) = limit::get(Resource::RLIMIT_NOFILE) {
            limit = soft;
            let better = wanted.min(hard);
            if soft < better && limit::set(Resource::RLIMIT_NOFILE, better, hard).is_ok() {
                self.before = Some((soft, hard));
                limit = better;
            }
        }
        let most = limit.saturating_sub(ours) / each;
        let most = u16::try_from(most).unwrap_or(MOST).clamp(u16::from(SPAWN), MOST);
        *self.most.insert(most)
    }

    /// Gives a child the limit that it would have without us.
    pub(super) fn restore(&self, chain: &mut Chain) {
        if let Some((soft, hard)) = self.before {
            chain.limit(Resource::RLIMIT_NOFILE, soft, hard);
        }
    }
}
