//! Names that are made whole before they are looked up.

use harness::{Answer, Case, Dns, Run, case};

use super::is_root;

/// A name server that knows nobody, for who is root.
fn server(at: &str) -> Option<Dns> {
    if is_root() { Dns::start_at(at, |_, _| Answer::NoName) } else { None }
}

/// Which names are asked for, in order, when `tcpclient` is to connect to `host`.
fn asked(dns: &Dns, host: &str, rules: Option<&str>, variables: &[(&str, &str)]) -> Case {
    case(|side| {
        let before = dns.asked().len();
        if let Some(rules) = rules {
            side.write("rewrite", rules);
        }
        let client = ["tcpclient", "-HRl0", host, "25", "true"];
        let command = side.command(client).env("DNSCACHEIP", dns.place());
        let command = command.env("DNSREWRITEFILE", "rewrite");
        let run = variables.iter().fold(command, |command, (name, value)| command.env(name, value));
        let run = run.run();
        // Ours asks for both families.
        let names = dns.asked().into_iter().skip(before).filter(|asked| asked.kind == "A");
        let mut names: Vec<String> = names.map(|asked| asked.name + "\n").collect();
        names.dedup(); // a server that is slow to answer is asked again
        Run { stdout: names.concat().into_bytes(), ..run }
    })
}

#[test]
fn the_rules_of_a_file_are_applied_in_order() {
    let Some(dns) = server("127.53.3.20") else { return };
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
        let case = asked(&dns, host, Some(rules), &[]);
        if host == "short" {
            assert_eq!(case.ours().run.stdout, b"short.heaven.example\nshort.test\n");
        }
        case.same();
    }
}

#[test]
fn the_domains_of_the_variable_are_tried_in_order() {
    let Some(dns) = server("127.53.3.21") else { return };
    for host in ["short", "short.", "whole.name", "short+.x"] {
        let domains = [("LOCALDOMAIN", "one.test two.test")];
        let case = asked(&dns, host, None, &domains);
        if host == "short" {
            assert_eq!(case.ours().run.stdout, b"short.one.test\nshort.two.test\n");
        }
        case.same();
    }
}
