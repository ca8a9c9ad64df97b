//! tcpserver's arguments.

use std::ffi::OsString;
use std::os::fd::RawFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;
use std::time::Duration;

use prog::{Args, Chain, Fatal, Opt};
use wire::ip::{self, Network};
use wire::{decimal, text};

use crate::guests::Networks;
use crate::limits::{Excess, Limits};
use crate::options::Common;

/// The option letters, as getopt takes them.
const LETTERS: &[u8] = b"46qQvhHrR1UXx:t:u:g:l:b:B:c:I:pPoOdDC:N:f:L:m:T:i:K:G:s:a:w:k:";

/// Most bytes of a banner that are sent without a child: any new socket has room for them.
const SHORT: usize = 2048;

/// How many connections there may be at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Limit {
    /// So many.
    Given(u32),
    /// As many as a file says, which may change.
    File(PathBuf),
}

/// What the arguments ask for.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a letter of the command line")]
pub struct Options {
    /// What tcpclient takes, too.
    pub common: Common,
    /// `-1`: tells the port on standard output.
    pub prints_port: bool,
    /// `-c`: connections at a time, at least one.
    pub limit: Limit,
    /// `-b`: connections that wait in the kernel.
    pub backlog: i32,
    /// `-x`: compiled rules.
    pub rules: Option<PathBuf>,
    /// `-X`: where there is no file of rules, everything is allowed.
    pub may_lack_rules: bool,
    /// `-B`: sent to the client before anything else.
    pub banner: Vec<u8>,
    /// `-u`, or `$UID`: an account's name or number.
    pub user: Option<OsString>,
    /// `-g`, or `$GID`: a group's name or number.
    pub group: Option<OsString>,
    /// `-p`: forgets a name that does not have the client's address.
    pub is_paranoid: bool,
    /// `-o`: leaves IP options alone.
    pub keeps_ip_options: bool,
    /// `-C`, `-N`, `-f`, `-L`, `-T`, `-i`, `-K`, `-m`, or what the environment says: limits where rules set none.
    pub limits: Limits,
    /// `-N`: what is a network.
    pub networks: Networks,
    /// `-G`: how long programs may go on after TERM; without it the server does not wait for them.
    pub grace: Option<Duration>,
    /// `-k`: how many idle programs are kept for further connections; 0 for none.
    pub keeps: u32,
    /// `-s`: sockets that listen already.
    pub sockets: Vec<RawFd>,
    /// `-a`: who first says for whom a connection is.
    pub balancers: Vec<Network>,
    /// `-w`: how long that may take.
    pub patience: Duration,
    /// Where to listen.
    pub host: Vec<u8>,
    /// A number or a name.
    pub port: Vec<u8>,
    /// What serves each connection.
    pub program: Chain,
}

impl Options {
    /// Reads the arguments. Numbers are digits only, and a limit of 0 is wrong usage: it would serve
    /// nobody, ever.
    ///
    /// `limits` are those that hold where neither the arguments nor rules set any.
    pub fn parse(args: &mut Args, limits: Limits) -> Result<Options, Fatal> {
        let mut options = Options { limits, ..Options::default() };
        while let Some(opt) = args.option(LETTERS)? {
            options.take(opt).map_err(|()| args.usage())?;
        }
        (options.host, options.port, options.program) = options.common.operands(args)?;
        if options.keeps > 0 && options.must_ask() {
            return Err(Fatal::hard("-k needs -H, -R and -l, and a short banner"));
        }
        Ok(options)
    }

    /// Whether something may take long before a connection has its program: a child does that.
    #[must_use]
    pub fn must_ask(&self) -> bool {
        self.common.asks_name
            || self.common.asks_ident
            || self.common.local_host.is_none()
            || self.banner.len() > SHORT
    }

