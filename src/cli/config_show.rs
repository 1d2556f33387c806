//! `config`: the effective configuration, each value with its origin, and the schema of the file.

use std::io::Write;
use std::path::PathBuf;

use anstyle::Style;
use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use serde_json::{Value as Json, json};

use super::apply::look;
use super::selection::{Selection, SelectionArgs};
use super::{Error, Exit, Globals, output};
use crate::config;
use crate::engine::rule::Policy;
use crate::model::FailOn;
use crate::remediate::settings::Settings;
use crate::remediate::show::Look;
use crate::report::FORMATS;
use crate::terminal::{Columns, Encoding};

/// The arguments of `config`.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  ssm-audit config show
  ssm-audit config show --policy hardened --format json
  ssm-audit config schema > ssm-audit.schema.json")]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    command: ConfigCommand,
}

#[derive(Debug, Subcommand)]
enum ConfigCommand {
    /// Show each value, and where it comes from: default, file and line, flag, environment
    Show(Box<ShowArgs>),
    /// Print the JSON Schema of ssm-audit.yaml
    Schema,
}

#[derive(Debug, Args)]
struct ShowArgs {
    /// The form
    #[arg(long, value_enum, default_value = "table")]
    format: Form,
    /// As for scan
    #[arg(long, value_enum, env = "SSM_AUDIT_FAIL_ON")]
    fail_on: Option<FailOn>,
    /// As for scan
    #[arg(long, value_name = "FILE", env = "SSM_AUDIT_BASELINE")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    selection: SelectionArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// For people
    Table,
    /// For programs
    Json,
}

/// A value of the effective configuration.
#[derive(Debug, Clone, PartialEq, Serialize)]
struct Effective {
    /// The keys of the file that lead to it, or the flag.
    key: String,
    /// The value; null where none is set.
    value: Json,
    /// `default`, the file, the flag, or the variable of the environment.
    origin: String,
    /// The line in the file.
    line: Option<usize>,
}

pub(super) fn run(arguments: &ConfigArgs, globals: &Globals) -> Result<Exit, Error> {
    match &arguments.command {
        ConfigCommand::Show(arguments) => show(arguments, globals)?,
        ConfigCommand::Schema => output::to_stdout(Encoding::Json, |out| {
            serde_json::to_writer_pretty(&mut *out, &config::schema())?;
            writeln!(out)
        })?,
    }
    Ok(Exit::Success)
}

fn show(arguments: &ShowArgs, globals: &Globals) -> Result<(), Error> {
    // What is wrong with the configuration or the flags is an error here, too.
    Selection::from_args(&arguments.selection, globals)?.rules()?;
    let config = globals.config()?;
    config.format(output::parse_format).map_err(Error::Diagnostics)?;
    let file = config.file.as_ref().map(|file| file.file.clone());
    let mut values = Values(defaults());
    for value in config.values() {
        let origin = file.clone().unwrap_or_default();
        values.set(Effective { key: value.key, value: value.value, origin, line: value.line });
    }
    let own = [
        ("--fail-on", "fail_on", arguments.fail_on.map(|severity| json!(severity.as_str()))),
        ("--baseline", "baseline", arguments.baseline.as_ref().map(|path| json!(path.display().to_string()))),
    ];
    let own = own.into_iter().filter_map(|(flag, key, value)| Some((flag, Some(key.to_owned()), value?)));
    for (flag, key, value) in arguments.selection.given().into_iter().chain(own) {
        let origin = globals.origin_of(flag).to_owned();
        values.set(Effective { key: key.unwrap_or_else(|| flag.to_owned()), value, origin, line: None });
    }
    if let Some(format) = std::env::var("SSM_AUDIT_FORMAT").ok().filter(|format| !format.is_empty()) {
        values.set(Effective {
            key: "format".to_owned(),
            value: format.into(),
            origin: "SSM_AUDIT_FORMAT".to_owned(),
            line: None,
        });
    }
    match arguments.format {
        Form::Json => output::to_stdout(Encoding::Json, |out| {
            let answer = json!({"kind": "ssm-audit/config", "schema_version": 1, "file": file, "values": values.0});
            serde_json::to_writer_pretty(&mut *out, &answer)?;
            writeln!(out)
        }),
        Form::Table => output::to_stdout(Encoding::Text, |out| table(file.as_deref(), &values.0, look(globals), out)),
    }
}

