//! Which rules a command is about: policy, globs, folders, severities and parameters, from the flags and
//! the configuration. A flag wins over the configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::Timestamp;
use serde_json::Value as Json;

use super::{Error, Globals};
use crate::config::{Config, InlineWaivers, digest};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::engine::rule::params::{ParamKind, ParamValue};
use crate::engine::rule::{self, Library, Policy, Rule};
use crate::engine::scan::{self, Judged, Selected};
use crate::engine::waiver::{self, Glob, RuleNames, Waiver};
use crate::model::call::Needs;
use crate::model::provenance::RulesFolder;
use crate::model::{Report, Severity};
use crate::yaml::nearest;

/// Flags that select rules.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Rules")]
pub(super) struct SelectionArgs {
    /// Set of rules: the documented setup, or more [default: guide]
    #[arg(long, value_enum, env = "SSM_AUDIT_POLICY")]
    policy: Option<Policy>,
    /// Only this rule (* and ? match); can be repeated
    #[arg(short, long = "rule", value_name = "GLOB", env = "SSM_AUDIT_RULE", value_delimiter = ',')]
    rules: Vec<String>,
    /// Leave out this rule (* and ? match); can be repeated
    #[arg(long = "exclude-rule", value_name = "GLOB", env = "SSM_AUDIT_EXCLUDE_RULE", value_delimiter = ',')]
    excluded: Vec<String>,
    /// Set a parameter, e.g. logs-retention-set.min_days=90; can be repeated
    #[arg(long = "param", value_name = "RULE.NAME=VALUE", env = "SSM_AUDIT_PARAM")]
    params: Vec<String>,
    #[command(flatten)]
    pub(super) folders: RulesFolders,
}

/// Flags that add rules.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Rules")]
pub(super) struct RulesFolders {
    /// Folder with your own rules; can be repeated
    #[arg(long = "rules", value_name = "DIR", env = "SSM_AUDIT_RULES")]
    folders: Vec<PathBuf>,
}

/// The rules that come with the tool, and those of the folders.
pub(super) fn library(folders: &RulesFolders, globals: &Globals) -> Result<Library, Error> {
    Ok(library_and_folders(folders, globals)?.0)
}

/// The same, with what reports say of the folders.
fn library_and_folders(folders: &RulesFolders, globals: &Globals) -> Result<(Library, Vec<RulesFolder>), Error> {
    let mut library = rule::embedded().map_err(Error::Diagnostics)?;
    let mut of_reports = Vec::new();
    let config = globals.config()?;
    let file = config.file.as_ref().map_or("", |file| file.file.as_str());
    let mut add = |folder: &Path, origin: &str, files: Vec<SourceFile>| {
        of_reports.push(RulesFolder {
            folder: folder.display().to_string(),
            origin: origin.to_owned(),
            rules: files.len(),
            digest: digest(files.iter().map(SourceFile::text)),
        });
        library.add(files).map_err(Error::Diagnostics)
    };
    for (folder, files) in config.rules.iter().zip(config.rule_files().map_err(Error::Diagnostics)?) {
        add(folder, file, files)?;
    }
    for folder in folders.folders.iter().map(|folder| globals.in_base(folder)) {
        let files = rule::from_folder(&folder).map_err(Error::Diagnostics)?;
        add(&folder, globals.origin_of("--rules"), files)?;
    }
    Ok((library, of_reports))
}

/// The error for a rule that does not exist.
pub(super) fn no_such_rule(id: &str, library: &Library) -> Error {
    let near = near(id, library);
    let help = match near.split_last() {
        None => "`ssm-audit rules list` lists them".to_owned(),
        Some((last, [])) => format!("did you mean `{last}`?"),
        Some((last, others)) => {
            let others: Vec<String> = others.iter().map(|id| format!("`{id}`")).collect();
            format!("did you mean {} or `{last}`?", others.join(", "))
        }
    };
    Error::Usage { message: format!("there is no rule `{id}`"), help }
}

/// Returns the ids that may be meant, at most five: those that contain each word of the text, else the most alike one.
fn near<'l>(id: &str, library: &'l Library) -> Vec<&'l str> {
    const MOST: usize = 5;
    let ids = || library.rules().map(|rule| rule.id.as_str());
    let text = id.to_lowercase();
    let words: Vec<&str> = text.split(|character: char| !character.is_ascii_alphanumeric()).collect();
    let words: Vec<&str> = words.into_iter().filter(|word| word.len() > 2).collect();
    let containing = ids().filter(|id| !words.is_empty() && words.iter().all(|word| id.contains(word)));
    let containing: Vec<&str> = containing.collect();
    match (containing.len(), nearest(id, ids())) {
        (1..=MOST, _) => containing,
        (_, Some(near)) => vec![near],
        _ => containing.into_iter().take(MOST).collect(),
    }
}

