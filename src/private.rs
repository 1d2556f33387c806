//! Files and folders of the state that only their owner may read: plans, journals and findings say how accounts are
//! set up. Modes are 0600 and 0700, also where a file or folder existed before. Windows has no modes: there the state
//! has the permissions that its folder inherits, those of the user's profile.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;

/// Makes the folder, and those above it that are missing. One that existed is closed to others if it holds nothing
/// else than state.
///
/// # Errors
/// Where it cannot be made.
pub(crate) fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return close_folder(folder);
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

/// Opens a file for writing, made if it is missing; a symbolic link is not followed.
///
/// # Errors
/// Where it cannot be opened, or be kept from others.
pub(crate) fn open_file(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt as _;
        let flags = (rustix::fs::OFlags::NOFOLLOW | rustix::fs::OFlags::NONBLOCK).bits();
        options.mode(0o600).custom_flags(flags.cast_signed());
    }
    let file = options.open(path)?;
    close(&file)?;
    Ok(file)
}

/// Closes the file of a database, and what SQLite keeps beside it, to others.
///
/// # Errors
/// Where something else than a file is in the place of one, or it cannot be closed.
pub(crate) fn close_database(path: &Path) -> io::Result<()> {
    for ending in ["", "-wal", "-shm", "-journal"] {
        let mut file = path.as_os_str().to_owned();
        file.push(ending);
        match Path::new(&file).symlink_metadata() {
            Ok(about) if about.is_file() => close_path(Path::new(&file), &about)?,
            Ok(_) => {
                return Err(io::Error::new(io::ErrorKind::InvalidInput, "a symbolic link or no file is in its place"));
            }
            // SQLite makes what does not exist, with the mode of the database.
            Err(_) => {}
        }
    }
    Ok(())
}

/// Returns `true` if a mode lets others than the owner do anything.
#[cfg(unix)]
fn is_open(mode: u32) -> bool {
    mode & 0o077 != 0
}

#[cfg(unix)]
fn close_path(path: &Path, about: &fs::Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let mode = about.permissions().mode();
    // What belongs to somebody else is closed by that user.
    if !is_open(mode) || about.uid() != rustix::process::geteuid().as_raw() {
        return Ok(());
    }
    match fs::set_permissions(path, fs::Permissions::from_mode(mode & 0o700)) {
        // There it can be read, and nothing be changed.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => Ok(()),
        done => done,
    }
}

#[cfg(not(unix))]
fn close_path(_: &Path, _: &fs::Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn close(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = file.metadata()?.permissions().mode();
    if is_open(mode) { file.set_permissions(fs::Permissions::from_mode(mode & 0o700)) } else { Ok(()) }
}

#[cfg(not(unix))]
fn close(_: &File) -> io::Result<()> {
    Ok(())
}

/// Closes a folder to others. One that holds something else, such as the working folder, may be meant for others: its
/// files are closed one by one.
#[cfg(unix)]
fn close_folder(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let about = fs::metadata(folder)?;
    let mode = about.permissions().mode();
    #[expect(clippy::case_sensitive_file_extension_comparisons, reason = "locks are named in lower case")]
    let is_ours = |name: &str| STATE.iter().any(|ours| name.starts_with(ours)) || name.ends_with(".lock");
    let holds_state = || {
        let mut names = fs::read_dir(folder).into_iter().flatten().filter_map(Result::ok);
        names.all(|entry| is_ours(&entry.file_name().to_string_lossy()))
    };
    let is_owner = about.uid() == rustix::process::geteuid().as_raw();
    if is_open(mode) && is_owner && holds_state() {
        fs::set_permissions(folder, fs::Permissions::from_mode(mode & 0o700))?;
    }
    Ok(())
}

#[cfg(not(unix))]
fn close_folder(_: &Path) -> io::Result<()> {
    Ok(())
}

/// The beginning of the names of databases that are being made.
pub(crate) const NEW: &str = ".ssm-audit-new-";

/// The beginnings of the names of files of state.
#[cfg(unix)]
const STATE: &[&str] = &["journal.db", "history.sqlite", NEW];

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).expect("a file").permissions().mode() & 0o777
    }

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
    }

    #[test]
    fn files_and_folders_are_the_owners_also_where_they_existed() {
        let folder = tempfile::tempdir().expect("a folder");
        let state = folder.path().join("a/state");
        make_folder(&state).expect("made");
        assert_eq!((mode(&state), mode(&folder.path().join("a"))), (0o700, 0o700));
        for name in ["journal.db", "journal.db-wal", "sweep.lock"] {
            fs::write(state.join(name), "").expect("written");
            set(&state.join(name), 0o644);
        }
        set(&state, 0o755);
        make_folder(&state).expect("closed");
        close_database(&state.join("journal.db")).expect("closed");
        open_file(&state.join("sweep.lock")).expect("opened");
        assert_eq!(mode(&state), 0o700);
        for name in ["journal.db", "journal.db-wal", "sweep.lock"] {
            assert_eq!(mode(&state.join(name)), 0o600, "{name}");
        }
    }

    #[test]
    fn a_folder_that_holds_something_else_stays_open_and_its_state_is_closed() {
        let folder = tempfile::tempdir().expect("a folder");
        set(folder.path(), 0o755);
        fs::write(folder.path().join("main.tf"), "").expect("written");
        make_folder(folder.path()).expect("there");
        fs::write(folder.path().join("history.sqlite"), "").expect("written");
        set(&folder.path().join("history.sqlite"), 0o644);
        close_database(&folder.path().join("history.sqlite")).expect("closed");
        assert_eq!(mode(folder.path()), 0o755);
        assert_eq!(mode(&folder.path().join("history.sqlite")), 0o600);
    }

    #[test]
    fn a_link_in_the_place_of_state_is_not_followed() {
        let folder = tempfile::tempdir().expect("a folder");
        let other = folder.path().join("other");
        fs::write(&other, "precious").expect("written");
        std::os::unix::fs::symlink(&other, folder.path().join("journal.db")).expect("a link");
        assert!(close_database(&folder.path().join("journal.db")).is_err());
        assert_eq!(fs::read(&other).expect("the file"), b"precious");
    }
}
