//! Resources as CEL values, without copies: attributes are looked up when an expression reads them, links are followed
//! then, and an unknown attribute is an error of the lookup. The three-valued logic follows from CEL's own error
//! semantics.
//!
//!
//! CEL passes arguments to host functions as trait objects that borrow, which cannot be downcast. So a function calls
//! its receiver by *indexing* it with a [`HostCall`], which can be downcast.

use std::any::Any;
use std::collections::BTreeMap;

use cel::ExecutionError;
use cel::common::traits::{Container, Indexer};
use cel::common::types::{CelBool, CelInt, CelList, CelMap, CelMapKey, CelString, Type};
use cel::common::value::{CowVal, StaticVal, Val};
use iam_policy::PolicyDocument;
use memchr::memchr;
use serde_json::Value as Json;

use super::function::{Answer, Function, Receiver, Undecided};
use super::path::{Followed, Place, json};
use crate::model::schema::View;
use crate::model::{Gap, Key, ResourceType, symbol};

/// The CEL type of a resource or a part of one.
pub(crate) static NODE: Type = Type::new_unspecified_type("ssm_audit.Resource");
/// The CEL type of a policy document.
pub(crate) static DOCUMENT: Type = Type::new_unspecified_type("ssm_audit.PolicyDocument");
static MAP: Type = Type::new_unspecified_type("ssm_audit.Map");
static HOST_CALL: Type = Type::new_unspecified_type("ssm_audit.HostCall");

/// Returns the error of reading an unknown value.
pub(crate) fn unknown(gap: &Gap) -> ExecutionError {
    ExecutionError::function_error("read", gap)
}

/// A resource, or a part of one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NodeValue<'a>(pub(crate) Place<'a>);

impl<'a> NodeValue<'a> {
    /// Returns the value at a path of attributes, if it is known and present.
    pub(crate) fn at(&self, path: &str) -> Option<Box<dyn Val + 'a>> {
        let Some(dot) = memchr(b'.', path.as_bytes()) else { return self.attribute(path).ok() };
        let (first, rest) = (&path[..dot], &path[dot + 1..]);
        let place = self.0;
        let next = match place.node.view(first)? {
            View::Part(part) => place.part(part),
            View::Link(resource_type, key) => match place.follow(resource_type, key) {
                Followed::Resource(target) => target,
                Followed::Missing | Followed::Unknown(_) => return None,
            },
            _ => return None,
        };
        NodeValue(next).at(rest)
    }

    fn attribute(&self, name: &str) -> Result<Box<dyn Val + 'a>, ExecutionError> {
        let place = self.0;
        let absent = || ExecutionError::no_such_key(name);
        Ok(match place.node.view(name).ok_or_else(absent)? {
            View::Unknown(gap) => match &gap.symbol {
                // The known part of the text is enough for policies; `symbol` excludes the text from comparisons.
                Some(text) => Box::new(CelString::from(text.as_ref())),
                None => return Err(unknown(gap)),
            },
            View::Absent => return Err(absent()),
            View::Bool(value) => Box::new(CelBool::from(value)),
            View::Int(value) => Box::new(CelInt::from(value)),
            View::Text(value) => Box::new(CelString::from(value)),
            View::Texts(values) => list(values.iter().map(|value| CelString::from(value.as_str()))),
            View::Map(values) => Box::new(MapValue(values)),
            View::Document(document) => Box::new(DocumentValue(document)),
            View::Part(part) => Box::new(NodeValue(place.part(part))),
            View::Parts(parts) => list(parts.into_iter().map(|part| NodeValue(place.part(part)))),
            View::Link(resource_type, key) => match place.follow(resource_type, key) {
                Followed::Resource(target) => Box::new(NodeValue(target)),
                Followed::Missing => return Err(absent()),
                Followed::Unknown(gap) => return Err(unknown(&gap)),
            },
            View::Links(resource_type, keys) => {
                list(keys.into_iter().map(|key| LinkValue { place, resource_type, key }))
            }
        })
    }
}

fn list<'a, V: Val + 'a>(values: impl Iterator<Item = V>) -> Box<dyn Val + 'a> {
    let values: Vec<Box<dyn Val + 'a>> = values.map(|value| Box::new(value) as Box<dyn Val + 'a>).collect();
    Box::new(CelList::from(values))
}

fn key_text(index: &dyn Val) -> Result<&str, ExecutionError> {
    index.downcast_ref::<CelString>().map(CelString::inner).ok_or_else(|| ExecutionError::UnexpectedType {
        got: index.get_type().name().to_owned(),
        want: "string".to_owned(),
    })
}

