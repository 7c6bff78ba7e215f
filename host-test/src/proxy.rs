//! The proxy that carries a request, from the options or from the environment.

use std::env;

use hyper_util::client::proxy::matcher::Matcher;

/// Hosts that are always reached directly.
const NEVER: &str = "localhost,127.0.0.0/8,::1";

/// The proxy of the requests. Loopback addresses are always reached directly.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Proxy {
    /// No proxy.
    None,
    /// The proxy of the environment: `HTTPS_PROXY` for https and `HTTP_PROXY` for http, or else `ALL_PROXY`, but for the hosts
    /// of `NO_PROXY`. The names may be in lower case, and an empty variable counts as not set. Under CGI (`REQUEST_METHOD` is
    /// set), `HTTP_PROXY` is ignored, since a client of the server can set it. A request that would go through a proxy that
    /// cannot be used fails, and is not sent directly.
    #[default]
    Environment,
    /// The proxy at this URL (`http://host:port` or `https://host:port`, with `user:password@` before the host if it needs
    /// credentials).
    Url(String),
}

impl std::fmt::Debug for Proxy {
    /// Without the URL, which may hold a password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::None => "None",
            Self::Environment => "Environment",
            Self::Url(_) => "Url([redacted])",
        })
    }
}

/// The proxies of one client.
pub(crate) struct Proxies {
    https: Option<Chosen>,
    http: Option<Chosen>,
    /// Hosts that are reached directly, in the form of `NO_PROXY`.
    exempt: String,
}

/// A proxy, and the variable that names it, or `Network.proxy`.
#[derive(Clone)]
struct Chosen {
    source: String,
    /// The URL, or the reason why it is not one.
    url: Result<String, &'static str>,
}

impl Proxies {
    /// Reads the environment, if the proxy comes from there. The error is about a proxy of the options.
    pub(crate) fn new(proxy: &Proxy) -> Result<Self, String> {
        Self::choose(proxy, |name| match env::var(name) {
            Ok(value) => Some(Ok(value)),
            Err(env::VarError::NotPresent) => None,
            Err(env::VarError::NotUnicode(_)) => Some(Err("it is not valid UTF-8")),
        })
    }

    fn choose(proxy: &Proxy, variable: impl Fn(&str) -> Option<Result<String, &'static str>>) -> Result<Self, String> {
        let first = |names: &[&str]| {
            let spellings = names.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()]);
            spellings.into_iter().find_map(|name| {
                let value = variable(&name)?;
                let is_set = value.as_ref().map_or(true, |value| !value.trim().is_empty());
                is_set.then(|| Chosen { url: value.and_then(|value| usable(&value)), source: name })
            })
        };
        match proxy {
            Proxy::None => Ok(Self { https: None, http: None, exempt: String::new() }),
            Proxy::Url(url) => {
                let url =
                    usable(url).map_err(|problem| format!("the proxy (Network.proxy) cannot be used: {problem}"))?;
                let chosen = Chosen { source: "Network.proxy".into(), url: Ok(url) };
                Ok(Self { https: Some(chosen.clone()), http: Some(chosen), exempt: NEVER.into() })
            }
            Proxy::Environment => {
                // A client of a CGI program sets HTTP_PROXY with its header `Proxy`.
                let is_cgi = variable("REQUEST_METHOD").is_some();
                let plain: &[&str] = if is_cgi { &["ALL_PROXY"] } else { &["HTTP_PROXY", "ALL_PROXY"] };
                let no_proxy = ["NO_PROXY", "no_proxy"].iter().find_map(|name| variable(name)?.ok());
                Ok(Self {
                    https: first(&["HTTPS_PROXY", "ALL_PROXY"]),
                    http: first(plain),
                    exempt: no_proxy.map_or_else(|| NEVER.into(), |hosts| format!("{NEVER},{hosts}")),
                })
            }
        }
    }

    /// Adds the proxies that can be used to a client. The others are refused by [`problem`](Self::problem), for each request.
    pub(crate) fn apply(&self, mut client: reqwest::ClientBuilder) -> Result<reqwest::ClientBuilder, String> {
        // Without this, reqwest reads the environment itself, and takes no proxy instead of one that cannot be used.
        client = client.no_proxy();
        let exempt = || reqwest::NoProxy::from_string(&self.exempt);
        if let Some(Chosen { url: Ok(url), source }) = &self.https {
            let proxy = reqwest::Proxy::https(url).map_err(|_| format!("{source} is not the URL of a proxy"))?;
            client = client.proxy(proxy.no_proxy(exempt()));
        }
        if let Some(Chosen { url: Ok(url), source }) = &self.http {
            let proxy = reqwest::Proxy::http(url).map_err(|_| format!("{source} is not the URL of a proxy"))?;
            client = client.proxy(proxy.no_proxy(exempt()));
        }
        Ok(client)
    }

    /// The source of the proxy that carries a request to this URI, if one does. The error names the variable whose proxy would
    /// carry it and cannot be used, without its value, which may hold a password.
    pub(crate) fn problem(&self, uri: &http::Uri) -> Result<Option<&str>, String> {
        let chosen = if uri.scheme_str() == Some("http") { &self.http } else { &self.https };
        let Some(Chosen { source, url }) = chosen else { return Ok(None) };
        let rules = Matcher::builder().all("http://proxy.invalid").no(self.exempt.as_str()).build();
        match url {
            _ if rules.intercept(uri).is_none() => Ok(None),
            Ok(_) => Ok(Some(source)),
            Err(problem) => Err(format!("the proxy of {source} cannot be used: {problem}")),
        }
    }

    /// The host names of the proxies, which may resolve to private addresses.
    pub(crate) fn hosts(&self) -> Vec<String> {
        let urls = [&self.https, &self.http].into_iter().flatten().filter_map(|chosen| chosen.url.as_ref().ok());
        urls.filter_map(|url| Some(url.parse::<http::Uri>().ok()?.host()?.to_ascii_lowercase())).collect()
    }
}

