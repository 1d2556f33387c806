//! JSON report of a sweep: that of a scan, and the changes since earlier sweeps. Passes are counted, and are listed
//! only if the sweep kept them.

use std::io::{self, Write};

use serde::ser::{Error, SerializeSeq};
use serde::{Serialize, Serializer};

use super::{each_scope, failed, summary, tool};
use crate::history::lifecycle::Standing;
use crate::history::{Absent, History, Order, Row, Sweep, Which};
use crate::model::finding::Tool;
use crate::model::{Provenance, Report, Summary};

pub(super) fn write(history: &History, sweep: &Sweep, out: &mut dyn Write) -> io::Result<()> {
    let rows = |which| Rows { history, sweep: sweep.id, which };
    let document = Document {
        kind: Report::KIND,
        schema_version: Report::SCHEMA_VERSION,
        tool: tool(sweep),
        started_at: &sweep.started_at,
        // The end of an interrupted sweep is not known.
        finished_at: sweep.finished_at.as_deref().unwrap_or(&sweep.started_at),
        policy: &sweep.policy,
        provenance: history.provenance(sweep.id).map_err(failed)?,
        sweep: Changes {
            id: sweep.id,
            state: &sweep.state,
            left_out: &sweep.left_out,
            absent: history.absent(sweep.id).map_err(failed)?,
            new: sweep.totals.new,
            open: sweep.totals.open,
            stale: sweep.totals.stale,
            fixed: sweep.totals.fixed,
        },
        scopes: Scopes { history, sweep },
        summary: summary(sweep),
        findings: rows(Which::Judged),
        stale: rows(Which::Standing(Standing::Stale)),
        fixed: rows(Which::Standing(Standing::Fixed)),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

#[derive(Serialize)]
struct Document<'a> {
    kind: &'static str,
    schema_version: u32,
    tool: Tool,
    started_at: &'a str,
    finished_at: &'a str,
    policy: &'a str,
    provenance: Provenance,
    sweep: Changes<'a>,
    scopes: Scopes<'a>,
    summary: Summary,
    findings: Rows<'a>,
    stale: Rows<'a>,
    fixed: Rows<'a>,
}

/// Changes since each account was last read.
#[derive(Serialize)]
struct Changes<'a> {
    /// Number of the sweep.
    id: i64,
    /// `running` (or interrupted), `finished` or `abandoned`.
    state: &'a str,
    /// Accounts of the organisation that cannot be used.
    left_out: &'a [String],
    /// Accounts that the sweep before had read and this one has not.
    absent: Vec<Absent>,
    /// Number of new failures.
    new: u64,
    /// Number of failures that failed before.
    open: u64,
    /// Number of checks that failed before, and are unknown now.
    stale: u64,
    /// Number of checks that failed before, and pass now.
    fixed: u64,
}

struct Scopes<'a> {
    history: &'a History,
    sweep: &'a Sweep,
}

impl Serialize for Scopes<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        each_scope(self.history, self.sweep, S::Error::custom, |scope| list.serialize_element(&scope))?;
        list.end()
    }
}

struct Rows<'a> {
    history: &'a History,
    sweep: i64,
    which: Which,
}

impl Serialize for Rows<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        self.history.each(self.sweep, self.which, Order::Report, S::Error::custom, |row| {
            list.serialize_element(&Element::of(&row))
        })?;
        list.end()
    }
}

/// A finding, and its lifecycle state.
#[derive(Serialize)]
struct Element<'a> {
    #[serde(flatten)]
    finding: &'a crate::model::Finding,
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    because: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seen: Option<&'a str>,
}

impl<'a> Element<'a> {
    fn of(row: &'a Row) -> Self {
        Self {
            finding: &row.finding,
            standing: row.standing.as_str(),
            because: row.because.map(crate::history::lifecycle::Because::as_str),
            since: row.since.as_deref(),
            seen: row.seen.as_deref(),
        }
    }
}
