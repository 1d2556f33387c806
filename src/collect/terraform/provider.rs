//! Configurations of the AWS provider: the account and the region that resources have from them, and their tags.
//! <https://registry.terraform.io/providers/hashicorp/aws/latest/docs>

use std::rc::Rc;
use std::sync::Arc;

use iam_policy::is_symbol;

use super::block_view::BlockView;
use super::eval_context::EvalContext;
use super::evaluate::{Scope, append_value, evaluate};
use super::expansion::{Binding, keys};
use super::folder::{Mode, Resource};
use super::instance::Instance;
use super::module::Module;
use super::syntax::{Block, Expression, Node};
use super::value::{Nature, UnknownValue, Value};
use crate::model::{AccountId, Gap, Partition, Region};

/// The local name that resources whose type begins with `aws_` have their provider by.
const AWS: &str = "aws";

/// The blocks of a provider that take on a role, the one whose role counts first.
const ROLES: &[&str] = &["assume_role", "assume_role_with_web_identity"];

/// The arguments that name other credentials than those of the environment.
const CREDENTIALS: &[&str] =
    &["profile", "access_key", "shared_credentials_files", "shared_credentials_file", "shared_config_files"];

/// A configuration of the provider.
#[derive(Debug)]
pub(crate) struct Provider {
    /// The name of the region, or a hole.
    region: Value,
    /// The number of the account, or a hole. Holes that are one and the same are one and the same account.
    account: Value,
    /// Tags that all resources have that can.
    pub(super) default_tags: Option<Value>,
}

impl Provider {
    /// The configuration of a provider about which the code says nothing.
    fn of_environment(context: &EvalContext) -> Self {
        Self { region: context.region_value(), account: context.account_value(), default_tags: None }
    }

    /// A configuration of which it is not known which it is, or what it says.
    fn unknown(gap: &Arc<Gap>) -> Self {
        let hole = || Value::Unknown(UnknownValue::new(Arc::clone(gap), Nature::Open));
        Self { region: hole(), account: hole(), default_tags: Some(hole()) }
    }

    fn of(module: &Rc<Module>, block: &Arc<Block>, binding: Binding) -> Self {
        let configuration =
            Resource { mode: Mode::Managed, kind: "provider".into(), name: AWS.into(), block: Arc::clone(block) };
        let view = Instance::new(module, &configuration, "", binding, None).view();
        let tags = module.context.marking(|| match view.block("default_tags") {
            Ok(None) => Value::Null,
            Ok(Some(tags)) => tags.marked("tags"),
            Err(gap) => Value::Unknown(UnknownValue::new(gap, Nature::Open)),
        });
        let default_tags = Some(tags).filter(|tags| !matches!(tags, Value::Null));
        Self { region: region(&view), account: account(&view), default_tags }
    }
}

impl Provider {
    /// The region, where it is known.
    pub(crate) fn region(&self) -> Option<Region> {
        match &self.region {
            Value::Text(name) => name.parse().ok(),
            _ => None,
        }
    }

    /// The account, or a hole.
    pub(crate) fn account(&self) -> Value {
        self.account.clone()
    }
}

/// Whether the configuration is the one that resources have unless they name another.
fn is_default(view: &BlockView) -> bool {
    view.instance.block.body.attribute("alias").is_none()
}

fn region(view: &BlockView) -> Value {
    let context = &view.instance.module.context;
    match context.place("the region", view.span(), || view.get("region")) {
        Value::Null => context.region_value(),
        Value::Text(text) if text.is_empty() => context.region_value(),
        // What the user says, where the code of the default configuration leaves it open.
        value if is_default(view) && context.region.is_some() && is_open(&value) => context.region_value(),
        Value::Text(text) => whole(context, text),
        Value::Unknown(hole) => Value::Unknown(hole),
        _ => context.unknown(view.span(), "the region of the provider is not a text"),
    }
}

fn is_open(value: &Value) -> bool {
    match value {
        Value::Unknown(_) => true,
        Value::Text(text) => text.contains(is_symbol),
        _ => false,
    }
}

/// A text that is nothing but the character of a hole is the hole.
fn whole(context: &EvalContext, text: Arc<str>) -> Value {
    let mut characters = text.chars();
    match (characters.next().and_then(|first| context.symbols.hole(first)), characters.next()) {
        (Some(hole), None) => Value::Unknown(hole),
        _ => Value::Text(text),
    }
}