/// The selected rules.
#[derive(Debug)]
pub(super) struct Selection {
    library: Library,
    /// The policy.
    pub(super) policy: Policy,
    included: Vec<String>,
    excluded: Vec<String>,
    params: BTreeMap<String, BTreeMap<String, ParamValue>>,
    config: Config,
    folders: Vec<RulesFolder>,
    inline_waivers: InlineWaivers,
    /// The least severity, as configured.
    least: Option<Severity>,
}

impl SelectionArgs {
    /// The values of the flags, each with the flag and the key of the configuration that it wins over, if there is one.
    pub(super) fn given(&self) -> Vec<(&'static str, Option<String>, Json)> {
        let mut given = Vec::new();
        if let Some(policy) = self.policy {
            given.push(("--policy", Some("policy".to_owned()), policy.as_str().into()));
        }
        for (flag, globs) in [("--rule", &self.rules), ("--exclude-rule", &self.excluded)] {
            if !globs.is_empty() {
                given.push((flag, None, globs.as_slice().into()));
            }
        }
        for param in &self.params {
            if let Some((name, value)) = param.split_once('=') {
                given.push(("--param", Some(format!("params.{name}")), value.into()));
            }
        }
        if !self.folders.folders.is_empty() {
            let folders: Vec<String> = self.folders.folders.iter().map(|folder| folder.display().to_string()).collect();
            given.push(("--rules", None, folders.into()));
        }
        given
    }
}

impl Selection {
    /// What the flags and the configuration say.
    pub(super) fn from_args(arguments: &SelectionArgs, globals: &Globals) -> Result<Self, Error> {
        let (library, folders) = library_and_folders(&arguments.folders, globals)?;
        let config = globals.config()?.clone();
        config.check(&library).map_err(Error::Diagnostics)?;
        let mut params = config.params(&library).map_err(Error::Diagnostics)?;
        for param in &arguments.params {
            let (rule, name, value) = parse_param(param, &library)?;
            params.entry(rule).or_default().insert(name, value);
        }
        let selection = Self {
            policy: arguments.policy.or(config.policy).unwrap_or_default(),
            included: arguments.rules.clone(),
            excluded: arguments.excluded.clone(),
            library,
            params,
            inline_waivers: match &config.inline_waivers {
                InlineWaivers::Unsaid if globals.base.is_some() => InlineWaivers::Denied(
                    "the configuration comes from --base, which does not say `inline_waivers`".to_owned(),
                ),
                said => said.clone(),
            },
            config,
            folders,
            least: None,
        };
        for glob in selection.included.iter().chain(&selection.excluded) {
            if !selection.library.rules().any(|rule| matches(glob, rule)) {
                return Err(no_such_rule(glob, &selection.library));
            }
        }
        Ok(selection)
    }

    /// The same, without rules of a lower severity.
    pub(super) fn at_least(self, least: Option<Severity>) -> Self {
        Self { least, ..self }
    }

    /// The same, where no comment in code waives anything.
    pub(super) fn ignoring_inline_waivers(mut self, ignored: bool) -> Self {
        if ignored {
            self.inline_waivers = InlineWaivers::Denied("--ignore-inline-waivers".to_owned());
        }
        self
    }

    /// The waivers of code that are accepted, and warnings about those that are not.
    pub(super) fn accept_inline(&self, waivers: Vec<Waiver>) -> (Vec<Waiver>, Vec<Diagnostic>) {
        self.inline_waivers.accept(waivers)
    }

    /// The configuration.
    pub(super) fn config(&self) -> &Config {
        &self.config
    }

    /// The folders with rules beside those that come with the tool.
    pub(super) fn folders(&self) -> &[RulesFolder] {
        &self.folders
    }

