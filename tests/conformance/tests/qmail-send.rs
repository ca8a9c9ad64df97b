//! qmail-send beside the recordings of the original, with the test as spawners and qmail-clean.

#[path = "qmail-send/daemon.rs"]
mod daemon;
#[path = "qmail-send/foreign.rs"]
mod foreign;
#[path = "qmail-send/sealed.rs"]
mod sealed;
#[path = "qmail-send/straight.rs"]
mod straight;
#[path = "qmail-send/trigger.rs"]
mod trigger;
#[path = "qmail-send/trouble.rs"]
mod trouble;
#[path = "qmail-send/walks.rs"]
mod walks;

use daemon::Daemon;
use harness::{Case, Run, recorded};

/// A case with a daemon that has not been started.
fn send(name: &str, run: impl Fn(&mut Daemon<'_>) -> Run) -> Case {
    recorded("qmail-send", name, |side| run(&mut Daemon::new(side)))
}

/// An escaped text with dates and the numbers of processes replaced.
fn without_numbers(text: &str) -> String {
    let mut lines: Vec<String> = Vec::new();
    for line in text.split("\\n") {
        let date = line.strip_prefix("Date: ").map(|_| "Date: DATE".to_owned());
        let bounce = line.strip_prefix("bounce msg ").and_then(|rest| {
            let (id, qp) = rest.split_once(" qp ")?;
            qp.parse::<u32>().ok().map(|_| format!("bounce msg {id} qp QP"))
        });
        lines.push(date.or(bounce).unwrap_or_else(|| line.to_owned()));
    }
    lines.join("\\n")
}