fn account(view: &BlockView) -> Value {
    let context = &view.instance.module.context;
    let role = match role(view) {
        Ok(None) => None,
        // The same role, the same account.
        Ok(Some(role @ Value::Sensitive(_))) => Some(context.place("the account", view.span(), || role)),
        Ok(Some(Value::Text(role))) => match account_of_role(context, &role) {
            Some(account) if !is_open(&account) => return account,
            open => Some(open.unwrap_or_else(|| context.account_of(&role, view.span(), "the role that it takes on"))),
        },
        Ok(Some(Value::Unknown(hole))) => Some(Value::Unknown(hole)),
        Ok(Some(_)) => Some(context.unknown(view.span(), "the role of the provider is not a text")),
        Err(gap) => Some(Value::Unknown(UnknownValue::new(gap, Nature::Open))),
    };
    // Terraform refuses to work in any other account.
    let allowed = context.marking(|| view.get("allowed_account_ids"));
    if allowed.is_sensitive() {
        return context.place("the account", view.span(), || allowed);
    }
    if let Value::List(items) | Value::Set(items) = allowed
        && let [Value::Text(only)] = &*items
        && only.parse::<AccountId>().is_ok()
    {
        return Value::Text(Arc::clone(only));
    }
    if is_default(view) {
        return match role {
            Some(open) if context.account.is_none() => open,
            _ => context.account_value(),
        };
    }
    role.or_else(|| other_credentials(view)).unwrap_or_else(|| context.account_value())
}

/// The role that the provider takes on.
fn role(view: &BlockView) -> Result<Option<Value>, Arc<Gap>> {
    for name in ROLES {
        // Of several, each is taken on from the one before.
        let context = &view.instance.module.context;
        let mut blocks = Ok(Vec::new());
        // A dynamic block may make it of what is sensitive.
        let roles = context.marking(|| {
            blocks = view.blocks(name);
            let roles = blocks.iter().flatten().map(|block| block.get("role_arn"));
            Value::list(roles.collect())
        });
        blocks?;
        let is_sensitive = roles.is_sensitive();
        let roles = match context.open(roles) {
            Value::List(roles) => roles.to_vec(),
            unknown => vec![unknown],
        };
        let empty = |role: &Value| matches!(role, Value::Null) || matches!(role, Value::Text(text) if text.is_empty());
        if let Some(last) = roles.into_iter().rfind(|role| !empty(role)) {
            return Ok(Some(if is_sensitive { last.into_sensitive() } else { last }));
        }
    }
    Ok(None)
}

/// The account in the ARN of a role, as far as it is known.
fn account_of_role(context: &EvalContext, role: &str) -> Option<Value> {
    let account = role.strip_prefix("arn:")?.split(':').nth(3)?;
    let known = account.parse::<AccountId>().is_ok();
    (known || account.contains(is_symbol)).then(|| whole(context, account.into()))
}

/// The account of other credentials than those of the default configuration, of which the code does not tell it.
fn other_credentials(view: &BlockView) -> Option<Value> {
    let module = &view.instance.module;
    let context = &module.context;
    let default = module
        .folder
        .providers
        .iter()
        .find(|block| block.labels == view.instance.block.labels && block.body.attribute("alias").is_none());
    let default = default.map(|block| {
        let configuration =
            Resource { mode: Mode::Managed, kind: "provider".into(), name: AWS.into(), block: Arc::clone(block) };
        Instance::new(module, &configuration, "", Binding::default(), None).view()
    });
    let others = |name: &&&str| {
        let own = view.get(name);
        let theirs = default.as_ref().map_or(Value::Null, |view| view.get(name));
        !matches!(own, Value::Null) && !own.equals(&theirs).is_ok_and(|equal| equal)
    };
    let name = CREDENTIALS.iter().find(others)?;
    let mut text = format!("{name} ");
    match append_value(&view.get(name), &mut text, view.span(), context) {
        Ok(()) => Some(context.account_of(&text, view.span(), &format!("its {name}"))),
        Err(_) => {
            Some(context.unknown(view.span(), format!("the account of the provider is not known: {name} decides")))
        }
    }
}

/// A reference to a configuration: its name, `aws` or `aws.alias`, and the key where there are several of that name.
fn reference(expression: &Expression) -> Option<(String, Option<&Expression>)> {
    match &expression.node {
        Node::Root(name) | Node::Text(name) => Some((name.to_string(), None)),
        Node::Member(of, name) => match reference(of)? {
            (of, None) => Some((format!("{of}.{name}"), None)),
            (_, Some(_)) => None,
        },
        Node::Index(both) => match reference(&both.0)? {
            (of, None) => Some((of, Some(&both.1))),
            (_, Some(_)) => None,
        },
        _ => None,
    }
}

impl Module {
    /// The configuration that resources have which name none.
    pub(super) fn default_provider(self: &Rc<Self>) -> Rc<Provider> {
        self.provider_named(AWS, None)
    }

    /// The configuration of the provider that a resource or data source has.
    pub(crate) fn provider(self: &Rc<Self>, block: &Block, binding: &Binding) -> Rc<Provider> {
        match block.body.attribute("provider") {
            None => self.provider_named(AWS, None),
            Some(named) => self.provider_referred(&named.value, binding),
        }
    }

