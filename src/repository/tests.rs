use std::fs;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Repository, Revision};

/// Git as a user runs it, with no configuration but the repository's own.
fn git(folder: &Path, arguments: &[&str]) {
    let user = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "protocol.file.allow=always"];
    let done = Command::new("git").args(user).args(arguments).current_dir(folder).output().expect("git");
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

/// A repository with one commit, in which `main.tf` has two lines.
fn repository() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "-q", "-b", "main"]);
    fs::create_dir(folder.path().join("infra")).expect("a folder");
    fs::write(folder.path().join("infra/main.tf"), "one\ntwo\n").expect("written");
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-qm", "base"]);
    folder
}

/// The lines of a file that differ from a revision of the repository that it is in.
fn changes(file: &Path, revision: &str) -> Result<Vec<(u32, u32)>, String> {
    let file = fs::canonicalize(file).expect("a file");
    let repository = Repository::above(file.parent().expect("a folder")).expect("a repository");
    let revision = Revision::of(&repository, revision).map_err(|error| error.to_string())?;
    let content = fs::read(&file).expect("the file");
    let changes = revision.changes(&[(file.clone(), content)]).map_err(|error| error.to_string())?;
    let lines = changes.into_values().flatten();
    Ok(lines.map(|lines| (*lines.start(), *lines.end())).collect())
}

const ALL: [(u32, u32); 1] = [(0, u32::MAX)];

/// The configuration of somebody who wants a command to run, with where it would write.
fn hostile(proof: &Path) -> String {
    let run = format!("touch {}", proof.display());
    format!(
        "[core]\n\tfsmonitor = {run}\n\tsshCommand = {run}\n\thooksPath = hooks\n\tpager = {run}\n\tgitProxy = {run}\n\
         \talternateRefsCommand = {run}\n\
         [diff]\n\texternal = {run}\n[diff \"x\"]\n\tcommand = {run}\n\ttextconv = {run}\n\
         [filter \"x\"]\n\tclean = {run}; cat\n\tsmudge = {run}; cat\n\tprocess = {run}\n\
         [alias]\n\trev-parse = !{run}\n\tcat-file = !{run}\n[credential]\n\thelper = !{run}\n\
         [remote \"origin\"]\n\tpromisor = true\n\turl = ext::{run}\n\tuploadpack = {run}\n\
         [extensions]\n\tpartialClone = origin\n[include]\n\tpath = more\n"
    )
}

#[test]
fn names_of_revisions_are_those_of_git() {
    let folder = repository();
    let file = folder.path().join("infra/main.tf");
    git(folder.path(), &["tag", "first"]);
    git(folder.path(), &["update-ref", "refs/remotes/origin/main", "HEAD"]);
    git(folder.path(), &["commit", "-q", "--allow-empty", "-m", "more"]);
    git(folder.path(), &["pack-refs", "--all"]);
    git(folder.path(), &["gc", "-q"]);
    fs::write(&file, "one\nthree\n").expect("written");
    for name in ["HEAD", "main", "HEAD~1", "first", "origin/main", "HEAD^{commit}"] {
        assert_eq!(changes(&file, name).as_deref(), Ok([(2, 2)].as_slice()), "{name}");
    }
    for name in ["nothing", "--all", "-h", "HEAD~9", "HEAD:infra/main.tf", "$(touch x)", ""] {
        assert!(changes(&file, name).is_err(), "{name}");
    }
}

#[test]
fn files_that_are_not_in_the_revision_are_new_and_fetched_modules_are_not() {
    let folder = repository();
    let fetched = folder.path().join("infra/.terraform/modules/m");
    fs::create_dir_all(&fetched).expect("a folder");
    for path in [folder.path().join("infra/new.tf"), fetched.join("main.tf")] {
        fs::write(path, "one\n").expect("written");
    }
    assert_eq!(changes(&folder.path().join("infra/new.tf"), "HEAD").as_deref(), Ok(ALL.as_slice()));
    assert_eq!(changes(&fetched.join("main.tf"), "HEAD").as_deref(), Ok([].as_slice()));
    // One that the pull request brings was fetched by nobody.
    git(folder.path(), &["add", "-f", "."]);
    git(folder.path(), &["commit", "-qm", "modules"]);
    assert_eq!(changes(&fetched.join("main.tf"), "HEAD~1").as_deref(), Ok(ALL.as_slice()));
}

