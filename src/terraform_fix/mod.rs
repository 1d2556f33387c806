//! Fixes in Terraform code: from the same remediations as those of live accounts, edits of the source.
//!
//! A fix is tried first: it is made in memory, the code is read again as it would be then, and a finding that does not
//! hold after all keeps its fix from being made. `document`, `edit` and `removal` change a file and know no resources;
//! `workspace`, `values` and `additions` find and change things in a folder; `impact` and `references` tell what a change
//! does to what Terraform has made; `content` and `embedded` change documents within the code; `edit.rs` of a
//! resource type changes its resources. What is not understood is refused, with its place.

pub(crate) mod about;
pub(crate) mod additions;
mod attribute;
pub(crate) mod content;
pub(crate) mod difference;
mod edit;
pub(crate) mod edit_session;
mod embedded;
mod format;
pub(crate) mod hcl_file;
mod impact;
mod references;
mod removal;
pub(crate) mod show;
pub(crate) mod tags;
pub(crate) mod task;
pub(crate) mod values;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde_json::Value as Json;

use crate::collect::terraform::{CodeError, SourceMap, Span};
use crate::engine::rule::{Library, Remediation};
use crate::model::finding::Edit;
use crate::model::{Finding, Inventory, Verdict};
use crate::remediate::remediation::{RemediationSpec, RemediationSpecs};
use crate::remediate::settings::Settings;
use edit_session::{EditSession, Refusal};

/// Texts of files by their names: those that differ from what is on disk.
pub(crate) type Texts = BTreeMap<String, String>;

/// How often fixes that follow from fixes are looked for.
const ROUNDS: usize = 12;

/// The steps of evaluation after which no more is tried: those of two scans that take all that a scan may.
const MOST_STEPS: u64 = 10_000_000;

/// The bytes of files that the fixes of a report may go through: each that is tried goes through its file.
pub(crate) const MOST_BYTES: usize = 10_000_000;

/// The code, as it is or as it would be.
pub(crate) struct Look {
    /// One for each account.
    pub(crate) inventories: Vec<Inventory>,
    pub(crate) source_map: SourceMap,
    /// All findings, located, waivers applied.
    pub(crate) findings: Vec<Finding>,
    /// The steps of the budget of evaluation that it took.
    pub(crate) steps: u64,
}

/// What fixes are planned with.
pub(crate) struct Request<'a> {
    /// The folder of the root module, as places name it.
    pub(crate) root: &'a Path,
    pub(crate) library: &'a Library,
    pub(crate) remedies: &'a RemediationSpecs,
    /// The parameters of each rule.
    pub(crate) params: &'a BTreeMap<String, BTreeMap<String, Json>>,
    pub(crate) settings: &'a Settings,
    /// Whether fixes that replace, interrupt or cut something are made too.
    pub(crate) with_unsafe: bool,
    /// Whether a finding is one that was asked for.
    pub(crate) concerns: &'a dyn Fn(&Finding) -> bool,
    /// The bytes of files that may be gone through.
    pub(crate) bytes: Cell<usize>,
    /// Reads the code with these texts in place of those on disk.
    pub(crate) look: &'a dyn Fn(&Texts) -> Result<Look, CodeError>,
}

/// What is fixed, and how.
#[derive(Debug)]
pub(crate) struct Patch {
    pub(crate) files: Vec<Changed>,
    pub(crate) fixed: Vec<Fixed>,
    pub(crate) left: Vec<Left>,
}

/// A file that changes, without its byte order mark.
#[derive(Debug, Clone)]
pub(crate) struct Changed {
    pub(crate) name: String,
    pub(crate) before: String,
    pub(crate) after: String,
}

/// A finding that holds with the patch.
#[derive(Debug, Clone)]
pub(crate) struct Fixed {
    pub(crate) finding: Finding,
    /// What is done, in a line.
    pub(crate) title: String,
    /// What to know before it is done.
    pub(crate) warn: Option<String>,
    /// Why it is not safe.
    pub(crate) hazards: Vec<String>,
}

