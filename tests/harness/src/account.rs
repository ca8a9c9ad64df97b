//! Whom programs run as that refuse to work for root, where root runs the tests.

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};

use unix::user::User;

use crate::ground;

/// The account that stands in for root; `None` if it is not root who runs the tests.
pub(crate) fn instead_of_root() -> Option<User> {
    let root = unix::Uid::current().is_root();
    root.then(|| User::from_name(b"nobody").ok().flatten()).flatten()
}

/// Makes `user` the owner of `path` and of all below it.
pub(crate) fn give_away(path: &Path, user: &User) {
    let owner = (Some(user.uid.as_raw()), Some(user.gid.as_raw()));
    chown(path, owner.0, owner.1).expect("root may");
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).expect("a directory").flatten() {
            if !entry.path().is_symlink() {
                give_away(&entry.path(), user);
            }
        }
    }
}

/// True if everybody may enter every directory on the way to `path`.
pub(crate) fn is_reachable(path: &Path) -> bool {
    let is_open =
        |path: &Path| fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o001 != 0);
    path.ancestors().all(is_open)
}

/// A file that everybody may execute: `path`, or else a copy of it in `folder`.
pub(crate) fn reachable(path: &Path, folder: &Path) -> PathBuf {
    if is_reachable(path) {
        return path.to_owned();
    }
    let copy = folder.join(path.file_name().expect("a file"));
    if !copy.exists() {
        fs::create_dir_all(folder).expect("a directory");
        ground::place(path, &copy).expect("a copy");
    }
    copy
}
