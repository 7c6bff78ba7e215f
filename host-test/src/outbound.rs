//! Outbound HTTP for the component: a pooled client that reaches only the configured host.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::uri::Scheme;
use http_body_util::{BodyExt, Limited};
use onepassword_users_core::{BaseUrl, Redactor, Secret};
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

use crate::bindings::steps::exports::automation::connector::steps;
use crate::error::Error;
use crate::manifest::SharedManifest;
use crate::values::Source;

/// The longest request body, in bytes. It is buffered before it is sent.
const MAX_REQUEST_BODY: usize = 64 * 1024;
/// The most request ids that are logged for one call: the latest ones.
const MAX_REQUEST_IDS: usize = 8;

/// The most credentials that a connector remembers.
const MAX_CREDENTIALS: u32 = 100;

/// The proxy of the requests. Loopback addresses are always reached directly.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// No proxy.
    None,
    /// The proxy of the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY`, `NO_PROXY`.
    #[default]
    Environment,
    /// The proxy at this URL (`http://host:port`).
    Url(String),
}

/// The proxy, TLS and address rules of connections.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The proxy.
    pub proxy: Proxy,
    /// A PEM file of CA certificates that are trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// Allows private, link-local and other addresses that are not on the public Internet. Off by default, so that a
    /// `base-url` cannot point into the platform's own network. A loopback address written in `base-url` is always allowed.
    /// With a proxy, the proxy decides.
    pub allow_private: bool,
    /// Accepts any TLS certificate. Anyone on the network path can then read the credentials: for tests only.
    pub insecure: bool,
}

/// The outbound HTTP of one connector. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Outbound {
    settings: Arc<dyn Source>,
    manifest: SharedManifest,
    lookup_timeout: Duration,
    client: Client,
    stats: Arc<Mutex<CallStats>>,
    credentials: Arc<Mutex<Credentials>>,
}

/// The credentials that a connector handed out, so that no log shows one that the service repeats.
#[derive(Default)]
struct Credentials {
    redactor: Redactor,
    count: u32,
}

impl Credentials {
    fn add(&mut self, value: &str) {
        let value = Secret::new(value.into());
        self.count += u32::from(self.redactor.add(&value));
        // Each renewed token is another value. Those in use come again.
        if self.count > MAX_CREDENTIALS {
            *self = Self::default();
            self.redactor.add(&value);
        }
    }
}

/// Counters of one call, for its log event and its limits.
#[derive(Default)]
pub(crate) struct CallStats {
    pub(crate) requests: u32,
    /// The latest ids from the service's `x-request-id` headers, at most [`MAX_REQUEST_IDS`].
    pub(crate) request_ids: Vec<String>,
    /// The number of look-ups of settings and secrets.
    pub(crate) lookups: u32,
    /// The origin that the call may reach, once it is known. `None` inside if none is.
    origin: Option<Option<BaseUrl>>,
    /// True once a request was sent that may have changed something: any but a GET, and but for the one for a token.
    pub(crate) has_sent_change: bool,
    /// Set at the first denied request, so that later ones are not logged.
    is_denial_logged: bool,
}

/// Sends the requests of guests over pooled connections. The caller decides which hosts a guest may reach; the client itself
/// refuses private addresses unless the [`Network`] allows them. Clones share their connections.
#[derive(Clone)]
pub struct Client(Arc<Clients>);

/// One client per kind of connection, created when it is first used: loading the system's root certificates takes
/// milliseconds, and plain HTTP does not need them.
struct Clients {
    network: Network,
    certificates: Vec<reqwest::Certificate>,
    proxy: Option<reqwest::Proxy>,
    service: OnceLock<Result<reqwest::Client, String>>,
    loopback: OnceLock<Result<reqwest::Client, String>>,
    plain: OnceLock<Result<reqwest::Client, String>>,
}

impl Client {
    /// Creates a client. It opens no connection yet.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] if the CA file cannot be read or the proxy is not a URL.
    pub fn new(network: Network) -> Result<Self, Error> {
        let certificates = match &network.ca_file {
            Some(path) => certificates(path)
                .map_err(|problem| Error::Options(format!("the CA file {}: {problem}", path.display())))?,
            None => Vec::new(),
        };
        let proxy = match &network.proxy {
            Proxy::Url(url) => {
                // The error must not quote the URL: it may contain a password.
                let proxy = reqwest::Proxy::all(url)
                    .map_err(|_| Error::Options("the proxy is not a URL such as http://host:port".into()))?;
                Some(proxy.no_proxy(reqwest::NoProxy::from_string("localhost,127.0.0.0/8,::1")))
            }
            Proxy::None | Proxy::Environment => None,
        };
        let [service, loopback, plain] = [const { OnceLock::new() }; 3];
        Ok(Self(Arc::new(Clients { network, certificates, proxy, service, loopback, plain })))
    }

