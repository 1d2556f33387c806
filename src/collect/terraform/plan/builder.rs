//! The modules of a plan as folders of blocks, with the places of the source where that is there.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::inherited::Before;
use super::planned::{Planned, either, expression, has_true, literal, marked};
use super::source::{self, Found};
use super::{NOTHING, changes, forgotten, list, members, providers};
use crate::collect::terraform::file::{FileId, Span};
use crate::collect::terraform::folder::{Folder, Mode};
use crate::collect::terraform::module_loader::ModuleLoader;
use crate::collect::terraform::syntax::{Attribute, Block, Body, Expression, Name, Node};
use crate::diagnostic::Diagnostic;

/// Puts a plan back into blocks.
pub(crate) struct Builder<'j> {
    folders: ModuleLoader,
    file: FileId,
    /// What is not known after planning, by the address of the resource.
    unknown: BTreeMap<String, &'j Json>,
    /// What is sensitive before or after, by the address of the resource.
    sensitive: BTreeMap<String, Json>,
    before: Before<'j>,
    /// The addresses of what Terraform no longer manages.
    forgotten: BTreeSet<&'j str>,
    providers: Vec<Arc<Block>>,
}

/// A resource of the source: where it stands, and what it says if the plan was made of it.
struct Declared<'s> {
    span: Span,
    body: Option<&'s Body>,
    agrees: bool,
}

impl<'s> Declared<'s> {
    fn attribute(&self, name: &str) -> Span {
        let attribute = self.body.and_then(|body| body.attribute(name)).map(|attribute| attribute.span);
        let block = || self.body.and_then(|body| body.blocks_of(name).next()).map(|block| block.span);
        attribute.or_else(block).unwrap_or(self.span)
    }

    /// The body, if the plan was made of it.
    fn source(&self) -> Option<&'s Body> {
        self.body.filter(|_| self.agrees)
    }
}

impl<'j> Builder<'j> {
    pub(crate) fn new(folders: ModuleLoader, file: FileId, plan: &'j Json) -> Self {
        let unknown = changes(plan)
            .filter_map(|change| Some((change["address"].as_str()?.to_owned(), &change["change"]["after_unknown"])));
        let sensitive = changes(plan).filter_map(|change| {
            let of_change = &change["change"];
            let sensitive = either(&of_change["before_sensitive"], &of_change["after_sensitive"]);
            Some((change["address"].as_str()?.to_owned(), sensitive))
        });
        let sensitive = sensitive.collect();
        let (unknown, before) = (unknown.collect(), Before::of(plan));
        let providers = providers::blocks(plan, Span::new(file, &(0..0)));
        let forgotten = forgotten(plan);
        Self { folders, file, unknown, sensitive, before, forgotten, providers }
    }

    pub(super) fn into_folders(self) -> ModuleLoader {
        self.folders
    }

    fn start(&self) -> Span {
        Span::new(self.file, &(0..0))
    }

    /// Adds the folder of a module, which is no folder on disk.
    pub(crate) fn declare(&mut self, path: &Path, body: Body, source: Option<&Folder>, incomplete: Option<String>) {
        let mut folder = Folder::empty(path);
        folder.source = source.map(|source| source.path.clone());
        folder.unread.extend(incomplete.map(|why| (why, None)));
        let mut problems: Vec<(Span, Diagnostic)> = Vec::new();
        for block in body.blocks.into_iter().chain(self.providers.iter().cloned()) {
            folder.declare(block, &mut problems);
        }
        self.folders.insert(path, folder);
    }

    /// Returns what a module declares; its child modules are declared on the way.
    pub(crate) fn module(
        &mut self,
        path: &Path,
        planned: &'j Json,
        before: &'j Json,
        configuration: &'j Json,
        source: Option<Found<'_>>,
    ) -> Body {
        let mut body = Body::default();
        let data = list(before, "resources").filter(|resource| resource["mode"] == "data");
        for resource in list(planned, "resources").chain(data) {
            body.blocks.extend(self.resource(resource, configuration, source));
        }
        let told = source.filter(|source| source.agrees).map(|source| source.folder);
        if let Some(folder) = told {
            let attributes = folder.locals.iter().map(|(_, attribute)| attribute.clone()).collect();
            body.blocks.push(block("locals", Vec::new(), attributes, self.start()));
        }
        for (name, output) in members(configuration, "outputs") {
            let told = told.and_then(|folder| folder.outputs.find(name));
            body.blocks.push(told.map_or_else(|| self.output(name, output), |(_, block)| Arc::clone(block)));
        }
        let prefix = planned["address"].as_str().map(|address| format!("{address}.")).unwrap_or_default();
        for child in list(planned, "child_modules") {
            let address = child["address"].as_str().unwrap_or_default();
            let label = address.strip_prefix(&prefix).and_then(|rest| rest.strip_prefix("module."));
            if let Some(label) = label {
                let before = list(before, "child_modules").find(|other| other["address"] == address);
                body.blocks.push(self.child(path, label, child, before.unwrap_or(&NOTHING), configuration, source));
            }
        }
        body
    }

