//! What a client may take: from options and the environment, and from rules.
//!
//! The variables are those of a patch to the original that many hosts run (MAXLOAD, MAXCONNIP,
//! MAXCONNC, DIEMSG), and more. A rule's variables take the place of the environment's.

use std::time::Duration;

use wire::decimal;

/// Limits on one connection; None where there is none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// `MAXLOAD`: load average of a minute, in hundredths.
    pub load: Option<u64>,
    /// `MAXCONNIP`: connections at a time from an address.
    pub per_address: Option<u32>,
    /// `MAXCONNC`: connections at a time from a network.
    pub per_network: Option<u32>,
    /// `MAXRATE`: connections a minute from an address.
    pub per_minute: Option<u32>,
    /// `MAXTIME`: how long it may last.
    pub lifetime: Option<Duration>,
    /// `MAXIDLE`: how long it may be quiet.
    pub idle: Option<Duration>,
    /// `TCPKEEPALIVE`: how long it may be quiet before the kernel asks whether the client is there.
    pub keep_alive: Option<Duration>,
    /// `DIEMSG` and the others that begin so: what a client that is refused is sent.
    pub messages: Messages,
}

/// What a client that is refused is sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Messages {
    any: Vec<u8>,
    /// By [`Excess::name`].
    special: Vec<(&'static [u8], Vec<u8>)>,
}

/// A limit that is exceeded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// So many connections from the address are allowed.
    Address(u32),
    /// The load, in hundredths.
    Load(u64),
    /// So many connections from the network are allowed.
    Network(u32),
    /// So many connections a minute are allowed.
    Rate(u32),
}

/// A variable has a value that is no number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoNumber;

const LOAD: &[u8] = b"MAXLOAD";
const ADDRESS: &[u8] = b"MAXCONNIP";
const NETWORK: &[u8] = b"MAXCONNC";
const RATE: &[u8] = b"MAXRATE";
const LIFETIME: &[u8] = b"MAXTIME";
const IDLE: &[u8] = b"MAXIDLE";
const KEEP_ALIVE: &[u8] = b"TCPKEEPALIVE";
const MESSAGE: &[u8] = b"DIEMSG";

/// The kernel takes no more.
const LONGEST_KEEP_ALIVE: Duration = Duration::from_secs(32_767);

/// The variables that say something about limits.
pub const NAMES: [&str; 12] = [
    "MAXLOAD",
    "MAXCONNIP",
    "MAXCONNC",
    "MAXRATE",
    "MAXTIME",
    "MAXIDLE",
    "TCPKEEPALIVE",
    "DIEMSG",
    "DIEMSG_MAXLOAD",
    "DIEMSG_MAXCONNIP",
    "DIEMSG_MAXCONNC",
    "DIEMSG_MAXRATE",
];

impl Limits {
    /// Takes a variable into account. One that says nothing about limits changes nothing. An empty
    /// value means that there is no limit, and no message.
    pub fn set(&mut self, name: &[u8], value: &[u8]) -> Result<(), NoNumber> {
        match name {
            LOAD => self.load = number(value)?,
            ADDRESS => self.per_address = number(value)?,
            NETWORK => self.per_network = number(value)?,
            RATE => self.per_minute = number(value)?,
            LIFETIME => self.lifetime = seconds(value)?,
            IDLE => self.idle = seconds(value)?,
            KEEP_ALIVE => {
                self.keep_alive = seconds(value)?.map(|time| time.min(LONGEST_KEEP_ALIVE));
            }
            _ => {
                if let Some(of) = name.strip_prefix(MESSAGE) {
                    self.messages.set(of, value);
                }
            }
        }
        Ok(())
    }

    /// Whether a client is refused, and for what. 0 refuses everybody.
    ///
    /// `others` tells whether there are so many connections from its address, or from its network
    /// if the first argument says so; the client's own is not among them. `rate` is how often it has
    /// connected within a minute, this time included.
    pub fn excess(
        &self,
        load: impl FnOnce() -> u64,
        others: impl Fn(Near, u32) -> bool,
        rate: u32,
    ) -> Option<Excess> {
        if let Some(most) = self.load {
            let load = load();
            if most == 0 || load > most {
                return Some(Excess::Load(load));
            }
        }
        if let Some(most) = self.per_address.filter(|&most| others(Near::Address, most)) {
            return Some(Excess::Address(most));
        }
        if let Some(most) = self.per_network.filter(|&most| others(Near::Network, most)) {
            return Some(Excess::Network(most));
        }
        self.per_minute.filter(|&most| rate > most).map(Excess::Rate)
    }
}

