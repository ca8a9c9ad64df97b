//! Programs that are asked about each recipient: `$RCPTCHECK`, control/rcptchecks.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use prog::Chain;
use queue::home::Home;
use unix::process::Status;

use crate::control::Control;
use crate::inquiry;
use crate::local::environment::harmless;
use crate::smtp::session::{Asked, Judgement, replies};
use crate::submit::here;

/// What a program may say for the client.
const LONGEST_REPLY: usize = 500;

/// What is known of a recipient before a program is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Known {
    /// It has been found, in a list or in a mailbox.
    pub is_found: bool,
    /// Its domain is this host's.
    pub is_ours: bool,
}

/// The programs that `control/rcptchecks` lists, which are asked for every client.
pub fn listed(control: &Control) -> io::Result<Vec<Vec<u8>>> {
    let list = control.list("rcptchecks")?.unwrap_or_default();
    Ok(list.lines().map(<[u8]>::to_vec).collect())
}

/// Runs `program` as [`ask`] does, but with the environment and the descriptors of this process, so that
/// its words go where this process's would. Its exit code; `None` if it could not be run, or crashed.
///
/// [`io::ErrorKind::TimedOut`] if it has not ended after `limit`; it has been killed then.
pub fn run(home: &Home, program: &[u8], limit: Duration) -> io::Result<Option<u8>> {
    match inquiry::wait_for(chain(home, program), limit) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => Err(error),
        other => Ok(other.ok().and_then(Status::code)),
    }
}

/// Runs `program`, without arguments, in the home; its environment tells what is asked, and what it
/// writes goes to the log. Its exit code is the answer; what it writes to descriptor 4 is the reply, if
/// that is not to take the recipient. Source: the patch of the variable's name for qmail.
///
/// [`io::ErrorKind::TimedOut`] if it has not ended after a minute; it has been killed then.
pub fn ask(home: &Home, program: &[u8], asked: &Asked<'_>, known: Known) -> io::Result<Judgement> {
    ask_within(inquiry::LIMIT, home, program, asked, known)
}

fn ask_within(
    limit: Duration,
    home: &Home,
    program: &[u8],
    asked: &Asked<'_>,
    known: Known,
) -> io::Result<Judgement> {
    let mut chain = chain(home, program);
    chain.env.set("SENDER", told(asked.sender));
    chain.env.set("RECIPIENT", told(asked.recipient));
    chain.env.set("HELO", told(asked.helo.unwrap_or_default()));
    chain.env.set("USE_FD4", "1");
    for (name, holds) in [("RCPTFOUND", known.is_found), ("RCPTHOSTS", known.is_ours)] {
        if holds {
            chain.env.set(name, "1");
        } else {
            chain.env.unset(name);
        }
    }
    let answer = match inquiry::ask(chain, Some(4), limit) {
        Err(error) if error.kind() == io::ErrorKind::TimedOut => return Err(error),
        other => other.ok(),
    };
    let code = answer.as_ref().and_then(|answer| answer.status.code());
    let (Some(answer), Some(code)) = (&answer, code) else {
        return Ok(Judgement::End(replies::NO_CHECK.into()));
    };
    let said = answer.said.get(..LONGEST_REPLY).unwrap_or(&answer.said);
    Ok(judge(code, said))
}

/// A program of the home; one whose name has no slash is there too.
fn chain(home: &Home, program: &[u8]) -> Chain {
    let program = OsString::from_vec(program.to_vec());
    let mut chain = Chain::new([here(&program)]);
    chain.directory(&home.path);
    chain
}

/// What strangers have said, as the value of a variable: the name in HELO may have zero bytes.
fn told(value: &[u8]) -> Vec<u8> {
    let mut value = harmless(value.to_vec());
    for byte in value.iter_mut().filter(|byte| **byte == 0) {
        *byte = b'?';
    }
    value
}

/// What an exit code says, with the words for the client if there are any.
fn judge(code: u8, said: &[u8]) -> Judgement {
    let reply = reply(said);
    match (code, reply) {
        (100 | 113, Some(reply)) if reply.starts_with(b"421") => Judgement::End(reply),
        (100 | 113, Some(reply)) => Judgement::Refused(reply),
        (100, None) => Judgement::Unknown,
        (113, None) => Judgement::End(replies::ENOUGH.into()),
        (111, _) => Judgement::End(replies::UNVERIFIED.into()),
        (120, _) => Judgement::End(replies::NO_CHECK.into()),
        _ => Judgement::Welcome,
    }
}

