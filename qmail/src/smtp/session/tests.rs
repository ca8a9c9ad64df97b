use super::*;
use proptest::prelude::*;

/// Accepts `@here.test`, refuses `bad@…`, owns 192.0.2.1; `broken` domains and 192.0.2.9 are trouble.
struct Fake;

impl Policy for Fake {
    fn is_own_address(&mut self, address: IpAddr) -> Result<bool, Trouble> {
        match address.to_string().as_str() {
            "192.0.2.9" => Err(Trouble::Addresses),
            text => Ok(text == "192.0.2.1"),
        }
    }

    fn refuses_sender(&mut self, sender: &[u8]) -> bool {
        sender.starts_with(b"bad@")
    }

    fn accepts_recipient(&mut self, recipient: &[u8]) -> Result<bool, Trouble> {
        if recipient.ends_with(b"@broken") {
            return Err(Trouble::Controls);
        }
        Ok(recipient.ends_with(b"@here.test"))
    }

    fn judges(&mut self, asked: &Asked<'_>) -> Judgement {
        match asked.recipient {
            b"unknown@here.test" if !asked.relays => Judgement::Unknown,
            b"unclear@here.test" => Judgement::Unclear,
            b"end@here.test" => Judgement::End(replies::ENOUGH.into()),
            b"refused@here.test" => Judgement::Refused(b"450 not today\r\n".into()),
            b"relayed@far.test" if asked.relays => Judgement::Unknown,
            _ => Judgement::Welcome,
        }
    }

    fn is_fed_up(&mut self, unknown: u64) -> Result<bool, Trouble> {
        Ok(unknown >= 3)
    }
}

fn settings() -> Settings {
    Settings {
        greeting: b"mail.test".to_vec(),
        literal_host: Some(b"here.test".to_vec()),
        relay: None,
        recipients: 3,
        databytes: 1000,
    }
}

/// Says the lines, up to the first that does not lead to the next; gives the last step and its reply.
fn talk(settings: Settings, lines: &[&str]) -> (Session, Step, String) {
    let mut session = Session::new(settings);
    let mut out = Vec::new();
    let mut step = Step::Next;
    for line in lines {
        assert_eq!(step, Step::Next, "before {line}");
        out.clear();
        step = session.line(Line::Text(line.as_bytes()), &mut Fake, &mut out);
    }
    let reply = String::from_utf8(out).unwrap();
    let reply = reply.strip_suffix("\r\n").unwrap_or(&reply);
    (session, step, reply.to_owned())
}

fn reply(lines: &[&str]) -> String {
    talk(settings(), lines).2
}

const MAIL: &str = "MAIL FROM:<a@b>";
const RCPT: &str = "RCPT TO:<x@here.test>";

#[test]
fn a_recipient_that_nobody_has_is_refused_at_once() {
    for (recipient, reply) in [
        ("unknown", "550 sorry, no mailbox here by that name (#5.1.1)"),
        ("unclear", "451 unable to verify recipient (#4.3.0)"),
        ("refused", "450 not today"),
    ] {
        let rcpt = format!("RCPT TO:<{recipient}@here.test>");
        assert_eq!(talk(settings(), &[MAIL, &rcpt]).1, Step::Next);
        assert_eq!(self::reply(&[MAIL, &rcpt]), reply);
        assert_eq!(self::reply(&[MAIL, &rcpt, "DATA"]), "503 RCPT first (#5.5.1)");
    }
    let (_, step, reply) = talk(settings(), &[MAIL, "RCPT TO:<end@here.test>"]);
    assert_eq!((step, &*reply), (Step::Abort, replies::ENOUGH.trim_end()));
    let relay = Settings { relay: Some(Vec::new()), ..settings() };
    assert_eq!(talk(relay.clone(), &[MAIL, "RCPT TO:<unknown@here.test>"]).2, "250 ok");
    let nobody = "550 sorry, no mailbox here by that name (#5.1.1)";
    assert_eq!(talk(relay, &[MAIL, "RCPT TO:<relayed@far.test>"]).2, nobody);
}