/// A finding that does not hold with the patch either.
#[derive(Debug, Clone)]
pub(crate) struct Left {
    pub(crate) finding: Finding,
    /// Why.
    pub(crate) reason: String,
    /// The file and line that keep it from being fixed.
    pub(crate) place: Option<(String, usize)>,
    /// Whether `--unsafe-fixes` would fix it.
    is_unsafe: bool,
    /// Whether `lifecycle.ignore_changes` keeps it.
    is_ignored: bool,
}

impl Patch {
    /// The patch, with these fixes as what the user left.
    pub(crate) fn leaving(mut self, fixes: impl Iterator<Item = Fixed>) -> Self {
        self.left.extend(fixes.map(|fixed| Left {
            finding: fixed.finding,
            reason: "not chosen".to_owned(),
            place: None,
            is_unsafe: false,
            is_ignored: false,
        }));
        self
    }
}

/// A finding that is tried.
struct Tried<'a> {
    finding: Finding,
    effect: Effect<'a>,
    /// The edit is that of another finding, of the same rule and the same block.
    is_shared: bool,
}

/// What is done for a finding, and what there is to know of that.
#[derive(Clone)]
struct Effect<'a> {
    remedy: &'a RemediationSpec,
    hazards: Vec<String>,
    notes: Vec<String>,
}

/// Why a finding is not fixed.
struct Kept {
    refusal: Refusal,
    is_unsafe: bool,
    /// The verdict that it had then: with another one, it is tried again.
    verdict: Verdict,
    /// The number of fixes that were made then: after more of them, it is tried again.
    after: usize,
    /// A change was tried in vain.
    is_tried: bool,
}

impl Kept {
    fn new(refusal: Refusal, finding: &Finding) -> Self {
        Self { refusal, is_unsafe: false, verdict: finding.verdict, after: usize::MAX, is_tried: false }
    }

    /// Returns `true` if the finding is not tried again after so many fixes.
    fn stands(&self, finding: &Finding, fixes: usize) -> bool {
        self.verdict == finding.verdict && self.after >= fixes
    }
}

/// Plans the fixes of all findings that are asked for, of code that was read as it is.
///
/// # Errors
/// Where the code cannot be read.
pub(crate) fn plan(request: &Request<'_>, first: &Look) -> Result<Patch, CodeError> {
    let mut texts = Texts::new();
    let mut latest = None;
    let on_disk: Texts = first
        .source_map
        .files()
        .iter()
        .map(|file| (name_of(file), file.source().text().to_owned()))
        .chain(first.source_map.assets().clone())
        .collect();
    let mut fixed: Vec<Fixed> = Vec::new();
    let mut kept: BTreeMap<String, Kept> = BTreeMap::new();
    let mut steps = first.steps;
    for _ in 0..ROUNDS {
        if steps > MOST_STEPS {
            break;
        }
        let done: BTreeSet<&str> = fixed.iter().map(|fixed| fixed.finding.fingerprint.as_str()).collect();
        let look = latest.as_ref().unwrap_or(first);
        let (changes, tried) = round(request, look, &done, &mut kept);
        if tried.is_empty() {
            break;
        }
        let mut then = texts.clone();
        then.extend(changes);
        let after = (request.look)(&then)?;
        steps += after.steps;
        let (settled, broken) = outcome(tried, &after);
        if broken.is_empty() {
            fixed.extend(settled.into_iter().map(Fixed::from));
            (texts, latest) = (then, Some(after));
        } else {
            for (fingerprint, why) in broken {
                // After a second change in vain there is no third.
                let again = kept.get(&fingerprint).is_some_and(|kept| kept.is_tried);
                let after = if again { usize::MAX } else { fixed.len() };
                kept.insert(fingerprint, Kept { after, is_tried: true, ..why });
            }
        }
    }
    let look = latest.as_ref().unwrap_or(first);
    let left = look.findings.iter().filter(|finding| (request.concerns)(finding));
    let left = left.filter(|finding| matches!(finding.verdict, Verdict::Fail | Verdict::Unknown));
    let left = left.map(|finding| left_over(finding, kept.remove(&finding.fingerprint), request)).collect();
    let changed = |(name, after): (String, String)| {
        let before = on_disk.get(&name).cloned().unwrap_or_default();
        (before != after).then_some(Changed { name, before, after })
    };
    Ok(Patch { files: texts.into_iter().filter_map(changed).collect(), fixed, left })
}