/// The URL of a proxy that this host can use. A host and port without a scheme stand for http. The error does not show the URL.
fn usable(text: &str) -> Result<String, &'static str> {
    const FORM: &str = "it is not a URL such as http://host:port";
    let text = text.trim();
    let url = match text.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https") => {
            text.to_owned()
        }
        Some((scheme, _)) if scheme.to_ascii_lowercase().starts_with("socks") => {
            return Err("SOCKS proxies are not supported, only http and https");
        }
        Some(_) => return Err(FORM),
        None => format!("http://{text}"),
    };
    // URL parsers differ in these, so that a password with one of them could become part of the host.
    if url.contains(['\\', '?', '#', '\t', '\r', '\n', ' ']) {
        return Err("it holds a character that must be percent-encoded there, such as %5C for a backslash");
    }
    let uri: http::Uri = url.parse().map_err(|_| FORM)?;
    let authority = uri.authority().ok_or(FORM)?.as_str();
    let (_, place) = authority.rsplit_once('@').unwrap_or(("", authority));
    let host_end = place.rfind(']').unwrap_or(0);
    let (host, port) = match place.rfind(':').filter(|colon| *colon >= host_end) {
        Some(colon) => (place.get(..colon).unwrap_or_default(), place.get(colon + 1..)),
        None => (place, None),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    if host.is_empty() || !is_port || authority.matches('@').count() > 1 || !matches!(uri.path(), "" | "/") {
        return Err(FORM);
    }
    // The two parsers must agree on the host.
    let agreed = reqwest::Url::parse(&url).ok().and_then(|url| url.host_str().map(str::to_owned));
    if agreed.is_none() { Err(FORM) } else { Ok(url) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may end here")]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Proxies {
        let variable = |name: &str| {
            let found = variables.iter().find(|(variable, _)| *variable == name);
            found.map(|(_, value)| Ok((*value).to_owned()))
        };
        Proxies::choose(&Proxy::Environment, variable).unwrap()
    }

    fn service() -> http::Uri {
        http::Uri::from_static("https://api.1password.com/v1")
    }

    #[test]
    fn row_34_a_proxy_that_cannot_be_used_is_named_without_its_password() {
        for url in [
            r"http://CORP\user:hunter2@proxy:3128",
            "httpx://user:hunter2@proxy:3128",
            "socks5://user:hunter2@proxy:1080",
            "socks5h://proxy:1080",
            "http://",
            "http://:3128",
            "http://user:hunter2@:3128",
            "http://user:hunter2@proxy:",
            "http://proxy:0",
            "http://proxy:99999",
            "http://proxy:31x28",
            "http://user:hunt/er2@proxy:3128",
            "http://user:12/er2@proxy:3128",
            "http://user:hunt#er2@proxy:3128",
            "http://user:hunt?er2@proxy:3128",
            "http://user:hunt er2@proxy:3128",
            "http://user@hunter2@proxy:3128",
            "http://[::1:3128",
            "http://proxy:3128/path",
            "://proxy",
        ] {
            for name in ["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"] {
                let problem = environment(&[(name, url)]).problem(&service()).unwrap_err();
                assert!(problem.contains(name), "{url}: {problem}");
                assert!(!problem.contains("hunt") && !problem.contains("CORP"), "{url}: {problem}");
            }
            let error = Proxies::new(&Proxy::Url(url.into())).err().unwrap();
            assert!(!error.contains("hunt") && !error.contains("CORP"), "{url}: {error}");
        }
    }

    #[test]
    fn row_34_a_proxy_that_does_not_carry_the_request_does_not_matter() {
        let broken = ("HTTPS_PROXY", "httpx://proxy");
        for exempt in ["api.1password.com", ".1password.com", "1password.com", "*", "localhost, 1password.com"] {
            for name in ["NO_PROXY", "no_proxy"] {
                assert_eq!(environment(&[broken, (name, exempt)]).problem(&service()), Ok(None), "{exempt}");
            }
        }
        assert!(environment(&[broken, ("NO_PROXY", "example.com")]).problem(&service()).is_err());
        for loopback in ["https://localhost:1", "https://127.0.0.1", "https://127.9.9.9:2", "https://[::1]:3"] {
            assert_eq!(environment(&[broken]).problem(&http::Uri::from_static(loopback)), Ok(None), "{loopback}");
        }
        assert_eq!(environment(&[("HTTP_PROXY", "httpx://proxy")]).problem(&service()), Ok(None));
    }

    #[test]
    fn row_34_the_first_variable_that_is_set_decides() {
        let good = "http://user:pass%5Cword@proxy.example:3128";
        for (variables, source) in [
            (&[("HTTPS_PROXY", good)][..], Some("HTTPS_PROXY")),
            (&[("HTTPS_PROXY", ""), ("https_proxy", good)], Some("https_proxy")),
            (&[("HTTPS_PROXY", " "), ("ALL_PROXY", "proxy.example:3128")], Some("ALL_PROXY")),
            (&[("REQUEST_METHOD", "GET"), ("HTTPS_PROXY", good)], Some("HTTPS_PROXY")),
            (&[("HTTPS_PROXY", ""), ("ALL_PROXY", "")], None),
            (&[], None),
        ] {
            let proxies = environment(variables);
            assert_eq!(proxies.problem(&service()), Ok(source), "{variables:?}");
            assert!(proxies.apply(reqwest::Client::builder()).is_ok());
            assert_eq!(proxies.hosts().contains(&"proxy.example".to_owned()), source.is_some());
        }
        // The next one is not taken instead of one that cannot be used.
        let both = environment(&[("HTTPS_PROXY", "httpx://proxy"), ("ALL_PROXY", good)]);
        assert!(both.problem(&service()).unwrap_err().contains("HTTPS_PROXY"));
        // A header of a client must not choose the proxy.
        let cgi = environment(&[("REQUEST_METHOD", "GET"), ("HTTP_PROXY", good)]);
        assert_eq!(cgi.problem(&http::Uri::from_static("http://example.com/")), Ok(None));
    }

    #[test]
    fn a_proxy_is_shown_without_its_url() {
        assert_eq!(format!("{:?}", Proxy::Url("http://user:hunter2@proxy".into())), "Url([redacted])");
    }
}
