//! fifo — show what is written to a fifo, for ever.

use std::io::{Read, Write};
use std::process::ExitCode;

use prog::{Args, Exit, Fatal, OrFatal, Program};
use unix::{fd, fifo};

const FIFO: Program = Program::new("fifo", "filename");

fn main() -> ExitCode {
    prog::main(FIFO, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let path = args.path()?;

    fifo::make(&path, 0o600).or_fatal(("unable to create ", &path))?;
    let file = fifo::read_end(&path).or_fatal(("unable to open ", &path, " for reading"))?;
    // As long as it is open for writing here too, it does not end when a writer goes.
    let _writer = fifo::write_end(&path).or_fatal(("unable to open ", &path, " for writing"))?;
    fd::nonblocking(&file, false).or_fatal(("unable to read ", &path))?;

    let mut block = vec![0; 64 * 1024];
    loop {
        let count = fd::Direct(&file).read(&mut block).or_fatal(("unable to read ", &path))?;
        if count == 0 {
            return Err(Fatal::soft(("end of file on ", &path)));
        }
        let bytes = block.get(..count).unwrap_or_default();
        fd::stdout().write_all(bytes).or_fatal("unable to write output")?;
    }
}
