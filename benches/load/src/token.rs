//! Access tokens as an application makes them (HS256, the grants of the client protocol).

use crate::Error;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How tokens are signed.
#[derive(Clone)]
pub struct Signer {
    /// API key.
    pub key: String,
    /// Its secret.
    pub secret: String,
}

impl Signer {
    /// A token for one participant, good for a day: longer than any run.
    ///
    /// # Errors
    /// If it can't be signed.
    pub fn mint(&self, room: &str, identity: &str, name: &str) -> Result<String, Error> {
        let day = Duration::from_secs(86_400);
        let expires = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default() + day;
        let claims = json!({
            "iss": self.key,
            "sub": identity,
            "name": name,
            "exp": expires.as_secs(),
            "video": { "roomJoin": true, "room": room, "canPublish": true, "canSubscribe": true },
        });
        let key = EncodingKey::from_secret(self.secret.as_bytes());
        jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|e| Error::Usage(e.to_string()))
    }
}
