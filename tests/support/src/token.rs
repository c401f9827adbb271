//! Access tokens as an application makes them.

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// API key of `ramai --dev`.
pub const DEV_KEY: &str = "devkey";
/// Its secret.
pub const DEV_SECRET: &str = "secret";

/// The claims of a participant who may do everything a participant may, for an hour.
pub fn claims(room: &str, identity: &str) -> Value {
    json!({
        "iss": DEV_KEY,
        "sub": identity,
        "name": identity,
        "exp": seconds_from_now(Duration::from_secs(3600)),
        "video": { "roomJoin": true, "room": room },
    })
}

/// Seconds since the epoch, `ahead` of now.
pub fn seconds_from_now(ahead: Duration) -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs() + ahead.as_secs()
}

/// Signs claims with HS256. Empty if they can't be signed, which no JSON value causes.
pub fn sign(claims: &Value, secret: &str) -> String {
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret.as_bytes()))
        .unwrap_or_default()
}

/// A host's token for `--dev` servers.
pub fn mint_host(room: &str, identity: &str) -> String {
    let mut claims = claims(room, identity);
    claims["video"]["roomAdmin"] = true.into();
    sign(&claims, DEV_SECRET)
}

/// A token for `--dev` servers.
pub fn mint(room: &str, identity: &str) -> String {
    sign(&claims(room, identity), DEV_SECRET)
}
