//! Plans, as `terraform show -json` writes them: put back into blocks, so that all else is as with code. What is known
//! after planning stands as it is; what is not, as the reference that the configuration has there, where that is one.
//! Where the source lies beside the plan, its places are those of the source.
//! <https://developer.hashicorp.com/terraform/internals/json-format>

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Map, Value as Json};

use super::file::{FileId, Span};
use super::folder::{Folder, Mode};
use super::folders::Folders;
use super::syntax::{Attribute, Block, Body, Expression, Name, Node};
use crate::boundary::{Boundary, read_named};
use crate::diagnostic::Diagnostic;
use crate::iam::is_symbol;
use crate::model::{AccountId, Region};

/// The attributes that name other resources: of these alone a reference can stand for the value.
const REFERENCES: &[&str] = &[
    "arn",
    "bucket",
    "iam_instance_profile",
    "id",
    "key_arn",
    "key_id",
    "kms_key_id",
    "kms_master_key_id",
    "name",
    "network_interface_id",
    "permissions_boundary",
    "policy_arn",
    "prefix_list_id",
    "referenced_security_group_id",
    "role",
    "roles",
    "security_group_id",
    "security_group_ids",
    "security_groups",
    "source_security_group_id",
    "subnet_id",
    "target_bucket",
    "target_key_id",
    "vpc_endpoint_id",
    "vpc_id",
    "vpc_security_group_ids",
];

/// Those of them that are lists.
const LISTS: &[&str] = &["roles", "security_group_ids", "security_groups", "vpc_security_group_ids"];

/// A file that is no plan.
#[derive(Debug, thiserror::Error)]
#[error("{}: {why}", path.display())]
pub struct PlanError {
    path: PathBuf,
    why: String,
}

/// A plan, as the folders that evaluation takes.
pub(super) struct Plan {
    pub(super) folders: Folders,
    pub(super) root: PathBuf,
    pub(super) account: Option<AccountId>,
    pub(super) region: Option<Region>,
}

/// The path of the root module of a plan; those of its children go on from there.
const ROOT: &str = "plan:";

/// Whether a file begins as a plan does.
pub(super) fn is_plan(path: &Path) -> bool {
    use std::io::Read as _;
    const BEGINNING: u64 = 512;
    let Ok(file) = std::fs::File::open(path) else { return false };
    let mut beginning = Vec::new();
    let read = file.take(BEGINNING).read_to_end(&mut beginning);
    let text = String::from_utf8_lossy(&beginning);
    read.is_ok() && text.trim_start().starts_with('{') && text.contains("\"format_version\"")
}

/// Reads a plan.
pub(super) fn read(path: &Path, boundary: Boundary) -> Result<Plan, PlanError> {
    let wrong = |why: String| PlanError { path: path.to_owned(), why };
    let text = read_named(path).map_err(|refusal| wrong(refusal.to_string()))?;
    let plan: Json = serde_json::from_str(&text).map_err(|error| wrong(format!("not JSON: {error}")))?;
    let Some(planned) = plan.pointer("/planned_values/root_module") else {
        return Err(wrong("there are no planned values in it: `terraform show -json` of a plan has them".to_owned()));
    };
    let beside = path.parent().unwrap_or(Path::new(""));
    // Without the source the plan stands for itself.
    let mut folders = Folders::read(beside, &BTreeMap::new(), boundary.clone()).unwrap_or(Folders::none(boundary));
    let source = folders.at(beside);
    let (_, file) = folders.add(path, String::new());
    let mut builder = Builder { folders, file, unknown: unknown_values(&plan) };
    let nothing = Json::Null;
    let part = |pointer: &str| plan.pointer(pointer).unwrap_or(&nothing);
    let before = part("/prior_state/values/root_module");
    let configuration = part("/configuration/root_module");
    let root = PathBuf::from(ROOT);
    let mut body = builder.module(&root, planned, before, configuration, source.as_ref());
    body.blocks.extend(builder.variables(part("/variables")));
    builder.declare(&root, body);
    let told = |kind: &str, attribute: &str| {
        let resources = before.get("resources").and_then(Json::as_array).into_iter().flatten();
        let mut found = resources.filter(|resource| resource["type"] == kind && resource["mode"] == "data");
        found.find_map(|resource| resource["values"][attribute].as_str()).map(str::to_owned)
    };
    let of_provider = part("/configuration/provider_config/aws/expressions/region");
    let region = of_provider["constant_value"].as_str().map(str::to_owned).or_else(|| {
        let variable = of_provider["references"][0].as_str()?.strip_prefix("var.")?;
        plan["variables"][variable]["value"].as_str().map(str::to_owned)
    });
    Ok(Plan {
        folders: builder.folders,
        root,
        account: told("aws_caller_identity", "account_id").and_then(|account| account.parse().ok()),
        region: region.or_else(|| told("aws_region", "name")).and_then(|region| region.parse().ok()),
    })
}

