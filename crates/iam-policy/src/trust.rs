//! Whom the trust policy of a role admits.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_update-role-trust-policy.html>

use super::context::Context;
use super::decision::{Cause, Layer, Source, StatementRef};
use super::document::{Effect, PolicyDocument, Sense, Statement};
use super::evaluate::resource_allows;
use super::named::{NamedPrincipal, PrincipalKind, Reach};
use super::principal::Principal;
use super::request::{Request, Resource};
use super::statement::{Bounded, View};
use super::truth::{Coverage, Truth};

/// The actions by which a role is assumed.
const ASSUME: [&str; 3] = ["sts:AssumeRole", "sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity"];

/// Whom one statement admits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum TrustedPrincipal {
    /// This one; `*` is everyone.
    Named(NamedPrincipal),
    /// Everyone but these: `NotPrincipal` with `Allow`.
    AllBut(Vec<NamedPrincipal>),
}

/// A principal that a trust policy admits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trusted {
    /// Who.
    pub principal: TrustedPrincipal,
    /// `True` if surely, `Unknown` if that depends on a condition or on a denial; never `False`.
    pub admitted: Truth,
    /// The statement that admits them.
    pub statement: StatementRef,
}

/// All whom the policy lets do one of these actions (`sts:AssumeRole`, …), in the order written. A
/// principal id (`AROA…`) is left out: AWS shows it once the principal is deleted, and it admits nobody.
#[must_use]
pub fn trusted_principals(policy: &PolicyDocument, actions: &[&str], context: &Context) -> Vec<Trusted> {
    let mut found: Vec<Trusted> = Vec::new();
    for (index, statement) in policy.statements().iter().enumerate() {
        if statement.effect != Effect::Allow {
            continue;
        }
        let statement_ref =
            StatementRef { source: Source { layer: Layer::Resource, index: 0 }, index, sid: statement.sid.clone() };
        for principal in statement.admits() {
            let admitted = actions
                .iter()
                .map(|action| admitted(policy, statement, &principal, action, context))
                .fold(Truth::False, Truth::or);
            if admitted == Truth::False {
                continue;
            }
            match found.iter_mut().find(|it| it.principal == principal) {
                Some(known) if known.admitted >= admitted => {}
                Some(known) => {
                    known.admitted = admitted;
                    known.statement = statement_ref.clone();
                }
                None => found.push(Trusted { principal, admitted, statement: statement_ref.clone() }),
            }
        }
    }
    found
}

/// Whether these principals may assume the role with `sts:AssumeRole`, and nobody else may assume it in
/// any way.
#[must_use]
pub fn trusts_only(policy: &PolicyDocument, principals: &[Principal], context: &Context) -> Truth {
    let wanted = principals
        .iter()
        .map(|principal| {
            let request = Request::new(principal.clone(), ASSUME[0], Resource::exactly("*"));
            resource_allows(Some(policy), &request.in_context(context.clone())).truth()
        })
        .fold(Truth::True, Truth::and);
    let others = trusted_principals(policy, &ASSUME, context)
        .iter()
        .map(|trusted| {
            let one_of_them = match &trusted.principal {
                TrustedPrincipal::Named(named) => {
                    principals.iter().map(|principal| named.is(principal)).fold(Truth::False, Truth::or)
                }
                TrustedPrincipal::AllBut(_) => Truth::False,
            };
            (!one_of_them).and(trusted.admitted)
        })
        .fold(Truth::False, Truth::or);
    wanted.and(!others)
}

impl NamedPrincipal {
    /// Whether the entry stands for this principal and for no other: neither everyone of its kind nor
    /// the account that it belongs to.
    fn is(&self, principal: &Principal) -> Truth {
        match self.names(principal) {
            _ if self.id == "*" => Truth::False,
            (Reach::Account, _) => Truth::False,
            (Reach::Direct | Reach::Role, truth) => truth,
        }
    }
}

impl Statement {
    /// Whom the statement names; principals that no longer exist left out.
    fn admits(&self) -> Vec<TrustedPrincipal> {
        let Some(principals) = &self.principals else {
            return Vec::new();
        };
        match principals.sense {
            Sense::These => principals
                .entries
                .iter()
                .filter(|entry| !is_deleted(entry))
                .cloned()
                .map(TrustedPrincipal::Named)
                .collect(),
            Sense::AllBut => vec![TrustedPrincipal::AllBut(principals.entries.clone())],
        }
    }
}

/// Whether the principal may do the action: by this statement, unless another denies it.
fn admitted(
    policy: &PolicyDocument,
    statement: &Statement,
    principal: &TrustedPrincipal,
    action: &str,
    context: &Context,
) -> Truth {
    let asker = asker(principal);
    let request = Request::new(asker.clone(), action, Resource::exactly("*")).in_context(context.clone());
    let allowed = statement.coverage_for_anyone(&request).all;
    let denied = policy
        .statements()
        .iter()
        .filter(|other| other.effect == Effect::Deny)
        .map(|other| other.denies(&request))
        .fold(Truth::False, Truth::or);
    allowed.and(!denied)
}

impl Statement {
    /// The coverage, whoever asks.
    fn coverage_for_anyone(&self, request: &Request) -> Coverage {
        let mut causes = Vec::new();
        let coverage = self.actions.coverage(&request.action, request, &mut causes);
        self.conditions
            .iter()
            .fold(coverage, |coverage, condition| coverage.and(Coverage::of(condition.holds(request, &mut causes))))
    }

    /// Whether a `Deny` takes the action from all that the request's principal stands for.
    fn denies(&self, request: &Request) -> Truth {
        let excepts = self.principals.as_ref().is_some_and(|principals| principals.sense == Sense::AllBut);
        if excepts && *request.principal() == Principal::Anonymous {
            // Of everyone, those whom it excepts are left.
            return self.coverage_for_anyone(request).any.and(Truth::Unknown);
        }
        let mut causes: Vec<Cause> = Vec::new();
        let view = View::Resource(Reach::Direct, Bounded::No);
        self.coverage(request, view, &mut causes).all
    }
}

/// Someone whom the entry names, with no more known of them than the entry says.
fn asker(principal: &TrustedPrincipal) -> Principal {
    let TrustedPrincipal::Named(named) = principal else {
        return Principal::Anonymous;
    };
    match named.kind {
        PrincipalKind::Service => Principal::service(&named.id),
        PrincipalKind::Federated => Principal::Federated(named.id.as_str().into()),
        PrincipalKind::CanonicalUser => Principal::Anonymous,
        PrincipalKind::Aws => Principal::some_of_account("aws", &named.id)
            .or_else(|_not_an_account| Principal::from_arn(&named.id))
            .unwrap_or(Principal::Anonymous),
    }
}

/// A unique id stands in a policy for a user or role that was deleted.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>
fn is_deleted(entry: &NamedPrincipal) -> bool {
    entry.kind == PrincipalKind::Aws
        && ["AROA", "AIDA"].iter().any(|it| entry.id.starts_with(it))
        && entry.id.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests;
