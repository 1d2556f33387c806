//! `ssm-audit.yaml`: which rules are held, with which parameters, and what is waived.
//!
//! The file is found upward from the working folder, or named. Everything that is wrong with it is
//! reported at once, each with its place.

mod edit;
mod file;
mod fleet;
mod inline;
mod origin;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::ops::Range;
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use serde_json::Value as Json;

pub use self::edit::{NewWaiver, lines, with_waivers};
pub use self::inline::InlineWaivers;
pub use self::origin::{Lookup, Value, digest, under};

use self::file::{ConfigFile, WaiverFile};
use crate::boundary::{Boundary, Refusal, read_named, read_named_json};
use crate::collect::terraform::Engine;
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::engine::rule::params::{ParamKind, ParamValue};
use crate::engine::rule::{self, Library, Policy, Rule};
use crate::engine::waiver::{Glob, Resources, Waiver};
use crate::fleet::Choice;
use crate::model::provenance::{ConfigurationFile, Setting};
use crate::model::{FailOn, Severity};
use crate::remediate::settings::Settings;
use crate::yaml::{self, Spanned, nearest};

/// The parameter of rules that `network.endpoint_cidrs` sets.
const ENDPOINT_CIDRS: &str = "endpoint_cidrs";

/// The name of the file.
pub const FILE_NAME: &str = "ssm-audit.yaml";

/// What the configuration says.
#[derive(Debug, Clone, Default)]
pub struct Config {
    /// The policy to hold.
    pub policy: Option<Policy>,
    /// The least severity that makes a command fail.
    pub fail_on: Option<FailOn>,
    /// The name of the format of reports, with its place.
    format: Option<Spanned<String>>,
    /// The baseline, made relative to the working folder.
    baseline: Option<PathBuf>,
    /// Folders with rules, made relative to the working folder.
    pub rules: Vec<PathBuf>,
    /// How fixes are made.
    pub fix: Settings,
    /// What is accepted.
    pub waivers: Vec<Waiver>,
    /// Which comments in code waive anything.
    pub inline_waivers: InlineWaivers,
    /// Which accounts are looked at, and how, and where the buckets of others are read.
    pub fleet: Option<Choice>,
    /// The file, for reports.
    pub file: Option<ConfigurationFile>,
    /// What it sets, for reports.
    pub settings: Vec<Setting>,
    /// What it says of comments in code, with its places.
    inline_globs: Vec<Spanned<String>>,
    /// The ranges of endpoints that accounts do not show.
    endpoint_cidrs: Vec<String>,
    /// The engine that runs Terraform code.
    pub engine: Option<Engine>,
    disable: Vec<Spanned<String>>,
    severity: BTreeMap<Spanned<String>, Severity>,
    params: BTreeMap<Spanned<String>, BTreeMap<Spanned<String>, Spanned<Json>>>,
    source: Option<SourceFile>,
    /// The folder of the file.
    folder: PathBuf,
    /// Whether it was found by search, and not named by the user.
    is_found: bool,
    /// The path of the file.
    path: Option<PathBuf>,
}

/// The JSON Schema of the file.
pub fn schema() -> schemars::Schema {
    schemars::schema_for!(ConfigFile)
}

impl Config {
    /// Reads the configuration in the named file, or in the nearest `ssm-audit.yaml` here or in a folder above. Where
    /// there is none, nothing is configured.
    ///
    /// # Errors
    /// Where the file cannot be read, and everything that is wrong with it.
    pub fn find(lookup: &Lookup<'_>) -> Result<Self, Vec<Diagnostic>> {
        let Some(found) = lookup.find() else { return Ok(Self::default()) };
        let text = if found.is_searched {
            // Whoever put it there is perhaps not the user: it must not lead elsewhere, nor name what is elsewhere.
            Boundary::of(found.path.parent().unwrap_or(Path::new(".")), None)
                .map_err(Refusal::Failed)
                .and_then(|boundary| boundary.text_of_at_most(&found.path, yaml::LARGEST))
        } else {
            read_named(&found.path, yaml::LARGEST)
        };
        let source = match text {
            Ok(text) => SourceFile::new(found.name.clone(), text),
            Err(refusal) => return Err(vec![unreadable(&refusal).of(&SourceFile::new(found.name, ""))]),
        };
        let config = Self::parse(&source, &found.folder)?;
        let file = Some(origin::file(&found, lookup.base, source.text()));
        Ok(Self { file, is_found: found.is_searched, path: Some(found.path), ..config })
    }

