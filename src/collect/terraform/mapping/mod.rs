//! Mapping of Terraform resources to an inventory. Each type is mapped in `terraform.rs` of its folder, and put in by
//! the resources that lead to it.
//!
//! What is judged is what sessions use: instances with their groups, roles and volumes; the session preferences; and
//! what these point to.

pub(crate) mod associations;
pub(crate) mod fact;
pub(crate) mod home;
pub(crate) mod references;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::block_view::BlockView;
use super::engine::form_of;
use super::eval_context::EvalContext;
use super::evaluate::{Scope, evaluate};
use super::file::Span;
use super::folder::Mode;
use super::instance::Instance;
use super::module::Module;
use super::source_map::{SourceEntry, SourceMap};
use super::syntax::{Block, Name};
use super::value::Value;
use crate::model::inventory::{Resource, ResourceType};
use crate::model::schema::Node;
use crate::model::{Entry, Fact, Gap, GapKind, Inventory, Key, Link, Source, Unlisted};
use crate::resource::instance;
pub(crate) use crate::resource::security_group::terraform::normal_protocol;
use associations::Associations;
use home::Home;
use references::{Named, Reference};

/// Resources by the address of another one.
pub(crate) type ByAddress = HashMap<String, Vec<Rc<Instance>>>;

/// A call of a module that was not read.
pub(crate) struct Closed {
    by: Rc<Module>,
    block: Arc<Block>,
    gap: Arc<Gap>,
}

/// The types of which other resources say something.
const WITH_COMPANIONS: &[&str] = &[
    "aws_default_security_group",
    "aws_ec2_managed_prefix_list",
    "aws_iam_role",
    "aws_instance",
    "aws_kms_key",
    "aws_s3_bucket",
    "aws_security_group",
    "aws_vpc_endpoint",
];

/// Whether rules evaluate resources of this Terraform type, so that findings are made of them.
pub(super) fn is_judged(kind: &str) -> bool {
    JUDGED.contains(&kind)
}

/// The types that rules evaluate.
const JUDGED: &[&str] = &[
    "aws_autoscaling_group",
    "aws_batch_compute_environment",
    "aws_ec2_fleet",
    "aws_eks_node_group",
    "aws_iam_role",
    "aws_instance",
    "aws_kms_key",
    "aws_launch_configuration",
    "aws_launch_template",
    "aws_s3_bucket",
    "aws_security_group",
    "aws_spot_fleet_request",
    "aws_spot_instance_request",
    "aws_ssm_document",
    "aws_vpc_endpoint",
];

/// The most reasons that are listed for resources that may be hidden. Each alone makes the account incomplete.
const MOST_HIDDEN: usize = 200;

/// The most links of one resource that are looked at. AWS's own bounds are far below.
pub(crate) const MOST_LINKS: usize = 1_000;

/// Whether rules judge a resource, or it is there only because another one refers to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Judged {
    Yes,
    No,
}

/// Everything that mapping shares.
pub(crate) struct Mapper {
    pub(crate) context: Rc<EvalContext>,
    by_kind: HashMap<Name, Vec<Rc<Instance>>>,
    /// The same by the accounts that have them.
    by_home: HashMap<usize, HashMap<Name, Vec<Rc<Instance>>>>,
    pub(crate) named: RefCell<HashMap<&'static str, Rc<Named>>>,
    pub(crate) associations: RefCell<HashMap<(&'static str, &'static str), Rc<Associations>>>,
    /// Autoscaling groups, by what they launch from.
    pub(crate) launching: RefCell<Option<Rc<ByAddress>>>,
    /// Network interfaces, by the instance that they are attached to.
    pub(crate) interfaces: RefCell<Option<Rc<instance::terraform_interfaces::Attached>>>,
    /// Why there may be more companions than are known: of any resource, and of those that unread modules are given.
    pub(crate) unread: Option<Arc<Gap>>,
    pub(crate) given_away: HashMap<String, Arc<Gap>>,
    /// The accounts that the code deploys to, each of which has an inventory.
    pub(crate) homes: Vec<Home>,
    /// The account of the inventory at hand, and which of them it is.
    pub(crate) account: Value,
    pub(crate) home: usize,
    pub(crate) inventory: Inventory,
    /// Resources of other accounts, by the inventory that has them, too.
    pub(crate) foreign: HashMap<(usize, ResourceType, Key), Rc<Instance>>,
    /// Resources that rules judge in the inventory of their own account, since another account uses them.
    abroad: Vec<Rc<Instance>>,
    pub(crate) source_map: SourceMap,
}

