//! qmail-queued: what it queues, and what it does with clients that are odd. The original has nothing of the kind.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::{Background, Side};
use unix::dir::Dir;
use unix::{poll, socket};

/// A private host with nothing but a qmail-queued.
struct Depot {
    side: Side,
    daemon: Background,
    lifetime: Option<OwnedFd>,
}

impl Depot {
    fn start() -> Depot {
        Depot::start_with("", |_| {})
    }

    /// Started by a shell that does `first`, in a home that `prepare` has changed.
    fn start_with(first: &str, prepare: impl Fn(&Side)) -> Depot {
        let side = Side::ours();
        for name in ["pid", "intd", "todo", "bounce", "lock"] {
            fs::create_dir_all(side.home().join("queue").join(name)).unwrap();
        }
        for number in 0..23 {
            fs::create_dir_all(side.home().join(format!("queue/mess/{number}"))).unwrap();
        }
        unix::fifo::make(&side.home().join("queue/lock/trigger"), 0o622).unwrap();
        let run = side.home().join("run");
        fs::create_dir(&run).unwrap();
        prepare(&side);
        let listener =
            socket::listen_at(&Dir::base_at(&run).unwrap(), "queue".as_ref(), 100).unwrap();
        fs::set_permissions(run.join("queue"), fs::Permissions::from_mode(0o666)).unwrap();
        let (pipe, lifetime) = unix::fd::pipe().unwrap();
        let number = pipe.as_raw_fd();
        let script = format!("{first} exec qmail-queued 1<&{number} {number}<&-");
        let daemon = side
            .command(["sh", "-c", &script])
            .stdin_from(listener)
            .keeping(&[pipe])
            .start_in_background();
        Depot { side, daemon, lifetime: Some(lifetime) }
    }

    fn connect(&self) -> OwnedFd {
        socket::connect_at(&self.side.home().join("run/queue")).unwrap()
    }

    fn send(&self, packet: &[u8]) -> OwnedFd {
        let client = self.connect();
        assert_eq!(socket::send(&client, packet).unwrap(), packet.len());
        client
    }

    /// The files in an area, split or not.
    fn files(&self, area: &str) -> Vec<PathBuf> {
        let mut open = vec![self.side.home().join("queue").join(area)];
        let mut found = Vec::new();
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap().flatten() {
                let kind = entry.file_type().unwrap();
                if kind.is_dir() { &mut open } else { &mut found }.push(entry.path());
            }
        }
        found
    }

    fn is_empty(&self) -> bool {
        ["pid", "mess", "intd", "todo"].iter().all(|area| self.files(area).is_empty())
    }
}

fn packet(message: &[u8], envelope: &[u8]) -> Vec<u8> {
    [&(message.len() as u64).to_be_bytes(), message, envelope].concat()
}

/// The code and the number of the answer; `None` if the connection was closed instead.
fn answer(client: &OwnedFd) -> Option<(u8, u64)> {
    let deadline = Instant::now() + Duration::from_mins(1);
    assert!(poll::until(client, false, Some(deadline)).unwrap(), "no answer");
    let mut bytes = [0; 100];
    match socket::receive(client, &mut bytes) {
        Ok(0) => None,
        Ok(length) => {
            assert_eq!(length, 9);
            Some((bytes[0], u64::from_be_bytes(bytes[1..9].try_into().unwrap())))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => None,
        Err(error) => panic!("{error}"),
    }
}

fn text(file: &Path) -> String {
    String::from_utf8(fs::read(file).unwrap()).unwrap()
}

#[test]
fn a_message_is_queued_as_qmail_queue_does_it_and_sealed() {
    let depot = Depot::start();
    let pid = u64::from(depot.daemon.pid());
    for (round, body) in [(0, "Subject: x\n\nbody\n"), (1, "")] {
        let client = depot.send(&packet(body.as_bytes(), b"Fa@b\0Tc@d\0Te@f\0\0more"));
        let number = pid + round * 10_000_000;
        assert_eq!(answer(&client), Some((0, number)));
        assert_eq!(answer(&client), None);
        let uid = unix::Uid::effective();
        let mess = text(&depot.files("mess")[0]);
        assert!(mess.starts_with(&format!("Received: (qmail {number} invoked by uid {uid}); ")));
        assert_eq!(mess.split_once("-0000\n").unwrap().1, body);
        let todo = text(&depot.files("todo")[0]);
        let head = format!("u{uid}\0p{number} {} ", mess.len());
        let (sum, records) = todo.strip_prefix(&head).unwrap().split_at(16);
        assert!(sum.bytes().all(|digit| digit.is_ascii_hexdigit()));
        assert_eq!(records, "\0Fa@b\0Tc@d\0Te@f\0");
        assert_eq!(text(&depot.files("intd")[0]), todo);
        for area in ["mess", "todo", "intd"] {
            let [file] = &depot.files(area)[..] else { panic!("{area}") };
            assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o644);
            assert_eq!(file.file_name(), depot.files("mess")[0].file_name());
        }
        for file in ["todo", "intd", "mess"].iter().flat_map(|area| depot.files(area)) {
            fs::remove_file(file).unwrap();
        }
    }
    assert!(depot.is_empty());
}

#[test]
fn it_ends_when_its_pipe_does() {
    let mut depot = Depot::start();
    let client = depot.connect(); // without a packet
    assert_eq!(answer(&depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"))).unwrap().0, 0);
    depot.lifetime = None;
    assert_eq!(answer(&client), None);
    assert_eq!(depot.daemon.ends(), 0);
    assert_eq!((depot.daemon.stdout(), depot.daemon.stderr()), (vec![], vec![]));
}