    /// True if the URI has a host name, or an IP address that may be reached.
    fn permits(&self, uri: &http::Uri) -> bool {
        self.0.network.permits(uri)
    }

    /// Sends a guest's request, for [`WasiHttpHooks::send_request`]. The request body is buffered (up to 64 KiB), and the
    /// response is streamed.
    ///
    /// # Errors
    ///
    /// The `wasi:http` error code for a request that is denied or fails.
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
    pub(crate) fn new(
        network: Network,
        settings: Arc<dyn Source>,
        manifest: SharedManifest,
        lookup_timeout: Duration,
    ) -> Result<Self, Error> {
        Ok(Self {
            settings,
            manifest,
            lookup_timeout,
            client: Client::new(network)?,
            stats: Arc::default(),
            credentials: Arc::default(),
        })
    }

    /// Returns and resets the counters.
    pub(crate) fn take_stats(&self) -> CallStats {
        std::mem::take(&mut self.stats())
    }

    /// Notes a credential that is handed out to the component, or that it sends.
    pub(crate) fn hand_out(&self, value: &str) {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner).add(value);
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, CallStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if a request may be sent. Counts it, and notes its credentials. The first one that may not is logged.
    async fn admits(&self, method: &http::Method, uri: &http::Uri, headers: &http::HeaderMap) -> bool {
        if !self.allows(uri).await || !self.client.permits(uri) {
            let is_first = !std::mem::replace(&mut self.stats().is_denial_logged, true);
            if is_first {
                let host = uri.host().map(|host| host.chars().take(256).collect::<String>());
                tracing::warn!(host, "a request to this host was denied");
            }
            return false;
        }
        {
            let mut stats = self.stats();
            stats.requests += 1;
            stats.has_sent_change |= *method != http::Method::GET && !uri.path().ends_with("/token");
        }
        let authorization = headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        if let Some((_, credentials)) = authorization.and_then(|value| value.split_once(' ')) {
            self.hand_out(credentials);
        }
        true
    }

    /// Records the `x-request-id` of a response, unless it repeats a credential.
    fn note_request_id(&self, headers: &http::HeaderMap) {
        let credentials = self.credentials.lock().unwrap_or_else(PoisonError::into_inner);
        self.stats().record_request_id(headers, &credentials.redactor);
    }

    /// The same access to the network, with counters of its own.
    pub(crate) fn for_one_call(&self) -> Self {
        Self { stats: Arc::default(), ..self.clone() }
    }

    /// True if the URI has the origin that the component's rules and settings name, the only one that it may reach. The setting
    /// is looked up once in a call.
    async fn allows(&self, uri: &http::Uri) -> bool {
        let known = self.stats().origin.clone();
        let origin = match known {
            Some(origin) => origin,
            None => {
                let origin = self.origin().await;
                // A failed look-up is not remembered: the next one may succeed.
                self.stats().origin = origin.clone().map(Some);
                origin
            }
        };
        origin.is_some_and(|base_url| {
            uri.scheme_str() == Some(base_url.scheme().as_str())
                && uri.authority().is_some_and(|authority| authority.as_str() == base_url.authority())
        })
    }

    /// The origin of the setting that the component's description names, or its default. Settings come from the embedding
    /// program, so a setting may name another origin than those of the service. `None` if the description is not known, or the
    /// setting cannot be read or parsed: then no request is allowed.
    async fn origin(&self) -> Option<BaseUrl> {
        let origins = &self.manifest.get()?.origins;
        let value = match &origins.setting {
            Some(name) => {
                let names = [name.as_str()];
                let values = tokio::time::timeout(self.lookup_timeout, self.settings.get(&names)).await.ok()?.ok()?;
                values.into_iter().next()?
            }
            None => None,
        };
        let text = value.as_ref().map(|value| value.as_str()).filter(|text| !text.trim().is_empty());
        BaseUrl::parse(text.unwrap_or(&origins.default)).ok()
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
        // Fails if the embedding program has installed a provider already, which is then used.
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

impl CallStats {
    /// Records the response's `x-request-id`, if it is one short word and no part of a credential.
    fn record_request_id(&mut self, headers: &http::HeaderMap, redactor: &Redactor) {
        let id = headers.get("x-request-id").and_then(|id| id.to_str().ok());
        let is_word = |id: &&str| id.len() <= 64 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        if let Some(id) = id.filter(is_word).filter(|id| redactor.redact(id) == *id) {
            if self.request_ids.len() == MAX_REQUEST_IDS {
                self.request_ids.remove(0);
            }
            self.request_ids.push(id.to_owned());
        }
    }
}

impl Network {
    /// True if the URI has a host name, or an IP address that may be reached. A loopback address in the URI is intended.
    fn permits(&self, uri: &http::Uri) -> bool {
        self.allow_private || address(uri).is_none_or(|ip| ip.is_loopback() || is_public(ip))
    }

    /// The host names of the proxies, which may resolve to private addresses.
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

/// The IP address in a URI, if its host is not a name.
fn address(uri: &http::Uri) -> Option<IpAddr> {
    uri.host()?.trim_matches(['[', ']']).parse().ok()
}

/// True if an address is on the public Internet: not in the relevant ranges of IANA's special-purpose registries.
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
            // NAT64: an IPv4 address behind a translator.
            (None, [0x64, 0xff9b, 0, 0, 0, 0, high, low]) => {
                is_public(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into())
            }
            (None, [first, ..]) => (0x2000..0x4000).contains(&first),
        },
    }
}

