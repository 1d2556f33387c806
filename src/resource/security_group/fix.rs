//! Security groups: rules that are allowed, revoked, described. What several findings want of one group is one call each.

#[cfg(test)]
mod tests;

use serde_json::{Map, Value as Json, json};

use super::fix_rule::{Peer, Rules, SecurityGroupRule, Way};
use crate::model::arn::Arn;
use crate::model::call::Call;
use crate::model::{Region, ResourceType};
use crate::remediate::observed::{AspectKind, ObservedAspect};
use crate::remediate::operation::{
    AuthorizeSecurityGroupEgress, AuthorizeSecurityGroupIngress, IpPermission, Operation, RevokeSecurityGroupEgress,
    RevokeSecurityGroupIngress, UpdateSecurityGroupRuleDescriptionsEgress, UpdateSecurityGroupRuleDescriptionsIngress,
};
use crate::remediate::plan_builder::{Aims, Change, DesiredState, PlanBuilder, ResourceId};
use crate::remediate::setters::{Ability, Setter};

/// Changes security groups.
pub(crate) struct SecurityGroups;

/// Lets out HTTPS and nothing else.
const RESTRICT_EGRESS: &str = "restrict-egress";
/// Lets nothing in.
const REMOVE_INGRESS: &str = "remove-ingress";
/// Says of each rule what it is for.
const DESCRIBE_RULES: &str = "describe-rules";
/// Lets out HTTPS to every IPv4 address.
pub(crate) const ALLOW_HTTPS: &str = "allow-https";
/// Lets out HTTPS to every IPv6 address.
pub(crate) const ALLOW_HTTPS_IPV6: &str = "allow-https-ipv6";

/// What a rule that is made is for.
const PURPOSE: &str = "HTTPS, for Session Manager";
const EVERY_IPV4: &str = "0.0.0.0/0";
const EVERY_IPV6: &str = "::/0";

const ALLOW: &[Call] = &[AuthorizeSecurityGroupEgress::CALL, RevokeSecurityGroupEgress::CALL];
const REMOVE: &[Call] = &[AuthorizeSecurityGroupIngress::CALL, RevokeSecurityGroupIngress::CALL];
const DESCRIBE: &[Call] =
    &[UpdateSecurityGroupRuleDescriptionsEgress::CALL, UpdateSecurityGroupRuleDescriptionsIngress::CALL];
pub(crate) const LOOKS: &[AspectKind] =
    &[AspectKind::SecurityGroupEgress, AspectKind::SecurityGroupIngress, AspectKind::SecurityGroupUsers];

static ABILITIES: &[Ability] = &[
    Ability::task(RESTRICT_EGRESS, ALLOW, LOOKS),
    Ability::task(REMOVE_INGRESS, REMOVE, LOOKS),
    Ability::task(DESCRIBE_RULES, DESCRIBE, LOOKS),
    Ability::task(ALLOW_HTTPS, ALLOW, LOOKS),
    Ability::task(ALLOW_HTTPS_IPV6, ALLOW, LOOKS),
];

/// A way that traffic goes, and the calls about it.
struct Direction {
    way: Way,
    kind: AspectKind,
    authorize: fn(String, Vec<IpPermission>) -> Operation,
    revoke: fn(String, Vec<IpPermission>) -> Operation,
    describe: fn(String, Vec<IpPermission>) -> Operation,
}

static EGRESS: Direction = Direction {
    way: Way::Out,
    kind: AspectKind::SecurityGroupEgress,
    authorize: |group_id, ip_permissions| AuthorizeSecurityGroupEgress { group_id, ip_permissions }.into(),
    revoke: |group_id, ip_permissions| RevokeSecurityGroupEgress { group_id, ip_permissions }.into(),
    describe: |group_id, ip_permissions| UpdateSecurityGroupRuleDescriptionsEgress { group_id, ip_permissions }.into(),
};

static INGRESS: Direction = Direction {
    way: Way::In,
    kind: AspectKind::SecurityGroupIngress,
    authorize: |group_id, ip_permissions| AuthorizeSecurityGroupIngress { group_id, ip_permissions }.into(),
    revoke: |group_id, ip_permissions| RevokeSecurityGroupIngress { group_id, ip_permissions }.into(),
    describe: |group_id, ip_permissions| UpdateSecurityGroupRuleDescriptionsIngress { group_id, ip_permissions }.into(),
};

impl Setter for SecurityGroups {
    fn resource_type(&self) -> ResourceType {
        ResourceType::SecurityGroup
    }

