//! Roles, with the policies that the code attaches to them.

use super::schema::{InlinePolicy, Role};
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::Value;
use crate::model::{Entry, Fact, Gap, Key, Link, ResourceType};
use crate::resource::managed_policy::schema::ManagedPolicy;
use iam_policy::is_symbol;
use std::rc::Rc;
use std::sync::Arc;

const ROLES: &[&str] = &["aws_iam_role"];

impl Mapper {
    /// The role that a value names.
    pub(crate) fn role_link(&mut self, value: &Value, by: &Rc<Instance>) -> Fact<Option<Link<Role>>> {
        let target = self.target(value, ROLES, by);
        if let Some(none) = self.no_link(&target, by, Judged::Yes) {
            return none;
        }
        Fact::Known(Some(match target {
            Reference::Declared(role) => Link::to(self.put_role(&role)),
            Reference::Named(name) => self.put_named(Key::global(name), by),
            _ => return Fact::Known(None),
        }))
    }

    fn put_role(&mut self, role: &Rc<Instance>) -> Key {
        let key = Self::key_of(ResourceType::Role, role);
        if self.seen::<Role>(&key, Judged::Yes) {
            return key;
        }
        let view = role.view();
        let mut mapped: Mapped<Role> = Mapped::new();
        let trust = fact::policy(&self.context, &view, &mapped.get("assume_role_policy", &view, "assume_role_policy"));
        let boundary = mapped.get("permissions_boundary", &view, "permissions_boundary");
        mapped.at("attached_policies", view.span_of("managed_policy_arns"));
        mapped.resource = Role {
            arn: self.told(role, "arn"),
            assume_role_policy: match trust {
                Fact::Known(Some(policy)) => Fact::Known(policy),
                Fact::Known(None) => Fact::Unknown(fact::left_open(&view, "the role has no trust policy")),
                Fact::Unknown(gap) => Fact::Unknown(gap),
            },
            principal_tags: self.tags(&view),
            permissions_boundary: self.policy_link(&boundary, role),
            attached_policies: self.attached_policies(role, &mut mapped).into(),
            inline_policies: self.inline_policies(role, &mut mapped).into(),
            ..Role::default()
        };
        self.put(key.clone(), role, mapped, Judged::Yes);
        key
    }

    /// By the attachments of one policy to one role, or of one to several; or by the role itself.
    fn attached_policies(
        &mut self,
        role: &Rc<Instance>,
        mapped: &mut Mapped<Role>,
    ) -> Result<Vec<Link<ManagedPolicy>>, Arc<Gap>> {
        let mut values = Vec::new();
        for (kind, attribute) in [("aws_iam_role_policy_attachment", "role"), ("aws_iam_policy_attachment", "roles")] {
            for attachment in self.associations(kind, attribute, role, ROLES)? {
                mapped.at("attached_policies", Some(attachment.block.span));
                values.push((attachment.attribute("policy_arn"), attachment));
            }
        }
        let attached = values.len();
        let exclusive = self.associations("aws_iam_role_policy_attachments_exclusive", "role_name", role, ROLES)?;
        let mut lists = Vec::new();
        for (attribute, by) in
            exclusive.iter().map(|by| ("policy_arns", by)).chain(std::iter::once(("managed_policy_arns", role)))
        {
            match by.view().get(attribute) {
                Value::List(items) | Value::Set(items) => {
                    values.extend(items.iter().map(|item| (item.clone(), Rc::clone(by))));
                    lists.push((items.to_vec(), format!("{attribute} of {}", by.address)));
                }
                Value::Unknown(hole) => return Err(Arc::clone(&hole.gap)),
                _ => {}
            }
        }
        for (value, by) in values[..attached].iter().filter(|_| self.is_written(role)) {
            // An unknown ARN may be the same one.
            let is_same = |other: &Value| other.equals(value).unwrap_or(true);
            if let Some((_, list)) = lists.iter().find(|(items, _)| !items.iter().any(is_same)) {
                let why =
                    format!("{list} takes this attachment away again: which one is there depends on the last apply");
                return Err(fact::left_open(&by.view(), &why));
            }
        }
        let mut links: Vec<Link<ManagedPolicy>> = Vec::new();
        for (index, (value, by)) in self.bounded(values, role)?.into_iter().enumerate() {
            match self.policy_link(&value, &by) {
                Fact::Known(Some(link)) if links.contains(&link) => {}
                Fact::Known(Some(link)) => links.push(link),
                Fact::Known(None) => {}
                // The others are known all the same.
                Fact::Unknown(gap) => links.push(self.put_unknown_policy(role, index, &gap)),
            }
        }
        Ok(links)
    }

