//! What IAM policies and key policies allow: the questions of rules, put to the evaluator.

use std::collections::BTreeMap;

use super::super::path::Place;
use super::super::value::Argument;
use super::{Answer, Arguments, Receiver, Undecided};
use crate::iam::{
    Boundary, Context, Decision, Layer, PolicyDocument, Principal, Request, Resource, Source, TrustedPrincipal, Truth,
    grants, key_allows, resource_allows, trusted_principals,
};
use crate::model::iam::{ManagedPolicy, Role};
use crate::model::kms::KmsKey;
use crate::model::{Fact, Inventory, Key, ResourceType};

pub(super) fn allows(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let role = RolePolicies::of(receiver)?;
    let request = role.request(arguments.text(0)?, arguments.text(1)?)?;
    answer(crate::iam::identity_allows(&role.documents(), role.boundary(), &request))
}

pub(super) fn allows_with_key(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let role = RolePolicies::of(receiver)?;
    let key = role
        .inventory
        .keys
        .get(arguments.resource(ResourceType::KmsKey, 1)?)
        .ok_or_else(|| Undecided("the key was not read".to_owned()))?;
    let KmsKey { arn, policy, .. } = &key.attributes;
    let arn = text(arn)?;
    let account = arn.split(':').nth(4).unwrap_or_default();
    let request = role.request(arguments.text(0)?, arn)?;
    answer(key_allows(policy.known(), account, &role.documents(), role.boundary(), &request))
}

pub(super) fn open_statements(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let role = RolePolicies::of(receiver)?;
    let actions: Vec<&str> = arguments.texts(0)?.iter().map(String::as_str).collect();
    let principal = role.principal()?;
    let requests: Vec<Request> = Resource::arbitrary(arguments.text(1)?)
        .into_iter()
        .map(|resource| Request::new(principal.clone(), "*", resource).in_context(elsewhere()))
        .collect();
    let mut open = Vec::new();
    let mut unread = None;
    for (index, (name, document)) in role.policies.iter().enumerate() {
        let Some(document) = document else {
            unread = Some(Undecided(format!("{name} could not be read")));
            continue;
        };
        let source = Source { layer: Layer::Identity, index };
        let mut found: BTreeMap<usize, (String, Truth)> = BTreeMap::new();
        for request in &requests {
            for action in &actions {
                // What a deny or the boundary takes back is not open; what they may take back is undecided.
                let request = request.with_action(action);
                let left = crate::iam::identity_allows_some(&role.documents(), role.boundary(), &request);
                if left == Truth::False {
                    continue;
                }
                for grant in grants(document, source, &[*action], &request) {
                    let index = grant.statement.index;
                    let statement = grant.statement.sid.unwrap_or_else(|| format!("statement {}", index + 1));
                    let (_, certain) = found.entry(index).or_insert((statement, Truth::False));
                    *certain = certain.or(grant.certain.and(left));
                }
            }
        }
        for (statement, certain) in found.into_values() {
            if certain == Truth::True {
                open.push(format!("{name}: {statement}"));
            } else {
                unread = Some(Undecided(format!("whether {name}: {statement} is open depends on the request")));
            }
        }
    }
    match unread {
        // What is certain is enough to say that there are some.
        Some(undecided) if open.is_empty() => Err(undecided),
        _ => Ok(Answer::Texts(open)),
    }
}

pub(super) fn trusts_only(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let document = document(receiver)?;
    let arguments = Arguments(arguments);
    let wanted = arguments.texts(0)?.iter().map(|name| principal(name)).collect::<Result<Vec<_>, _>>()?;
    match crate::iam::trusts_only(document, &wanted, &context(&arguments, 1)?) {
        Truth::True => Ok(Answer::Bool(true)),
        Truth::False => Ok(Answer::Bool(false)),
        Truth::Unknown => Err(Undecided("whom the trust policy admits depends on a condition".to_owned())),
    }
}

pub(super) fn principals(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let action = Arguments(arguments).text(0)?;
    let trusted = trusted_principals(document(receiver)?, &[action], &Context::new());
    let names = trusted.into_iter().map(|trusted| match trusted.principal {
        TrustedPrincipal::Named(named) => named.id,
        TrustedPrincipal::AllBut(named) => {
            let names: Vec<String> = named.into_iter().map(|named| named.id).collect();
            format!("everyone but {}", names.join(", "))
        }
    });
    Ok(Answer::Texts(names.collect()))
}

pub(super) fn admits(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let document = document(receiver)?;
    let request = Request::new(principal(arguments.text(0)?)?, arguments.text(1)?, resource(arguments.text(2)?));
    answer(resource_allows(Some(document), &request.in_context(context(&arguments, 3)?)))
}

/// What is known of every request of an agent, or of a service: it comes over TLS.
fn calm() -> Context {
    Context::new().with("aws:SecureTransport", "true")
}

