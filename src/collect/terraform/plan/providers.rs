//! The provider configurations of a plan as blocks, and the account and region that a plan tells.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value as Json;

use super::planned::{literal, marked};
use super::{NOTHING, list, members, resources};
use crate::collect::terraform::file::Span;
use crate::collect::terraform::syntax::{Attribute, Block, Body, Expression, Node};
use crate::model::{AccountId, Region};

/// The attributes of a provider that tell where its resources are.
const TOLD: &[&str] = &[
    "region",
    "allowed_account_ids",
    "profile",
    "access_key",
    "shared_credentials_files",
    "shared_credentials_file",
    "shared_config_files",
];

/// The blocks of a provider that tell the account or the tags of its resources.
const TOLD_IN_BLOCKS: &[&str] = &["assume_role", "assume_role_with_web_identity", "default_tags"];

/// Returns a `provider` block for each configuration of the AWS provider. The alias is the key that resources know
/// the configuration by, but for the default one of the root module.
pub(crate) fn blocks(plan: &Json, span: Span) -> Vec<Arc<Block>> {
    let all = members(&plan["configuration"], "provider_config").filter(|(_, provider)| provider["name"] == "aws");
    all.map(|(key, provider)| {
        let expressions = &provider["expressions"];
        let mut attributes: Vec<Attribute> = TOLD
            .iter()
            .filter_map(|name| Some(attribute(name, resolved(plan, expressions.get(*name)?, span), span)))
            .collect();
        if key != DEFAULT {
            attributes.push(attribute("alias", Node::Text(key.as_str().into()), span));
        }
        let nested = TOLD_IN_BLOCKS.iter().flat_map(|kind| {
            let blocks = list(expressions, kind).chain(expressions.get(*kind).filter(|block| block.is_object()));
            blocks.map(|block| {
                let written = block.as_object().into_iter().flatten();
                let attributes = written.map(|(name, written)| attribute(name, resolved(plan, written, span), span));
                nested_block(kind, attributes.collect(), span)
            })
        });
        let body = Body { attributes, blocks: nested.collect() };
        Arc::new(Block { kind: "provider".into(), labels: vec!["aws".into()], body, span })
    })
    .collect()
}

/// The key of the default configuration.
const DEFAULT: &str = "aws";

/// Returns the `provider` argument of a resource: which of the configurations it has.
pub(crate) fn argument(written: Option<&Json>, span: Span) -> Option<Attribute> {
    let key = written?["provider_config_key"].as_str().filter(|key| *key != DEFAULT)?;
    Some(attribute("provider", Node::Text(format!("aws.{key}").into()), span))
}

fn attribute(name: &str, node: Node, span: Span) -> Attribute {
    Attribute { name: name.into(), value: Arc::new(Expression { node, span }), span }
}

fn nested_block(kind: &str, attributes: Vec<Attribute>, span: Span) -> Arc<Block> {
    Arc::new(Block { kind: kind.into(), labels: Vec::new(), body: Body { attributes, blocks: Vec::new() }, span })
}

/// Returns an expression of a provider: a constant, or the value of a variable of the root module.
fn resolved(plan: &Json, written: &Json, span: Span) -> Node {
    if let Some(value) = written.get("constant_value") {
        return literal(value);
    }
    let references = written["references"].as_array();
    if let Some([Json::String(reference)]) = references.map(Vec::as_slice)
        && let Some(name) = reference.strip_prefix("var.")
        && let Some(value) = plan["variables"].get(name)
    {
        let declared = &plan["configuration"]["root_module"]["variables"][name];
        return marked(&value["value"], &declared["sensitive"], span);
    }
    Node::Unusable("a plan does not tell the whole configuration of the provider")
}

/// Returns the region of the default provider, or the one that data sources and ARNs of the plan name.
pub(crate) fn region(plan: &Json, span: Span) -> Option<Region> {
    let of_provider = &plan["configuration"]["provider_config"][DEFAULT]["expressions"]["region"];
    let named = match resolved(plan, of_provider, span) {
        Node::Text(name) => Some(name.to_string()),
        _ => told(plan, "aws_region", &["region", "name"]),
    };
    named.or_else(|| only(arns(plan).filter_map(|arn| arn.split(':').nth(3)))).and_then(|name| name.parse().ok())
}

/// Returns the account that data sources of the plan name, or else all of its ARNs.
pub(crate) fn account(plan: &Json) -> Option<AccountId> {
    let named = told(plan, "aws_caller_identity", &["account_id"]);
    let of_arns = || only(arns(plan).filter_map(|arn| arn.split(':').nth(4)).filter(|account| *account != "aws"));
    named.or_else(of_arns).and_then(|account| account.parse().ok())
}

/// Returns an attribute of a data source of the root module.
fn told(plan: &Json, kind: &str, attributes: &[&str]) -> Option<String> {
    let roots = ["/prior_state/values/root_module", "/values/root_module"];
    let all = roots.iter().filter_map(|root| plan.pointer(root)).flat_map(|root| list(root, "resources"));
    let mut found = all.filter(|resource| resource["type"] == kind && resource["mode"] == "data");
    found.find_map(|resource| attributes.iter().find_map(|name| resource["values"][*name].as_str())).map(str::to_owned)
}

/// Returns the ARNs of the resources that the plan knows.
fn arns(plan: &Json) -> impl Iterator<Item = &str> {
    let roots = ["/prior_state/values/root_module", "/planned_values/root_module", "/values/root_module"];
    let all = roots.into_iter().flat_map(|root| resources(plan.pointer(root).unwrap_or(&NOTHING)));
    all.filter(|resource| resource["mode"] == "managed").filter_map(|resource| resource["values"]["arn"].as_str())
}

/// Returns the one text that all of these are, but for empty ones.
fn only<'j>(all: impl Iterator<Item = &'j str>) -> Option<String> {
    let distinct: BTreeSet<&str> = all.filter(|text| !text.is_empty()).collect();
    let mut distinct = distinct.into_iter();
    distinct.next().filter(|_| distinct.next().is_none()).map(str::to_owned)
}
