//! CloudWatch Logs: `aws_cloudwatch_log_group`.

use std::rc::Rc;

use super::schema::LogGroup;
use crate::collect::terraform::computed_attributes;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::references::Target;
use crate::collect::terraform::mapping::{Draft, Judged, Mapper, fact};
use crate::collect::terraform::value::Value;
use crate::model::{Fact, Key, Link, ResourceType};

impl Mapper {
    /// The log group that a value names.
    pub(crate) fn log_group_link(&mut self, value: &Value, by: &Rc<Instance>) -> Fact<Option<Link<LogGroup>>> {
        let target = self.target(value, &["aws_cloudwatch_log_group"], by);
        if let Some(none) = self.no_link(&target, by, Judged::Yes) {
            return none;
        }
        Fact::Known(Some(match target {
            Target::Declared(group) => Link::to(self.put_log_group(&group)),
            Target::Named(name) => {
                let word = Value::text;
                let parts = [
                    word(format!("arn:{}:logs:", by.partition())),
                    by.region_value(),
                    word(":".to_owned()),
                    by.account_value(),
                    word(format!(":log-group:{name}")),
                ];
                let arn = fact::text(&self.world, &computed_attributes::text(by, &parts));
                let link = self.put_named(Key { region: by.region(), id: name }, by);
                if let Some(entry) = self.inventory.log_groups.get_mut(&link.key) {
                    entry.attributes.arn = fact::or(arn, String::new);
                }
                link
            }
            _ => return Fact::Known(None),
        }))
    }

    fn put_log_group(&mut self, group: &Rc<Instance>) -> Key {
        let key = Self::key_of(ResourceType::LogGroup, group);
        if self.seen::<LogGroup>(&key, Judged::Yes) {
            return key;
        }
        let view = group.view();
        let mut draft: Draft<LogGroup> = Draft::new();
        let days = fact::whole(&self.world, &draft.get("retention_in_days", &view, "retention_in_days"));
        let encrypted_by = draft.get("kms_key", &view, "kms_key_id");
        let class = fact::text(&self.world, &draft.get("log_group_class", &view, "log_group_class"));
        draft.resource = LogGroup {
            arn: self.told(group, "arn"),
            // 0 is for ever.
            retention_in_days: days.map(|days| days.filter(|days| *days != 0)),
            retention_policy_name: Fact::Known(None),
            kms_key: self.key_link(&encrypted_by, group, Judged::Yes),
            log_group_class: fact::or(class, || "STANDARD".to_owned()),
        };
        self.put(key.clone(), group, draft, Judged::Yes);
        key
    }
}
