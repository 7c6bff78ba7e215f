//! Outbound HTTP for the component: one pooled client, to the configured host alone.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use http::uri::Scheme;
use http_body_util::{BodyExt, Limited};
use onepassword_users_core::BaseUrl;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

use crate::error::Error;
use crate::values::Source;

/// The longest body of a request, in bytes: it is collected before it is sent.
const MAX_REQUEST_BODY: usize = 64 * 1024;

/// Which proxy carries the requests. A loopback address is always reached directly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// None.
    None,
    /// As the environment says: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.
    #[default]
    Environment,
    /// This one (`http://host:port`).
    Url(String),
}

/// How connections are made.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// Which proxy to use.
    pub proxy: Proxy,
    /// A file of CA certificates in PEM, which are trusted beside the system's.
    pub ca_file: Option<PathBuf>,
    /// Reach private, link-local and other addresses that are not on the public Internet. Off, so that a `base-url` cannot
    /// lead into the platform's own network. Loopback addresses that stand in `base-url` as such are always reached, and
    /// through a proxy it is the proxy that decides.
    pub allow_private: bool,
    /// Accept any TLS certificate. Whoever is on the way can then read the credentials: for tests alone.
    pub insecure: bool,
}

/// The way out for one connector. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Outbound {
    settings: Arc<dyn Source>,
    client: Client,
    trail: Arc<Mutex<Trail>>,
}

/// What one call sent, for the log.
#[derive(Default)]
pub(crate) struct Trail {
    pub(crate) requests: u32,
    /// Those that the service gives its answers, if it does: the latest few.
    pub(crate) request_ids: Vec<String>,
    /// How many values were asked for.
    pub(crate) lookups: u32,
    /// Whether a request was denied: of many, only the first is logged.
    denied: bool,
}

/// Sends what guests want to be sent, over connections that are kept. Which hosts a guest may reach is for its caller to
/// decide; private addresses are refused here, unless the [`Network`] allows them. Clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Clients>);

/// A client for each way of connecting, made when it is first needed: loading the system's root certificates takes
/// milliseconds, and without TLS nobody needs them.
struct Clients {
    network: Network,
    certificates: Vec<reqwest::Certificate>,
    proxy: Option<reqwest::Proxy>,
    service: OnceLock<Result<reqwest::Client, String>>,
    loopback: OnceLock<Result<reqwest::Client, String>>,
    plain: OnceLock<Result<reqwest::Client, String>>,
}

impl Client {
    /// A client that has no connections yet.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] if the certificates or the proxy cannot be used.
    pub fn new(network: Network) -> Result<Self, Error> {
        let certificates = match &network.ca_file {
            Some(path) => certificates(path)
                .map_err(|problem| Error::Options(format!("the CA file {}: {problem}", path.display())))?,
            None => Vec::new(),
        };
        let proxy = match &network.proxy {
            Proxy::Url(url) => {
                // The URL itself may hold a password.
                let proxy = reqwest::Proxy::all(url)
                    .map_err(|_| Error::Options("the proxy is not a URL such as http://host:port".into()))?;
                Some(proxy.no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.0/8,::1")))
            }
            Proxy::None | Proxy::Environment => None,
        };
        let [service, loopback, plain] = [const { OnceLock::new() }; 3];
        Ok(Self(Arc::new(Clients { network, certificates, proxy, service, loopback, plain })))
    }

    /// Whether an address that stands in the URI itself may be reached.
    fn permits(&self, uri: &http::Uri) -> bool {
        self.0.network.permits(uri)
    }

    /// Sends a request of a guest's, for [`WasiHttpHooks::send_request`]. Its body is collected first, and its answer streamed.
    ///
    /// # Errors
    ///
    /// Why there is no answer, in the terms of `wasi:http`.
    pub async fn send(&self, request: http::Request<WasiBody>) -> Result<Answer, HttpError> {
        if !self.permits(request.uri()) {
            return Err(HttpError::HttpRequestDenied);
        }
        let client = self.0.client(request.uri()).map_err(|problem| HttpError::InternalError(Some(problem)))?;
        exchange(&client, request).await
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("network", &self.0.network).finish_non_exhaustive()
    }
}

impl Outbound {
    pub(crate) fn new(network: Network, settings: Arc<dyn Source>) -> Result<Self, Error> {
        Ok(Self { settings, client: Client::new(network)?, trail: Arc::default() })
    }

    /// What was sent since the last call of this.
    pub(crate) fn take_trail(&self) -> Trail {
        std::mem::take(&mut self.trail())
    }

