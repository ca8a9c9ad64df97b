//! A program that is asked about each recipient: `$RCPTCHECK`.

use std::ffi::OsString;
use std::fs::File;
use std::os::unix::ffi::OsStringExt;

use prog::Chain;
use unix::fd::{self, Standard};

use crate::smtp::session::{Asked, Judgement, replies};

/// Runs `program`, without arguments; `$SENDER`, `$RECIPIENT` and `$HELO` tell it what is asked, and what it
/// writes goes to `log`. Its exit code is the answer.
#[must_use]
pub fn ask(program: &[u8], asked: &Asked<'_>) -> Judgement {
    let mut chain = Chain::new([OsString::from_vec(program.to_vec())]);
    chain.env.set("SENDER", asked.sender);
    chain.env.set("RECIPIENT", asked.recipient);
    chain.env.set("HELO", asked.helo.unwrap_or_default());
    chain.env.set("RCPTHOSTS", "1");
    // Neither end of the connection is the program's.
    let null = File::options().read(true).write(true).open("/dev/null");
    let is_log = !fd::is_same_file(Standard::Output, Standard::Error).unwrap_or(true);
    let (Ok(null), Ok(log)) = (null, fd::duplicate(Standard::Error, 3)) else {
        return Judgement::End(replies::NO_CHECK);
    };
    let Ok(output) = (if is_log { Ok(log) } else { fd::duplicate(&null, 3) }) else {
        return Judgement::End(replies::NO_CHECK);
    };
    chain.descriptor(0, null);
    chain.descriptor(1, output);
    let status = chain.launch().ok().and_then(|child| child.wait().ok());
    of_code(status.and_then(unix::process::Status::code))
}

/// What an exit code says; `None` if the program could not be run or has crashed. Source: the patch of that
/// name for qmail.
fn of_code(code: Option<u8>) -> Judgement {
    match code {
        Some(100) => Judgement::Unknown,
        Some(111) => Judgement::End(replies::UNVERIFIED),
        Some(113) => Judgement::End(replies::ENOUGH),
        Some(120) | None => Judgement::End(replies::NO_CHECK),
        Some(_) => Judgement::Welcome,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKED: Asked<'static> =
        Asked { recipient: b"x@here.test", sender: b"a@b", helo: Some(b"client") };

    fn answer(script: &str) -> Judgement {
        let dir = tempfile::tempdir().unwrap();
        // Written by a child: see submit's tests.
        let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > check; chmod +x check";
        let mut chain = Chain::new(["/bin/sh", "-c", write, "sh", script]);
        chain.directory(dir.path());
        assert!(chain.spawn().unwrap().wait().unwrap().is_success());
        ask(dir.path().join("check").into_os_string().as_encoded_bytes(), &ASKED)
    }

    #[test]
    fn the_exit_code_is_the_answer() {
        assert_eq!(answer("exit 0"), Judgement::Welcome);
        assert_eq!(answer("exit 112"), Judgement::Welcome);
        assert_eq!(answer("exit 100"), Judgement::Unknown);
        assert_eq!(answer("exit 111"), Judgement::End(replies::UNVERIFIED));
        assert_eq!(answer("exit 113"), Judgement::End(replies::ENOUGH));
        assert_eq!(answer("kill -9 $$"), Judgement::End(replies::NO_CHECK));
        assert_eq!(ask(b"/missing/check", &ASKED), Judgement::End(replies::NO_CHECK));
    }

    #[test]
    fn the_environment_says_what_is_asked() {
        let script =
            "test \"$SENDER $RECIPIENT $HELO $RCPTHOSTS\" = 'a@b x@here.test client 1' && exit 100";
        assert_eq!(answer(script), Judgement::Unknown);
        assert_eq!(answer("read x && exit 100; exit 0"), Judgement::Welcome);
    }
}
