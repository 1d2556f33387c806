//! Type checker: checks an expression against the schema of the rule's resource type.
//!
//!
//! The checker works on the expression as written, before CEL expands its macros. It narrows the language so that an
//! expression cannot pass by accident: only listed operators, macros and functions; `==` and `in` only on scalars and
//! lists of scalars; no attribute that may be absent is read before `has()` has tested it. The checker also collects
//! the paths that the expression reads.

use std::collections::{BTreeMap, BTreeSet};

use cel::common::ast::operators as op;
use cel::common::ast::{CallExpr, Expr, IdedExpr, LiteralValue, SelectExpr};

use super::function::{Function, Parameter, Returns};
use super::path::{Path, Step};
use super::types::{Node, Type};
use crate::model::ResourceType;
use crate::yaml::nearest;

/// Error in an expression: the node, the problem and the remedy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) node: u64,
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

/// Type of a checked expression, and the paths that it reads.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) kind: Type,
    /// The attribute that the expression selects from, e.g. the list of a `filter`.
    pub(crate) path: Option<Path>,
}

/// Names that an expression may use.
pub(crate) struct Checker<'a> {
    resource_type: ResourceType,
    params: &'a BTreeMap<String, Type>,
    /// Paths that the expressions checked so far read.
    pub(crate) reads: BTreeSet<Path>,
    /// Parameters that the expressions checked so far read.
    pub(crate) params_read: BTreeSet<String>,
    /// Errors in the expressions checked so far.
    pub(crate) mistakes: Vec<Mistake>,
}

/// Facts known at one place of an expression.
#[derive(Debug, Clone, Default)]
pub(crate) struct Scope {
    variables: BTreeMap<String, (Type, Option<Path>)>,
    /// Attributes that `has()` has tested, as written: `resource.root_volume`.
    present: BTreeSet<String>,
    /// `true` if absent attributes may be read, as in messages.
    absent_allowed: bool,
    /// Number of evaluations of this part, by the lists of literals and parameters around it; 0 counts as one.
    times: usize,
}

/// Maximum number of evaluations of a part of an expression, not counting lists among the attributes of a resource.
const MOST_TIMES: usize = 20_000;

/// Returns the number of elements of a list of literals, or the maximum number of a parameter.
fn elements_of(list: &IdedExpr) -> usize {
    const PARAMETER: usize = 100;
    match &list.expr {
        Expr::List(list) => list.elements.len(),
        Expr::Select(select) if matches!(&select.operand.expr, Expr::Ident(name) if name == "params") => PARAMETER,
        Expr::Call(call) => match (call.func_name.as_str(), call.target.as_deref(), call.args.as_slice()) {
            (op::ADD, None, [left, right]) => elements_of(left).saturating_add(elements_of(right)),
            (op::FILTER | op::MAP, Some(range), _) => elements_of(range),
            _ => 1,
        },
        _ => 1,
    }
}

impl Scope {
    /// Returns a scope in which absent attributes may be read.
    pub(crate) fn absent_allowed() -> Self {
        Self { absent_allowed: true, ..Self::default() }
    }

    /// Returns the same scope, with these attributes known to be present.
    pub(crate) fn with(&self, present: BTreeSet<String>) -> Self {
        let mut scope = self.clone();
        scope.present.extend(present);
        scope
    }
}

const VARIABLES: [&str; 5] = ["account", "region", "partition", "dns_suffix", "now"];

impl<'a> Checker<'a> {
    pub(crate) fn new(resource_type: ResourceType, params: &'a BTreeMap<String, Type>) -> Self {
        Self { resource_type, params, reads: BTreeSet::new(), params_read: BTreeSet::new(), mistakes: Vec::new() }
    }

    /// Checks an expression in a scope.
    pub(crate) fn check(&mut self, expression: &IdedExpr, scope: &Scope) -> Checked {
        let (kind, path) = self.infer(expression, scope);
        Checked { kind, path }
    }

    /// Returns the attributes that are present if the expression is true.
    pub(crate) fn present_if_true(expression: &IdedExpr) -> BTreeSet<String> {
        present(expression, true)
    }

