//! Outbound HTTP for the component: a pooled client that reaches only the configured host.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use http::uri::Scheme;
use http_body_util::{BodyExt, Limited};
use onepassword_users_core::{BaseUrl, Failure, Redactor, Secret};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tokio::sync::Semaphore;
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

use crate::address::{self, PrivateAddress, Resolver, is_public};
use crate::bindings::steps::exports::automation::connector::steps;
use crate::error::Error;
use crate::manifest::{Manifest, Origins, SharedManifest};
use crate::obstacle::Obstacle;
use crate::proxy::{Proxies, Proxy};
use crate::values::Source;

/// The longest request body, in bytes. It is buffered before it is sent.
const MAX_REQUEST_BODY: usize = 64 * 1024;
/// The most request ids that are logged for one call: the latest ones.
const MAX_REQUEST_IDS: usize = 8;

/// The most requests of one call. A search for 1,000 users by id that are each tried ten times has 10,000.
const MAX_REQUESTS: u32 = 20_000;
/// The most connections of one connector in use at once. A request beyond them waits for one.
const MAX_CONNECTIONS: usize = 64;
/// The most credentials that a connector remembers.
const MAX_CREDENTIALS: u32 = 100;

/// The proxy, TLS and address rules of connections. The default is the strictest: the service's own origins, at public addresses,
/// with verified certificates, through the proxy of the environment if there is one.
#[derive(Debug, Clone, Default)]
pub struct Network {
    /// The proxy.
    pub proxy: Proxy,
    /// A PEM file of CA certificates that are trusted in addition to the system's.
    pub ca_file: Option<PathBuf>,
    /// Origins (`https://host` or `https://host:port`) that a setting may name, in addition to the service's own, which the
    /// component's manifest lists. The credentials are sent to the origin that the setting names, so list only those that may
    /// have them. None by default: people who may edit settings are often not allowed to see secrets.
    pub allowed_origins: Vec<String>,
    /// Allows a setting to name any loopback address (`localhost`, `127.0.0.0/8`, `::1`) as the origin: for tests, and for
    /// services on the same machine. Off by default.
    pub allow_loopback: bool,
    /// Allows private, link-local and other addresses that are not on the public Internet. Off by default, so that a name
    /// cannot lead into the platform's own network. With a proxy, the proxy decides for names, and may have a private address
    /// itself.
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
    /// A permit for each connection in use.
    connections: Arc<Semaphore>,
    /// True if a change may only be sent after the audit hook has recorded it.
    is_audited: bool,
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
    /// The origin that the call may reach, once it is known, or the reason why it may reach none.
    origin: Option<Result<BaseUrl, Obstacle>>,
    /// The reason why the latest request was not sent, or got no response.
    obstacle: Option<Obstacle>,
    /// True once the audit hook has recorded the change that the call is about to make.
    pub(crate) is_recorded: bool,
    /// True once a request was sent that may have changed something: any but a GET, and but for the one for a token.
    pub(crate) has_sent_change: bool,
    /// Set at the first denied request, so that later ones are not logged.
    is_denial_logged: bool,
}

/// Sends the requests of guests over pooled connections. The caller decides which hosts a guest may reach; the client itself
/// refuses private addresses unless the [`Network`] allows them, except a loopback address that is written in the URL. Clones
/// share their connections.
#[derive(Clone)]
pub struct Client(Arc<Clients>);

/// One client per kind of connection, created when it is first used: loading the system's root certificates takes
/// milliseconds, and plain HTTP does not need them.
struct Clients {
    network: Network,
    certificates: Vec<reqwest::Certificate>,
    proxies: Proxies,
    service: OnceLock<Result<reqwest::Client, Obstacle>>,
    loopback: OnceLock<Result<reqwest::Client, Obstacle>>,
    plain: OnceLock<Result<reqwest::Client, Obstacle>>,
}

