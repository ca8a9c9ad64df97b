//! A service as others see it: through the files that its supervise keeps.
//!
//! Every path is looked up from the working directory in one go; only when that fails is it asked
//! whether the service's directory can be entered at all, because the originals tell the two apart.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use prog::{Exit, Fatal};
use unix::dir::{self, Dir};
use unix::errno::{self, Errno};
use unix::{clock, fifo};

use crate::state::{Beside, State};
use crate::status::{Normally, SIZE, Status};

/// An attempt of [`Trouble::File`]: without this file there never was a supervise.
const OPEN_OK: &str = "open supervise/ok";

/// Why nothing can be said about a service, or to it.
#[derive(Debug)]
pub enum Trouble {
    /// What is attempted with a file of the service, and why that cannot be.
    File(&'static str, io::Error),
    /// Its directory cannot be entered.
    NoDirectory(io::Error),
    /// The working directory cannot be entered again.
    NoWayBack(io::Error),
    /// Nobody supervises it now.
    NotRunning,
}

impl Trouble {
    /// Whether it only means that no supervise takes commands for the service, now or ever.
    #[must_use]
    pub fn is_unsupervised(&self) -> bool {
        match self {
            Trouble::File(OPEN_OK, error) => errno::of(error) == Errno::ENOENT,
            Trouble::NotRunning => true,
            Trouble::File(..) | Trouble::NoDirectory(_) | Trouble::NoWayBack(_) => false,
        }
    }

    /// The end of a program that was asked about the service in `dir` alone.
    #[must_use]
    pub fn fatal(self, dir: &Path) -> Fatal {
        match self {
            Trouble::File(attempt, error) => {
                let (verb, file) = attempt.split_once(' ').unwrap_or((attempt, ""));
                Fatal::because(("unable to ", verb, " ", dir, "/", file), error)
            }
            Trouble::NoDirectory(error) => Fatal::because(("unable to chdir to ", dir), error),
            Trouble::NoWayBack(error) => Fatal::because("unable to set directory", error),
            Trouble::NotRunning => Fatal::silent(Exit::HARD),
        }
    }
}

/// The writing end of the service's control fifo; writes wait.
pub fn control(service: &Path) -> Result<File, Trouble> {
    let attempt = "control";
    let file = open_fifo(service, "supervise/control", attempt)?;
    unix::fd::nonblocking(&file, false).map_err(|error| Trouble::File(attempt, error))?;
    Ok(file)
}

/// Whether there is a supervise that takes commands: trouble if not.
pub fn ok(service: &Path) -> Result<(), Trouble> {
    supervisor(service).map(drop)
}

/// The same, and a descriptor that hangs up when that supervise has gone.
pub fn supervisor(service: &Path) -> Result<File, Trouble> {
    open_fifo(service, "supervise/ok", OPEN_OK)
}

/// How long after one another a status and a state are read that do not belong together, and how often at
/// most: a supervise puts both in place in one go.
const MOMENT: Duration = Duration::from_millis(1);
const MOMENTS: u32 = 100;

/// How a service is, in all that its supervise tells; `None` if the status file is too short. Both are of
/// one instant, unless the supervise is held up between the two files for longer than anybody waits.
pub fn snapshot(service: &Path) -> Result<Option<(Status, State)>, Trouble> {
    let mut moments = 0;
    loop {
        let Some(known) = status(service)? else { return Ok(None) };
        // Nothing is told if there is nothing, or it cannot be read.
        let file = fs::read(service.join("supervise/state")).unwrap_or_default();
        let is_its = Beside::read(&file).is_none_or(|beside| beside == Beside::of(&known));
        if moments == MOMENTS || is_its && status(service)? == Some(known) {
            return Ok(Some((known, State::read(&file))));
        }
        moments += 1;
        clock::sleep(MOMENT);
    }
}

/// What the service normally does; trouble if there is no supervise.
pub fn normally(service: &Path) -> Result<Normally, Trouble> {
    let normally = match fs::metadata(service.join("down")) {
        Ok(_) => Normally::Down,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Normally::Up,
        Err(error) => return Err(diagnose(service, "stat down", error)),
    };
    ok(service)?;
    Ok(normally)
}

/// How a service is; `None` if the status file is too short.
pub fn status(service: &Path) -> Result<Option<Status>, Trouble> {
    let trouble = |attempt| move |error| diagnose(service, attempt, error);
    let file = File::open(service.join("supervise/status"));
    let mut file = file.map_err(trouble("open supervise/status"))?.take(SIZE as u64);
    let mut bytes = Vec::with_capacity(SIZE);
    file.read_to_end(&mut bytes).map_err(trouble("read supervise/status"))?;
    Ok(Status::read(&bytes))
}

fn open_fifo(service: &Path, name: &str, attempt: &'static str) -> Result<File, Trouble> {
    fifo::write_end(&service.join(name)).map_err(|error| {
        if errno::of(&error) == Errno::ENXIO {
            return Trouble::NotRunning;
        }
        diagnose(service, attempt, error)
    })
}

/// Whether it was the attempt that gave `error`, or already the service's directory.
fn diagnose(service: &Path, attempt: &'static str, error: io::Error) -> Trouble {
    let here = match Dir::base_at(Path::new(".")) {
        Ok(here) => here,
        Err(error) => return Trouble::NoWayBack(error),
    };
    let entered = std::env::set_current_dir(service);
    let returned = dir::change_to(&here);
    match (entered, returned) {
        (Err(error), _) => Trouble::NoDirectory(error),
        (Ok(()), Err(error)) => Trouble::NoWayBack(error),
        (Ok(()), Ok(())) => Trouble::File(attempt, error),
    }
}
