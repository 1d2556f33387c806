//! `DescribeInstances`.
//! <https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html>

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_ec2::types::{
    DeviceType, Instance as Answer, InstanceMetadataOptionsResponse, InstanceNetworkInterface, MonitoringState,
    Reservation,
};
use aws_smithy_types::date_time::Format;

use super::super::arn::{Arn, last_segment};
use super::super::inquiry::Inquiry;
use super::super::reader::Reader;
use super::{PAGE, filter, shared, tags};
use crate::model::call::DESCRIBE_INSTANCES;
use crate::model::ec2::{Instance, MetadataOptions, NetworkInterface, SecurityGroup, Volume};
use crate::model::iam::InstanceProfile;
use crate::model::{Entry, Fact, Gap, GapKind, Key, Link, Region};

/// What the instances of a region refer to.
#[derive(Debug, Default)]
pub(in super::super) struct Found {
    pub(in super::super) volumes: BTreeSet<Key>,
    pub(in super::super) security_groups: BTreeSet<Key>,
    pub(in super::super) instance_profiles: BTreeSet<Key>,
    pub(in super::super) vpcs: BTreeSet<String>,
}

/// Reads the instances of a region that are not terminated or about to be.
pub(in super::super) async fn read(reader: &Reader<'_>, region: &Region) -> Found {
    let mut found = Found::default();
    if !reader.wants(&DESCRIBE_INSTANCES) {
        return found;
    }
    let inquiry = reader.inquire(&DESCRIBE_INSTANCES, Some(region));
    let client = reader.connection.ec2(region);
    let states = filter("instance-state-name", ["pending", "running", "stopping", "stopped"]);
    let request = |token| {
        let request = client.describe_instances().filters(states.clone()).max_results(PAGE).set_next_token(token);
        inquiry.send(request.send())
    };
    let read = inquiry
        .pages(request, |page| {
            match page.reservations {
                Some(reservations) => take(inquiry, region, reservations, &mut found),
                None => inquiry.unlisted(&inquiry.lacks("Reservations")),
            }
            page.next_token
        })
        .await;
    if let Err(gap) = read {
        inquiry.unlisted(&gap);
    }
    found
}

fn take(inquiry: Inquiry<'_>, region: &Region, reservations: Vec<Reservation>, found: &mut Found) {
    for reservation in reservations {
        let Some(instances) = reservation.instances else {
            inquiry.unlisted(&inquiry.lacks("Instances"));
            continue;
        };
        for mut answer in instances {
            let Some(id) = answer.instance_id.take() else {
                inquiry.unlisted(&inquiry.lacks("InstanceId"));
                continue;
            };
            let key = Key::regional(region, id);
            let instance = Reading { inquiry, region, found }.instance(&key, answer);
            inquiry.reader.put(key, Entry::existing(instance));
        }
    }
}

/// The reading of one instance.
struct Reading<'r, 'f> {
    inquiry: Inquiry<'r>,
    region: &'r Region,
    found: &'f mut Found,
}

impl Reading<'_, '_> {
    fn instance(&mut self, key: &Key, mut answer: Answer) -> Instance {
        let inquiry = self.inquiry;
        let connection = inquiry.reader.connection;
        if let Some(vpc) = &answer.vpc_id {
            self.found.vpcs.insert(vpc.clone());
        }
        let network_interfaces = self.network_interfaces(answer.network_interfaces.take());
        Instance {
            arn: Fact::Known(connection.arn("ec2", self.region, &format!("instance/{}", key.id))),
            instance_state: inquiry.required(
                "State",
                answer.state.take().and_then(|state| state.name).map(|name| name.as_str().to_owned()),
            ),
            launch_time: inquiry
                .required("LaunchTime", answer.launch_time.and_then(|time| time.fmt(Format::DateTime).ok())),
            metadata_options: inquiry
                .required("MetadataOptions", answer.metadata_options.take())
                .map(|options| metadata_options(inquiry, options)),
            root_device_type: inquiry
                .required("RootDeviceType", answer.root_device_type.as_ref().map(|kind| kind.as_str().to_owned())),
            root_volume: self.root_volume(&mut answer),
            monitoring: inquiry
                .required("Monitoring", answer.monitoring.as_ref().and_then(|monitoring| monitoring.state.clone()))
                .map(|state| matches!(state, MonitoringState::Enabled | MonitoringState::Pending)),
            iam_instance_profile: self.instance_profile(&answer),
            vpc_security_groups: self.security_groups(&network_interfaces, answer.security_groups.take()),
            network_interfaces,
            vpc_id: Fact::Known(answer.vpc_id),
            tags: Fact::Known(tags(answer.tags)),
            ..Instance::default()
        }
    }

