//! Where the parts of a sweep are kept for all machines: below a prefix in S3, an object each.
//!
//! An object is there in full or not at all, and none is ever written over: S3 refuses a second one of the same name.
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>

use std::fmt;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::ChecksumMode;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures::stream::{self, StreamExt, TryStreamExt};
use sha2::{Digest, Sha256};

use super::Shard;
use crate::aws::{Connection, ConnectionError};
use crate::model::{Partition, Region};

/// How many parts are fetched at once.
const CONCURRENCY: usize = 4;

/// A prefix in a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Store {
    bucket: String,
    /// Empty, or with a slash at its end.
    prefix: String,
}

impl FromStr for Store {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let rest = text.strip_prefix("s3://").ok_or_else(|| "expected s3://BUCKET/PREFIX".to_owned())?;
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if bucket.is_empty() {
            return Err("expected s3://BUCKET/PREFIX".to_owned());
        }
        let prefix = prefix.trim_end_matches('/');
        let prefix = if prefix.is_empty() { String::new() } else { format!("{prefix}/") };
        Ok(Self { bucket: bucket.to_owned(), prefix })
    }
}

impl fmt::Display for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "s3://{}/{}", self.bucket, self.prefix)
    }
}

/// Parts that cannot be kept or fetched.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is one of that name.
    #[error("{object} is there already, and is not written over: use another prefix for each sweep, or delete it")]
    There {
        /// Which.
        object: String,
    },
    /// S3 does not answer, or says no.
    #[error("failed to use {place}: {source}")]
    S3 {
        /// The object, or the prefix.
        place: String,
        /// Why.
        source: ConnectionError,
    },
    /// A file of this machine cannot be used.
    #[error("failed to use {}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// An answer broke off.
    #[error("failed to fetch {object}: {reason}")]
    BrokenOff {
        /// Which.
        object: String,
        /// Why.
        reason: String,
    },
}

/// An error of S3, and the region that it says the bucket is in.
type Refused = (ConnectionError, Option<Region>);

impl Store {
    /// The name of the object of a part.
    fn key(&self, part: Shard) -> String {
        format!("{}part-{:05}-of-{:05}.jsonl", self.prefix, part.number, part.of)
    }

