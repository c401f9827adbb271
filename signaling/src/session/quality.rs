//! From what a client shows to which layer it needs.

use super::publication::Publication;
use livekit_protocol as proto;
use ramai_sfu::params::{MAX_LAYERS, SubscriptionSettings};

/// What a client asked to be shown of a track.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct View {
    /// Nothing.
    pub disabled: bool,
    /// Size in pixels of where it's shown, if the client said; else by `quality`.
    pub size: Option<(u32, u32)>,
    /// Highest quality wanted: 0 low, 1 medium, 2 high.
    pub quality: u8,
    /// What gets room first: 1 the highest, 0 if the client leaves it to us.
    pub priority: u8,
}

impl Default for View {
    fn default() -> Self {
        Self { disabled: false, size: None, quality: 2, priority: 0 }
    }
}

impl View {
    /// From the client's message.
    pub fn new(settings: &proto::UpdateTrackSettings) -> Self {
        let off = settings.quality() == proto::VideoQuality::Off;
        let quality = match settings.quality() {
            proto::VideoQuality::Low => 0,
            proto::VideoQuality::Medium => 1,
            _ => 2,
        };
        let size = (settings.width > 0 && settings.height > 0).then_some((settings.width, settings.height));
        let priority = settings.priority.min(u32::from(u8::MAX)) as u8;
        Self { disabled: settings.disabled || off, size, quality, priority }
    }

    /// What the media plane is to send of `publication`. Layers are counted as the publisher named them, lowest first.
    pub fn settings(&self, publication: &Publication) -> SubscriptionSettings {
        let layers = &publication.info.layers;
        let top = MAX_LAYERS - 1;
        let spatial = match self.size {
            // A browser scales: a layer a little smaller than its place still looks the same.
            Some((width, height)) => layers
                .iter()
                .position(|l| {
                    u64::from(l.width) * 10 >= u64::from(width) * 9 || u64::from(l.height) * 10 >= u64::from(height) * 9
                })
                .unwrap_or(top),
            None if layers.is_empty() => usize::from(self.quality),
            None => layers.iter().rposition(|l| l.quality <= i32::from(self.quality)).unwrap_or(0),
        };
        SubscriptionSettings { paused: self.disabled, max_spatial: spatial.min(top) as u8, priority: self.priority }
    }
}
