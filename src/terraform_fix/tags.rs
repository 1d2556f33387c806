//! Tags that are required: those that are missing are added to what the code says, with the values of the configuration.

use hcl_edit::expr::Expression;

use super::edit_session::{Edited, New, Refusal, Workspace};
use super::hcl_file::{Found, Spot};
use super::task::Task;
use crate::model::Fact;

/// Adds the tags that the rule requires and the resource has not.
pub(crate) fn add(task: &Task<'_>, work: &mut Workspace<'_>) -> Edited {
    let key = &task.key;
    let of_instance = work.inventory.instances.get(key).map(|entry| &entry.attributes.tags);
    let of_bucket = work.inventory.buckets.get(key).map(|entry| &entry.attributes.tags);
    let there = match of_instance.or(of_bucket) {
        Some(Fact::Known(tags)) => tags.clone(),
        Some(Fact::Unknown(gap)) => return Err(Refusal::new(format!("which tags there are is not known: {gap}"))),
        None => return Err(Refusal::new("which tags there are is not known")),
    };
    let wanted = task.params.get("keys").and_then(|keys| keys.as_array()).into_iter().flatten();
    let missing: Vec<&str> = wanted.filter_map(|key| key.as_str()).filter(|key| !there.contains_key(*key)).collect();
    let mut tags = Vec::new();
    for name in missing {
        let Some(value) = work.settings.tags.get(name).cloned() else {
            return Err(Refusal::new(format!(
                "the value of the tag {name} is for you to say: `fix.tags` in ssm-audit.yaml"
            )));
        };
        tags.push((name.to_owned(), work.template(&task.spot, &value)?));
    }
    match task.written("tags", work) {
        None if task.spot.labels().0 == "aws_launch_template" => {
            let tags = format!("resource_type = \"instance\"\n\ntags = {}", object(&tags));
            let added = work.edit(&task.spot.file)?.add_block(&task.spot, "tag_specifications", &tags);
            added.ok_or_else(|| work.refuse(&task.spot, "tags", "the block is not written in a way that is understood"))
        }
        None => work.set(&task.spot, "tags", &New::Expression(object(&tags), None)),
        Some(Some(Found::Attribute(spot, name))) => add_to(&spot, &name, &tags, work),
        Some(Some(Found::Block(spot))) => work.set(&spot, "tags", &New::Expression(object(&tags), None)),
        Some(None) => Err(Refusal::new("the tags are not written in Terraform's own syntax")),
    }
}

fn add_to(spot: &Spot, name: &str, tags: &[(String, String)], work: &mut Workspace<'_>) -> Edited {
    for (key, value) in tags {
        let misunderstood = || Refusal::new("the tags are not written in a way that is understood");
        // Read again each time: its place has moved.
        let current = work.value(spot, name).ok_or_else(misunderstood)?;
        if let Some(object) = members(&current) {
            // The same edit, for another instance of the block, has added it.
            if super::hcl_file::member(object, key).is_some() {
                continue;
            }
            work.edit(&spot.file)?.add_member(object, key, value).ok_or_else(misunderstood)?;
            continue;
        }
        let member = format!("{{ {} = {value} }}", as_key(key));
        if let Expression::FuncCall(call) = &current
            && call.name.name.as_str() == "merge"
            && !call.args.is_empty()
            && !call.args.expand_final()
        {
            work.edit(&spot.file)?.add_argument(call, &member).ok_or_else(misunderstood)?;
            continue;
        }
        let span = hcl_edit::Span::span(&current).ok_or_else(misunderstood)?;
        work.edit(&spot.file)?.wrap(&span, "merge(", &format!(", {member})"));
    }
    Ok(())
}

/// The object that tags are written as: itself, or the last one that is merged.
fn members(value: &Expression) -> Option<&hcl_edit::expr::Object> {
    match value {
        Expression::Object(object) => Some(object),
        Expression::FuncCall(call) if call.name.name.as_str() == "merge" && !call.args.expand_final() => {
            match call.args.iter().last() {
                Some(Expression::Object(object)) => Some(object),
                _ => None,
            }
        }
        _ => None,
    }
}

fn as_key(name: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || matches!(character, '_' | '-');
    let is_name =
        name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_') && name.chars().all(plain);
    if is_name { name.to_owned() } else { super::values::quoted(name) }
}

/// Tags as an object, a line each.
pub(crate) fn object(tags: &[(String, String)]) -> String {
    let lines: Vec<String> = tags.iter().map(|(name, value)| format!("  {} = {value}", as_key(name))).collect();
    if lines.is_empty() { "{}".to_owned() } else { format!("{{\n{}\n}}", lines.join("\n")) }
}

/// The tags of the configuration, as lines for what is made; none where there are none.
pub(crate) fn configured(beside: &Spot, work: &mut Workspace<'_>) -> Result<String, Refusal> {
    let mut tags = Vec::new();
    for (name, value) in work.settings.tags.clone() {
        tags.push((name, work.template(beside, &value)?));
    }
    Ok(if tags.is_empty() { String::new() } else { format!("\n\ntags = {}", object(&tags)) })
}
