//! A connector that holds every result against the schema of its action.

use std::collections::BTreeMap;
use std::ops::Deref;

use onepassword_users_host::types::{self, ChangeMode, ListQuery, StateFilter, UserRef};
use onepassword_users_host::{Connector, Error, Failure, Output, StateChange, User};
use serde_json::{Value, json};
use tokio::sync::OnceCell;

/// A connector whose results are held against the schemas of its description, and whose arguments by name are as well unless
/// the action refuses them. Panics if one does not fit.
#[derive(Debug)]
pub struct CheckedConnector {
    connector: Connector,
    schemas: OnceCell<BTreeMap<String, Schemas>>,
}

#[derive(Debug)]
struct Schemas {
    input: jsonschema::Validator,
    output: jsonschema::Validator,
}

impl Deref for CheckedConnector {
    type Target = Connector;

    fn deref(&self) -> &Connector {
        &self.connector
    }
}

impl CheckedConnector {
    pub fn new(connector: Connector) -> Self {
        Self { connector, schemas: OnceCell::new() }
    }

    async fn check(&self, action: &str, result: &Value) {
        let schemas = self.schemas().await;
        let problems: Vec<String> = schemas[action].output.iter_errors(result).map(|error| error.to_string()).collect();
        assert_eq!(problems, [""; 0], "{action}: {result}");
    }

    async fn schemas(&self) -> &BTreeMap<String, Schemas> {
        let compile = async || {
            let validator = |schema: &Value| jsonschema::draft202012::new(schema).unwrap();
            let manifest = self.connector.describe().await.unwrap();
            let of = |action: onepassword_users_host::ManifestAction| {
                (action.name, Schemas { input: validator(&action.input), output: validator(&action.output) })
            };
            manifest.actions.into_iter().map(of).collect()
        };
        self.schemas.get_or_init(compile).await
    }

    pub async fn list_users(&self, query: ListQuery) -> Result<types::UserList, Error> {
        let list = self.connector.list_users(query).await?;
        let users: Vec<User> = list.users.iter().cloned().map(User::from).collect();
        self.check("list-users", &json!({ "users": users, "next_page_token": list.next_page_token })).await;
        Ok(list)
    }

    pub async fn list_all_users(
        &self,
        state: Option<StateFilter>,
        page_token: Option<String>,
        progress: impl FnMut(usize),
    ) -> Result<Vec<types::User>, Error> {
        let all = self.connector.list_all_users(state, page_token, progress).await?;
        let users: Vec<User> = all.iter().cloned().map(User::from).collect();
        self.check("list-users", &json!({ "users": users, "next_page_token": null })).await;
        Ok(all)
    }

    pub async fn get_user(&self, user: UserRef) -> Result<types::User, Error> {
        let user = self.connector.get_user(user).await?;
        self.check("get-user", &json!(User::from(user.clone()))).await;
        Ok(user)
    }

    pub async fn find_users(&self, users: Vec<UserRef>) -> Result<Vec<Result<types::User, Failure>>, Error> {
        let found = self.connector.find_users(users).await?;
        let result = |result: &Result<types::User, Failure>| match result {
            Ok(user) => json!({ "input": "", "user": User::from(user.clone()), "error": null }),
            Err(failure) => json!({ "input": "", "user": null, "error": failure }),
        };
        let results: Vec<Value> = found.iter().map(result).collect();
        self.check("find-users", &json!({ "results": results })).await;
        Ok(found)
    }

    pub async fn suspend_user(&self, user: UserRef, mode: ChangeMode) -> Result<types::StateChange, Error> {
        let change = self.connector.suspend_user(user, mode).await?;
        self.check("suspend-user", &json!(StateChange::from(change.clone()))).await;
        Ok(change)
    }

    pub async fn reactivate_user(&self, user: UserRef, mode: ChangeMode) -> Result<types::StateChange, Error> {
        let change = self.connector.reactivate_user(user, mode).await?;
        self.check("reactivate-user", &json!(StateChange::from(change.clone()))).await;
        Ok(change)
    }

    pub async fn invoke(&self, action: &str, arguments: &str) -> Result<Output, Error> {
        let output = self.connector.invoke(action, arguments).await?;
        self.check(action, &serde_json::from_str(&output.json).unwrap()).await;
        let given = Some(arguments).filter(|arguments| !arguments.trim().is_empty()).unwrap_or("{}");
        let input = &self.schemas().await[action].input;
        assert!(input.is_valid(&serde_json::from_str(given).unwrap()), "{action} accepted {arguments}");
        Ok(output)
    }
}
