//! qmail-queued: what it queues, and what it does with clients that are odd. The original has nothing of the kind.

use std::fs;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use harness::{Background, Side, until};
use unix::dir::Dir;
use unix::signal::Signal;
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
        let script = format!("{first} exec qmail-queued 1< /proc/self/fd/{number}");
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

#[test]
fn many_at_a_time_are_served_in_their_turn() {
    let depot = Depot::start();
    assert_eq!(answer(&depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"))).unwrap().0, 0);
    depot.daemon.signal(Signal::SIGSTOP);
    let clients: Vec<_> = (0..90)
        .map(|number| depot.send(&packet(format!("{number}\n").as_bytes(), b"F\0Ta@b\0\0")))
        .collect();
    depot.daemon.signal(Signal::SIGCONT);
    for client in &clients {
        assert_eq!(answer(client).map(|(code, _)| code), Some(0));
    }
    let bodies = depot.files("mess").into_iter();
    let bodies = bodies.map(|file| text(&file).split_once('\n').unwrap().1.to_owned());
    let mut bodies: Vec<usize> = bodies.filter_map(|body| body.trim().parse().ok()).collect();
    bodies.sort_unstable();
    assert_eq!(bodies, (0..90).collect::<Vec<_>>());
    assert_eq!(depot.files("todo").len(), 91);
}

#[test]
fn whoever_has_sent_a_packet_is_served_before_the_end() {
    let mut depot = Depot::start();
    assert_eq!(answer(&depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"))).unwrap().0, 0);
    let silent = depot.connect();
    depot.daemon.signal(Signal::SIGSTOP);
    let clients: Vec<_> = (0..80).map(|_| depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"))).collect();
    depot.daemon.signal(Signal::SIGTERM);
    depot.daemon.signal(Signal::SIGCONT);
    for client in &clients {
        assert_eq!(answer(client).map(|(code, _)| code), Some(0));
    }
    assert_eq!(answer(&silent), None);
    assert_eq!(depot.daemon.ends(), 0);
    assert_eq!(depot.files("todo").len(), 81);
}

#[test]
fn what_is_no_message_is_refused_with_the_code_of_qmail_queue() {
    let depot = Depot::start();
    let long = [b"F".as_slice(), &[b'x'; 1003], b"\0\0"].concat();
    for (packet, code) in [
        (b"".to_vec(), None),
        (b"x".to_vec(), Some(54)),
        ([0xff; 100].to_vec(), Some(54)),
        (packet(b"x\n", b""), Some(54)),
        (packet(b"x\n", b"Fa@b\0Tc@d\0"), Some(54)),
        (packet(b"x\n", b"Ta@b\0\0"), Some(91)),
        (packet(b"x\n", &long), Some(11)),
        (packet(&vec![b'x'; 65_536 - 8], b"F\0Ta@b\0\0"), Some(0)),
        // Whoever is not answered goes to qmail-queue, which takes messages of any size.
        (packet(&vec![b'x'; 65_536 - 7], b"F\0Ta@b\0\0"), None),
    ] {
        let length = packet.len();
        let found = answer(&depot.send(&packet)).map(|(code, _)| code);
        assert_eq!(found, code, "{length} bytes");
    }
    assert_eq!(depot.files("mess").len(), 1);
    assert_eq!(depot.files("todo").len(), 1);
}

#[test]
fn a_client_that_goes_away_is_nobody_s_trouble() {
    let depot = Depot::start();
    drop(depot.connect());
    // It does not wait for its answer; its message is queued all the same.
    drop(depot.send(&packet(b"x\n", b"F\0Ta@b\0\0")));
    assert!(until(|| depot.files("todo").len() == 1));
    // A connection is for one message.
    let several = depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"));
    let _ = socket::send(&several, &packet(b"y\n", b"F\0Ta@b\0\0"));
    assert!(until(|| depot.files("todo").len() == 2));
    assert_eq!(answer(&depot.send(&packet(b"z\n", b"F\0Ta@b\0\0"))).unwrap().0, 0);
    assert_eq!(depot.files("todo").len(), 3);
}

#[test]
fn a_silent_client_has_ten_seconds() {
    let depot = Depot::start();
    let since = Instant::now();
    let silent = depot.connect();
    assert_eq!(answer(&silent), None);
    assert!(since.elapsed() >= Duration::from_secs(10), "{:?}", since.elapsed());
}

#[test]
fn those_who_are_too_many_go_elsewhere() {
    let depot = Depot::start();
    let connect = || {
        let mut client = None;
        let path = depot.side.home().join("run/queue");
        assert!(until(|| {
            client = socket::connect_at(&path).ok(); // the daemon may have to accept others first
            client.is_some()
        }));
        client.unwrap()
    };
    let silent: Vec<_> = (0..256).map(|_| connect()).collect();
    assert_eq!(answer(&connect()), None);
    drop(silent);
    // It may hear of a new one before it hears that the others are gone.
    let is_served = || answer(&depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"))).is_some();
    assert!(until(is_served));
}

#[test]
fn a_full_disk_refuses_and_leaves_nothing() {
    // A limit on the size of files stands in for a full disk: SIGXFSZ is ignored, the write fails.
    let depot = Depot::start_with("ulimit -f 8;", |_| {});
    let large = packet(&b"x\n".repeat(10_000), b"F\0Ta@b\0\0");
    assert_eq!(answer(&depot.send(&large)).map(|(code, _)| code), Some(53));
    let envelope = [b"F\0".to_vec(), b"Ta@b\0".repeat(10_000), b"\0".to_vec()].concat();
    let large = packet(b"x\n", &envelope);
    assert_eq!(answer(&depot.send(&large)).map(|(code, _)| code), Some(53));
    assert!(depot.is_empty());
    assert_eq!(answer(&depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"))).unwrap().0, 0);
}

#[test]
fn without_descriptors_it_waits_for_some() {
    let depot = Depot::start_with("ulimit -n 12;", |_| {});
    let silent: Vec<_> = (0..20).map(|_| depot.connect()).collect();
    let client = depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"));
    drop(silent);
    assert_eq!(answer(&client).map(|(code, _)| code), Some(0));
    let stat = fs::read_to_string(format!("/proc/{}/stat", depot.daemon.pid())).unwrap();
    let mut fields = stat.rsplit(") ").next().unwrap().split(' ').skip(11);
    let ticks = fields.next().unwrap().parse::<u64>().unwrap()
        + fields.next().unwrap().parse::<u64>().unwrap();
    assert!(ticks < 50, "{ticks} ticks of processor time");
}

#[test]
fn a_turn_without_descriptors_sends_its_clients_elsewhere() {
    let depot = Depot::start_with("ulimit -n 40;", |_| {});
    let message = packet(b"x\n", b"F\0Ta@b\0\0");
    let clients: Vec<_> = (0..25).map(|_| depot.connect()).collect();
    depot.daemon.signal(Signal::SIGSTOP);
    let stat = format!("/proc/{}/stat", depot.daemon.pid());
    assert!(until(|| fs::read_to_string(&stat).unwrap().contains(") T ")));
    assert!(clients.iter().all(|client| socket::send(client, &message).is_ok()));
    depot.daemon.signal(Signal::SIGCONT);
    let codes: Vec<_> = clients.iter().filter_map(answer).map(|(code, _)| code).collect();
    assert!(codes.len() < clients.len() && codes.iter().all(|&code| code == 0), "{codes:?}");
    let whole = depot.files("todo").iter().filter(|file| !text(file).is_empty()).count();
    assert_eq!((whole, depot.files("pid").len()), (codes.len(), 0));
    assert_eq!(answer(&depot.send(&message)).unwrap().0, 0);
}

/// What cannot be opened may be for want of descriptors, which qmail-queue need not lack: then there is no answer.
#[test]
fn each_directory_that_is_missing_has_its_code() {
    for (area, code) in [("pid", None), ("mess", Some(64)), ("intd", None), ("todo", Some(66))] {
        let depot = Depot::start();
        let place = depot.side.home().join("queue").join(area);
        let aside = depot.side.home().join("gone");
        fs::rename(&place, &aside).unwrap();
        let client = depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"));
        assert_eq!(answer(&client).map(|(code, _)| code), code, "{area}");
        fs::rename(&aside, &place).unwrap();
        assert!(depot.is_empty(), "{area}");
    }
}

/// As after a power cut that took the name in `mess/` and left the envelope's: the number is free.
#[test]
fn an_envelope_that_is_there_is_not_replaced() {
    let depot = Depot::start();
    let todo = |depot: &Depot| {
        depot.files("todo").iter().map(|file| text(file)).collect::<std::collections::BTreeSet<_>>()
    };
    for _ in 0..20 {
        let before = todo(&depot);
        let client = depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"));
        let code = answer(&client).unwrap().0;
        if code != 0 {
            assert_eq!((code, todo(&depot)), (66, before));
            assert!(depot.files("mess").is_empty() && depot.files("intd").is_empty());
            return;
        }
        for file in ["mess", "intd"].iter().flat_map(|area| depot.files(area)) {
            fs::remove_file(file).unwrap();
        }
    }
    harness::skipped_for("this file system does not use a number again soon");
}

#[test]
fn every_message_may_have_more_recipients() {
    let depot = Depot::start();
    depot.side.control("extraqueue", "# copies\nlog\n");
    assert_eq!(answer(&depot.send(&packet(b"x\n", b"Fa@b\0Tc@d\0\0"))).unwrap().0, 0);
    assert!(text(&depot.files("todo")[0]).ends_with("\0Fa@b\0Tlog\0Tc@d\0"));
    fs::remove_file(depot.side.home().join("control/extraqueue")).unwrap();
    depot.side.control("extraqueue/x", "");
    // qmail-queue refuses it, with its code.
    assert_eq!(answer(&depot.send(&packet(b"x\n", b"Fa@b\0Tc@d\0\0"))), None);
    assert_eq!(depot.files("todo").len(), 1);
}

#[test]
fn the_trigger_is_pulled() {
    let depot = Depot::start();
    let queue = Dir::base_at(&depot.side.home().join("queue")).unwrap();
    let trigger = queue.open_fifo("lock/trigger".as_ref()).unwrap();
    assert_eq!(answer(&depot.send(&packet(b"x\n", b"F\0Ta@b\0\0"))).unwrap().0, 0);
    assert!(poll::until(&trigger, false, Some(Instant::now())).unwrap());
}

#[test]
fn started_in_another_way_it_says_so() {
    let side = Side::ours();
    let run = side.run(["qmail-queued", "x"]);
    assert_eq!((run.exit, run.stderr), (100, b"qmail-queued: usage: qmail-queued\n".to_vec()));
    let run = side.run(["qmail-queued"]);
    let said = "qmail-queued: fatal: descriptor 0 is no socket that listens for packets\n";
    assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap()), (100, said.into()));
    let listen = || {
        let _ = fs::remove_file(side.path().join("socket")); // of the last one
        socket::listen_at(&Dir::base_at(&side.path()).unwrap(), "socket".as_ref(), 1).unwrap()
    };
    let run = side.command(["qmail-queued"]).stdin_from(listen()).run();
    let said = "qmail-queued: fatal: descriptor 1 is no pipe\n";
    assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap()), (100, said.into()));
    let words = ["sh", "-c", "{ sleep 0 | qmail-queued; } 2>&1 | cat"];
    assert!(side.run(words).stdout.starts_with(b"qmail-queued: fatal: descriptor 0 is no socket"));
    let mut daemon = side
        .command(["sh", "-c", "{ qmail-queued || echo $? >&2; } | cat"])
        .stdin_from(listen())
        .start_in_background();
    daemon.ends();
    let said = format!(
        "qmail-queued: fatal: unable to switch to {}/queue: file does not exist\n111\n",
        side.home().display()
    );
    assert_eq!(String::from_utf8(daemon.stderr()).unwrap(), said);
}

#[test]
fn the_user_is_the_one_who_connected() {
    let depot = Depot::start_with("", |side| side.control("me", "host.test"));
    let user = depot.side.command(["id", "-u"]).as_user().run().stdout;
    let user = String::from_utf8(user).unwrap().trim().to_owned();
    let words = ["qmail-inject", "-fa@b.test", "c@d.test"];
    assert_eq!(depot.side.command(words).as_user().stdin("\nbody\n").run().exit, 0);
    let number = u64::from(depot.daemon.pid());
    let todo = text(&depot.files("todo")[0]);
    assert!(todo.starts_with(&format!("u{user}\0p{number} ")), "{todo:?}");
    let mess = text(&depot.files("mess")[0]);
    assert!(mess.starts_with(&format!("Received: (qmail {number} invoked by uid {user}); ")));
}
