//! `rules list`, `explain`, `test` and `schema`.

use std::io::{self, Write};

use anstyle::Style;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::json;

use super::selection::{self, Selection, SelectionArgs};
use super::{Error, Exit, Globals, output};
use crate::engine::rule::framework::{self, Framework};
use crate::engine::rule::function::FUNCTIONS;
use crate::engine::rule::params::ParamValue;
use crate::engine::rule::{Remediation, Rule, example, schema};
use crate::engine::scan::Selected;
use crate::model::ResourceType;
use crate::model::schema::Structure;
use crate::remediate::plan::Disruption;
use crate::remediate::remediation::{self, RemediationSpec, RemediationSpecs};
use crate::terminal::{Columns, Encoding};

/// The arguments of `rules`.
#[derive(Debug, Args)]
pub(super) struct RulesArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the selected rules
    List {
        #[command(flatten)]
        selection: SelectionArgs,
        /// The form of the list
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
    },
    /// Explain a rule: what it asserts and why, its parameters, what it reads, examples
    Explain {
        /// The id of the rule
        id: String,
        #[command(flatten)]
        rules: selection::RulesFolders,
    },
    /// Run the examples of the rules, those of `--rules` too
    Test {
        #[command(flatten)]
        rules: selection::RulesFolders,
    },
    /// Show what rules can read: resource types with their attributes, and functions
    Schema {
        /// The form
        #[arg(long, value_enum, default_value = "table")]
        format: ListFormat,
        /// Only this resource type, e.g. AWS::EC2::Instance
        #[arg(value_name = "TYPE")]
        resource_type: Option<String>,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    Table,
    Json,
}

impl ListFormat {
    fn encoding(self) -> Encoding {
        match self {
            Self::Table => Encoding::Text,
            Self::Json => Encoding::Json,
        }
    }
}

pub(super) fn run(arguments: &RulesArgs, globals: &Globals) -> Result<Exit, Error> {
    match &arguments.command {
        Command::List { selection, format } => list(&Selection::from_args(selection, globals)?, *format, globals),
        Command::Explain { id, rules } => {
            let library = selection::library(rules, globals)?;
            let rule = library.rule(id).ok_or_else(|| selection::no_such_rule(id, &library))?;
            let frameworks = framework::all();
            let remedies = remediation::embedded(&library).map_err(Error::Diagnostics)?;
            output::to_stdout(Encoding::Text, |out| explain(rule, frameworks, &remedies, out))?;
            Ok(Exit::Success)
        }
        Command::Test { rules } => test(rules, globals),
        Command::Schema { format, resource_type } => show_schema(*format, resource_type.as_deref()),
    }
}

fn list(selection: &Selection, format: ListFormat, globals: &Globals) -> Result<Exit, Error> {
    let selected = selection.rules()?;
    output::to_stdout(format.encoding(), |out| match format {
        ListFormat::Json => {
            let rules: Vec<_> = selected
                .iter()
                .map(|selected| {
                    let rule = selected.rule;
                    json!({
                        "id": rule.id, "title": rule.title, "severity": selected.severity, "policy": rule.policy,
                        "resource": rule.resource_type, "sources": rule.sources, "calls": rule.needs().calls().map(ToString::to_string).collect::<Vec<_>>(), "references": rule.references,
                    })
                })
                .collect();
            writeln!(out, "{:#}", json!({"kind": "ssm-audit/rules", "schema_version": 1, "rules": rules}))
        }
        ListFormat::Table => {
            table(&selected, globals).write(out)?;
            writeln!(out, "\n{} rules", selected.len())
        }
    })?;
    Ok(Exit::Success)
}

/// Lists rules in columns; with `-v` also what they are about.
fn table(selected: &[Selected<'_>], globals: &Globals) -> Columns {
    let all = globals.verbose > 0;
    let headers: &[&str] = if all {
        &["id", "severity", "policy", "fix", "resource", "sources", "title"]
    } else {
        &["id", "severity", "policy", "fix", "title"]
    };
    let mut columns = Columns::new(headers, output::paint_stdout(globals.color), output::terminal_width());
    for selected in selected {
        let rule = selected.rule;
        let fix = if matches!(rule.remediation, Some(Remediation::Id(_))) { "yes" } else { "no" };
        let sources: Vec<&str> = rule.sources.iter().map(|source| source.as_str()).collect();
        let (resource, sources) = (rule.resource_type.to_string(), sources.join(", "));
        let severity = selected.severity.to_string();
        let about = all.then_some([&*resource, &*sources]).into_iter().flatten();
        let cells = [&*rule.id, &*severity, rule.policy.as_str(), fix].into_iter().chain(about).chain([&*rule.title]);
        columns.row(cells.map(|cell| (Style::new(), cell)));
    }
    columns
}

fn explain(rule: &Rule, frameworks: &[Framework], remedies: &RemediationSpecs, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}\n{}\n", rule.id, rule.title)?;
    if let Some(deprecated) = &rule.deprecated {
        writeln!(out, "Deprecated: {deprecated}\n")?;
    }
    let sources: Vec<&str> = rule.sources.iter().map(|source| source.as_str()).collect();
    writeln!(out, "severity  {}", rule.severity)?;
    writeln!(out, "policy    {}", rule.policy.as_str())?;
    writeln!(out, "resource  {}", rule.resource_type)?;
    writeln!(out, "sources   {}\n", sources.join(", "))?;
    heading(out, "What it checks")?;
    writeln!(out, "{}\n", rule.description)?;
    heading(out, "Why it matters")?;
    writeln!(out, "{}\n", rule.rationale)?;
    heading(out, "Rule")?;
    if let Some(when) = rule.when() {
        writeln!(out, "when    {}", indented(when))?;
    }
    writeln!(out, "assert  {}\n", indented(rule.assert()))?;
    if !rule.params.is_empty() {
        heading(out, "Parameters")?;
        for (name, param) in &rule.params {
            writeln!(out, "{name} = {}  {}", shown(&param.default), param.description)?;
        }
        writeln!(out)?;
    }
    heading(out, "Reads")?;
    for path in rule.reads() {
        writeln!(out, "resource.{path}")?;
    }
    let calls: Vec<String> = rule.needs().calls().map(ToString::to_string).collect();
    writeln!(out, "by {}\n", calls.join(", "))?;
    match &rule.remediation {
        Some(Remediation::None { none }) => {
            heading(out, "Remediation")?;
            writeln!(out, "None automatic: {none}\n")?;
        }
        Some(Remediation::Id(id)) => {
            heading(out, "Remediation")?;
            if let Some(remedy) = remedies.get(id) {
                remediation(remedy, out)?;
            }
            writeln!(out, "`ssm-audit fix --rule {}` shows what it would change, and asks.\n", rule.id)?;
        }
        None => {}
    }
    heading(out, "Examples")?;
    for example in &rule.examples {
        writeln!(out, "{:<15} {}", example.expected, example.attributes)?;
    }
    writeln!(out)?;
    answers_for(rule, frameworks, out)?;
    heading(out, "References")?;
    for reference in &rule.references {
        writeln!(out, "{reference}")?;
    }
    Ok(())
}

