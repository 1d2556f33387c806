//! Values: where the code says what an attribute is, be it the attribute itself, a variable, a local value or the call of
//! a module.

use std::path::{Component, Path, PathBuf};

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, TraversalOperator};
use hcl_edit::template::Element;
use serde_json::Value as Json;

use super::edit_session::{EditSession, Edited, New, Refusal};
use super::hcl_file::{BlockRef, Found};

/// A value as HCL writes it.
pub(crate) fn literal(json: &Json) -> String {
    match json {
        Json::String(text) => quoted(text),
        Json::Array(items) => format!("[{}]", items.iter().map(literal).collect::<Vec<_>>().join(", ")),
        other => other.to_string(),
    }
}

/// A text in quotes, in which nothing is a template.
pub(crate) fn quoted(text: &str) -> String {
    Json::from(text).to_string().replace("${", "$${").replace("%{", "%%{")
}

/// The name that an expression is, where it is nothing but `var.name` or `local.name`.
pub(crate) fn source_of(expression: &Expression) -> Option<(&'static str, String)> {
    let Expression::Traversal(traversal) = expression else { return None };
    let Expression::Variable(root) = &traversal.expr else { return None };
    let root = ["var", "local"].into_iter().find(|name| root.as_str() == *name)?;
    match traversal.operators.as_slice() {
        [only] => match only.value() {
            TraversalOperator::GetAttr(name) => Some((root, name.as_str().to_owned())),
            _ => None,
        },
        _ => None,
    }
}

/// The expression that is converted to another type, or the expression itself. A text that is nothing but one
/// interpolation converts what it interpolates.
pub(crate) fn converted(expression: &Expression) -> &Expression {
    match expression {
        Expression::Parenthesis(inner) => converted(inner.inner()),
        Expression::StringTemplate(template) => {
            let mut elements = template.iter();
            match (elements.next(), elements.next()) {
                (Some(Element::Interpolation(only)), None) => converted(&only.expr),
                _ => expression,
            }
        }
        Expression::FuncCall(call) if matches!(call.name.name.as_str(), "tostring" | "tobool" | "tonumber") => {
            call.args.get(0).map_or(expression, converted)
        }
        _ => expression,
    }
}

/// A value with the attribute that it is written in.
pub(crate) type Source = (BlockRef, String, Expression);