    /// One more policy of which nothing is known.
    fn put_unknown_policy(&mut self, role: &Rc<Instance>, index: usize, gap: &Arc<Gap>) -> Link<ManagedPolicy> {
        let key = Key::global(format!("{}/attached_policies[{index}]", role.address));
        let entry = Entry { in_scope: false, ..Entry::unread(gap) };
        self.inventory.managed_policies.insert(key.clone(), entry);
        Link::to(key)
    }

    fn inline_policies(&self, role: &Rc<Instance>, mapped: &mut Mapped<Role>) -> Result<Vec<InlinePolicy>, Arc<Gap>> {
        let mut policies: Vec<InlinePolicy> = Vec::new();
        let own = role.view().blocks("inline_policy")?;
        let associations = self.associations("aws_iam_role_policy", "role", role, ROLES)?;
        let exclusive = self.associations("aws_iam_role_policies_exclusive", "role_name", role, ROLES)?;
        if let (false, Some(association)) = (own.is_empty() || !self.is_written(role), associations.first()) {
            let why = format!("{} takes inline policies away that are not in its own blocks", role.address);
            return Err(fact::left_open(&association.view(), &why));
        }
        let associations = associations.iter().map(|association| (association.view(), association.attribute("name")));
        let own = own.into_iter().map(|view| {
            let name = view.get("name");
            (view, name)
        });
        for (view, name) in associations.chain(own) {
            mapped.at("inline_policies", Some(view.span()));
            let policy = match fact::policy(&self.context, &view, &view.get("policy")) {
                Fact::Known(Some(policy)) => Fact::Known(policy),
                Fact::Known(None) => continue,
                Fact::Unknown(gap) => Fact::Unknown(gap),
            };
            let name = fact::or(fact::text(&self.context, &name), String::new);
            let is_named = |other: &InlinePolicy| other.name.known().is_some_and(|name| !name.is_empty());
            let twin = policies.iter_mut().find(|other| is_named(other) && other.name == name);
            let twin = twin.filter(|_| self.is_written(role));
            if let Some(twin) = twin {
                let name = name.known().map_or("", String::as_str);
                let why = format!("the role has two policies named {name}: the one that is applied last stays");
                twin.policy = Fact::Unknown(fact::left_open(&view, &why));
                continue;
            }
            policies.push(InlinePolicy { name, policy });
        }
        for by in &exclusive {
            self.only_these(by, &mut policies)?;
        }
        Ok(policies)
    }

    /// Holds the policies against the names that a role has exclusively: others are taken away again, and of those that
    /// the code does not declare nothing is known.
    fn only_these(&self, by: &Rc<Instance>, policies: &mut Vec<InlinePolicy>) -> Result<(), Arc<Gap>> {
        let view = by.view();
        let names = match view.get("policy_names") {
            Value::List(items) | Value::Set(items) => items.to_vec(),
            Value::Unknown(hole) => return Err(Arc::clone(&hole.gap)),
            _ => return Ok(()),
        };
        let names: Vec<Fact<Option<String>>> = names.iter().map(|name| fact::text(&self.context, name)).collect();
        if let Some(gap) = names.iter().find_map(Fact::gap) {
            return Err(Arc::clone(gap));
        }
        let names: Vec<String> = names.iter().filter_map(|name| name.known().cloned().flatten()).collect();
        for policy in policies.iter_mut() {
            if policy.name.known().is_some_and(|name| !names.contains(name)) {
                let why = format!("{} takes the policy away again: it is there until the next apply", by.address);
                policy.policy = Fact::Unknown(fact::left_open(&view, &why));
            }
        }
        let declared =
            |name: &String| policies.iter().any(|policy| policy.name.known().is_none_or(|other| other == name));
        let missing: Vec<String> = names.into_iter().filter(|name| !declared(name)).collect();
        policies.extend(missing.into_iter().map(|name| InlinePolicy {
            policy: Fact::Unknown(fact::left_open(&view, &format!("the policy {name} is not declared in this code"))),
            name: Fact::Known(name),
        }));
        Ok(())
    }
}

/// Returns the name of a role that may be given with its path; its ARN, or what is not known, stays.
pub(crate) fn role_name(role: &Value) -> Value {
    match role {
        Value::Text(text) if text.contains('/') && !text.starts_with("arn:") && !text.contains(is_symbol) => {
            Value::text(text.rsplit('/').next().unwrap_or_default())
        }
        role => role.clone(),
    }
}
