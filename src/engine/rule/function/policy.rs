//! Permissions that IAM policies and key policies grant: sends the questions of rules to the policy evaluator.

use std::collections::{BTreeMap, BTreeSet};

use iam_policy::{
    Boundary, Context, Decision, Layer, PolicyDocument, Principal, Reason, Request, Resource, Source, TrustedPrincipal,
    Truth, grants, is_symbol, key_allows, resource_allows, trusted_principals,
};

use super::super::path::Place;
use super::super::value::Argument;
use super::{Answer, Arguments, Receiver, Undecided};
use crate::model::{Fact, Inventory, Key, Region, ResourceType, Source as SourceKind, symbol};
use crate::resource::key::schema::KmsKey;
use crate::resource::managed_policy::schema::ManagedPolicy;
use crate::resource::role::schema::Role;

pub(super) fn allows(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let role = RolePolicies::of(receiver)?;
    let requests = role.requests(arguments.text(0)?, arguments.text(1)?)?;
    let decide = |request| iam_policy::identity_allows(&role.documents(), role.boundary(), &request);
    answer(requests.into_iter().map(decide).collect())
}

pub(super) fn allows_with_key(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let role = RolePolicies::of(receiver)?;
    answer(role.with_key(arguments.text(0)?, arguments.resource(ResourceType::KmsKey, 1)?, Through::Nothing)?)
}

pub(super) fn allows_with_key_through(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let role = RolePolicies::of(receiver)?;
    let through = Through::Service(arguments.text(1)?);
    answer(role.with_key(arguments.text(0)?, arguments.resource(ResourceType::KmsKey, 2)?, through)?)
}

pub(super) fn open_statements(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let role = RolePolicies::of(receiver)?;
    let actions: Vec<&str> = arguments.texts(0)?.iter().map(String::as_str).collect();
    let principal = role.principal()?;
    let requests: Vec<Request> = role
        .in_regions(arguments.text(1)?)
        .iter()
        .flat_map(|shape| Resource::arbitrary(shape))
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
                // An action that a deny or the boundary blocks is not open; one that they may block is undecided.
                let request = request.with_action(action);
                let left = iam_policy::identity_allows_some(&role.documents(), role.boundary(), &request);
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
        // A certain result is enough to report that there are some.
        Some(undecided) if open.is_empty() => Err(undecided),
        _ => Ok(Answer::Texts(open)),
    }
}

pub(super) fn trusts_only(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let document = document(receiver)?;
    let arguments = Arguments(arguments);
    let wanted = arguments.texts(0)?.iter().map(|name| principal(name)).collect::<Result<Vec<_>, _>>()?;
    match iam_policy::trusts_only(document, &wanted, &context(&arguments, 1)?) {
        Truth::True => Ok(Answer::Bool(true)),
        Truth::False => Ok(Answer::Bool(false)),
        Truth::Unknown => {
            let names = principal_names(document, &["sts:AssumeRole"]);
            let unknown: Vec<String> = names.into_iter().filter(|name| name.contains(is_symbol)).collect();
            let on = if unknown.is_empty() { "a condition".to_owned() } else { unknown.join(" and ") };
            Err(Undecided(format!("whom the trust policy admits depends on {on}")))
        }
    }
}

pub(super) fn principals(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let action = Arguments(arguments).text(0)?;
    Ok(Answer::Texts(principal_names(document(receiver)?, &[action])))
}

/// Returns the principals that a trust policy names for these actions.
fn principal_names(document: &PolicyDocument, actions: &[&str]) -> Vec<String> {
    let trusted = trusted_principals(document, actions, &Context::new());
    let names = trusted.into_iter().map(|trusted| match trusted.principal {
        TrustedPrincipal::Named(named) => named.id,
        TrustedPrincipal::AllBut(named) => {
            let names: Vec<String> = named.into_iter().map(|named| named.id).collect();
            format!("everyone but {}", names.join(", "))
        }
    });
    names.collect()
}

pub(super) fn admits(receiver: &Receiver<'_>, arguments: &[Argument]) -> Result<Answer, Undecided> {
    let arguments = Arguments(arguments);
    let document = document(receiver)?;
    let request = Request::new(principal(arguments.text(0)?)?, arguments.text(1)?, resource(arguments.text(2)?));
    answer(resource_allows(Some(document), &request.in_context(context(&arguments, 3)?)))
}

/// Returns the known context of every request of an agent, or of a service: the request uses TLS.
fn calm() -> Context {
    Context::new().with("aws:SecureTransport", "true")
}

/// Returns the known context of every request that the agent makes itself, with the role's credentials.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
pub(super) fn by_itself() -> Context {
    ["aws:CalledVia", "aws:CalledViaFirst", "aws:CalledViaLast"]
        .iter()
        .fold(calm().with("aws:ViaAWSService", "false"), |context, key| context.without(key))
}