impl Client {
    /// Creates a client. It opens no connection yet.
    ///
    /// # Errors
    ///
    /// [`Error::Options`] if the CA file cannot be read or has no certificate, if the proxy is not a URL, or if an allowed origin
    /// is not one. A proxy of the environment that cannot be used fails the requests that it would carry.
    pub fn new(network: Network) -> Result<Self, Error> {
        let certificates = match &network.ca_file {
            Some(path) => certificates(path).map_err(|problem| {
                Error::Options(format!("the CA file {} (Network.ca_file): {problem}", path.display()))
            })?,
            None => Vec::new(),
        };
        let proxies = Proxies::new(&network.proxy).map_err(Error::Options)?;
        for origin in &network.allowed_origins {
            BaseUrl::parse(origin).map_err(|error| Error::Options(format!("Network.allowed_origins: {error}")))?;
        }
        let [service, loopback, plain] = [const { OnceLock::new() }; 3];
        Ok(Self(Arc::new(Clients { network, certificates, proxies, service, loopback, plain })))
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
        self.exchange(request).await.map_err(|failed| failed.code)
    }

    async fn exchange(&self, request: http::Request<WasiBody>) -> Result<Answer, Failed> {
        let client = self.0.client(request.uri())?;
        let (mut parts, body) = request.into_parts();
        if let Some(credentials) = parts.headers.get_mut(http::header::AUTHORIZATION) {
            credentials.set_sensitive(true);
        }
        let body = match Limited::new(body, MAX_REQUEST_BODY).collect().await {
            Ok(body) => body.to_bytes(),
            Err(_) => return Err(HttpError::HttpRequestBodySize(None).into()),
        };
        let (method, uri) = (parts.method.clone(), parts.uri.clone());
        let request = http::Request::from_parts(parts, reqwest::Body::from(body));
        let request = reqwest::Request::try_from(request).map_err(|_| HttpError::HttpRequestUriInvalid)?;
        let response = client.execute(request).await.map_err(|error| self.0.failed(&error, &uri))?;
        tracing::debug!(%method, path = uri.path(), status = response.status().as_u16(), "exchange");
        let response = http::Response::<reqwest::Body>::from(response);
        let body = |body: reqwest::Body| body.map_err(|error| error_code(&error)).boxed_unsync();
        Ok((response.map(body), Box::new(async { Ok(()) })))
    }
}

/// A request without a response: the code for the component, and the words of this host if it knows more.
pub(crate) struct Failed {
    code: HttpError,
    obstacle: Option<Obstacle>,
}

impl From<HttpError> for Failed {
    fn from(code: HttpError) -> Self {
        Self { code, obstacle: None }
    }
}

impl From<Obstacle> for Failed {
    fn from(obstacle: Obstacle) -> Self {
        Self { code: obstacle.error_code(), obstacle: Some(obstacle) }
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
        is_audited: bool,
    ) -> Result<Self, Error> {
        Ok(Self {
            settings,
            manifest,
            lookup_timeout,
            client: Client::new(network)?,
            connections: Arc::new(Semaphore::new(MAX_CONNECTIONS)),
            is_audited,
            stats: Arc::default(),
            credentials: Arc::default(),
        })
    }

    /// Resets the counters for a call.
    pub(crate) fn reset_stats(&self) {
        *self.stats() = CallStats::default();
    }

    /// Notes a credential that is handed out to the component, or that it sends.
    pub(crate) fn hand_out(&self, value: &str) {
        self.credentials.lock().unwrap_or_else(PoisonError::into_inner).add(value);
    }

    pub(crate) fn stats(&self) -> MutexGuard<'_, CallStats> {
        self.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// True if no connection is in use.
    pub(crate) fn is_idle(&self) -> bool {
        self.connections.available_permits() == MAX_CONNECTIONS
    }

    /// Puts this host's words into the failure of a request that it did not send or that got no response: the component knows
    /// less of the cause, and nothing of the options that help.
    pub(crate) fn explain(&self, error: Error) -> Error {
        match (error, &self.stats().obstacle) {
            (Error::Action(failure), Some(obstacle)) => Error::Action(obstacle.explain(failure)),
            (error, _) => error,
        }
    }

    /// As [`explain`](Self::explain), for the failure of one user of several.
    pub(crate) fn explain_failure(&self, failure: Failure) -> Failure {
        match &self.stats().obstacle {
            Some(obstacle) => obstacle.explain(failure),
            None => failure,
        }
    }

