//! Programs that take further connections: who is busy, who is idle, and who is let go.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// How long a program is kept that has nothing to do.
const PATIENCE: Duration = Duration::from_mins(1);

/// How many connections a program is given, so that nothing piles up in it for ever.
const CONNECTIONS: u32 = 1000;

/// Device and inode of a program's file.
pub type File = (u64, u64);

/// The programs that are kept, by process number. `C` is what leads to one: it is let go by dropping
/// that.
#[derive(Debug)]
pub struct Pool<C> {
    /// So many may be idle.
    most: usize,
    programs: BTreeMap<i32, Program<C>>,
    /// Since when they are idle; the last one has been for the shortest time.
    idle: Vec<(i32, Instant)>,
}

#[derive(Debug)]
struct Program<C> {
    channel: C,
    file: File,
    /// Connections that it is still given, the present one among them.
    left: u32,
}

impl<C> Pool<C> {
    /// Keeps `most` idle programs at most.
    #[must_use]
    pub fn new(most: usize) -> Pool<C> {
        Pool { most, programs: BTreeMap::new(), idle: Vec::new() }
    }

    /// Process `pid` runs the program of `file` for its first connection.
    pub fn started(&mut self, pid: i32, channel: C, file: File) {
        self.programs.insert(pid, Program { channel, file, left: CONNECTIONS });
    }

    /// An idle program, of `file` as it is now, which is busy from now on. Those of a file that has
    /// been replaced are let go.
    pub fn next(&mut self, file: File) -> Option<i32> {
        while let Some((pid, _)) = self.idle.pop() {
            if self.programs.get(&pid).is_some_and(|program| program.file == file) {
                return Some(pid);
            }
            self.programs.remove(&pid);
        }
        None
    }

    /// Whether a program is idle.
    #[must_use]
    pub fn has_idle(&self) -> bool {
        !self.idle.is_empty()
    }

    /// The program says that its connection is over: it is idle from now on, or let go. False if it
    /// had none, which no program says; then it is let go as well.
    pub fn over(&mut self, pid: i32, now: Instant) -> bool {
        let was_busy = !self.idle.iter().any(|&(idle, _)| idle == pid);
        match self.programs.get_mut(&pid) {
            Some(program) if was_busy && program.left > 1 && self.idle.len() < self.most => {
                program.left -= 1;
                self.idle.push((pid, now));
                true
            }
            Some(_) => {
                self.forget(pid);
                was_busy
            }
            None => false,
        }
    }

    /// Process `pid` has ended, or cannot be kept: for its connection nothing changes.
    pub fn forget(&mut self, pid: i32) {
        self.idle.retain(|&(idle, _)| idle != pid);
        self.programs.remove(&pid);
    }

    /// Lets all go: those that are busy when their connection is over.
    pub fn dismiss(&mut self) {
        for (pid, _) in self.idle.drain(..) {
            self.programs.remove(&pid);
        }
        for program in self.programs.values_mut() {
            program.left = 1;
        }
    }

    /// When the first of them is let go for having nothing to do.
    #[must_use]
    pub fn due(&self) -> Option<Instant> {
        self.idle.first().map(|&(_, since)| since + PATIENCE)
    }

    /// Lets those go that have had nothing to do for a minute.
    pub fn expire(&mut self, now: Instant) {
        while let Some(&(pid, _)) = self.idle.first()
            && self.due().is_some_and(|due| due <= now)
        {
            self.forget(pid);
        }
    }

    /// What leads to process `pid`.
    #[must_use]
    pub fn channel(&self, pid: i32) -> Option<&C> {
        self.programs.get(&pid).map(|program| &program.channel)
    }

