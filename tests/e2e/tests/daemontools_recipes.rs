//! What the owner's documents do with daemontools: the questions and answers about a supervised qmail,
//! the service directories of the howto, the pipes of the administrator's guide.

use std::fs;
use std::io::Read;
use std::net::TcpStream;
use std::os::unix::fs::symlink;

use harness::{ADDRESS, Background, Host, Side, executable, free_port, skipped_for, until};
use unix::signal::Signal;

const MESSAGE: &str = "From: a@b.example\nTo: you\nSubject: test\n\nx\n";

/// A host whose qmail runs as its rc says, in a service `faq` beside the host's own.
struct Faq {
    host: Host,
    _supervise: Background,
}

impl Faq {
    fn start() -> Faq {
        let host = Host::start();
        // The host's own ends, and does not come again with the next supervise: there is one queue.
        for own in ["qmail", "qmail/log"] {
            host.write(&format!("service/{own}/down"), "");
            host.svc("-dx", own);
        }
        let programs = host.path("../target/command");
        let rc = format!(
            "#!/bin/sh\nexec env - PATH=\"{}:$PATH\" QMAILHOME=\"{}\" \\\n\
             qmail-start ./Maildir/ multilog t s1000000 n20 {}\n",
            programs.display(),
            host.path("qmail").display(),
            host.path("log-of-qmail").display(),
        );
        host.write("rc", rc);
        executable(&host.path("rc"));
        let made = host.command(["mkdir".as_ref(), host.path("faq").as_os_str()]).run();
        assert_eq!(made.exit, 0);
        symlink(host.path("rc"), host.path("faq/run")).unwrap();
        assert!(until(|| !host.status("qmail").starts_with("up ")), "{}", host.said());
        let directory = host.path("faq");
        let words = ["supervise".as_ref(), directory.as_os_str()];
        let supervise = host.command(words).start_in_background();
        let faq = Faq { host, _supervise: supervise };
        faq.becomes("up ");
        faq.logs(" status: local 0/", 1); // from now on it knows what signals mean
        faq
    }

    fn becomes(&self, start: &str) {
        self.host.becomes("../faq", start);
    }

    fn svc(&self, option: &str) {
        self.host.svc(option, "../faq");
    }

    fn log(&self) -> String {
        fs::read_to_string(self.host.path("log-of-qmail/current")).unwrap_or_default()
    }

    fn logs(&self, text: &str, times: usize) {
        let has = || self.log().matches(text).count() >= times;
        assert!(until(has), "no {text:?} {times} times in {}", self.log());
    }

    fn send(&self) {
        self.host.sends(MESSAGE, &[ADDRESS]);
    }
}

#[test]
fn a_supervised_copy_of_qmail_logs_through_multilog() {
    let faq = Faq::start();
    faq.send();
    assert!(faq.host.receives(1)[0].contains("Subject: test"));
    faq.logs(" delivery 1: success: ", 1);
    let stamped = faq.log().lines().all(|line| line.starts_with("@40000000") && line.len() > 26);
    assert!(stamped, "{}", faq.log());
}

#[test]
fn it_reads_locals_and_virtualdomains_when_it_is_told() {
    let faq = Faq::start();
    faq.host.write("qmail/control/locals", "daisychain.example\nnew.example\n");
    faq.host.signals("-h", "../faq");
    faq.host.sends(MESSAGE, &["you@new.example"]);
    assert!(faq.host.receives(1)[0].contains("Subject: test"));
}

#[test]
fn it_is_stopped_safely_started_again_and_its_queue_run() {
    let faq = Faq::start();
    faq.svc("-t");
    faq.logs(" status: exiting\n", 1);
    faq.logs(" status: local 0/", 2); // and it has come again
    faq.send();
    assert_eq!(faq.host.receives(1).len(), 1);

    faq.svc("-d");
    faq.becomes("down ");
    faq.logs(" status: exiting\n", 2);
    faq.svc("-u");
    faq.becomes("up ");

    // A delivery that is put off is tried at once after svc -a.
    faq.host.write("you/.qmail-later", "|[ -f ../now ] || exit 111\n");
    faq.host.sends(MESSAGE, &["you-later@daisychain.example"]);
    faq.logs(": deferral: ", 1);
    faq.host.write("now", "");
    faq.svc("-a");
    assert!(until(|| faq.log().contains(": success: did_0+0+1/")), "{}", faq.log());
}

/// What a server on this machine says to whoever connects.
fn greeting(port: u16) -> Option<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
    let mut bytes = [0; 3];
    stream.read_exact(&mut bytes).ok()?;
    String::from_utf8(bytes.to_vec()).ok()
}

