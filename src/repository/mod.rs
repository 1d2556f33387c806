//! Git repository, found by the tool itself. Nothing in it is trusted: its configuration is never read by Git, so no
//! filter, hook, file system monitor, difference tool, credential helper or transport that it names is ever run.

mod revision;
mod scratch;

use std::path::{Component, Path, PathBuf};

pub(crate) use revision::Revision;

/// The largest file of code that is read, in bytes.
pub(crate) const LARGEST: u64 = 16 << 20;

/// The longest file `.git` that is read.
const LONGEST_LINK: u64 = 4096;

/// A repository.
#[derive(Debug, Clone)]
pub(crate) struct Repository {
    /// The folder of the work tree, without symbolic links.
    top: PathBuf,
}

impl Repository {
    /// The repository that holds the folder, whose path has no symbolic links: the nearest folder upward in which
    /// there is a `.git`, be it a folder or a file.
    pub(crate) fn above(folder: &Path) -> Option<Self> {
        folder.ancestors().find(|folder| Self::is_at(folder)).map(|top| Self { top: top.to_owned() })
    }

    /// Returns `true` if the folder is the top of a repository.
    pub(crate) fn is_at(folder: &Path) -> bool {
        folder.join(".git").symlink_metadata().is_ok()
    }

    /// The folder of the work tree.
    pub(crate) fn top(&self) -> &Path {
        &self.top
    }

    /// The folder with what belongs to this work tree, such as `HEAD`.
    fn own(&self) -> Result<PathBuf, String> {
        let git = self.top.join(".git");
        let about = git.symlink_metadata().map_err(|error| failed(&git, &error))?;
        let named = if about.is_file() {
            let text = small_text(&git)?;
            let path = text.strip_prefix("gitdir:").ok_or_else(|| format!("{} names no folder", git.display()))?;
            self.top.join(path.trim())
        } else {
            git
        };
        self.trusted(&named)
    }

    /// The folder with what all work trees share, such as the objects.
    fn common(&self, own: &Path) -> Result<PathBuf, String> {
        let link = own.join("commondir");
        if link.symlink_metadata().is_err() {
            return Ok(own.to_owned());
        }
        self.trusted(&own.join(small_text(&link)?.trim()))
    }

    /// The real path of a folder of Git's, which is not made of files of the work tree: whoever writes those would
    /// choose what they are compared to.
    fn trusted(&self, folder: &Path) -> Result<PathBuf, String> {
        let real = std::fs::canonicalize(folder).map_err(|error| failed(folder, &error))?;
        let is_git = |component: Component<'_>| component.as_os_str().eq_ignore_ascii_case(".git");
        match real.strip_prefix(&self.top) {
            Ok(below) if !below.components().any(is_git) => {
                Err(format!("{} is a part of the work tree, and not trusted", real.display()))
            }
            _ => Ok(real),
        }
    }
}

fn failed(path: &Path, error: &std::io::Error) -> String {
    format!("cannot read {}: {error}", path.display())
}

fn small_text(path: &Path) -> Result<String, String> {
    use std::io::Read as _;
    let file = std::fs::File::open(path).map_err(|error| failed(path, &error))?;
    let mut text = String::new();
    file.take(LONGEST_LINK).read_to_string(&mut text).map_err(|error| failed(path, &error))?;
    Ok(text)
}

#[cfg(test)]
mod tests;