    /// The volume at the root device name. A gap in the mappings is no failure of the call: an instance
    /// that is stopped, or that has only just been made, may have no root volume.
    fn root_volume(&mut self, answer: &mut Answer) -> Fact<Option<Link<Volume>>> {
        if answer.root_device_type == Some(DeviceType::InstanceStore) {
            return Fact::Known(None);
        }
        let Some(mappings) = answer.block_device_mappings.take() else {
            return Fact::Unknown(self.inquiry.lacks("BlockDeviceMappings"));
        };
        let Some(root) = answer.root_device_name.take() else {
            return Fact::Unknown(self.inquiry.lacks("RootDeviceName"));
        };
        let volume = mappings
            .into_iter()
            .find(|mapping| mapping.device_name.as_ref() == Some(&root))
            .and_then(|mapping| mapping.ebs?.volume_id);
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

    fn instance_profile(&mut self, answer: &Answer) -> Fact<Option<Link<InstanceProfile>>> {
        let Some(profile) = &answer.iam_instance_profile else {
            return Fact::Known(None);
        };
        let arn = profile.arn.as_deref().and_then(Arn::parse);
        let Some(arn) = arn else {
            // Which profile it is remains unknown, and so may its role.
            let gap = self.inquiry.lacks("IamInstanceProfile.Arn");
            self.inquiry.unlisted(&gap);
            return Fact::Unknown(gap);
        };
        let key = Key::global(last_segment(arn.resource));
        self.found.instance_profiles.insert(key.clone());
        Fact::Known(Some(Link::to(key)))
    }

    fn network_interfaces(&mut self, answer: Option<Vec<InstanceNetworkInterface>>) -> Fact<Vec<NetworkInterface>> {
        let inquiry = self.inquiry;
        let interfaces = inquiry.required("NetworkInterfaces", answer);
        interfaces.map(|interfaces| interfaces.into_iter().map(|interface| self.network_interface(interface)).collect())
    }

    fn network_interface(&mut self, answer: InstanceNetworkInterface) -> NetworkInterface {
        let inquiry = self.inquiry;
        let (private_ips, ipv6_addresses) = match addresses(&answer) {
            Ok((private_ips, ipv6_addresses)) => (Fact::Known(private_ips), Fact::Known(ipv6_addresses)),
            Err(member) => {
                let gap = inquiry.lacks(member);
                (Fact::Unknown(gap.clone()), Fact::Unknown(gap))
            }
        };
        let groups = answer.groups.map(|groups| groups.into_iter().map(|group| group.group_id).collect::<Option<_>>());
        let groups: Fact<Vec<String>> = inquiry.required("NetworkInterfaces.Groups", groups.flatten());
        if let Fact::Unknown(gap) = &groups {
            inquiry.unlisted(gap);
        }
        NetworkInterface {
            network_interface_id: inquiry.required("NetworkInterfaces.NetworkInterfaceId", answer.network_interface_id),
            private_ips,
            ipv6_addresses,
            security_groups: groups.map(|groups| self.links(groups)),
        }
    }

    /// The groups of all interfaces, and those that the instance itself names: it may not be attached yet.
    fn security_groups(
        &mut self,
        interfaces: &Fact<Vec<NetworkInterface>>,
        own: Option<Vec<aws_sdk_ec2::types::GroupIdentifier>>,
    ) -> Fact<Vec<Link<SecurityGroup>>> {
        let interfaces = match interfaces {
            Fact::Known(interfaces) => interfaces,
            Fact::Unknown(gap) => {
                self.inquiry.unlisted(gap);
                return Fact::Unknown(gap.clone());
            }
        };
        let own: Option<Vec<String>> = own.unwrap_or_default().into_iter().map(|group| group.group_id).collect();
        let Some(own) = own else { return Fact::Unknown(self.lacks_groups()) };
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
fn addresses(answer: &InstanceNetworkInterface) -> Result<(Vec<String>, Vec<String>), &'static str> {
    let private_ips: Option<Vec<String>> =
        answer.private_ip_addresses().iter().map(|address| address.private_ip_address.clone()).collect();
    let ipv6_addresses: Option<Vec<String>> =
        answer.ipv6_addresses().iter().map(|address| address.ipv6_address.clone()).collect();
    let private_ips = private_ips.ok_or("NetworkInterfaces.PrivateIpAddresses.PrivateIpAddress")?;
    let ipv6_addresses = ipv6_addresses.ok_or("NetworkInterfaces.Ipv6Addresses.Ipv6Address")?;
    // The primary address stands beside the list of them all, too.
    if private_ips.is_empty() && (ipv6_addresses.is_empty() || answer.private_ip_address.is_some()) {
        return Err("NetworkInterfaces.PrivateIpAddresses");
    }
    Ok((private_ips, ipv6_addresses))
}

fn metadata_options(inquiry: Inquiry<'_>, answer: InstanceMetadataOptionsResponse) -> MetadataOptions {
    MetadataOptions {
        http_tokens: inquiry
            .required("MetadataOptions.HttpTokens", answer.http_tokens.map(|value| value.as_str().to_owned())),
        http_endpoint: inquiry
            .required("MetadataOptions.HttpEndpoint", answer.http_endpoint.map(|value| value.as_str().to_owned())),
        http_put_response_hop_limit: inquiry
            .required("MetadataOptions.HttpPutResponseHopLimit", answer.http_put_response_hop_limit.map(i64::from)),
        instance_metadata_tags: inquiry.required(
            "MetadataOptions.InstanceMetadataTags",
            answer.instance_metadata_tags.map(|value| value.as_str().to_owned()),
        ),
    }
}

#[cfg(test)]
mod tests {
    use aws_sdk_ec2::types::{InstanceIpv6Address, InstancePrivateIpAddress};

    use super::*;

    #[test]
    fn an_interface_without_any_address_is_a_gap() {
        let interface = InstanceNetworkInterface::builder;
        let ipv4 = InstancePrivateIpAddress::builder().private_ip_address("10.0.0.1").build();
        let ipv6 = InstanceIpv6Address::builder().ipv6_address("2001:db8::1").build();
        assert!(addresses(&interface().build()).is_err());
        assert!(addresses(&interface().private_ip_address("10.0.0.1").ipv6_addresses(ipv6.clone()).build()).is_err());
        assert!(
            addresses(&interface().private_ip_addresses(InstancePrivateIpAddress::builder().build()).build()).is_err()
        );
        assert_eq!(
            addresses(&interface().private_ip_addresses(ipv4).build()),
            Ok((vec!["10.0.0.1".to_owned()], Vec::new()))
        );
        assert_eq!(
            addresses(&interface().ipv6_addresses(ipv6).build()),
            Ok((Vec::new(), vec!["2001:db8::1".to_owned()]))
        );
    }
}