/// Who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Near {
    /// Clients with the same address.
    Address,
    /// Clients of the same network.
    Network,
}

/// A count; empty for no limit.
fn number<N: TryFrom<u64>>(value: &[u8]) -> Result<Option<N>, NoNumber> {
    if value.is_empty() {
        return Ok(None);
    }
    let number = decimal::parse(value).and_then(|number| N::try_from(number).ok());
    number.ok_or(NoNumber).map(Some)
}

/// A time; empty or 0 for no limit.
fn seconds(value: &[u8]) -> Result<Option<Duration>, NoNumber> {
    let seconds = number::<u32>(value)?.filter(|&seconds| seconds > 0);
    Ok(seconds.map(|seconds| Duration::from_secs(seconds.into())))
}

impl Excess {
    fn name(self) -> &'static [u8] {
        match self {
            Excess::Address(_) => ADDRESS,
            Excess::Load(_) => LOAD,
            Excess::Network(_) => NETWORK,
            Excess::Rate(_) => RATE,
        }
    }

    /// Appends what stands at the end of a `deny` line: ` MAXCONNIP:5`. The number is the limit, but
    /// for `MAXLOAD` it is the load.
    pub fn push(self, out: &mut Vec<u8>) {
        out.push(b' ');
        out.extend_from_slice(self.name());
        out.push(b':');
        decimal::push(
            out,
            match self {
                Excess::Load(load) => load,
                Excess::Address(most) | Excess::Network(most) | Excess::Rate(most) => most.into(),
            },
        );
    }
}

impl Messages {
    /// Sets the message for an excess, exactly as it is sent; for all others, without one.
    pub fn put(&mut self, excess: Option<Excess>, message: Vec<u8>) {
        match excess {
            None => self.any = message,
            Some(excess) => self.put_special(excess.name(), message),
        }
    }

    fn put_special(&mut self, name: &'static [u8], message: Vec<u8>) {
        self.special.retain(|(known, _)| *known != name);
        self.special.push((name, message));
    }

    /// `of` is what follows `DIEMSG` in the name of the variable.
    fn set(&mut self, of: &[u8], value: &[u8]) {
        let line = if value.is_empty() { Vec::new() } else { [value, b"\r\n"].concat() };
        match of.strip_prefix(b"_") {
            None if of.is_empty() => self.any = line,
            None => {}
            Some(of) => {
                let name = [LOAD, ADDRESS, NETWORK, RATE].into_iter().find(|name| *name == of);
                if let Some(name) = name {
                    self.put_special(name, line);
                }
            }
        }
    }

