//! Where parts of a sweep are: a file, or a prefix in S3.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::aws_args::{self, LiveArgs};
use super::{Error, Globals};
use crate::aws::{Connection, ConnectionSettings};
use crate::fleet::{Shard, Store};
use crate::model::Region;
use crate::report::output::to_file;

/// Where a part is written to or read from.
#[derive(Debug, Clone)]
pub(super) enum Place {
    /// A file, or a folder.
    File(PathBuf),
    /// In S3.
    Store(Store),
}

/// A place as the command line names it.
pub(super) fn parse_place(text: &str) -> Result<Place, String> {
    if text.starts_with("s3://") { text.parse().map(Place::Store) } else { Ok(Place::File(text.into())) }
}

/// A part that is to be written.
pub(super) struct PartTo<'a> {
    pub(super) shard: Shard,
    place: &'a Place,
    live: &'a LiveArgs,
}

impl<'a> PartTo<'a> {
    pub(super) fn new(shard: Shard, place: &'a Place, live: &'a LiveArgs) -> Self {
        Self { shard, place, live }
    }

    /// Refuses what would be written over, before anything is read for nothing.
    pub(super) fn refuse_if_there(&self, globals: &Globals) -> Result<(), Error> {
        let store = match self.place {
            Place::Store(store) => store,
            Place::File(file) if file.exists() => {
                return Err(Error::Usage {
                    message: format!("{} is there already, and is not written over", file.display()),
                    help: "it may be of another sweep, with which this one must not be merged: delete it, or name \
                           another file"
                        .to_owned(),
                });
            }
            Place::File(_) => return Ok(()),
        };
        let settings = self.settings(globals)?;
        aws_args::run(async { Ok(store.refuse_if_there(&Connection::open(&settings).await?, self.shard).await?) })
    }

    /// Writes it: in full, or not at all.
    pub(super) fn write(
        &self,
        globals: &Globals,
        content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
    ) -> Result<(), Error> {
        let store = match self.place {
            Place::File(file) => return Ok(to_file(file, content)?),
            Place::Store(store) => store,
        };
        let folder = tempfile::tempdir().map_err(Error::Start)?;
        let file = folder.path().join("part.jsonl");
        to_file(&file, content)?;
        let settings = self.settings(globals)?;
        aws_args::run(async { Ok(store.put(&Connection::open(&settings).await?, self.shard, &file).await?) })
    }

    fn settings(&self, globals: &Globals) -> Result<ConnectionSettings, Error> {
        self.live.settings(&self.live.choice(globals)?)
    }
}

/// The way to S3.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "AWS")]
pub(super) struct StoreArgs {
    /// The profile in the AWS configuration files, for parts in S3
    #[arg(long, value_name = "NAME", env = "SSM_AUDIT_PROFILE")]
    profile: Option<String>,
    /// The region
    #[arg(long, value_name = "REGION", env = "SSM_AUDIT_REGION")]
    region: Option<Region>,
    /// An endpoint in place of AWS's own
    #[arg(long, value_name = "URL", env = "SSM_AUDIT_ENDPOINT_URL")]
    endpoint_url: Option<String>,
}

impl StoreArgs {
    fn settings(&self) -> ConnectionSettings {
        ConnectionSettings {
            profile: self.profile.clone(),
            region: self.region.clone(),
            endpoint_url: self.endpoint_url.clone(),
            ..ConnectionSettings::default()
        }
    }

    /// Fetches all parts of a prefix into this folder.
    pub(super) fn fetch(&self, store: &Store, folder: &Path) -> Result<Vec<(String, PathBuf)>, Error> {
        aws_args::run(async {
            let connection = Connection::open(&self.settings()).await?;
            Ok(store.fetch(&connection, folder).await?)
        })
    }
}
