//! Examples: resources that a rule must pass, fail, or not apply to. Each is written as the difference from a complete
//! and compliant resource of its type. Examples are tests and documentation at once.

use std::collections::BTreeMap;
use std::ops::Range;

use serde::Deserialize;
use serde_json::{Map, Value as Json, json};

use super::eval::{Case, Outcome, location};
use super::params::{BoundParams, ParamValue};
use super::path::{Followed, Path, Place, Step};
use super::{Library, Rule};
use crate::diagnostic::{Diagnostic, SourceFile};
use crate::model::fact::UNKNOWN;
use crate::model::schema::{Kind, Structure};
use crate::model::{Fact, Gap, GapKind, Inventory, Key, Partition, Region, ResourceType, Source};
use crate::yaml::{self, Spanned, nearest};

/// Account and instant of all examples, and their region, unless `$partition` moves one to another partition.
const ACCOUNT: &str = "123456789012";
const REGION: &str = "us-east-1";
const NOW: &str = "2026-01-01T12:00:00Z";

/// An example of a rule.
#[derive(Debug, Clone)]
pub struct Example {
    /// Expected outcome.
    pub expected: Outcome,
    /// Attributes that differ from the base.
    pub attributes: Json,
    /// Position of the example in the rule's file.
    pub(crate) span: Range<usize>,
}

/// Complete and compliant resource of each type, and of each part that occurs in lists.
#[derive(Debug, Default)]
pub struct Bases(BTreeMap<String, Json>);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BaseFile {
    of: Spanned<String>,
    attributes: Map<String, Json>,
}

impl Bases {
    /// Reads the file of a base.
    ///
    /// # Errors
    /// All errors in the file.
    pub(crate) fn add(&mut self, file: &SourceFile) -> Result<(), Vec<Diagnostic>> {
        let base: BaseFile = yaml::parse(file)?;
        if self.0.insert(base.of.value.clone(), Json::Object(base.attributes)).is_some() {
            return Err(vec![
                Diagnostic::error(format!("{} has a base already", base.of.value)).at(file, base.of.span),
            ]);
        }
        Ok(())
    }

    /// Returns the base of a type or of a part.
    #[cfg(test)]
    pub(crate) fn of(&self, label: &str) -> Option<&Json> {
        self.0.get(label)
    }

    /// Returns the whole resource: the base merged with the differences, and linked resources written out in place.
    fn expand(
        &self,
        structure: &'static Structure,
        resource_type: Option<ResourceType>,
        differs: &Json,
        depth: usize,
    ) -> Result<Json, String> {
        let label = resource_type.map_or(structure.name, ResourceType::as_str);
        if is_unknown(differs) || !differs.is_object() {
            return Ok(differs.clone());
        }
        if depth > 8 {
            return Err(format!("the example of {label} goes round in a circle"));
        }
        for name in differs.as_object().into_iter().flat_map(Map::keys) {
            if !name.starts_with('$') && structure.attribute(name).is_none() {
                let names = structure.attributes.iter().map(|attribute| attribute.name);
                let hint = nearest(name, names).map_or_else(String::new, |near| format!("; there is `{near}`"));
                return Err(format!("{label} has no attribute `{name}`{hint}"));
            }
        }
        let mut whole = self.0.get(label).cloned().unwrap_or_else(|| json!({}));
        merge(&mut whole, differs);
        let Json::Object(members) = &mut whole else { return Ok(whole) };
        for attribute in structure.attributes {
            let inside = match members.get_mut(attribute.name) {
                Some(value) => value,
                None if attribute.optional => {
                    members.insert(attribute.name.to_owned(), Json::Null);
                    continue;
                }
                None => continue,
            };
            let each = |value: &Json, structure, resource_type| self.expand(structure, resource_type, value, depth + 1);
            match (attribute.kind, &*inside) {
                (Kind::Part(part), _) => *inside = each(inside, part(), None)?,
                (Kind::Link(linked), _) => *inside = each(inside, linked.structure(), Some(linked))?,
                (Kind::Parts(part), Json::Array(items)) => {
                    *inside = items.iter().map(|item| each(item, part(), None)).collect::<Result<_, _>>()?;
                }
                (Kind::Links(linked), Json::Array(items)) => {
                    *inside = items
                        .iter()
                        .map(|item| each(item, linked.structure(), Some(linked)))
                        .collect::<Result<_, _>>()?;
                }
                _ => {}
            }
        }
        Ok(whole)
    }
}

