//! The lines of qmail-log(5).

use prog::Piece;
use queue::path::MessageId;
use wire::decimal;

use crate::send::{Channel, Channels};

/// Lines that wait to be written, each ended by a newline. No time is in them: the logger knows it.
///
/// Many programs read these lines; what is new goes on lines of a new kind. Source: qmail-log(5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Log(Vec<u8>);

/// Recipients that are told of a message that is not served.
const TOLD: usize = 20;

/// How a delivery ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It will be tried again.
    Deferral,
    /// It will not.
    Failure,
    /// It is done.
    Success,
}

/// Deliveries under way and how many there may be.
pub type Load = Channels<(u16, u16)>;

impl Log {
    /// The lines so far; none are left.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.0)
    }

    /// The lines so far.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Forgets the lines.
    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// Appends lines.
    pub fn extend(&mut self, lines: &[u8]) {
        self.0.extend_from_slice(lines);
    }

    /// `status: local 1/10 remote 0/20`, and ` exitasap` when nothing new is begun any more.
    pub fn status(&mut self, load: Load, is_leaving: bool) {
        self.text("status:");
        for channel in Channel::ALL {
            let (used, limit) = load[channel];
            self.text(" ");
            self.text(channel.name());
            self.number(" ", used.into());
            self.number("/", limit.into());
        }
        self.line(if is_leaving { " exitasap" } else { "" });
    }

    /// `status: exiting`, the last line.
    pub fn exiting(&mut self) {
        self.line("status: exiting");
    }

    /// `new msg 421`
    pub fn new_message(&mut self, id: MessageId) {
        self.number("new msg ", id.0);
        self.line("");
    }

    /// `info msg 421: bytes 300 from <a@b> qp 99 uid 0`
    pub fn info(&mut self, id: MessageId, bytes: u64, sender: &[u8], qp: u64, uid: u64) {
        self.number("info msg ", id.0);
        self.number(": bytes ", bytes);
        self.text(" from <");
        self.safe(sender);
        self.number("> qp ", qp);
        self.number(" uid ", uid);
        self.line("");
    }

    /// `warning: todo/421 was from <a@b> to 2: <joe@h> <x@y>`, with at most [`TOLD`] recipients: of an envelope that is
    /// removed.
    pub fn forgotten(&mut self, id: MessageId, sender: &[u8], recipients: &[&[u8]]) {
        self.number("warning: todo/", id.0);
        self.text(" was from <");
        self.safe(sender);
        self.number("> to ", recipients.len() as u64);
        self.text(":");
        for recipient in recipients.iter().take(TOLD) {
            self.text(" <");
            self.safe(recipient);
            self.text(">");
        }
        self.line(if recipients.len() > TOLD { " ..." } else { "" });
    }

    /// `starting delivery 3: msg 421 to local joe@h`
    pub fn starting(&mut self, delivery: u64, id: MessageId, channel: Channel, recipient: &[u8]) {
        self.number("starting delivery ", delivery);
        self.number(": msg ", id.0);
        self.text(" to ");
        self.text(channel.name());
        self.text(" ");
        self.safe(recipient);
        self.line("");
    }

    /// `delivery 3: success: …`; the text may be empty.
    pub fn delivery(&mut self, delivery: u64, outcome: Outcome, text: &[u8]) {
        self.number("delivery ", delivery);
        self.text(match outcome {
            Outcome::Deferral => ": deferral: ",
            Outcome::Failure => ": failure: ",
            Outcome::Success => ": success: ",
        });
        self.safe(text);
        self.line("");
    }

    /// `delivery 3: report mangled, will defer`
    pub fn mangled(&mut self, delivery: u64) {
        self.number("delivery ", delivery);
        self.line(": report mangled, will defer");
    }

    /// `bounce msg 421 qp 99`
    pub fn bounce(&mut self, id: MessageId, qp: u64) {
        self.number("bounce msg ", id.0);
        self.number(" qp ", qp);
        self.line("");
    }

    /// `triple bounce: discarding bounce/421`
    pub fn triple_bounce(&mut self, id: MessageId) {
        self.number("triple bounce: discarding bounce/", id.0);
        self.line("");
    }

    /// `end msg 421`
    pub fn end(&mut self, id: MessageId) {
        self.number("end msg ", id.0);
        self.line("");
    }

    /// `warning: …`: something to look at when there is time.
    pub fn warning(&mut self, what: impl Piece) {
        self.said("warning: ", what);
    }

    /// `alert: …`: something to look at now.
    pub fn alert(&mut self, what: impl Piece) {
        self.said("alert: ", what);
    }

    /// `trigger: …`: trouble with `lock/trigger`, and its end. The original has no such line.
    pub fn trigger(&mut self, what: impl Piece) {
        self.said("trigger: ", what);
    }

    fn said(&mut self, kind: &str, what: impl Piece) {
        self.text(kind);
        what.render(&mut self.0);
        self.line("");
    }

    fn text(&mut self, text: &str) {
        self.0.extend_from_slice(text.as_bytes());
    }

    fn number(&mut self, before: &str, number: u64) {
        self.text(before);
        decimal::push(&mut self.0, number);
    }

    fn line(&mut self, end: &str) {
        self.text(end);
        self.0.push(b'\n');
    }

    /// Appends what strangers wrote in a form that cannot break a line or a reader: a newline becomes
    /// `/`; `%`, blanks and whatever is not ASCII and visible become `_`.
    fn safe(&mut self, text: &[u8]) {
        self.0.extend(text.iter().map(|&byte| match byte {
            b'\n' => b'/',
            b'%' | ..33 | 127.. => b'_',
            _ => byte,
        }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: MessageId = MessageId(421);

    fn written(write: impl Fn(&mut Log)) -> String {
        let mut log = Log::default();
        write(&mut log);
        String::from_utf8(log.take()).unwrap()
    }

    #[test]
    fn each_line_is_the_original_s() {
        let load = Channels { local: (1, 10), remote: (0, 20) };
        let lines = written(|log| {
            log.status(load, false);
            log.new_message(ID);
            log.info(ID, 300, b"a@b", 99, 0);
            log.starting(3, ID, Channel::Remote, b"joe@h");
            log.mangled(3);
            log.bounce(ID, 99);
            log.triple_bounce(ID);
            log.end(ID);
            log.status(load, true);
            log.exiting();
        });
        assert_eq!(
            lines,
            "status: local 1/10 remote 0/20\n\
             new msg 421\n\
             info msg 421: bytes 300 from <a@b> qp 99 uid 0\n\
             starting delivery 3: msg 421 to remote joe@h\n\
             delivery 3: report mangled, will defer\n\
             bounce msg 421 qp 99\n\
             triple bounce: discarding bounce/421\n\
             end msg 421\n\
             status: local 1/10 remote 0/20 exitasap\n\
             status: exiting\n"
        );
    }

    #[test]
    fn each_outcome_has_its_word() {
        let line = |outcome, text| written(|log| log.delivery(7, outcome, text));
        assert_eq!(line(Outcome::Success, b""), "delivery 7: success: \n");
        assert_eq!(line(Outcome::Failure, b"no\nsuch"), "delivery 7: failure: no/such\n");
        assert_eq!(line(Outcome::Deferral, b"later"), "delivery 7: deferral: later\n");
    }

    #[test]
    fn what_strangers_wrote_stays_on_its_line() {
        let text = b"a b\tc%d\xe9\x7f\x1b[0m\r\n!~";
        let line = written(|log| log.delivery(1, Outcome::Success, text));
        assert_eq!(line, "delivery 1: success: a_b_c_d___[0m_/!~\n");
    }

    #[test]
    fn whom_a_message_was_for_is_told_of_some() {
        let line = written(|log| log.forgotten(ID, b"", &[b"joe\n@h", b"x y"]));
        assert_eq!(line, "warning: todo/421 was from <> to 2: <joe/@h> <x_y>\n");
        let line = written(|log| log.forgotten(ID, b"a@b", &[b"x".as_slice(); 21]));
        let told = " <x>".repeat(20);
        assert_eq!(line, format!("warning: todo/421 was from <a@b> to 21:{told} ...\n"));
    }

    #[test]
    fn trouble_is_a_warning_or_an_alert() {
        let line = written(|log| {
            log.warning(("unable to stat ", "info/3/49", "; will try again later"));
            log.alert("unable to reread control/locals");
        });
        assert_eq!(
            line,
            "warning: unable to stat info/3/49; will try again later\n\
             alert: unable to reread control/locals\n"
        );
    }
}
