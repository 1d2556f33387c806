//! Reading Terraform code: the flags for it, its problems as people see them, and what holds in it.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::selection::Selection;
use super::{Error, Globals};
use crate::collect::terraform::{self, About, Code, CodeError, Engine, Options};
use crate::diagnostic::{Diagnostic, Level};
use crate::engine::rule::Rule;
use crate::engine::scan::{self, Selected};
use crate::model::finding::Edit;
use crate::model::{AccountId, Finding, Inventory, Region};
use crate::remediate::remediation::RemediationSpecs;
use crate::terraform_fix::{self, Look, Request, Texts};

/// Flags for reading code.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Terraform")]
pub(super) struct CodeArgs {
    /// Account that the code is deployed to
    #[arg(long, value_name = "ID", env = "SSM_AUDIT_ACCOUNT", requires = "code")]
    account: Option<AccountId>,
    /// Value of a variable; can be repeated
    #[arg(long = "var", value_name = "NAME=VALUE", requires = "code")]
    variables: Vec<String>,
    /// File with values of variables; can be repeated
    #[arg(long = "var-file", value_name = "FILE", requires = "code")]
    variable_files: Vec<PathBuf>,
    /// Read code only below this folder [default: its Git repository]
    #[arg(long = "root", value_name = "DIR", requires = "code", env = "SSM_AUDIT_ROOT")]
    root: Option<PathBuf>,
    /// Accept no waivers in comments (`# ssm-audit:ignore`)
    #[arg(long, env = "SSM_AUDIT_IGNORE_INLINE_WAIVERS")]
    pub(super) ignore_inline_waivers: bool,
    /// Terraform workspace [default: TF_WORKSPACE]
    #[arg(long, value_name = "NAME", requires = "code")]
    workspace: Option<String>,
    /// Engine that runs the code [default: both, the worse verdict counts]
    #[arg(long, value_enum, requires = "code", env = "SSM_AUDIT_ENGINE")]
    engine: Option<Engine>,
}

/// The variables of the environment that Terraform takes values from begin with this.
const ENVIRONMENT: &str = "TF_VAR_";

/// The variable of the environment that Terraform takes the workspace from.
const WORKSPACE: &str = "TF_WORKSPACE";

impl CodeArgs {
    /// Reads a folder of code, as each engine has it that may run it.
    pub(super) fn read(
        &self,
        root: &Path,
        region: Option<&Region>,
        started_at: Timestamp,
        globals: &Globals,
    ) -> Result<Vec<Code>, Error> {
        let options = self.options(region, started_at, globals)?;
        let mut all = terraform::read_each(root, &options).map_err(Box::new)?;
        let mut problems: Vec<Diagnostic> = Vec::new();
        for problem in all.iter_mut().flat_map(|code| std::mem::take(&mut code.problems)) {
            if !problems.contains(&problem) {
                problems.push(problem);
            }
        }
        globals.warn(&as_warnings(problems));
        Ok(all)
    }

    /// What is known beside the code.
    pub(super) fn options(
        &self,
        region: Option<&Region>,
        started_at: Timestamp,
        globals: &Globals,
    ) -> Result<Options, Error> {
        let environment = std::env::vars_os().filter_map(|(name, value)| {
            Some((name.to_str()?.strip_prefix(ENVIRONMENT)?.to_owned(), value.into_string().ok()?))
        });
        let workspace = std::env::var(WORKSPACE).ok().filter(|name| !name.is_empty());
        Ok(Options {
            account: self.account.clone(),
            region: region.cloned(),
            variables: self.variables.clone(),
            variable_files: self.variable_files.clone(),
            environment: environment.collect(),
            // Code that does not choose its judge is somebody else's.
            hides_environment: globals.base.is_some(),
            workspace: self.workspace.clone().or(workspace),
            engine: self.engine.or(globals.config()?.engine),
            collected_at: started_at.to_string(),
            root: self.root.clone(),
            edited: Texts::new(),
        })
    }
}

/// What cannot be parsed stands in the report too, and leaves the rest as it is.
fn as_warnings(mut problems: Vec<Diagnostic>) -> Vec<Diagnostic> {
    for problem in &mut problems {
        problem.level = Level::Warning;
    }
    problems
}

