//! Addresses of the public Internet, and names that lead to them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::sync::Semaphore;

/// The names that are being resolved. One without an answer takes its thread for up to half a minute.
static RESOLVING: Semaphore = Semaphore::const_new(64);

/// The IPv4 blocks that are not globally reachable, with the lengths of their prefixes: IANA's IPv4 Special-Purpose Address
/// Registry (<https://www.iana.org/assignments/iana-ipv4-special-registry>, of 2025-10), multicast (RFC 5771), and the block of
/// the former 6to4 relays (RFC 7526).
const SPECIAL_V4: [(Ipv4Addr, u32); 18] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 31, 196, 0), 24),
    (Ipv4Addr::new(192, 52, 193, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(192, 175, 48, 0), 24),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// The blocks within the global unicast addresses `2000::/3` that serve a special purpose, with the lengths of their prefixes:
/// IANA's IPv6 Special-Purpose Address Registry (<https://www.iana.org/assignments/iana-ipv6-special-registry>, of 2025-10). The
/// first one holds Teredo (`2001::/32`), which embeds IPv4 addresses in several forms.
const SPECIAL_V6: [(Ipv6Addr, u32); 4] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
];

/// True if an address is on the public Internet. One that embeds an IPv4 address (6to4, NAT64, mapped or compatible) is what that
/// one is.
pub(crate) fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !SPECIAL_V4.iter().any(|(block, length)| {
            let (ip, block) = (u32::from(ip), u32::from(*block));
            (ip ^ block).leading_zeros() >= *length
        }),
        IpAddr::V6(ip) => match ip.segments() {
            // IPv4-mapped, and IPv4-compatible with the loopback and the unspecified address among them.
            [0, 0, 0, 0, 0, 0xffff | 0, high, low] => is_public(embedded(high, low)),
            // NAT64 (RFC 6052). The local-use prefix (RFC 8215) is of a network of its own.
            [0x64, 0xff9b, 0, 0, 0, 0, high, low] => is_public(embedded(high, low)),
            // 6to4 (RFC 3056).
            [0x2002, high, low, ..] => is_public(embedded(high, low)),
            [first, ..] => {
                let is_special = SPECIAL_V6.iter().any(|(block, length)| {
                    let (ip, block) = (u128::from(ip), u128::from(*block));
                    (ip ^ block).leading_zeros() >= *length
                });
                (0x2000..0x4000).contains(&first) && !is_special
            }
        },
    }
}

fn embedded(high: u16, low: u16) -> IpAddr {
    Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into()
}

/// The IP address that a client connects to for a URI, if its host is not a name. Hosts such as `2130706433` and `0x7f.1` are
/// addresses, too.
pub(crate) fn of_uri(uri: &http::Uri) -> Option<IpAddr> {
    let host = uri.host()?;
    let url = reqwest::Url::parse(&format!("https://{host}/")).ok()?;
    url.host_str()?.trim_matches(['[', ']']).parse().ok()
}

/// True if the host of a URI is this machine: a loopback address, or `localhost`.
pub(crate) fn is_loopback(uri: &http::Uri) -> bool {
    uri.host().is_some_and(|host| host.eq_ignore_ascii_case("localhost"))
        || of_uri(uri).is_some_and(|ip| ip.to_canonical().is_loopback())
}

/// Resolves names with the system's resolver, and unless private addresses are allowed, to public addresses only, so that no
/// name leads into a private network. Names of proxies are exempt.
pub(crate) struct Resolver {
    pub(crate) allow_private: bool,
    pub(crate) proxies: Vec<String>,
}

impl reqwest::dns::Resolve for Resolver {
    fn resolve(&self, name: reqwest::dns::Name) -> reqwest::dns::Resolving {
        let is_exempt =
            self.allow_private || self.proxies.iter().any(|proxy| proxy.eq_ignore_ascii_case(name.as_str()));
        Box::pin(async move {
            let name = name.as_str().to_owned();
            let found = look_up(name.clone()).await?;
            let public: Vec<_> = found.iter().copied().filter(|found| is_exempt || is_public(found.ip())).collect();
            match found.first() {
                Some(first) if public.is_empty() => {
                    Err(Box::new(PrivateAddress { name, address: first.ip() })
                        as Box<dyn std::error::Error + Send + Sync>)
                }
                _ => Ok(Box::new(public.into_iter()) as reqwest::dns::Addrs),
            }
        })
    }
}

