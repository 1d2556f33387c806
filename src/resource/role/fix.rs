//! Roles of nodes: whom they trust and what they may do; and the role for instances that have none. What sessions need
//! is one inline policy, scoped to what the sessions of the role's regions use.

use std::collections::BTreeSet;

use iam_policy::{
    Context, Decision, PolicyDocument, Principal, Request, Resource, Trusted, TrustedPrincipal, Truth, key_allows,
    trusted_principals,
};
use serde_json::{Value as Json, json};

use super::fix_grants::Grants;
use crate::engine::rule::function::RolePolicies;
use crate::model::{Fact, Key, Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect, canonical, wanted_document};
use crate::remediate::operation::{
    AttachRolePolicy, CreateRole, DeleteRole, DeleteRolePolicy, DetachRolePolicy, IamTag, Operation, PutRolePolicy,
    UpdateAssumeRolePolicy,
};
use crate::remediate::plan_builder::{Aims, Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::policy;
use crate::remediate::setters::{Ability, Setter, seen};
use crate::remediate::settings::Settings;
use crate::remediate::step_output::Text;
use crate::resource::bucket::schema::Bucket;
use crate::resource::session_preferences;
use crate::resource::session_preferences::fix_sessions::Sessions;
use crate::resource::session_preferences::schema::uploads;
use crate::resource::{bucket, key, log_group, volume};

/// Changes roles, and makes the one for instances.
pub(crate) struct Roles;

/// The policy that holds what sessions need.
pub(crate) const POLICY: &str = "SsmAuditSessionManager";

/// What AWS gives nodes.
const CORE: &str = "AmazonSSMManagedInstanceCore";

/// What the guide attaches, and what is more than sessions need.
const LOGS_FULL_ACCESS: &str = "CloudWatchLogsFullAccess";

/// The managed policies that are attached or detached.
pub(crate) const ATTACHED: &[&str] = &[CORE, LOGS_FULL_ACCESS];

/// The policies of a role that is for nodes and nothing else: what the guide and AWS's own page attach, and ours.
const USUAL: &[&str] = &[CORE, LOGS_FULL_ACCESS, "CloudWatchAgentServerPolicy", POLICY];

const SEE_ENCRYPTION: &str = "see-encryption";

const GRANTS: &[&str] = &["write-cloudwatch", "write-s3", "use-session-key", "use-volume-key", SEE_ENCRYPTION];

/// The statements, and what they are for.
const STATEMENTS: &[(&str, &[&str])] = &[
    ("SessionLogGroups", &["write-cloudwatch", SEE_ENCRYPTION]),
    ("SessionLogEvents", &["write-cloudwatch"]),
    ("SessionLogObjects", &["write-s3"]),
    ("SessionLogBucket", &["write-s3", SEE_ENCRYPTION]),
    ("SessionLogBucketKey", &["use-session-key", "write-s3"]),
    ("SessionKey", &["use-session-key"]),
    ("VolumeKey", &[volume::fix_key::TASK]),
];

const fn grant(name: &'static str) -> Ability {
    Ability::task(name, &[PutRolePolicy::CALL, DeleteRolePolicy::CALL], &[AspectKind::RolePolicy])
}

static ABILITIES: &[Ability] = &[
    Ability::task("trust-service-only", &[UpdateAssumeRolePolicy::CALL], &[AspectKind::RoleTrust]),
    Ability::task("attach-core", &[AttachRolePolicy::CALL, DetachRolePolicy::CALL], &[AspectKind::RoleAttachment]),
    Ability::task(
        "detach-logs-full-access",
        &[DetachRolePolicy::CALL, AttachRolePolicy::CALL],
        &[AspectKind::RoleAttachment],
    )
    .asking(&[(ResourceType::Role, "write-cloudwatch")]),
    grant("write-cloudwatch"),
    grant("write-s3"),
    grant("use-session-key"),
    grant("use-volume-key"),
    grant(SEE_ENCRYPTION),
    Ability::task(
        "create",
        &[
            CreateRole::CALL,
            DeleteRole::CALL,
            AttachRolePolicy::CALL,
            DetachRolePolicy::CALL,
            PutRolePolicy::CALL,
            DeleteRolePolicy::CALL,
        ],
        &[AspectKind::Role, AspectKind::RoleAttachment, AspectKind::RolePolicy],
    ),
];

impl Setter for Roles {
    fn resource_type(&self) -> ResourceType {
        ResourceType::Role
    }

    fn abilities(&self) -> &'static [Ability] {
        ABILITIES
    }

    fn propagate(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        if let Some(aims) = wanted.task("detach-logs-full-access") {
            builder.ask(thing, "write-cloudwatch", aims);
        }
    }

    fn required_reads(
        &self,
        (_, key): &ResourceId,
        wanted: &DesiredState,
        builder: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        let aspects = [
            ObservedAspect::of(AspectKind::RoleTrust, key.id.as_ref()),
            ObservedAspect::of(AspectKind::RoleAttachment, key.id.as_ref()).part(managed(CORE, builder)),
            ObservedAspect::of(AspectKind::RoleAttachment, key.id.as_ref()).part(managed(LOGS_FULL_ACCESS, builder)),
            ObservedAspect::of(AspectKind::RolePolicy, key.id.as_ref()).part(POLICY),
        ];
        let own = wanted.task("create").map(|_| ObservedAspect::of(AspectKind::Role, key.id.as_ref()));
        own.into_iter().chain(aspects).map(|aspect| (None, aspect)).collect()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        let made = wanted.task("create").cloned().and_then(|aims| create(thing, &aims, builder));
        trust(thing, wanted, builder);
        attach(thing, wanted, made, builder);
        let permitted = permit(thing, wanted, made, builder);
        detach(thing, wanted, permitted, builder);
    }
}