    fn provider_referred(self: &Rc<Self>, expression: &Expression, binding: &Binding) -> Rc<Provider> {
        let unknown = |gap: Arc<Gap>| Rc::new(Provider::unknown(&gap));
        let Some((name, key)) = reference(expression) else {
            return unknown(
                self.context.gap(expression.span, "which configuration of the provider it is, is not known"),
            );
        };
        let Some(key) = key else { return self.provider_named(&name, None) };
        match evaluate(key, &Scope::with(self, binding)) {
            Value::Text(text) if !text.contains(is_symbol) => self.provider_named(&name, Some(text)),
            Value::Unknown(hole) => unknown(Arc::clone(&hole.gap)),
            _ => unknown(self.context.gap(key.span, "which configuration of the provider it is, is not known")),
        }
    }

    fn provider_named(self: &Rc<Self>, name: &str, key: Option<Arc<str>>) -> Rc<Provider> {
        let both = (name.to_owned(), key);
        if let Some(provider) = self.providers.borrow().get(&both) {
            return Rc::clone(provider);
        }
        let provider = self.find_provider(name, both.1.as_deref());
        self.providers.borrow_mut().insert(both, Rc::clone(&provider));
        provider
    }

    fn find_provider(self: &Rc<Self>, name: &str, key: Option<&str>) -> Rc<Provider> {
        let (kind, alias) = name.split_once('.').map_or((name, None), |(kind, alias)| (kind, Some(alias)));
        let own = self.folder.providers.iter().find(|block| {
            let own = block.body.attribute("alias").and_then(|attribute| reference(&attribute.value));
            block.labels.first().is_some_and(|label| **label == *kind) && own.map(|(name, _)| name).as_deref() == alias
        });
        if let Some(block) = own {
            return Rc::new(self.provider_of_key(block, key));
        }
        if let Some(call) = &self.call {
            // `providers = {aws.here = aws.there}`; without it, a module has the default one of its caller.
            if let Some(given) = call.block.body.attribute("providers")
                && let Node::Object(members) = &given.value.node
            {
                for (inner, outer) in members {
                    if reference(inner).is_some_and(|(inner, _)| inner == name) {
                        return call.by.provider_referred(outer, &call.binding);
                    }
                }
            }
            if alias.is_none() && key.is_none() {
                return call.by.provider_named(name, None);
            }
        } else if alias.is_none() && key.is_none() {
            return Rc::new(Provider::of_environment(&self.context));
        }
        let message = format!("the provider {name} is not configured in this code");
        Rc::new(Provider::unknown(&Arc::new(Gap::because(crate::model::GapKind::Unresolved, message))))
    }

    /// A configuration, or that of this key where `for_each` makes several (OpenTofu).
    fn provider_of_key(self: &Rc<Self>, block: &Arc<Block>, key: Option<&str>) -> Provider {
        let Some(each) = block.body.attribute("for_each") else {
            return Provider::of(self, block, Binding::default());
        };
        let value = evaluate(&each.value, &Scope::of(self));
        let found = keys(&value).into_iter().flatten().find(|(known, _)| Some(&**known) == key);
        match (found, value.hole()) {
            (Some((key, value)), _) => {
                Provider::of(self, block, Binding { count: None, each: Some((Value::Text(key), value)) })
            }
            (None, Some(hole)) => Provider::unknown(&hole.gap),
            (None, None) => {
                Provider::unknown(&self.context.gap(each.span, "no configuration of the provider has that key"))
            }
        }
    }
}

impl Instance {
    /// The region that it is in, as a value.
    pub(crate) fn region_value(self: &Rc<Self>) -> Value {
        let context = &self.module.context;
        let region = || match context.place("the region", self.block.span, || self.view().get("region")) {
            Value::Null => self.provider().region.clone(),
            Value::Text(text) if text.is_empty() => self.provider().region.clone(),
            Value::Text(text) => whole(context, text),
            Value::Unknown(hole) => Value::Unknown(hole),
            _ => context.unknown(self.block.span, "the region is not a text"),
        };
        self.region
            .get(region, || context.unknown(self.block.span, format!("the region of {self:?} depends on itself")))
    }

    /// The region that it is in, where that is known.
    pub(crate) fn region(self: &Rc<Self>) -> Option<Region> {
        match self.region_value() {
            Value::Text(name) => name.parse().ok(),
            _ => None,
        }
    }

    /// The partition that it is in: that of its region, or of the region that is deployed to.
    pub(crate) fn partition(self: &Rc<Self>) -> Partition {
        self.region().map_or_else(|| self.module.context.partition(), |region| region.partition())
    }

    /// The account that it is in, as a value.
    pub(crate) fn account_value(self: &Rc<Self>) -> Value {
        self.provider().account.clone()
    }

    /// The configuration of its provider.
    pub(crate) fn provider(self: &Rc<Self>) -> Rc<Provider> {
        let find = || self.module.provider(&self.block, &self.binding);
        let cycle = || {
            let message = format!("the provider of {self:?} depends on itself");
            Rc::new(Provider::unknown(&self.module.context.gap(self.block.span, message)))
        };
        self.provider.get(find, cycle)
    }
}
