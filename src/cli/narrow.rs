//! A part of the findings: those on lines that were changed, and those that an earlier report does not have.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;

use clap::Args;
use serde_json::Value as Json;

use super::Error;
use crate::model::finding::Location;
use crate::model::{Finding, Report, Verdict};
use crate::scan::{ANY, Judged};
use crate::source::terraform::Places;

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
    pub(super) fn read(&self) -> Result<Narrow, Error> {
        let known = self.baseline.as_deref().map(baseline).transpose()?.unwrap_or_default();
        Ok(Narrow { revision: self.changed_since.clone(), known })
    }
}

impl Narrow {
    /// Leaves out findings on resources of the code whose lines have not changed.
    pub(super) fn to_changes(&self, root: &Path, judged: &mut Judged, places: &Places) -> Result<(), Error> {
        let Some(revision) = &self.revision else { return Ok(()) };
        let changes = Changes::since(revision, root)?;
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
    fn since(revision: &str, root: &Path) -> Result<Self, Error> {
        let folder = if root.is_dir() { root } else { root.parent().unwrap_or(root) };
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let top = PathBuf::from(git(folder, ["rev-parse", "--show-toplevel"])?.trim_end_matches('\n'));
        // A revision is never taken for a flag.
        let commit = git(folder, ["rev-parse", "--verify", "--end-of-options", &format!("{revision}^{{commit}}")])?;
        let flags = [
            "diff",
            "--unified=0",
            "--no-color",
            "--no-ext-diff",
            "--no-textconv",
            "--no-renames",
            "--src-prefix=a/",
            "--dst-prefix=b/",
        ];
        let quiet = ["-c", "core.quotePath=false"];
        let diff = git(&top, quiet.iter().chain(&flags).copied().chain([commit.trim(), "--"]))?;
        let mut files: BTreeMap<PathBuf, Vec<RangeInclusive<u32>>> = BTreeMap::new();
        for (name, lines) in hunks(&diff) {
            files.entry(real(&top.join(name))).or_default().push(lines);
        }
        let untracked = git(&top, ["ls-files", "--others", "--exclude-standard", "-z"])?;
        for name in untracked.split('\0').filter(|name| !name.is_empty()) {
            files.insert(real(&top.join(name)), vec![0..=u32::MAX]);
        }
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

/// The files of a diff without context, with the lines that each hunk leaves.
fn hunks(diff: &str) -> Vec<(&str, RangeInclusive<u32>)> {
    let mut hunks = Vec::new();
    let mut file = None;
    let mut inside = (0_u32, 0_u32);
    for line in diff.lines() {
        match line.as_bytes().first() {
            Some(b'-') if inside.0 > 0 => inside.0 -= 1,
            Some(b'+') if inside.1 > 0 => inside.1 -= 1,
            _ => {
                if let Some(name) = line.strip_prefix("+++ ") {
                    // A name with blanks ends with a tab.
                    file = name.trim_end_matches('\t').strip_prefix("b/");
                } else if let (Some(name), Some((removed, start, count))) = (file, hunk(line)) {
                    inside = (removed, count);
                    // Where lines were only taken away, those beside them have changed.
                    let end = if count == 0 { start + 1 } else { start + count - 1 };
                    hunks.push((name, start..=end));
                }
            }
        }
    }
    hunks
}

/// `@@ -a,b +c,d @@`: how many lines are gone, where the new ones begin, and how many they are.
fn hunk(line: &str) -> Option<(u32, u32, u32)> {
    let mut words = line.strip_prefix("@@ -")?.split(' ');
    let range = |word: &str| {
        let (start, count) = word.split_once(',').unwrap_or((word, "1"));
        Some((start.parse::<u32>().ok()?, count.parse::<u32>().ok()?))
    };
    let (_, removed) = range(words.next()?)?;
    let (start, count) = range(words.next()?.strip_prefix('+')?)?;
    Some((removed, start, count))
}

fn git(folder: &Path, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Result<String, Error> {
    let usage = |message: String| Error::Usage {
        message,
        help: "--changed-since takes a revision of the Git repository that the code is in, such as origin/main; a \
               shallow clone may not have it"
            .to_owned(),
    };
    let done = Command::new("git").args(["-c", "core.fsmonitor=false", "-C"]).arg(folder).args(arguments).output();
    let done = done.map_err(|error| usage(format!("failed to run git: {error}")))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(usage(format!("git: {}", said.trim().lines().next().unwrap_or_default())));
    }
    String::from_utf8(done.stdout).map_err(|error| usage(format!("git names files that are not UTF-8: {error}")))
}

/// What an earlier report has of findings that do not hold.
fn baseline(path: &Path) -> Result<BTreeMap<String, Verdict>, Error> {
    let wrong = |why: String| Error::Usage {
        message: format!("{} is no baseline: {why}", path.display()),
        help: "write one with `ssm-audit scan -o baseline.json`, or -o baseline.sarif".to_owned(),
    };
    let text = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let json: Json = serde_json::from_slice(&text).map_err(|error| wrong(error.to_string()))?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hunks_are_read_whatever_their_lines_say() {
        let diff = "diff --git a/x.tf b/x.tf\n--- a/x.tf\n+++ b/x.tf\n@@ -1 +1,2 @@\n-a\n+++ b/y.tf\n+@@ -1 +9 @@\n@@ -7,2 +8,0 @@ f\n--- a\n-b\n--- a/z z.tf\t\n+++ b/z z.tf\t\n@@ -0,0 +1,3 @@\n+a\n+b\n+c\n";
        assert_eq!(hunks(diff), [("x.tf", 1..=2), ("x.tf", 8..=9), ("z z.tf", 1..=3)]);
    }
}
