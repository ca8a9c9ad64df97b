//! How conversations end, and what is told when all hosts were asked in vain.

/// How a conversation has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ending {
    /// Before the message was mentioned: another host may be asked.
    Early {
        /// The host says that trying later is no use.
        is_permanent: bool,
        /// What happened, without the first letter of a report and without a zero byte.
        text: Vec<u8>,
    },
    /// With this report.
    Final(Vec<u8>),
}

/// What has been tried without a final report.
#[derive(Debug, Default)]
pub struct Attempts {
    /// What the last host said, if any said something.
    text: Option<Vec<u8>>,
    /// Not all of them said that trying later is no use.
    may_change: bool,
}

impl Attempts {
    /// A conversation that has ended early, as [`Ending::Early`] has it.
    pub fn early(&mut self, is_permanent: bool, text: Vec<u8>) {
        self.may_change |= !is_permanent;
        self.text = Some(text);
    }

    /// A host that could not be connected to, or was not even tried.
    pub fn unreached(&mut self) {
        self.may_change = true;
    }

    /// The report if there is nobody left to try.
    #[must_use]
    pub fn report(self) -> Vec<u8> {
        let letter = if self.may_change { b"Z" } else { b"D" };
        match self.text {
            Some(text) => [letter, text.as_slice(), b"\0"].concat(),
            None => b"ZSorry, I wasn't able to establish an SMTP connection. (#4.4.1)\n\0".to_vec(),
        }
    }
}
