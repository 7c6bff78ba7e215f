//! The component as a dependency of another application: composed as in Spin, with settings from Spin's variables.

use std::sync::LazyLock;

use onepassword_users_simulator::{Config, Simulator};
use onepassword_users_spin_host::{Application, Manifest, Options, Server};
use reqwest::Method;

use crate::harness::{WENDY, built, client};

const KEY: &str = "canary-offboard-key-dddddddddddddddd";

static MANIFEST: LazyLock<Manifest> = LazyLock::new(|| built("examples/spin-dependency/spin.toml"));

pub fn manifest() -> &'static Manifest {
    &MANIFEST
}

async fn serve(simulator: &Simulator, changes: &[(&str, &str)]) -> Server {
    let mut variables = [
        ("base_url", simulator.base_url()),
        ("account_id", simulator.account_id().into()),
        ("client_id", simulator.client_id().into()),
        ("client_secret", simulator.client_secret().into()),
        ("offboard_key", KEY.into()),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into_iter()
    .collect::<std::collections::BTreeMap<_, _>>();
    variables.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
    Server::start(Application::load(&MANIFEST, &variables, Options::default()).unwrap(), 0).await.unwrap()
}

async fn offboard(server: &Server, method: Method, user: &str, key: &str) -> (u16, String) {
    let request = client().request(method, format!("{}/offboard/{user}", server.url())).bearer_auth(key);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn an_application_suspends_a_user_through_the_component() {
    let simulator = Simulator::start(Config { users: 60, ..Config::default() }).await.unwrap();
    let server = serve(&simulator, &[]).await;
    let post = |user, key| offboard(&server, Method::POST, user, key);
    assert_eq!(post(WENDY, "wrong").await.0, 401);
    assert_eq!(offboard(&server, Method::GET, WENDY, KEY).await.0, 405);
    let state = || simulator.account(|account| account.by_email(WENDY).unwrap().state.clone());
    assert_eq!(state(), "ACTIVE");

    assert_eq!(post(WENDY, KEY).await, (200, format!("{WENDY}: changed\n")));
    assert_eq!(state(), "SUSPENDED");
    assert_eq!(post("wendy.appleseed%40example.com", KEY).await, (200, format!("{WENDY}: unchanged\n")));
    let (status, text) = post("margaret.okafor@example.com", KEY).await;
    assert!(status == 502 && text.contains("last owner"), "{status}: {text}");

    let outside = client().get(format!("{}/elsewhere", server.url())).send().await.unwrap();
    assert_eq!(outside.status(), 404, "the manifest routes only /offboard");
}

#[tokio::test]
async fn wrong_variables_are_reported() {
    let simulator = Simulator::start(Config { users: 60, ..Config::default() }).await.unwrap();
    for (name, value, status, words) in [
        ("offboard_key", "short", 503, "32 characters"),
        ("account_id", "nonsense", 502, "account-id"),
        ("client_secret", "canary-wrong", 502, "does not accept the credentials"),
    ] {
        let server = serve(&simulator, &[(name, value)]).await;
        let (actual, text) =
            offboard(&server, Method::POST, WENDY, if name == "offboard_key" { value } else { KEY }).await;
        assert_eq!(actual, status, "{name}: {text}");
        assert!(text.contains(words) && !text.contains("canary"), "{text}");
    }
}

/// A dependency that Spin would deny its network or its variables is refused.
#[tokio::test]
async fn a_dependency_must_inherit_what_it_needs() {
    LazyLock::force(&MANIFEST);
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/spin-dependency");
    let text = std::fs::read_to_string(format!("{folder}/spin.toml")).unwrap();
    let names = ["account_id", "client_id", "client_secret", "offboard_key"];
    let variables = names.map(|name| (name.to_owned(), String::new())).into();
    for (from, to, words) in [
        (r#"["allowed_outbound_hosts", "variables"]"#, r#"["allowed_outbound_hosts"]"#, "does not inherit variables"),
        (r#"["allowed_outbound_hosts", "variables"]"#, r#"["variables"]"#, "does not inherit allowed_outbound_hosts"),
        ("onepassword:users@0.1.0", "onepassword:users@0.2.0", "is not imported by the component"),
    ] {
        assert!(text.contains(from));
        let path = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("spin.toml");
        // The paths are relative to the folder of the original.
        let changed = text.replace(from, to).replace("../../target", &format!("{folder}/../../target"));
        std::fs::write(&path, changed).unwrap();
        let manifest = Manifest::read(&path).unwrap();
        let error = Application::load(&manifest, &variables, Options::default()).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
}