    fn abilities(&self) -> &'static [Ability] {
        ABILITIES
    }

    fn required_reads(
        &self,
        (_, key): &ResourceId,
        _: &DesiredState,
        _: &PlanBuilder<'_>,
    ) -> Vec<(Option<Region>, ObservedAspect)> {
        LOOKS.iter().map(|kind| (key.region.clone(), ObservedAspect::of(*kind, key.id.as_ref()))).collect()
    }

    fn builder(&self, thing: &ResourceId, wanted: &DesiredState, builder: &mut PlanBuilder<'_>) {
        // <https://docs.aws.amazon.com/vpc/latest/userguide/security-group-sharing.html>
        let arn = builder.inventory.security_groups.get(&thing.1).and_then(|entry| entry.attributes.arn.known());
        let arn = arn.and_then(|arn| Arn::parse(arn)).filter(|arn| arn.account != builder.account.as_str());
        if let Some(Arn { account, .. }) = arn {
            let reason = format!("the security group belongs to the account {account}, which must change it");
            builder.leave_out(&wanted.aims(), reason);
            return;
        }
        let users = ObservedAspect::of(AspectKind::SecurityGroupUsers, thing.1.id.as_ref());
        let Some(users) = crate::remediate::setters::seen(builder, thing.1.region.as_ref(), &users, &wanted.aims())
        else {
            return;
        };
        for direction in [&EGRESS, &INGRESS] {
            let aspect = ObservedAspect::of(direction.kind, thing.1.id.as_ref());
            let Some(there) =
                crate::remediate::setters::seen(builder, thing.1.region.as_ref(), &aspect, &wanted.aims())
            else {
                return;
            };
            // As the look made it, so it can be read.
            let there: Rules = serde_json::from_value(there).unwrap_or_default();
            let mut group = Group { thing, direction, there, users: &users, builder };
            match direction.way {
                Way::Out => group.egress(wanted),
                Way::In => group.ingress(wanted),
            }
        }
    }
}

/// Whether others rely on a group, and who.
pub(crate) fn relied_on_by(users: &Json) -> Vec<&str> {
    let of = |member: &str| users[member].as_array().into_iter().flatten().filter_map(Json::as_str);
    of("Groups").chain(of("Interfaces")).collect()
}

/// One direction of one group, and what was seen of it.
struct Group<'r, 'd, 'a> {
    thing: &'r ResourceId,
    direction: &'static Direction,
    there: Rules,
    users: &'r Json,
    builder: &'d mut PlanBuilder<'a>,
}

