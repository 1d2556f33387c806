//! Native syntax. The grammar is hcl-edit's, which bounds how deep it nests.

use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use hcl_edit::Span as _;
use hcl_edit::expr::{BinaryOperator, Expression as Hcl, ObjectKey, Traversal, TraversalOperator, UnaryOperator};
use hcl_edit::parser::Error;
use hcl_edit::structure::{Block as HclBlock, Body as HclBody, Structure};
use hcl_edit::template::{Directive, Element, Template};
use iam_policy::is_symbol;

use super::literals::{Form, literals};
use super::preprocessor::{Start, preprocess};
use crate::collect::terraform::file::{File, FileId, Span};
use crate::collect::terraform::syntax::{
    Attribute, Block, Body, Call, ELEMENT, Expression, For, Name, Names, Node, Operator, Part,
};
use crate::collect::terraform::value::LARGEST;
use crate::diagnostic::Diagnostic;

pub(crate) fn body(file: &File, id: FileId) -> Result<Body, Box<Diagnostic>> {
    let body: HclBody = parsed(file.source().text(), Start::Body).map_err(|error| mistake(file, &error))?;
    Ok(Reader::new(id, file.source().text()).body(&body))
}

pub(crate) fn expression(file: &File, id: FileId) -> Result<Expression, Box<Diagnostic>> {
    let expression: Hcl = parsed(file.source().text(), Start::Expression).map_err(|error| mistake(file, &error))?;
    Ok(Reader::new(id, file.source().text()).expression(&expression))
}

pub(crate) fn template(file: &File, id: FileId) -> Result<Expression, Box<Diagnostic>> {
    let template: Template = parsed(file.source().text(), Start::Template).map_err(|error| mistake(file, &error))?;
    let text = file.source().text();
    let node = Reader::new(id, text).template(&template, Form::Lines);
    Ok(Expression { node, span: Span::new(id, &(0..text.len())) })
}

/// A text that is a template, such as one in JSON: what is in it has the place of the text.
pub(crate) fn embedded(text: &str, span: Span) -> Expression {
    let node = match parsed::<Template>(text, Start::Template) {
        Ok(template) => Reader::at(span, text).template(&template, Form::Lines),
        Err(_) => Node::Unusable("the text is not a template"),
    };
    Expression { node, span }
}

/// A text that is an expression, such as a type in JSON: what is in it has the place of the text.
pub(super) fn embedded_expression(text: &str, span: Span) -> Expression {
    match parsed::<Hcl>(text, Start::Expression) {
        Ok(expression) => Reader::at(span, text).expression(&expression),
        Err(_) => Expression { node: Node::Unusable("the text is not an expression"), span },
    }
}

/// The text as hcl-edit has it; as the preprocessor leaves it, where it is refused otherwise.
fn parsed<T: FromStr<Err = Error>>(text: &str, start: Start) -> Result<T, Error> {
    T::from_str(text).or_else(|error| T::from_str(&preprocess(text, start)).map_err(|_the_same| error))
}

/// The body of a file as hcl-edit has it. Its spans are those of the text.
///
/// # Errors
/// Where it is no native syntax.
pub(crate) fn body_of(text: &str) -> Result<HclBody, Error> {
    parsed(text, Start::Body)
}

fn mistake(file: &File, error: &Error) -> Box<Diagnostic> {
    let text = file.source().text();
    // At the end of the text the parser names the last byte, which may be one of several of a character.
    let start = text.floor_char_boundary(error.location().offset());
    let end = text[start..].chars().next().map_or(start, |character| start + character.len_utf8());
    Box::new(Diagnostic::error(format!("not Terraform: {}", error.message())).at(file.source(), start..end))
}

struct Reader<'t> {
    file: FileId,
    text: &'t str,
    names: Names,
    /// The place of what encloses, for what has none of its own.
    around: Range<usize>,
    /// The place of everything, where the text stands elsewhere.
    fixed: Option<Span>,
}

impl<'t> Reader<'t> {
    fn new(file: FileId, text: &'t str) -> Self {
        Self { file, text, names: Names::default(), around: 0..text.len(), fixed: None }
    }

    /// A reader of a text that stands in a text of another file.
    fn at(span: Span, text: &'t str) -> Self {
        Self { fixed: Some(span), ..Self::new(span.file, text) }
    }

    fn span(&self, of: Option<&Range<usize>>) -> Span {
        self.fixed.unwrap_or_else(|| Span::new(self.file, of.unwrap_or(&self.around)))
    }

    fn body(&mut self, body: &HclBody) -> Body {
        let mut read = Body::default();
        for structure in body {
            match structure {
                Structure::Attribute(attribute) => {
                    let value = self.expression(&attribute.value);
                    let name = self.span(attribute.key.span().as_ref());
                    let span = attribute.span().map_or_else(|| name.to(value.span), |span| self.span(Some(&span)));
                    let name = self.names.of(attribute.key.as_str());
                    read.attributes.push(Attribute { name, value: Arc::new(value), span });
                }
                Structure::Block(block) => read.blocks.push(Arc::new(self.block(block))),
            }
        }
        read
    }