/// The edit of each finding that would be fixed, by its fingerprint: each by itself, as `fix` makes it for that rule and
/// resource alone.
///
/// # Errors
/// Where the code cannot be read.
pub(crate) fn edits(request: &Request<'_>, look: &Look) -> Result<BTreeMap<String, Edit>, CodeError> {
    let together = plan(request, look)?;
    let mut session = EditSession::new(request.root, &look.inventories, &look.source_map, request.settings);
    let mut edits = BTreeMap::new();
    for fixed in together.fixed {
        // What follows from another fix is no finding yet.
        let Some(finding) = look.findings.iter().find(|one| one.fingerprint == fixed.finding.fingerprint) else {
            continue;
        };
        if finding.verdict == Verdict::Pass {
            continue;
        }
        if let Some(files) = attempt(request, finding, &mut session).ok().map(|_| session.take_back()) {
            let replaced =
                |(name, before, after): (String, String, String)| (name, difference::replacements(&before, &after));
            let files = files.into_iter().map(replaced).collect();
            edits.insert(finding.fingerprint.clone(), Edit { title: fixed.title, files });
        }
    }
    Ok(edits)
}

fn name_of(file: &crate::collect::terraform::File) -> String {
    file.source().name().to_owned()
}

impl From<Tried<'_>> for Fixed {
    fn from(tried: Tried<'_>) -> Self {
        let Tried { finding, effect: Effect { remedy, hazards, notes }, .. } = tried;
        // A warning that is a hazard is said once.
        let warning = remedy.warn_in_code().filter(|warning| !hazards.iter().any(|hazard| hazard == warning));
        let warn: Vec<&str> = warning.into_iter().chain(notes.iter().map(String::as_str)).collect();
        let warn = (!warn.is_empty()).then(|| warn.join("; "));
        Self { finding, title: remedy.title_in_code().to_owned(), warn, hazards }
    }
}

/// Tries all that is open and was not refused yet.
fn round<'a>(
    request: &Request<'a>,
    look: &Look,
    done: &BTreeSet<&str>,
    kept: &mut BTreeMap<String, Kept>,
) -> (Texts, Vec<Tried<'a>>) {
    let mut session = EditSession::new(request.root, &look.inventories, &look.source_map, request.settings);
    let mut tried: Vec<Tried<'_>> = Vec::new();
    // The edits of this round, by the rule and the block that they are for.
    let mut edits: BTreeMap<(&str, Span), Effect<'_>> = BTreeMap::new();
    for finding in &look.findings {
        let open = matches!(finding.verdict, Verdict::Fail | Verdict::Unknown) && (request.concerns)(finding);
        let refused = kept.get(&finding.fingerprint).is_some_and(|kept| kept.stands(finding, done.len()));
        if !open || refused || done.contains(finding.fingerprint.as_str()) {
            continue;
        }
        let block = task::place_of(finding, &session).map(|place| (finding.rule.as_str(), place.block));
        if let Some(effect) = block.and_then(|block| edits.get(&block)) {
            tried.push(Tried { finding: finding.clone(), effect: effect.clone(), is_shared: true });
            continue;
        }
        match attempt(request, finding, &mut session) {
            Ok((effect, is_shared)) => {
                edits.extend(block.map(|block| (block, effect.clone())));
                tried.push(Tried { finding: finding.clone(), effect, is_shared });
            }
            Err(why) => {
                kept.insert(finding.fingerprint.clone(), Kept { after: done.len(), ..why });
            }
        }
    }
    (session.texts(), tried)
}

