//! What a program is: arguments, diagnostics, exit codes, and the chain.
//!
//! A program declares itself with [`Program`], and its `main` is one call of [`main`]:
//!
//! ```no_run
//! use prog::{Args, Chain, Fatal, Program};
//!
//! const PGRPHACK: Program = Program::new("pgrphack", "child");
//!
//! fn main() -> std::process::ExitCode {
//!     prog::main(PGRPHACK, run)
//! }
//!
//! fn run(mut args: Args) -> Result<Chain, Fatal> {
//!     let mut next = args.chain()?;
//!     next.session();
//!     Ok(next)
//! }
//! ```

mod args;
mod chain;
pub mod env;
mod fatal;
mod message;

use std::io::Write;
use std::process::ExitCode;

use unix::process::exit_now;
use unix::signal::{self, Signal};

pub use args::{Args, Opt, number};
pub use chain::Chain;
pub use env::Env;
pub use fatal::{Cause, Fatal, OrFatal};
pub use message::Piece;

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit(pub u8);

impl Exit {
    /// Done.
    pub const OK: Exit = Exit(0);
    /// The same request can never succeed: do not retry.
    pub const HARD: Exit = Exit(100);
    /// The same request may succeed later: retry.
    pub const SOFT: Exit = Exit(111);
}

/// Name, synopsis and conventions of a program.
#[derive(Clone, Copy, Debug)]
pub struct Program {
    name: &'static str,
    synopsis: &'static str,
    help: Option<&'static str>,
    misuse: Exit,
    crash: Exit,
    silent: bool,
}

impl Program {
    /// A program whose usage line is `NAME: usage: NAME SYNOPSIS`.
    #[must_use]
    pub const fn new(name: &'static str, synopsis: &'static str) -> Program {
        Program { name, synopsis, help: None, misuse: Exit::HARD, crash: Exit::SOFT, silent: false }
    }

    /// What is said about wrong usage, where it is not the usage line.
    #[must_use]
    pub const fn help(mut self, line: &'static str) -> Program {
        self.help = Some(line);
        self
    }

    /// The exit code for wrong usage, where it is not 100.
    #[must_use]
    pub const fn misuse(mut self, exit: Exit) -> Program {
        self.misuse = exit;
        self
    }

    /// The exit code for a bug of ours, where it is not 111.
    #[must_use]
    pub const fn crash(mut self, exit: Exit) -> Program {
        self.crash = exit;
        self
    }

    /// For a program that never writes to stderr, not even when it fails.
    #[must_use]
    pub const fn silent(mut self) -> Program {
        self.silent = true;
        self
    }

    /// Says `NAME: warning: what: cause` on stderr; give `()` where there is no cause.
    pub fn warning(&self, what: impl Piece, cause: impl Cause) {
        self.say("warning", what, cause);
    }

    /// Says `NAME: alert: what: cause` on stderr.
    pub fn alert(&self, what: impl Piece, cause: impl Cause) {
        self.say("alert", what, cause);
    }

    /// Says `NAME: info: what: cause` on stderr.
    pub fn info(&self, what: impl Piece, cause: impl Cause) {
        self.say("info", what, cause);
    }

    /// Says `NAME: KIND: what: cause` on stderr, in one write.
    pub fn say(&self, kind: &str, what: impl Piece, cause: impl Cause) {
        let mut line = Vec::with_capacity(160);
        (self.name, ": ", kind, ": ", what).render(&mut line);
        if let Some(words) = cause.words() {
            (": ", words).render(&mut line);
        }
        self.write(line);
    }

    fn write(&self, mut line: Vec<u8>) {
        line.push(b'\n');
        if !self.silent {
            let _ = unix::fd::stderr().write_all(&line); // there is nowhere else to complain
        }
    }
}

/// What a program's work ends with.
pub trait Outcome {
    /// Carries it out: executes, says or exits. Returns only where the process ends.
    fn conclude(self, program: &Program) -> Exit;
}

impl Outcome for Exit {
    fn conclude(self, _: &Program) -> Exit {
        self
    }
}

impl Outcome for Chain {
    fn conclude(self, program: &Program) -> Exit {
        self.exec().conclude(program)
    }
}

impl Outcome for Fatal {
    fn conclude(self, program: &Program) -> Exit {
        self.tell(program)
    }
}

impl<A: Outcome, B: Outcome> Outcome for Result<A, B> {
    fn conclude(self, program: &Program) -> Exit {
        match self {
            Ok(outcome) => outcome.conclude(program),
            Err(outcome) => outcome.conclude(program),
        }
    }
}

/// Runs a program: gives SIGPIPE its default action back, makes a bug end with the program's code for
/// that, runs, and carries the outcome out.
pub fn main<O: Outcome>(program: Program, run: impl FnOnce(Args) -> O) -> ExitCode {
    let _ = signal::default(Signal::SIGPIPE); // cannot fail for a signal that exists
    std::panic::set_hook(Box::new(move |panic| {
        let place =
            panic.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
        program.say("fatal", ("internal error at ", place), ());
        exit_now(program.crash.0);
    }));
    let Exit(code) = run(Args::of_process(program)).conclude(&program);
    ExitCode::from(code)
}
