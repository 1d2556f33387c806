//! `DescribeInstances`.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use aws_sdk_ec2::types::{
    DeviceType, HttpTokensState, InstanceMetadataEndpointState, InstanceMetadataTagsState, InstanceStateName,
    MonitoringState,
};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::schema::{Instance, MetadataOptions, NetworkInterface};
use crate::aws::raw_response::{NEXT_TOKEN, document};
use crate::aws::xml::{Document, Node};
use crate::collect::live::api_call::ApiCall;
use crate::collect::live::collector::Collector;
use crate::collect::live::ec2::{PAGE, filter, shared, tags, with_hidden};
use crate::model::arn::{Arn, last_segment};
use crate::model::call::DESCRIBE_INSTANCES;
use crate::model::{Entry, Fact, Gap, GapKind, Key, Link, Region};
use crate::resource::instance_profile::schema::InstanceProfile;
use crate::resource::security_group::schema::SecurityGroup;
use crate::resource::volume::schema::Volume;

/// What the instances of a region refer to.
#[derive(Debug, Default)]
pub(crate) struct Found {
    pub(crate) volumes: BTreeSet<Key>,
    pub(crate) security_groups: BTreeSet<Key>,
    pub(crate) instance_profiles: BTreeMap<Key, Vec<Attached>>,
    pub(crate) vpcs: BTreeSet<String>,
}

/// An instance profile, as the instance that it is attached to knows it.
#[derive(Debug)]
pub(crate) struct Attached {
    pub(crate) instance: Key,
    /// The profile's id. Its name may be another profile's by now.
    pub(crate) id: Option<String>,
}

/// Reads the instances of a region that are not terminated or about to be.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region) -> Found {
    let mut found = Found::default();
    if !collector.wants(&DESCRIBE_INSTANCES) {
        return found;
    }
    let inquiry = collector.inquire(&DESCRIBE_INSTANCES, Some(region));
    let client = collector.connection.ec2(region);
    let states = filter("instance-state-name", ["pending", "running", "stopping", "stopped"]);
    let (client, states) = (&client, &states);
    let request = |token: Option<String>| {
        with_hidden(inquiry, move |hidden| {
            let request = client.describe_instances().set_include_managed_resources(hidden);
            let request = request.filters(states.clone()).max_results(PAGE).set_next_token(token.clone());
            document(|taken| request.customize().interceptor(taken).send())
        })
    };
    let read = inquiry
        .pages(request, |page: Document| {
            match page.root().items("reservationSet") {
                Some(reservations) => take(inquiry, region, reservations, &mut found),
                None => inquiry.unlisted(&inquiry.lacks("Reservations")),
            }
            page.root().text(NEXT_TOKEN)
        })
        .await;
    if let Err(gap) = read {
        inquiry.unlisted(&gap);
    }
    found
}

fn take<'a>(inquiry: ApiCall<'_>, region: &Region, reservations: impl Iterator<Item = Node<'a>>, found: &mut Found) {
    for reservation in reservations {
        let Some(instances) = reservation.items("instancesSet") else {
            inquiry.unlisted(&inquiry.lacks("Instances"));
            continue;
        };
        for answer in instances {
            let Some(id) = answer.filled("instanceId") else {
                inquiry.unlisted(&inquiry.lacks("InstanceId"));
                continue;
            };
            let key = Key::regional(region, id);
            let instance = Reading { inquiry, region, found }.instance(&key, answer);
            inquiry.collector.put(key, Entry::existing(instance));
        }
    }
}

/// The reading of one instance.
struct Reading<'r, 'f> {
    inquiry: ApiCall<'r>,
    region: &'r Region,
    found: &'f mut Found,
}

impl Reading<'_, '_> {
    fn instance(&mut self, key: &Key, answer: Node<'_>) -> Instance {
        let inquiry = self.inquiry;
        let connection = inquiry.collector.connection;
        let vpc_id = answer.filled("vpcId");
        if let Some(vpc) = &vpc_id {
            self.found.vpcs.insert(vpc.clone());
        }
        let network_interfaces = self.network_interfaces(answer);
        Instance {
            arn: Fact::Known(connection.arn("ec2", self.region, &format!("instance/{}", key.id))),
            instance_state: inquiry.one_of(
                "State",
                answer.child("instanceState").and_then(|state| state.text("name")),
                InstanceStateName::values(),
            ),
            launch_time: inquiry.meaning("LaunchTime", answer.text("launchTime"), timestamp),
            metadata_options: inquiry
                .required("MetadataOptions", answer.child("metadataOptions"))
                .map(|options| metadata_options(inquiry, options)),
            root_device_type: inquiry.one_of("RootDeviceType", answer.text("rootDeviceType"), DeviceType::values()),
            root_volume: self.root_volume(answer),
            monitoring: inquiry
                .one_of(
                    "Monitoring",
                    answer.child("monitoring").and_then(|monitoring| monitoring.text("state")),
                    MonitoringState::values(),
                )
                .map(|state| matches!(state.as_str(), "enabled" | "pending")),
            operator: operator(inquiry, answer),
            iam_instance_profile: self.instance_profile(key, answer),
            vpc_security_groups: self.security_groups(&network_interfaces, answer),
            network_interfaces,
            vpc_id: inquiry.required("VpcId", vpc_id).map(Some),
            tags: tags(
                inquiry,
                answer.items("tagSet").into_iter().flatten().map(|tag| (tag.text("key"), tag.text("value"))),
            ),
            ..Instance::default()
        }
    }

