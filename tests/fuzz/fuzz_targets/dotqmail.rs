//! A .qmail file, and the address and message that it is for, separated by zero bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use qmail::local::dotqmail::{Instruction, candidates, owners};
use qmail::local::environment::{Delivery, Owners};
use qmail::local::loops::{Finding, Search};
use qmail::local::mbox::Quoting;
use qmail::local::plan::{DotQmail, Plan};

/// Every instruction is a line of the file; where only forwarding is allowed, nothing else is done.
fn follow(text: &[u8], forward_only: bool) {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    for instruction in Plan::new(Some(DotQmail { text, forward_only }), b"./Mailbox") {
        let Ok(instruction) = instruction else { return };
        let (bytes, is_forward) = match instruction {
            Instruction::Forward(address) => (address, true),
            Instruction::Maildir(name) => {
                assert!(name.ends_with(b"/"));
                (name, false)
            }
            Instruction::Mbox(name) => {
                assert!(!name.ends_with(b"/"));
                (name, false)
            }
            Instruction::Program(command) => (command, false),
            Instruction::ForwardOnly | Instruction::Nothing => panic!("nothing to do"),
        };
        let of_default = text.is_empty();
        assert!(of_default || is_forward || !forward_only);
        assert!(!bytes.contains(&0) && !bytes.contains(&b'\n'));
        assert!(
            of_default
                || lines
                    .iter()
                    .any(|line| line.windows(bytes.len().max(1)).any(|part| part == bytes)
                        || bytes.is_empty())
        );
    }
}

/// The rule of mbox(5) for readers gives the message back.
fn quote(message: &[u8], size: usize) {
    let (mut quoting, mut mbox) = (Quoting::default(), Vec::new());
    for block in message.chunks(size) {
        quoting.push(&mut mbox, block);
    }
    quoting.finish(&mut mbox);
    let body = mbox.strip_suffix(b"\n").expect("an empty line at the end");
    let mut read = Vec::new();
    for line in body.split_inclusive(|byte| *byte == b'\n') {
        let marks = line.iter().take_while(|byte| **byte == b'>').count();
        assert!(marks > 0 || !line.starts_with(b"From "));
        let is_quoted = marks > 0 && line[marks..].starts_with(b"From ");
        read.extend_from_slice(&line[usize::from(is_quoted)..]);
    }
    let completed = read.strip_suffix(b"\n").unwrap_or_default();
    assert!(read == message || completed == message);
}

fuzz_target!(|data: &[u8]| {
    let mut parts = data.splitn(6, |byte| *byte == 0).map(<[u8]>::to_vec);
    let mut part = || parts.next().unwrap_or_default();
    let delivery = Delivery {
        local: part(),
        dash: b"-".to_vec(),
        ext: part(),
        host: part(),
        sender: part(),
        ..Delivery::default()
    };
    let (message, text) = (part(), part());

    for file in candidates(&delivery.dash, &delivery.ext) {
        assert!(file.name.starts_with(b".qmail-"));
        assert!(!file.name[1..].contains(&b'.'));
        assert!(file.default.is_none_or(|rest| delivery.ext.ends_with(rest)));
    }
    assert!(owners(&delivery.dash, &delivery.ext).1.ends_with(b"-owner-default"));
    for owners in [Owners::Each, Owners::Nobody, Owners::One] {
        let new_sender = delivery.new_sender(owners);
        for (name, value) in delivery.variables(Some(&delivery.ext), &new_sender, 0) {
            assert!(!value.starts_with(b"()"), "{name}");
        }
    }

    let line = delivery.delivered_to();
    let whole = Search::new(&line).look(&message);
    let mut search = Search::new(&line);
    let mut found = Finding::Open;
    for block in message.chunks(3) {
        found = search.look(block);
        if found != Finding::Open {
            break;
        }
    }
    assert_eq!(found, whole);

    quote(&message, usize::MAX);
    quote(&message, 3);
    follow(&text, false);
    follow(&text, true);
});
