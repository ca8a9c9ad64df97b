//! Names that are made whole before they are looked up.

use harness::{Answer, Case, Dns, Run, case};

use super::is_root;

/// Which names are asked for, in order, when `tcpclient` is to connect to `host`; for who is root.
fn asked(at: &str, host: &str, rules: Option<&str>, variables: &[(&str, &str)]) -> Option<Case> {
    if !is_root() {
        return None;
    }
    Dns::start_at(at, |_, _| Answer::NoName)?;
    Some(case(|side| {
        let dns = Dns::start_at(at, |_, _| Answer::NoName).expect("port 53");
        if let Some(rules) = rules {
            side.write("rewrite", rules);
        }
        let client = ["tcpclient", "-HRl0", host, "25", "true"];
        let command = side.command(client).env("DNSCACHEIP", dns.place());
        let command = command.env("DNSREWRITEFILE", "rewrite");
        let run = variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        let run = run.run();
        // Ours asks for both families.
        let names = dns.asked().into_iter().filter(|asked| asked.kind == "A");
        let names: Vec<String> = names.map(|asked| asked.name + "\n").collect();
        Run { stdout: names.concat().into_bytes(), ..run }
    }))
}

#[test]
fn the_rules_of_a_file_are_applied_in_order() {
    let rules = "# a comment\n\
        =me:127.0.0.1x\n\
        *.a:.af.example\n\
        ?:+.heaven.example+.test\n\
        -.local:.lan\n\
        *.lan:.home.example\n\
        *.:\n\
        xyz\n";
    for host in ["me", "www.a", "short", "x.y.local", "y.lan", "whole.name", "dot.name.", "a+.b+.c"]
    {
        let Some(case) = asked("127.53.3.20", host, Some(rules), &[]) else { return };
        if host == "short" {
            assert_eq!(case.ours().run.stdout, b"short.heaven.example\nshort.test\n");
        }
        case.same();
    }
}

#[test]
fn the_domains_of_the_variable_are_tried_in_order() {
    for host in ["short", "short.", "whole.name", "short+.x"] {
        let domains = [("LOCALDOMAIN", "one.test two.test")];
        let Some(case) = asked("127.53.3.21", host, None, &domains) else { return };
        if host == "short" {
            assert_eq!(case.ours().run.stdout, b"short.one.test\nshort.two.test\n");
        }
        case.same();
    }
}
