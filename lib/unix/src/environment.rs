//! The environment of this process, replaced as a whole.
#![expect(unsafe_code, reason = "the C library's list of variables is a pointer")]

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::Mutex;

use crate::errno::Errno;

unsafe extern "C" {
    /// The list of variables, ended by a null pointer; POSIX lets a program give another one.
    static mut environ: *mut *mut c_char;
}

/// What `environ` points to, and what that points to.
struct List {
    pointers: Vec<*mut c_char>,
    _strings: Vec<CString>,
}

// SAFETY: behind its pointers are the strings that it owns.
unsafe impl Send for List {}

static LIST: Mutex<Option<List>> = Mutex::new(None);

/// Makes `variables`, each `NAME=VALUE`, the whole environment of this process, in this order, as
/// execve(2) would.
///
/// `EINVAL` if one of them has no name, no `=`, or a zero byte; then nothing is changed.
pub fn replace<V: Into<Vec<u8>>>(variables: impl IntoIterator<Item = V>) -> Result<(), Errno> {
    let strings: Option<Vec<CString>> =
        variables.into_iter().map(|variable| string(variable.into())).collect();
    let strings = strings.ok_or(Errno::EINVAL)?;
    let ends = [ptr::null_mut()];
    let mut list = List {
        pointers: strings.iter().map(|string| string.as_ptr().cast_mut()).chain(ends).collect(),
        _strings: strings,
    };
    let start = list.pointers.as_mut_ptr();
    let mut place = LIST.lock().map_err(|_| Errno::EINVAL)?; // nobody panics while it is locked
    // SAFETY: nobody else looks at the environment meanwhile: the process has one thread, forever, and
    // no signal handler of ours does. The list is whole, and kept until another one stands in its place;
    // the standard library gives copies of values, never pointers. Who sets a variable later, puts a
    // pointer into the list or a copy of the list in its place, and frees neither.
    unsafe { environ = start };
    *place = Some(list); // and the one before it goes, to which nothing points any more
    Ok(())
}

fn string(variable: Vec<u8>) -> Option<CString> {
    // As everywhere, a name has one byte at least, whatever that is.
    variable.iter().skip(1).find(|&&byte| byte == b'=')?;
    CString::new(variable).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::{OsStr, OsString};

    const ALONE: &str = "ENVIRONMENT_TEST_IS_ALONE";

    fn variables() -> Vec<(OsString, OsString)> {
        std::env::vars_os().collect()
    }

    fn pair(name: &str, value: &str) -> (OsString, OsString) {
        (name.into(), value.into())
    }

    /// Other tests run in threads of this process, so this one is run again in a process of its own.
    #[test]
    fn the_whole_environment_is_replaced_again_and_again() {
        if std::env::var_os(ALONE).is_none() {
            let this = "environment::tests::the_whole_environment_is_replaced_again_and_again";
            let words = [std::env::current_exe().unwrap().into(), "--exact".into(), this.into()];
            let strings = |words: &[OsString]| -> Vec<CString> {
                words.iter().map(|word| CString::new(word.as_encoded_bytes()).unwrap()).collect()
            };
            let image = crate::image::Image {
                candidates: strings(&words[..1]),
                argv: strings(&words),
                environment: strings(&[format!("{ALONE}=1").into(), "OLD=1".into()]),
                ..Default::default()
            };
            assert!(crate::process::spawn(&image).unwrap().wait().unwrap().is_success());
            return;
        }
        assert_eq!(std::env::var_os("OLD").unwrap(), "1");
        let own = format!("{ALONE}=1");
        replace([own.as_str(), "A=1", "A=2", "B=x=y", "=C="]).unwrap();
        let expected =
            [pair(ALONE, "1"), pair("A", "1"), pair("A", "2"), pair("B", "x=y"), pair("=C", "")];
        assert_eq!(variables(), expected);
        assert_eq!(std::env::var_os("A").as_deref(), Some(OsStr::new("1")));
        assert_eq!(std::env::var_os("OLD"), None);

        for broken in ["", "=x", "name", "A=\0"] {
            assert_eq!(replace([own.as_str(), broken]), Err(Errno::EINVAL), "{broken:?}");
            assert_eq!(variables(), expected);
        }

        // What the C library does with a list that is not its own.
        // SAFETY: this process has one test, and so one thread that does something.
        unsafe { std::env::remove_var("A") };
        for (name, value) in [("B", "changed"), ("D", "new")] {
            #[expect(clippy::disallowed_methods, reason = "the very thing that is tested")]
            // SAFETY: as above.
            unsafe {
                std::env::set_var(name, value);
            };
        }
        assert_eq!(
            variables(),
            [pair(ALONE, "1"), pair("B", "changed"), pair("=C", ""), pair("D", "new")]
        );
        for round in 0..1000 {
            replace([own.clone(), format!("ROUND={round}")]).unwrap();
        }
        assert_eq!(variables(), [pair(ALONE, "1"), pair("ROUND", "999")]);
        replace([own]).unwrap();
        assert_eq!(variables(), [pair(ALONE, "1")]);
    }
}
