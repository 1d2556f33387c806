//! A file that is edited: places in it that are found again when other places have changed. It knows the syntax, and
//! nothing of what blocks mean.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Range;
use std::rc::Rc;

use hcl_edit::Span as _;
use hcl_edit::expr::{Expression, Object, ObjectKey};
use hcl_edit::structure::{Block, Body};

/// A file that is edited.
#[derive(Debug, Clone)]
pub(crate) struct HclFile {
    pub(crate) text: String,
    /// Whether lines end as Windows has it; then `text` does not say so.
    crlf: bool,
    /// The text that was parsed last, and its body: places are looked up many times between two edits.
    parsed: RefCell<Option<(String, Rc<Body>)>>,
}

/// A block, by the way that leads to it from the top of its file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct BlockRef {
    /// The file.
    pub(crate) file: String,
    steps: Vec<Step>,
}

/// The block of that kind and those labels, and its number among them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Step {
    pub(crate) kind: String,
    pub(crate) labels: Vec<String>,
    pub(crate) index: usize,
}

/// What stands somewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A block.
    Block(BlockRef),
    /// An attribute of a block, or a part of its value.
    Attribute(BlockRef, String),
}

impl BlockRef {
    /// The labels of the outermost block: the type and the name of a resource.
    pub(crate) fn labels(&self) -> (&str, &str) {
        let labels = self.steps.first().map(|step| step.labels.as_slice()).unwrap_or_default();
        (labels.first().map_or("", String::as_str), labels.get(1).map_or("", String::as_str))
    }

    /// The outermost block that it is in.
    pub(crate) fn top(&self) -> Self {
        Self { file: self.file.clone(), steps: self.steps.iter().take(1).cloned().collect() }
    }

    /// The names that lead from the outermost block to an attribute of this one, joined by dots.
    pub(super) fn path_to(&self, name: &str) -> String {
        let blocks = self.steps.iter().skip(1).filter(|step| step.kind != "content");
        let kind = |step: &Step| match (step.kind.as_str(), step.labels.first()) {
            ("dynamic", Some(label)) => label.clone(),
            (kind, _) => kind.to_owned(),
        };
        blocks.map(kind).chain([name.to_owned()]).collect::<Vec<_>>().join(".")
    }

    /// The kind of the block itself.
    pub(crate) fn kind(&self) -> &str {
        self.steps.last().map_or("", |step| &step.kind)
    }

    fn inner(&self, kind: &str, labels: Vec<String>, index: usize) -> Self {
        let mut steps = self.steps.clone();
        steps.push(Step { kind: kind.to_owned(), labels, index });
        Self { file: self.file.clone(), steps }
    }
}

/// A step to each block of a body.
pub(crate) fn steps(body: &Body) -> Vec<(Step, &Block)> {
    let mut steps: Vec<(Step, &Block)> = Vec::new();
    let mut counts: BTreeMap<(&str, Vec<String>), usize> = BTreeMap::new();
    for block in body.blocks() {
        let labels: Vec<String> = block.labels.iter().map(|label| label.as_str().to_owned()).collect();
        let count = counts.entry((block.ident.as_str(), labels.clone())).or_default();
        steps.push((Step { kind: block.ident.as_str().to_owned(), labels, index: *count }, block));
        *count += 1;
    }
    steps
}

impl HclFile {
    pub(crate) fn new(text: &str) -> Self {
        let crlf = text.contains("\r\n") && !text.replace("\r\n", "").contains('\n');
        Self { text: if crlf { text.replace("\r\n", "\n") } else { text.to_owned() }, crlf, parsed: RefCell::default() }
    }

    /// The length of the edited text.
    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    /// The text as it is to be written.
    pub(crate) fn text(&self) -> String {
        if self.crlf { self.text.replace('\n', "\r\n") } else { self.text.clone() }
    }

    /// What stands in these bytes of the edited text.
    pub(crate) fn source(&self, bytes: &Range<usize>) -> &str {
        self.text.get(bytes.clone()).unwrap_or_default()
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, byte: usize) -> usize {
        self.text[..byte.min(self.text.len())].matches('\n').count() + 1
    }

    pub(crate) fn body(&self) -> Option<Rc<Body>> {
        let mut parsed = self.parsed.borrow_mut();
        if let Some((text, body)) = parsed.as_ref()
            && *text == self.text
        {
            return Some(Rc::clone(body));
        }
        let body = Rc::new(crate::collect::terraform::body_of(&self.text)?);
        *parsed = Some((self.text.clone(), Rc::clone(&body)));
        Some(body)
    }