    /// The volume at the root device name. A gap in the mappings is no failure of the call: an instance
    /// that is stopped, or that has only just been made, may have no root volume.
    fn root_volume(&mut self, answer: Node<'_>) -> Fact<Option<Link<Volume>>> {
        if answer.text("rootDeviceType").as_deref() == Some("instance-store") {
            return Fact::Known(None);
        }
        let Some(mut mappings) = answer.items("blockDeviceMapping") else {
            return Fact::Unknown(self.inquiry.lacks("BlockDeviceMappings"));
        };
        let Some(root) = answer.filled("rootDeviceName") else {
            return Fact::Unknown(self.inquiry.lacks("RootDeviceName"));
        };
        let volume = mappings
            .find(|mapping| mapping.text("deviceName").as_ref() == Some(&root))
            .and_then(|mapping| mapping.child("ebs")?.filled("volumeId"));
        match volume {
            Some(volume) => {
                let key = shared(&mut self.found.volumes, self.region, volume);
                Fact::Known(Some(Link::to(key)))
            }
            None => Fact::Unknown(
                Gap::of_call(GapKind::Unresolved, DESCRIBE_INSTANCES.to_string())
                    .with_message(format!("no volume is mapped at the root device {root}"))
                    .into(),
            ),
        }
    }

    fn instance_profile(&mut self, instance: &Key, answer: Node<'_>) -> Fact<Option<Link<InstanceProfile>>> {
        let Some(profile) = answer.child("iamInstanceProfile") else {
            return Fact::Known(None);
        };
        let arn = profile.text("arn");
        let arn = arn.as_deref().and_then(Arn::parse);
        let Some(arn) = arn.filter(|arn| !last_segment(arn.resource).is_empty()) else {
            // Which profile it is remains unknown, and so may its role.
            let gap = self.inquiry.lacks("IamInstanceProfile.Arn");
            self.inquiry.unlisted(&gap);
            return Fact::Unknown(gap);
        };
        let key = Key::global(last_segment(arn.resource));
        let attached = Attached { instance: instance.clone(), id: profile.filled("id") };
        self.found.instance_profiles.entry(key.clone()).or_default().push(attached);
        Fact::Known(Some(Link::to(key)))
    }

    fn network_interfaces(&mut self, answer: Node<'_>) -> Fact<Vec<NetworkInterface>> {
        let interfaces = self.inquiry.required("NetworkInterfaces", answer.items("networkInterfaceSet"));
        interfaces.map(|interfaces| interfaces.map(|interface| self.network_interface(interface)).collect())
    }

    fn network_interface(&mut self, answer: Node<'_>) -> NetworkInterface {
        let inquiry = self.inquiry;
        let (private_ips, ipv6_addresses) = match addresses(answer) {
            Ok((private_ips, ipv6_addresses)) => (Fact::Known(private_ips), Fact::Known(ipv6_addresses)),
            Err(member) => {
                let gap = inquiry.lacks(member);
                (Fact::Unknown(gap.clone()), Fact::Unknown(gap))
            }
        };
        let groups = answer.items("groupSet").and_then(|groups| texts(groups, "groupId"));
        let groups: Fact<Vec<String>> = inquiry.required("NetworkInterfaces.Groups", groups);
        if let Fact::Unknown(gap) = &groups {
            inquiry.unlisted(gap);
        }
        NetworkInterface {
            network_interface_id: inquiry
                .named("NetworkInterfaces.NetworkInterfaceId", answer.text("networkInterfaceId")),
            private_ips,
            ipv6_addresses,
            security_groups: groups.map(|groups| self.links(groups)),
        }
    }

    /// The groups of all interfaces, and those that the instance itself names: it may not be attached yet.
    fn security_groups(
        &mut self,
        interfaces: &Fact<Vec<NetworkInterface>>,
        answer: Node<'_>,
    ) -> Fact<Vec<Link<SecurityGroup>>> {
        let interfaces = match interfaces {
            Fact::Known(interfaces) => interfaces,
            Fact::Unknown(gap) => {
                self.inquiry.unlisted(gap);
                return Fact::Unknown(gap.clone());
            }
        };
        let Some(own) = texts(answer.items("groupSet").into_iter().flatten(), "groupId") else {
            return Fact::Unknown(self.lacks_groups());
        };
        let mut groups: BTreeSet<Link<SecurityGroup>> = self.links(own).into_iter().collect();
        for interface in interfaces {
            match &interface.security_groups {
                Fact::Known(links) => groups.extend(links.iter().cloned()),
                Fact::Unknown(gap) => return Fact::Unknown(gap.clone()),
            }
        }
        // Every instance has a group, its VPC's default one where none was named.
        if groups.is_empty() {
            return Fact::Unknown(self.lacks_groups());
        }
        Fact::Known(groups.into_iter().collect())
    }

