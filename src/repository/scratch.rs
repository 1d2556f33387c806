//! Folder that Git is run with in place of a repository's own: references are copied to it, objects are read where
//! they are, and the configuration is made here.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::Repository;

/// The most references that are copied, and the largest file of them.
const MOST_FILES: usize = 100_000;
const LARGEST_FILE: u64 = 256 << 20;

/// Git on the objects of a repository, without its configuration.
#[derive(Debug)]
pub(super) struct Scratch {
    folder: TempDir,
    program: PathBuf,
    objects: PathBuf,
}

impl Scratch {
    pub(super) fn of(repository: &Repository) -> Result<Self, String> {
        let own = repository.own()?;
        let common = repository.common(&own)?;
        let program = program(repository.top()).ok_or("git is not on the PATH")?;
        let folder = tempfile::Builder::new().prefix("ssm-audit-").tempdir().map_err(|error| error.to_string())?;
        let scratch = Self { folder, program, objects: common.join("objects") };
        scratch.fill(&own, &common).map_err(|error| format!("cannot read {}: {error}", common.display()))?;
        Ok(scratch)
    }

    fn fill(&self, own: &Path, common: &Path) -> io::Result<()> {
        let to = self.folder.path();
        let mut left = MOST_FILES;
        fs::create_dir(to.join("objects"))?;
        fs::create_dir(to.join("refs"))?;
        for name in ["HEAD", "FETCH_HEAD", "ORIG_HEAD", "MERGE_HEAD"] {
            copy(&own.join(name), &to.join(name), &mut left)?;
        }
        for name in ["packed-refs", "shallow", "refs", "reftable"] {
            copy(&common.join(name), &to.join(name), &mut left)?;
        }
        let base = "[core]\n\tbare = true\n\tcommitGraph = false\n\tmultiPackIndex = false\n";
        let write = |version: &str, extensions: &str| {
            let text = format!("{base}\trepositoryFormatVersion = {version}\n{extensions}");
            fs::write(to.join("config"), text)
        };
        write("0", "")?;
        // These two say how files are written, and nothing that is run.
        let mut extensions = String::new();
        for (name, known) in [("objectFormat", &["sha1", "sha256"]), ("refStorage", &["files", "reftable"])] {
            let key = format!("extensions.{name}");
            let config = common.join("config");
            let arguments =
                [OsStr::new("config"), OsStr::new("--no-includes"), OsStr::new("--file"), config.as_os_str()];
            let found = self.git(arguments.into_iter().chain(["--get".as_ref(), key.as_ref()])).output()?;
            let value = String::from_utf8_lossy(&found.stdout).trim().to_ascii_lowercase();
            if known.contains(&value.as_str()) {
                extensions.extend(["\t", name, " = ", value.as_str(), "\n"]);
            }
        }
        if extensions.is_empty() { Ok(()) } else { write("1", &format!("[extensions]\n{extensions}")) }
    }

    /// Git with these arguments, that sees nothing of the repository but its references and objects, and nothing of
    /// the environment but what programs need to run at all.
    fn git<'a>(&self, arguments: impl IntoIterator<Item = &'a OsStr>) -> Command {
        let folder = self.folder.path();
        let mut command = Command::new(&self.program);
        command.env_clear();
        for name in ["PATH", "SystemRoot", "TMPDIR", "TEMP", "TMP"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("GIT_DIR", folder)
            .env("GIT_OBJECT_DIRECTORY", &self.objects)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_CONFIG_GLOBAL", if cfg!(windows) { "NUL" } else { "/dev/null" })
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_NO_LAZY_FETCH", "1")
            .env("GIT_NO_REPLACE_OBJECTS", "1")
            .env("GIT_OPTIONAL_LOCKS", "0")
            .env("GIT_TERMINAL_PROMPT", "0")
            // No transport is of this name.
            .env("GIT_ALLOW_PROTOCOL", "none")
            .env("HOME", folder)
            .env("XDG_CONFIG_HOME", folder)
            .env("LC_ALL", "C")
            .current_dir(folder)
            .args(["--no-pager", "-c", "safe.bareRepository=explicit"])
            .args(arguments)
            .stdin(Stdio::null());
        command
    }

    /// What Git says.
    pub(super) fn ask<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Result<String, String> {
        let done = self.git(arguments.into_iter().map(OsStr::new)).output();
        let done = done.map_err(|error| format!("failed to run git: {error}"))?;
        if !done.status.success() {
            let said = String::from_utf8_lossy(&done.stderr);
            return Err(format!("git: {}", said.trim().lines().next().unwrap_or_default()));
        }
        String::from_utf8(done.stdout).map_err(|error| format!("git: {error}"))
    }

    /// What Git says to this on its standard input, read while it is written.
    pub(super) fn converse<T>(
        &self,
        arguments: &[&str],
        input: &[u8],
        read: impl FnOnce(&mut dyn io::BufRead) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut command = self.git(arguments.iter().map(OsStr::new));
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let answer = std::thread::scope(|scope| {
            scope.spawn(move || {
                // Where Git reads no more, its answer is too short, and that is said.
                let _ = stdin.map(|mut stdin| stdin.write_all(input));
            });
            match stdout {
                Some(stdout) => read(&mut io::BufReader::new(stdout)),
                None => Err(io::ErrorKind::BrokenPipe.into()),
            }
        });
        // What is not read any more must not keep it from ending.
        let _ = child.kill();
        child.wait()?;
        answer
    }
}

/// Copies a file or a folder of files. Links are not followed, and what does not exist is left out.
fn copy(from: &Path, to: &Path, left: &mut usize) -> io::Result<()> {
    let about = match from.symlink_metadata() {
        Ok(about) => about,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    *left = left.checked_sub(1).ok_or_else(|| io::Error::other("there are too many references"))?;
    if about.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let name = entry?.file_name();
            copy(&from.join(&name), &to.join(&name), left)?;
        }
    } else if about.is_file() {
        let file = fs::File::open(from)?;
        let mut file = file.take(LARGEST_FILE);
        io::copy(&mut file, &mut fs::File::create(to)?)?;
        if file.limit() == 0 {
            return Err(io::Error::other("a file of references is too large"));
        }
    }
    Ok(())
}

/// Where Git is: in a folder of the PATH that has a root and lies outside of the work tree.
fn program(top: &Path) -> Option<PathBuf> {
    let name = if cfg!(windows) { "git.exe" } else { "git" };
    let path = std::env::var_os("PATH")?;
    let found = std::env::split_paths(&path).filter(|folder| folder.is_absolute()).map(|folder| folder.join(name));
    found.into_iter().find(|program| {
        let real = fs::canonicalize(program);
        real.is_ok_and(|real| !real.starts_with(top) && is_program(&real)) && !program.starts_with(top)
    })
}

#[cfg(unix)]
fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    path.metadata().is_ok_and(|about| about.is_file() && about.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_program(path: &Path) -> bool {
    path.is_file()
}