    /// What stands at a byte of the text as it was read.
    pub(crate) fn find(&self, file: &str, bytes: &Range<usize>) -> Option<Found> {
        let lost = if self.crlf { |text: &str| text.matches('\n').count() } else { |_: &str| 0 };
        let original = self.text();
        let before = |byte: usize| byte - lost(original.get(..byte).unwrap_or_default());
        let bytes = before(bytes.start)..before(bytes.end);
        let body = self.body()?;
        let mut block_ref = BlockRef { file: file.to_owned(), steps: Vec::new() };
        let mut body = &*body;
        loop {
            let holds = |span: Option<Range<usize>>| span.is_some_and(|span| span.contains(&bytes.start));
            if let Some(attribute) = body.attributes().find(|attribute| holds(attribute.span())) {
                return Some(Found::Attribute(block_ref, attribute.key.as_str().to_owned()));
            }
            let (step, block) = steps(body).into_iter().find(|(_, block)| holds(block.span()))?;
            block_ref.steps.push(step);
            if block.span().is_some_and(|span| span.start == bytes.start) {
                return Some(Found::Block(block_ref));
            }
            body = &block.body;
        }
    }

    /// All outermost blocks.
    pub(crate) fn tops(&self, file: &str) -> Vec<BlockRef> {
        self.sources(file).into_iter().map(|(block_ref, _)| block_ref).collect()
    }

    /// All outermost blocks, with their texts.
    pub(crate) fn sources(&self, file: &str) -> Vec<(BlockRef, &str)> {
        let Some(body) = self.body() else { return Vec::new() };
        let source = |(step, block): (Step, &Block)| {
            let text = block.span().map(|span| self.source(&span)).unwrap_or_default();
            (BlockRef { file: file.to_owned(), steps: vec![step] }, text)
        };
        steps(&body).into_iter().map(source).collect()
    }

    pub(crate) fn with<T>(&self, block_ref: &BlockRef, read: impl FnOnce(&Block) -> Option<T>) -> Option<T> {
        let body = self.body()?;
        let mut inner = &*body;
        let mut found = None;
        for wanted in &block_ref.steps {
            let (_, block) = steps(inner).into_iter().find(|(step, _)| step == wanted)?;
            inner = &block.body;
            found = Some(block);
        }
        read(found?)
    }

    /// The bytes of a block.
    pub(crate) fn span(&self, block_ref: &BlockRef) -> Option<Range<usize>> {
        self.with(block_ref, Block::span)
    }

    /// The nested blocks of that kind, also those that a dynamic one makes.
    pub(crate) fn nested(&self, block_ref: &BlockRef, kind: &str) -> Vec<BlockRef> {
        let found = self.with(block_ref, |block| {
            let mut nested = Vec::new();
            for (step, _) in steps(&block.body) {
                if step.kind == kind {
                    nested.push(block_ref.inner(kind, step.labels, step.index));
                } else if step.kind == "dynamic" && step.labels.first().is_some_and(|label| label == kind) {
                    let dynamic = block_ref.inner("dynamic", step.labels, step.index);
                    nested.push(dynamic.inner("content", Vec::new(), 0));
                }
            }
            Some(nested)
        });
        found.unwrap_or_default()
    }

    /// The bytes of the text of a heredoc, without its delimiters.
    pub(crate) fn heredoc(&self, expression: &Expression) -> Option<Range<usize>> {
        let start = expression.span()?.start;
        let rest = self.text.get(start..)?;
        let head = rest.lines().next()?;
        let delimiter = head.trim_start().strip_prefix("<<")?.trim_start_matches('-').trim();
        let begin = start + head.len() + 1;
        let mut end = begin;
        for line in self.text.get(begin..)?.split_inclusive('\n') {
            if line.trim() == delimiter {
                return Some(begin..end);
            }
            end += line.len();
        }
        None
    }

    /// The value of an attribute, where it is written.
    pub(crate) fn value(&self, block_ref: &BlockRef, name: &str) -> Option<Expression> {
        self.with(block_ref, |block| Some(block.body.get_attribute(name)?.value.clone()))
    }
}

/// The member of an object; of several that have the name, the last one, as Terraform takes it.
pub(crate) fn member<'o>(object: &'o Object, name: &str) -> Option<&'o Expression> {
    object.iter().filter(|(key, _)| key_text(key).as_deref() == Some(name)).last().map(|(_, value)| value.expr())
}

pub(crate) fn key_text(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(name) | ObjectKey::Expression(Expression::Variable(name)) => Some(name.as_str().to_owned()),
        ObjectKey::Expression(Expression::String(text)) => Some(text.value().clone()),
        ObjectKey::Expression(_) => None,
    }
}

pub(super) fn key_span(key: &ObjectKey) -> Option<Range<usize>> {
    match key {
        ObjectKey::Ident(name) => name.span(),
        ObjectKey::Expression(expression) => expression.span(),
    }
}

pub(crate) fn is_name(text: &str) -> bool {
    let mut characters = text.chars();
    characters.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_')
        && characters.all(|character| character.is_ascii_alphanumeric() || matches!(character, '_' | '-'))
}

/// The lines, each so far from the left.
pub(crate) fn indented(text: &str, indent: &str) -> String {
    let line = |line: &str| if line.is_empty() { String::new() } else { format!("{indent}{line}") };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}