/// A program's words as a reply of one line; `None` if there are none. What does not refuse, or is no
/// reply, becomes a temporary failure.
fn reply(said: &[u8]) -> Option<Vec<u8>> {
    let line = said.split(|byte| b"\r\n".contains(byte)).next().unwrap_or_default();
    if line.is_empty() {
        return None;
    }
    let mut line: Vec<u8> = line.to_vec();
    for byte in line.iter_mut().filter(|byte| !(32..127).contains(*byte)) {
        *byte = b'?';
    }
    Some(match line.as_mut_slice() {
        [b'4' | b'5', b'0'..=b'9', b'0'..=b'9'] => [&line, &b" \r\n"[..]].concat(),
        [b'4' | b'5', b'0'..=b'9', b'0'..=b'9', after, ..] => {
            *after = b' '; // a dash would promise another line
            [&line, &b"\r\n"[..]].concat()
        }
        _ => replies::NO_REPLY.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'static> =
        Asked { recipient: b"x@here.test", sender: b"a@b", helo: Some(b"client"), relays: false };
    const OURS: Known = Known { is_found: false, is_ours: true };

    fn answer(script: &str, known: Known) -> Judgement {
        answer_to(&ASKED, script, known, inquiry::LIMIT).unwrap()
    }

    fn answer_to(
        asked: &Asked<'_>,
        script: &str,
        known: Known,
        limit: Duration,
    ) -> io::Result<Judgement> {
        let (home, _dir) = home_with(script);
        ask_within(limit, &home, b"check", asked, known)
    }

    /// A home with the program `check`.
    fn home_with(script: &str) -> (Home, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        // Written by a child: see submit's tests.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > check; chmod +x check";
        let mut chain = Chain::new(["/bin/sh", "-c", write, "sh", script]);
        chain.directory(dir.path());
        assert!(chain.spawn().unwrap().wait().unwrap().is_success());
        (Home { path: dir.path().into(), private: true }, dir)
    }

    fn end(reply: &str) -> Judgement {
        Judgement::End(reply.into())
    }

    #[test]
    fn the_exit_code_is_the_answer() {
        assert_eq!(answer("exit 0", OURS), Judgement::Welcome);
        assert_eq!(answer("exit 112", OURS), Judgement::Welcome);
        assert_eq!(answer("exit 100", OURS), Judgement::Unknown);
        assert_eq!(answer("exit 111", OURS), end(replies::UNVERIFIED));
        assert_eq!(answer("exit 113", OURS), end(replies::ENOUGH));
        assert_eq!(answer("kill -9 $$", OURS), end(replies::NO_CHECK));
        let home = Home { path: "/".into(), private: true };
        assert_eq!(ask(&home, b"missing/check", &ASKED, OURS).unwrap(), end(replies::NO_CHECK));
    }

    #[test]
    fn one_that_asks_for_others_tells_how_they_end_and_does_not_wait_for_ever() {
        let ends = |script: &str| {
            let (home, _dir) = home_with(script);
            run(&home, b"check", Duration::from_millis(300)).map_err(|error| error.kind())
        };
        assert_eq!(ends("exit 113"), Ok(Some(113)));
        assert_eq!(ends("kill -9 $$"), Ok(None));
        assert_eq!(ends("sleep 600; exit 0"), Err(io::ErrorKind::TimedOut));
        let home = Home { path: "/".into(), private: true };
        assert_eq!(run(&home, b"missing/check", inquiry::LIMIT).unwrap(), None);
    }

    #[test]
    fn the_environment_says_what_is_asked() {
        let script = "test \"$SENDER $RECIPIENT $HELO $USE_FD4\" = 'a@b x@here.test client 1' && \
                      test \"$RCPTHOSTS ${RCPTFOUND-no}\" = '1 no' && exit 100";
        assert_eq!(answer(script, OURS), Judgement::Unknown);
        let found = Known { is_found: true, is_ours: false };
        let script = "test \"${RCPTHOSTS-no} $RCPTFOUND\" = 'no 1' && exit 100";
        assert_eq!(answer(script, found), Judgement::Unknown);
        assert_eq!(answer("read x && exit 100; exit 0", OURS), Judgement::Welcome);
    }

    #[test]
    fn no_value_is_a_function_of_the_shell_or_ends_early() {
        let stranger = Asked {
            recipient: b"() { r; }@here.test",
            sender: b"() { s; }@b",
            helo: Some(b"() { h\0; }"),
            relays: false,
        };
        let script = "test \"$SENDER+$RECIPIENT+$HELO\" = \
                      \"_) { s; }@b+_) { r; }@here.test+_) { h?; }\" && exit 100";
        let answer = answer_to(&stranger, script, OURS, inquiry::LIMIT).unwrap();
        assert_eq!(answer, Judgement::Unknown);
    }

    #[test]
    fn a_long_reply_is_cut_and_a_slow_program_is_not_waited_for() {
        let script = "echo 550 no >&4; head -c 300000 /dev/zero >&4; exit 100";
        assert_eq!(answer(script, OURS), Judgement::Refused(b"550 no\r\n".into()));
        let limit = Duration::from_millis(100);
        let error = answer_to(&ASKED, "sleep 600", OURS, limit).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[test]
    fn a_program_may_word_the_refusal() {
        let refused = |reply: &str| Judgement::Refused(reply.into());
        let script = "echo '552 mailbox full (#5.2.2)' >&4; exit 100";
        assert_eq!(answer(script, OURS), refused("552 mailbox full (#5.2.2)\r\n"));
        assert_eq!(judge(113, b"450 slowly\r\nnow\r\n"), refused("450 slowly\r\n"));
        assert_eq!(judge(100, b"421 go"), end("421 go\r\n"));
        assert_eq!(judge(100, b"550-\x1b"), refused("550 ?\r\n"));
        assert_eq!(judge(100, b"550"), refused("550 \r\n"));
        for said in ["250 yes\n", "sorry\n", "55", "5x0 no"] {
            assert_eq!(judge(100, said.as_bytes()), refused(replies::NO_REPLY), "{said}");
        }
        assert_eq!(judge(100, b"\n550 late"), Judgement::Unknown);
        assert_eq!(judge(0, b"550 no"), Judgement::Welcome);
        assert_eq!(judge(111, b"550 no"), end(replies::UNVERIFIED));
    }
}
