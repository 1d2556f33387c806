//! The content of the session preferences' document, checked member by member: of a live account, and of code.
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-schema.html>

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use super::schema::SessionInputs;
use crate::model::{Fact, Gap};
use crate::yaml::nearest;

/// The members of a session document.
pub(super) const MEMBERS: &[&str] =
    &["schemaVersion", "description", "sessionType", "inputs", "parameters", "properties"];

/// The inputs of a session document.
pub(crate) const INPUTS: &[&str] = &[
    "s3BucketName",
    "s3KeyPrefix",
    "s3EncryptionEnabled",
    "cloudWatchLogGroupName",
    "cloudWatchEncryptionEnabled",
    "cloudWatchStreamingEnabled",
    "kmsKeyId",
    "runAsEnabled",
    "runAsDefaultUser",
    "idleSessionTimeout",
    "maxSessionDuration",
    "shellProfile",
];

/// The members of the input `shellProfile`.
pub(super) const SHELL_PROFILE: &[&str] = &["linux", "windows"];

/// Something that is wrong with the document's form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem(String);

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// The gap that a problem leaves.
type Blame = Box<dyn Fn(&Problem) -> Arc<Gap>>;

/// The document's content, and the problems that were met in reading it.
pub(crate) struct Content {
    /// What is said of a fact that a problem leaves unknown.
    blame: Blame,
    /// The members; where the content is no object, why.
    members: Result<Map<String, Value>, Problem>,
    problems: Vec<Problem>,
}

impl Content {
    /// The content of a document that does not exist: everything is absent.
    pub(crate) fn none() -> Self {
        Self { blame: Box::new(|_| Gap::not_collected()), members: Ok(Map::new()), problems: Vec::new() }
    }

    /// The content that this text is.
    pub(crate) fn parse(text: &str, blame: impl Fn(&Problem) -> Arc<Gap> + 'static) -> Self {
        let members = match serde_json::from_str(text) {
            Ok(Value::Object(members)) => Ok(members),
            Ok(other) => Err(Problem(format!("the content: expected a JSON object, got {}", described(&other)))),
            Err(_) => Err(Problem("the content: expected a JSON object, got text that is not JSON".to_owned())),
        };
        let problems = match &members {
            Ok(members) => unknown_names(members, "", MEMBERS),
            Err(problem) => vec![problem.clone()],
        };
        Self { blame: Box::new(blame), members, problems }
    }

    /// A text of the document itself.
    pub(crate) fn text(&mut self, name: &str) -> Fact<Option<String>> {
        let value = match &self.members {
            Ok(members) => (text(members.get(name)), members.get(name).cloned()),
            Err(problem) => return Fact::Unknown((self.blame)(problem)),
        };
        let (read, found) = value;
        self.fact(read, name, found.as_ref())
    }

    /// The inputs. Empty texts count as absent.
    pub(crate) fn inputs(&mut self) -> SessionInputs {
        let members = match &self.members {
            Ok(members) => match members.get("inputs") {
                None | Some(Value::Null) => Ok(Map::new()),
                Some(Value::Object(inputs)) => Ok(inputs.clone()),
                other => {
                    let problem = problem("inputs", "an object", other);
                    self.problems.push(problem.clone());
                    Err(problem)
                }
            },
            Err(problem) => Err(problem.clone()),
        };
        let inputs = SessionInputs {
            s3_bucket_name: self.input(&members, "s3BucketName", text),
            s3_key_prefix: self.input(&members, "s3KeyPrefix", text),
            s3_encryption_enabled: self.input(&members, "s3EncryptionEnabled", flag),
            cloud_watch_log_group_name: self.input(&members, "cloudWatchLogGroupName", text),
            cloud_watch_encryption_enabled: self.input(&members, "cloudWatchEncryptionEnabled", flag),
            cloud_watch_streaming_enabled: self.input(&members, "cloudWatchStreamingEnabled", boolean),
            kms_key_id: self.input(&members, "kmsKeyId", text),
            run_as_enabled: self.input(&members, "runAsEnabled", flag),
            run_as_default_user: self.input(&members, "runAsDefaultUser", user),
            idle_session_timeout: self.input(&members, "idleSessionTimeout", minutes),
            max_session_duration: self.input(&members, "maxSessionDuration", minutes),
        };
        if let Ok(members) = &members {
            self.problems.extend(shell_profile(members.get("shellProfile")));
            self.problems.extend(unknown_names(members, "inputs.", INPUTS));
        }
        inputs
    }

