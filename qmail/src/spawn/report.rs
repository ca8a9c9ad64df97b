//! What the end of qmail-local or qmail-remote means for a delivery: success, deferral, failure.
//!
//! A report starts with `K`, `Z` or `D`; the rest is what the log and a bounce will say.

use unix::process::Status;

/// What a local delivery's output is cut to, the sentence that says so included.
pub const LONGEST_LOCAL: usize = 3000;

const CUT: &[u8] = b"\nError report too long, sorry.\n";

/// Exit codes by which the child that becomes qmail-local tells its spawner that it could not, and
/// by which qmail-getpw does.
pub mod code {
    /// An argument or identity that cannot be.
    pub const USAGE: u8 = 112;
    /// The user is root.
    pub const ROOT: u8 = 113;
    /// The user's home directory cannot be looked at just now.
    pub const NFS: u8 = 115;
    /// There is no alias user.
    pub const NO_ALIAS: u8 = 116;
    /// users/cdb cannot be read.
    pub const CDB: u8 = 117;
    /// A system call failed.
    pub const SYSTEM: u8 = 118;
    /// No memory.
    pub const MEMORY: u8 = 119;
    /// qmail-local could not be run, and may be later.
    pub const EXEC_SOFT: u8 = 120;
    /// qmail-getpw could not be run.
    pub const EXEC_GETPW: u8 = 121;
    /// qmail-local could not be run.
    pub const EXEC_HARD: u8 = 126;
}

/// The report on a local delivery whose child ended with `status` after writing `output`.
#[must_use]
pub fn local(status: Status, output: &[u8]) -> Vec<u8> {
    match status.code() {
        Some(code) => local_code(code, output),
        None => b"Zqmail-local crashed.\n".into(),
    }
}

/// The report on a local delivery that ended with an exit code.
#[must_use]
pub fn local_code(code: u8, output: &[u8]) -> Vec<u8> {
    let text: &[u8] = match code {
        code::CDB => b"ZTrouble reading users/cdb in qmail-lspawn.\n",
        code::MEMORY => b"ZOut of memory in qmail-lspawn.\n",
        code::SYSTEM => b"ZTemporary failure in qmail-lspawn.\n",
        code::NO_ALIAS => b"ZUnable to find alias user!\n",
        code::ROOT => b"ZNot allowed to perform deliveries as root.\n",
        code::USAGE => b"ZInternal qmail-lspawn bug.\n",
        code::NFS => b"ZNFS failure in qmail-local.\n",
        code::EXEC_HARD => b"DUnable to run qmail-local.\n",
        code::EXEC_SOFT => b"ZUnable to run qmail-local.\n",
        code::EXEC_GETPW => b"ZUnable to run qmail-getpw.\n",
        0 => return told(b'K', output),
        71 | 74 | 75 | 111 => return told(b'Z', output),
        _ => return told(b'D', output),
    };
    text.into()
}

/// `letter` and what comes before the first zero byte, cut to a bearable length.
fn told(letter: u8, output: &[u8]) -> Vec<u8> {
    let cut = output.get(..LONGEST_LOCAL - CUT.len() - 3).filter(|_| output.len() > LONGEST_LOCAL);
    let (text, end) = cut.map_or((output, &b""[..]), |text| (text, CUT));
    let text = [&[letter], text, end].concat();
    before_zero(&text).to_vec()
}

/// The report on a remote delivery whose child ended with `status` after writing `output`.
#[must_use]
pub fn remote(status: Status, output: &[u8]) -> Vec<u8> {
    match status.code() {
        None => b"Zqmail-remote crashed.\n".into(),
        Some(0) if output.is_empty() => b"Zqmail-remote produced no output.\n".into(),
        Some(0) => remote_output(output),
        Some(111) => b"ZUnable to run qmail-remote.\n".into(),
        Some(_) => b"DUnable to run qmail-remote.\n".into(),
    }
}

