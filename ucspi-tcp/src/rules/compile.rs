//! From lines of rules to a cdb.

use std::io::{self, BufRead};
use std::path::Path;

use lookup::cdb::Writer;
use prog::{Fatal, OrFatal};
use wire::text;

use super::{Address, Lengths, Rule, Wrong, parse};

/// Compiles the rules of `input` into `aside`, which then becomes `path`. After a failure `path` is
/// what it was, and there is no `aside`.
pub fn compile(mut input: impl BufRead, path: &Path, aside: &Path) -> Result<(), Fatal> {
    let writer = Writer::create(aside).or_fatal(("unable to create ", aside))?;
    let mut compiler = Compiler { writer, aside, lengths: Lengths::default(), data: Vec::new() };
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        if input.read_until(b'\n', &mut line).or_fatal("unable to read input")? == 0 {
            break;
        }
        let shown = || text::trim_end(&line);
        match parse(&line) {
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
    compiler.finish(path)
}

struct Compiler<'a> {
    writer: Writer,
    aside: &'a Path,
    lengths: Lengths,
    /// The data of one rule; kept for its memory.
    data: Vec<u8>,
}

impl Compiler<'_> {
    fn add(&mut self, rule: &Rule<'_>) -> Result<(), Fatal> {
        if let Address::Network(network) = rule.address {
            self.lengths.add(network);
        }
        self.data.clear();
        rule.push_data(&mut self.data);
        let (writer, data) = (&mut self.writer, &self.data);
        let added: io::Result<()> = rule.address.keys(|key| writer.add(key, data));
        added.or_fatal(("unable to write to ", self.aside))
    }

    fn finish(mut self, path: &Path) -> Result<(), Fatal> {
        let written = ("unable to write to ", self.aside);
        if let Some((key, data)) = self.lengths.record() {
            self.writer.add(key, &data).or_fatal(written)?;
        }
        let finished = self.writer.finish().or_fatal(written)?;
        finished.commit(path).or_fatal(("unable to move ", self.aside, " to ", path))
    }
}