#[test]
fn a_client_may_not_guess_for_ever() {
    let guesses = ["RCPT TO:<unknown@here.test>"; 3];
    let lines = [&[MAIL][..], &guesses].concat();
    assert_eq!(talk(settings(), &lines).1, Step::Next);
    let more = [&lines[..], &["RSET", MAIL, "RCPT TO:<x@here.test>"]].concat();
    let (_, step, reply) = talk(settings(), &more);
    assert_eq!((step, &*reply), (Step::Abort, replies::FED_UP.trim_end()));
}

#[test]
fn every_verb_has_its_reply() {
    for (line, expected) in [
        ("HELO x", "250 mail.test"),
        ("ehlo x", "250-mail.test\r\n250-PIPELINING\r\n250-SIZE 1000\r\n250 8BITMIME"),
        ("RSET", "250 flushed"),
        ("NOOP x", "250 ok"),
        ("VRFY x", "252 send some mail, i'll try my best"),
        ("QUIT", "221 mail.test"),
        ("MAIL", "250 ok"),
        ("DATA", "503 MAIL first (#5.5.1)"),
        (RCPT, "503 MAIL first (#5.5.1)"),
        ("", "502 unimplemented (#5.5.1)"),
        ("EXPN x", "502 unimplemented (#5.5.1)"),
        ("STARTTLS", "502 unimplemented (#5.5.1)"),
        ("AUTH PLAIN", "502 unimplemented (#5.5.1)"),
    ] {
        assert_eq!(reply(&[line]), expected, "{line}");
    }
    assert!(reply(&["HELP"]).starts_with("214 "));
    assert_eq!(talk(settings(), &["QUIT"]).1, Step::Quit);
}

#[test]
fn a_line_too_long_is_answered_and_forgotten() {
    let mut out = Vec::new();
    let step = Session::new(settings()).line(Line::TooLong, &mut Fake, &mut out);
    assert_eq!((step, out.as_slice()), (Step::Next, &b"500 line too long (#5.5.2)\r\n"[..]));
}

#[test]
fn the_greeting_is_first() {
    let mut out = Vec::new();
    Session::new(settings()).greet(&mut out);
    assert_eq!(out, b"220 mail.test ESMTP\r\n");
}

#[test]
fn an_envelope_is_gathered() {
    let (session, step, reply) = talk(
        settings(),
        &[
            "EHLO client",
            MAIL,
            RCPT,
            "rcpt to: joe@here.test",
            "RCPT TO:<@route:\"q x\"@[192.0.2.1]>",
            "DATA",
        ],
    );
    assert_eq!((reply.as_str(), session.helo()), ("", Some(&b"client"[..])));
    let Step::Message(envelope) = step else { panic!("{step:?}") };
    assert_eq!(envelope.sender, b"a@b");
    let recipients: Vec<&[u8]> = envelope.recipients().collect();
    assert_eq!(recipients, [&b"x@here.test"[..], b"joe@here.test", b"q x@here.test"]);
}

#[test]
fn a_message_takes_its_envelope_with_it() {
    let mut session = Session::new(settings());
    let mut say = |line: &str| {
        let mut out = Vec::new();
        let step = session.line(Line::Text(line.as_bytes()), &mut Fake, &mut out);
        (step, String::from_utf8(out).unwrap())
    };
    say(MAIL);
    assert_eq!(say("DATA"), (Step::Next, "503 RCPT first (#5.5.1)\r\n".into()));
    say(RCPT);
    assert!(matches!(say("DATA").0, Step::Message(_)));
    assert_eq!(say("DATA"), (Step::Next, "503 MAIL first (#5.5.1)\r\n".into()));
    assert_eq!(say(RCPT).1, "503 MAIL first (#5.5.1)\r\n");
}

