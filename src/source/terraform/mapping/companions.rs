//! Resources that say something of another one: the versioning of a bucket, the rules of a security group.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::super::instance::Instance;
use super::super::value::Value;
use super::Mapper;
use super::targets::Target;
use crate::model::Gap;

/// The companions of one type, by the address of what they speak of.
#[derive(Default)]
pub(super) struct Companions {
    by_address: HashMap<String, Vec<Rc<Instance>>>,
    /// Why it is not known of what some speak, or whether some are there.
    loose: Option<Arc<Gap>>,
}

impl Mapper {
    /// The resources of this type whose attribute refers to the instance.
    ///
    /// # Errors
    /// Where there may be others.
    pub(super) fn companions(
        &self,
        kind: &'static str,
        attribute: &'static str,
        of: &Rc<Instance>,
        of_kinds: &[&'static str],
    ) -> Result<Vec<Rc<Instance>>, Arc<Gap>> {
        if let Some(gap) = self.unread.as_ref().or_else(|| self.given_away.get(&of.address)) {
            return Err(Arc::clone(gap));
        }
        let known = self.companions.borrow().get(&(kind, attribute)).cloned();
        let all = known.unwrap_or_else(|| {
            let all = Rc::new(self.gather_companions(kind, attribute, of_kinds));
            self.companions.borrow_mut().insert((kind, attribute), Rc::clone(&all));
            all
        });
        if let Some(gap) = &all.loose {
            return Err(Arc::clone(gap));
        }
        let own = all.by_address.get(&of.address).cloned().unwrap_or_default();
        // Within a module of which it is not known whether it is there, all are there or none is.
        match own.iter().find_map(|companion| companion.uncertain.as_ref().filter(|_| of.uncertain.is_none())) {
            Some(gap) => Err(Arc::clone(gap)),
            None => Ok(own),
        }
    }

    /// The one resource of this type whose attribute refers to the instance.
    pub(super) fn companion(
        &self,
        kind: &'static str,
        attribute: &'static str,
        of: &Rc<Instance>,
        of_kinds: &[&'static str],
    ) -> Result<Option<Rc<Instance>>, Arc<Gap>> {
        Ok(self.companions(kind, attribute, of, of_kinds)?.into_iter().next())
    }

    fn gather_companions(&self, kind: &str, attribute: &str, of_kinds: &[&'static str]) -> Companions {
        let mut all = Companions::default();
        for companion in self.everywhere(kind) {
            // A list refers to each of its elements.
            let values = match companion.attribute(attribute) {
                Value::List(items) | Value::Set(items) => items.to_vec(),
                value => vec![value],
            };
            for value in values {
                if of_kinds.contains(&"aws_default_security_group")
                    && let Some(vpc) = self.vpc_of_default_group(&value)
                {
                    // The default group of a VPC is not one of the other groups, and is mapped if the code declares it.
                    let is_of_vpc =
                        |group: &Rc<Instance>| group.attribute("vpc_id").equals(&vpc).is_ok_and(|same| same);
                    if let Some(group) = self.everywhere("aws_default_security_group").into_iter().find(is_of_vpc) {
                        all.by_address.entry(group.address.clone()).or_default().push(Rc::clone(&companion));
                    }
                    continue;
                }
                match self.target(&value, of_kinds, &companion) {
                    Target::Declared(target) => {
                        all.by_address.entry(target.address.clone()).or_default().push(Rc::clone(&companion));
                    }
                    Target::Unknown(gap) => all.loose = Some(gap),
                    Target::None | Target::Named(_) | Target::Outside(_) => {}
                }
            }
        }
        all
    }
}
