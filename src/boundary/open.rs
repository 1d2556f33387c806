//! Opening of a file below a folder, without following symbolic links and without waiting for pipes.

use std::fs::File;
use std::path::Path;

use super::Refusal;

/// Opens the file that lies there below the folder. No component of the path may be a link.
#[cfg(unix)]
pub(super) fn below(folder: &Path, below: &Path) -> Result<File, Refusal> {
    use rustix::fs::{Mode, OFlags, openat};
    let (parent, name) = parent_of(folder, below)?;
    // Not by opening it: to open a device may do something.
    let about = rustix::fs::statat(&parent, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW).map_err(refused)?;
    if !rustix::fs::FileType::from_raw_mode(about.st_mode).is_file() {
        return Err(Refusal::NotAFile);
    }
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let file = File::from(openat(&parent, name, flags, Mode::empty()).map_err(refused)?);
    if is_regular(&file) { Ok(file) } else { Err(Refusal::NotAFile) }
}

#[cfg(not(unix))]
pub(super) fn below(folder: &Path, below: &Path) -> Result<File, Refusal> {
    let path = folder.join(below);
    if !std::fs::symlink_metadata(&path).map_err(Refusal::of)?.is_file() {
        return Err(Refusal::NotAFile);
    }
    let file = File::open(&path).map_err(Refusal::of)?;
    if is_regular(&file) { Ok(file) } else { Err(Refusal::NotAFile) }
}

/// Opens the folder that a path below another one is in, and gives the last name of the path.
#[cfg(unix)]
pub(super) fn parent_of<'p>(
    folder: &Path,
    below: &'p Path,
) -> Result<(rustix::fd::OwnedFd, &'p std::ffi::OsStr), Refusal> {
    use rustix::fs::{Mode, OFlags, open, openat};
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut parent = open(folder, flags, Mode::empty()).map_err(refused)?;
    let mut steps = below.components();
    let Some(name) = steps.next_back() else { return Err(Refusal::NotAFile) };
    for step in steps {
        parent = openat(&parent, step.as_os_str(), flags | OFlags::NOFOLLOW, Mode::empty()).map_err(refused)?;
    }
    Ok((parent, name.as_os_str()))
}

#[cfg(unix)]
pub(super) fn refused(error: rustix::io::Errno) -> Refusal {
    match error {
        // It was no link when it was checked.
        rustix::io::Errno::LOOP => Refusal::Link,
        error => Refusal::of(error.into()),
    }
}

/// Returns `true` for a regular file of a file system that holds files: what the kernel tells of processes looks like
/// one, wherever it is mounted.
pub(crate) fn is_regular(file: &File) -> bool {
    let is_file = file.metadata().is_ok_and(|about| about.is_file());
    #[cfg(target_os = "linux")]
    let is_file = is_file
        && rustix::fs::fstatfs(file).is_ok_and(|system| {
            #[expect(clippy::cast_sign_loss, clippy::cast_possible_truncation, reason = "the numbers have 32 bits")]
            let kind = system.f_type as u32;
            !NO_FILES.contains(&kind)
        });
    is_file
}

/// The numbers of file systems of the kernel's own: proc, sysfs, debugfs, tracefs, securityfs, the cgroups and bpf.
/// `linux/magic.h`
#[cfg(target_os = "linux")]
const NO_FILES: &[u32] =
    &[0x9fa0, 0x6265_6572, 0x6462_6720, 0x7472_6163, 0x7363_6673, 0x0027_e0eb, 0x6367_7270, 0xcafe_4a11];
