//! qail beside the script of qmail 1.03, which is one line.

mod reader;

#[test]
fn mail_is_moved_and_then_read() {
    reader::mail_is_moved_and_then_read("qail", "Mail");
}

#[test]
fn without_having_moved_it_nothing_is_read() {
    reader::without_having_moved_it_nothing_is_read("qail", "Mail");
}
