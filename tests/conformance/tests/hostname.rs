//! hostname beside the recordings of the original.

use harness::{Side, recorded};

#[test]
fn the_kernel_s_name_for_the_host_is_printed() {
    let own = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
    let own = own.trim_end().to_owned();
    recorded("hostname", "name", |side| side.run(["hostname"]))
        .normalised(|text| if text == format!("{own}\\n") { "NAME\\n".into() } else { text.into() })
        .same();
}

/// The original overlooks them.
#[test]
fn it_takes_no_arguments() {
    let run = Side::ours().run(["hostname", "-f"]);
    assert_eq!((run.exit, run.stdout), (100, Vec::new()));
}
