//! Fixing code: the patch is shown, and when told to, written; then the code is looked at again.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use jiff::Timestamp;

use super::{FixArgs, Format, choose};
use crate::cli::apply::{look, say};
use crate::cli::code::Subject;
use crate::cli::confirm::{ask, can_ask};
use crate::cli::selection::Selection;
use crate::cli::{Error, Exit, Globals, output};
use crate::collect::terraform::SourceMap;
use crate::model::{Finding, Verdict};
use crate::remediate::remediation;
use crate::terminal::{self, Encoding};
use crate::terraform_fix::show::{self, Answer};
use crate::terraform_fix::{self, Patch, Texts};

/// What a file with a byte order mark begins with.
const MARK: &[u8] = "\u{FEFF}".as_bytes();

pub(super) fn run(arguments: &FixArgs, root: &Path, globals: &Globals) -> Result<Exit, Error> {
    arguments.refuse_what_is_for_accounts(root)?;
    let selection = Selection::from_args(&arguments.selection, globals)?
        .ignoring_inline_waivers(arguments.code.ignore_inline_waivers);
    let rules = selection.rules()?;
    let started_at = Timestamp::now();
    let options = arguments.code.options(arguments.live.region(), started_at, globals)?;
    let subject = Subject { root, options, selection: &selection, rules: &rules, started_at };
    let (first, problems) = subject.look(&Texts::new()).map_err(Box::new)?;
    globals.warn(&problems);
    let remedies = remediation::embedded(selection.library()).map_err(Error::Diagnostics)?;
    let plan = |concerns: &dyn Fn(&Finding) -> bool| {
        subject
            .ask(&remedies, arguments.unsafe_fixes, concerns, globals, |request| terraform_fix::plan(request, &first))
    };
    let mut patch = plan(&|finding: &Finding| arguments.concerns(finding))?;
    let mut chosen = None;
    if arguments.interactive && !patch.fixed.is_empty() {
        let asked = (&subject, &remedies, arguments);
        let (dropped, groups) = choose::of_patch(&patch, &first, asked, globals)?.ok_or(Error::Interrupted)?;
        let is_chosen = |finding: &Finding| arguments.concerns(finding) && !dropped.contains(&finding.fingerprint);
        let part = plan(&is_chosen)?;
        patch = part.leaving(patch.fixed.into_iter().filter(|fixed| dropped.contains(&fixed.finding.fingerprint)));
        chosen = Some(groups);
    }
    let asks = can_ask() && !arguments.yes;
    let writes = !patch.files.is_empty() && (arguments.yes || asks);
    if arguments.format == Format::Table {
        output::to_stdout(Encoding::Text, |out| show::patch(&patch, look(globals), out))?;
    } else if asks && writes {
        show::patch(&patch, look(globals), &mut terminal::stderr()).map_err(Error::Terminal)?;
    }
    let is_agreed = arguments.yes || chosen.is_some_and(|chosen| !chosen.has_quit);
    if !writes || !(is_agreed || ask(&question(&patch))? == "yes") {
        if arguments.format == Format::Json {
            as_json(&Answer::of(&patch, None))?;
        }
        match (globals.quiet, arguments.interactive) {
            (false, true) if !patch.left.is_empty() => say("Nothing was changed."),
            (false, false) if !patch.files.is_empty() => say("Nothing was changed. `--yes` writes it."),
            _ => {}
        }
        let nothing = patch.files.is_empty() && patch.left.is_empty();
        return Ok(if nothing { Exit::Success } else { Exit::Failed });
    }
    write(&patch, &first.source_map)?;
    conclude(&patch, &subject, arguments.format, globals)
}

impl FixArgs {
    fn refuse_what_is_for_accounts(&self, root: &Path) -> Result<(), Error> {
        if !root.is_dir() {
            return Err(Error::Usage {
                message: format!("{} is a plan, and a plan is made from code", root.display()),
                help: "give the folder of the code".to_owned(),
            });
        }
        let given = [
            ("--out", self.out.is_some()),
            ("--as", self.form.is_some()),
            ("--allow", !self.allow.is_empty()),
            ("--max-changes", self.max_changes.is_some()),
        ];
        match given.iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((flag, _)) => Err(Error::Usage {
                message: format!("{flag} is for live accounts, and {} is code", root.display()),
                help: "leave it out; --unsafe-fixes allows more, --rule and --resource choose less".to_owned(),
            }),
        }
    }
}

fn as_json(answer: &Answer<'_>) -> Result<(), Error> {
    output::to_stdout(Encoding::Json, |out| {
        serde_json::to_writer_pretty(&mut *out, answer)?;
        writeln!(out)
    })
}

fn question(patch: &Patch) -> String {
    let files = patch.files.len();
    let changed = if files == 1 { "1 file".to_owned() } else { format!("{files} files") };
    format!("Write this to {changed}? Type yes to go on: ")
}

/// Writes the files, if they are still as they were read.
fn write(patch: &Patch, source_map: &SourceMap) -> Result<(), Error> {
    let failed = |name: &str, refusal: &dyn std::fmt::Display| Error::Usage {
        message: format!("failed to write {name}: {refusal}"),
        help: "`git diff` shows what was written before it".to_owned(),
    };
    let mut marks = Vec::new();
    for file in &patch.files {
        source_map.check_writable(&file.name).map_err(|refusal| failed(&file.name, &refusal))?;
        let bytes = fs::read(&file.name).map_err(|source| failed(&file.name, &source))?;
        let text = bytes.strip_prefix(MARK).unwrap_or(&bytes);
        if text != file.before.as_bytes() {
            return Err(Error::Usage {
                message: format!("{} has changed since it was read", file.name),
                help: "nothing was written: fix again".to_owned(),
            });
        }
        marks.push(text.len() != bytes.len());
    }
    for (file, marked) in patch.files.iter().zip(marks) {
        let mut bytes = if marked { MARK.to_vec() } else { Vec::new() };
        bytes.extend_from_slice(file.after.as_bytes());
        source_map.write(&file.name, &bytes).map_err(|refusal| failed(&file.name, &refusal))?;
    }
    Ok(())
}

/// Looks at the code again, and says what came of it.
fn conclude(patch: &Patch, subject: &Subject<'_>, format: Format, globals: &Globals) -> Result<Exit, Error> {
    let (now, _) = subject.look(&Texts::new()).map_err(Box::new)?;
    let verdicts: BTreeMap<String, Verdict> =
        now.findings.iter().map(|finding| (finding.fingerprint.clone(), finding.verdict)).collect();
    match format {
        Format::Json => as_json(&Answer::of(patch, Some(&verdicts)))?,
        Format::Table => output::to_stdout(Encoding::Text, |out| show::written(patch, &verdicts, look(globals), out))?,
    }
    let results = patch.fixed.iter().map(|fixed| verdicts.get(&fixed.finding.fingerprint));
    let any = |wanted: Option<Verdict>| results.clone().any(|verdict| verdict.copied() == wanted);
    Ok(if any(Some(Verdict::Fail)) {
        Exit::Failed
    } else if any(Some(Verdict::Unknown)) || any(None) {
        Exit::Unknown
    } else if patch.left.is_empty() {
        Exit::Success
    } else {
        Exit::Failed
    })
}
