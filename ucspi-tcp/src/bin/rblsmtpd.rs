//! rblsmtpd — refuse mail from hosts that are listed in DNS, else run an SMTP server.

use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::process::ExitCode;
use std::time::Duration;

use lookup::resolver::{Question, Resolver};
use prog::{Args, Chain, Exit, Fatal, Program};
use ucspi_tcp::rbl::{self, Finding, List, Purpose, Refusal, Session, Verdict};
use unix::signal::{self, Signal};
use unix::{clock, errno::Errno, fd, poll, process, socket};
use wire::{decimal, ip, ucspi};

const RBLSMTPD: Program = Program::new(
    "rblsmtpd",
    "[ -bBcCeiW ] [ -t timeout ] [ -w delay ] [ -r base ] [ -a base ] smtpd [ arg ... ]",
);
/// How long all look-ups together may take.
const BUDGET: Duration = Duration::from_secs(30);
/// Bytes read at a time: each may be a line with a reply of 208 bytes.
const BUFFER: usize = 1024;

fn main() -> ExitCode {
    prog::main(RBLSMTPD, run)
}

/// What the options ask for.
#[derive(Default)]
struct Options {
    lists: Vec<List>,
    /// `-w`, `-W`: how long a client waits that none of the lists before has decided on.
    delay: Option<(u32, usize)>,
    /// `-e`: who speaks meanwhile is refused, with this code.
    early: Option<&'static [u8]>,
    /// `-i`: the server is told of a refusal, and refuses or not.
    only_tells: bool,
    timeout: u32,
}

impl Options {
    fn parse(args: &mut Args) -> Result<Options, Fatal> {
        let (mut bounces, mut fails_closed) = (false, false);
        let mut options = Options { timeout: 60, ..Options::default() };
        while let Some(opt) = args.option(b"bBcCeiWt:w:r:a:")? {
            match opt.letter {
                b'r' | b'a' => {
                    let purpose = if opt.letter == b'r' { Purpose::Refuse } else { Purpose::Allow };
                    let list = List::new(purpose, opt.value.as_bytes());
                    let list = list.ok_or_else(|| args.usage())?;
                    options.lists.push(List { bounces, fails_closed, ..list });
                }
                b't' => options.timeout = opt.number().ok_or_else(|| args.usage())?,
                b'w' => {
                    let delay = opt.number().ok_or_else(|| args.usage())?;
                    options.delay = Some((delay, options.lists.len()));
                }
                b'W' => options.delay = Some((delay_of_variable(), options.lists.len())),
                b'e' => options.early = Some(rbl::code(bounces)),
                b'i' => options.only_tells = true,
                b'b' | b'B' => bounces = opt.letter == b'b',
                _ => fails_closed = opt.letter == b'c',
            }
        }
        Ok(options)
    }
}

fn delay_of_variable() -> u32 {
    let Some(value) = prog::env::get("GREETDELAY") else { return 0 };
    decimal::parse(&value).and_then(|delay| u32::try_from(delay).ok()).unwrap_or_else(|| {
        RBLSMTPD.warning("no number in GREETDELAY", ());
        0
    })
}

/// The program to run, or the end of a client that was refused.
fn run(mut args: Args) -> Result<Result<Chain, Exit>, Fatal> {
    let options = Options::parse(&mut args)?;
    let mut next = args.chain()?;

    let variable = prog::env::get("RBLSMTPD");
    if let Some(verdict) = rbl::by_variable(variable.as_deref()) {
        return Ok(match verdict {
            Verdict::Accept => Ok(next),
            Verdict::Refuse(refusal) => Err(refuse(refusal, options.timeout)),
        });
    }
    let (mut verdict, place) = ask(&options.lists);
    if let Some((delay, before)) = options.delay
        && delay > 0
        && place >= before
    {
        match (linger(delay), options.early) {
            (Client::Gone, _) => return Ok(Err(Exit::OK)),
            (Client::Speaks, Some(code)) => {
                verdict = Verdict::Refuse(Refusal::new(code, b"you spoke before you were greeted"));
            }
            _ => {}
        }
    }
    Ok(match verdict {
        Verdict::Accept => Ok(next),
        Verdict::Refuse(refusal) if options.only_tells => {
            log_about(refusal.message());
            next.env.set("RBLSMTPD", [b"[RBL info] ", refusal.text()].concat());
            Ok(next)
        }
        Verdict::Refuse(refusal) => Err(refuse(refusal, options.timeout)),
    })
}

/// What a client does that hears nothing.
enum Client {
    Gone,
    Speaks,
    Waits,
}

/// Lets the client wait.
fn linger(delay: u32) -> Client {
    log_about(format!("greetdelay: {delay}").as_bytes());
    let end = clock::monotonic() + Duration::from_secs(delay.into());
    // What cannot be waited for is no reason to serve nobody.
    if !poll::until(&fd::stdin(), false, Some(end)).unwrap_or(false) {
        return Client::Waits;
    }
    if socket::peek(&fd::stdin(), &mut [0]).is_ok_and(|count| count == 0) {
        return Client::Gone;
    }
    while clock::monotonic() < end {
        let left = end.saturating_duration_since(clock::monotonic());
        if poll::wait(&mut [], Some(left)).is_err() {
            break;
        }
    }
    Client::Speaks
}

/// The client's address as its server tells it.
fn client() -> Option<Vec<u8>> {
    let variable = |name: &[u8]| prog::env::get(std::str::from_utf8(name).unwrap_or_default());
    let is_ipv6 = variable(ucspi::PROTO).is_some_and(|proto| proto == ucspi::TCP6);
    let six = if is_ipv6 { variable(ucspi::REMOTE_IP6) } else { None };
    six.or_else(|| variable(ucspi::REMOTE_IP))
}

/// Asks all lists at the same time; their answers count in order.
fn ask(lists: &[List]) -> (Verdict, usize) {
    if lists.is_empty() {
        return (Verdict::Accept, 0);
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
fn refuse(refusal: Refusal, timeout: u32) -> Exit {
    log_about(refusal.message());
    let session = Session::new(refusal);
    // A client that does not read must not hold us when its time is over.
    let _ = signal::exit_on(Signal::SIGALRM, 0);
    signal::alarm(timeout.saturating_add(1));
    // Whatever fails, the conversation is over.
    let _ = if timeout == 0 { tell(&session) } else { converse(session, timeout) };
    Exit::OK
}

/// Logs what is said about the client.
fn log_about(what: &[u8]) {
    let ip = client().unwrap_or_default();
    let pid = process::id().to_string();
    let line = [b"rblsmtpd: ", &*ip, b" pid ", pid.as_bytes(), b": ", what, b"\n"].concat();
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
