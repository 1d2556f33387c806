//! Writing of files that replaces them as a whole: beside the place first, then moved there. A symbolic link is never
//! written through.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use super::Refusal;

/// Replaces the file that lies there below the folder; its mode stays.
#[cfg(unix)]
pub(super) fn replace(folder: &Path, below: &Path, content: &[u8]) -> Result<(), Refusal> {
    use rustix::fs::{AtFlags, FileType, Mode, OFlags, fchmod, fsync, openat, renameat, statat, unlinkat};
    let (parent, name) = super::open::parent_of(folder, below)?;
    let about = statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW).map_err(super::open::refused)?;
    match FileType::from_raw_mode(about.st_mode) {
        FileType::RegularFile => {}
        FileType::Symlink => return Err(Refusal::Link),
        _ => return Err(Refusal::NotAFile),
    }
    let mode = Mode::from_raw_mode(about.st_mode & 0o7777);
    let beside = format!(".ssm-audit-{}.part", std::process::id());
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = openat(&parent, &*beside, flags, Mode::RUSR | Mode::WUSR).map_err(super::open::refused)?;
    let mut file = File::from(file);
    let written = file.write_all(content).and_then(|()| {
        fchmod(&file, mode)?;
        fsync(&file)?;
        Ok(renameat(&parent, &*beside, &parent, name)?)
    });
    written.map_err(|error| {
        // It may not be there any more; what matters is the error before.
        let _ = unlinkat(&parent, &*beside, AtFlags::empty());
        Refusal::Failed(error)
    })
}

/// Creates the file that is to lie there below the folder.
#[cfg(unix)]
pub(super) fn create(folder: &Path, below: &Path, content: &[u8]) -> Result<(), Refusal> {
    use rustix::fs::{AtFlags, Mode, OFlags, fsync, openat, unlinkat};
    let (parent, name) = super::open::parent_of(folder, below)?;
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mode = Mode::from_raw_mode(0o666);
    let file = openat(&parent, name, flags, mode).map_err(super::open::refused)?;
    let mut file = File::from(file);
    let written = file.write_all(content).and_then(|()| Ok(fsync(&file)?));
    written.map_err(|error| {
        // Half of a file is worse than none; what matters is the error before.
        let _ = unlinkat(&parent, name, AtFlags::empty());
        Refusal::Failed(error)
    })
}

#[cfg(not(unix))]
pub(super) fn create(folder: &Path, below: &Path, content: &[u8]) -> Result<(), Refusal> {
    let mut file = File::create_new(folder.join(below)).map_err(Refusal::of)?;
    file.write_all(content).map_err(Refusal::Failed)
}

/// Creates the folder that is to lie there below the folder.
#[cfg(unix)]
pub(super) fn create_folder(folder: &Path, below: &Path) -> Result<(), Refusal> {
    let (parent, name) = super::open::parent_of(folder, below)?;
    rustix::fs::mkdirat(&parent, name, rustix::fs::Mode::from_raw_mode(0o777)).map_err(super::open::refused)
}

#[cfg(not(unix))]
pub(super) fn create_folder(folder: &Path, below: &Path) -> Result<(), Refusal> {
    fs::create_dir(folder.join(below)).map_err(Refusal::of)
}

#[cfg(not(unix))]
pub(super) fn replace(folder: &Path, below: &Path, content: &[u8]) -> Result<(), Refusal> {
    write_file(&folder.join(below), |out| out.write_all(content)).map_err(Refusal::Failed)
}

/// Writes a file beside its place and then moves it there, so that nobody ever sees half of it. A symbolic link that
/// stands there is replaced, and not followed.
///
/// # Errors
/// Where it cannot be written. What was there before is left as it was.
pub(crate) fn write_file(path: &Path, content: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let folder = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    if !folder.is_dir() {
        return Err(io::Error::new(io::ErrorKind::NotFound, "no such file or directory"));
    }
    let beside = beside(path).tempfile_in(folder)?;
    let mut buffered = BufWriter::new(beside);
    content(&mut buffered)?;
    let beside = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
    beside.as_file().sync_all()?;
    beside.persist(path).map_err(|error| error.error)?;
    // The name is safe only once the folder is; where a folder cannot be synced, nothing is lost.
    let _ = File::open(folder).and_then(|folder| folder.sync_all());
    Ok(())
}

/// A hidden file beside the target, with the permissions that the target has or a new file gets.
fn beside(target: &Path) -> tempfile::Builder<'static, 'static> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(".ssm-audit-").suffix(".part");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let about = fs::symlink_metadata(target).ok().filter(fs::Metadata::is_file);
        let mode = about.map_or(0o666, |about| about.permissions().mode() & 0o777);
        builder.permissions(fs::Permissions::from_mode(mode));
    }
    #[cfg(not(unix))]
    let _ = target;
    builder
}
