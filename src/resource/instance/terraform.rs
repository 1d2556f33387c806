//! Instances: `aws_instance`, and those that `aws_launch_template` and `aws_launch_configuration` stand for, alone or in
//! an `aws_autoscaling_group`. What an instance does not say, its launch template says.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;

use super::schema::{Instance, MetadataOptions};
use super::terraform_interfaces::interface;
use super::terraform_launch::Supplied;
use crate::collect::terraform::block_view::BlockView;
use crate::collect::terraform::file::Span;
use crate::collect::terraform::instance::Instance as Resource;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::{Nature, UnknownValue, Value};
use crate::model::{Fact, Gap, ResourceType, symbol};

pub(super) const TEMPLATES: &[&str] = &["aws_launch_template"];

/// The names that root devices have.
const ROOT_DEVICES: &[&str] = &["/dev/xvda", "/dev/sda1"];

/// What configures an instance, the nearest first.
pub(crate) struct Layers {
    pub(super) layers: Vec<BlockView>,
    /// Why there may be one more below.
    below: Option<Arc<Gap>>,
    /// What launches from a template, where that supplies settings that the template leaves out.
    pub(super) supplied: Supplied,
}

/// A value and its place; none where nothing sets it.
pub(crate) type Setting = Result<Option<(Value, Option<Span>)>, Arc<Gap>>;

impl Layers {
    /// The first layer that has something to say.
    pub(crate) fn first(&self, read: impl Fn(&BlockView) -> Setting) -> Setting {
        for layer in &self.layers {
            match read(layer)? {
                Some((Value::Null, _)) | None => {}
                found => return Ok(found),
            }
        }
        match &self.below {
            Some(gap) => Err(Arc::clone(gap)),
            None => Ok(None),
        }
    }

    /// Returns a setting; what supplies it where no layer does.
    fn or_supplied(setting: Setting, supplied: Option<&Arc<Gap>>) -> Setting {
        match (setting, supplied) {
            (Ok(None | Some((Value::Null, _))), Some(gap)) => Err(Arc::clone(gap)),
            (setting, _) => setting,
        }
    }

    /// An attribute of a nested block.
    fn nested(&self, block: &str, name: &str) -> Setting {
        self.first(|view| {
            let block = view.block(block)?;
            Ok(block.map(|block| (block.get(name), block.span_of(name).or(Some(block.span())))))
        })
    }
}

fn kind(view: &BlockView) -> &str {
    &view.instance.kind
}

/// An attribute that instances have themselves, and templates in a block.
fn attribute_or_block(view: &BlockView, attribute: &str, block: &str, name: &str) -> Setting {
    if TEMPLATES.contains(&kind(view)) {
        let block = view.block(block)?;
        return Ok(block.map(|block| (block.get(name), block.span_of(name).or(Some(block.span())))));
    }
    Ok(Some((view.get(attribute), view.span_of(attribute))))
}

/// The value of a setting.
pub(crate) fn value(setting: &Setting) -> Value {
    match setting {
        Ok(Some((value, _))) => value.clone(),
        Ok(None) => Value::Null,
        Err(gap) => Value::Unknown(UnknownValue::new(Arc::clone(gap), Nature::Open)),
    }
}

pub(crate) fn span(setting: &Setting) -> Option<Span> {
    setting.as_ref().ok().and_then(|found| found.as_ref()).and_then(|(_, span)| *span)
}

impl Mapper {
    /// All instances that the code makes.
    pub(crate) fn instances(&mut self) {
        for kind in ["aws_instance", "aws_spot_instance_request"] {
            for resource in self.all(kind) {
                let layers = self.layers_of(&resource);
                self.put_instance(&resource, &layers);
            }
        }
        for resource in self.all("aws_launch_configuration") {
            let layers = Layers { layers: vec![resource.view()], below: None, supplied: Supplied::default() };
            self.put_instance(&resource, &layers);
        }
        for template in self.all("aws_launch_template") {
            // What only instances of the code are launched from is judged with each of them.
            if let Some(supplied) = self.supplied_to(&template) {
                let layers = Layers { layers: vec![template.view()], below: None, supplied };
                self.put_instance(&template, &layers);
            }
        }
        self.launchers();
    }

