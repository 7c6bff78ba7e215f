//! The JSON forms of users, lists, changes and failures. Every face uses these.
//!
//! Keys are in snake case. A key that has no value is `null`, never absent.

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use crate::api::service_error::ServiceError;
use crate::failure::{Code, Failure, Subject};
use crate::values::change::StateChange;
use crate::values::query::UserList;
use crate::values::user::User;

impl Serialize for User {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("User", 7)?;
        json.serialize_field("id", &self.id)?;
        json.serialize_field("email", &self.email)?;
        json.serialize_field("display_name", &self.display_name)?;
        json.serialize_field("state", self.state.name())?;
        json.serialize_field("service_state", &self.service_state)?;
        json.serialize_field("create_time", &self.create_time)?;
        json.serialize_field("path", &self.path)?;
        json.end()
    }
}

impl Serialize for UserList {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("UserList", 2)?;
        json.serialize_field("users", &self.users)?;
        json.serialize_field("next_page_token", &self.next_page_token)?;
        json.end()
    }
}

impl Serialize for StateChange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("StateChange", 2)?;
        json.serialize_field("outcome", self.outcome.name())?;
        json.serialize_field("user", &self.user)?;
        json.end()
    }
}

impl<C: Code> Serialize for Failure<C> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Failure", 12)?;
        json.serialize_field("code", self.code.name())?;
        json.serialize_field("class", self.class().name())?;
        json.serialize_field("message", &self.message)?;
        json.serialize_field("remedy", &self.remedy)?;
        json.serialize_field("retryable", &self.is_retryable())?;
        json.serialize_field("retry_after", &self.retry_after)?;
        json.serialize_field("may_have_changed", &self.may_have_changed)?;
        json.serialize_field("subject", &self.subject)?;
        json.serialize_field("user_id", &self.user_id)?;
        json.serialize_field("candidates", &self.candidates)?;
        json.serialize_field("more_candidates", &self.more_candidates)?;
        json.serialize_field("service", &self.service)?;
        json.end()
    }
}

impl Serialize for Subject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("Subject", 2)?;
        json.serialize_field("kind", self.kind.name())?;
        json.serialize_field("name", &self.name)?;
        json.end()
    }
}

impl Serialize for ServiceError {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut json = serializer.serialize_struct("ServiceError", 3)?;
        json.serialize_field("status", &self.status)?;
        json.serialize_field("code", &self.code)?;
        json.serialize_field("message", &self.message)?;
        json.end()
    }
}
