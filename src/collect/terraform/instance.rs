//! One resource or data source. Its attributes are set by the code, computed as AWS computes them, or known
//! after apply.

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::block_view::BlockView;
use super::eval_context::Memo;
use super::evaluate::{Scope, evaluate};
use super::expansion::Binding;
use super::folder::{Mode, Resource};
use super::module::Module;
use super::provider::Provider;
use super::syntax::{Block, Name};
use super::value::{Nature, UnknownValue, Value};
use super::{computed_attributes, data, sensitive};
use crate::diagnostic::Diagnostic;
use crate::model::Gap;

/// One resource or data source.
pub(crate) struct Instance {
    pub(crate) module: Rc<Module>,
    pub(crate) mode: Mode,
    pub(crate) kind: Name,
    /// `module.a.aws_instance.b[0]`
    pub(crate) address: String,
    pub(crate) block: Arc<Block>,
    pub(super) binding: Binding,
    /// Reason why the existence or the number of the resource is unknown.
    pub(crate) uncertain: Option<Arc<Gap>>,
    pub(crate) provider: Memo<Rc<Provider>>,
    pub(crate) region: Memo<Value>,
    attributes: RefCell<Vec<(Name, Rc<Memo<Value>>)>>,
}

impl fmt::Debug for Instance {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.address)
    }
}

impl Instance {
    pub(crate) fn new(
        module: &Rc<Module>,
        resource: &Resource,
        suffix: &str,
        binding: Binding,
        uncertain: Option<Arc<Gap>>,
    ) -> Rc<Self> {
        let data = if resource.mode == Mode::Data { "data." } else { "" };
        Rc::new(Self {
            module: Rc::clone(module),
            mode: resource.mode,
            kind: Arc::clone(&resource.kind),
            address: format!("{}{data}{}.{}{suffix}", module.prefix(), resource.kind, resource.name),
            block: Arc::clone(&resource.block),
            binding,
            uncertain,
            provider: Memo::default(),
            region: Memo::default(),
            attributes: RefCell::default(),
        })
    }

    /// A module call in the form of a resource, for its references.
    pub(crate) fn of_call(module: &Rc<Module>, block: &Arc<Block>) -> Rc<Self> {
        let name = block.labels.first().cloned().unwrap_or_else(|| "".into());
        let call = Resource { mode: Mode::Managed, kind: "module".into(), name, block: Arc::clone(block) };
        Self::new(module, &call, "", Binding::default(), None)
    }

    /// Drops all values.
    pub(crate) fn release(&self) {
        self.attributes.borrow_mut().clear();
        drop(self.provider.take());
        drop(self.region.take());
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope::with(&self.module, &self.binding)
    }

    /// The block as written in the code.
    pub(crate) fn view(self: &Rc<Self>) -> BlockView {
        BlockView::of(self)
    }

    /// The value of an attribute, set by the code or computed, as it leaves evaluation.
    pub(crate) fn attribute(self: &Rc<Self>, name: &str) -> Value {
        self.module.context.leaving(self.marked_attribute(name))
    }

    /// The value of an attribute, with its sensitivity mark.
    pub(super) fn marked_attribute(self: &Rc<Self>, name: &str) -> Value {
        let memo = {
            let mut attributes = self.attributes.borrow_mut();
            if let Some((_, memo)) = attributes.iter().find(|(known, _)| **known == *name) {
                Rc::clone(memo)
            } else {
                let memo = Rc::new(Memo::default());
                attributes.push((name.into(), Rc::clone(&memo)));
                memo
            }
        };
        memo.get(
            || {
                let value = self.module.context.marking(|| self.attribute_value(name));
                if sensitive::is_sensitive(&self.kind, name) { value.into_sensitive() } else { value }
            },
            || {
                let span = self.block.span;
                let what = format!("{}.{name}", self.address);
                self.module.context.report(span, Diagnostic::error(format!("{what} depends on itself")));
                self.module.context.unknown(span, format!("{what} depends on itself"))
            },
        )
    }

    fn attribute_value(self: &Rc<Self>, name: &str) -> Value {
        if let Some(attribute) = self.block.body.attribute(name)
            && !matches!(name, "count" | "for_each" | "depends_on" | "provider")
        {
            let value = evaluate(&attribute.value, &self.scope());
            // Unset by `null`: AWS or the provider chooses the value.
            if !matches!(value, Value::Null) {
                return value;
            }
        }
        let value = match self.mode {
            Mode::Managed => computed_attributes::attribute(self, name),
            Mode::Data => data::attribute(self, name),
        };
        if let Some(value) = value {
            return value;
        }
        if self.block.body.blocks_of(name).next().is_some() {
            return match self.view().blocks(name) {
                Ok(blocks) => Value::list(blocks.iter().map(BlockView::to_value).collect()),
                Err(gap) => Value::Unknown(UnknownValue::new(gap, Nature::Open)),
            };
        }
        self.told_by_aws(name)
    }

    /// An attribute that is known after apply.
    pub(crate) fn told_by_aws(self: &Rc<Self>, name: &str) -> Value {
        let expression = format!("{}.{name}", self.address);
        let gap = self.module.context.gap_of(self.block.span, &expression, "known to AWS only");
        // For most attributes, only the schema of the provider defines the type.
        let is_text = matches!(name, "id" | "arn" | "name" | "bucket" | "key_id" | "unique_id")
            || name.ends_with("_id")
            || name.ends_with("_arn");
        let nature = match self.mode {
            Mode::Managed if is_text => Nature::Attribute(Rc::clone(self), name.into()),
            Mode::Data if is_text => Nature::LookedUp(Rc::clone(self), name.into()),
            Mode::Managed | Mode::Data => Nature::Open,
        };
        Value::Unknown(UnknownValue::new(gap, nature))
    }
}
