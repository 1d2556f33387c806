//! The members of recorded answers, and the same answers without one of them, or with another value of it.

use std::collections::BTreeSet;

use hyper::body::Bytes;
use quick_xml::events::{BytesText, Event};
use quick_xml::{Reader, Writer};
use serde_json::Value;

use super::{Answer, Recording};

/// A member of the answers of one operation, at whatever places in lists.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Member {
    /// `service:Operation`
    pub(crate) action: String,
    /// The names of what holds it, and its own.
    pub(crate) path: Vec<String>,
    /// Whether it holds a value, and not other members.
    pub(crate) is_leaf: bool,
}

/// What is done to a member.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// It is left out.
    Missing,
    /// It is an empty text.
    Empty,
    /// It has a value that AWS has added since.
    New,
}

/// What stands for a value that nobody has heard of.
const NEW: &str = "ADDED_SINCE";

impl Recording {
    /// The members of all answers with a body that is read here: XML and JSON.
    pub(crate) fn members(&self) -> BTreeSet<Member> {
        let mut members = BTreeSet::new();
        for (key, answers) in &self.answers {
            let action = key.split(' ').next().unwrap_or_default();
            for answer in answers.iter().filter(|answer| answer.status.is_success()) {
                let mut add = |path: &[String], is_leaf| {
                    members.insert(Member { action: action.to_owned(), path: path.to_vec(), is_leaf });
                };
                match serde_json::from_slice::<Value>(&answer.body) {
                    Ok(json) => json_members(&json, &mut Vec::new(), &mut add),
                    Err(_) => xml_members(&answer.body, &mut add),
                }
            }
        }
        members
    }

    /// The same answers with this done to the member, wherever it is.
    pub(crate) fn with(&self, member: &Member, change: Change) -> Self {
        let mut changed = self.clone();
        for (key, answers) in &mut changed.answers {
            if key.split(' ').next() != Some(&member.action) {
                continue;
            }
            for answer in answers {
                answer.change(member, change);
            }
        }
        changed
    }
}

impl Answer {
    /// Does this to the member, wherever it is in an answer that is no error.
    pub(super) fn change(&mut self, member: &Member, change: Change) {
        if !self.status.is_success() {
            return;
        }
        self.body = match serde_json::from_slice::<Value>(&self.body) {
            Ok(mut json) => {
                change_json(&mut json, &member.path, change);
                json.to_string().into()
            }
            Err(_) => change_xml(&self.body, &member.path, change),
        };
    }
}

fn json_members(value: &Value, path: &mut Vec<String>, add: &mut impl FnMut(&[String], bool)) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                path.push(name.clone());
                add(path, !member.is_object() && !member.is_array());
                json_members(member, path, add);
                path.pop();
            }
        }
        Value::Array(items) => items.iter().for_each(|item| json_members(item, path, add)),
        _ => {}
    }
}

fn change_json(value: &mut Value, path: &[String], change: Change) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| change_json(item, path, change)),
        Value::Object(members) => match path {
            [] => {}
            [name] => match (change, members.get_mut(name)) {
                (Change::Missing, _) => {
                    members.remove(name);
                }
                (Change::Empty, Some(Value::String(text))) => text.clear(),
                (Change::New, Some(Value::String(text))) => NEW.clone_into(text),
                _ => {}
            },
            [name, rest @ ..] => {
                if let Some(member) = members.get_mut(name) {
                    change_json(member, rest, change);
                }
            }
        },
        _ => {}
    }
}

/// The elements of an answer, each with the names above it; what is no XML has none.
fn xml_members(body: &[u8], add: &mut impl FnMut(&[String], bool)) {
    let mut reader = Reader::from_reader(body);
    let mut path: Vec<String> = Vec::new();
    // Whether the element that was opened last holds elements.
    let mut is_leaf = true;
    loop {
        match reader.read_event() {
            Ok(Event::Start(tag)) => {
                path.push(AsRef::<str>::as_ref(&tag.name()).to_owned());
                is_leaf = true;
            }
            Ok(Event::Empty(tag)) => {
                path.push(AsRef::<str>::as_ref(&tag.name()).to_owned());
                add(&path, true);
                path.pop();
                is_leaf = false;
            }
            Ok(Event::End(_)) => {
                add(&path, is_leaf);
                path.pop();
                is_leaf = false;
            }
            Ok(Event::Eof) | Err(_) => return,
            Ok(_) => {}
        }
    }
}

fn change_xml(body: &[u8], wanted: &[String], change: Change) -> Bytes {
    let mut reader = Reader::from_reader(body);
    let mut writer = Writer::new(Vec::new());
    let mut path: Vec<String> = Vec::new();
    // How many elements are open within the one that is changed.
    let mut inside = 0;
    loop {
        let event = reader.read_event().expect("the answer was read before");
        if let Event::Start(tag) | Event::Empty(tag) = &event {
            path.push(AsRef::<str>::as_ref(&tag.name()).to_owned());
        }
        let ends = matches!(event, Event::End(_) | Event::Empty(_));
        let is_wanted = path == wanted;
        if event == Event::Eof {
            return writer.into_inner().into();
        }
        if is_wanted || inside > 0 {
            let tag = is_wanted && matches!(event, Event::Start(_) | Event::End(_) | Event::Empty(_));
            if tag && change != Change::Missing {
                writer.write_event(event.borrow()).expect("to memory");
            }
            if is_wanted && matches!(event, Event::Start(_)) {
                inside = 1;
                if change == Change::New {
                    writer.write_event(Event::Text(BytesText::new(NEW))).expect("to memory");
                }
            }
            if is_wanted && ends {
                inside = 0;
            }
        } else {
            writer.write_event(event.borrow()).expect("to memory");
        }
        if ends {
            path.pop();
        }
    }
}
