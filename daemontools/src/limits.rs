//! softlimit's options as resource limits.

use unix::limit::Resource;

/// What an option's value asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    /// `=`: as much as the hard limit allows.
    Hard,
    /// This much, or the hard limit if that is lower.
    Most(u64),
}

impl Wish {
    /// Reads an option's value: `=`, or decimal digits and nothing else.
    ///
    /// A number too large for the kernel means the hard limit too.
    #[must_use]
    pub fn parse(value: &[u8]) -> Option<Wish> {
        if value == b"=" {
            return Some(Wish::Hard);
        }
        let is_number = !value.is_empty() && value.iter().all(u8::is_ascii_digit);
        is_number.then(|| Wish::Most(wire::decimal::parse(value).unwrap_or(u64::MAX)))
    }

    /// The soft limit to set below this hard limit.
    #[must_use]
    pub fn below(self, hard: u64) -> u64 {
        match self {
            Wish::Hard => hard,
            Wish::Most(most) => most.min(hard),
        }
    }
}

/// Bytes of address space in which the smallest dynamically linked program of today still starts.
///
/// With less, a program ends in the loader, or in the kernel without a word.
pub const ADDRESS_SPACE_FLOOR: u64 = 2_500_000;

/// Whether a soft limit leaves most programs too little to start.
#[must_use]
pub fn is_mishap(resource: Resource, soft: u64) -> bool {
    resource == Resource::RLIMIT_AS && soft < ADDRESS_SPACE_FLOOR
}

/// The limits that an option letter sets; none for a letter that is no option. Source: softlimit(8).
#[must_use]
pub fn resources(letter: u8) -> &'static [Resource] {
    use Resource as R;
    match letter {
        b'a' => &[R::RLIMIT_AS],
        b'c' => &[R::RLIMIT_CORE],
        b'd' => &[R::RLIMIT_DATA],
        b'f' => &[R::RLIMIT_FSIZE],
        b'l' => &[R::RLIMIT_MEMLOCK],
        b'm' => &[R::RLIMIT_DATA, R::RLIMIT_STACK, R::RLIMIT_MEMLOCK, R::RLIMIT_AS],
        b'o' => &[R::RLIMIT_NOFILE],
        b'p' => &[R::RLIMIT_NPROC],
        b'r' => &[R::RLIMIT_RSS],
        b's' => &[R::RLIMIT_STACK],
        b't' => &[R::RLIMIT_CPU],
        _ => &[],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_digits_or_an_equals_sign() {
        assert_eq!(Wish::parse(b"="), Some(Wish::Hard));
        assert_eq!(Wish::parse(b"0"), Some(Wish::Most(0)));
        assert_eq!(Wish::parse(b"30000000"), Some(Wish::Most(30_000_000)));
        for wrong in [&b""[..], b"-1", b"5k", b" 5", b"==", b"unlimited"] {
            assert_eq!(Wish::parse(wrong), None);
        }
    }

    #[test]
    fn a_number_beyond_the_machine_means_the_hard_limit() {
        assert_eq!(Wish::parse(b"99999999999999999999999").map(|wish| wish.below(70)), Some(70));
    }

    #[test]
    fn a_soft_limit_stays_below_the_hard_one() {
        assert_eq!(Wish::Most(5).below(7), 5);
        assert_eq!(Wish::Most(9).below(7), 7);
        assert_eq!(Wish::Hard.below(7), 7);
    }

    #[test]
    fn only_a_small_address_space_is_a_mishap() {
        assert!(is_mishap(Resource::RLIMIT_AS, 2_000_000));
        assert!(!is_mishap(Resource::RLIMIT_AS, 30_000_000));
        assert!(!is_mishap(Resource::RLIMIT_CORE, 0));
    }

    #[test]
    fn m_is_four_limits() {
        let four: Vec<_> = b"dsla".iter().flat_map(|&letter| resources(letter)).collect();
        assert_eq!(resources(b'm').iter().collect::<Vec<_>>(), four);
        assert!(resources(b'z').is_empty());
    }
}