    fn note(&self, failed: &Failed) {
        if let Some(obstacle) = &failed.obstacle {
            self.stats().obstacle = Some(obstacle.clone());
        }
    }

    /// True if a request may be sent. Counts it, and notes its credentials. The first one that may not is logged.
    async fn admits(&self, method: &http::Method, uri: &http::Uri, headers: &http::HeaderMap) -> bool {
        let is_change = *method != http::Method::GET && !uri.path().ends_with("/token");
        // Another connector may search with a POST: there, the class of the action says what it does.
        let needs_record = is_change && self.is_audited && self.manifest.get().is_some_and(Manifest::is_own);
        let allowed = self.allows(uri).await;
        let mut stats = self.stats();
        let refusal = match allowed {
            Err(obstacle) => Some(obstacle),
            Ok(()) if stats.requests >= MAX_REQUESTS => Some(Some(Obstacle::too_many_requests(MAX_REQUESTS))),
            Ok(()) if needs_record && !stats.is_recorded => Some(Some(Obstacle::not_recorded())),
            Ok(()) => None,
        };
        if let Some(obstacle) = refusal {
            stats.obstacle = obstacle;
            if !std::mem::replace(&mut stats.is_denial_logged, true) {
                let host = uri.host().map(|host| host.chars().take(256).collect::<String>());
                tracing::warn!(host, "a request to this host was denied");
            }
            return false;
        }
        stats.obstacle = None;
        stats.requests += 1;
        stats.has_sent_change |= is_change;
        drop(stats);
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

    /// Fails unless the URI has the origin that the component's rules and settings name, the only one that it may reach. The
    /// setting is looked up once in a call.
    async fn allows(&self, uri: &http::Uri) -> Result<(), Option<Obstacle>> {
        let known = self.stats().origin.clone();
        let origin = match known {
            Some(origin) => origin,
            None => {
                // A failed look-up is not remembered: the next one may succeed.
                let origin = self.origin().await.ok_or(None)?;
                self.stats().origin = Some(origin.clone());
                origin
            }
        };
        let base_url = origin.map_err(Some)?;
        let is_same = uri.scheme_str() == Some(base_url.scheme().as_str())
            && uri.authority().is_some_and(|authority| authority.as_str() == base_url.authority());
        if !is_same {
            return Err(None);
        }
        if !self.client.permits(uri) {
            return Err(Some(Obstacle::private(uri.host().unwrap_or_default(), None)));
        }
        Ok(())
    }

    /// The origin of the setting that the component's description names, or its default, if it may be reached. `None` if the
    /// description is not known, or the setting cannot be read or parsed: then no request is allowed.
    async fn origin(&self) -> Option<Result<BaseUrl, Obstacle>> {
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
        let base_url = BaseUrl::parse(text.unwrap_or(&origins.default)).ok()?;
        Some(self.client.0.network.allows(&base_url, origins).map(|()| base_url))
    }
}

impl Clients {
    /// The client for a URI. Fails if a proxy that cannot be used would carry the request.
    fn client(&self, uri: &http::Uri) -> Result<reqwest::Client, Obstacle> {
        let is_loopback = address::is_loopback(uri);
        if !is_loopback {
            self.proxies.problem(uri).map_err(Obstacle::unusable_proxy)?;
        }
        let is_plain = uri.scheme() == Some(&Scheme::HTTP);
        let client = match (is_loopback, is_plain) {
            (false, _) => &self.service,
            (true, false) => &self.loopback,
            (true, true) => &self.plain,
        };
        client
            .get_or_init(|| self.build(is_loopback, is_plain).map_err(|problem| Obstacle::tls_setup(&problem)))
            .clone()
    }

