//! The content of a document that Terraform makes: an object that is encoded, or JSON or YAML that stands in a heredoc,
//! a template or a file.

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, FuncCall, Object};

use super::edit_session::{EditSession, Edited, New, Refusal};
use super::embedded::{Embedded, Misunderstood, NO_INPUTS, Scalar, Splice, interpolations};
use super::hcl_file::{BlockRef, member};

/// How many names are followed from the content to what it is.
const STEPS: usize = 8;

/// Where the content of a document is written.
enum Holder {
    /// In the object that is encoded, which is a part of the attribute.
    Object(Object),
    /// In a text.
    Text(Text),
}

struct Text {
    file: String,
    bytes: Range<usize>,
    names: Names,
}

/// The names that interpolations of a text can use.
enum Names {
    /// Those of the module.
    Module,
    /// Those that `templatefile` gives, where they are written as an object.
    Given(Option<Object>),
    /// None: it is no template.
    None,
}

impl Names {
    fn is_template(&self) -> bool {
        !matches!(self, Self::None)
    }
}

/// The content of a document, with the attribute that it is written in.
pub(crate) struct Content {
    block_ref: BlockRef,
    name: String,
    holder: Holder,
}

/// A value as it is written.
pub(crate) enum Written {
    /// An expression of an object.
    Expression(Expression),
    /// A part of a text.
    Scalar(Scalar),
}

impl Content {
    /// The content of the document.
    pub(crate) fn of(block_ref: &BlockRef, session: &mut EditSession<'_>) -> Result<Self, Refusal> {
        let block_ref = &session.overriding(block_ref, "content").unwrap_or_else(|| block_ref.clone());
        let value = session.value(block_ref, "content");
        let value = value.ok_or_else(|| session.refuse(block_ref, "content", "the document has no content"))?;
        Self::follow(block_ref.clone(), "content".to_owned(), value, session)
    }

    fn follow(
        mut block_ref: BlockRef,
        mut name: String,
        mut value: Expression,
        session: &mut EditSession<'_>,
    ) -> Result<Self, Refusal> {
        for _ in 0..STEPS {
            let next = match &value {
                Expression::Parenthesis(inner) => Some(inner.inner().clone()),
                Expression::HeredocTemplate(_) => {
                    let bytes = session.document(&block_ref.file).and_then(|document| document.heredoc(&value));
                    let bytes =
                        bytes.ok_or_else(|| session.refuse(&block_ref, &name, "the heredoc is not understood"))?;
                    let holder = Holder::Text(Text { file: block_ref.file.clone(), bytes, names: Names::Module });
                    return Ok(Self { block_ref, name, holder });
                }
                Expression::Object(object) => {
                    let holder = Holder::Object(object.clone());
                    return Ok(Self { block_ref, name, holder });
                }
                Expression::FuncCall(call) => match (call.name.name.as_str(), call.args.get(0)) {
                    ("jsonencode" | "yamlencode" | "jsondecode" | "yamldecode", Some(inner)) => Some(inner.clone()),
                    ("file" | "templatefile", Some(path)) => {
                        let text = text_of_file(&block_ref, &name, call, path, session)?;
                        return Ok(Self { block_ref, name, holder: Holder::Text(text) });
                    }
                    _ => None,
                },
                _ => None,
            };
            if let Some(inner) = next {
                value = inner;
            } else {
                let Some((root, label)) = super::values::source_of(&value) else { break };
                let Some(source) = session.source_of_name(&block_ref, root, &label)? else { break };
                session.touch(&block_ref, &name);
                (block_ref, name, value) = source;
            }
        }
        let reason = match &value {
            Expression::String(_) | Expression::StringTemplate(_) => {
                "the document is written as a text in quotes: a heredoc, or jsonencode, can be edited".to_owned()
            }
            value => format!("the document is computed: {}", first_line(&session.source(&block_ref.file, value))),
        };
        Err(session.refuse(&block_ref, &name, reason))
    }

    /// How a member of the object at the end of this way is written; none where it is absent.
    pub(crate) fn value(
        &self,
        way: &[&str],
        name: &str,
        session: &mut EditSession<'_>,
    ) -> Result<Option<Written>, Refusal> {
        match &self.holder {
            Holder::Object(whole) => {
                let Some(object) = self.object(whole, way, session)? else { return Ok(None) };
                Ok(member(&object, name).cloned().map(Written::Expression))
            }
            Holder::Text(text) => {
                let source = Self::text(text, session);
                let found =
                    Embedded::new(&source, text.names.is_template()).and_then(|document| document.value(way, name));
                match found {
                    Ok(found) => Ok(found.map(Written::Scalar)),
                    Err(NO_INPUTS) => Ok(None),
                    Err(reason) => Err(self.refuse(text, reason, session)),
                }
            }
        }
    }

