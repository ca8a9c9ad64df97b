//! readproctitle — show the last of standard input in the process title.

use std::io::Read;
use std::process::ExitCode;

use daemontools::title::Line;
use prog::{Args, Exit, Program};
use unix::fd;
use unix::title::Title;

const READPROCTITLE: Program = Program::new("readproctitle", "text ... dots").silent();

fn main() -> ExitCode {
    prog::main(READPROCTITLE, run)
}

fn run(_: Args) -> Exit {
    let Some(mut title) = Title::last_argument() else { return Exit::HARD };
    let Some(mut line) = Line::new(title.len()) else { return Exit::HARD };
    title.show(line.text());
    let mut block = vec![0; 4096];
    loop {
        match fd::stdin().read(&mut block) {
            Ok(0) => return Exit::OK,
            Ok(count) => line.feed(block.get(..count).unwrap_or_default()),
            Err(_) => return Exit::SOFT,
        }
        title.show(line.text());
    }
}
