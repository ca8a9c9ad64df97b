//! How busy the machine is.
#![expect(unsafe_code, reason = "sysinfo(2) has no wrapper in the features we use")]

use std::io;
use std::mem::MaybeUninit;

/// The load average of the last minute, in hundredths: 350 is 3.50. Source: sysinfo(2).
pub fn average() -> io::Result<u64> {
    let mut info = MaybeUninit::<libc::sysinfo>::zeroed();
    // SAFETY: the kernel fills `info`, and reads nothing.
    if unsafe { libc::sysinfo(info.as_mut_ptr()) } < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: numbers only, written just above.
    let info = unsafe { info.assume_init() };
    let [minute, ..] = info.loads.map(u64::from);
    Ok(minute.saturating_mul(100) >> libc::SI_LOAD_SHIFT)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_load_is_what_proc_says() {
        let is_same = || {
            let text = std::fs::read_to_string("/proc/loadavg").unwrap();
            let shown: f64 = text.split(' ').next().unwrap().parse().unwrap();
            let ours = u32::try_from(super::average().unwrap()).unwrap();
            (f64::from(ours) / 100.0 - shown).abs() < 0.02
        };
        // It may have changed in between, but not each time.
        assert!((0..20).any(|_| is_same()));
    }
}