/// Caller of KMS on the role's behalf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Through<'a> {
    /// The agent calls KMS itself.
    Nothing,
    /// A service calls KMS, named by the first part of its name: `s3`.
    Service(&'a str),
}

/// Returns the known context of a request by the agent for a resource of another account: an arbitrary name may be
/// anybody's.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceaccount>
fn elsewhere() -> Context {
    ["aws:ResourceAccount", "s3:ResourceAccount"]
        .iter()
        .fold(calm(), |context, key| context.with(key, "an account that no policy names"))
}

/// Returns the known context of every request, with the context that the rule adds.
fn context(arguments: &Arguments<'_>, index: usize) -> Result<Context, Undecided> {
    Ok(arguments.map(index)?.iter().fold(calm(), |context, (key, value)| context.with(key, value)))
}

fn document<'a>(receiver: &Receiver<'a>) -> Result<&'a PolicyDocument, Undecided> {
    match receiver {
        Receiver::Document(document) => Ok(document),
        _ => Err(Undecided("not a policy document".to_owned())),
    }
}

/// Parses a principal: a service by its name, anything else by its ARN.
fn principal(name: &str) -> Result<Principal, Undecided> {
    if name.starts_with("arn:") {
        Principal::from_arn(name).map_err(|error| Undecided(error.to_string()))
    } else {
        Ok(Principal::service(name))
    }
}

fn resource(pattern: &str) -> Resource {
    // `*` alone requests an action that takes no resource, or that applies to all resources.
    if pattern != "*" && pattern.contains(['*', '?']) { Resource::every(pattern) } else { Resource::exactly(pattern) }
}

fn answer(decision: Decision) -> Result<Answer, Undecided> {
    match decision {
        Decision::Allowed => Ok(Answer::Bool(true)),
        Decision::Denied(_) => Ok(Answer::Bool(false)),
        Decision::Undecided(reasons) => Err(undecided(&reasons)),
    }
}

pub(super) fn undecided(reasons: &[Reason]) -> Undecided {
    Undecided(reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
}

/// Returns a text; of code also one that contains a symbol.
fn text(fact: &Fact<String>) -> Result<&str, Undecided> {
    fact.text().map_err(|gap| Undecided::from(gap.as_ref()))
}

/// Placeholder for the name of a session: an unknown instance id.
const SESSION: char = '\u{10FFFD}';

/// All policies that decide the permissions of a role; `None` for a policy that could not be read.
pub(crate) struct RolePolicies<'a> {
    pub(super) inventory: &'a Inventory,
    role: &'a Role,
    policies: Vec<(&'a str, Option<&'a PolicyDocument>)>,
}

impl<'a> RolePolicies<'a> {
    pub(super) fn of(receiver: &Receiver<'a>) -> Result<Self, Undecided> {
        let Receiver::Place(Place { inventory, identity: Some((ResourceType::Role, key)), .. }) = receiver else {
            return Err(Undecided("not a role".to_owned()));
        };
        let role = inventory.roles.get(key).ok_or_else(|| Undecided("the role was not read".to_owned()))?;
        Ok(Self::of_role(inventory, &role.attributes))
    }

