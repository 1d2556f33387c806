//! The way to one account: credentials, endpoints, timeouts, retries, and a client for each service and region.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, SdkConfig};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_sdk_sts::config::retry::{ClientRateLimiter, RetryConfig, RetryPartition};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_types::os_shim_internal::{Env, Fs};

use super::connection_error::ConnectionError;
use super::http::http_client;
use super::rate_limiter::{Listener, Pace};
use super::response_integrity::WholeAnswer;
use super::retry::{MAX_ATTEMPTS, OnlyWhatWasRefused, retries};
use crate::model::arn::{self, Arn};
use crate::model::{AccountId, Partition, Region};

/// How often STS is asked at most for the credentials of a role.
const ATTEMPTS_OF_STS: u32 = 10;

/// How long is waited, at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For a connection.
    pub connect: Duration,
    /// For the first byte of an answer.
    pub read: Duration,
    /// For one attempt, from the first byte sent to the last received.
    pub attempt: Duration,
    /// For a call with all its attempts and the pauses between them.
    pub operation: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            read: Duration::from_secs(30),
            attempt: Duration::from_secs(45),
            operation: Duration::from_mins(2),
        }
    }
}

/// Where an account is and how it is reached. What is not given comes from the environment and the AWS
/// configuration files, as for the AWS CLI.
#[derive(Debug, Clone, Default)]
pub struct ConnectionSettings {
    /// The profile.
    pub profile: Option<String>,
    /// The region that is asked who is calling, and for what has no region. Give one of those to scan.
    pub region: Option<Region>,
    /// An endpoint in place of AWS's own, for all services.
    pub endpoint_url: Option<String>,
    /// How long is waited.
    pub timeouts: Timeouts,
    /// What carries the requests. Clones share it, so that many connections need no more of it than one.
    pub carrier: Carrier,
}

/// The HTTP client that the connections of one run share, made with the first of them.
#[derive(Debug, Clone, Default)]
pub struct Carrier(Arc<OnceLock<SharedHttpClient>>);

impl Carrier {
    /// The HTTP client, with the certificates and proxies of the environment.
    ///
    /// # Errors
    /// Where they cannot be used.
    pub fn of_the_environment(&self) -> Result<SharedHttpClient, ConnectionError> {
        self.client(&Env::real())
    }

    fn client(&self, environment: &Env) -> Result<SharedHttpClient, ConnectionError> {
        if let Some(client) = self.0.get() {
            return Ok(client.clone());
        }
        let certificates = match environment.get("AWS_CA_BUNDLE").ok().filter(|path| !path.is_empty()) {
            None => None,
            Some(path) => Some(std::fs::read(&path).map_err(|error| {
                ConnectionError::Configuration(format!("failed to read AWS_CA_BUNDLE {path}: {error}"))
            })?),
        };
        let client = http_client(certificates).map_err(ConnectionError::Configuration)?;
        Ok(self.0.get_or_init(|| client).clone())
    }
}

/// A way to one account that has been tried.
pub struct Connection {
    config: SdkConfig,
    account: AccountId,
    partition: Partition,
    region: Region,
    endpoint: Option<String>,
    s3_by_path: bool,
    purpose: Purpose,
    pace: Arc<Pace>,
    iam: aws_sdk_iam::Client,
    ec2: Clients<aws_sdk_ec2::Client>,
    kms: Clients<aws_sdk_kms::Client>,
    logs: Clients<aws_sdk_cloudwatchlogs::Client>,
    s3: Clients<aws_sdk_s3::Client>,
    ssm: Clients<aws_sdk_ssm::Client>,
}

/// What a connection is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// Reading: a request may be sent again whatever came of it, and an answer that is cut short is refused.
    Reading,
    /// Changing: what may have taken effect is not sent again. Many of the answers are empty.
    Changing,
}

/// The clients of one service, made as they are needed.
type Clients<C> = Mutex<BTreeMap<Region, C>>;

/// What a client does with answers and failures, by what it is used for.
macro_rules! for_use {
    ($purpose:expr, $builder:expr, $may_be_empty:expr, $listener:expr) => {
        match $purpose {
            Purpose::Reading => {
                $builder.interceptor(WholeAnswer { may_be_empty: $may_be_empty }).interceptor($listener)
            }
            Purpose::Changing => $builder.retry_classifier(OnlyWhatWasRefused),
        }
    };
}