    fn object(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// The ARN of all objects that it has.
    pub fn objects(&self, partition: Partition) -> String {
        format!("arn:{partition}:s3:::{}/{}*", self.bucket, self.prefix)
    }

    /// The ARN of its bucket.
    pub fn bucket(&self, partition: Partition) -> String {
        format!("arn:{partition}:s3:::{}", self.bucket)
    }

    /// Refuses a part that is there already, and a bucket that is not, so that nothing is read for nothing. Where S3 does
    /// not tell, the writing will.
    ///
    /// # Errors
    /// Where it is there, and where it can never be.
    pub async fn refuse_if_there(&self, connection: &Connection, part: Shard) -> Result<(), StoreError> {
        let key = &self.key(part);
        // The first byte: HEAD would not say whether it is the bucket that is missing.
        let asked = where_it_is(connection, |region| async move {
            let request = connection.s3(&region).get_object().bucket(&self.bucket).key(key).range("bytes=0-0");
            request.send().await.map_err(|error| refused(connection, "s3:GetObject", &error))
        });
        match asked.await {
            Ok(_) => Err(StoreError::There { object: self.object(key) }),
            Err(source) if source.is("NoSuchBucket") => Err(StoreError::S3 { place: self.object(key), source }),
            Err(_) => Ok(()),
        }
    }

    /// Keeps this file as a part.
    ///
    /// # Errors
    /// Where there is one already that is not the same, and where it cannot be written. Then there is none.
    pub async fn put(&self, connection: &Connection, part: Shard, file: &Path) -> Result<(), StoreError> {
        let key = self.key(part);
        let failed = |source| StoreError::File { path: file.to_owned(), source };
        let digest = {
            let mut hasher = Sha256::new();
            io::copy(&mut File::open(file).map_err(failed)?, &mut hasher).map_err(failed)?;
            STANDARD.encode(hasher.finalize())
        };
        let put = |region: Region| {
            let (client, digest, key) = (connection.s3(&region), digest.clone(), key.clone());
            async move {
                let body = ByteStream::from_path(file)
                    .await
                    .map_err(|error| (ConnectionError::Configuration(format!("{}: {error}", file.display())), None))?;
                let request = client.put_object().bucket(&self.bucket).key(key).if_none_match("*");
                let request = request.metadata("sha256", &digest).checksum_sha256(&digest).body(body);
                let answer = request.content_type("application/x-ndjson").send().await;
                match answer {
                    Ok(_) => Ok(true),
                    Err(error) if error.raw_response().is_some_and(|answer| answer.status().as_u16() == 412) => {
                        Ok(false)
                    }
                    Err(error) => Err(refused(connection, "s3:PutObject", &error)),
                }
            }
        };
        let written = where_it_is(connection, put).await;
        let written = written.map_err(|source| StoreError::S3 { place: self.object(&key), source })?;
        // An answer may have been lost, and what is there be what was sent.
        if written || self.digest(connection, &key).await.is_ok_and(|there| there.as_ref() == Some(&digest)) {
            Ok(())
        } else {
            Err(StoreError::There { object: self.object(&key) })
        }
    }

    /// What an object says that its digest is.
    async fn digest(&self, connection: &Connection, key: &str) -> Result<Option<String>, ConnectionError> {
        where_it_is(connection, |region| async move {
            let answer = connection.s3(&region).head_object().bucket(&self.bucket).key(key).send().await;
            let answer = answer.map_err(|error| refused(connection, "s3:HeadObject", &error))?;
            Ok(answer.metadata.and_then(|metadata| metadata.get("sha256").cloned()))
        })
        .await
    }

    /// Fetches all parts into this folder: what they are called, and where they are.
    ///
    /// # Errors
    /// Where they cannot be listed or fetched.
    pub async fn fetch(&self, connection: &Connection, folder: &Path) -> Result<Vec<(String, PathBuf)>, StoreError> {
        let failed = |place: String| move |source| StoreError::S3 { place, source };
        let keys = where_it_is(connection, |region| self.keys(connection, region)).await;
        let keys = keys.map_err(failed(self.to_string()))?;
        stream::iter(keys.into_iter().enumerate())
            .map(|(number, key)| async move {
                let path = folder.join(format!("{number}.jsonl"));
                self.get(connection, &key, &path).await.map(|()| (self.object(&key), path))
            })
            .buffered(CONCURRENCY)
            .try_collect()
            .await
    }

    async fn keys(&self, connection: &Connection, region: Region) -> Result<Vec<String>, Refused> {
        let client = connection.s3(&region);
        let request = client.list_objects_v2().bucket(&self.bucket).prefix(&self.prefix);
        let mut pages = request.into_paginator().send();
        let mut keys = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| refused(connection, "s3:ListObjectsV2", &error))?;
            keys.extend(page.contents.unwrap_or_default().into_iter().filter_map(|object| object.key));
        }
        // What else is there is not ours.
        keys.retain(|key| key.rsplit_once('.').is_some_and(|(_, ending)| ending == "jsonl"));
        Ok(keys)
    }

    async fn get(&self, connection: &Connection, key: &str, path: &Path) -> Result<(), StoreError> {
        let answer = where_it_is(connection, |region| async move {
            let request = connection.s3(&region).get_object().bucket(&self.bucket).key(key);
            let answer = request.checksum_mode(ChecksumMode::Enabled).send().await;
            answer.map_err(|error| refused(connection, "s3:GetObject", &error))
        });
        let answer = answer.await.map_err(|source| StoreError::S3 { place: self.object(key), source })?;
        let failed = |source| StoreError::File { path: path.to_owned(), source };
        let mut file = BufWriter::new(File::create(path).map_err(failed)?);
        let mut body = answer.body;
        while let Some(bytes) = body
            .try_next()
            .await
            .map_err(|error| StoreError::BrokenOff { object: self.object(key), reason: error.to_string() })?
        {
            file.write_all(&bytes).map_err(failed)?;
        }
        file.flush().map_err(failed)
    }
}

/// Asks in the region of the caller, and then in the one that S3 says the bucket is in.
async fn where_it_is<T, F: Future<Output = Result<T, Refused>>>(
    connection: &Connection,
    ask: impl Fn(Region) -> F,
) -> Result<T, ConnectionError> {
    match ask(connection.region().clone()).await {
        Err((_, Some(region))) if region != *connection.region() => ask(region).await.map_err(|(error, _)| error),
        answer => answer.map_err(|(error, _)| error),
    }
}

fn refused<E>(connection: &Connection, call: &'static str, error: &SdkError<E, HttpResponse>) -> Refused
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let region = error.raw_response().and_then(|answer| answer.headers().get("x-amz-bucket-region"));
    (connection.failed(call, error), region.and_then(|region| region.parse().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_a_folder_and_parts_are_named_in_their_order() {
        let store = |text: &str| text.parse::<Store>();
        let part =
            |number: u32| Shard { number: number.try_into().expect("not zero"), of: 12.try_into().expect("not zero") };
        assert_eq!(store("s3://b/sweeps/7/").expect("a store").key(part(2)), "sweeps/7/part-00002-of-00012.jsonl");
        assert_eq!(store("s3://b").expect("a store").key(part(12)), "part-00012-of-00012.jsonl");
        assert!(store("s3:///x").is_err() && store("b/x").is_err());
    }
}