/// Refuses a path that names nothing, or one file of code in place of its folder.
pub(super) fn refuse_what_cannot_be_read(path: &Path, command: &str) -> Result<(), Error> {
    if let Err(source) = std::fs::metadata(path) {
        return Err(Error::Usage {
            message: format!("failed to read {}: {source}", path.display()),
            help: "name a folder of Terraform code, or a file that exists".to_owned(),
        });
    }
    if let Some(noun) = terraform::stored_form(path) {
        return Err(Error::Usage {
            message: format!("{} is a {noun} in the format in which Terraform stores it", path.display()),
            help: format!("scan what `terraform show -json {}` prints: redirect it to a file", path.display()),
        });
    }
    match terraform::folder_of_file(path) {
        None => Ok(()),
        Some(folder) => Err(Error::Usage {
            message: format!("{} is one file of Terraform code, and code is read by the folder", path.display()),
            help: format!("name the folder: `ssm-audit {command} {}`", folder.display()),
        }),
    }
}

/// A folder of code and the rules that are held against it.
pub(super) struct Subject<'a> {
    pub(super) root: &'a Path,
    pub(super) options: Options,
    pub(super) selection: &'a Selection,
    pub(super) rules: &'a [Selected<'a>],
    pub(super) started_at: Timestamp,
}

impl Subject<'_> {
    /// What holds in the code with these texts in place of those on disk, and what is wrong with it.
    pub(super) fn look(&self, texts: &Texts) -> Result<(Look, Vec<Diagnostic>), CodeError> {
        let options = Options { edited: texts.clone(), ..self.options.clone() };
        let mut all = terraform::read_each(self.root, &options)?;
        let (Some(code), true) = (all.pop(), all.is_empty()) else {
            return Err(CodeError::Engine(self.root.to_owned()));
        };
        let mut judged = scan::judge_all(&code.inventories, self.rules);
        code.source_map.locate(judged.findings_mut(), &code.inventories, &about(self.rules));
        let (waivers, mut problems) = terraform::waivers(&code.source_map);
        let (waivers, refused) = self.selection.accept_inline(waivers);
        problems.extend(refused);
        let (report, more) = self.selection.waived_report(vec![judged], self.rules, &waivers, self.started_at);
        let problems = as_warnings(code.problems).into_iter().chain(problems).chain(more).collect();
        // A fix is made from what may be shown: what is sensitive is written nowhere.
        let shown = |mut inventory: Inventory| inventory.shown.take().map_or(inventory, |shown| *shown);
        let inventories = code.inventories.into_iter().map(shown).collect();
        Ok((Look { inventories, source_map: code.source_map, findings: report.findings, steps: code.steps }, problems))
    }

    /// The edits that fix what fails in the code and can be fixed safely, by fingerprint.
    pub(super) fn edits(
        &self,
        remedies: &RemediationSpecs,
        globals: &Globals,
    ) -> Result<BTreeMap<String, Edit>, Error> {
        let (first, _) = self.look(&Texts::new()).map_err(Box::new)?;
        self.ask(remedies, false, &|_: &Finding| true, globals, |request| {
            request.bytes.set(terraform_fix::MOST_BYTES);
            terraform_fix::edits(request, &first)
        })
    }

    /// Asks for fixes of the findings that it concerns.
    pub(super) fn ask<T>(
        &self,
        remedies: &RemediationSpecs,
        with_unsafe: bool,
        concerns: &dyn Fn(&Finding) -> bool,
        globals: &Globals,
        answer: impl FnOnce(&Request<'_>) -> Result<T, CodeError>,
    ) -> Result<T, Error> {
        let request = Request {
            root: self.root,
            library: self.selection.library(),
            remedies,
            params: &params(self.rules),
            settings: &globals.config()?.fix,
            with_unsafe,
            bytes: Cell::new(usize::MAX),
            concerns,
            look: &|texts: &Texts| Ok(self.look(texts)?.0),
        };
        Ok(answer(&request).map_err(Box::new)?)
    }
}

/// The parameters of each rule.
fn params(rules: &[Selected<'_>]) -> BTreeMap<String, BTreeMap<String, Json>> {
    rules.iter().map(|selected| (selected.rule.id.clone(), selected.params_as_json())).collect()
}

/// What there is to know of each rule to place its findings.
pub(super) fn about<'r>(rules: &[Selected<'r>]) -> BTreeMap<&'r str, About> {
    rules.iter().map(|selected| (selected.rule.id.as_str(), about_rule(selected.rule))).collect()
}

fn about_rule(rule: &Rule) -> About {
    let mut reads: Vec<String> = rule.reads().map(ToString::to_string).collect();
    // What the message names comes first, in its order; then as the rule asserts it.
    reads.sort_by_cached_key(|path| {
        let named = rule.file.text().find(&format!("${{resource.{path}"));
        let asserted = rule.assert().find(path.replace("[]", "").as_str());
        (named.unwrap_or(usize::MAX), asserted.unwrap_or(usize::MAX))
    });
    About { oldest_id: rule.oldest_id().to_owned(), reads }
}
