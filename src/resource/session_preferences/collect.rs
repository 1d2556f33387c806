//! `GetDocument`: the session preferences of a region, and what they name.
//! <https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetDocument.html>

use std::sync::Arc;

use aws_sdk_ssm::operation::get_document::GetDocumentOutput;
use aws_sdk_ssm::types::{DocumentFormat, DocumentType};
use futures::future::OptionFuture;
use futures::join;

use super::document::{Content, Problem};
use super::schema::{PREFERENCES_DOCUMENT, SessionInputs, SessionPreferences};
use crate::collect::live::api_call::ApiCall;
use crate::collect::live::collector::Collector;
use crate::model::call::GET_DOCUMENT;
use crate::model::schema::Node;
use crate::model::{Entry, Fact, Gap, GapKind, Key, Link, Region, ResourceType, Unlisted};
use crate::resource::key;
use crate::resource::key::collect::Use;
use crate::resource::{bucket, log_group};

/// The code by which Systems Manager says that a document does not exist.
const ABSENT: &[&str] = &["InvalidDocument"];

/// Puts the preferences of a region in: they always exist, and the document of theirs may not.
pub(crate) fn begin(collector: &Collector<'_>, region: &Region) {
    collector.put(Key::regional(region, PREFERENCES_DOCUMENT), Entry::existing(SessionPreferences::default()));
}

/// Changes the preferences of a region.
pub(crate) fn change(collector: &Collector<'_>, region: &Region, change: impl FnOnce(&mut SessionPreferences)) {
    collector.record(|inventory| {
        if let Some(entry) = inventory.session_preferences.get_mut(&Key::regional(region, PREFERENCES_DOCUMENT)) {
            change(&mut entry.attributes);
        }
    });
}

/// Reads the document at its default and at its latest version, and what it names.
pub(crate) async fn read(collector: &Collector<'_>, region: &Region) {
    if !collector.wants(&GET_DOCUMENT) {
        return;
    }
    let inquiry = collector.inquire(&GET_DOCUMENT, Some(region));
    let (default, latest) = join!(version(inquiry, region, "$DEFAULT"), version(inquiry, region, "$LATEST"));
    let (default, latest) = agreed(inquiry, default, latest);
    let newer = match &latest {
        Ok(Some(answer)) if default.as_ref().is_ok_and(|default| is_another(default.as_ref(), answer)) => {
            answer.content.as_deref().map(|text| Content::parse(text, gap_of).inputs())
        }
        _ => None,
    };
    let mut preferences = match default {
        Ok(Some(answer)) => of_document(inquiry, answer),
        Ok(None) => without_document(),
        Err(gap) => {
            let mut preferences = SessionPreferences::default();
            preferences.mark_unknown(&GET_DOCUMENT, &gap);
            inquiry.unlisted(&gap);
            preferences
        }
    };
    if let (Fact::Known(inputs), Some(newer)) = (&mut preferences.inputs, newer) {
        keep_common(inputs, &newer);
    }
    preferences.arn = Fact::Known(collector.connection.arn("ssm", region, &format!("document/{PREFERENCES_DOCUMENT}")));
    preferences.latest_version = match latest {
        Ok(Some(answer)) => inquiry.named("DocumentVersion", answer.document_version).map(Some),
        Ok(None) => Fact::Known(None),
        Err(gap) => Fact::Unknown(gap),
    };
    follow(inquiry, region, preferences).await;
}

async fn version(inquiry: ApiCall<'_>, region: &Region, version: &str) -> Version {
    let request = inquiry.collector.connection.ssm(region).get_document();
    let request = request.name(PREFERENCES_DOCUMENT).document_version(version).document_format(DocumentFormat::Json);
    inquiry.send_unless(ABSENT, request.send()).await
}

type Version = Result<Option<GetDocumentOutput>, Arc<Gap>>;

/// A document has both versions or does not exist. Where one of them is answered and the other is said not to exist, the
/// document was made or deleted meanwhile, or the other is refused: it is not known.
fn agreed(inquiry: ApiCall<'_>, default: Version, latest: Version) -> (Version, Version) {
    let odd = |version: &str| Err(inquiry.problem(&format!("the document exists, and its version {version} does not")));
    match (default, latest) {
        (Ok(None), Ok(Some(latest))) => (odd("$DEFAULT"), Ok(Some(latest))),
        (Ok(Some(default)), Ok(None)) => (Ok(Some(default)), odd("$LATEST")),
        (default, latest) => (default, latest),
    }
}

/// Whether the latest version is another one than the default.
fn is_another(default: Option<&GetDocumentOutput>, latest: &GetDocumentOutput) -> bool {
    default.is_none_or(|default| default.document_version != latest.document_version)
}

