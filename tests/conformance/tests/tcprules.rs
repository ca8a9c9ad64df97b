//! tcprules beside the original.

use harness::{Case, Run, Side, case, case_v6, strace, until};

/// Compiles `rules` into `cdb`.
fn compile(side: &Side, rules: &str) -> Run {
    side.command(["tcprules", "cdb", "tmp"]).stdin(rules).run()
}

fn compiled(rules: &str) -> Case {
    case(|side| compile(side, rules))
}

#[test]
fn two_files_are_needed() {
    let usage = "tcprules: usage: tcprules rules.cdb rules.tmp";
    for words in [&["tcprules"][..], &["tcprules", "cdb"]] {
        case(|side| side.run(words))
            .same_exit()
            .same_stdout()
            .differing_stderr(&format!("{usage} | -d rules.cdb\n"), &format!("{usage}\n"));
    }
    case(|side| side.run(["tcprules", "--", "cdb"])).same();
    assert_eq!(Side::ours().run(["tcprules", "-d"]).exit, 100);
}

#[test]
fn the_file_is_the_same_byte_for_byte() {
    compiled("").same();
    compiled("1.2.3.4:deny\n").same();
    compiled("1.2.3.4:deny").same();
    compiled("127.0.0.1:deny\n:allow,A=\"b\",TCPLOCALHOST=/x/,C=\"\"\n").same();
    compiled("1.2.3.4:deny,A=xfoox\n10.:allow,B=\",:=\"\n").same();
    compiled("=a.b:deny\n=.b:allow\n=:allow\njoe@1.2.3.4:deny\njoe@=h.x:deny\n").same();
    compiled("# 1.2.3.4:deny\n\n  \t\n1.2.3.4:allow \t \n").same();
}

#[test]
fn a_rule_for_an_address_that_has_one_is_told() {
    for (rules, told) in [
        (
            "1.2.3.4:deny\n1.2.3.4:allow,X=\"y\"\n",
            "a rule for an address that has one never matches: 1.2.3.4",
        ),
        (
            ":deny\n1.2.3.4-7:deny\n10.:deny\n1.2.3.5:allow\n:allow\n10.:allow\n",
            "3 rules for addresses that have one never match, the first: 1.2.3.5",
        ),
    ] {
        let warning = format!("tcprules: warning: {told}\n");
        let case = compiled(rules).same_stdout().same_exit().same_files();
        let _ = case.differing_stderr(&warning, "");
    }
    let side = Side::ours();
    let run = compile(&side, "10.0.0.0/12:deny\n10.0.0.0/13:allow\n10.0.0.1/12:allow\n");
    let warning =
        "tcprules: warning: a rule for an address that has one never matches: 10.0.0.0/12\n";
    assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap().as_str()), (0, warning));
}

#[test]
fn ranges_are_the_same_records() {
    compiled("10.2-3.:deny\n").same();
    compiled("1.2.3.250-300:deny\n0-255.:allow\n").same();
    compiled("1.2.3.-5:deny\n1.02-03.:deny\n").same();
}

#[test]
fn many_keys_share_tables_in_the_same_order() {
    let rule = |number| format!("10.{}.{}.{}:deny\n", number % 7, number / 250, number % 250);
    let rules: Vec<String> = (0..2000).map(rule).collect();
    compiled(&rules.concat()).same();
}

#[test]
fn ipv6_rules_are_the_same_as_those_of_the_ipv6_edition() {
    case_v6(|side| {
        compile(side, "2001:db8::1:deny\n2001:db8::2:allow,A=\"b\"\n2001:db8::deny\n1.2.3.4:deny\n")
    })
    .same();
}

#[test]
fn every_malformed_line_is_shown() {
    let lines = [
        "1.2.3.4:allowx",
        ":deny:x",
        ": deny",
        ":Deny",
        ":",
        "1.2.3.4:deny\r",
        ":allow,A",
        ":allow,A=",
        ":allow,A=\"b",
        ":allow,A=\"b\",",
        ":allow,A=\"b\" ,C=\"d\"",
        ":allow,A=\"b\"C=\"d\"",
        "1.2.3.x-5:deny",
        "1.2.3.5-x:deny \t",
    ];
    for line in lines {
        let _ =
            compiled(&format!("1.2.3.4:allow\n{line}\n")).same_stderr().same_exit().same_stdout();
    }
    // Here the IPv6 edition never ends.
    let run = compile(&Side::ours(), "1.2.3.4:alow\n");
    assert_eq!(run.exit, 100);
    assert_eq!(run.stderr, b"tcprules: fatal: unable to parse this line: 1.2.3.4:alow\n");
}

#[test]
fn a_line_without_a_colon_is_an_error() {
    let _ = compiled("1.2.3.4\n")
        .differing_stderr("tcprules: fatal: unable to parse this line: 1.2.3.4\n", "")
        .differing_exit(100, 0);
    compiled("  # indented\n").same();
}

#[test]
fn a_variable_without_a_name_is_an_error() {
    let line = "1.2.3.4:allow,=\"b\"";
    let _ = compiled(line)
        .differing_stderr(&format!("tcprules: fatal: unable to parse this line: {line}\n"), "")
        .differing_exit(100, 0);
}

