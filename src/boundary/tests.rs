use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;

use tempfile::TempDir;

use super::*;

/// A folder with these files; a name that ends with `/` is a folder, and `->` makes a link.
fn tree(names: &[&str]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for name in names {
        if let Some((link, target)) = name.split_once("->") {
            let link = folder.path().join(link);
            fs::create_dir_all(link.parent().expect("a parent")).expect("a folder");
            symlink(target, link).expect("a link");
        } else if name.ends_with('/') {
            fs::create_dir_all(folder.path().join(name)).expect("a folder");
        } else {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, name).expect("written");
        }
    }
    folder
}

/// What reading each of the paths comes to, from `code` in a tree.
fn read_all(tree: &TempDir, paths: &[&str]) -> Vec<String> {
    let code = tree.path().join("code");
    let boundary = Boundary::of(&code, None).expect("a boundary");
    let result = |path: &&str| match boundary.text(&code.join(path)) {
        Ok(text) => text,
        Err(Refusal::Failed(error)) => error.kind().to_string(),
        Err(refusal) => format!("{refusal:?}"),
    };
    paths.iter().map(result).collect()
}

#[test]
fn a_repository_is_read_without_its_git_folder() {
    let tree = tree(&[
        ".git/config",
        "code/a.tf",
        "shared/b.txt",
        "code/.Git/x",
        "code/in->../shared/b.txt",
        "code/folder->../shared",
        "code/git->../.git/config",
        "code/gits->../.git",
    ]);
    let paths = ["a.tf", "../shared/b.txt", "in", "folder/b.txt", "../.git/config", ".Git/x", "git", "gits/config"];
    assert_eq!(
        read_all(&tree, &paths),
        ["code/a.tf", "shared/b.txt", "shared/b.txt", "shared/b.txt", "Outside", "Outside", "Outside", "Outside"]
    );
}

#[test]
fn nothing_outside_is_told_not_even_whether_it_exists() {
    let outside = tree(&["secret"]);
    let secret = outside.path().join("secret").display().to_string();
    let link = format!("code/out->{secret}");
    let folder = format!("code/away->{}", outside.path().display());
    let tree =
        tree(&["repository/.git/HEAD", "above", "code/.git/HEAD", "code/a", "code/up->../above", &link, &folder]);
    let there =
        ["up", "out", "away/secret", "../above", "a/../../above", &secret, "/etc/passwd", "../../../../etc/passwd"];
    let missing = ["../nothing", "away/nothing", "/nothing", "../../../../../nothing", "away/../../nothing"];
    for path in there.iter().chain(&missing) {
        assert_eq!(read_all(&tree, &[path]), ["Outside"], "{path}");
    }
    assert_eq!(read_all(&tree, &["nothing", "a/b", "up/.."]), ["Missing", "Missing", "Outside"]);
    // Through what lies outside and back.
    assert_eq!(read_all(&tree, &["../code/a", "away/../a"]), ["code/a", "Outside"]);
}

#[test]
fn without_a_repository_the_folder_alone_is_read_and_the_modules_that_it_calls() {
    let tree = tree(&["above", "code/a.tf", "modules/m/m.tf", "modules/m/policy.json", "plain/secret", "top.tf"]);
    let code = tree.path().join("code");
    let mut boundary = Boundary::of(&code, None).expect("a boundary");
    let policy = code.join("../modules/m/policy.json");
    assert!(matches!(boundary.text(&policy), Err(Refusal::Outside)));
    for module in ["../modules/m", "..", "../plain", "/", "../../..", "/etc", "/proc/self"] {
        boundary.admit(&code.join(module));
    }
    assert_eq!(boundary.text(&policy).expect("read"), "modules/m/policy.json");
    for path in ["../above", "../plain/secret", "../modules/other", "../top.tf"] {
        assert!(matches!(boundary.text(&code.join(path)), Err(Refusal::Outside)), "{path}");
    }
}

#[test]
fn the_user_may_name_another_folder_and_only_one_that_holds_the_code() {
    let tree = tree(&["above", "code/.git/HEAD", "code/a.tf", "other/x"]);
    let code = tree.path().join("code");
    let boundary = Boundary::of(&code, Some(tree.path())).expect("a boundary");
    assert_eq!(boundary.text(&code.join("../above")).expect("read"), "above");
    assert!(Boundary::of(&code, Some(&tree.path().join("other"))).is_err());
}

#[test]
fn pipes_sockets_devices_and_folders_are_no_files() {
    let tree =
        tree(&["code/.git/HEAD", "code/folder/", "code/loop->loop", "code/null->/dev/null", "code/gone->nothing"]);
    let code = tree.path().join("code");
    let _socket = std::os::unix::net::UnixListener::bind(code.join("socket")).expect("a socket");
    let pipe = std::process::Command::new("mkfifo").arg(code.join("pipe")).status();
    assert!(pipe.expect("mkfifo").success());
    let paths = ["folder", "socket", "pipe", "loop", "null", "gone"];
    assert_eq!(read_all(&tree, &paths), ["NotAFile", "NotAFile", "NotAFile", "Loop", "Outside", "Missing"]);
}

