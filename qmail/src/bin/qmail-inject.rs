//! qmail-inject — preprocess and send a mail message.

use std::ffi::OsString;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program, env};
use qmail::addr::quote;
use qmail::addr::rewrite::Defaults;
use qmail::control::{Control, List};
use qmail::inject::header::{self, Finished, Header, Origin, Unparsable};
use qmail::inject::options::Options;
use qmail::inject::split::{Splitter, Step};
use qmail::submit::{Submission, Verdict};
use queue::home::Home;
use unix::{clock, fd, process};

const INJECT: Program = Program::new("qmail-inject", "[ -nNaAhH ] [ -f sender ] [ recip ... ]");

fn main() -> ExitCode {
    prog::main(INJECT, run)
}

/// Which recipients count.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Recipients {
    Arguments,
    ArgumentsElseHeader,
    Both,
    Header,
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let options = Options::read(&|name| env::get(name));
    let lists = followup_lists()?;
    let home = Home::find();
    let control = Control::of(&home);
    let defaults = defaults(&control)?;
    let id_host = setting("QMAILIDHOST", &control, "idhost")?;

    let mut strategy = Recipients::ArgumentsElseHeader;
    let mut sender = None;
    let mut only_print = false;
    while let Some(opt) = args.option(b"aAhHnNf:")? {
        match opt.letter {
            b'a' => strategy = Recipients::Arguments,
            b'A' => strategy = Recipients::ArgumentsElseHeader,
            b'h' => strategy = Recipients::Header,
            b'H' => strategy = Recipients::Both,
            b'n' => only_print = true,
            b'N' => only_print = false,
            _ => {
                let given = opt.value.as_bytes();
                let path = header::argument(given, &defaults).map_err(unparsable("line:\n"))?;
                sender = Some(path);
            }
        }
    }
    let given = args.rest();
    let from_header = match strategy {
        Recipients::Arguments => false,
        Recipients::ArgumentsElseHeader => given.is_empty(),
        Recipients::Both | Recipients::Header => true,
    };
    let given = if strategy == Recipients::Header { Vec::new() } else { given };
    let mut recipients = arguments(&given, &defaults)?;

    let now = clock::wall();
    let pid = process::id().as_raw().unsigned_abs();
    let origin = Origin { seconds: now.seconds, nanos: now.nanos, pid, id_host: &id_host };
    let mut input = Input::new();
    let (head, body) = read_header(&mut input, Header::new(&options, &defaults, sender))?;
    let mut finished = head.finish(&origin, &lists).map_err(unparsable("line:\n"))?;
    if from_header {
        recipients.append(&mut finished.recipients);
    }
    if only_print {
        return print(&finished, &body, &mut input);
    }
    if recipients.is_empty() {
        return Err(Fatal::hard("no recipients"));
    }
    submit(&home, &finished, &recipients, &body, &mut input)
}

