use super::super::reply::Reader;
use super::*;
use proptest::prelude::*;

fn begun(sender: &str, recipients: &[&str]) -> Conversation<'static> {
    let recipients = recipients.iter().map(|recipient| recipient.as_bytes());
    let host = "192.0.2.1".parse().unwrap();
    Conversation::new(host, b"me.test", sender.as_bytes(), recipients).unwrap()
}

fn reply(text: &str) -> Reply {
    let text = format!("{text}\r\n");
    let (taken, reply) = Reader::default().take(text.as_bytes());
    assert_eq!(taken, text.len());
    reply.unwrap()
}

/// What the client says to each reply, and how it ends; a message is said as `<message>`.
fn talk(mut conversation: Conversation<'_>, replies: &[&str]) -> (Vec<String>, Ending) {
    let mut said = Vec::new();
    for text in replies {
        let mut out = Vec::new();
        let next = conversation.reply(&reply(text), &mut out);
        said.push(String::from_utf8(out).unwrap().trim_end().to_owned());
        match next {
            Next::Listen => {}
            Next::Message => {
                said.push("<message>".into());
                conversation.message_ends();
            }
            Next::Leave(ending) => return (said, ending),
        }
    }
    (said, conversation.died())
}

fn report(replies: &[&str]) -> String {
    match talk(begun("a@b", &["c@d", "e@f"]), replies).1 {
        Ending::Final(report) => String::from_utf8(report).unwrap(),
        Ending::Early { is_permanent, text } => {
            let letter = if is_permanent { 'd' } else { 'z' };
            format!("{letter}{}", String::from_utf8(text).unwrap())
        }
    }
}

const HELLO: [&str; 3] = ["220 hi", "250 me too", "250 ok"];

fn after_hello(replies: &[&str]) -> String {
    report(&[&HELLO[..], replies].concat())
}

#[test]
fn a_message_is_taken() {
    let replies = ["220 hi", "250 you", "250 a", "250 c", "550-no\r\n550 e", "354 go", "250 done"];
    let (said, ending) = talk(begun("a@b", &["c@d", "e@f"]), &replies);
    assert_eq!(
        said,
        [
            "EHLO me.test",
            "MAIL FROM:<a@b>",
            "RCPT TO:<c@d>",
            "RCPT TO:<e@f>",
            "DATA",
            "",
            "<message>",
            "QUIT"
        ]
    );
    let expected = "r\0h192.0.2.1 does not like recipient.\nRemote host said: 550-no\n550 e\n\0\
        K192.0.2.1 accepted message.\nRemote host said: 250 done\n\0";
    assert_eq!(ending, Ending::Final(expected.into()));
}

/// What is heard of three recipients of whom the host takes one at a time; of the second transaction on,
/// `replies`.
fn too_many(replies: &[&str]) -> (Vec<String>, String) {
    let conversation = begun("a@b", &["c@d", "e@f", "g@h"]).of_size(Some(9));
    let first = ["250 c", "452 too many", "452 too many", "354 go", "250 one"];
    let (said, ending) = talk(conversation, &[&HELLO[..], &first, replies].concat());
    let Ending::Final(report) = ending else { panic!("{ending:?}") };
    (said, String::from_utf8(report).unwrap())
}

const ONE: &str = "r192.0.2.1 accepted message.\nRemote host said: 250 one\n\0";
const LATER: &str = "s192.0.2.1 does not like recipient.\nRemote host said: 452 too many\n\0";

#[test]
fn who_is_too_many_has_a_transaction_of_his_own() {
    let again = ["250 a", "250 e", "452 too many", "354 go", "250 two"];
    let last = ["250 a", "250 g", "354 go", "250 three"];
    let (said, report) = too_many(&[&again[..], &last].concat());
    let expected = "EHLO me.test|MAIL FROM:<a@b>|RCPT TO:<c@d>|RCPT TO:<e@f>|RCPT TO:<g@h>|DATA||\
        <message>|MAIL FROM:<a@b>|RCPT TO:<e@f>|RCPT TO:<g@h>|DATA||<message>|MAIL FROM:<a@b>|\
        RCPT TO:<g@h>|DATA||<message>|QUIT";
    assert_eq!(said.join("|"), expected);
    let three = ONE.replace("one", "three") + "K\0";
    assert_eq!(report, [ONE, &ONE.replace("one", "two"), &three].concat());
}