    fn take(&mut self, opt: Opt) -> Result<(), ()> {
        let Some(opt) = self.common.take(opt)? else { return Ok(()) };
        match opt.letter {
            b'1' => self.prints_port = true,
            b'p' | b'P' => self.is_paranoid = opt.letter == b'p',
            b'o' | b'O' => self.keeps_ip_options = opt.letter == b'o',
            b'X' => self.may_lack_rules = true,
            b'U' => {
                self.user = std::env::var_os("UID").or(self.user.take());
                self.group = std::env::var_os("GID").or(self.group.take());
            }
            b'c' if opt.value.as_bytes().contains(&b'/') => {
                self.limit = Limit::File(opt.value.into());
            }
            b'c' => self.limit = Limit::Given(opt.number().filter(|&limit| limit > 0).ok_or(())?),
            b'b' => self.backlog = opt.number().ok_or(())?,
            b'x' => self.rules = Some(opt.value.into()),
            b'B' => self.banner = opt.value.into_vec(),
            b'u' => self.user = Some(opt.value),
            b'g' => self.group = Some(opt.value),
            b'G' => self.grace = Some(Duration::from_secs(opt.number().ok_or(())?)),
            b'a' => {
                for network in opt.value.as_bytes().split(|&byte| byte == b',') {
                    self.balancers.push(network_of(network).ok_or(())?);
                }
            }
            b'w' => self.patience = Duration::from_secs(opt.number().ok_or(())?),
            b'k' => self.keeps = opt.number().ok_or(())?,
            b's' => self.sockets.push(opt.number().ok_or(())?),
            _ => self.take_limit(&opt)?,
        }
        Ok(())
    }

    fn take_limit(&mut self, opt: &Opt) -> Result<(), ()> {
        let value = opt.value.as_bytes();
        let limits = &mut self.limits;
        match opt.letter {
            b'C' => {
                let (count, message) = match text::split_once(value, b':') {
                    Some((count, message)) => (count, Some(message)),
                    None => (value, None),
                };
                limits.per_address = Some(count_of(count)?);
                if let Some(message) = message {
                    limits.messages.put(Some(Excess::Address(0)), unescaped(message));
                }
            }
            b'N' => {
                let mut parts = value.split(|&byte| byte == b'/');
                limits.per_network = Some(count_of(parts.next().ok_or(())?)?);
                let mut bits = |usual| parts.next().map_or(Ok(usual), count_of);
                self.networks = Networks::new(bits(24)?, bits(64)?).ok_or(())?;
                parts.next().map_or(Ok(()), |_| Err(()))?;
            }
            b'f' => limits.per_minute = Some(opt.number().ok_or(())?),
            b'L' => limits.load = Some(opt.number().ok_or(())?),
            b'm' => limits.set(b"DIEMSG", value).map_err(|_| ())?,
            b'T' => limits.set(b"MAXTIME", value).map_err(|_| ())?,
            b'i' => limits.set(b"MAXIDLE", value).map_err(|_| ())?,
            b'K' => limits.set(b"TCPKEEPALIVE", value).map_err(|_| ())?,
            _ => {}
        }
        Ok(())
    }
}

fn count_of<N: TryFrom<u64>>(text: &[u8]) -> Result<N, ()> {
    decimal::parse(text).and_then(|count| N::try_from(count).ok()).ok_or(())
}

/// A network, or an address alone.
fn network_of(text: &[u8]) -> Option<Network> {
    let alone = || {
        let address = ip::parse(text)?;
        Network::new(address, if address.is_ipv4() { 32 } else { 128 })
    };
    Network::parse(text).or_else(alone)
}

/// A message as tcpsvd takes it: `\n`, `\r` and `\\` stand for a newline, a carriage return and a
/// backslash, and nothing is added.
fn unescaped(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len());
    let mut rest = message.iter();
    while let Some(&byte) = rest.next() {
        match (byte, rest.as_slice()) {
            (b'\\', [escaped @ (b'n' | b'r' | b'\\'), after @ ..]) => {
                rest = after.iter();
                out.push(match escaped {
                    b'n' => b'\n',
                    b'r' => b'\r',
                    _ => b'\\',
                });
            }
            _ => out.push(byte),
        }
    }
    out
}

