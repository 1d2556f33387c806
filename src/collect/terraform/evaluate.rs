//! Evaluates expressions. Evaluation never fails: an expression without a value results in an unknown value
//! with its location.

use std::collections::BTreeMap;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;

use iam_policy::is_symbol;

use super::eval_context::EvalContext;
use super::expansion::Binding;
use super::file::Span;
use super::folder::Mode;
use super::functions;
use super::module::Module;
use super::module_loader::on_disk;
use super::syntax::{ELEMENT, Expression, For, Node, Operator, Part};
use super::types::{as_bool, as_number, as_text};
use super::unify::of_one_type;
use super::value::{Nature, UnknownValue, Value, is_exact, too_much};

/// Scope in which names are resolved.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'a> {
    pub(crate) module: &'a Rc<Module>,
    pub(super) binding: Option<&'a Binding>,
    pub(super) frame: Option<&'a Frame<'a>>,
    /// `true` in the scope of a template file, in which the names of the module are not defined.
    pub(crate) is_template: bool,
}

/// A name bound by an expression.
pub(crate) struct Frame<'a> {
    pub(crate) name: &'a str,
    pub(crate) value: Value,
    pub(crate) outer: Option<&'a Frame<'a>>,
}

impl<'a> Scope<'a> {
    pub(crate) fn of(module: &'a Rc<Module>) -> Self {
        Self { module, binding: None, frame: None, is_template: false }
    }

    pub(crate) fn with(module: &'a Rc<Module>, binding: &'a Binding) -> Self {
        Self { module, binding: Some(binding), frame: None, is_template: false }
    }

    pub(crate) fn context(&self) -> &'a EvalContext {
        &self.module.context
    }

    fn bound(&self, name: &str) -> Option<&'a Value> {
        let mut frame = self.frame;
        while let Some(current) = frame {
            if current.name == name {
                return Some(&current.value);
            }
            frame = current.outer;
        }
        None
    }
}

/// The value of an expression.
pub(crate) fn evaluate(expression: &Expression, scope: &Scope<'_>) -> Value {
    scope
        .context()
        .deeper(|| scope.context().marking(|| value(expression, scope)))
        .unwrap_or_else(|| scope.context().unknown(expression.span, "it takes too much to evaluate it"))
}

fn value(expression: &Expression, scope: &Scope<'_>) -> Value {
    let span = expression.span;
    let context = scope.context();
    match &expression.node {
        Node::Null => Value::Null,
        Node::Bool(value) => Value::Bool(*value),
        Node::Number(value) => Value::Number(*value),
        Node::Text(text) => Value::Text(Arc::clone(text)),
        Node::Unusable(why) => context.unknown(span, *why),
        Node::Outside(why) => Value::Unknown(UnknownValue::new(context.gap(span, *why), Nature::Outside)),
        Node::Template(parts) => match parts.as_slice() {
            [Part::Value(only)] => evaluate(only, scope),
            parts => {
                let mut text = String::new();
                match append(parts, scope, &mut text) {
                    Ok(()) => Value::text(text),
                    Err(hole) => Value::Unknown(hole),
                }
            }
        },
        Node::List(items) => Value::list(items.iter().map(|item| evaluate(item, scope)).collect()),
        Node::Object(members) => object(members, scope),
        Node::Root(name) => match scope.bound(name) {
            Some(value) => value.clone(),
            None => context.wrong(span, format!("{name} is not a value")),
        },
        Node::Member(of, name) => {
            reference(of, name, span, scope).unwrap_or_else(|| member(&opened(of, scope), name, span, context))
        }
        Node::Index(both) => {
            let (of, key) = (opened(&both.0, scope), opened(&both.1, scope));
            index(&of, &key, span, context)
        }
        Node::Splat(both) => splat(&opened(&both.0, scope), &both.1, span, scope),
        Node::Conditional(all) => conditional(all, scope),
        Node::Not(inner) => match as_bool(opened(inner, scope)) {
            Ok(Value::Bool(value)) => Value::Bool(!value),
            other => unknown_operand(other, span, context),
        },
        Node::Negate(inner) => match number(&opened(inner, scope), context) {
            Ok(value) => Value::Number(-value),
            Err(other) => unknown_operand(other, span, context),
        },
        Node::Binary(operator, sides) => binary(*operator, &sides.0, &sides.1, span, scope),
        Node::Call(call) => functions::call(call, span, scope),
        Node::For(all) => for_each(all, span, scope),
    }
}

