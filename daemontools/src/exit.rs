//! The exit codes of programs that treat several services.

use prog::Exit;

/// The variable that, if it is set, lets svc and svstat always report success, as daemontools 0.76 did.
pub const ALWAYS_0: &str = "SVEXIT0";

/// The code for two services: the higher one, because 111 is worse than 100, and 100 than 0.
#[must_use]
pub fn worse(one: Exit, other: Exit) -> Exit {
    Exit(one.0.max(other.0))
}

/// The code to end with: `exit`, or 0 if the environment asks for that.
#[must_use]
pub fn classic(exit: Exit) -> Exit {
    if prog::env::get(ALWAYS_0).is_some() { Exit::OK } else { exit }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worst_counts() {
        let all = [Exit::OK, Exit::SOFT, Exit::HARD, Exit::OK];
        assert_eq!(all.into_iter().fold(Exit::OK, worse), Exit::SOFT);
        assert_eq!(worse(Exit::OK, Exit::HARD), Exit::HARD);
    }
}
