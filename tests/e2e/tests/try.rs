//! `package/try`: a newcomer's first command, and the ways out of it.

use std::fs;
use std::path::{Path, PathBuf};

use harness::{Background, Run, Side, becomes, place, until};
use unix::Pid;
use unix::signal::{self, Signal};

/// The programs that a private host consists of.
const PROGRAMS: [&str; 27] = [
    "maildirmake",
    "multilog",
    "qmail-clean",
    "qmail-getpw",
    "qmail-inject",
    "qmail-local",
    "qmail-lspawn",
    "qmail-newu",
    "qmail-queue",
    "qmail-remote",
    "qmail-rspawn",
    "qmail-send",
    "qmail-smtpd",
    "qmail-start",
    "rblsmtpd",
    "sendmail",
    "setlock",
    "setuidgid",
    "softlimit",
    "supervise",
    "svc",
    "svok",
    "svscan",
    "svstat",
    "tai64nlocal",
    "tcprules",
    "tcpserver",
];

/// What a checkout holds of `package/try`. Below a directory that other users cannot enter, so that
/// root's host has to have a view of its own.
struct Checkout(Side);

impl Checkout {
    fn new() -> Checkout {
        let checkout = Checkout(Side::ours());
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("a checkout");
        for script in ["package/try", "package/try-host"] {
            let text = fs::read_to_string(source.join(script)).expect(script);
            checkout.0.script(&format!("a folder/{script}"), &text);
        }
        checkout.0.mode("a folder", 0o700);
        let command = checkout.path("target/command");
        fs::create_dir_all(&command).expect("a directory");
        for program in PROGRAMS {
            place(&checkout.0.programs().join(program), &command.join(program)).expect(program);
        }
        checkout
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join("a folder").join(name)
    }

    fn run(&self, args: &[&str]) -> Run {
        let script = self.path("package/try");
        let args = args.iter().map(Path::new);
        self.0.run([script.as_path()].into_iter().chain(args))
    }