macro_rules! indexed {
    ($type:ident, $cel_type:expr $(, $container:ident)?) => {
        impl<'a> Val for $type<'a> {
            fn get_type(&self) -> &Type {
                &$cel_type
            }

            fn cel_type() -> &'static Type {
                &$cel_type
            }

            fn as_indexer<'b, 'v>(&'b self) -> Option<&'b (dyn Indexer + 'v)>
            where
                Self: 'v,
            {
                Some(self)
            }

            $(fn as_container(&self) -> Option<&dyn $container> {
                Some(self)
            })?

            fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v>
            where
                Self: 'v,
            {
                Box::new(*self)
            }
        }

        impl Indexer for $type<'_> {
            fn get<'b, 'v>(&'b self, index: &dyn Val) -> Result<CowVal<'b, 'v>, ExecutionError>
            where
                Self: 'v,
            {
                self.index(index).map(CowVal::Owned)
            }

            fn steal<'v>(self: Box<Self>, index: &dyn Val) -> Result<Box<dyn Val + 'v>, ExecutionError>
            where
                Self: 'v,
            {
                self.index(index).map(|value| value as Box<dyn Val + 'v>)
            }
        }
    };
}

indexed!(NodeValue, NODE);
indexed!(LinkValue, NODE);
indexed!(MapValue, MAP, Container);
indexed!(DocumentValue, DOCUMENT);

impl<'a> NodeValue<'a> {
    fn index(&self, index: &dyn Val) -> Result<Box<dyn Val + 'a>, ExecutionError> {
        if let Some(call) = index.downcast_ref::<HostCall>() {
            return call.ask(Receiver::Place(self.0));
        }
        self.attribute(key_text(index)?)
    }
}

/// A resource in a list of links, followed when an expression reads it: a resource that could not be read must not hide
/// the others.
#[derive(Debug, Clone, Copy)]
pub(crate) struct LinkValue<'a> {
    place: Place<'a>,
    resource_type: ResourceType,
    key: &'a Key,
}

impl<'a> LinkValue<'a> {
    fn index(&self, index: &dyn Val) -> Result<Box<dyn Val + 'a>, ExecutionError> {
        match self.place.follow(self.resource_type, self.key) {
            Followed::Resource(target) => NodeValue(target).index(index),
            // The error is not a missing key: `has(element.attribute)` must not be answered by a resource that does not
            // exist.
            Followed::Missing => {
                let what = format!("{} {} does not exist", self.resource_type, self.key.id);
                Err(ExecutionError::function_error("read", what))
            }
            Followed::Unknown(gap) => Err(unknown(&gap)),
        }
    }
}

/// Texts by name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct MapValue<'a>(&'a BTreeMap<String, String>);

impl<'a> MapValue<'a> {
    fn index(self, index: &dyn Val) -> Result<Box<dyn Val + 'a>, ExecutionError> {
        if let Some(call) = index.downcast_ref::<HostCall>() {
            return call.ask(Receiver::Other(json(View::Map(self.0))));
        }
        let name = key_text(index)?;
        let value = self.0.get(name).ok_or_else(|| ExecutionError::no_such_key(name))?;
        Ok(Box::new(CelString::from(value.as_str())))
    }
}

impl Container for MapValue<'_> {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        let name = key_text(value)?;
        match self.0.get(name).map(String::as_str) {
            Some(symbol::PERHAPS) => {
                Err(ExecutionError::function_error("read", format!("{name} is there only if its value is not null")))
            }
            None if self.0.contains_key(symbol::PERHAPS) => {
                Err(ExecutionError::function_error("read", format!("{name} may be added by what is not known")))
            }
            found => Ok(found.is_some()),
        }
    }
}

/// A policy document.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DocumentValue<'a>(&'a PolicyDocument);

impl<'a> DocumentValue<'a> {
    fn index(self, index: &dyn Val) -> Result<Box<dyn Val + 'a>, ExecutionError> {
        match index.downcast_ref::<HostCall>() {
            Some(call) => call.ask(Receiver::Document(self.0)),
            None => Err(ExecutionError::no_such_key(key_text(index)?)),
        }
    }
}

/// Request that a host function sends to a value by indexing it.
#[derive(Debug, Clone)]
pub(crate) enum HostCall {
    /// Calls a host function.
    Function(&'static Function, Vec<Argument>),
    /// Identifies the resource, or returns the value as JSON: the result is a text.
    Identify,
    /// Returns the value as JSON.
    Show,
}

/// An argument of a host function.
#[derive(Debug, Clone)]
pub(crate) enum Argument {
    Text(String),
    Int(i64),
    Texts(Vec<String>),
    Map(BTreeMap<String, String>),
    Resource(ResourceType, Key),
}

impl HostCall {
    fn ask<'a>(&self, receiver: Receiver<'_>) -> Result<Box<dyn Val + 'a>, ExecutionError> {
        let text = |value: String| Box::new(CelString::from(value)) as Box<dyn Val + 'a>;
        match self {
            Self::Function(function, arguments) => answer(function, (function.evaluate)(&receiver, arguments)),
            Self::Identify => match receiver {
                Receiver::Place(Place { identity: Some((resource_type, key)), .. }) => {
                    Ok(text(format!("{resource_type} {key}")))
                }
                _ => Err(ExecutionError::function_error("read", "not a resource")),
            },
            Self::Show => Ok(text(match receiver {
                Receiver::Place(place) => show(place).to_string(),
                Receiver::Document(document) => json(View::Document(document)).to_string(),
                Receiver::Other(value) => value.to_string(),
            })),
        }
    }
}