    /// Reports a wrong type if another is expected.
    pub(crate) fn expect(&mut self, expression: &IdedExpr, found: &Type, wanted: &Type) {
        if !found.fits(wanted) {
            self.mistake(expression, format!("expected {wanted}, found {found}"), None);
        }
    }

    fn mistake(
        &mut self,
        expression: &IdedExpr,
        message: impl Into<String>,
        help: Option<String>,
    ) -> (Type, Option<Path>) {
        self.mistakes.push(Mistake { node: expression.id, message: message.into(), help });
        (Type::Error, None)
    }

    fn infer(&mut self, expression: &IdedExpr, scope: &Scope) -> (Type, Option<Path>) {
        match &expression.expr {
            Expr::Literal(literal) => match literal {
                LiteralValue::Boolean(_) => (Type::Bool, None),
                LiteralValue::Int(_) => (Type::Int, None),
                LiteralValue::String(_) => (Type::Text, None),
                LiteralValue::Null => self.mistake(
                    expression,
                    "null is not allowed",
                    Some("an attribute that is absent is asked for with has()".to_owned()),
                ),
                LiteralValue::Bytes(_) | LiteralValue::Double(_) | LiteralValue::UInt(_) => {
                    self.mistake(expression, "only bool, int and string literals are allowed", None)
                }
            },
            Expr::Ident(name) => self.identifier(expression, name, scope),
            Expr::Select(select) => self.select(expression, select, scope),
            Expr::List(list) => {
                let mut element = Type::Any;
                for item in &list.elements {
                    let (kind, _) = self.infer(item, scope);
                    if element == Type::Any {
                        element = kind;
                    } else {
                        self.expect(item, &kind, &element);
                    }
                }
                (Type::List(Box::new(element)), None)
            }
            Expr::Map(map) => {
                for entry in &map.entries {
                    if let cel::common::ast::EntryExpr::MapEntry(entry) = &entry.expr {
                        for side in [&entry.key, &entry.value] {
                            let (kind, _) = self.infer(side, scope);
                            self.expect(side, &kind, &Type::Text);
                        }
                    }
                }
                (Type::Map, None)
            }
            Expr::Call(call) => self.call(expression, call, scope),
            Expr::Struct(_) | Expr::Comprehension(_) | Expr::Unspecified => {
                self.mistake(expression, "this form of expression is not allowed", None)
            }
        }
    }

    fn identifier(&mut self, expression: &IdedExpr, name: &str, scope: &Scope) -> (Type, Option<Path>) {
        if let Some((kind, path)) = scope.variables.get(name) {
            return (kind.clone(), path.clone());
        }
        match name {
            "resource" => (
                Type::Node(Node { structure: self.resource_type.structure(), resource_type: Some(self.resource_type) }),
                Some(Path::default()),
            ),
            "region" if !self.resource_type.is_regional() => {
                self.mistake(expression, format!("{} has no region", self.resource_type), None)
            }
            name if VARIABLES.contains(&name) => (Type::Text, None),
            "params" => {
                self.mistake(expression, "`params` is not a value of its own", Some("write `params.NAME`".to_owned()))
            }
            _ => {
                let known = VARIABLES
                    .into_iter()
                    .chain(["resource", "params"])
                    .chain(scope.variables.keys().map(String::as_str));
                let help = nearest(name, known).map(|near| format!("there is `{near}`"));
                self.mistake(expression, format!("there is no variable `{name}`"), help)
            }
        }
    }

