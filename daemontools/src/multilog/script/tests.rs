//! Arguments by example.

use super::*;
use proptest::prelude::*;

fn logs(arguments: &[&str]) -> Vec<Log> {
    Script::parse(arguments).unwrap().logs
}

fn log(dir: &str) -> Log {
    Log { dir: dir.into(), ..Log::default() }
}

fn no_action(argument: &str) -> Result<Script, Mistake> {
    Err(Mistake::NoAction(argument.into()))
}

#[test]
fn actions_stand_in_the_order_of_the_arguments() {
    let script = Script::parse(&["t", "-*", "+*x*", "e", "=status", "./a", "/b"]).unwrap();
    assert_eq!(script.stamp, Some(Form::Tai64n));
    let pattern = |text: &[u8]| Pattern::parse(text);
    assert_eq!(
        script.actions,
        [
            Action::Deselect(pattern(b"*")),
            Action::Select(pattern(b"*x*")),
            Action::Alert,
            Action::Status(0),
            Action::Log(0),
            Action::Log(1),
        ]
    );
    assert_eq!(script.statuses, [PathBuf::from("status")]);
    let dirs: Vec<_> = script.logs.iter().map(|log| log.dir.as_os_str()).collect();
    assert_eq!(dirs, ["./a", "/b"]);
}

#[test]
fn what_is_set_holds_for_the_directories_behind_it() {
    let found = logs(&["./a", "s5000", "R60", "./b", "n3", "S70000", "wtxt", "./c"]);
    let b = Log { size: 5000, age: Some(60), ..log("./b") };
    let code = OsString::from("txt");
    let c = Log { dir: "./c".into(), keep: 3, total: Some(70_000), code, ..b.clone() };
    assert_eq!(found, [log("./a"), b, c]);
}

#[test]
fn size_and_number_have_bounds() {
    let found = |arguments: &[&str]| logs(arguments).pop().map(|log| (log.size, log.keep));
    assert_eq!(logs(&["./a"]), [log("./a")]);
    assert_eq!((log("./a").size, log("./a").keep), (99_999, 10));
    assert_eq!(found(&["s1", "n0", "./a"]), Some((4096, 2)));
    assert_eq!(found(&["s", "n", "./a"]), Some((4096, 2)));
    assert_eq!(found(&["s2147483648", "n77", "./a"]), Some((2_147_483_647, 77)));
    let huge = "s99999999999999999999999";
    assert_eq!(found(&[huge, "./a"]), Some((2_147_483_647, 10)));
}

#[test]
fn a_limit_of_nothing_is_none() {
    let found = logs(&["R5", "S9000", "./a", "R0", "S0", "./b", "R", "./c"]);
    let limits: Vec<_> = found.iter().map(|log| (log.age, log.total)).collect();
    assert_eq!(limits, [(Some(5), Some(9000)), (None, None), (None, None)]);
}

#[test]
fn a_processor_holds_until_another_one() {
    let found = logs(&["!gzip", "./a", "!", "./b", "wgz", "&gzip -9", "./c", "&", "./d"]);
    let processors: Vec<_> = found.into_iter().map(|log| log.processor).collect();
    let (before, behind) = ("gzip".into(), "gzip -9".into());
    let expected = [Some(Processor::Before(before)), None, Some(Processor::Behind(behind)), None];
    assert_eq!(processors, expected);
}

#[test]
fn what_is_made_behind_needs_names_of_its_own() {
    assert_eq!(Script::parse(&["&gzip", "./a"]), Err(Mistake::NoCode("./a".into())));
    assert_eq!(Script::parse(&["wu", "&gzip", "./a"]), no_action("wu"));
    assert!(Script::parse(&["&gzip", "wgz", "./a"]).is_ok());
}

#[test]
fn a_code_is_a_part_of_a_name() {
    assert_eq!(logs(&["wtar.gz", "./a"])[0].code, "tar.gz");
    for argument in ["w", "wa/b", &format!("w{}", "x".repeat(200))] {
        assert_eq!(Script::parse(&[argument]), no_action(argument));
    }
}

#[test]
fn patterns_are_read_as_the_last_manner_says() {
    let script = Script::parse(&["F", "-a*b", "S", "+a*b"]).unwrap();
    let expected =
        [Action::Deselect(Pattern::glob(b"a*b")), Action::Select(Pattern::parse(b"a*b"))];
    assert_eq!(script.actions, expected);
}

#[test]
fn a_timestamp_comes_first_or_is_a_mistake() {
    let stamp = |word| Script::parse(&[word]).unwrap().stamp;
    assert_eq!(stamp("tai64n"), Some(Form::Tai64n));
    assert_eq!(stamp("I"), Some(Form::Iso));
    assert_eq!(stamp("T"), Some(Form::Unix));
    assert_eq!(stamp("e"), None);
    for word in ["t", "I", "T"] {
        assert_eq!(Script::parse(&["e", word]), Err(Mistake::LateStamp(word.into())));
    }
}

#[test]
fn an_argument_that_says_nothing_is_a_mistake() {
    for argument in ["", "main", "E", " e", "\n", "FF", "Sx", "It"] {
        assert_eq!(Script::parse(&[argument]), no_action(argument));
    }
}

proptest! {
    #[test]
    fn any_arguments_are_read_or_refused(arguments: Vec<Vec<u8>>) {
        let arguments: Vec<_> = arguments.iter().map(|word| OsStr::from_bytes(word)).collect();
        if let Ok(script) = Script::parse(&arguments) {
            prop_assert!(script.logs.iter().all(|log| (4096..=2_147_483_647).contains(&log.size)));
            prop_assert!(script.logs.iter().all(|log| log.keep >= 2));
        }
    }
}