impl Mapper {
    /// Returns `true` if a resource is written in code. Plans and states show the content of a resource in the arguments
    /// that manage it in code.
    pub(crate) fn is_written(&self, resource: &Rc<Instance>) -> bool {
        let file = self.context.file(resource.block.span.file);
        file.is_some_and(|file| form_of(file.source().name()).is_some())
    }
}

/// The inventory of each account that the code deploys to.
pub(crate) fn map(root: &Rc<Module>, collected_at: &str) -> (Vec<Inventory>, SourceMap) {
    let nothing = Inventory::new(Source::Terraform, None, root.context.partition(), collected_at.to_owned());
    let mut mapper = Mapper {
        context: Rc::clone(&root.context),
        by_kind: HashMap::new(),
        by_home: HashMap::new(),
        named: RefCell::default(),
        associations: RefCell::default(),
        launching: RefCell::default(),
        interfaces: RefCell::default(),
        unread: None,
        given_away: HashMap::new(),
        homes: vec![Home::of(root)],
        account: Value::Null,
        home: 0,
        inventory: nothing.clone(),
        foreign: HashMap::new(),
        abroad: Vec::new(),
        source_map: SourceMap::default(),
    };
    let (mut closed, mut hidden) = (Vec::new(), Vec::new());
    mapper.gather(root, &mut closed, &mut hidden);
    mapper.give_away(closed);
    let homes = home::in_use(std::mem::take(&mut mapper.homes));
    mapper.sort_by_home(&homes);
    let mut inventories: Vec<Inventory> = homes.iter().map(|home| home.inventory(&nothing, &hidden)).collect();
    for index in 0..homes.len() {
        mapper.within(&homes, index, &mut inventories, |mapper| {
            mapper.session_preferences();
            mapper.instances();
            mapper.unused_profiles();
            mapper.undeclared_preferences();
            mapper.vpc_endpoints();
        });
    }
    while let Some(instance) = mapper.abroad.pop() {
        let own = homes.iter().position(|home| home.is_of(&instance.account_value()));
        if let Some(index) = own {
            mapper.within(&homes, index, &mut inventories, |mapper| mapper.put_at_home(&instance));
        }
    }
    inventories.iter_mut().for_each(Inventory::join);
    (inventories, mapper.source_map)
}

impl Mapper {
    /// All resources of the module, and of the modules that it calls.
    fn gather(&mut self, module: &Rc<Module>, closed: &mut Vec<Closed>, hidden: &mut Vec<Arc<Gap>>) {
        let hide = |hidden: &mut Vec<Arc<Gap>>, gap: Arc<Gap>| {
            if hidden.len() < MOST_HIDDEN {
                hidden.push(gap);
            }
        };
        self.source_map.used(&module.folder.path);
        for (message, span) in &module.folder.unread {
            let gap = span.map_or_else(
                || Arc::new(Gap::because(GapKind::Failed, message.clone())),
                |span| self.context.gap(span, message.clone()),
            );
            hide(hidden, Arc::clone(&gap));
            self.unread.get_or_insert(gap);
        }
        for (index, resource) in module.folder.resources.iter().enumerate() {
            if resource.mode != Mode::Managed {
                continue;
            }
            if let Some(expansion) = module.instances(index) {
                expansion.all().iter().for_each(|instance| home::add(&mut self.homes, instance));
                self.by_kind.entry(Arc::clone(&resource.kind)).or_default().extend(expansion.all());
            } else {
                let message = "how many there are depends on itself, or is too many to be evaluated";
                let gap = self.context.gap(resource.block.span, message);
                hide(hidden, gap);
            }
        }
        for (index, (name, block)) in module.folder.calls.iter().enumerate() {
            if let Some(expansion) = module.modules(index) {
                expansion.all().iter().for_each(|child| self.gather(child, closed, hidden));
            } else {
                let gap = self.context.gap_of(block.span, &format!("module.{name}"), "the module could not be read");
                hide(hidden, Arc::clone(&gap));
                closed.push(Closed { by: Rc::clone(module), block: Arc::clone(block), gap });
            }
        }
    }

