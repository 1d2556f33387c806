//! How much Security Hub takes.
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-required-attributes.html>,
//! <https://docs.aws.amazon.com/securityhub/latest/userguide/asff-top-level-attributes.html>

use std::io::{self, Write};

use serde_json::Value;

use crate::terminal::harmless;

/// How many findings a batch has at most.
const FINDINGS_OF_A_BATCH: usize = 100;

/// How many bytes a batch has at most: 6 MB, less what a client may add.
const BYTES_OF_A_BATCH: usize = 5_500_000;

pub(super) const GENERATOR: usize = 512;
pub(super) const TITLE: usize = 256;
pub(super) const DESCRIPTION: usize = 1024;
pub(super) const RECOMMENDATION: usize = 512;
pub(super) const RESOURCE: usize = 512;
pub(super) const PRODUCT_FIELD: usize = 2048;
/// How many pairs the details of a resource have, and how long their names and values are.
pub(super) const DETAILS: usize = 50;
pub(super) const DETAIL_NAME: usize = 128;
pub(super) const DETAIL: usize = 1024;
/// How many reasons a status has, and how long each is.
pub(super) const REASONS: usize = 20;
pub(super) const REASON: usize = 1024;

/// The text in at most so many bytes, with a mark where that is not all; never blank.
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

/// Writes the findings as arrays, a line each, none longer than the call takes.
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
