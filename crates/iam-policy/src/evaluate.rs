//! What the policies of one layer say to a request, and what that decides.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic.html>

use super::decision::{Answer, Cause, Decision, Denial, Layer, Reason, Source, StatementRef};
use super::document::{Effect, PolicyDocument};
use super::named::Reach;
use super::request::Request;
use super::statement::{Bounded, View};
use super::truth::Truth;

/// A permissions boundary.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Boundary<'a> {
    /// The principal has none.
    Unset,
    /// It has this one.
    Document(&'a PolicyDocument),
    /// It has one, which could not be read.
    Unread,
}

impl Boundary<'_> {
    pub(super) fn bounded(self) -> Bounded {
        match self {
            Self::Unset => Bounded::No,
            Self::Document(_) | Self::Unread => Bounded::Yes,
        }
    }
}

/// Whether a principal's own policies, with its permissions boundary, allow the request. A policy
/// that is `None` could not be read: it may contain anything.
///
/// Service and resource control policies, and session policies, are not looked at.
#[must_use]
pub fn identity_allows(policies: &[Option<&PolicyDocument>], boundary: Boundary<'_>, request: &Request) -> Decision {
    let identity = Tally::of(policies, Layer::Identity, View::Identity, request);
    let boundary = Tally::of_boundary(boundary, request);
    let allowed = identity.allowed().and(boundary.allowed());
    let lacking = identity.lacks().unwrap_or(Layer::Boundary);
    decide(&[&identity, &boundary], allowed, lacking)
}

/// Whether a resource's policy itself admits the one who asks: the session, the user, the service,
/// everyone, or the role whose session it is. A grant to the account does not count, see
/// [`resource_delegates`]. `None` could not be read.
#[must_use]
pub fn resource_allows(policy: Option<&PolicyDocument>, request: &Request) -> Decision {
    let [direct, role, _] = Tally::of_resource(&[policy], Bounded::No, request);
    let allowed = direct.allowed().or(role.allowed());
    decide(&[&direct, &role], allowed, Layer::Resource)
}

/// Whether a resource's policy admits the one who asks, or leaves it to the account's own policies
/// (`arn:aws:iam::111122223333:root`) to do so.
#[must_use]
pub fn resource_delegates(policy: Option<&PolicyDocument>, request: &Request) -> Decision {
    let tallies = Tally::of_resource(&[policy], Bounded::No, request);
    let [direct, role, account] = &tallies;
    let allowed = direct.allowed().or(role.allowed()).or(account.allowed());
    decide(&[direct, role, account], allowed, Layer::Resource)
}

/// What the policies of one layer say to a request.
#[derive(Debug)]
pub(super) struct Tally {
    layer: Layer,
    denied: Option<StatementRef>,
    may_deny: Vec<Reason>,
    allow: Truth,
    may_allow: Vec<Reason>,
    partly: Vec<StatementRef>,
}

impl Tally {
    pub(super) fn of(policies: &[Option<&PolicyDocument>], layer: Layer, view: View, request: &Request) -> Self {
        let mut tally = Self::empty(layer);
        for (index, policy) in policies.iter().enumerate() {
            let source = Source { layer, index };
            match policy {
                Some(policy) => tally.count(policy, source, view, request),
                None => tally.count_unread(source),
            }
        }
        tally.weigh_parts(policies, view, request);
        tally
    }

    pub(super) fn of_boundary(boundary: Boundary<'_>, request: &Request) -> Self {
        let policy = match boundary {
            Boundary::Unset => {
                return Self { allow: Truth::True, ..Self::empty(Layer::Boundary) };
            }
            Boundary::Document(policy) => Some(policy),
            Boundary::Unread => None,
        };
        Self::of(&[policy], Layer::Boundary, View::Identity, request)
    }

    /// By how the grants name the principal: directly, by its role, by its account.
    pub(super) fn of_resource(policies: &[Option<&PolicyDocument>], bounded: Bounded, request: &Request) -> [Self; 3] {
        [Reach::Direct, Reach::Role, Reach::Account].map(|reach| {
            let view = View::Resource(reach, bounded);
            Self::of(policies, Layer::Resource, view, request)
        })
    }