/// A client of a service for a region.
macro_rules! client {
    ($service:ident, $sdk:ident $(, $builder:ident, $this:ident => $more:expr)?) => {
        #[doc = concat!("The client of `", stringify!($sdk), "` for a region.")]
        pub(crate) fn $service(&self, region: &Region) -> $sdk::Client {
            let mut clients = self.$service.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(client) = clients.get(region) {
                return client.clone();
            }
            let builder = $sdk::config::Builder::from(&self.config)
                .region(aws_config::Region::new(region.as_str().to_owned()))
                .retry_partition(retry_partition(&self.account, stringify!($service), Some(region)));
            // Buckets are read once an account, wherever they are.
            let is_s3 = stringify!($service) == "s3";
            let listener = self.listener(stringify!($service), Some(region).filter(|_| !is_s3));
            let builder = for_use!(self.purpose, builder, is_s3, listener);
            $(let builder = { let ($builder, $this) = (builder, self); $more };)?
            let client = $sdk::Client::from_conf(builder.build());
            clients.insert(region.clone(), client.clone());
            client
        }
    };
}

impl Connection {
    /// Finds the credentials and asks AWS whose they are.
    ///
    /// # Errors
    /// Where there is no region, where there are no credentials or AWS does not take them, and where AWS
    /// is not reached.
    pub async fn open(settings: &ConnectionSettings) -> Result<Self, ConnectionError> {
        let config = load(settings).await?;
        let region = config.region().ok_or(ConnectionError::NoRegion)?.as_ref().to_owned();
        let region: Region =
            region.parse().map_err(|error| ConnectionError::Configuration(format!("the region: {error}")))?;
        let endpoint = config.endpoint_url().map(str::to_owned);
        let sts = aws_sdk_sts::config::Builder::from(&config).interceptor(WholeAnswer { may_be_empty: false }).build();
        let identity = aws_sdk_sts::Client::from_conf(sts).get_caller_identity().send().await.map_err(|error| {
            ConnectionError::of("sts:GetCallerIdentity", place(endpoint.as_deref(), &region), region.as_str(), &error)
        })?;
        let (account, partition) = owner(&identity).ok_or_else(|| ConnectionError::Unexpected {
            call: "sts:GetCallerIdentity",
            reason: match identity.arn().and_then(Arn::parse) {
                Some(arn) if !arn.partition.is_empty() && !arn.account.is_empty() => {
                    format!("ssm-audit does not support the partition {}", arn.partition)
                }
                _ => format!("the answer of {} names no account", place(endpoint.as_deref(), &region)),
            },
        })?;
        Ok(Self::of(config, account, partition, region, Purpose::Reading))
    }

    /// The way to the same account for calls that change something: one that may have taken effect is not
    /// sent again by itself.
    #[must_use]
    pub fn for_changes(&self) -> Self {
        Self::of(self.config.clone(), self.account.clone(), self.partition, self.region.clone(), Purpose::Changing)
    }

    fn of(config: SdkConfig, account: AccountId, partition: Partition, region: Region, purpose: Purpose) -> Self {
        let iam = aws_sdk_iam::config::Builder::from(&config).retry_partition(retry_partition(&account, "iam", None));
        let pace = Arc::new(Pace::default());
        let listener = Listener { pace: Arc::clone(&pace), service: "iam", region: None };
        let iam = for_use!(purpose, iam, false, listener).build();
        Self {
            s3_by_path: s3_has_endpoint(&config),
            endpoint: config.endpoint_url().map(str::to_owned),
            iam: aws_sdk_iam::Client::from_conf(iam),
            config,
            account,
            partition,
            region,
            purpose,
            pace,
            ec2: Clients::default(),
            kms: Clients::default(),
            logs: Clients::default(),
            s3: Clients::default(),
            ssm: Clients::default(),
        }
    }

    /// A connection that is not tried, to read with.
    #[cfg(any(test, fuzzing))]
    pub(crate) fn reading(config: SdkConfig, account: AccountId, partition: Partition, region: Region) -> Self {
        Self::of(config, account, partition, region, Purpose::Reading)
    }

    /// A connection to this account with this configuration, made from that of the present one.
    pub(crate) fn with(&self, config: SdkConfig, account: AccountId, partition: Partition) -> Self {
        Self::of(config, account, partition, self.region.clone(), Purpose::Reading)
    }

    /// How fast the account is asked.
    pub(crate) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    fn listener(&self, service: &'static str, region: Option<&Region>) -> Listener {
        Listener { pace: Arc::clone(&self.pace), service, region: region.cloned() }
    }