/// The ARN of a policy of AWS's.
fn managed(name: &str, builder: &PlanBuilder<'_>) -> String {
    format!("arn:{}:iam::aws:policy/{name}", builder.inventory.partition)
}

/// The role for instances, where there is none of its name.
fn create(thing: &ResourceId, aims: &Aims, builder: &mut PlanBuilder<'_>) -> Option<usize> {
    let name = thing.1.id.as_ref().to_owned();
    let aspect = ObservedAspect::of(AspectKind::Role, &name);
    match builder.observation(None, &aspect) {
        Ok(Json::Null) => {}
        Ok(there) => {
            if let Some(reason) = is_of_others(thing, &there, builder) {
                builder.leave_out(aims, reason);
            }
            return None;
        }
        Err(gap) => {
            builder.leave_out(aims, format!("whether the role {name} exists is not known: {gap}"));
            return None;
        }
    }
    let call = CreateRole {
        role_name: name.clone(),
        description: "EC2 instances that are managed with Systems Manager".to_owned(),
        assume_role_policy_document: trusting(&ec2(builder)[..1]),
        tags: builder.tags().into_iter().map(|(key, value)| IamTag { key, value }).collect(),
    };
    let change = Change::new(thing.clone(), aims.clone(), aspect, Json::Null, json!({}), call)
        .undone_by(DeleteRole { role_name: name })
        .creating();
    Some(builder.add(change))
}

/// Returns the names of EC2 in trust policies, the partition's own first.
/// <https://docs.amazonaws.cn/en_us/aws/latest/userguide/iam.html>
fn ec2(builder: &PlanBuilder<'_>) -> Vec<String> {
    let mut names = vec![format!("ec2.{}", builder.inventory.partition.dns_suffix()), "ec2.amazonaws.com".to_owned()];
    names.dedup();
    names
}

