//! The options that tcpserver and tcpclient have in common.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::time::Duration;

use prog::{Args, Chain, Fatal, Opt};

use crate::verbosity::Verbosity;

/// What both can be asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::struct_excessive_bools, reason = "each is a letter of the command line")]
pub struct Common {
    /// `-q`, `-Q`, `-v`.
    pub verbosity: Verbosity,
    /// `-l`: this host's name; it is looked up if there is none.
    pub local_host: Option<Vec<u8>>,
    /// `-h`: looks the other end's name up.
    pub asks_name: bool,
    /// `-r`: asks the other end's host for its user.
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
}

/// Host, port, and the program with its arguments.
pub type Operands = (Vec<u8>, Vec<u8>, Chain);

impl Common {
    /// Takes an option; gives it back if it is none of these. An error is a value that is no number.
    pub(crate) fn take(&mut self, opt: Opt) -> Result<Option<Opt>, ()> {
        match opt.letter {
            b'q' => self.verbosity = Verbosity::Quiet,
            b'Q' => self.verbosity = Verbosity::Errors,
            b'v' => self.verbosity = Verbosity::All,
            b'h' | b'H' => self.asks_name = opt.letter == b'h',
            b'r' | b'R' => self.asks_ident = opt.letter == b'r',
            b'd' | b'D' => self.no_delay = opt.letter == b'D',
            b'4' => self.only_ipv4 = true,
            b'6' => self.as_ipv6 = true,
            b't' => self.timeout = Duration::from_secs(opt.number::<u32>().ok_or(())?.into()),
            b'l' => self.local_host = Some(opt.value.into_vec()),
            b'I' => self.interface = Some(opt.value),
            _ => return Ok(Some(opt)),
        }
        Ok(None)
    }

    /// What follows the options. Their lack is silent with `-q`.
    pub fn operands(&self, args: &mut Args) -> Result<Operands, Fatal> {
        let (Ok(host), Ok(port), Ok(program)) = (args.operand(), args.operand(), args.chain())
        else {
            let fatal = args.usage();
            let is_quiet = self.verbosity == Verbosity::Quiet;
            return Err(if is_quiet { fatal.hushed() } else { fatal });
        };
        Ok((host.into_vec(), port.into_vec(), program))
    }
}

impl Default for Common {
    fn default() -> Common {
        Common {
            verbosity: Verbosity::Errors,
            local_host: None,
            asks_name: true,
            asks_ident: true,
            timeout: Duration::from_secs(26),
            no_delay: false,
            only_ipv4: false,
            as_ipv6: false,
            interface: None,
        }
    }
}