#[test]
fn what_fails_behind_a_first_success_is_told_of_those_it_concerns() {
    let report = |replies: &[&str]| too_many(replies).1;
    // Not begun: as they were told before.
    for replies in [&[][..], &["451 no"], &["250 a"], &["250 a", "452 too many", "452 too many"]] {
        assert_eq!(report(replies), [ONE, LATER, LATER, "K\0"].concat(), "{replies:?}");
    }
    let refused = "h192.0.2.1 does not like recipient.\nRemote host said: 550 e\n\0";
    assert_eq!(report(&["250 a", "550 e"]), [ONE, refused, LATER, "K\0"].concat());
    let begun = ["250 a", "250 e", "250 g"];
    let each = |text: &str| [ONE, text, "\0", text, "\0K\0"].concat();
    let died = "sConnected to 192.0.2.1 but connection died. (#4.4.2)\n";
    assert_eq!(report(&begun), each(died));
    let data = "s192.0.2.1 failed on DATA command.\nRemote host said: 451 no\n";
    assert_eq!(report(&[&begun[..], &["451 no"]].concat()), each(data));
    let sent = "h192.0.2.1 failed after I sent the message.\nRemote host said: 554 no\n";
    assert_eq!(report(&[&begun[..], &["354 go", "554 no"]].concat()), each(sent));
    let twice = "sConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n";
    assert_eq!(report(&[&begun[..], &["354 go"]].concat()), each(twice));
}

#[test]
fn a_first_recipient_is_never_too_many() {
    let replies = ["452 too many", "250 e", "354 go", "250 ok"];
    let taken = "K192.0.2.1 accepted message.\nRemote host said: 250 ok\n\0";
    assert_eq!(after_hello(&replies), [LATER, "r\0", taken].concat());
    // Nor is anybody if the message can be read once only.
    let replies = ["250 c", "452 too many", "354 go", "250 ok"];
    assert_eq!(after_hello(&replies), ["r\0", LATER, taken].concat());
}

#[test]
fn a_host_that_does_not_begin_well_is_left_early() {
    for (text, letter) in [("421 busy", 'z'), ("554 no", 'd'), ("250 hm", 'z'), ("hello", 'z')] {
        assert_eq!(
            report(&[text]),
            format!(
                "{letter}Connected to 192.0.2.1 but greeting failed.\nRemote host said: {text}\n"
            )
        );
    }
    for text in ["550 who", "450 later", "220 hm"] {
        assert_eq!(
            report(&["220 hi", "500 what", text]),
            format!(
                "zConnected to 192.0.2.1 but my name was rejected.\nRemote host said: {text}\n"
            )
        );
    }
}

#[test]
fn what_is_offered_is_used() {
    let offers = "250-mx.test\r\n250-SIZE 1000\r\n250 8BITMIME";
    let (said, _) = talk(begun("a@b", &["c@d"]).of_size(Some(1000)), &["220 hi", offers]);
    assert_eq!(said[1], "MAIL FROM:<a@b> SIZE=1000 BODY=8BITMIME");
    let (said, ending) = talk(begun("a@b", &["c@d"]).of_size(Some(1001)), &["220 hi", offers]);
    assert_eq!(said[1], "QUIT");
    let report = "D192.0.2.1 takes at most 1000 bytes, and the message has 1001 (#5.3.4).\n\0";
    assert_eq!(ending, Ending::Final(report.into()));
}

const READS_ON: &str = "250-mx.test\r\n250 PIPELINING";

#[test]
fn a_host_that_reads_on_hears_of_recipients_together() {
    let together = "RCPT TO:<c@d>\r\nRCPT TO:<e@f>\r\nRCPT TO:<g@h>";
    let (said, ending) = talk(
        begun("a@b", &["c@d", "e@f", "g@h"]),
        &["220 hi", READS_ON, "250 a", "250 c", "550 e", "450 g", "354 go", "250 done"],
    );
    let after = ["", "", "DATA", "", "<message>", "QUIT"];
    assert_eq!(said[..3], ["EHLO me.test", "MAIL FROM:<a@b>", together]);
    assert_eq!(said[3..], after);
    let Ending::Final(report) = ending else { panic!("{ending:?}") };
    let report = String::from_utf8(report).unwrap();
    let letters: String =
        report.split_terminator('\0').filter_map(|record| record.chars().next()).collect();
    assert_eq!(letters, "rhsK", "{report:?}");
    // Not all of a thousand, whose replies would have to be read meanwhile.
    let (said, _) = talk(begun("a@b", &["c@d"; 250]), &["220 hi", READS_ON, "250 a"]);
    assert_eq!(said[2].matches("RCPT TO:").count(), 100);
    let replies = [&["220 hi", READS_ON, "250 a"][..], &["250 c"; 251]].concat();
    let (said, _) = talk(begun("a@b", &["c@d"; 250]), &replies);
    let counts: Vec<_> = said.iter().map(|said| said.matches("RCPT TO:").count()).collect();
    assert_eq!((counts[2], counts[102], counts[202]), (100, 100, 50));
    assert_eq!(said[252], "DATA");
    assert_eq!(counts.iter().sum::<usize>(), 250);
}

