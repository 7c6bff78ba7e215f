//! The network options of the host: TLS, certificates and proxies.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

use onepassword_users_host::catalogue::ErrorCode;
use onepassword_users_host::{Error as HostError, Network, Options, Proxy};
use onepassword_users_simulator::Simulator;
use onepassword_users_test_kit::harness::{HOST, Values, email, expect_failure, network, options, values};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

const WENDY: &str = "wendy.appleseed@example.com";

/// A TLS server that forwards to the simulated service.
async fn tls_front(certificate: &CertifiedKey<rcgen::KeyPair>, back: String) -> SocketAddr {
    let key = PrivateKeyDer::try_from(certificate.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, back) = (acceptor.clone(), back.clone());
            tokio::spawn(async move {
                let mut front = acceptor.accept(stream).await.ok()?;
                let mut back = TcpStream::connect(back).await.ok()?;
                copy_bidirectional(&mut front, &mut back).await.ok()
            });
        }
    });
    address
}

fn back(simulator: &Simulator) -> String {
    simulator.base_url().trim_start_matches("http://").to_owned()
}

fn connect(values: &Values, network: Network) -> onepassword_users_host::Connector {
    HOST.connector(Options { network, ..options(values) }).unwrap()
}

#[tokio::test]
async fn tls_is_verified_unless_a_ca_is_given_or_verification_is_off() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let certificate = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let front = tls_front(&certificate, back(&simulator)).await;
    let values = values(&simulator);
    values.set("base-url", &format!("https://localhost:{}", front.port()));
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(certificate.cert.pem().as_bytes()).unwrap();
    let with_ca = Network { ca_file: Some(ca.path().into()), ..network() };

    let untrusted = connect(&values, network()).get_user(email(WENDY)).await;
    let error = expect_failure(ErrorCode::Misconfigured, untrusted);
    assert!(error.message.contains("certificate"), "{}", error.message);
    assert!(
        error.message.contains("its issuer is not trusted") && error.remedy.contains("Network.ca_file"),
        "{error:?}"
    );
    assert_eq!(error.subject, None, "no setting is at fault");
    assert!(simulator.take_records().is_empty(), "nothing was sent");

    assert!(connect(&values, with_ca.clone()).get_user(email(WENDY)).await.is_ok());
    let insecure = Network { insecure: true, ..network() };
    assert!(connect(&values, insecure).get_user(email(WENDY)).await.is_ok());

    // An expired certificate is refused, even if its CA is trusted.
    let mut parameters = rcgen::CertificateParams::new(["localhost".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let signing_key = rcgen::KeyPair::generate().unwrap();
    let expired = CertifiedKey { cert: parameters.self_signed(&signing_key).unwrap(), signing_key };
    let expired_front = tls_front(&expired, back(&simulator)).await;
    ca.write_all(expired.cert.pem().as_bytes()).unwrap();
    simulator.take_records();
    values.set("base-url", &format!("https://localhost:{}", expired_front.port()));
    let refused = connect(&values, with_ca.clone()).get_user(email(WENDY)).await;
    let error = expect_failure(ErrorCode::Misconfigured, refused);
    assert!(error.message.contains("expired") && !error.remedy.contains("ca_file"), "{error:?}");
    assert!(simulator.take_records().is_empty(), "nothing was sent");

    // A trusted certificate for another name is refused, too.
    values.set("base-url", &format!("https://127.0.0.1:{}", front.port()));
    let wrong_name = connect(&values, with_ca).get_user(email(WENDY)).await;
    expect_failure(ErrorCode::Misconfigured, wrong_name);
}

#[tokio::test]
async fn a_connector_can_change_its_base_url_from_http_to_https() {
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let certificate = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let front = tls_front(&certificate, back(&simulator)).await;
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(certificate.cert.pem().as_bytes()).unwrap();
    let values = values(&simulator);
    let connector = connect(&values, Network { ca_file: Some(ca.path().into()), ..network() });
    assert!(connector.get_user(email(WENDY)).await.is_ok());
    values.set("base-url", &format!("https://localhost:{}", front.port()));
    assert!(connector.get_user(email(WENDY)).await.is_ok());
}

#[tokio::test]
async fn an_invalid_ca_file_or_proxy_is_refused() {
    let values = Values::default();
    for (path, problem) in
        [("/nowhere/ca.pem", "/nowhere/ca.pem"), (concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"), "no certificate")]
    {
        let network = Network { ca_file: Some(path.into()), ..network() };
        let Err(HostError::Options(error)) = HOST.connector(Options { network, ..options(&values) }) else { panic!() };
        assert!(error.contains(problem), "{error}");
    }
    let network = Network { proxy: Proxy::Url("http://user:hunter2@:0:/".into()), ..network() };
    let Err(HostError::Options(error)) = HOST.connector(Options { network, ..options(&values) }) else { panic!() };
    assert!(!error.contains("hunter2"), "{error}");
}

#[tokio::test]
async fn a_proxy_is_used_except_for_loopback() {
    // A proxy that tunnels every request to the TLS server, and records the request lines.
    let simulator = Simulator::start(Default::default()).await.unwrap();
    let certificate = generate_simple_self_signed(["api.1password.example".to_owned()]).unwrap();
    let front = tls_front(&certificate, back(&simulator)).await;
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy_url = format!("http://{}", proxy.local_addr().unwrap());
    let (sender, mut request_lines) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = proxy.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let first_line = head.lines().next().unwrap_or_default().to_owned();
            let is_refused = first_line.contains("refused");
            sender.send(first_line).unwrap();
            if is_refused {
                stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
                continue;
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            let mut tunnel = TcpStream::connect(front).await.unwrap();
            tokio::spawn(async move { copy_bidirectional(&mut stream, &mut tunnel).await });
        }
    });
    let values = values(&simulator);
    let mut ca = tempfile::NamedTempFile::new().unwrap();
    ca.write_all(certificate.cert.pem().as_bytes()).unwrap();
    let network = Network {
        proxy: Proxy::Url(proxy_url),
        ca_file: Some(ca.path().into()),
        allowed_origins: vec!["https://api.1password.example".into(), "https://refused.example".into()],
        ..network()
    };

    assert!(connect(&values, network.clone()).get_user(email(WENDY)).await.is_ok(), "loopback bypasses the proxy");
    assert!(request_lines.try_recv().is_err());

    values.set("base-url", "https://api.1password.example");
    assert!(connect(&values, network.clone()).get_user(email(WENDY)).await.is_ok(), "other hosts go through the proxy");
    assert_eq!(request_lines.recv().await.unwrap(), "CONNECT api.1password.example:443 HTTP/1.1");

    values.set("base-url", "https://refused.example");
    let error = expect_failure(ErrorCode::Unavailable, connect(&values, network).get_user(email(WENDY)).await);
    assert!(!error.may_have_changed && error.message.contains("no connection"), "{}", error.message);
}