/// The fix of one finding, in the workspace, and whether it is one that other findings have led to already.
fn attempt<'a>(
    request: &Request<'a>,
    finding: &Finding,
    session: &mut EditSession<'_>,
) -> Result<(Effect<'a>, bool), Kept> {
    let kept = |refusal: Refusal| Kept::new(refusal, finding);
    let remedy = remedy_of(finding, request).map_err(|reason| kept(Refusal::new(reason)))?;
    let nothing = BTreeMap::new();
    let params = request.params.get(&finding.rule).unwrap_or(&nothing);
    let place = task::place_of(finding, session);
    let size = place.and_then(|place| session.size(place.block)).unwrap_or_default();
    request.bytes.set(request.bytes.get().saturating_sub(size));
    if request.bytes.get() == 0 {
        return Err(kept(Refusal::new("there are too many to try: select some, with --rule or --resource")));
    }
    session.begin(finding);
    task::carry_out(finding, remedy, params, session).map_err(kept)?;
    let is_shared = !session.changes();
    if is_shared && session.texts().is_empty() {
        return Err(kept(Refusal::new("nothing in this code can be changed for it")));
    }
    session.check_impact().map_err(kept)?;
    if let Some(name) = session.garbled() {
        return Err(kept(Refusal::new(format!("{name} is not written in a way that is understood"))));
    }
    if session.writes_stand_ins() {
        return Err(kept(Refusal::new("it would have to write a value that is sensitive or not known")));
    }
    let hazards: Vec<String> = session.hazards().map(str::to_owned).collect();
    let notes = session.notes().map(str::to_owned).collect();
    if !hazards.is_empty() && !request.with_unsafe {
        let reason = format!("unsafe: {}", hazards.join("; "));
        return Err(Kept { is_unsafe: true, ..kept(Refusal::new(reason)) });
    }
    session.commit();
    Ok((Effect { remedy, hazards, notes }, is_shared))
}

fn remedy_of<'a>(finding: &Finding, request: &Request<'a>) -> Result<&'a RemediationSpec, String> {
    let remediation = request.library.rule(&finding.rule).and_then(|rule| rule.remediation.as_ref());
    match remediation {
        Some(Remediation::Id(id)) => request.remedies.get(id).ok_or_else(|| "no automatic fix".to_owned()),
        Some(Remediation::None { none }) => Err(format!("no automatic fix: {none}")),
        None => Err("no automatic fix".to_owned()),
    }
}

/// The tried findings that hold now, and those that do not after all. What another finding's edit did not settle is
/// neither: it is tried by itself.
fn outcome<'a>(tried: Vec<Tried<'a>>, after: &Look) -> (Vec<Tried<'a>>, Vec<(String, Kept)>) {
    let now: BTreeMap<&str, &Finding> =
        after.findings.iter().map(|finding| (finding.fingerprint.as_str(), finding)).collect();
    let (mut settled, mut broken) = (Vec::new(), Vec::new());
    for tried in tried {
        let reason = match now.get(tried.finding.fingerprint.as_str()) {
            Some(finding) if finding.verdict == Verdict::Pass => {
                settled.push(tried);
                continue;
            }
            _ if tried.is_shared => continue,
            Some(finding) => format!("the change that was tried does not settle it: {}", finding.message),
            None => "with the change that was tried, it is not judged any more".to_owned(),
        };
        broken.push((tried.finding.fingerprint.clone(), Kept::new(Refusal::new(reason), &tried.finding)));
    }
    (settled, broken)
}

fn left_over(finding: &Finding, kept: Option<Kept>, request: &Request<'_>) -> Left {
    let finding = finding.clone();
    if let Some(Kept { refusal, is_unsafe, .. }) = kept {
        let Refusal { reason, place, is_ignored } = refusal;
        return Left { finding, reason, place, is_unsafe, is_ignored };
    }
    let reason = remedy_of(&finding, request).err();
    let reason = reason.unwrap_or_else(|| "another fix leads to it: fix again".to_owned());
    Left { finding, reason, place: None, is_unsafe: false, is_ignored: false }
}