    /// What `package/try` with `args` prints; it must succeed.
    fn prints(&self, args: &[&str]) -> String {
        let run = self.run(args);
        let said = [run.stdout, run.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        assert_eq!(run.exit, 0, "{said}");
        said
    }

    /// Starts `package/try` in a process group of its own, as an interactive shell does.
    fn starts(&self, path: &str) -> Background {
        let command = self.0.command([self.path("package/try")]);
        command.env("PATH", path).start_in_background()
    }

    fn mail(&self) -> usize {
        fs::read_dir(self.path("try/you/Maildir/new")).map_or(0, Iterator::count)
    }

    /// The processes that work in the checkout, or whose programs are in it.
    fn processes(&self) -> Vec<String> {
        let home = self.path("");
        let works_here = |process: &PathBuf| {
            ["cwd", "exe"].iter().any(|name| {
                fs::read_link(process.join(name)).is_ok_and(|path| path.starts_with(&home))
            })
        };
        let all = fs::read_dir("/proc").expect("/proc").flatten().map(|entry| entry.path());
        let name = |process: PathBuf| fs::read_to_string(process.join("comm")).unwrap_or_default();
        all.filter(works_here).map(name).collect()
    }
}

impl Drop for Checkout {
    fn drop(&mut self) {
        if !self.processes().is_empty() {
            let _ = self.run(&["stop"]); // a test that failed left it
        }
    }
}

const SYSTEM: &str = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin";

#[test]
fn a_host_starts_shows_itself_and_stops() {
    let checkout = Checkout::new();
    let said = checkout.prints(&[]);
    for text in [
        "250 ok ",
        "Received: from unknown (HELO client.example) (127.0.0.1)",
        "Subject: by sendmail",
        "delivery 2: success: did_1+0+0/",
        "qmail/log: up (pid ",
        "package/try stop",
    ] {
        assert!(said.contains(text), "no {text:?} in {said}");
    }
    assert_eq!(checkout.mail(), 2);

    let said = checkout.prints(&[]);
    assert!(said.starts_with("try: the host is running already, at 127.0.0.1 port "), "{said}");
    assert_eq!(checkout.mail(), 2, "nothing more is sent");

    let status = checkout.prints(&["status"]);
    let services: Vec<&str> =
        status.lines().filter_map(|line| Some(line.split_once(": up (pid ")?.0)).collect();
    assert_eq!(services, ["smtpd", "smtpd/log", "qmail", "qmail/log"], "{status}");
    assert!(checkout.prints(&["log"]).contains("delivery 1: success"));

    let env = checkout.prints(&["env"]);
    let script = "eval \"$1\"; cd target/command
        test -d \"$DAISYCHAIN_SERVICE/smtpd\" && test -f \"$DAISYCHAIN_RULES.cdb\" || exit 1
        printf 'Subject: 3\\n\\n' | QMAILHOME=$QMAILHOME ./sendmail $DAISYCHAIN_ADDRESS || exit 2
        until [ \"$(ls \"$DAISYCHAIN_MAILDIR/new\" | wc -l)\" = 3 ]; do :; done
        echo $DAISYCHAIN_SMTP";
    let run = checkout.0.command(["sh", "-c", script, "sh", &env]).in_directory("a folder").run();
    let smtp = String::from_utf8_lossy(&run.stdout).into_owned();
    assert!(run.exit == 0 && smtp.starts_with("127.0.0.1:"), "{run:?} {env}");

    assert_eq!(checkout.prints(&["stop"]), "try: stopped\n");
    becomes(|| checkout.processes(), Vec::<String>::new());
    assert_eq!(checkout.prints(&["stop"]), "try: the host is not running\n");
    assert_eq!(checkout.run(&["status"]).exit, 111);
    assert_eq!(checkout.run(&["frob"]).exit, 100);

    // What the user has changed stays, and a port that is taken is passed over.
    let port: u16 = smtp.trim_end().rsplit(':').next().expect("a port").parse().expect("a port");
    let _taken = std::net::TcpListener::bind(("127.0.0.1", port)).expect("a port just left");
    let run = checkout.path("try/service/qmail/run");
    let changed = fs::read_to_string(&run).expect("a script") + "# changed\n";
    fs::write(&run, &changed).expect("a script");
    let said = checkout.prints(&[]);
    assert!(!said.contains(&format!("to port {port}:")), "{said}");
    assert_eq!(fs::read_to_string(&run).expect("a script"), changed);
    checkout.prints(&["stop"]);
}

/// What it is called, and whether it has come.
type Moment = (&'static str, Box<dyn Fn(&Checkout) -> bool>);

#[test]
fn an_interrupt_at_any_moment_leaves_no_process() {
    let checkout = Checkout::new();
    let exists = |name: &'static str| move |host: &Checkout| host.path(name).exists();
    let moments: [Moment; 7] = [
        ("at once", Box::new(|_| true)),
        ("the queue is made", Box::new(exists("try/qmail/queue/lock"))),
        ("svscan starts", Box::new(exists("try/pid"))),
        ("a service starts", Box::new(exists("try/service/smtpd/supervise/ok"))),
        ("the port is open", Box::new(exists("try/service/smtpd/log/main/current"))),
        ("a message is there", Box::new(|host| host.mail() >= 1)),
        ("both messages are there", Box::new(|host| host.mail() >= 2)),
    ];
    for (what, has_come) in moments {
        let _ = fs::remove_dir_all(checkout.path("try")); // the first time there is none
        let mut running = checkout.starts(SYSTEM);
        assert!(until(|| has_come(&checkout)), "{what}: {}", running.stdout().escape_ascii());
        interrupt(&running);
        let exit = running.ends();
        if exit == 0 {
            checkout.prints(&["stop"]); // it had said its last word
        }
        // −2: before the trap was set.
        assert!([0, 130, -2].contains(&exit), "{what}: {exit}");
        assert!(until(|| checkout.processes().is_empty()), "{what}: {:?}", checkout.processes());
    }
}

#[test]
fn an_interrupt_while_it_compiles_leaves_no_process() {
    let checkout = Checkout::new();
    fs::remove_file(checkout.path("target/command/svscan")).expect("a program");
    let script = "#!/bin/sh\n: > compiling\nexec sleep 1000\n";
    checkout.0.script("a folder/package/compile", script);
    let mut running = checkout.starts(SYSTEM);
    assert!(until(|| checkout.path("compiling").exists()));
    interrupt(&running);
    assert_ne!(running.ends(), 0);
    assert!(until(|| checkout.processes().is_empty()), "{:?}", checkout.processes());
}

/// What Ctrl-C does.
fn interrupt(running: &Background) {
    let group = i32::try_from(running.pid()).expect("a process number");
    let _ = signal::send_group(Pid::from_raw(group), Signal::SIGINT); // it may be over
}
