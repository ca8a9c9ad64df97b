//! What the tests in `tests/` know about the tree: its programs, pages, lists and sources.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).expect("tests/tidy is two levels down").to_owned()
}

/// The packages, and the crates of programs inside them.
pub const PACKAGES: [&str; 4] = ["daemontools", "qmail", "qmail/queue", "ucspi-tcp"];

/// A program or script.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Program {
    /// What it is called.
    pub name: String,
    /// Its source, relative to the checkout.
    pub source: PathBuf,
    /// Its package: where its page and its list are.
    pub package: String,
}

/// Every program and script of the tree.
pub fn programs() -> Vec<Program> {
    let mut found = Vec::new();
    for folder in PACKAGES {
        let package = folder.split('/').next().unwrap_or(folder).to_owned();
        for (sub, ending) in [("src/bin", ".rs"), ("scripts", "")] {
            for path in files(&root().join(folder).join(sub)) {
                let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
                if let Some(name) = name.strip_suffix(ending) {
                    let source = relative(&path);
                    found.push(Program { name: name.to_owned(), source, package: package.clone() });
                }
            }
        }
    }
    found.sort();
    found
}

/// The manual pages of a package, by name without section.
pub fn pages(package: &str) -> BTreeSet<String> {
    let names = files(&root().join(package).join("man"));
    names.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned())).collect()
}

/// The page of a program, if there is one.
pub fn page(program: &Program) -> Option<PathBuf> {
    let pages = files(&root().join(&program.package).join("man"));
    pages.into_iter().find(|path| path.file_stem().is_some_and(|stem| *stem == *program.name))
}

/// The lines of `package/files/PACKAGE`, in words.
pub fn manifest(package: &str) -> Vec<Vec<String>> {
    let text = fs::read_to_string(root().join("package/files").join(package)).unwrap_or_default();
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    lines.map(|line| line.split_whitespace().map(str::to_owned).collect()).collect()
}

/// The Rust sources of the tree, tests among them.
pub fn sources() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["lib", "daemontools", "qmail", "ucspi-tcp", "tests"] {
        collect(&root().join(folder), &mut found);
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "rs"));
    found.sort();
    found
}

/// The sources in other languages: shell scripts by their first line, Python and C by their names.
pub fn scripts() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in [".ci", "daemontools", "package", "qmail", "ucspi-tcp", "tests"] {
        collect(&root().join(folder), &mut found);
    }
    found.retain(|path| match path.extension() {
        Some(ending) => ending == "py" || ending == "c" || ending == "sh",
        None => fs::read(path).is_ok_and(|text| text.starts_with(b"#!")),
    });
    found.sort();
    found
}

fn collect(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_built =
            ["target", "recorded", "__pycache__"].iter().any(|name| path.ends_with(name));
        if path.is_dir() && !is_built {
            collect(&path, found);
        } else if path.is_file() {
            found.push(path);
        }
    }
}

/// The files right in a directory.
pub fn files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_file()).collect()
}

/// A path below the checkout.
pub fn relative(path: &Path) -> PathBuf {
    path.strip_prefix(root()).unwrap_or(path).to_owned()
}

/// Fails with one line for each thing that is missing or wrong.
pub fn none(wrong: Vec<String>) {
    assert!(wrong.is_empty(), "\n  {}", wrong.join("\n  "));
}
