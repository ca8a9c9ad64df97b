//! The 18-byte supervise/status, reader and writer.
//!
//! 12 bytes of TAI64N: when the service last came up or went down (seconds as a big-endian u64 that
//! counts from 2^62 + 10 at the epoch, nanoseconds as a big-endian u32); 4 bytes: its process number,
//! little-endian, 0 for none; 1 byte: not 0 if it is paused; 1 byte: what is wanted, `u` for up, `d` for
//! down, anything else for once. Other supervisors append more. Source: as observed (doc/originals.md).

use std::fmt::Write;

use unix::clock::Wall;

/// Bytes of a status.
pub const SIZE: usize = 18;

/// The label of the epoch.
const EPOCH: i128 = (1 << 62) + 10;

/// What a supervise tells about its service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status {
    /// When it last came up or went down.
    pub since: Wall,
    /// Whether it runs.
    pub service: Service,
    /// What the administrator wants.
    pub want: Want,
}

/// Whether a service runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// It does not.
    Down,
    /// It does.
    Up {
        /// Its process number.
        pid: u32,
        /// It has been stopped by a `p` and not continued since.
        paused: bool,
    },
}

/// What an administrator wants of a service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Want {
    /// Not to run.
    Down,
    /// To run until it ends by itself.
    Once,
    /// To run, and to be started again when it ends.
    Up,
}

impl Status {
    /// The status as it stands in the file.
    #[must_use]
    pub fn write(&self) -> [u8; SIZE] {
        let seconds = i128::from(self.since.seconds) + EPOCH;
        let seconds = u64::try_from(seconds.max(0)).unwrap_or(u64::MAX).to_be_bytes();
        let (pid, is_paused) = match self.service {
            Service::Down => (0, false),
            Service::Up { pid, paused } => (pid, paused),
        };
        let want = match self.want {
            Want::Down => b'd',
            Want::Once => 0,
            Want::Up => b'u',
        };
        let mut bytes = [0; SIZE];
        let fields = seconds
            .into_iter()
            .chain(self.since.nanos.to_be_bytes())
            .chain(pid.to_le_bytes())
            .chain([u8::from(is_paused), want]);
        for (byte, field) in bytes.iter_mut().zip(fields) {
            *byte = field;
        }
        bytes
    }

    /// The status at the beginning of a file; `None` if the file is too short to hold one.
    #[must_use]
    pub fn read(file: &[u8]) -> Option<Status> {
        let (seconds, rest) = file.split_first_chunk()?;
        let (nanos, rest) = rest.split_first_chunk()?;
        let (pid, rest) = rest.split_first_chunk()?;
        let [paused, want, ..] = *rest else { return None };
        let seconds = i128::from(u64::from_be_bytes(*seconds)) - EPOCH;
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        let service = match u32::from_le_bytes(*pid) {
            0 => Service::Down,
            pid => Service::Up { pid, paused: paused != 0 },
        };
        let want = match want {
            b'd' => Want::Down,
            b'u' => Want::Up,
            _ => Want::Once,
        };
        Some(Status { since: Wall { seconds, nanos: u32::from_be_bytes(*nanos) }, service, want })
    }

    /// What svstat says behind the service's name; `normally` is up, or down for a service with a file
    /// named down. Seconds are never negative, whatever the clock did. Source: svstat(8).
    #[must_use]
    pub fn words(&self, normally: Normally, now: Wall) -> String {
        let seconds = now.seconds.saturating_sub(self.since.seconds).max(0);
        let mut words = match self.service {
            Service::Down => format!("down {seconds} seconds"),
            Service::Up { pid, .. } => format!("up (pid {pid}) {seconds} seconds"),
        };
        let more = match (self.service, normally) {
            (Service::Up { .. }, Normally::Down) => ", normally down",
            (Service::Down, Normally::Up) => ", normally up",
            _ => "",
        };
        let paused = match self.service {
            Service::Up { paused: true, .. } => ", paused",
            _ => "",
        };
        let want = match (self.service, self.want) {
            (Service::Down, Want::Up) => ", want up",
            (Service::Up { .. }, Want::Down) => ", want down",
            _ => "",
        };
        let _ = write!(words, "{more}{paused}{want}"); // into a String, which takes everything
        words
    }
}

/// What a service does when its supervise starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Normally {
    /// It waits for a command.
    Down,
    /// It starts.
    Up,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What an original was seen to write.
    const RUNNING: [u8; SIZE] = *b"\x40\0\0\0\x6b\x00\xe7\xa3\x16\xca\xe4\x6c\xf9\x53\x01\x00\x00u";

    const UP: Service = Service::Up { pid: 7, paused: false };

    fn words(service: Service, want: Want, normally: Normally) -> String {
        let since = Wall { seconds: 1000, nanos: 5 };
        Status { since, service, want }.words(normally, Wall { seconds: 1009, nanos: 0 })
    }

    #[test]
    fn an_original_is_understood() {
        let status = Status::read(&RUNNING).unwrap();
        let since = Wall { seconds: 0x6b00_e7a3 - 10, nanos: 0x16ca_e46c };
        let service = Service::Up { pid: 0x153f9, paused: false };
        assert_eq!(status, Status { since, service, want: Want::Up });
        assert_eq!(status.write(), RUNNING);
    }

    #[test]
    fn what_others_append_is_ignored_and_a_short_file_is_no_status() {
        let long = [&RUNNING[..], &[3, 0]].concat();
        assert_eq!(Status::read(&long), Status::read(&RUNNING));
        assert_eq!(Status::read(&RUNNING[..SIZE - 1]), None);
        assert_eq!(Status::read(b""), None);
    }

    #[test]
    fn what_differs_from_normal_is_said() {
        assert_eq!(words(UP, Want::Up, Normally::Up), "up (pid 7) 9 seconds");
        assert_eq!(words(UP, Want::Once, Normally::Up), "up (pid 7) 9 seconds");
        assert_eq!(words(UP, Want::Up, Normally::Down), "up (pid 7) 9 seconds, normally down");
        assert_eq!(words(UP, Want::Down, Normally::Up), "up (pid 7) 9 seconds, want down");
        let paused = Service::Up { pid: 7, paused: true };
        let all = "up (pid 7) 9 seconds, normally down, paused, want down";
        assert_eq!(words(paused, Want::Down, Normally::Down), all);
        assert_eq!(words(Service::Down, Want::Down, Normally::Down), "down 9 seconds");
        assert_eq!(words(Service::Down, Want::Once, Normally::Up), "down 9 seconds, normally up");
        let wanted = "down 9 seconds, normally up, want up";
        assert_eq!(words(Service::Down, Want::Up, Normally::Up), wanted);
    }

    #[test]
    fn a_time_still_to_come_is_now() {
        for seconds in [2000, i64::MAX] {
            let since = Wall { seconds, nanos: 0 };
            let status = Status { since, service: Service::Down, want: Want::Down };
            let now = Wall { seconds: 1000, nanos: 0 };
            assert_eq!(status.words(Normally::Down, now), "down 0 seconds");
        }
    }

    proptest! {
        #[test]
        fn every_file_is_read_and_written_back(bytes: [u8; SIZE]) {
            let status = Status::read(&bytes).unwrap();
            let again = Status::read(&status.write()).unwrap();
            prop_assert_eq!(status, again);
            let _ = status.words(Normally::Up, Wall { seconds: 0, nanos: 0 });
        }
    }
}