#[test]
fn nothing_that_the_repository_configures_is_run() {
    let folder = repository();
    let proof = folder.path().join("proof");
    let file = folder.path().join("infra/main.tf");
    for (path, text) in [
        (".gitattributes", "* filter=x diff=x\n".to_owned()),
        ("infra/.gitattributes", "* filter=x diff=x\n".to_owned()),
        (".git/info/attributes", "* filter=x diff=x\n".to_owned()),
        (".git/config", hostile(&proof)),
        (".git/more", hostile(&proof)),
    ] {
        fs::create_dir_all(folder.path().join(path).parent().expect("a folder")).expect("a folder");
        fs::write(folder.path().join(path), text).expect("written");
    }
    fs::write(&file, "one\nthree\n").expect("written");
    assert_eq!(changes(&file, "HEAD").as_deref(), Ok([(2, 2)].as_slice()));
    assert!(!proof.exists());
}

#[test]
fn objects_that_are_missing_are_not_fetched() {
    let folder = repository();
    let proof = folder.path().join("proof");
    let clone = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["config", "uploadpack.allowFilter", "true"]);
    let url = format!("file://{}", folder.path().display());
    git(clone.path(), &["clone", "-q", "--filter=blob:none", "--no-checkout", &url, "clone"]);
    let clone = clone.path().join("clone");
    fs::write(clone.join(".git/config"), hostile(&proof)).expect("written");
    fs::create_dir(clone.join("infra")).expect("a folder");
    fs::write(clone.join("infra/main.tf"), "one\ntwo\n").expect("written");
    // What is not known to be the same has changed.
    assert_eq!(changes(&clone.join("infra/main.tf"), "HEAD").as_deref(), Ok(ALL.as_slice()));
    assert!(!proof.exists());
}

#[test]
fn a_bare_repository_among_the_files_is_none() {
    let folder = repository();
    let proof = folder.path().join("proof");
    let infra = folder.path().join("infra");
    git(folder.path(), &["clone", "-q", "--bare", ".", "copy.git"]);
    for entry in fs::read_dir(folder.path().join("copy.git")).expect("a folder") {
        let entry = entry.expect("an entry");
        fs::rename(entry.path(), infra.join(entry.file_name())).expect("moved");
    }
    fs::write(infra.join("config"), hostile(&proof)).expect("written");
    fs::write(infra.join("main.tf"), "one\nthree\n").expect("written");
    assert_eq!(changes(&infra.join("main.tf"), "HEAD").as_deref(), Ok([(2, 2)].as_slice()));
    assert!(!proof.exists());
}

#[test]
fn a_planted_file_that_names_files_of_the_work_tree_is_refused() {
    let folder = repository();
    let proof = folder.path().join("proof");
    git(folder.path(), &["clone", "-q", "--bare", ".", "infra/copy"]);
    fs::write(folder.path().join("infra/copy/config"), hostile(&proof)).expect("written");
    let file = folder.path().join("infra/main.tf");
    for planted in ["gitdir: copy\n", "gitdir: ./copy", "gitdir: ../infra/copy\n", "copy", "gitdir: nothing\n", ""] {
        fs::write(folder.path().join("infra/.git"), planted).expect("written");
        assert!(changes(&file, "HEAD").is_err(), "{planted}");
    }
    assert!(!proof.exists());
}

#[test]
fn work_trees_submodules_and_alternates_are_read() {
    let folder = repository();
    let proof = folder.path().join("proof");
    let other = tempfile::tempdir().expect("a folder");
    let tree = other.path().join("tree");
    git(folder.path(), &["worktree", "add", "-q", "--detach", &tree.display().to_string()]);
    let url = format!("file://{}", folder.path().display());
    git(other.path(), &["clone", "-q", "--shared", &folder.path().display().to_string(), "shared"]);
    git(other.path(), &["init", "-q", "outer"]);
    git(&other.path().join("outer"), &["submodule", "--quiet", "add", &url, "inner"]);
    let places = [tree, other.path().join("shared"), other.path().join("outer/inner")];
    for config in [folder.path().join(".git/config"), other.path().join("outer/.git/modules/inner/config")] {
        fs::write(config, hostile(&proof)).expect("written");
    }
    for place in places {
        let file = place.join("infra/main.tf");
        assert_eq!(changes(&file, "HEAD").as_deref(), Ok([].as_slice()), "{}", file.display());
        fs::write(&file, "zero\none\ntwo\n").expect("written");
        assert_eq!(changes(&file, "HEAD").as_deref(), Ok([(1, 1)].as_slice()), "{}", file.display());
    }
    assert!(!proof.exists());
}

#[test]
fn other_formats_of_objects_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    git(folder.path(), &["init", "-q", "--object-format=sha256"]);
    fs::write(folder.path().join("main.tf"), "one\n").expect("written");
    git(folder.path(), &["add", "."]);
    git(folder.path(), &["commit", "-qm", "base"]);
    assert_eq!(changes(&folder.path().join("main.tf"), "HEAD").as_deref(), Ok([].as_slice()));
}
