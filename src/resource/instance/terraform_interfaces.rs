//! Network interfaces of instances, and the security groups on them.

use std::rc::Rc;
use std::sync::Arc;

use super::schema::{Instance, NetworkInterface};
use super::terraform::{Layers, Setting, span, value};
use crate::collect::terraform::block_view::BlockView;
use crate::collect::terraform::instance::Instance as Resource;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{ByAddress, MOST_LINKS, Mapped, Mapper, fact};
use crate::collect::terraform::value::Value;
use crate::model::{Entry, Fact, Gap, Key, Link, ResourceType};
use crate::resource::security_group::schema::SecurityGroup;

const INTERFACE: &[&str] = &["aws_network_interface"];

/// The blocks that configure the interfaces of an instance.
const INTERFACE_BLOCKS: [&str; 3] = ["network_interfaces", "network_interface", "primary_network_interface"];

/// Interfaces that are attached to instances by themselves or by a resource of their own.
#[derive(Default)]
pub(crate) struct Attached {
    by_instance: ByAddress,
    /// Why any instance may have a further one.
    loose: Option<Arc<Gap>>,
}

/// Returns the values of a setting that is a list, or one value.
fn listed(setting: Setting) -> Result<Vec<Value>, Arc<Gap>> {
    match setting? {
        None | Some((Value::Null, _)) => Ok(Vec::new()),
        Some((Value::List(items) | Value::Set(items), _)) => Ok(items.to_vec()),
        Some((Value::Unknown(hole), _)) => Err(Arc::clone(&hole.gap)),
        Some((one, _)) => Ok(vec![one]),
    }
}

impl Mapper {
    /// The security groups, and the VPC where they tell.
    pub(crate) fn groups(
        &mut self,
        resource: &Rc<Resource>,
        layers: &Layers,
        vpc: Value,
        mapped: &mut Mapped<Instance>,
    ) -> (Result<Vec<Link<SecurityGroup>>, Arc<Gap>>, Value) {
        let named = layers.first(|view| self.groups_of(view));
        mapped.at("vpc_security_groups", span(&named));
        mapped.at("network_interfaces", span(&named));
        if let (Ok(None), Some(gap)) = (&named, &layers.supplied.access) {
            return (Ok(vec![self.unread_group(resource, "security_groups", gap)]), vpc);
        }
        let kind = "aws_network_interface_sg_attachment";
        let kinds = &["aws_instance", "aws_network_interface"];
        let more = match self.associations(kind, "network_interface_id", resource, kinds) {
            Ok(more) => more,
            Err(gap) => return (Err(gap), vpc),
        };
        let mut values = match listed(named) {
            Ok(values) => values,
            Err(gap) => return (Err(gap), vpc),
        };
        let inherited = values.is_empty();
        values.extend(more.iter().map(|attachment| attachment.attribute("security_group_id")));
        let values = match self.bounded(values, resource) {
            Ok(values) => values,
            Err(gap) => return (Err(gap), vpc),
        };
        let vpc = match vpc {
            Value::Null => values
                .iter()
                .find_map(|value| {
                    match self.target(value, crate::resource::security_group::terraform::GROUPS, resource) {
                        Reference::Declared(group) => Some(group.attribute("vpc_id")),
                        _ => None,
                    }
                })
                .unwrap_or(Value::Null),
            vpc => vpc,
        };
        let mut links = Vec::new();
        if inherited {
            links.push(self.default_group(resource, &vpc));
        }
        for (index, value) in values.iter().enumerate() {
            links.extend(self.group_link(value, resource, index).filter(|link| !links.contains(link)));
        }
        (Ok(links), vpc)
    }

    /// Returns a group of which nothing is known but that it is there.
    fn unread_group(&mut self, resource: &Rc<Resource>, part: &str, gap: &Arc<Gap>) -> Link<SecurityGroup> {
        let key = Key { region: resource.region(), id: format!("{}/{part}", resource.address).into() };
        let entry = Entry { in_scope: false, ..Entry::unread(gap) };
        self.inventory.security_groups.insert(key.clone(), entry);
        Link::to(key)
    }