/// What is not known after planning, by the address of the resource.
fn unknown_values(plan: &Json) -> BTreeMap<String, Json> {
    let changes = plan.get("resource_changes").and_then(Json::as_array).into_iter().flatten();
    changes
        .filter_map(|change| Some((change["address"].as_str()?.to_owned(), change["change"]["after_unknown"].clone())))
        .collect()
}

struct Builder {
    folders: Folders,
    file: FileId,
    unknown: BTreeMap<String, Json>,
}

/// The places of a resource in the source, where that is there.
struct Spans<'s> {
    block: Span,
    body: Option<&'s Body>,
}

impl Spans<'_> {
    fn attribute(&self, name: &str) -> Span {
        let body = self.body;
        let attribute = body.and_then(|body| body.attribute(name)).map(|attribute| attribute.span);
        let block = || body.and_then(|body| body.blocks_of(name).next()).map(|block| block.span);
        attribute.or_else(block).unwrap_or(self.block)
    }
}

impl Builder {
    fn start(&self) -> Span {
        Span::new(self.file, &(0..0))
    }

    fn declare(&mut self, path: &Path, body: Body) {
        self.folders.declare(path, body);
    }

    /// What a module declares; its child modules are declared on the way.
    fn module(
        &mut self,
        path: &Path,
        planned: &Json,
        before: &Json,
        configuration: &Json,
        source: Option<&Arc<Folder>>,
    ) -> Body {
        let mut body = Body::default();
        let data = list(before, "resources").filter(|resource| resource["mode"] == "data");
        for resource in list(planned, "resources").chain(data) {
            body.blocks.extend(self.resource(resource, configuration, source));
        }
        for (name, output) in members(configuration, "outputs") {
            let value = expression(&output["expression"], self.start());
            let attribute = Attribute { name: "value".into(), span: value.span, value: Arc::new(value) };
            body.blocks.push(block("output", vec![name.as_str().into()], vec![attribute], self.start()));
        }
        let prefix = planned["address"].as_str().map(|address| format!("{address}.")).unwrap_or_default();
        for child in list(planned, "child_modules") {
            let address = child["address"].as_str().unwrap_or_default();
            let Some(label) = address.strip_prefix(&prefix).and_then(|rest| rest.strip_prefix("module.")) else {
                continue;
            };
            let call = &configuration["module_calls"][label.split('[').next().unwrap_or(label)];
            let before = list(before, "child_modules").find(|other| other["address"] == address);
            let folder_source = format!("./{address}");
            let inner_path = path.join(&folder_source);
            let inner_source = source.and_then(|folder| self.source_of(folder, label));
            let nothing = Json::Null;
            let mut inner =
                self.module(&inner_path, child, before.unwrap_or(&nothing), &call["module"], inner_source.as_ref());
            let mut attributes = vec![self.literal("source", Node::Text(folder_source.as_str().into()))];
            for (name, written) in members(call, "expressions") {
                let value = expression(written, self.start());
                attributes.push(Attribute { name: name.as_str().into(), span: value.span, value: Arc::new(value) });
            }
            for (name, _) in members(&call["module"], "variables") {
                inner.blocks.push(block("variable", vec![name.as_str().into()], Vec::new(), self.start()));
            }
            body.blocks.push(block("module", vec![label.into()], attributes, self.start()));
            self.declare(&inner_path, inner);
        }
        body
    }

    /// The folder of the source that a call leads to.
    fn source_of(&self, folder: &Arc<Folder>, label: &str) -> Option<Arc<Folder>> {
        let name = label.split('[').next().unwrap_or(label);
        let (_, block) = folder.calls.find(name)?;
        self.folders.at(&folder.path.join(super::folders::source_of(block)?))
    }