    fn build(&self, is_loopback: bool, is_plain: bool) -> Result<reqwest::Client, String> {
        // Fails if the embedding program has installed a provider already, which is then used.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let allow_private = is_loopback || self.network.allow_private;
        let mut client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .pool_max_idle_per_host(MAX_CONNECTIONS)
            .dns_resolver(Arc::new(Resolver { allow_private, proxies: self.proxies.hosts() }))
            .tls_danger_accept_invalid_certs(self.network.insecure);
        if is_plain && is_loopback {
            client = client.tls_certs_only([]);
        } else {
            client = client.tls_certs_merge(self.certificates.clone());
        }
        client = if is_loopback { client.no_proxy() } else { self.proxies.apply(client)? };
        client.build().map_err(|error| chain(&error))
    }

    /// The failure of a request that was sent, or could not be.
    fn failed(&self, error: &reqwest::Error, uri: &http::Uri) -> Failed {
        let proxy = self.proxies.problem(uri).ok().flatten().filter(|_| !address::is_loopback(uri));
        let code = error_code(error);
        if !error.is_connect() {
            return code.into();
        }
        let causes = causes(error);
        let origin =
            || format!("{}://{}", uri.scheme_str().unwrap_or_default(), uri.authority().map_or("", |a| a.as_str()));
        let tunnel = causes.iter().map(ToString::to_string).find(|cause| cause.starts_with(TUNNEL));
        if let Some(private) = causes.iter().find_map(|cause| cause.downcast_ref::<PrivateAddress>()) {
            return Obstacle::private(&private.name, Some(private.address)).into();
        }
        let certificate = causes.iter().find_map(|cause| match cause.downcast_ref() {
            Some(rustls::Error::InvalidCertificate(problem)) => Some(problem),
            _ => None,
        });
        if let Some(problem) = certificate {
            return Obstacle::certificate(&origin(), problem, proxy.is_some()).into();
        }
        match (tunnel, proxy) {
            (Some(tunnel), Some(proxy)) if tunnel.ends_with("proxy authorization required") => {
                Obstacle::proxy_credentials(proxy).into()
            }
            (Some(_), Some(proxy)) => {
                Failed { code, obstacle: Some(Obstacle::proxy_failed(proxy, &origin(), &chain(error))) }
            }
            _ => code.into(),
        }
    }
}

/// The beginning of the error of a proxy that does not connect, in the words of hyper-util, whose type is not public.
const TUNNEL: &str = "tunnel error: ";

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
        self.allow_private || address::of_uri(uri).is_none_or(|ip| address::is_loopback(uri) || is_public(ip))
    }

    /// Fails unless credentials may be sent to this origin: it is the service's, or the embedder allows it.
    fn allows(&self, base_url: &BaseUrl, origins: &Origins) -> Result<(), Obstacle> {
        let is_same = |text: &String| {
            BaseUrl::parse(text).is_ok_and(|allowed| {
                (allowed.scheme(), allowed.authority()) == (base_url.scheme(), base_url.authority())
            })
        };
        let origin = base_url.origin();
        let is_loopback = origin.parse().is_ok_and(|uri| address::is_loopback(&uri));
        if self.allowed_origins.iter().any(is_same) {
            return Ok(());
        }
        match is_loopback {
            true if self.allow_loopback => Ok(()),
            false if origins.allowed.iter().chain([&origins.default]).any(is_same) => Ok(()),
            _ => Err(Obstacle::origin(origins.setting.as_deref(), &origin, is_loopback)),
        }
    }
}

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
        // Waits for other requests of the connector, if there are many.
        let _connection = self.connections.acquire().await;
        let failed = |failed: Failed| {
            self.note(&failed);
            transport_error(failed.code)
        };
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let client = self.client.0.client(&uri).map_err(|obstacle| failed(obstacle.into()))?;
        let request =
            reqwest::Request::try_from(request).map_err(|_| fault(steps::TransportFault::Internal, "the URL"))?;
        let answer = tokio::time::timeout(idle, client.execute(request)).await.map_err(is_late)?;
        let mut answer = answer.map_err(|error| failed(self.client.0.failed(&error, &uri)))?;
        tracing::debug!(%method, path = uri.path(), status = answer.status().as_u16(), "exchange");
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
            match chunk.map_err(|error| transport_error(error_code(&error)))? {
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

/// The fault of a failed request.
fn transport_error(code: HttpError) -> steps::TransportError {
    match code {
        HttpError::DnsError { rcode, .. } => fault(steps::TransportFault::Dns, &rcode.unwrap_or_default()),
        HttpError::TlsCertificateError => fault(steps::TransportFault::Certificate, ""),
        HttpError::TlsProtocolError => fault(steps::TransportFault::Tls, ""),
        HttpError::DestinationIpProhibited | HttpError::HttpRequestDenied => fault(steps::TransportFault::Denied, ""),
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
            // Waits for other requests of the connector, if there are many.
            let connection = outbound.connections.clone().acquire_owned().await;
            let answer = outbound.client.exchange(request).await.map_err(|failed| {
                outbound.note(&failed);
                failed.code
            });
            let (response, rest) = answer?;
            outbound.note_request_id(response.headers());
            // The connection is in use until the body is dropped.
            let held = |body: WasiBody| {
                body.map_frame(move |frame| {
                    let _connection = &connection;
                    frame
                })
                .boxed_unsync()
            };
            Ok((response.map(held), rest))
        })
    }
}

