//! The simulated account of a row, and the placeholders that stand for its ids, addresses and secrets.

use std::collections::BTreeMap;
use std::time::Duration;

use onepassword_users_simulator::{Application, Config, Dialect, Record, Simulator};
use serde_json::Value;

use crate::pattern::expand;
use crate::table::{Row, Values};

/// The simulated account of a running row, and what placeholders stand for.
pub(crate) struct Scope {
    pub(crate) simulator: Simulator,
    application: Option<Application>,
    /// A port of loopback at which nothing listens.
    unused_port: u16,
    /// Texts that earlier calls saved.
    saved: BTreeMap<String, String>,
    /// The face's name of a setting or secret.
    spell: fn(&str) -> String,
}

impl Scope {
    pub(crate) async fn start(row: &Row, spell: fn(&str) -> String) -> Result<Self, String> {
        let account = &row.account;
        let config = Config {
            users: account.users,
            seed: account.seed,
            page_size: account.page_size,
            dialect: account.dialect_seed.map_or_else(|| account.dialect.clone(), Dialect::seeded),
            ..Config::default()
        };
        let problem = |error: std::io::Error| format!("cannot start the simulated service: {error}");
        let simulator = Simulator::start(config).await.map_err(problem)?;
        for person in &account.people {
            let display_name = expand(person.display_name());
            let person = person.person(display_name.as_str().unwrap_or_default());
            simulator.account(|account| account.insert(person));
        }
        let application = account.permissions.as_ref().map(|permissions| {
            let permissions: Vec<_> = permissions.iter().map(|name| name.0).collect();
            simulator.add_application(&permissions)
        });
        // The listener is closed at once. Nothing takes the port again soon.
        let unused = std::net::TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let unused_port = unused.map_err(problem)?.port();
        Ok(Self { simulator, application, unused_port, saved: BTreeMap::new(), spell })
    }

    /// The settings and secrets: those of the account, then those of each of `layers`.
    pub(crate) fn values(&self, layers: &[&Values]) -> Result<BTreeMap<String, String>, String> {
        let (client_id, client_secret) = match &self.application {
            Some(application) => (application.client_id.clone(), application.client_secret.clone()),
            None => (self.simulator.client_id().into(), self.simulator.client_secret().into()),
        };
        let mut values = BTreeMap::from([
            ("base-url".to_owned(), self.simulator.base_url()),
            ("account-id".to_owned(), self.simulator.account_id().to_owned()),
            ("client-id".to_owned(), client_id),
            ("client-secret".to_owned(), client_secret),
        ]);
        for (name, value) in layers.iter().flat_map(|layer| layer.iter()) {
            match value {
                Some(value) => values.insert(name.clone(), self.text(value)?),
                None => values.remove(name),
            };
        }
        Ok(values)
    }

    /// Saves a text of an output for later calls.
    pub(crate) fn save(&mut self, name: &str, text: &str) {
        self.saved.insert(name.into(), text.into());
    }

    /// Replaces the placeholders in all texts of a value.
    pub(crate) fn fill(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => Value::String(self.text(text)?),
            Value::Array(items) => items.iter().map(|item| self.fill(item)).collect::<Result<_, _>>()?,
            Value::Object(members) => members
                .iter()
                .map(|(name, member)| Ok((name.clone(), self.fill(member)?)))
                .collect::<Result<_, String>>()?,
            value => value.clone(),
        })
    }

    /// Replaces the placeholders of a text. Braces around anything but a placeholder stay as they are.
    pub(crate) fn text(&self, text: &str) -> Result<String, String> {
        let mut filled = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            filled.push_str(before);
            let placeholder = after.split_once('}').filter(|(name, _)| {
                name.starts_with(|c: char| c.is_ascii_lowercase())
                    && !name.contains(|c: char| c.is_whitespace() || c == '"' || c == '{')
            });
            match placeholder {
                Some((name, after)) => {
                    let value = self.placeholder(name);
                    filled.push_str(&value.ok_or_else(|| format!("{{{name}}} is not a placeholder with a value"))?);
                    rest = after;
                }
                None => {
                    filled.push('{');
                    rest = after;
                }
            }
        }
        filled.push_str(rest);
        Ok(filled)
    }

    fn placeholder(&self, name: &str) -> Option<String> {
        let (kind, argument) = name.split_once(':').unwrap_or((name, ""));
        match kind {
            "id" => self.id(argument),
            "account" => Some(self.simulator.account_id().into()),
            "base-url" => Some(self.simulator.base_url()),
            "client-secret" => Some(self.simulator.client_secret().into()),
            "access-token" => Some(self.simulator.issue_token()),
            "unused-port" => Some(self.unused_port.to_string()),
            "name" => Some((self.spell)(argument)),
            "saved" => self.saved.get(argument).cloned(),
            _ => None,
        }
    }

    /// The id of the user with an address; `address#2` is the second user with it.
    fn id(&self, address: &str) -> Option<String> {
        let (address, number) = match address.split_once('#') {
            Some((address, number)) => (address, number.parse().ok()?),
            None => (address, 1_usize),
        };
        self.simulator.account(|account| {
            let same = account.people().iter().filter(|person| person.email == address);
            same.map(|person| person.id.clone()).nth(number.checked_sub(1)?)
        })
    }

    /// The state of the user with an address, in the service's word.
    pub(crate) fn state(&self, address: &str) -> Option<String> {
        self.simulator.account(|account| account.by_email(address).map(|person| person.state.clone()))
    }

    /// The requests since the last call: methods and targets of those for users, and the number of those for tokens. The beginning
    /// of the account's own routes is left out.
    pub(crate) fn requests(&self) -> (Vec<String>, usize) {
        let routes = format!("/v1/accounts/{}", self.simulator.account_id());
        let records = self.simulator.take_records();
        let (tokens, others): (Vec<_>, Vec<_>) =
            records.into_iter().partition(|record| record.target.ends_with("/token"));
        let line = |Record { method, target, .. }: Record| {
            format!("{method} {}", target.strip_prefix(&routes).unwrap_or(&target))
        };
        (others.into_iter().map(line).collect(), tokens.len())
    }

    /// The secrets that no result may show.
    pub(crate) fn secrets(&self) -> Vec<String> {
        let own = self.application.iter().map(|application| application.client_secret.clone());
        own.chain([self.simulator.client_secret().to_owned(), "sim_".to_owned()]).collect()
    }

    /// The longest time that the row may take.
    pub(crate) const MAX_TIME: Duration = Duration::from_secs(60);
}
