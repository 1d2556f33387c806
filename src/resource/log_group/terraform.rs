//! CloudWatch Logs: `aws_cloudwatch_log_group`.

use std::rc::Rc;

use super::schema::LogGroup;
use crate::collect::terraform::computed_attributes;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
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
            Reference::Declared(group) => Link::to(self.put_log_group(&group)),
            Reference::Named(name) => {
                let word = Value::text;
                let parts = [
                    word(format!("arn:{}:logs:", by.partition())),
                    by.region_value(),
                    word(":".to_owned()),
                    by.account_value(),
                    word(format!(":log-group:{name}")),
                ];
                let arn = fact::text(&self.context, &computed_attributes::text(by, &parts));
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
        let mut mapped: Mapped<LogGroup> = Mapped::new();
        let days = fact::whole(&self.context, &mapped.get("retention_in_days", &view, "retention_in_days"));
        let encrypted_by = mapped.get("kms_key", &view, "kms_key_id");
        let class = fact::text(&self.context, &mapped.get("log_group_class", &view, "log_group_class"));
        mapped.resource = LogGroup {
            arn: self.told(group, "arn"),
            // 0 is for ever.
            retention_in_days: days.map(|days| days.filter(|days| *days != 0)),
            retention_policy_name: Fact::Known(None),
            kms_key: self.key_link(&encrypted_by, group, Judged::Yes),
            log_group_class: fact::or(class, || "STANDARD".to_owned()),
        };
        self.put(key.clone(), group, mapped, Judged::Yes);
        key
    }
}
