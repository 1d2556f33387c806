//! The HTTP client: plain for `http://`, rustls for `https://`, with the proxies of the environment.
//! TLS is set up with the first request that needs it: to load the system's certificates costs more
//! CPU than a whole scan of an emulator.

use std::sync::Arc;

use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_http_client::tls::{Provider, TlsContext, TrustStore};
use aws_smithy_http_client::{Builder, Connector, ConnectorBuilder};
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use http_body_util::Limited;

/// The HTTP client of one connection. `certificates` (PEM), if given, are trusted in place of the
/// system's, as the AWS CLI does with `AWS_CA_BUNDLE`.
///
/// # Errors
/// Where the certificates cannot be used.
pub(crate) fn http_client(certificates: Option<Vec<u8>>) -> Result<SharedHttpClient, String> {
    let context = match certificates {
        None => TlsContext::default(),
        Some(pem) => TlsContext::builder()
            .with_trust_store(TrustStore::empty().with_native_roots(false).with_pem_certificate(pem))
            .build()
            .map_err(|error| error.to_string())?,
    };
    let plain =
        Builder::new().build_with_connector_fn(|settings, components| builder(settings, components).build_http());
    let secure = Builder::new().build_with_connector_fn(move |settings, components| {
        builder(settings, components)
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context.clone())
            .build()
    });
    Ok(SharedHttpClient::new(ByScheme { plain, secure }))
}

fn builder(settings: Option<&HttpConnectorSettings>, components: Option<&RuntimeComponents>) -> ConnectorBuilder {
    let mut builder = Connector::builder().proxy_config(ProxyConfig::from_env());
    builder.set_connector_settings(settings.cloned());
    builder.set_sleep_impl(components.and_then(RuntimeComponents::sleep_impl));
    builder
}

/// The bytes that an answer may have, and an object of S3, which is written to a file as it comes. The largest answers
/// of AWS are pages of a few megabytes.
const LARGEST_ANSWER: usize = 64 << 20;
const LARGEST_DOWNLOAD: usize = 4 << 30;

/// Returns `true` for a request for an object of S3.
fn is_download(uri: &str) -> bool {
    uri.split_once('?').is_some_and(|(_, query)| query.split('&').any(|parameter| parameter == "x-id=GetObject"))
}

/// The body, which fails where it is longer.
fn limited(body: SdkBody, most: usize) -> SdkBody {
    SdkBody::from_body_1_x(Limited::new(body, most))
}

#[derive(Debug)]
struct ByScheme {
    plain: SharedHttpClient,
    secure: SharedHttpClient,
}

impl HttpClient for ByScheme {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(ConnectorByScheme {
            plain: self.plain.http_connector(settings, components),
            secure: self.secure.clone(),
            of: Arc::new((settings.clone(), components.clone())),
        })
    }
}

#[derive(Debug)]
struct ConnectorByScheme {
    plain: SharedHttpConnector,
    secure: SharedHttpClient,
    of: Arc<(HttpConnectorSettings, RuntimeComponents)>,
}

impl HttpConnector for ConnectorByScheme {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let most = if is_download(request.uri()) { LARGEST_DOWNLOAD } else { LARGEST_ANSWER };
        let answer = if request.uri().starts_with("http://") {
            self.plain.call(request)
        } else {
            let (settings, components) = self.of.as_ref();
            self.secure.http_connector(settings, components).call(request)
        };
        HttpConnectorFuture::new(async move { Ok(answer.await?.map(|body| limited(body, most))) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt as _;

    #[tokio::test]
    async fn an_answer_without_end_is_cut_off() {
        let body = |size: usize| limited(SdkBody::from(vec![b'x'; size]), 1_000);
        assert_eq!(body(1_000).collect().await.expect("an answer").to_bytes().len(), 1_000);
        assert!(body(1_001).collect().await.is_err());
    }

    #[test]
    fn objects_of_s3_are_downloads() {
        assert!(is_download("https://b.s3.amazonaws.com/k?x-id=GetObject"));
        assert!(
            !is_download("https://b.s3.amazonaws.com/x-id=GetObject")
                && !is_download("https://b/?x-id=GetObjectTagging")
        );
    }
}