/// Keeps what both versions say of each input. Sessions are documented to use the default version, and people look at
/// the latest: where the two differ, it is not known what holds until one of them is both.
fn keep_common(inputs: &mut SessionInputs, newer: &SessionInputs) {
    fn common<T: PartialEq>(input: &mut Fact<Option<T>>, newer: &Fact<Option<T>>, name: &str) {
        if let (Fact::Known(value), Fact::Known(other)) = (&*input, newer)
            && value != other
        {
            let message = format!(
                "inputs.{name}: the default version of the document and its latest differ: \
                 `ssm-audit fix --rule ssm-preferences-valid` makes them one"
            );
            let gap = Gap::of_call(GapKind::Unresolved, GET_DOCUMENT.to_string()).with_message(message);
            *input = Fact::Unknown(gap.into());
        }
    }
    common(&mut inputs.s3_bucket_name, &newer.s3_bucket_name, "s3BucketName");
    common(&mut inputs.s3_key_prefix, &newer.s3_key_prefix, "s3KeyPrefix");
    common(&mut inputs.s3_encryption_enabled, &newer.s3_encryption_enabled, "s3EncryptionEnabled");
    common(&mut inputs.cloud_watch_log_group_name, &newer.cloud_watch_log_group_name, "cloudWatchLogGroupName");
    common(
        &mut inputs.cloud_watch_encryption_enabled,
        &newer.cloud_watch_encryption_enabled,
        "cloudWatchEncryptionEnabled",
    );
    common(
        &mut inputs.cloud_watch_streaming_enabled,
        &newer.cloud_watch_streaming_enabled,
        "cloudWatchStreamingEnabled",
    );
    common(&mut inputs.kms_key_id, &newer.kms_key_id, "kmsKeyId");
    common(&mut inputs.run_as_enabled, &newer.run_as_enabled, "runAsEnabled");
    common(&mut inputs.run_as_default_user, &newer.run_as_default_user, "runAsDefaultUser");
    common(&mut inputs.idle_session_timeout, &newer.idle_session_timeout, "idleSessionTimeout");
    common(&mut inputs.max_session_duration, &newer.max_session_duration, "maxSessionDuration");
}

fn without_document() -> SessionPreferences {
    SessionPreferences {
        document_exists: Fact::Known(false),
        document_type: Fact::Known(None),
        schema_version: Fact::Known(None),
        session_type: Fact::Known(None),
        default_version: Fact::Known(None),
        problems: Fact::Known(Vec::new()),
        inputs: Fact::Known(Content::none().inputs()),
        ..SessionPreferences::default()
    }
}

fn of_document(inquiry: ApiCall<'_>, answer: GetDocumentOutput) -> SessionPreferences {
    let mut preferences = SessionPreferences {
        document_exists: Fact::Known(true),
        document_type: inquiry.one_of("DocumentType", answer.document_type, DocumentType::values()).map(Some),
        default_version: inquiry.named("DocumentVersion", answer.document_version).map(Some),
        ..SessionPreferences::default()
    };
    match answer.content {
        None => {
            let gap = inquiry.lacks("Content");
            preferences.schema_version = Fact::Unknown(gap.clone());
            preferences.session_type = Fact::Unknown(gap.clone());
            preferences.problems = Fact::Unknown(gap.clone());
            preferences.inputs = Fact::Unknown(gap);
        }
        Some(text) => {
            let mut content = Content::parse(&text, gap_of);
            preferences.schema_version = content.text("schemaVersion");
            preferences.session_type = content.text("sessionType");
            preferences.inputs = Fact::Known(content.inputs());
            preferences.problems = Fact::Known(content.into_problems());
        }
    }
    preferences
}

/// The names that the inputs hold, as links, and what they lead to.
async fn follow(inquiry: ApiCall<'_>, region: &Region, mut preferences: SessionPreferences) {
    let collector = inquiry.collector;
    let bucket = input(&preferences.inputs, |inputs| &inputs.s3_bucket_name);
    let group = input(&preferences.inputs, |inputs| &inputs.cloud_watch_log_group_name);
    let key = input(&preferences.inputs, |inputs| &inputs.kms_key_id);
    for (named, resource_type) in
        [(&bucket, ResourceType::Bucket), (&group, ResourceType::LogGroup), (&key, ResourceType::KmsKey)]
    {
        if let Fact::Unknown(gap) = named {
            unlisted(collector, resource_type, region, gap);
        }
    }
    if let Fact::Unknown(gap) = &group {
        unlisted(collector, ResourceType::KmsKey, region, gap);
    }
    preferences.s3_bucket = bucket.as_ref().map(|name| name.as_ref().map(|name| Link::to(Key::global(name.as_str()))));
    preferences.log_group =
        group.as_ref().map(|name| name.as_ref().map(|name| Link::to(Key::regional(region, name.as_str()))));
    preferences.kms_key = key.as_ref().map(|_| None);

    let name = |fact: &Fact<Option<String>>| fact.known().cloned().flatten();
    let (bucket, group, key) = (name(&bucket), name(&group), name(&key));
    let bucket: OptionFuture<_> =
        bucket.as_deref().map(|name| bucket::collect::read_once(collector, region, name)).into();
    let group: OptionFuture<_> = group.as_deref().map(|name| log_group::collect::read(collector, region, name)).into();
    let key: OptionFuture<_> =
        key.as_deref().map(|name| key::collect::read(collector, region, name, Use::Sessions)).into();
    let (_, _, key) = join!(bucket, group, key);

    if let Some(key) = key {
        preferences.kms_key = Fact::Known(Some(Link::to(key)));
    }
    change(collector, region, |there| {
        let default_host_management_role = std::mem::take(&mut there.default_host_management_role);
        *there = SessionPreferences { default_host_management_role, ..preferences };
    });
}

fn input(
    inputs: &Fact<SessionInputs>,
    choose: impl FnOnce(&SessionInputs) -> &Fact<Option<String>>,
) -> Fact<Option<String>> {
    match inputs {
        Fact::Known(inputs) => choose(inputs).clone(),
        Fact::Unknown(gap) => Fact::Unknown(gap.clone()),
    }
}

fn unlisted(collector: &Collector<'_>, resource_type: ResourceType, region: &Region, gap: &Arc<Gap>) {
    collector.say_unlisted(Unlisted {
        resource_type,
        region: resource_type.region_unlisted(Some(region)),
        gap: Arc::clone(gap),
    });
}

/// What is wrong with the document is no failure of the call: the coverage stays as it is.
fn gap_of(problem: &Problem) -> Arc<Gap> {
    Arc::new(Gap::of_call(GapKind::Failed, GET_DOCUMENT.to_string()).with_message(problem.to_string()))
}