    /// The problems that were met.
    pub(super) fn into_problems(self) -> Vec<String> {
        self.problems.into_iter().map(|problem| problem.to_string()).collect()
    }

    fn input<T>(
        &mut self,
        inputs: &Result<Map<String, Value>, Problem>,
        name: &str,
        read: fn(Option<&Value>) -> Read<T>,
    ) -> Fact<Option<T>> {
        match inputs {
            Err(problem) => Fact::Unknown((self.blame)(problem)),
            Ok(inputs) => {
                let (path, value) = (format!("inputs.{name}"), inputs.get(name));
                // A parameter has the value that whoever starts the session gives it.
                if value.and_then(Value::as_str).is_some_and(|text| text.contains("{{")) {
                    let problem = Problem(format!("{path}: a parameter, which each session may set"));
                    return Fact::Unknown((self.blame)(&problem));
                }
                self.fact(read(value), &path, value)
            }
        }
    }

    fn fact<T>(&mut self, read: Read<T>, path: &str, found: Option<&Value>) -> Fact<Option<T>> {
        match read {
            Read::Value(value) => Fact::Known(value),
            Read::Meant(value, expected) => {
                self.problems.push(problem(path, expected, found));
                Fact::Known(Some(value))
            }
            Read::Wrong(expected) => {
                let problem = problem(path, expected, found);
                let gap = (self.blame)(&problem);
                self.problems.push(problem);
                Fact::Unknown(gap)
            }
        }
    }
}

/// What a member of the document says.
enum Read<T> {
    /// This value, or none.
    Value(Option<T>),
    /// This value, in another type than the one that is expected.
    Meant(T, &'static str),
    /// Nothing of the type that is expected.
    Wrong(&'static str),
}

fn problem(path: &str, expected: &str, found: Option<&Value>) -> Problem {
    Problem(format!("{path}: expected {expected}, got {}", found.map_or_else(|| "nothing".to_owned(), described)))
}

fn described(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        scalar => scalar.to_string(),
    }
}

/// The names that no such object has, each with the known one that is nearest.
fn unknown_names(members: &Map<String, Value>, prefix: &str, known: &[&str]) -> Vec<Problem> {
    let unknown = members.keys().filter(|name| !known.contains(&name.as_str()));
    let problems = unknown.map(|name| match nearest(name, known.iter().copied()) {
        Some(near) => Problem(format!("{prefix}{name}: no such name; did you mean {near}?")),
        None => Problem(format!("{prefix}{name}: no such name")),
    });
    problems.collect()
}

/// What is wrong with the shell profile: commands by platform.
fn shell_profile(value: Option<&Value>) -> Vec<Problem> {
    let path = "inputs.shellProfile";
    match value {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Object(members)) => {
            let mut problems = unknown_names(members, "inputs.shellProfile.", SHELL_PROFILE);
            for name in SHELL_PROFILE {
                if let Some(wrong) = members.get(*name).filter(|value| !value.is_string() && !value.is_null()) {
                    problems.push(problem(&format!("{path}.{name}"), "a text", Some(wrong)));
                }
            }
            problems
        }
        wrong => vec![problem(path, "an object with linux and windows", wrong)],
    }
}

fn text(value: Option<&Value>) -> Read<String> {
    match value {
        None | Some(Value::Null) => Read::Value(None),
        Some(Value::String(text)) if text.is_empty() => Read::Value(None),
        Some(Value::String(text)) => Read::Value(Some(text.clone())),
        Some(_) => Read::Wrong("a text"),
    }
}

