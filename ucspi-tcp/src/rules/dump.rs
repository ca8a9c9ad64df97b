//! From a cdb back to lines of rules.

use std::io::Write;
use std::path::Path;

use lookup::cdb::Cdb;
use prog::{Fatal, OrFatal};
use wire::gather::Gather;
use wire::text;

use super::{Address, Lengths, Wrong, networks, parse};

/// Writes the rules of the database at `path` to `output`, a line each, in the order of its records.
///
/// What [`compile`](super::compile) makes of them is the same file, byte for byte, unless there is
/// a warning: another program may have made it, and allowed rules that can never match. Needs the
/// memory of one record.
pub fn dump(path: &Path, output: &mut impl Write) -> Result<Option<String>, Fatal> {
    let unreadable = ("unable to read ", path);
    let cdb = Cdb::open(path).or_fatal(unreadable)?;
    let mut records = cdb.all().or_fatal(unreadable)?;
    let mut dumper = Dumper::default();
    while let Some((key, data)) = records.advance().or_fatal(unreadable)? {
        let strange = || {
            Fatal::hard((path, " has a record that is no rule: ", key.escape_ascii().to_string()))
        };
        if dumper.add(key, data).ok_or_else(strange)? {
            output.write_all(&dumper.line).or_fatal("unable to write output")?;
        }
    }
    output.flush().or_fatal("unable to write output")?;
    Ok(dumper.finish())
}

#[derive(Default)]
struct Dumper {
    /// The line of one rule, and what it is compiled to; kept for their memory.
    line: Vec<u8>,
    compiled: Gather,
    /// Those of the networks so far.
    lengths: Lengths,
    /// What the file has about lengths, behind all rules.
    listed: Option<Vec<u8>>,
    /// Why the file does not come out the same again.
    differs: Option<String>,
}

impl Dumper {
    /// Takes a record; true if it is a rule, which is in `line` now. `None` for one that no line is
    /// compiled to.
    fn add(&mut self, key: &[u8], data: &[u8]) -> Option<bool> {
        if key == networks::KEY && Lengths::read(data).record().is_some() {
            self.differs_at(key, self.listed.is_some());
            self.listed = Some(data.to_vec());
            return Some(false);
        }
        self.line.clear();
        push_rule(&mut self.line, key, data)?;
        let is_same = self.is_same(key, data);
        self.differs_at(key, !is_same || self.listed.is_some());
        self.line.push(b'\n');
        Some(true)
    }

    /// Whether the line is compiled to its record.
    fn is_same(&mut self, key: &[u8], data: &[u8]) -> bool {
        let Ok(Some(address)) = parse(&self.line, &mut self.compiled) else { return false };
        if let Address::Network(network) = address {
            self.lengths.add(network);
        }
        let mut keys = 0;
        let same: Result<(), Wrong> = address.keys(|made| {
            keys += 1;
            if made == key { Ok(()) } else { Err(Wrong::Malformed) }
        });
        same.is_ok() && keys == 1 && self.compiled.text() == data
    }

    fn differs_at(&mut self, key: &[u8], differs: bool) {
        if differs && self.differs.is_none() {
            let key = key.escape_ascii();
            self.differs = Some(format!("tcprules does not compile this address so: {key}"));
        }
    }

    /// A warning, if there is reason for one.
    fn finish(mut self) -> Option<String> {
        let listed = self.lengths.record().map(|(_, data)| data);
        self.differs_at(networks::KEY, self.listed != listed);
        self.differs
    }
}

/// Appends the line that is compiled to a record, without a newline. `None` if there is none.
fn push_rule(line: &mut Vec<u8>, key: &[u8], data: &[u8]) -> Option<()> {
    line.extend_from_slice(key);
    let mut data = data;
    if let Some(variables) = data.strip_prefix(b"D\0") {
        line.extend_from_slice(b":deny");
        data = variables;
    } else {
        line.extend_from_slice(b":allow");
    }
    while !data.is_empty() {
        let (variable, rest) = text::split_once(data.strip_prefix(b"+")?, 0)?;
        let (name, value) = text::split_once(variable, b'=')?;
        let quote = quote(value)?;
        line.push(b',');
        line.extend_from_slice(name);
        line.extend([b'=', quote]);
        line.extend_from_slice(value);
        line.push(quote);
        data = rest;
    }
    // A zero in the address would end the line, for the original.
    (!line.contains(&b'\n') && !line.contains(&0)).then_some(())
}

/// What may stand around a value: a quotation mark if it can, else what it does not have. Neither
/// can be a blank, as those at the end of a line do not count.
fn quote(value: &[u8]) -> Option<u8> {
    let printable = b'!'..=b'~';
    let mut quotes = [b'"', b'\''].into_iter().chain(printable).chain(1..=255);
    quotes.find(|quote| !value.contains(quote) && !text::is_blank(*quote) && *quote != b'\n')
}

#[cfg(test)]
mod tests {
    use super::super::compile;
    use super::*;
    use proptest::prelude::*;
    use std::fs;

