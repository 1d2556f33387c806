"""Rules of security groups, and whose the interfaces in them are.

moto adds or removes half of a call's rules before it refuses the other half, tells rules apart by their
descriptions, never revokes egress to IPv6 from a VPC without IPv6, cannot take a description away or give
one to a rule to a prefix list, and answers with the rules of the last permission only. It finds every
interface by the account as the owner of what it is attached to, and gives every public address to the account.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_AuthorizeSecurityGroupEgress.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_RevokeSecurityGroupEgress.html
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_UpdateSecurityGroupRuleDescriptionsEgress.html
"""

from moto.core.responses import ActionResult
from moto.ec2.exceptions import (
    EC2ClientError,
    InvalidPermissionDuplicateError,
    InvalidPermissionNotFoundError,
    InvalidSecurityGroupNotFoundError,
    InvalidSecurityGroupRuleIdNotFoundError,
)
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.models.security_groups import SecurityGroup, SecurityGroupRule
from moto.ec2.responses import EC2Response

make_rule_by_moto = SecurityGroupRule.__init__
flatten_rules_by_moto = SecurityGroup._flattened_rules


def make_rule(self: SecurityGroupRule, *args, **kwargs) -> None:  # noqa: ANN002, ANN003
    make_rule_by_moto(self, *args, **kwargs)
    prefix_list = kwargs.get("prefix_list_id") or (args[7] if len(args) > 7 else None)
    self.prefix_list_description = (prefix_list or {}).get("Description")


def identity(rule: SecurityGroupRule) -> tuple:
    """What tells two rules apart; the description does not."""
    ports = (None, None) if rule.ip_protocol == "-1" else (rule.from_port, rule.to_port)
    target = (rule.cidr_ipv4, rule.cidr_ipv6, rule.source_group.get("GroupId"), rule.prefix_list_id)
    return (rule.ip_protocol, *ports, *target)


def description(rule: SecurityGroupRule) -> str | None:
    return rule.ip_range.get("Description") or rule.source_group.get("Description") or rule.prefix_list_description


def describe(rule: SecurityGroupRule, text: str | None) -> None:
    if rule.prefix_list_id:
        rule.prefix_list_description = text
        return
    target = rule.ip_range or rule.source_group
    target.pop("Description", None)
    if text:
        target["Description"] = text


def flatten_rules(self: SecurityGroup, rules: list) -> list:
    """moto loses the descriptions of rules to prefix lists."""
    views = flatten_rules_by_moto(self, rules)
    described = {
        (rule.ip_protocol, rule.from_port, rule.to_port, rule.prefix_list_id): rule.prefix_list_description
        for rule in rules
        if rule.prefix_list_id and rule.prefix_list_description
    }
    for view in views:
        for entry in view.prefix_list_ids:
            about = described.get((view.ip_protocol, view.from_port, view.to_port, entry["PrefixListId"]))
            if about:
                entry["Description"] = about
    return views


# -- the calls ---------------------------------------------------------------------------------------


def asked(self: EC2Response, egress: bool) -> tuple[SecurityGroup, str, list]:
    """The group, the name of its list of rules, and the rules of all permissions together."""
    self.error_on_dryrun()
    name = self._get_param("GroupId") or self._get_param("GroupName")
    backend = self.ec2_backend
    group = backend.get_security_group_by_name_or_id(name)
    if group is None:
        raise InvalidSecurityGroupNotFoundError(name)
    rules = []
    for one in self._process_rules_from_querystring():
        if not one["ip_protocol"]:
            continue  # by the ids of rules
        made = backend._iterate_security_rules(
            one["ip_protocol"],
            group.id,
            one["from_port"],
            one["to_port"],
            one["ip_ranges"],
            backend._add_source_group(one["source_groups"], None),
            one["prefix_list_ids"],
            is_egress=egress,
            tags=one["sgrule_tags"],
        )
        rules.extend(made)
    if len({identity(rule) for rule in rules}) != len(rules):
        raise EC2ClientError("InvalidParameterValue", "The same permission must not appear multiple times")
    return group, "egress_rules" if egress else "ingress_rules", rules


def authorize(self: EC2Response, egress: bool) -> ActionResult:
    """All rules or none."""
    group, direction, rules = asked(self, egress)
    there = getattr(group, direction)
    if {identity(rule) for rule in there} & {identity(rule) for rule in rules}:
        raise InvalidPermissionDuplicateError()
    ranges = [rule.ip_range for rule in rules if rule.ip_range]
    others = [rule for rule in rules if not rule.ip_range]
    self.ec2_backend._verify_group_will_respect_rule_count_limit(group, len(there), ranges, others)
    there.extend(rules)
    return ActionResult({"Return": True, "SecurityGroupRules": rules})


def revoke(self: EC2Response, egress: bool) -> ActionResult:
    """In a default VPC a rule that is not there is an error and nothing is revoked; elsewhere it is named in
    the answer and the others are revoked."""
    group, direction, rules = asked(self, egress)
    there = getattr(group, direction)
    ids = set(self._get_param("SecurityGroupRuleIds", []))
    unknown_ids = ids - {rule.id for rule in there}
    if unknown_ids:
        raise InvalidSecurityGroupRuleIdNotFoundError(sorted(unknown_ids)[0])
    known = {identity(rule) for rule in there}
    unknown = [rule for rule in rules if identity(rule) not in known]
    vpc = self.ec2_backend.vpcs.get(group.vpc_id)
    if unknown and vpc is not None and vpc.is_default:
        raise InvalidPermissionNotFoundError()
    wanted = {identity(rule) for rule in rules}
    setattr(group, direction, [rule for rule in there if identity(rule) not in wanted and rule.id not in ids])
    return ActionResult({"Return": True, "UnknownIpPermissions": group._flattened_rules(unknown)})


def update_descriptions(self: EC2Response, egress: bool) -> ActionResult:
    """A description that is left out is taken away."""
    group, direction, rules = asked(self, egress)
    there = {identity(rule): rule for rule in getattr(group, direction)}
    if any(identity(rule) not in there for rule in rules):
        raise InvalidPermissionNotFoundError()
    for rule in rules:
        describe(there[identity(rule)], description(rule))
    return ActionResult({"Return": True})


interface_value_by_moto = NetworkInterface.get_filter_value


def interface_value(self: NetworkInterface, name: str, *args, **kwargs):  # noqa: ANN002, ANN003, ANN201
    if name == "attachment.instance-owner-id":
        return self.instance.owner_id if self.instance else None
    if name == "requester-managed":
        return str(self.requester_managed).lower()
    return interface_value_by_moto(self, name, *args, **kwargs)


address_by_moto = NetworkInterface.association.fget


def address(self: NetworkInterface) -> dict:
    """An address that is not elastic is Amazon's:
    https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_InstanceNetworkInterfaceAssociation.html"""
    association = address_by_moto(self)
    owner = {} if not association or association.get("allocationId") else {"ipOwnerId": "amazon"}
    return {**association, **owner}


def apply() -> None:
    NetworkInterface.association = property(address)
    NetworkInterface.get_filter_value = interface_value
    SecurityGroupRule.__init__ = make_rule
    SecurityGroupRule.description = property(description)
    SecurityGroup._flattened_rules = flatten_rules
    for direction, egress in (("egress", True), ("ingress", False)):
        for operation, function in (
            (f"authorize_security_group_{direction}", authorize),
            (f"revoke_security_group_{direction}", revoke),
            (f"update_security_group_rule_descriptions_{direction}", update_descriptions),
        ):
            setattr(EC2Response, operation, lambda self, function=function, egress=egress: function(self, egress))