    fn layers_of(&self, resource: &Rc<Resource>) -> Layers {
        let view = resource.view();
        let below = match view.block("launch_template") {
            Err(gap) => Err(gap),
            Ok(None) => Ok(None),
            Ok(Some(block)) => self.template_of(&block),
        };
        let supplied = Supplied::default();
        match below {
            Err(gap) => Layers { layers: vec![view], below: Some(gap), supplied },
            Ok(None) => Layers { layers: vec![view], below: None, supplied },
            Ok(Some(template)) => Layers { layers: vec![view, template.view()], below: None, supplied },
        }
    }

    fn put_instance(&mut self, resource: &Rc<Resource>, layers: &Layers) {
        let key = Self::key_of(ResourceType::Instance, resource);
        let mut mapped: Mapped<Instance> = Mapped::new();
        let options = self.metadata_options(resource, layers, &mut mapped);
        let monitoring = layers.first(|view| match kind(view) {
            "aws_launch_configuration" => Ok(Some((view.get("enable_monitoring"), view.span_of("enable_monitoring")))),
            _ => attribute_or_block(view, "monitoring", "monitoring", "enabled"),
        });
        mapped.at("monitoring", span(&monitoring));
        // Only launch configurations ask for it unless told otherwise.
        let unset = *resource.kind == *"aws_launch_configuration";
        let monitoring = Layers::or_supplied(monitoring, layers.supplied.others.as_ref());
        let monitoring = fact::or(fact::flag(&value(&monitoring)), || unset);
        let profile = layers.first(|view| {
            let by_name = attribute_or_block(view, "iam_instance_profile", "iam_instance_profile", "name")?;
            match by_name {
                Some((Value::Null, _)) | None if TEMPLATES.contains(&kind(view)) => {
                    attribute_or_block(view, "iam_instance_profile", "iam_instance_profile", "arn")
                }
                found => Ok(found),
            }
        });
        mapped.at("iam_instance_profile", span(&profile));
        let profile = match (&profile, &layers.supplied) {
            (Ok(None | Some((Value::Null, _))), Supplied { node_group: Some(group), .. }) => {
                self.profile_of_service(&group.attribute("node_role_arn"), group, Judged::Yes)
            }
            // What supplies it is not known, and so may be any role; none of the code is thereby hidden.
            (Ok(None | Some((Value::Null, _))), Supplied { access: Some(gap), .. }) => Fact::Unknown(Arc::clone(gap)),
            _ => self.profile_link(&value(&profile), resource),
        };
        let subnet = layers.first(|view| Ok(Some((view.get("subnet_id"), view.span_of("subnet_id")))));
        let vpc = self.vpc_of_subnet(&value(&subnet), resource);
        let (groups, vpc) = self.groups(resource, layers, vpc, &mut mapped);
        if let Err(gap) = &groups {
            self.unlisted(ResourceType::SecurityGroup, resource.region(), gap);
        }
        let further = self.further_groups(resource, layers, &vpc);
        let root = self.root_block(layers);
        if let Ok(Some(view)) = &root {
            mapped.at("root_volume", Some(view.span()));
            mapped.at("root_volume.encrypted", view.span_of("encrypted").or(Some(view.span())));
            mapped.at("root_volume.kms_key", view.span_of("kms_key_id").or(Some(view.span())));
        }
        let tags = self.instance_tags(resource, layers, &mut mapped);
        mapped.resource = Instance {
            arn: self.told(resource, "arn"),
            instance_state: Fact::Known("running".to_owned()),
            launch_time: Fact::Unknown(Self::not_told("code does not tell when an instance is launched")),
            metadata_options: Fact::Known(options),
            root_device_type: Fact::Known("ebs".to_owned()),
            root_volume: Fact::Known(Some(self.put_root_volume(resource, root))),
            monitoring,
            iam_instance_profile: profile,
            default_host_management_role: Fact::Known(None),
            operator: Fact::Known(None),
            vpc_id: self.declared_vpc(&vpc, resource),
            network_interfaces: groups
                .as_ref()
                .map(|groups| vec![interface(layers, groups)])
                .map_err(Arc::clone)
                .into(),
            vpc_security_groups: groups.map(|groups| [groups, further].concat()).into(),
            vpc_endpoints: Fact::default(),
            tags,
            managed_instance: Fact::default(),
        };
        self.put(key, resource, mapped, Judged::Yes);
    }

