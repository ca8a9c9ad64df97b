//! The suites of others for ucspi-tcp, run against our programs: `rts.tests`, which comes with the
//! original, and the suite in Python that comes with Debian's package. `tests/run` fetches both.

mod suites;

use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};

use harness::{Answer, Dns, Network, Record, Side, client, fetched, own_network, skipped};
use suites::{Different, cases, installed, wrong};

/// The source of ucspi-tcp, as Debian has it, and what its suite in Python needs.
fn sources() -> Option<PathBuf> {
    let folder = fetched("DAISYCHAIN_SOURCES", "sources");
    if folder.join("ucspi-tcp/rts.tests").is_file() {
        return Some(folder);
    }
    skipped("the source of ucspi-tcp ($DAISYCHAIN_SOURCES)");
    None
}

/// A world in which 127.0.0.1 is `localhost`, as the suites take for granted.
fn world(name: &str, kind: &str) -> Answer {
    match (name, kind) {
        ("localhost", "A") => Answer::Records(vec![Record::Address([127, 0, 0, 1].into())]),
        ("localhost", _) => Answer::NoData,
        ("1.0.0.127.in-addr.arpa", "PTR") => {
            Answer::Records(vec![Record::Pointer("localhost".into())])
        }
        _ => Answer::NoName,
    }
}

const CLIENT_USAGE: &str = "tcpclient: usage: tcpclient [ -46hHrRdDqQv ] [ -i localip ] \
    [ -p localport ] [ -T timeoutconn ] [ -l localname ] [ -t timeoutinfo ] [ -I interface ] \
    host port program\n100\n";
const SERVER_USAGE: &str = "tcpserver: usage: tcpserver [ -461UXpPhHrRoOdDqQv ] [ -c limit ] [ -x rules.cdb ] [ \
    -B banner ] [ -g gid ] [ -u uid ] [ -b backlog ] [ -l localname ] [ -t timeout ] [ \
    -I interface ] [ -C perip ] [ -N pernet ] [ -f perminute ] [ -L load ] [ -m message ] [ -T \
    lifetime ] [ -i idle ] [ -K idle ] [ -G grace ] [ -k kept ] [ -s fd ] [ -a balancers ] [ -w timeout ] host \
    port program\n100\n";

/// The cases of `rts.tests` that are to come out otherwise.
const DIFFERENT: [Different; 7] = [
    (
        "tcpclient prints usage message without enough arguments",
        CLIENT_USAGE,
        "the options of the IPv6 edition are ours",
    ),
    (
        "tcpserver prints usage message without enough arguments",
        SERVER_USAGE,
        "the options of the IPv6 edition are ours, and there are limits and PROXY headers",
    ),
    (
        "tcprules prints usage message without enough arguments",
        "tcprules: usage: tcprules rules.cdb rules.tmp | -d rules.cdb\n100\n",
        "ours turns a file back into rules",
    ),
    ("rblsmtpd finds 127.0.0.2 on the RBL", "whoops\n0\n", NO_LIST),
    ("rblsmtpd -b uses a permanent error code", "whoops\n0\n", NO_LIST),
    ("rblsmtpd quits after a timeout", "whoops\n0\n", NO_LIST),
    ("rblsmtpd prints an immediate error message with -t0", "whoops\n0\n", NO_LIST),
];
const NO_LIST: &str = "the list that was asked without -r is gone: as Debian, ours asks nobody";

/// The case that shows the server's log. Some clients leave without reading: if the server is slow, the
/// next is there before the last program has ended, and a shell complains that nobody hears it.
const LOG: &str = "tcpserver -1v prints proper messages";

