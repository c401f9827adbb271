//! A published track as rooms and subscribers see it, and one that is announced but not negotiated yet.

use super::SessionKey;
use crate::negotiate::answer::Receive;
use crate::negotiate::codecs;
use livekit_protocol as proto;
use proto::AddTrackRequest;
use ramai_sfu::id::{Mid, TrackId};
use ramai_sfu::params::{Codec, Kind, LayerParams, PayloadParams};
use std::collections::BTreeSet;

/// How a track is heard in a room with speaker slots.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Part {
    /// By itself.
    Itself,
    /// Through the slots: a microphone that tells how loud it is.
    Slotted,
    /// It is one of them.
    Slot,
}

/// A track that comes in.
#[derive(Clone, Debug)]
pub struct Publication {
    /// Its name on the media plane.
    pub track: TrackId,
    /// Whose.
    pub publisher: SessionKey,
    /// SID of whose.
    pub publisher_sid: String,
    /// As others see it.
    pub info: proto::TrackInfo,
    /// What may be sent, most likely first.
    pub payloads: Vec<PayloadParams>,
    /// Number of layers that the media plane knows.
    pub layers: usize,
    /// Who may subscribe: identities and SIDs; `None` is everybody.
    pub allowed: Option<BTreeSet<String>>,
    /// The publisher knows that someone subscribed.
    pub seen: bool,
    /// What the publisher was told is wanted, by quality; `None` before it was told anything.
    pub wanted: Option<[bool; 3]>,
    /// Something came of it for so long that its publisher knows how much its line takes.
    pub settled: bool,
    /// Its part in a room with speaker slots.
    pub part: Part,
}

impl Publication {
    /// Whether the publisher lets that participant subscribe.
    pub fn allows(&self, who: &proto::ParticipantInfo) -> bool {
        self.allowed.as_ref().is_none_or(|set| set.contains(&who.sid) || set.contains(&who.identity))
    }

    /// Audio or video.
    pub fn kind(&self) -> Kind {
        if self.info.r#type() == proto::TrackType::Audio { Kind::Audio } else { Kind::Video }
    }

    /// The group of tracks that play in sync: camera with microphone, screen with its sound.
    pub fn stream(&self) -> &str {
        if !self.info.stream.is_empty() {
            return &self.info.stream;
        }
        match self.info.source() {
            proto::TrackSource::ScreenShare | proto::TrackSource::ScreenShareAudio => "screen",
            proto::TrackSource::Camera | proto::TrackSource::Microphone => "camera",
            proto::TrackSource::Unknown => &self.info.sid,
        }
    }
}

/// A track announced by `AddTrack` that has no media section yet.
#[derive(Clone, Debug)]
pub struct Pending {
    pub track: TrackId,
    pub cid: String,
    pub info: proto::TrackInfo,
    pub receive: Receive,
}

impl Pending {
    /// From the client's request, which was checked against its grants.
    pub fn new(track: TrackId, sid: String, request: &AddTrackRequest) -> Self {
        let audio = request.r#type() == proto::TrackType::Audio;
        let feature = |f: proto::AudioTrackFeature| request.audio_features.contains(&(f as i32));
        let wanted = request.simulcast_codecs.first();
        let (disable_dtx, stereo) = (
            request.disable_dtx || feature(proto::AudioTrackFeature::TfNoDtx),
            request.stereo || feature(proto::AudioTrackFeature::TfStereo),
        );
        // A codec that we don't forward becomes VP8; the client sees that in `codecs` and falls back.
        let codec = match (audio, wanted) {
            (true, _) => Codec::Opus,
            (false, Some(wanted)) => {
                codecs::codec_of_name(&wanted.codec).filter(|c| *c != Codec::Opus).unwrap_or(Codec::Vp8)
            }
            (false, None) => Codec::Vp8,
        };
        let mut layers = match wanted {
            Some(wanted) if !wanted.layers.is_empty() => wanted.layers.clone(),
            _ => request.layers.clone(),
        };
        layers.truncate(ramai_sfu::params::MAX_LAYERS);
        layers.sort_by_key(|layer| layer.quality);
        let mut info = proto::TrackInfo {
            sid,
            name: request.name.clone(),
            muted: request.muted,
            width: request.width,
            height: request.height,
            layers: layers.clone(),
            mime_type: codecs::mime(codec).to_owned(),
            codecs: vec![proto::SimulcastCodecInfo {
                mime_type: codecs::mime(codec).to_owned(),
                cid: request.cid.clone(),
                layers,
                video_layer_mode: wanted.map_or(0, |w| w.video_layer_mode),
                ..Default::default()
            }],
            disable_red: request.disable_red,
            stream: request.stream.clone(),
            audio_features: request.audio_features.clone(),
            packet_trailer_features: request.packet_trailer_features.clone(),
            ..Default::default()
        };
        info.disable_dtx = disable_dtx;
        info.stereo = stereo;
        info.set_type(request.r#type());
        info.set_source(request.source());
        info.set_encryption(request.encryption());
        let encrypted = request.encryption() != proto::encryption::Type::None;
        Self {
            track,
            cid: request.cid.clone(),
            info,
            receive: Receive {
                prefer: Some(codec),
                red: audio && !request.disable_red && !encrypted,
                dtx: !disable_dtx,
                stereo,
            },
        }
    }

    /// Audio or video.
    pub fn kind(&self) -> Kind {
        if self.info.r#type() == proto::TrackType::Audio { Kind::Audio } else { Kind::Video }
    }

    /// Quality that the client gave a rid, if it named rids.
    pub fn quality_of(&self, rid: &str) -> Option<i32> {
        self.info.layers.iter().find(|l| l.rid == rid).map(|l| l.quality)
    }

    /// What the client said each of its encodings takes at most. Both are lowest first; layers within one encoding are none of their own.
    pub fn tell_most(&self, layers: &mut [LayerParams]) {
        if layers.len() == self.info.layers.len() {
            for (layer, told) in layers.iter_mut().zip(&self.info.layers) {
                layer.most = Some(u64::from(told.bitrate)).filter(|most| *most > 0);
            }
        }
    }

    /// The track now that its section is known.
    pub fn publish(
        self,
        publisher: SessionKey,
        publisher_sid: String,
        mid: Mid,
        payloads: Vec<PayloadParams>,
        layers: &[LayerParams],
        part: Part,
    ) -> Publication {
        let mut info = self.info;
        info.mid = mid.to_string();
        info.simulcast = layers.len() > 1;
        if let Some(first) = payloads.first() {
            info.mime_type = codecs::mime(first.format.codec).to_owned();
            if let Some(codec) = info.codecs.first_mut() {
                codec.mime_type = info.mime_type.clone();
                codec.mid = info.mid.clone();
            }
        }
        Publication {
            track: self.track,
            publisher,
            publisher_sid,
            info,
            payloads,
            layers: layers.len(),
            allowed: None,
            seen: false,
            wanted: None,
            settled: false,
            part,
        }
    }
}
