//! `POST /whip` (RFC 9725): whoever can make one HTTP request publishes. Each section in which the client sends becomes a track.

use super::{State, http};
use crate::auth::{Claims, Grants};
use crate::error::Refusal;
use crate::negotiate::codecs;
use crate::negotiate::sdp::{Description, Direction, Media, Section};
use crate::rooms::http::HttpJoin;
use crate::session::Dialect;
use crate::session::upstream::MAX_PENDING;
use axum::Router;
use axum::extract::{Request, State as Extract};
use axum::response::Response;
use axum::routing::post;
use livekit_protocol as proto;
use proto::{AddTrackRequest, TrackSource, TrackType};
use ramai_sfu::id::Rid;
use ramai_sfu::params::MAX_LAYERS;

const ENDPOINT: &str = "/whip";
/// Names of simulcast layers as encoders use them, lowest first.
const LAYER_NAMES: [[&str; 3]; 4] =
    [["q", "h", "f"], ["l", "m", "h"], ["low", "mid", "high"], ["low", "medium", "high"]];

pub fn router() -> Router<State> {
    http::router(ENDPOINT, Dialect::Whip, post(publish))
}

async fn publish(Extract(state): Extract<State>, request: Request) -> Result<Response, Refusal> {
    let claims = http::claims(&state, request.headers())?;
    if !claims.video.publish() {
        return Err(Refusal::NotGranted("publish"));
    }
    state.admit(&claims).await?;
    let offer = http::offer(request).await?;
    http::open(&state, ENDPOINT, read(claims, offer)?).await
}

/// What a checked token and an offer ask for.
pub fn read(claims: Claims, mut offer: Description) -> Result<HttpJoin, Refusal> {
    let tracks = tracks(&mut offer, &claims.video)?;
    Ok(HttpJoin { join: http::wish(claims, Dialect::Whip, tracks), offer, watch: Vec::new() })
}

/// The tracks that the offer announces; what it would receive is left out of it.
fn tracks(offer: &mut Description, grants: &Grants) -> Result<Vec<AddTrackRequest>, Refusal> {
    let mut tracks = Vec::new();
    for (index, section) in offer.sections.iter_mut().enumerate() {
        section.direction = if section.direction.sends() { Direction::SendOnly } else { Direction::Inactive };
        if !section.direction.sends() || !http::usable(section) {
            continue;
        }
        if section.media == Media::Audio && !grants.publish_source("microphone") {
            return Err(Refusal::NotGranted("publish a microphone"));
        }
        if section.media == Media::Video && !grants.publish_source("camera") {
            return Err(Refusal::NotGranted("publish a camera"));
        }
        tracks.push(track(index, section));
    }
    match tracks.len() {
        0 => Err(Refusal::UnusableOffer("no section of it sends audio or video in a codec that is forwarded here")),
        n if n > MAX_PENDING => Err(Refusal::UnusableOffer("it sends too many tracks")),
        _ => Ok(tracks),
    }
}

fn track(index: usize, section: &Section) -> AddTrackRequest {
    let (kind, source) = match section.media {
        Media::Video => (TrackType::Video, TrackSource::Camera),
        _ => (TrackType::Audio, TrackSource::Microphone),
    };
    let first = codecs::understood(section, None, false).into_iter().next();
    let stereo = section.payloads.iter().any(|p| p.name == "opus" && p.parameter("sprop-stereo") == Some("1"));
    let layers = layers(&section.send_rids);
    let mut request = AddTrackRequest {
        // Unique where msid may not be; sections and tracks of a kind are matched in order.
        cid: format!("whip-{index}"),
        // The encoder's own first choice comes first in the answer.
        simulcast_codecs: first
            .map(|p| proto::SimulcastCodec { codec: codecs::mime(p.format.codec).to_owned(), ..Default::default() })
            .into_iter()
            .collect(),
        layers,
        stereo,
        ..Default::default()
    };
    request.set_type(kind);
    request.set_source(source);
    request
}

/// Simulcast layers, lowest first. Where their names don't tell which that is, the offer's order does: the first is the one that
/// the sender prefers (RFC 8853 section 5.2).
fn layers(rids: &[Rid]) -> Vec<proto::VideoLayer> {
    let mut rids: Vec<&str> = rids.iter().map(Rid::as_str).collect();
    match LAYER_NAMES.iter().find(|names| rids.iter().all(|rid| names.contains(rid))) {
        Some(names) => rids.sort_by_key(|rid| names.iter().position(|name| name == rid)),
        None => rids.reverse(),
    }
    let layer = |(quality, rid): (usize, &str)| proto::VideoLayer {
        quality: quality as i32,
        rid: rid.to_owned(),
        ..Default::default()
    };
    rids.into_iter().take(MAX_LAYERS).enumerate().map(layer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ramai_sfu::id::Token;

    const CHROMIUM: &str = include_str!("../../tests/fixtures/chromium-v0-publish.sdp");

    fn read(sdp: &str, grants: &Grants) -> Result<Vec<AddTrackRequest>, Refusal> {
        tracks(&mut Description::parse(sdp).unwrap(), grants)
    }

    fn names(rids: &[&str]) -> Vec<String> {
        let rids: Vec<Rid> = rids.iter().map(|rid| Token::new(rid).unwrap()).collect();
        layers(&rids).into_iter().map(|l| l.rid).collect()
    }

    #[test]
    fn camera_and_microphone_are_found_with_their_layers() {
        let tracks = read(CHROMIUM, &Grants::default()).unwrap();
        let sources: Vec<_> = tracks.iter().map(|t| (t.r#type(), t.source())).collect();
        assert_eq!(sources, [(TrackType::Video, TrackSource::Camera), (TrackType::Audio, TrackSource::Microphone)]);
        assert_eq!(tracks[0].layers.len(), 3);
        assert_eq!(tracks[0].simulcast_codecs[0].codec, "video/VP8");
    }

    #[test]
    fn the_lowest_layer_comes_first_whatever_the_order() {
        assert_eq!(names(&["f", "h", "q"]), ["q", "h", "f"]);
        assert_eq!(names(&["h", "l"]), ["l", "h"]);
        assert_eq!(names(&["low", "high", "medium"]), ["low", "medium", "high"]);
        assert_eq!(names(&["0", "1", "2"]), ["2", "1", "0"]);
    }

    #[test]
    fn what_the_grants_or_the_codecs_forbid_is_said() {
        let only = Grants { can_publish_sources: vec!["camera".into()], ..Grants::default() };
        assert_eq!(read(CHROMIUM, &only).unwrap_err(), Refusal::NotGranted("publish a microphone"));
        let looking = CHROMIUM.replace("a=sendonly", "a=recvonly");
        assert!(matches!(read(&looking, &Grants::default()), Err(Refusal::UnusableOffer(_))));
        let both = CHROMIUM.replace("a=sendonly", "a=sendrecv");
        assert_eq!(read(&both, &Grants::default()).unwrap().len(), 2);
    }
}