/// Links that appear in /service, sticky directories with a log each, softlimit in front of tcpserver,
/// setuidgid in front of multilog.
#[test]
fn the_service_directories_of_the_howto_work() {
    if !unix::Uid::current().is_root() {
        return skipped_for("the howto's log scripts become another account, which needs root");
    }
    let side = Side::ours();
    let port = free_port();
    // The howto's 2 MB are enough for programs that are linked statically, as the installed ones are.
    let is_static = side.run(["softlimit", "-m", "2000000", "matchtest"]).exit == 0;
    let memory = if is_static { "2000000" } else { "200000000" };
    let home = side.path();
    let run = format!(
        "#!/bin/sh\nQMAILDUID=`id -u nobody`\nNOFILESGID=`id -g nobody`\n\
         exec softlimit -m {memory} \\\n\
         tcpserver -H -R -v -p -x {}/tcp.smtp.cdb \\\n\
         -u $QMAILDUID -g $NOFILESGID 127.0.0.1 {port} matchtest 220 2>&1\n",
        home.display(),
    );
    let compiled = side.command(["tcprules", "tcp.smtp.cdb", "tmp"]).stdin(":allow\n").run();
    assert_eq!(compiled.exit, 0);
    side.script("supervise/smtpd/run", &run);
    side.mode("supervise/smtpd", 0o1755);
    let log = home.join("log");
    side.script(
        "supervise/smtpd/log/run",
        &format!("#!/bin/sh\nexec setuidgid nobody multilog t s2500000 {}\n", log.display()),
    );
    side.directory("log");
    let owned = side.run(["chown", "-R", "nobody", "log"]);
    assert_eq!(owned.exit, 0);
    side.directory("service");
    side.keep(side.command(["svscan", "service"]).start_in_background());
    symlink(home.join("supervise/smtpd"), home.join("service/smtpd")).unwrap();

    let said = || String::from_utf8_lossy(&side.read("log/current")).into_owned();
    assert!(until(|| greeting(port).as_deref() == Some("-22")), "{}", said());
    let has = |text: &str| assert!(until(|| said().contains(text)), "no {text:?} in {}", said());
    has("tcpserver: status: 1/40\n");
    has("tcpserver: ok ");
    let stat = side.run(["svstat", "service/smtpd", "service/smtpd/log"]);
    assert_eq!(String::from_utf8_lossy(&stat.stdout).matches(": up (pid ").count(), 2);
    assert_eq!(side.run(["stat", "-c", "%U %a", "log/current"]).stdout, b"nobody 644\n");
}

#[test]
fn the_guide_s_log_of_tcpserver_is_kept_by_cyclog() {
    if !unix::Uid::current().is_root() {
        return skipped_for("setuser becomes another account, which needs root");
    }
    let side = Side::ours();
    let port = free_port();
    side.directory("log");
    assert_eq!(side.run(["chown", "daemon", "log"]).exit, 0);
    let log = side.path().join("log");
    // Its tcpserver and its cyclog are one command line, with the pipe that the guide has lost.
    let script = format!(
        "(tcpserver -vHR -l0 127.0.0.1 {port} matchtest 220 2>&1 & echo $! > pid; wait) | \
         setuser daemon cyclog -s5000000 -n5 {}",
        log.display(),
    );
    let mut pipe = side.command(["sh", "-c", &script]).start_in_background();
    assert!(until(|| greeting(port).is_some()));
    let end = "kill $(cat pid)";
    assert_eq!(side.run(["sh", "-c", end]).exit, 0);
    assert_eq!(pipe.ends(), 0);
    let shown = side.run(["sh", "-c", "stat -c '%U %a' log/@*; cat log/@*"]).stdout;
    let shown = String::from_utf8(shown).unwrap();
    assert!(shown.starts_with("daemon 444\ntcpserver: status: 0/40\n"), "{shown}");
    assert!(shown.contains("\ntcpserver: ok "), "{shown}");
}

/// "cyclog writes a log to disk", "accustamp puts a precise timestamp on each line", "tailocal converts",
/// "usually watches a log", "errorsto redirects stderr".
#[test]
fn the_guide_s_programs_work_in_one_pipe() {
    let side = Side::ours();
    side.directory("log");
    side.write("usual", "* status: *\n* info msg *\n");
    let script = "accustamp | errorsto unusual usually usual | cyclog log";
    let mut pipe = side.command(["sh", "-c", script]).converse();
    let _ = pipe.talk("status: local 0/10\ninfo msg 7: bytes 3\nalert: x\n", "");
    pipe.close_input();
    assert_eq!((pipe.ends(), pipe.stderr()), (0, vec![]));
    let shown = side.run(["sh", "-c", "cat log/@* | tailocal; echo; tailocal < unusual"]).stdout;
    let shown = String::from_utf8(shown).unwrap();
    let (log, unusual) = shown.split_once("\n\n").unwrap();
    let today = String::from_utf8(side.run(["date", "-u", "+%Y-%m-"]).stdout).unwrap();
    assert!(log.lines().all(|line| line.starts_with(today.trim_end())), "{shown}");
    let words: Vec<_> = log.lines().filter_map(|line| line.split_once('.')?.1.get(7..)).collect();
    assert_eq!(words, ["status: local 0/10", "info msg 7: bytes 3", "alert: x"]);
    assert!(unusual.ends_with(" alert: x\n") && unusual.lines().count() == 1, "{unusual}");
}

/// qmail's own log through accustamp, as the home page says that it is done.
#[test]
fn qmail_start_runs_accustamp_as_its_logger() {
    let mut host = Host::start();
    host.stop();
    let script = format!(
        "PATH=\"{}:$PATH\"; exec qmail-start ./Maildir/ accustamp",
        host.path("../target/command").display()
    );
    let qmail = host.command(["sh", "-c", &script]).start_in_background();
    qmail.says(" status: local 0/10 remote 0/20\n");
    let text = String::from_utf8(qmail.stdout()).unwrap();
    let (seconds, rest) = text.split_once('.').unwrap();
    assert!(seconds.parse::<u64>().is_ok() && rest.split(' ').next().unwrap().len() == 6, "{text}");
    qmail.signal(Signal::SIGTERM);
    qmail.says(" status: exiting\n");
}