impl EditSession<'_> {
    /// Sets an attribute of a block: where it is written, there; else as a new one.
    pub(crate) fn set(&mut self, block_ref: &BlockRef, name: &str, new: &New) -> Edited {
        let block_ref = &self.overriding(block_ref, name).unwrap_or_else(|| block_ref.clone());
        if let Some(value) = self.value(block_ref, name) {
            return self.assign(block_ref, name, &value, new);
        }
        let added = self.edit(&block_ref.file)?.add_attribute(block_ref, name, new.text());
        added.ok_or_else(|| self.refuse(block_ref, name, "the block is not written in a way that is understood"))
    }

    /// Sets an attribute of a nested block, which is made where there is none.
    pub(crate) fn set_nested(&mut self, block_ref: &BlockRef, blocks: &[&str], name: &str, new: &New) -> Edited {
        let Some((block, rest)) = blocks.split_first() else { return self.set(block_ref, name, new) };
        let block_ref = &self.overriding(block_ref, block).unwrap_or_else(|| block_ref.clone());
        if self.value(block_ref, block).is_some() {
            return Err(self.refuse(block_ref, block, format!("{block} is assigned a value, and is not a block")));
        }
        let nested =
            self.document(&block_ref.file).map(|document| document.nested(block_ref, block)).unwrap_or_default();
        match nested.as_slice() {
            [] => {
                let mut content = format!("{name} = {}", new.text());
                for block in rest.iter().rev() {
                    content = format!("{block} {{\n{}\n}}", super::hcl_file::indented(&content, "  "));
                }
                let added = self.edit(&block_ref.file)?.add_block(block_ref, block, &content);
                added.ok_or_else(|| {
                    self.refuse(block_ref, block, "the block is not written in a way that is understood")
                })
            }
            [one] => self.set_nested(&one.clone(), rest, name, new),
            _ => Err(self.refuse(block_ref, block, format!("there are several blocks {block}"))),
        }
    }

    /// Gives an expression another value where the value comes from. What it belongs to is an attribute of the block.
    pub(crate) fn assign(&mut self, block_ref: &BlockRef, name: &str, value: &Expression, new: &New) -> Edited {
        match value {
            Expression::Null(_) | Expression::Bool(_) | Expression::Number(_) | Expression::String(_) => {
                let span = value.span().ok_or_else(|| self.refuse(block_ref, name, "its place is not known"))?;
                self.touch(block_ref, name);
                self.edit(&block_ref.file)?.replace(&span, new.text());
                Ok(())
            }
            _ => {
                let inner = converted(value);
                // A conversion takes a number for a text.
                let new = if std::ptr::eq(inner, value) { new.clone() } else { new.as_number() };
                match source_of(inner) {
                    Some(("var", variable)) => {
                        self.touch(block_ref, name);
                        self.set_variable(block_ref, name, &variable, &new)
                    }
                    Some((_, local)) => {
                        self.touch(block_ref, name);
                        self.set_local(block_ref, name, &local, &new)
                    }
                    None => {
                        let source = self.source(&block_ref.file, value);
                        let source = source.lines().next().unwrap_or_default().to_owned();
                        Err(self.refuse(block_ref, name, format!("{name} is computed: {source}")))
                    }
                }
            }
        }
    }

    fn declared(&self, block_ref: &BlockRef, variable: &str) -> Option<BlockRef> {
        self.tops(&block_ref.file).into_iter().find(|top| top.kind() == "variable" && top.labels().0 == variable)
    }

    fn set_variable(&mut self, block_ref: &BlockRef, name: &str, variable: &str, new: &New) -> Edited {
        let Some(declared) = self.declared(block_ref, variable) else {
            return Err(self.refuse(block_ref, name, format!("var.{variable} is not declared")));
        };
        // The default of a sensitive variable stays unseen, and so no difference of it is made.
        if self.value(&declared, "sensitive").is_some_and(|value| value.as_bool() != Some(false)) {
            let reason = format!("it comes from var.{variable}, which is sensitive");
            return Err(self.refuse(&declared, "sensitive", reason));
        }
        let Some(constant) = new.constant().map(str::to_owned) else {
            return Err(self.refuse(
                block_ref,
                name,
                format!("it comes from var.{variable}, and {} cannot be the default of a variable", new.text()),
            ));
        };
        let declared_type = self.value(&declared, "type").map(|value| self.source(&declared.file, &value));
        let constant = New::Literal(constant);
        let constant = if declared_type.as_deref() == Some("number") { constant.as_number() } else { constant };
        if let Some(place) = self.given_by_file(&block_ref.file, variable) {
            let reason = format!("it comes from var.{variable}, which is given a value there");
            return Err(Refusal::at(reason, Some(place)));
        }
        let calls = self.calls_of(&block_ref.file);
        let given: Vec<BlockRef> = calls.into_iter().filter(|call| self.value(call, variable).is_some()).collect();
        match given.as_slice() {
            [] => {}
            [call] => {
                let call = call.clone();
                self.shared(&block_ref.file, &format!("var.{variable}"));
                return self.set(&call, variable, &constant);
            }
            [first, ..] => {
                let reason =
                    format!("it comes from var.{variable}, which {} calls of the module give a value", given.len());
                return Err(self.refuse(first, variable, reason));
            }
        }
        match self.value(&declared, "default") {
            None => Err(self.refuse(
                &declared,
                "default",
                format!("it comes from var.{variable}, which has no default: what is given for it decides"),
            )),
            Some(default) => {
                self.shared(&block_ref.file, &format!("var.{variable}"));
                self.assign(&declared, "default", &default, &constant)
            }
        }
    }

    pub(crate) fn local(&self, block_ref: &BlockRef, local: &str) -> Option<(BlockRef, Expression)> {
        let declared = self.tops(&block_ref.file).into_iter().filter(|top| top.kind() == "locals");
        declared.into_iter().find_map(|top| Some((top.clone(), self.value(&top, local)?)))
    }

    fn set_local(&mut self, block_ref: &BlockRef, name: &str, local: &str, new: &New) -> Edited {
        match self.local(block_ref, local) {
            None => Err(self.refuse(block_ref, name, format!("local.{local} is not declared"))),
            Some((top, value)) => {
                self.shared(&block_ref.file, &format!("local.{local}"));
                self.assign(&top, local, &value, new)
            }
        }
    }

    /// What a variable or a local value is, with its place; none where it is not written.
    pub(super) fn source_of_name(
        &mut self,
        block_ref: &BlockRef,
        root: &str,
        name: &str,
    ) -> Result<Option<Source>, Refusal> {
        let source = if root == "local" {
            self.local(block_ref, name).map(|(top, value)| (top, name.to_owned(), value))
        } else {
            if let Some(place) = self.given_by_file(&block_ref.file, name) {
                let reason = format!("it comes from var.{name}, which is given a value there");
                return Err(Refusal::at(reason, Some(place)));
            }
            let given: Vec<(BlockRef, Expression)> = self
                .calls_of(&block_ref.file)
                .into_iter()
                .filter_map(|call| Some((call.clone(), self.value(&call, name)?)))
                .collect();
            match given.as_slice() {
                [(call, value)] => Some((call.clone(), name.to_owned(), value.clone())),
                [] => self.declared(block_ref, name).and_then(|declared| {
                    let value = self.value(&declared, "default")?;
                    Some((declared, "default".to_owned(), value))
                }),
                _ => None,
            }
        };
        if source.is_some() {
            self.shared(&block_ref.file, &format!("{root}.{name}"));
        }
        Ok(source)
    }

    /// The file and line that give a variable of the root module its value.
    fn given_by_file(&self, file: &str, variable: &str) -> Option<(String, usize)> {
        if !self.is_in_root(file) {
            return None;
        }
        self.source_map.files().iter().filter(|file| file.source().name().ends_with(".tfvars")).find_map(|file| {
            let text = file.source().text();
            let is_it = |line: &str| {
                let rest = line.trim_start().strip_prefix(variable).map(str::trim_start);
                rest.is_some_and(|rest| rest.starts_with('='))
            };
            let line = text.lines().position(is_it)?;
            Some((file.source().name().to_owned(), line + 1))
        })
    }

    /// The calls of the module that a file belongs to.
    fn calls_of(&self, file: &str) -> Vec<BlockRef> {
        let folder = plain(Path::new(file).parent().unwrap_or(Path::new("")));
        let mut calls = Vec::new();
        for name in self.names() {
            let Some(document) = self.document(&name) else { continue };
            for top in document.tops(&name).into_iter().filter(|top| top.kind() == "module") {
                let Some(Expression::String(source)) = document.value(&top, "source") else { continue };
                let from = Path::new(&name).parent().unwrap_or(Path::new(""));
                if source.value().starts_with('.') && plain(&from.join(source.value().as_str())) == folder {
                    calls.push(top);
                }
            }
        }
        calls
    }

    /// A change of what several places use changes all of them.
    pub(crate) fn shared(&mut self, file: &str, name: &str) {
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-');
        let uses = |text: &str| {
            text.match_indices(name)
                .filter(|(at, _)| !text[..*at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part))
                .count()
        };
        let files = self.folder_of(file);
        let count: usize =
            files.iter().filter_map(|file| self.document(file)).map(|document| uses(&document.text())).sum();
        if count > 1 {
            self.hazard(format!("{name} is used in {count} places"));
        }
    }

    /// A change of a file that the code reads changes all that reads it.
    pub(super) fn shared_file(&mut self, file: &str) {
        let Some(name) = Path::new(file).file_name().and_then(|name| name.to_str()) else { return };
        let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
        let uses = |text: &str| {
            text.match_indices(name)
                .filter(|(at, _)| !text[..*at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part))
                .count()
        };
        let texts: Vec<&str> = self.source_map.files().iter().map(|file| file.source().text()).collect();
        let count: usize = texts.iter().map(|text| uses(text)).sum();
        if count > 1 {
            self.hazard(format!("{file} is named in {count} places"));
        }
        if texts.iter().any(|text| text.contains("fileset(")) {
            self.hazard(format!("what fileset lists may have {file} in it"));
        }
    }

    /// Returns `true` if an attribute of a resource is written in the code, and not left open.
    pub(crate) fn is_block(&self, span: crate::collect::terraform::Span) -> bool {
        matches!(self.found(span), Some(Found::Block(_)))
    }
}

/// The path without `.` and, where a name precedes it, `..`.
pub(crate) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir if matches!(plain.components().next_back(), Some(Component::Normal(_))) => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_quoted_so_that_nothing_in_them_is_a_template() {
        assert_eq!(quoted("a \"b\" ${c}"), "\"a \\\"b\\\" $${c}\"");
        assert_eq!(literal(&serde_json::json!(["a", 1, true])), "[\"a\", 1, true]");
    }

    #[test]
    fn paths_are_the_same_however_they_are_written() {
        assert_eq!(plain(Path::new("a/./b/../c")), Path::new("a/c"));
        assert_eq!(plain(Path::new("../m")), Path::new("../m"));
    }
}
