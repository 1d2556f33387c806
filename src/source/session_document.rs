//! The content of the session preferences' document, checked member by member: of a live account, and of code.
//! <https://docs.aws.amazon.com/systems-manager/latest/userguide/session-manager-schema.html>

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value};

use crate::model::ssm::SessionInputs;
use crate::model::{Fact, Gap};

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
        let problems = members.as_ref().err().cloned().into_iter().collect();
        Self { blame: Box::new(blame), members, problems }
    }

    /// A text of the document itself.
    pub(crate) fn text(&mut self, name: &str) -> Fact<Option<String>> {
        let value = match &self.members {
            Ok(members) => text(members.get(name)).map_err(|expected| problem(name, expected, members.get(name))),
            Err(problem) => return Fact::Unknown((self.blame)(problem)),
        };
        self.fact(value)
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
        SessionInputs {
            s3_bucket_name: self.input(&members, "s3BucketName", text),
            s3_key_prefix: self.input(&members, "s3KeyPrefix", text),
            s3_encryption_enabled: self.input(&members, "s3EncryptionEnabled", boolean),
            cloud_watch_log_group_name: self.input(&members, "cloudWatchLogGroupName", text),
            cloud_watch_encryption_enabled: self.input(&members, "cloudWatchEncryptionEnabled", boolean),
            cloud_watch_streaming_enabled: self.input(&members, "cloudWatchStreamingEnabled", boolean),
            kms_key_id: self.input(&members, "kmsKeyId", text),
            run_as_enabled: self.input(&members, "runAsEnabled", boolean),
            run_as_default_user: self.input(&members, "runAsDefaultUser", text),
            idle_session_timeout: self.input(&members, "idleSessionTimeout", minutes),
            max_session_duration: self.input(&members, "maxSessionDuration", minutes),
        }
    }

    /// The problems that were met.
    pub(crate) fn into_problems(self) -> Vec<String> {
        self.problems.into_iter().map(|problem| problem.to_string()).collect()
    }

    fn input<T>(
        &mut self,
        inputs: &Result<Map<String, Value>, Problem>,
        name: &str,
        read: fn(Option<&Value>) -> Result<Option<T>, &'static str>,
    ) -> Fact<Option<T>> {
        match inputs {
            Err(problem) => Fact::Unknown((self.blame)(problem)),
            Ok(inputs) => {
                let value = inputs.get(name);
                let read = read(value).map_err(|expected| problem(&format!("inputs.{name}"), expected, value));
                self.fact(read)
            }
        }
    }

    fn fact<T>(&mut self, value: Result<T, Problem>) -> Fact<T> {
        value.map_or_else(
            |problem| {
                let gap = (self.blame)(&problem);
                self.problems.push(problem);
                Fact::Unknown(gap)
            },
            Fact::Known,
        )
    }
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

fn text(value: Option<&Value>) -> Result<Option<String>, &'static str> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err("a text"),
    }
}

fn boolean(value: Option<&Value>) -> Result<Option<bool>, &'static str> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Bool(value)) => Ok(Some(*value)),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(_) => Err("a boolean"),
    }
}

fn minutes(value: Option<&Value>) -> Result<Option<i64>, &'static str> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.is_empty() => Ok(None),
        Some(Value::String(text)) => text.parse().ok().map(Some).ok_or(MINUTES),
        Some(_) => Err(MINUTES),
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
            r#"{"schemaVersion": 1, "inputs": {"runAsEnabled": "true", "idleSessionTimeout": 20, "kmsKeyId": []}}"#,
        );
        assert!(content.text("schemaVersion").gap().is_some());
        let inputs = content.inputs();
        let message = |gap: Option<&Arc<Gap>>| gap.and_then(|gap| gap.message.clone());
        assert_eq!(
            message(inputs.run_as_enabled.gap()).as_deref(),
            Some("inputs.runAsEnabled: expected a boolean, got \"true\"")
        );
        assert!(inputs.idle_session_timeout.gap().is_some());
        assert_eq!(
            content.into_problems(),
            [
                "schemaVersion: expected a text, got 1",
                "inputs.kmsKeyId: expected a text, got a list",
                "inputs.runAsEnabled: expected a boolean, got \"true\"",
                "inputs.idleSessionTimeout: expected a text that holds whole minutes, got 20",
            ]
        );
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
