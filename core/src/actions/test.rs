//! The test of settings, credentials and permissions, which changes nothing.

use alloc::borrow::Cow;
use alloc::format;

use crate::actions::list::list;
use crate::actions::lookup::get;
use crate::client::Client;
use crate::error::Error;
use crate::values::query::ListQuery;
use crate::values::report::{Check, TestReport};
use crate::values::user::UserId;

/// Obtains a token, lists one user and gets that user. Fails if users cannot be listed, or if the protected users cannot be read.
pub(crate) async fn test(client: &Client) -> Result<TestReport, Error> {
    let query = ListQuery { limit: Some(1), ..ListQuery::default() };
    let list = list(client, query.start()?, query.limit).await?;
    client.protected_users().await?;
    let getting: Cow<'static, str> = match list.users.first().and_then(|user| UserId::exact(&user.id)) {
        None => "not tested: the list shows no user with an id that a request can have".into(),
        Some(id) => match get(client, &id).await.map_err(Error::from) {
            Ok(_) => "permitted".into(),
            Err(Error::PermissionDenied { service, .. }) => format!("not permitted ({service})").into(),
            Err(error) => return Err(error),
        },
    };
    let check = |name, result| Check { name, result };
    Ok(TestReport::new([
        check("settings", "complete".into()),
        check("credentials", "accepted".into()),
        check("list users", "permitted".into()),
        check("get users", getting),
        check("suspend users", "not tested: only a suspension shows it".into()),
        check("reactivate users", "not tested: only a reactivation shows it".into()),
    ]))
}
