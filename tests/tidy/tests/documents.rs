//! What documents and manual pages say is there.

use std::fs;
use std::path::{Path, PathBuf};

use tidy::{PACKAGES, files, none, relative, root, sources};

/// Documents, with the tables of differences.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for folder in ["doc", "."] {
        found.extend(files(&root().join(folder)));
    }
    found.retain(|path| path.extension().is_some_and(|ending| ending == "md"));
    found.sort();
    found
}

#[test]
fn files_that_documents_name_exist() {
    let folders =
        ["lib/", "doc/", "tests/", "package/", "qmail/", "daemontools/", "ucspi-tcp/", ".ci/"];
    let mut wrong = Vec::new();
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap_or_default();
        for piece in text.split('`').skip(1).step_by(2) {
            let is_path = folders.iter().any(|start| piece.starts_with(start))
                && piece
                    .bytes()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"-_./@".contains(&byte));
            // NAME and PACKAGE stand for whatever the reader adds.
            let is_example =
                piece.split(['/', '.']).any(|part| part == "NAME" || part == "PACKAGE");
            let named = root().join(piece);
            if is_path && !is_example && !named.exists() && !named.with_extension("rs").exists() {
                wrong.push(format!("{}: no {piece}", relative(&path).display()));
            }
        }
    }
    none(wrong);
}

/// The rows of the tables of differences, of observed behaviour and of recipes: document, program, named tests.
fn rows() -> Vec<(String, String, String)> {
    let mut rows = Vec::new();
    for path in documents() {
        let name = relative(&path).display().to_string();
        let tables = ["doc/compatibility", "doc/originals", "doc/recipes"];
        if !tables.iter().any(|table| name.starts_with(table)) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        for line in text.lines().filter(|line| line.starts_with('|') && !line.starts_with("|---")) {
            let cells: Vec<&str> = line.trim_matches('|').split(" |").map(str::trim).collect();
            if let [program, .., test] = cells.as_slice()
                && !["program", "document"].contains(program)
            {
                let row = (name.clone(), (*program).to_owned(), (*test).to_owned());
                rows.push(row);
            }
        }
    }
    rows
}

/// True if a source below the named place has such a test: `conformance/NAME` is a file of that suite,
/// `a::b` a module of any crate.
fn is_test(place: &str, test: &str) -> bool {
    let is_there = |path: &Path| {
        let path = relative(path).with_extension("");
        if let Some((suite, name)) = place.split_once('/') {
            return path.starts_with(format!("tests/{suite}/tests/{name}"));
        }
        let module = place.rsplit("::").next().unwrap_or(place);
        path.components().any(|part| part.as_os_str() == module)
    };
    let head = format!("fn {test}(");
    let has_it = |path: &Path| fs::read_to_string(path).is_ok_and(|text| text.contains(&head));
    sources().iter().any(|path| is_there(path) && has_it(path))
}

/// A row without a test says why there is none: `none: …`.
#[test]
fn every_difference_names_a_test_that_exists() {
    let mut wrong = Vec::new();
    for (document, program, cell) in rows() {
        if cell.starts_with("none: ") {
            continue;
        }
        let Some((place, tests)) = cell.split_once(": ") else {
            wrong.push(format!("{document}: {program}: a row without a test: {cell:?}"));
            continue;
        };
        for test in tests.split(", ").filter(|test| !is_test(place, test)) {
            wrong.push(format!("{document}: {program}: no test {place}: {test}"));
        }
    }
    none(wrong);
}

/// Every manual page of the tree.
fn pages() -> Vec<PathBuf> {
    PACKAGES.iter().flat_map(|package| files(&root().join(package).join("man"))).collect()
}

#[test]
fn pages_refer_to_pages_by_their_section() {
    let names: Vec<(String, String)> = pages()
        .iter()
        .filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            let (name, section) = name.rsplit_once('.')?;
            Some((name.to_owned(), section.to_owned()))
        })
        .collect();
    let mut wrong = Vec::new();
    for path in pages() {
        let text = fs::read_to_string(&path).unwrap_or_default();
        for line in text.lines().filter_map(|line| line.strip_prefix(".Xr ")) {
            let mut words = line.split_whitespace();
            let (Some(name), Some(section)) = (words.next(), words.next()) else { continue };
            let right = names.iter().find(|(known, _)| known == name);
            if let Some((_, right)) = right.filter(|(_, right)| right != section) {
                let page = relative(&path).display().to_string();
                wrong.push(format!("{page}: {name}({section}) is {name}({right})"));
            }
        }
    }
    none(wrong);
}

#[test]
fn pages_are_mdoc_without_warnings() {
    let pages = pages();
    let names: Vec<&str> = pages.iter().filter_map(|path| path.to_str()).collect();
    let Some(mut mandoc) =
        harness::client("mandoc", [&["-T", "lint", "-W", "warning"], &names[..]].concat())
    else {
        return;
    };
    let output = mandoc.output().expect("mandoc runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let prefix = format!("{}/", root().display());
    none(text.lines().map(|line| line.replace(&prefix, "").replace("mandoc: ", "")).collect());
}