    fn select(&mut self, expression: &IdedExpr, select: &SelectExpr, scope: &Scope) -> (Type, Option<Path>) {
        if matches!(&select.operand.expr, Expr::Ident(name) if name == "params") {
            return self.param(expression, &select.field);
        }
        let (kind, path) = self.infer(&select.operand, scope);
        let node = match kind {
            Type::Node(node) => node,
            Type::Error => return (Type::Error, None),
            Type::Map => {
                return self.mistake(
                    expression,
                    "a map has no attributes",
                    Some(format!("ask `\"{}\" in …`", select.field)),
                );
            }
            other => return self.mistake(expression, format!("{other} has no attributes"), None),
        };
        let Some(attribute) = node.structure.attribute(&select.field) else {
            let help = nearest(&select.field, node.structure.attributes.iter().map(|attribute| attribute.name))
                .map_or_else(
                    || Some(format!("`ssm-audit rules schema` lists the attributes of {}", node.structure.name)),
                    |near| Some(format!("there is `{near}`")),
                );
            return self.mistake(
                expression,
                format!("{} has no attribute `{}`", node.structure.name, select.field),
                help,
            );
        };
        let path = path.map(|path| path.then(Step::Attribute(attribute.name)));
        if let Some(path) = &path {
            self.reads.insert(path.clone());
        }
        if attribute.optional && !scope.absent_allowed {
            let written = written(expression);
            if !written.as_ref().is_some_and(|written| scope.present.contains(written)) {
                let written = written.unwrap_or_else(|| select.field.clone());
                self.mistakes.push(Mistake {
                    node: expression.id,
                    message: format!("`{}` may be absent", select.field),
                    help: Some(format!("ask first: `has({written}) && …`")),
                });
            }
        }
        (Type::of_attribute(attribute.kind), path)
    }

    fn param(&mut self, expression: &IdedExpr, name: &str) -> (Type, Option<Path>) {
        if let Some(kind) = self.params.get(name) {
            self.params_read.insert(name.to_owned());
            return (kind.clone(), None);
        }
        let help = nearest(name, self.params.keys().map(String::as_str)).map(|near| format!("there is `{near}`"));
        self.mistake(expression, format!("the rule declares no parameter `{name}`"), help)
    }

    fn call(&mut self, expression: &IdedExpr, call: &CallExpr, scope: &Scope) -> (Type, Option<Path>) {
        let name = call.func_name.as_str();
        match (name, call.target.as_deref(), call.args.as_slice()) {
            (op::LOGICAL_AND | op::LOGICAL_OR, None, [left, right]) => {
                let (kind, _) = self.infer(left, scope);
                self.expect(left, &kind, &Type::Bool);
                let scope = scope.with(present(left, name == op::LOGICAL_AND));
                let (kind, _) = self.infer(right, &scope);
                self.expect(right, &kind, &Type::Bool);
                (Type::Bool, None)
            }
            (op::LOGICAL_NOT, None, [operand]) => {
                let (kind, _) = self.infer(operand, scope);
                self.expect(operand, &kind, &Type::Bool);
                (Type::Bool, None)
            }
            (op::CONDITIONAL, None, [condition, yes, no]) => {
                let (kind, _) = self.infer(condition, scope);
                self.expect(condition, &kind, &Type::Bool);
                let (kind, path) = self.infer(yes, &scope.with(present(condition, true)));
                let (other, _) = self.infer(no, &scope.with(present(condition, false)));
                self.expect(no, &other, &kind);
                (kind, path)
            }
            (op::EQUALS | op::NOT_EQUALS, None, [left, right]) => {
                let (kind, _) = self.infer(left, scope);
                let (other, _) = self.infer(right, scope);
                for (side, kind) in [(left, &kind), (right, &other)] {
                    if !kind.is_comparable() {
                        return self.mistake(
                            side,
                            format!("{kind} cannot be compared as a whole"),
                            Some("compare its attributes".to_owned()),
                        );
                    }
                }
                self.expect(right, &other, &kind);
                (Type::Bool, None)
            }
            (op::LESS | op::LESS_EQUALS | op::GREATER | op::GREATER_EQUALS, None, [left, right]) => {
                for side in [left, right] {
                    let (kind, _) = self.infer(side, scope);
                    self.expect(side, &kind, &Type::Int);
                }
                (Type::Bool, None)
            }
            (op::IN, None, [item, container]) => {
                let (kind, _) = self.infer(item, scope);
                let (container_kind, _) = self.infer(container, scope);
                match container_kind {
                    Type::List(element) if element.is_scalar() => self.expect(item, &kind, &element),
                    Type::Map => self.expect(item, &kind, &Type::Text),
                    Type::Error => {}
                    other => return self.mistake(container, format!("`in` does not look into {other}"), None),
                }
                (Type::Bool, None)
            }
            (op::ADD, None, [left, right]) => {
                let (kind, _) = self.infer(left, scope);
                if !matches!(kind, Type::Int | Type::Text | Type::List(_) | Type::Error) {
                    return self.mistake(left, format!("`+` adds ints, strings or lists, not {kind}"), None);
                }
                let (other, _) = self.infer(right, scope);
                self.expect(right, &other, &kind);
                (kind, None)
            }
            (op::SUBSTRACT | op::MULTIPLY, None, [left, right]) => {
                for side in [left, right] {
                    let (kind, _) = self.infer(side, scope);
                    self.expect(side, &kind, &Type::Int);
                }
                (Type::Int, None)
            }
            (op::NEGATE, None, [operand]) => {
                let (kind, _) = self.infer(operand, scope);
                self.expect(operand, &kind, &Type::Int);
                (Type::Int, None)
            }
            (op::HAS, None, [asked]) => self.has(asked, scope),
            (op::ALL | op::EXISTS | op::EXISTS_ONE | op::FILTER | op::MAP, Some(range), [variable, body]) => {
                self.comprehension(name, range, variable, body, scope)
            }
            ("size", None, [of]) | ("size", Some(of), []) => {
                let (kind, _) = self.infer(of, scope);
                if !matches!(kind, Type::List(_) | Type::Text | Type::Error) {
                    return self.mistake(of, format!("{kind} has no size"), None);
                }
                (Type::Int, None)
            }
            ("startsWith" | "endsWith" | "contains", Some(of), [part]) => {
                for side in [of, part] {
                    let (kind, _) = self.infer(side, scope);
                    self.expect(side, &kind, &Type::Text);
                }
                (Type::Bool, None)
            }
            _ => self.host_function(expression, call, scope),
        }
    }

