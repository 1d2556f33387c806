//! What reports say of where a result comes from: the configuration, the flags that can change a result, folders with
//! rules, and waivers.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::Globals;
use super::invocation::Flag;
use super::selection::Selection;
use crate::diagnostic::Diagnostic;
use crate::engine::waiver::Waiver;
use crate::model::Provenance;
use crate::model::provenance::{Setting, WaiverFile};

/// Flags and arguments that change how a result is shown or kept, how fast it is there, or what is scanned, which reports
/// name anyway. Every other one is named, also one that does not exist yet.
const NEUTRAL: &[&str] = &[
    "INPUT",
    "PLACE",
    "--format",
    "--output",
    "--color",
    "--verbose",
    "--quiet",
    "--no-details",
    "--summary",
    "--state",
    "--resume",
    "--shard",
    "--to",
    "--notify",
    "--concurrency",
    "--cli-connect-timeout",
    "--cli-read-timeout",
    "--call-timeout",
    "--account-timeout",
    // Reports have a line of their own for these.
    "--config",
    "--rules",
];

/// Flags whose values are shown. Those of others may be secrets.
const SHOWN: &[&str] = &[
    "--account",
    "--account-tag",
    "--accounts",
    "--base",
    "--baseline",
    "--changed-since",
    "--engine",
    "--exclude-account",
    "--exclude-rule",
    "--fail-on",
    "--ou",
    "--param",
    "--policy",
    "--region",
    "--regions",
    "--rule",
    "--severity",
    "--terraform",
    "--terraform-state",
    "--var-file",
    "--workspace",
];

/// What decides a result, as far as it is known before anything is read.
pub(super) fn provenance(selection: &Selection, globals: &Globals) -> Provenance {
    let config = selection.config();
    let flags = globals.invocation.flags.iter().filter(|flag| !NEUTRAL.contains(&flag.name.as_str())).map(setting);
    let waivers = selection.waivers().iter().filter(|waiver| !waiver.inline);
    let mut provenance = Provenance {
        configuration: config.file.clone(),
        settings: config.settings.iter().cloned().chain(flags).collect(),
        rules: selection.folders().to_vec(),
        waivers: Vec::new(),
    };
    add_waivers(&mut provenance, waivers.map(|waiver| &waiver.place), false, true);
    provenance
}

/// Adds the waivers of code.
pub(super) fn add_inline(provenance: &mut Provenance, accepted: &[Waiver], refused: &[Diagnostic]) {
    add_waivers(provenance, accepted.iter().map(|waiver| &waiver.place), true, true);
    add_waivers(provenance, refused.iter(), true, false);
}

fn add_waivers<'a>(
    provenance: &mut Provenance,
    places: impl Iterator<Item = &'a Diagnostic>,
    inline: bool,
    accepted: bool,
) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, _) in places.filter_map(|place| place.place.as_ref()) {
        *counts.entry(file.name()).or_default() += 1;
    }
    for (file, count) in counts {
        let known = provenance.waivers.iter().position(|one| one.file == file && one.inline == inline);
        let index = known.unwrap_or_else(|| {
            provenance.waivers.push(WaiverFile { file: file.to_owned(), inline, accepted: 0, refused: 0 });
            provenance.waivers.len() - 1
        });
        let one = &mut provenance.waivers[index];
        *(if accepted { &mut one.accepted } else { &mut one.refused }) += count;
    }
}

fn setting(flag: &Flag) -> Setting {
    let value = match flag.values.as_slice() {
        [] => Json::Bool(true),
        _ if !SHOWN.contains(&flag.name.as_str()) => Json::Null,
        [value] => value.as_str().into(),
        values => values.into(),
    };
    let origin = flag.variable.clone().unwrap_or_else(|| "command line".to_owned());
    Setting { key: flag.name.clone(), value, origin }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, ValueHint};

    use super::*;
    use crate::cli::Cli;

    #[test]
    fn a_flag_that_is_not_listed_is_named_without_its_value() {
        let flag = |name: &str, values: &[&str]| Flag {
            name: name.to_owned(),
            values: values.iter().map(|value| (*value).to_owned()).collect(),
            variable: None,
        };
        assert_eq!(setting(&flag("--of-tomorrow", &["secret"])).value, Json::Null);
        assert_eq!(setting(&flag("--no-config", &[])).value, true);
        assert_eq!(setting(&flag("--param", &["a.b=1", "c.d=2"])).value, serde_json::json!(["a.b=1", "c.d=2"]));
    }

    #[test]
    fn every_listed_flag_exists() {
        let mut command = Cli::command();
        command.build();
        let of = |name: &str| command.find_subcommand(name).expect("a command").get_arguments().cloned();
        let known: Vec<String> =
            of("scan").chain(of("sweep")).filter_map(|one| Some(format!("--{}", one.get_long()?))).collect();
        for name in NEUTRAL.iter().chain(SHOWN).filter(|name| name.starts_with("--")) {
            assert!(known.iter().any(|one| one == name), "{name}");
        }
    }

    /// A flag that takes a path is either a thing that is scanned, or one that judges and is then taken from the base.
    #[test]
    fn every_path_is_scanned_or_written_or_taken_from_the_base() {
        let from_base = ["config", "rules", "baseline"];
        let scanned_or_written =
            ["inputs", "output", "base", "variable-files", "terraform-state", "terraform", "var-file", "root", "state"];
        let mut command = Cli::command();
        command.build();
        let scan = command.find_subcommand("scan").expect("scan");
        let paths = scan.get_arguments().filter(|one| {
            matches!(one.get_value_hint(), ValueHint::AnyPath | ValueHint::FilePath | ValueHint::DirPath)
        });
        for argument in paths {
            let name = argument.get_long().unwrap_or(argument.get_id().as_str());
            assert!(
                from_base.contains(&name) || scanned_or_written.contains(&name),
                "{name}: is it what judges? Then it is resolved with `globals.in_base`, and listed here"
            );
        }
    }
}
