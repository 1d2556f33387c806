//! The page of a rule in the documentation, in Markdown.

use std::collections::BTreeSet;
use std::io::{self, Write};

use super::explained::{Explained, effect, shown};

/// Writes the page of a rule.
pub(super) fn write(explained: &Explained<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rule = explained.rule;
    if rule.is_built_in() {
        writeln!(out, "<!-- Written by `make docs` from {}. Edit that file. -->\n", rule.file.name())?;
    }
    writeln!(out, "# {}\n\n{}\n", rule.id, prose(&rule.title))?;
    if let Some(deprecated) = &rule.deprecated {
        writeln!(out, "> Deprecated: {}\n", prose(deprecated))?;
    }
    let fix = if explained.remedy.is_some() { "yes" } else { "no" };
    writeln!(out, "| severity | policy | resource | evaluated in | automatic fix |\n| --- | --- | --- | --- | --- |")?;
    writeln!(
        out,
        "| {} | {} | `{}` | {} | {fix} |\n",
        rule.severity,
        rule.policy.as_str(),
        rule.resource_type,
        explained.sources()
    )?;
    writeln!(out, "## What it checks\n\n{}\n", prose(&rule.description))?;
    writeln!(out, "## Why it matters\n\n{}\n", prose(&rule.rationale))?;
    fixes(explained, out)?;
    parameters(explained, out)?;
    permissions(explained, out)?;
    expression(explained, out)?;
    if !explained.controls.is_empty() {
        bullets(out, "Controls", explained.controls.iter().map(|control| prose(control)))?;
    }
    bullets(out, "References", rule.references.iter().map(|uri| link(uri)))
}

/// Returns the table of some pages.
fn rows<'e>(explained: impl Iterator<Item = &'e Explained<'e>>) -> String {
    let mut text = "| rule | checks | severity | evaluated in | fix |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for one in explained {
        let (rule, fix) = (one.rule, if one.remedy.is_some() { "yes" } else { "no" });
        let (id, title, sources) = (&rule.id, prose(&rule.title), one.sources());
        // Writing to a string does not fail.
        let _ = std::fmt::Write::write_fmt(
            &mut text,
            format_args!("| [{id}]({id}.md) | {title} | {} | {sources} | {fix} |\n", rule.severity),
        );
    }
    text
}