/// Merges the differences into a base: objects member by member, everything else as a whole.
fn merge(base: &mut Json, differs: &Json) {
    match (base, differs) {
        (Json::Object(base), Json::Object(differs))
            if !differs.contains_key(UNKNOWN) && !base.contains_key(UNKNOWN) =>
        {
            for (name, value) in differs {
                // Maps such as tags are replaced: an example states the whole map.
                match base.get_mut(name) {
                    Some(below) if below.is_object() && value.is_object() && name != "tags" => merge(below, value),
                    _ => {
                        base.insert(name.clone(), value.clone());
                    }
                }
            }
        }
        (base, differs) => *base = differs.clone(),
    }
}

fn is_unknown(value: &Json) -> bool {
    value.get(UNKNOWN).is_some()
}

/// Inventory made from a written-out resource.
struct Built {
    inventory: Inventory,
    region: &'static str,
    made: usize,
}

impl Built {
    fn new(source: Source, partition: Partition) -> Self {
        let inventory = Inventory::new(source, ACCOUNT.parse().ok(), partition, NOW.to_owned());
        Self { inventory, region: region_of(partition), made: 0 }
    }

    /// Adds the resource and all resources that it links to to the inventory.
    fn insert(&mut self, resource_type: ResourceType, mut whole: Json) -> Result<Key, String> {
        self.made += 1;
        let id =
            whole.get("$id").and_then(Json::as_str).map_or_else(|| format!("example-{}", self.made), str::to_owned);
        let region: Option<Region> = if resource_type.is_regional() { self.region.parse().ok() } else { None };
        let key = Key { region, id: id.into() };
        let exists: Fact<bool> = match whole.get("$exists") {
            Some(exists) => serde_json::from_value(exists.clone()).map_err(|error| format!("$exists: {error}"))?,
            None => Fact::Known(true),
        };
        self.link(resource_type.structure(), &mut whole)?;
        resource_type
            .insert(&mut self.inventory, key.clone(), exists, whole)
            .map_err(|error| format!("{}: {}", error.path(), error.inner()))?;
        Ok(key)
    }

