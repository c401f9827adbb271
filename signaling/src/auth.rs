//! Access tokens: HS256 JWTs whose `iss` is an API key, whose `sub` is the identity and whose `video` says what is allowed.

use crate::error::Refusal;
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// Longest token that is read, in bytes. Metadata may be in it.
const MAX_TOKEN: usize = 32 * 1024;
/// Clocks of token makers may be off by so much, in seconds.
const LEEWAY: u64 = 5;

/// What a token says.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Claims {
    /// API key.
    pub iss: String,
    /// Identity, unique in a room.
    pub sub: String,
    /// Expiry, seconds since the epoch.
    pub exp: u64,
    /// Not valid before, seconds since the epoch.
    pub nbf: u64,
    /// Display name.
    pub name: String,
    /// Free text for the application.
    pub metadata: String,
    /// Free key-value pairs for the application.
    pub attributes: HashMap<String, String>,
    /// What it allows.
    pub video: Grants,
}

/// What a token allows. Absent permissions are as the SDKs expect: publishing and subscribing allowed, own metadata not.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Grants {
    /// May join `room`.
    pub room_join: bool,
    /// Which room.
    pub room: String,
    /// May give orders in `room`; whoever joins it with such a token is its host.
    #[serde(skip_serializing_if = "is_false")]
    pub room_admin: bool,
    /// May make and end rooms.
    #[serde(skip_serializing_if = "is_false")]
    pub room_create: bool,
    /// May list all rooms.
    #[serde(skip_serializing_if = "is_false")]
    pub room_list: bool,
    /// May publish tracks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish: Option<bool>,
    /// May subscribe to tracks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_subscribe: Option<bool>,
    /// May send data messages.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_publish_data: Option<bool>,
    /// Sources that may be published: `camera`, `microphone`, `screen_share`, `screen_share_audio`; empty is all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub can_publish_sources: Vec<String>,
    /// May change own name, metadata and attributes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub can_update_own_metadata: Option<bool>,
    /// Invisible to others.
    pub hidden: bool,
    /// Is a recorder.
    pub recorder: bool,
}

impl Grants {
    /// Whether tracks may be published.
    pub fn publish(&self) -> bool {
        self.can_publish.unwrap_or(true)
    }

    /// Whether tracks of that source may be published: `camera`, `microphone`, `screen_share`, `screen_share_audio`.
    pub fn publish_source(&self, source: &str) -> bool {
        let allowed = &self.can_publish_sources;
        self.publish() && (allowed.is_empty() || allowed.iter().any(|s| s.eq_ignore_ascii_case(source)))
    }

    /// Whether tracks may be subscribed to.
    pub fn subscribe(&self) -> bool {
        self.can_subscribe.unwrap_or(true)
    }

    /// Whether data may be sent; as publishing, unless said otherwise.
    pub fn publish_data(&self) -> bool {
        self.can_publish_data.unwrap_or(self.publish())
    }

    /// Whether own name, metadata and attributes may be changed.
    pub fn update_own_metadata(&self) -> bool {
        self.can_update_own_metadata.unwrap_or(false)
    }
}

fn is_false(value: &bool) -> bool {
    !value
}

/// The token of `Authorization: Bearer …` (RFC 6750 section 2.1); empty if there is none.
pub(crate) fn bearer(headers: &HeaderMap) -> &str {
    let value = headers.get(header::AUTHORIZATION).and_then(|v| v.to_str().ok()).unwrap_or("");
    match value.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => token.trim(),
        _ => "",
    }
}

/// Checks a token: signature, time and that it lets its holder join a room.
pub(crate) fn verify(token: &str, keys: &[(String, String)]) -> Result<Claims, Refusal> {
    let claims: Claims = authenticate(token, keys)?;
    if !claims.video.room_join || claims.video.room.is_empty() {
        return Err(Refusal::NoJoinGrant);
    }
    if claims.sub.is_empty() {
        return Err(Refusal::NoIdentity);
    }
    Ok(claims)
}

