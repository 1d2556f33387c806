//! Provenance in words: the configuration, rules, flags and waivers that determined a result.

use serde_json::Value as Json;

use super::phrasing;
use crate::model::Provenance;
use crate::model::provenance::{ConfigurationFile, RulesFolder, Setting, WaiverFile};

/// Name of the provenance in formats that list only results.
pub(super) const NAME: &str = "provenance";

/// Flags that a table does not repeat: their effect is in its last line.
const SAID: &[&str] = &["--account", "--region", "--regions", "--accounts", "--profile", "--profiles"];

/// Returns one line for each input that determined the result.
pub(super) fn lines(provenance: &Provenance) -> Vec<String> {
    let none = || "configuration: none".to_owned();
    let mut lines = vec![provenance.configuration.as_ref().map_or_else(none, configuration)];
    // Waivers have lines of their own.
    lines.extend(provenance.settings.iter().filter(|setting| setting.key != "waivers").map(setting));
    lines.extend(provenance.rules.iter().map(rules));
    lines.extend(provenance.waivers.iter().map(waivers));
    lines
}

/// Returns the lines for a page without room for defaults: none if nothing was set.
pub(super) fn unusual(provenance: &Provenance) -> Vec<String> {
    let said = |setting: &Setting| setting.origin == COMMAND_LINE && SAID.contains(&setting.key.as_str());
    let settings: Vec<Setting> = provenance.settings.iter().filter(|setting| !said(setting)).cloned().collect();
    let unusual = Provenance { settings, ..provenance.clone() };
    if unusual == Provenance::default() { Vec::new() } else { lines(&unusual) }
}

const COMMAND_LINE: &str = "command line";

fn configuration(file: &ConfigurationFile) -> String {
    let origin = match (file.origin.as_str(), &file.base) {
        ("found", None) => "found in the working folder or above it".to_owned(),
        ("found", Some(base)) => format!("found in --base {base}"),
        (flag, None) => format!("by {flag}"),
        (flag, Some(base)) => format!("by {flag} in --base {base}"),
    };
    format!("configuration: {} ({origin}; {})", file.file, file.digest)
}

fn setting(setting: &Setting) -> String {
    let Setting { key, value, origin } = setting;
    match value {
        Json::Null => format!("{key}: set, and not shown ({origin})"),
        value => format!("{key}: {} ({origin})", phrasing::value(value)),
    }
}

fn rules(folder: &RulesFolder) -> String {
    let RulesFolder { folder, origin, rules, digest } = folder;
    format!("rules: {rules} in {folder} ({origin}; {digest})")
}

fn waivers(file: &WaiverFile) -> String {
    let WaiverFile { file, inline, accepted, refused } = file;
    let comments = if *inline { " in comments" } else { "" };
    let refused = if *refused > 0 { format!(", {refused} not accepted") } else { String::new() };
    format!("waivers: {accepted} accepted{refused}{comments} in {file}")
}
