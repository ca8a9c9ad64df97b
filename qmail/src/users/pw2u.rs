//! Lines of users/assign from those of the account database. Source: qmail-pw2u(8).

use std::collections::BTreeMap;

use unix::user::User;

use crate::control::List;

/// How assignments are written.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// What stands between a user's name and an extension; none for no extensions.
    pub separator: Option<u8>,
    /// What stands between `.qmail` and the extension: `-`, or `-/`.
    pub dash: &'static str,
    /// True if a name may have letters in upper case.
    pub upper_case: bool,
}

/// Which users receive mail, and under which names. Names are compared without regard to case.
#[derive(Debug, Default)]
pub struct Lists {
    include: Option<BTreeMap<Vec<u8>, Vec<u8>>>,
    exclude: BTreeMap<Vec<u8>, Vec<u8>>,
    mail_names: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl Lists {
    /// From users/include, users/exclude and users/mailnames, as far as they exist.
    #[must_use]
    pub fn new(include: Option<&List>, exclude: Option<&List>, names: Option<&List>) -> Lists {
        let lines = |list: &List| {
            list.lines().map(|line| (line.to_ascii_lowercase(), Vec::new())).collect()
        };
        let names = names.into_iter().flat_map(List::lines).filter_map(|line| {
            let (user, names) = wire::text::split_once(line, b':')?;
            Some((user.to_ascii_lowercase(), names.to_vec()))
        });
        Lists {
            include: include.map(lines),
            exclude: exclude.map(lines).unwrap_or_default(),
            mail_names: names.collect(),
        }
    }

    fn has(&self, user: &[u8]) -> bool {
        let key = user.to_ascii_lowercase();
        let is_included = self.include.as_ref().is_none_or(|include| include.contains_key(&key));
        is_included && !self.exclude.contains_key(&key)
    }
}

/// The user of a line of passwd(5), without its newline, if the line is whole and mail may go there: not
/// to root, nor to those that the options and lists leave out. Whether the home exists is not asked.
#[must_use]
pub fn candidate(line: &[u8], options: &Options, lists: &Lists) -> Option<User> {
    let is_whole = memchr::memchr_iter(b':', line).count() >= 6 && !line.contains(&0);
    let user = User::parse(line).filter(|user| is_whole && !user.uid.is_root())?;
    let is_named = options.upper_case || !user.name.iter().any(u8::is_ascii_uppercase);
    (is_named && lists.has(&user.name)).then_some(user)
}

/// The assignments so far.
#[derive(Debug)]
pub struct Assignments<'a> {
    options: Options,
    lists: &'a Lists,
    text: Vec<u8>,
    /// The data of each user, by the name in lower case.
    users: BTreeMap<Vec<u8>, Vec<u8>>,
}