fn in_any_order(log: &str) -> Vec<String> {
    let lines = log.lines().filter(|line| !line.starts_with("../print: "));
    let mut lines: Vec<String> = lines
        .map(|line| match line.strip_prefix("tcpserver: status: ") {
            Some(_) => "tcpserver: status: x/2".to_owned(),
            None => line.replace(" status 256", " status 0"),
        })
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_suite_of_the_original_passes() {
    let Some(sources) = sources() else { return };
    // The ports that it uses may be those of any client of another test. Without root it cannot become
    // somebody who is not.
    let own = || own_network("the_suite_of_the_original_passes", "true");
    if unix::Uid::current().is_root() && own() == Network::Done {
        return;
    }
    // In a network with others a port may be in use for a moment.
    let wrong = (0..3).map(|_| differences(&sources.join("ucspi-tcp")));
    let wrong: Vec<Vec<String>> = wrong.take_while(|wrong| !wrong.is_empty()).collect();
    assert!(wrong.len() < 3, "{}", wrong[0].join("\n"));
}

/// The cases of `rts.tests` that come out in a way that nobody has expected.
fn differences(source: &Path) -> Vec<String> {
    let side = Side::ours();
    let dns = Dns::start(world);
    let bin = installed(&side, "ucspi-tcp");
    // It is about who is not root.
    let is_root = unix::Uid::current().is_root();
    if is_root {
        chown(side.path(), Some(65534), Some(65534)).unwrap();
    }
    let become_nobody: &[&str] = if is_root {
        &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    } else {
        &[]
    };
    let script = ["sh", "-c", "sh \"$0\" 2>&1 | cat -v"];
    let suite = source.join("rts.tests");
    let words = [become_nobody, &script, &[suite.to_str().unwrap()]].concat();
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let run = side.command(words).env("PATH", path).env("DNSCACHEIP", dns.place()).run();

    let ours = String::from_utf8(run.stdout).unwrap();
    let expected = fs::read_to_string(source.join("rts.exp")).unwrap();
    let (ours, expected) = (cases(&ours), cases(&expected));
    assert!(expected.len() > 60, "the suite has its cases");
    wrong(&ours, &expected, &DIFFERENT, |title, found, wanted| {
        title == LOG && in_any_order(found) == in_any_order(wanted)
    })
}

/// Runs Debian's suite in Python for one family. As root also `tcpcat` is tested, which that suite does
/// in /usr/bin only: there ours are laid over the system's.
fn python(family: &str) {
    let Some(sources) = sources() else { return };
    let modules = sources.join("python/usr/lib/python3/dist-packages");
    if !modules.join("utf8_locale").is_dir() {
        return skipped("Python's modules netifaces and utf8_locale ($DAISYCHAIN_SOURCES)");
    }
    let side = Side::ours();
    let dns = Dns::start(world);
    let bin = installed(&side, "ucspi-tcp");
    let over = format!("mount -t overlay overlay -o lowerdir={}:/usr/bin /usr/bin", bin.display());
    let is_over = side.run(["unshare", "--mount", "sh", "-c", &over]).exit == 0;
    let folder = if is_over { Path::new("/usr/bin") } else { &bin };
    let suite = ["-B", "-u", "-m", "ucspi_tcp_test", "-p", "tcp", "-i", family, "-d"];
    let suite = [&suite[..], &[folder.to_str().unwrap()]].concat();
    let Some(python) = client("python3", suite) else { return };

    let mut command = if is_over {
        let mut command = std::process::Command::new("unshare");
        command.args(["--mount", "sh", "-c", &format!("{over} && exec \"$0\" \"$@\"")]);
        command.arg(python.get_program()).args(python.get_args());
        for (name, value) in python.get_envs() {
            value.map(|value| command.env(name, value));
        }
        command
    } else {
        python
    };
    let tests = sources.join("ucspi-tcp/debian/tests/python");
    command.env("PYTHONPATH", format!("{}:{}", tests.display(), modules.display()));
    command.env("DNSCACHEIP", dns.place()).env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    let output = harness::output(&mut command).unwrap();
    let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    assert!(output.status.success() && said.contains("The tests for tcp passed"), "{said}");
    assert_eq!(said.contains("test skipped"), !is_over, "{said}");
}

#[test]
fn debian_s_suite_passes_by_ipv4() {
    python("4");
}

#[test]
fn debian_s_suite_passes_by_ipv6() {
    if std::net::TcpListener::bind("[::1]:0").is_err() {
        return skipped("IPv6");
    }
    python("6");
}
