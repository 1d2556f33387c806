//! Interface endpoints, and the addresses that they will have.

use super::schema::VpcEndpoint;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::associations::set_twice;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::Value;
use crate::model::{Fact, Gap, ResourceType};
use std::rc::Rc;
use std::sync::Arc;

const ENDPOINTS: &[&str] = &["aws_vpc_endpoint"];

/// The services that the agent talks to.
const SERVICES: &[&str] = &["ssm", "ssmmessages"];

impl Mapper {
    /// The endpoints that the agent can use.
    pub(crate) fn vpc_endpoints(&mut self) {
        for endpoint in self.all("aws_vpc_endpoint") {
            let service = match fact::text(&self.context, &endpoint.attribute("service_name")) {
                Fact::Known(service) => service.unwrap_or_default(),
                Fact::Unknown(gap) => match &gap.symbol {
                    Some(symbol) if symbol.contains('.') => symbol.to_string(),
                    _ => {
                        self.unlisted(ResourceType::VpcEndpoint, endpoint.region(), &gap);
                        continue;
                    }
                },
            };
            let service = service.rsplit('.').next().unwrap_or_default().to_owned();
            if SERVICES.contains(&&*service) {
                self.put_endpoint(&endpoint, service);
            }
        }
    }

    fn put_endpoint(&mut self, endpoint: &Rc<Instance>, service: String) {
        let key = Self::key_of(ResourceType::VpcEndpoint, endpoint);
        let view = endpoint.view();
        let mut mapped: Mapped<VpcEndpoint> = Mapped::new();
        mapped.resource = VpcEndpoint {
            vpc_id: fact::or(fact::text(&self.context, &view.get("vpc_id")), String::new),
            service: Fact::Known(service),
            state: Fact::Known("available".to_owned()),
            private_dns_enabled: self.private_dns(endpoint),
            security_group_ids: self.endpoint_groups(endpoint).into(),
            private_ips: self.endpoint_ranges(endpoint).map_or_else(|| self.endpoint_addresses(endpoint), Fact::Known),
        };
        self.put(key, endpoint, mapped, Judged::Yes);
    }

    /// Private DNS, which the endpoint sets or a resource of its own.
    fn private_dns(&self, endpoint: &Rc<Instance>) -> Fact<bool> {
        let flag = |by: &Rc<Instance>| fact::flag(&by.view().get("private_dns_enabled"));
        let apart = match self.association("aws_vpc_endpoint_private_dns", "vpc_endpoint_id", endpoint, ENDPOINTS) {
            Err(gap) => return Fact::Unknown(gap),
            Ok(None) => return fact::or(flag(endpoint), || false),
            Ok(Some(apart)) => apart,
        };
        match (flag(endpoint), flag(&apart)) {
            (Fact::Known(None), set) => fact::or(set, || false),
            (own, set) if own != set && self.is_written(endpoint) => Fact::Unknown(set_twice(&apart, endpoint)),
            (_, set) => fact::or(set, || false),
        }
    }

    /// Returns addresses that are not known: what needs them cannot be decided.
    fn endpoint_addresses(&self, endpoint: &Rc<Instance>) -> Fact<Vec<String>> {
        match fact::text(&self.context, &endpoint.told_by_aws("private_ip_id")) {
            Fact::Unknown(gap) => match &gap.symbol {
                Some(symbol) => Fact::Known(vec![symbol.to_string()]),
                None => Fact::Unknown(gap),
            },
            Fact::Known(_) => Fact::default(),
        }
    }

    /// Returns the ranges that the addresses of an endpoint are in: those of its subnets, or of its VPC.
    fn endpoint_ranges(&self, endpoint: &Rc<Instance>) -> Option<Vec<String>> {
        let range = |of: &Rc<Instance>| match fact::text(&self.context, &of.attribute("cidr_block")) {
            Fact::Known(range) => range,
            Fact::Unknown(_) => None,
        };
        let subnets = match endpoint.view().get("subnet_ids") {
            Value::List(items) | Value::Set(items) => items.to_vec(),
            _ => Vec::new(),
        };
        let subnet_of = |value: &Value| match self.target(value, &["aws_subnet"], endpoint) {
            Reference::Declared(subnet) => range(&subnet),
            _ => None,
        };
        let ranges: Option<Vec<String>> = subnets.iter().map(subnet_of).collect();
        if let Some(ranges) = ranges.filter(|ranges| !ranges.is_empty()) {
            return Some(ranges);
        }
        match self.target(&endpoint.view().get("vpc_id"), &["aws_vpc"], endpoint) {
            Reference::Declared(vpc) => {
                let more = "aws_vpc_ipv4_cidr_block_association";
                // Of several ranges, it is not known in which one an address will be.
                let more = self.associations(more, "vpc_id", &vpc, &["aws_vpc"]).ok()?;
                if more.is_empty() { Some(vec![range(&vpc)?]) } else { None }
            }
            _ => None,
        }
    }

    /// The ids of the groups, with the characters of holes.
    fn endpoint_groups(&self, endpoint: &Rc<Instance>) -> Result<Vec<String>, Arc<Gap>> {
        let kind = "aws_vpc_endpoint_security_group_association";
        let more = self.associations(kind, "vpc_endpoint_id", endpoint, ENDPOINTS)?;
        let mut values: Vec<Value> =
            more.iter().map(|association| association.attribute("security_group_id")).collect();
        match endpoint.view().get("security_group_ids") {
            Value::List(items) | Value::Set(items) => values.extend(items.iter().cloned()),
            Value::Unknown(hole) => return Err(Arc::clone(&hole.gap)),
            _ => {}
        }
        let id = |value: &Value| match fact::text(&self.context, value) {
            Fact::Known(id) => Ok(id.unwrap_or_default()),
            Fact::Unknown(gap) => gap.symbol.as_deref().map(str::to_owned).ok_or(gap),
        };
        values.iter().map(id).collect()
    }

    /// The VPC that a subnet is in: null where that is not for the code to say.
    pub(crate) fn vpc_of_subnet(&self, subnet: &Value, by: &Rc<Instance>) -> Value {
        match self.target(subnet, &["aws_subnet"], by) {
            Reference::Declared(subnet) => subnet.attribute("vpc_id"),
            _ => Value::Null,
        }
    }
}
