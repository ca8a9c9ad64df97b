//! What the control files say.

use crate::control::{Control, List};
use crate::domains::{DomainMap, DomainSet};
use crate::send::Channels;
use crate::send::bounce::Bounces;
use crate::send::machine::Limits;
use crate::send::route::Routes;

/// Everything that qmail-send reads out of control files, all of it again on SIGHUP.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where recipients go.
    pub routes: Routes,
    /// Who bounces come from.
    pub bounces: Bounces,
    /// Concurrency and lifetime.
    pub limits: Limits,
}

/// A control file that is there and cannot be read; or `locals`, if neither it nor `me` is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable(pub &'static str);

/// RFC 5321 section 4.5.3.1.8: every host takes so many.
const TOGETHER: u64 = 100;

/// Bytes of a message that come back in its bounce: its header, and enough to know it by.
const BOUNCED: u64 = 50_000;

/// A week, in seconds.
const LIFETIME: u64 = 604_800;

impl Settings {
    /// Reads the control files. Source: qmail-send(8).
    pub fn read(control: &Control) -> Result<Settings, Unreadable> {
        let host = |name: &'static str| {
            let line = control.line_or_me(name).map_err(|_| Unreadable(name))?;
            Ok(line.unwrap_or_else(|| name.into()))
        };
        let user = |name: &'static str, usual: &str| {
            let line = control.line(name).map_err(|_| Unreadable(name))?;
            Ok(line.unwrap_or_else(|| usual.into()))
        };
        let number = |name: &'static str, usual: u64| {
            let number = control.number(name).map_err(|_| Unreadable(name))?;
            Ok(number.unwrap_or(usual))
        };
        let small = |name, usual| {
            let number = number(name, usual)?;
            Ok(u16::try_from(number).unwrap_or(u16::MAX))
        };
        let double_to =
            [user("doublebounceto", "postmaster")?, b"@".to_vec(), host("doublebouncehost")?];
        Ok(Settings {
            routes: routes(control)?,
            bounces: Bounces {
                user: user("bouncefrom", "MAILER-DAEMON")?,
                host: host("bouncehost")?,
                double_to: double_to.concat(),
                most: number("bouncemaxbytes", BOUNCED)?,
            },
            limits: Limits {
                concurrency: Channels {
                    local: small("concurrencylocal", 10)?,
                    remote: small("concurrencyremote", 20)?,
                },
                together: small("remotetogether", TOGETHER)?,
                lifetime: number("queuelifetime", LIFETIME)?,
            },
        })
    }
}

/// Reads what the control files say of recipients.
pub fn routes(control: &Control) -> Result<Routes, Unreadable> {
    let list = |name: &'static str| {
        let list = control.list(name).map_err(|_| Unreadable(name))?;
        Ok(list.unwrap_or_default())
    };
    let locals = control.list_or_me("locals").ok().flatten().ok_or(Unreadable("locals"))?;
    let (percenthack, virtualdomains): (List, List) =
        (list("percenthack")?, list("virtualdomains")?);
    let host = control.line_or_me("envnoathost").map_err(|_| Unreadable("envnoathost"))?;
    Ok(Routes {
        locals: DomainSet::new(locals.lines()),
        percenthack: DomainSet::new(percenthack.lines()),
        virtualdomains: DomainMap::new(virtualdomains.lines()),
        envnoathost: host.unwrap_or_else(|| b"envnoathost".to_vec()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Settings, Unreadable> {
        let dir = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).unwrap();
        }
        Settings::read(&Control::new(dir.path().to_owned()))
    }

    #[test]
    fn the_host_s_name_is_enough() {
        let settings = read(&[("me", "mail.test\n")]).unwrap();
        assert!(settings.routes.locals.contains(b"mail.test"));
        assert_eq!(settings.routes.envnoathost, b"mail.test");
        assert_eq!(settings.bounces.user, b"MAILER-DAEMON");
        assert_eq!(settings.bounces.host, b"mail.test");
        assert_eq!(settings.bounces.double_to, b"postmaster@mail.test");
        assert_eq!(settings.bounces.most, 50_000);
        let Limits { concurrency, together, lifetime } = settings.limits;
        let Channels { local, remote } = concurrency;
        assert_eq!((local, remote, together, lifetime), (10, 20, 100, 604_800));
    }

    #[test]
    fn each_file_is_read() {
        let settings = read(&[
            ("locals", "a.test\n"),
            ("percenthack", "p.test\n"),
            ("virtualdomains", "v.test:v\n"),
            ("envnoathost", "e.test\n"),
            ("bouncefrom", "bouncer\n"),
            ("bouncehost", "b.test\n"),
            ("bouncemaxbytes", "7\n"),
            ("doublebounceto", "root\n"),
            ("doublebouncehost", "d.test\n"),
            ("concurrencylocal", "0\n"),
            ("concurrencyremote", "100000\n"),
            ("queuelifetime", "60\n"),
            ("remotetogether", "1\n"),
        ])
        .unwrap();
        assert!(settings.routes.percenthack.contains(b"p.test"));
        assert_eq!(settings.routes.virtualdomains.get(b"v.test"), Some(&b"v"[..]));
        assert_eq!(settings.routes.envnoathost, b"e.test");
        let Bounces { user, host, double_to, most } = settings.bounces;
        assert_eq!(most, 7);
        assert_eq!([user, host, double_to], [&b"bouncer"[..], b"b.test", b"root@d.test"]);
        let Limits { concurrency, together, lifetime } = settings.limits;
        let Channels { local, remote } = concurrency;
        assert_eq!((local, remote, together, lifetime), (0, 65_535, 1, 60));
    }

    #[test]
    fn without_me_the_files_names_stand_in() {
        let settings = read(&[("locals", "")]).unwrap();
        assert_eq!(settings.routes.envnoathost, b"envnoathost");
        assert_eq!(settings.bounces.double_to, b"postmaster@doublebouncehost");
    }

    #[test]
    fn it_must_be_known_what_is_local() {
        assert_eq!(read(&[("virtualdomains", "")]).unwrap_err(), Unreadable("locals"));
    }

    #[test]
    fn what_cannot_be_read_is_named() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("me"), "mail.test\n").unwrap();
        std::fs::create_dir(dir.path().join("queuelifetime")).unwrap();
        let control = Control::new(dir.path().to_owned());
        assert_eq!(Settings::read(&control).unwrap_err(), Unreadable("queuelifetime"));
    }
}