/// Resolves names to public addresses only, so that no name leads into a private network. Names of proxies are exempt.
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
                return Err(Box::new(PrivateAddress) as Box<dyn std::error::Error + Send + Sync>);
            }
            Ok(Box::new(public.into_iter()) as reqwest::dns::Addrs)
        })
    }
}

/// A name that resolves to private addresses only.
#[derive(Debug)]
struct PrivateAddress;

impl std::fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("the name resolves to a private address, which is not allowed")
    }
}

impl std::error::Error for PrivateAddress {}

impl Outbound {
    /// Sends the request of a step and reads the whole response.
    pub(crate) async fn exchange(&self, request: steps::Request) -> steps::Event {
        let total = Duration::from_nanos(request.total_timeout);
        match tokio::time::timeout(total, self.exchange_within(request)).await {
            Ok(Ok(response)) => steps::Event::Response(response),
            Ok(Err(error)) => steps::Event::NoResponse(error),
            Err(_) => steps::Event::NoResponse(fault(steps::TransportFault::Timeout, "")),
        }
    }

    async fn exchange_within(&self, request: steps::Request) -> Result<steps::Response, steps::TransportError> {
        let idle = Duration::from_nanos(request.idle_timeout);
        let is_late = |_| fault(steps::TransportFault::Timeout, "");
        let (max_body, changes) = (request.max_body as usize, request.changes.is_some());
        let request = http_request(request).map_err(|problem| fault(steps::TransportFault::Internal, problem))?;
        if !self.admits(request.method(), request.uri(), request.headers()).await {
            return Err(fault(steps::TransportFault::Denied, ""));
        }
        self.stats().has_sent_change |= changes;
        let client = self.client.0.client(request.uri());
        let client = client.map_err(|problem| fault(steps::TransportFault::Internal, &problem))?;
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let request =
            reqwest::Request::try_from(request).map_err(|_| fault(steps::TransportFault::Internal, "the URL"))?;
        let answer = tokio::time::timeout(idle, client.execute(request)).await.map_err(is_late)?;
        let mut answer = answer.map_err(|error| transport_error(&error))?;
        tracing::debug!(%method, path, status = answer.status().as_u16(), "exchange");
        self.note_request_id(answer.headers());
        let (status, url) = (answer.status().as_u16(), answer.url().to_string());
        let mut headers = String::new();
        for (name, value) in answer.headers() {
            headers.push_str(name.as_str());
            headers.push_str(": ");
            headers.push_str(&String::from_utf8_lossy(value.as_bytes()));
            headers.push('\n');
        }
        let mut body = Vec::new();
        loop {
            let chunk = tokio::time::timeout(idle, answer.chunk()).await.map_err(is_late)?;
            match chunk.map_err(|error| transport_error(&error))? {
                None => break,
                Some(chunk) if body.len() + chunk.len() > max_body => {
                    let status = Some(status);
                    return Err(steps::TransportError { status, ..fault(steps::TransportFault::TooLarge, "") });
                }
                Some(chunk) => body.extend_from_slice(&chunk),
            }
        }
        let body = match String::from_utf8(body) {
            Ok(text) => steps::Body::Text(text),
            Err(bytes) => steps::Body::Bytes(bytes.into_bytes()),
        };
        Ok(steps::Response { status, url: Some(url), headers, body, decoded: false })
    }
}

fn fault(fault: steps::TransportFault, detail: &str) -> steps::TransportError {
    steps::TransportError { fault, status: None, detail: detail.into() }
}