    /// Replaces linked resources by their keys.
    fn link(&mut self, structure: &'static Structure, whole: &mut Json) -> Result<(), String> {
        let Json::Object(members) = whole else { return Ok(()) };
        members.retain(|name, _| !name.starts_with('$') || name == UNKNOWN);
        for attribute in structure.attributes {
            let Some(value) = members.get_mut(attribute.name) else { continue };
            match (attribute.kind, value) {
                (Kind::Part(part), value) if !is_unknown(value) => self.link(part(), value)?,
                (Kind::Parts(part), Json::Array(items)) => {
                    items.iter_mut().try_for_each(|item| self.link(part(), item))?;
                }
                (Kind::Link(linked), value) if value.is_object() && !is_unknown(value) => {
                    *value = self.insert(linked, value.take())?.to_string().into();
                }
                (Kind::Links(linked), Json::Array(items)) => {
                    for item in items.iter_mut().filter(|item| item.is_object()) {
                        *item = self.insert(linked, item.take())?.to_string().into();
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

impl Example {
    pub(crate) fn new(expected: Outcome, written: &Spanned<Json>) -> Self {
        Self { expected, attributes: written.value.clone(), span: written.span.clone() }
    }

    /// Evaluates the rule on the example.
    ///
    /// # Errors
    /// If the example is not a resource of the rule's type.
    pub fn judge(&self, rule: &Rule, bases: &Bases) -> Result<Outcome, String> {
        let whole = bases.expand(rule.resource_type.structure(), Some(rule.resource_type), &self.attributes, 0)?;
        judge(rule, whole, &self.params(rule)?)
    }

    /// Evaluates the rule on the example, and passes the case to `look`.
    ///
    /// # Errors
    /// If the example is not a resource of the rule's type.
    #[cfg(test)]
    pub(crate) fn case<T>(&self, rule: &Rule, bases: &Bases, look: impl FnOnce(&Case<'_>) -> T) -> Result<T, String> {
        self.changed_case(rule, bases, |_| (), look)
    }

    /// Like [`Self::case`], after `change` has edited the whole resource as it is written out.
    ///
    /// # Errors
    /// If the example is not a resource of the rule's type.
    #[cfg(test)]
    pub(crate) fn changed_case<T>(
        &self,
        rule: &Rule,
        bases: &Bases,
        change: impl FnOnce(&mut Json),
        look: impl FnOnce(&Case<'_>) -> T,
    ) -> Result<T, String> {
        let mut whole = bases.expand(rule.resource_type.structure(), Some(rule.resource_type), &self.attributes, 0)?;
        change(&mut whole);
        with_case(rule, whole, &self.params(rule)?, look)
    }

    /// Makes each attribute that the rule reads unknown in turn. The verdict must become unknown or stay the same: an
    /// unknown fact must never decide.
    ///
    /// # Errors
    /// The paths on which the verdict changed to anything else.
    pub fn judge_unknown(&self, rule: &Rule, bases: &Bases) -> Result<(), String> {
        let whole = bases.expand(rule.resource_type.structure(), Some(rule.resource_type), &self.attributes, 0)?;
        let params = self.params(rule)?;
        let known = judge(rule, whole.clone(), &params)?;
        for path in &rule.expressions.reads {
            for steps in path.prefixes() {
                let mut blind = whole.clone();
                make_unknown(&mut blind, steps);
                let outcome = judge(rule, blind, &params)?;
                if outcome != Outcome::Unknown && outcome != known {
                    let shown = Path::from_steps(steps);
                    return Err(format!("with `{shown}` unknown it is {outcome}, and {known} with it known"));
                }
            }
        }
        Ok(())
    }

    fn params(&self, rule: &Rule) -> Result<BTreeMap<String, ParamValue>, String> {
        let mut values: BTreeMap<String, ParamValue> =
            rule.params.iter().map(|(name, param)| (name.clone(), param.default.clone())).collect();
        for (name, configured) in self.attributes.get("$params").and_then(Json::as_object).into_iter().flatten() {
            let param = rule.params.get(name).ok_or_else(|| format!("the rule has no parameter `{name}`"))?;
            values.insert(name.clone(), param.value(configured)?);
        }
        Ok(values)
    }
}

fn judge(rule: &Rule, whole: Json, params: &BTreeMap<String, ParamValue>) -> Result<Outcome, String> {
    with_case(rule, whole, params, |case| case.judge().0)
}

fn with_case<T>(
    rule: &Rule,
    whole: Json,
    params: &BTreeMap<String, ParamValue>,
    look: impl FnOnce(&Case<'_>) -> T,
) -> Result<T, String> {
    let source = rule.sources.first().copied().unwrap_or(Source::Aws);
    let partition = match whole.get("$partition") {
        Some(partition) => serde_json::from_value(partition.clone()).map_err(|error| format!("$partition: {error}"))?,
        None => Partition::Aws,
    };
    let mut built = Built::new(source, partition);
    let whole = moved(whole, partition)?;
    let key = built.insert(rule.resource_type, whole)?;
    // The resource itself is stored under its key, so a link to itself is possible.
    let nowhere = Place {
        inventory: &built.inventory,
        node: &crate::resource::session_preferences::schema::SessionInputs::default(),
        identity: None,
    };
    let Followed::Resource(place) = nowhere.follow(rule.resource_type, &key) else {
        return Err("the example itself does not exist".to_owned());
    };
    let params = BoundParams::at(params, location(place, &key));
    Ok(look(&Case::new(rule, place, &key, &params)))
}

fn region_of(partition: Partition) -> &'static str {
    match partition {
        Partition::Aws => REGION,
        Partition::China => "cn-north-1",
        Partition::UsGov => "us-gov-west-1",
    }
}

/// Returns the example in another partition, with the ARNs, the region and the service principals changed to match.
fn moved(whole: Json, partition: Partition) -> Result<Json, String> {
    if partition == Partition::Aws {
        return Ok(whole);
    }
    let region = region_of(partition);
    let text = whole
        .to_string()
        .replace("arn:aws:", &format!("arn:{partition}:"))
        .replace(&format!("{REGION}.amazonaws.com\""), &format!("{region}.{}\"", partition.dns_suffix()))
        .replace(REGION, region);
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// Makes the value at the path unknown, in every element if the path goes through a list.
fn make_unknown(whole: &mut Json, steps: &[Step]) {
    let unknown = || json!({ UNKNOWN: Gap::because(GapKind::Failed, "made unknown") });
    match steps {
        [] | [Step::Each] => *whole = unknown(),
        [Step::Each, rest @ ..] => whole.as_array_mut().into_iter().flatten().for_each(|item| make_unknown(item, rest)),
        [Step::Attribute(name), rest @ ..] => {
            if let Json::Object(members) = whole
                && let Some(value) = members.get_mut(*name)
                && (rest.is_empty() || !value.is_null())
            {
                make_unknown(value, rest);
            }
        }
    }
}

/// Returns an error for each example of a library's rules that does not have the expected outcome.
pub fn failures(library: &Library) -> Vec<Diagnostic> {
    let mut diagnostics = Vec::new();
    for rule in library.rules() {
        for example in &rule.examples {
            let at = |message: String| Diagnostic::error(message).at(&rule.file, example.span.clone());
            match example.judge(rule, library.bases()) {
                Ok(outcome) if outcome == example.expected => {}
                Ok(outcome) => diagnostics.push(at(format!("expected {}, got {outcome}", example.expected))),
                Err(message) => {
                    diagnostics.push(at(message));
                    continue;
                }
            }
            if let Err(message) = example.judge_unknown(rule, library.bases()) {
                diagnostics.push(at(message));
            }
        }
    }
    diagnostics
}
