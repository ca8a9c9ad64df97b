//! What a whole host does to its disk while mail goes through it, traced and done again to the model:
//! at every moment, whatever the power cut leaves, every promise is kept.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use crash::trace::{self, Call};
use crash::{Fault, Ledger, Order, Replay, Step};
use harness::{Host, Peer, Smtp, Turn, strace, until};

const YOU: &str = "you@daisychain.example";
const BOX: &str = "you-box@daisychain.example";
const FAILING: &str = "you-fail@daisychain.example";
const REMOTE: &str = "friend@elsewhere.example";
const REFUSED: &str = "nobody@elsewhere.example";

/// The calls that change the disk, or tell the world.
const CALLS: &str = "trace=execve,exit_group,openat,?open,?creat,?link,linkat,?rename,renameat,renameat2,\
                     ?unlink,unlinkat,write,writev,pwrite64,pwritev,fsync,fdatasync,?io_submit,?io_getevents,\
                     ftruncate,truncate,sendto,\
                     copy_file_range,sendfile,splice";

/// Power cuts that are looked at when a promise is made, and after any other change.
const AT_PROMISES: usize = 200;
const ELSEWHERE: usize = 20;

struct Traced {
    calls: Vec<Call>,
    roots: Vec<(PathBuf, PathBuf)>,
}

/// Messages of every fate: sender and recipients.
fn mail() -> Vec<(&'static str, Vec<&'static str>)> {
    vec![
        (YOU, vec![YOU]),
        (YOU, vec![BOX]),
        (YOU, vec![REMOTE]),
        (YOU, vec![YOU, "you-1@daisychain.example", "you-2@daisychain.example", BOX, REMOTE]),
        (YOU, vec![FAILING, YOU]),
        (YOU, vec![REFUSED, BOX]),
        ("", vec![FAILING]),
        (YOU, vec!["you-later@daisychain.example", YOU, FAILING]),
        (YOU, vec![BOX]),
    ]
}

/// Who puts the messages of clients into the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depot {
    /// qmail-queue: all that is in `todo/` is durable but for its name there.
    Queue,
    /// qmail-queued: nothing is, until it has answered.
    Queued,
}

/// Runs a host under strace, once for all tests; `None` where that cannot be.
fn traced(depot: Depot) -> Option<&'static Traced> {
    static QUEUE: OnceLock<Option<Traced>> = OnceLock::new();
    static QUEUED: OnceLock<Option<Traced>> = OnceLock::new();
    let traced = if depot == Depot::Queue { &QUEUE } else { &QUEUED };
    traced.get_or_init(|| run(depot)).as_ref()
}

fn run(depot: Depot) -> Option<Traced> {
    let mut words = strace()?;
    let peer = Peer::start(|line| match line {
        line if line.starts_with("RCPT") && line.contains("nobody@") => Turn::from("550 no"),
        line => Peer::agree(line),
    });
    let mut host = Host::made();
    if depot == Depot::Queue {
        host.without_socket();
    }
    host.write(
        "qmail/control/smtproutes",
        format!("elsewhere.example:127.0.0.1:{}\n", peer.port()),
    );
    host.write("you/.qmail-box", "./Mailbox\n");
    host.write("you/.qmail-fail", "|echo no; exit 100\n");
    host.write("you/.qmail-later", "|exit 111\n");
    host.write("you/.qmail-default", "./Maildir/\n");
    let file = host.path("trace");
    words.extend(
        ["-f", "--seccomp-bpf", "-y", "-qq", "-s", "200000", "-e", CALLS, "-o"].map(Into::into),
    );
    words.push(file.clone().into());
    host.resume_under(&words);

    let mut smtp = Smtp::connect(host.port());
    smtp.reply();
    smtp.ok("HELO client.example", "250 ");
    for (number, (sender, recipients)) in mail().into_iter().enumerate() {
        smtp.ok(&format!("MAIL FROM:<{sender}>"), "250 ");
        for recipient in recipients {
            smtp.ok(&format!("RCPT TO:<{recipient}>"), "250 ");
        }
        smtp.ok("DATA", "354 ");
        smtp.ok(&format!("Subject: {number}\r\n\r\nbody {number}\r\n."), "250 ");
    }
    // One is deferred and stays; the others end, and so do two bounces, a double bounce and what that
    // is forwarded as.
    let ended = || host.log("qmail").matches("end msg ").count();
    let accepted = || host.log("qmail").matches("new msg ").count();
    assert!(
        until(|| accepted() == mail().len() + 4 && ended() == accepted() - 1),
        "{}",
        host.said()
    );
    let roots =
        vec![(host.path("qmail/queue"), PathBuf::new()), (host.path("you"), PathBuf::from("you"))];
    host.stop();
    let calls = trace::parse(&fs::read(file).expect("a trace"));
    Some(Traced { calls, roots })
}

/// What was found: how many power cuts were looked at, and the ledger.
struct Found {
    cuts: usize,
    promises: usize,
    ledger: Ledger,
}

/// Whether the syncs of a file or directory count as not done.
type Forgotten<'a> = &'a dyn Fn(&Path) -> bool;

