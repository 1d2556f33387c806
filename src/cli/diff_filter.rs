//! A part of the findings: those on lines that were changed, and those that an earlier report does not have.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Error, Globals};
use crate::boundary::{Refusal, read_named_json};
use crate::collect::terraform::SourceMap;
use crate::engine::scan::{ANY, Judged};
use crate::model::finding::Location;
use crate::model::{Finding, Verdict};
use crate::report::baseline::Baseline;
use crate::repository::{Repository, Revision};

/// Flags that narrow what is reported.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Less")]
pub(super) struct NarrowArgs {
    /// Only findings on lines that differ from this Git revision, and unknowns
    #[arg(long, value_name = "REV", requires = "inputs", env = "SSM_AUDIT_CHANGED_SINCE")]
    changed_since: Option<String>,
    /// Only findings that this baseline or report (JSON, SARIF) does not have; `none`: all
    #[arg(long, value_name = "FILE", env = "SSM_AUDIT_BASELINE")]
    baseline: Option<PathBuf>,
}

/// What was changed, and what is known already.
pub(super) struct Narrow {
    revision: Option<String>,
    /// By fingerprint, whether it failed.
    known: BTreeMap<String, Verdict>,
}

impl NarrowArgs {
    /// Reads the baseline.
    pub(super) fn read(&self, globals: &Globals) -> Result<Narrow, Error> {
        let known = known(self.baseline.as_deref(), globals)?;
        Ok(Narrow { revision: self.changed_since.clone(), known })
    }
}

impl Narrow {
    /// Leaves out findings on resources of the code whose lines have not changed.
    pub(super) fn to_changes(&self, root: &Path, judged: &mut Judged, source_map: &SourceMap) -> Result<(), Error> {
        let Some(revision) = &self.revision else { return Ok(()) };
        let changes = Changes::since(revision, root, source_map)?;
        judged.retain(|finding| {
            finding.resource.id == ANY
                || match source_map.lines(&finding.resource) {
                    // What is no block of its own, such as a default, goes with what names it.
                    None => finding.location.as_ref().is_none_or(|location| changes.touch(location)),
                    Some(lines) => lines.iter().any(|location| changes.touch(location)),
                }
        });
        Ok(())
    }

    /// Leaves out findings that are known already; how many these are.
    pub(super) fn to_new(&self, judged: &mut [Judged]) -> u64 {
        let mut left_out = 0;
        for one in judged {
            one.retain(|finding| {
                let known = self.is_known(finding);
                left_out += u64::from(known);
                !known
            });
        }
        left_out
    }

    fn is_known(&self, finding: &Finding) -> bool {
        match (self.known.get(&finding.fingerprint), finding.verdict) {
            (Some(Verdict::Fail), Verdict::Fail | Verdict::Unknown) => true,
            (Some(then), now) => *then == Verdict::Unknown && now == Verdict::Unknown,
            (None, _) => false,
        }
    }
}

/// The lines that differ from a revision, by file.
struct Changes {
    files: BTreeMap<PathBuf, Vec<RangeInclusive<u32>>>,
}

impl Changes {
    fn since(revision: &str, root: &Path, source_map: &SourceMap) -> Result<Self, Error> {
        let usage = |message: String| Error::Usage {
            message,
            help: "--changed-since takes a revision of the Git repository that the code is in, such as origin/main; a \
                   shallow clone may not have it"
                .to_owned(),
        };
        let folder = real(root);
        let repository =
            Repository::above(&folder).ok_or_else(|| usage(format!("{} is in no Git repository", root.display())))?;
        let revision = Revision::of(&repository, revision).map_err(|error| usage(error.to_string()))?;
        let files: Vec<(PathBuf, Vec<u8>)> = source_map
            .files()
            .iter()
            .map(|file| (real(Path::new(file.source().name())), file.source().text().as_bytes().to_vec()))
            .collect();
        let files = revision.changes(&files).map_err(|error| usage(error.to_string()))?;
        Ok(Self { files })
    }

    fn touch(&self, location: &Location) -> bool {
        let lines = self.files.get(&real(Path::new(&location.file)));
        lines.into_iter().flatten().any(|lines| *lines.start() <= location.end_line && location.line <= *lines.end())
    }
}

fn real(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The findings that are known, by fingerprint: of the flag, otherwise of the configuration.
fn known(flag: Option<&Path>, globals: &Globals) -> Result<BTreeMap<String, Verdict>, Error> {
    let config = globals.config()?;
    let (path, text) = match flag {
        Some(path) if path == Path::new("none") => return Ok(BTreeMap::new()),
        Some(path) => {
            let path = globals.in_base(path);
            let text = read_named_json(&path);
            (path, text)
        }
        None => match config.baseline().zip(config.baseline_text()) {
            None => return Ok(BTreeMap::new()),
            Some((path, text)) => (path.to_owned(), text),
        },
    };
    Ok(parse_baseline(&path, text)?.verdicts())
}

/// Reads the text of a baseline.
pub(super) fn parse_baseline(path: &Path, text: Result<String, Refusal>) -> Result<Baseline, Error> {
    let baseline = text.map_err(|refusal| refusal.to_string()).and_then(|text| Baseline::parse(&text));
    baseline.map_err(|why| Error::Usage {
        message: format!("{} is no baseline: {why}", path.display()),
        help: "write one with `ssm-audit baseline create REPORT -o FILE`".to_owned(),
    })
}