#[test]
fn mail_helo_and_rset_begin_anew() {
    for line in ["HELO x", "EHLO x", "RSET"] {
        assert_eq!(reply(&[MAIL, RCPT, line, "DATA"]), "503 MAIL first (#5.5.1)", "{line}");
    }
    assert_eq!(reply(&[MAIL, RCPT, MAIL, "DATA"]), "503 RCPT first (#5.5.1)");
    // What is refused changes nothing.
    for line in ["MAIL FROM:<@x>", "MAIL FROM:<a@b> SIZE=1001", "MAIL FROM:<#@[]>"] {
        assert!(matches!(talk(settings(), &[MAIL, RCPT, line, "DATA"]).1, Step::Message(_)));
    }
}

#[test]
fn what_is_no_address_is_a_syntax_error() {
    for line in ["MAIL FROM: foo", "MAIL FROM:<a@b>x", "MAIL FROM:<a\0@b>"] {
        assert!(reply(&[line]).starts_with("555 "), "{line}");
    }
    for line in ["RCPT", "RCPT TO:<>", "RCPT TO:<\"\">", "RCPT TO:<x@here.test> NOTIFY=NEVER"] {
        assert_eq!(reply(&[MAIL, line]), "555 syntax error (#5.5.4)", "{line}");
    }
    assert_eq!(reply(&["MAIL FROM:<a@b> SMTPUTF8"]), "555 unknown or malformed parameter (#5.5.4)");
}

#[test]
fn a_size_beyond_the_limit_is_refused_at_once() {
    let too_big = "552 sorry, that message size exceeds my databytes limit (#5.3.4)";
    assert_eq!(reply(&["MAIL FROM:<a@b> SIZE=1000"]), "250 ok");
    assert_eq!(reply(&["MAIL FROM:<a@b> SIZE=1001 BODY=8BITMIME"]), too_big);
    let any = Settings { databytes: 0, ..settings() };
    assert_eq!(talk(any, &["MAIL FROM:<a@b> SIZE=99999999999999999999"]).2, "250 ok");
}

#[test]
fn senders_of_the_queue_itself_are_not_for_strangers() {
    for line in ["MAIL FROM:<#@[]>", "MAIL FROM:<list-@host-@[]>", "MAIL FROM:<\"#\"@[]>"] {
        assert_eq!(reply(&[line]), "553 sorry, that envelope sender is reserved (#5.1.7)");
    }
}

#[test]
fn an_unwanted_sender_is_told_at_rcpt() {
    let refused = "553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)";
    assert_eq!(reply(&["MAIL FROM:<bad@x>"]), "250 ok");
    assert_eq!(reply(&["MAIL FROM:<bad@x>", RCPT]), refused);
    assert_eq!(reply(&["MAIL FROM:<bad@x>", RCPT, "DATA"]), "503 RCPT first (#5.5.1)");
    assert_eq!(reply(&["MAIL FROM:<bad@x>", MAIL, RCPT]), "250 ok");
    let relay = Settings { relay: Some(Vec::new()), ..settings() };
    assert_eq!(talk(relay, &["MAIL FROM:<bad@x>", RCPT]).2, refused);
}

#[test]
fn other_domains_are_for_clients_that_may_relay() {
    assert_eq!(
        reply(&[MAIL, "RCPT TO:<x@there.test>"]),
        "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"
    );
    let relay = Settings { relay: Some(b"@fixme".to_vec()), ..settings() };
    let (_, step, _) = talk(relay, &[MAIL, "RCPT TO:<x@there.test>", "DATA"]);
    let Step::Message(envelope) = step else { panic!("{step:?}") };
    assert_eq!(envelope.recipients().collect::<Vec<_>>(), [b"x@there.test@fixme"]);
}