    /// The groups that one layer names.
    fn groups_of(&self, view: &BlockView) -> Setting {
        for name in ["vpc_security_group_ids", "security_groups", "security_group_names"] {
            match view.get(name) {
                Value::Null => {}
                Value::List(items) | Value::Set(items) if items.is_empty() => {}
                value => return Ok(Some((value, view.span_of(name)))),
            }
        }
        // Of the first interface: the agent uses the primary one.
        for block in INTERFACE_BLOCKS {
            if let Some(interface) = self.primary_first(view.blocks(block)?)?.0
                && let Some(groups) = self.groups_of_block(&interface)?
            {
                return Ok(Some(groups));
            }
        }
        Ok(None)
    }

    /// The groups of an interface that a block configures.
    fn groups_of_block(&self, interface: &BlockView) -> Setting {
        match interface.get("security_groups") {
            Value::Null => {}
            value => return Ok(Some((value, interface.span_of("security_groups")))),
        }
        match self.target(&interface.get("network_interface_id"), INTERFACE, &interface.instance) {
            Reference::None => Ok(None),
            Reference::Declared(declared) => {
                Ok(Some((self.groups_of_interface(&declared)?, Some(declared.block.span))))
            }
            Reference::Named(id) => {
                Err(fact::left_open(interface, &format!("the interface {id} is not declared in this code")))
            }
            Reference::Unknown(gap) | Reference::Outside(gap) => Err(gap),
        }
    }

    /// The groups of an interface that is a resource of its own.
    fn groups_of_interface(&self, declared: &Rc<Resource>) -> Result<Value, Arc<Gap>> {
        let kinds = &["aws_instance", "aws_network_interface"];
        let more = self.associations("aws_network_interface_sg_attachment", "network_interface_id", declared, kinds)?;
        let more: Vec<Value> = more.iter().map(|attachment| attachment.attribute("security_group_id")).collect();
        Ok(match declared.attribute("security_groups") {
            groups if more.is_empty() => groups,
            Value::List(items) | Value::Set(items) => Value::list(items.iter().cloned().chain(more).collect()),
            Value::Null => Value::list(more),
            groups => groups,
        })
    }

    /// Returns the primary interface, which is that of the lowest device index, and the further ones. One without an
    /// index is of the index 0.
    fn primary_first(&self, mut interfaces: Vec<BlockView>) -> Result<(Option<BlockView>, Vec<BlockView>), Arc<Gap>> {
        if interfaces.len() < 2 {
            return Ok((interfaces.pop(), Vec::new()));
        }
        let index = |interface: &BlockView| match fact::whole(&self.context, &interface.get("device_index")) {
            Fact::Known(index) => Ok(index.unwrap_or(0)),
            Fact::Unknown(gap) => Err(gap),
        };
        let indices = interfaces.iter().map(index).collect::<Result<Vec<i64>, _>>()?;
        let first = (0..indices.len()).min_by_key(|position| indices[*position]).unwrap_or(0);
        let primary = interfaces.remove(first);
        Ok((Some(primary), interfaces))
    }