    /// What is sent to a client that is refused for an excess, or by a rule.
    #[must_use]
    pub fn to(&self, excess: Option<Excess>) -> &[u8] {
        let name = excess.map(Excess::name);
        let special = self.special.iter().find(|(known, _)| Some(*known) == name);
        match special {
            Some((_, message)) if !message.is_empty() => message,
            _ => &self.any,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(variables: &[(&str, &str)]) -> Limits {
        let mut limits = Limits::default();
        for (name, value) in variables {
            limits.set(name.as_bytes(), value.as_bytes()).unwrap();
        }
        limits
    }

    /// What `limits` say to a client with so many others, at a load of 4.12, for the third time.
    fn excess(limits: &Limits, of_address: u32, of_network: u32) -> Option<Excess> {
        let others = |near: Near, many: u32| match near {
            Near::Address => of_address >= many,
            Near::Network => of_network >= many,
        };
        limits.excess(|| 412, others, 3)
    }

    #[test]
    fn without_limits_everybody_is_welcome() {
        assert_eq!(excess(&Limits::default(), 1000, 1000), None);
        let limits = limits(&[("OTHER", "0"), ("MAXCONNIP", "")]);
        assert_eq!(limits, Limits::default());
    }

    #[test]
    fn a_limit_is_how_many_there_may_be() {
        let limits = limits(&[("MAXCONNIP", "5"), ("MAXCONNC", "15")]);
        assert_eq!(excess(&limits, 4, 14), None);
        assert_eq!(excess(&limits, 5, 14), Some(Excess::Address(5)));
        assert_eq!(excess(&limits, 4, 15), Some(Excess::Network(15)));
        assert_eq!(excess(&limits, 5, 15), Some(Excess::Address(5)));
    }

    #[test]
    fn zero_refuses_always() {
        for (name, expected) in [
            ("MAXCONNIP", Excess::Address(0)),
            ("MAXCONNC", Excess::Network(0)),
            ("MAXRATE", Excess::Rate(0)),
            ("MAXLOAD", Excess::Load(412)),
        ] {
            assert_eq!(excess(&limits(&[(name, "0")]), 0, 0), Some(expected));
        }
    }

    #[test]
    fn load_and_rate_may_be_reached_but_not_exceeded() {
        assert_eq!(excess(&limits(&[("MAXLOAD", "412")]), 0, 0), None);
        assert_eq!(excess(&limits(&[("MAXLOAD", "411")]), 0, 0), Some(Excess::Load(412)));
        assert_eq!(excess(&limits(&[("MAXRATE", "3")]), 0, 0), None);
        assert_eq!(excess(&limits(&[("MAXRATE", "2")]), 0, 0), Some(Excess::Rate(2)));
    }

    #[test]
    fn times_are_seconds_and_zero_is_none() {
        let limits = limits(&[("MAXTIME", "60"), ("MAXIDLE", "0")]);
        assert_eq!((limits.lifetime, limits.idle), (Some(Duration::from_mins(1)), None));
        let keep_alive = |value| self::limits(&[("TCPKEEPALIVE", value)]).keep_alive;
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        assert_eq!((keep_alive("0"), keep_alive("")), (None, None));
        assert_eq!((keep_alive("60"), keep_alive("40000")), (seconds(60), seconds(32_767)));
    }

    #[test]
    fn what_is_no_number_is_told() {
        for value in ["x", "-1", "5x", " 5", "4294967296"] {
            let mut limits = Limits::default();
            assert_eq!(limits.set(b"MAXCONNIP", value.as_bytes()), Err(NoNumber), "{value}");
        }
    }

    #[test]
    fn the_message_for_a_limit_goes_before_that_for_all() {
        let mut limits = limits(&[("DIEMSG", "421 busy"), ("DIEMSG_MAXCONNIP", "421 enough")]);
        let to = |limits: &Limits, excess| limits.messages.to(excess).to_vec();
        assert_eq!(to(&limits, Some(Excess::Address(1))), b"421 enough\r\n");
        assert_eq!(to(&limits, Some(Excess::Load(1))), b"421 busy\r\n");
        assert_eq!(to(&limits, None), b"421 busy\r\n");
        limits.messages.put(Some(Excess::Address(0)), b"raw".to_vec());
        assert_eq!(to(&limits, Some(Excess::Address(1))), b"raw");
        limits.set(b"DIEMSG_MAXCONNIP", b"").unwrap();
        limits.set(b"DIEMSG_OTHER", b"x").unwrap();
        limits.set(b"DIEMSGS", b"x").unwrap();
        assert_eq!(to(&limits, Some(Excess::Address(1))), b"421 busy\r\n");
    }

    #[test]
    fn an_excess_is_a_word_and_a_number() {
        let word = |excess: Excess| {
            let mut out = Vec::new();
            excess.push(&mut out);
            String::from_utf8(out).unwrap()
        };
        assert_eq!(word(Excess::Address(5)), " MAXCONNIP:5");
        assert_eq!(word(Excess::Load(412)), " MAXLOAD:412");
    }

    #[test]
    fn every_name_says_something() {
        for name in NAMES {
            let mut limits = Limits::default();
            limits.set(name.as_bytes(), b"7").unwrap();
            assert_ne!(limits, Limits::default(), "{name}");
        }
    }
}
