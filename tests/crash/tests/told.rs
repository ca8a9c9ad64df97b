//! Whatever fails while a message is preprocessed, the log says what, and of which file.

use std::collections::BTreeSet;

use crash::Model;
use qmail::domains::DomainSet;
use qmail::send::log::Log;
use qmail::send::route::Routes;
use qmail::send::todo::{Queued, settle, split};
use queue::path::{Area, MessageId};

const ID: MessageId = MessageId(100);

/// What the log says if each call from the one of this number fails; nothing if there are not so many.
fn warnings(failing: usize, has_strays: bool) -> Option<String> {
    let envelope = b"u7\0p9\0Fa@b\0Tx@here\0Ty@there\0";
    let files = [(Area::Mess.of(ID), 1, b"x".to_vec()), (Area::Todo.of(ID), 2, envelope.to_vec())];
    let mut disk = Model::holding(files).failing_after(failing);
    let routes = Routes { locals: DomainSet::new([&b"here"[..]]), ..Routes::default() };
    let mut log = Log::default();
    let queued = Queued { id: ID, bytes: 5, envelope: envelope.as_slice(), has_strays };
    let split = split(&mut disk, &routes, queued, &mut log);
    let settled = settle(&mut disk, split.into_iter().collect(), &mut log);
    let log = String::from_utf8(log.take()).unwrap();
    let told: Vec<_> = log.lines().filter(|line| line.starts_with("warning: ")).collect();
    assert_eq!(settled.is_empty(), !told.is_empty(), "{failing}: {log}");
    (!told.is_empty()).then(|| told.join("\n"))
}

#[test]
fn each_call_that_fails_is_told_with_the_name_of_its_file() {
    let told: BTreeSet<_> = [false, true]
        .into_iter()
        .flat_map(|has_strays| (0..40).filter_map(move |number| warnings(number, has_strays)))
        .flat_map(|told| told.lines().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    let told: Vec<_> = told.iter().filter_map(|line| line.strip_prefix("warning: ")).collect();
    let expected = [
        "trouble fsyncing info/8",
        "trouble fsyncing info/8/100",
        "trouble fsyncing local/8",
        "trouble fsyncing local/8/100",
        "trouble fsyncing remote/8",
        "trouble fsyncing remote/8/100",
        "trouble writing to info/8/100",
        "trouble writing to local/8/100",
        "trouble writing to remote/8/100",
        "unable to create local/8/100",
        "unable to create remote/8/100",
        "unable to unlink bounce/100",
        "unable to unlink info/8/100",
        "unable to unlink local/8/100",
        "unable to unlink remote/8/100",
    ];
    assert_eq!(told, expected);
}
