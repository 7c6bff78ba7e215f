//! Outbound HTTP, to allowed hosts only.

use onepassword_users_host::{Answer, Client};
use wasmtime_wasi_http::{Error as HttpError, RequestOptions, WasiBody, WasiHttpHooks};

use crate::Error;
use crate::manifest::Manifest;
use crate::variables::Variables;

/// The outbound HTTP of a component. Clones share their connections.
#[derive(Clone)]
pub(crate) struct Outbound {
    client: Client,
    /// The scheme and authority of each allowed origin, without a default port.
    allowed: Vec<(String, String)>,
}

impl Outbound {
    pub(crate) fn new(manifest: &Manifest, variables: &Variables, client: Client) -> Result<Self, Error> {
        let mut allowed = Vec::new();
        for template in &manifest.component().allowed_outbound_hosts {
            allowed.push(origin(&variables.resolve(template)?)?);
        }
        Ok(Self { client, allowed })
    }

    fn allows(&self, uri: &http::Uri) -> bool {
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
        self.allowed.iter().any(|(s, a)| s == scheme && *a == without_default_port(scheme, authority.as_str()))
    }
}

/// Parses an allowed host like Spin: `scheme://host` or `scheme://host:port`, without a path. Wildcards are not supported.
fn origin(text: &str) -> Result<(String, String), Error> {
    let problem = |problem: &str| Err(Error::new(format!("the allowed host {text:?} {problem}")));
    let Some((scheme, host)) = text.trim().split_once("://") else {
        return problem("has no scheme, such as https://");
    };
    let host = host.strip_suffix('/').unwrap_or(host);
    match (scheme, host) {
        ("http" | "https", host) if host.contains('/') => problem("has a path"),
        ("http" | "https", host) if !host.is_empty() && !host.contains('*') => {
            Ok((scheme.to_owned(), without_default_port(scheme, host).to_owned()))
        }
        _ => problem("is not supported"),
    }
}

fn without_default_port<'a>(scheme: &str, authority: &'a str) -> &'a str {
    let port = if scheme == "https" { ":443" } else { ":80" };
    authority.strip_suffix(port).unwrap_or(authority)
}

impl WasiHttpHooks for Outbound {
    fn send_request(
        &mut self,
        request: http::Request<WasiBody>,
        _: Option<RequestOptions>,
        _: Box<dyn Future<Output = Result<(), HttpError>> + Send>,
    ) -> Box<dyn Future<Output = Result<Answer, HttpError>> + Send> {
        if !self.allows(request.uri()) {
            tracing::warn!(host = request.uri().host(), "the component may not connect to this host");
            return Box::new(async { Err(HttpError::HttpRequestDenied) });
        }
        let client = self.client.clone();
        Box::new(async move { client.send(request).await })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allowed_hosts_must_be_origins() {
        let origin = |text| origin(text).map(|(scheme, host)| format!("{scheme}://{host}")).ok();
        assert_eq!(origin("https://api.1password.eu"), Some("https://api.1password.eu".into()));
        assert_eq!(origin("https://api.1password.eu:443/"), Some("https://api.1password.eu".into()));
        assert_eq!(origin("http://127.0.0.1:3000"), Some("http://127.0.0.1:3000".into()));
        for text in ["", "api.1password.eu", "https://", "https://api.1password.eu/v1", "*://*:*", "ftp://x"] {
            assert_eq!(origin(text), None, "{text}");
        }
    }
}