    fn output(&self, name: &str, output: &Json) -> Arc<Block> {
        let value = expression(&output["expression"], self.start());
        let attribute = Attribute { name: "value".into(), span: value.span, value: Arc::new(value) };
        let attributes = [attribute].into_iter().chain(self.sensitivity(output)).collect();
        block("output", vec![name.into()], attributes, self.start())
    }

    /// Returns the call of a child module, which is declared.
    fn child(
        &mut self,
        path: &Path,
        label: &str,
        child: &'j Json,
        before: &'j Json,
        configuration: &'j Json,
        source: Option<Found<'_>>,
    ) -> Arc<Block> {
        let name = label.split('[').next().unwrap_or(label);
        let call = configuration.pointer(&format!("/module_calls/{name}")).unwrap_or(&NOTHING);
        let folder_source = format!("./{}", child["address"].as_str().unwrap_or(label));
        let inner_path = path.join(&folder_source);
        let address = static_address(child["address"].as_str().unwrap_or_default());
        let inner_source = source.and_then(|by| source::of_call(&self.folders, by, &address, name, &call["module"]));
        let found = inner_source.as_ref().map(|(folder, agrees)| Found { folder, agrees: *agrees });
        let mut inner = self.module(&inner_path, child, before, &call["module"], found);
        let told = inner_source.as_ref().filter(|(_, agrees)| *agrees).map(|(folder, _)| folder);
        let call_of_source = source.filter(|by| by.agrees).and_then(|by| by.folder.calls.find(name));
        let mut attributes = vec![self.literal("source", Node::Text(folder_source.as_str().into()))];
        // The instance of the call is a part of its name: its keys are told by it.
        for name in ["count", "for_each"] {
            attributes.extend(call_of_source.and_then(|(_, block)| block.body.attribute(name)).cloned());
        }
        for (name, written) in members(call, "expressions") {
            let of_source = call_of_source.and_then(|(_, block)| block.body.attribute(name)).cloned();
            attributes.push(of_source.unwrap_or_else(|| {
                let value = expression(written, self.start());
                Attribute { name: name.as_str().into(), span: value.span, value: Arc::new(value) }
            }));
        }
        for (name, variable) in members(&call["module"], "variables") {
            let of_source = told.and_then(|folder| folder.variables.find(name)).map(|(_, block)| Arc::clone(block));
            inner.blocks.push(of_source.unwrap_or_else(|| {
                let default = variable.get("default").map(|default| self.literal("default", literal(default)));
                let attributes = default.into_iter().chain(self.sensitivity(variable)).collect();
                block("variable", vec![name.as_str().into()], attributes, self.start())
            }));
        }
        self.declare(&inner_path, inner, told.map(|folder| &**folder), None);
        block("module", vec![label.into()], attributes, self.start())
    }

    /// Returns the variables of the root module with the values that they were given.
    pub(crate) fn variables(&self, given: &Json, configuration: &Json) -> Vec<Arc<Block>> {
        let variables = given.as_object().into_iter().flatten();
        variables
            .map(|(name, variable)| {
                let default = self.literal("default", literal(&variable["value"]));
                let declared = &configuration["variables"][name.as_str()];
                let attributes = [default].into_iter().chain(self.sensitivity(declared)).collect();
                block("variable", vec![name.as_str().into()], attributes, self.start())
            })
            .collect()
    }

    /// Returns the attribute that says of a variable or an output that it must not be shown.
    fn sensitivity(&self, declared: &Json) -> Option<Attribute> {
        (declared["sensitive"] == Json::Bool(true)).then(|| self.literal("sensitive", Node::Bool(true)))
    }

    fn literal(&self, name: &str, node: Node) -> Attribute {
        let span = self.start();
        Attribute { name: name.into(), value: Arc::new(Expression { node, span }), span }
    }

    fn resource(&self, resource: &'j Json, configuration: &'j Json, source: Option<Found<'_>>) -> Option<Arc<Block>> {
        let text = |name: &str| resource[name].as_str();
        let (address, kind, name) = (text("address")?, text("type")?, text("name")?);
        if self.forgotten.contains(address) {
            return None;
        }
        let (mode, word) =
            if text("mode") == Some("data") { (Mode::Data, "data") } else { (Mode::Managed, "resource") };
        let declared = source.and_then(|found| {
            let folder = found.folder;
            folder.resource(mode, &kind.into(), name).map(|index| Arc::clone(&folder.resources[index].block))
        });
        let declared = Declared {
            span: declared.as_ref().map_or_else(|| self.start(), |block| block.span),
            body: declared.as_ref().map(|block| &block.body),
            agrees: source.is_some_and(|source| source.agrees),
        };
        let written = list(configuration, "resources")
            .find(|other| other["type"] == kind && other["name"] == name && other["mode"] == resource["mode"]);
        let mut body = self.body(resource, address, kind, written, &declared);
        body.attributes.extend(providers::argument(written, declared.span));
        // Instances have the address of the plan: their key is part of their name.
        let mut label = match &resource["index"] {
            Json::Null => name.to_owned(),
            index => format!("{name}[{index}]"),
        };
        // A state may hold objects that were replaced and could not be deleted, at the address of their successor.
        if let Some(key) = text("deposed_key") {
            label = format!("{label} (deposed object {key})");
        }
        let labels = vec![kind.into(), label.into()];
        Some(Arc::new(Block { kind: word.into(), labels, body, span: declared.span }))
    }

