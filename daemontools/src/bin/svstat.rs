//! svstat — say how services are.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use daemontools::report::{Facts, Report, Table, object};
use daemontools::service::{self, Trouble};
use daemontools::state::State;
use daemontools::{exit, status};
use prog::{Args, Exit, Fatal, OrFatal, Piece, Program};
use unix::kin::{self, Kin, Process};
use unix::poll::{self, Interest};
use unix::watch::Watch;
use unix::{Pid, clock, fd};

const SVSTAT: Program = Program::new("svstat", "[ -tjf ] dir ...");

fn main() -> ExitCode {
    prog::main(SVSTAT, run)
}

fn run(mut args: Args) -> Result<Exit, Fatal> {
    let mut form = Form::Line;
    let mut follows = false;
    while let Some(opt) = args.option(b"tjf")? {
        match opt.letter {
            b'f' => follows = true,
            b'j' => form = Form::Object,
            _ => form = Form::Row(Table::new(is_colourful())),
        }
    }
    let dirs: Vec<PathBuf> = args.rest().into_iter().map(PathBuf::from).collect();
    if follows {
        return follow(&dirs, form);
    }
    let mut exit = Exit::OK;
    let mut reports = Vec::new();
    for dir in &dirs {
        let (report, its) = ask(dir, &form)?;
        exit = exit::worse(exit, its);
        reports.push(report);
    }
    form.write(&mut reports, true)?;
    Ok(exit::classic(exit))
}

/// How services are shown.
enum Form {
    /// As the original does.
    Line,
    Object,
    Row(Table),
}

/// Whether what is written is seen by somebody who wants colours. Source: no-color.org.
fn is_colourful() -> bool {
    let is_wanted = prog::env::get("NO_COLOR").is_none_or(|value| value.is_empty());
    let is_dumb = prog::env::get("TERM").is_none_or(|value| value == *b"dumb");
    is_wanted && !is_dumb && fd::stdout().as_fd().is_terminal()
}

/// What is known about a service, and what the exit code is to say about it.
fn ask(dir: &Path, form: &Form) -> Result<(Report, Exit), Fatal> {
    let name = dir.as_os_str().as_bytes().to_vec();
    let known = service::normally(dir).and_then(|normally| {
        let known = match form {
            // Of the state it shows nothing.
            Form::Line => service::status(dir)?.map(|status| (status, State::default())),
            Form::Object | Form::Row(_) => service::snapshot(dir)?,
        };
        Ok(known.map(|(status, state)| (normally, status, state)))
    });
    let (facts, exit) = match known {
        Ok(Some((normally, status, state))) => {
            (Ok(Facts { normally, status, state, memory: None, cgroup: None }), Exit::OK)
        }
        Ok(None) => (Err(b"unable to read supervise/status: bad format".to_vec()), Exit::SOFT),
        Err(trouble) => {
            let exit = if trouble.is_unsupervised() { Exit::HARD } else { Exit::SOFT };
            (Err(words(trouble)?), exit)
        }
    };
    Ok((Report { name, facts }, exit))
}

fn words(trouble: Trouble) -> Result<Vec<u8>, Fatal> {
    let cause = |error: &std::io::Error| unix::errno::classic(unix::errno::of(error));
    let mut words = Vec::new();
    match trouble {
        Trouble::File(attempt, error) => {
            ("unable to ", attempt, ": ", cause(&error)).render(&mut words);
        }
        Trouble::NoDirectory(error) => {
            ("unable to chdir: ", cause(&error)).render(&mut words);
        }
        Trouble::NoWayBack(error) => {
            return Err(Fatal::because("unable to set directory", error));
        }
        Trouble::NotRunning => "supervise not running".render(&mut words),
    }
    Ok(words)
}

impl Form {
    fn write(&mut self, reports: &mut [Report], is_first: bool) -> Result<(), Fatal> {
        let mut out = Vec::new();
        match self {
            Form::Line => {
                for report in reports {
                    report.line(clock::wall(), &mut out);
                }
            }
            Form::Object => {
                weigh(reports);
                for report in reports {
                    out.extend(object(report, clock::wall()).into_bytes());
                }
            }
            Form::Row(table) => {
                weigh(reports);
                table.rows(reports, clock::wall(), is_first, &mut out);
            }
        }
        fd::stdout().write_all(&out).or_fatal("unable to write output")
    }
}

/// Adds how much memory each service uses, and its cgroup, where /proc tells.
fn weigh(reports: &mut [Report]) {
    let Ok(all) = Process::all() else { return };
    let kin = Kin::of(&all);
    for facts in reports.iter_mut().filter_map(|report| report.facts.as_mut().ok()) {
        let status::Service::Up { pid, .. } = facts.status.service else { continue };
        let Some(pid) = i32::try_from(pid).ok().map(Pid::from_raw) else { continue };
        facts.cgroup = kin::cgroup(pid);
        if let Some(own) = all.iter().find(|process| process.pid == pid) {
            let rest = kin.descendants(pid);
            facts.memory = Some(own.memory() + rest.iter().map(Process::memory).sum::<u64>());
        }
    }
}

/// How long to wait for a supervise that begins: what it writes first comes a moment before it listens.
const MOMENT: Duration = Duration::from_millis(20);

/// How often.
const MOMENTS: u32 = 50;

/// Says how services are, and again whenever one has changed; for ever.
fn follow(dirs: &[PathBuf], mut form: Form) -> Result<Exit, Fatal> {
    let watch = Watch::nothing().or_fatal("unable to watch services")?;
    let mut known: Vec<Report> = Vec::new();
    let mut moments = 0;
    loop {
        // Before they are asked, so that no change falls between the two.
        watch.news(|_| true);
        let supervisors: Vec<Option<File>> = dirs.iter().map(|dir| attend(&watch, dir)).collect();
        let is_first = known.is_empty();
        let mut news = Vec::new();
        for (number, dir) in dirs.iter().enumerate() {
            let (report, _) = ask(dir, &form)?;
            match known.get_mut(number) {
                Some(old) if old.is_as(&report) => {}
                Some(old) => {
                    news.push(report.clone());
                    *old = report;
                }
                None => {
                    news.push(report.clone());
                    known.push(report);
                }
            }
        }
        if !news.is_empty() {
            form.write(&mut news, is_first)?;
        }
        let mut interests = vec![Interest::readable(&watch)];
        interests.extend(supervisors.iter().flatten().map(Interest::hangup));
        let limit = (moments > 0).then_some(MOMENT);
        let woken = poll::wait(&mut interests, limit).or_fatal("unable to wait")? > 0;
        let is_beginning = supervisors.iter().any(Option::is_none);
        moments = if woken && is_beginning { MOMENTS } else { moments.saturating_sub(1) };
    }
}

/// Watches the service, or what of it is there; gives what hangs up when its supervise leaves.
fn attend(watch: &Watch, dir: &Path) -> Option<File> {
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    let places = [&*dir.join("supervise"), dir, parent.unwrap_or(Path::new("."))];
    // The first that is there will do: a name that appears in it brings the next.
    let _ = places.into_iter().find(|place| watch.also(place).is_ok());
    service::supervisor(dir).ok()
}
