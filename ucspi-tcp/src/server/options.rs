//! tcpserver's arguments.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use prog::{Args, Chain, Fatal, Opt};

use crate::verbosity::Verbosity;

/// What the arguments ask for.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a letter of the command line")]
pub struct Options {
    /// `-q`, `-Q`, `-v`.
    pub verbosity: Verbosity,
    /// `-1`: tells the port on standard output.
    pub prints_port: bool,
    /// `-c`: connections at a time, at least one.
    pub limit: u32,
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
    /// `-h`: looks the client's name up.
    pub asks_name: bool,
    /// `-p`: forgets a name that does not have the client's address.
    pub is_paranoid: bool,
    /// `-l`: this host's name; it is looked up if there is none.
    pub local_host: Option<Vec<u8>>,
    /// `-r`: asks the client's host for its user.
    pub asks_ident: bool,
    /// `-t`: how long that may take.
    pub timeout: Duration,
    /// `-D`: sends small writes at once.
    pub no_delay: bool,
    /// `-o`: leaves IP options alone.
    pub keeps_ip_options: bool,
    /// `-4`: IPv4 only.
    pub only_ipv4: bool,
    /// `-6`: tells of IPv4 addresses in IPv6 form.
    pub as_ipv6: bool,
    /// `-I`: the interface of a link-local address.
    pub interface: Option<OsString>,
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
    pub fn parse(args: &mut Args) -> Result<Options, Fatal> {
        let mut options = Options::default();
        while let Some(opt) = args.option(b"46qQvhHrR1UXx:t:u:g:l:b:B:c:I:pPoOdD")? {
            options.take(opt).map_err(|()| args.usage())?;
        }
        let operands = (args.operand(), args.operand(), args.chain());
        let (Ok(host), Ok(port), Ok(program)) = operands else {
            let fatal = args.usage();
            let is_quiet = options.verbosity == Verbosity::Quiet;
            return Err(if is_quiet { fatal.hushed() } else { fatal });
        };
        (options.host, options.port) = (host.into_vec(), port.into_vec());
        options.program = program;
        Ok(options)
    }

    fn take(&mut self, opt: Opt) -> Result<(), ()> {
        match opt.letter {
            b'q' => self.verbosity = Verbosity::Quiet,
            b'Q' => self.verbosity = Verbosity::Errors,
            b'v' => self.verbosity = Verbosity::All,
            b'1' => self.prints_port = true,
            b'4' => self.only_ipv4 = true,
            b'6' => self.as_ipv6 = true,
            b'h' | b'H' => self.asks_name = opt.letter == b'h',
            b'p' | b'P' => self.is_paranoid = opt.letter == b'p',
            b'r' | b'R' => self.asks_ident = opt.letter == b'r',
            b'd' | b'D' => self.no_delay = opt.letter == b'D',
            b'o' | b'O' => self.keeps_ip_options = opt.letter == b'o',
            b'X' => self.may_lack_rules = true,
            b'U' => {
                self.user = std::env::var_os("UID").or(self.user.take());
                self.group = std::env::var_os("GID").or(self.group.take());
            }
            b'c' => self.limit = opt.number().filter(|&limit| limit > 0).ok_or(())?,
            b'b' => self.backlog = opt.number().ok_or(())?,
            b't' => self.timeout = Duration::from_secs(opt.number::<u32>().ok_or(())?.into()),
            b'x' => self.rules = Some(opt.value.into()),
            b'B' => self.banner = opt.value.into_vec(),
            b'l' => self.local_host = Some(opt.value.into_vec()),
            b'I' => self.interface = Some(opt.value),
            b'u' => self.user = Some(opt.value),
            b'g' => self.group = Some(opt.value),
            _ => {}
        }
        Ok(())
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            verbosity: Verbosity::Errors,
            prints_port: false,
            limit: 40,
            backlog: 20,
            rules: None,
            may_lack_rules: false,
            banner: Vec::new(),
            user: None,
            group: None,
            asks_name: true,
            is_paranoid: false,
            local_host: None,
            asks_ident: true,
            timeout: Duration::from_secs(26),
            no_delay: false,
            keeps_ip_options: false,
            only_ipv4: false,
            as_ipv6: false,
            interface: None,
            host: Vec::new(),
            port: Vec::new(),
            program: Chain::new(Vec::<OsString>::new()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;

    fn parse(words: &[&str]) -> Result<Options, Fatal> {
        let words = words.iter().map(Into::into).collect();
        Options::parse(&mut Args::new(OsStr::new("tcpserver"), words))
    }

    #[test]
    fn the_defaults_are_the_original_s() {
        let options = parse(&["0", "smtp", "cat", "-v"]).unwrap();
        assert_eq!((options.limit, options.backlog), (40, 20));
        assert_eq!(options.timeout, Duration::from_secs(26));
        assert!(options.asks_name && options.asks_ident && !options.is_paranoid);
        assert_eq!(options.verbosity, Verbosity::Errors);
        assert_eq!((options.host, options.port), (b"0".to_vec(), b"smtp".to_vec()));
        assert_eq!(options.program.arguments(), ["cat", "-v"]);
    }

    #[test]
    fn letters_cluster_and_the_last_counts() {
        let options = parse(&["-vHRl0", "-c5", "-c", "7", "-q", "-v", "0", "1", "x"]).unwrap();
        assert!(!options.asks_name && !options.asks_ident);
        assert_eq!((options.limit, options.verbosity), (7, Verbosity::All));
        assert_eq!(options.local_host.unwrap(), b"0");
    }

    #[test]
    fn a_number_is_a_number_and_the_limit_is_not_zero() {
        for wrong in ["-c0", "-cx", "-c4x", "-b-1", "-t", "-z", "-t1s"] {
            assert!(parse(&[wrong, "0", "1", "x"]).is_err(), "{wrong}");
        }
        assert!(parse(&["0", "1"]).is_err());
    }
}