#[test]
fn recipients_beyond_the_limit_come_another_time() {
    assert_eq!(reply(&[MAIL, RCPT, RCPT, RCPT, RCPT]), "452 max rcpt limit exceeded (#5.7.1)");
    let (_, step, _) = talk(settings(), &[MAIL, RCPT, RCPT, RCPT, RCPT, RCPT, "DATA"]);
    let Step::Message(envelope) = step else { panic!("{step:?}") };
    assert_eq!(envelope.recipients().count(), 3);
    let any = Settings { recipients: 0, ..settings() };
    assert_eq!(talk(any, &[MAIL, RCPT, RCPT, RCPT, RCPT]).2, "250 ok");
}

#[test]
fn trouble_ends_the_session() {
    for (lines, expected) in [
        (&[MAIL, "RCPT TO:<x@broken>"][..], "421 unable to read controls (#4.3.0)"),
        (&["MAIL FROM:<x@[192.0.2.9]>"], "421 unable to figure out my IP addresses (#4.3.0)"),
        (&[MAIL, "RCPT TO:<x@[192.0.2.9]>"], "421 unable to figure out my IP addresses (#4.3.0)"),
    ] {
        let (_, step, reply) = talk(settings(), lines);
        assert_eq!((step, reply.as_str()), (Step::Abort, expected));
    }
}

#[test]
fn only_literals_of_this_host_become_its_name() {
    let sender = |line: &str, settings: Settings| {
        let (_, step, _) = talk(settings, &[line, RCPT, "DATA"]);
        let Step::Message(envelope) = step else { panic!("{step:?}") };
        String::from_utf8(envelope.sender).unwrap()
    };
    assert_eq!(sender("MAIL FROM:<a@[192.0.2.1]>", settings()), "a@here.test");
    assert_eq!(sender("MAIL FROM:<a@[192.0.2.2]>", settings()), "a@[192.0.2.2]");
    let nameless = Settings { literal_host: None, ..settings() };
    assert_eq!(sender("MAIL FROM:<a@[192.0.2.1]>", nameless), "a@[192.0.2.1]");
}

#[test]
fn results_are_told_in_their_order() {
    let result = |verdict, refusal| {
        let mut out = Vec::new();
        push_result(&mut out, &verdict, refusal, 1_795_220_642);
        String::from_utf8(out).unwrap()
    };
    let accepted = Verdict::Accepted { qp: 10_044 };
    assert_eq!(result(accepted, None), "250 ok 1795220642 qp 10044\r\n");
    let failed = || Verdict::temporary("qq read error (#4.3.0)");
    assert_eq!(result(failed(), None), "451 qq read error (#4.3.0)\r\n");
    assert_eq!(
        result(failed(), Some(Refusal::Hops)),
        "554 too many hops, this message is looping (#5.4.6)\r\n"
    );
    assert_eq!(
        result(failed(), Some(Refusal::Size)),
        "552 sorry, that message size exceeds my databytes limit (#5.3.4)\r\n"
    );
    assert!(result(failed(), Some(Refusal::Header)).starts_with("552 "));
    let virus = Verdict::permanent("virus found (#5.7.1)");
    assert_eq!(result(virus, None), "554 virus found (#5.7.1)\r\n");
}

proptest! {
    /// Whatever is said, each line gets one reply of whole lines, and only DATA gets none.
    #[test]
    fn every_line_gets_one_reply(
        lines in prop::collection::vec("(MAIL|RCPT|DATA|HELO|EHLO|RSET|NOOP|X)? ?[ -~\r]{0,30}", 0..20),
    ) {
        let mut session = Session::new(settings());
        for line in &lines {
            let mut out = Vec::new();
            let step = session.line(Line::Text(line.as_bytes()), &mut Fake, &mut out);
            let reply = String::from_utf8(out).unwrap();
            let last = reply.split_inclusive("\r\n").filter(|line| line.as_bytes()[3] == b' ').count();
            prop_assert_eq!(last, usize::from(!matches!(step, Step::Message(_))));
            prop_assert!(reply.is_empty() || reply.ends_with("\r\n"));
        }
    }
}