/// What a remediation does, what it interrupts, and what to know before it.
fn remediation(remedy: &RemediationSpec, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{}: {}", remedy.id, remedy.title)?;
    let disruption = match remedy.disruption {
        Disruption::None => "interrupts nothing",
        Disruption::Brief => "interrupts for seconds",
        Disruption::Restart => "stops and starts the instance: only with --allow restart",
        Disruption::Replace => "replaces a part, with the instance stopped: only with --allow replace",
        Disruption::Irreversible => "cannot be taken back: only with --allow irreversible --resource ID",
    };
    writeln!(out, "effect   {disruption}")?;
    if remedy.by_name {
        writeln!(out, "by name  only with --resource ID, or its name typed")?;
    }
    for setting in &remedy.needs {
        writeln!(out, "needs    fix.{setting} in ssm-audit.yaml")?;
    }
    match &remedy.warn {
        Some(warning) => writeln!(out, "note     {warning}"),
        None => Ok(()),
    }
}

/// The controls of published standards for which the rule answers.
fn answers_for(rule: &Rule, frameworks: &[Framework], out: &mut dyn Write) -> io::Result<()> {
    let controls = frameworks.iter().flat_map(|framework| {
        let named = framework.controls.iter().filter(|(_, control)| control.rules.contains(&rule.id));
        named.map(move |(id, control)| format!("{} {id}: {}", framework.title, control.title))
    });
    let controls: Vec<String> = controls.collect();
    if controls.is_empty() {
        return Ok(());
    }
    heading(out, "Answers for")?;
    for control in controls {
        writeln!(out, "{control}")?;
    }
    writeln!(out)
}

fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{text}\n{}", "-".repeat(text.len()))
}

fn indented(expression: &str) -> String {
    expression.lines().map(str::trim_end).collect::<Vec<_>>().join("\n        ")
}

fn shown(value: &ParamValue) -> String {
    match value {
        ParamValue::Text(text) => format!("{text:?}"),
        ParamValue::Texts(texts) => format!("{texts:?}"),
        other => other.to_string(),
    }
}

fn test(rules: &selection::RulesFolders, globals: &Globals) -> Result<Exit, Error> {
    let library = selection::library(rules, globals)?;
    let failures = example::failures(&library);
    let (rules, examples) =
        library.rules().fold((0, 0), |(rules, examples), rule| (rules + 1, examples + rule.examples.len()));
    if !failures.is_empty() {
        return Err(Error::Diagnostics(failures));
    }
    output::to_stdout(Encoding::Text, |out| {
        writeln!(out, "{rules} rules, {examples} examples: all come out as they should")
    })?;
    Ok(Exit::Success)
}

fn show_schema(format: ListFormat, wanted: Option<&str>) -> Result<Exit, Error> {
    let types: Vec<ResourceType> = match wanted {
        None => ResourceType::ALL.to_vec(),
        Some(label) => vec![ResourceType::from_label(label).ok_or_else(|| Error::Usage {
            message: format!("there is no resource type `{label}`"),
            help: "`ssm-audit rules schema` lists the types".to_owned(),
        })?],
    };
    output::to_stdout(format.encoding(), |out| {
        if format == ListFormat::Json {
            return writeln!(out, "{:#}", schema::json());
        }
        for resource_type in types {
            structure(out, resource_type.as_str(), resource_type.structure())?;
        }
        if wanted.is_none() {
            for (name, part) in schema::parts() {
                structure(out, name, part)?;
            }
            heading(out, "Functions")?;
            for function in FUNCTIONS {
                writeln!(out, "{function}\n    {}", function.doc.trim())?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Success)
}

fn structure(out: &mut dyn Write, name: &str, structure: &Structure) -> io::Result<()> {
    heading(out, name)?;
    writeln!(out, "{}", structure.documentation())?;
    for attribute in structure.attributes {
        let optional = if attribute.optional { ", may be absent" } else { "" };
        writeln!(out, "  {}: {}{optional}", attribute.name, schema::type_name(attribute.kind))?;
        writeln!(out, "      {}", attribute.documentation())?;
    }
    writeln!(out)
}