impl Group<'_, '_, '_> {
    fn egress(&mut self, wanted: &DesiredState) {
        let described = wanted.tasks(&[DESCRIBE_RULES]);
        let mut opened = wanted.tasks(&[ALLOW_HTTPS, ALLOW_HTTPS_IPV6]);
        let mut allowed: Vec<SecurityGroupRule> = [
            (ALLOW_HTTPS, Peer::CidrIp(EVERY_IPV4.to_owned())),
            (ALLOW_HTTPS_IPV6, Peer::CidrIpv6(EVERY_IPV6.to_owned())),
        ]
        .into_iter()
        .filter(|(task, _)| wanted.task(task).is_some())
        .map(|(_, peer)| SecurityGroupRule::https(peer, PURPOSE))
        .collect();
        let mut revoked = Rules::new();
        if let Some(aims) = wanted.task(RESTRICT_EGRESS) {
            let others: Rules = self.there.clone().into_iter().filter(|(_, rule)| !rule.is_https()).collect();
            let narrowed = self.narrowed(&others, &allowed);
            let change = self.revoke(&others, aims.clone());
            if let Some(objection) = self.builder.objection(&change) {
                self.builder.leave_out(aims, objection);
            } else {
                opened.extend(aims);
                allowed.extend(narrowed);
                revoked = others;
            }
        }
        allowed.retain(|rule| !self.there.contains_key(&rule.words(self.direction.way)));
        let first = (!allowed.is_empty()).then(|| {
            let change = self.allow(&allowed, opened);
            self.builder.add(change)
        });
        self.finish(&revoked, &wanted.tasks(&[RESTRICT_EGRESS]), first, &described);
    }

    fn ingress(&mut self, wanted: &DesiredState) {
        let mut revoked = Rules::new();
        if let Some(aims) = wanted.task(REMOVE_INGRESS) {
            let change = self.revoke(&self.there.clone(), aims.clone());
            match self.builder.objection(&change) {
                Some(objection) => self.builder.leave_out(aims, objection),
                None => revoked = self.there.clone(),
            }
        }
        self.finish(&revoked, &wanted.tasks(&[REMOVE_INGRESS]), None, &wanted.tasks(&[DESCRIBE_RULES]));
    }

    /// Port 443 for everyone to whom it was open among other things, so that no way to AWS is lost; for everyone at all
    /// where there was none.
    fn narrowed(&self, others: &Rules, allowed: &[SecurityGroupRule]) -> Vec<SecurityGroupRule> {
        let kept: Vec<&SecurityGroupRule> = self.there.values().filter(|rule| rule.is_https()).chain(allowed).collect();
        let mut narrowed: Vec<SecurityGroupRule> = Vec::new();
        for rule in others.values().filter(|rule| rule.covers_https()) {
            let rule = SecurityGroupRule::https(rule.peer.clone(), PURPOSE);
            if !narrowed.contains(&rule) {
                narrowed.push(rule);
            }
        }
        let everyone = |peer: &Peer| match peer {
            Peer::CidrIp(_) => Some(Peer::CidrIp(EVERY_IPV4.to_owned())),
            Peer::CidrIpv6(_) => Some(Peer::CidrIpv6(EVERY_IPV6.to_owned())),
            Peer::PrefixListId(_) | Peer::Group(..) => None,
        };
        let open: Vec<Peer> = kept.iter().copied().chain(&narrowed).map(|rule| rule.peer.clone()).collect();
        narrowed.retain(|rule| {
            everyone(&rule.peer).is_none_or(|everyone| rule.peer == everyone || !open.contains(&everyone))
        });
        if kept.is_empty() && narrowed.is_empty() {
            narrowed.push(SecurityGroupRule::https(Peer::CidrIp(EVERY_IPV4.to_owned()), PURPOSE));
        }
        narrowed
    }

    /// Revokes what is to go, and describes what stays.
    fn finish(&mut self, revoked: &Rules, aims: &Aims, first: Option<usize>, described: &Aims) {
        let silent = |rule: &SecurityGroupRule| rule.description.is_empty();
        if !revoked.is_empty() {
            let more = if revoked.values().any(silent) { described.clone() } else { Aims::new() };
            let change = self.revoke(revoked, aims | &more).needing(first);
            self.builder.add(change);
        }
        let stays = self.there.iter().filter(|(words, rule)| silent(rule) && !revoked.contains_key(*words));
        let stays: Rules = stays.map(|(words, rule)| (words.clone(), rule.clone())).collect();
        if !stays.is_empty() && !described.is_empty() {
            let change = self.describe(&stays, described.clone());
            self.builder.add(change);
        }
    }

    fn allow(&self, rules: &[SecurityGroupRule], aims: Aims) -> Change {
        let rules: Rules = rules.iter().map(|rule| (rule.words(self.direction.way), rule.clone())).collect();
        let (authorize, revoke) = (self.direction.authorize, self.direction.revoke);
        self.change(aims, absent(&rules), descriptions(&rules), authorize, &rules)
            .undone_by(revoke(self.id(), permissions(&rules)))
    }

    /// What stays must be there still: otherwise this would cut the last way out.
    fn revoke(&self, rules: &Rules, aims: Aims) -> Change {
        let stays = self.there.keys().filter(|words| !rules.contains_key(*words));
        let stays: Map<String, Json> = stays.map(|words| (words.clone(), json!({}))).collect();
        let before = stays.clone().into_iter().chain(descriptions(rules)).collect();
        let after = stays.into_iter().chain(absent(rules)).collect();
        let (authorize, revoke) = (self.direction.authorize, self.direction.revoke);
        self.change(aims, before, after, revoke, rules)
            .undone_by(authorize(self.id(), permissions(rules)))
            .warning("an undo adds the rules again: with ids of their own, and without tags that they had")
    }

    fn describe(&self, rules: &Rules, aims: Aims) -> Change {
        let described: Rules = rules.iter().map(|(words, rule)| (words.clone(), rule.described(words))).collect();
        let describe = self.direction.describe;
        self.change(aims, descriptions(rules), descriptions(&described), describe, &described)
            .undone_by(describe(self.id(), permissions(rules)))
    }

    fn change(
        &self,
        aims: Aims,
        before: Map<String, Json>,
        after: Map<String, Json>,
        call: fn(String, Vec<IpPermission>) -> Operation,
        rules: &Rules,
    ) -> Change {
        let aspect = ObservedAspect::of(self.direction.kind, self.id());
        let call = call(self.id(), permissions(rules));
        let change = Change::new(self.thing.clone(), aims, aspect, before.into(), after.into(), call);
        let users = relied_on_by(self.users);
        if users.is_empty() {
            return change;
        }
        Change { shared: true, ..change }.warning(format!("{} rely on this group, too", users.join(", ")))
    }

    fn id(&self) -> String {
        self.thing.1.id.as_ref().to_owned()
    }
}

fn permissions(rules: &Rules) -> Vec<IpPermission> {
    rules.values().map(SecurityGroupRule::permission).collect()
}

fn descriptions(rules: &Rules) -> Map<String, Json> {
    rules.iter().map(|(words, rule)| (words.clone(), json!({"Description": rule.description}))).collect()
}

fn absent(rules: &Rules) -> Map<String, Json> {
    rules.keys().map(|words| (words.clone(), Json::Null)).collect()
}
