//! Destination of a report: standard output, or a file that is written completely or not at all.

use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::Format;
use super::spool::Spool;
use crate::boundary::{check_named, write_file};

/// File to write, and the format that its name selects.
#[derive(Debug, Clone)]
pub struct OutputFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Format of the file.
    pub format: &'static Format,
}

/// A report that could not be written.
#[derive(Debug, thiserror::Error)]
pub enum OutputError {
    /// The file name has no known extension.
    #[error("the ending of {} names no format; known are {}", .0.display(), Format::all_endings())]
    UnknownEnding(PathBuf),
    /// The file could not be written. Its earlier content is unchanged.
    #[error("failed to write {}: {source}{}", path.display(), hint(source))]
    File {
        /// Path of the file.
        path: PathBuf,
        /// Cause of the failure.
        source: io::Error,
    },
    /// The report could not be generated: its input cannot be read, or there is no space for it.
    #[error("failed to make the report: {source}; nothing was written to standard output{}", hint(source))]
    Content {
        /// Cause of the failure.
        source: io::Error,
    },
    /// Standard output could not be written.
    #[error("failed to write to standard output: {source}{}", hint(source))]
    Standard {
        /// Cause of the failure.
        source: io::Error,
    },
}

/// Returns the remedy.
fn hint(error: &io::Error) -> &'static str {
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "; free some space, or write elsewhere",
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => "; choose a folder that you may write to",
        ErrorKind::NotFound | ErrorKind::NotADirectory => "; its folder does not exist",
        ErrorKind::IsADirectory => "; name a file in it",
        _ => "",
    }
}

impl OutputFile {
    /// Returns a file in the format of its extension.
    ///
    /// # Errors
    /// If the extension names no format.
    pub fn new(path: impl Into<PathBuf>) -> Result<Self, OutputError> {
        let path = path.into();
        match Format::of_file(&path) {
            Some(format) => Ok(Self { path, format }),
            None => Err(OutputError::UnknownEnding(path)),
        }
    }
}

/// Writes to standard output once the content is complete, so that a failure never leaves half a report. A reader that
/// stops reading (`| head`) is not an error.
///
/// # Errors
/// If the content cannot be generated, in which case nothing was written, or if it cannot be written for another
/// reason.
pub fn to_standard(
    out: &mut dyn Write,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), OutputError> {
    let mut spool = Spool::default();
    content(&mut spool).map_err(|source| OutputError::Content { source })?;
    match spool.copy_to(out).and_then(|()| out.flush()) {
        Err(source) if source.kind() != ErrorKind::BrokenPipe => Err(OutputError::Standard { source }),
        _ => Ok(()),
    }
}

/// Writes a temporary file and then moves it to its place, so that no reader ever sees half of it. A device or a pipe
/// is written directly. A symbolic link is replaced, and not followed; its folder must not lie outside of the
/// repository that it is named in.
///
/// # Errors
/// If the file cannot be written. Its earlier content is left unchanged.
pub fn to_file(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), OutputError> {
    write(path, content).map_err(|source| OutputError::File { path: path.to_owned(), source })
}