    /// Groups of the instance may exist unseen.
    fn lacks_groups(&self) -> Arc<Gap> {
        let gap = self.inquiry.lacks("SecurityGroups");
        self.inquiry.unlisted(&gap);
        gap
    }

    fn links(&mut self, ids: Vec<String>) -> Vec<Link<SecurityGroup>> {
        let groups = &mut self.found.security_groups;
        ids.into_iter().map(|id| Link::to(shared(groups, self.region, id))).collect()
    }
}

/// The IPv4 and the IPv6 addresses of an interface, or the member that its answer lacks. An interface of a network
/// with IPv6 alone has no IPv4 address, but every interface has an address.
fn addresses(answer: Node<'_>) -> Result<(Vec<String>, Vec<String>), &'static str> {
    let list = |set, name| texts(answer.items(set).into_iter().flatten(), name);
    let private_ips = list("privateIpAddressesSet", "privateIpAddress")
        .ok_or("NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress")?;
    let ipv6_addresses =
        list("ipv6AddressesSet", "ipv6Address").ok_or("NetworkInterfaces.Ipv6Addresses.Ipv6Address")?;
    // The primary address stands beside the list of them all, too.
    if private_ips.is_empty() && (ipv6_addresses.is_empty() || answer.child("privateIpAddress").is_some()) {
        return Err("NetworkInterfaces.PrivateIpAddresses");
    }
    Ok((private_ips, ipv6_addresses))
}

fn metadata_options(inquiry: ApiCall<'_>, answer: Node<'_>) -> MetadataOptions {
    MetadataOptions {
        http_tokens: inquiry.one_of("MetadataOptions.HttpTokens", answer.text("httpTokens"), HttpTokensState::values()),
        http_endpoint: inquiry.one_of(
            "MetadataOptions.HttpEndpoint",
            answer.text("httpEndpoint"),
            InstanceMetadataEndpointState::values(),
        ),
        http_put_response_hop_limit: inquiry.meaning(
            "MetadataOptions.HttpPutResponseHopLimit",
            answer.text("httpPutResponseHopLimit"),
            |limit| limit.parse().ok(),
        ),
        instance_metadata_tags: inquiry.one_of(
            "MetadataOptions.InstanceMetadataTags",
            answer.text("instanceMetadataTags"),
            InstanceMetadataTagsState::values(),
        ),
    }
}

/// The service that manages the instance, if one does.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/amazon-ec2-managed-instances.html>
fn operator(inquiry: ApiCall<'_>, answer: Node<'_>) -> Fact<Option<String>> {
    let Some(operator) = answer.child("operator") else { return Fact::Known(None) };
    match inquiry.meaning("Operator.Managed", operator.text("managed"), |managed| managed.parse().ok()) {
        Fact::Known(true) => inquiry.named("Operator.Principal", operator.text("principal")).map(Some),
        Fact::Known(false) => Fact::Known(None),
        Fact::Unknown(gap) => Fact::Unknown(gap),
    }
}

/// This text of each of them; nothing if one lacks it.
fn texts<'a>(nodes: impl Iterator<Item = Node<'a>>, name: &str) -> Option<Vec<String>> {
    nodes.map(|node| node.filled(name)).collect()
}

/// A time, written as everywhere in reports.
fn timestamp(text: &str) -> Option<String> {
    DateTime::from_str(text, Format::DateTimeWithOffset).ok()?.fmt(Format::DateTime).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The addresses of an interface that AWS describes so.
    fn of(interface: &str) -> Result<(Vec<String>, Vec<String>), &'static str> {
        addresses(Document::parse(format!("<item>{interface}</item>")).unwrap().root())
    }

    #[test]
    fn an_interface_without_any_address_is_a_gap() {
        const PRIMARY: &str = "<privateIpAddress>10.0.0.1</privateIpAddress>";
        let ipv4 = format!("<privateIpAddressesSet><item>{PRIMARY}</item></privateIpAddressesSet>");
        let ipv6 = "<ipv6AddressesSet><item><ipv6Address>2001:db8::1</ipv6Address></item></ipv6AddressesSet>";
        assert!(of("").is_err());
        assert!(of(&format!("{PRIMARY}{ipv6}")).is_err());
        assert!(of("<privateIpAddressesSet><item/></privateIpAddressesSet>").is_err());
        assert_eq!(of(&ipv4), Ok((vec!["10.0.0.1".to_owned()], Vec::new())));
        assert_eq!(of(ipv6), Ok((Vec::new(), vec!["2001:db8::1".to_owned()])));
    }
}
