//! readproctitle — show the last of standard input in the process title.

use std::io::Read;
use std::process::ExitCode;

use daemontools::stamp::{Form, Stamper};
use daemontools::title::Line;
use prog::{Args, Exit, Program};
use unix::title::Title;
use unix::{clock, fd};
use wire::gather::Gather;

const READPROCTITLE: Program = Program::new("readproctitle", "[ -t ] text ... dots").silent();

fn main() -> ExitCode {
    prog::main(READPROCTITLE, run)
}

fn run(mut args: Args) -> Exit {
    // Every other word is text, whatever it begins with.
    let mut stamper =
        (args.optional().is_some_and(|word| word == "-t")).then(|| Stamper::new(Form::Iso));
    let Some(mut title) = Title::last_argument() else { return Exit::HARD };
    let Some(mut line) = Line::new(title.len()) else { return Exit::HARD };
    title.show(line.text());
    let mut block = vec![0; 4096];
    let mut lines = Gather::default();
    loop {
        let count = match fd::stdin().read(&mut block) {
            Ok(0) => return Exit::OK,
            Ok(count) => count,
            Err(_) => return Exit::SOFT,
        };
        let bytes = block.get(..count).unwrap_or_default();
        if let Some(stamper) = &mut stamper {
            stamper.feed(bytes, &mut lines, clock::wall);
            line.feed(lines.text());
            lines.clear();
        } else {
            line.feed(bytes);
        }
        title.show(line.text());
    }
}
