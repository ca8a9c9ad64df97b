//! Programs that are asked about each recipient: `$RCPTCHECK`, control/rcptchecks.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStringExt;

use prog::Chain;
use queue::home::Home;
use unix::fd::{self, Standard};

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

/// Runs `program`, without arguments, in the home; its environment tells what is asked, and what it
/// writes goes to the log. Its exit code is the answer; what it writes to descriptor 4 is the reply, if
/// that is not to take the recipient. Source: the patch of the variable's name for qmail.
#[must_use]
pub fn ask(home: &Home, program: &[u8], asked: &Asked<'_>, known: Known) -> Judgement {
    let failed = || Judgement::End(replies::NO_CHECK.into());
    let program = OsString::from_vec(program.to_vec());
    let mut chain = Chain::new([here(&program)]);
    chain.directory(&home.path);
    chain.env.set("SENDER", asked.sender);
    chain.env.set("RECIPIENT", asked.recipient);
    chain.env.set("HELO", asked.helo.unwrap_or_default());
    chain.env.set("USE_FD4", "1");
    for (name, holds) in [("RCPTFOUND", known.is_found), ("RCPTHOSTS", known.is_ours)] {
        if holds {
            chain.env.set(name, "1");
        } else {
            chain.env.unset(name);
        }
    }
    let Ok((reply, end)) = fd::pipe() else { return failed() };
    chain.descriptor(4, end);
    let status = keep_from_client(&mut chain)
        .and_then(|()| chain.launch().map_err(|_| io::ErrorKind::NotFound.into()))
        .and_then(unix::process::Child::wait);
    let Some(code) = status.ok().and_then(unix::process::Status::code) else { return failed() };
    // What it has started may hold the pipe open: only what is there by now is read.
    let mut said = [0; LONGEST_REPLY];
    let read = fd::nonblocking(&reply, true).and_then(|()| fd::read_now(&reply, &mut said));
    judge(code, said.get(..read.unwrap_or(0)).unwrap_or_default())
}

/// Gives a program neither end of the connection: it reads nothing, and what it writes goes to the log,
/// if that is not the connection too.
pub(crate) fn keep_from_client(chain: &mut Chain) -> io::Result<()> {
    let null = File::options().read(true).write(true).open("/dev/null")?;
    let is_log = !fd::is_same_file(Standard::Output, Standard::Error).unwrap_or(true);
    let output = if is_log { fd::duplicate(Standard::Error, 3)? } else { fd::duplicate(&null, 3)? };
    chain.descriptor(0, null);
    chain.descriptor(1, output);
    Ok(())
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
        let dir = tempfile::tempdir().unwrap();
        // Written by a child: see submit's tests.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > check; chmod +x check";
        let mut chain = Chain::new(["/bin/sh", "-c", write, "sh", script]);
        chain.directory(dir.path());
        assert!(chain.spawn().unwrap().wait().unwrap().is_success());
        let home = Home { path: dir.path().into(), private: true };
        ask(&home, b"check", &ASKED, known)
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
        assert_eq!(ask(&home, b"missing/check", &ASKED, OURS), end(replies::NO_CHECK));
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