    pub(crate) fn trail(&self) -> MutexGuard<'_, Trail> {
        self.trail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the component may speak to this origin: only to the one of the setting `base-url`.
    fn allows(&self, uri: &http::Uri) -> bool {
        let base_url = match self.settings.get("base-url") {
            Ok(Some(text)) if !text.trim().is_empty() => BaseUrl::parse(&text).map_err(|error| error.to_string()),
            Ok(_) => Ok(BaseUrl::default()),
            Err(error) => Err(error.to_string()),
        };
        base_url.is_ok_and(|base_url| {
            uri.scheme_str() == Some(base_url.scheme().as_str())
                && uri.authority().is_some_and(|authority| authority.as_str() == base_url.authority())
        })
    }
}

impl Clients {
    fn client(&self, uri: &http::Uri) -> Result<reqwest::Client, String> {
        let is_loopback = uri.host() == Some("localhost") || address(uri).is_some_and(|ip| ip.is_loopback());
        let is_plain = uri.scheme() == Some(&Scheme::HTTP);
        let client = match (is_loopback, is_plain) {
            (false, _) => &self.service,
            (true, false) => &self.loopback,
            (true, true) => &self.plain,
        };
        client.get_or_init(|| self.build(is_loopback, is_plain)).clone()
    }

    fn build(&self, is_loopback: bool, is_plain: bool) -> Result<reqwest::Client, String> {
        // Fails if the embedding program has chosen a provider: then that one serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let mut client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tls_danger_accept_invalid_certs(self.network.insecure);
        if !is_loopback && !self.network.allow_private {
            client = client.dns_resolver(Arc::new(PublicOnly { proxies: self.network.proxies() }));
        }
        if is_plain {
            client = client.tls_certs_only([]);
        } else {
            client = client.tls_certs_merge(self.certificates.clone());
        }
        match (&self.network.proxy, &self.proxy) {
            _ if is_loopback => client = client.no_proxy(),
            (Proxy::None, _) => client = client.no_proxy(),
            (_, Some(proxy)) => client = client.proxy(proxy.clone()),
            (_, None) => {}
        }
        client.build().map_err(|error| chain(&error))
    }
}

impl Trail {
    /// Keeps the id that the service gave its answer. Whatever it holds, it stays one short word.
    fn remember(&mut self, headers: &http::HeaderMap) {
        let id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
        if let Some(id) = id.filter(|id| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')) {
            if self.request_ids.len() == 8 {
                self.request_ids.remove(0);
            }
            self.request_ids.push(id.to_owned());
        }
    }
}

impl Network {
    /// Whether an address that stands in the URI itself may be reached. A loopback address there is meant as such.
    fn permits(&self, uri: &http::Uri) -> bool {
        self.allow_private || address(uri).is_none_or(|ip| ip.is_loopback() || is_public(ip))
    }

    /// The names of the proxies, which may be private.
    fn proxies(&self) -> Vec<String> {
        let variables = ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
        let urls = match &self.proxy {
            Proxy::None => Vec::new(),
            Proxy::Url(url) => vec![url.clone()],
            Proxy::Environment => variables.iter().filter_map(|name| std::env::var(name).ok()).collect(),
        };
        let host = |url: &String| {
            let url = reqwest::Url::parse(url).or_else(|_| reqwest::Url::parse(&format!("http://{url}"))).ok()?;
            url.host_str().map(str::to_ascii_lowercase)
        };
        urls.iter().filter_map(host).collect()
    }
}

/// The address that stands in a URI in place of a name.
fn address(uri: &http::Uri) -> Option<IpAddr> {
    uri.host()?.trim_matches(['[', ']']).parse().ok()
}

/// Whether an address is on the public Internet (IANA's special-purpose registries, as far as they matter here).
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            !(ip.is_private()
                || ip.is_loopback()
                || ip.is_link_local()
                || ip.is_unspecified()
                || ip.is_broadcast()
                || ip.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || (a == 198 && (18..20).contains(&b)))
        }
        IpAddr::V6(ip) => match (ip.to_ipv4_mapped(), ip.segments()) {
            (Some(ip), _) => is_public(ip.into()),
            // Addresses of IPv4 behind a translator.
            (None, [0x64, 0xff9b, 0, 0, 0, 0, high, low]) => {
                is_public(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into())
            }
            (None, [first, ..]) => (0x2000..0x4000).contains(&first),
        },
    }
}

/// Resolves names to public addresses only, so that no name but a proxy's leads into a private network.
struct PublicOnly {
    proxies: Vec<String>,
}