impl<'a> Assignments<'a> {
    /// None yet.
    #[must_use]
    pub fn new(options: Options, lists: &'a Lists) -> Assignments<'a> {
        Assignments { options, lists, text: Vec::new(), users: BTreeMap::new() }
    }

    /// Adds a user's. Addresses that are nobody's go to the one who `is_alias`.
    pub fn add(&mut self, user: &User, is_alias: bool) {
        use std::os::unix::ffi::OsStrExt;
        let data = [
            b":",
            user.name.as_slice(),
            format!(":{}:{}:", user.uid, user.gid).as_bytes(),
            user.home.as_os_str().as_bytes(),
            b":",
        ]
        .concat();
        let key = user.name.to_ascii_lowercase();
        let dash = self.options.dash;
        if is_alias {
            self.line(&[b"+", &data, dash.as_bytes(), b"::\n"]);
        }
        let names = self.lists.mail_names.get(&key).unwrap_or(&user.name);
        for name in names.split(|&byte| byte == b':').filter(|name| !name.is_empty()) {
            self.line(&[b"=", name, &data, b"::\n"]);
            if let Some(separator) = self.options.separator {
                self.line(&[b"+", name, &[separator], &data, dash.as_bytes(), b"::\n"]);
            }
        }
        self.users.insert(key, data);
    }

    /// Adds those of a line of users/subusers, `address:user:extension:`; one with fewer colons says
    /// nothing. A user who has no assignment is the error.
    pub fn add_sub<'b>(&mut self, line: &'b [u8]) -> Result<(), &'b [u8]> {
        let mut fields = line.split(|&byte| byte == b':');
        let (Some(address), Some(user), Some(extension), Some(_)) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Ok(());
        };
        let data = self.users.get(&user.to_ascii_lowercase()).ok_or(user)?.clone();
        let dash = self.options.dash.as_bytes();
        self.line(&[b"=", address, &data, dash, b":", extension, b":\n"]);
        if let Some(separator) = self.options.separator {
            let head = [b"+", address, &[separator]].concat();
            self.line(&[&head, &data, dash, b":", extension, b"-:\n"]);
        }
        Ok(())
    }

    /// The whole of users/assign, with `more` at its end.
    #[must_use]
    pub fn finish(mut self, more: &[u8]) -> Vec<u8> {
        self.text.extend_from_slice(more);
        // Or the last line would swallow the one that ends the file.
        if !self.text.is_empty() && !self.text.ends_with(b"\n") {
            self.text.push(b'\n');
        }
        self.text.extend_from_slice(b".\n");
        self.text
    }

    fn line(&mut self, parts: &[&[u8]]) {
        self.text.extend(parts.iter().copied().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: Options = Options { separator: Some(b'-'), dash: "-", upper_case: false };

    fn assigned(passwd: &str, lists: &Lists) -> String {
        let mut assignments = Assignments::new(PLAIN, lists);
        for line in passwd.lines() {
            if let Some(user) = candidate(line.as_bytes(), &PLAIN, lists) {
                assignments.add(&user, user.name == b"alias");
            }
        }
        String::from_utf8(assignments.finish(b"")).unwrap()
    }

    #[test]
    fn a_user_has_an_address_and_its_extensions() {
        let expected = "=joe:joe:507:100:/home/joe:::\n+joe-:joe:507:100:/home/joe:-::\n.\n";
        let passwd = "joe:x:507:100:Joe:/home/joe:/bin/sh";
        assert_eq!(assigned(passwd, &Lists::default()), expected);
    }

    #[test]
    fn root_and_lines_that_are_none_are_left_out() {
        for line in [
            "root:x:0:0::/root:/bin/sh",
            "joe:x:507:100:Joe:/home/joe",
            "joe:x:507x:100:Joe:/home/joe:",
            ":x:507:100:Joe:/home/joe:",
            "Joe:x:507:100:Joe:/home/joe:",
            "+::::::",
            "",
        ] {
            assert_eq!(assigned(line, &Lists::default()), ".\n", "{line}");
        }
    }

    #[test]
    fn lists_say_who_and_how() {
        let list = |text: &str| List::new(text);
        let (include, exclude) = (list("joe\nANN\nbob\n"), list("Bob\n"));
        let lists = Lists::new(Some(&include), Some(&exclude), Some(&list("joe:j::k\n")));
        for (name, expected) in [("joe", true), ("ann", true), ("bob", false), ("eve", false)] {
            assert_eq!(lists.has(name.as_bytes()), expected, "{name}");
        }
        let text = assigned("joe:x:507:100::/h:/", &lists);
        let expected = "=j:joe:507:100:/h:::\n+j-:joe:507:100:/h:-::\n\
                        =k:joe:507:100:/h:::\n+k-:joe:507:100:/h:-::\n.\n";
        assert_eq!(text, expected);
    }

    #[test]
    fn what_is_appended_ends_its_line() {
        let lists = Lists::default();
        assert_eq!(Assignments::new(PLAIN, &lists).finish(b"=x:y"), b"=x:y\n.\n");
    }

    proptest! {
        #[test]
        fn any_line_is_read(line: Vec<u8>, sub: Vec<u8>) {
            let lists = Lists::default();
            let mut assignments = Assignments::new(PLAIN, &lists);
            if let Some(user) = candidate(&line, &PLAIN, &lists) {
                assignments.add(&user, false);
            }
            let _ = assignments.add_sub(&sub);
            prop_assert!(assignments.finish(&line).ends_with(b".\n"));
        }
    }
}
