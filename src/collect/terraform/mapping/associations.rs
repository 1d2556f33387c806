//! Resources that configure another resource: the versioning of a bucket, the rules of a security group.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;

use super::super::instance::Instance;
use super::super::value::Value;
use super::references::Reference;
use super::{Mapper, fact};
use crate::collect::terraform::block_view::BlockView;
use crate::model::Gap;

/// The associated resources of one type, by the address of the resource that they configure.
#[derive(Default)]
pub(crate) struct Associations {
    by_address: HashMap<String, Vec<Rc<Instance>>>,
    /// Reason why the target or the existence of some associated resources is unknown.
    loose: Option<Arc<Gap>>,
}

impl Mapper {
    /// The resources of this type whose attribute refers to the instance.
    ///
    /// # Errors
    /// If other such resources may exist.
    pub(crate) fn associations(
        &self,
        kind: &'static str,
        attribute: &'static str,
        of: &Rc<Instance>,
        of_kinds: &[&'static str],
    ) -> Result<Vec<Rc<Instance>>, Arc<Gap>> {
        if let Some(gap) = self.unread.as_ref().or_else(|| self.given_away.get(&of.address)) {
            return Err(Arc::clone(gap));
        }
        let known = self.associations.borrow().get(&(kind, attribute)).cloned();
        let all = known.unwrap_or_else(|| {
            let all = Rc::new(self.gather_companions(kind, attribute, of_kinds));
            self.associations.borrow_mut().insert((kind, attribute), Rc::clone(&all));
            all
        });
        if let Some(gap) = &all.loose {
            return Err(Arc::clone(gap));
        }
        let own = all.by_address.get(&of.address).cloned().unwrap_or_default();
        // In a module whose existence is unknown, either all of its resources exist or none.
        match own.iter().find_map(|association| association.uncertain.as_ref().filter(|_| of.uncertain.is_none())) {
            Some(gap) => Err(Arc::clone(gap)),
            None => Ok(own),
        }
    }

    /// The one resource of this type whose attribute refers to the instance.
    ///
    /// # Errors
    /// If other such resources may exist, or if several exist that set the same attributes.
    pub(crate) fn association(
        &self,
        kind: &'static str,
        attribute: &'static str,
        of: &Rc<Instance>,
        of_kinds: &[&'static str],
    ) -> Result<Option<Rc<Instance>>, Arc<Gap>> {
        let all = self.associations(kind, attribute, of, of_kinds)?;
        match all.as_slice() {
            [first, second, ..] => Err(set_twice(first, second)),
            _ => Ok(all.into_iter().next()),
        }
    }

    /// The view of the block that configures a feature: the one resource of this type whose attribute refers
    /// to the instance, or a part of the instance itself.
    ///
    /// # Errors
    /// If the resources are unknown, or if both configure the feature.
    pub(crate) fn companion_or_own(
        &self,
        kind: &'static str,
        attribute: &'static str,
        of: &Rc<Instance>,
        of_kinds: &[&'static str],
        own: impl Fn(&BlockView) -> Result<Option<BlockView>, Arc<Gap>>,
    ) -> Result<Option<BlockView>, Arc<Gap>> {
        match self.association(kind, attribute, of, of_kinds)? {
            None => own(&of.view()),
            Some(association) if self.is_written(of) && own(&of.view())?.is_some() => Err(set_twice(&association, of)),
            Some(association) => Ok(Some(association.view())),
        }
    }

    fn gather_companions(&self, kind: &str, attribute: &str, of_kinds: &[&'static str]) -> Associations {
        let mut all = Associations::default();
        for association in self.everywhere(kind) {
            // A list refers to each of its elements.
            let values = match association.attribute(attribute) {
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
                        all.by_address.entry(group.address.clone()).or_default().push(Rc::clone(&association));
                    }
                    continue;
                }
                match self.target(&value, of_kinds, &association) {
                    Reference::Declared(target) => {
                        all.by_address.entry(target.address.clone()).or_default().push(Rc::clone(&association));
                    }
                    Reference::Unknown(gap) => all.loose = Some(gap),
                    Reference::None | Reference::Named(_) | Reference::Outside(_) => {}
                }
            }
        }
        all
    }
}

/// Returns the gap for an attribute that two resources set: the value that Terraform applies last remains.
pub(crate) fn set_twice(first: &Rc<Instance>, second: &Rc<Instance>) -> Arc<Gap> {
    let why =
        format!("{} and {} set the same: the one that is applied last stays; leave one", first.address, second.address);
    fact::left_open(&first.view(), &why)
}

/// The view itself if it sets this attribute to a text.
pub(crate) fn with_text(view: &BlockView, name: &str) -> Option<BlockView> {
    let is_set = match view.get(name) {
        Value::Null => false,
        Value::Text(text) => !text.is_empty(),
        _ => true,
    };
    is_set.then(|| view.clone())
}