/// The value of an expression without its sensitivity mark, for inspection.
fn opened(expression: &Expression, scope: &Scope<'_>) -> Value {
    scope.context().open(evaluate(expression, scope))
}

/// The result of an operation with an operand that has no value of the expected type.
fn unknown_operand(operand: Result<Value, String>, span: Span, context: &EvalContext) -> Value {
    match operand {
        Ok(Value::Unknown(hole)) => blurred(&hole),
        Ok(_) => context.wrong(span, "an operand is null"),
        Err(wanted) => context.wrong(span, wanted),
    }
}

/// A new unknown value with the same reason.
pub(crate) fn blurred(hole: &Rc<UnknownValue>) -> Value {
    let nature = if matches!(hole.nature, Nature::Wrong) { Nature::Wrong } else { Nature::Open };
    Value::Unknown(UnknownValue::new(Arc::clone(&hole.gap), nature))
}

/// An unknown part of an unknown value.
fn part_of(hole: &Rc<UnknownValue>) -> Value {
    match hole.nature {
        Nature::Outside => Value::Unknown(UnknownValue::new(Arc::clone(&hole.gap), Nature::Outside)),
        _ => blurred(hole),
    }
}

/// Converts a value to a number. Otherwise returns the result in place of the number.
pub(crate) fn number(value: &Value, context: &EvalContext) -> Result<f64, Result<Value, String>> {
    if let Value::Text(text) = value {
        if !context.afford_text(text.len()) {
            return Err(Ok(Value::Unknown(too_much())));
        }
        if let Some(hole) = context.symbols.hole_in(text) {
            return Err(Ok(Value::Unknown(hole)));
        }
    }
    match as_number(value.clone()) {
        Ok(Value::Number(number)) => Ok(number),
        other => Err(other),
    }
}

/// Appends a value to a text, as interpolation does.
pub(super) fn append_value(
    value: &Value,
    text: &mut String,
    span: Span,
    context: &EvalContext,
) -> Result<(), Rc<UnknownValue>> {
    let before = text.len();
    match as_text(context.open(value.clone())) {
        Ok(Value::Text(part)) => text.push_str(&part),
        Ok(Value::Unknown(hole)) if matches!(hole.nature, Nature::Wrong) => return Err(hole),
        Ok(Value::Unknown(hole)) => text.push(context.symbol(&hole)?),
        Ok(_) => return Err(hole_of(context.wrong(span, "a null in a text"))),
        Err(wanted) => return Err(hole_of(context.wrong(span, wanted))),
    }
    if context.afford_text(text.len() - before) {
        Ok(())
    } else {
        Err(hole_of(context.unknown(span, "the text is too long")))
    }
}

fn hole_of(value: Value) -> Rc<UnknownValue> {
    match value {
        Value::Unknown(hole) => hole,
        _ => UnknownValue::new(crate::model::Gap::not_collected(), Nature::Open),
    }
}

