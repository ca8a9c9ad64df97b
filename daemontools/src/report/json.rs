//! An object of JSON for each service.

use std::fmt::Write;

use unix::clock::Wall;

use super::{Facts, Report, seconds};
use crate::state::{End, Pause};
use crate::status::{Normally, Service, Want};

/// One line: an object with everything that is known. Times are seconds since 1970 with a fraction;
/// what does not apply is `null`. A service that is not supervised has a `service`, `supervised` (false)
/// and `error` only. Source: svstat(8), RFC 8259.
#[must_use]
pub fn object(report: &Report, now: Wall) -> String {
    let mut out = String::from("{\"service\":");
    quote(&report.name, &mut out);
    match &report.facts {
        Ok(facts) => members(facts, now, &mut out),
        Err(words) => {
            out.push_str(",\"supervised\":false,\"error\":");
            quote(words, &mut out);
        }
    }
    out.push_str("}\n");
    out
}

fn members(facts: &Facts, now: Wall, out: &mut String) {
    let Facts { normally, status, state, memory, cgroup } = facts;
    let (pid, is_paused) = match status.service {
        Service::Down => (None, false),
        Service::Up { pid, paused } => (Some(pid), paused),
    };
    let is_ready = match state.ready {
        Some(ready) if Some(ready.pid) == pid => Some(ready),
        _ => None,
    };
    let ready = is_ready.map(|ready| ready.is_ready);
    let ready_since = is_ready.filter(|ready| ready.is_ready).map(|ready| time(ready.since));
    let (script, failures, next) = match state.pause {
        Some(Pause::Script(script, pid, _)) => (Some((script.name(), pid)), None, None),
        Some(Pause::Waiting(failures, until)) => (None, Some(failures), Some(time(until))),
        Some(Pause::Clearing(_) | Pause::Done(_) | Pause::Failed(_)) | None => (None, None, None),
    };
    let script = script.map(|(name, pid)| format!("{{\"name\":\"{name}\",\"pid\":{pid}}}"));
    let last = state.last.map(|(end, at)| {
        let (code, signal) = match end {
            End::Exit(code) => (Some(code), None),
            End::Signal(number) => (None, Some(number)),
            End::Unknown => (None, None),
        };
        format!("{{\"code\":{},\"signal\":{},\"at\":{}}}", or(code), or(signal), time(at))
    });
    let cgroup = cgroup.as_ref().map(|path| {
        let mut quoted = String::new();
        quote(path, &mut quoted);
        quoted
    });
    let members: [(&str, String); 17] = [
        ("supervised", "true".into()),
        ("state", format!("\"{}\"", word(facts))),
        ("pid", or(pid)),
        ("since", time(status.since)),
        ("seconds", seconds(status.since, now).to_string()),
        ("paused", is_paused.to_string()),
        ("want", format!("\"{}\"", want(status.want))),
        ("normally", if *normally == Normally::Up { "\"up\"" } else { "\"down\"" }.into()),
        ("ready", or(ready)),
        ("ready_since", or(ready_since)),
        ("last_exit", or(last)),
        ("script", or(script)),
        ("failures", or(failures)),
        ("next_start", or(next)),
        ("memory", or(*memory)),
        ("cgroup", or(cgroup)),
        ("now", time(now)),
    ];
    for (name, value) in members {
        let _ = write!(out, ",\"{name}\":{value}"); // into a String, which takes everything
    }
}

/// One word for how the service is.
fn word(facts: &Facts) -> &'static str {
    match (facts.status.service, facts.state.pause) {
        (Service::Up { .. }, _) => "up",
        (Service::Down, Some(Pause::Clearing(_))) => "clearing",
        (Service::Down, Some(Pause::Done(_))) => "started",
        (Service::Down, Some(Pause::Failed(_))) => "failed",
        (Service::Down, Some(Pause::Script(script, ..))) => script.doing(),
        (Service::Down, Some(Pause::Waiting(..))) => "waiting",
        (Service::Down, None) => "down",
    }
}

fn want(want: Want) -> &'static str {
    match want {
        Want::Down => "down",
        Want::Once => "once",
        Want::Up => "up",
    }
}

/// A value, or `null`.
fn or(value: Option<impl ToString>) -> String {
    value.map_or_else(|| "null".to_owned(), |value| value.to_string())
}

/// To the microsecond, as many digits as every reader of numbers keeps.
fn time(time: Wall) -> String {
    format!("{}.{:06}", time.seconds, time.nanos / 1000)
}

/// A string of JSON. Bytes that are no UTF-8 become U+FFFD.
fn quote(bytes: &[u8], out: &mut String) {
    out.push('"');
    for char in String::from_utf8_lossy(bytes).chars() {
        match char {
            '"' | '\\' => out.extend(['\\', char]),
            '\0'..='\x1f' => {
                let _ = write!(out, "\\u{:04x}", u32::from(char)); // as above
            }
            _ => out.push(char),
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::example::{NOW, at, down, report, trouble, up};
    use crate::state::{Script, State};

    #[test]
    fn everything_is_told() {
        let expected = "{\"service\":\"/service/x\",\"supervised\":true,\"state\":\"up\",\
            \"pid\":1234,\"since\":99939.250000,\"seconds\":61,\"paused\":false,\"want\":\"up\",\
            \"normally\":\"up\",\"ready\":true,\"ready_since\":99950.250000,\
            \"last_exit\":{\"code\":null,\"signal\":9,\"at\":96300.250000},\"script\":null,\
            \"failures\":null,\"next_start\":null,\"memory\":5400000,\"cgroup\":\"/sv-x-7\",\"now\":100000.000000}\n";
        assert_eq!(object(&report(up()), NOW), expected);
    }

    #[test]
    fn what_is_down_says_why() {
        let said = |pause| {
            let state = State { pause, ..State::default() };
            object(&report(Facts { state, ..down() }), NOW)
        };
        let holds = |pause, text: &str| {
            let said = said(pause);
            assert!(said.contains(text), "{said}");
        };
        holds(None, "\"state\":\"down\",\"pid\":null");
        holds(None, "\"last_exit\":null");
        holds(Some(Pause::Failed(at(1))), "\"state\":\"failed\"");
        holds(Some(Pause::Done(at(1))), "\"state\":\"started\"");
        holds(Some(Pause::Clearing(at(1))), "\"state\":\"clearing\"");
        let script = Some(Pause::Script(Script::Finish, 7, at(1)));
        holds(script, "\"state\":\"finishing\"");
        holds(script, "\"script\":{\"name\":\"finish\",\"pid\":7}");
        let waiting = Some(Pause::Waiting(6, at(-4)));
        holds(waiting, "\"failures\":6,\"next_start\":100004.250000");
    }

    #[test]
    fn trouble_is_an_object_too() {
        let expected = "{\"service\":\"/service/y\",\"supervised\":false,\"error\":\"supervise not running\"}\n";
        assert_eq!(object(&trouble(), NOW), expected);
    }

    #[test]
    fn any_name_is_a_string() {
        let mut out = String::new();
        quote(b"a\"b\\c\n\x01\xff\xc3\xbc", &mut out);
        assert_eq!(out, "\"a\\\"b\\\\c\\u000a\\u0001\u{fffd}\u{fc}\"");
    }
}
