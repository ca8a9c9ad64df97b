//! tcprulescheck beside the original.

use harness::{Case, Side, case};

const RULES: &str = "joe@1.2.3.4:allow,RULE=\"info and address\"\n\
    joe@=a.b.c:allow,RULE=\"info and host\"\n\
    1.2.3.4:allow,RULE=\"address\"\n\
    =a.b.c:allow,RULE=\"host\"\n\
    1.2.3.:deny\n\
    1.2.:deny,RULE=\"never shown\"\n\
    1.:allow\n\
    =.b.c:allow,A=\"1\",B=\"2\"\n\
    =.c:deny\n\
    =:allow,RULE=\"any host\"\n\
    :allow,RULE=\"\"\n";

/// The answer by the rules `rules`, with variables as given.
fn asked(rules: &str, variables: &[(&str, &str)]) -> Case {
    case(|side| {
        let made = side.command(["tcprules", "cdb", "tmp"]).stdin(rules).run();
        assert_eq!(made.exit, 0, "{}", made.stderr.escape_ascii());
        let ask = side.command(["tcprulescheck", "cdb"]);
        variables.iter().fold(ask, |ask, (name, value)| ask.env(name, value)).run()
    })
}

fn peer<'a>(ip: &'a str, host: Option<&'a str>, info: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
    let host = host.map(|host| ("TCPREMOTEHOST", host));
    let info = info.map(|info| ("TCPREMOTEINFO", info));
    [Some(("TCPREMOTEIP", ip)), host, info].into_iter().flatten().collect()
}

#[test]
fn a_file_is_needed() {
    case(|side| side.run(["tcprulescheck"])).same();
}

#[test]
fn the_first_of_eleven_levels_decides() {
    for host in [None, Some("a.b.c"), Some("x.b.c"), Some("x.c"), Some("x"), Some("")] {
        for info in [None, Some("joe"), Some("")] {
            for ip in ["1.2.3.4", "1.2.3.5", "1.2.4.4", "1.3.3.4", "2.2.3.4", "2001:db8::1", "x"] {
                asked(RULES, &peer(ip, host, info)).same();
            }
        }
    }
}

#[test]
fn the_default_address_is_zero() {
    asked("0.0.0.0:deny\n", &[]).same();
}

#[test]
fn without_a_rule_everything_is_allowed() {
    asked("", &peer("1.2.3.4", None, None)).same();
    asked("1.2.3.4:deny\n", &peer("1.2.3.5", Some("a.b"), None)).same();
}

#[test]
fn a_file_that_is_not_there_is_fatal() {
    case(|side| side.run(["tcprulescheck", "nonexistent"])).same();
}

#[test]
fn an_empty_file_is_no_database() {
    let empty = case(|side| {
        side.write("cdb", "");
        side.run(["tcprulescheck", "cdb"])
    });
    let _ = empty.same_exit().differing_stderr(
        "tcprulescheck: fatal: unable to read cdb: protocol error\n",
        "tcprulescheck: fatal: unable to read cdb: invalid argument\n",
    );
}

#[test]
fn a_torn_file_never_allows() {
    let side = Side::ours();
    assert_eq!(side.command(["tcprules", "whole", "tmp"]).stdin("1.2.3.4:deny\n").run().exit, 0);
    let whole = side.read("whole");
    for length in [0, 1, 2047, 2048, 2060, whole.len() - 1] {
        side.write("cdb", &whole[..length]);
        let run = side.command(["tcprulescheck", "cdb"]).env("TCPREMOTEIP", "1.2.3.4").run();
        let expected = b"tcprulescheck: fatal: unable to read cdb: protocol error\n";
        assert_eq!(
            (run.exit, run.stdout, run.stderr),
            (111, vec![], expected.to_vec()),
            "{length}"
        );
    }
}

#[test]
fn a_file_of_the_original_is_read() {
    let Some(original) = Side::debian() else { return harness::skipped("the originals") };
    let made = original.command(["tcprules", "cdb", "tmp"]).stdin(RULES).run();
    assert_eq!(made.exit, 0);
    let ours = Side::ours();
    ours.write("cdb", original.read("cdb"));
    let run = ours.command(["tcprulescheck", "cdb"]).env("TCPREMOTEIP", "1.2.9.9").run();
    assert_eq!(run.stdout, b"rule 1.2.:\ndeny connection\n");
}
