//! tcpclient's arguments.

use std::ffi::OsString;
use std::net::IpAddr;
use std::os::unix::ffi::OsStrExt;

use prog::{Args, Chain, Fatal, Opt};
use wire::ip;

use super::attempts::Timeouts;
use crate::options::Common;

/// What the arguments ask for.
#[derive(Debug)]
pub struct Options {
    /// What tcpserver takes, too.
    pub common: Common,
    /// `-T`: how long each address is tried.
    pub connect: Timeouts,
    /// `-i`: where the connection comes from; nothing but its family is tried.
    pub local_ip: Option<IpAddr>,
    /// `-p`: the port it comes from; 0 is any.
    pub local_port: u16,
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
        (options.host, options.port, options.program) = options.common.operands(args)?;
        if options.host.is_empty() || options.host == b"0" {
            options.host = b"127.0.0.1".to_vec();
        }
        Ok(options)
    }

    fn take(&mut self, opt: Opt) -> Option<()> {
        let Some(opt) = self.common.take(opt).ok()? else { return Some(()) };
        match opt.letter {
            b'T' => self.connect = Timeouts::parse(opt.value.as_bytes())?,
            b'i' => self.local_ip = Some(ip::unmapped(ip::parse(opt.value.as_bytes())?)),
            b'p' => self.local_port = opt.number()?,
            _ => {}
        }
        Some(())
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            common: Common::default(),
            connect: Timeouts::default(),
            local_ip: None,
            local_port: 0,
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
    use std::time::Duration;

    fn parse(words: &[&str]) -> Result<Options, Fatal> {
        let words = words.iter().map(Into::into).collect();
        Options::parse(&mut Args::new(OsStr::new("tcpclient"), words))
    }

    #[test]
    fn the_defaults_are_the_original_s() {
        let options = parse(&["a.b", "smtp", "cat", "-v"]).unwrap();
        assert_eq!(options.connect, Timeouts::default());
        assert_eq!(options.common.timeout, Duration::from_secs(26));
        assert!(options.common.asks_name && options.common.asks_ident && !options.common.no_delay);
        assert_eq!((options.host, options.port), (b"a.b".to_vec(), b"smtp".to_vec()));
        assert_eq!(options.program.arguments(), ["cat", "-v"]);
    }

    #[test]
    fn letters_cluster_and_the_last_counts() {
        let options =
            parse(&["-RHl0", "-T3+4", "-i::ffff:127.0.0.2", "-vqv", "", "1", "x"]).unwrap();
        assert!(!options.common.asks_name && !options.common.asks_ident);
        assert_eq!(options.local_ip, ip::parse(b"127.0.0.2"));
        assert_eq!(options.common.verbosity, Verbosity::All);
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
