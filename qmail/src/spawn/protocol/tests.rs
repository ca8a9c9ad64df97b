use super::*;
use proptest::prelude::*;
use queue::path::MessageId;

fn command(file: &str, recipient: &str) -> Command {
    let recipient = Recipient { slot: Slot::narrow(3), address: recipient.into() };
    Command {
        file: file.into(),
        sender: b"a@b".into(),
        recipients: vec![recipient],
        overlong: false,
    }
}

fn commands(mut bytes: &[u8]) -> Vec<Command> {
    let mut commands = Commands::default();
    std::iter::from_fn(|| commands.next(&mut bytes)).collect()
}

#[test]
fn a_recipient_is_split_at_the_last_at_sign() {
    let command = command("7/421", "a@b@c");
    assert_eq!(command.recipients[0].split(), Ok((&b"a@b"[..], &b"c"[..])));
}

#[test]
fn each_fault_has_its_report() {
    let text = |command: Command| command.check().unwrap_err();
    assert!(text(command("7/42x", "a@b")).starts_with("DInternal error: messid has nonnum"));
    assert!(text(command("/7", "a@b")).starts_with("DInternal error: messid has nonnumerics"));
    assert!(text(command(&"7".repeat(100), "a@b")).contains("too long"));
    assert!(command(&"7".repeat(99), "a@b").check().is_ok());
    assert!(text(command("", "a@b")).contains("too short"));
    let text = command("7/421", "ab").recipients[0].split().unwrap_err();
    assert!(text.starts_with("DSorry, address must include"));
    let overlong = Command { overlong: true, ..command("7", "a@b") };
    assert_eq!(overlong.check(), Err("Zqmail-spawn out of memory. (#4.3.0)\n"));
}

#[test]
fn a_field_without_end_takes_bounded_memory() {
    for first in [5, WIDE] {
        let mut commands = Commands::default();
        let piece = [b'x'; 4096];
        assert_eq!(commands.next(&mut &[&[first][..], b"12/3\0"].concat()[..]), None);
        for _ in 0..100 {
            assert_eq!(commands.next(&mut &piece[..]), None);
        }
        let end: &[u8] = if first == WIDE { b"\x001\0a@b\0\0" } else { b"\0a@b\0" };
        let command = commands.next(&mut &end[..]).unwrap();
        assert!(command.overlong);
        assert_eq!(command.sender.len(), 64 * 1024);
        let mut next = Vec::new();
        push_command(&mut next, 6, MessageId(24), b"", b"a@b");
        assert!(!commands.next(&mut next.as_slice()).unwrap().overlong);
    }
}

#[test]
fn a_command_without_end_is_taken_as_several() {
    let mut bytes = Vec::new();
    begin_wide(&mut bytes, MessageId(24), b"s@t");
    (0..2500).for_each(|number| push_recipient(&mut bytes, number, b"a@b"));
    end_wide(&mut bytes);
    let found = commands(&bytes);
    let counts: Vec<_> = found.iter().map(|command| command.recipients.len()).collect();
    assert_eq!(counts, [1000, 1000, 500]);
    assert!(found.iter().all(|command| command.file == b"1/24" && command.sender == b"s@t"));
    assert_eq!(found[2].recipients[499].slot, Slot::wide(2499));
}

#[test]
fn the_question_is_one_command_to_those_who_do_not_know_it() {
    assert_eq!(hello(), b"\xffwide\0\0\0");
    assert!(commands(&hello())[0].is_question());
    assert!(commands(&hello())[0].check().is_err());
    let mut bytes = hello();
    push_command(&mut bytes, 0, MessageId(24), b"", b"a@b");
    let [question, next] = &commands(&bytes)[..] else { panic!() };
    assert!(question.is_question() && !next.is_question());
}

#[test]
fn a_number_that_is_none_belongs_to_nobody() {
    let [command] = &commands(b"\xff7/7\0s\0x\0a@b\0-1\0c@d\0\0")[..] else { panic!() };
    let numbers: Vec<_> = command.recipients.iter().map(|it| it.slot.number).collect();
    assert_eq!(numbers, [u32::MAX, u32::MAX]);
}

fn report(delivery: u32, text: &str) -> Heard {
    Heard::Report(Report { delivery, text: text.into() })
}

#[test]
fn a_report_without_text_does_not_swallow_the_next() {
    let mut reports = Reports::default();
    let mut bytes = &b"\0\0\x05Kok\0\x06"[..];
    assert_eq!(reports.next(&mut bytes), Some(report(0, "")));
    assert_eq!(reports.next(&mut bytes), Some(report(5, "Kok")));
    assert_eq!(reports.next(&mut bytes), None);
    let mut bytes = &b"D\0"[..];
    assert_eq!(reports.next(&mut bytes), Some(report(6, "D")));
}