/// The same for each of several recipients, of whom qmail-remote was told in this order.
#[must_use]
pub fn remote_each(status: Status, output: &[u8], recipients: usize) -> Vec<Vec<u8>> {
    if recipients == 1 || status.code() != Some(0) || output.is_empty() {
        return vec![remote(status, output); recipients];
    }
    let whole = output.iter().rposition(|&byte| byte == 0).and_then(|end| output.get(..end));
    let records: Vec<_> = whole.into_iter().flat_map(|all| all.split(|&byte| byte == 0)).collect();
    let is_of_message = |record: &&[u8]| matches!(record.first(), Some(b'K' | b'Z' | b'D'));
    let end = records.iter().position(is_of_message).unwrap_or(records.len());
    let message = records.get(end).copied().unwrap_or_default();
    let report = |number: usize| match records.get(number).filter(|_| number < end) {
        Some(record) => remote_output(&[record, &[0][..], message, &[0]].concat()),
        // It was over before this one was mentioned. Then nobody has it.
        None if message.first() == Some(&b'K') => {
            b"Zqmail-remote did not tell of this recipient.\n".into()
        }
        None => remote_output(&[message, &[0]].concat()),
    };
    (0..recipients).map(report).collect()
}

/// How a delivery ended, the worst first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Result {
    Failure,
    Deferral,
    Success,
}

/// qmail-remote writes records that end in zero bytes: one on the recipient (`r`, `h`, `s` and a
/// text), one on the message (`K`, `Z`, `D` and a text). The recipient's letter counts unless it is
/// `r`; the second text is told only if the message fared no better than that.
fn remote_output(output: &[u8]) -> Vec<u8> {
    let whole = output.iter().rposition(|&byte| byte == 0).and_then(|end| output.get(..end));
    let result = whole
        .into_iter()
        .flat_map(|records| records.split(|&byte| byte == 0))
        .find_map(|record| match record.first() {
            Some(b'K') => Some(Result::Success),
            Some(b'Z') => Some(Result::Deferral),
            Some(b'D') => Some(Result::Failure),
            _ => None,
        })
        .unwrap_or(Result::Failure);
    let told = match output.first() {
        Some(b's') => Result::Deferral,
        Some(b'h') => Result::Failure,
        _ => result,
    };
    let mut report = vec![match told {
        Result::Success => b'K',
        Result::Deferral => b'Z',
        Result::Failure => b'D',
    }];
    // The first byte is a letter whatever it is.
    let rest = output.get(1..).unwrap_or_default();
    let first = before_zero(rest);
    if first.len() < rest.len() {
        report.extend_from_slice(first);
        let second = rest.get(first.len() + 1..).unwrap_or_default();
        if let ([b'K' | b'Z' | b'D', text @ ..], true) = (second, result <= told) {
            report.extend_from_slice(before_zero(text));
        }
    }
    report
}

