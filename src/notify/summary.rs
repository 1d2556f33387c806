//! What is told of a sweep: how much there is of what, and what is new. No evidence and no messages, since what stands in
//! them was chosen by others.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::history::lifecycle::Standing;
use crate::history::{History, HistoryError, Order, Row, Sweep, Which};
use crate::model::Finding;

/// How many new findings are listed.
const LISTED: usize = 100;

/// The summary of a sweep.
///
/// # Errors
/// Where the history cannot be read.
pub fn summary(history: &History, sweep: &Sweep) -> Result<Value, HistoryError> {
    let totals = &sweep.totals;
    let rules = history.information(sweep.id)?;
    let by_rule: Vec<Value> = history
        .by_rule(sweep.id, Standing::New)?
        .into_iter()
        .map(|one| {
            let info = rules.iter().find(|rule| rule.id == one.rule);
            json!({
                "rule": one.rule,
                "title": info.map(|info| &info.title),
                "severity": info.map(|info| info.severity),
                "count": one.count,
            })
        })
        .collect();
    let mut findings = Vec::new();
    let read = history.each(sweep.id, Which::Standing(Standing::New), Order::Rules, Some, |row| {
        findings.push(listed(&row));
        // No error: enough.
        if findings.len() < LISTED { Ok(()) } else { Err(None) }
    });
    if let Err(Some(error)) = read {
        return Err(error);
    }
    Ok(json!({
        "kind": "ssm-audit/notification",
        "schema_version": 1,
        "text": text(sweep),
        "tool": {"name": "ssm-audit", "version": sweep.tool_version, "rules_digest": sweep.rules_digest},
        "policy": sweep.policy,
        "sweep": sweep.id,
        "started_at": sweep.started_at,
        "finished_at": sweep.finished_at,
        "accounts": totals.accounts,
        "left_out": sweep.left_out,
        "scopes": {"all": totals.scopes, "incomplete": totals.incomplete, "unread": totals.unread},
        "summary": {
            "pass": totals.pass,
            "fail": totals.fail,
            "unknown": totals.unknown,
            "waived": totals.waived,
            "not_applicable": totals.not_applicable,
        },
        "changes": {"new": totals.new, "open": totals.open, "stale": totals.stale, "fixed": totals.fixed},
        "new_by_rule": by_rule,
        "new": findings,
    }))
}

/// The sweep in a line, which chats show.
fn text(sweep: &Sweep) -> String {
    let totals = &sweep.totals;
    let counts = [
        (totals.new, "new"),
        (totals.open, "still open"),
        (totals.fixed, "fixed"),
        (totals.stale, "stale"),
        (totals.unknown, "unknown"),
    ];
    let counts: Vec<String> = counts.iter().map(|(count, word)| format!("{count} {word}")).collect();
    let read = match totals.incomplete {
        0 => "all read in full".to_owned(),
        incomplete => format!("{incomplete} of {} scopes not read in full", totals.scopes),
    };
    format!("ssm-audit sweep {}: {}; {} accounts, {read}", sweep.id, counts.join(", "), totals.accounts)
}

fn listed(row: &Row) -> Value {
    let Finding { rule, severity, resource, fingerprint, remediation, .. } = &row.finding;
    json!({
        "rule": rule,
        "severity": severity,
        "resource": resource,
        "remediation": remediation,
        "because": row.because.map(crate::history::lifecycle::Because::as_str),
        "fingerprint": fingerprint,
    })
}

/// By what a receiver can tell a sweep from all others: it is the same however often it is sent.
pub fn idempotency_key(sweep: &Sweep) -> String {
    let hash = Sha256::digest(format!("{}\n{}\n{}", sweep.id, sweep.started_at, sweep.rules_digest));
    hash.iter().take(16).fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