    /// The configuration that all clients are made of.
    pub(crate) fn config(&self) -> &SdkConfig {
        &self.config
    }

    /// A client of STS in the region of the caller. All accounts of a fleet depend on it, and begin at once: it asks more
    /// often than others before it gives up, unless less than usual is wanted.
    pub(crate) fn sts(&self) -> aws_sdk_sts::Client {
        let retries = self.config.retry_config().cloned().unwrap_or_else(RetryConfig::standard);
        let attempts = match retries.max_attempts() {
            few if few < MAX_ATTEMPTS => few,
            usual_or_more => usual_or_more.max(ATTEMPTS_OF_STS),
        };
        let builder = aws_sdk_sts::config::Builder::from(&self.config)
            .retry_config(retries.with_max_attempts(attempts))
            .retry_partition(retry_partition(&self.account, "sts", Some(&self.region)))
            .interceptor(WholeAnswer { may_be_empty: false })
            .interceptor(self.listener("sts", Some(&self.region)));
        aws_sdk_sts::Client::from_conf(builder.build())
    }

    /// A client of AWS Organizations, which has no region.
    pub(crate) fn organizations(&self) -> aws_sdk_organizations::Client {
        let builder =
            aws_sdk_organizations::config::Builder::from(&self.config).interceptor(WholeAnswer { may_be_empty: false });
        aws_sdk_organizations::Client::from_conf(builder.build())
    }

    /// What a failed call of a service without regions says about this connection.
    pub(crate) fn failed<E>(&self, call: &'static str, error: &SdkError<E, HttpResponse>) -> ConnectionError
    where
        E: ProvideErrorMetadata + std::error::Error + 'static,
    {
        ConnectionError::of(call, place(self.endpoint.as_deref(), &self.region), self.region.as_str(), error)
    }

    /// The regions that are enabled for the account, sorted.
    ///
    /// # Errors
    /// Where AWS does not tell.
    pub async fn enabled_regions(&self) -> Result<Vec<Region>, ConnectionError> {
        const CALL: &str = "ec2:DescribeRegions";
        let request = self.ec2(&self.region).describe_regions().all_regions(false);
        let answer = request.send().await.map_err(|error| self.failed(CALL, &error))?;
        let names = answer.regions.unwrap_or_default().into_iter().map(|region| region.region_name);
        let regions: Option<Vec<Region>> = names.map(|name| name?.parse().ok()).collect();
        // An emulator may name those of every partition.
        let own = |regions: Vec<Region>| {
            regions.into_iter().filter(|region| region.partition() == self.partition).collect::<Vec<_>>()
        };
        let mut regions = regions.map(own).filter(|regions| !regions.is_empty()).ok_or_else(|| {
            ConnectionError::Unexpected { call: CALL, reason: "the answer does not name the regions".to_owned() }
        })?;
        regions.sort();
        Ok(regions)
    }

    /// The account that the credentials are for.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The partition that the account is in.
    pub fn partition(&self) -> Partition {
        self.partition
    }

    /// The region that was named, or that the configuration has.
    pub fn region(&self) -> &Region {
        &self.region
    }

    /// The ARN of a resource of this account.
    pub(crate) fn arn(&self, service: &str, region: &Region, resource: &str) -> String {
        self.arn_of(self.account.as_str(), service, region, resource)
    }

    /// The ARN of a resource of any account of this partition.
    pub(crate) fn arn_of(&self, account: &str, service: &str, region: &Region, resource: &str) -> String {
        format!("arn:{}:{service}:{region}:{account}:{resource}", self.partition)
    }

    /// The client of IAM, which has no region.
    pub(crate) fn iam(&self) -> &aws_sdk_iam::Client {
        &self.iam
    }

    client!(ec2, aws_sdk_ec2);
    client!(kms, aws_sdk_kms);
    client!(logs, aws_sdk_cloudwatchlogs);
    client!(ssm, aws_sdk_ssm);
    // Emulators do not serve a host name for each bucket.
    client!(s3, aws_sdk_s3, builder, connection => builder.force_path_style(connection.s3_by_path));
}

impl fmt::Debug for Connection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Connection")
            .field("account", &self.account)
            .field("partition", &self.partition)
            .field("region", &self.region)
            .field("endpoint", &self.endpoint)
            .finish_non_exhaustive()
    }
}