    fn block(&mut self, block: &HclBlock) -> Block {
        let around = block.span().unwrap_or_else(|| self.around.clone());
        let outer = std::mem::replace(&mut self.around, around.clone());
        let read = Block {
            kind: self.names.of(block.ident.as_str()),
            labels: block.labels.iter().map(|label| self.names.of(label.as_str())).collect(),
            body: self.body(&block.body),
            span: self.span(Some(&around)),
        };
        self.around = outer;
        read
    }

    fn expressions<'e>(&mut self, all: impl IntoIterator<Item = &'e Hcl>) -> Vec<Expression> {
        all.into_iter().map(|one| self.expression(one)).collect()
    }

    fn boxed(&mut self, expression: &Hcl) -> Box<Expression> {
        Box::new(self.expression(expression))
    }

    fn expression(&mut self, expression: &Hcl) -> Expression {
        let span = self.span(expression.span().as_ref());
        let node = match expression {
            Hcl::Null(_) => Node::Null,
            Hcl::Bool(value) => Node::Bool(*value.value()),
            Hcl::Number(number) => self::number(number.value()),
            Hcl::String(text) => self.text(text.value()),
            Hcl::Array(items) => Node::List(self.expressions(items.iter())),
            Hcl::Object(object) => Node::Object(
                object.iter().map(|(key, value)| (self.key(key, span), self.expression(value.expr()))).collect(),
            ),
            Hcl::StringTemplate(template) => self.template(template, Form::Quoted),
            Hcl::HeredocTemplate(heredoc) => {
                let written = expression.span().and_then(|span| self.text.get(span));
                let is_indented = written.is_some_and(|written| written.starts_with("<<-"));
                self.template(&heredoc.template, if is_indented { Form::Indented } else { Form::Lines })
            }
            Hcl::Parenthesis(inner) => return self.expression(inner.inner()),
            Hcl::Variable(name) => Node::Root(self.names.of(name.as_str())),
            Hcl::Conditional(all) => Node::Conditional(Box::new([
                self.expression(&all.cond_expr),
                self.expression(&all.true_expr),
                self.expression(&all.false_expr),
            ])),
            Hcl::FuncCall(call) => {
                let mut name = String::new();
                for space in &call.name.namespace {
                    name.push_str(space.as_str());
                    name.push_str("::");
                }
                name.push_str(call.name.name.as_str());
                Node::Call(Box::new(Call {
                    name: self.names.of(name.strip_prefix("core::").unwrap_or(&name)),
                    arguments: self.expressions(call.args.iter()),
                    expands: call.args.expand_final(),
                }))
            }
            Hcl::Traversal(traversal) => self.traversal(traversal, span),
            Hcl::UnaryOp(operation) => match *operation.operator.value() {
                UnaryOperator::Neg => Node::Negate(self.boxed(&operation.expr)),
                UnaryOperator::Not => Node::Not(self.boxed(&operation.expr)),
            },
            Hcl::BinaryOp(operation) => {
                let sides = (self.expression(&operation.lhs_expr), self.expression(&operation.rhs_expr));
                Node::Binary(operator(*operation.operator.value()), Box::new(sides))
            }
            Hcl::ForExpr(all) => Node::For(Box::new(For {
                key: all.intro.key_var.as_ref().map(|name| self.names.of(name.as_str())),
                value: self.names.of(all.intro.value_var.as_str()),
                collection: self.expression(&all.intro.collection_expr),
                result_key: all.key_expr.as_ref().map(|key| self.expression(key)),
                result: self.expression(&all.value_expr),
                condition: all.cond.as_ref().map(|condition| self.expression(&condition.expr)),
                grouping: all.grouping,
            })),
        };
        Expression { node, span }
    }

    fn text(&mut self, text: &str) -> Node {
        if text.contains(is_symbol) {
            return Node::Unusable("the text has private-use characters");
        }
        Node::Text(self.names.text(text))
    }

    fn key(&mut self, key: &ObjectKey, around: Span) -> Expression {
        match key {
            ObjectKey::Ident(name) => {
                let span = name.span().map_or(around, |span| self.span(Some(&span)));
                Expression { node: Node::Text(self.names.of(name.as_str())), span }
            }
            ObjectKey::Expression(Hcl::Variable(name)) => {
                Expression { node: Node::Text(self.names.of(name.as_str())), span: around }
            }
            ObjectKey::Expression(expression) => self.expression(expression),
        }
    }

    fn traversal(&mut self, traversal: &Traversal, span: Span) -> Node {
        let start = self.expression(&traversal.expr);
        let steps: Vec<&TraversalOperator> = traversal.operators.iter().map(hcl_edit::Decorated::value).collect();
        self.steps(start, &steps, span).node
    }

    fn steps(&mut self, start: Expression, steps: &[&TraversalOperator], span: Span) -> Expression {
        let mut current = start;
        for (index, step) in steps.iter().enumerate() {
            let node = match step {
                TraversalOperator::GetAttr(name) => Node::Member(Box::new(current), self.names.of(name.as_str())),
                TraversalOperator::Index(key) => Node::Index(Box::new((current, self.expression(key)))),
                TraversalOperator::LegacyIndex(index) => {
                    // An index is never so large that this rounds it.
                    #[expect(clippy::cast_precision_loss, reason = "an index that large has no element")]
                    let index = *index.value() as f64;
                    Node::Index(Box::new((current, Expression { node: Node::Number(index), span })))
                }
                TraversalOperator::FullSplat(_) | TraversalOperator::AttrSplat(_) => {
                    let rest = &steps[index + 1..];
                    // `a.*.b[0]` takes the first of all b; `a[*].b[0]` the first b of each.
                    let taken = match step {
                        TraversalOperator::AttrSplat(_) => {
                            rest.iter().take_while(|step| matches!(step, TraversalOperator::GetAttr(_))).count()
                        }
                        _ => rest.len(),
                    };
                    let element = Expression { node: Node::Root(self.names.of(ELEMENT)), span };
                    let each = self.steps(element, &rest[..taken], span);
                    let splat = Expression { node: Node::Splat(Box::new((current, each))), span };
                    return self.steps(splat, &rest[taken..], span);
                }
            };
            current = Expression { node, span };
        }
        current
    }

    fn template(&mut self, template: &Template, form: Form) -> Node {
        let mut literals = literals(template.iter(), self.text, form);
        let mut parts = self.parts(template.iter(), &mut literals);
        if parts.iter().any(|part| matches!(part, Part::Literal(text) if text.contains(is_symbol))) {
            return Node::Unusable("the text has private-use characters");
        }
        match parts.as_slice() {
            [] => Node::Text(self.names.of("")),
            [Part::Literal(_)] => match parts.pop() {
                Some(Part::Literal(text)) => Node::Text(text),
                _ => Node::Null,
            },
            _ => Node::Template(parts),
        }
    }

    /// The parts of a template, the next of whose literals are the ones given.
    fn parts<'e>(
        &mut self,
        elements: impl Iterator<Item = &'e Element>,
        literals: &mut impl Iterator<Item = String>,
    ) -> Vec<Part> {
        let mut parts = Vec::new();
        for element in elements {
            match element {
                Element::Literal(_) => {
                    let text = literals.next().unwrap_or_default();
                    if !text.is_empty() {
                        parts.push(Part::Literal(self.names.text(&text)));
                    }
                }
                Element::Interpolation(value) => parts.push(Part::Value(self.expression(&value.expr))),
                Element::Directive(directive) => parts.push(self.directive(directive, literals)),
            }
        }
        parts
    }

    fn directive(&mut self, directive: &Directive, literals: &mut impl Iterator<Item = String>) -> Part {
        match directive {
            Directive::If(all) => {
                let condition = self.expression(&all.if_expr.cond_expr);
                let then = self.parts(all.if_expr.template.iter(), literals);
                let otherwise = all.else_expr.as_ref();
                let otherwise = otherwise.map(|otherwise| self.parts(otherwise.template.iter(), literals));
                Part::If(Box::new((condition, then, otherwise.unwrap_or_default())))
            }
            Directive::For(all) => {
                let open = &all.for_expr;
                let key = open.key_var.as_ref().map(|name| self.names.of(name.as_str()));
                let value: Name = self.names.of(open.value_var.as_str());
                let collection = self.expression(&open.collection_expr);
                Part::For(Box::new((key, value, collection, self.parts(open.template.iter(), literals))))
            }
        }
    }
}

fn operator(operator: BinaryOperator) -> Operator {
    match operator {
        BinaryOperator::Eq => Operator::Equal,
        BinaryOperator::NotEq => Operator::NotEqual,
        BinaryOperator::LessEq => Operator::LessOrEqual,
        BinaryOperator::GreaterEq => Operator::GreaterOrEqual,
        BinaryOperator::Less => Operator::Less,
        BinaryOperator::Greater => Operator::Greater,
        BinaryOperator::Plus => Operator::Plus,
        BinaryOperator::Minus => Operator::Minus,
        BinaryOperator::Mul => Operator::Times,
        BinaryOperator::Div => Operator::Divided,
        BinaryOperator::Mod => Operator::Modulo,
        BinaryOperator::And => Operator::And,
        BinaryOperator::Or => Operator::Or,
    }
}

fn number(number: &hcl_edit::Number) -> Node {
    match number.as_f64() {
        Some(value) if value.abs() <= LARGEST => Node::Number(value),
        _ => Node::Unusable("the number is too large"),
    }
}