fn append(parts: &[Part], scope: &Scope<'_>, text: &mut String) -> Result<(), Rc<UnknownValue>> {
    let context = scope.context();
    for part in parts {
        match part {
            Part::Literal(literal) => {
                text.push_str(literal);
                if !context.afford_text(literal.len()) {
                    return Err(hole_of(context.unknown(scope_span(parts), "the text is too long")));
                }
            }
            Part::Value(value) => append_value(&evaluate(value, scope), text, value.span, context)?,
            Part::If(inner) => {
                let (condition, then, otherwise) = &**inner;
                match as_bool(opened(condition, scope)) {
                    Ok(Value::Bool(true)) => append(then, scope, text)?,
                    Ok(Value::Bool(false)) => append(otherwise, scope, text)?,
                    other => return Err(hole_of(unknown_operand(other, condition.span, context))),
                }
            }
            Part::For(inner) => {
                let (key, name, collection, body) = &**inner;
                for (current, value) in pairs(&opened(collection, scope), collection.span, context)? {
                    let outer = key.as_ref().map(|key| Frame { name: key, value: current, outer: scope.frame });
                    let frame = Frame { name, value, outer: outer.as_ref().or(scope.frame) };
                    append(body, &Scope { frame: Some(&frame), ..*scope }, text)?;
                }
            }
        }
    }
    Ok(())
}

/// Any location in the template.
fn scope_span(parts: &[Part]) -> Span {
    let of = |part: &Part| match part {
        Part::Value(value) => Some(value.span),
        Part::If(inner) => Some(inner.0.span),
        Part::For(inner) => Some(inner.2.span),
        Part::Literal(_) => None,
    };
    parts.iter().find_map(of).unwrap_or(Span::new(super::file::FileId(u32::MAX), &(0..0)))
}

fn object(members: &[(Expression, Expression)], scope: &Scope<'_>) -> Value {
    let mut object = BTreeMap::new();
    for (key, value) in members {
        match key_text(&opened(key, scope), key.span, scope.context()) {
            Ok(key) => object.insert(key, evaluate(value, scope)),
            Err(hole) => return blurred(&hole),
        };
    }
    Value::map(object)
}

/// A key of an object, which must be known.
fn key_text(value: &Value, span: Span, context: &EvalContext) -> Result<Arc<str>, Rc<UnknownValue>> {
    match as_text(value.clone()) {
        Ok(Value::Text(text)) if !context.afford_text(text.len()) => Err(too_much()),
        Ok(Value::Text(text)) if !text.contains(is_symbol) => Ok(text),
        Ok(Value::Text(text)) => Err(context
            .symbols
            .hole_in(&text)
            .unwrap_or_else(|| hole_of(context.unknown(span, "the key is not known")))),
        other => Err(hole_of(unknown_operand(other, span, context))),
    }
}

/// The path from the root of the file system.
fn absolute(path: &Path) -> String {
    std::fs::canonicalize(on_disk(path)).unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned()
}

/// Resolves a name after a dot if the names before it are no value on their own.
fn reference(of: &Expression, name: &Arc<str>, span: Span, scope: &Scope<'_>) -> Option<Value> {
    let module = scope.module;
    let context = scope.context();
    match &of.node {
        Node::Root(root) if scope.bound(root).is_some() => None,
        Node::Root(_) | Node::Member(..) if scope.is_template => None,
        Node::Root(root) => Some(match &**root {
            "var" => module.variable(name, span),
            "local" => module.local(name, span),
            "module" => module.child(name, span),
            "path" => match &**name {
                "module" => Value::text(module.path_on_disk().to_string_lossy().as_ref()),
                "root" => Value::text("."),
                // Terraform runs in the folder of the root module by default.
                "cwd" => Value::text(absolute(&module.top().folder.path)),
                _ => context.wrong(span, format!("path.{name} is not a value")),
            },
            "terraform" | "tofu" => match (&**name, &context.workspace) {
                ("workspace", Some(workspace)) => workspace.clone(),
                ("workspace", None) => context.unknown(span, "the workspace is not known: name it with --workspace"),
                _ => context.unknown(span, format!("terraform.{name} is not known")),
            },
            "count" => match scope.binding.and_then(|binding| binding.count.clone()) {
                Some(value) if **name == *"index" => value,
                _ => context.unknown(span, format!("there is no count.{name} here")),
            },
            "each" => match (scope.binding.and_then(|binding| binding.each.as_ref()), &**name) {
                (Some((key, _)), "key") => key.clone(),
                (Some((_, value)), "value") => value.clone(),
                _ => context.unknown(span, format!("there is no each.{name} here")),
            },
            "self" => context.unknown(span, "self is not known"),
            "data" => return None,
            _ => module.resource(Mode::Managed, root, name, span),
        }),
        Node::Member(root, kind) if matches!(&root.node, Node::Root(root) if **root == *"data") => {
            Some(module.resource(Mode::Data, kind, name, span))
        }
        _ => None,
    }
}

