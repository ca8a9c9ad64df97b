//! Program, manual page, manifest and conformance file belong together.

use std::collections::BTreeSet;
use std::fs;

use tidy::{files, manifest, none, page, pages, programs, root};

#[test]
fn every_program_has_a_manual_page() {
    let missing = programs().into_iter().filter(|program| page(program).is_none());
    none(
        missing
            .map(|program| format!("{}: no page in {}/man", program.name, program.package))
            .collect(),
    );
}

/// The conformance file of a program, without its ending: cargo takes no `@` in it.
fn conformance(name: &str) -> String {
    name.replace('@', "-at")
}

#[test]
fn every_program_has_a_conformance_file() {
    let files = programs().into_iter().map(|program| (conformance(&program.name), program.name));
    let has = |name: &str| root().join(format!("tests/conformance/tests/{name}.rs")).is_file();
    let missing = files.filter(|(file, _)| !has(file));
    none(
        missing
            .map(|(file, name)| format!("{name}: no tests/conformance/tests/{file}.rs"))
            .collect(),
    );
}

#[test]
fn every_conformance_file_has_a_program() {
    let names: BTreeSet<String> =
        programs().into_iter().map(|program| conformance(&program.name)).collect();
    let tests = files(&root().join("tests/conformance/tests"));
    let stems =
        tests.iter().filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()));
    none(
        stems
            .filter(|name| !names.contains(name))
            .map(|name| format!("{name}: no such program"))
            .collect(),
    );
}

#[test]
fn every_program_and_page_is_installed_and_nothing_else() {
    let mut wrong = Vec::new();
    for package in ["daemontools", "qmail", "ucspi-tcp"] {
        let lines = manifest(package);
        let listed = |kind: &str| -> BTreeSet<String> {
            let sources = lines.iter().filter_map(|line| line.get(4)?.strip_prefix(kind));
            sources.map(str::to_owned).collect()
        };
        let there: BTreeSet<String> =
            programs().into_iter().filter(|p| p.package == package).map(|p| p.name).collect();
        let pages = pages(package);
        let page =
            |path: &String| path.rsplit('/').next()?.rsplit_once('.').map(|(n, _)| n.to_owned());
        let listed_pages = listed("man:").iter().filter_map(page).collect();
        for (what, there, listed) in
            [("program", there, listed("bin:")), ("page", pages, listed_pages)]
        {
            for name in there.difference(&listed) {
                wrong.push(format!("package/files/{package}: {what} {name} is not listed"));
            }
            for name in listed.difference(&there) {
                wrong.push(format!("package/files/{package}: {what} {name} is not there"));
            }
        }
    }
    none(wrong);
}

#[test]
fn manifest_lines_are_whole_and_sorted() {
    let mut wrong = Vec::new();
    for file in files(&root().join("package/files")) {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name == "README" {
            continue;
        }
        let lines = manifest(&name);
        for line in lines.iter().filter(|line| line.len() != 5) {
            wrong.push(format!("package/files/{name}: not five words: {}", line.join(" ")));
        }
        let paths: Vec<&String> = lines.iter().filter_map(|line| line.first()).collect();
        if !paths.is_sorted() {
            wrong.push(format!("package/files/{name}: not sorted by path"));
        }
    }
    none(wrong);
}

/// The words of a synopsis, without the signs and fonts that a page and a usage line write differently.
fn words(text: &str) -> Vec<String> {
    let split = text.split(|char: char| !char.is_ascii_alphanumeric() && !"-@.".contains(char));
    split.filter(|word| !word.is_empty() && *word != "...").map(str::to_lowercase).collect()
}

/// What the page's SYNOPSIS says, without macros.
fn synopsis(page: &str) -> String {
    let section = page.split(".Sh SYNOPSIS").nth(1).unwrap_or_default();
    let section = section.split("\n.Sh ").next().unwrap_or_default();
    let mut text = String::new();
    for line in section.lines().skip(1) {
        let mut after_flag = false;
        for word in line.trim_start_matches('.').split_whitespace() {
            match word {
                "Nm" | "Op" | "Ar" | "Oo" | "Oc" | "Ic" | "Cm" | "Pf" | "Li" | "|" => {}
                "Ns" => text.truncate(text.trim_end().len()),
                "Fl" => after_flag = true,
                word => {
                    text.extend([if after_flag { "-" } else { "" }, word, " "]);
                    after_flag = false;
                }
            }
        }
    }
    text
}

#[test]
fn the_usage_line_and_the_synopsis_agree() {
    let mut wrong = Vec::new();
    for program in programs() {
        let (Some(page), Ok(source)) =
            (page(&program), fs::read_to_string(root().join(&program.source)))
        else {
            continue;
        };
        let is_script = program.source.extension().is_none_or(|ending| ending != "rs");
        let usage = if is_script {
            let Some(usage) = script_usage(&source, &program.name) else { continue };
            usage
        } else if let Some(usage) = usage(&source, &program.name) {
            usage
        } else {
            wrong.push(format!("{}: no Program::new(\"{0}\", TEXT)", program.name));
            continue;
        };
        let page = fs::read_to_string(page).unwrap_or_default();
        let said: BTreeSet<String> = words(&usage).into_iter().collect();
        let written: BTreeSet<String> =
            words(&synopsis(&page)).into_iter().filter(|word| *word != program.name).collect();
        if said != written {
            let only = |a: &BTreeSet<String>, b: &BTreeSet<String>| {
                a.difference(b).cloned().collect::<Vec<_>>().join(" ")
            };
            let (usage, page) = (only(&said, &written), only(&written, &said));
            wrong.push(format!(
                "{}: only in the usage: [{usage}], only in the page: [{page}]",
                program.name
            ));
        }
    }
    none(wrong);
}

/// The synopsis in `Program::new("NAME", "SYNOPSIS")`; it may be a constant of the same file.
fn usage(source: &str, name: &str) -> Option<String> {
    let rest = source.split("Program::new(").nth(1)?;
    let rest = rest.trim_start().strip_prefix(&format!("\"{name}\""))?;
    let rest = rest.trim_start_matches([',', ' ', '\n']);
    let text = if let Some(text) = rest.strip_prefix('"') {
        text
    } else {
        let constant = rest.split(|char: char| !char.is_ascii_uppercase()).next()?;
        let value = source.split(&format!("const {constant}: &str =")).nth(1)?;
        value.trim_start().strip_prefix('"')?
    };
    Some(text.split('"').next()?.replace("\\\n", " "))
}

/// What a script says behind `NAME: usage: NAME`, if it has a usage line.
fn script_usage(source: &str, name: &str) -> Option<String> {
    let text = source.split(&format!("{name}: usage: {name}")).nth(1)?;
    Some(text.split(['\'', '"']).next()?.to_owned())
}