/// A user of the operating system. SSM Agent takes one of spaces alone for none.
fn user(value: Option<&Value>) -> Read<String> {
    match text(value) {
        Read::Value(Some(name)) if name.trim().is_empty() => Read::Value(None),
        read => read,
    }
}

fn boolean(value: Option<&Value>) -> Read<bool> {
    match value {
        None | Some(Value::Null) => Read::Value(None),
        Some(Value::Bool(value)) => Read::Value(Some(*value)),
        Some(Value::String(text)) if text.is_empty() => Read::Value(None),
        Some(_) => Read::Wrong("a boolean"),
    }
}

/// A flag that SSM Agent reads from a text, too, though the schema has it otherwise.
fn flag(value: Option<&Value>) -> Read<bool> {
    match value.and_then(Value::as_str) {
        Some("true") => Read::Meant(true, "a boolean"),
        Some("false") => Read::Meant(false, "a boolean"),
        _ => boolean(value),
    }
}

fn minutes(value: Option<&Value>) -> Read<i64> {
    match value {
        None | Some(Value::Null) => Read::Value(None),
        Some(Value::String(text)) if text.is_empty() => Read::Value(None),
        Some(Value::String(text)) => match text.parse() {
            Ok(minutes) => Read::Value(Some(minutes)),
            Err(_) => Read::Wrong(MINUTES),
        },
        Some(Value::Number(number)) => match number.as_i64() {
            Some(minutes) => Read::Meant(minutes, MINUTES),
            None => Read::Wrong(MINUTES),
        },
        Some(_) => Read::Wrong(MINUTES),
    }
}

