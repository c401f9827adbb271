//! How loud one track is, from the levels in its packets: smoothed, so that it bridges syllables and lets a click pass by.

use crate::rtp::AudioLevel;
use std::time::{Duration, Instant};

/// Loudness follows speech with this time constant.
const SMOOTHING: Duration = Duration::from_millis(200);
/// A packet speaks for as long at most; longer gaps are silence (DTX sends one packet in 400 ms).
const PACKET: Duration = Duration::from_millis(40);

/// Smoothed loudness of one track.
#[derive(Clone, Copy, Debug)]
pub(super) struct Loudness {
    /// Mean power, 1.0 is overload.
    power: f32,
    /// The sender believed last that it is voice.
    pub voice: bool,
    /// When the newest level came.
    pub at: Instant,
}

impl Loudness {
    /// Silence up to now.
    pub fn silent(now: Instant) -> Self {
        Self { power: 0.0, voice: false, at: now.checked_sub(PACKET).unwrap_or(now) }
    }

    /// Takes in a packet's level.
    pub fn observe(&mut self, now: Instant, level: AudioLevel) {
        let elapsed = now.saturating_duration_since(self.at);
        self.silence(elapsed.saturating_sub(PACKET));
        let linear = linear(level.level);
        let keep = keep(elapsed.min(PACKET));
        self.power = self.power * keep + linear * linear * (1.0 - keep);
        self.voice = level.voice;
        self.at = now;
    }

    /// Loudness (amplitude) at `now`, if nothing came since.
    pub fn amplitude(mut self, now: Instant) -> f32 {
        self.silence(now.saturating_duration_since(self.at).saturating_sub(PACKET));
        self.power.sqrt()
    }

    fn silence(&mut self, lasting: Duration) {
        if !lasting.is_zero() {
            self.power *= keep(lasting);
        }
    }
}

/// The share of the past that remains after `elapsed`.
fn keep(elapsed: Duration) -> f32 {
    (-elapsed.as_secs_f32() / SMOOTHING.as_secs_f32()).exp()
}

/// Amplitude of a level in -dBov; 127 is digital silence.
fn linear(level: u8) -> f32 {
    if level >= 127 { 0.0 } else { 10f32.powf(-f32::from(level) / 20.0) }
}