/// A response, and a future for the rest of the exchange, which is ready at once.
pub type Answer = (http::Response<WasiBody>, Box<dyn Future<Output = Result<(), HttpError>> + Send>);

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

/// The certificates of a PEM file. A bad one is an error here, since a client would report it for each request.
fn certificates(path: &std::path::Path) -> Result<Vec<reqwest::Certificate>, String> {
    let pem = std::fs::read(path).map_err(|error| error.to_string())?;
    let mut certificates = Vec::new();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let number = certificates.len() + 1;
        let certificate = certificate.map_err(|error| format!("certificate {number} is not valid PEM: {error}"))?;
        let added = rustls::RootCertStore::empty().add(certificate.clone());
        added.map_err(|error| format!("certificate {number} cannot be used: {error}"))?;
        certificates.push(reqwest::Certificate::from_der(&certificate).map_err(|error| chain(&error))?);
    }
    if certificates.is_empty() { Err("it has no certificate in PEM format".into()) } else { Ok(certificates) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::values::Value;

    fn outbound(is_audited: bool) -> Outbound {
        let manifest = SharedManifest::default();
        manifest.set(Manifest::parse(&onepassword_users_core::manifest()).unwrap()).unwrap();
        let settings: Arc<dyn Source> = Arc::new(BTreeMap::<String, Value>::new());
        Outbound::new(Network::default(), settings, manifest, Duration::from_secs(1), is_audited).unwrap()
    }

    async fn admits(outbound: &Outbound, method: &http::Method, path: &str) -> bool {
        let uri = format!("https://api.1password.com{path}").parse().unwrap();
        outbound.admits(method, &uri, &http::HeaderMap::new()).await
    }

    #[tokio::test]
    async fn row_57_the_requests_of_a_call_are_bounded() {
        let outbound = outbound(false);
        assert!(admits(&outbound, &http::Method::GET, "/v1").await);
        outbound.stats().requests = MAX_REQUESTS;
        assert!(!admits(&outbound, &http::Method::GET, "/v1").await);
        outbound.reset_stats();
        assert!(admits(&outbound, &http::Method::GET, "/v1").await, "the next call has its own");
    }

    #[tokio::test]
    async fn a_change_without_a_record_is_denied_if_there_is_a_hook() {
        let (get, post) = (http::Method::GET, http::Method::POST);
        let audited = outbound(true);
        assert!(admits(&audited, &get, "/v1/accounts/A/users/U").await);
        assert!(admits(&audited, &post, "/v1/users/oauth2/token").await);
        for method in [&post, &http::Method::PUT, &http::Method::DELETE] {
            assert!(!admits(&audited, method, "/v1/accounts/A/users/U:suspend").await, "{method}");
        }
        assert!(!audited.stats().has_sent_change);
        audited.stats().is_recorded = true;
        assert!(admits(&audited, &post, "/v1/accounts/A/users/U:suspend").await);
        assert!(admits(&outbound(false), &post, "/v1/accounts/A/users/U:suspend").await);
    }
}
