//! What the tests of programs that ask DNS share: a name server of the test for either side.
#![allow(dead_code, reason = "each of the tests uses a part")]

use harness::{Answer, Case, Dns, Record, Run, Side, recorded};

/// What a name server says to a name and a type.
pub(crate) type Zone = fn(&str, &str) -> Answer;

/// Runs a program that asks a name server of the test, with these variables.
///
/// Ours is told of it by `$DNSCACHEIP`. The original asks the servers of /etc/resolv.conf, so it gets one
/// of its own.
pub(crate) fn resolved(side: &Side, zone: Zone, words: &[&str], env: &[(&str, &str)]) -> Run {
    if side.is_ours() {
        let dns = Dns::start(zone);
        let command = side.command(words).env("DNSCACHEIP", dns.place());
        return env.iter().fold(command, |command, (name, value)| command.env(name, value)).run();
    }
    let _dns = Dns::start_at("127.0.0.53", zone).expect("port 53");
    side.write("resolv.conf", "nameserver 127.0.0.53\n");
    let script = "mount --bind resolv.conf /etc/resolv.conf; exec \"$@\"";
    let words = [&["unshare", "-m", "sh", "-c", script, "sh"], words].concat();
    let command = side.command(words);
    let run = env.iter().fold(command, |command, (name, value)| command.env(name, value)).run();
    std::fs::remove_file(side.path().join("resolv.conf")).expect("a file of the case");
    run
}

/// Beside its recording, a program that asks about one name or address.
pub(crate) fn asked(program: &'static str, name: &str, zone: Zone, about: &str) -> Case {
    recorded(program, name, |side| resolved(side, zone, &[program, about], &[]))
}

/// Beside its recording, a program that is asked about nothing.
pub(crate) fn usage(program: &'static str) -> Case {
    recorded(program, "usage", |side| side.run([program]))
}

pub(crate) fn addresses(list: &[&str]) -> Answer {
    let record = |text: &&str| Record::Address(text.parse().expect("an address"));
    Answer::Records(list.iter().map(record).collect())
}

pub(crate) fn pointer(name: &str) -> Answer {
    Answer::Records(vec![Record::Pointer(name.into())])
}
