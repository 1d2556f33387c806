//! Lines of a listing: verdict, resource and place in columns, and what there is to say beside or below.

use std::borrow::Cow;
use std::io;

use anstyle::Style;

use super::{DIM, Page, verdict_style};
use crate::model::Verdict;
use crate::report::Detail;
use crate::terminal::width;

/// How many resources of a verdict, and details of a resource, the brief table lists.
const LISTED: usize = 10;

/// How many characters of a detail the brief table shows.
const SHOWN: usize = 600;

/// Where the resource stands: after two columns, the verdict, and two more.
const RESOURCE: usize = 11;

/// Where details stand.
pub(super) const DETAIL: usize = RESOURCE + 2;

/// One line.
pub(super) struct Row {
    /// What came of it.
    pub(super) verdict: Verdict,
    /// The resource.
    pub(super) resource: String,
    /// Where it is.
    pub(super) place: String,
    /// What there is to say of it.
    pub(super) details: Vec<String>,
}

/// How wide the columns are, and where the details go.
struct Columns {
    resource: usize,
    place: usize,
    beside: bool,
}

impl Columns {
    /// As wide as the rows need. Details stand beside their resource where each row has but one
    /// and all fit, and below it otherwise.
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

    /// The rows in columns. A brief page lists the first of each verdict and counts the others.
    pub(super) fn rows(&mut self, rows: Vec<Row>) -> io::Result<()> {
        let mut shown = Vec::new();
        let mut hidden = Vec::new();
        for verdict in [Verdict::Fail, Verdict::Unknown, Verdict::Waived, Verdict::Pass] {
            let count = rows.iter().filter(|row| row.verdict == verdict).count();
            if count > self.listed() {
                hidden.push(format!("{} more {verdict}", count - self.listed()));
            }
        }
        for row in rows {
            if shown.iter().filter(|other: &&Row| other.verdict == row.verdict).count() < self.listed() {
                shown.push(row);
            }
        }
        let columns = Columns::of(&shown, self.options.width);
        for row in &shown {
            self.row(row, &columns)?;
        }
        if hidden.is_empty() {
            return Ok(());
        }
        self.text(2, 9, DIM, &format!("…        and {} (-v lists all)", hidden.join(", ")))
    }

    fn row(&mut self, row: &Row, columns: &Columns) -> io::Result<()> {
        let verdict = self.paint(verdict_style(row.verdict), &format!("{:<7}", row.verdict));
        if width(&row.resource) > columns.resource {
            // Too long for a column: in full, the place below it.
            self.text_after(&format!("  {verdict}  "), RESOURCE, &row.resource)?;
            self.text(RESOURCE, 0, Style::new(), &row.place)?;
        } else {
            let detail = row.details.first().filter(|_| columns.beside).map_or("", String::as_str);
            let (resource, place) = (pad(&row.resource, columns.resource), pad(&row.place, columns.place));
            writeln!(self.out, "{}", format!("  {verdict}  {resource}  {place}  {detail}").trim_end())?;
        }
        if columns.beside { Ok(()) } else { self.details(DETAIL, &row.details) }
    }

    /// What there is to say, a line or more each, so far from the left.
    pub(super) fn details(&mut self, indent: usize, details: &[String]) -> io::Result<()> {
        for detail in details.iter().take(self.listed()) {
            self.text(indent, 2, Style::new(), &self.abridged(detail))?;
        }
        match details.len().saturating_sub(self.listed()) {
            0 => Ok(()),
            more => self.text(indent, 0, DIM, &format!("… and {more} more (-v lists all)")),
        }
    }
}

impl Page<'_> {
    /// A brief page shows the beginning of a very long value (a policy document) and says so.
    pub(super) fn abridged<'a>(&self, detail: &'a str) -> Cow<'a, str> {
        let shown = if self.options.detail == Detail::Brief { SHOWN } else { usize::MAX };
        match detail.char_indices().nth(shown) {
            Some((end, _)) => {
                let more = detail[end..].chars().count();
                format!("{}… and {more} more characters (-v shows all)", &detail[..end]).into()
            }
            None => detail.into(),
        }
    }
}

fn pad(text: &str, columns: usize) -> String {
    format!("{text}{}", " ".repeat(columns.saturating_sub(width(text))))
}