impl reqwest::dns::Resolve for PublicOnly {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let is_proxy = self.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let public: Vec<_> = found.iter().copied().filter(|address| is_proxy || is_public(address.ip())).collect();
            if public.is_empty() && !found.is_empty() {
                return Err(Box::new(Private) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(public.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// A name that leads to private addresses only.
#[derive(Debug)]
struct Private;

impl std::fmt::Display for Private {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name leads to a private address, which is not allowed")
    }
}

impl std::error::Error for Private {}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        // The component bounds every wait itself.
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, HttpError>> + Send> {
        if !self.allows(request.uri()) || !self.client.permits(request.uri()) {
            let first = !std::mem::replace(&mut self.trail().denied, true);
            if first {
                let host = request.uri().host().map(|host| host.chars().take(256).collect::<String>());
                tracing::warn!(host, "the component may not speak to this host");
            }
            return Box::new(async { Err(HttpError::HttpRequestDenied) });
        }
        let (client, trail) = (self.client.clone(), self.trail.clone());
        Box::new(async move {
            let lock = || trail.lock().unwrap_or_else(PoisonError::into_inner);
            lock().requests += 1;
            let answer = client.send(request).await?;
            lock().remember(answer.0.headers());
            Ok(answer)
        })
    }
}

/// An answer, and what is still to come of the exchange: nothing.
pub type Answer = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>);

async fn exchange(client: &reqwest::Client, request: http::Request<WasiBody>) -> Result<Answer, HttpError> {
    let (mut parts, body) = request.into_parts();
    if let Some(credentials) = parts.headers.get_mut(http::header::AUTHORIZATION) {
        credentials.set_sensitive(true);
    }
    let body = match Limited::new(body, MAX_REQUEST_BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(_) => return Err(HttpError::HttpRequestBodySize(None)),
    };
    let (method, path) = (parts.method.clone(), parts.uri.path().to_owned());
    let request = http::Request::from_parts(parts, reqwest::Body::from(body));
    let request = reqwest::Request::try_from(request).map_err(|_| HttpError::HttpRequestUriInvalid)?;
    let response = client.execute(request).await.map_err(|error| fault(&error))?;
    tracing::debug!(%method, path, status = response.status().as_u16(), "exchange");
    let response = http::Response::<reqwest::Body>::from(response);
    Ok((response.map(|body| body.map_err(|error| fault(&error)).boxed_unsync()), Box::new(async { Ok(()) })))
}

/// What failed, in the terms of `wasi:http`. Those of the causes that its codes cannot carry are logged.
fn fault(error: &reqwest::Error) -> HttpError {
    let causes = causes(error);
    let text = || chain(error);
    // What breaks later broke after the request may have arrived, whatever broke it.
    if !error.is_connect() {
        tracing::debug!(cause = text(), "the connection broke");
        return HttpError::ConnectionTerminated;
    }
    if causes.iter().any(|cause| matches!(cause.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))) {
        tracing::warn!(cause = text(), "the TLS certificate of the service is not accepted");
        return HttpError::TlsCertificateError;
    }
    if causes.iter().any(|cause| cause.is::<rustls::Error>()) {
        tracing::warn!(cause = text(), "TLS failed");
        return HttpError::TlsProtocolError;
    }
    let io = causes.iter().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    if causes.iter().any(|cause| cause.is::<Private>()) {
        tracing::warn!(cause = text(), "no connection");
        return HttpError::DestinationIpProhibited;
    }
    tracing::debug!(cause = text(), "no connection");
    match io {
        _ if causes.iter().any(|cause| cause.to_string() == "dns error") => {
            HttpError::DnsError { rcode: causes.last().map(ToString::to_string), info_code: None }
        }
        Some(std::io::ErrorKind::ConnectionRefused) => HttpError::ConnectionRefused,
        Some(std::io::ErrorKind::TimedOut) => HttpError::ConnectionTimeout,
        Some(std::io::ErrorKind::HostUnreachable | std::io::ErrorKind::NetworkUnreachable) => {
            HttpError::DestinationIpUnroutable
        }
        _ => {
            tracing::warn!(cause = text(), "no connection could be made");
            HttpError::DestinationUnavailable
        }
    }
}

/// An error and everything below it. An `io::Error` hides what it wraps from `source`.
fn causes<'a>(error: &'a (dyn std::error::Error + 'static)) -> Vec<&'a (dyn std::error::Error + 'static)> {
    let mut causes = vec![error];
    let mut next = error.source();
    while let Some(cause) = next {
        causes.push(cause);
        next = match cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(wrapped) => Some(wrapped),
            None => cause.source(),
        };
    }
    causes
}

/// All causes in one line, without the URL, each text once.
fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = causes(error).iter().skip(1).map(ToString::to_string).collect();
    texts.dedup();
    if texts.is_empty() { "unknown".into() } else { texts.join(": ") }
}

fn certificates(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err("it holds no certificate in PEM".into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_told_from_others() {
        for ip in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1111", "64:ff9b::808:808", "::ffff:8.8.8.8"] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "127.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:10.0.0.1",
            "64:ff9b::a00:1",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_a_private_address_is_not_resolved() {
        use reqwest::dns::Resolve;
        let error = PublicOnly { proxies: Vec::new() }.resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(error.is::<Private>(), "{error}");
        let network = Network { proxy: Proxy::Url("http://user:pw@LocalHost:3128".into()), ..Network::default() };
        let addresses = PublicOnly { proxies: network.proxies() }.resolve("localhost".parse().unwrap()).await;
        assert!(addresses.is_ok_and(|mut addresses| addresses.next().is_some()), "but a proxy's is");
    }
}