    /// The groups of the further interfaces of an instance.
    pub(super) fn further_groups(
        &mut self,
        resource: &Rc<Resource>,
        layers: &Layers,
        vpc: &Value,
    ) -> Vec<Link<SecurityGroup>> {
        let mut named: Vec<Setting> = Vec::new();
        for view in &layers.layers {
            for block in INTERFACE_BLOCKS {
                match view.blocks(block).and_then(|interfaces| self.primary_first(interfaces)) {
                    Ok((_, further)) => named.extend(further.iter().map(|interface| self.groups_of_block(interface))),
                    Err(gap) => named.push(Err(gap)),
                }
            }
        }
        let attached = self.attached_interfaces();
        named.extend(attached.loose.iter().cloned().map(Err));
        for interface in attached.by_instance.get(&resource.address).into_iter().flatten() {
            named.push(self.groups_of_interface(interface).map(|groups| Some((groups, None))));
        }
        let mut links: Vec<Link<SecurityGroup>> = Vec::new();
        for (number, groups) in named.into_iter().enumerate() {
            let groups = listed(groups).and_then(|groups| self.bounded(groups, resource));
            let of_one = match groups {
                Ok(groups) if groups.is_empty() => vec![self.default_group(resource, vpc)],
                Ok(groups) => {
                    let first = number * MOST_LINKS;
                    let link = |(index, group)| self.group_link(group, resource, first + index);
                    groups.iter().enumerate().filter_map(link).collect()
                }
                Err(gap) => {
                    self.unlisted(ResourceType::SecurityGroup, resource.region(), &gap);
                    vec![self.unread_group(resource, &format!("network_interfaces[{number}]"), &gap)]
                }
            };
            links.extend(of_one.into_iter().filter(|link| !links.contains(link)).collect::<Vec<_>>());
        }
        links
    }

    /// The interfaces that are attached to instances by themselves or by a resource of their own.
    fn attached_interfaces(&self) -> Rc<Attached> {
        if let Some(known) = &*self.interfaces.borrow() {
            return Rc::clone(known);
        }
        let mut attached = Attached::default();
        let mut unread = None;
        let mut attach = |instance: &Value, interface: Reference, by: &Rc<Resource>| {
            let interface = match interface {
                Reference::Declared(interface) => Ok(interface),
                Reference::Unknown(gap) | Reference::Outside(gap) => Err(gap),
                Reference::Named(id) => {
                    Err(fact::left_open(&by.view(), &format!("the interface {id} is not declared in this code")))
                }
                Reference::None => return,
            };
            match (self.target(instance, &["aws_instance"], by), interface) {
                (Reference::Declared(instance), Ok(interface)) => {
                    attached.by_instance.entry(instance.address.clone()).or_default().push(interface);
                }
                (Reference::Declared(_), Err(gap)) | (Reference::Unknown(gap), _) => attached.loose = Some(gap),
                (Reference::None | Reference::Named(_) | Reference::Outside(_), _) => {}
            }
        };
        for interface in self.everywhere("aws_network_interface") {
            match interface.view().blocks("attachment") {
                Ok(attachments) => {
                    for attachment in attachments {
                        attach(&attachment.get("instance"), Reference::Declared(Rc::clone(&interface)), &interface);
                    }
                }
                Err(gap) => unread = Some(gap),
            }
        }
        for attachment in self.everywhere("aws_network_interface_attachment") {
            let interface = self.target(&attachment.attribute("network_interface_id"), INTERFACE, &attachment);
            attach(&attachment.attribute("instance_id"), interface, &attachment);
        }
        attached.loose = attached.loose.or(unread);
        let attached = Rc::new(attached);
        *self.interfaces.borrow_mut() = Some(Rc::clone(&attached));
        attached
    }
}

/// The network interface of an instance.
pub(crate) fn interface(layers: &Layers, groups: &[Link<SecurityGroup>]) -> NetworkInterface {
    let asks = |name: &str| {
        let setting = layers.first(|view| Ok(Some((view.get(name), None))));
        match value(&setting) {
            Value::Null => false,
            Value::Number(count) => count > 0.0,
            Value::List(items) | Value::Set(items) => !items.is_empty(),
            _ => true,
        }
    };
    let ipv6 = asks("ipv6_address_count") || asks("ipv6_addresses") || asks("enable_primary_ipv6");
    let gap = Mapper::not_told("the addresses of an instance are known to AWS only");
    NetworkInterface {
        network_interface_id: Fact::Unknown(Arc::clone(&gap)),
        private_ips: Fact::Unknown(Arc::clone(&gap)),
        ipv6_addresses: if ipv6 { Fact::Unknown(gap) } else { Fact::Known(Vec::new()) },
        security_groups: Fact::Known(groups.to_vec()),
    }
}
