//! A program of ours that has served other connections before the one of the case, as under `tcpserver -k`.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command};
use std::time::Instant;

use unix::poll;
use unix::socket::{self, channel, hand_over, take_over};

use crate::ground;
use crate::wait::DEADLINE;

/// The programs that take further connections.
pub(crate) const PROGRAMS: [&str; 1] = ["qmail-smtpd"];

/// A connection that such a program has.
#[derive(Debug)]
pub(crate) struct Session {
    stream: UnixStream,
    channel: OwnedFd,
    /// How much the program had said on standard error when the connection was handed to it.
    before: usize,
}

/// Starts the program of `command` at the first of three connections, has two clients behave badly, and
/// hands it the third with the environment of `command`. `folder` has its standard error, and the home
/// of the host that it serves before.
pub(crate) fn start(mut command: Command, folder: &Path) -> (Child, Session) {
    let environment = environment(&command);
    let home = folder.join("before");
    for (name, text) in [
        ("me", "before.test\n"),
        ("rcpthosts", "before.test\n"),
        ("badmailfrom", "bad@before.test\n"),
        ("timeoutsmtpd", "7\n"),
        ("localiphost", "before.test\n"),
        ("checkrecipient", "0\n"),
        ("rcptchecks", "/bin/true\n"),
    ] {
        let path = home.join("control").join(name);
        fs::create_dir_all(path.parent().expect("a directory")).expect("a directory");
        fs::write(path, text).expect("a file");
    }
    let home = home.display().to_string();
    let (channel, theirs) = channel().expect("a channel");
    let program = fs::metadata(command.get_program()).expect("a program");
    let offer = format!("{} {} {}", theirs.as_raw_fd(), program.dev(), program.ino());

    let (stream, end) = UnixStream::pair().expect("a connection");
    let end = OwnedFd::from(end);
    let limits = [("MAXRECIPIENTS", "1"), ("DATABYTES", "10"), ("BRTLIMIT", "1")];
    let client =
        [("RELAYCLIENT", "@before.test"), ("ALLOW_BARECR", ""), ("TCPREMOTEIP", "192.0.2.7")];
    command.env_clear().envs(limits).envs(client).env("QMAILHOME", &home);
    command.env("QMAILQUEUE", "/bin/false").env("TCPNEXT", offer);
    command.stdin(end.try_clone().expect("a descriptor")).stdout(end);
    command.stderr(File::create(folder.join("err")).expect("a file"));
    let child = ground::spawn(&mut command, &[theirs.as_fd()]).expect("a program");
    drop((command, theirs));
    let message = ["x", "x", "x", "."].join("\r\nlonger than it may be\r\n");
    let turns = ["MAIL FROM:<a@b>", "RCPT TO:<x>", "RCPT TO:<y>", "DATA", &message, "QUIT"];
    says(&stream, &turns);
    assert_eq!(over(&channel), 0, "QUIT");

    let (stream, end) = UnixStream::pair().expect("a connection");
    let variables = format!("QMAILHOME={home}\0RCPTCHECK=/bin/true\0TCPREMOTEINFO=before\0");
    hand_over(&channel, variables.as_bytes(), &end).expect("a program that listens");
    drop(end);
    says(&stream, &["EHLO before", "MAIL FROM:<a@b>", "RCPT TO:<x@before.test>", "DATA"]);
    (&stream).write_all(b"Subject: broken off\r\n\r\nin the midst of").expect("a connection");
    drop(stream);
    assert_eq!(over(&channel), 1, "a broken connection");

    let before = fs::read(folder.join("err")).unwrap_or_default().len();
    let (stream, end) = UnixStream::pair().expect("a connection");
    hand_over(&channel, &environment, &end).expect("a program that listens");
    (child, Session { stream, channel, before })
}

/// What was set, each `NAME=VALUE` and a zero byte. Everything else is cleared.
fn environment(command: &Command) -> Vec<u8> {
    let set = |(name, value): (&OsStr, Option<&OsStr>)| {
        Some([name.as_bytes(), b"=", value?.as_bytes(), b"\0"].concat())
    };
    command.get_envs().filter_map(set).collect::<Vec<_>>().concat()
}

/// Says one line after the other, each when there is a reply to the one before.
fn says(stream: &UnixStream, lines: &[&str]) {
    let mut replies = BufReader::new(stream);
    for line in [None].into_iter().chain(lines.iter().map(Some)) {
        if let Some(line) = line {
            let mut stream = stream;
            stream.write_all(format!("{line}\r\n").as_bytes()).expect("a connection");
        }
        let mut reply = String::new();
        while reply.as_bytes().get(3) != Some(&b' ') {
            reply.clear();
            assert!(
                replies.read_line(&mut reply).expect("a connection") > 0,
                "no reply to {line:?}"
            );
        }
    }
}

/// Waits until a connection is over; the code that the program would have ended with.
fn over(channel: &OwnedFd) -> i32 {
    let mut code = [0; 2];
    let in_time = poll::until(channel, false, Some(Instant::now() + DEADLINE));
    assert!(in_time.expect("a channel"), "the connection is not over");
    let (length, _) = take_over(channel, &mut code).expect("a channel");
    assert_eq!(length, 1, "the program has ended");
    code[0].into()
}

impl Session {
    /// The two directions of the connection.
    pub(crate) fn stream(&mut self) -> &mut UnixStream {
        &mut self.stream
    }

    /// Says no more.
    pub(crate) fn close_input(&self) {
        let _ = self.stream.shutdown(Shutdown::Write); // the program may have closed it
    }

    /// What is heard until the program closes the connection.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = self.stream.read_to_end(&mut rest); // a reset is an end too
        rest
    }

    /// How much of standard error is not about this connection.
    pub(crate) fn before(&self) -> usize {
        self.before
    }

    /// Waits until the connection is over; gives the code that the program would have ended with. The
    /// channel is closed then, and the program ends.
    pub(crate) fn ends(&self) -> i32 {
        let code = over(&self.channel);
        let _ = socket::shut_down(&self.channel); // the program may have ended already
        code
    }
}
