//! From what a seat publishes to media sections and what the engine needs to send in them.

use super::{Publish, Seat};
use crate::media::scalability::Mode;
use crate::media::source::{AudioParams, LayerParams, SourceParams, VideoParams};
use crate::sdp::{self, Flow, Section};
use ramai_sfu::params::ExtensionMap;

/// The tracks of one publisher.
#[derive(Clone, Debug)]
pub struct Tracks {
    publish: Publish,
    seed: u64,
    layers: Vec<LayerParams>,
}

/// SSRCs of one publisher: audio, then each layer and its retransmissions.
const SSRCS: u32 = 16;

impl Tracks {
    /// Nothing, if the seat publishes nothing.
    pub fn of(seat: &Seat) -> Option<Self> {
        let publish = seat.publish.clone()?;
        let base = Self::base(&publish);
        let alone = publish.layers.len() == 1;
        let layers = publish.layers.iter().zip((1..).step_by(2)).map(|(shape, n)| {
            // A single encoding needs no rid.
            let shape = crate::media::encoder::Shape { rid: shape.rid.filter(|_| !alone), ..*shape };
            LayerParams { shape, ssrc: base + n, rtx_ssrc: base + n + 1 }
        });
        Some(Self { layers: layers.collect(), seed: seat.seed, publish })
    }

    fn base(publish: &Publish) -> u32 {
        0x1000_0000 + publish.number * SSRCS
    }

    /// Track ids: microphone, camera.
    pub fn ids(&self) -> [Option<String>; 2] {
        let number = self.publish.number;
        let camera = !self.layers.is_empty();
        [self.publish.talk.map(|_| format!("mic-{number}")), camera.then(|| format!("cam-{number}"))]
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.ids().iter().flatten().count()
    }

    /// The encodings of the camera.
    pub fn layers(&self) -> &[LayerParams] {
        &self.layers
    }

    /// How the layers within each encoding hang together.
    pub fn mode(&self) -> Mode {
        self.publish.mode
    }

    /// One section for each.
    pub fn sections(&self) -> Vec<Section> {
        let [microphone, camera] = self.ids();
        let (ssrc, codec) = (Self::base(&self.publish), self.publish.codec);
        let audio = microphone.map(|track| Flow::Send { track, ssrc, layers: Vec::new(), codec });
        let video = camera.map(|track| Flow::Send { track, ssrc, layers: self.layers.clone(), codec });
        let audio = audio.map(|flow| Section { video: false, flow });
        audio.into_iter().chain(video.map(|flow| Section { video: true, flow })).collect()
    }

    /// What to send in sections of our own offer that begins with [`Tracks::sections`].
    pub fn source(&self, extensions: ExtensionMap) -> SourceParams {
        let mut mids = (0..).map(|n: usize| n.to_string());
        let audio = self.publish.talk.map(|talk| AudioParams {
            mid: mids.next().unwrap_or_default(),
            pt: sdp::OPUS,
            ssrc: Self::base(&self.publish),
            talk,
        });
        let video = (!self.layers.is_empty()).then(|| VideoParams {
            mid: mids.next().unwrap_or_default(),
            codec: self.publish.codec,
            pt: self.publish.codec.payload_types().0,
            rtx: Some(self.publish.codec.payload_types().1),
            layers: self.layers.clone(),
            pacing: self.publish.pacing,
            mode: self.publish.mode,
            film: self.publish.film.clone(),
        });
        SourceParams { publisher: self.publish.number, seed: self.seed, extensions, audio, video }
    }
}
