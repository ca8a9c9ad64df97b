//! From standard input to standard output, as far as the input has come: what the filters share.

use std::io::{Read, Write};

use prog::{Exit, Fatal, OrFatal};
use unix::{clock, fd};
use wire::gather::Gather;

use crate::local::{Form, Localizer};
use crate::tai::LABEL;

/// Bytes of one read.
const BLOCK: usize = 64 * 1024;

/// Writes what `feed` makes of each part of the input, at once.
pub fn parts(mut feed: impl FnMut(&[u8], &mut Gather)) -> Result<Exit, Fatal> {
    let mut input = vec![0; BLOCK];
    let mut output = Gather::with_capacity(2 * BLOCK);
    loop {
        let count = fd::stdin().read(&mut input).or_fatal("unable to read input")?;
        if count == 0 {
            return Ok(Exit::OK);
        }
        output.clear();
        feed(input.get(..count).unwrap_or_default(), &mut output);
        fd::stdout().write_all(output.text()).or_fatal("unable to write output")?;
    }
}

/// Shows the timestamps at the beginning of lines in local time.
pub fn localized(form: Form) -> Result<Exit, Fatal> {
    let mut localizer = Localizer::new(form);
    let mut input = vec![0; LABEL + BLOCK];
    let mut held = 0; // bytes of a timestamp that the last read ended in
    let mut output = Vec::new();
    loop {
        let room = input.get_mut(held..).unwrap_or_default();
        let count = fd::stdin().read(room).or_fatal("unable to read input")?;
        let filled = input.get(..held + count).unwrap_or_default();
        output.clear();
        let taken = localizer.feed(filled, count == 0, &mut output, clock::local);
        fd::stdout().write_all(&output).or_fatal("unable to write output")?;
        if count == 0 {
            return Ok(Exit::OK);
        }
        held = filled.len() - taken;
        input.copy_within(taken..taken + held, 0);
    }
}