    /// Returns every value of the file, with its line.
    pub fn values(&self) -> Vec<Value> {
        self.source.as_ref().map(origin::values).unwrap_or_default()
    }

    /// Returns the path of the file and its text, if there is one.
    pub fn source(&self) -> Option<(&Path, &SourceFile)> {
        self.path.as_deref().zip(self.source.as_ref())
    }

    /// The files of the folders with rules, a folder each.
    ///
    /// # Errors
    /// Where one cannot be read, or a configuration that was found names one outside of its repository.
    pub fn rule_files(&self) -> Result<Vec<Vec<SourceFile>>, Vec<Diagnostic>> {
        let files = |rules: &PathBuf| {
            if self.is_found { rule::from_folder_within(rules, &self.folder) } else { rule::from_folder(rules) }
        };
        self.rules.iter().map(files).collect()
    }

    /// The format of reports, if `named` knows it.
    ///
    /// # Errors
    /// Where it does not, with its place.
    pub fn format<T>(&self, named: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>, Vec<Diagnostic>> {
        let Some(format) = &self.format else { return Ok(None) };
        let wrong = |expected| {
            let error = Diagnostic::error(format!("unknown value `{}`", format.value));
            vec![self.at(error, &format.span).help(expected)]
        };
        named(format).map(Some).map_err(wrong)
    }

    /// The path of the baseline.
    pub fn baseline(&self) -> Option<&Path> {
        self.baseline.as_deref()
    }

    /// Reads the baseline, if there is one.
    ///
    /// # Errors
    /// Where it cannot be read, or a configuration that was found names one outside of its repository.
    pub(crate) fn baseline_text(&self) -> Option<Result<String, Refusal>> {
        let path = self.baseline.as_deref()?;
        Some(if self.is_found { self.boundary().and_then(|within| within.json(path)) } else { read_named_json(path) })
    }

    /// Replaces the baseline.
    ///
    /// # Errors
    /// Where it cannot be written, is a symbolic link, or lies outside of the repository of the configuration.
    pub(crate) fn replace_baseline(&self, path: &Path, content: &[u8]) -> Result<(), Refusal> {
        self.boundary()?.replace(path, content)
    }

    /// The boundary of what the configuration names: its repository, or its folder.
    fn boundary(&self) -> Result<Boundary, Refusal> {
        Boundary::of(&self.folder, None).map_err(Refusal::Failed)
    }

    /// The configuration in this text; folders in it are relative to `folder`.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn parse(source: &SourceFile, folder: &Path) -> Result<Self, Vec<Diagnostic>> {
        let file: ConfigFile = yaml::parse(source)?;
        let mut diagnostics = Vec::new();
        blank_globs(&file, source, &mut diagnostics);
        duplicates(&file.waivers, source, &mut diagnostics);
        not_ranges(&file.network.endpoint_cidrs, source, &mut diagnostics);
        let mut fleet = file.fleet.map(|fleet| fleet.choice(source, &mut diagnostics));
        if let Some(archive) = file.log_archive {
            fleet.get_or_insert_default().access.log_archive = Some(archive.log_archive());
        }
        let waivers = file.waivers.into_iter().map(|waiver| read_waiver(waiver, source)).collect();
        if !diagnostics.is_empty() {
            return Err(diagnostics);
        }
        Ok(Self {
            policy: file.policy,
            fail_on: file.fail_on,
            format: file.format,
            baseline: file.baseline.map(|baseline| folder.join(baseline)),
            rules: file.rules.iter().map(|rules| folder.join(rules)).collect(),
            fix: file.fix,
            waivers,
            inline_waivers: file.inline_waivers.terms(source.name()),
            fleet,
            file: None,
            settings: origin::settings(source, source.name())?,
            inline_globs: file.inline_waivers.globs().to_vec(),
            endpoint_cidrs: file.network.endpoint_cidrs.into_iter().map(|range| range.value).collect(),
            engine: file.engine,
            disable: file.disable,
            severity: file.severity,
            params: file.params,
            source: Some(source.clone()),
            folder: folder.to_owned(),
            is_found: false,
            path: None,
        })
    }

    /// Whether the rule is switched off, under its id or one that it had before.
    pub fn disables(&self, rule: &Rule) -> bool {
        let globs: Vec<Glob> = self.disable.iter().map(|glob| Glob::new(glob)).collect();
        names(rule).any(|name| globs.iter().any(|glob| glob.matches(name)))
    }