/// Writes the list of all pages.
pub(super) fn list(explained: &[Explained<'_>]) -> String {
    let of = |policy: &str| rows(explained.iter().filter(|one| one.rule.policy.as_str() == policy));
    format!(
        "<!-- Written by `make docs` from rules/. -->\n\n# Rules\n\nEach rule has a page, written from its file: what it \
         checks and why, how to fix it, its parameters, permissions and examples. `ssm-audit rules explain ID` shows the \
         same on a terminal.\n\n## Policy guide\n\nThe documented setup of Session Manager. It is the default.\n\n{}\n\
         ## Policy hardened\n\nMore than the documented setup. `--policy hardened` selects these rules and those of \
         the guide.\n\n{}",
        of("guide"),
        of("hardened"),
    )
}

fn bullets(out: &mut dyn Write, title: &str, entries: impl Iterator<Item = String>) -> io::Result<()> {
    writeln!(out, "\n## {title}\n")?;
    entries.into_iter().try_for_each(|entry| writeln!(out, "- {entry}"))
}

fn fixes(explained: &Explained<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rule = explained.rule;
    writeln!(out, "## How to fix it\n")?;
    if let Some(none) = explained.no_remedy {
        writeln!(out, "No fix is automatic: {}.\n", prose(none.trim_end_matches('.')))?;
    }
    if let Some(remedy) = explained.remedy {
        writeln!(out, "### With ssm-audit\n\n{}:\n", prose(&remedy.title))?;
        let on_code = rule.sources.iter().any(|source| source.as_str() == "terraform");
        let on_account = rule.sources.iter().any(|source| source.as_str() == "aws");
        let of_account = on_account.then(|| format!("$ ssm-audit fix --rule {}", rule.id));
        let of_code = on_code.then(|| format!("$ ssm-audit fix infra/ --rule {}", rule.id));
        let commands: Vec<String> = of_account.into_iter().chain(of_code).collect();
        writeln!(out, "{}", fenced("console", &commands.join("\n")))?;
        writeln!(out, "- Effect: the fix {}.", prose(effect(remedy.disruption)))?;
        if remedy.by_name {
            writeln!(out, "- The resource must be named: `--resource ID`, or its name typed on a terminal.")?;
        }
        for setting in &remedy.needs {
            writeln!(out, "- It needs `fix.{setting}` in `ssm-audit.yaml`.")?;
        }
        if let Some(warning) = &remedy.warn {
            writeln!(out, "- Note: {}.", prose(warning.trim().trim_end_matches('.')))?;
        }
        writeln!(out)?;
    }
    let by_hand = &rule.manual_fix;
    if let Some(console) = &by_hand.console {
        writeln!(out, "### In the AWS console\n\n{}\n", console.trim().replace('<', "\\<").replace("](", "]\\("))?;
    }
    if let Some(cli) = &by_hand.cli {
        writeln!(out, "### With the AWS CLI\n\n{}", fenced("sh", cli))?;
    }
    if let Some(terraform) = &by_hand.terraform {
        writeln!(out, "### In Terraform\n\n{}", fenced("hcl", terraform))?;
    }
    Ok(())
}

fn parameters(explained: &Explained<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rule = explained.rule;
    let Some((first, of_first)) = rule.params.first_key_value() else { return Ok(()) };
    writeln!(out, "## Parameters\n\n| name | default | values | meaning |\n| --- | --- | --- | --- |")?;
    for (name, param) in &rule.params {
        let values: Vec<String> = param.values.iter().map(shown).collect();
        let kind = format!("{:?}", param.kind).to_lowercase();
        let values = if values.is_empty() { kind } else { values.join(", ") };
        let meaning = prose(&param.description.split_whitespace().collect::<Vec<_>>().join(" "));
        writeln!(out, "| `{name}` | `{}` | {} | {meaning} |", shown(&param.default), prose(&values))?;
    }
    let yaml = format!("params:\n  {}:\n    {first}: {}\n", rule.id, shown(&of_first.default));
    writeln!(out, "\nIn `ssm-audit.yaml`:\n\n{}", fenced("yaml", &yaml))
}

fn permissions(explained: &Explained<'_>, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "## Permissions\n\n| for | IAM actions |\n| --- | --- |")?;
    writeln!(out, "| scan | {} |", codes(&explained.reads))?;
    if !explained.changes.is_empty() {
        writeln!(out, "| fix, besides those of scan | {} |", codes(&explained.changes))?;
    }
    writeln!(out)?;
    let id = &explained.rule.id;
    let purposes: &[&str] = if explained.changes.is_empty() { &["scan"] } else { &["scan", "fix"] };
    let commands: Vec<String> =
        purposes.iter().map(|purpose| format!("$ ssm-audit iam-policy --for {purpose} --rule {id}")).collect();
    let block = fenced("console", &commands.join("\n"));
    writeln!(out, "As policies, with the resources that a fix is limited to:\n\n{block}")
}

/// Writes the rule as it is evaluated, and its examples.
fn expression(explained: &Explained<'_>, out: &mut dyn Write) -> io::Result<()> {
    let rule = explained.rule;
    writeln!(out, "## Expression\n")?;
    if let Some(when) = rule.when() {
        writeln!(out, "Applies when:\n\n{}\nPasses when:\n", fenced("text", when))?;
    }
    writeln!(out, "{}", fenced("text", rule.assert()))?;
    writeln!(out, "## Examples\n\nDifferences from a complete, compliant resource, and the verdict on each:\n")?;
    let examples: Vec<String> =
        rule.examples.iter().map(|example| format!("{:<15} {}", example.expected, example.attributes)).collect();
    write!(out, "{}", fenced("text", &examples.join("\n")))
}

fn codes(actions: &BTreeSet<&str>) -> String {
    actions.iter().map(|action| format!("`{action}`")).collect::<Vec<_>>().join(", ")
}

/// Returns a code block. Its fence is longer than any in the code.
fn fenced(language: &str, code: &str) -> String {
    let mut fence = "```".to_owned();
    while code.contains(&fence) {
        fence.push('`');
    }
    format!("{fence}{language}\n{}\n{fence}\n", code.trim_end())
}

/// Returns an address as a link; as text where it has characters that end one.
fn link(uri: &str) -> String {
    let ends = |character: char| character.is_whitespace() || "<>()`\\".contains(character);
    let is_web = uri.starts_with("https://") || uri.starts_with("http://");
    if is_web && !uri.contains(ends) { format!("<{uri}>") } else { prose(uri) }
}

/// Returns text as Markdown in which only code between backquotes is marked up.
fn prose(text: &str) -> String {
    let text = text.trim();
    // Code spans do not go over lines: there, an HTML block would win.
    let spans = text.lines().all(|line| line.matches('`').count().is_multiple_of(2)) && !text.contains("```");
    let mut inside = false;
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '`' if spans => {
                inside = !inside;
                escaped.push('`');
            }
            '|' => escaped.push_str("\\|"),
            '`' | '\\' | '*' | '_' | '[' | ']' | '<' | '>' | '#' if !inside => escaped.extend(['\\', character]),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_no_markup_but_for_code() {
        assert_eq!(
            prose("allow `kms:*` on *, <b> and [x](y) | z"),
            "allow `kms:*` on \\*, \\<b\\> and \\[x\\](y) \\| z"
        );
        assert_eq!(prose("one ` alone_"), "one \\` alone\\_");
    }

    #[test]
    fn code_cannot_end_its_block() {
        assert_eq!(fenced("sh", "```\nx"), "````sh\n```\nx\n````\n");
    }
}
