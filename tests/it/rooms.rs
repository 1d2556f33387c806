//! The structure of the source: rooms (the folders of `src/`) depend on each other in one direction.
//!
//! A file of `src/resource/<type>/` belongs to the room that its name tells. Tests are not looked at.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::{env, fs};

use regex::Regex;

/// The rooms from top to bottom: each may use those below it.
const ROOMS: &[&str] = &[
    "fuzzing",
    "cli",
    "schemas",
    "report",
    "notify",
    "history",
    "config",
    "fleet",
    "terraform_fix",
    "remediate",
    "progress",
    "collect",
    "engine",
    "aws",
    "model",
    "file_envelope",
    "boundary",
    "repository",
    "yaml",
    "diagnostic",
    "terminal",
    "sqlite",
    "private",
];

/// The room of a file of a resource type, by how its name begins.
const ROLES: &[(&str, &str)] = &[
    ("schema", "model"),
    ("collect", "collect"),
    ("document", "collect"),
    ("terraform", "collect"),
    ("observed", "remediate"),
    ("operations", "remediate"),
    ("fix", "remediate"),
    ("edit", "terraform_fix"),
];

/// Returns the room of a module, such as `model` of `resource::bucket::schema`; none for a folder of a resource type.
fn room<'p>(path: &[&'p str]) -> Option<&'p str> {
    match path {
        ["resource", _, file, ..] => {
            let role = ROLES.iter().find(|(role, _)| file == role || file.starts_with(&format!("{role}_")));
            Some(role.unwrap_or_else(|| panic!("no room is known for {file}.rs of a resource type")).1)
        }
        ["resource", ..] | [] => None,
        [room, ..] => Some(room),
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Returns the path of a module, by its file: `["model", "arn"]`.
fn module(file: &Path, src: &Path) -> Vec<String> {
    let file = file.strip_prefix(src).unwrap().with_extension("");
    let mut path: Vec<String> = file.iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    if path.last().is_some_and(|last| last == "mod") {
        path.pop();
    }
    path
}

/// Returns the code of a file without comments and tests.
fn code(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    let text = Regex::new(
        r"(?ms)^#\[cfg\((?:test|any\(test, fuzzing\))\)\]\n(?:#\[[^\n]*\n)*(?:(?:pub[^\n]*)?mod \w+ \{.*\z|[^\n]*\n)",
    )
    .unwrap()
    .replace_all(&text, "")
    .into_owned();
    Regex::new(r"//[^\n]*").unwrap().replace_all(&text, "").into_owned()
}

/// Returns the paths that a `use` tree, or the path of an expression, names: `a::{b, c::{d, e}}` has three.
fn paths(tree: &str) -> Vec<String> {
    let Some((head, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let inside = rest.rsplit_once('}').map_or(rest, |(inside, _)| inside);
    let (mut depth, mut start, mut parts) = (0, 0, Vec::new());
    for (index, character) in inside.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&inside[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&inside[start..]);
    let parts = parts.into_iter().filter(|part| !part.trim().is_empty());
    parts.flat_map(paths).map(|part| format!("{}{part}", head.trim())).collect()
}

/// Returns the modules and items of this crate that the code of a module names, from the root of the crate.
fn used(code: &str, module: &[String]) -> Vec<Vec<String>> {
    let found = Regex::new(r"(?s)(?:^|[^\w:])((?:crate|super)::(?:\w+::)*(?:\{[^;]*\}|\w+))").unwrap();
    let trees = found.captures_iter(code).map(|captures| captures[1].to_owned());
    let named = trees.flat_map(|tree| paths(&tree)).map(|path| {
        let parts: Vec<&str> = path.split("::").map(|part| part.split(" as ").next().unwrap_or(part).trim()).collect();
        let up = parts.iter().take_while(|part| **part == "super").count();
        let base = if up > 0 { &module[..module.len().saturating_sub(up)] } else { &[] };
        let rest = parts.iter().skip(up.max(1)).filter(|part| **part != "self").map(|part| (*part).to_owned());
        base.iter().cloned().chain(rest).collect::<Vec<String>>()
    });
    // `use crate::resource::bucket`, and then `bucket::collect::read`.
    let files = |path: &Vec<String>| {
        let folder = path.last().cloned().unwrap_or_default();
        let file = Regex::new(&format!(r"(?:^|[^\w:]){folder}::(\w+)::")).unwrap();
        let of_folder = path.len() == 2 && path[0] == "resource";
        let found: Vec<String> = if of_folder {
            file.captures_iter(code).map(|captures| captures[1].to_owned()).collect()
        } else {
            Vec::new()
        };
        found.into_iter().map(|file| path.iter().cloned().chain([file]).collect()).collect::<Vec<_>>()
    };
    named.flat_map(|path| if path.len() == 2 && path[0] == "resource" { files(&path) } else { vec![path] }).collect()
}

#[test]
fn rooms_use_only_what_lies_below_them() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    files(&src, &mut all);
    let level = |room: &str| ROOMS.iter().position(|known| *known == room);
    let (mut up, mut arrows) = (BTreeSet::new(), 0);
    for file in &all {
        let module = module(file, &src);
        let path: Vec<&str> = module.iter().map(String::as_str).collect();
        let of_tests = path.contains(&"tests") || matches!(path[..], ["lib" | "main"]);
        let Some(own) = room(&path).filter(|_| !of_tests) else { continue };
        let own_level = level(own).unwrap_or_else(|| panic!("the room {own} has no place in ROOMS"));
        for used in used(&code(file), &module) {
            let path: Vec<&str> = used.iter().map(String::as_str).collect();
            let Some(room) = room(&path) else { continue };
            let Some(level) = level(room) else { continue };
            arrows += usize::from(room != own);
            if level < own_level {
                up.insert(format!("{} uses {}: {own} lies below {room}", module.join("::"), used.join("::")));
            }
        }
    }
    assert!(arrows > 1_000, "{arrows} arrows between rooms are too few: are the files read?");
    assert!(up.is_empty(), "{}", up.into_iter().collect::<Vec<_>>().join("\n"));
}
