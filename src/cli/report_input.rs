//! A saved report as what to fix: only what failed in it, and only where it fails still.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use super::Error;
use super::code::refuse_what_cannot_be_read;
use crate::collect::snapshot;
use crate::engine::scan::{self, Selected};
use crate::file_envelope::Form;
use crate::model::{AccountId, Finding, Region, Report, Source, Verdict};
use crate::report::as_argument;

pub(super) const FORM: &Form = &Form {
    kind: Report::KIND,
    version: Report::SCHEMA_VERSION,
    noun: "report",
    made_with: "ssm-audit scan -o FILE.json",
    most_mib: 256,
};

/// Reads a saved report.
pub(super) fn read(path: &Path) -> Result<Report, Error> {
    refuse_what_cannot_be_read(path, "scan")?;
    Ok(FORM.read(path)?)
}

/// A saved report.
#[derive(Debug)]
pub(super) struct Earlier {
    path: PathBuf,
    report: Report,
}

impl Earlier {
    /// Reads it.
    pub(super) fn read(path: &Path) -> Result<Self, Error> {
        let is = |what: &str| Error::Usage {
            message: format!("{} is {what}, and fix changes live accounts", path.display()),
            help: "leave it out to look at the account itself, or give a report: `ssm-audit scan -o report.json`"
                .to_owned(),
        };
        if Form::kind_of(path).as_deref() == Some(snapshot::KIND) {
            return Err(is("a snapshot"));
        }
        refuse_what_cannot_be_read(path, "fix")?;
        let report: Report = FORM.read(path)?;
        if report.scopes.iter().any(|scope| scope.source == Source::Terraform) {
            let folder = report
                .findings
                .iter()
                .find_map(|finding| finding.folder.as_deref())
                .map_or_else(|| "FOLDER".to_owned(), as_argument);
            return Err(Error::Usage {
                message: format!("{} is a report of Terraform code, and fix changes live accounts", path.display()),
                help: format!("give the folder of the code: ssm-audit fix {folder}"),
            });
        }
        let earlier = Self { path: path.to_owned(), report };
        if earlier.failing().next().is_none() {
            return Err(Error::Usage {
                message: format!("nothing fails in {}", path.display()),
                help: "there is nothing to fix; leave it out to look at the account itself".to_owned(),
            });
        }
        Ok(earlier)
    }

    fn failing(&self) -> impl Iterator<Item = &Finding> {
        self.report.findings.iter().filter(|finding| finding.verdict == Verdict::Fail)
    }

    /// The rules of what failed.
    pub(super) fn rules(&self) -> BTreeSet<&str> {
        self.failing().map(|finding| finding.rule.as_str()).collect()
    }

    /// The regions that it is on, of all accounts.
    pub(super) fn regions(&self) -> BTreeSet<&Region> {
        self.report.scopes.iter().filter_map(|scope| scope.region.as_ref()).collect()
    }

    /// Whether it is on this account.
    pub(super) fn covers(&self, account: &AccountId) -> Result<(), Error> {
        let accounts: BTreeSet<&AccountId> =
            self.report.scopes.iter().filter_map(|scope| scope.account.as_ref()).collect();
        if accounts.contains(account) {
            return Ok(());
        }
        let accounts: Vec<&str> = accounts.into_iter().map(AccountId::as_str).collect();
        Err(Error::Usage {
            message: format!(
                "{} is on account {}, and the credentials are for {account}",
                self.path.display(),
                accounts.join(", ")
            ),
            help: "use credentials for the account of the report".to_owned(),
        })
    }

    /// Whether the finding failed in it.
    pub(super) fn had(&self, finding: &Finding) -> bool {
        self.failing().any(|earlier| earlier.fingerprint == finding.fingerprint)
    }

    /// What failed in it on this account, and does not now: each with what became of it. Of rules that are not selected,
    /// regions that are not read and what could not be listed, nothing is known.
    pub(super) fn settled(
        &self,
        account: &AccountId,
        rules: &[Selected<'_>],
        regions: &[Region],
        now: &Report,
    ) -> Vec<String> {
        let selected: BTreeSet<&str> = rules
            .iter()
            .flat_map(|selected| std::iter::once(&selected.rule.id).chain(&selected.rule.aliases))
            .map(String::as_str)
            .collect();
        let unlisted = |finding: &Finding| {
            now.findings.iter().any(|other| other.rule == finding.rule && other.resource.id == scan::ANY)
        };
        let looked_at = |finding: &&Finding| {
            selected.contains(finding.rule.as_str())
                && (!finding.resource.resource_type.is_regional()
                    || finding.resource.region.as_ref().is_none_or(|region| regions.contains(region)))
        };
        let now: BTreeMap<&str, &Finding> =
            now.findings.iter().map(|finding| (finding.fingerprint.as_str(), finding)).collect();
        let of_account = self.failing().filter(|finding| finding.resource.account.as_ref() == Some(account));
        let settled = of_account.filter(looked_at).filter_map(|finding| {
            let became = match now.get(finding.fingerprint.as_str()).map(|finding| finding.verdict) {
                Some(Verdict::Fail | Verdict::Unknown) => return None,
                Some(Verdict::Pass) => "holds by now",
                Some(Verdict::Waived) => "is waived by now",
                None if unlisted(finding) => return None,
                None => "no longer exists",
            };
            Some(format!("{} on {} {became}", finding.rule, finding.resource.id))
        });
        settled.collect()
    }
}
