//! Limits of Security Hub.
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html>,
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-top-level-attributes.html>

use std::io::{self, Write};

use serde_json::Value;

use crate::terminal::harmless;

/// Maximum number of findings of a batch.
const FINDINGS_OF_A_BATCH: usize = 100;

/// Maximum number of bytes of a batch: 6 MB, less a margin for bytes that a client may add.
const BYTES_OF_A_BATCH: usize = 5_500_000;

pub(super) const GENERATOR: usize = 512;
pub(super) const TITLE: usize = 256;
pub(super) const DESCRIPTION: usize = 1024;
pub(super) const RECOMMENDATION: usize = 512;
pub(super) const RESOURCE: usize = 512;
pub(super) const PRODUCT_FIELD: usize = 2048;
/// Maximum number of pairs in the details of a resource, and maximum length of their names and values.
pub(super) const DETAILS: usize = 50;
pub(super) const DETAIL_NAME: usize = 128;
pub(super) const DETAIL: usize = 1024;
/// Maximum number of reasons of a status, and maximum length of each.
pub(super) const REASONS: usize = 20;
pub(super) const REASON: usize = 1024;

/// Returns the text in at most this number of bytes, with a mark if it was shortened; never blank.
pub(super) fn text(text: &str, bytes: usize) -> String {
    let mut text = harmless(text).into_owned();
    if text.trim().is_empty() {
        return "-".to_owned();
    }
    if text.len() > bytes {
        let mark = "…";
        let end = (0..=bytes - mark.len()).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
        text.truncate(end);
        text.push_str(mark);
    }
    text
}

/// Writes the findings as arrays, one a line, none longer than the call accepts.
pub(super) fn batches(findings: impl Iterator<Item = Value>, out: &mut dyn Write) -> io::Result<()> {
    let (mut listed, mut bytes) = (0, 0);
    for finding in findings {
        let finding = serde_json::to_string(&finding)?;
        if listed > 0 && (listed == FINDINGS_OF_A_BATCH || bytes + finding.len() > BYTES_OF_A_BATCH) {
            writeln!(out, "]")?;
            (listed, bytes) = (0, 0);
        }
        write!(out, "{}{finding}", if listed == 0 { "[" } else { "," })?;
        listed += 1;
        bytes += finding.len() + 1;
    }
    if listed > 0 { writeln!(out, "]") } else { Ok(()) }
}
