//! Prefix lists that rules of security groups name.

use super::schema::PrefixList;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::references::Reference;
use crate::collect::terraform::mapping::{Judged, Mapped, Mapper, fact};
use crate::collect::terraform::value::Value;
use crate::model::{Fact, Gap, Key, Link, ResourceType};
use std::rc::Rc;
use std::sync::Arc;

impl Mapper {
    pub(crate) fn prefix_list_link(&mut self, value: &Value, by: &Rc<Instance>) -> Fact<Option<Link<PrefixList>>> {
        let target = self.target(value, &["aws_ec2_managed_prefix_list"], by);
        if let Some(none) = self.no_link(&target, by, Judged::No) {
            return none;
        }
        Fact::Known(Some(match target {
            Reference::Declared(list) => Link::to(self.put_prefix_list(&list)),
            Reference::Named(id) => self.put_named(Key { region: by.region(), id }, by),
            _ => return Fact::Known(None),
        }))
    }

    fn put_prefix_list(&mut self, list: &Rc<Instance>) -> Key {
        let key = Self::key_of(ResourceType::PrefixList, list);
        if !self.seen::<PrefixList>(&key, Judged::Yes) {
            let mut mapped: Mapped<PrefixList> = Mapped::new();
            mapped.resource = PrefixList { cidrs: self.ranges(list).into() };
            self.put(key.clone(), list, mapped, Judged::Yes);
        }
        key
    }

    fn ranges(&self, list: &Rc<Instance>) -> Result<Vec<String>, Arc<Gap>> {
        let kind = "aws_ec2_managed_prefix_list_entry";
        let entries = self.associations(kind, "prefix_list_id", list, &["aws_ec2_managed_prefix_list"])?;
        let views = list.view().blocks("entry")?.into_iter().chain(entries.iter().map(Instance::view));
        let mut ranges = Vec::new();
        for view in views {
            match fact::text(&self.context, &view.get("cidr")) {
                Fact::Known(range) => ranges.extend(range),
                Fact::Unknown(gap) => return Err(gap),
            }
        }
        Ok(ranges)
    }
}
