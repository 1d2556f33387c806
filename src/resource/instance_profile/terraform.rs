//! Instance profiles, and the roles in them.

use super::schema::InstanceProfile;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper};
use crate::collect::terraform::value::Value;
use crate::model::{Entry, Fact, Key, Link, ResourceType};
use crate::resource::role::terraform::role_name;
use std::rc::Rc;

impl Mapper {
    /// The instance profile that a value names.
    pub(crate) fn profile_link(&mut self, value: &Value, by: &Rc<Instance>) -> Fact<Option<Link<InstanceProfile>>> {
        let target = self.target(value, &["aws_iam_instance_profile"], by);
        // Whichever it is, the roles of all profiles that the code declares are judged.
        if let Some(none) = self.no_link(&target, by, Judged::Yes) {
            return none;
        }
        Fact::Known(Some(match target {
            Reference::Declared(profile) => Link::to(self.put_profile(&profile, Judged::Yes)),
            Reference::Named(name) => self.put_named(Key::global(name), by),
            _ => return Fact::Known(None),
        }))
    }

    /// Puts in the instance profiles that no instance of the code has: instances of other code have them. Those are
    /// not in scope, by which they are told apart.
    pub(crate) fn unused_profiles(&mut self) {
        for profile in self.all("aws_iam_instance_profile") {
            let key = Self::key_of(ResourceType::InstanceProfile, &profile);
            if !self.inventory.instance_profiles.contains_key(&key) {
                self.put_profile(&profile, Judged::No);
            }
        }
    }

    /// Puts in the instance profile that another service makes for its instances, with the role that it is given.
    pub(crate) fn profile_of_service(
        &mut self,
        role: &Value,
        by: &Rc<Instance>,
        judged: Judged,
    ) -> Fact<Option<Link<InstanceProfile>>> {
        let key = Key::global(format!("{}/instance_profile", by.address));
        let arn = Fact::Unknown(Self::not_told("the ARN of a profile that a service makes is known to AWS only"));
        let role = self.role_link(&role_name(role), by);
        let entry = Entry {
            exists: Fact::Known(true),
            in_scope: judged == Judged::Yes,
            attributes: InstanceProfile { arn, role },
        };
        self.inventory.instance_profiles.insert(key.clone(), entry);
        Fact::Known(Some(Link::to(key)))
    }

    fn put_profile(&mut self, profile: &Rc<Instance>, judged: Judged) -> Key {
        let key = Self::key_of(ResourceType::InstanceProfile, profile);
        if self.seen::<InstanceProfile>(&key, judged) {
            return key;
        }
        let view = profile.view();
        let mut mapped: Mapped<InstanceProfile> = Mapped::new();
        let role = match (mapped.get("role", &view, "role"), view.get("roles")) {
            // As old code has it.
            (Value::Null, Value::List(roles)) => roles.first().cloned().unwrap_or(Value::Null),
            (role, _) => role,
        };
        mapped.resource = InstanceProfile { arn: self.told(profile, "arn"), role: self.role_link(&role, profile) };
        self.put(key.clone(), profile, mapped, judged);
        key
    }
}