    fn has(&mut self, asked: &IdedExpr, scope: &Scope) -> (Type, Option<Path>) {
        let Expr::Select(_) = &asked.expr else {
            return self.mistake(asked, "has() asks for an attribute", Some("write `has(resource.NAME)`".to_owned()));
        };
        // An attribute that may be absent is known to be present after `has()` has tested it.
        let scope = written(asked).map_or_else(|| scope.clone(), |written| scope.with(BTreeSet::from([written])));
        self.infer(asked, &scope);
        (Type::Bool, None)
    }

    fn comprehension(
        &mut self,
        name: &str,
        range: &IdedExpr,
        variable: &IdedExpr,
        body: &IdedExpr,
        scope: &Scope,
    ) -> (Type, Option<Path>) {
        let (kind, path) = self.infer(range, scope);
        let Type::List(element) = kind else {
            if kind == Type::Error {
                return (Type::Error, None);
            }
            return self.mistake(range, format!("`{name}` goes through a list, not {kind}"), None);
        };
        let Expr::Ident(variable_name) = &variable.expr else {
            return self.mistake(variable, format!("the first argument of `{name}` names its variable"), None);
        };
        let taken = VARIABLES.contains(&variable_name.as_str())
            || ["resource", "params"].contains(&variable_name.as_str())
            || scope.variables.contains_key(variable_name);
        if taken {
            return self.mistake(variable, format!("`{variable_name}` has a meaning here already"), None);
        }
        let times = scope.times.max(1).saturating_mul(elements_of(range).max(1));
        if times > MOST_TIMES {
            let message = format!("`{name}` goes through more than {MOST_TIMES} elements, with the lists around it");
            return self.mistake(range, message, None);
        }
        let mut inner = Scope { times, ..scope.clone() };
        let element_path = path.as_ref().map(|path| path.then(Step::Each));
        inner.variables.insert(variable_name.clone(), (element.as_ref().clone(), element_path));
        let (body_kind, body_path) = self.infer(body, &inner);
        if name == op::MAP {
            return (Type::List(Box::new(body_kind)), body_path);
        }
        self.expect(body, &body_kind, &Type::Bool);
        if name == op::FILTER { (Type::List(element), path) } else { (Type::Bool, None) }
    }

