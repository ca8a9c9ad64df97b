//! qmail-local beside the recordings of the original. What delivers runs as an ordinary user.

#[path = "qmail-local/delivery.rs"]
mod delivery;
#[path = "qmail-local/program.rs"]
mod program;
#[path = "qmail-local/search.rs"]
mod search;
#[path = "qmail-local/trouble.rs"]
mod trouble;

use std::fmt::Write;

use harness::{Command, Run, Side};

/// The message of most cases.
const MESSAGE: &str = "Received: here\nFrom: me\n\nFrom the start\n>From then on\nend";

/// One delivery.
#[derive(Clone, Copy)]
struct Delivery<'a> {
    dash: &'a str,
    ext: &'a str,
    host: &'a str,
    sender: &'a str,
    default: &'a str,
    message: &'a str,
}

impl Default for Delivery<'_> {
    fn default() -> Self {
        Delivery {
            dash: "",
            ext: "",
            host: "h.test",
            sender: "s@x.y",
            default: "./Mailbox",
            message: MESSAGE,
        }
    }
}

impl<'a> Delivery<'a> {
    /// To an address with this extension.
    fn to(ext: &'a str) -> Delivery<'a> {
        Delivery { dash: "-", ext, ..Delivery::default() }
    }

    /// As the user of the directory `home` of the case.
    fn command<'s>(&self, side: &'s Side, options: &[&str]) -> Command<'s> {
        self.command_at(side, options, &side.path().join("home").display().to_string())
    }

    fn command_at<'s>(&self, side: &'s Side, options: &[&str], home: &str) -> Command<'s> {
        let local = format!("spec{}{}", self.dash, self.ext);
        let words =
            ["spec", home, &local, self.dash, self.ext, self.host, self.sender, self.default];
        side.command([&["qmail-local"], options, &["--"], &words[..]].concat())
            .stdin_file(self.message)
    }

    /// Delivers.
    fn run(&self, side: &Side) -> Run {
        self.command(side, &[]).as_user().run()
    }

    /// Shows what would be done.
    fn show(&self, side: &Side) -> Run {
        self.command(side, &["-n"]).as_user().run()
    }
}

/// Several runs as one.
#[derive(Default)]
struct Several(String);

impl Several {
    fn add(&mut self, label: &str, run: &Run) {
        let (out, err) =
            (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
        let _ = writeln!(self.0, "{label}: exit {}\n{out}{err}", run.exit); // into a String
    }

    fn run(self) -> Run {
        Run { stdout: self.0.into_bytes(), stderr: Vec::new(), exit: 0 }
    }
}

/// The text without unique names, dates and process numbers.
fn without_ids(text: &str) -> String {
    let mut result = String::new();
    for line in text.split_inclusive("\\n") {
        let (body, end) = line.strip_suffix("\\n").map_or((line, ""), |line| (line, "\\n"));
        let words: Vec<&str> = body.split(' ').collect();
        let body = match words[..] {
            ["qp", _] => "qp N".to_owned(),
            // A `From ` line, or the variable that holds one.
            ["From" | "UFLINE=From", sender, _, _, _, clock, _] if clock.contains(':') => {
                format!("{} {sender} DATE", words[0])
            }
            _ => match body.split_once("/new/") {
                Some((maildir, _)) => format!("{maildir}/new/NAME"),
                None => body.to_owned(),
            },
        };
        let _ = write!(result, "{body}{end}"); // into a String
    }
    result
}

#[test]
fn wrong_usage() {
    harness::recorded("qmail-local", "usage", |side| {
        side.directory("home");
        let home = side.path().join("home").display().to_string();
        let good = ["spec", &home, "spec", "", "", "h.test", "s@x.y", "./Mailbox"];
        let mut relative = good;
        relative[1] = "home";
        let mut several = Several::default();
        let more = [&good[..], &["more"]].concat();
        for words in [&[][..], &["-x"], &good[..7], &more[..], &relative[..]] {
            let run = side.command([&["qmail-local"], words].concat()).run();
            let label = format!("{} words", words.len());
            several.add(&label, &run);
        }
        several.run()
    })
    .same();
}

#[test]
fn the_last_of_n_and_capital_n_counts() {
    harness::recorded("qmail-local", "options", |side| {
        side.directory("home");
        let mut several = Several::default();
        for options in [&["-n"][..], &["-Nn"], &["-n", "-N"]] {
            let run = Delivery::default().command(side, options).as_user().run();
            several.add(&options.join(" "), &run);
        }
        several.run()
    })
    .normalised(without_ids)
    .same();
}