#[test]
#[cfg(target_os = "linux")]
fn what_the_kernel_tells_is_never_a_file() {
    let boundary = Boundary::of(Path::new("/proc/self"), Some(Path::new("/"))).expect("a boundary");
    for path in ["/proc/self/environ", "/proc/self/status", "/sys/kernel/notes", "/dev/null"] {
        assert!(boundary.text(Path::new(path)).is_err(), "{path}");
    }
    // Where the folder itself is of the system, the kind of the file system decides.
    let boundary = Boundary::of(Path::new("/proc/self"), None).expect("a boundary");
    assert!(matches!(boundary.text(Path::new("/proc/self/status")), Err(Refusal::NotAFile)));
}

#[test]
fn a_link_that_is_planted_after_the_check_is_refused() {
    let outside = tree(&["secret"]);
    let tree = tree(&["code/sub/a.tf"]);
    let code = tree.path().join("code");
    for (name, target) in [("link", outside.path().join("secret")), ("folder", outside.path().to_owned())] {
        symlink(target, code.join(name)).expect("a link");
    }
    // What a path without links leads to is opened without following any.
    assert!(open::below(&code, Path::new("link")).is_err());
    assert!(open::below(&code, Path::new("folder/secret")).is_err());
    assert!(open::below(&code, Path::new("sub/a.tf")).is_ok());
}

#[test]
fn large_files_and_files_that_are_no_text_are_refused() {
    let tree = tree(&["code/a"]);
    let code = tree.path().join("code");
    fs::write(code.join("bytes"), b"ab\xff").expect("written");
    fs::write(code.join("mark"), "\u{FEFF}x").expect("written");
    let boundary = Boundary::of(&code, None).expect("a boundary");
    assert!(matches!(boundary.read(&code.join("a"), 5), Err(Refusal::Large(5))));
    assert_eq!(boundary.read(&code.join("a"), 6).expect("read"), b"code/a");
    assert!(matches!(boundary.text(&code.join("bytes")), Err(Refusal::NotText(2))));
    assert_eq!(boundary.text(&code.join("mark")).expect("read"), "x");
}

#[test]
fn a_created_file_is_new_and_lies_inside() {
    let tree = tree(&[".git/config", "code/a.tf", "code/out->/tmp", "code/gone->nowhere", "code/link->a.tf"]);
    let code = tree.path().join("code");
    let boundary = Boundary::of(&code, None).expect("a boundary");
    let created = |path: &str| boundary.create(&code.join(path), b"new").map_err(|refusal| format!("{refusal:?}"));
    assert_eq!(created("x/y/new.yml"), Ok(()));
    assert_eq!(fs::read_to_string(code.join("x/y/new.yml")).expect("read"), "new");
    for (path, refusal) in [
        ("x/y/new.yml", "Exists"),
        ("a.tf", "Exists"),
        ("link", "Exists"),
        ("gone", "Exists"),
        ("gone/new.yml", "Exists"),
        ("out/new.yml", "Outside"),
        ("../../new.yml", "Outside"),
        ("../.git/new", "Outside"),
        ("../.git/new/new", "Outside"),
    ] {
        assert_eq!(created(path), Err(refusal.to_owned()), "{path}");
    }
    assert_eq!(fs::read_to_string(code.join("a.tf")).expect("read"), "code/a.tf");
}

#[test]
fn a_replaced_file_keeps_its_mode_and_is_never_a_link() {
    let outside = tree(&["victim"]);
    let tree = tree(&[".git/config", "code/a.tf", "other.tf"]);
    let code = tree.path().join("code");
    for (name, target) in [
        ("out.tf", outside.path().join("victim")),
        ("in.tf", tree.path().join("other.tf")),
        ("away", outside.path().to_owned()),
    ] {
        symlink(target, code.join(name)).expect("a link");
    }
    fs::set_permissions(code.join("a.tf"), fs::Permissions::from_mode(0o640)).expect("a mode");
    let boundary = Boundary::of(&code, None).expect("a boundary");
    for path in ["out.tf", "in.tf", "away/victim", "../.git/config", "new.tf", "."] {
        assert!(boundary.check_writable(&code.join(path)).is_err(), "{path}");
        assert!(boundary.replace(&code.join(path), b"new").is_err(), "{path}");
    }
    boundary.replace(&code.join("a.tf"), b"new").expect("written");
    assert_eq!(fs::read(code.join("a.tf")).expect("the file"), b"new");
    assert_eq!(fs::metadata(code.join("a.tf")).expect("the file").permissions().mode() & 0o777, 0o640);
    assert_eq!(fs::read(outside.path().join("victim")).expect("the file"), b"victim");
    assert_eq!(fs::read(tree.path().join("other.tf")).expect("the file"), b"other.tf");
    assert_eq!(fs::read_dir(&code).expect("a folder").count(), 4);
}

#[test]
fn a_file_that_the_user_names_in_a_repository_must_be_there() {
    let outside = tree(&["secret", ".git/HEAD", "inner/x"]);
    let tree = tree(&["a/.git/config", "a/in", "a/to_in->in", "a/git->.git/config", "b/secret", "b/link->secret"]);
    let (a, b) = (tree.path().join("a"), tree.path().join("b"));
    symlink(outside.path().join("secret"), a.join("out")).expect("a link");
    // Into another repository, too.
    symlink(outside.path(), a.join("folder")).expect("a link");
    for path in ["out", "folder/secret", "folder/inner/x", "git"] {
        assert!(matches!(read_named(&a.join(path), LARGEST), Err(Refusal::Outside)), "{path}");
    }
    for path in [a.join("in"), a.join("to_in"), a.join(".git/config"), b.join("link"), outside.path().join("secret")] {
        assert!(read_named(&path, LARGEST).is_ok(), "{}", path.display());
    }
}
