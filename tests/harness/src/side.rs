//! One side of a case: where its programs are, and the directory it works in.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::account;
use crate::background::{self, Background};
use crate::command::{Command, Run};
use crate::ground;

/// Whose programs a side runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Which {
    /// Debian's packages of the originals.
    Debian,
    /// A built notqmail, to record what it does.
    Notqmail,
    /// Ours.
    Ours,
}

/// Programs, and an empty directory for one run of a case.
#[derive(Debug)]
pub struct Side {
    which: Which,
    /// Programs that take further connections have served others before.
    is_kept: bool,
    programs: PathBuf,
    home: PathBuf,
    directory: TempDir,
    background: RefCell<Vec<Background>>,
    commands: RefCell<Vec<String>>,
}

/// The folder with our programs: `$DAISYCHAIN_COMMAND`, or the folder of the build that the running
/// test belongs to.
pub(crate) fn our_programs() -> PathBuf {
    if let Some(folder) = std::env::var_os("DAISYCHAIN_COMMAND") {
        return folder.into();
    }
    let test = std::env::current_exe().expect("a running program has a path");
    test.ancestors().nth(2).map(Path::to_owned).expect("target/debug/deps/TEST")
}

impl Side {
    /// Ours.
    #[must_use]
    pub fn ours() -> Side {
        Side::new(Which::Ours, our_programs(), None)
    }

    /// Ours, where a program that takes further connections (as under `tcpserver -k`) has served two others before
    /// the one of the case, for another host.
    #[must_use]
    pub fn kept() -> Side {
        let mut side = Side::ours();
        side.is_kept = true;
        side
    }

    /// The originals in Debian's packages, if they have been unpacked.
    #[must_use]
    pub fn debian() -> Option<Side> {
        let folder = fetched("DAISYCHAIN_ORIGINALS", "originals").join("usr/bin");
        folder.is_dir().then(|| Side::new(Which::Debian, folder, None))
    }

    /// Debian's IPv6 edition of ucspi-tcp, if it has been unpacked.
    #[must_use]
    pub fn debian_v6() -> Option<Side> {
        let folder = fetched("DAISYCHAIN_ORIGINALS_V6", "originals-v6").join("usr/bin");
        folder.is_dir().then(|| Side::new(Which::Debian, folder, None))
    }

    /// A built notqmail, if it is to be recorded. Its control files, users, aliases and queue are
    /// emptied.
    pub(crate) fn recording() -> Option<Side> {
        let home = PathBuf::from(std::env::var_os("DAISYCHAIN_RECORD")?);
        for area in ["pid", "mess", "intd", "todo", "info", "local", "remote", "bounce"] {
            empty(&home.join("queue").join(area));
        }
        for folder in ["control", "users", "alias"] {
            for entry in fs::read_dir(home.join(folder)).expect("a notqmail home").flatten() {
                fs::remove_file(entry.path()).expect("a file of the notqmail home");
            }
        }
        Some(Side::new(Which::Notqmail, home.join("bin"), Some(home)))
    }

    fn new(which: Which, programs: PathBuf, home: Option<PathBuf>) -> Side {
        ground::clear();
        let directory = tempfile::Builder::new().prefix("case-").tempdir().expect("a directory");
        // Programs that drop root must be able to enter it.
        fs::set_permissions(directory.path(), fs::Permissions::from_mode(0o755)).expect("a mode");
        fs::create_dir(directory.path().join("work")).expect("a directory");
        let home = home.unwrap_or_else(|| {
            let home = directory.path().join("home");
            for folder in ["control", "users", "alias"] {
                fs::create_dir_all(home.join(folder)).expect("a directory");
            }
            std::os::unix::fs::symlink(&programs, home.join("bin")).expect("a link");
            home
        });
        let (background, commands) = (RefCell::default(), RefCell::default());
        Side { which, is_kept: false, programs, home, directory, background, commands }
    }

    /// Whose programs these are.
    #[must_use]
    pub fn which(&self) -> Which {
        self.which
    }

    pub(crate) fn is_kept(&self) -> bool {
        self.is_kept
    }

