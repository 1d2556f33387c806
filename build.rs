//! Embeds the rules, the remediations, the frameworks, and the compliant example of each resource type. Folders are
//! walked, so that a new file is found and no list is kept by hand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    for (folder, name) in
        [("rules", "rules"), ("remediations", "remediations"), ("frameworks", "frameworks"), ("src/resource", "bases")]
    {
        fs::write(out.join(format!("embedded_{name}.rs")), embed(&root, folder)?)?;
    }
    Ok(())
}

/// Code that holds the files of a folder.
fn embed(root: &Path, folder: &str) -> io::Result<String> {
    let mut files = Vec::new();
    walk(&root.join(folder), &mut files)?;
    files.sort();
    let mut code =
        format!("/// The files under `{folder}/`, by name.\npub(crate) static EMBEDDED: &[(&str, &str)] = &[\n");
    for file in files {
        let name = file.strip_prefix(root).map_err(io::Error::other)?.to_string_lossy().replace('\\', "/");
        writeln!(code, "    ({name:?}, include_str!({:?})),", file.display().to_string()).map_err(io::Error::other)?;
    }
    code.push_str("];\n");
    Ok(code)
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) -> io::Result<()> {
    println!("cargo:rerun-if-changed={}", folder.display());
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            walk(&path, files)?;
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            files.push(path);
        }
    }
    Ok(())
}
