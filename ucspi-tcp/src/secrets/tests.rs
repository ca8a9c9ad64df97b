use super::*;
use proptest::prelude::*;

/// The client's side of a conversation as it is shown; lines of the server begin with `S: `.
fn shown(conversation: &[&str]) -> String {
    let mut secrets = Secrets::default();
    let mut out = Vec::new();
    for said in conversation {
        match said.strip_prefix("S: ") {
            Some(said) => secrets.hear(said.as_bytes()),
            None => secrets.hide(said.as_bytes(), &mut out),
        }
    }
    String::from_utf8(out).unwrap()
}

#[test]
fn an_exchange_of_smtp_is_secret_until_it_is_over() {
    let login = [
        "EHLO a\r\n",
        "S: 250-b\r\n250 AUTH LOGIN PLAIN\r\n",
        "auth login\r\n",
        "S: 334 VXNlcm5hbWU6\r\n",
        "am9l\r\n",
        "S: 334 UGFzc3dvcmQ6\r\n",
        "c2VjcmV0\r\n",
        "S: 235 ok\r\n",
        "MAIL FROM:<joe@a>\r\n",
    ];
    assert_eq!(shown(&login), "EHLO a\r\nauth login\r\n***\r\n***\r\nMAIL FROM:<joe@a>\r\n");
    let plain = ["AUTH PLAIN AGpvZQBzZWNyZXQ=\r\n", "S: 535 no\r\n", "QUIT\r\n"];
    assert_eq!(shown(&plain), "AUTH PLAIN ***\r\nQUIT\r\n");
    let separate = ["AUTH PLAIN\r\n", "S: 334 \r\n", "AGpvZQBzZWNyZXQ=\r\n", "S: 235 ok\r\n"];
    assert_eq!(shown(&separate), "AUTH PLAIN\r\n***\r\n");
    let initial =
        ["AUTH LOGIN am9l\r\n", "S: 334 x\r\n", "c2VjcmV0\r\n", "S: 235 \r\n", "NOOP\r\n"];
    assert_eq!(shown(&initial), "AUTH LOGIN ***\r\n***\r\nNOOP\r\n");
}

#[test]
fn an_answer_to_an_earlier_command_ends_no_exchange() {
    let pipelined = [
        "EHLO a\r\nAUTH LOGIN\r\nam9l\r\n",
        "S: 502 no\r\n",
        "S: 334 VXNlcm5hbWU6\r\n334 UGFzc3dvcmQ6\r\n",
        "c2VjcmV0\r\n",
    ];
    assert_eq!(shown(&pipelined), "EHLO a\r\nAUTH LOGIN\r\n***\r\n***\r\n");
    let pop =
        ["CAPA\r\nAUTH PLAIN\r\n", "S: +OK\r\n.\r\n+ \r\n", "AGpvZQBzZWNyZXQ=\r\n", "S: +OK\r\n"];
    assert_eq!(shown(&pop), "CAPA\r\nAUTH PLAIN\r\n***\r\n");
}

#[test]
fn passwords_of_pop3_are_secret() {
    let pass = ["USER joe\r\n", "S: +OK\r\n", "PASS my  secret\r\n", "S: +OK\r\n", "RETR 1\r\n"];
    assert_eq!(shown(&pass), "USER joe\r\nPASS ***\r\nRETR 1\r\n");
    assert_eq!(shown(&["apop joe c4c9334bac560ecc\r\nSTAT\r\n"]), "apop joe ***\r\nSTAT\r\n");
    assert_eq!(shown(&["PASS\r\nPASSX y\r\nAPOP joe\r\n"]), "PASS\r\nPASSX y\r\nAPOP joe\r\n");
    let auth =
        ["AUTH CRAM-MD5\r\n", "S: + PDE4OT4=\r\n", "am9lIGI5\r\n", "S: -ERR\r\n", "QUIT\r\n"];
    assert_eq!(shown(&auth), "AUTH CRAM-MD5\r\n***\r\nQUIT\r\n");
}