    /// Returns the policies of a role.
    pub(crate) fn of_role(inventory: &'a Inventory, role: &'a Role) -> Self {
        let mut policies = Vec::new();
        match &role.attached_policies {
            Fact::Known(links) => {
                let elsewhere = |id: &str| is_of_another_partition(id, role, inventory);
                let there = links.iter().filter(|link| elsewhere(&link.key.id) != Truth::True);
                policies.extend(there.map(|link| {
                    let known = elsewhere(&link.key.id) == Truth::False;
                    (&*link.key.id, policy(inventory, &link.key).filter(|_| known))
                }));
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

    /// Returns the role's policy documents.
    pub(crate) fn documents(&self) -> Vec<Option<&'a PolicyDocument>> {
        self.policies.iter().map(|(_, document)| *document).collect()
    }

    /// Returns the role's permissions boundary.
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

    /// Returns an ARN pattern with `${region}` filled in: for each region that the policies name in an ARN, for one
    /// that they do not name, and for resources of all regions, whose ARNs name none.
    fn in_regions(&self, shape: &str) -> Vec<String> {
        const OF_REGION: &str = "${region}";
        if !shape.contains(OF_REGION) {
            return vec![shape.to_owned()];
        }
        let mut regions = BTreeSet::from([String::new(), "a-region".to_owned()]);
        for document in self.documents().into_iter().flatten() {
            let text = document.as_value().to_string();
            let arns = text.split("\"arn:").skip(1);
            let is_known = |region: &&str| is_one(region) && !region.contains(is_symbol);
            let named = arns.filter_map(|arn| arn.split(':').nth(2).filter(is_known));
            regions.extend(named.map(str::to_owned));
        }
        regions.iter().map(|region| shape.replace(OF_REGION, region)).collect()
    }

    /// Returns the request of the role for an action on a resource, in the region and account that the ARN names.
    ///
    /// # Errors
    /// If the role's ARN is not known.
    pub(crate) fn request(&self, action: &str, on: &str) -> Result<Request, Undecided> {
        self.request_in(action, on, by_itself())
    }

    fn request_in(&self, action: &str, on: &str, context: Context) -> Result<Request, Undecided> {
        self.request_of(None, action, on, context)
    }

    /// Returns the same request for one session of the role, if the session's name is known.
    pub(super) fn request_of(
        &self,
        session: Option<&str>,
        action: &str,
        on: &str,
        context: Context,
    ) -> Result<Request, Undecided> {
        let parts: Vec<&str> = on.splitn(6, ':').collect();
        let context = match parts[..] {
            ["arn", _, _, region, account, _] => {
                let region = Some(region).filter(|region| is_one(region));
                let account = Some(account).filter(|account| is_one(account));
                let context = region.map_or(context.clone(), |region| context.with("aws:RequestedRegion", region));
                account.map_or(context.clone(), |account| context.with("aws:ResourceAccount", account))
            }
            _ => context,
        };
        let principal = match session {
            Some(session) => {
                Principal::session(text(&self.role.arn)?, session).map_err(|error| Undecided(error.to_string()))?
            }
            None => self.principal()?,
        };
        Ok(Request::new(principal, action, resource(on)).in_context(self.of_principal(session, context)))
    }

    /// Returns the sessions for which a resource's policy is evaluated. On EC2 a session is named after its instance;
    /// if the policy names no session, all sessions are alike.
    pub(super) fn sessions(&self, policy: Option<&PolicyDocument>) -> Vec<Option<String>> {
        let differ = policy.is_some_and(|policy| policy.as_value().to_string().contains(":assumed-role/"));
        let known = differ.then(|| self.instances()).flatten().filter(|instances| !instances.is_empty());
        known.map_or_else(|| vec![None], |instances| instances.into_iter().map(Some).collect())
    }

    /// Returns the instances that have the role by their profiles; none if others may have it, or if the instances are
    /// not known.
    fn instances(&self) -> Option<Vec<String>> {
        let inventory = self.inventory;
        let unlisted = inventory.unlisted.iter().any(|unlisted| unlisted.resource_type == ResourceType::Instance);
        if unlisted || inventory.source != SourceKind::Aws || self.role.used_by_systems_manager != Fact::Known(false) {
            return None;
        }
        let (own, _) =
            inventory.roles.iter().find(|(_, entry)| std::ptr::eq(&raw const entry.attributes, self.role))?;
        let mut instances = Vec::new();
        for (key, entry) in &inventory.instances {
            match inventory.profile_role(&entry.attributes.iam_instance_profile) {
                Fact::Known(Some(role)) if role == *own => instances.push(key.id.to_string()),
                Fact::Known(_) => {}
                Fact::Unknown(_) => return None,
            }
        }
        Some(instances)
    }

    /// Adds the known context of every holder of the role's credentials: tags, id and organisation of the role's
    /// account; and of resources of that account.
    fn of_principal(&self, session: Option<&str>, mut context: Context) -> Context {
        let Role { arn, role_id, principal_tags, organization_id, .. } = self.role;
        if let Some(tags) = principal_tags.known() {
            let tag = |context: Context, (key, value): (&String, &String)| {
                context.with(&format!("aws:PrincipalTag/{key}"), value)
            };
            context = tags.iter().fold(context, tag).without_family("aws:PrincipalTag/");
        }
        if let Some(id) = role_id.known() {
            let session = session.map_or_else(|| SESSION.to_string(), str::to_owned);
            context = context.with("aws:userid", format!("{id}:{session}"));
        }
        context = self.by_now(context);
        let Some(organization) = organization_id.known() else { return context };
        let own = arn.known().and_then(|arn| arn.split(':').nth(4));
        let of_own_account = own.is_some_and(|own| context.is("aws:ResourceAccount", own));
        for (key, known) in [("aws:PrincipalOrgID", true), ("aws:ResourceOrgID", of_own_account)] {
            context = match organization {
                _ if !known => context,
                Some(id) => context.with(key, id),
                None => context.without(key),
            };
        }
        context
    }

    /// Adds the time of the scan as the time of the request. Credentials of roles are at most hours old.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_revoke-sessions.html>
    fn by_now(&self, context: Context) -> Context {
        const OLDEST: jiff::SignedDuration = jiff::SignedDuration::from_hours(36);
        let now = self.inventory.collected_at.parse::<jiff::Timestamp>();
        let (SourceKind::Aws, Ok(now)) = (self.inventory.source, now) else { return context };
        let issued = [now.checked_sub(OLDEST).unwrap_or(now), now];
        context
            .with("aws:CurrentTime", now.to_string())
            .with("aws:EpochTime", now.as_second().to_string())
            .with_one_of("aws:TokenIssueTime", issued.map(|time| time.to_string()))
    }

    /// Returns the same request for each region in which nodes use the role, if the ARN names none.
    fn requests(&self, action: &str, on: &str) -> Result<Vec<Request>, Undecided> {
        let names_region = on.split(':').nth(3).is_some_and(is_one);
        let regions = if names_region { BTreeSet::new() } else { self.regions() };
        if regions.is_empty() {
            return Ok(vec![self.request(action, on)?]);
        }
        let in_region = |region: String| self.request_in(action, on, by_itself().with("aws:RequestedRegion", region));
        regions.into_iter().map(in_region).collect()
    }

    /// Returns the regions in which nodes use the role; none if they are not known.
    fn regions(&self) -> BTreeSet<String> {
        let links = self.role.session_preferences.known();
        let name = |region: Option<&Region>| match (region, self.inventory.source) {
            (Some(region), _) => Some(region.to_string()),
            (None, SourceKind::Terraform) => Some(symbol::REGION.to_owned()),
            (None, SourceKind::Aws) => None,
        };
        let names = links.into_iter().flatten().map(|link| name(link.key.region.as_ref()));
        names.collect::<Option<BTreeSet<String>>>().unwrap_or_default()
    }

    /// Decides if the role may call the action with a key: evaluates the key policy and the role's policies together.
    pub(super) fn with_key(&self, action: &str, key: &Key, through: Through<'_>) -> Result<Decision, Undecided> {
        let entry = self.inventory.keys.get(key).ok_or_else(|| Undecided("the key was not read".to_owned()))?;
        let KmsKey { arn, policy, .. } = &entry.attributes;
        let arn = text(arn)?;
        let parts: Vec<&str> = arn.split(':').collect();
        let (region, account) = match parts[..] {
            [_, _, _, region, account, ..] => (region, account),
            _ => ("", ""),
        };
        let context = match through {
            Through::Nothing => by_itself().without("kms:ViaService"),
            Through::Service(service) => {
                let suffix = self.inventory.partition.dns_suffix();
                calm().with("aws:ViaAWSService", "true").with("kms:ViaService", format!("{service}.{region}.{suffix}"))
            }
        };
        let ask = |session: Option<String>| -> Result<Decision, Undecided> {
            let request = self.request_of(session.as_deref(), action, arn, context.clone())?;
            Ok(key_allows(policy.known(), account, &self.documents(), self.boundary(), &request))
        };
        self.sessions(policy.known()).into_iter().map(ask).collect()
    }
}

/// Returns `true` if a segment of an ARN names one region or account.
fn is_one(segment: &str) -> bool {
    !segment.is_empty() && !segment.contains(['*', '?'])
}

/// Returns `true` if a managed policy's ARN is in another partition than the role's: no such policy exists, and it
/// grants nothing.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>
fn is_of_another_partition(id: &str, role: &Role, inventory: &Inventory) -> Truth {
    let partition = |arn: &str| arn.strip_prefix("arn:").and_then(|rest| rest.split(':').next()).map(str::to_owned);
    let Some(of_policy) = partition(id).filter(|name| !name.contains(is_symbol)) else { return Truth::False };
    let of_role = role.arn.text().ok().and_then(partition);
    if of_role.unwrap_or_else(|| inventory.partition.as_str().to_owned()) == of_policy {
        return Truth::False;
    }
    // Without a region, code does not define its partition.
    let placed = inventory.scopes.iter().any(|scope| scope.region.is_some());
    if inventory.source == SourceKind::Terraform && !placed { Truth::Unknown } else { Truth::True }
}

/// Returns the document of the managed policy. A policy of which the existence is unknown, or that does not exist,
/// counts as not read, whatever its entry contains.
fn policy<'a>(inventory: &'a Inventory, key: &Key) -> Option<&'a PolicyDocument> {
    let entry = inventory.managed_policies.get(key)?;
    let ManagedPolicy { policy, .. } = &entry.attributes;
    match &entry.exists {
        Fact::Known(true) => policy.known(),
        Fact::Known(false) | Fact::Unknown(_) => None,
    }
}