#[test]
fn a_long_report_is_cut() {
    let mut bytes = Vec::new();
    push_report(&mut bytes, Slot::narrow(1), &vec![b'x'; 20_000]);
    let Some(Heard::Report(report)) = Reports::default().next(&mut bytes.as_slice()) else {
        panic!()
    };
    assert_eq!(report.text.len(), LONGEST_REPORT);
}

#[test]
fn the_answer_says_how_many_or_that_it_is_none() {
    let answer = |bytes: &[u8]| Reports::default().next(&mut &bytes[..]);
    let mut ours = Vec::new();
    push_answer(&mut ours, 1000);
    assert_eq!(answer(&ours), Some(Heard::Answer(Some(1000))));
    let theirs = b"\xffZInternal error: delnum too big. (#4.3.5)\n\0";
    assert_eq!(answer(theirs), Some(Heard::Answer(None)));
    for nonsense in [&b"\xff\0"[..], b"\xffK\0", b"\xffK70000\0", b"\xff12\0", b"\xff:\0"] {
        assert_eq!(answer(nonsense), Some(Heard::Answer(None)), "{nonsense:?}");
    }
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(1u8.., 0..20)
}

/// A command: whether it is wide, the message, the sender, the recipients.
type Wanted = (bool, u64, Vec<u8>, Vec<(u8, Vec<u8>)>);

fn wanted() -> impl Strategy<Value = Vec<Wanted>> {
    let recipients = proptest::collection::vec((0u8..WIDE, text()), 1..4);
    proptest::collection::vec((any::<bool>(), 0u64..5000, text(), recipients), 0..5)
}

proptest! {
    #[test]
    fn commands_read_back_from_any_pieces(mut wanted in wanted(), size in 1usize..30) {
        let mut bytes = Vec::new();
        for (is_wide, id, sender, recipients) in &mut wanted {
            let id = MessageId(*id);
            if *is_wide {
                begin_wide(&mut bytes, id, sender);
                for (number, address) in &*recipients {
                    push_recipient(&mut bytes, u32::from(*number) * 9, address);
                }
                end_wide(&mut bytes);
            } else {
                recipients.truncate(1);
                push_command(&mut bytes, recipients[0].0, id, sender, &recipients[0].1);
            }
        }
        let mut commands = Commands::default();
        let mut found = Vec::new();
        for mut piece in bytes.chunks(size) {
            while let Some(command) = commands.next(&mut piece) {
                found.push(command);
            }
        }
        let wanted: Vec<_> = wanted
            .into_iter()
            .map(|(is_wide, id, sender, recipients)| {
                let slot = |number: u8| {
                    if is_wide {
                        Slot::wide(u32::from(number) * 9)
                    } else {
                        Slot::narrow(number)
                    }
                };
                let recipient = |(n, address)| Recipient { slot: slot(n), address };
                Command {
                    file: format!("{}/{id}", id % 23).into_bytes(),
                    sender,
                    recipients: recipients.into_iter().map(recipient).collect(),
                    overlong: false,
                }
            })
            .collect();
        prop_assert_eq!(found, wanted);
    }

    #[test]
    fn reports_read_back_from_any_pieces(
        wanted in proptest::collection::vec((any::<bool>(), 0u8..WIDE, text()), 0..5),
        size in 1usize..30,
    ) {
        let mut bytes = Vec::new();
        let mut expected = Vec::new();
        for (is_wide, number, text) in wanted {
            let text = [b"K", text.as_slice()].concat();
            let slot =
                if is_wide { Slot::wide(u32::from(number) * 9) } else { Slot::narrow(number) };
            push_report(&mut bytes, slot, &text);
            expected.push(Heard::Report(Report { delivery: slot.number, text }));
        }
        let mut reports = Reports::default();
        let mut found = Vec::new();
        for mut piece in bytes.chunks(size) {
            while let Some(report) = reports.next(&mut piece) {
                found.push(report);
            }
        }
        prop_assert_eq!(found, expected);
    }

    #[test]
    fn whatever_a_spawner_says_is_read_to_its_end(bytes: Vec<u8>) {
        let mut rest = bytes.as_slice();
        let mut reports = Reports::default();
        while reports.next(&mut rest).is_some() {}
        prop_assert!(rest.is_empty());
    }
}
