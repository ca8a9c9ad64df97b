//! qmail-pw2u beside the recordings of the original.

use harness::{Case, Run, Side, recorded};

const ALIAS: &str = "alias:x:7790:2108::/var/qmail/alias:/bin/true\n";

/// With `passwd` on standard input, and these files in users/.
fn convert(side: &Side, args: &[&str], files: &[(&str, &str)], passwd: &str) -> Run {
    for (file, contents) in files {
        side.host_file(&format!("users/{file}"), contents);
    }
    side.command([&["qmail-pw2u"], args].concat()).stdin(passwd).run()
}

fn case(name: &str, args: &[&str], files: &[(&str, &str)], passwd: &str) -> Case {
    recorded("qmail-pw2u", name, |side| convert(side, args, files, passwd))
}

fn users() -> String {
    format!(
        "root:x:0:0:root:/root:/bin/sh\n\
         {ALIAS}\
         joe:x:507:100:Joe Shmoe,,,:/home/joe:/bin/sh\n\
         Ann:x:508:100::/home/ann:\n\
         cut:x:509:100\n\
         short:x:509:100::/home/short\n\
         bob:x:510:100::/home/bob:/bin/sh"
    )
}

#[test]
fn every_user_gets_an_address_and_extensions() {
    case("users", &["-H"], &[], &users()).same();
    case("upper-case", &["-Hu"], &[], &users()).same();
    case("no-upper-case", &["-HuU"], &[], &users()).same();
}

#[test]
fn options_say_how_extensions_look() {
    case("break", &["-H", "-c+"], &[], &users()).same();
    case("no-break", &["-HC"], &[], &users()).same();
    case("empty-break", &["-H", "-c", ""], &[], &users()).same();
    case("directories", &["-H/"], &[], &users()).same();
}

#[test]
fn files_say_who_and_under_which_names() {
    case("include", &["-H"], &[("include", "alias\n# none\nJOE \n")], &users()).same();
    case("exclude", &["-H"], &[("exclude", "joe\nnobody\n")], &users()).same();
    let names = "joe:joe.shmoe::shmoe\nbob\nalias:\njoe:j:\n";
    case("names", &["-H"], &[("mailnames", names)], &users()).same();
}

#[test]
fn addresses_below_a_user_s_are_in_subusers() {
    let subs = "sales:joe:sell:\nopen:BOB:o:more\nnothing:joe\n\n";
    case("subusers", &["-H"], &[("subusers", subs)], &users()).same();
    case("subusers-directories", &["-H/", "-c+"], &[("subusers", subs)], &users()).same();
}

/// The original has written by then what it knew.
#[test]
fn a_failure_leaves_no_half_of_the_assignments() {
    let joe = "=joe:joe:507:100:/home/joe:::\n+joe-:joe:507:100:/home/joe:-::\n";
    let _ = case("no-alias", &["-H"], &[], "joe:x:507:100::/home/joe:/bin/sh\n")
        .same_exit()
        .same_stderr()
        .differing_stdout("", joe);
    case("empty", &["-H"], &[], "").same();
    let _ = case("no-user", &["-H"], &[("subusers", "x:eve:y:\n")], ALIAS)
        .same_exit()
        .same_stderr()
        .differing_stdout(
            "",
            "+:alias:7790:2108:/var/qmail/alias:-::\n\
             =alias:alias:7790:2108:/var/qmail/alias:::\n\
             +alias-:alias:7790:2108:/var/qmail/alias:-::\n",
        );
}

#[test]
fn what_is_to_be_appended_is() {
    let more = "=x:joe:507:100:/home/joe:-:x:\n";
    case("append", &["-H"], &[("append", more)], &users()).same();
    let expected = |end: &str| {
        format!(
            "+:alias:7790:2108:/var/qmail/alias:-::\n\
             =alias:alias:7790:2108:/var/qmail/alias:::\n\
             +alias-:alias:7790:2108:/var/qmail/alias:-::\n\
             =x:{end}"
        )
    };
    case("append-cut", &["-H"], &[("append", "=x:")], ALIAS)
        .same_exit()
        .differing_stdout(&expected("\n.\n"), &expected(".\n"));
}

/// The account that runs the tests is not known before.
#[test]
fn a_user_owns_his_home() {
    let alias = "alias:x:1:1::/:\n";
    case("homes", &["-o"], &[], &format!("{alias}joe:x:507:100::/:\neve:x:508:100::/no/home:\n"))
        .same();
    case("no-home", &["-h"], &[], "alias:x:1:1::/no/home:\n").same();
    case("no-directory", &[], &[], "alias:x:1:1::/etc/passwd/home:\n").same();
    let side = Side::ours();
    let home = side.path();
    let uid = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(&home).expect("a home"));
    if uid == 0 {
        std::os::unix::fs::chown(&home, Some(507), None).expect("root may");
    }
    let uid = if uid == 0 { 507 } else { uid };
    let passwd = format!(
        "alias:x:{uid}:1::{0}:\njoe:x:{1}:1::{0}:\neve:x:{uid}:1::{0}/missing:\n",
        home.display(),
        uid + 1
    );
    let run = convert(&side, &[], &[], &passwd);
    let text = String::from_utf8_lossy(&run.stdout).into_owned();
    assert_eq!((run.exit, text.lines().count()), (0, 4), "{text}");
    assert!(text.starts_with(&format!("+:alias:{uid}:1:{}:-::\n", home.display())), "{text}");
}

#[test]
fn a_number_that_is_none_makes_no_assignment() {
    let expected = |more: &str| {
        format!(
            "+:alias:7790:2108:/var/qmail/alias:-::\n\
             =alias:alias:7790:2108:/var/qmail/alias:::\n\
             +alias-:alias:7790:2108:/var/qmail/alias:-::\n\
             {more}.\n"
        )
    };
    let bad = "=x:x:5x:1:/:::\n+x-:x:5x:1:/:-::\n";
    case("no-number", &["-H"], &[], &format!("{ALIAS}x:x:5x:1::/:\n"))
        .same_exit()
        .differing_stdout(&expected(""), &expected(bad));
}

#[test]
fn wrong_options_are_told() {
    case("usage", &["-x"], &[], "").same_exit().same_stdout();
}

#[test]
fn a_file_that_cannot_be_read_ends_it() {
    recorded("qmail-pw2u", "unreadable", |side| {
        let path = side.home().join("users/include");
        std::fs::create_dir(&path).expect("a directory");
        let run = convert(side, &["-H"], &[], ALIAS);
        std::fs::remove_dir(&path).expect("the directory");
        run
    })
    .same();
}
