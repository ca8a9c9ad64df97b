//! rblsmtpd — refuse mail from hosts that are listed in DNS, else run an SMTP server.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Duration;

use lookup::resolver::{Question, Resolver};
use prog::{Args, Chain, Exit, Fatal, Program};
use ucspi_tcp::rbl::{self, Finding, List, Purpose, Refusal, Session, Verdict};
use unix::signal::{self, Signal};
use unix::{clock, errno::Errno, fd, poll, process};
use wire::{ip, ucspi};

const RBLSMTPD: Program =
    Program::new("rblsmtpd", "[ -bBcC ] [ -t timeout ] [ -r base ] [ -a base ] smtpd [ arg ... ]");
/// How long all look-ups together may take.
const BUDGET: Duration = Duration::from_secs(30);
/// Bytes read at a time: each may be a line with a reply of 208 bytes.
const BUFFER: usize = 1024;

fn main() -> ExitCode {
    prog::main(RBLSMTPD, run)
}

/// The program to run, or the end of a client that was refused.
fn run(mut args: Args) -> Result<Result<Chain, Exit>, Fatal> {
    let (mut bounces, mut fails_closed, mut timeout) = (false, false, 60);
    let mut lists = Vec::new();
    while let Some(opt) = args.option(b"bBcCt:r:a:")? {
        match opt.letter {
            b'r' | b'a' => {
                let purpose = if opt.letter == b'r' { Purpose::Refuse } else { Purpose::Allow };
                let list = List::new(purpose, opt.value.as_bytes()).ok_or_else(|| args.usage())?;
                lists.push(List { bounces, fails_closed, ..list });
            }
            b't' => timeout = opt.number().ok_or_else(|| args.usage())?,
            b'b' | b'B' => bounces = opt.letter == b'b',
            _ => fails_closed = opt.letter == b'c',
        }
    }
    let next = args.chain()?;

    let variable = prog::env::get("RBLSMTPD");
    let verdict = rbl::by_variable(variable.as_deref()).unwrap_or_else(|| ask(&lists));
    Ok(match verdict {
        Verdict::Accept => Ok(next),
        Verdict::Refuse(refusal) => {
            refuse(refusal, timeout);
            Err(Exit::OK)
        }
    })
}

/// The client's address as its server tells it.
fn client() -> Option<Vec<u8>> {
    let variable = |name: &[u8]| prog::env::get(std::str::from_utf8(name).unwrap_or_default());
    let is_ipv6 = variable(ucspi::PROTO).is_some_and(|proto| proto == ucspi::TCP6);
    let six = if is_ipv6 { variable(ucspi::REMOTE_IP6) } else { None };
    six.or_else(|| variable(ucspi::REMOTE_IP))
}

/// Asks all lists at the same time; their answers count in order.
fn ask(lists: &[List]) -> Verdict {
    if lists.is_empty() {
        return Verdict::Accept;
    }
    let Some(address) = client().and_then(|address| ip::parse(&address)) else {
        RBLSMTPD.warning("no client address, so no list can be asked", ());
        return rbl::by_lists(lists.iter().map(|list| (list, Finding::Failed)));
    };
    let questions: Vec<_> = lists.iter().map(|list| list.questions(address)).collect();
    let asked: Vec<Question> = questions.iter().flatten().flatten().cloned().collect();
    let mut answers = Resolver::of_process().within(BUDGET).ask(&asked).into_iter();
    rbl::by_lists(lists.iter().zip(questions).map(|(list, questions)| match questions {
        Ok(questions) => {
            let own: Vec<_> = answers.by_ref().take(questions.len()).collect();
            (list, list.finding(&own))
        }
        Err(_) => (list, Finding::Failed),
    }))
}

/// Tells the client of its refusal, for `timeout` seconds at most; for 0, only once.
fn refuse(refusal: Refusal, timeout: u32) {
    let ip = client().unwrap_or_default();
    let pid = process::id().as_raw();
    log((&ip, " pid ", pid, ": ", refusal.message()));
    let session = Session::new(refusal);
    // A client that does not read must not hold us when its time is over.
    let _ = signal::exit_on(Signal::SIGALRM, 0);
    signal::alarm(timeout.saturating_add(1));
    // Whatever fails, the conversation is over.
    let _ = if timeout == 0 { tell(&session) } else { converse(session, timeout) };
}

fn log(what: impl prog::Piece) {
    let mut line = b"rblsmtpd: ".to_vec();
    what.render(&mut line);
    line.push(b'\n');
    // There is nowhere else to say it.
    let _ = fd::stderr().write_all(&line);
}

fn tell(session: &Session) -> io::Result<()> {
    let mut out = Vec::new();
    session.push_refusal(&mut out);
    fd::stdout().write_all(&out)
}

fn converse(mut session: Session, timeout: u32) -> io::Result<()> {
    let deadline = clock::monotonic() + Duration::from_secs(timeout.into());
    let mut out = Vec::new();
    session.greet(&mut out);
    fd::stdout().write_all(&out)?;
    let mut buffer = [0; BUFFER];
    loop {
        out.clear();
        if !poll::until(&fd::stdin(), false, Some(deadline))? {
            session.push_timeout(&mut out);
            return fd::stdout().write_all(&out);
        }
        let count = fd::stdin().read(&mut buffer)?;
        if count == 0 {
            return Ok(());
        }
        let goes_on = session.take(buffer.get(..count).unwrap_or_default(), &mut out);
        fd::stdout().write_all(&out)?;
        if !goes_on {
            return Ok(());
        }
        if clock::monotonic() >= deadline {
            return Err(Errno::ETIMEDOUT.into());
        }
    }
}