    /// The object at the end of the way; none where there is none.
    fn object(&self, whole: &Object, way: &[&str], session: &EditSession<'_>) -> Result<Option<Object>, Refusal> {
        let mut object = whole.clone();
        for name in way {
            object = match member(&object, name) {
                Some(Expression::Object(inner)) => inner.clone(),
                Some(_) => {
                    return Err(session.refuse(&self.block_ref, &self.name, "the inputs of the document are computed"));
                }
                None => return Ok(None),
            };
        }
        Ok(Some(object))
    }

    /// Sets a member of the object at the end of this way.
    pub(crate) fn put(&self, way: &[&str], name: &str, new: &New, session: &mut EditSession<'_>) -> Edited {
        match (self.value(way, name, session)?, &self.holder) {
            (Some(Written::Expression(value)), _) => session.assign(&self.block_ref, &self.name, &value, new),
            (Some(Written::Scalar(scalar)), Holder::Text(text)) => self.set_scalar(text, &scalar, name, new, session),
            (_, Holder::Object(whole)) => self.add_to_object(whole, way, name, new, session),
            (None, Holder::Text(text)) => self.add_to_text(text, way, name, new, session),
        }
    }

    fn add_to_object(
        &self,
        whole: &Object,
        way: &[&str],
        name: &str,
        new: &New,
        session: &mut EditSession<'_>,
    ) -> Edited {
        let object = self.object(whole, way, session)?;
        session.touch(&self.block_ref, &self.name);
        let document = session.edit(&self.block_ref.file)?;
        let added = match (object, way) {
            (Some(object), _) => document.add_member(&object, name, new.text()),
            (None, [only]) => document.add_member(whole, only, &format!("{{\n  {name} = {}\n}}", new.text())),
            (None, _) => None,
        };
        added.ok_or_else(|| self.misunderstood(session))
    }

    fn misunderstood(&self, session: &EditSession<'_>) -> Refusal {
        session.refuse(&self.block_ref, &self.name, "the document is not written in a way that is understood")
    }

    fn text(text: &Text, session: &EditSession<'_>) -> String {
        session.document(&text.file).map(|document| document.source(&text.bytes).to_owned()).unwrap_or_default()
    }

    fn refuse(&self, text: &Text, reason: Misunderstood, session: &EditSession<'_>) -> Refusal {
        if text.file == self.block_ref.file {
            session.refuse(&self.block_ref, &self.name, reason)
        } else {
            Refusal::at(reason, Some((text.file.clone(), 1)))
        }
    }

    /// Sets a value of a text: where it is an interpolation, at what is interpolated.
    fn set_scalar(&self, text: &Text, scalar: &Scalar, name: &str, new: &New, session: &mut EditSession<'_>) -> Edited {
        if let Some(expression) = scalar.interpolation().and_then(|source| Expression::from_str(source).ok()) {
            match &text.names {
                Names::Module => return self.set_interpolated(&expression, new, session),
                Names::Given(given) => {
                    let label = match &expression {
                        Expression::Variable(label) => label.as_str().to_owned(),
                        _ => return Err(self.refuse(text, "the value is computed in the template", session)),
                    };
                    let source = Self::text(text, session);
                    let value = given.as_ref().and_then(|given| member(given, &label));
                    let value =
                        value.ok_or_else(|| self.refuse(text, "the names of the template are computed", session))?;
                    // What the template uses elsewhere too is left as it is.
                    if uses_of(&source, &label) == 1 {
                        return session.assign(&self.block_ref, &self.name, value, new);
                    }
                }
                Names::None => {}
            }
        } else if text.names.is_template() && interpolations(&scalar.inner).is_none_or(|all| !all.is_empty()) {
            return Err(self.refuse(text, "the value is computed in the template", session));
        }
        let value = self.value_in_text(text, name, new, scalar.quote, session)?;
        self.splice(text, &Splice { bytes: scalar.bytes.clone(), text: value }, session)
    }

    fn set_interpolated(&self, expression: &Expression, new: &New, session: &mut EditSession<'_>) -> Edited {
        if super::values::source_of(super::values::converted(expression)).is_none() {
            let source = expression.to_string();
            let reason = format!("the value in the document is computed: {}", first_line(source.trim()));
            return Err(session.refuse(&self.block_ref, &self.name, reason));
        }
        session.assign(&self.block_ref, &self.name, expression, new)
    }

