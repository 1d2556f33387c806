//! Lines of a listing: verdict, resource and place in columns, and details beside or below.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use anstyle::Style;

use super::{DIM, Page, verdict_style};
use crate::model::{AccountId, Verdict};
use crate::report::Detail;
use crate::terminal::width;

/// Number of resources of a rule, and of details of a resource, in the brief table.
const LISTED: usize = 10;

/// Number of unknown resources in the brief table beside many failures.
const UNKNOWN: usize = 2;

/// Number of characters of a detail in the brief table.
const SHOWN: usize = 600;

/// Column of the resource: after two columns, the verdict, and two more.
const RESOURCE: usize = 11;

/// Column of details.
pub(super) const DETAIL: usize = RESOURCE + 2;

/// A line of the listing.
pub(super) struct Row {
    /// Verdict of the line.
    pub(super) verdict: Verdict,
    /// Account of the resource.
    pub(super) account: Option<AccountId>,
    /// Name of the resource.
    pub(super) resource: String,
    /// Place of the resource.
    pub(super) place: String,
    /// Details of the resource.
    pub(super) details: Vec<String>,
}

/// Widths of the columns, and the place of the details.
struct Columns {
    resource: usize,
    place: usize,
    beside: bool,
}

impl Columns {
    /// Returns columns as wide as the rows need. Details are beside their resource if each row has only one and all
    /// fit, and below it otherwise.
    fn of(rows: &[Row], available: usize) -> Self {
        let place = rows.iter().map(|row| width(&row.place)).max().unwrap_or(0);
        let most = available.saturating_sub(RESOURCE + 2 + place);
        let resource = rows.iter().map(|row| width(&row.resource)).filter(|width| *width <= most).max().unwrap_or(0);
        let left = RESOURCE + resource + 2 + place + 2;
        let fits = |row: &Row| match row.details.as_slice() {
            [] => true,
            [detail] => width(&row.resource) <= resource && left + width(detail) <= available,
            _ => false,
        };
        Self { resource, place, beside: rows.iter().all(fits) }
    }
}

impl Page<'_> {
    fn listed(&self) -> usize {
        if self.options.detail == Detail::Brief { LISTED } else { usize::MAX }
    }

    /// Writes the rows in columns. A brief page lists some rows of each verdict, from as many accounts as fit, and
    /// counts the others.
    pub(super) fn rows(&mut self, rows: Vec<Row>) -> io::Result<()> {
        let (shown, hidden) = chosen(rows, self.listed());
        let columns = Columns::of(&shown, self.options.width);
        for row in &shown {
            self.row(row, &columns)?;
        }
        if hidden.is_empty() {
            return Ok(());
        }
        self.shortened = true;
        let mark = self.options.charset.ellipsis();
        self.text(2, 9, DIM, &format!("{mark:<9}and {} (-v lists all)", hidden.join(", ")))
    }

    fn row(&mut self, row: &Row, columns: &Columns) -> io::Result<()> {
        let verdict = self.paint(verdict_style(row.verdict), &format!("{:<7}", row.verdict));
        if width(&row.resource) > columns.resource {
            // Too long for a column: on a line of its own, which is not wrapped, so that it is copied whole.
            writeln!(self.out, "  {verdict}  {}", row.resource)?;
            self.text(RESOURCE, 0, Style::new(), &row.place)?;
        } else {
            let detail = row.details.first().filter(|_| columns.beside).map_or("", String::as_str);
            let (resource, place) = (pad(&row.resource, columns.resource), pad(&row.place, columns.place));
            writeln!(self.out, "{}", format!("  {verdict}  {resource}  {place}  {detail}").trim_end())?;
        }
        if columns.beside { Ok(()) } else { self.details(DETAIL, &row.details) }
    }

    /// Writes details, each in one or more lines, with this indent.
    pub(super) fn details(&mut self, indent: usize, details: &[String]) -> io::Result<()> {
        for detail in details.iter().take(self.listed()) {
            let detail = self.abridged(detail);
            self.text(indent, 2, Style::new(), &detail)?;
        }
        match details.len().saturating_sub(self.listed()) {
            0 => Ok(()),
            more => {
                self.shortened = true;
                let mark = self.options.charset.ellipsis();
                self.text(indent, 0, DIM, &format!("{mark} and {more} more (-v lists all)"))
            }
        }
    }
}

impl Page<'_> {
    /// Returns a detail. A brief page shows the beginning of a very long value (a policy document) and marks it as
    /// shortened.
    pub(super) fn abridged<'a>(&mut self, detail: &'a str) -> Cow<'a, str> {
        let shown = if self.options.detail == Detail::Brief { SHOWN } else { usize::MAX };
        match detail.char_indices().nth(shown) {
            Some((end, _)) => {
                let more = detail[end..].chars().count();
                self.shortened = true;
                let mark = self.options.charset.ellipsis();
                format!("{}{mark} and {more} more characters (-v shows all)", &detail[..end]).into()
            }
            None => detail.into(),
        }
    }
}

/// Returns at most this number of rows, and the counts of the others: `3 more fail`. Both failed and unknown rows are
/// among them.
fn chosen(rows: Vec<Row>, most: usize) -> (Vec<Row>, Vec<String>) {
    let count = |verdict| rows.iter().filter(|row| row.verdict == verdict).count();
    let unknown = count(Verdict::Unknown).min(UNKNOWN).min(most);
    let mut left = most;
    let mut shown = BTreeSet::new();
    let mut hidden = Vec::new();
    for verdict in [Verdict::Fail, Verdict::Unknown, Verdict::Waived, Verdict::Pass] {
        let room = if verdict == Verdict::Fail { left - unknown } else { left };
        let picked = spread(&rows, verdict, room);
        left -= picked.len();
        if count(verdict) > picked.len() {
            hidden.push(format!("{} more {verdict}", count(verdict) - picked.len()));
        }
        shown.extend(picked);
    }
    let rows = rows.into_iter().enumerate().filter(|(index, _)| shown.contains(index)).map(|(_, row)| row);
    (rows.collect(), hidden)
}

/// Picks at most this number of rows of a verdict: one of each account, then a second of each, and so on.
fn spread(rows: &[Row], verdict: Verdict, most: usize) -> Vec<usize> {
    let mut rounds: BTreeMap<Option<&AccountId>, usize> = BTreeMap::new();
    let mut by_round: Vec<(usize, usize)> = Vec::new();
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.verdict == verdict) {
        let round = rounds.entry(row.account.as_ref()).or_default();
        by_round.push((*round, index));
        *round += 1;
    }
    by_round.sort_unstable();
    by_round.into_iter().take(most).map(|(_, index)| index).collect()
}

fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}
