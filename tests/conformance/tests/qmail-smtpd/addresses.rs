//! Addresses: how they are read, and which are taken.

use harness::{Run, Side, recorded};
use lookup::cdb::Writer;

use crate::{MESSAGE, NOTHING, RELAY, Setup, case, same, talk, without_times};

/// A message from and to each address; the envelopes lie in the case's directory.
fn envelope<'a>(senders: &'a [String], recipients: &'a [String]) -> Vec<&'a str> {
    let mut turns: Vec<&str> = Vec::new();
    for sender in senders {
        turns.extend([sender, "RCPT TO:<x@here.test>\r\n", "DATA\r\n", ".\r\n"]);
    }
    turns.push(MESSAGE[0]);
    turns.extend(recipients.iter().map(String::as_str));
    turns.extend(["DATA\r\n", ".\r\n", "QUIT\r\n"]);
    turns
}

fn commands(verb: &str, arguments: &[&str]) -> Vec<String> {
    arguments.iter().map(|argument| format!("{verb}{argument}\r\n")).collect()
}

#[test]
fn addresses() {
    let both = [
        " FROM:<a@b>",
        " from:a@b",
        " from:   a@b",
        " <a@b>",
        " x:y:<a@b>",
        " FROM: <a@b>  ",
        " FROM:<a@b",
        " FROM:Joe <a@b>",
        " FROM:<a>",
        " FROM:<@c,@d:a@b>",
        " FROM:@c,@d:a@b",
        " FROM:<\"a b\"@c>",
        " FROM:<\"a>b\"@c>",
        " FROM:<a\\>b@c>",
        " FROM:<\"a\\\"b\"@c>",
        " FROM:<\"a\\\\b\"@c>",
        " FROM:<\"a\"b\"c\"@d>",
        " FROM:<\"a@b>",
        " FROM:\"a b\"@c",
        " FROM:<a@b@c>",
        " FROM:<a@\"[127.0.0.1]\">",
        " FROM:<a@[127.0.0.1]>",
        " FROM:<a@[0.0.0.0]>",
        " FROM:<a@[192.0.2.77]>",
        " FROM:<a@[127.0.0.1]x>",
        " FROM:<\"q x\"@[127.0.0.1]>",
        " FROM:<\u{e9}@\u{e8}>",
        " FROM:<<a@b>",
    ];
    let long = format!(" FROM:<{}@b.test>", "x".repeat(892));
    let too_long = format!(" FROM:<{}@b.test>", "x".repeat(893));
    let both = [&both[..], &[&long, &too_long]].concat();
    let senders = commands("MAIL", &[&both[..], &["", " FROM:<>", " FROM:"]].concat());
    let recipients = commands("RCPT", &both);
    same(case("addresses", &RELAY, &envelope(&senders, &recipients)));
    let controls = [("localiphost", "big.test\n")];
    let literal = commands("RCPT", &[" TO:<a@[127.0.0.1]>", " TO:<a@[127.0.0.2]>"]);
    let setup = Setup { controls: &controls, ..RELAY };
    same(case("localiphost", &setup, &envelope(&[], &literal)));
}

/// What the original takes and we refuse: `555` or `553` for each.
#[test]
fn what_is_no_address_is_refused() {
    let turns = [
        "MAIL FROM: foo\r\n",
        "MAIL foo\r\n",
        "MAIL FROM:<a@b>x\r\n",
        "MAIL FROM:<@b>\r\n",
        "MAIL FROM:<a@b> FOO=1\r\n",
        "MAIL FROM:<a@b> SMTPUTF8\r\n",
        "MAIL FROM:<#@[]>\r\n",
        "MAIL FROM:<list-@b-@[]>\r\n",
        "MAIL FROM:<a@b>\r\n",
        "RCPT\r\n",
        "RCPT TO:<>\r\n",
        "RCPT TO:<\"\">\r\n",
        "RCPT TO: foo\r\n",
        "RCPT TO:<x@here.test> NOTIFY=NEVER\r\n",
        "RCPT TO:<x@here.test>x\r\n",
        "QUIT\r\n",
    ];
    let (syntax, parameter, reserved) = (
        "555 syntax error (#5.5.4)\r\n",
        "555 unknown or malformed parameter (#5.5.4)\r\n",
        "553 sorry, that envelope sender is reserved (#5.1.7)\r\n",
    );
    let ok = "250 ok\r\n";
    let mail = [syntax, syntax, parameter, syntax, parameter, parameter, reserved, reserved, ok];
    let said =
        |replies: &[&str]| format!("220 mail.test ESMTP\r\n{}221 mail.test\r\n", replies.concat());
    let _ = case("lax-addresses", &RELAY, &turns)
        .differing_stdout(&said(&[&mail[..], &[syntax; 6]].concat()), &said(&[ok; 15]));
}

/// Parameters that we know, and the original overlooks.
#[test]
fn parameters() {
    let controls = [("databytes", "100\n")];
    let turns = [
        "MAIL FROM:<a@b> BODY=8BITMIME SIZE=100\r\n",
        "MAIL FROM:a@b size=0 body=7bit\r\n",
        "MAIL FROM:<> AUTH=<>\r\n",
        "MAIL FROM:<a@b> SIZE=101\r\n",
        "QUIT\r\n",
    ];
    let said = |last: &str| {
        format!("220 mail.test ESMTP\r\n{}{last}221 mail.test\r\n", "250 ok\r\n".repeat(3))
    };
    let _ = case("parameters", &Setup { controls: &controls, ..NOTHING }, &turns).differing_stdout(
        &said("552 sorry, that message size exceeds my databytes limit (#5.3.4)\r\n"),
        &said("250 ok\r\n"),
    );
}