/// That, and that what it is about belongs to somebody else: an arbitrary name is anybody's.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceaccount>
fn elsewhere() -> Context {
    ["aws:ResourceAccount", "s3:ResourceAccount"]
        .iter()
        .fold(calm(), |context, key| context.with(key, "an account that no policy names"))
}

/// What is known of every request, and what the rule says of the request.
fn context(arguments: &Arguments<'_>, index: usize) -> Result<Context, Undecided> {
    Ok(arguments.map(index)?.iter().fold(calm(), |context, (key, value)| context.with(key, value)))
}

fn document<'a>(receiver: &Receiver<'a>) -> Result<&'a PolicyDocument, Undecided> {
    match receiver {
        Receiver::Document(document) => Ok(document),
        _ => Err(Undecided("not a policy document".to_owned())),
    }
}

/// A service by its name, anything else by its ARN.
fn principal(name: &str) -> Result<Principal, Undecided> {
    if name.starts_with("arn:") {
        Principal::from_arn(name).map_err(|error| Undecided(error.to_string()))
    } else {
        Ok(Principal::service(name))
    }
}

fn resource(pattern: &str) -> Resource {
    // `*` alone asks for an action that takes no resource, or that is asked of all of them.
    if pattern != "*" && pattern.contains(['*', '?']) { Resource::every(pattern) } else { Resource::exactly(pattern) }
}

fn answer(decision: Decision) -> Result<Answer, Undecided> {
    match decision {
        Decision::Allowed => Ok(Answer::Bool(true)),
        Decision::Denied(_) => Ok(Answer::Bool(false)),
        Decision::Undecided(reasons) => {
            let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
            Err(Undecided(reasons.join("; ")))
        }
    }
}

/// A text; of code also one of which a part is a symbol.
fn text(fact: &Fact<String>) -> Result<&str, Undecided> {
    fact.text().map_err(|gap| Undecided::from(gap.as_ref()))
}

/// Everything that decides what a role may do; `None` for what could not be read.
pub(crate) struct RolePolicies<'a> {
    inventory: &'a Inventory,
    role: &'a Role,
    policies: Vec<(&'a str, Option<&'a PolicyDocument>)>,
}

impl<'a> RolePolicies<'a> {
    fn of(receiver: &Receiver<'a>) -> Result<Self, Undecided> {
        let Receiver::Place(Place { inventory, identity: Some((ResourceType::Role, key)), .. }) = receiver else {
            return Err(Undecided("not a role".to_owned()));
        };
        let role = inventory.roles.get(key).ok_or_else(|| Undecided("the role was not read".to_owned()))?;
        Ok(Self::of_role(inventory, &role.attributes))
    }

    /// Those of a role.
    pub(crate) fn of_role(inventory: &'a Inventory, role: &'a Role) -> Self {
        let mut policies = Vec::new();
        match &role.attached_policies {
            Fact::Known(links) => {
                policies.extend(links.iter().map(|link| (&*link.key.id, policy(inventory, &link.key))));
            }
            Fact::Unknown(_) => policies.push(("the list of attached policies", None)),
        }
        match &role.inline_policies {
            Fact::Known(inline) => {
                policies.extend(inline.iter().map(|inline| {
                    (inline.name.known().map_or("an inline policy", String::as_str), inline.policy.known())
                }));
            }
            Fact::Unknown(_) => policies.push(("the list of inline policies", None)),
        }
        Self { inventory, role, policies }
    }

    /// The policies that it has.
    pub(crate) fn documents(&self) -> Vec<Option<&'a PolicyDocument>> {
        self.policies.iter().map(|(_, document)| *document).collect()
    }

    /// Its permissions boundary.
    pub(crate) fn boundary(&self) -> Boundary<'a> {
        match &self.role.permissions_boundary {
            Fact::Known(None) => Boundary::Unset,
            Fact::Known(Some(link)) => policy(self.inventory, &link.key).map_or(Boundary::Unread, Boundary::Document),
            Fact::Unknown(_) => Boundary::Unread,
        }
    }

    fn principal(&self) -> Result<Principal, Undecided> {
        principal(text(&self.role.arn)?)
    }

    fn request(&self, action: &str, on: &str) -> Result<Request, Undecided> {
        Ok(Request::new(self.principal()?, action, resource(on)).in_context(calm()))
    }
}

/// What the managed policy says. One that is not known to exist, or known not to, has not been read,
/// whatever is told of it.
fn policy<'a>(inventory: &'a Inventory, key: &Key) -> Option<&'a PolicyDocument> {
    let entry = inventory.managed_policies.get(key)?;
    let ManagedPolicy { policy, .. } = &entry.attributes;
    match &entry.exists {
        Fact::Known(true) => policy.known(),
        Fact::Known(false) | Fact::Unknown(_) => None,
    }
}