#[test]
fn a_rule_that_can_never_match_is_an_error() {
    for address in [" 1.2.3.4", "10.1.2", "1.2.3.4/33", "1.2.3.5-3", "256.", "=a b", "x"] {
        let message = format!("tcprules: fatal: line 2 can never match: {address}:deny\n");
        let _ = compiled(&format!("#\n{address}:deny\n"))
            .differing_stderr(&message, "")
            .differing_exit(100, 0);
    }
}

#[test]
fn networks_of_both_families_can_be_asked_for() {
    let side = Side::ours();
    let rules = "10.0.0.0/9:deny\n10.0.0.0/12:allow\n10.1.2.0/24:deny\n2001:db8::/33:deny\n";
    assert_eq!(compile(&side, rules).exit, 0);
    let ask = |ip: &str| {
        let run = side.command(["tcprulescheck", "cdb"]).env("TCPREMOTEIP", ip).run();
        String::from_utf8(run.stdout).unwrap().lines().next().unwrap_or_default().to_owned()
    };
    assert_eq!(ask("10.127.0.1"), "rule 10.0.0.0/9:");
    assert_eq!(ask("10.15.0.1"), "rule 10.0.0.0/12:");
    assert_eq!(ask("10.1.2.3"), "rule 10.1.2.:");
    assert_eq!(ask("10.128.0.1"), "default:");
    assert_eq!(ask("2001:db8:7fff::1"), "rule 2001:db8::/33:");
    assert_eq!(ask("2001:db8:8000::1"), "default:");
}

#[test]
fn the_original_reads_a_file_with_networks_and_obeys_what_it_knows() {
    let Some(original) = Side::debian() else { return harness::skipped("the originals") };
    let ours = Side::ours();
    assert_eq!(compile(&ours, "10.0.0.0/9:deny\n11.0.0.0/8:deny\n").exit, 0);
    original.write("cdb", ours.read("cdb"));
    let ask = |ip: &str| {
        let run = original.command(["tcprulescheck", "cdb"]).env("TCPREMOTEIP", ip).run();
        String::from_utf8(run.stdout).unwrap()
    };
    assert_eq!(ask("11.1.2.3"), "rule 11.:\ndeny connection\n");
    assert_eq!(ask("10.1.2.3"), "default:\nallow connection\n");
}

/// What `tcprules -d` makes of a file.
fn dumped(cdb: &[u8]) -> Run {
    let side = Side::ours();
    side.write("cdb", cdb);
    side.run(["tcprules", "-d", "cdb"])
}

#[test]
fn a_file_is_turned_back_into_rules() {
    let rules = "1.2.3.4-5:deny\n10.0.0.0/9:deny\n10.:allow,A=x\"x,B=//\n#\n=h.x:deny\n:allow\n";
    let (ours, original) = (Side::ours(), Side::debian());
    if original.is_none() {
        harness::skipped("the originals");
    }
    for side in [Some(ours), original].into_iter().flatten() {
        // The original knows no networks by their length: what it stores is not looked for.
        let rules = if side.is_ours() { rules.to_owned() } else { rules.replace("/9", "") };
        assert_eq!(compile(&side, &rules).exit, 0);
        let made = side.read("cdb");
        let run = dumped(&made);
        let text = String::from_utf8(run.stdout).unwrap();
        let lines =
            ["1.2.3.4:deny", "1.2.3.5:deny", "10.:allow,A='\"',B=\"\"", "=h.x:deny", ":allow"];
        for line in lines {
            assert!(text.lines().any(|written| written == line), "{line} in {text}");
        }
        assert_eq!((run.exit, run.stderr, text.lines().count()), (0, Vec::new(), 6));
        assert_eq!(compile(&side, &text).exit, 0);
        assert!(side.read("cdb") == made, "{text}");
    }
}

#[test]
fn a_rule_of_the_original_that_can_never_match_is_shown_with_a_warning() {
    let Some(original) = Side::debian() else { return harness::skipped("the originals") };
    assert_eq!(compile(&original, "10.1.2:deny\n:allow\n").exit, 0);
    let run = dumped(&original.read("cdb"));
    let warning = "tcprules: warning: tcprules does not compile this address so: 10.1.2\n";
    assert_eq!(run.stdout, b"10.1.2:deny\n:allow\n");
    assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap().as_str()), (0, warning));
}

#[test]
fn a_file_that_has_no_rules_is_not_turned_into_any() {
    let side = Side::ours();
    assert_eq!(compile(&side, "1.2.3.4:deny\n").exit, 0);
    let whole = side.read("cdb");
    for length in [0, 100, 2048, 2055, whole.len() - 1] {
        let run = dumped(&whole[..length]);
        let told = "tcprules: fatal: unable to read cdb: protocol error\n";
        assert_eq!((run.exit, String::from_utf8(run.stderr).unwrap().as_str()), (111, told));
    }
    let place = whole.windows(2).position(|bytes| bytes == b"D\0").unwrap();
    let run = dumped(&[&whole[..place], b"x", &whole[place + 1..]].concat());
    assert_eq!(run.stderr, b"tcprules: fatal: cdb has a record that is no rule: 1.2.3.4\n");
    assert_eq!((run.exit, run.stdout), (100, Vec::new()));
    let run = side.run(["tcprules", "-d", "nonexistent"]);
    assert_eq!(run.stderr, b"tcprules: fatal: unable to read nonexistent: file does not exist\n");
    assert_eq!(run.exit, 111);
}