    /// The severity that the rule has here, if it is another.
    pub fn severity(&self, rule: &Rule) -> Option<Severity> {
        let mut configured = self.severity.iter();
        configured.find(|(id, _)| names(rule).any(|name| name == id.value)).map(|(_, severity)| *severity)
    }

    /// Looks up every rule that the configuration names.
    ///
    /// # Errors
    /// For each that does not exist: a mistyped id must not pass for a setting.
    pub fn check(&self, library: &Library) -> Result<(), Vec<Diagnostic>> {
        let mut diagnostics = Vec::new();
        for glob in self.disable.iter().chain(&self.inline_globs) {
            self.expect_rules(&glob.value, &glob.span, library, &mut diagnostics);
        }
        for waiver in &self.waivers {
            let glob = waiver.rule.to_string();
            if let Some((_, Some(span))) = &waiver.place.place {
                self.expect_rules(&glob, span, library, &mut diagnostics);
            }
        }
        for id in self.severity.keys() {
            if library.rule(id).is_none() {
                diagnostics.push(self.no_such_rule(id, &id.span, library));
            }
        }
        if let Err(errors) = self.params(library) {
            diagnostics.extend(errors);
        }
        if diagnostics.is_empty() { Ok(()) } else { Err(diagnostics) }
    }

    fn expect_rules(&self, glob: &str, span: &Range<usize>, library: &Library, diagnostics: &mut Vec<Diagnostic>) {
        let pattern = Glob::new(glob);
        if !library.rules().any(|rule| names(rule).any(|name| pattern.matches(name))) {
            diagnostics.push(self.no_such_rule(glob, span, library));
        }
    }

    /// The parameters of rules, by the rule's id and the parameter's name.
    ///
    /// # Errors
    /// For each rule or parameter that does not exist, and each value that the parameter cannot have.
    pub fn params(&self, library: &Library) -> Result<BTreeMap<String, BTreeMap<String, ParamValue>>, Vec<Diagnostic>> {
        let mut params: BTreeMap<String, BTreeMap<String, ParamValue>> = BTreeMap::new();
        let mut diagnostics = Vec::new();
        if !self.endpoint_cidrs.is_empty() {
            let takes =
                |rule: &&Rule| rule.params.get(ENDPOINT_CIDRS).is_some_and(|param| param.kind == ParamKind::List);
            for rule in library.rules().filter(takes) {
                let ranges = ParamValue::Texts(self.endpoint_cidrs.clone());
                params.entry(rule.id.clone()).or_default().insert(ENDPOINT_CIDRS.to_owned(), ranges);
            }
        }
        for (id, configured) in &self.params {
            let Some(rule) = library.rule(id) else {
                diagnostics.push(self.no_such_rule(id, &id.span, library));
                continue;
            };
            for (name, value) in configured {
                match self.param(rule, name, value) {
                    Ok(value) => {
                        params.entry(rule.id.clone()).or_default().insert(name.value.clone(), value);
                    }
                    Err(diagnostic) => diagnostics.push(*diagnostic),
                }
            }
        }
        if diagnostics.is_empty() { Ok(params) } else { Err(diagnostics) }
    }

    fn param(&self, rule: &Rule, name: &Spanned<String>, value: &Spanned<Json>) -> Result<ParamValue, Box<Diagnostic>> {
        let Some(param) = rule.params.get(&name.value) else {
            let known: Vec<&str> = rule.params.keys().map(String::as_str).collect();
            let error = Diagnostic::error(format!("the rule {} has no parameter `{}`", rule.id, name.value));
            let help = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None if known.is_empty() => "it has no parameters".to_owned(),
                None => format!("it has `{}`", known.join("`, `")),
            };
            return Err(Box::new(self.at(error, &name.span).help(help)));
        };
        param.value(value).map_err(|message| {
            let error = Diagnostic::error(format!("`{}` of {}: {message}", name.value, rule.id));
            Box::new(self.at(error, &value.span).help(param.description.clone()))
        })
    }

    fn no_such_rule(&self, id: &str, span: &Range<usize>, library: &Library) -> Diagnostic {
        let error = self.at(Diagnostic::error(format!("there is no rule `{id}`")), span);
        match nearest(id, library.rules().map(|rule| rule.id.as_str())) {
            Some(near) => error.help(format!("did you mean `{near}`?")),
            None => error.help("`ssm-audit rules list` lists them"),
        }
    }

    fn at(&self, diagnostic: Diagnostic, span: &Range<usize>) -> Diagnostic {
        match &self.source {
            Some(source) => diagnostic.at(source, span.clone()),
            None => diagnostic,
        }
    }
}

