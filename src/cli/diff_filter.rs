//! A part of the findings: those on lines that were changed, and those that an earlier report does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value as Json;

use super::{Error, Globals};
use crate::boundary::read_named_json;
use crate::collect::terraform::Places;
use crate::engine::scan::{ANY, Judged};
use crate::model::finding::Location;
use crate::model::{Finding, Report, Verdict};
use crate::repository::{Repository, Revision};

/// Flags that narrow what is reported.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Less")]
pub(super) struct NarrowArgs {
    /// Only findings on resources whose lines differ from this revision of Git; code only. What could not be read is
    /// reported all the same
    #[arg(long, value_name = "REV", requires = "inputs", env = "SSM_AUDIT_CHANGED_SINCE")]
    changed_since: Option<String>,
    /// Only findings that this earlier report (JSON or SARIF) does not have; one that it has as unknown is reported
    /// when it fails
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
        let path = self.baseline.as_deref().map(|path| globals.in_base(path));
        let known = path.as_deref().map(baseline).transpose()?.unwrap_or_default();
        Ok(Narrow { revision: self.changed_since.clone(), known })
    }
}

impl Narrow {
    /// Leaves out findings on resources of the code whose lines have not changed.
    pub(super) fn to_changes(&self, root: &Path, judged: &mut Judged, places: &Places) -> Result<(), Error> {
        let Some(revision) = &self.revision else { return Ok(()) };
        let changes = Changes::since(revision, root, places)?;
        judged.retain(|finding| {
            finding.resource.id == ANY
                || match places.lines(&finding.resource) {
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
    fn since(revision: &str, root: &Path, places: &Places) -> Result<Self, Error> {
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
        let files: Vec<(PathBuf, Vec<u8>)> = places
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

/// What an earlier report has of findings that do not hold.
fn baseline(path: &Path) -> Result<BTreeMap<String, Verdict>, Error> {
    let wrong = |why: String| Error::Usage {
        message: format!("{} is no baseline: {why}", path.display()),
        help: "write one with `ssm-audit scan -o baseline.json`, or -o baseline.sarif".to_owned(),
    };
    let text = read_named_json(path).map_err(|refusal| wrong(refusal.to_string()))?;
    let json: Json = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
    let list = |value: &Json, name: &str| value[name].as_array().cloned().unwrap_or_default();
    let pairs: Vec<(Option<String>, Json)> = if json["kind"] == Report::KIND {
        let verdict = |finding: &Json| match &finding["waiver"]["verdict"] {
            Json::Null => finding["verdict"].clone(),
            waived => waived.clone(),
        };
        let text = |value: &Json| value.as_str().map(str::to_owned);
        list(&json, "findings").iter().map(|finding| (text(&finding["fingerprint"]), verdict(finding))).collect()
    } else if json["runs"].is_array() {
        let of_tool: Vec<Json> = list(&json, "runs");
        let names: BTreeSet<&str> = of_tool.iter().filter_map(|run| run["tool"]["driver"]["name"].as_str()).collect();
        if names.iter().any(|name| *name != "ssm-audit") {
            return Err(wrong("it is of another tool".to_owned()));
        }
        let results = of_tool.iter().flat_map(|run| list(run, "results"));
        let pair = |result: Json| {
            let print = result["partialFingerprints"]["ssmAuditFinding/v1"].as_str().map(str::to_owned);
            (print, result["properties"]["verdict"].clone())
        };
        results.map(pair).collect()
    } else {
        return Err(wrong("it is neither a report in JSON nor in SARIF".to_owned()));
    };
    let mut known = BTreeMap::new();
    for (fingerprint, verdict) in pairs {
        let (Some(fingerprint), Ok(verdict)) = (fingerprint, serde_json::from_value::<Verdict>(verdict)) else {
            return Err(wrong("a finding in it has no fingerprint or no verdict".to_owned()));
        };
        if matches!(verdict, Verdict::Fail | Verdict::Unknown) {
            known.insert(fingerprint, verdict);
        }
    }
    Ok(known)
}