#[test]
fn of_who_was_named_and_not_answered_nothing_is_told() {
    let died = "ZConnected to 192.0.2.1 but connection died. (#4.4.2)\n\0";
    for (recipients, answers, records) in [
        (&["c@d", "e@f", "g@h"][..], &["250 c"][..], "r\0"),
        (&["c@d", "e\n@f", "g@h"], &[], ""),
        (
            &["c@d", "e\n@f", "g@h"],
            &["250 c"],
            "r\0hSMTP cannot transfer an address with a line end in it. (#5.1.3)\n\0",
        ),
    ] {
        let replies = [&["220 hi", READS_ON, "250 a"], answers].concat();
        let ending = talk(begun("a@b", recipients), &replies).1;
        assert_eq!(ending, Ending::Final(format!("{records}{died}").into()));
    }
}

#[test]
fn a_host_that_knows_no_ehlo_hears_helo() {
    let (said, _) = talk(begun("a@b", &["c@d"]), &["220 hi", "502 no", "250 ok"]);
    assert_eq!(said, ["EHLO me.test", "HELO me.test", "MAIL FROM:<a@b>"]);
    assert!(report(&["220 hi", "421 busy"]).starts_with("zConnected to 192.0.2.1 but my name"));
}

#[test]
fn every_refusal_has_its_report() {
    let said = "Remote host said:";
    for (replies, expected) in [
        (
            &["220 hi", "250 ok", "553 no"][..],
            format!("DConnected to 192.0.2.1 but sender was rejected.\n{said} 553 no\n\0"),
        ),
        (
            &["220 hi", "250 ok", "451 no"],
            format!("ZConnected to 192.0.2.1 but sender was rejected.\n{said} 451 no\n\0"),
        ),
        (
            &["220 hi", "250 ok", "250 ok", "450 no", "550 no"],
            format!(
                "s192.0.2.1 does not like recipient.\n{said} 450 no\n\0\
                 h192.0.2.1 does not like recipient.\n{said} 550 no\n\0DGiving up on 192.0.2.1.\n\0"
            ),
        ),
    ] {
        assert_eq!(report(replies), expected);
    }
    for (data, letter) in [("554 no", 'D'), ("451 no", 'Z'), ("250 hm", 'Z'), ("x", 'Z')] {
        assert_eq!(
            after_hello(&["250 ok", "250 ok", data]),
            format!("r\0r\0{letter}192.0.2.1 failed on DATA command.\n{said} {data}\n\0")
        );
    }
    for (end, letter) in [("554 no", 'D'), ("451 no", 'Z'), ("354 more", 'Z'), ("0", 'Z')] {
        assert_eq!(
            after_hello(&["250 ok", "250 ok", "354 go", end]),
            format!("r\0r\0{letter}192.0.2.1 failed after I sent the message.\n{said} {end}\n\0")
        );
    }
}

#[test]
fn a_lost_connection_is_temporary() {
    let died = "Connected to 192.0.2.1 but connection died. (#4.4.2)\n";
    assert_eq!(report(&[]), format!("z{died}"));
    assert_eq!(report(&HELLO[..1]), format!("z{died}"));
    assert_eq!(report(&HELLO[..2]), format!("Z{died}\0"));
    assert_eq!(after_hello(&[]), format!("Z{died}\0"));
    assert_eq!(after_hello(&["250 ok"]), format!("r\0Z{died}\0"));
    assert_eq!(
        after_hello(&["250 ok", "250 ok", "354 go"]),
        "r\0r\0ZConnected to 192.0.2.1 but connection died. Possible duplicate! (#4.4.2)\n\0"
    );
}