/// `of.name`
pub(crate) fn member(of: &Value, name: &str, span: Span, context: &EvalContext) -> Value {
    match of {
        Value::Map(members) => match members.get(name) {
            Some(value) => value.clone(),
            // The name may be computed, and sensitive.
            None => context.wrong(span, "there is no attribute or element of that name"),
        },
        Value::Instance(instance) => instance.marked_attribute(name),
        Value::Module(module) => module.output(name, span),
        Value::Unknown(hole) => part_of(hole),
        Value::Null => context.wrong(span, format!("null has no attribute {name}")),
        other => context.wrong(span, format!("a {} has no attribute {name}", other.kind())),
    }
}

/// `of[key]`
pub(crate) fn index(of: &Value, key: &Value, span: Span, context: &EvalContext) -> Value {
    match (of, key) {
        // The number of instances is unknown: this instance represents each of them.
        (Value::Instance(instance), _) if instance.uncertain.is_some() && !is_attribute(key) => {
            context.touch_uncertain();
            of.clone()
        }
        (Value::Module(module), _) if module.uncertain.is_some() && !is_attribute(key) => {
            context.touch_uncertain();
            of.clone()
        }
        (Value::Unknown(hole), _) => part_of(hole),
        (_, Value::Unknown(hole)) => blurred(hole),
        (Value::Map(_) | Value::Instance(_) | Value::Module(_), key) => match key_text(key, span, context) {
            Ok(name) => member(of, &name, span, context),
            Err(hole) => blurred(&hole),
        },
        (Value::List(items) | Value::Set(items), key) => match number(key, context) {
            Ok(position) => {
                #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it is compared first")]
                let found = (position >= 0.0 && position.fract() == 0.0).then_some(position as usize);
                match found.and_then(|position| items.get(position)) {
                    Some(item) => item.clone(),
                    None => context.wrong(span, "there is no element of that index"),
                }
            }
            Err(other) => unknown_operand(other, span, context),
        },
        (other, _) => context.wrong(span, format!("a {} has no elements", other.kind())),
    }
}

/// Returns `true` if an index on an uncertain resource names an attribute of the resource instead of one of
/// its instances: no expression indexes an instance twice by key.
fn is_attribute(key: &Value) -> bool {
    matches!(key, Value::Text(name) if matches!(&**name, "id" | "arn" | "name" | "bucket" | "key_id"))
}

fn splat(of: &Value, each: &Expression, span: Span, scope: &Scope<'_>) -> Value {
    let context = scope.context();
    let apply = |element: &Value| {
        let frame = Frame { name: ELEMENT, value: element.clone(), outer: scope.frame };
        evaluate(each, &Scope { frame: Some(&frame), ..*scope })
    };
    match of {
        Value::List(items) | Value::Set(items) if !context.afford(items.len()) => Value::Unknown(too_much()),
        Value::List(items) | Value::Set(items) => Value::list(items.iter().map(apply).collect()),
        Value::Null => Value::list(Vec::new()),
        Value::Unknown(hole) => blurred(hole),
        Value::Instance(instance) if let Some(gap) = &instance.uncertain => {
            Value::Unknown(UnknownValue::new(Arc::clone(gap), Nature::Open))
        }
        Value::Module(module) if let Some(gap) = &module.uncertain => {
            Value::Unknown(UnknownValue::new(Arc::clone(gap), Nature::Open))
        }
        Value::Map(members) if members.values().any(|value| matches!(value, Value::Instance(_) | Value::Module(_))) => {
            context.wrong(span, "a splat takes a list; for_each makes a map")
        }
        single => Value::list(vec![apply(single)]),
    }
}

