//! The rival: the same calls in native Rust on the HTTP client that the host library uses, with the checks of careful
//! hand-written code: a cached token, a bounded body, and the right user in the answer. It has no retries, no redaction
//! and no sandbox.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

/// Longest accepted body, in bytes.
const MAX_BODY: usize = 4 * 1024 * 1024;
/// Tokens are renewed this long before they expire.
const MARGIN: Duration = Duration::from_secs(60);

/// Address and credentials of the account.
#[derive(Debug, Clone)]
pub(crate) struct Credentials {
    pub(crate) base_url: String,
    pub(crate) account_id: String,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
}

/// A client of one account. Clones share connections and token.
#[derive(Debug, Clone)]
pub(crate) struct Native {
    client: reqwest::Client,
    credentials: Arc<Credentials>,
    token: Arc<Mutex<Option<CachedToken>>>,
}

#[derive(Debug)]
struct CachedToken {
    value: Arc<str>,
    expires: Instant,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct User {
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) display_name: String,
    pub(crate) state: String,
    pub(crate) create_time: String,
    pub(crate) path: String,
}

#[derive(Deserialize)]
struct Page {
    results: Vec<User>,
    #[serde(default)]
    next_page_token: String,
}

#[derive(Deserialize)]
struct Token {
    access_token: String,
    token_type: String,
    expires_in: u64,
}

impl Native {
    /// The client has the host library's configuration for plain HTTP on loopback.
    pub(crate) fn new(credentials: Credentials) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .tls_certs_only([])
            .no_proxy()
            .timeout(Duration::from_secs(30))
            .user_agent("rivals/1.0")
            .build()
            .unwrap();
        Self { client, credentials: Arc::new(credentials), token: Arc::default() }
    }

    pub(crate) async fn get_user(&self, id: &str) -> User {
        let user: User = self.get(&format!("users/{id}")).await;
        assert_eq!(user.id, id);
        user
    }

    /// Lists up to `limit` users, page by page.
    pub(crate) async fn list_users(&self, limit: usize) -> Vec<User> {
        let mut users: Vec<User> = Vec::new();
        let mut page_token = String::new();
        loop {
            let size = (limit - users.len()).min(1000);
            // The simulator's page tokens need no percent-encoding.
            let after = if page_token.is_empty() { String::new() } else { format!("&page_token={page_token}") };
            let page: Page = self.get(&format!("users?max_page_size={size}{after}")).await;
            users.extend(page.results);
            if page.next_page_token.is_empty() || users.len() >= limit {
                return users;
            }
            assert_ne!(page.next_page_token, page_token, "the pages lead in a circle");
            page_token = page.next_page_token;
        }
    }

    async fn get<T: for<'de> Deserialize<'de>>(&self, route: &str) -> T {
        let token = self.token().await;
        let Credentials { base_url, account_id, .. } = &*self.credentials;
        let request = self.client.get(format!("{base_url}/v1/accounts/{account_id}/{route}")).bearer_auth(token);
        read(request).await
    }

    /// Returns the token. Concurrent callers wait for one request.
    async fn token(&self) -> Arc<str> {
        let mut cached = self.token.lock().await;
        if let Some(token) = cached.as_ref().filter(|token| token.expires > Instant::now() + MARGIN) {
            return token.value.clone();
        }
        let Credentials { base_url, client_id, client_secret, .. } = &*self.credentials;
        let request = self
            .client
            .post(format!("{base_url}/v1/oauth/token"))
            .basic_auth(client_id, Some(client_secret))
            .header("content-type", "application/x-www-form-urlencoded")
            .body("grant_type=client_credentials&scope=openid");
        let answer: Token = read(request).await;
        assert!(answer.token_type.eq_ignore_ascii_case("bearer"));
        let value: Arc<str> = answer.access_token.into();
        let expires = Instant::now() + Duration::from_secs(answer.expires_in);
        *cached = Some(CachedToken { value: value.clone(), expires });
        value
    }
}

/// Sends the request and parses the body as JSON. The status must be 200.
async fn read<T: for<'de> Deserialize<'de>>(request: reqwest::RequestBuilder) -> T {
    let mut response = request.header("accept", "application/json").send().await.unwrap();
    assert_eq!(response.status(), 200);
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    let mut body = Vec::with_capacity(announced.min(MAX_BODY));
    while let Some(chunk) = response.chunk().await.unwrap() {
        assert!(body.len() + chunk.len() <= MAX_BODY, "the answer is too long");
        body.extend_from_slice(&chunk);
    }
    serde_json::from_slice(&body).unwrap()
}
