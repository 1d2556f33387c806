//! Launch templates and what launches from them: Auto Scaling groups, fleets, node groups and compute environments.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use super::schema::Instance;
use super::terraform::TEMPLATES;
use crate::collect::terraform::block_view::BlockView;
use crate::collect::terraform::instance::Instance as Resource;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{ByAddress, Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::{UnknownValue, Value};
use crate::model::{Entry, Fact, Gap, ResourceType, symbol};

/// Launchers that add nothing to their templates.
const FLEETS: &[&str] = &["aws_autoscaling_group", "aws_ec2_fleet", "aws_spot_fleet_request"];

/// Services that supply a profile and security groups to the instances that they launch from a template.
/// <https://docs.aws.amazon.com/eks/latest/userguide/launch-templates.html>
const SERVICES: &[&str] = &[NODE_GROUP, COMPUTE_ENVIRONMENT];

const NODE_GROUP: &str = "aws_eks_node_group";

const COMPUTE_ENVIRONMENT: &str = "aws_batch_compute_environment";

/// Launchers, each with the blocks that lead to the one that names a template.
static LAUNCHERS: &[(&str, &[&str])] = &[
    ("aws_instance", &["launch_template"]),
    ("aws_spot_instance_request", &["launch_template"]),
    ("aws_autoscaling_group", &["launch_template"]),
    ("aws_autoscaling_group", &["mixed_instances_policy", "launch_template", "launch_template_specification"]),
    (
        "aws_autoscaling_group",
        &["mixed_instances_policy", "launch_template", "override", "launch_template_specification"],
    ),
    (NODE_GROUP, &["launch_template"]),
    (COMPUTE_ENVIRONMENT, &["compute_resources", "launch_template"]),
    ("aws_ec2_fleet", &["launch_template_config", "launch_template_specification"]),
    ("aws_spot_fleet_request", &["launch_template_config", "launch_template_specification"]),
];

/// Settings that come from what launches from a template.
#[derive(Default)]
pub(crate) struct Supplied {
    /// The profile and the groups, and why they are not known.
    pub(crate) access: Option<Arc<Gap>>,
    /// All other settings but metadata options and volumes, which hardly anything supplies.
    pub(crate) others: Option<Arc<Gap>>,
    /// The node group whose role the instances have.
    pub(super) node_group: Option<Rc<Resource>>,
}

/// Returns the blocks at the end of a path of blocks.
fn nested(view: &BlockView, path: &[&str]) -> Result<Vec<BlockView>, Arc<Gap>> {
    path.iter().try_fold(vec![view.clone()], |views, name| {
        let inner = views.iter().map(|view| view.blocks(name)).collect::<Result<Vec<_>, _>>()?;
        Ok(inner.concat())
    })
}

/// Returns the blocks of a launcher that name launch templates.
fn specifications(launcher: &Rc<Resource>) -> Result<Vec<BlockView>, Arc<Gap>> {
    let paths = LAUNCHERS.iter().filter(|(kind, _)| *kind == &*launcher.kind);
    let blocks = paths.map(|(_, path)| nested(&launcher.view(), path)).collect::<Result<Vec<_>, _>>()?;
    Ok(blocks.concat())
}

impl Mapper {
    /// Returns the settings that come from what launches from a template; none where only instances of the code do.
    pub(super) fn supplied_to(&self, template: &Rc<Resource>) -> Option<Supplied> {
        let launching = self.groups_by_launch();
        let users = launching.get(&template.address).map(Vec::as_slice).unwrap_or_default();
        let is = |user: &Rc<Resource>, kinds: &[&str]| kinds.contains(&&*user.kind);
        if users.iter().any(|user| is(user, FLEETS)) {
            return Some(Supplied::default());
        }
        if let Some(user) = users.iter().find(|user| is(user, SERVICES)) {
            let gap = fact::left_open(&template.view(), &format!("{} supplies it to what it launches", user.address));
            let node_group = users.iter().find(|user| is(user, &[NODE_GROUP])).cloned();
            return Some(Supplied { access: Some(gap), others: None, node_group });
        }
        if !users.is_empty() {
            return None;
        }
        let gap = "the launch template leaves it to what launches from it, which is not in this code: set it here, or \
                   scan the code that launches";
        let gap = fact::left_open(&template.view(), gap);
        Some(Supplied { access: Some(Arc::clone(&gap)), others: Some(gap), node_group: None })
    }

    /// Returns the launch template that a block names, if the code shows the version that is launched.
    pub(super) fn template_of(&self, block: &BlockView) -> Result<Option<Rc<Resource>>, Arc<Gap>> {
        match self.named_template(block)? {
            Some(template) => match self.hidden_version(block, &template) {
                Some(gap) => Err(gap),
                None => Ok(Some(template)),
            },
            None => Ok(None),
        }
    }

    /// Returns why the version that a block launches is not the one that the code shows: that is the latest.
    /// <https://docs.aws.amazon.com/autoscaling/ec2/userguide/launch-templates.html>
    fn hidden_version(&self, block: &BlockView, template: &Rc<Resource>) -> Option<Arc<Gap>> {
        let refers_to = |hole: &UnknownValue, name: &str| {
            hole.gap.expression.as_deref() == Some(&*format!("{}.{name}", template.address))
        };
        let version = block.get("version");
        let hole = match &version {
            Value::Unknown(hole) => Some(Rc::clone(hole)),
            Value::Text(text) => self.context.symbols.hole_in(text),
            _ => None,
        };
        let is_default = match (&version, &hole) {
            (Value::Null, _) => true,
            (_, Some(hole)) if refers_to(hole, "latest_version") => return None,
            (_, Some(hole)) if refers_to(hole, "default_version") => true,
            (_, Some(hole)) => return Some(Arc::clone(&hole.gap)),
            (Value::Text(text), None) if **text == *"$Latest" => return None,
            (Value::Text(text), None) => text.is_empty() || **text == *"$Default",
            _ => false,
        };
        let latest = template.attribute("latest_version");
        let is_latest = |version: &Value| {
            let both = (fact::whole(&self.context, version), fact::whole(&self.context, &latest));
            matches!(both, (Fact::Known(Some(version)), Fact::Known(Some(latest))) if version == latest)
        };
        if is_default {
            let follows = fact::flag(&template.view().get("update_default_version")) == Fact::Known(Some(true));
            return (!follows && !is_latest(&template.attribute("default_version"))).then(|| {
                fact::left_open(
                    block,
                    "the default version of the launch template may not be the one in this code: set \
                     update_default_version on the template, or version to $Latest",
                )
            });
        }
        (!is_latest(&version)).then(|| {
            fact::left_open(
                block,
                "the version of the launch template that is launched may not be the one in this code: set version to \
                 $Latest, or scan the account",
            )
        })
    }

    /// The launch template that a block names by id or name.
    fn named_template(&self, block: &BlockView) -> Result<Option<Rc<Resource>>, Arc<Gap>> {
        for name in ["id", "name", "launch_template_id", "launch_template_name"] {
            match self.target(&block.get(name), TEMPLATES, &block.instance) {
                Reference::None => {}
                Reference::Declared(template) => return Ok(Some(template)),
                Reference::Named(name) => {
                    return Err(fact::left_open(
                        block,
                        &format!("the launch template {name} is not declared in this code"),
                    ));
                }
                Reference::Unknown(gap) | Reference::Outside(gap) => return Err(gap),
            }
        }
        Ok(None)
    }

    /// Puts in an instance for each launcher of which it is not known what it launches.
    pub(super) fn launchers(&mut self) {
        for kind in [FLEETS, SERVICES].concat() {
            for launcher in self.all(kind) {
                if let Some(gap) = self.launches_elsewhere(&launcher) {
                    self.put_unread_instance(&launcher, &gap);
                }
            }
        }
    }

    fn put_unread_instance(&mut self, launcher: &Rc<Resource>, gap: &Arc<Gap>) {
        let unread: Entry<Instance> = Entry::unread(gap);
        let mut mapped = Mapped { resource: unread.attributes, source_map: Vec::new() };
        mapped.resource.operator = Fact::Known(None);
        // Services name the role or the profile themselves.
        match &*launcher.kind {
            NODE_GROUP => {
                let role = mapped.get("iam_instance_profile", &launcher.view(), "node_role_arn");
                mapped.resource.iam_instance_profile = self.profile_of_service(&role, launcher, Judged::Yes);
            }
            COMPUTE_ENVIRONMENT => {
                if let Ok(Some(resources)) = launcher.view().block("compute_resources") {
                    let profile = mapped.get("iam_instance_profile", &resources, "instance_role");
                    mapped.resource.iam_instance_profile = self.profile_link(&profile, launcher);
                }
            }
            _ => {}
        }
        self.put(Self::key_of(ResourceType::Instance, launcher), launcher, mapped, Judged::Yes);
    }

    /// Returns why some instances of a launcher are not known: the code does not show what they are launched from.
    fn launches_elsewhere(&self, launcher: &Rc<Resource>) -> Option<Arc<Gap>> {
        let view = launcher.view();
        let from_itself = match &*launcher.kind {
            "aws_autoscaling_group" => match self.configuration_of(launcher) {
                Reference::Declared(_) => return None,
                Reference::Named(name) => {
                    let why = format!("the launch configuration {name} is not declared in this code");
                    Some(fact::left_open(&view, &why))
                }
                Reference::Unknown(gap) | Reference::Outside(gap) => Some(gap),
                Reference::None => None,
            },
            "aws_spot_fleet_request" => Self::launch_specification(launcher),
            COMPUTE_ENVIRONMENT => match self.launches_instances(&view) {
                Ok(false) => return None,
                Ok(true) => None,
                Err(gap) => Some(gap),
            },
            _ => None,
        };
        let from_templates = || match specifications(launcher) {
            Err(gap) => Some(gap),
            Ok(blocks) if blocks.is_empty() => {
                let why = format!("{} names no launch template that says what it launches", launcher.address);
                Some(fact::left_open(&view, &why))
            }
            Ok(blocks) => blocks.iter().find_map(|block| match self.template_of(block) {
                Err(gap) => Some(gap),
                Ok(None) => Some(fact::left_open(block, "the launch template is not named")),
                Ok(Some(_)) => None,
            }),
        };
        from_itself.or_else(from_templates)
    }

    /// Returns `true` if a compute environment launches instances, and not containers of Fargate.
    fn launches_instances(&self, environment: &BlockView) -> Result<bool, Arc<Gap>> {
        let Some(resources) = environment.block("compute_resources")? else { return Ok(false) };
        match fact::text(&self.context, &resources.get("type")) {
            Fact::Known(kind) => Ok(!kind.is_some_and(|kind| kind.starts_with("FARGATE"))),
            Fact::Unknown(gap) => Err(gap),
        }
    }

    /// Returns the launch configuration of an Auto Scaling group.
    fn configuration_of(&self, group: &Rc<Resource>) -> Reference {
        self.target(&group.view().get("launch_configuration"), &["aws_launch_configuration"], group)
    }

    /// Why the instances of a Spot Fleet are not known: what they are like stands in the request itself.
    fn launch_specification(request: &Rc<Resource>) -> Option<Arc<Gap>> {
        match request.view().blocks("launch_specification") {
            Err(gap) => Some(gap),
            Ok(blocks) => blocks.first().map(|block| {
                fact::left_open(block, "what a launch_specification launches is not judged: use a launch template")
            }),
        }
    }

    /// Launchers, by the address of the template or configuration that they launch from.
    fn groups_by_launch(&self) -> Rc<ByAddress> {
        if let Some(known) = &*self.launching.borrow() {
            return Rc::clone(known);
        }
        let mut launching = ByAddress::new();
        let kinds: BTreeSet<&str> = LAUNCHERS.iter().map(|(kind, _)| *kind).collect();
        for user in kinds.into_iter().flat_map(|kind| self.everywhere(kind)) {
            // Where it is not known what is launched, that is said of the launcher itself.
            for block in specifications(&user).unwrap_or_default() {
                if let Ok(Some(template)) = self.named_template(&block) {
                    let users = launching.entry(template.address.clone()).or_default();
                    if !users.iter().any(|other| Rc::ptr_eq(other, &user)) {
                        users.push(Rc::clone(&user));
                    }
                }
            }
        }
        for group in self.everywhere("aws_autoscaling_group") {
            if let Reference::Declared(from) = self.configuration_of(&group) {
                launching.entry(from.address.clone()).or_default().push(group);
            }
        }
        let launching = Rc::new(launching);
        *self.launching.borrow_mut() = Some(Rc::clone(&launching));
        launching
    }

    /// The tags that all autoscaling groups give to what they launch from this template.
    pub(super) fn group_tags(&self, resource: &Rc<Resource>) -> Result<BTreeMap<String, String>, Arc<Gap>> {
        if *resource.kind == *"aws_instance" {
            return Ok(BTreeMap::new());
        }
        let mut common: Option<BTreeMap<String, String>> = None;
        let launching = self.groups_by_launch();
        let users = launching.get(&resource.address).into_iter().flatten();
        for group in users.filter(|user| *user.kind == *"aws_autoscaling_group") {
            let mut tags = BTreeMap::new();
            for tag in group.view().blocks("tag")? {
                let text = |name: &str| fact::text(&self.context, &tag.get(name));
                let propagates = fact::flag(&tag.get("propagate_at_launch"));
                match (text("key"), propagates) {
                    (Fact::Known(Some(key)), Fact::Known(Some(true))) => {
                        let value = match text("value") {
                            Fact::Known(value) => value.unwrap_or_default(),
                            // The other keys are what they are.
                            Fact::Unknown(gap) => gap.symbol.as_deref().unwrap_or(symbol::PERHAPS).to_owned(),
                        };
                        tags.insert(key, value);
                    }
                    (Fact::Unknown(gap), _) | (_, Fact::Unknown(gap)) => return Err(gap),
                    _ => {}
                }
            }
            common = Some(match common {
                None => tags,
                Some(mut common) => {
                    common.retain(|key, _| tags.contains_key(key));
                    common
                }
            });
        }
        Ok(common.unwrap_or_default())
    }
}