#[test]
fn a_message_that_cannot_be_read_is_temporary() {
    let mut conversation = begun("a@b", &["c@d"]);
    for text in ["220 hi", "250 ok", "250 ok", "250 ok", "354 go"] {
        conversation.reply(&reply(text), &mut Vec::new());
    }
    let report = b"r\0ZUnable to read message. (#4.3.0)\n\0".to_vec();
    assert_eq!(conversation.unreadable(), Ending::Final(report));
}

#[test]
fn addresses_are_quoted_if_they_have_to_be() {
    for (address, expected) in [
        ("a b@c", "\"a b\"@c"),
        ("a@b@c", "\"a@b\"@c"),
        ("\"@c", "\"\\\"\"@c"),
        (".a@c", "\".a\"@c"),
        ("\u{e9}@c", "\"\u{e9}\"@c"),
        ("@c", "\"\"@c"),
        ("a b", "a b"),
        ("", ""),
        ("#@[]", ""),
    ] {
        let (said, _) = talk(begun(address, &[]), &HELLO[..2]);
        assert_eq!(said[1], format!("MAIL FROM:<{expected}>"), "{address}");
    }
}

#[test]
fn an_address_with_a_line_end_is_never_sent() {
    let refused = "hSMTP cannot transfer an address with a line end in it. (#5.1.3)\n\0";
    let conversation = begun("a@b", &["c\n@d", "e@f", "g@h\r\nRSET"]);
    let (said, ending) = talk(conversation, &["220 hi", "250 ok", "250 ok", "250 ok", "554 no"]);
    assert_eq!(said[2..4], ["RCPT TO:<e@f>", "DATA"]);
    let report = format!(
        "{refused}r\0{refused}D192.0.2.1 failed on DATA command.\nRemote host said: 554 no\n\0"
    );
    assert_eq!(ending, Ending::Final(report.into()));
    let (said, ending) = talk(begun("a@b", &["c@d\n"]), &HELLO);
    assert_eq!(said[2], "QUIT");
    assert_eq!(ending, Ending::Final(format!("{refused}DGiving up on 192.0.2.1.\n\0").into()));
    let host = "192.0.2.1".parse().unwrap();
    let bad = Conversation::new(host, b"me", b"a@b\r\nRCPT TO:<x@y>", [&b"c@d"[..]]);
    assert_eq!(bad.err(), Some(BadSender));
}

#[test]
fn only_hosts_that_all_refuse_for_good_make_it_permanent() {
    let report = |attempts: &[Option<bool>]| {
        let mut all = Attempts::default();
        for (number, attempt) in attempts.iter().enumerate() {
            match attempt {
                Some(is_permanent) => all.early(*is_permanent, format!("text {number}\n").into()),
                None => all.unreached(),
            }
        }
        String::from_utf8(all.report()).unwrap()
    };
    assert_eq!(report(&[Some(true), Some(true)]), "Dtext 1\n\0");
    assert_eq!(report(&[Some(false), Some(true)]), "Ztext 1\n\0");
    assert_eq!(report(&[Some(true), None]), "Ztext 0\n\0");
    let none = "ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n\0";
    assert_eq!(report(&[None, None]), none);
}

proptest! {
    /// Whatever a host replies, each command is one line, and a report has a record for each
    /// recipient that was asked for and one for the message.
    #[test]
    fn any_replies_lead_to_a_report(
        replies in prop::collection::vec("(220|250|354|450|550|[0-9x]{1,3})[ -]?[a-z\0]{0,5}", 0..12),
        recipients in prop::collection::vec("[ -~]{0,5}@[a-z]{1,5}", 1..4),
    ) {
        let recipients: Vec<&str> = recipients.iter().map(String::as_str).collect();
        let replies: Vec<String> = replies.iter().map(|text| text.replacen('-', " ", 1)).collect();
        let replies: Vec<&str> = replies.iter().map(String::as_str).collect();
        let (said, ending) = talk(begun("a@b", &recipients), &replies);
        for line in said {
            prop_assert!(!line.contains(['\r', '\n']));
        }
        if let Ending::Final(report) = ending {
            prop_assert_eq!(report.last(), Some(&0));
            let records = report.strip_suffix(b"\0").unwrap().split(|&byte| byte == 0);
            let letters: Vec<u8> = records.map(|record| record[0]).collect();
            let (last, first) = letters.split_last().unwrap();
            prop_assert!(b"KDZ".contains(last) && first.iter().all(|letter| b"rhs".contains(letter)));
            prop_assert!(first.len() <= recipients.len());
            prop_assert!(*last != b'K' || first.len() == recipients.len());
        }
    }
}