    /// True for our own programs.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.which == Which::Ours
    }

    /// The directory the case works in.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        self.directory.path().join("work")
    }

    /// The home of the mail host: `$QMAILHOME` for ours, the compiled-in one of a notqmail.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// The folder with this side's programs.
    #[must_use]
    pub fn programs(&self) -> &Path {
        &self.programs
    }

    /// The path of a program of this side where any account can run it: for scripts of cases that do not
    /// run as root.
    #[must_use]
    pub fn program(&self, name: &str) -> PathBuf {
        let path = self.own(name.as_ref()).unwrap_or_else(|| self.programs.join(name));
        account::reachable(&path, &self.directory.path().join("programs"))
    }

    /// Where a program or script of this side is. A build has no folder with our scripts in it: they
    /// lie in the packages.
    pub(crate) fn own(&self, name: &OsStr) -> Option<PathBuf> {
        if name.as_bytes().contains(&b'/') {
            return None;
        }
        let script = |package| checkout().join(package).join("scripts").join(name);
        let packages: &[&str] =
            if self.is_ours() { &["daemontools", "qmail", "ucspi-tcp"] } else { &[] };
        let mut paths = [self.programs.join(name)].into_iter().chain(packages.iter().map(script));
        paths.find(|path| path.is_file())
    }

    /// Writes a file of the case, and the directories above it.
    pub fn write(&self, name: &str, contents: impl AsRef<[u8]>) {
        write(&self.path().join(name), contents.as_ref());
    }

    /// Writes an executable file of the case; whoever executes it meanwhile finds the old one or the new
    /// one, whole.
    pub fn script(&self, name: &str, contents: &str) {
        let path = self.path().join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).expect("a directory");
        }
        let new = self.directory.path().join("script");
        ground::write(&new, contents.as_bytes(), Some(0o755)).expect("a file");
        fs::rename(new, path).expect("a file");
    }

    /// Sets the mode of a file of the case.
    pub fn mode(&self, name: &str, mode: u32) {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(self.path().join(name), permissions).expect("a file of the case");
    }

    /// Makes a directory of the case.
    pub fn directory(&self, name: &str) {
        fs::create_dir_all(self.path().join(name)).expect("a directory");
    }

    /// Reads a file of the case; empty if it does not exist.
    #[must_use]
    pub fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap_or_default()
    }

    /// Writes a control file of the mail host.
    pub fn control(&self, name: &str, contents: &str) {
        write(&self.home.join("control").join(name), contents.as_bytes());
    }

    /// Writes a file of the mail host.
    pub fn host_file(&self, name: &str, contents: impl AsRef<[u8]>) {
        write(&self.home.join(name), contents.as_ref());
    }

    /// A program with arguments, to be given input and environment before it runs. A name without a
    /// slash is looked for among this side's programs first, then in the system's folders.
    pub fn command<W: AsRef<std::ffi::OsStr>>(
        &self,
        words: impl IntoIterator<Item = W>,
    ) -> Command<'_> {
        Command::new(self, words.into_iter().map(|word| word.as_ref().to_owned()).collect())
    }

    /// Runs a program to its end, with nothing on standard input.
    #[must_use]
    pub fn run<W: AsRef<std::ffi::OsStr>>(&self, words: impl IntoIterator<Item = W>) -> Run {
        self.command(words).run()
    }

    /// Keeps something running until the case is over.
    pub fn keep(&self, background: Background) {
        self.background.borrow_mut().push(background);
    }

    /// Ends what is kept, and every other process that works in the case's directory: also one that has
    /// left its process group, or whose parent has gone.
    pub(crate) fn end_background(&self) {
        self.background.borrow_mut().clear();
        background::end_inside(self.directory.path());
    }

    /// Remembers a command, for the recording.
    pub(crate) fn ran(&self, command: String) {
        self.commands.borrow_mut().push(command);
    }

    /// The commands so far.
    pub(crate) fn commands(&self) -> Vec<String> {
        self.commands.borrow().clone()
    }
}

impl Drop for Side {
    fn drop(&mut self) {
        self.end_background();
        open_up(self.directory.path()); // or what it holds could not be removed
    }
}

/// Lets the owner into every directory: cases take that away.
fn open_up(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            let _ = fs::set_permissions(entry.path(), fs::Permissions::from_mode(0o700)); // not ours
            open_up(&entry.path());
        }
    }
}

fn checkout() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("tests/harness is two levels down")
}

/// The folder that `variable` names, or else the one that `tests/run` has unpacked packages into.
#[must_use]
pub fn fetched(variable: &str, folder: &str) -> PathBuf {
    std::env::var_os(variable).map_or_else(|| checkout().join("target").join(folder), PathBuf::from)
}

/// Removes the files of a directory and of those in it.
fn empty(directory: &Path) {
    for entry in fs::read_dir(directory).expect("a queue").flatten() {
        match entry.file_type() {
            Ok(kind) if kind.is_dir() => empty(&entry.path()),
            _ => fs::remove_file(entry.path()).expect("a file of the queue"),
        }
    }
}

fn write(path: &Path, contents: &[u8]) {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).expect("a directory");
    }
    ground::write(path, contents, None).expect("a file");
}

/// Makes a file executable for everybody.
pub fn executable(path: &Path) {
    fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("a file");
}