const MINUTES: &str = "a text that holds whole minutes";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::GapKind;

    fn parse(text: &str) -> Content {
        Content::parse(text, |problem| Arc::new(Gap::because(GapKind::Failed, problem.to_string())))
    }

    #[test]
    fn what_the_guide_has_is_read() {
        let mut content = parse(
            r#"{"schemaVersion": "1.0", "sessionType": "Standard_Stream", "inputs": {"s3BucketName": "b",
            "s3KeyPrefix": "", "s3EncryptionEnabled": false, "idleSessionTimeout": "20", "shellProfile": {}}}"#,
        );
        assert_eq!(content.text("schemaVersion"), Fact::Known(Some("1.0".to_owned())));
        let inputs = content.inputs();
        assert_eq!(inputs.s3_bucket_name, Fact::Known(Some("b".to_owned())));
        assert_eq!(inputs.s3_key_prefix, Fact::Known(None));
        assert_eq!(inputs.s3_encryption_enabled, Fact::Known(Some(false)));
        assert_eq!(inputs.idle_session_timeout, Fact::Known(Some(20)));
        assert_eq!(inputs.max_session_duration, Fact::Known(None));
        assert!(content.into_problems().is_empty());
    }

    #[test]
    fn an_input_of_the_wrong_type_is_unknown_and_a_problem() {
        let mut content = parse(
            r#"{"schemaVersion": 1, "inputs": {"runAsEnabled": "yes", "idleSessionTimeout": 20.5, "kmsKeyId": [],
            "cloudWatchStreamingEnabled": "true"}}"#,
        );
        assert!(content.text("schemaVersion").gap().is_some());
        let inputs = content.inputs();
        let message = |gap: Option<&Arc<Gap>>| gap.and_then(|gap| gap.message.clone());
        assert_eq!(
            message(inputs.run_as_enabled.gap()).as_deref(),
            Some("inputs.runAsEnabled: expected a boolean, got \"yes\"")
        );
        assert!(inputs.idle_session_timeout.gap().is_some());
        // The agent refuses this one.
        assert!(inputs.cloud_watch_streaming_enabled.gap().is_some());
        assert_eq!(
            content.into_problems(),
            [
                "schemaVersion: expected a text, got 1",
                "inputs.cloudWatchStreamingEnabled: expected a boolean, got \"true\"",
                "inputs.kmsKeyId: expected a text, got a list",
                "inputs.runAsEnabled: expected a boolean, got \"yes\"",
                "inputs.idleSessionTimeout: expected a text that holds whole minutes, got 20.5",
            ]
        );
    }

    /// What an input means is known, and that it is not written so.
    #[test]
    fn an_input_that_is_meant_otherwise_is_known_and_a_problem() {
        let mut content = parse(
            r#"{"inputs": {"runAsEnabled": "true", "s3EncryptionEnabled": "false", "idleSessionTimeout": 20,
            "maxSessionDuration": 120}}"#,
        );
        let inputs = content.inputs();
        assert_eq!(inputs.run_as_enabled, Fact::Known(Some(true)));
        assert_eq!(inputs.s3_encryption_enabled, Fact::Known(Some(false)));
        assert_eq!(inputs.idle_session_timeout, Fact::Known(Some(20)));
        assert_eq!(inputs.max_session_duration, Fact::Known(Some(120)));
        assert_eq!(content.into_problems().len(), 4);
    }

    #[test]
    fn names_that_no_session_document_has_are_problems() {
        let mut content = parse(
            r#"{"schemaVersion": "1.0", "input": {}, "inputs": {"idleSesionTimeout": "20", "S3BucketName": "b",
            "colour": "red"}}"#,
        );
        assert_eq!(content.inputs().s3_bucket_name, Fact::Known(None));
        assert_eq!(
            content.into_problems(),
            [
                "input: no such name; did you mean inputs?",
                "inputs.idleSesionTimeout: no such name; did you mean idleSessionTimeout?",
                "inputs.S3BucketName: no such name; did you mean s3BucketName?",
                "inputs.colour: no such name",
            ]
        );
    }

    #[test]
    fn a_shell_profile_has_commands_by_platform() {
        let problems = |profile: &str| {
            let mut content = parse(&format!(r#"{{"inputs": {{"shellProfile": {profile}}}}}"#));
            content.inputs();
            content.into_problems()
        };
        for right in ["null", "{}", r#"{"linux": "exec bash", "windows": ""}"#, r#"{"windows": "date"}"#] {
            assert!(problems(right).is_empty(), "{right}");
        }
        assert_eq!(
            problems(r#""exec bash""#),
            ["inputs.shellProfile: expected an object with linux and windows, got \"exec bash\""]
        );
        assert_eq!(problems("[]"), ["inputs.shellProfile: expected an object with linux and windows, got a list"]);
        assert_eq!(
            problems(r#"{"linux": ["a"], "Windows": "b", "macos": "c"}"#),
            [
                "inputs.shellProfile.Windows: no such name; did you mean windows?",
                "inputs.shellProfile.macos: no such name",
                "inputs.shellProfile.linux: expected a text, got a list",
            ]
        );
    }

    #[test]
    fn what_a_session_decides_is_unknown_and_no_problem() {
        let mut content = parse(
            r#"{"parameters": {}, "inputs": {"s3BucketName": "{{ bucket }}", "runAsEnabled": "{{runAs}}",
            "idleSessionTimeout": "{{ minutes }}", "runAsDefaultUser": "  "}}"#,
        );
        let inputs = content.inputs();
        assert!(inputs.s3_bucket_name.gap().is_some());
        assert!(inputs.run_as_enabled.gap().is_some());
        assert!(inputs.idle_session_timeout.gap().is_some());
        assert_eq!(inputs.run_as_default_user, Fact::Known(None));
        assert!(content.into_problems().is_empty());
    }

    #[test]
    fn content_that_is_no_object_leaves_everything_unknown() {
        for text in ["", "[]", "{", "\"x\"", "schemaVersion: '1.0'"] {
            let mut content = parse(text);
            assert!(content.inputs().s3_bucket_name.gap().is_some(), "{text}");
            assert!(content.text("sessionType").gap().is_some(), "{text}");
            assert_eq!(content.into_problems().len(), 1, "{text}");
        }
    }
}