#[test]
fn badmailfrom() {
    let controls = [("badmailfrom", "Bad@one.test\n@two.test\n# @three.test\n")];
    let mut turns = Vec::new();
    for sender in [
        "MAIL FROM:<bad@ONE.test>\r\n",
        "MAIL FROM:<good@one.test>\r\n",
        "MAIL FROM:<x@TWO.test>\r\n",
        "MAIL FROM:<x@sub.two.test>\r\n",
        "MAIL FROM:<x@three.test>\r\n",
        "MAIL FROM:<>\r\n",
        "MAIL FROM:<\"@two.test\">\r\n",
    ] {
        turns.extend([sender, "RCPT TO:<x@here.test>\r\n"]);
    }
    turns.push("QUIT\r\n");
    let setup = Setup { controls: &controls, ..NOTHING };
    same(case("badmailfrom", &setup, &turns));
    same(case("badmailfrom-relay", &Setup { env: RELAY.env, ..setup }, &turns));
}

const RECIPIENTS: [&str; 12] = [
    "RCPT TO:<x@here.test>\r\n",
    "RCPT TO:<x@HERE.test>\r\n",
    "RCPT TO:<x@sub.here.test>\r\n",
    "RCPT TO:<x@a.b.wild.test>\r\n",
    "RCPT TO:<x@wild.test>\r\n",
    "RCPT TO:<x@elsewhere.test>\r\n",
    "RCPT TO:<x>\r\n",
    "RCPT TO:<\"x@elsewhere.test\">\r\n",
    "RCPT TO:<x@here.test@elsewhere.test>\r\n",
    "RCPT TO:<x%elsewhere.test@here.test>\r\n",
    "RCPT TO:<\"\"@elsewhere.test>\r\n",
    "RCPT TO:<x@>\r\n",
];

fn recipients() -> Vec<&'static str> {
    [&MESSAGE[..1], &RECIPIENTS, &["DATA\r\n", ".\r\n", "QUIT\r\n"]].concat()
}

#[test]
fn rcpthosts() {
    let controls = [("rcpthosts", "here.test \n.Wild.test\n\n#elsewhere.test\n")];
    same(case("rcpthosts", &Setup { controls: &controls, ..NOTHING }, &recipients()));
    let controls = [("rcpthosts", "")];
    same(case("rcpthosts-empty", &Setup { controls: &controls, ..NOTHING }, &recipients()));
    let env = [("RELAYCLIENT", "@fixme")];
    same(case("relayclient", &Setup { env: &env, ..NOTHING }, &recipients()));
}

#[test]
fn morercpthosts() {
    let run = |side: &Side| {
        let path = side.home().join("control/morercpthosts.cdb");
        let mut writer = Writer::create(&path.with_extension("tmp")).unwrap();
        writer.add(b"elsewhere.test", b"").unwrap();
        writer.add(b".wild.test", b"").unwrap();
        writer.finish().unwrap().commit(&path).unwrap();
        let run = talk(side, &NOTHING, &recipients());
        std::fs::remove_file(path).unwrap();
        run
    };
    same(recorded("qmail-smtpd", "morercpthosts", run).normalised(without_times));
}

/// Without rcpthosts the original relays for everybody. We take what is local, and everything only
/// where the file says so.
#[test]
fn missing_rcpthosts() {
    let controls = [
        ("rcpthosts", "missing"),
        ("virtualdomains", ".wild.test:wild\nelsewhere.test:\n:everything\n"),
        ("locals", "here.test\n"),
    ];
    let ok = "250 ok\r\n";
    let no = "553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)\r\n";
    let ours = [ok, ok, no, ok, no, no, ok, no, no, ok, no, no];
    let said = |replies: [&str; 12]| {
        format!("220 mail.test ESMTP\r\n250 ok\r\n{}221 mail.test\r\n", replies.concat())
    };
    let turns = [&MESSAGE[..1], &RECIPIENTS, &["QUIT\r\n"]].concat();
    let missing = case("no-rcpthosts", &Setup { controls: &controls, ..NOTHING }, &turns)
        .differing_stdout(&said(ours), &said([ok; 12]));
    let log = String::from_utf8(missing.ours().run.stderr.clone()).unwrap();
    assert!(log.contains("control/rcpthosts is missing"), "{log}");

    let controls = [("rcpthosts", "*\n")];
    let side = Side::ours();
    let Run { stdout, .. } = talk(&side, &Setup { controls: &controls, ..NOTHING }, &turns);
    assert_eq!(String::from_utf8(stdout).unwrap(), said([ok; 12]));
}

#[test]
fn nothing_before_the_last_at_makes_a_relay() {
    same(case(
        "relay-tricks",
        &NOTHING,
        &[
            "MAIL FROM:<a@b>\r\n",
            "RCPT TO:<\"\"@there.test>\r\n",
            "RCPT TO:<\"x@here.test\"@there.test>\r\n",
            "RCPT TO:<x@here.test@there.test>\r\n",
            "RCPT TO:<@here.test:x@there.test>\r\n",
            "RCPT TO:<x\\@there.test@here.test>\r\n",
            "RCPT TO:<x%there.test@here.test>\r\n",
            "RCPT TO:<there.test!x@here.test>\r\n",
            "RCPT TO:<x@there.test.here.test>\r\n",
            "RCPT TO:<x@here.test.>\r\n",
            "RCPT TO:<\"\"@here.test>\r\n",
            "RSET\r\n",
            "QUIT\r\n",
        ],
    ));
}
