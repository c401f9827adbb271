//! `POST /whep` (draft-ietf-wish-whep): whoever can make one HTTP request watches, unseen by the others.
//! `?participants=a,b` names whose tracks, in which order; without it all of the room's. Sections are filled in order by the tracks of
//! their kind, and what is published later needs a new session.

use super::{State, http};
use crate::auth::Claims;
use crate::error::Refusal;
use crate::negotiate::sdp::{Description, Direction, MAX_SECTIONS};
use crate::rooms::http::HttpJoin;
use crate::session::Dialect;
use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::response::Response;
use axum::routing::post;

const ENDPOINT: &str = "/whep";

pub fn router() -> Router<State> {
    http::router(ENDPOINT, Dialect::Whep, post(watch))
}

async fn watch(Extract(state): Extract<State>, request: Request) -> Result<Response, Refusal> {
    let claims = http::claims(&state, request.headers())?;
    if !claims.video.subscribe() {
        return Err(Refusal::NotGranted("subscribe"));
    }
    let watch = participants(request.uri().query().unwrap_or(""))?;
    state.admit(&claims).await?;
    let offer = http::offer(request).await?;
    http::open(&state, ENDPOINT, read(claims, offer, watch)?).await
}

/// What a checked token and an offer ask for.
pub fn read(mut claims: Claims, mut offer: Description, watch: Vec<String>) -> Result<HttpJoin, Refusal> {
    narrow(&mut offer)?;
    claims.video.hidden = true;
    Ok(HttpJoin { join: http::wish(claims, Dialect::Whep, Vec::new()), offer, watch })
}

/// The identities of `participants=a,b`, each once; it may be given several times. Empty is everybody.
fn participants(query: &str) -> Result<Vec<String>, Refusal> {
    let query: Vec<(String, String)> =
        serde_urlencoded::from_str(query).map_err(|_| Refusal::BadRequest("the query cannot be read"))?;
    let mut names: Vec<String> = Vec::new();
    for name in query.iter().filter(|(key, _)| key == "participants").flat_map(|(_, value)| value.split(',')) {
        if !name.is_empty() && !names.iter().any(|known| known == name) {
            names.push(name.to_owned());
        }
        if names.len() > MAX_SECTIONS {
            return Err(Refusal::BadRequest("too many participants are named"));
        }
    }
    Ok(names)
}

/// Leaves out of the offer what it would send; something that it receives must remain.
fn narrow(offer: &mut Description) -> Result<(), Refusal> {
    for section in &mut offer.sections {
        section.direction = if section.direction.receives() { Direction::RecvOnly } else { Direction::Inactive };
    }
    if offer.sections.iter().any(|s| s.direction.receives() && http::usable(s)) {
        return Ok(());
    }
    Err(Refusal::UnusableOffer("no section of it receives audio or video in a codec that is forwarded here"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn participants_keep_their_order() {
        assert_eq!(participants("participants=b,a,b&x=y&participants=c%20d").unwrap(), ["b", "a", "c d"]);
        assert!(participants("").unwrap().is_empty() && participants("participants=").unwrap().is_empty());
        let many = (0..=MAX_SECTIONS).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
        assert!(matches!(participants(&format!("participants={many}")), Err(Refusal::BadRequest(_))));
    }

    #[test]
    fn a_player_receives() {
        let publisher = include_str!("../../tests/fixtures/chromium-v0-publish.sdp");
        let read = |sdp: &str| narrow(&mut Description::parse(sdp).unwrap());
        assert!(matches!(read(publisher), Err(Refusal::UnusableOffer(_))));
        assert_eq!(read(&publisher.replace("a=sendonly", "a=sendrecv")), Ok(()));
    }
}
