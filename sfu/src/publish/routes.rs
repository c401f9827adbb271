//! Which SSRC of a transport belongs to which layer of which track: from SDP where the offer names it, else learned from
//! header extensions of authenticated packets (RFC 8843 section 9.2, RFC 8852).

use crate::id::{Mid, Pt, Ssrc, TrackId};
use crate::params::{LayerParams, MAX_LAYERS, PublishParams};
use crate::rtp::Packet;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Where a packet belongs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Route {
    /// The track.
    pub track: TrackId,
    /// The simulcast layer.
    pub layer: u8,
    /// It is the retransmission stream of that layer (RFC 4588).
    pub rtx: bool,
}

/// The map of one transport. Each layer holds at most one SSRC for media and one for RTX, a newer takes the place of the older:
/// so it is bounded by what was negotiated, whatever SSRCs a peer makes up.
#[derive(Default, Debug)]
pub struct Routes {
    by_ssrc: FxHashMap<Ssrc, Route>,
    sections: Vec<Section>,
}

/// One published media section.
#[derive(Debug)]
struct Section {
    track: TrackId,
    mid: Mid,
    layers: SmallVec<[LayerParams; MAX_LAYERS]>,
    rtx: SmallVec<[Pt; 8]>,
}

impl Routes {
    /// Takes in a track; SSRCs that it declares route from now on, unless another track has them.
    pub fn add(&mut self, track: TrackId, params: &PublishParams) {
        self.remove(track);
        let layers: SmallVec<[LayerParams; MAX_LAYERS]> = params.layers.iter().copied().take(MAX_LAYERS).collect();
        for (layer, declared) in layers.iter().enumerate() {
            for (ssrc, rtx) in [(declared.ssrc, false), (declared.rtx_ssrc, true)] {
                if let Some(ssrc) = ssrc {
                    self.by_ssrc.entry(ssrc).or_insert(Route { track, layer: layer as u8, rtx });
                }
            }
        }
        let rtx = params.payloads.iter().filter_map(|p| p.rtx).collect();
        self.sections.push(Section { track, mid: params.mid, layers, rtx });
    }

    /// Forgets a track.
    pub fn remove(&mut self, track: TrackId) {
        self.by_ssrc.retain(|_, route| route.track != track);
        self.sections.retain(|section| section.track != track);
    }

    /// The route of an SSRC that was declared or learned.
    pub fn get(&self, ssrc: Ssrc) -> Option<Route> {
        self.by_ssrc.get(&ssrc).copied()
    }

    /// The route of a packet whose SSRC is unknown, by its extensions; remembered. Only authenticated packets may come here.
    pub fn learn(&mut self, packet: &Packet) -> Option<Route> {
        if let Some(route) = self.get(packet.ssrc) {
            return Some(route);
        }
        let route = self.by_extensions(packet)?;
        self.by_ssrc.retain(|_, other| *other != route);
        self.by_ssrc.insert(packet.ssrc, route);
        Some(route)
    }

    fn by_extensions(&self, packet: &Packet) -> Option<Route> {
        let e = &packet.extensions;
        let rid = e.repaired_rid.or(e.rid);
        let mut candidates = self.sections.iter().filter(|section| match e.mid {
            Some(mid) => section.mid == mid,
            // A rid alone names a layer only if no other section has it.
            None => rid.is_some_and(|rid| section.layer(rid).is_some()),
        });
        let section = candidates.next()?;
        if candidates.next().is_some() {
            return None;
        }
        let layer = match rid {
            Some(rid) => section.layer(rid),
            None => None,
        };
        // Without rid only a single encoding is unambiguous.
        let layer = layer.or((section.layers.len() == 1).then_some(0))?;
        let rtx = e.repaired_rid.is_some() || section.rtx.contains(&packet.pt);
        Some(Route { track: section.track, layer, rtx })
    }
}