    /// Notes what is given to modules that were not read: they may attach anything to it.
    fn give_away(&mut self, closed: Vec<Closed>) {
        for Closed { by, block, gap } in closed {
            let own = ["source", "version", "providers", "depends_on", "count", "for_each"];
            let arguments = block.body.attributes.iter().filter(|attribute| !own.contains(&&*attribute.name));
            let values: Vec<Value> =
                arguments.map(|attribute| self.context.leaving(evaluate(&attribute.value, &Scope::of(&by)))).collect();
            let call = Instance::of_call(&by, &block);
            let mut given = Vec::new();
            for value in &values {
                self.instances_in(value, &call, &mut given);
            }
            for instance in given {
                self.given_away.entry(instance.address.clone()).or_insert_with(|| Arc::clone(&gap));
            }
        }
    }

    /// The resources that a value refers to, itself or in its parts.
    fn instances_in(&self, value: &Value, by: &Rc<Instance>, found: &mut Vec<Rc<Instance>>) {
        if !self.context.afford(1) {
            return;
        }
        match value {
            Value::List(items) | Value::Set(items) => items.iter().for_each(|item| self.instances_in(item, by, found)),
            Value::Map(members) => members.values().for_each(|member| self.instances_in(member, by, found)),
            Value::Instance(instance) => found.push(Rc::clone(instance)),
            value => {
                if let Reference::Declared(instance) = self.target(value, WITH_COMPANIONS, by) {
                    found.push(instance);
                }
            }
        }
    }

    pub(crate) fn unlisted(
        &mut self,
        resource_type: ResourceType,
        region: Option<crate::model::Region>,
        gap: &Arc<Gap>,
    ) {
        let unlisted = Unlisted { resource_type, region, gap: Arc::clone(gap) };
        if !self.inventory.unlisted.contains(&unlisted) {
            self.inventory.unlisted.push(unlisted);
        }
    }

    /// The resources of a Terraform type in the account at hand.
    pub(crate) fn all(&self, kind: &str) -> Vec<Rc<Instance>> {
        self.by_home.get(&self.home).and_then(|by_kind| by_kind.get(kind)).cloned().unwrap_or_default()
    }

    /// Sorts all resources by the account that has them.
    #[expect(clippy::iter_over_hash_type, reason = "each type is sorted by itself")]
    fn sort_by_home(&mut self, homes: &[Home]) {
        for (kind, instances) in &self.by_kind {
            for instance in instances {
                let account = instance.account_value();
                if let Some(home) = homes.iter().position(|home| home.is_of(&account)) {
                    let by_kind = self.by_home.entry(home).or_default();
                    by_kind.entry(Arc::clone(kind)).or_default().push(Rc::clone(instance));
                }
            }
        }
    }

    /// Refuses links of which there are more than a resource can have.
    pub(crate) fn bounded<T>(&self, links: Vec<T>, by: &Rc<Instance>) -> Result<Vec<T>, Arc<Gap>> {
        // Each becomes a fact, and rules look at what it leads to.
        if links.len() <= MOST_LINKS && self.context.budget.spend(links.len() * 16, links.len() * 128) {
            return Ok(links);
        }
        Err(self.context.gap(by.block.span, format!("{} refers to more than is evaluated", by.address)))
    }

    /// The resources of a Terraform type in all accounts.
    pub(crate) fn everywhere(&self, kind: &str) -> Vec<Rc<Instance>> {
        self.by_kind.get(kind).cloned().unwrap_or_default()
    }

    /// The key of a resource that code declares: its address.
    pub(crate) fn key_of(resource_type: ResourceType, instance: &Rc<Instance>) -> Key {
        let region = if resource_type.is_regional() { instance.region() } else { None };
        Key { region, id: instance.address.as_str().into() }
    }

    /// Whether the resource is in the inventory already; then it is judged if anything that leads to it says so.
    pub(crate) fn seen<T: Resource>(&mut self, key: &Key, judged: Judged) -> bool {
        if let Some(instance) = self.foreign.get(&(self.home, T::TYPE, key.clone())) {
            self.abroad.extend((judged == Judged::Yes).then(|| Rc::clone(instance)));
            return true;
        }
        match T::table_mut(&mut self.inventory).get_mut(key) {
            Some(entry) => {
                entry.in_scope |= judged == Judged::Yes;
                true
            }
            None => false,
        }
    }