/// Resolves a name on a thread of its own, which ends with the process. The system's resolver blocks, for up to half a minute if
/// no server answers: on a thread of the async runtime it would hold up the runtime's shutdown.
async fn look_up(name: String) -> std::io::Result<Vec<SocketAddr>> {
    use std::net::ToSocketAddrs;
    let permit = RESOLVING.acquire().await.map_err(std::io::Error::other)?;
    let (sender, receiver) = tokio::sync::oneshot::channel();
    std::thread::Builder::new().name("resolver".into()).spawn(move || {
        let found = (name.as_str(), 0).to_socket_addrs().map(Iterator::collect);
        // Nobody may be waiting any more.
        let _ = sender.send(found);
        drop(permit);
    })?;
    receiver.await.map_err(std::io::Error::other)?
}

/// A name that resolves to addresses that are not on the public Internet.
#[derive(Debug)]
pub(crate) struct PrivateAddress {
    pub(crate) name: String,
    pub(crate) address: IpAddr,
}

impl std::fmt::Display for PrivateAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} leads to {}, which is not a public address", self.name, self.address)
    }
}

impl std::error::Error for PrivateAddress {}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may end here")]
mod tests {
    use super::*;

    #[test]
    fn row_46_private_special_and_embedding_addresses_are_not_public() {
        for ip in [
            "8.8.8.8",
            "172.32.0.1",
            "100.128.0.1",
            "198.20.0.1",
            "2606:4700::1111",
            "2001:4860:4860::8888",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
            "2002:808:808::1",
        ] {
            assert!(is_public(ip.parse().unwrap()), "{ip}");
        }
        for ip in [
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "127.0.0.1",
            "0.0.0.0",
            "0.1.2.3",
            "100.64.0.1",
            "100.127.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
            "255.255.255.255",
            "::1",
            "::",
            "fe80::1",
            "fec0::1",
            "fd00::1",
            "ff02::1",
            "100::1",
            "5f00::1",
            "2001:db8::1",
            "2001:2::1",
            "2001:20::1",
            "3fff::1",
            // Mapped, compatible, NAT64 with both prefixes, 6to4 and Teredo, of 10.0.0.1, 127.0.0.1 and others.
            "::ffff:10.0.0.1",
            "::ffff:0:10.0.0.1",
            "::10.0.0.1",
            "::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::a00:1",
            "64:ff9b:1::808:808",
            "2002:7f00:1::",
            "2002:a00:1::1",
            "2002:a9fe:a9fe::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:0:4136:e378:8000:63bf:f5ff:fffe",
        ] {
            assert!(!is_public(ip.parse().unwrap()), "{ip}");
        }
    }

    /// Clients read these hosts as addresses.
    #[test]
    fn row_46_other_spellings_of_an_address_are_that_address() {
        for (host, ip) in [
            ("127.0.0.1", "127.0.0.1"),
            ("[::1]", "::1"),
            ("2130706433", "127.0.0.1"),
            ("0x7f.1", "127.0.0.1"),
            ("127.1", "127.0.0.1"),
            ("0251.0376.0251.0376", "169.254.169.254"),
        ] {
            let uri = format!("https://{host}/v1").parse().unwrap();
            assert_eq!(of_uri(&uri), Some(ip.parse().unwrap()), "{host}");
        }
        assert_eq!(of_uri(&"https://api.1password.com/".parse().unwrap()), None);
    }

    #[tokio::test]
    async fn a_name_with_a_private_address_is_not_resolved() {
        use reqwest::dns::Resolve;
        let resolver = |allow_private, proxies: &[&str]| Resolver {
            allow_private,
            proxies: proxies.iter().map(|name| (*name).to_owned()).collect(),
        };
        let localhost = || "localhost".parse().unwrap();
        let error = resolver(false, &[]).resolve(localhost()).await.err().unwrap();
        assert!(error.is::<PrivateAddress>(), "{error}");
        for resolver in [resolver(true, &[]), resolver(false, &["LocalHost"])] {
            let addresses = resolver.resolve(localhost()).await;
            assert!(addresses.is_ok_and(|mut addresses| addresses.next().is_some()));
        }
    }
}