#[test]
fn ipv6_addresses_are_stored_as_they_are_looked_for() {
    let side = Side::ours();
    assert_eq!(compile(&side, "2001:DB8:0::1:deny\n=Mail.Example:deny\n").exit, 0);
    let mut ask = side.command(["tcprulescheck", "cdb"]);
    ask = ask.env("TCPREMOTEIP", "2001:db8::1");
    assert_eq!(ask.run().stdout, b"rule 2001:db8::1:\ndeny connection\n");
    let ask = side.command(["tcprulescheck", "cdb"]).env("TCPREMOTEHOST", "mail.example");
    assert_eq!(ask.run().stdout, b"rule =mail.example:\ndeny connection\n");
}

#[test]
fn nothing_is_left_after_an_error() {
    let side = Side::ours();
    side.write("cdb", "old");
    assert_eq!(compile(&side, "1.2.3.4:deny\nx\n").exit, 100);
    assert_eq!(side.read("cdb"), b"old");
    assert!(!side.path().join("tmp").exists());
}

#[test]
fn what_a_crash_has_left_is_written_over() {
    case(|side| {
        side.write("tmp", "left by a crash, and longer than what comes now".repeat(100));
        compile(side, "1.2.3.4:deny\n")
    })
    .same();
}

#[test]
fn a_link_in_place_of_the_temporary_file_is_not_followed() {
    let side = Side::ours();
    side.write("precious", "mine");
    std::os::unix::fs::symlink("precious", side.path().join("tmp")).unwrap();
    let run = compile(&side, "");
    assert_eq!(run.stderr, b"tcprules: fatal: unable to create tmp: symbolic link loop\n");
    assert_eq!((run.exit, side.read("precious")), (111, b"mine".to_vec()));
}

/// The calls that make `folder/cdb` durable, in order.
fn durable(side: &Side, strace: &[std::ffi::OsString]) -> Vec<&'static str> {
    side.directory("folder");
    let calls =
        ["-f", "-y", "-o", "trace", "-e", "trace=fsync,fdatasync,rename,renameat,renameat2"];
    let words = strace.iter().map(Into::into).chain(calls.map(std::ffi::OsString::from));
    let words = words.chain(["tcprules", "folder/cdb", "folder/tmp"].map(Into::into));
    let run = side.command(words).stdin("1.2.3.4:deny\n").run();
    assert_eq!(run.exit, 0, "{}", run.stderr.escape_ascii());
    let trace = String::from_utf8(side.read("trace")).unwrap();
    let call = |line: &str| {
        let is_sync = line.contains("sync(") && line.ends_with("= 0");
        match line {
            _ if is_sync && line.contains("/folder/tmp>") => Some("file"),
            _ if is_sync && line.contains("/folder>") => Some("directory"),
            _ if line.contains("rename") && line.contains("\"folder/cdb\"") => Some("rename"),
            _ => None,
        }
    };
    trace.lines().filter_map(call).collect()
}

#[test]
fn the_file_is_synced_and_then_its_name() {
    let Some(strace) = strace() else { return };
    assert_eq!(durable(&Side::ours(), &strace), ["file", "rename", "directory"]);
    if let Some(original) = Side::debian() {
        assert_eq!(durable(&original, &strace), ["file", "rename"]);
    }
}

#[test]
fn a_second_run_leaves_the_first_alone() {
    let side = Side::ours();
    side.write("cdb", "old");
    let rule = |number| format!("10.0.{}.{}:deny\n", number / 250, number % 250);
    let rules = (0..5000).map(rule).collect::<String>();
    let mut first = side.command(["tcprules", "cdb", "tmp"]).converse();
    first.talk(&rules, "");
    assert!(until(|| !side.read("tmp").is_empty()));
    let second = compile(&side, "5.6.7.8:deny\n");
    assert_eq!(second.stderr, b"tcprules: fatal: unable to create tmp: temporary failure\n");
    assert_eq!((second.exit, side.read("cdb")), (111, b"old".to_vec()));
    first.close_input();
    assert_eq!(first.ends(), 0);
    // The first one's rules are all there, and no others.
    let made = side.read("cdb");
    assert_eq!(compile(&side, &rules).exit, 0);
    assert!(made == side.read("cdb") && !side.path().join("tmp").exists());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let broken = |words: [&str; 3]| case(|side| side.command(words).stdin("").run());
    broken(["tcprules", "cdb", "nonexistent/tmp"]).same();
    let _ = broken(["tcprules", "nonexistent/cdb", "tmp"]).same_stderr().same_exit();
    let _ = broken(["tcprules", ".", "tmp"]).same_stderr().same_exit();
    let _ = case(|side| side.run(["sh", "-c", "tcprules cdb tmp < ."])).same_stderr().same_exit();
}