    /// The values that root variables were given.
    fn variables(&self, given: &Json) -> Vec<Arc<Block>> {
        let variables = given.as_object().into_iter().flatten();
        variables
            .map(|(name, variable)| {
                let default = self.literal("default", literal(&variable["value"]));
                block("variable", vec![name.as_str().into()], vec![default], self.start())
            })
            .collect()
    }

    fn literal(&self, name: &str, node: Node) -> Attribute {
        let span = self.start();
        Attribute { name: name.into(), value: Arc::new(Expression { node, span }), span }
    }

    fn resource(&self, resource: &Json, configuration: &Json, source: Option<&Arc<Folder>>) -> Option<Arc<Block>> {
        let text = |name: &str| resource[name].as_str();
        let (address, kind, name) = (text("address")?, text("type")?, text("name")?);
        let (mode, word) =
            if text("mode") == Some("data") { (Mode::Data, "data") } else { (Mode::Managed, "resource") };
        let declared = source.and_then(|folder| {
            folder.resource(mode, &kind.into(), name).map(|index| Arc::clone(&folder.resources[index].block))
        });
        let whole = declared.as_ref().map_or_else(|| self.start(), |block| block.span);
        let spans = Spans { block: whole, body: declared.as_ref().map(|block| &block.body) };
        let written = list(configuration, "resources")
            .find(|other| other["type"] == kind && other["name"] == name && other["mode"] == resource["mode"]);
        let nothing = Json::Null;
        let expressions = written.map_or(&nothing, |written| &written["expressions"]);
        let unknown = self.unknown.get(address).unwrap_or(&nothing);
        let sensitive = &resource["sensitive_values"];
        let mut names: Vec<&String> = resource["values"].as_object().into_iter().flat_map(Map::keys).collect();
        names.extend(
            unknown.as_object().into_iter().flat_map(Map::keys).filter(|name| resource["values"].get(name).is_none()),
        );
        let attributes = names
            .into_iter()
            .filter(|name| !is_left_to_aws(&unknown[*name], &expressions[*name]))
            .map(|name| {
                let span = spans.attribute(name);
                let planned = Planned {
                    value: &resource["values"][name],
                    unknown: &unknown[name],
                    sensitive: &sensitive[name],
                    written: &expressions[name],
                };
                let node = value(name, &planned, span);
                Attribute { name: name.as_str().into(), value: Arc::new(Expression { node, span }), span }
            })
            .collect();
        // Instances have the address of the plan: their key is part of their name.
        let label = match &resource["index"] {
            Json::Null => name.to_owned(),
            index => format!("{name}[{index}]"),
        };
        Some(block(word, vec![kind.into(), label.into()], attributes, whole))
    }
}

/// A value of the plan, or what stands for it.
fn value(name: &str, planned: &Planned<'_>, span: Span) -> Node {
    if *planned.sensitive == Json::Bool(true) {
        return Node::Unusable("the value is sensitive");
    }
    if *planned.unknown == Json::Bool(true) {
        return match reference(planned.written, span).filter(|_| REFERENCES.contains(&name)) {
            Some(reference) if LISTS.contains(&name) => Node::List(vec![reference]),
            Some(reference) => reference.node,
            None => Node::Unusable("known after the plan is applied"),
        };
    }
    match planned.value {
        Json::Array(items) => Node::List(
            (0..items.len()).map(|index| Expression { node: value(name, &planned.item(index), span), span }).collect(),
        ),
        Json::Object(object) => {
            let mut names: Vec<&String> = object.keys().collect();
            let others = planned.unknown.as_object().into_iter().flat_map(Map::keys);
            names.extend(others.filter(|name| !object.contains_key(*name)));
            let member = |name: &String| {
                let inner = planned.member(name);
                let key = Expression { node: Node::Text(name.as_str().into()), span };
                (!is_left_to_aws(inner.unknown, inner.written))
                    .then(|| (key, Expression { node: value(name, &inner, span), span }))
            };
            Node::Object(names.into_iter().filter_map(member).collect())
        }
        scalar => literal(scalar),
    }
}

