//! A private mail host for end-to-end tests.

use std::fs;
use std::path::{Path, PathBuf};

use crate::side::{Side, our_programs};
use crate::wait::until;

/// A host of our programs in a directory of its own, made and run by `package/try-host`; ended when
/// dropped.
#[derive(Debug)]
pub struct Host {
    side: Side,
    running: Option<crate::Background>,
    port: u16,
}

impl Host {
    /// Makes a host and starts it; its SMTP service listens at [`Host::port`].
    #[must_use]
    pub fn start() -> Host {
        let mut host = Host { side: Side::ours(), running: None, port: crate::free_port() };
        host.side.directory("try");
        host.side.write("try/port", host.port.to_string());
        let link = host.side.path().join("target");
        fs::create_dir(&link).expect("a directory");
        std::os::unix::fs::symlink(our_programs(), link.join("command")).expect("a link");
        host.resume();
        host
    }

    /// Starts the host again after [`Host::stop`].
    pub fn resume(&mut self) {
        let tests = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/harness");
        let script = tests.parent().expect("the checkout").join("package/try-host");
        let words = [script.into_os_string(), self.path("").into(), "daisychain.example".into()];
        self.running = Some(self.side.command(words).start_in_background());
        let greets = || std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok();
        assert!(until(greets), "no SMTP service: {}", self.log().escape_ascii());
    }

    /// Ends the host: every process of it at once.
    pub fn stop(&mut self) {
        self.running = None;
    }

    /// The SMTP service's port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The case directory and programs of the host.
    #[must_use]
    pub fn side(&self) -> &Side {
        &self.side
    }

    /// A path of the host: `qmail/control/me`, `you/Maildir`, `service/smtpd`.
    #[must_use]
    pub fn path(&self, name: &str) -> PathBuf {
        self.side.path().join("try").join(name)
    }

    /// What svscan and what it started have said.
    #[must_use]
    pub fn log(&self) -> Vec<u8> {
        self.running.as_ref().map(crate::Background::stderr).unwrap_or_default()
    }

    /// The messages in the user's Maildir.
    #[must_use]
    pub fn mail(&self) -> Vec<Vec<u8>> {
        let entries = fs::read_dir(self.path("you/Maildir/new")).into_iter().flatten().flatten();
        entries.filter_map(|entry| fs::read(entry.path()).ok()).collect()
    }
}