fn show(place: Place<'_>) -> Json {
    match place.identity {
        Some((_, key)) => key.id.as_ref().into(),
        None => json(View::Part(place.node)),
    }
}

fn answer<'a>(function: &Function, answer: Result<Answer, Undecided>) -> Result<Box<dyn Val + 'a>, ExecutionError> {
    match answer {
        Ok(Answer::Bool(value)) => Ok(Box::new(CelBool::from(value))),
        Ok(Answer::Int(value)) => Ok(Box::new(CelInt::from(value))),
        Ok(Answer::Text(value)) => Ok(Box::new(CelString::from(value))),
        Ok(Answer::Texts(values)) => Ok(list(values.into_iter().map(CelString::from))),
        Err(Undecided(reason)) => Err(ExecutionError::function_error(function.name, reason)),
    }
}

impl Val for HostCall {
    fn get_type(&self) -> &Type {
        &HOST_CALL
    }

    fn cel_type() -> &'static Type {
        &HOST_CALL
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for HostCall {}

/// Calls a host function: the first argument is its receiver, if it has one.
pub(crate) fn call<'b, 'v>(
    function: &'static Function,
    mut arguments: Vec<CowVal<'b, 'v>>,
) -> Result<CowVal<'b, 'v>, ExecutionError> {
    if function.receiver.is_none() {
        let arguments = arguments.iter().map(|value| argument(value.as_ref())).collect::<Result<Vec<_>, _>>()?;
        return answer(function, (function.evaluate)(&Receiver::Other(Json::Null), &arguments)).map(CowVal::Owned);
    }
    let receiver = arguments.remove(0);
    let arguments = arguments.iter().map(|value| argument(value.as_ref())).collect::<Result<Vec<_>, _>>()?;
    let asked = HostCall::Function(function, arguments);
    match receiver.as_indexer() {
        Some(indexer) => indexer.get(&asked).map(|value| CowVal::Owned(value.into_owned())),
        None => Err(ExecutionError::function_error(function.name, "the receiver is not a resource")),
    }
}

/// Returns any value of an expression as JSON, for evidence.
pub(crate) fn to_json(value: &dyn Val) -> Result<Json, ExecutionError> {
    if let Some(text) = value.downcast_ref::<CelString>() {
        return Ok(text.inner().into());
    }
    if let Some(number) = value.downcast_ref::<CelInt>() {
        return Ok((*number.inner()).into());
    }
    if let Some(truth) = value.downcast_ref::<CelBool>() {
        return Ok((*truth.inner()).into());
    }
    if let Some(values) = value.downcast_ref::<CelList>() {
        return values.inner().iter().map(|value| to_json(value.as_ref())).collect();
    }
    let shown = asked(value, &HostCall::Show)?;
    serde_json::from_str(&shown).map_err(|error| ExecutionError::function_error("evidence", error))
}

fn asked(value: &dyn Val, question: &HostCall) -> Result<String, ExecutionError> {
    let indexer = value.as_indexer().ok_or_else(|| ExecutionError::UnexpectedType {
        got: value.get_type().name().to_owned(),
        want: "a resource".to_owned(),
    })?;
    let answer = indexer.get(question)?;
    key_text(answer.as_ref()).map(str::to_owned)
}

fn argument(value: &dyn Val) -> Result<Argument, ExecutionError> {
    if let Some(text) = value.downcast_ref::<CelString>() {
        return Ok(Argument::Text(text.inner().to_owned()));
    }
    if let Some(number) = value.downcast_ref::<CelInt>() {
        return Ok(Argument::Int(*number.inner()));
    }
    if let Some(values) = value.downcast_ref::<CelList>() {
        let texts = values.inner().iter().map(|value| key_text(value.as_ref()).map(str::to_owned));
        return texts.collect::<Result<_, _>>().map(Argument::Texts);
    }
    if let Some(members) = value.downcast_ref::<CelMap>() {
        let members = members.inner().iter().map(|(name, value)| match name {
            CelMapKey::String(name) => Ok((name.inner().to_owned(), key_text(value.as_ref())?.to_owned())),
            _ => Err(ExecutionError::function_error("map", "its keys are not strings")),
        });
        return members.collect::<Result<_, _>>().map(Argument::Map);
    }
    let identity = asked(value, &HostCall::Identify)?;
    let resource = identity
        .split_once(' ')
        .and_then(|(label, key)| Some((ResourceType::from_label(label)?, Key::try_from(key.to_owned()).ok()?)));
    resource
        .map(|(resource_type, key)| Argument::Resource(resource_type, key))
        .ok_or_else(|| ExecutionError::function_error("read", "not a resource"))
}