/// Goes through the trace and cuts the power; syncs of what is `forgotten` count as not done.
fn replay(traced: &Traced, forgotten: Forgotten<'_>, scale: usize) -> Result<Found, Fault> {
    let mut found = Found { cuts: 0, promises: 0, ledger: Ledger::default() };
    Replay::new(&traced.roots, forgotten).run(&traced.calls, |disk, step| {
        let now = disk.seen();
        let most = match step {
            Step::Promise(promise) => {
                found.promises += 1;
                found.ledger.note(promise, &now);
                AT_PROMISES / scale
            }
            Step::Change => ELSEWHERE / scale,
        };
        for order in [Order::Any, Order::Journal] {
            for image in disk.some_images(order, most) {
                found.ledger.check(&image, &now)?;
                found.cuts += 1;
            }
        }
        Ok(())
    })?;
    Ok(found)
}

/// True if that program has been started in the trace.
fn has_run(traced: &Traced, program: &str) -> bool {
    let mut started = traced.calls.iter().filter(|call| call.name == "execve" && call.result == 0);
    started.any(|call| call.bytes(0).ends_with(format!("/{program}").as_bytes()))
}

#[test]
fn whenever_the_power_goes_every_promise_is_kept() {
    every_promise_is_kept(Depot::Queue);
}

#[test]
fn whenever_the_power_goes_every_promise_of_qmail_queued_is_kept() {
    every_promise_is_kept(Depot::Queued);
}

fn every_promise_is_kept(depot: Depot) {
    let Some(traced) = traced(depot) else { return };
    assert_eq!(has_run(traced, "qmail-queued"), depot == Depot::Queued);
    let found = replay(traced, &|_| false, 1).unwrap();
    println!(
        "{} calls, {} messages, {} promises, {} power cuts, at most {} recipients twice",
        traced.calls.len(),
        found.ledger.messages(),
        found.promises,
        found.cuts,
        found.ledger.repeated,
    );
    assert_eq!(found.ledger.messages(), mail().len() + 4);
    assert!(found.promises > 40 && found.cuts > 10_000, "{} {}", found.promises, found.cuts);
}

/// One process takes all messages of a connection: none of them has fewer syncs than the first. It has
/// children for the moment that make some of them.
#[test]
fn each_message_of_a_connection_has_all_its_syncs() {
    let Some(traced) = traced(Depot::Queue) else { return };
    let is_queue = |call: &&Call| call.name == "execve" && call.bytes(0).ends_with(b"qmail-queue");
    let queue = traced.calls.iter().find(is_queue).expect("a qmail-queue").pid;
    let (root, _) = &traced.roots[0];
    let (mut syncs, mut since, mut own) = (Vec::new(), Vec::new(), Vec::new());
    for call in traced.calls.iter().filter(|call| call.result >= 0) {
        let path = call.opened(0).unwrap_or_default();
        let name = path.strip_prefix(root).unwrap_or(Path::new("")).to_string_lossy();
        match (call.name.as_str(), name.split('/').next().unwrap_or_default()) {
            // Under the names that they were made with.
            ("openat", _) if call.pid == queue && call.argument(2).contains("O_CREAT") => {
                own.extend(call.path_at(1).strip_prefix(root).map(Path::to_owned));
            }
            ("fsync", area) if call.pid == queue => since.push(format!("names of {area}")),
            ("fdatasync", area) if own.iter().any(|made| made == Path::new(&*name)) => {
                since.push(format!("file of {area}"));
            }
            ("linkat", _) if call.pid == queue && call.bytes(3).starts_with(b"todo/") => {
                since.sort();
                since.push("link".into());
            }
            // It says that the message is accepted.
            ("sendto" | "exit_group", _) if call.pid == queue && !since.is_empty() => {
                syncs.push(std::mem::take(&mut since));
                own.clear(); // another process may have these numbers next
            }
            _ => {}
        }
    }
    let expected =
        ["file of intd", "file of pid", "names of mess", "link", "names of todo"].map(String::from);
    assert_eq!(syncs, vec![expected; mail().len()]);
}

/// The trace is worth something only if a sync that is left out is noticed.
#[test]
fn each_sync_is_needed() {
    each_sync_is_missed(Depot::Queue);
}

#[test]
fn each_sync_is_needed_where_qmail_queued_makes_some() {
    each_sync_is_missed(Depot::Queued);
}

fn each_sync_is_missed(depot: Depot) {
    let Some(traced) = traced(depot) else { return };
    let is_in = |name: &Path, area: &str| name.parent() == Some(Path::new(area));
    let below = |name: &Path, area: &str| name.starts_with(area) && name.components().count() == 3;
    let needed: [(&str, Forgotten); 12] = [
        ("todo/", &|name| name == Path::new("todo")),
        ("a directory of mess/", &|name| name.starts_with("mess") && !below(name, "mess")),
        ("messages", &|name| below(name, "mess") || is_in(name, "pid")),
        ("envelopes", &|name| is_in(name, "intd")),
        ("a directory of info/", &|name| name.starts_with("info") && !below(name, "info")),
        ("senders", &|name| below(name, "info")),
        ("a directory of local/", &|name| name.starts_with("local") && !below(name, "local")),
        ("recipients", &|name| below(name, "local") || below(name, "remote")),
        ("new/", &|name| name == Path::new("you/Maildir/new")),
        ("files of a maildir", &|name| is_in(name, "you/Maildir/tmp")),
        ("an mbox", &|name| name == Path::new("you/Mailbox")),
        ("bounces", &|name| is_in(name, "bounce")),
    ];
    for (what, forgotten) in needed {
        let found = replay(traced, forgotten, 3).map(|found| found.cuts);
        println!("without a sync of {what}: {found:?}");
        assert!(found.is_err(), "without a sync of {what} nothing is missed");
    }
}
