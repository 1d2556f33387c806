//! JSON syntax: <https://developer.hashicorp.com/terraform/language/syntax/json>. Read by hand, since places are
//! wanted. What is a nested block and what an attribute is not told apart: whoever asks knows.

use std::ops::Range;
use std::sync::Arc;

use iam_policy::is_symbol;

use super::hcl;
use crate::collect::terraform::file::{File, FileId, Span};
use crate::collect::terraform::syntax::{Attribute, Block, Body, Expression, Name, Names, Node};
use crate::collect::terraform::value::LARGEST;
use crate::diagnostic::Diagnostic;

/// How deep objects and lists may nest, as in native syntax.
const DEPTH: usize = 64;

pub(crate) fn code(file: &File, id: FileId) -> Result<Body, Box<Diagnostic>> {
    let mut builder = Builder { file: id, names: Names::default() };
    let mut body = Body::default();
    for member in root(file)? {
        // How many names stand between the kind of a block and its content.
        let labels = match member.name.as_str() {
            "resource" | "data" | "ephemeral" => 2,
            "variable" | "output" | "module" | "provider" => 1,
            "//" => continue,
            _ => 0,
        };
        builder.blocks(&member.name, labels, &mut Vec::new(), member.value, member.span, &mut body);
    }
    Ok(body)
}

pub(crate) fn values(file: &File, id: FileId) -> Result<Body, Box<Diagnostic>> {
    let mut builder = Builder { file: id, names: Names::default() };
    let members = root(file)?;
    // The values of variables are no templates.
    Ok(Body {
        attributes: members.into_iter().map(|member| builder.attribute(member, false)).collect(),
        blocks: Vec::new(),
    })
}

fn root(file: &File) -> Result<Vec<Member>, Box<Diagnostic>> {
    let text = file.source().text();
    let mut reader = Reader { text, at: 0, depth: 0 };
    let wrong = |at: usize, expected: &str| {
        let end = text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |first| at + first.len_utf8());
        Box::new(Diagnostic::error(format!("not Terraform in JSON: expected {expected}")).at(file.source(), at..end))
    };
    reader.blanks();
    let value = reader.value().map_err(|Expected(expected)| wrong(reader.at, expected))?;
    reader.blanks();
    if reader.at != text.len() {
        return Err(wrong(reader.at, "the end of the file"));
    }
    match value.node {
        Json::Object(members) => Ok(members),
        _ => Err(wrong(0, "an object")),
    }
}

struct Value {
    node: Json,
    span: Range<usize>,
}

enum Json {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Object(Vec<Member>),
}

struct Member {
    name: String,
    value: Value,
    span: Range<usize>,
}

struct Builder {
    file: FileId,
    names: Names,
}

impl Builder {
    fn span(&self, bytes: &Range<usize>) -> Span {
        Span::new(self.file, bytes)
    }

    /// A block, or several: below each label stands an object, and the last may be a list of them.
    fn blocks(
        &mut self,
        kind: &str,
        labels: usize,
        before: &mut Vec<Name>,
        value: Value,
        span: Range<usize>,
        body: &mut Body,
    ) {
        match value.node {
            Json::List(items) => {
                for item in items {
                    let span = item.span.clone();
                    self.blocks(kind, labels, before, item, span, body);
                }
            }
            Json::Object(members) if labels > 0 => {
                for member in members.into_iter().filter(|member| member.name != "//") {
                    before.push(self.names.of(&member.name));
                    self.blocks(kind, labels - 1, before, member.value, member.span, body);
                    before.pop();
                }
            }
            Json::Object(members) => {
                let block = Block {
                    kind: self.names.of(kind),
                    labels: before.clone(),
                    body: self.body(kind, members),
                    span: self.span(&span),
                };
                body.blocks.push(Arc::new(block));
            }
            _ => {}
        }
    }

    fn body(&mut self, kind: &str, members: Vec<Member>) -> Body {
        let mut body = Body::default();
        for member in members {
            match member.name.as_str() {
                "//" => {}
                "dynamic" => self.blocks("dynamic", 1, &mut Vec::new(), member.value, member.span, &mut body),
                "content" | "lifecycle" => {
                    let name = member.name.clone();
                    self.blocks(&name, 0, &mut Vec::new(), member.value, member.span, &mut body);
                }
                "type" if kind == "variable" => body.attributes.push(self.type_constraint(member)),
                // Terraform evaluates nothing in the default of a variable.
                name => {
                    let templates = (kind, name) != ("variable", "default");
                    body.attributes.push(self.attribute(member, templates));
                }
            }
        }
        body
    }

    /// The type of a variable: an expression in a text.
    fn type_constraint(&mut self, member: Member) -> Attribute {
        let Json::Text(text) = &member.value.node else { return self.attribute(member, false) };
        let value = Arc::new(hcl::embedded_expression(text, self.span(&member.value.span)));
        Attribute { name: self.names.of(&member.name), value, span: self.span(&member.span) }
    }