    fn empty(layer: Layer) -> Self {
        Self {
            layer,
            denied: None,
            may_deny: Vec::new(),
            allow: Truth::False,
            may_allow: Vec::new(),
            partly: Vec::new(),
        }
    }

    fn count_unread(&mut self, source: Source) {
        let reason = Reason { source, statement: None, cause: Cause::Unread };
        self.may_deny.push(reason.clone());
        self.may_allow.push(reason);
        self.allow = self.allow.or(Truth::Unknown);
    }

    fn count(&mut self, policy: &PolicyDocument, source: Source, view: View, request: &Request) {
        let mut causes = Vec::new();
        for (index, statement) in policy.statements().iter().enumerate() {
            causes.clear();
            let coverage = statement.coverage(request, view, &mut causes);
            if coverage.is_nothing() {
                continue;
            }
            let statement_ref = || StatementRef { source, index, sid: statement.sid.clone() };
            let reasons = |causes: &mut Vec<Cause>| {
                let reason = |cause| Reason { source, statement: Some(statement_ref()), cause };
                causes.drain(..).map(reason).collect::<Vec<_>>()
            };
            match (statement.effect, coverage.any, coverage.all) {
                (Effect::Deny, Truth::True, _) => {
                    self.denied.get_or_insert_with(statement_ref);
                }
                (Effect::Deny, ..) => self.may_deny.extend(reasons(&mut causes)),
                (Effect::Allow, _, Truth::False) => self.partly.push(statement_ref()),
                (Effect::Allow, _, all) => {
                    self.allow = self.allow.or(all);
                    self.may_allow.extend(reasons(&mut causes));
                }
            }
        }
    }

    /// Several statements, each of which allows a part, may allow everything between them: they do
    /// not if there is a request among those asked about that none of them allows.
    fn weigh_parts(&mut self, policies: &[Option<&PolicyDocument>], view: View, request: &Request) {
        if self.allow != Truth::False || self.partly.len() < 2 {
            return;
        }
        let Some(witness) = request.witness() else {
            // A symbol: what it stands for may or may not be within the parts.
            return self.parts_may_cover();
        };
        let mut ignored = Vec::new();
        let allowed = policies.iter().flatten().any(|policy| {
            policy.statements().iter().any(|statement| {
                statement.effect == Effect::Allow && !statement.coverage(&witness, view, &mut ignored).is_nothing()
            })
        });
        if allowed {
            self.parts_may_cover();
        }
    }

    fn parts_may_cover(&mut self) {
        self.allow = Truth::Unknown;
        self.may_allow.extend(self.partly.iter().map(|statement| Reason {
            source: statement.source,
            statement: Some(statement.clone()),
            cause: Cause::Overlap,
        }));
    }

    /// This layer, if nothing in it allows the request.
    pub(super) fn lacks(&self) -> Option<Layer> {
        (self.allow == Truth::False).then_some(self.layer)
    }

    /// Whether an `Allow` matches, denials apart.
    pub(super) fn allowed(&self) -> Answer {
        Answer {
            truth: self.allow,
            reasons: if self.allow == Truth::Unknown { self.may_allow.clone() } else { Vec::new() },
        }
    }
}

/// The decision, where the layers together allow the request as `allowed` says, the layer `lacking`
/// being to blame if they do not, and none denies it.
pub(super) fn decide(tallies: &[&Tally], allowed: Answer, lacking: Layer) -> Decision {
    if let Some(statement) = tallies.iter().find_map(|tally| tally.denied.clone()) {
        return Decision::Denied(Denial::Explicit(statement));
    }
    let may_deny = || tallies.iter().flat_map(|tally| tally.may_deny.clone());
    match allowed.truth {
        Truth::False => Decision::Denied(Denial::Implicit {
            layer: lacking,
            partly: tallies
                .iter()
                .filter(|tally| tally.layer == lacking)
                .find_map(|tally| tally.partly.first().cloned()),
        }),
        Truth::Unknown => {
            let reasons = allowed.reasons.into_iter().chain(may_deny());
            Decision::undecided(reasons.collect())
        }
        Truth::True => {
            let reasons = may_deny().collect::<Vec<_>>();
            if reasons.is_empty() { Decision::Allowed } else { Decision::undecided(reasons) }
        }
    }
}

#[cfg(test)]
mod tests;
