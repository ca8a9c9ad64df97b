//! tcprules — compile rules for tcpserver.

use std::io::{self, BufRead, BufReader};
use std::path::PathBuf;
use std::process::ExitCode;

use lookup::cdb::Writer;
use prog::{Args, Exit, Fatal, OrFatal, Program};
use ucspi_tcp::rules::{self, Address, Lengths, Rule, Wrong};
use wire::text;

const TCPRULES: Program = Program::new("tcprules", "rules.cdb rules.tmp");
const BUFFER: usize = 64 * 1024;

fn main() -> ExitCode {
    prog::main(TCPRULES, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let path = args.path()?;
    let aside = args.path()?;

    let writer = Writer::create(&aside).or_fatal(("unable to create ", &aside))?;
    let mut compiler = Compiler { writer, aside, lengths: Lengths::default(), data: Vec::new() };
    let mut input = BufReader::with_capacity(BUFFER, unix::fd::stdin());
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if input.read_until(b'\n', &mut line).or_fatal("unable to read input")? == 0 {
            break;
        }
        let shown = || text::trim_end(&line);
        match rules::parse(&line) {
            Ok(Some(rule)) => compiler.add(&rule)?,
            Ok(None) => {}
            Err(Wrong::Malformed) => {
                return Err(Fatal::hard(("unable to parse this line: ", shown())));
            }
            Err(Wrong::NeverMatches) => {
                return Err(Fatal::hard(("line ", number, " can never match: ", shown())));
            }
        }
    }
    compiler.finish(&path)?;
    Ok(Exit::OK)
}

struct Compiler {
    writer: Writer,
    aside: PathBuf,
    lengths: Lengths,
    /// The data of one rule; kept for its memory.
    data: Vec<u8>,
}

impl Compiler {
    fn add(&mut self, rule: &Rule<'_>) -> Result<(), Fatal> {
        if let Address::Network(network) = rule.address {
            self.lengths.add(network);
        }
        self.data.clear();
        rule.push_data(&mut self.data);
        let (writer, data) = (&mut self.writer, &self.data);
        let added: io::Result<()> = rule.address.keys(|key| writer.add(key, data));
        added.or_fatal(("unable to write to ", &self.aside))
    }

    fn finish(mut self, path: &PathBuf) -> Result<(), Fatal> {
        let written = || ("unable to write to ", &self.aside);
        if let Some((key, data)) = self.lengths.record() {
            self.writer.add(key, &data).or_fatal(written())?;
        }
        let finished = self.writer.finish().or_fatal(written())?;
        finished.commit(path).or_fatal(("unable to move ", &self.aside, " to ", path))
    }
}