/// An expression of the configuration, as far as it is told.
fn expression(written: &Json, span: Span) -> Expression {
    if let Some(value) = written.get("constant_value") {
        return Expression { node: literal(value), span };
    }
    reference(written, span)
        .unwrap_or(Expression { node: Node::Unusable("a plan does not tell the whole expression"), span })
}

/// A block that holds attributes alone.
fn block(kind: &str, labels: Vec<Name>, attributes: Vec<Attribute>, span: Span) -> Arc<Block> {
    Arc::new(Block { kind: kind.into(), labels, body: Body { attributes, blocks: Vec::new() }, span })
}

/// The one thing that an expression refers to: each comes with all that leads to it.
fn reference(written: &Json, span: Span) -> Option<Expression> {
    let references: Vec<&str> = written["references"].as_array()?.iter().filter_map(Json::as_str).collect();
    let first = references.first()?;
    if !references.iter().all(|other| first.starts_with(other)) {
        return None;
    }
    let mut steps = split(first).into_iter();
    let root = Expression { node: Node::Root(steps.next()?), span };
    let member = |of, name| Expression { node: Node::Member(Box::new(of), name), span };
    Some(steps.fold(root, member))
}

/// What a plan says of a value.
struct Planned<'j> {
    value: &'j Json,
    unknown: &'j Json,
    sensitive: &'j Json,
    /// The expression of the configuration.
    written: &'j Json,
}

impl<'j> Planned<'j> {
    fn item(&self, index: usize) -> Planned<'j> {
        Planned {
            value: &self.value[index],
            unknown: &self.unknown[index],
            sensitive: &self.sensitive[index],
            written: &self.written[index],
        }
    }

    fn member(&self, name: &str) -> Planned<'j> {
        Planned {
            value: &self.value[name],
            unknown: &self.unknown[name],
            sensitive: &self.sensitive[name],
            written: &self.written[name],
        }
    }
}

/// Whether AWS or the provider chooses the value, and nothing is written for it: the same as in code.
fn is_left_to_aws(unknown: &Json, written: &Json) -> bool {
    *unknown == Json::Bool(true) && written.is_null()
}

/// The steps of a reference; an index belongs to the name before it, as in labels.
fn split(reference: &str) -> Vec<Name> {
    let mut steps = Vec::new();
    let (mut start, mut depth) = (0, 0);
    for (index, character) in reference.char_indices() {
        match character {
            '[' => depth += 1,
            ']' => depth -= 1,
            '.' if depth == 0 => {
                steps.push(reference[start..index].into());
                start = index + 1;
            }
            _ => {}
        }
    }
    steps.push(reference[start..].into());
    steps
}

fn literal(value: &Json) -> Node {
    let at = Span::new(FileId(u32::MAX), &(0..0));
    let expression = |value| Expression { node: literal(value), span: at };
    match value {
        Json::Null => Node::Null,
        Json::Bool(value) => Node::Bool(*value),
        Json::Number(number) => number.as_f64().map_or(Node::Unusable("the number is too large"), Node::Number),
        Json::String(text) if text.contains(is_symbol) => Node::Unusable("the text has private-use characters"),
        Json::String(text) => Node::Text(text.as_str().into()),
        Json::Array(items) => Node::List(items.iter().map(expression).collect()),
        Json::Object(members) => Node::Object(
            members
                .iter()
                .map(|(name, value)| {
                    (Expression { node: Node::Text(name.as_str().into()), span: at }, expression(value))
                })
                .collect(),
        ),
    }
}

fn list<'j>(of: &'j Json, name: &str) -> impl Iterator<Item = &'j Json> {
    of.get(name).and_then(Json::as_array).into_iter().flatten()
}

fn members<'j>(of: &'j Json, name: &str) -> impl Iterator<Item = (&'j String, &'j Json)> {
    of.get(name).and_then(Json::as_object).into_iter().flatten()
}

impl Folders {
    /// Adds a folder that is no folder on disk.
    fn declare(&mut self, path: &Path, body: Body) {
        let mut folder = Folder::empty(path);
        let mut problems: Vec<(Span, Diagnostic)> = Vec::new();
        for block in body.blocks {
            folder.declare(block, &mut problems);
        }
        self.insert(path, folder);
    }
}