/// Returns the reason why a role of the configured name is not given to instances: EC2 cannot assume it, or it belongs to
/// somebody else.
fn is_of_others(thing: &ResourceId, there: &Json, builder: &PlanBuilder<'_>) -> Option<String> {
    let name = &thing.1.id;
    let ec2 = ec2(builder);
    let trust = builder.observation(None, &ObservedAspect::of(AspectKind::RoleTrust, name.as_ref())).ok();
    let Some(trust) = trust.and_then(|trust| PolicyDocument::from_json(trust["Text"].as_str()?).ok()) else {
        return Some(format!("whom the role {name} trusts is not known"));
    };
    let trusted = trusted_principals(&trust, &["sts:AssumeRole"], &Context::new());
    let is_ec2 =
        |trusted: &Trusted| matches!(&trusted.principal, TrustedPrincipal::Named(named) if ec2.contains(&named.id));
    if !trusted.iter().any(|one| is_ec2(one) && one.admitted == Truth::True) {
        return Some(format!("the role {name} is there, and EC2 may not assume it: name another one in fix.role"));
    }
    // Somebody has said that it is for nodes, or given it what AWS gives nodes, or it can do no more than one that is made.
    let is_used = builder.inventory.roles.contains_key(&thing.1);
    let is_named = builder.settings.role != Settings::default().role;
    let policies = policy::texts(&there["Policies"]);
    let is_usual = |policy: &String| USUAL.contains(&policy.as_str());
    let is_plain =
        trusted.iter().all(is_ec2) && (policies.iter().any(|policy| policy == CORE) || policies.iter().all(is_usual));
    (!is_used && !is_named && !is_plain).then(|| {
        format!(
            "a role {name} is there, which no node uses and which may do more than nodes need ({}): attach {CORE} to it, \
             if it is for nodes, or name another one in fix.role",
            policies.join(", ")
        )
    })
}

fn trusting(services: &[String]) -> String {
    policy::of(&[
        json!({"Effect": "Allow", "Principal": {"Service": one_or_more(services)}, "Action": "sts:AssumeRole"}),
    ])
}

/// Returns the trust policy with no principals but these services, each given by its names. Statements that admit one of
/// them stay, with their conditions, and so do denials.
fn narrowed(text: &str, services: &[Vec<String>]) -> Option<String> {
    let mut policy: Json = serde_json::from_str(text).ok()?;
    let there = match policy.get("Statement")? {
        Json::Array(statements) => statements.clone(),
        statement @ Json::Object(_) => vec![statement.clone()],
        _ => return None,
    };
    let mut statements = Vec::new();
    let mut missing: Vec<&Vec<String>> = services.iter().collect();
    for mut statement in there {
        match statement["Effect"].as_str() {
            Some("Deny") => statements.push(statement),
            Some("Allow") => {
                let admitted = policy::texts(&statement["Principal"]["Service"]);
                let kept: Vec<String> = admitted
                    .iter()
                    .filter(|service| services.iter().any(|names| names.contains(service)))
                    .cloned()
                    .collect();
                let actions = policy::texts(&statement["Action"]);
                let assumes = actions.iter().any(|action| action.eq_ignore_ascii_case("sts:AssumeRole"));
                if kept.is_empty() || !assumes {
                    continue;
                }
                missing.retain(|names| !names.iter().any(|name| kept.contains(name)));
                let alone = statement["Principal"].as_object().is_some_and(|principal| principal.len() == 1);
                if kept.len() < admitted.len() || !alone {
                    statement["Principal"] = json!({"Service": one_or_more(&kept)});
                }
                statements.push(statement);
            }
            _ => return None,
        }
    }
    let missing: Vec<String> = missing.into_iter().filter_map(|names| names.first()).cloned().collect();
    if !missing.is_empty() {
        let principal = json!({"Service": one_or_more(&missing)});
        statements.push(json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}));
    }
    policy["Statement"] = statements.into();
    Some(policy.to_string())
}

fn one_or_more(texts: &[String]) -> Json {
    if let [text] = texts { json!(text) } else { json!(texts) }
}