    fn add_to_text(&self, text: &Text, way: &[&str], name: &str, new: &New, session: &mut EditSession<'_>) -> Edited {
        let value = self.value_in_text(text, name, new, None, session)?;
        let source = Self::text(text, session);
        let document =
            Embedded::new(&source, text.names.is_template()).map_err(|why| self.refuse(text, why, session))?;
        let splice = match (document.addition(way, name, &value), way) {
            (Err(NO_INPUTS), [only]) => document.addition_of_object(only, name, &value),
            (done, _) => done,
        };
        let splice = splice.map_err(|reason| self.refuse(text, reason, session))?;
        self.splice(text, &splice, session)
    }

    /// A value as the text has values.
    fn value_in_text(
        &self,
        text: &Text,
        name: &str,
        new: &New,
        quote: Option<char>,
        session: &mut EditSession<'_>,
    ) -> Result<String, Refusal> {
        let written = new.text();
        let literal = written.starts_with('"') || matches!(new, New::Literal(_));
        let interpolates = interpolations(written).is_none_or(|all| !all.is_empty());
        let value = match (&text.names, literal) {
            (Names::Module, true) => written.to_owned(),
            (Names::Module, false) => format!("\"${{{written}}}\""),
            (Names::Given(_), true) if !interpolates => written.to_owned(),
            (Names::Given(given), _) => {
                let label = self.give(given.as_ref(), text, name, written, session)?;
                format!("\"${{{label}}}\"")
            }
            (Names::None, true) if !interpolates => written.replace("$${", "${").replace("%%{", "%{"),
            (Names::None, _) => match new.constant() {
                Some(constant) => constant.to_owned(),
                None => {
                    return Err(self.refuse(text, "a file that is no template cannot refer to a resource", session));
                }
            },
        };
        // As the value before was quoted.
        let plain = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        Ok(match (quote, plain) {
            (Some('\''), Some(plain)) if !plain.contains(['\'', '\\']) => format!("'{plain}'"),
            _ => value,
        })
    }

    /// Gives a name to the template.
    fn give(
        &self,
        given: Option<&Object>,
        text: &Text,
        name: &str,
        value: &str,
        session: &mut EditSession<'_>,
    ) -> Result<String, Refusal> {
        let computed = |session: &EditSession<'_>| self.refuse(text, "the names of the template are computed", session);
        let given = given.ok_or_else(|| computed(session))?;
        let word = snake_case(name);
        let labels = std::iter::once(word.clone()).chain((2..STEPS).map(|number| format!("{word}_{number}")));
        let label = labels.into_iter().find(|label| member(given, label).is_none()).ok_or_else(|| computed(session))?;
        session.touch(&self.block_ref, &self.name);
        let added = session.edit(&self.block_ref.file)?.add_member(given, &label, value);
        added.ok_or_else(|| computed(session))?;
        Ok(label)
    }

    fn splice(&self, text: &Text, splice: &Splice, session: &mut EditSession<'_>) -> Edited {
        session.touch(&self.block_ref, &self.name);
        let bytes = text.bytes.start + splice.bytes.start..text.bytes.start + splice.bytes.end;
        if text.file != self.block_ref.file {
            session.shared_file(&text.file);
        }
        session.edit(&text.file)?.splice(&bytes, &splice.text);
        Ok(())
    }

    /// Gives a value the type that it must have: a text, or a flag.
    pub(crate) fn convert(
        &self,
        way: &[&str],
        name: &str,
        to: Type,
        is_wrong: bool,
        session: &mut EditSession<'_>,
    ) -> Edited {
        match (self.value(way, name, session)?, &self.holder) {
            (Some(Written::Expression(value)), _) => self.convert_expression(&value, to, is_wrong, session),
            (Some(Written::Scalar(scalar)), Holder::Text(text)) => {
                let value = match (to, scalar.quote) {
                    (Type::Text, None) if scalar.inner != "null" => format!("\"{}\"", scalar.inner),
                    (Type::Flag, Some(_)) if scalar.interpolation().is_some() => scalar.inner.clone(),
                    (Type::Flag, Some(_)) => match scalar.inner.to_lowercase().as_str() {
                        word @ ("true" | "false") => word.to_owned(),
                        _ => return Ok(()),
                    },
                    _ => return Ok(()),
                };
                // In YAML, a number without quotes is one too.
                self.splice(text, &Splice { bytes: scalar.bytes, text: value }, session)
            }
            _ => Ok(()),
        }
    }

