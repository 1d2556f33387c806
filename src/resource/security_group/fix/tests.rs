use serde_json::{Value as Json, json};

use crate::model::ResourceType;
use crate::remediate::approvals::Allow;
use crate::remediate::observed::{AspectKind, ObservedAspect, satisfies};
use crate::remediate::plan::Undo;
use crate::remediate::setters::trial::{Planned, Trial, thing};
use crate::resource::security_group::fix_rule::{Way, rules};

const NOBODY: fn() -> Json = || json!({"Groups": [], "Interfaces": []});

/// A rule as AWS answers, given what differs from TCP 443 to everyone.
fn rule(protocol: &str, ports: Option<(i32, i32)>, peer: &str, description: &str) -> aws_sdk_ec2::types::IpPermission {
    use aws_sdk_ec2::types::{IpPermission, IpRange, Ipv6Range, PrefixListId, UserIdGroupPair};
    let description = Some(description.to_owned()).filter(|text| !text.is_empty());
    let (from, to) = ports.unzip();
    let permission = IpPermission::builder().ip_protocol(protocol).set_from_port(from).set_to_port(to);
    if peer.starts_with("pl-") {
        let list = PrefixListId::builder().prefix_list_id(peer).set_description(description).build();
        permission.prefix_list_ids(list).build()
    } else if peer.starts_with("sg-") {
        let pair = UserIdGroupPair::builder().group_id(peer).user_id("111122223333").set_description(description);
        permission.user_id_group_pairs(pair.build()).build()
    } else if peer.contains(':') {
        permission.ipv6_ranges(Ipv6Range::builder().cidr_ipv6(peer).set_description(description).build()).build()
    } else {
        permission.ip_ranges(IpRange::builder().cidr_ip(peer).set_description(description).build()).build()
    }
}

fn everything() -> aws_sdk_ec2::types::IpPermission {
    rule("-1", None, "0.0.0.0/0", "")
}

struct Group {
    egress: Vec<aws_sdk_ec2::types::IpPermission>,
    ingress: Vec<aws_sdk_ec2::types::IpPermission>,
    users: Json,
}

impl Group {
    fn trial(self, findings: &[&str]) -> Trial {
        let seen = |permissions, way| json!(rules(permissions, way).unwrap());
        let trial = Trial::new()
            .sees(ObservedAspect::of(AspectKind::SecurityGroupEgress, "sg-1"), seen(self.egress, Way::Out))
            .sees(ObservedAspect::of(AspectKind::SecurityGroupIngress, "sg-1"), seen(self.ingress, Way::In))
            .sees(ObservedAspect::of(AspectKind::SecurityGroupUsers, "sg-1"), self.users);
        findings
            .iter()
            .fold(trial, |trial, id| trial.finding(id, thing(ResourceType::SecurityGroup, "sg-1"), Json::Null))
    }
}

