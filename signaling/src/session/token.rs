//! The token with which a client comes back: whoever stays for hours needs one that is younger than the one it came with, and that
//! says what it may by now.

use super::{Context, Session};
use crate::auth::Claims;
use crate::rooms::effect::Effect;
use crate::rooms::standing::RESERVED;
use std::time::{Duration, Instant};

/// How long a token is good that we give, and how often it is replaced: at any time there is half of it left.
pub const LIFETIME: Duration = Duration::from_secs(600);
const EVERY: Duration = Duration::from_secs(300);

/// When the next is due, and with which API key it is signed.
pub struct Renewal {
    key: String,
    due: Instant,
}

impl Renewal {
    /// Due at once.
    pub fn new(claims: &Claims, now: Instant) -> Self {
        Self { key: claims.iss.clone(), due: now }
    }

    /// What the token says is not so any more, or the client may have lost it.
    pub fn hurry(&mut self, now: Instant) {
        self.due = now;
    }
}

impl Session {
    /// Gives the client its next token, when that is due.
    pub(super) fn renew_token(&mut self, cx: &mut Context<'_>) {
        if cx.now < self.renewal.due {
            return;
        }
        let Some(conn) = self.conn else { return };
        self.renewal.due = cx.now + EVERY;
        let mut attributes = self.info.attributes.clone();
        attributes.retain(|name, _| !name.starts_with(RESERVED));
        let claims = Claims {
            iss: self.renewal.key.clone(),
            sub: self.info.identity.clone(),
            name: self.info.name.clone(),
            metadata: self.info.metadata.clone(),
            attributes,
            // Who waits to be let in keeps what it will be allowed.
            video: self.waiting.as_ref().unwrap_or(&self.grants).clone(),
            ..Claims::default()
        };
        cx.out.push(Effect::Token(conn, Box::new(claims)));
    }
}