    /// What rules are compiled to.
    fn compiled(folder: &Path, rules: &[u8]) -> Vec<u8> {
        let cdb = folder.join("cdb");
        compile(rules, &cdb, &folder.join("tmp")).unwrap();
        fs::read(cdb).unwrap()
    }

    fn dumped(cdb: &Path) -> (String, Option<String>) {
        let mut text = Vec::new();
        let warning = dump(cdb, &mut text).unwrap();
        (String::from_utf8(text).unwrap(), warning)
    }

    /// What a file with these records is dumped to.
    fn of_records(records: &[(&[u8], &[u8])]) -> Result<(String, Option<String>), Fatal> {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = lookup::cdb::Writer::create(&folder.path().join("tmp")).unwrap();
        for (key, data) in records {
            writer.add(key, data).unwrap();
        }
        let path = folder.path().join("cdb");
        writer.finish().unwrap().commit(&path).unwrap();
        let mut text = Vec::new();
        let warning = dump(&path, &mut text)?;
        Ok((String::from_utf8(text).unwrap(), warning))
    }

    #[test]
    fn each_record_is_a_line() {
        let folder = tempfile::tempdir().unwrap();
        let rules =
            "1.2.3.4-5:deny\n# all\n10.0.0.0/9:allow,A=xbx,B=\"\"\n=H.x:deny,Q=|\"|\n:allow\n";
        compiled(folder.path(), rules.as_bytes());
        let (text, warning) = dumped(&folder.path().join("cdb"));
        let lines = [
            "1.2.3.4:deny",
            "1.2.3.5:deny",
            "10.0.0.0/9:allow,A=\"b\",B=\"\"",
            "=h.x:deny,Q='\"'",
            ":allow",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
        assert_eq!(warning, None);
    }

    #[test]
    fn a_record_that_is_no_rule_is_told() {
        let records: [(&[u8], &[u8]); 6] = [
            (b"a", b"x"),
            (b"a", b"+A=b"),
            (b"a", b"+A\0"),
            (b"a", b"+A=b\0D\0"),
            (b"a", b"+A=\n\0"),
            (b"a\0", b""),
        ];
        for record in records {
            assert!(of_records(&[record]).is_err(), "{record:?}");
        }
    }

    #[test]
    fn what_is_not_compiled_so_is_warned_of() {
        let records: [(&[u8], &[u8]); 6] = [
            (b"10.1.2", b"D\0"),
            (b"#", b""),
            (b"2001:DB8::1", b""),
            (b"10.0.0.0/9", b""),
            (b"1.2.3.4", b"+=x\0"),
            (b"1.2.3.4-4", b""),
        ];
        for record in records {
            let (text, warning) = of_records(&[record]).unwrap();
            assert!(text.starts_with(std::str::from_utf8(record.0).unwrap()), "{text}");
            assert!(warning.is_some(), "{text}");
        }
        let lengths: (&[u8], &[u8]) = (b"/", b"4/9\0");
        assert_eq!(of_records(&[(b"10.0.0.0/9", b""), lengths]).unwrap().1, None);
        assert!(of_records(&[lengths, (b"10.0.0.0/9", b"")]).unwrap().1.is_some());
        assert!(of_records(&[lengths]).unwrap().1.is_some());
    }

    #[test]
    fn a_torn_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let whole = compiled(folder.path(), b"1.2.3.4:deny\n:allow\n");
        let cdb = folder.path().join("cdb");
        for length in 0..whole.len() {
            fs::write(&cdb, &whole[..length]).unwrap();
            assert!(dump(&cdb, &mut Vec::new()).is_err(), "cut at {length}");
        }
    }

    proptest! {
        #[test]
        fn a_dump_is_compiled_to_the_same_file(
            rules in prop::collection::vec(
                (
                    "([a-z]{1,2}@)?(1[0-3]\\.[0-9]\\.[0-9]\\.[0-9]|=[A-Ca-c]\\.x|2001:[dD]b8::[1-3])|\
                     10\\.([1-3]\\.)?|1[0-3]\\.1-3\\.|10\\.0\\.0\\.0/[1-9]|2001:db8::/[1-9]|=?|=\\.[ab]",
                    any::<bool>(),
                    prop::collection::vec(("[A-C=]{1,2}", "[^\u{0}\n|]{0,5}"), 0..3),
                ),
                0..30,
            ),
        ) {
            let folder = tempfile::tempdir().unwrap();
            let mut text = String::new();
            for (address, deny, variables) in rules {
                text.push_str(&address);
                text.push_str(if deny { ":deny" } else { ":allow" });
                for (name, value) in variables {
                    text.extend([",N", &name.replace('=', ""), "=|", &value, "|"]);
                }
                text.push('\n');
            }
            let made = compiled(folder.path(), text.as_bytes());
            let (dump, warning) = dumped(&folder.path().join("cdb"));
            prop_assert_eq!(warning, None);
            prop_assert!(compiled(folder.path(), dump.as_bytes()) == made, "{}", dump);
        }
    }
}
