//! Tags that are required: those that are missing are added to what the code says, with the values of the configuration.

use hcl_edit::expr::Expression;

use super::edit_session::{EditSession, Edited, New, Refusal};
use super::hcl_file::{BlockRef, Found};
use super::task::Task;
use crate::model::Fact;

/// Adds the tags that the rule requires and the resource has not.
pub(crate) fn add(task: &Task<'_>, session: &mut EditSession<'_>) -> Edited {
    let key = &task.key;
    let of_instance = session.inventory.instances.get(key).map(|entry| &entry.attributes.tags);
    let of_bucket = session.inventory.buckets.get(key).map(|entry| &entry.attributes.tags);
    let there = match of_instance.or(of_bucket) {
        Some(Fact::Known(tags)) => tags.clone(),
        Some(Fact::Unknown(gap)) => return Err(Refusal::new(format!("which tags there are is not known: {gap}"))),
        None => return Err(Refusal::new("which tags there are is not known")),
    };
    let wanted = task.params.get("keys").and_then(|keys| keys.as_array()).into_iter().flatten();
    let missing: Vec<&str> = wanted.filter_map(|key| key.as_str()).filter(|key| !there.contains_key(*key)).collect();
    let mut tags = Vec::new();
    for name in missing {
        let Some(value) = session.settings.tags.get(name).cloned() else {
            return Err(Refusal::new(format!(
                "the value of the tag {name} is for you to say: `fix.tags` in ssm-audit.yaml"
            )));
        };
        tags.push((name.to_owned(), session.template(&task.block_ref, &value)?));
    }
    match task.written("tags", session) {
        None if task.block_ref.labels().0 == "aws_launch_template" => {
            let tags = format!("resource_type = \"instance\"\n\ntags = {}", object(&tags));
            let added = session.edit(&task.block_ref.file)?.add_block(&task.block_ref, "tag_specifications", &tags);
            added.ok_or_else(|| {
                session.refuse(&task.block_ref, "tags", "the block is not written in a way that is understood")
            })
        }
        None => session.set(&task.block_ref, "tags", &New::Expression(object(&tags), None)),
        Some(Some(Found::Attribute(block_ref, name))) => add_to(&block_ref, &name, &tags, session),
        Some(Some(Found::Block(block_ref))) => session.set(&block_ref, "tags", &New::Expression(object(&tags), None)),
        Some(None) => Err(Refusal::new("the tags are not written in Terraform's own syntax")),
    }
}

fn add_to(block_ref: &BlockRef, name: &str, tags: &[(String, String)], session: &mut EditSession<'_>) -> Edited {
    for (key, value) in tags {
        let misunderstood = || Refusal::new("the tags are not written in a way that is understood");
        // Read again each time: its place has moved.
        let current = session.value(block_ref, name).ok_or_else(misunderstood)?;
        if let Some(object) = members(&current) {
            // The same edit, for another instance of the block, has added it.
            if super::hcl_file::member(object, key).is_some() {
                continue;
            }
            session.edit(&block_ref.file)?.add_member(object, key, value).ok_or_else(misunderstood)?;
            continue;
        }
        let member = format!("{{ {} = {value} }}", as_key(key));
        if let Expression::FuncCall(call) = &current
            && call.name.name.as_str() == "merge"
            && !call.args.is_empty()
            && !call.args.expand_final()
        {
            session.edit(&block_ref.file)?.add_argument(call, &member).ok_or_else(misunderstood)?;
            continue;
        }
        let span = hcl_edit::Span::span(&current).ok_or_else(misunderstood)?;
        session.edit(&block_ref.file)?.wrap(&span, "merge(", &format!(", {member})"));
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
pub(crate) fn configured(beside: &BlockRef, session: &mut EditSession<'_>) -> Result<String, Refusal> {
    let mut tags = Vec::new();
    for (name, value) in session.settings.tags.clone() {
        tags.push((name, session.template(beside, &value)?));
    }
    Ok(if tags.is_empty() { String::new() } else { format!("\n\ntags = {}", object(&tags)) })
}