    fn body(
        &self,
        resource: &'j Json,
        address: &str,
        kind: &'j str,
        written: Option<&'j Json>,
        declared: &Declared<'_>,
    ) -> Body {
        let values = &resource["values"];
        let expressions = written.map_or(&NOTHING, |written| &written["expressions"]);
        let unknown = self.unknown.get(address).copied().unwrap_or(&NOTHING);
        let of_change = self.sensitive.get(address).unwrap_or(&NOTHING);
        let sensitive = either(&resource["sensitive_values"], of_change);
        // All of the resource, or what is told of each attribute.
        let sensitive_of = |name: &str| if sensitive == Json::Bool(true) { &sensitive } else { &sensitive[name] };
        let mut names: Vec<&String> = values.as_object().into_iter().flat_map(Map::keys).collect();
        let others = unknown.as_object().into_iter().flat_map(Map::keys);
        names.extend(others.filter(|name| values.get(name).is_none()));
        let mut body = Body::default();
        for name in names {
            let planned = Planned {
                kind,
                value: &values[name],
                unknown: &unknown[name],
                sensitive: sensitive_of(name),
                written: Cow::Borrowed(&expressions[name]),
                shown: true,
            };
            let is_sensitive = *planned.sensitive == Json::Bool(true);
            if !is_sensitive && (planned.is_open(name) || planned.is_left_to_aws(name)) {
                if take_from_source(name, declared, &mut body) || planned.is_left_to_aws(name) {
                    continue;
                }
            } else if expressions[name].is_null() && !values[name].is_null() {
                let span = declared.attribute(name);
                match self.before.left(kind, name, values) {
                    Some(left) if left != values[name] => {
                        body.attributes.push(known(name, &left, planned.sensitive, span));
                    }
                    Some(_) => body.attributes.push(attribute(name, &planned, span)),
                    None => {}
                }
                continue;
            }
            body.attributes.push(attribute(name, &planned, declared.attribute(name)));
        }
        let tags = either(sensitive_of("tags"), sensitive_of("tags_all"));
        all_tags(values, unknown, &tags, &mut body);
        for name in ["count", "for_each"] {
            body.attributes.extend(declared.source().and_then(|body| body.attribute(name)).cloned());
        }
        body
    }
}

/// Takes an attribute, or all blocks of its name, from the source; returns `false` where that has none.
fn take_from_source(name: &str, declared: &Declared<'_>, body: &mut Body) -> bool {
    let Some(source) = declared.source() else { return false };
    if let Some(attribute) = source.attribute(name) {
        body.attributes.push(attribute.clone());
        return true;
    }
    let is_dynamic =
        |block: &Block| *block.kind == *"dynamic" && block.labels.first().is_some_and(|label| **label == *name);
    let before = body.blocks.len();
    let blocks = source.blocks.iter().filter(|block| *block.kind == *name || is_dynamic(block));
    body.blocks.extend(blocks.cloned());
    body.blocks.len() > before
}

/// Puts the tags with those of the provider in place of those of the resource, where all are known.
fn all_tags(values: &Json, unknown: &Json, sensitive: &Json, body: &mut Body) {
    if let Some(all) = values["tags_all"].as_object().filter(|_| !has_true(&unknown["tags_all"])) {
        let span = body.attributes.iter().find(|attribute| *attribute.name == *"tags").map(|attribute| attribute.span);
        if let Some(span) = span {
            body.attributes.retain(|attribute| *attribute.name != *"tags");
            body.attributes.push(known("tags", &Json::Object(all.clone()), sensitive, span));
        }
    }
}

fn attribute(name: &str, planned: &Planned<'_>, span: Span) -> Attribute {
    let node = planned.node(name, span);
    Attribute { name: name.into(), value: Arc::new(Expression { node, span }), span }
}

fn known(name: &str, value: &Json, sensitive: &Json, span: Span) -> Attribute {
    Attribute { name: name.into(), value: Arc::new(Expression { node: marked(value, sensitive, span), span }), span }
}

/// Returns a block that holds attributes alone.
fn block(kind: &str, labels: Vec<Name>, attributes: Vec<Attribute>, span: Span) -> Arc<Block> {
    Arc::new(Block { kind: kind.into(), labels, body: Body { attributes, blocks: Vec::new() }, span })
}

/// Returns the address of a module without the keys of its instances, as the list of fetched modules has it.
fn static_address(address: &str) -> String {
    let (mut plain, mut depth) = (String::new(), 0);
    for character in address.chars() {
        match character {
            '[' => depth += 1,
            ']' => depth -= 1,
            character if depth == 0 => plain.push(character),
            _ => {}
        }
    }
    plain.split('.').filter(|part| *part != "module").collect::<Vec<_>>().join(".")
}
