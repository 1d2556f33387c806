//! A block as written in the code: its attributes and nested blocks with their source locations. Dynamic
//! blocks are expanded. A list of objects that is assigned to the name of a block is equivalent to the
//! blocks.

use std::rc::Rc;
use std::sync::Arc;

use super::evaluate::{Frame, Scope, evaluate};
use super::expansion::keys;
use super::file::Span;
use super::instance::Instance;
use super::syntax::{Block, Body, Expression, Node};
use super::value::Value;
use crate::model::Gap;

/// A block of a resource, or the resource itself.
#[derive(Clone)]
pub(crate) struct BlockView {
    pub(crate) instance: Rc<Instance>,
    content: Content,
    /// Values of the iterators of the surrounding dynamic blocks.
    bound: Rc<Vec<(Arc<str>, Value)>>,
    span: Span,
}

#[derive(Clone)]
enum Content {
    Block(Arc<Block>),
    /// The value of an object that stands for a block.
    Value(Value),
}

impl BlockView {
    pub(crate) fn of(instance: &Rc<Instance>) -> Self {
        Self {
            instance: Rc::clone(instance),
            content: Content::Block(Arc::clone(&instance.block)),
            bound: Rc::default(),
            span: instance.block.span,
        }
    }

    /// Source location of the block.
    pub(crate) fn span(&self) -> Span {
        self.span
    }

    fn body(&self) -> Option<&Body> {
        match &self.content {
            Content::Block(block) => Some(&block.body),
            Content::Value(_) => None,
        }
    }

    fn evaluate(&self, expression: &Expression) -> Value {
        fn bind(bound: &[(Arc<str>, Value)], scope: &Scope<'_>, expression: &Expression) -> Value {
            match bound.split_first() {
                None => evaluate(expression, scope),
                Some(((name, value), rest)) => {
                    let frame = Frame { name, value: value.clone(), outer: scope.frame };
                    bind(rest, &Scope { frame: Some(&frame), ..*scope }, expression)
                }
            }
        }
        bind(&self.bound, &self.instance.scope(), expression)
    }

    /// The value that is written for an attribute, with sensitive parts as values that leave evaluation. Null
    /// if the attribute is not written.
    pub(crate) fn get(&self, name: &str) -> Value {
        self.instance.module.context.leaving(self.marked(name))
    }

    /// The value that is written for an attribute, with its sensitivity marks. Null if the attribute is not
    /// written.
    pub(crate) fn marked(&self, name: &str) -> Value {
        match &self.content {
            Content::Value(Value::Map(members)) => members.get(name).cloned().unwrap_or(Value::Null),
            Content::Value(_) => Value::Null,
            Content::Block(block) => match block.body.attribute(name) {
                // The resource caches its attributes.
                Some(attribute) => self.evaluate(&attribute.value),
                None => Value::Null,
            },
        }
    }

    /// Source location of an attribute, if the attribute is written.
    pub(crate) fn span_of(&self, name: &str) -> Option<Span> {
        match self.body() {
            Some(body) => body
                .attribute(name)
                .map(|attribute| attribute.span)
                .or_else(|| body.blocks.iter().find(|block| kind_of(block) == name).map(|block| block.span)),
            None => Some(self.span),
        }
    }

    /// The nested blocks of that kind.
    ///
    /// # Errors
    /// If the number of blocks is unknown.
    pub(crate) fn blocks(&self, kind: &str) -> Result<Vec<Self>, Arc<Gap>> {
        let mut blocks = Vec::new();
        let assigned = self.get(kind);
        let span = self.span_of(kind).unwrap_or(self.span);
        self.add_values(&assigned, span, &mut blocks)?;
        let Some(body) = self.body() else { return Ok(blocks) };
        for block in body.blocks.iter().filter(|block| kind_of(block) == kind) {
            if *block.kind == *kind {
                blocks.push(self.nested(block, Rc::clone(&self.bound)));
            } else {
                self.unfold(block, kind, &mut blocks)?;
            }
        }
        Ok(blocks)
    }

