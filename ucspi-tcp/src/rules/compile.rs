//! From lines of rules to a cdb.

use std::io::{self, BufRead};
use std::path::Path;

use lookup::cdb::{Hidden, Writer};
use memchr::memchr;
use prog::{Fatal, OrFatal};
use wire::gather::Gather;
use wire::text;

use super::{Address, Lengths, Wrong, parse};

/// Compiles the rules of `input` into `aside`, which then becomes `path`. After a failure `path` is
/// what it was, and there is no `aside`. Gives a warning, if there is reason for one.
pub fn compile(
    mut input: impl BufRead,
    path: &Path,
    aside: &Path,
) -> Result<Option<String>, Fatal> {
    let writer = Writer::create(aside).or_fatal(("unable to create ", aside))?;
    let (lengths, data) = (Lengths::default(), Gather::default());
    let mut compiler = Compiler { writer, aside, number: 0, lengths, data };
    // The beginning of a line of which the end has not been read.
    let mut begun = Vec::new();
    loop {
        let mut block = match input.fill_buf() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            read => read.or_fatal("unable to read input")?,
        };
        if block.is_empty() {
            break;
        }
        let length = block.len();
        while let Some(end) = memchr(b'\n', block)
            && let Some((line, rest)) = block.split_at_checked(end + 1)
        {
            if begun.is_empty() {
                compiler.add(line)?;
            } else {
                begun.extend_from_slice(line);
                compiler.add(&begun)?;
                begun.clear();
            }
            block = rest;
        }
        begun.extend_from_slice(block);
        input.consume(length);
    }
    compiler.add(&begun)?;
    compiler.finish(path)
}

struct Compiler<'a> {
    writer: Writer,
    aside: &'a Path,
    /// Lines so far.
    number: u64,
    lengths: Lengths,
    /// The data of one rule; kept for its memory.
    data: Gather,
}

impl Compiler<'_> {
    fn add(&mut self, line: &[u8]) -> Result<(), Fatal> {
        self.number += 1;
        let shown = || text::trim_end(line);
        let address = match parse(line, &mut self.data) {
            Ok(Some(address)) => address,
            Ok(None) => return Ok(()),
            Err(Wrong::Malformed) => {
                return Err(Fatal::hard(("unable to parse this line: ", shown())));
            }
            Err(Wrong::NeverMatches) => {
                return Err(Fatal::hard(("line ", self.number, " can never match: ", shown())));
            }
        };
        if let Address::Network(network) = address {
            self.lengths.add(network);
        }
        let (writer, data) = (&mut self.writer, self.data.text());
        let added: io::Result<()> = address.keys(|key| writer.add(key, data));
        added.or_fatal(("unable to write to ", self.aside))
    }

    fn finish(mut self, path: &Path) -> Result<Option<String>, Fatal> {
        let written = ("unable to write to ", self.aside);
        if let Some((key, data)) = self.lengths.record() {
            self.writer.add(key, &data).or_fatal(written)?;
        }
        let finished = self.writer.finish().or_fatal(written)?;
        // Without knowing that, the rules are as good.
        let hidden = finished.hidden(self.aside).unwrap_or_default();
        finished.commit(path).or_fatal(("unable to move ", self.aside, " to ", path))?;
        Ok(hidden.map(|hidden| told(&hidden)))
    }
}

fn told(Hidden { count, key }: &Hidden) -> String {
    let key = key.escape_ascii();
    match count {
        1 => format!("a rule for an address that has one never matches: {key}"),
        _ => format!("{count} rules for addresses that have one never match, the first: {key}"),
    }
}