/// Variables with endpoints of AWS: for all services, and for each that is called.
const ENDPOINTS: &[&str] = &[
    "AWS_ENDPOINT_URL",
    "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS",
    "AWS_ENDPOINT_URL_EC2",
    "AWS_ENDPOINT_URL_IAM",
    "AWS_ENDPOINT_URL_KMS",
    "AWS_ENDPOINT_URL_ORGANIZATIONS",
    "AWS_ENDPOINT_URL_S3",
    "AWS_ENDPOINT_URL_SSM",
    "AWS_ENDPOINT_URL_STS",
];

/// Refuses an endpoint that is empty, with which the SDK panics.
fn check_endpoints(settings: &ConnectionSettings, environment: &Env) -> Result<(), ConnectionError> {
    let flag = settings.endpoint_url.iter().filter(|url| url.is_empty()).map(|_| "--endpoint-url");
    let set = |name: &&&str| environment.get(name).is_ok_and(|url| url.is_empty());
    let mut empty = flag.chain(ENDPOINTS.iter().filter(set).copied());
    empty.next().map_or(Ok(()), |name| {
        let problem = format!("{name} is set and has no value: leave it out, or give it a URL");
        Err(ConnectionError::Configuration(problem))
    })
}

async fn load(settings: &ConnectionSettings) -> Result<SdkConfig, ConnectionError> {
    let (files, environment) = (Fs::real(), Env::real());
    check_endpoints(settings, &environment)?;
    let profile = settings.profile.clone().map(Into::into);
    let profiles = aws_config::profile::load(&files, &environment, &EnvConfigFiles::default(), profile)
        .await
        .map_err(|error| ConnectionError::Configuration(error.to_string()))?;
    let selected = profiles.selected_profile();
    if selected != "default" && profiles.get_profile(selected).is_none() {
        let mut known: Vec<String> = profiles.profiles().map(str::to_owned).collect();
        known.sort();
        return Err(ConnectionError::NoProfile { profile: selected.to_owned(), known });
    }
    let Timeouts { connect, read, attempt, operation } = settings.timeouts;
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(connect)
        .read_timeout(read)
        .operation_attempt_timeout(attempt)
        .operation_timeout(operation)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(settings.carrier.client(&environment)?)
        .retry_config(retries(&environment, &profiles)?)
        .timeout_config(timeouts)
        // The timeout of an attempt goes from the first byte to the last: nothing can stall for longer.
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
    // Shows in CloudTrail as the user agent's `app/ssm-audit-VERSION`: a slash is not allowed in it.
    if let Ok(name) = AppName::new(concat!("ssm-audit-", env!("CARGO_PKG_VERSION"))) {
        loader = loader.app_name(name);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some(region) = &settings.region {
        loader = loader.region(aws_config::Region::new(region.as_str().to_owned()));
    }
    if let Some(endpoint) = &settings.endpoint_url {
        loader = loader.endpoint_url(endpoint);
    }
    Ok(loader.load().await)
}

/// The account and the partition of the caller.
fn owner(
    identity: &aws_sdk_sts::operation::get_caller_identity::GetCallerIdentityOutput,
) -> Option<(AccountId, Partition)> {
    let (_, partition) = arn::owner(&Arn::parse(identity.arn()?)?)?;
    Some((identity.account()?.parse().ok()?, partition))
}

/// What the retries of one service of an account in a region share: the SDK's own would have the accounts of a fleet
/// use up each other's retries, and slow each other down.
fn retry_partition(account: &AccountId, service: &str, region: Option<&Region>) -> RetryPartition {
    // The SDK's default has measured nothing since 1970, and would begin at one call in two seconds.
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    RetryPartition::custom(format!("{account} {} {service}", region.map_or("global", Region::as_str)))
        .client_rate_limiter(ClientRateLimiter::new(now.as_secs_f64()))
        .build()
}

/// Whether S3 is at an endpoint that is not AWS's.
fn s3_has_endpoint(config: &SdkConfig) -> bool {
    use aws_types::service_config::ServiceConfigKey;
    let own = || {
        let key = ServiceConfigKey::builder().service_id("s3").env("AWS_ENDPOINT_URL").profile("endpoint_url").build();
        config.service_config().zip(key.ok()).and_then(|(services, key)| services.load_config(key))
    };
    config.endpoint_url().is_some() || own().is_some()
}

/// What to call the endpoint in a message.
fn place(endpoint: Option<&str>, region: &Region) -> String {
    endpoint.map_or_else(|| format!("its endpoint in {region}"), str::to_owned)
}
