//! The routes of the service, as requests.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::http::{HeaderValue, Method, Request};
use crate::secret::Secret;
use crate::values::base_url::ApiVersion;
use crate::values::settings::Settings;
use crate::values::user::{StateFilter, UserId};

/// The longest response body that is accepted, in bytes. A page of 1,000 users has about 300 kB.
const MAX_RESPONSE_BODY: usize = 4 * 1024 * 1024;

/// The body of a token request (RFC 6749, section 4.4.2). The service accepts the credentials in the header only. Permissions
/// belong to the OAuth application, so there is no `scope`.
const TOKEN_FORM: &[u8] = b"grant_type=client_credentials";

/// The characters that are percent-encoded in a query value: all but the unreserved ones of RFC 3986.
const QUERY_VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A call to a resource route, which needs a token.
pub(crate) enum ApiCall<'a> {
    /// One page of users.
    List { state: Option<StateFilter>, page_size: usize, page_token: Option<&'a str> },
    /// One user.
    Get(&'a UserId),
    /// The suspension of a user, and the e-mail address that the service has for the user.
    Suspend(&'a UserId, &'a str),
    /// The reactivation of a user, and the e-mail address.
    Reactivate(&'a UserId, &'a str),
}

impl ApiCall<'_> {
    /// The permission of the OAuth application that the call needs.
    pub(crate) fn permission(&self) -> &'static str {
        match self {
            Self::List { .. } => "list users",
            Self::Get(_) => "get users",
            Self::Suspend(..) => "suspend users",
            Self::Reactivate(..) => "reactivate users",
        }
    }

    /// The id of the user that the call is about.
    pub(crate) fn user_id(&self) -> Option<&str> {
        match self {
            Self::List { .. } => None,
            Self::Get(id) | Self::Suspend(id, _) | Self::Reactivate(id, _) => Some(id.as_str()),
        }
    }

    /// The id of the user that the call changes.
    pub(crate) fn changed_user(&self) -> Option<&str> {
        self.user_id().filter(|_| self.is_change())
    }

    /// The e-mail address of that user.
    fn changed_email(&self) -> Option<&str> {
        match self {
            Self::List { .. } | Self::Get(_) => None,
            Self::Suspend(_, email) | Self::Reactivate(_, email) => Some(email),
        }
    }

    /// True if the call changes a user.
    pub(crate) fn is_change(&self) -> bool {
        matches!(self, Self::Suspend(..) | Self::Reactivate(..))
    }

    /// The request of this call.
    pub(crate) fn request(&self, settings: &Settings, token: &Secret) -> Request {
        let mut path = format!("/{}/accounts/{}/users", settings.version, settings.account.as_str());
        match self {
            Self::List { state, page_size, page_token } => {
                path.push_str(&format!("?max_page_size={page_size}"));
                for (key, value) in [("filter", state.map(filter)), ("page_token", *page_token)] {
                    if let Some(value) = value {
                        path.push_str(&format!("&{key}={}", utf8_percent_encode(value, QUERY_VALUE)));
                    }
                }
            }
            Self::Get(user) => path.push_str(&format!("/{}", user.as_str())),
            Self::Suspend(user, _) => path.push_str(&format!("/{}:suspend", user.as_str())),
            Self::Reactivate(user, _) => path.push_str(&format!("/{}:reactivate", user.as_str())),
        }
        // A change has an empty body. Its length is announced, because some servers wait for a body otherwise.
        let (method, body) = if self.is_change() { (Method::Post, Some(&[][..])) } else { (Method::Get, None) };
        let mut request = request(settings, method, path, authorization("Bearer ", token.expose()), body);
        request.changed_user = self.changed_user().map(ToOwned::to_owned);
        request.changed_email = self.changed_email().map(ToOwned::to_owned);
        request
    }
}

/// A token request with HTTP Basic credentials.
pub(crate) fn token_request(settings: &Settings, basic: &Secret) -> Request {
    let path = match settings.version {
        ApiVersion::V1 => "/v1/oauth/token",
        ApiVersion::V1Beta1 => "/v1beta1/users/oauth2/token",
    };
    let mut request =
        request(settings, Method::Post, path.into(), authorization("Basic ", basic.expose()), Some(TOKEN_FORM));
    request.headers.push(("content-type", HeaderValue::Plain("application/x-www-form-urlencoded".into())));
    request
}

fn request(
    settings: &Settings,
    method: Method,
    path_and_query: String,
    authorization: Secret,
    body: Option<&'static [u8]>,
) -> Request {
    let mut headers = Vec::from([
        ("accept", HeaderValue::Plain("application/json".into())),
        // Some servers compress unless they are asked not to.
        ("accept-encoding", HeaderValue::Plain("identity".into())),
        ("authorization", HeaderValue::Secret(authorization)),
        ("user-agent", HeaderValue::Plain(settings.user_agent.as_str().to_owned())),
    ]);
    if let Some(body) = body {
        headers.push(("content-length", HeaderValue::Plain(body.len().to_string())));
    }
    Request {
        method,
        scheme: settings.base_url.scheme(),
        authority: settings.base_url.authority().to_owned(),
        path_and_query,
        headers,
        body,
        idle_timeout: settings.timeout,
        total_timeout: settings.deadline,
        changed_user: None,
        changed_email: None,
        max_body: MAX_RESPONSE_BODY,
    }
}

fn authorization(scheme: &str, credentials: &str) -> Secret {
    let mut value = String::with_capacity(scheme.len() + credentials.len());
    value.push_str(scheme);
    value.push_str(credentials);
    Secret::new(value)
}

/// The two expressions of the service's filter grammar.
fn filter(state: StateFilter) -> &'static str {
    match state {
        StateFilter::Active => "user.isActive()",
        StateFilter::Suspended => "user.isSuspended()",
    }
}
