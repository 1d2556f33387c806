//! Embeds the rules, the remediations, the frameworks, and the compliant example of each resource type. Folders are
//! walked, so that a new file is found and no list is kept by hand.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let root = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").ok_or(io::ErrorKind::NotFound)?);
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or(io::ErrorKind::NotFound)?);
    for (folder, name) in
        [("rules", "rules"), ("remediations", "remediations"), ("frameworks", "frameworks"), ("src/resource", "bases")]
    {
        fs::write(out.join(format!("embedded_{name}.rs")), embed(&root, folder)?)?;
    }
    say_build(&root);
    Ok(())
}

/// Passes the commit and the kind of the build to the compiler, for `--version`.
fn say_build(root: &Path) {
    let variable = |name: &str| env::var(name).unwrap_or_default();
    let (profile, target) = (variable("PROFILE"), variable("TARGET"));
    let rustc = output(Command::new(variable("RUSTC")).arg("--version"));
    let rustc = rustc.as_deref().and_then(|text| text.split(' ').nth(1)).unwrap_or("of unknown version").to_owned();
    // Between two commits a developer need not compile everything again.
    let commit = if profile == "release" { commit(root) } else { None };
    let commit = commit
        .unwrap_or_else(|| if profile == "release" { "unknown" } else { "not recorded in debug builds" }.to_owned());
    println!("cargo:rerun-if-env-changed=SSM_AUDIT_COMMIT");
    println!("cargo:rustc-env=SSM_AUDIT_BUILD_COMMIT={commit}");
    println!("cargo:rustc-env=SSM_AUDIT_BUILD_KIND={profile}, {target}, rustc {rustc}");
}

/// Returns the commit: as a packager says, as Cargo has recorded it in the package, or of the checkout.
fn commit(root: &Path) -> Option<String> {
    if let Some(commit) = env::var("SSM_AUDIT_COMMIT").ok().filter(|commit| !commit.is_empty()) {
        return Some(commit);
    }
    if let Ok(text) = fs::read_to_string(root.join(".cargo_vcs_info.json")) {
        let hash =
            text.split('"').find(|word| word.len() == 40 && word.bytes().all(|byte| byte.is_ascii_hexdigit()))?;
        return Some(hash[..12].to_owned());
    }
    let git = |arguments: &[&str]| output(Command::new("git").arg("-C").arg(root).args(arguments));
    for reference in ["HEAD", "logs/HEAD"] {
        if let Some(path) = git(&["rev-parse", "--git-path", reference]) {
            println!("cargo:rerun-if-changed={}", root.join(path).display());
        }
    }
    git(&["log", "-1", "--format=%h of %cs", "--abbrev=12"])
}

fn output(command: &mut Command) -> Option<String> {
    let output = command.output().ok().filter(|output| output.status.success())?;
    let text = String::from_utf8(output.stdout).ok()?;
    Some(text.trim().to_owned()).filter(|text| !text.is_empty())
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