    /// What the code sets, what it sets for all instances of the region, or AWS's default.
    fn metadata_options(
        &self,
        resource: &Rc<Resource>,
        layers: &Layers,
        mapped: &mut Mapped<Instance>,
    ) -> MetadataOptions {
        let defaults = self.in_region("aws_ec2_instance_metadata_defaults", resource);
        let mut setting = |path: &'static str, name: &str| {
            let own = layers.nested("metadata_options", name);
            mapped.at(path, span(&own));
            let own = match value(&own) {
                // A state has these for what is left out.
                Value::Text(text) if text.is_empty() => Value::Null,
                Value::Number(0.0) => Value::Null,
                own => own,
            };
            match (own, &defaults) {
                (Value::Null, Err(gap)) => Value::Unknown(UnknownValue::new(Arc::clone(gap), Nature::Open)),
                (Value::Null, Ok(Some(defaults))) => match &defaults.uncertain {
                    Some(gap) => Value::Unknown(UnknownValue::new(Arc::clone(gap), Nature::Open)),
                    None => match defaults.view().get(name) {
                        // The words for leaving it as it was.
                        Value::Text(text) if *text == *"no-preference" => Value::Null,
                        Value::Number(number) if number < 0.0 => Value::Null,
                        value => value,
                    },
                },
                (value, _) => value,
            }
        };
        let tokens = setting("metadata_options.http_tokens", "http_tokens");
        let endpoint = setting("metadata_options.http_endpoint", "http_endpoint");
        let hops = setting("metadata_options.http_put_response_hop_limit", "http_put_response_hop_limit");
        let tags = setting("metadata_options.instance_metadata_tags", "instance_metadata_tags");
        let context = &self.context;
        MetadataOptions {
            // AWS's own default accepts IMDSv1.
            http_tokens: fact::or(fact::text(context, &tokens), || LEFT_OUT.to_owned()),
            http_endpoint: told("http_endpoint", fact::text(context, &endpoint), resource),
            http_put_response_hop_limit: told("http_put_response_hop_limit", fact::whole(context, &hops), resource),
            instance_metadata_tags: told("instance_metadata_tags", fact::text(context, &tags), resource),
        }
    }

    /// The block that configures the root volume.
    fn root_block(&self, layers: &Layers) -> Result<Option<BlockView>, Arc<Gap>> {
        for view in &layers.layers {
            if let Some(block) = view.block("root_block_device")? {
                return Ok(Some(block));
            }
            let mut roots = Vec::new();
            for mapping in view.blocks("block_device_mappings")? {
                match fact::text(&self.context, &mapping.get("device_name")) {
                    Fact::Known(Some(name)) if ROOT_DEVICES.contains(&&*name) => roots.push(mapping),
                    Fact::Known(_) => {}
                    Fact::Unknown(gap) => return Err(gap),
                }
            }
            match roots.as_slice() {
                [] => {}
                [root] => return root.block("ebs"),
                [_, second, ..] => {
                    let why = "which of the devices is the root device is decided by the image";
                    return Err(fact::left_open(second, why));
                }
            }
        }
        match &layers.below {
            Some(gap) => Err(Arc::clone(gap)),
            None => Ok(None),
        }
    }

    /// The VPC, where the code declares it: then its endpoints are those that the code declares.
    fn declared_vpc(&self, vpc: &Value, resource: &Rc<Resource>) -> Fact<Option<String>> {
        let kinds = &["aws_vpc", "aws_default_vpc"];
        match self.target(vpc, kinds, resource) {
            Reference::Declared(declared) => fact::text(&self.context, &declared.attribute("id")),
            _ => Fact::Unknown(Self::not_told("the VPC is not declared in this code, and so may not be its endpoints")),
        }
    }

    fn instance_tags(
        &self,
        resource: &Rc<Resource>,
        layers: &Layers,
        mapped: &mut Mapped<Instance>,
    ) -> Fact<BTreeMap<String, String>> {
        let mut tags = BTreeMap::new();
        for view in layers.layers.iter().rev() {
            let own = match kind(view) {
                "aws_launch_template" => self.template_tags(view, mapped),
                "aws_launch_configuration" => Fact::Known(BTreeMap::new()),
                // They are those of the request, and not of what it launches.
                "aws_spot_instance_request" => {
                    mapped.at("tags", view.span_of("tags"));
                    Fact::Known(BTreeMap::new())
                }
                _ => {
                    mapped.at("tags", view.span_of("tags"));
                    self.tags(view)
                }
            };
            match own {
                Fact::Known(own) => fact::overlay(&mut tags, own),
                Fact::Unknown(gap) => return Fact::Unknown(gap),
            }
        }
        if let Some(gap) = &layers.below {
            return Fact::Unknown(Arc::clone(gap));
        }
        if let Some(gap) = &layers.supplied.others {
            // Further tags may be supplied, and none is taken away.
            if tags.is_empty() {
                return Fact::Unknown(Arc::clone(gap));
            }
            tags.insert(symbol::PERHAPS.to_owned(), String::new());
            return Fact::Known(tags);
        }
        match self.group_tags(resource) {
            Ok(more) => fact::overlay(&mut tags, more),
            Err(gap) => return Fact::Unknown(gap),
        }
        Fact::Known(tags)
    }

    /// The tags that a launch template gives to instances.
    fn template_tags(&self, view: &BlockView, mapped: &mut Mapped<Instance>) -> Fact<BTreeMap<String, String>> {
        let mut tags = BTreeMap::new();
        let blocks = match view.blocks("tag_specifications") {
            Ok(blocks) => blocks,
            Err(gap) => return Fact::Unknown(gap),
        };
        for block in blocks {
            match fact::text(&self.context, &block.get("resource_type")) {
                Fact::Known(Some(kind)) if kind == "instance" => {}
                Fact::Known(_) => continue,
                Fact::Unknown(gap) => return Fact::Unknown(gap),
            }
            mapped.at("tags", block.span_of("tags").or(Some(block.span())));
            match fact::texts_by_name(&self.context, &block.get("tags")) {
                Fact::Known(own) => fact::overlay(&mut tags, own),
                Fact::Unknown(gap) => return Fact::Unknown(gap),
            }
        }
        Fact::Known(tags)
    }
}

/// What is said of `http_tokens` where the code leaves it out.
const LEFT_OUT: &str =
    "optional by AWS's default, from which that of the image or the account may differ (set it explicitly)";

/// Returns a metadata option, which the defaults of the image and of the account decide where it is left out.
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-metadata-options-order-of-precedence.html>
fn told<T>(name: &str, option: Fact<Option<T>>, resource: &Rc<Resource>) -> Fact<T> {
    match option {
        Fact::Known(Some(value)) => Fact::Known(value),
        Fact::Unknown(gap) => Fact::Unknown(gap),
        Fact::Known(None) => {
            let advice = match (&*resource.kind, name) {
                ("aws_launch_configuration", "instance_metadata_tags") => {
                    "a launch configuration cannot set it: use a launch template"
                }
                _ => "set it explicitly",
            };
            let why = format!("{name} is not set, so the default of the image or the account decides: {advice}");
            Fact::Unknown(fact::left_open(&resource.view(), &why))
        }
    }
}