impl Section {
    fn layer(&self, rid: crate::id::Rid) -> Option<u8> {
        self.layers.iter().position(|l| l.rid == Some(rid)).map(|i| i as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Token;
    use crate::params::{Codec, Format, Kind, PayloadParams};
    use crate::rtp::Extensions;
    use bytes::Bytes;

    fn video(mid: &str, rids: &[&str]) -> PublishParams {
        let format = Format { codec: Codec::Vp8, profile: 0 };
        let layer = |rid: &&str| LayerParams { rid: Token::new(rid), ..LayerParams::default() };
        PublishParams {
            screen: false,
            kind: Kind::Video,
            mid: Token::new(mid).unwrap(),
            payloads: vec![PayloadParams { pt: Pt(96), format, rtx: Some(Pt(97)), red: None, nack: true }],
            layers: rids.iter().map(layer).collect(),
        }
    }

    fn packet(ssrc: u32, pt: u8, mid: Option<&str>, rid: Option<&str>, rrid: Option<&str>) -> Packet {
        let token = |t: Option<&str>| t.and_then(Token::new);
        let extensions =
            Extensions { mid: token(mid), rid: token(rid), repaired_rid: token(rrid), ..Default::default() };
        Packet { pt: Pt(pt), marker: false, seq: 0, ts: 0, ssrc: Ssrc(ssrc), extensions, payload: Bytes::new() }
    }

    #[test]
    fn simulcast_is_learned_from_mid_and_rid_and_then_known_by_ssrc() {
        let mut routes = Routes::default();
        routes.add(TrackId(1), &video("0", &["q", "h", "f"]));
        routes.add(TrackId(2), &video("1", &["q", "h", "f"]));
        assert_eq!(routes.learn(&packet(10, 96, None, Some("h"), None)), None, "two sections have it");
        assert_eq!(routes.learn(&packet(10, 96, Some("1"), None, None)), None, "three layers have it");
        let media = Route { track: TrackId(2), layer: 1, rtx: false };
        assert_eq!(routes.learn(&packet(10, 96, Some("1"), Some("h"), None)), Some(media));
        assert_eq!(routes.get(Ssrc(10)), Some(media));
        let rtx = Route { track: TrackId(2), layer: 1, rtx: true };
        assert_eq!(routes.learn(&packet(11, 97, Some("1"), None, Some("h"))), Some(rtx));
    }

    #[test]
    fn a_single_encoding_needs_only_the_mid() {
        let mut routes = Routes::default();
        let mut params = video("0", &["x"]);
        params.layers = vec![LayerParams::default()];
        routes.add(TrackId(1), &params);
        assert_eq!(routes.learn(&packet(1, 96, Some("0"), None, None)).map(|r| r.rtx), Some(false));
        assert_eq!(routes.learn(&packet(2, 97, Some("0"), None, None)).map(|r| r.rtx), Some(true));
        assert_eq!(routes.learn(&packet(3, 96, None, None, None)), None);
    }

    #[test]
    fn made_up_ssrcs_do_not_grow_the_map() {
        let mut routes = Routes::default();
        routes.add(TrackId(1), &video("0", &["q"]));
        for ssrc in 0..1000 {
            assert!(routes.learn(&packet(ssrc, 96, Some("0"), Some("q"), None)).is_some());
        }
        assert_eq!(routes.by_ssrc.len(), 1);
        routes.remove(TrackId(1));
        assert_eq!(routes.get(Ssrc(999)), None);
    }

    #[test]
    fn declared_ssrcs_route_at_once() {
        let mut routes = Routes::default();
        let mut params = video("0", &["q"]);
        params.layers = vec![LayerParams { ssrc: Some(Ssrc(5)), rtx_ssrc: Some(Ssrc(6)), ..LayerParams::default() }];
        routes.add(TrackId(1), &params);
        assert_eq!(routes.get(Ssrc(5)), Some(Route { track: TrackId(1), layer: 0, rtx: false }));
        assert_eq!(routes.get(Ssrc(6)), Some(Route { track: TrackId(1), layer: 0, rtx: true }));
    }
}
