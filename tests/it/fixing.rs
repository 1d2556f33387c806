//! Runs of `fix`, `undo` and `resume` on one account of an emulator, which share their journal.

use std::collections::BTreeSet;

use serde_json::Value;
use tempfile::TempDir;

use crate::audit::{Audit, Outcome, verdicts};
use crate::emulator::{Emulator, differences, fresh_account};

pub(crate) const REGION: &str = "us-east-1";

/// An account with a journal.
pub(crate) struct Fixing {
    pub(crate) account: String,
    /// What `accounts.py` said of it.
    pub(crate) seeded: Value,
    state: TempDir,
    config: String,
    /// Where calls go, where not to the emulator itself.
    url: Option<String>,
}

impl Fixing {
    /// A compliant account of moto's, changed by these arguments of `accounts.py`.
    pub(crate) fn on(arguments: &[&str]) -> Self {
        let account = fresh_account();
        let seeded = Emulator::moto().seed_with(&[&["--account", &account, "--region", REGION], arguments].concat());
        Self { account, seeded, state: TempDir::new().unwrap(), config: "fix: {}\n".to_owned(), url: None }
    }

    /// With this `ssm-audit.yaml`.
    pub(crate) fn configured(self, config: &str) -> Self {
        Self { config: config.to_owned(), ..self }
    }

    /// With calls that go there.
    pub(crate) fn through(self, url: String) -> Self {
        Self { url: Some(url), ..self }
    }

    /// What the hazard of this name made: `resource` is what is to be fixed.
    pub(crate) fn hazard(&self, name: &str, what: &str) -> String {
        self.seeded["hazards"][name][what].as_str().unwrap().to_owned()
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Audit {
        let audit = Audit::on(Emulator::moto(), &self.account, REGION, arguments);
        let audit = audit.env("SSM_AUDIT_STATE", self.state.path().to_str().unwrap());
        let audit = match &self.url {
            Some(url) => audit.env("AWS_ENDPOINT_URL", url),
            None => audit,
        };
        audit.file("ssm-audit.yaml", &self.config)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        self.command(arguments).run()
    }

    /// Plans these rules' findings and applies the plan.
    pub(crate) fn fix(&self, rules: &[&str], more: &[&str]) -> Outcome {
        self.run(&[&["fix", "--yes"], &selection(rules)[..], more].concat())
    }

    /// Only plans.
    pub(crate) fn plan(&self, rules: &[&str], more: &[&str]) -> Outcome {
        self.run(&[&["fix"], &selection(rules)[..], more].concat())
    }

    /// What of these rules fails: rule and id of the resource.
    pub(crate) fn fails(&self, rules: &[&str]) -> BTreeSet<(String, String)> {
        let scanned = self.run(&[&["scan", "--format", "json"], &selection(rules)[..]].concat());
        let verdicts = verdicts(&scanned.json()).into_iter();
        verdicts.filter(|(_, verdict)| verdict != "pass").map(|((rule, _, _, id), _)| (rule, id)).collect()
    }

    pub(crate) fn dump(&self) -> Value {
        Emulator::moto().dump(&self.account, &[REGION])
    }

    /// What differs since then, as paths below the region.
    pub(crate) fn changed_since(&self, before: &Value) -> Vec<(String, Value, Value)> {
        let start = format!("/regions/{REGION}");
        // The emulator makes AWS's own key when somebody looks at it.
        let is_own = |key: &Value| key["aliases"][0].as_str().is_some_and(|alias| alias.starts_with("alias/aws/"));
        differences(before, &self.dump())
            .into_iter()
            .map(|(path, was, is)| (path.trim_start_matches(&start).to_owned(), was, is))
            .filter(|(path, _, is)| !(path.starts_with("/keys/") && is_own(is)))
            .collect()
    }

    /// The same without new volumes and snapshots, which undo keeps.
    pub(crate) fn changed_but_for_copies(&self, before: &Value) -> Vec<(String, Value, Value)> {
        let is_copy = |path: &str| path.starts_with("/volumes/") || path.starts_with("/snapshots/");
        let mut changed = self.changed_since(before);
        changed.retain(|(path, was, _)| !(was.is_null() && is_copy(path)));
        changed
    }
}

fn selection<'r>(rules: &[&'r str]) -> Vec<&'r str> {
    rules.iter().flat_map(|rule| ["--rule", rule]).collect()
}

impl Outcome {
    /// The run that a fix says how to take back.
    pub(crate) fn run_id(&self) -> String {
        let (_, after) = self.stdout.split_once("`ssm-audit undo ").unwrap_or_else(|| panic!("{self:?}"));
        after.split('`').next().unwrap().to_owned()
    }

    /// The run that applies the plan that was shown.
    pub(crate) fn planned_run(&self) -> String {
        let (_, after) = self.stdout.split_once("\nPlan ").unwrap_or_else(|| panic!("{self:?}"));
        after.split(':').next().unwrap().to_owned()
    }

    /// Standard output without its line breaks.
    pub(crate) fn said(&self) -> String {
        self.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{}\n{}", self.stdout, self.stderr);
        self
    }
}