fn names(rule: &Rule) -> impl Iterator<Item = &str> {
    std::iter::once(rule.id.as_str()).chain(rule.aliases.iter().map(String::as_str))
}

/// The file in this folder, or in the nearest above it that has one.
pub fn above(folder: &Path) -> Option<PathBuf> {
    folder
        .ancestors()
        .map(|folder| folder.join(FILE_NAME))
        .find(|path| path.symlink_metadata().is_ok_and(|about| !about.is_dir()))
}

fn unreadable(refusal: &Refusal) -> Diagnostic {
    let diagnostic = Diagnostic::error(format!("failed to read the configuration: {refusal}"));
    match refusal {
        Refusal::NotText(_) => diagnostic.help("it must be text in UTF-8"),
        Refusal::Missing => diagnostic.help("check --config and SSM_AUDIT_CONFIG"),
        Refusal::Outside => diagnostic.help("a symbolic link in a repository must not lead out of it"),
        _ => diagnostic,
    }
}

/// What is no range would be met only when a rule is evaluated.
fn not_ranges(ranges: &[Spanned<String>], source: &SourceFile, diagnostics: &mut Vec<Diagnostic>) {
    for range in ranges {
        if range.parse::<IpNet>().is_err() && range.parse::<IpAddr>().is_err() {
            let error = Diagnostic::error(format!("`{}` is no range of addresses", range.value));
            diagnostics.push(error.at(source, range.span.clone()).help("write it as in `10.0.0.0/24`"));
        }
    }
}

/// Patterns of nothing match nothing.
fn blank_globs(file: &ConfigFile, source: &SourceFile, diagnostics: &mut Vec<Diagnostic>) {
    let of_waivers =
        file.waivers.iter().flat_map(|waiver| [&waiver.rule, &waiver.resource].into_iter().chain(&waiver.account));
    for glob in
        file.disable.iter().chain(file.inline_waivers.globs()).chain(of_waivers).filter(|glob| glob.trim().is_empty())
    {
        let error = Diagnostic::error("this is empty and matches nothing").at(source, glob.span.clone());
        diagnostics.push(error.help("`*` matches everything"));
    }
    for waiver in file.waivers.iter().filter(|waiver| waiver.reason.trim().is_empty()) {
        diagnostics.push(Diagnostic::error("a waiver needs a reason").at(source, waiver.reason.span.clone()));
    }
    for waiver in &file.waivers {
        if let (Some(until), Some(expires)) = (&waiver.until, &waiver.expires) {
            let error = Diagnostic::error("a waiver has one last day: `expires` is the earlier name of `until`");
            diagnostics.push(error.at(source, expires.span.clone()).related(until.span.clone(), "and here"));
        }
    }
}

fn duplicates(waivers: &[Spanned<WaiverFile>], source: &SourceFile, diagnostics: &mut Vec<Diagnostic>) {
    let key = |waiver: &WaiverFile| {
        let account = waiver.account.as_ref().map_or("*", |account| account.as_str()).to_owned();
        (waiver.rule.value.clone(), waiver.resource.value.clone(), account)
    };
    for (index, waiver) in waivers.iter().enumerate() {
        if let Some(first) = waivers[..index].iter().find(|other| key(other) == key(waiver)) {
            let error = Diagnostic::error("this waiver stands here twice").at(source, waiver.rule.span.clone());
            diagnostics.push(error.related(first.rule.span.clone(), "first here"));
        }
    }
}

fn read_waiver(waiver: Spanned<WaiverFile>, source: &SourceFile) -> Waiver {
    let WaiverFile { rule, resource, account, reason, owner, until, expires } = waiver.value;
    Waiver {
        rule: Glob::new(&rule),
        resource: Resources::Like(Glob::new(&resource)),
        account: Glob::new(account.as_ref().map_or("*", |account| account.as_str())),
        reason: reason.value.trim().to_owned(),
        owner,
        expires: until.or(expires).map(|day| day.value.0),
        within: Vec::new(),
        inline: false,
        place: Diagnostic::warning("").at(source, rule.span),
    }
}

#[cfg(test)]
mod tests;