/// The mailing lists named in `$QMAILMFTFILE`, in lower case.
fn followup_lists() -> Result<Vec<Vec<u8>>, Fatal> {
    let Some(path) = env::get("QMAILMFTFILE") else { return Ok(Vec::new()) };
    match fs::read(OsString::from_vec(path)) {
        Ok(text) => Ok(List::new(text).lines().map(<[u8]>::to_ascii_lowercase).collect()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(_) => Err(Fatal::soft("read error")),
    }
}

fn defaults(control: &Control) -> Result<Defaults, Fatal> {
    let host = setting("QMAILDEFAULTHOST", control, "defaulthost")?;
    let domain = setting("QMAILDEFAULTDOMAIN", control, "defaultdomain")?;
    let plus = setting("QMAILPLUSDOMAIN", control, "plusdomain")?;
    Defaults::new(&host, &domain, &plus).map_err(|_| {
        Fatal::hard(("unable to parse this line:\n", [host, domain, plus].join(&b' ')))
    })
}

/// A variable, else a control file, else `me`, else the file's own name.
fn setting(variable: &str, control: &Control, file: &str) -> Result<Vec<u8>, Fatal> {
    if let Some(value) = env::get(variable) {
        return Ok(value);
    }
    let line = control.line_or_me(file).map_err(|_| Fatal::soft("read error"))?;
    Ok(line.unwrap_or_else(|| file.into()))
}

fn unparsable(what: &'static str) -> impl Fn(Unparsable) -> Fatal {
    move |Unparsable(text)| {
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        Fatal::hard(("unable to parse this ", what, text))
    }
}

fn arguments(given: &[OsString], defaults: &Defaults) -> Result<Vec<Vec<u8>>, Fatal> {
    given
        .iter()
        .map(|word| {
            header::argument(word.as_bytes(), defaults)
                .map_err(|Unparsable(text)| Fatal::hard(("unable to parse address: ", text)))
        })
        .collect()
}

/// The message's lines. If the first ends in CR LF, every CR LF counts as a line end.
struct Input {
    reader: BufReader<fd::Direct<fd::Standard>>,
    line: Vec<u8>,
    drops_cr: Option<bool>,
}

impl Input {
    fn new() -> Input {
        let reader = BufReader::with_capacity(64 * 1024, fd::stdin());
        Input { reader, line: Vec::new(), drops_cr: None }
    }

    /// The next line, with a line end in any case; `None` at the end of the message.
    fn next(&mut self) -> Result<Option<&[u8]>, Fatal> {
        self.line.clear();
        let result = self.reader.read_until(b'\n', &mut self.line);
        if result.map_err(|_| Fatal::soft("read error"))? == 0 {
            return Ok(None);
        }
        let ends_in_cr = self.line.ends_with(b"\r\n");
        if ends_in_cr && *self.drops_cr.get_or_insert(ends_in_cr) {
            self.line.truncate(self.line.len() - 2);
            self.line.push(b'\n');
        } else if !self.line.ends_with(b"\n") {
            self.line.push(b'\n');
        }
        self.drops_cr.get_or_insert(false);
        Ok(Some(&self.line))
    }

    /// Copies what is left.
    fn copy(&mut self, output: &mut impl Write) -> Result<(), Fatal> {
        while let Some(line) = self.next()? {
            output.write_all(line).or_fatal("unable to write")?;
        }
        Ok(())
    }
}

/// Reads up to the body; gives the header and the body's first bytes.
fn read_header<'a>(
    input: &mut Input,
    mut head: Header<'a>,
) -> Result<(Header<'a>, Vec<u8>), Fatal> {
    let mut splitter = Splitter::default();
    while let Some(line) = input.next()? {
        match splitter.line(line) {
            Step::More => {}
            Step::Field(field) => head.field(&field).map_err(unparsable("line:\n"))?,
            Step::Body(last, body) => {
                if let Some(field) = last {
                    head.field(&field).map_err(unparsable("line:\n"))?;
                }
                return Ok((head, body));
            }
        }
    }
    if let Some(field) = splitter.end() {
        head.field(&field).map_err(unparsable("line:\n"))?;
    }
    Ok((head, Vec::new()))
}

/// The message as it is sent.
fn write_message(
    output: &mut impl Write,
    finished: &Finished,
    body: &[u8],
    input: &mut Input,
) -> Result<(), Fatal> {
    output.write_all(&finished.text).or_fatal("unable to write")?;
    output.write_all(body).or_fatal("unable to write")?;
    input.copy(output)
}

fn print(finished: &Finished, body: &[u8], input: &mut Input) -> Result<Exit, Fatal> {
    let mut output = io::BufWriter::with_capacity(64 * 1024, fd::stdout());
    let path = quote::address(&finished.sender);
    output
        .write_all(&[b"Return-Path: <", path.as_slice(), b">\n"].concat())
        .or_fatal("unable to write")?;
    write_message(&mut output, finished, body, input)?;
    output.flush().or_fatal("unable to write")?;
    Ok(Exit::OK)
}

fn submit(
    home: &Home,
    finished: &Finished,
    recipients: &[Vec<u8>],
    body: &[u8],
    input: &mut Input,
) -> Result<Exit, Fatal> {
    let submission = Submission::start(home);
    let mut queue = submission.map_err(|_| Fatal::soft("unable to run qmail-queue"))?;
    write_message(&mut queue, finished, body, input)?;
    queue.envelope(&finished.sender, recipients.iter().map(Vec::as_slice));
    match queue.finish() {
        Verdict::Accepted { .. } => Ok(Exit::OK),
        Verdict::Permanent(text) => Err(Fatal::hard(&*text)),
        Verdict::Temporary(text) => Err(Fatal::soft(&*text)),
    }
}
