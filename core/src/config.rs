//! The settings and credentials of an action, looked up through the machine.

use crate::api::body::is_bearer_token;
use crate::catalogue::PROTECTED_USERS;
use crate::error::Error;
use crate::machine::Effects;
use crate::secret::Secret;
use crate::token::TokenKey;
use crate::values::protected::ProtectedUsers;
use crate::values::settings::{SecretError, SettingError, Settings};

/// The proof of identity that the action's calls carry.
pub(crate) enum Credentials {
    /// A token that the platform obtained. It is never renewed here.
    AccessToken(Secret),
    /// A token that is requested for this key, or taken from the session's cache.
    Client(TokenKey),
}

impl Credentials {
    /// The name of the secret that is at fault if the service does not accept the credentials.
    pub(crate) fn secret_name(&self) -> &'static str {
        match self {
            Self::AccessToken(_) => "access-token",
            Self::Client(_) => "client-secret",
        }
    }
}

/// Looks all settings up and parses them.
pub(crate) async fn settings(effects: &Effects) -> Result<Settings, Error> {
    let values = effects.settings(&Settings::NAMES).await?;
    let get = |name: &str| Settings::NAMES.iter().zip(&values).find(|(other, _)| **other == name)?.1.as_deref();
    Settings::parse(get).map_err(|(name, problem)| Error::misconfigured(name, problem))
}

/// Looks the protected users up. An error here forbids every suspension, and no other action.
pub(crate) async fn protected_users(effects: &Effects) -> Result<ProtectedUsers, Error> {
    const NAMES: [&str; 1] = [PROTECTED_USERS.name];
    let values = effects.settings(&NAMES).await?;
    let Some(text) = values.into_iter().next().flatten() else { return Ok(ProtectedUsers::default()) };
    ProtectedUsers::parse(&text).map_err(|problem| Error::misconfigured(PROTECTED_USERS.name, problem))
}

/// Looks up the part of the credentials that identifies the client. The client secret is looked up for a token request only.
pub(crate) async fn credentials(effects: &Effects, settings: &Settings) -> Result<Credentials, Error> {
    let mut secrets = effects.secrets(&["access-token", "client-id"]).await?.into_iter();
    let (access_token, client_id) = (secrets.next().flatten(), secrets.next().flatten());
    if let Some(token) = access_token {
        if !is_bearer_token(&token) {
            return Err(Error::misconfigured("access-token", SettingError::Secret(SecretError::NotAToken)));
        }
        return Ok(Credentials::AccessToken(token));
    }
    let client_id = required("client-id", client_id)?;
    if client_id.expose().contains(':') {
        return Err(Error::misconfigured("client-id", SettingError::Secret(SecretError::Colon)));
    }
    Ok(Credentials::Client(TokenKey::new(settings, client_id)))
}

/// Looks the client secret up.
pub(crate) async fn client_secret(effects: &Effects) -> Result<Secret, Error> {
    let secrets = effects.secrets(&["client-secret"]).await?;
    required("client-secret", secrets.into_iter().next().flatten())
}

/// Checks a secret that must be set.
fn required(name: &'static str, secret: Option<Secret>) -> Result<Secret, Error> {
    let Some(secret) = secret else {
        return Err(Error::misconfigured(name, SettingError::Missing));
    };
    if secret.expose().chars().any(char::is_control) {
        return Err(Error::misconfigured(name, SettingError::Secret(SecretError::ControlCharacter)));
    }
    Ok(secret)
}