fn write(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    // The folder must not be reached through a link to another place; the file itself may be a link, which is replaced.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    check_named(folder)?;
    let about = fs::symlink_metadata(path);
    if about.as_ref().is_ok_and(fs::Metadata::is_dir) {
        return Err(ErrorKind::IsADirectory.into());
    }
    // Names of open files, such as /dev/stdout, are links.
    let target = if path.starts_with("/dev") || path.starts_with("/proc") { fs::metadata(path) } else { about };
    if target.is_ok_and(|about| !about.is_file() && !about.is_symlink()) {
        let mut device = BufWriter::new(File::options().write(true).open(path)?);
        return content(&mut device).and_then(|()| device.flush());
    }
    write_file(path, content)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder");
        entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
    }

    #[test]
    fn a_file_is_replaced_in_full_or_not_at_all() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        to_file(&path, |out| out.write_all(b"first")).expect("written");
        let error = to_file(&path, |out| {
            out.write_all(b"half")?;
            Err(ErrorKind::StorageFull.into())
        });
        let message = error.expect_err("no space").to_string();
        assert!(message.starts_with("failed to write ") && message.ends_with("; free some space, or write elsewhere"));
        assert_eq!(fs::read(&path).expect("the file"), b"first");
        assert_eq!(names(folder.path()), ["report.json"]);
    }

    #[test]
    fn a_folder_that_is_missing_or_in_the_way_is_said() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = |path: &Path| to_file(path, |_| Ok(())).expect_err("an error").to_string();
        assert!(error(&folder.path().join("no/report.json")).ends_with("; its folder does not exist"));
        assert!(error(folder.path()).ends_with("; name a file in it"));
    }

    #[test]
    fn a_closed_pipe_is_no_error_and_a_full_device_is_one() {
        struct Failing(ErrorKind);
        impl Write for Failing {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(self.0.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let write = |kind| to_standard(&mut Failing(kind), |out| out.write_all(b"x"));
        assert!(write(ErrorKind::BrokenPipe).is_ok());
        assert!(write(ErrorKind::StorageFull).is_err());
    }

    #[test]
    fn nothing_is_written_of_a_report_that_cannot_be_made() {
        let mut out = Vec::new();
        let made = to_standard(&mut out, |out| {
            // More than a buffer can contain.
            out.write_all("x".repeat(100_000).as_bytes())?;
            Err(io::Error::other("the history is damaged"))
        });
        let message = made.expect_err("an error").to_string();
        assert_eq!(
            message,
            "failed to make the report: the history is damaged; nothing was written to standard output"
        );
        assert_eq!(out, b"");
    }

    #[cfg(unix)]
    #[test]
    fn links_are_replaced_and_devices_are_written() {
        let folder = tempfile::tempdir().expect("a folder");
        let (real, link) = (folder.path().join("real.json"), folder.path().join("link.json"));
        fs::write(&real, "old").expect("written");
        for target in [real.as_path(), Path::new("/dev/null"), Path::new("nowhere"), Path::new("link.json")] {
            let _ = fs::remove_file(&link);
            std::os::unix::fs::symlink(target, &link).expect("a link");
            to_file(&link, |out| out.write_all(b"new")).expect("written");
            assert!(fs::symlink_metadata(&link).expect("the report").is_file(), "{}", target.display());
            assert_eq!(fs::read(&link).expect("the report"), b"new");
        }
        assert_eq!(fs::read(&real).expect("the file"), b"old");
        assert!(!folder.path().join("nowhere").exists());
        to_file(Path::new("/dev/null"), |out| out.write_all(b"x")).expect("written");
        assert!(!fs::metadata("/dev/null").expect("the device").is_file());
        assert!(to_file(Path::new("/dev/full"), |out| out.write_all(b"x")).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_that_a_link_leads_out_of_the_repository_to_is_not_written_to() {
        let folder = tempfile::tempdir().expect("a folder");
        let (repository, other) = (folder.path().join("repository"), folder.path().join("other"));
        for path in [repository.join(".git"), repository.join("in/reports"), other.join(".git")] {
            fs::create_dir_all(path).expect("a folder");
        }
        for (name, target) in [("out", "../other"), ("git", ".git"), ("reports", "in/reports")] {
            std::os::unix::fs::symlink(target, repository.join(name)).expect("a link");
        }
        let write = |name: &str| to_file(&repository.join(name), |out| out.write_all(b"x"));
        assert!(write("out/report.json").is_err());
        assert!(write("git/report.json").is_err());
        write("reports/report.json").expect("written");
        assert_eq!(names(&other), [".git"]);
        assert_eq!(names(&repository.join(".git")), [""; 0]);
    }

    #[cfg(unix)]
    #[test]
    fn a_file_that_is_replaced_keeps_its_mode() {
        use std::os::unix::fs::PermissionsExt as _;
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("report.json");
        fs::write(&path, "old").expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("a mode");
        to_file(&path, |out| out.write_all(b"new")).expect("written");
        assert_eq!(fs::metadata(&path).expect("the file").permissions().mode() & 0o777, 0o640);
    }

    #[test]
    fn an_unknown_ending_names_the_known_ones() {
        let error = OutputFile::new("report.docx").expect_err("an error").to_string();
        let known = Format::all_endings();
        assert!(known.starts_with(".txt .json .sarif .sarif.json "), "{known}");
        assert_eq!(error, format!("the ending of report.docx names no format; known are {known}"));
        assert_eq!(OutputFile::new("report.sarif").expect("a file").format.name, "sarif");
    }
}
