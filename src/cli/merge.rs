//! `merge`: make one sweep of the parts that several machines have looked at.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};

use clap::Args;

use super::notify::{self, NotifyArgs};
use super::output::ReportArgs;
use super::shard_location::{Place, StoreArgs, parse_place};
use super::state_dir::StateArgs;
use super::sweep;
use super::{Error, Exit, Globals};
use crate::history::shard_file::{self, Source};
use crate::history::{History, SweepLock};

/// The arguments of `merge`.
#[derive(Debug, Args)]
pub(super) struct MergeArgs {
    /// Shards: files, folders, or s3://BUCKET/PREFIX
    #[arg(value_name = "PLACE", required = true, value_parser = parse_place)]
    parts: Vec<Place>,
    #[command(flatten)]
    report: ReportArgs,
    #[command(flatten)]
    notify: NotifyArgs,
    #[command(flatten)]
    state: StateArgs,
    #[command(flatten)]
    store: StoreArgs,
}

pub(super) fn run(arguments: &MergeArgs, globals: &Globals) -> Result<Exit, Error> {
    let outputs = arguments.report.outputs(globals)?;
    let receiver = arguments.notify.receiver()?;
    let mut sources = Vec::new();
    let fetched = tempfile::tempdir().map_err(Error::Start)?;
    for (number, place) in arguments.parts.iter().enumerate() {
        match place {
            Place::File(path) if path.is_dir() => sources.extend(in_folder(path)?.into_iter().map(source)),
            Place::File(path) => sources.push(source(path.clone())),
            Place::Store(store) => {
                let folder = fetched.path().join(number.to_string());
                std::fs::create_dir(&folder).map_err(Error::Start)?;
                let parts = arguments.store.fetch(store, &folder)?;
                sources.extend(parts.into_iter().map(|(name, path)| Source { name, ..source(path) }));
            }
        }
    }
    let folder = arguments.state.folder()?;
    let _lock = SweepLock::take(&folder)?;
    let mut history = History::open(&folder)?;
    let merged = shard_file::merge(&mut history, &sources, |history, sweep| {
        notify::announce(history, sweep, receiver.as_ref())
    })?;
    let exit = sweep::report(&history, merged, &outputs, arguments.report.fail_on(globals)?, globals)?;
    notify::tell(&mut history, receiver, globals)?;
    Ok(exit)
}

/// The files of a folder that have the ending of parts, by name.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, Error> {
    let unreadable = |source| shard_file::PartError::Unreadable { name: folder.display().to_string(), source };
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.extension().is_some_and(|ending| ending == "jsonl") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn source(path: PathBuf) -> Source<'static> {
    Source {
        name: path.display().to_string(),
        open: Box::new(move || File::open(&path).map(|file| Box::new(BufReader::new(file)) as Box<dyn BufRead>)),
    }
}
