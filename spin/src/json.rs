//! The bodies of requests and responses that are this API's own. Users, lists, changes, failures and test reports have the
//! core's JSON form. The doc comments are the descriptions in `openapi.json`.

use std::fmt;

use onepassword_users_core::{Failure, MAX_FIND_USERS, User, UserRef};
#[cfg(test)]
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{self, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

use crate::problem::Problem;
use crate::route::user_ref;

/// The most users of a list in one JSON object, which an instance holds as a whole: some 17 MB. A stream may have more.
pub const MAX_JSON_USERS: u32 = 50_000;

/// The options of a change. A request without a body and without a `Content-Type` of JSON is the same as `{}`.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(default, deny_unknown_fields)]
pub struct ChangeOptions {
    /// If true, return what the change would do, without making it.
    pub dry_run: bool,
}

/// The users to find.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct FindUsers {
    /// The users. One that occurs twice gets two results.
    #[cfg_attr(test, schemars(with = "Vec<UserReference>", length(max = 1000)))]
    pub users: Users,
}

/// The users of a search.
#[derive(Debug)]
pub struct Users {
    /// The references, at most 1,000. The rest is not kept.
    pub references: Vec<UserReference>,
    /// The number of references in the body.
    pub count: usize,
}

impl<'de> Deserialize<'de> for Users {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct UsersVisitor;
        impl<'de> Visitor<'de> for UsersVisitor {
            type Value = Users;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of users")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Users, A::Error> {
                let mut references = Vec::new();
                while references.len() < MAX_FIND_USERS {
                    let Some(reference) = array.next_element()? else {
                        return Ok(Users { count: references.len(), references });
                    };
                    references.push(reference);
                }
                let mut count = references.len();
                while array.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Users { references, count })
            }
        }
        deserializer.deserialize_seq(UsersVisitor)
    }
}

/// A reference to a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged)]
pub enum UserReference {
    /// An e-mail address if it has an `@`, otherwise an id.
    Text(String),
    /// An id, an address, or an id whose user must have the address.
    Object(IdAndEmail),
}

/// An id, an e-mail address, or both: the user with the id must have the address then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(JsonSchema), schemars(extend("minProperties" = 1)))]
#[serde(deny_unknown_fields)]
pub struct IdAndEmail {
    /// The user's id.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub id: Option<String>,
    /// The e-mail address.
    #[serde(default, deserialize_with = "text", skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "String"))]
    pub email: Option<String>,
}

/// A text that is there, and not `null`.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

impl<'de> Deserialize<'de> for UserReference {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ReferenceVisitor;
        impl<'de> Visitor<'de> for ReferenceVisitor {
            type Value = UserReference;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an id, an address, or an object with id, email or both")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<UserReference, E> {
                Ok(UserReference::Text(text.into()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<UserReference, A::Error> {
                let object = IdAndEmail::deserialize(MapAccessDeserializer::new(map))?;
                if object.id.is_none() && object.email.is_none() {
                    return Err(de::Error::custom("a user has neither id nor email"));
                }
                Ok(UserReference::Object(object))
            }
        }
        deserializer.deserialize_any(ReferenceVisitor)
    }
}

impl From<&UserReference> for UserRef {
    fn from(reference: &UserReference) -> Self {
        match reference.clone() {
            UserReference::Text(text) => user_ref(&text),
            UserReference::Object(IdAndEmail { id: Some(id), email: Some(email) }) => Self::Known { id, email },
            UserReference::Object(IdAndEmail { id: None, email: Some(email) }) => Self::Email(email),
            UserReference::Object(IdAndEmail { id, email: None }) => Self::Id(id.unwrap_or_default()),
        }
    }
}

/// The results of a search.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct FoundUsers {
    /// One result for each user of the request, in the same order.
    pub results: Vec<FoundUser>,
}

/// The result for one user of a search: either `user` or `error` is not `null`.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct FoundUser {
    /// The reference, as in the request.
    pub input: UserReference,
    /// The user.
    #[cfg_attr(test, schemars(with = "Option<crate::schema::User>"))]
    pub user: Option<User>,
    /// The reason why there is no user.
    #[cfg_attr(test, schemars(with = "Option<crate::schema::Failure>"))]
    pub error: Option<Failure>,
}

/// The application runs, and has what it checked.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
pub struct Health {
    /// `ok`.
    pub status: &'static str,
}

/// The last line of a streamed list. A stream without this line is incomplete.
#[derive(Debug, Serialize)]
#[cfg_attr(test, derive(JsonSchema))]
#[serde(untagged)]
pub enum LastLine {
    /// The list is incomplete.
    Failure {
        /// The reason.
        #[cfg_attr(test, schemars(with = "crate::schema::Problem"))]
        error: Box<Problem>,
    },
    /// The list is complete, or has reached its limit.
    End {
        /// The page token of the next users. `null` if and only if there are no more users.
        next_page_token: Option<String>,
    },
}
