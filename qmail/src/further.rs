//! Further connections, which tcpserver sends to a program that it has started for one.

use std::fs::{self, File};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;

use prog::Exit;
use unix::fd::{self, Standard};
use unix::{environment, process, socket};
use wire::next::{self, Offer};

/// Where further connections come from.
#[derive(Debug)]
pub struct Further {
    channel: OwnedFd,
    /// What stands in for a connection that is over.
    null: File,
    room: Vec<u8>,
}

impl Further {
    /// Takes tcpserver's offer up, if there is one in the environment and it is made to this program:
    /// from then on programs that this one starts know nothing of it. `None` if there is but
    /// the connection that there is.
    #[must_use]
    pub fn offered() -> Option<Further> {
        let name = |variable: &[u8]| variable == next::VARIABLE;
        let (_, value) = std::env::vars_os().find(|(found, _)| name(found.as_bytes()))?;
        let offer = Offer::parse(value.as_bytes())?;
        let channel = fd::take(offer.descriptor).ok()?;
        fd::close_on_exec(&channel, true).ok()?;
        let others = std::env::vars_os().filter(|(found, _)| !name(found.as_bytes()));
        let others = others.map(|(name, value)| string(name.as_bytes(), value.as_bytes()));
        environment::replace(others).ok()?;
        let own = fs::metadata("/proc/self/exe").ok()?;
        let null = File::options().read(true).write(true).open("/dev/null").ok()?;
        let further = Further { channel, null, room: Vec::new() };
        offer.is_for(own.dev(), own.ino()).then_some(further)
    }

    /// Closes the connection, as the end of the process would.
    pub fn hang_up(&self) {
        for end in [Standard::Input, Standard::Output] {
            let _ = fd::redirect(end, &self.null); // no reason to fail: both are open
        }
    }

    /// Tells tcpserver that the connection is over, and how; waits for the next one, and makes it and its
    /// environment this process's.
    ///
    /// An error is the code to end with: 0 if there is none, `exit` if tcpserver could not be told, 111 if
    /// what it sends makes no sense.
    pub fn comes(&mut self, exit: Exit) -> Result<(), Exit> {
        // Programs that a broken session did not wait for.
        while let Ok(Some(_)) = process::reap() {}
        socket::send_now(&self.channel, &next::over(exit.0), None).map_err(|_| exit)?;
        self.room.resize(next::LONGEST, 0);
        match socket::wait_over(&self.channel, &mut self.room) {
            Ok((0, _)) => Err(Exit::OK),
            Ok((length, Some(connection))) => self.begin(length, &connection).ok_or(Exit::SOFT),
            Ok((_, None)) | Err(_) => Err(Exit::SOFT),
        }
    }

    fn begin(&self, length: usize, connection: &OwnedFd) -> Option<()> {
        let variables = next::variables(self.room.get(..length)?)?;
        let variables = variables.into_iter().map(|(name, value)| string(name, value));
        environment::replace(variables).ok()?;
        fd::redirect(Standard::Input, connection).ok()?;
        fd::redirect(Standard::Output, connection).ok()
    }
}

fn string(name: &[u8], value: &[u8]) -> Vec<u8> {
    [name, b"=", value].concat()
}