/// The request of a step. The error names the part that is not valid.
fn http_request(request: steps::Request) -> Result<http::Request<reqwest::Body>, &'static str> {
    let mut built = http::Request::builder().method(request.method.as_str()).uri(request.url);
    for line in request.headers.lines() {
        let (name, value) = line.split_once(':').ok_or("a header")?;
        built = built.header(name, value.trim());
    }
    if let Some(authorization) = request.authorization {
        let mut value = http::HeaderValue::from_str(&authorization).map_err(|_| "authorization")?;
        value.set_sensitive(true);
        built = built.header(http::header::AUTHORIZATION, value);
    }
    if request.body.as_ref().is_some_and(|body| body.len() > MAX_REQUEST_BODY) {
        return Err("the body");
    }
    // A body without bytes has a length, too.
    if let Some(body) = request.body.as_ref().filter(|body| body.is_empty()) {
        built = built.header(http::header::CONTENT_LENGTH, body.len());
    }
    built.body(request.body.unwrap_or_default().into()).map_err(|_| "the method, the URL or a header")
}

/// The fault of a failed request. The causes that it cannot carry are logged.
fn transport_error(error: &reqwest::Error) -> steps::TransportError {
    match error_code(error) {
        HttpError::DnsError { rcode, .. } => fault(steps::TransportFault::Dns, &rcode.unwrap_or_default()),
        HttpError::TlsCertificateError => fault(steps::TransportFault::Certificate, ""),
        HttpError::TlsProtocolError => fault(steps::TransportFault::Tls, ""),
        HttpError::DestinationIpProhibited => fault(steps::TransportFault::Denied, ""),
        HttpError::ConnectionTimeout => fault(steps::TransportFault::Connect, "it took too long"),
        HttpError::ConnectionRefused | HttpError::DestinationIpUnroutable | HttpError::DestinationUnavailable => {
            fault(steps::TransportFault::Connect, "")
        }
        HttpError::InternalError(problem) => fault(steps::TransportFault::Internal, &problem.unwrap_or_default()),
        _ => fault(steps::TransportFault::Broken, ""),
    }
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        // Ignored: the component bounds every wait itself.
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, HttpError>> + Send> {
        let outbound = self.clone();
        Box::new(async move {
            if !outbound.admits(request.method(), request.uri(), request.headers()).await {
                return Err(HttpError::HttpRequestDenied);
            }
            let answer = outbound.client.send(request).await?;
            outbound.note_request_id(answer.0.headers());
            Ok(answer)
        })
    }
}

/// A response, and a future for the rest of the exchange, which is ready at once.
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
    let response = client.execute(request).await.map_err(|error| error_code(&error))?;
    tracing::debug!(%method, path, status = response.status().as_u16(), "exchange");
    let response = http::Response::<reqwest::Body>::from(response);
    Ok((response.map(|body| body.map_err(|error| error_code(&error)).boxed_unsync()), Box::new(async { Ok(()) })))
}

/// The `wasi:http` error code of a failed request. The causes that a code cannot carry are logged.
fn error_code(error: &reqwest::Error) -> HttpError {
    let causes = causes(error);
    let text = || chain(error);
    // After connecting, the request may have arrived, whatever the cause of the failure.
    if !error.is_connect() {
        tracing::debug!(cause = text(), "the connection broke");
        return HttpError::ConnectionTerminated;
    }
    if causes.iter().any(|cause| matches!(cause.downcast_ref(), Some(rustls::Error::InvalidCertificate(_)))) {
        tracing::warn!(cause = text(), "the TLS certificate of the service was rejected");
        return HttpError::TlsCertificateError;
    }
    if causes.iter().any(|cause| cause.is::<rustls::Error>()) {
        tracing::warn!(cause = text(), "TLS failed");
        return HttpError::TlsProtocolError;
    }
    let io = causes.iter().find_map(|cause| cause.downcast_ref::<std::io::Error>()).map(std::io::Error::kind);
    if causes.iter().any(|cause| cause.is::<PrivateAddress>()) {
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

/// An error and all its causes. An `io::Error` does not return the error that it wraps from `source`.
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

/// The causes in one line, without the URL and without repetitions.
fn chain(error: &reqwest::Error) -> String {
    let mut texts: Vec<String> = causes(error).iter().skip(1).map(ToString::to_string).collect();
    texts.dedup();
    if texts.is_empty() { "unknown".into() } else { texts.join(": ") }
}

fn certificates(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    match reqwest::Certificate::from_pem_bundle(&pem) {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err("it has no certificate in PEM format".into()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_not_public() {
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
    async fn a_name_with_a_private_address_is_not_resolved() {
        use reqwest::dns::Resolve;
        let error = PublicOnly { proxies: Vec::new() }.resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(error.is::<PrivateAddress>(), "{error}");
        let network = Network { proxy: Proxy::Url("http://user:pw@LocalHost:3128".into()), ..Network::default() };
        let addresses = PublicOnly { proxies: network.proxies() }.resolve("localhost".parse().unwrap()).await;
        assert!(addresses.is_ok_and(|mut addresses| addresses.next().is_some()), "a proxy's name is resolved");
    }
}
