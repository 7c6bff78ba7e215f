//! Snapshots of every kind of request as it is sent. Headers marked with a + are the host's.

use onepassword_users_host::types::{ChangeMode, ListQuery, StateFilter};
use onepassword_users_simulator::Config;
use onepassword_users_test_kit::harness::{API_VERSIONS, Harness, id};

/// The headers that the component sets.
const COMPONENT_HEADERS: [&str; 5] = ["accept", "authorization", "content-length", "content-type", "user-agent"];

#[tokio::test]
async fn every_kind_of_request() {
    for version in API_VERSIONS {
        // More than one page of the service, so that page tokens are sent.
        let harness = Harness::with(Config { users: 60, page_size: 30, ..Config::default() }).await;
        harness.values.set("api-version", version);
        harness.values.set("user-agent", "ExamplePlatform/2.1 (tests)");
        let wendy = harness.id("wendy.appleseed@example.com");
        let query = |state, limit, page_token| ListQuery { state, limit, page_token };
        harness.connector.list_users(query(None, None, None)).await.unwrap();
        let list = harness.connector.list_users(query(Some(StateFilter::Active), Some(30), None)).await.unwrap();
        harness.connector.list_users(query(Some(StateFilter::Active), Some(2), list.next_page_token)).await.unwrap();
        harness.connector.list_users(query(Some(StateFilter::Suspended), Some(1), None)).await.unwrap();
        harness.connector.get_user(id(&wendy)).await.unwrap();
        harness.connector.suspend_user(id(&wendy), ChangeMode::Apply).await.unwrap();
        harness.connector.reactivate_user(id(&wendy), ChangeMode::Apply).await.unwrap();

        let mut text = String::new();
        for record in harness.simulator.take_records() {
            assert_eq!((record.status, &record.reason), (200, &None));
            text += &format!("{} {}\n", record.method, record.target);
            // Their order has no meaning, and differs between HTTP clients.
            let mut headers = record.headers.clone();
            headers.sort();
            for (name, value) in &headers {
                let mark = if COMPONENT_HEADERS.contains(&name.as_str()) { ' ' } else { '+' };
                text += &format!("{mark} {name}: {value}\n");
            }
            text += &format!("  [{}]\n", record.body);
        }
        insta::with_settings!({ filters => [
            (harness.simulator.account_id(), "<account>"),
            (wendy.as_str(), "<user>"),
            (r"Basic [A-Za-z0-9+/=]+", "Basic <client-id:client-secret>"),
            (r"Bearer sim_[A-Z0-9]+", "Bearer <token>"),
            (r"127\.0\.0\.1:\d+", "<host>"),
            (r"page_token=[A-Za-z0-9_-]+", "page_token=<token>"),
            (r"onepassword-users/\d+\.\d+\.\d+", "onepassword-users/<version>"),
        ]}, { insta::assert_snapshot!(format!("requests_{version}"), text) });
    }
}
