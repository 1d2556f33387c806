//! References from a step to what an earlier step makes: the `Arn` of the key of step 3.
//!
//! A reference is a part of a [`Text`], by type. Texts that come from an account, a file or a user are plain, and are
//! never searched for references, whatever they look like.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value as Json;

/// A member of the state that a step leaves.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reference {
    /// The number of the step.
    pub(crate) step: usize,
    /// The member of what is there after it.
    pub(crate) member: String,
}

impl Reference {
    /// The member of what this step leaves.
    pub(crate) fn to(step: usize, member: &str) -> Self {
        Self { step, member: member.to_owned() }
    }
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub(crate) enum Part {
    /// As it stands.
    Plain(String),
    /// Made by an earlier step.
    Made(Reference),
}

/// A text of which parts may be made by earlier steps. It is written as a plain string, or with its parts as
/// `{"text": ["…", {"step": 3, "member": "Arn"}]}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize, JsonSchema)]
#[serde(from = "Written")]
pub(crate) struct Text(#[schemars(with = "Written")] Vec<Part>);

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum Written {
    Plain(String),
    Parts(Parts),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parts {
    text: Vec<Part>,
}

impl From<Written> for Text {
    fn from(written: Written) -> Self {
        match written {
            Written::Plain(text) => text.into(),
            Written::Parts(Parts { text }) => text.into_iter().fold(Self(Vec::new()), |mut all, part| {
                all.push(part);
                all
            }),
        }
    }
}

impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.plain() {
            Some(text) => text.serialize(serializer),
            None => Parts { text: self.0.clone() }.serialize(serializer),
        }
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        Self(vec![Part::Plain(text)])
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Reference> for Text {
    fn from(reference: Reference) -> Self {
        Self(vec![Part::Made(reference)])
    }
}

impl Text {
    /// The text where no part of it is made by a step.
    pub(crate) fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [] => Some(""),
            [Part::Plain(text)] => Some(text),
            _ => None,
        }
    }

    /// The reference that the text is, where it is nothing else.
    pub(crate) fn reference(&self) -> Option<&Reference> {
        match self.0.as_slice() {
            [Part::Made(reference)] => Some(reference),
            _ => None,
        }
    }

    /// Its parts.
    pub(crate) fn parts(&self) -> &[Part] {
        &self.0
    }

    /// The text for people, with its references in words.
    pub(super) fn in_words(&self) -> String {
        if let Some(Reference { step, member }) = self.reference() {
            let noun = match member.as_str() {
                "KeyId" | "Arn" => "key",
                "VolumeId" => "volume",
                "SnapshotId" => "snapshot",
                member => member,
            };
            return format!("the {noun} made in step {step}");
        }
        let words = self.0.iter().map(|part| match part {
            Part::Plain(text) => text.clone(),
            Part::Made(Reference { step, member }) => format!("<{member} of step {step}>"),
        });
        words.collect()
    }

    /// The text, with this after it.
    pub(super) fn followed_by(mut self, more: &str) -> Self {
        self.push(Part::Plain(more.to_owned()));
        self
    }

    fn push(&mut self, part: Part) {
        match (self.0.last_mut(), part) {
            (Some(Part::Plain(last)), Part::Plain(text)) => last.push_str(&text),
            (_, part) => self.0.push(part),
        }
    }

    /// JSON as a text, with these texts as the strings at these places (JSON pointers).
    pub(crate) fn of_json(value: &Json, at: &BTreeMap<String, Self>) -> Self {
        let mut text = Self(Vec::new());
        text.write(value, "", at);
        text
    }

    fn write(&mut self, value: &Json, place: &str, at: &BTreeMap<String, Self>) {
        if let Some(inside) = at.get(place) {
            return self.write_string(inside);
        }
        let members: Vec<(String, String, &Json)> = match value {
            Json::Array(items) => {
                items.iter().enumerate().map(|(index, item)| (String::new(), index.to_string(), item)).collect()
            }
            Json::Object(members) => members
                .iter()
                .map(|(name, value)| (format!("{}:", Json::from(name.as_str())), escaped(name), value))
                .collect(),
            plain => return self.push(Part::Plain(plain.to_string())),
        };
        let (open, close) = if value.is_array() { ("[", "]") } else { ("{", "}") };
        self.push(Part::Plain(open.to_owned()));
        for (index, (label, name, value)) in members.into_iter().enumerate() {
            self.push(Part::Plain(format!("{}{label}", if index == 0 { "" } else { "," })));
            self.write(value, &format!("{place}/{name}"), at);
        }
        self.push(Part::Plain(close.to_owned()));
    }

    /// A string of JSON. What steps make needs no escapes: see [`resolve`].
    fn write_string(&mut self, inside: &Self) {
        self.push(Part::Plain("\"".to_owned()));
        for part in &inside.0 {
            self.push(match part {
                Part::Plain(text) => {
                    let quoted = Json::from(text.as_str()).to_string();
                    Part::Plain(quoted[1..quoted.len() - 1].to_owned())
                }
                made @ Part::Made(_) => made.clone(),
            });
        }
        self.push(Part::Plain("\"".to_owned()));
    }
}

/// The name of a member as JSON pointers have it.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

/// A value in which texts stand.
pub(crate) trait Texts {
    /// Visits each of them.
    fn each_text(&mut self, visit: &mut dyn FnMut(&mut Text));
}

impl Texts for Text {
    fn each_text(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        visit(self);
    }
}

impl<T: Texts> Texts for Option<T> {
    fn each_text(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        if let Some(value) = self {
            value.each_text(visit);
        }
    }
}

impl<T: Texts> Texts for Vec<T> {
    fn each_text(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        for value in self {
            value.each_text(visit);
        }
    }
}

impl<T: Texts> Texts for BTreeMap<String, T> {
    fn each_text(&mut self, visit: &mut dyn FnMut(&mut Text)) {
        for value in self.values_mut() {
            value.each_text(visit);
        }
    }
}

macro_rules! without_texts {
    ($($plain:ty),*) => {
        $(impl Texts for $plain {
            fn each_text(&mut self, _: &mut dyn FnMut(&mut Text)) {}
        })*
    };
}
without_texts!(String, bool, i32);

/// A reference that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("step {step} did not leave {member}")]
pub(crate) struct Dangling {
    step: usize,
    member: String,
}

/// Whether it can stand inside JSON and a shell's quotes as it is: ids, ARNs, numbers of versions.
fn is_name(text: &str) -> bool {
    let fits = |letter: char| letter.is_ascii_alphanumeric() || "-_./:+=,@$".contains(letter);
    !text.is_empty() && text.chars().all(fits)
}

/// A value with its references replaced by what these steps have left.
///
/// # Errors
/// Where one leads nowhere.
pub(crate) fn resolve<T: Texts + Clone>(value: &T, left: &BTreeMap<usize, Json>) -> Result<T, Dangling> {
    let mut value = value.clone();
    let mut problem = None;
    value.each_text(&mut |text| {
        let mut resolved = Text(Vec::new());
        for part in std::mem::take(&mut text.0) {
            resolved.push(match part {
                Part::Made(reference) => {
                    if let Some(text) = found(&reference, left) {
                        Part::Plain(text)
                    } else {
                        problem.get_or_insert(Dangling { step: reference.step, member: reference.member.clone() });
                        Part::Made(reference)
                    }
                }
                plain @ Part::Plain(_) => plain,
            });
        }
        *text = resolved;
    });
    problem.map_or(Ok(value), Err)
}

fn found(reference: &Reference, left: &BTreeMap<usize, Json>) -> Option<String> {
    let text = match left.get(&reference.step)?.get(&reference.member)? {
        Json::String(text) => text.clone(),
        value @ Json::Number(_) => value.to_string(),
        _ => return None,
    };
    is_name(&text).then_some(text)
}

/// A value with its references pointing to other steps; none where one of them is no other step.
pub(super) fn renumber<T: Texts + Clone>(value: &T, number: impl Fn(usize) -> Option<usize>) -> Option<T> {
    let mut value = value.clone();
    let mut all = true;
    value.each_text(&mut |text| {
        for part in &mut text.0 {
            let Part::Made(reference) = part else { continue };
            match number(reference.step) {
                Some(step) => reference.step = step,
                None => all = false,
            }
        }
    });
    all.then_some(value)
}

/// The references of a value.
pub(crate) fn all<T: Texts + Clone>(value: &T) -> Vec<Reference> {
    let mut references = Vec::new();
    value.clone().each_text(&mut |text| {
        references.extend(text.0.iter().filter_map(|part| match part {
            Part::Made(reference) => Some(reference.clone()),
            Part::Plain(_) => None,
        }));
    });
    references
}

/// Members of a state that earlier steps make.
pub(crate) type Members = BTreeMap<String, Text>;

/// A state with the members that earlier steps make.
///
/// # Errors
/// Where one leads nowhere.
pub(crate) fn state(known: &Json, made: &Members, left: &BTreeMap<usize, Json>) -> Result<Json, Dangling> {
    let resolved = resolve(made, left)?;
    Ok(with(known, resolved.iter().map(|(name, text)| (name, text.plain().into()))))
}

/// The same for people, with references in words.
pub(super) fn state_in_words(known: &Json, made: &Members) -> Json {
    with(known, made.iter().map(|(name, text)| (name, text.in_words().into())))
}

/// A state with these members. Only an object, and what is not there yet, can have members.
pub(crate) fn with<'m>(known: &Json, members: impl Iterator<Item = (&'m String, Json)>) -> Json {
    let mut state = known.clone();
    for (name, value) in members {
        match &mut state {
            Json::Object(state) => drop(state.insert(name.clone(), value)),
            Json::Null => state = serde_json::json!({name: value}),
            _ => {}
        }
    }
    state
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn arn_of_3() -> Text {
        Reference::to(3, "Arn").into()
    }

    #[test]
    fn references_are_resolved_and_text_that_looks_like_one_stays() {
        let left = BTreeMap::from([(3, json!({"Arn": "arn:key", "Version": 2, "Odd": "a\"b"}))]);
        let written = json!({"description": "@{3.Arn} ${aws:username}", "inputs": {"kmsKeyId": ""}});
        let text = Text::of_json(&written, &BTreeMap::from([("/inputs/kmsKeyId".to_owned(), arn_of_3())]));
        let resolved = resolve(&text, &left).expect("it leads somewhere");
        let expected = r#"{"description":"@{3.Arn} ${aws:username}","inputs":{"kmsKeyId":"arn:key"}}"#;
        assert_eq!(resolved.plain(), Some(expected));
        assert_eq!(all(&text), [Reference::to(3, "Arn")]);
        for text in ["@{3.Arn}", "{\"text\":[{\"step\":3,\"member\":\"Arn\"}]}", "<Arn of step 3>"] {
            assert_eq!(resolve(&Text::from(text), &left), Ok(text.into()));
            assert_eq!(all(&Text::from(text)), []);
        }
    }

    #[test]
    fn a_reference_that_leads_nowhere_is_an_error() {
        let left = BTreeMap::from([(4, json!({"Odd": "a\"b", "List": [1], "Empty": ""}))]);
        assert_eq!(resolve(&arn_of_3(), &left).unwrap_err().to_string(), "step 3 did not leave Arn");
        for member in ["Odd", "List", "Empty", "Missing"] {
            let text = Text::from(Reference::to(4, member));
            assert_eq!(resolve(&text, &left).unwrap_err().to_string(), format!("step 4 did not leave {member}"));
        }
    }

    #[test]
    fn references_are_told_in_words() {
        assert_eq!(Text::from(Reference::to(1, "KeyId")).in_words(), "the key made in step 1");
        let policy = Text::of_json(&json!(["", "@{9.x}"]), &BTreeMap::from([("/0".to_owned(), arn_of_3())]));
        assert_eq!(policy.in_words(), "[\"<Arn of step 3>\",\"@{9.x}\"]");
    }

    #[test]
    fn texts_are_read_as_they_were_written() {
        let parts = Text::of_json(&json!({"a/b": "", "q": "\""}), &BTreeMap::from([("/a~1b".to_owned(), arn_of_3())]));
        for text in ["".into(), "@{3.Arn}".into(), arn_of_3(), parts] {
            let written = serde_json::to_value(&text).expect("it is written");
            assert_eq!(serde_json::from_value::<Text>(written.clone()).expect("it is read"), text, "{written}");
        }
        assert!(serde_json::from_value::<Text>(json!({"text": [], "more": 1})).is_err());
        assert!(serde_json::from_value::<Text>(json!({"step": 3, "member": "Arn"})).is_err());
    }
}