/// Checks signature and time alone, and reads what a token of ours says.
pub(crate) fn authenticate<T: DeserializeOwned + Clone>(token: &str, keys: &[(String, String)]) -> Result<T, Refusal> {
    if token.is_empty() {
        return Err(Refusal::NoToken);
    }
    if token.len() > MAX_TOKEN {
        return Err(Refusal::TokenUnreadable);
    }
    let issuer = issuer(token).ok_or(Refusal::TokenUnreadable)?;
    let (_, secret) = keys.iter().find(|(key, _)| *key == issuer).ok_or(Refusal::UnknownKey)?;
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = LEEWAY;
    validation.validate_nbf = true;
    validation.validate_aud = false;
    validation.set_required_spec_claims(&["exp", "iss"]);
    let data = jsonwebtoken::decode::<T>(token, &DecodingKey::from_secret(secret.as_bytes()), &validation).map_err(
        |e| match e.kind() {
            ErrorKind::InvalidSignature => Refusal::WrongSignature,
            ErrorKind::ExpiredSignature => Refusal::TokenExpired,
            ErrorKind::ImmatureSignature => Refusal::TokenNotYetValid,
            _ => Refusal::TokenUnreadable,
        },
    )?;
    Ok(data.claims)
}

/// The `iss` of a token whose signature isn't checked yet: it names the secret to check with.
fn issuer(token: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Issuer {
        iss: String,
    }
    let payload = token.split('.').nth(1)?;
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    Some(serde_json::from_slice::<Issuer>(&payload).ok()?.iss)
}

/// Seconds since the epoch.
pub(crate) fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

/// Signs `claims` with `secret`. `None` only if signing fails altogether.
pub fn mint(claims: &impl Serialize, secret: &str) -> Option<String> {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes())).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> Vec<(String, String)> {
        vec![("devkey".into(), "secret".into())]
    }

    fn claims() -> Claims {
        Claims {
            iss: "devkey".into(),
            sub: "ana".into(),
            exp: now_secs() + 60,
            video: Grants { room_join: true, room: "r".into(), ..Grants::default() },
            ..Claims::default()
        }
    }

    fn check(claims: &Claims, secret: &str) -> Result<Claims, Refusal> {
        verify(&mint(claims, secret).unwrap(), &keys())
    }

    #[test]
    fn a_good_token_says_who_and_what() {
        let claims = check(&claims(), "secret").unwrap();
        assert_eq!((claims.sub.as_str(), claims.video.room.as_str()), ("ana", "r"));
        assert!(claims.video.publish() && claims.video.subscribe() && claims.video.publish_data());
        assert!(!claims.video.update_own_metadata());
    }

    #[test]
    fn each_defect_has_its_own_words() {
        assert_eq!(check(&claims(), "other").unwrap_err(), Refusal::WrongSignature);
        assert_eq!(check(&Claims { exp: now_secs() - 60, ..claims() }, "secret").unwrap_err(), Refusal::TokenExpired);
        assert_eq!(
            check(&Claims { nbf: now_secs() + 60, ..claims() }, "secret").unwrap_err(),
            Refusal::TokenNotYetValid
        );
        assert_eq!(check(&Claims { iss: "x".into(), ..claims() }, "secret").unwrap_err(), Refusal::UnknownKey);
        assert_eq!(check(&Claims { sub: String::new(), ..claims() }, "secret").unwrap_err(), Refusal::NoIdentity);
        let mut no_join = claims();
        no_join.video.room_join = false;
        assert_eq!(check(&no_join, "secret").unwrap_err(), Refusal::NoJoinGrant);
        assert_eq!(verify("", &keys()).unwrap_err(), Refusal::NoToken);
        for garbage in ["x", "a.b.c", "..", "e30.e30.e30", &"x".repeat(100_000)] {
            assert_eq!(verify(garbage, &keys()).unwrap_err(), Refusal::TokenUnreadable);
        }
    }

    #[test]
    fn an_unsigned_token_is_refused() {
        let good = mint(&claims(), "secret").unwrap();
        let payload = good.split('.').nth(1).unwrap();
        let header = URL_SAFE_NO_PAD.encode(br#"{"alg":"none","typ":"JWT"}"#);
        assert_eq!(verify(&format!("{header}.{payload}."), &keys()).unwrap_err(), Refusal::TokenUnreadable);
    }
}
