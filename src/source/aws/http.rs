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

/// The HTTP client of one connection. `certificates` (PEM), if given, are trusted in place of the
/// system's, as the AWS CLI does with `AWS_CA_BUNDLE`.
///
/// # Errors
/// Where the certificates cannot be used.
pub(super) fn http_client(certificates: Option<Vec<u8>>) -> Result<SharedHttpClient, String> {
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
        if request.uri().starts_with("http://") {
            return self.plain.call(request);
        }
        let (settings, components) = self.of.as_ref();
        self.secure.http_connector(settings, components).call(request)
    }
}