    fn host_function(&mut self, expression: &IdedExpr, call: &CallExpr, scope: &Scope) -> (Type, Option<Path>) {
        let Some(function) = Function::named(&call.func_name) else {
            let known = super::function::FUNCTIONS.iter().map(|function| function.name);
            let known = known.chain([
                "has",
                "all",
                "exists",
                "exists_one",
                "filter",
                "map",
                "size",
                "startsWith",
                "endsWith",
                "contains",
            ]);
            let shown = operator_name(&call.func_name);
            let help = nearest(&call.func_name, known).map(|near| format!("there is `{near}`"));
            return self.mistake(expression, format!("{shown} is not allowed in rules"), help);
        };
        let receiver = match (&call.target, function.receiver) {
            (None, None) => None,
            (Some(target), Some(wanted)) => {
                let (kind, path) = self.infer(target, scope);
                let found = match &kind {
                    Type::Node(node) => node.structure.name,
                    Type::Document => "PolicyDocument",
                    Type::Error => wanted,
                    _ => "",
                };
                if found != wanted {
                    return self.mistake(
                        target,
                        format!("`{}` is called on {wanted}, not on {kind}", function.name),
                        None,
                    );
                }
                path
            }
            _ => return self.mistake(expression, format!("it is called as `{function}`"), None),
        };
        if call.args.len() != function.parameters.len() {
            return self.mistake(expression, format!("it is called as `{function}`"), None);
        }
        let mut last = None;
        for (argument, (_, parameter)) in call.args.iter().zip(function.parameters) {
            let (kind, path) = self.infer(argument, scope);
            match (parameter, &kind) {
                (Parameter::Resource(wanted), Type::Node(node)) if node.resource_type == Some(*wanted) => {}
                (Parameter::Resource(wanted), _) => {
                    self.mistake(argument, format!("expected {wanted}, found {kind}"), None);
                }
                (Parameter::Text, _) => self.expect(argument, &kind, &Type::Text),
                (Parameter::Int, _) => self.expect(argument, &kind, &Type::Int),
                (Parameter::Texts, _) => self.expect(argument, &kind, &Type::List(Box::new(Type::Text))),
                (Parameter::Map, _) => self.expect(argument, &kind, &Type::Map),
            }
            last = path;
        }
        self.reads.extend(receiver.iter().flat_map(|path| function.reads.iter().map(|read| path.join(read))));
        self.reads.extend(last.iter().flat_map(|path| function.argument_reads.iter().map(|read| path.join(read))));
        let kind = match function.returns {
            Returns::Bool => Type::Bool,
            Returns::Int => Type::Int,
            Returns::Text => Type::Text,
            Returns::Texts => Type::List(Box::new(Type::Text)),
        };
        (kind, None)
    }
}

/// Returns the attributes that are known to be present if this expression is true, or if it is false.
fn present(expression: &IdedExpr, truth: bool) -> BTreeSet<String> {
    let Expr::Call(call) = &expression.expr else { return BTreeSet::new() };
    match (call.func_name.as_str(), call.args.as_slice()) {
        (op::HAS, [asked]) if truth => written(asked).into_iter().collect(),
        (op::LOGICAL_NOT, [operand]) => present(operand, !truth),
        (op::LOGICAL_AND, [left, right]) if truth => &present(left, true) | &present(right, true),
        (op::LOGICAL_OR, [left, right]) if !truth => &present(left, false) | &present(right, false),
        _ => BTreeSet::new(),
    }
}

/// Returns a selection as it is written, e.g. `resource.root_volume`; none for any other expression.
fn written(expression: &IdedExpr) -> Option<String> {
    match &expression.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) => Some(format!("{}.{}", written(&select.operand)?, select.field)),
        _ => None,
    }
}

fn operator_name(name: &str) -> String {
    match name {
        op::OPT_SELECT => "`.?`".to_owned(),
        op::INDEX => "`[…]`".to_owned(),
        op::OPT_INDEX => "`[?…]`".to_owned(),
        op::DIVIDE => "`/`".to_owned(),
        op::MODULO => "`%`".to_owned(),
        name => format!("`{name}()`"),
    }
}