fn undo(planned: &Planned, step: usize) -> (&'static str, Json) {
    match &planned.steps[step].undo {
        Undo::By(call) => (call.call().operation, call.parameters()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn https_is_let_out_before_the_rest_is_cut() {
    let egress = vec![everything(), rule("tcp", Some((5432, 5432)), "sg-2", "database")];
    let planned = Group { egress, ingress: vec![], users: NOBODY() }
        .trial(&["sg-restrict-egress"])
        .allowing(&[], &["sg-1"])
        .plan();
    let https = json!([{"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443,
        "IpRanges": [{"CidrIp": "0.0.0.0/0", "Description": "HTTPS, for Session Manager"}]}]);
    let rest = json!([{"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
        {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432,
         "UserIdGroupPairs": [{"GroupId": "sg-2", "UserId": "111122223333", "Description": "database"}]}]);
    let of_group = |permissions: &Json| json!({"GroupId": "sg-1", "IpPermissions": permissions});
    assert_eq!(
        planned.calls(),
        [("AuthorizeSecurityGroupEgress", of_group(&https)), ("RevokeSecurityGroupEgress", of_group(&rest))]
    );
    assert_eq!(planned.steps[1].needs, [1]);
    assert_eq!(undo(&planned, 0), ("RevokeSecurityGroupEgress", of_group(&https)));
    assert_eq!(undo(&planned, 1), ("AuthorizeSecurityGroupEgress", of_group(&rest)));
    assert!(planned.steps.iter().all(|step| step.by_name && !step.shared));
    assert!(planned.steps[1].warnings.iter().any(|warning| warning.contains("databases, directories")));
}

#[test]
fn what_stays_must_be_there_when_the_rest_is_cut() {
    let egress = vec![rule("tcp", Some((443, 443)), "0.0.0.0/0", "AWS"), rule("tcp", Some((80, 80)), "0.0.0.0/0", "")];
    let trial = Group { egress, ingress: vec![], users: NOBODY() }.trial(&["sg-restrict-egress"]);
    let planned = trial.allowing(&[], &["sg-1"]).plan();
    assert_eq!(planned.operations(), ["RevokeSecurityGroupEgress"]);
    let before = &planned.steps[0].before;
    let web = json!({"Description": ""});
    assert!(satisfies(
        &json!({"tcp 443 to 0.0.0.0/0": {"Description": "changed"}, "tcp 80 to 0.0.0.0/0": web}),
        before
    ));
    assert!(!satisfies(&json!({"tcp 80 to 0.0.0.0/0": web}), before));
}

#[test]
fn who_was_reached_on_443_among_other_ports_still_is() {
    let egress = vec![
        rule("-1", None, "sg-2", ""),
        rule("tcp", Some((0, 65535)), "pl-1", ""),
        rule("udp", Some((443, 443)), "10.1.0.0/16", ""),
        rule("-1", None, "::/0", ""),
        rule("tcp", Some((400, 500)), "2001:db8::/32", ""),
        rule("tcp", Some((443, 443)), "10.0.0.0/8", "inside"),
    ];
    let trial = Group { egress, ingress: vec![], users: NOBODY() }.trial(&["sg-restrict-egress"]);
    let planned = trial.allowing(&[], &["sg-1"]).plan();
    let allowed: Vec<&String> = planned.steps[0].after.as_object().unwrap().keys().collect();
    assert_eq!(allowed, ["tcp 443 to ::/0", "tcp 443 to pl-1", "tcp 443 to sg-2"]);
}

#[test]
fn a_group_that_lets_nothing_out_lets_https_out() {
    let trial = Group { egress: vec![], ingress: vec![], users: NOBODY() }.trial(&["sg-restrict-egress"]);
    let planned = trial.allowing(&[], &["sg-1"]).plan();
    assert_eq!(planned.operations(), ["AuthorizeSecurityGroupEgress"]);
}

#[test]
fn ingress_is_removed_by_name_and_comes_back_as_it_was() {
    let ingress = vec![
        rule("tcp", Some((22, 22)), "10.0.0.0/8", "SSH"),
        rule("icmp", Some((8, -1)), "0.0.0.0/0", ""),
        rule("tcp", Some((8000, 8100)), "2001:db8::/32", "inside"),
        rule("50", None, "pl-1", "IPsec"),
    ];
    let group = || Group { egress: vec![], ingress: ingress.clone(), users: NOBODY() }.trial(&["sg-remove-ingress"]);
    assert_eq!(group().plan().reasons(), ["it is done only by name: allow it with --resource sg-1"]);
    let planned = group().allowing(&[], &["sg-1"]).plan();
    assert_eq!(planned.operations(), ["RevokeSecurityGroupIngress"]);
    let words: Vec<&String> = planned.steps[0].before.as_object().unwrap().keys().collect();
    let expected = [
        "icmp 8 from 0.0.0.0/0",
        "protocol 50 from pl-1",
        "tcp 22 from 10.0.0.0/8",
        "tcp 8000-8100 from 2001:db8::/32",
    ];
    assert_eq!(words, expected);
    let (operation, parameters) = undo(&planned, 0);
    assert_eq!(operation, "AuthorizeSecurityGroupIngress");
    assert_eq!(
        parameters["IpPermissions"],
        json!([
            {"IpProtocol": "icmp", "FromPort": 8, "ToPort": -1, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            {"IpProtocol": "50", "PrefixListIds": [{"PrefixListId": "pl-1", "Description": "IPsec"}]},
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22,
             "IpRanges": [{"CidrIp": "10.0.0.0/8", "Description": "SSH"}]},
            {"IpProtocol": "tcp", "FromPort": 8000, "ToPort": 8100,
             "Ipv6Ranges": [{"CidrIpv6": "2001:db8::/32", "Description": "inside"}]},
        ])
    );
}

#[test]
fn only_rules_that_stay_are_described() {
    let group = || Group {
        egress: vec![everything()],
        ingress: vec![rule("tcp", Some((22, 22)), "10.0.0.0/8", "")],
        users: NOBODY(),
    };
    let findings = ["sg-restrict-egress", "sg-remove-ingress", "sg-describe-rules"];
    let planned = group().trial(&findings).allowing(&[], &["sg-1"]).plan();
    let expected = ["AuthorizeSecurityGroupEgress", "RevokeSecurityGroupEgress", "RevokeSecurityGroupIngress"];
    assert_eq!(planned.operations(), expected);
    assert_eq!(planned.aims.len(), 3, "{:?}", planned.left_out);

    // Where the group is not named, all of them stay.
    let planned = group().trial(&findings).plan();
    let described: Vec<&Json> = planned.steps.iter().map(|step| &step.after).collect();
    assert_eq!(
        described,
        [
            &json!({"all traffic to 0.0.0.0/0": {"Description": "all traffic to 0.0.0.0/0"}}),
            &json!({"tcp 22 from 10.0.0.0/8": {"Description": "tcp 22 from 10.0.0.0/8"}}),
        ]
    );
    let without = json!([{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}]);
    let expected = json!({"GroupId": "sg-1", "IpPermissions": without});
    assert_eq!(undo(&planned, 1), ("UpdateSecurityGroupRuleDescriptionsIngress", expected));
    assert_eq!(planned.left_out.len(), 2);
}

#[test]
fn a_group_that_others_rely_on_is_changed_only_when_that_is_allowed() {
    for users in [json!({"Groups": ["sg-9"], "Interfaces": []}), json!({"Groups": [], "Interfaces": ["eni-9"]})] {
        let group = || {
            Group {
                egress: vec![rule("tcp", Some((443, 443)), "0.0.0.0/0", "")],
                ingress: vec![],
                users: users.clone(),
            }
            .trial(&["sg-describe-rules"])
        };
        assert_eq!(group().plan().reasons(), ["others use sg-1 too: allow it with --allow shared"]);
        let planned = group().allowing(&[Allow::Shared], &[]).plan();
        assert!(planned.steps[0].shared && planned.steps[0].warnings[0].ends_with("-9 rely on this group, too"));
    }
}

#[test]
fn a_group_of_which_nobody_knows_who_relies_on_it_is_left_alone() {
    let planned = Trial::new()
        .finding("sg-remove-ingress", thing(ResourceType::SecurityGroup, "sg-1"), Json::Null)
        .sees(ObservedAspect::of(AspectKind::SecurityGroupEgress, "sg-1"), json!({}))
        .sees(ObservedAspect::of(AspectKind::SecurityGroupIngress, "sg-1"), json!({}))
        .may_not_see(ObservedAspect::of(AspectKind::SecurityGroupUsers, "sg-1"))
        .allowing(&[Allow::Shared], &["sg-1"])
        .plan();
    assert_eq!(planned.reasons(), ["users of sg-1 could not be looked at: denied: ec2:DescribeSomething"]);
}
