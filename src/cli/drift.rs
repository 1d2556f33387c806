//! From the account back to the code: which Terraform made what a finding is about, and whether both say the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;

use super::code::{Subject, about};
use super::{Error, Globals};
use crate::collect::terraform::{About, State};
use crate::diagnostic::Diagnostic;
use crate::engine::scan::Judged;
use crate::model::{AccountId, Finding, Verdict};
use crate::terraform_fix::{Look, Texts};

/// Flags that lead from accounts to code.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Terraform")]
pub(super) struct OriginArgs {
    /// Terraform state of the account, for addresses of findings
    #[arg(long, value_name = "FILE", env = "SSM_AUDIT_TERRAFORM_STATE")]
    terraform_state: Option<PathBuf>,
    /// Terraform folder of the account, for lines and drift
    #[arg(
        long = "terraform",
        value_name = "DIR",
        requires = "terraform_state",
        group = "code",
        env = "SSM_AUDIT_TERRAFORM"
    )]
    folder: Option<PathBuf>,
}

impl OriginArgs {
    /// Reads the state.
    pub(super) fn state(&self) -> Result<Option<State>, Error> {
        Ok(self.terraform_state.as_deref().map(State::read).transpose()?)
    }

    /// Gives findings of accounts their addresses and lines, and says where account and code disagree.
    pub(super) fn trace<'a>(
        &'a self,
        judged: &mut [Judged],
        state: &State,
        subject: &dyn Fn(&'a Path, Option<AccountId>) -> Subject<'a>,
        globals: &Globals,
    ) -> Result<(), Error> {
        let mut code = None;
        if let Some(folder) = &self.folder {
            let account = judged.iter().find_map(|one| one.findings().first()?.resource.account.clone());
            let subject = subject(folder, account);
            let (look, problems) = subject.look(&Texts::new()).map_err(Box::new)?;
            globals.warn(&problems);
            code = Some(Code::new(look, about(subject.rules)));
        }
        let mut ahead = Vec::new();
        for finding in judged.iter_mut().flat_map(Judged::findings_mut) {
            if finding.resource.address.is_some() {
                continue;
            }
            let Some(address) = state.address(&finding.resource).map(str::to_owned) else { continue };
            finding.resource.address = Some(address);
            if let Some(code) = &code {
                ahead.extend(code.tell(finding));
            }
        }
        globals.warn(&ahead);
        Ok(())
    }
}

/// What the code says.
struct Code<'r> {
    look: Look,
    about: BTreeMap<&'r str, About>,
    /// By rule and address.
    verdicts: BTreeMap<(String, String), Verdict>,
}

impl<'r> Code<'r> {
    fn new(look: Look, about: BTreeMap<&'r str, About>) -> Self {
        let verdict = |finding: &Finding| {
            let verdict = finding.waiver.as_ref().map_or(finding.verdict, |waiver| waiver.verdict);
            Some(((finding.rule.clone(), finding.resource.address.clone()?), verdict))
        };
        let verdicts = look.findings.iter().filter_map(verdict).collect();
        Self { look, about, verdicts }
    }

    /// Gives a finding its line, and says where the code does not hold and the account does.
    fn tell(&self, finding: &mut Finding) -> Option<Diagnostic> {
        let address = finding.resource.address.clone()?;
        let about = self.about.get(finding.rule.as_str())?;
        finding.location = self.look.source_map.of_address(finding.resource.resource_type, &address, about);
        let verdict = *self.verdicts.get(&(finding.rule.clone(), address.clone()))?;
        finding.code = Some(verdict);
        match (finding.verdict, verdict) {
            (Verdict::Fail, Verdict::Pass) => {
                finding.message.push_str("; the code holds: it was not applied, or the account was changed beside it");
                None
            }
            (Verdict::Pass, Verdict::Fail) => {
                let place = finding.location.as_ref().map(|place| format!(" ({}:{})", place.file, place.line));
                Some(Diagnostic::warning(format!(
                    "{} holds for {} in the account, and fails for {address} in the code{}: applying the code takes it back",
                    finding.rule,
                    finding.resource.id,
                    place.unwrap_or_default()
                )))
            }
            _ => None,
        }
    }
}