impl Default for Options {
    fn default() -> Options {
        Options {
            common: Common::default(),
            prints_port: false,
            limit: Limit::Given(40),
            backlog: 20,
            rules: None,
            may_lack_rules: false,
            banner: Vec::new(),
            user: None,
            group: None,
            is_paranoid: false,
            keeps_ip_options: false,
            limits: Limits::default(),
            networks: Networks::default(),
            grace: None,
            keeps: 0,
            sockets: Vec::new(),
            balancers: Vec::new(),
            patience: Duration::from_secs(10),
            host: Vec::new(),
            port: Vec::new(),
            program: Chain::new(Vec::<OsString>::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbosity::Verbosity;
    use std::ffi::OsStr;

    fn parse(words: &[&str]) -> Result<Options, Fatal> {
        let words = words.iter().map(Into::into).collect();
        Options::parse(&mut Args::new(OsStr::new("tcpserver"), words), Limits::default())
    }

    #[test]
    fn the_defaults_are_the_original_s() {
        let options = parse(&["0", "smtp", "cat", "-v"]).unwrap();
        assert_eq!((options.limit, options.backlog), (Limit::Given(40), 20));
        assert_eq!(options.common.timeout, Duration::from_secs(26));
        assert!(options.common.asks_name && options.common.asks_ident && !options.is_paranoid);
        assert_eq!(options.common.verbosity, Verbosity::Errors);
        assert_eq!((options.host, options.port), (b"0".to_vec(), b"smtp".to_vec()));
        assert_eq!(options.program.arguments(), ["cat", "-v"]);
    }

    #[test]
    fn letters_cluster_and_the_last_counts() {
        let options = parse(&["-vHRl0", "-c5", "-c", "7", "-q", "-v", "0", "1", "x"]).unwrap();
        assert!(!options.common.asks_name && !options.common.asks_ident);
        assert_eq!((options.limit, options.common.verbosity), (Limit::Given(7), Verbosity::All));
        assert_eq!(options.common.local_host.unwrap(), b"0");
    }

    #[test]
    fn a_number_is_a_number_and_the_limit_is_not_zero() {
        for wrong in ["-c0", "-cx", "-c4x", "-b-1", "-t", "-z", "-t1s"] {
            assert!(parse(&[wrong, "0", "1", "x"]).is_err(), "{wrong}");
        }
        assert!(parse(&["0", "1"]).is_err());
    }

    #[test]
    fn a_limit_with_a_slash_is_a_file() {
        let options = parse(&["-c", "./limit", "0", "1", "x"]).unwrap();
        assert_eq!(options.limit, Limit::File("./limit".into()));
    }

    #[test]
    fn limits_are_numbers_and_more() {
        let options =
            parse(&["-C5:421 enough\\r\\n", "-N", "15", "-f30", "-L350", "0", "1", "x"]).unwrap();
        let limits = &options.limits;
        assert_eq!((limits.per_address, limits.per_network), (Some(5), Some(15)));
        assert_eq!((limits.per_minute, limits.load), (Some(30), Some(350)));
        assert_eq!(limits.messages.to(Some(Excess::Address(5))), b"421 enough\r\n");
        assert_eq!(options.networks, Networks::default());
        let options = parse(&["-N15/16/48", "-C", "0", "-mno", "-T60", "0", "1", "x"]).unwrap();
        assert_eq!(options.networks, Networks::new(16, 48).unwrap());
        assert_eq!(options.limits.per_address, Some(0));
        assert_eq!(options.limits.messages.to(None), b"no\r\n");
        assert_eq!(options.limits.lifetime, Some(Duration::from_mins(1)));
        for wrong in [
            "-C",
            "-C:x",
            "-Cx",
            "-N1/33",
            "-N1/2/3/4",
            "-N",
            "-f",
            "-L",
            "-Lx",
            "-Tx",
            "-ix",
            "-Kx",
            "-Gx",
        ] {
            assert!(parse(&[wrong, "0", "1", "x"]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn balancers_are_networks_and_addresses() {
        let options = parse(&["-a10.0.0.0/8,2001:db8::1", "-a", "::/0", "0", "1", "x"]).unwrap();
        let contains = |address: &str| {
            let address = address.parse().unwrap();
            options.balancers.iter().any(|network| network.contains(address))
        };
        assert!(contains("10.1.2.3") && contains("2001:db8::1") && !contains("192.0.2.1"));
        assert_eq!(options.balancers.len(), 3);
        for wrong in ["-a", "-a10.0.0.0/33", "-a10.0.0.1,", "-alocalhost", "-w-1"] {
            assert!(parse(&[wrong, "0", "1"]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn programs_are_kept_only_where_nobody_is_asked() {
        assert_eq!(parse(&["0", "1", "x"]).unwrap().keeps, 0);
        assert_eq!(parse(&["-HRl0", "-k20", "0", "1", "x"]).unwrap().keeps, 20);
        assert!(parse(&["-k0", "0", "1", "x"]).unwrap().must_ask());
        let long = "x".repeat(2049);
        for few in
            [&["-k20", "-HR"][..], &["-k1", "-Hl0"], &["-HRl0", "-k1", "-B", &long], &["-kx"]]
        {
            assert!(parse(&[few, &["0", "1", "x"]].concat()).is_err(), "{few:?}");
        }
    }

    #[test]
    fn a_message_of_tcpsvd_has_escapes() {
        assert_eq!(unescaped(b"a\\r\\nb\\\\n\\x\\"), b"a\r\nb\\n\\x\\");
    }
}
