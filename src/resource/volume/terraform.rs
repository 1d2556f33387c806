//! Root volumes: their encryption and their key.

use super::schema::Volume;
use crate::collect::terraform::block_view::BlockView;
use crate::collect::terraform::instance::Instance;
use crate::collect::terraform::mapping::associations::set_twice;
use crate::collect::terraform::mapping::references::{Sharing, reaches};
use crate::collect::terraform::mapping::{Judged, Mapper, fact};
use crate::collect::terraform::value::Value;
use crate::model::{Entry, Fact, Gap, Key, Link};
use std::rc::Rc;
use std::sync::Arc;

impl Mapper {
    /// The root volume of an instance, with the block that configures it, where there is one.
    pub(crate) fn put_root_volume(
        &mut self,
        instance: &Rc<Instance>,
        block: Result<Option<BlockView>, Arc<Gap>>,
    ) -> Link<Volume> {
        let key = Key { region: instance.region(), id: format!("{}/root_block_device", instance.address).into() };
        let volume = match block {
            Err(gap) => {
                Volume { encrypted: Fact::Unknown(Arc::clone(&gap)), kms_key: Fact::Unknown(gap), ..Volume::default() }
            }
            Ok(block) => {
                let get = |name: &str| block.as_ref().map_or(Value::Null, |view| view.get(name));
                let encrypted = match fact::flag(&get("encrypted")) {
                    Fact::Known(Some(true)) => Fact::Known(true),
                    Fact::Unknown(gap) => Fact::Unknown(gap),
                    // What the account asks of all volumes, `false` does not take back.
                    Fact::Known(_) => self.encryption_by_default(instance),
                };
                let kms_key = match get("kms_key_id") {
                    Value::Null if encrypted == Fact::Known(false) => Fact::Known(None),
                    Value::Null => self.default_volume_key(instance),
                    value => self.key_link(&value, instance, Judged::No),
                };
                Volume { encrypted, kms_key, ..Volume::default() }
            }
        };
        let arn = Fact::Unknown(Self::not_told("the ARN of a root volume is known to AWS only"));
        let entry = Entry { exists: Fact::Known(true), in_scope: false, attributes: Volume { arn, ..volume } };
        self.inventory.volumes.insert(key.clone(), entry);
        Link::to(key)
    }

    /// The resource of this type that is in the account and the region of the instance.
    ///
    /// # Errors
    /// Where it is not known whether there is one, or there are several, each of which sets the same.
    pub(crate) fn in_region(&self, kind: &str, instance: &Rc<Instance>) -> Result<Option<Rc<Instance>>, Arc<Gap>> {
        let mut found: Option<Rc<Instance>> = None;
        let mut undecided = None;
        for other in self.everywhere(kind) {
            match (reaches(&other, instance, Sharing::Region), &found) {
                (Ok(true), Some(first)) => return Err(set_twice(first, &other)),
                (Ok(true), None) => found = Some(other),
                (Ok(false), _) => {}
                (Err(_), _) => undecided = Some(self.elsewhere(&other, instance)),
            }
        }
        match (found, undecided) {
            (None, Some(gap)) => Err(gap),
            (found, _) => Ok(found),
        }
    }

    fn encryption_by_default(&self, instance: &Rc<Instance>) -> Fact<bool> {
        match self.in_region("aws_ebs_encryption_by_default", instance) {
            Err(gap) => Fact::Unknown(gap),
            Ok(None) => Fact::Known(false),
            Ok(Some(setting)) => match &setting.uncertain {
                Some(gap) => Fact::Unknown(Arc::clone(gap)),
                None => fact::or(fact::flag(&setting.view().get("enabled")), || true),
            },
        }
    }

    fn default_volume_key(
        &mut self,
        instance: &Rc<Instance>,
    ) -> Fact<Option<Link<crate::resource::key::schema::KmsKey>>> {
        match self.in_region("aws_ebs_default_kms_key", instance) {
            Ok(Some(setting)) => self.key_link(&setting.attribute("key_arn"), &setting, Judged::No),
            Err(gap) => Fact::Unknown(gap),
            Ok(None) => Fact::Unknown(Self::not_told(
                "no key is named for the root volume: the account's default for EBS decides",
            )),
        }
    }
}