fn before_zero(bytes: &[u8]) -> &[u8] {
    let end = memchr::memchr(0, bytes).unwrap_or(bytes.len());
    bytes.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn exited(code: u8) -> Status {
        Status::from_raw(i32::from(code) << 8)
    }

    fn local_text(code: u8, output: &str) -> String {
        String::from_utf8(local(exited(code), output.as_bytes())).unwrap()
    }

    fn remote_text(output: &str) -> String {
        String::from_utf8(remote(exited(0), output.as_bytes())).unwrap()
    }

    #[test]
    fn a_local_exit_code_gives_the_letter() {
        assert_eq!(local_text(0, "did 1+0+0\n"), "Kdid 1+0+0\n");
        for soft in [71, 74, 75, 111] {
            assert_eq!(local_text(soft, "x"), "Zx");
        }
        for hard in [1, 99, 100, 114, 200] {
            assert_eq!(local_text(hard, "x"), "Dx");
        }
    }

    #[test]
    fn the_spawners_own_codes_have_their_texts() {
        assert_eq!(local_text(116, "x"), "ZUnable to find alias user!\n");
        assert_eq!(local_text(126, ""), "DUnable to run qmail-local.\n");
        assert_eq!(local(Status::from_raw(11), b"x"), b"Zqmail-local crashed.\n");
    }

    #[test]
    fn output_ends_at_the_first_zero_byte() {
        assert_eq!(local_text(0, "one\0two"), "Kone");
    }

    #[test]
    fn a_long_local_report_is_cut_and_says_so() {
        assert_eq!(local_text(100, &"x".repeat(3000)), format!("D{}", "x".repeat(3000)));
        let cut = format!("D{}\nError report too long, sorry.\n", "x".repeat(2966));
        assert_eq!(local_text(100, &"x".repeat(3001)), cut);
    }

    #[test]
    fn a_remote_success_tells_both_texts() {
        assert_eq!(remote_text("r\0Kaccepted\0"), "Kaccepted");
        assert_eq!(remote_text("r1.2.3.4\0Kaccepted\0"), "K1.2.3.4accepted");
    }

    #[test]
    fn the_recipient_s_letter_overrules_the_message_s() {
        assert_eq!(remote_text("sgreylisted\n\0Kaccepted\0"), "Zgreylisted\n");
        assert_eq!(remote_text("hno such user\n\0Zlater\0"), "Dno such user\n");
        let both = "slater\n\0DGiving up on 127.0.0.1.\n\0";
        assert_eq!(remote_text(both), "Zlater\nGiving up on 127.0.0.1.\n");
    }

    #[test]
    fn a_message_record_alone_is_enough() {
        assert_eq!(remote_text("ZConnected but lost.\n\0"), "ZConnected but lost.\n");
        assert_eq!(remote_text("Dno\0"), "Dno");
    }

    #[test]
    fn without_a_whole_record_it_is_a_failure() {
        assert_eq!(remote_text("Kunfinished"), "D");
        assert_eq!(remote_text("x\0y\0"), "D");
        assert_eq!(remote(exited(0), b""), b"Zqmail-remote produced no output.\n");
        assert_eq!(remote(exited(111), b""), b"ZUnable to run qmail-remote.\n");
        assert_eq!(remote(exited(100), b"K\0"), b"DUnable to run qmail-remote.\n");
    }

    fn each(output: &str, recipients: usize) -> Vec<String> {
        let reports = remote_each(exited(0), output.as_bytes(), recipients);
        reports.into_iter().map(|report| String::from_utf8(report).unwrap()).collect()
    }

    #[test]
    fn each_of_several_recipients_has_a_report() {
        let output = "r\0hno such user\n\0sbusy\n\0r\0K1.2.3.4 accepted.\n\0";
        let expected =
            ["K1.2.3.4 accepted.\n", "Dno such user\n", "Zbusy\n", "K1.2.3.4 accepted.\n"];
        assert_eq!(each(output, 4), expected);
        let output = "r\0hno such user\n\0Zfailed.\n\0";
        assert_eq!(each(output, 2), ["Zfailed.\n", "Dno such user\n"]);
    }

    #[test]
    fn what_ends_before_a_recipient_is_mentioned_is_told_of_him_too() {
        assert_eq!(each("Dno such host\n\0", 2), ["Dno such host\n"; 2]);
        assert_eq!(each("r\0Zlost.\n\0", 3), ["Zlost.\n"; 3]);
        let untold = "Zqmail-remote did not tell of this recipient.\n";
        assert_eq!(each("r\0Kok\n\0", 2), ["Kok\n", untold]);
        assert_eq!(each("r\0r\0", 2), ["D", "D"]);
        assert_eq!(remote_each(exited(111), b"", 2), [b"ZUnable to run qmail-remote.\n"; 2]);
    }

    proptest! {
        #[test]
        fn nobody_is_left_without_a_report(output: Vec<u8>, recipients in 1usize..9) {
            let reports = remote_each(exited(0), &output, recipients);
            prop_assert_eq!(reports.len(), recipients);
            for report in reports {
                prop_assert!(matches!(report.first(), Some(b'K' | b'Z' | b'D')));
                prop_assert!(!report.contains(&0));
            }
        }

        #[test]
        fn a_report_is_never_empty_and_holds_no_zero_byte(code: u8, output: Vec<u8>) {
            for report in [local(exited(code), &output), remote(exited(code), &output)] {
                prop_assert!(matches!(report.first(), Some(b'K' | b'Z' | b'D')));
                prop_assert!(!report.contains(&0));
            }
        }
    }
}