/// Admits the services that use the role, and nobody else.
fn trust(thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
    let Some(aims) = wanted.task("trust-service-only") else { return };
    let Some(entry) = builder.inventory.roles.get(&thing.1) else { return };
    let (Fact::Known(instances), Fact::Known(nodes)) =
        (&entry.attributes.used_by_instances, &entry.attributes.used_by_systems_manager)
    else {
        builder.leave_out(aims, "what uses the role is not known");
        return;
    };
    let mut services = Vec::new();
    if *instances {
        services.push(ec2(builder));
    }
    if *nodes {
        services.push(vec!["ssm.amazonaws.com".to_owned()]);
    }
    let name = thing.1.id.as_ref().to_owned();
    let aspect = ObservedAspect::of(AspectKind::RoleTrust, &name);
    let Some(before) = seen(builder, None, &aspect, aims) else { return };
    let text = before["Text"].as_str().unwrap_or_default().to_owned();
    let Some(with) = narrowed(&text, &services) else {
        return builder.leave_out(aims, "the trust policy cannot be understood");
    };
    let put = |policy_document: String| UpdateAssumeRolePolicy { role_name: name.clone(), policy_document };
    builder.add(
        Change::new(thing.clone(), aims.clone(), aspect, before, wanted_document(&with), put(with.clone()))
            .undone_by(put(text)),
    );
}

fn attach(thing: &ResourceId, wanted: &DesiredState, made: Option<usize>, builder: &mut PlanBuilder<'_>) {
    let aims = wanted.tasks(&["attach-core", "create"]);
    if aims.is_empty() {
        return;
    }
    let (role_name, policy_arn) = (thing.1.id.as_ref().to_owned(), managed(CORE, builder));
    let aspect = ObservedAspect::of(AspectKind::RoleAttachment, &role_name).part(&policy_arn);
    match builder.observation(None, &aspect) {
        Ok(Json::Null) => {}
        Ok(_) => {
            if let Some(aims) = wanted.task("attach-core") {
                let reason = format!("{CORE} is attached already: a boundary or a deny takes away what it gives");
                builder.leave_out(&aims.clone(), reason);
            }
            return;
        }
        Err(gap) => {
            builder.leave_out(&aims, format!("what is attached to the role is not known: {gap}"));
            return;
        }
    }
    let call = AttachRolePolicy { role_name: role_name.clone(), policy_arn: policy_arn.clone() };
    let after = json!({"PolicyArn": policy_arn});
    builder.add(
        Change::new(thing.clone(), aims, aspect, Json::Null, after, call)
            .undone_by(DetachRolePolicy { role_name, policy_arn })
            .needing(made),
    );
}

/// The regions in which nodes use the role, or are to use it.
fn regions(thing: &ResourceId, builder: &PlanBuilder<'_>) -> Option<BTreeSet<Region>> {
    let mut regions = builder.regions_of_roles.get(thing).cloned().unwrap_or_default();
    if let Some(entry) = builder.inventory.roles.get(&thing.1) {
        let links = entry.attributes.session_preferences.known()?;
        regions.extend(links.iter().filter_map(|link| link.key.region.clone()));
    }
    Some(regions)
}