/// The values so far, by key.
struct Values(Vec<Effective>);

impl Values {
    /// Sets a value: in place of the default, of the whole that the default is of, or at the end.
    fn set(&mut self, value: Effective) {
        let is_part_of = |known: &Effective| {
            known.value.is_null() && value.key.strip_prefix(&known.key).is_some_and(|rest| rest.starts_with('.'))
        };
        let known = self.0.iter().position(|known| known.key == value.key);
        if let Some(known) = known {
            self.0[known] = value;
        } else if let Some(whole) = self.0.iter().position(is_part_of) {
            self.0[whole] = value;
        } else {
            // Beside what has the same first key.
            let first = |key: &str| key.split('.').next().unwrap_or_default().to_owned();
            let last = self.0.iter().rposition(|known| first(&known.key) == first(&value.key));
            self.0.insert(last.map_or(self.0.len(), |last| last + 1), value);
        }
    }
}

/// The values where nothing is set; null where there is none.
fn defaults() -> Vec<Effective> {
    let fix = serde_json::to_value(Settings::default()).unwrap_or_default();
    let fix = fix.as_object().cloned().unwrap_or_default().into_iter().map(|(name, value)| {
        let is_empty = value.as_object().is_some_and(serde_json::Map::is_empty);
        (format!("fix.{name}"), if is_empty { Json::Null } else { value })
    });
    let values = [
        ("policy", json!(Policy::default().as_str())),
        ("fail_on", json!(FailOn::DEFAULT.as_str())),
        ("format", json!(FORMATS[0].name)),
        ("baseline", Json::Null),
        ("rules", Json::Null),
        ("disable", Json::Null),
        ("severity", Json::Null),
        ("params", Json::Null),
        ("network", Json::Null),
        ("engine", Json::Null),
        ("fleet", Json::Null),
        ("log_archive", Json::Null),
        ("inline_waivers", Json::Null),
    ];
    let values = values.into_iter().map(|(key, value)| (key.to_owned(), value));
    let all = values.chain(fix).chain([("waivers".to_owned(), Json::Null)]);
    all.map(|(key, value)| Effective { key, value, origin: "default".to_owned(), line: None }).collect()
}

fn table(file: Option<&str>, values: &[Effective], look: Look, out: &mut dyn Write) -> std::io::Result<()> {
    let file = file.map_or_else(|| "No configuration file.".to_owned(), |file| format!("Configuration file: {file}"));
    writeln!(out, "{}\n", crate::terminal::harmless(&file))?;
    let mut table = Columns::new(&["key", "origin", "value"], look.paint, Some(look.width));
    for value in values {
        let place = value.line.map_or_else(|| value.origin.clone(), |line| format!("{}:{line}", value.origin));
        let style = if value.origin == "default" { Style::new().dimmed() } else { Style::new() };
        table.row([(Style::new(), value.key.as_str()), (style, place.as_str()), (style, in_words(value).as_str())]);
    }
    table.write(out)
}

fn in_words(value: &Effective) -> String {
    match &value.value {
        Json::Null if value.key == "inline_waivers" => "all, and none with --base".to_owned(),
        Json::Null => "-".to_owned(),
        Json::String(text) => text.clone(),
        Json::Object(waiver) if value.key.starts_with("waivers.") => {
            let members = waiver.iter().map(|(name, value)| {
                format!("{name}: {}", value.as_str().map_or_else(|| value.to_string(), str::to_owned))
            });
            members.collect::<Vec<_>>().join(", ")
        }
        value => value.to_string(),
    }
}
