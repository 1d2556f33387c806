//! The table that a run ends with: results by rule, each with its resources and what there is to say of them.

use std::collections::BTreeMap;
use std::io::{self, Write};

use anstyle::Style;

use super::Look;
use crate::terminal::{Columns, harmless, width, wrap};

/// How many resources of a row are named, unless all are.
pub(crate) const NAMED: usize = 10;

/// A result of resources of a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// The result, such as `fixed`.
    pub(crate) result: &'static str,
    pub(crate) style: Style,
    /// The rule, or what was changed.
    pub(crate) subject: String,
    /// The resources.
    pub(crate) resources: Vec<String>,
    /// The reason, and what to do about it.
    pub(crate) why: Option<String>,
}

/// Rows that are collected: what has the same result for the same reason is one.
#[derive(Default)]
pub(crate) struct Rows {
    rows: Vec<Row>,
    index: BTreeMap<(&'static str, String, Option<String>), usize>,
}

impl Rows {
    /// Adds a resource.
    pub(crate) fn add(
        &mut self,
        (result, style): (&'static str, Style),
        subject: &str,
        resource: String,
        why: Option<&str>,
    ) {
        let key = (result, subject.to_owned(), why.map(str::to_owned));
        let index = *self.index.entry(key).or_insert_with(|| {
            let (subject, why) = (subject.to_owned(), why.map(str::to_owned));
            self.rows.push(Row { result, style, subject, resources: Vec::new(), why });
            self.rows.len() - 1
        });
        self.rows[index].resources.push(resource);
    }

    /// Writes the table of these things, the results in this order, after an empty line; nothing where there are no rows.
    pub(crate) fn write(&self, noun: &str, order: &[&str], look: Look, out: &mut dyn Write) -> io::Result<()> {
        if self.rows.is_empty() {
            return Ok(());
        }
        writeln!(out)?;
        let mut table = Columns::new(&["result", "count", noun], look.paint, None);
        let results = self.rows.iter().map(|row| width(row.result)).max().unwrap_or_default().max("result".len());
        let columns = look.width.saturating_sub(results + "count".len() + 4);
        let place = |row: &&Row| order.iter().position(|result| *result == row.result).unwrap_or(order.len());
        let mut rows: Vec<&Row> = self.rows.iter().collect();
        rows.sort_by_key(place);
        for row in rows {
            let (count, plain) = (row.resources.len().to_string(), Style::new());
            let cells = [(row.style, row.result.to_owned()), (plain, count)];
            table.row_of_lines(cells, &row.lines(columns, look.all));
        }
        table.write(out)
    }

    /// The numbers of each result, in this order: `3 fixed, 1 failed`.
    pub(crate) fn counts(&self, order: &[&str]) -> String {
        let number = |result: &str| -> usize {
            self.rows.iter().filter(|row| row.result == result).map(|row| row.resources.len()).sum()
        };
        let counts = order.iter().map(|result| (number(result), result)).filter(|(number, _)| *number > 0);
        counts.map(|(number, result)| format!("{number} {result}")).collect::<Vec<_>>().join(", ")
    }
}

impl Row {
    /// The subject, the resources and the reason, in lines.
    fn lines(&self, columns: usize, all: bool) -> Vec<String> {
        let subject = wrap(&harmless(&self.subject), columns);
        let resources = listed(&self.resources, all, columns);
        let why = self.why.iter().flat_map(|why| wrap(&harmless(why), columns));
        subject.into_iter().chain(resources).chain(why).filter(|line| !line.is_empty()).collect()
    }
}

/// The resources, or the first of them and the number of the others, in lines of at most so many columns. A name stays
/// in the line of its id.
pub(crate) fn listed(resources: &[String], all: bool, columns: usize) -> Vec<String> {
    let most = if all || resources.len() <= NAMED + 1 { resources.len() } else { NAMED };
    let more = resources.len() - most;
    let mut lines: Vec<String> = Vec::new();
    for (index, resource) in resources[..most].iter().enumerate() {
        let comma = if index + 1 < most { "," } else { "" };
        append(&mut lines, &format!("{}{comma}", harmless(resource)), columns);
    }
    if more > 0 {
        append(&mut lines, &format!("and {more} more (-v lists all)"), columns);
    }
    lines
}

/// Adds an item to the last line, or to a new one where it has no room.
fn append(lines: &mut Vec<String>, item: &str, columns: usize) {
    match lines.last_mut() {
        Some(line) if width(line) + 1 + width(item) <= columns => *line = format!("{line} {item}"),
        _ => lines.extend(wrap(item, columns)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::terminal::Paint;

    fn rows() -> Rows {
        let mut rows = Rows::default();
        let plain = Style::new();
        for number in 0..182 {
            rows.add(("fixed", plain), "ec2-imdsv2-required", format!("i-{number:017x}"), None);
        }
        let why = "it replaces a part, with the instance stopped: allow it with `--allow replace --resource i-0123456789abcdef0`";
        rows.add(
            ("left out", plain),
            "ec2-root-volume-encrypted",
            "i-0123456789abcdef0 (db\u{1b}[2J)".to_owned(),
            Some(why),
        );
        rows.add(("still failing", plain), "ec2-detailed-monitoring", "i-1 (web)".to_owned(), Some("access denied"));
        rows
    }

    fn shown(width: usize) -> String {
        let mut out = Vec::new();
        let order = ["still failing", "left out", "fixed"];
        rows().write("finding", &order, Look { paint: Paint::Plain, width, all: false }, &mut out).expect("written");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn like_results_are_one_row_and_commands_stay_whole() {
        insta::assert_snapshot!([shown(80), shown(140)].join("\n"));
        assert_eq!(rows().counts(&["fixed", "left out"]), "182 fixed, 1 left out");
    }

    #[test]
    fn ten_thousand_results_are_a_few_lines() {
        let mut rows = Rows::default();
        for number in 0..10_000 {
            rows.add(("fixed", Style::new()), "a-rule", format!("i-{number:017x}"), None);
        }
        let mut out = Vec::new();
        rows.write("finding", &["fixed"], Look { paint: Paint::Plain, width: 80, all: false }, &mut out)
            .expect("written");
        let text = String::from_utf8(out).expect("text");
        assert!(text.lines().count() < 12 && text.contains("9990 more"), "{text}");
    }
}