    fn attribute(&mut self, member: Member, templates: bool) -> Attribute {
        let span = self.span(&member.span);
        let value = Arc::new(self.expression(member.value, templates));
        Attribute { name: self.names.of(&member.name), value, span }
    }

    fn expression(&mut self, value: Value, templates: bool) -> Expression {
        let span = self.span(&value.span);
        let node = match value.node {
            Json::Null => Node::Null,
            Json::Bool(value) => Node::Bool(value),
            Json::Number(value) if value.abs() <= LARGEST => Node::Number(value),
            Json::Number(_) => Node::Unusable("the number is too large"),
            Json::Text(text) => return self.text(&text, span, templates),
            Json::List(items) => Node::List(items.into_iter().map(|item| self.expression(item, templates)).collect()),
            Json::Object(members) => Node::Object(
                members
                    .into_iter()
                    .filter(|member| member.name != "//")
                    .map(|member| (self.text(&member.name, span, templates), self.expression(member.value, templates)))
                    .collect(),
            ),
        };
        Expression { node, span }
    }

    fn text(&mut self, text: &str, span: Span, templates: bool) -> Expression {
        if templates && (text.contains("${") || text.contains("%{")) {
            return hcl::embedded(text, span);
        }
        let node = if text.contains(is_symbol) {
            Node::Unusable("the text has private-use characters")
        } else {
            Node::Text(self.names.text(text))
        };
        Expression { node, span }
    }
}

/// What was expected and is not there.
struct Expected(&'static str);

struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn blanks(&mut self) {
        self.at += self.rest().bytes().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).count();
    }

    fn take(&mut self, word: &str) -> bool {
        let found = self.rest().starts_with(word);
        self.at += if found { word.len() } else { 0 };
        found
    }

    fn value(&mut self) -> Result<Value, Expected> {
        let start = self.at;
        let node = match self.rest().bytes().next() {
            Some(b'{') => self.nested(Self::object)?,
            Some(b'[') => self.nested(Self::list)?,
            Some(b'"') => Json::Text(self.string()?),
            Some(b'-' | b'0'..=b'9') => self.number()?,
            _ if self.take("true") => Json::Bool(true),
            _ if self.take("false") => Json::Bool(false),
            _ if self.take("null") => Json::Null,
            _ => return Err(Expected("a value")),
        };
        Ok(Value { node, span: start..self.at })
    }

    fn nested(&mut self, read: fn(&mut Self) -> Result<Json, Expected>) -> Result<Json, Expected> {
        if self.depth == DEPTH {
            return Err(Expected("at most 64 nested levels"));
        }
        self.depth += 1;
        self.at += 1;
        self.blanks();
        let value = read(self);
        self.depth -= 1;
        value
    }

    fn list(&mut self) -> Result<Json, Expected> {
        let mut items = Vec::new();
        if self.take("]") {
            return Ok(Json::List(items));
        }
        loop {
            items.push(self.value()?);
            self.blanks();
            if self.take("]") {
                return Ok(Json::List(items));
            }
            if !self.take(",") {
                return Err(Expected("`,` or `]`"));
            }
            self.blanks();
        }
    }

    fn object(&mut self) -> Result<Json, Expected> {
        let mut members = Vec::new();
        if self.take("}") {
            return Ok(Json::Object(members));
        }
        loop {
            let start = self.at;
            if !self.rest().starts_with('"') {
                return Err(Expected("a name in quotes"));
            }
            let name = self.string()?;
            self.blanks();
            if !self.take(":") {
                return Err(Expected("`:`"));
            }
            self.blanks();
            let value = self.value()?;
            members.push(Member { name, value, span: start..self.at });
            self.blanks();
            if self.take("}") {
                return Ok(Json::Object(members));
            }
            if !self.take(",") {
                return Err(Expected("`,` or `}`"));
            }
            self.blanks();
        }
    }

    /// The text in quotes that begins here, its escapes undone by a reader that knows them all.
    fn string(&mut self) -> Result<String, Expected> {
        let bytes = self.rest().as_bytes();
        let mut end = 1;
        loop {
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => end += 2,
                Some(_) => end += 1,
                None => return Err(Expected("the end of the text")),
            }
        }
        let quoted = self.rest().get(..=end).ok_or(Expected("the end of the text"))?;
        let text = serde_json::from_str(quoted).map_err(|_not_json| Expected("a text without control characters"))?;
        self.at += end + 1;
        Ok(text)
    }

    fn number(&mut self) -> Result<Json, Expected> {
        let digits = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = self.rest().bytes().take_while(digits).count();
        let number: f64 = serde_json::from_str(&self.rest()[..length]).map_err(|_not_json| Expected("a number"))?;
        self.at += length;
        Ok(Json::Number(number))
    }
}
