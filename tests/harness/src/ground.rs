//! What programs find who were started by a test: the same whoever started the test.

use std::sync::Once;

use unix::fd;
use unix::signal::{self, Signal};

/// Undoes what the test runner's own parents left behind: ignored signals, as a shell gives them to
/// what it runs in the background, and open descriptors. Both survive exec, and programs show them.
pub(crate) fn clear() {
    static CLEARED: Once = Once::new();
    CLEARED.call_once(|| {
        // SIGPIPE the Rust runtime ignores for itself, and resets in what it starts.
        for signal in Signal::iterator().filter(|&signal| signal != Signal::SIGPIPE) {
            if signal::is_ignored(signal) {
                signal::default(signal).expect("a signal that can be set");
            }
        }
        fd::close_all_on_exec(3).expect("a kernel that has close_range(2)");
    });
}