    /// The first nested block of that kind, for kinds that may occur once.
    ///
    /// # Errors
    /// If it is unknown whether such a block exists.
    pub(crate) fn block(&self, kind: &str) -> Result<Option<Self>, Arc<Gap>> {
        Ok(self.blocks(kind)?.into_iter().next())
    }

    fn nested(&self, block: &Arc<Block>, bound: Rc<Vec<(Arc<str>, Value)>>) -> Self {
        Self {
            instance: Rc::clone(&self.instance),
            content: Content::Block(Arc::clone(block)),
            bound,
            span: block.span,
        }
    }

    fn add_values(&self, value: &Value, span: Span, blocks: &mut Vec<Self>) -> Result<(), Arc<Gap>> {
        let mut add = |value: &Value| {
            blocks.push(Self {
                instance: Rc::clone(&self.instance),
                content: Content::Value(value.clone()),
                bound: Rc::default(),
                span,
            });
        };
        match value {
            Value::Map(_) => add(value),
            Value::List(items) | Value::Set(items) => {
                for item in items.iter() {
                    match item {
                        Value::Unknown(hole) => return Err(Arc::clone(&hole.gap)),
                        item => add(item),
                    }
                }
            }
            Value::Unknown(hole) => return Err(Arc::clone(&hole.gap)),
            _ => {}
        }
        Ok(())
    }

    /// `dynamic "kind" { for_each = …, content { … } }`
    fn unfold(&self, block: &Arc<Block>, kind: &str, blocks: &mut Vec<Self>) -> Result<(), Arc<Gap>> {
        let context = &self.instance.module.context;
        let Some(content) = block.body.blocks_of("content").next() else { return Ok(()) };
        let Some(each) = block.body.attribute("for_each") else {
            return Err(context.gap(block.span, "the dynamic block has no for_each"));
        };
        let iterator: Arc<str> = match block.body.attribute("iterator").map(|attribute| &attribute.value.node) {
            // In JSON, a name is a string.
            Some(Node::Root(name) | Node::Text(name)) => Arc::clone(name),
            _ => kind.into(),
        };
        let value = context.leaving(self.evaluate(&each.value));
        let pairs: Vec<(Value, Value)> = match (&value, keys(&value)) {
            (Value::Unknown(hole), _) => return Err(Arc::clone(&hole.gap)),
            (Value::List(items), _) => {
                (0_u32..).map(|index| Value::Number(index.into())).zip(items.iter().cloned()).collect()
            }
            (Value::Set(items), _) => items.iter().map(|item| (item.clone(), item.clone())).collect(),
            (Value::Map(_), Some(pairs)) => pairs.into_iter().map(|(key, value)| (Value::Text(key), value)).collect(),
            (Value::Null, _) => Vec::new(),
            _ => return Err(context.gap(each.span, "for_each is not a collection that is known")),
        };
        if !context.afford(pairs.len().saturating_mul(16)) {
            return Err(context.gap(each.span, "there is too much of it"));
        }
        for (key, value) in pairs {
            let current = Value::map([("key".into(), key), ("value".into(), value)].into());
            let mut bound = self.bound.as_ref().clone();
            bound.push((Arc::clone(&iterator), current));
            blocks.push(self.nested(content, Rc::new(bound)));
        }
        Ok(())
    }

    /// The block as an object of its written attributes and blocks.
    pub(crate) fn to_value(&self) -> Value {
        match &self.content {
            Content::Value(value) => value.clone(),
            Content::Block(block) => {
                let names = block.body.attributes.iter().map(|attribute| Arc::clone(&attribute.name));
                Value::map(names.map(|name| (Arc::clone(&name), self.marked(&name))).collect())
            }
        }
    }
}

/// Returns the type of a block. For a dynamic block, this is the type of the generated blocks.
pub(crate) fn kind_of(block: &Block) -> &str {
    match (&*block.kind, block.labels.first()) {
        ("dynamic", Some(label)) => label,
        (kind, _) => kind,
    }
}
