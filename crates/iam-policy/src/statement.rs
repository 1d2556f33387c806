//! Whether one statement matches a request: its actions, principals, resources and conditions.

use super::asked::Asked;
use super::decision::Cause;
use super::document::{Effect, Principals, Selector, Sense, Statement};
use super::named::{NamedPrincipal, Reach};
use super::pattern::{Match, Pattern};
use super::principal::Principal;
use super::request::Request;
use super::truth::{Coverage, Truth};

/// In what kind of policy a statement stands, and which grants count.
#[derive(Debug, Clone, Copy)]
pub(super) enum View {
    /// A policy of the principal: it has no `Principal` element and must have a `Resource`.
    Identity,
    /// A policy of a resource: grants that name the principal in this way.
    Resource(Reach, Bounded),
}

/// Whether the principal has a permissions boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bounded {
    No,
    Yes,
}

impl Statement {
    /// How much of what is asked the statement matches. Where that is unknown, `causes` says why.
    pub(super) fn coverage(&self, request: &Request, view: View, causes: &mut Vec<Cause>) -> Coverage {
        let mut coverage = self.actions.coverage(&request.action, request, causes);
        if coverage.is_nothing() {
            return coverage;
        }
        coverage = coverage.and(self.principal_coverage(request, view, causes));
        if coverage.is_nothing() {
            return coverage;
        }
        coverage = coverage.and(match (&self.resources, view) {
            (Some(resources), _) => resources.coverage(&request.resource, request, causes),
            // A trust policy has no `Resource`: it is the role's.
            (None, View::Resource(..)) => Coverage::EVERYTHING,
            (None, View::Identity) => doubt(causes, Cause::Element("no Resource")),
        });
        for condition in &self.conditions {
            if coverage.is_nothing() {
                break;
            }
            coverage = coverage.and(Coverage::of(condition.holds(request, causes)));
        }
        coverage
    }

    fn principal_coverage(&self, request: &Request, view: View, causes: &mut Vec<Cause>) -> Coverage {
        match (&self.principals, view) {
            (None, View::Identity) => Coverage::EVERYTHING,
            (Some(_), View::Identity) => doubt(causes, Cause::Element("Principal")),
            (None, View::Resource(..)) => doubt(causes, Cause::Element("no Principal")),
            (Some(principals), View::Resource(reach, bounded)) => {
                let truth = match (self.effect, principals.sense) {
                    (Effect::Allow, Sense::These) => principals.name(&request.principal, Some(reach), causes),
                    (Effect::Deny, Sense::These) => principals.name(&request.principal, None, causes),
                    // It grants to all others, each by itself.
                    (Effect::Allow, Sense::AllBut) if reach == Reach::Direct => {
                        !principals.except(&request.principal, causes)
                    }
                    (Effect::Allow, Sense::AllBut) => Truth::False,
                    // "The NotPrincipal element with a Deny effect will always deny any IAM principal
                    // that has a permissions boundary policy attached", see `Boundary`.
                    (Effect::Deny, Sense::AllBut) if bounded == Bounded::Yes => Truth::True,
                    (Effect::Deny, Sense::AllBut) => !principals.except(&request.principal, causes),
                };
                Coverage::of(truth)
            }
        }
    }
}

fn doubt(causes: &mut Vec<Cause>, cause: Cause) -> Coverage {
    causes.push(cause);
    Coverage::UNKNOWN
}

impl Principals {
    /// Whether one of the entries names the principal, in this way if one is given.
    fn name(&self, principal: &Principal, way: Option<Reach>, causes: &mut Vec<Cause>) -> Truth {
        let mut named = Truth::False;
        for entry in &self.entries {
            let (reach, truth) = entry.names(principal);
            if way.is_some_and(|way| way != reach) {
                continue;
            }
            if truth == Truth::Unknown {
                causes.push(Cause::Principal(entry.id.clone()));
            }
            named = named.or(truth);
        }
        named
    }

    /// Whether the principal is excepted by `NotPrincipal`. A role's session surely is only where
    /// its role and its account are both listed; with one of the two that depends on the service.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_notprincipal.html>
    fn except(&self, principal: &Principal, causes: &mut Vec<Cause>) -> Truth {
        let [direct, role, account] =
            [Reach::Direct, Reach::Role, Reach::Account].map(|reach| self.name(principal, Some(reach), causes));
        if self.entries.iter().any(NamedPrincipal::is_everyone) {
            return Truth::True;
        }
        let sure = match principal {
            Principal::Role(_) => role.and(account),
            Principal::User(_) => direct.and(account),
            _ => direct,
        };
        if sure == Truth::True {
            return Truth::True;
        }
        let listed = direct.or(role).or(account);
        if listed == Truth::True {
            causes.extend(self.entries.iter().map(|it| Cause::Principal(it.id.clone())));
        }
        listed.and(Truth::Unknown)
    }
}

impl Selector {
    /// How much of what is asked the patterns match, or for `Not…` leave over.
    pub(super) fn coverage(&self, asked: &Asked, request: &Request, causes: &mut Vec<Cause>) -> Coverage {
        let mut total = Coverage::NOTHING;
        let mut parts = 0;
        for pattern in &self.patterns {
            let one = self.pattern_coverage(pattern, asked, request, causes);
            total.any = total.any.or(one.any);
            total.all = total.all.or(one.all);
            parts += usize::from(!one.is_nothing());
            if total.all == Truth::True {
                break;
            }
        }
        if total.all == Truth::False && parts > 1 && self.may_cover(asked, request) {
            causes.push(Cause::Overlap);
            total.all = Truth::Unknown;
        }
        match self.sense {
            Sense::These => total,
            Sense::AllBut => total.complement(),
        }
    }

    fn pattern_coverage(
        &self,
        pattern: &Pattern,
        asked: &Asked,
        request: &Request,
        causes: &mut Vec<Cause>,
    ) -> Coverage {
        match pattern.coverage(asked, request) {
            Match::Covers(coverage) => {
                if coverage.is_unknown() {
                    causes.push(Cause::Pattern(pattern.text().to_owned()));
                }
                coverage
            }
            Match::Unknown(key, coverage) => {
                causes.push(Cause::Key(key.to_owned()));
                coverage
            }
            // "Any attempt to match it fails and causes the statement to be invalid."
            Match::Absent(_) if self.sense == Sense::These => Coverage::NOTHING,
            Match::Absent(key) => doubt(causes, Cause::Key(key.to_owned())),
        }
    }

    /// Whether the patterns may match everything between them, as they do if they match what nobody
    /// could have written down.
    fn may_cover(&self, asked: &Asked, request: &Request) -> bool {
        asked.witness().is_none_or(|witness| {
            self.patterns.iter().any(|pattern| {
                !matches!(pattern.coverage(&witness, request), Match::Covers(Coverage::NOTHING) | Match::Absent(_))
            })
        })
    }
}
