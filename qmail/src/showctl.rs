//! What the control files of a host mean, in words.

use std::io::{self, Write};

use crate::control::{Control, List};

/// How a file is read and told.
enum Kind {
    /// Lines: what holds without the file; what stands before and after each line.
    Lines(&'static str, &'static str, &'static str),
    /// A number: the one that holds without the file; what stands before and after it.
    Number(u64, &'static str, &'static str),
    /// A line: what holds without the file; what stands before it.
    Word(Otherwise, &'static str),
}

/// What holds without a file of one line.
enum Otherwise {
    /// The host's name, or the file's if there is none.
    Me,
    /// This word.
    Is(&'static str),
}

use Kind::{Lines, Number, Word};
use Otherwise::{Is, Me};

const LOCAL_ONLY: &str =
    "SMTP clients may send messages to what locals and virtualdomains make local.";

/// Every control file but the database, in the order of the original's report.
const FILES: [(&str, Kind); 38] = [
    ("badmailfrom", Lines("Any MAIL FROM is allowed.", "", " not accepted in MAIL FROM.")),
    ("bouncefrom", Word(Is("MAILER-DAEMON"), "Bounce user name is ")),
    ("bouncehost", Word(Me, "Bounce host name is ")),
    ("bouncemaxbytes", Number(50_000, "Bounces have at most so much of a message: ", " bytes")),
    ("brtlimit", Number(0, "Invalid recipients that a client may name, 0 for any number: ", "")),
    ("checkrecipient", Number(1, "Mailboxes are looked for at RCPT, unless this is 0: ", "")),
    (
        "chkrcptdomains",
        Lines("Mailboxes are looked for in any domain.", "Mailboxes are looked for in ", "."),
    ),
    ("concurrencylocal", Number(10, "Local concurrency is ", "")),
    ("concurrencyremote", Number(20, "Remote concurrency is ", "")),
    ("databytes", Number(0, "SMTP DATA limit is ", " bytes")),
    ("defaultdomain", Word(Me, "Default domain name is ")),
    ("defaulthost", Word(Me, "Default host name is ")),
    ("doublebouncehost", Word(Me, "2B recipient host: ")),
    ("doublebounceto", Word(Is("postmaster"), "2B recipient user: ")),
    ("envnoathost", Word(Me, "Presumed domain name is ")),
    ("extraqueue", Lines("Messages have no more recipients.", "Each message goes to ", " too.")),
    ("helohost", Word(Me, "SMTP client HELO host name is ")),
    ("idhost", Word(Me, "Message-ID host name is ")),
    ("localiphost", Word(Me, "Local IP address becomes ")),
    (
        "locals",
        Lines("Messages for me are delivered locally.", "Messages for ", " are delivered locally."),
    ),
    ("maxrecipients", Number(10_000, "SMTP recipient limit is ", " a message")),
    ("me", Word(Is("undefined! Uh-oh"), "My name is ")),
    (
        "percenthack",
        Lines(
            "The percent hack is not allowed.",
            "The percent hack is allowed for user%host@",
            ".",
        ),
    ),
    ("plusdomain", Word(Me, "Plus domain name is ")),
    ("qmqpservers", Lines("No QMQP servers.", "QMQP server: ", ".")),
    ("queuelifetime", Number(604_800, "Message lifetime in the queue is ", " seconds")),
    ("rcpthosts", Lines(LOCAL_ONLY, "SMTP clients may send messages to recipients at ", ".")),
    ("morercpthosts", Lines("No effect.", "SMTP clients may send messages to recipients at ", ".")),
    ("rcptchecks", Lines("No program is asked about recipients.", "Asked at RCPT: ", "")),
    ("recipients", Lines("No recipient rules.", "Recipient rule: ", "")),
    ("remotetogether", Number(100, "Recipients that share a connection: ", "")),
    ("smtpgreeting", Word(Me, "SMTP greeting: 220 ")),
    ("smtproutes", Lines("No artificial SMTP routes.", "SMTP route: ", "")),
    ("timeoutconnect", Number(60, "SMTP client connection timeout is ", " seconds")),
    ("timeoutremote", Number(1200, "SMTP client data timeout is ", " seconds")),
    ("timeoutsmtpd", Number(1200, "SMTP server data timeout is ", " seconds")),
    ("validrcptto", Lines("Recipients are not listed.", "A recipient is ", ".")),
    ("virtualdomains", Lines("No virtual domains.", "Virtual domain: ", "")),
];

/// What morercpthosts means to a host without rcpthosts.
const IRRELEVANT: Kind = Lines(
    "No rcpthosts; morercpthosts is irrelevant.",
    "No rcpthosts; doesn't matter that morercpthosts has ",
    ".",
);

/// The database that qmail-newmrh makes.
const DATABASE: &str = "morercpthosts.cdb";

/// True if a program, or a run script, has a use for the control file `name`.
#[must_use]
pub fn is_known(name: &[u8]) -> bool {
    [DATABASE, "defaultdelivery", "morevalidrcptto", "morevalidrcptto.cdb", "validrcptto.cdb"]
        .iter()
        .any(|known| known.as_bytes() == name)
        || FILES.iter().any(|(known, _)| known.as_bytes() == name)
}

/// When files were last changed, as far as they exist.
#[derive(Clone, Copy, Debug, Default)]
pub struct Changed {
    /// control/morercpthosts, in seconds since 1970.
    pub list: Option<i64>,
    /// control/morercpthosts.cdb.
    pub database: Option<i64>,
}

/// Appends a blank line and a paragraph for each control file: what it says, or what holds without it.
/// A host whose name cannot be read is an error.
pub fn tell(out: &mut Vec<u8>, control: &Control, changed: Changed) -> io::Result<()> {
    let me = control.me()?;
    let has_rcpthosts = !matches!(control.list("rcpthosts"), Ok(None));
    for (name, kind) in &FILES {
        let kind = if *name == "morercpthosts" && !has_rcpthosts { &IRRELEVANT } else { kind };
        head(out, name);
        let told = match kind {
            Lines(none, before, after) => {
                control.list(name).map(|list| lines(out, name, list, none, (before, after)))
            }
            Number(usual, before, after) => {
                control.number(name).map(|number| push_number(out, number, *usual, (before, after)))
            }
            Word(usual, before) => control.line(name).map(|line| {
                let default = match (usual, me) {
                    (Is(word), _) => word.as_bytes(),
                    (Me, me) => me.unwrap_or(name.as_bytes()),
                };
                word(out, line.as_deref(), default, before);
            }),
        };
        if told.is_err() {
            out.extend_from_slice(b"Oops! Trouble reading this file.\n");
        }
        if *name == "morercpthosts" {
            head(out, DATABASE);
            out.extend_from_slice(freshness(changed).as_bytes());
        }
    }
    Ok(())
}

/// Appends a blank line and the name of a control file.
pub fn head(out: &mut Vec<u8>, name: impl AsRef<[u8]>) {
    out.push(b'\n');
    push_printable(out, name.as_ref());
    out.extend_from_slice(b": ");
}

fn lines(
    out: &mut Vec<u8>,
    name: &str,
    list: Option<List>,
    none: &str,
    (before, after): (&str, &str),
) {
    let Some(list) = list else {
        for part in ["(Default.) ", none, "\n"] {
            out.extend_from_slice(part.as_bytes());
        }
        return;
    };
    out.push(b'\n');
    for line in list.lines() {
        out.extend_from_slice(before.as_bytes());
        push_printable(out, line);
        out.extend_from_slice(after.as_bytes());
        out.push(b'\n');
    }
    if name == "rcpthosts" && list.lines().any(|line| line == b"*") {
        out.extend_from_slice(b"Oops! With *, SMTP clients may send messages to any recipient.\n");
    }
}

fn push_number(out: &mut Vec<u8>, number: Option<u64>, usual: u64, (before, after): (&str, &str)) {
    let default = if number.is_none() { "(Default.) " } else { "" };
    let number = number.unwrap_or(usual);
    let _ = writeln!(out, "{default}{before}{number}{after}."); // into memory: cannot fail
}

fn word(out: &mut Vec<u8>, line: Option<&[u8]>, usual: &[u8], before: &str) {
    if line.is_none() {
        out.extend_from_slice(b"(Default.) ");
    }
    out.extend_from_slice(before.as_bytes());
    push_printable(out, line.unwrap_or(usual));
    out.extend_from_slice(b".\n");
}

fn freshness(changed: Changed) -> &'static str {
    match (changed.list, changed.database) {
        (None, None) => "(Default.) No effect.\n",
        (None, Some(_)) => "Oops! morercpthosts.cdb exists but morercpthosts doesn't.\n",
        (Some(_), None) => "Oops! morercpthosts exists but morercpthosts.cdb doesn't.\n",
        (Some(list), Some(database)) if list > database => {
            "Oops! morercpthosts.cdb is older than morercpthosts.\n"
        }
        (Some(_), Some(_)) => "Modified recently enough; hopefully up to date.\n",
    }
}

/// Appends `text` with `?` for each byte that does not print.
fn push_printable(out: &mut Vec<u8>, text: &[u8]) {
    out.extend(text.iter().map(|&byte| if (32..=126).contains(&byte) { byte } else { b'?' }));
}
