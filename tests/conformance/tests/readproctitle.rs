//! readproctitle beside the original.

use harness::{Background, Run, Side, case, until};
use unix::signal::Signal;

#[test]
fn a_last_argument_of_five_bytes_is_needed() {
    case(|side| side.run(["readproctitle"])).same();
    case(|side| side.run(["readproctitle", "...."])).same();
    case(|side| side.run(["readproctitle", "text", ""])).same();
    case(|side| side.run(["readproctitle", "....."])).same();
}

/// The arguments of a process, as ps would show them.
fn arguments(process: &Background) -> Vec<u8> {
    std::fs::read(format!("/proc/{}/cmdline", process.pid())).unwrap_or_default()
}

/// What ps shows when `text` has been read, up to the byte that must come last.
fn title(side: &Side, words: &[&str], text: &[u8]) -> Run {
    let mut reader = side.command([&["readproctitle"], words].concat()).converse();
    reader.talk(text, "");
    let last: Vec<u8> = text.iter().copied().filter(|&byte| byte != 0).rev().take(2).collect();
    let is_shown = || {
        let shown = arguments(&reader);
        let shown: Vec<u8> = shown.iter().rev().skip(1).take(last.len()).copied().collect();
        !shown.is_empty() && shown == last
    };
    assert!(until(is_shown), "{}", arguments(&reader).escape_ascii());
    let stdout = arguments(&reader);
    reader.close_input();
    let exit = reader.ends();
    Run { stdout, stderr: reader.stderr(), exit }
}

#[test]
fn the_last_of_the_input_is_shown_in_the_last_argument() {
    let dots = "....................";
    let all: [(&[&str], &[u8]); 6] = [
        (&["service", "errors:", dots], b"hello\nworld"),
        (&[dots], b"short"),
        (&["x", "0123456789"], b"replaced"),
        (&["x", dots], b"much longer than the place that there is for it"),
        (&["x", dots], b"zeros\0are\0\0left out\0"),
        (&["x", "....."], b"last"),
    ];
    for (words, text) in all {
        case(|side| title(side, words, text)).same();
    }
}

/// What ours shows with `-t`, as text.
fn stamped(reader: &Background) -> String {
    String::from_utf8_lossy(&arguments(reader)).replace('\0', " ")
}

#[test]
fn t_shows_when_each_line_came() {
    let side = Side::ours();
    let dots = ".".repeat(200);
    let mut reader = side.command(["readproctitle", "-t", "x", &dots]).converse();
    reader.talk("one\ntwo", "");
    assert!(until(|| stamped(&reader).ends_with("Z two ")), "{}", stamped(&reader));
    reader.talk(" and\nthree", "");
    assert!(until(|| stamped(&reader).ends_with("Z three ")), "{}", stamped(&reader));
    let shown = stamped(&reader);
    let lines: Vec<&str> = shown.lines().collect();
    let [first, second, third] = *lines else { panic!("{shown}") };
    let first = first.trim_start_matches("readproctitle -t x ").trim_start_matches('.');
    let words = [(first, "Z one"), (second, "Z two and"), (third, "Z three ")];
    for (line, words) in words {
        assert!(line.starts_with("20") && line.ends_with(words), "{shown}");
        assert_eq!(line.find('T'), Some("2026-11-25".len()), "{shown}");
    }
    reader.close_input();
    assert_eq!(reader.ends(), 0);
}

#[test]
fn the_room_is_that_of_the_last_argument() {
    let side = Side::ours();
    let lines: Vec<String> = (0..2000).map(|number| format!("line {number}\n")).collect();
    let text = lines.concat();
    for room in [5, 400, 10_000, 100_000] {
        let dots = ".".repeat(room);
        let mut reader = side.command(["readproctitle", "x", &dots]).converse();
        reader.talk(&text, "");
        let shown = || stamped(&reader).trim_start_matches("readproctitle x ").to_owned();
        let last = &text[text.len().saturating_sub(room - 3)..];
        let expected = format!("{}{last} ", &dots[last.len()..]);
        assert!(until(|| shown() == expected), "{}", shown());
        reader.close_input();
        assert_eq!(reader.ends(), 0);
    }
}

#[test]
fn nothing_is_shown_as_dots() {
    let case = case(|side| {
        let mut reader = side.command(["readproctitle", "x", "0123456789"]).converse();
        let is_shown = || arguments(&reader).ends_with(b"x\0..........\0");
        assert!(until(is_shown), "{}", arguments(&reader).escape_ascii());
        reader.signal(Signal::SIGTERM);
        Run { stdout: Vec::new(), stderr: Vec::new(), exit: reader.ends() }
    });
    case.same();
}

#[test]
fn a_great_deal_is_read_without_a_pause() {
    let case = case(|side| {
        let text = vec![b'x'; 1_000_000];
        side.command(["readproctitle", "x", "........."]).stdin(text).run()
    });
    case.same();
}

#[test]
fn an_input_that_cannot_be_read_is_111() {
    case(|side| side.run(["sh", "-c", "readproctitle x ...... < /"])).same();
}