    /// The rules, by id, with their severities and parameters.
    pub(super) fn rules(&self) -> Result<Vec<Selected<'_>>, Error> {
        Self::some(self.library.rules().filter(|rule| self.selects(rule)).map(|rule| self.selected(rule)).collect())
    }

    /// The rules of these ids, whatever policy they belong to, as far as --rule and --exclude-rule leave them.
    pub(super) fn rules_of(&self, ids: &BTreeSet<&str>) -> Result<Vec<Selected<'_>>, Error> {
        let any = |globs: &[String], rule: &Rule| globs.iter().any(|glob| matches(glob, rule));
        let named = ids.iter().map(|id| self.library.rule(id).ok_or_else(|| no_such_rule(id, &self.library)));
        let wanted =
            |rule: &&Rule| (self.included.is_empty() || any(&self.included, rule)) && !any(&self.excluded, rule);
        let named = named.collect::<Result<Vec<&Rule>, Error>>()?;
        Self::some(named.into_iter().filter(wanted).map(|rule| self.selected(rule)).collect())
    }

    fn selected<'r>(&'r self, rule: &'r Rule) -> Selected<'r> {
        let params = self.params.get(&rule.id).cloned().unwrap_or_default();
        Selected::new(rule, self.config.severity(rule), params)
    }

    fn some(selected: Vec<Selected<'_>>) -> Result<Vec<Selected<'_>>, Error> {
        if selected.is_empty() {
            return Err(Error::Usage {
                message: "no rule is selected".to_owned(),
                help: "`ssm-audit rules list` lists those of the policy; see --policy, --rule, --exclude-rule and --severity"
                    .to_owned(),
            });
        }
        Ok(selected)
    }

    /// All rules that there are.
    pub(super) fn library(&self) -> &Library {
        &self.library
    }

    /// What is accepted.
    pub(super) fn waivers(&self) -> &[Waiver] {
        &self.config.waivers
    }

    /// The calls that they need.
    pub(super) fn needs(&self) -> Result<Needs, Error> {
        Ok(scan::needs(&self.rules()?))
    }

    /// A report on what was judged, with waivers applied.
    pub(super) fn report(
        &self,
        judged: Vec<Judged>,
        rules: &[Selected<'_>],
        of_code: &[Waiver],
        started_at: Timestamp,
        globals: &Globals,
    ) -> Report {
        let (report, problems) = self.waived_report(judged, rules, of_code, started_at);
        globals.warn(&problems);
        report
    }

    /// The same, with what is wrong with the waivers.
    pub(super) fn waived_report(
        &self,
        judged: Vec<Judged>,
        rules: &[Selected<'_>],
        of_code: &[Waiver],
        started_at: Timestamp,
    ) -> (Report, Vec<Diagnostic>) {
        let mut report = scan::report(judged, rules, self.policy, started_at);
        let today = started_at.to_zoned(jiff::tz::TimeZone::UTC).date();
        let names: Vec<RuleNames<'_>> =
            rules.iter().map(|selected| RuleNames { id: &selected.rule.id, aliases: &selected.rule.aliases }).collect();
        let waivers: Vec<Waiver> = self.waivers().iter().chain(of_code).cloned().collect();
        let problems = waiver::apply(&mut report, &waivers, &names, today);
        (report, problems)
    }

    fn selects(&self, rule: &Rule) -> bool {
        let any = |globs: &[String]| globs.iter().any(|glob| matches(glob, rule));
        // A rule that is asked for by name is held whatever policy it belongs to.
        let wanted = if self.included.is_empty() {
            rule.policy <= self.policy && rule.deprecated.is_none()
        } else {
            any(&self.included) && (rule.policy <= self.policy || self.included.contains(&rule.id))
        };
        let severity = self.config.severity(rule).unwrap_or(rule.severity);
        let severe = self.least.is_none_or(|least| severity >= least);
        wanted && severe && !any(&self.excluded) && !self.config.disables(rule)
    }
}

fn matches(glob: &str, rule: &Rule) -> bool {
    let glob = Glob::new(glob);
    glob.matches(&rule.id) || rule.aliases.iter().any(|alias| glob.matches(alias))
}

fn parse_param(text: &str, library: &Library) -> Result<(String, String, ParamValue), Error> {
    let wrong = |message: String, help: String| Error::Usage { message, help };
    let parts = text.split_once('=').and_then(|(name, value)| Some((name.split_once('.')?, value)));
    let Some(((id, name), value)) = parts else {
        return Err(wrong(
            format!("`--param {text}` is not of the form RULE.NAME=VALUE"),
            "e.g. `--param logs-retention-set.min_days=90`".to_owned(),
        ));
    };
    let rule = library.rule(id).ok_or_else(|| no_such_rule(id, library))?;
    let Some(param) = rule.params.get(name) else {
        let names: Vec<&str> = rule.params.keys().map(String::as_str).collect();
        let help = match nearest(name, names.iter().copied()) {
            Some(near) => format!("did you mean `{near}`?"),
            None if names.is_empty() => "it has no parameters".to_owned(),
            None => format!("it has {}", names.join(", ")),
        };
        return Err(wrong(format!("the rule {id} has no parameter `{name}`"), help));
    };
    let read = |kind: ParamKind| ParamValue::parse(kind, value).and_then(|value| param.value(&value));
    match read(param.kind) {
        Ok(value) => Ok((rule.id.clone(), name.to_owned(), value)),
        Err(message) => Err(wrong(format!("`--param {text}`: {message}"), param.description.clone())),
    }
}
