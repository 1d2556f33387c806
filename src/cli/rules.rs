//! `rules list`, `explain`, `test` and `schema`.

mod explain;
mod explained;
mod list;
mod page;

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};

use super::selection::{self, Selection, SelectionArgs};
use super::{Error, Exit, Globals, output};
use crate::engine::rule::function::FUNCTIONS;
use crate::engine::rule::{example, schema};
use crate::model::ResourceType;
use crate::model::schema::Structure;
use crate::remediate::remediation;
use crate::report::output::to_file;
use crate::terminal::Encoding;
use explained::Explained;

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
        /// Format of the list
        #[arg(short, long, value_enum, default_value = "table")]
        format: ListFormat,
    },
    /// Explain a rule: what it checks and why, and how to fix it
    Explain {
        /// Id of the rule
        id: String,
        /// Format of the explanation
        #[arg(long, value_enum, default_value = "text")]
        format: ExplainFormat,
        #[command(flatten)]
        rules: selection::RulesFolders,
    },
    /// Run the examples of the rules
    Test {
        #[command(flatten)]
        rules: selection::RulesFolders,
    },
    /// List the attributes and functions that rules can use
    Schema {
        /// Format of the list
        #[arg(short, long, value_enum, default_value = "table")]
        format: ListFormat,
        /// Only this resource type, e.g. AWS::EC2::Instance
        #[arg(value_name = "TYPE")]
        resource_type: Option<String>,
    },
    /// Write the pages of the documentation for the rules that come with ssm-audit
    #[command(hide = true)]
    Pages {
        /// Folder of the pages
        #[arg(long, value_name = "DIR")]
        to: PathBuf,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ExplainFormat {
    Text,
    Markdown,
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
        Command::List { selection, format } => {
            list::write(&Selection::from_args(selection, globals)?, *format, globals)
        }
        Command::Explain { id, format, rules } => {
            let library = selection::library(rules, globals)?;
            let rule = library.rule(id).ok_or_else(|| selection::no_such_rule(id, &library))?;
            let remedies = remediation::embedded(&library).map_err(Error::Diagnostics)?;
            let explained = Explained::of(rule, &remedies);
            output::to_stdout(Encoding::Text, |out| match format {
                ExplainFormat::Text => explain::write(&explained, output::terminal_width(), out),
                ExplainFormat::Markdown => page::write(&explained, out),
            })?;
            Ok(Exit::Success)
        }
        Command::Pages { to } => pages(to, globals),
        Command::Test { rules } => test(rules, globals),
        Command::Schema { format, resource_type } => show_schema(*format, resource_type.as_deref()),
    }
}

/// Writes a page for each rule that comes with the tool, and their list.
fn pages(folder: &Path, globals: &Globals) -> Result<Exit, Error> {
    let library = selection::library(&selection::RulesFolders::default(), globals)?;
    let remedies = remediation::embedded(&library).map_err(Error::Diagnostics)?;
    let built_in = library.rules().filter(|rule| rule.is_built_in());
    let explained: Vec<Explained<'_>> = built_in.map(|rule| Explained::of(rule, &remedies)).collect();
    for one in &explained {
        to_file(&folder.join(format!("{}.md", one.rule.id)), |out| page::write(one, out))?;
    }
    to_file(&folder.join("index.md"), |out| out.write_all(page::list(&explained).as_bytes()))?;
    Ok(Exit::Success)
}

fn heading(out: &mut dyn Write, text: &str) -> io::Result<()> {
    writeln!(out, "{text}\n{}", "-".repeat(text.len()))
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