impl Grants {
    /// What the sessions of a region need of the role.
    fn of_region(&mut self, region: &Region, sessions: &Sessions, wanted: &DesiredState, builder: &PlanBuilder<'_>) {
        let asked = |task: &str| wanted.task(task).is_some() || wanted.task("create").is_some();
        if let Some(group) = sessions.log_group.as_ref().filter(|_| asked("write-cloudwatch")) {
            let arn = log_group::fix::arn(group, Some(region), builder);
            self.add("SessionLogGroups", &["logs:DescribeLogGroups"], "*".to_owned());
            self.add(
                "SessionLogEvents",
                &["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"],
                format!("{arn}:*"),
            );
        }
        if asked(SEE_ENCRYPTION) && sessions.log_group.is_some() {
            self.add("SessionLogGroups", &["logs:DescribeLogGroups"], "*".to_owned());
        }
        if let Some(bucket) = &sessions.bucket {
            let arn = format!("arn:{}:s3:::{bucket}", builder.inventory.partition);
            let known = builder.inventory.buckets.get(&Key::global(bucket.as_str())).map(|entry| &entry.attributes);
            let foreign = bucket::fix::is_foreign(bucket, builder);
            // A prefix that is not known is no reason to let the role write everywhere.
            if let (true, Fact::Known(prefix)) = (asked("write-s3"), &sessions.prefix) {
                // Where ACLs are off, nobody needs a permission for them.
                let enforced =
                    |bucket: &Bucket| bucket.object_ownership.known().is_some_and(|it| it == "BucketOwnerEnforced");
                let with_acl = foreign && !known.is_some_and(enforced);
                let actions: &[&str] = if with_acl { &["s3:PutObject", "s3:PutObjectAcl"] } else { &["s3:PutObject"] };
                self.add("SessionLogObjects", actions, uploads(&arn, prefix.as_deref()));
            }
            if asked("write-s3") || asked(SEE_ENCRYPTION) {
                self.add("SessionLogBucket", &["s3:GetEncryptionConfiguration"], arn);
            }
            let customer = bucket::fix::default_key(bucket, builder)
                .filter(|key| key.attributes.key_manager.known().is_some_and(|by| by == "CUSTOMER"));
            let asked_for_key = asked("use-session-key") || (foreign && asked("write-s3"));
            if let (Some(key), true) = (customer.and_then(|key| key.attributes.arn.known()), asked_for_key) {
                // Uploads of more than 5 MiB come in parts, which S3 decrypts to put them together.
                self.add("SessionLogBucketKey", &["kms:Decrypt", "kms:GenerateDataKey"], key.clone());
            }
        }
        if let (Some(session_key), true) = (&sessions.key, asked("use-session-key"))
            && let Some(arn) = key::fix::arn(session_key, builder)
        {
            self.add("SessionKey", &["kms:Decrypt"], arn);
        }
    }
}

/// Takes the policy away that allows everything with logs, after the scoped one is there.
fn detach(thing: &ResourceId, wanted: &DesiredState, permitted: Option<usize>, builder: &mut PlanBuilder<'_>) {
    let Some(aims) = wanted.task("detach-logs-full-access") else { return };
    let (role_name, policy_arn) = (thing.1.id.as_ref().to_owned(), managed(LOGS_FULL_ACCESS, builder));
    let aspect = ObservedAspect::of(AspectKind::RoleAttachment, &role_name).part(&policy_arn);
    let Some(before) = seen(builder, None, &aspect, aims) else { return };
    let call = DetachRolePolicy { role_name: role_name.clone(), policy_arn: policy_arn.clone() };
    builder.add(
        Change::new(thing.clone(), aims.clone(), aspect, before, Json::Null, call)
            .undone_by(AttachRolePolicy { role_name, policy_arn })
            .needing(permitted),
    );
}

/// The findings about the role itself that ask for a task.
fn own_aims(thing: &ResourceId, task: &str, wanted: &DesiredState, builder: &PlanBuilder<'_>) -> Aims {
    wanted.tasks(&[task]).into_iter().filter(|aim| builder.goals[*aim].thing == *thing).collect()
}