    /// Puts in a resource that code declares.
    pub(crate) fn put<T: Resource>(&mut self, key: Key, instance: &Rc<Instance>, mapped: Mapped<T>, judged: Judged) {
        let exists = match &instance.uncertain {
            None => Fact::Known(true),
            Some(gap) => Fact::Unknown(Arc::clone(gap)),
        };
        let place = SourceEntry {
            address: instance.address.clone(),
            block: instance.block.span,
            attributes: mapped.source_map,
        };
        self.source_map.put(T::TYPE, key.clone(), place);
        let in_scope = self.is_at_home(T::TYPE, &key, instance, judged) && judged == Judged::Yes;
        let entry = Entry { exists, in_scope, attributes: mapped.resource };
        T::table_mut(&mut self.inventory).insert(key, entry);
    }

    /// Puts in a resource that code names and does not declare.
    pub(crate) fn put_named<T: Resource>(&mut self, key: Key, instance: &Rc<Instance>) -> Link<T> {
        let name = &key.id;
        let message = format!("{name} is not declared in this code");
        let gap = self.context.gap(instance.block.span, message);
        T::table_mut(&mut self.inventory)
            .entry(key.clone())
            .or_insert_with(|| Entry { in_scope: false, ..Entry::unread(&gap) });
        Link::to(key)
    }

    /// A link that leads nowhere, or of which it is not known where; none where the target is one. What is judged and
    /// not known may be anything that the code declares.
    pub(crate) fn no_link<T: Resource>(
        &mut self,
        target: &Reference,
        by: &Rc<Instance>,
        judged: Judged,
    ) -> Option<Fact<Option<Link<T>>>> {
        match target {
            Reference::None => Some(Fact::Known(None)),
            Reference::Outside(gap) => Some(Fact::Unknown(Arc::clone(gap))),
            Reference::Unknown(gap) => {
                if judged == Judged::Yes {
                    self.unlisted(T::TYPE, T::TYPE.region_unlisted(by.region().as_ref()), gap);
                }
                Some(Fact::Unknown(Arc::clone(gap)))
            }
            Reference::Declared(_) | Reference::Named(_) => None,
        }
    }

    /// The gap of something that code does not tell.
    pub(crate) fn not_told(message: impl Into<String>) -> Arc<Gap> {
        Arc::new(Gap::because(GapKind::Unresolved, message))
    }

    /// The tags of a resource with those that its provider adds.
    pub(crate) fn tags(&self, view: &BlockView) -> Fact<std::collections::BTreeMap<String, String>> {
        let own = fact::texts_by_name(&self.context, &view.get("tags"));
        let default = match &view.instance.provider().default_tags {
            Some(value) => fact::texts_by_name(&self.context, &self.context.leaving(value.clone())),
            None => return own,
        };
        match (default, own) {
            (Fact::Known(mut tags), Fact::Known(own)) => {
                fact::overlay(&mut tags, own);
                Fact::Known(tags)
            }
            (Fact::Unknown(gap), _) | (_, Fact::Unknown(gap)) => Fact::Unknown(gap),
        }
    }

    /// An attribute that is a text for sure, such as an ARN.
    pub(crate) fn told(&self, instance: &Rc<Instance>, name: &str) -> Fact<String> {
        fact::or(fact::text(&self.context, &instance.attribute(name)), String::new)
    }
}

/// A resource with the places of its attributes.
pub(crate) struct Mapped<T> {
    pub(crate) resource: T,
    pub(crate) source_map: Vec<(&'static str, Span)>,
}

impl<T: Node + Default> Mapped<T> {
    pub(crate) fn new() -> Self {
        Self { resource: T::default(), source_map: Vec::new() }
    }

    /// Notes that the attribute that rules know by this path stands there.
    pub(crate) fn at(&mut self, path: &'static str, span: Option<Span>) {
        if let Some(span) = span {
            self.source_map.push((path, span));
        }
    }

    /// The value of an attribute, whose place is noted under this path.
    pub(crate) fn get(&mut self, path: &'static str, view: &BlockView, name: &str) -> Value {
        self.at(path, view.span_of(name));
        view.get(name)
    }
}