/// Converts the chosen result of a conditional to the one type of both results.
fn alike(value: Value, other: &Expression, scope: &Scope<'_>) -> Value {
    let is_scalar = |value: &Value| matches!(value, Value::Bool(_) | Value::Number(_));
    let is_converted = match &value {
        Value::Sensitive(inner) => is_scalar(inner) || inner.is_collection(),
        value => is_scalar(value) || value.is_collection(),
    };
    let others = if is_converted { results(other) } else { Vec::new() };
    if others.is_empty() {
        return value;
    }
    let values = std::iter::once(value).chain(others.into_iter().map(|other| evaluate(other, scope)));
    of_one_type(values.collect(), &scope.context().budget).swap_remove(0)
}

/// The possible results of a nested conditional, without those that cause no conversion.
fn results(expression: &Expression) -> Vec<&Expression> {
    match &expression.node {
        Node::Null | Node::Bool(_) | Node::Number(_) => Vec::new(),
        Node::Conditional(all) => all[1..].iter().flat_map(results).collect(),
        _ => vec![expression],
    }
}

fn conditional(all: &[Expression; 3], scope: &Scope<'_>) -> Value {
    let [condition, then, otherwise] = all;
    match as_bool(opened(condition, scope)) {
        Ok(Value::Bool(true)) => alike(evaluate(then, scope), otherwise, scope),
        Ok(Value::Bool(false)) => alike(evaluate(otherwise, scope), then, scope),
        other => {
            // If both branches have the same value, the condition is irrelevant.
            let (then, otherwise) = (evaluate(then, scope), evaluate(otherwise, scope));
            if then.equals_within(&otherwise, &scope.context().budget).is_ok_and(|equal| equal) {
                return if otherwise.is_sensitive() { then.into_sensitive() } else { then };
            }
            unknown_operand(other, condition.span, scope.context())
        }
    }
}

/// Reason why the result of a calculation is unknown.
pub(super) const INEXACT: &str = "Terraform computes with more digits than are computed here";

/// Returns `true` for a tuple or object literal.
fn is_written_out(expression: &Expression) -> bool {
    matches!(expression.node, Node::List(_) | Node::Object(_))
}

fn binary(operator: Operator, left_side: &Expression, right_side: &Expression, span: Span, scope: &Scope<'_>) -> Value {
    let (context, left, right) = (scope.context(), left_side, right_side);
    if matches!(operator, Operator::And | Operator::Or) {
        let decides = operator == Operator::Or;
        let left = as_bool(opened(left, scope));
        if matches!(left, Ok(Value::Bool(value)) if value == decides) {
            return Value::Bool(decides);
        }
        return match (left, as_bool(opened(right, scope))) {
            (Ok(Value::Bool(_)), Ok(Value::Bool(right))) => Value::Bool(right),
            (Ok(Value::Unknown(_)), Ok(Value::Bool(right))) if right == decides => Value::Bool(decides),
            (Ok(Value::Bool(_)), other) | (other, _) => unknown_operand(other, span, context),
        };
    }
    let (left, right) = (context.open_all(evaluate(left, scope)), context.open_all(evaluate(right, scope)));
    if matches!(operator, Operator::Equal | Operator::NotEqual) {
        return match left.equals_within(&right, &context.budget) {
            // A list is not equal to a tuple, nor a map to an object, even with equal elements. The exact
            // types are unknown here.
            Ok(true) if left.is_collection() && !(is_written_out(left_side) && is_written_out(right_side)) => {
                context.unknown(span, "whether the two are equal depends on their types")
            }
            Ok(equal) => Value::Bool(equal == (operator == Operator::Equal)),
            Err(hole) => blurred(&hole),
        };
    }
    let (left, right) = match (number(&left, context), number(&right, context)) {
        (Ok(left), Ok(right)) => (left, right),
        (Err(other), _) | (_, Err(other)) => return unknown_operand(other, span, context),
    };
    let result = match operator {
        Operator::Less => return Value::Bool(left < right),
        Operator::LessOrEqual => return Value::Bool(left <= right),
        Operator::Greater => return Value::Bool(left > right),
        Operator::GreaterOrEqual => return Value::Bool(left >= right),
        Operator::Plus => left + right,
        Operator::Minus => left - right,
        Operator::Times => left * right,
        Operator::Divided => left / right,
        _ => left % right,
    };
    if !result.is_finite() {
        return context.wrong(span, "the result is no number");
    }
    // A quotient is the nearest number, and exact enough for functions that round it.
    let is_known = is_exact(left) && is_exact(right) && (is_exact(result) || operator == Operator::Divided);
    if is_known { Value::Number(result) } else { context.unknown(span, INEXACT) }
}