    fn convert_expression(
        &self,
        value: &Expression,
        to: Type,
        is_wrong: bool,
        session: &mut EditSession<'_>,
    ) -> Edited {
        let new = match (to, value) {
            (Type::Text, Expression::Number(number)) => super::values::quoted(&number.value().to_string()),
            (Type::Flag, Expression::String(text)) => match text.value().to_lowercase().as_str() {
                word @ ("true" | "false") => word.to_owned(),
                _ => return Ok(()),
            },
            (_, Expression::String(_) | Expression::StringTemplate(_) | Expression::Bool(_) | Expression::Null(_)) => {
                return Ok(());
            }
            (_, _) if !is_wrong => return Ok(()),
            (Type::Text, value) => format!("tostring({})", session.source(&self.block_ref.file, value)),
            (Type::Flag, value) => format!("tobool({})", session.source(&self.block_ref.file, value)),
        };
        let span = value.span().ok_or_else(|| self.misunderstood(session))?;
        session.touch(&self.block_ref, &self.name);
        session.edit(&self.block_ref.file)?.replace(&span, &new);
        Ok(())
    }
}

/// How a member of a document is written, where the module itself could use it so.
pub(crate) fn written(
    block_ref: &BlockRef,
    way: &[&str],
    name: &str,
    session: &mut EditSession<'_>,
) -> Option<Written> {
    session.peek(|session| {
        let content = Content::of(block_ref, session).ok()?;
        let in_module = match &content.holder {
            Holder::Object(_) => content.block_ref.file == block_ref.file,
            // A text without interpolations means the same everywhere.
            Holder::Text(text) => {
                matches!(text.names, Names::Module) || interpolations(&Content::text(text, session))?.is_empty()
            }
        };
        content.value(way, name, session).ok()?.filter(|_| in_module)
    })
}

/// The type that an input must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Type {
    Text,
    Flag,
}

/// The text of a file that a function reads.
fn text_of_file(
    block_ref: &BlockRef,
    name: &str,
    call: &FuncCall,
    path: &Expression,
    session: &mut EditSession<'_>,
) -> Result<Text, Refusal> {
    let file = path_of(block_ref, path, session).and_then(|path| session.asset(&path));
    let Some((file, length)) = file else {
        return Err(session.refuse(block_ref, name, "which file the document is read from is not understood"));
    };
    let names = if call.name.name.as_str() == "templatefile" {
        let given = call.args.get(1).cloned();
        Names::Given(match given {
            Some(Expression::Object(object)) => Some(object),
            _ => None,
        })
    } else {
        Names::None
    };
    Ok(Text { file, bytes: 0..length, names })
}

/// The path that an expression names, where that is a plain text below the folder of the module or of the root.
fn path_of(block_ref: &BlockRef, path: &Expression, session: &EditSession<'_>) -> Option<PathBuf> {
    let source = session.source(&block_ref.file, path);
    let text = source.strip_prefix('"')?.strip_suffix('"')?;
    let folder = Path::new(&block_ref.file).parent()?;
    let (base, rest) = match (text.strip_prefix("${path.module}"), text.strip_prefix("${path.root}")) {
        (Some(rest), _) => (folder, rest.strip_prefix('/')?),
        (_, Some(rest)) => (session.root(), rest.strip_prefix('/')?),
        _ => (session.root(), text),
    };
    (!rest.contains(['$', '%', '\\'])).then(|| base.join(rest))
}

/// How often a template uses a name.
fn uses_of(template: &str, label: &str) -> usize {
    let is_part = |character: char| character.is_alphanumeric() || matches!(character, '_' | '-' | '.');
    let within = interpolations(template).unwrap_or_default();
    let count = |text: &str| {
        let uses = text.match_indices(label).filter(|(at, _)| {
            !text[..*at].ends_with(is_part)
                && !text[at + label.len()..].starts_with(|next| is_part(next) && next != '.')
        });
        uses.count()
    };
    within.into_iter().map(|bytes| count(&template[bytes])).sum()
}

fn first_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}

/// `s3BucketName` as `s3_bucket_name`.
fn snake_case(name: &str) -> String {
    let mut word = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() {
            word.push('_');
        }
        word.push(character.to_ascii_lowercase());
    }
    word
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_in_interpolations_only() {
        assert_eq!(uses_of("idle ${idle} ${upper(idle)} ${x.idle} ${idle_2} $${idle}", "idle"), 2);
        assert_eq!(snake_case("cloudWatchLogGroupName"), "cloud_watch_log_group_name");
    }
}
