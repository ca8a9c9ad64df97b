//! What this host's files say of addresses, to a server.

use std::io;
use std::net::IpAddr;

use prog::env;
use queue::home::Home;
use wire::decimal;

use super::journal::Journal;
use crate::control::Control;
use crate::domains::DomainSet;
use crate::ipme;
use crate::rcptcheck;
use crate::rcpthosts::RcptHosts;
use crate::recipients::{Known, Places, Recipients};
use crate::smtp::session::{Asked, Judgement, Policy, Trouble};

/// The addresses that a session may use, by control files and the variables of its client.
#[derive(Debug)]
pub struct Site<'a> {
    home: &'a Home,
    journal: &'a Journal,
    badmailfrom: DomainSet,
    rcpthosts: RcptHosts,
    recipients: Recipients<'a>,
    /// Programs that are asked about recipients; read when there is one.
    checks: Option<Vec<Vec<u8>>>,
    /// Recipients that nobody has and that a client may name, 0 for any number; read when there is one.
    most_unknown: Option<u64>,
    /// Looked up when there is an address literal.
    addresses: Option<Vec<IpAddr>>,
}

impl<'a> Site<'a> {
    /// Reads what every session needs. Whether the client `relays` only decides whether a missing
    /// control/rcpthosts is worth a line.
    pub fn read(
        home: &'a Home,
        control: &Control,
        journal: &'a Journal,
        relays: bool,
    ) -> io::Result<Site<'a>> {
        let badmailfrom = control.list("badmailfrom")?.unwrap_or_default();
        let rcpthosts = RcptHosts::read(home, control)?;
        if rcpthosts.is_missing() && !relays {
            let text = b"control/rcpthosts is missing, so only local recipients are accepted";
            journal.tell(text, None);
        }
        let badmailfrom = DomainSet::new(badmailfrom.lines());
        let recipients = Recipients::new(home, Places::read(control)?);
        let (checks, most_unknown, addresses) = (None, None, None);
        Ok(Site {
            home,
            journal,
            badmailfrom,
            rcpthosts,
            recipients,
            checks,
            most_unknown,
            addresses,
        })
    }
}

/// The programs that are asked about recipients: the one that the rules for this client name, and those
/// that are asked for every client.
fn checks(control: &Control) -> io::Result<Vec<Vec<u8>>> {
    let mut checks: Vec<_> =
        env::get("RCPTCHECK").into_iter().filter(|program| !program.is_empty()).collect();
    checks.extend(rcptcheck::listed(control)?);
    Ok(checks)
}

impl Policy for Site<'_> {
    fn is_own_address(&mut self, address: IpAddr) -> Result<bool, Trouble> {
        if self.addresses.is_none() {
            let own = ipme::addresses().map_err(|error| {
                self.journal.tell(b"unable to list this host's addresses", Some(&error));
                Trouble::Addresses
            });
            self.addresses = Some(own?);
        }
        Ok(ipme::contains(self.addresses.as_deref().unwrap_or_default(), address))
    }

    fn refuses_sender(&mut self, sender: &[u8]) -> bool {
        let at = memchr::memrchr(b'@', sender);
        let host = at.and_then(|at| sender.get(at..));
        self.badmailfrom.contains(sender)
            || host.is_some_and(|host| self.badmailfrom.contains(host))
    }

    fn accepts_recipient(&mut self, recipient: &[u8]) -> Result<bool, Trouble> {
        self.rcpthosts.accepts(recipient).map_err(|error| {
            self.journal.tell(b"unable to read control/morercpthosts.cdb", Some(&error));
            Trouble::Controls
        })
    }

    fn judges(&mut self, asked: &Asked<'_>) -> Judgement {
        let mut known = rcptcheck::Known { is_found: false, is_ours: true };
        if asked.relays {
            let is_wanted = env::get("RCPTCHECKRELAYCLIENT")
                .is_some_and(|value| decimal::scan(&value).is_some_and(|(number, _)| number != 0));
            if !is_wanted {
                return Judgement::Welcome;
            }
            // Whether it can be told or not, the client may send to it.
            known.is_ours = self.rcpthosts.accepts(asked.recipient).unwrap_or(false);
        } else {
            match self.recipients.find(asked.recipient) {
                Ok(Known::No) => return Judgement::Unknown,
                Ok(found) => known.is_found = found == Known::Yes,
                Err(error) => {
                    self.journal.tell(b"unable to look a recipient up", Some(&error));
                    return Judgement::Unclear;
                }
            }
        }
        let checks = match self.checks.take().map_or_else(|| checks(&Control::of(self.home)), Ok) {
            Ok(checks) => self.checks.insert(checks),
            Err(error) => {
                self.journal.tell(b"unable to read control/rcptchecks", Some(&error));
                return Judgement::Unclear;
            }
        };
        for program in checks {
            match rcptcheck::ask(self.home, program, asked, known) {
                Ok(Judgement::Welcome) => {}
                Ok(said) => return said,
                Err(error) => {
                    let text = [b"no answer from ", program.as_slice()].concat();
                    self.journal.tell(&text, Some(&error));
                    return Judgement::Unclear;
                }
            }
        }
        Judgement::Welcome
    }

    fn is_fed_up(&mut self, unknown: u64) -> Result<bool, Trouble> {
        let most = match self.most_unknown {
            Some(most) => most,
            None => Control::of(self.home)
                .number_or("BRTLIMIT", "brtlimit")
                .map_err(|error| {
                    self.journal.tell(b"unable to read control/brtlimit", Some(&error));
                    Trouble::Controls
                })?
                .unwrap_or(0),
        };
        self.most_unknown = Some(most);
        Ok(most != 0 && unknown >= most)
    }
}