#[test]
fn logins_of_imap_are_secret() {
    assert_eq!(shown(&["a1 login joe secret\r\na2 NOOP\r\n"]), "a1 login ***\r\na2 NOOP\r\n");
    let literals = [
        "a1 LOGIN {3}\r\n",
        "S: + go on\r\n",
        "joe {6}\r\n",
        "S: + go on\r\n",
        "secret\r\n",
        "S: a1 OK\r\n",
        "a2 NOOP\r\n",
    ];
    assert_eq!(shown(&literals), "a1 LOGIN ***\r\n***\r\n***\r\na2 NOOP\r\n");
    let odd = ["a1 LOGIN {5+}\r\njoe\r\n {8+}\r\nse\r\ncret\r\na2 NOOP\r\n"];
    assert_eq!(shown(&odd), "a1 LOGIN ***\r\n***\r\n***\r\n***\r\n***\r\na2 NOOP\r\n");
    let authenticate = [
        "a1 NOOP\r\na2 AUTHENTICATE PLAIN\r\n",
        "S: a1 OK\r\n* CAPABILITY IMAP4rev1\r\n+ \r\n",
        "AGpvZQBzZWNyZXQ=\r\n",
        "S: a2 OK\r\n",
        "a3 SELECT INBOX\r\n",
    ];
    assert_eq!(
        shown(&authenticate),
        "a1 NOOP\r\na2 AUTHENTICATE PLAIN\r\n***\r\na3 SELECT INBOX\r\n"
    );
    let initial =
        ["a AUTHENTICATE PLAIN AGpv\r\n", "S: A OK\r\n", "b APPEND x {9}\r\nPAST all\r\n"];
    assert_eq!(shown(&initial), "a AUTHENTICATE PLAIN ***\r\nb APPEND x {9}\r\nPAST all\r\n");
}

#[test]
fn a_message_has_no_secrets() {
    let message = "AUTH PLAIN x\r\nPASS y\r\n.\r\n";
    let conversation = ["DATA\r\n", "S: 354 go\r\n", message, "PASS z\r\n"];
    assert_eq!(shown(&conversation), format!("DATA\r\n{message}PASS ***\r\n"));
    // It was refused: these are commands.
    let refused = ["DATA\r\n", "S: 503 no\r\n", "PASS y\r\n"];
    assert_eq!(shown(&refused), "DATA\r\nPASS ***\r\n");
}

#[test]
fn a_line_may_come_in_parts() {
    assert_eq!(
        shown(&["P", "ASS", " ", "sec", "ret", "\r", "\n", "QUIT\r\n"]),
        "PASS ******\r\nQUIT\r\n"
    );
    assert_eq!(
        shown(&["AUTH LOGIN\r", "\n", "S: 33", "S: 4 x\r\n", "am", "9l\n"]),
        "AUTH LOGIN\r\n******\n"
    );
}

proptest! {
    #[test]
    fn a_secret_is_hidden_however_it_is_cut(cuts in proptest::collection::vec(1usize..9, 0..20)) {
        let said = "EHLO a\r\nPASS wxyz\r\nAUTH PLAIN wxyz\r\n";
        let mut secrets = Secrets::default();
        let (mut rest, mut out) = (said.as_bytes(), Vec::new());
        for cut in cuts {
            let (part, after) = rest.split_at(cut.min(rest.len()));
            secrets.hide(part, &mut out);
            rest = after;
        }
        secrets.hide(rest, &mut out);
        prop_assert!(!out.iter().any(|byte| b"wxyz".contains(byte)));
        prop_assert!(out.starts_with(b"EHLO a\r\nPASS ***"));
    }

    #[test]
    fn what_is_no_secret_is_shown_as_it_is(said: Vec<u8>) {
        let mut secrets = Secrets::default();
        let (mut first, mut second) = (Vec::new(), Vec::new());
        secrets.hide(b"DATA\r\n", &mut first);
        secrets.hear(b"354 \r\n");
        secrets.hide(&said, &mut second);
        prop_assume!(!said.windows(2).any(|pair| pair == b".\n") && !said.windows(3).any(|three| three == b".\r\n"));
        prop_assert_eq!(second, said);
    }
}