/// Everything that sessions need of the role, in one policy.
fn permit(
    thing: &ResourceId,
    wanted: &DesiredState,
    made: Option<usize>,
    builder: &mut PlanBuilder<'_>,
) -> Option<usize> {
    let mut names = GRANTS.to_vec();
    names.push("create");
    let aims = wanted.tasks(&names);
    if aims.is_empty() {
        return None;
    }
    let Some(regions) = regions(thing, builder) else {
        builder.leave_out(&aims, "where the role is used is not known");
        return None;
    };
    let mut grants = Grants::default();
    for region in &regions {
        let sessions = Sessions::of(region, builder);
        grants.of_region(region, &sessions, wanted, builder);
        if let Fact::Unknown(gap) = &sessions.prefix {
            let own = own_aims(thing, "write-s3", wanted, builder);
            builder
                .leave_out(&own, format!("under which prefix of the bucket sessions are logged is not known: {gap}"));
        }
        if let Some(name) = &sessions.bucket
            && let Some(reason) = bucket::fix::missing_key(name, builder)
        {
            // Of the key of another account's bucket, the rule about uploads speaks.
            let task = if bucket::fix::is_foreign(name, builder) { "write-s3" } else { "use-session-key" };
            builder.leave_out(&own_aims(thing, task, wanted, builder), reason);
        }
    }
    if wanted.task(volume::fix_key::TASK).is_some() {
        for arn in volume::fix_key::of_role(thing, builder) {
            grants.add("VolumeKey", &["kms:Decrypt", "kms:Encrypt"], arn);
        }
    }
    // What would not help is left out, with the role's own findings that it is for, and with all that ask for
    // encryption: the agent refuses sessions where its role cannot see it. Other things go on without it.
    for (sid, reason) in grants.take_useless(&thing.1, &regions, builder) {
        let (_, tasks) = STATEMENTS.iter().find(|(of, _)| *of == sid).copied().unwrap_or_default();
        for task in tasks {
            let in_vain = match *task {
                SEE_ENCRYPTION => wanted.tasks(&[SEE_ENCRYPTION]),
                task => own_aims(thing, task, wanted, builder),
            };
            builder.leave_out(&in_vain, reason.clone());
        }
    }
    let role_name = thing.1.id.as_ref().to_owned();
    let aspect = ObservedAspect::of(AspectKind::RolePolicy, &role_name).part(POLICY);
    let before = match builder.observation(None, &aspect) {
        Ok(before) => before,
        Err(gap) => {
            builder.leave_out(&aims, format!("the role's policies are not known: {gap}"));
            return None;
        }
    };
    let text = before["Text"].as_str();
    let with = grants.merged(text);
    let same = |text| with.canonical().plain().is_some_and(|with| canonical(text) == with);
    if grants.statements.is_empty() || text.is_some_and(same) {
        // It may do what it is to do when the preferences are what they are to be: that is what makes it right.
        let aims = wanted.tasks(&["write-cloudwatch", "write-s3", "use-session-key", SEE_ENCRYPTION]);
        for region in regions.iter().filter(|_| !grants.statements.is_empty()) {
            builder.served_by(&session_preferences::fix_sessions::preferences(region), &aims);
        }
        return None;
    }
    let put = |policy_document: Text| PutRolePolicy {
        role_name: role_name.clone(),
        policy_name: POLICY.to_owned(),
        policy_document,
    };
    let back: Operation = match text {
        Some(text) => put(text.into()).into(),
        None => DeleteRolePolicy { role_name: role_name.clone(), policy_name: POLICY.to_owned() }.into(),
    };
    let change = Change::new(thing.clone(), aims, aspect, before.clone(), json!({}), put(with.written()))
        .with_made_after("Document", with.canonical());
    Some(builder.add(change.undone_by(back).needing(made)))
}