/// The keys and values of a collection.
pub(crate) fn pairs(of: &Value, span: Span, context: &EvalContext) -> Result<Vec<(Value, Value)>, Rc<UnknownValue>> {
    let pairs: Vec<(Value, Value)> = match of {
        Value::List(items) => (0_u32..).map(|index| Value::Number(index.into())).zip(items.iter().cloned()).collect(),
        Value::Set(items) => items.iter().map(|item| (item.clone(), item.clone())).collect(),
        Value::Map(members) => {
            members.iter().map(|(key, value)| (Value::Text(Arc::clone(key)), value.clone())).collect()
        }
        Value::Unknown(hole) => return Err(Rc::clone(hole)),
        Value::Instance(_) | Value::Module(_) => {
            return Err(hole_of(context.unknown(span, "which attributes there are is not known")));
        }
        other => return Err(hole_of(context.wrong(span, format!("a {} is no collection", other.kind())))),
    };
    if context.afford(pairs.len()) { Ok(pairs) } else { Err(hole_of(context.unknown(span, "there is too much of it"))) }
}

fn for_each(all: &For, span: Span, scope: &Scope<'_>) -> Value {
    let context = scope.context();
    let collection = opened(&all.collection, scope);
    let pairs = match pairs(&collection, all.collection.span, context) {
        Ok(pairs) => pairs,
        Err(hole) => return blurred(&hole),
    };
    let mut list = Vec::new();
    let mut map: BTreeMap<Arc<str>, Value> = BTreeMap::new();
    let mut groups: BTreeMap<Arc<str>, Vec<Value>> = BTreeMap::new();
    for (key, value) in pairs {
        let outer = all.key.as_ref().map(|name| Frame { name, value: key, outer: scope.frame });
        let frame = Frame { name: &all.value, value, outer: outer.as_ref().or(scope.frame) };
        let scope = &Scope { frame: Some(&frame), ..*scope };
        if let Some(condition) = &all.condition {
            match as_bool(opened(condition, scope)) {
                Ok(Value::Bool(true)) => {}
                Ok(Value::Bool(false)) => continue,
                other => return unknown_operand(other, condition.span, context),
            }
        }
        let result = |scope| evaluate(&all.result, scope);
        match &all.result_key {
            None => list.push(result(scope)),
            Some(key) => match key_text(&opened(key, scope), key.span, context) {
                Err(hole) => return blurred(&hole),
                Ok(key) if all.grouping => groups.entry(key).or_default().push(result(scope)),
                Ok(key) => {
                    if map.insert(key, result(scope)).is_some() {
                        return context.wrong(span, "two elements have the same key");
                    }
                }
            },
        }
    }
    match (&all.result_key, all.grouping) {
        (None, _) => Value::list(list),
        (Some(_), false) => Value::map(map),
        (Some(_), true) => Value::map(groups.into_iter().map(|(key, values)| (key, Value::list(values))).collect()),
    }
}
