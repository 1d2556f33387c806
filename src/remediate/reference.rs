//! References from a step to what an earlier one makes: `@{3.KeyArn}` is the member `KeyArn` of what is there after
//! step 3. They stand inside texts, also inside texts that hold JSON, and are replaced before the step is sent.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

/// The text that stands for a member of what a step makes.
pub(crate) fn to(step: usize, member: &str) -> String {
    format!("@{{{step}.{member}}}")
}

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {step} did not leave {member}")]
pub(crate) struct Dangling {
    step: usize,
    member: String,
}

/// A value with its references replaced by what these steps have left.
///
/// # Errors
/// Where one leads nowhere.
pub(crate) fn resolve<T: Serialize + DeserializeOwned>(value: &T, left: &BTreeMap<usize, Json>) -> Result<T, Dangling> {
    let nothing = || Dangling { step: 0, member: "what it holds".to_owned() };
    let mut json = serde_json::to_value(value).map_err(|_error| nothing())?;
    let mut problem = None;
    each_text(&mut json, &mut |text| {
        let replaced = replace(text, |step, member| {
            let found = left.get(&step).and_then(|state| state.pointer(&format!("/{}", member.replace('.', "/"))));
            match found {
                Some(Json::String(text)) => Some(text.clone()),
                Some(value @ (Json::Number(_) | Json::Bool(_))) => Some(value.to_string()),
                _ => {
                    problem.get_or_insert(Dangling { step, member: member.to_owned() });
                    None
                }
            }
        });
        if let Some(replaced) = replaced {
            *text = replaced;
        }
    });
    match problem {
        Some(problem) => Err(problem),
        None => serde_json::from_value(json).map_err(|_error| nothing()),
    }
}

/// A value with its references pointing to other numbers.
pub(crate) fn renumber<T: Serialize + DeserializeOwned>(value: &T, number: impl Fn(usize) -> usize) -> Option<T> {
    let mut json = serde_json::to_value(value).ok()?;
    each_text(&mut json, &mut |text| {
        if let Some(replaced) = replace(text, |step, member| Some(to(number(step), member))) {
            *text = replaced;
        }
    });
    serde_json::from_value(json).ok()
}

/// The steps that a value refers to.
pub(crate) fn steps<T: Serialize>(value: &T) -> Vec<usize> {
    all(value).into_iter().map(|(step, _)| step).collect()
}

/// The references of a value: steps, and members of what they make.
pub(crate) fn all<T: Serialize>(value: &T) -> Vec<(usize, String)> {
    let mut references = Vec::new();
    if let Ok(mut json) = serde_json::to_value(value) {
        each_text(&mut json, &mut |text| {
            replace(text, |step, member| {
                references.push((step, member.to_owned()));
                None
            });
        });
    }
    references
}

/// The text with its references in words, for people.
pub(crate) fn in_words(text: &str) -> String {
    if let Some((step, member)) = whole(text) {
        let noun = match member {
            "KeyId" | "Arn" => "key",
            "VolumeId" => "volume",
            "SnapshotId" => "snapshot",
            member => member,
        };
        return format!("the {noun} made in step {step}");
    }
    replace(text, |step, member| Some(format!("<{member} of step {step}>"))).unwrap_or_else(|| text.to_owned())
}

/// The reference that the text is, where it is nothing else.
fn whole(text: &str) -> Option<(usize, &str)> {
    let (step, member) = text.strip_prefix("@{")?.strip_suffix('}')?.split_once('.')?;
    step.parse().ok().filter(|_| !member.contains('}')).map(|step| (step, member))
}

/// The text with each reference replaced; none where there is nothing to replace.
pub(crate) fn replace(text: &str, mut with: impl FnMut(usize, &str) -> Option<String>) -> Option<String> {
    let mut replaced = String::new();
    let mut rest = text;
    let mut any = false;
    while let Some(start) = rest.find("@{") {
        let (before, from) = rest.split_at(start);
        replaced.push_str(before);
        let parsed = from[2..].split_once('}').and_then(|(inside, after)| {
            let (step, member) = inside.split_once('.')?;
            Some((step.parse().ok()?, member, after))
        });
        if let Some((step, member, after)) = parsed {
            if let Some(value) = with(step, member) {
                replaced.push_str(&value);
                any = true;
            } else {
                replaced.push_str(&from[..from.len() - after.len()]);
            }
            rest = after;
        } else {
            replaced.push_str("@{");
            rest = &from[2..];
        }
    }
    replaced.push_str(rest);
    any.then_some(replaced)
}

fn each_text(value: &mut Json, change: &mut impl FnMut(&mut String)) {
    match value {
        Json::String(text) => change(text),
        Json::Array(items) => items.iter_mut().for_each(|item| each_text(item, change)),
        Json::Object(members) => members.values_mut().for_each(|value| each_text(value, change)),
        Json::Null | Json::Bool(_) | Json::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn references_are_replaced_inside_texts_and_nothing_else_is() {
        let left = BTreeMap::from([(3, json!({"Arn": "arn:key", "Version": 2}))]);
        let value =
            json!({"policy": "{\"Resource\": \"@{3.Arn}\"}", "user": "@{x} ${aws:username} @{3.Version}", "n": 1});
        let resolved = json!({"policy": "{\"Resource\": \"arn:key\"}", "user": "@{x} ${aws:username} 2", "n": 1});
        assert_eq!(resolve(&value, &left), Ok(resolved));
        assert_eq!(steps(&value), vec![3, 3]);
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_an_error() {
        assert_eq!(resolve(&json!("@{3.Arn}"), &BTreeMap::new()).unwrap_err().to_string(), "step 3 did not leave Arn");
    }

    #[test]
    fn references_are_told_in_words() {
        assert_eq!(in_words("@{1.KeyId}"), "the key made in step 1");
        assert_eq!(in_words("arn:@{1.KeyId}/@{2.Version}"), "arn:<KeyId of step 1>/<Version of step 2>");
    }

    #[test]
    fn references_follow_their_steps_to_other_numbers() {
        assert_eq!(renumber(&json!(["@{0.Arn}/x"]), |step| step + 7), Some(json!(["@{7.Arn}/x"])));
    }
}