/// Why a role could not decrypt with the session key of a region even if its policy said so; none where it can.
pub(crate) fn cannot_decrypt(role: &Key, session_key: &ResourceId, builder: &PlanBuilder<'_>) -> Option<String> {
    let Some(entry) = builder.inventory.roles.get(role) else {
        return Some(format!("the role {} was not read", role.id));
    };
    let role_arn = entry.attributes.arn.known();
    let Some(Ok(principal)) = role_arn.map(|arn| Principal::from_arn(arn)) else {
        return Some(format!("the role {} could not be read", role.id));
    };
    let known = builder.identity(session_key);
    let account = builder.account.as_str();
    let region = session_key.1.region.as_ref().map_or("", Region::as_str);
    let planned = format!("arn:{}:kms:{region}:{account}:key/planned", builder.inventory.partition);
    let own = format!("arn:{}:iam::{account}:root", builder.inventory.partition);
    let admin =
        policy::of(&[json!({"Effect": "Allow", "Principal": {"AWS": own}, "Action": "kms:*", "Resource": "*"})]);
    let (arn, key_policy) = if known.1.id.starts_with("alias/") {
        (planned, PolicyDocument::from_json(&admin).ok())
    } else {
        let observation = builder
            .observation(known.1.region.as_ref(), &ObservedAspect::of(AspectKind::KeyPolicy, known.1.id.as_ref()));
        let seen = observation.ok().and_then(|state| PolicyDocument::from_json(state["Text"].as_str()?).ok());
        let read = || builder.inventory.keys.get(&known.1)?.attributes.policy.known().cloned();
        let arn = key::fix::arn(session_key, builder);
        let Some(arn) = arn.as_ref().and_then(Text::plain) else {
            return Some(format!("the ARN of the key {} is not known", session_key.1.id));
        };
        (arn.to_owned(), seen.or_else(read))
    };
    let granted = policy::of(&[json!({"Effect": "Allow", "Action": "kms:Decrypt", "Resource": arn})]);
    let granted = PolicyDocument::from_json(&granted).ok();
    let there = RolePolicies::of_role(builder.inventory, &entry.attributes);
    let mut policies = there.documents();
    policies.push(granted.as_ref());
    let request = Request::new(principal, "kms:Decrypt", Resource::exactly(&arn))
        .in_context(Context::new().with("aws:SecureTransport", "true"));
    let owner = arn.split(':').nth(4).unwrap_or_default().to_owned();
    match key_allows(key_policy.as_ref(), &owner, &policies, there.boundary(), &request) {
        Decision::Allowed => None,
        Decision::Denied(_) => Some(format!("the role {} could not decrypt with the key", role.id)),
        Decision::Undecided(_) => Some(format!("whether the role {} could decrypt with the key is not known", role.id)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn narrowed_to(services: &[&str], statements: &Json) -> Json {
        let names = |service: &&str| service.split(' ').map(str::to_owned).collect();
        let services: Vec<Vec<String>> = services.iter().map(names).collect();
        let policy = json!({"Version": "2012-10-17", "Id": "mine", "Statement": statements});
        let text = narrowed(&policy.to_string(), &services).expect("it is understood");
        let policy: Json = serde_json::from_str(&text).expect("a policy");
        assert_eq!(policy["Id"], "mine");
        policy["Statement"].clone()
    }

    #[test]
    fn statements_that_admit_the_service_stay_with_their_conditions() {
        let condition = json!({
            "StringEquals": {"aws:SourceAccount": "111122223333"},
            "ArnEquals": {"aws:SourceArn": "arn:aws:ssm:us-east-1:111122223333:*"},
        });
        let allow = |principal: Json| json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition});
        let good = allow(json!({"Service": "ssm.amazonaws.com"}));
        let ssm = &["ssm.amazonaws.com"][..];
        let lambda =
            json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
        assert_eq!(narrowed_to(ssm, &json!([good, lambda])), json!([good]));
        // One principal too many in the same statement.
        let mixed = allow(json!({"Service": ["ssm.amazonaws.com", "lambda.amazonaws.com"]}));
        assert_eq!(narrowed_to(ssm, &json!([mixed])), json!([good]));
        let people = allow(json!({"Service": "ssm.amazonaws.com", "AWS": "arn:aws:iam::999999999999:root"}));
        assert_eq!(narrowed_to(ssm, &people), json!([good]));
        // What denies narrows, and stays; what admits nobody that uses it goes.
        let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole", "Condition": condition});
        let everyone = json!({"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"});
        assert_eq!(narrowed_to(ssm, &json!([deny, everyone, good])), json!([deny, good]));
    }

    #[test]
    fn a_service_that_is_missing_is_added() {
        let allow =
            |service: &str| json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"});
        let (ec2, ssm) = (allow("ec2.amazonaws.com"), allow("ssm.amazonaws.com"));
        assert_eq!(narrowed_to(&["ec2.amazonaws.com"], &json!([allow("lambda.amazonaws.com")])), json!([ec2]));
        assert_eq!(narrowed_to(&["ec2.amazonaws.com", "ssm.amazonaws.com"], &json!([ec2])), json!([ec2, ssm]));
        assert_eq!(narrowed("no policy", &[vec!["ec2.amazonaws.com".to_owned()]]), None);
        // In China EC2 has two names, and either is enough.
        let in_china = &["ec2.amazonaws.com.cn ec2.amazonaws.com"][..];
        let lambda = allow("lambda.amazonaws.com");
        assert_eq!(narrowed_to(in_china, &json!([ec2, lambda])), json!([ec2]));
        assert_eq!(narrowed_to(in_china, &json!([lambda])), json!([allow("ec2.amazonaws.com.cn")]));
    }
}