    /// All of them.
    pub fn channels(&self) -> impl Iterator<Item = (i32, &C)> {
        self.programs.iter().map(|(pid, program)| (*pid, &program.channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FILE: File = (1, 2);

    fn pool(most: usize, busy: &[i32]) -> Pool<()> {
        let mut pool = Pool::new(most);
        for &pid in busy {
            pool.started(pid, (), FILE);
        }
        pool
    }

    fn pids(pool: &Pool<()>) -> Vec<i32> {
        pool.channels().map(|(pid, ())| pid).collect()
    }

    #[test]
    fn who_was_idle_for_the_shortest_time_is_next() {
        let mut pool = pool(2, &[7, 8]);
        let now = Instant::now();
        assert_eq!((pool.has_idle(), pool.next(FILE)), (false, None));
        assert!(pool.over(7, now) && pool.over(8, now));
        assert!(pool.has_idle());
        assert_eq!([pool.next(FILE), pool.next(FILE), pool.next(FILE)], [Some(8), Some(7), None]);
        assert_eq!(pids(&pool), [7, 8]);
    }

    #[test]
    fn no_more_are_kept_than_may_be_idle() {
        let mut pool = pool(1, &[7, 8, 9]);
        let now = Instant::now();
        assert!(pool.over(7, now) && pool.over(8, now));
        assert_eq!(pids(&pool), [7, 9]);
        assert_eq!(pool.next(FILE), Some(7));
    }

    #[test]
    fn who_ends_a_connection_that_it_has_not_is_let_go() {
        let mut pool = pool(5, &[7]);
        let now = Instant::now();
        assert!(pool.over(7, now));
        assert!(!pool.over(7, now));
        assert!(!pool.over(7, now));
        assert!(!pool.over(8, now));
        assert_eq!((pids(&pool), pool.has_idle()), (vec![], false));
    }

    #[test]
    fn a_program_of_another_file_is_let_go() {
        let mut pool = pool(5, &[7]);
        pool.started(8, (), (1, 3));
        let now = Instant::now();
        assert!(pool.over(8, now) && pool.over(7, now));
        assert_eq!(pool.next((1, 3)), Some(8));
        assert_eq!(pids(&pool), [8]);
    }

    #[test]
    fn a_program_has_a_thousand_connections() {
        let mut pool = pool(5, &[7]);
        let now = Instant::now();
        for _ in 1..1000 {
            assert!(pool.over(7, now));
            assert_eq!(pool.next(FILE), Some(7));
        }
        assert!(pool.over(7, now));
        assert_eq!((pids(&pool), pool.next(FILE)), (vec![], None));
    }

    #[test]
    fn who_is_idle_for_a_minute_is_let_go() {
        let mut pool = pool(5, &[7, 8, 9]);
        let now = Instant::now();
        assert_eq!(pool.due(), None);
        assert!(pool.over(8, now) && pool.over(7, now + PATIENCE / 2));
        assert_eq!(pool.due(), Some(now + PATIENCE));
        pool.expire(now + Duration::from_secs(59));
        assert_eq!(pids(&pool), [7, 8, 9]);
        pool.expire(now + PATIENCE);
        assert_eq!(pids(&pool), [7, 9]);
        assert_eq!(pool.due(), Some(now + PATIENCE + PATIENCE / 2));
        pool.expire(now + 2 * PATIENCE);
        assert_eq!((pids(&pool), pool.due()), (vec![9], None));
    }

    #[test]
    fn all_are_let_go_the_busy_ones_when_they_are_done() {
        let mut pool = pool(5, &[7, 8]);
        let now = Instant::now();
        assert!(pool.over(7, now));
        pool.dismiss();
        assert_eq!(pids(&pool), [8]);
        assert!(pool.over(8, now));
        assert_eq!(pids(&pool), []);
    }

    proptest! {
        #[test]
        fn nobody_is_idle_who_is_not_there(
            most in 0..4usize, steps in prop::collection::vec((0..7u8, 0..6i32), 1..200),
        ) {
            let start = Instant::now();
            let mut pool = Pool::new(most);
            for (step, pid) in steps {
                match step {
                    0 if pool.channel(pid).is_none() => pool.started(pid, (), FILE),
                    1 => assert!(pool.next(FILE).is_none_or(|pid| pool.channel(pid).is_some())),
                    2 | 3 => _ = pool.over(pid, start),
                    4 => pool.forget(pid),
                    5 => pool.dismiss(),
                    _ => pool.expire(start + PATIENCE),
                }
                let mut idle: Vec<i32> = pool.idle.iter().map(|&(pid, _)| pid).collect();
                prop_assert!(idle.len() <= most);
                prop_assert!(idle.iter().all(|pid| pool.programs.contains_key(pid)));
                idle.sort_unstable();
                idle.dedup();
                prop_assert_eq!(idle.len(), pool.idle.len());
            }
        }
    }
}
