//! tcpclient's arguments.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::Duration;

use prog::{Args, Chain, Fatal, Opt};
use wire::ip;

use super::attempts::Timeouts;
use crate::verbosity::Verbosity;

/// What the arguments ask for.
#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "each is a letter of the command line")]
pub struct Options {
    /// `-q`, `-Q`, `-v`.
    pub verbosity: Verbosity,
    /// `-T`: how long each address is tried.
    pub connect: Timeouts,
    /// `-i`: where the connection comes from; nothing but its family is tried.
    pub local_ip: Option<IpAddr>,
    /// `-p`: the port it comes from; 0 is any.
    pub local_port: u16,
    /// `-l`: this host's name; it is looked up if there is none.
    pub local_host: Option<Vec<u8>>,
    /// `-h`: looks the server's name up.
    pub asks_name: bool,
    /// `-r`: asks the server's host for its user.
    pub asks_ident: bool,
    /// `-t`: how long that may take.
    pub timeout: Duration,
    /// `-D`: sends small writes at once.
    pub no_delay: bool,
    /// `-4`: IPv4 only.
    pub only_ipv4: bool,
    /// `-6`: tells of IPv4 addresses in IPv6 form.
    pub as_ipv6: bool,
    /// `-I`: the interface of a link-local address.
    pub interface: Option<OsString>,
    /// The server: never empty, and an address where that is short for one.
    pub host: Vec<u8>,
    /// A number or a name.
    pub port: Vec<u8>,
    /// What is run with the connection.
    pub program: Chain,
}

impl Options {
    /// Reads the arguments. Numbers are digits only.
    pub fn parse(args: &mut Args) -> Result<Options, Fatal> {
        let mut options = Options::default();
        while let Some(opt) = args.option(b"46dDvqQhHrRi:p:t:T:l:I:")? {
            options.take(opt).ok_or_else(|| args.usage())?;
        }
        let operands = (args.operand(), args.operand(), args.chain());
        let (Ok(host), Ok(port), Ok(program)) = operands else {
            let fatal = args.usage();
            let is_quiet = options.verbosity == Verbosity::Quiet;
            return Err(if is_quiet { fatal.hushed() } else { fatal });
        };
        (options.host, options.port) = (host.into_vec(), port.into_vec());
        if options.host.is_empty() || options.host == b"0" {
            options.host = b"127.0.0.1".to_vec();
        }
        options.program = program;
        Ok(options)
    }

    fn take(&mut self, opt: Opt) -> Option<()> {
        match opt.letter {
            b'q' => self.verbosity = Verbosity::Quiet,
            b'Q' => self.verbosity = Verbosity::Errors,
            b'v' => self.verbosity = Verbosity::All,
            b'4' => self.only_ipv4 = true,
            b'6' => self.as_ipv6 = true,
            b'h' | b'H' => self.asks_name = opt.letter == b'h',
            b'r' | b'R' => self.asks_ident = opt.letter == b'r',
            b'd' | b'D' => self.no_delay = opt.letter == b'D',
            b'T' => self.connect = Timeouts::parse(opt.value.as_bytes())?,
            b't' => self.timeout = Duration::from_secs(opt.number::<u32>()?.into()),
            b'i' => self.local_ip = Some(ip::unmapped(ip::parse(opt.value.as_bytes())?)),
            b'p' => self.local_port = opt.number()?,
            b'l' => self.local_host = Some(opt.value.into_vec()),
            b'I' => self.interface = Some(opt.value),
            _ => {}
        }
        Some(())
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            verbosity: Verbosity::Errors,
            connect: Timeouts::default(),
            local_ip: None,
            local_port: 0,
            local_host: None,
            asks_name: true,
            asks_ident: true,
            timeout: Duration::from_secs(26),
            no_delay: false,
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
        Options::parse(&mut Args::new(OsStr::new("tcpclient"), words))
    }

    #[test]
    fn the_defaults_are_the_original_s() {
        let options = parse(&["a.b", "smtp", "cat", "-v"]).unwrap();
        assert_eq!(options.connect, Timeouts::default());
        assert_eq!(options.timeout, Duration::from_secs(26));
        assert!(options.asks_name && options.asks_ident && !options.no_delay);
        assert_eq!((options.host, options.port), (b"a.b".to_vec(), b"smtp".to_vec()));
        assert_eq!(options.program.arguments(), ["cat", "-v"]);
    }

    #[test]
    fn letters_cluster_and_the_last_counts() {
        let options =
            parse(&["-RHl0", "-T3+4", "-i::ffff:127.0.0.2", "-vqv", "", "1", "x"]).unwrap();
        assert!(!options.asks_name && !options.asks_ident);
        assert_eq!(options.local_ip, ip::parse(b"127.0.0.2"));
        assert_eq!(options.verbosity, Verbosity::All);
        assert_eq!(options.host, b"127.0.0.1");
    }

    #[test]
    fn a_number_is_a_number_and_an_address_an_address() {
        for wrong in ["-p65536", "-px", "-T", "-Tx", "-t", "-t1s", "-i127.0.0.2x", "-ilo", "-z"] {
            assert!(parse(&[wrong, "0", "1", "x"]).is_err(), "{wrong}");
        }
        assert!(parse(&["0", "1"]).is_err());
    }
}
