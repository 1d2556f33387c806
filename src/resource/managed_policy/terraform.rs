//! Managed policies: those of the code, and those of AWS that the list has.

use super::schema::ManagedPolicy;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::Value;
use crate::model::{Entry, Fact, Key, Link, ResourceType};
use iam_policy::managed;
use std::rc::Rc;
use std::sync::Arc;

const POLICIES: &[&str] = &["aws_iam_policy"];

/// The ARNs of AWS's own policies have this in place of an account.
const OF_AWS: &str = ":iam::aws:policy/";

impl Mapper {
    /// The managed policy that a value names by its ARN.
    pub(crate) fn policy_link(&mut self, value: &Value, by: &Rc<Instance>) -> Fact<Option<Link<ManagedPolicy>>> {
        let target = self.target(value, POLICIES, by);
        if let Some(none) = self.no_link(&target, by, Judged::No) {
            return none;
        }
        Fact::Known(Some(match target {
            Reference::Declared(policy) => Link::to(self.put_policy(&policy)),
            Reference::Named(arn) if arn.contains(OF_AWS) => {
                let known = managed::find(&arn);
                // The name in evidence tells how old the document is.
                let key = match known.and_then(|known| known.as_of) {
                    Some(day) => Key::global(format!("{arn} (as of {day})")),
                    None => Key::global(Arc::clone(&arn)),
                };
                let policy = match known {
                    Some(known) => Fact::Known(known.document.clone()),
                    None => Fact::Unknown(Self::not_told(format!("what AWS's policy {arn} says is not known here"))),
                };
                let attributes = ManagedPolicy { arn: Fact::Known(arn.to_string()), policy };
                let entry = Entry { exists: Fact::Known(true), in_scope: false, attributes };
                self.inventory.managed_policies.entry(key.clone()).or_insert(entry);
                Link::to(key)
            }
            Reference::Named(arn) => self.put_named(Key::global(arn), by),
            _ => return Fact::Known(None),
        }))
    }

    fn put_policy(&mut self, policy: &Rc<Instance>) -> Key {
        let key = Self::key_of(ResourceType::ManagedPolicy, policy);
        if self.seen::<ManagedPolicy>(&key, Judged::Yes) {
            return key;
        }
        let view = policy.view();
        let mut mapped: Mapped<ManagedPolicy> = Mapped::new();
        let document = fact::policy(&self.context, &view, &mapped.get("policy", &view, "policy"));
        mapped.resource = ManagedPolicy {
            arn: self.told(policy, "arn"),
            policy: match document {
                Fact::Known(Some(document)) => Fact::Known(document),
                Fact::Known(None) => Fact::Unknown(fact::left_open(&view, "the policy has no document")),
                Fact::Unknown(gap) => Fact::Unknown(gap),
            },
        };
        self.put(key.clone(), policy, mapped, Judged::Yes);
        key
    }
}
