//! Which layers a subscriber is shown: the highest that the publisher sends, is wanted and has room. The spatial layer, of simulcast or of
//! SVC, goes up at a key frame only; a temporal layer begins where a frame says that it may, and ends with any picture. It looks at
//! [`FrameMeta`](crate::rtp::FrameMeta) alone, never at payload.

use crate::params::{Kind, SubscriptionSettings};
use crate::publish::Rung;
use crate::rtp::{LayerSet, Media};
use std::collections::VecDeque;

/// What to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It goes on with what is shown.
    Forward,
    /// It starts what shall be shown from now on, if the subscriber can take it; then call [`Selector::switched`].
    Switch,
    /// It is of the simulcast layer that is shown, and left out of it.
    Skip,
    /// It isn't shown.
    Drop,
}

/// What there is room for on the way to a subscriber: so much at most. The default is all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Fit {
    /// Nothing.
    pub paused: bool,
    /// Simulcast layer.
    pub layer: u8,
    /// Spatial layer within it.
    pub spatial: u8,
    /// Temporal layer.
    pub temporal: u8,
}

impl Default for Fit {
    fn default() -> Self {
        Self { paused: false, layer: u8::MAX, spatial: u8::MAX, temporal: u8::MAX }
    }
}

impl Fit {
    /// Nothing at all.
    pub const NONE: Self = Self { paused: true, layer: 0, spatial: 0, temporal: 0 };
    /// The lowest spatial layer, whatever it is.
    pub const LOWEST: Self = Self { paused: false, layer: 0, spatial: 0, temporal: u8::MAX };
}

impl From<Rung> for Fit {
    fn from(rung: Rung) -> Self {
        Self { paused: false, layer: rung.layer, spatial: rung.spatial, temporal: rung.temporal }
    }
}

/// Highest spatial and temporal layer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Layers {
    spatial: u8,
    temporal: u8,
}

impl Layers {
    /// Whether a frame is among them, or what they build on.
    fn need(self, media: &Media) -> bool {
        let meta = &media.meta;
        let spatial = meta.spatial == self.spatial || meta.needed_above && meta.spatial < self.spatial;
        spatial && meta.temporal <= self.temporal
    }

    /// Whether they are all that a stream has.
    fn are_all(self, media: &Media) -> bool {
        self.temporal == u8::MAX && media.meta.spatials.0 <= 1
    }
}

/// Frames that are remembered, so that what comes late of one is judged as the rest of it was: those of a second, or a third of one with
/// three spatial layers.
const MAX_JUDGED: usize = 32;
/// Changes that are remembered, so that what comes later than that is judged as it was then.
const MAX_CHANGES: usize = 8;

/// What is shown.
#[derive(Debug)]
struct Shown {
    /// Simulcast layer.
    layer: u8,
    epoch: u32,
    /// The packet with which it began.
    first: u64,
    /// Of its frames, these.
    now: Layers,
    /// Oldest first: packet and picture with which others began to be shown, and what was until then.
    changes: VecDeque<(u64, u32, Layers)>,
    /// Newest packet, and its picture.
    newest: u64,
    ts: u32,
    /// No spatial layer below was left out since the last key frame.
    whole: bool,
    /// Timestamp and spatial layer of the last frames, newest first, and whether they are shown.
    judged: VecDeque<(u32, u8, bool)>,
}

impl Shown {
    fn change(&mut self, media: &Media, layers: Layers) {
        if layers != self.now {
            self.changes.push_back((media.index, media.ts, self.now));
            self.now = layers;
            if self.changes.len() > MAX_CHANGES {
                self.changes.pop_front();
            }
        }
    }

    /// What was shown when the packet was due.
    fn at(&self, media: &Media) -> Layers {
        let behind = |(index, ts, _): &&(u64, u32, Layers)| media.index < *index && media.ts != *ts;
        self.changes.iter().find(behind).map_or(self.now, |(_, _, before)| *before)
    }

    /// Whether a packet is shown, if that was decided for its frame.
    fn is_judged(&self, media: &Media) -> Option<bool> {
        let same = |(ts, spatial, _): &&(u32, u8, bool)| (*ts, *spatial) == (media.ts, media.meta.spatial);
        self.judged.iter().find(same).map(|(_, _, shown)| *shown)
    }

    fn judge(&mut self, media: &Media) -> bool {
        // Most streams are sent whole, to hundreds: then nothing need be remembered. Where the publisher gave up its upper spatial layers with
        // a key frame that comes late, the lower one was left out meanwhile, and nothing can go on before the next key frame.
        if self.whole && self.changes.is_empty() && self.now.are_all(media) {
            return true;
        }
        if let Some(shown) = self.is_judged(media) {
            return shown;
        }
        let (layers, meta) = (self.at(media), &media.meta);
        let shown = layers.need(media);
        self.whole &= shown || meta.spatial > layers.spatial || meta.temporal > layers.temporal;
        self.judged.push_front((media.ts, meta.spatial, shown));
        self.judged.truncate(MAX_JUDGED);
        shown
    }
}

/// Owns the choice; its inputs are packets and settings.
#[derive(Debug)]
pub(super) struct Selector {
    kind: Kind,
    /// What the subscriber wants, and what it may have.
    wanted: SubscriptionSettings,
    cap: SubscriptionSettings,
    /// What there is room for on the way to it.
    room: Fit,
    live: LayerSet,
    spatials: LayerSet,
    current: Option<Shown>,
    /// What was shown before: packets of it may still be asked for.
    before: Option<Shown>,
}

impl Selector {
    /// Nothing is shown yet.
    pub fn new(kind: Kind, settings: SubscriptionSettings, live: LayerSet) -> Self {
        Self {
            kind,
            wanted: settings,
            cap: SubscriptionSettings::default(),
            room: Fit::default(),
            live,
            spatials: LayerSet::default(),
            current: None,
            before: None,
        }
    }

    /// Changes what is wanted.
    pub fn set(&mut self, settings: SubscriptionSettings) {
        self.wanted = settings;
        self.limited(false);
    }

    /// Changes what may be had; true if that changes what is shown. If it is urgent, a layer that is too high ends now.
    pub fn cap(&mut self, cap: SubscriptionSettings, urgent: bool) -> bool {
        let before = self.limits();
        self.cap = cap;
        self.limited(urgent);
        self.limits() != before
    }

    /// Changes what there is room for; true if that changes what is shown. If it is urgent, a layer that is too high ends now.
    pub fn fit(&mut self, room: Fit, urgent: bool) -> bool {
        let before = self.limits();
        self.room = room;
        self.limited(urgent);
        self.limits() != before
    }

    /// The highest simulcast and spatial layer to be shown if there is room for them.
    pub fn demand(&self) -> Option<(u8, u8)> {
        let most = self.most_wanted();
        let wanted = !self.wanted.paused && !self.cap.paused;
        self.live.best(most).filter(|_| wanted).map(|layer| (layer, self.spatials.best(most).unwrap_or(most)))
    }

    /// The priority that the subscriber gave it; 0: none.
    pub fn priority(&self) -> u8 {
        self.wanted.priority
    }

    /// Something is wanted that may not be had.
    pub fn is_capped(&self) -> bool {
        let best = |most| (self.live.best(most), self.spatials.best(most));
        let lower = best(self.wanted.max_spatial) != best(self.most_wanted());
        !self.wanted.paused && (self.cap.paused || lower)
    }

    /// Whether this packet is one of those.
    pub fn is_missed(&self, media: &Media) -> bool {
        (self.cap.paused || self.cap.max_spatial < self.wanted.max_spatial)
            && self.is_capped()
            && self.live.best(self.wanted.max_spatial) == Some(media.layer)
            && self.spatials.best(self.wanted.max_spatial).is_none_or(|spatial| spatial == media.meta.spatial)
    }

    /// The highest layer that is wanted and may be had.
    pub fn most_wanted(&self) -> u8 {
        self.wanted.max_spatial.min(self.cap.max_spatial)
    }

    /// All limits together.
    fn limits(&self) -> Fit {
        let most = self.most_wanted();
        let Fit { layer, spatial, temporal, .. } = self.room;
        Fit { paused: self.paused(), layer: layer.min(most), spatial: spatial.min(most), temporal }
    }

    fn limited(&mut self, urgent: bool) {
        let limits = self.limits();
        // Where the lower spatial layers are there it goes down with the next picture anyway.
        let too_high = |shown: &Shown| {
            let spatial = self.spatials.best(limits.spatial).unwrap_or(0);
            shown.layer > limits.layer || shown.now.spatial > spatial && !shown.whole
        };
        // While paused frames will be missed: going on needs a key frame.
        if limits.paused || urgent && self.current.as_ref().is_some_and(too_high) {
            self.end();
        }
    }

    /// Nothing is sent while paused.
    pub fn paused(&self) -> bool {
        self.wanted.paused || self.cap.paused || self.room.paused
    }

    /// Judges a packet.
    pub fn judge(&mut self, media: &Media) -> Verdict {
        self.live = media.live;
        self.spatials = media.meta.spatials;
        if self.paused() {
            return Verdict::Drop;
        }
        if let Some(shown) = &self.current
            && shown.layer == media.layer
        {
            if shown.epoch == media.epoch {
                return if self.kind == Kind::Audio { Verdict::Forward } else { self.go_on(media) };
            }
            // Decoding can't go on over the break.
            self.end();
        }
        let may_start = media.meta.keyframe || self.kind == Kind::Audio;
        // A packet without payload is padding that came late: it starts nothing.
        if may_start && !media.payload.is_empty() && self.target().is_some_and(|(layer, _)| layer == media.layer) {
            return Verdict::Switch;
        }
        Verdict::Drop
    }

    /// Judges a packet of the simulcast layer that is shown.
    fn go_on(&mut self, media: &Media) -> Verdict {
        let meta = &media.meta;
        // Most packets are amid a picture, where nothing changes.
        let begins = self.current.as_ref().is_some_and(|shown| meta.start || media.ts != shown.ts);
        let target = if begins { self.target() } else { None };
        let Some(shown) = &mut self.current else { return Verdict::Drop };
        let now = shown.now;
        if media.index > shown.newest {
            let aim = match target {
                Some((layer, aim)) if layer == shown.layer => aim,
                // The key frame of another layer is awaited.
                _ => now,
            };
            let mut next = now;
            if meta.keyframe {
                (next, shown.whole) = (aim, true);
            } else if media.ts != shown.ts {
                next.temporal = now.temporal.min(aim.temporal);
                if aim.spatial < now.spatial {
                    (next.spatial, next.temporal) =
                        if shown.whole { (aim.spatial, next.temporal) } else { (now.spatial, 0) };
                }
            }
            if meta.start && meta.spatial == next.spatial && next.temporal >= meta.rise.from {
                next.temporal = next.temporal.max(meta.rise.to.min(aim.temporal));
            }
            shown.change(media, next);
            (shown.newest, shown.ts) = (media.index, media.ts);
        }
        if shown.judge(media) { Verdict::Forward } else { Verdict::Skip }
    }

    /// The packet that was judged [`Verdict::Switch`] is shown.
    pub fn switched(&mut self, media: &Media) {
        let now = self.target().map_or(Layers { spatial: 0, temporal: u8::MAX }, |(_, layers)| layers);
        let (layer, epoch, first, newest, ts) = (media.layer, media.epoch, media.index, media.index, media.ts);
        let (changes, judged) = (VecDeque::new(), VecDeque::new());
        let shown = Shown { layer, epoch, first, now, changes, newest, ts, whole: true, judged };
        self.end();
        self.current = Some(shown);
    }

    /// What is shown isn't any more.
    fn end(&mut self) {
        self.before = self.current.take().or_else(|| self.before.take());
    }

    /// The simulcast layer that waits for a key frame, if one does.
    pub fn keyframe_wanted(&self) -> Option<u8> {
        let (layer, aim) = self.target().filter(|_| self.kind == Kind::Video)?;
        let there = |shown: &Shown| {
            let now = shown.now.spatial;
            shown.layer == layer && (aim.spatial == now || aim.spatial < now && shown.whole)
        };
        (!self.current.as_ref().is_some_and(there)).then_some(layer)
    }

    /// The simulcast layer whose key frame mends the picture.
    pub fn shown_or_wanted(&self) -> Option<u8> {
        self.shown().or_else(|| self.target().map(|(layer, _)| layer))
    }

    /// The simulcast layer shown.
    pub fn shown(&self) -> Option<u8> {
        self.current.as_ref().map(|shown| shown.layer)
    }

    /// The same, or what was shown last.
    pub fn last_shown(&self) -> Option<u8> {
        self.current.as_ref().or(self.before.as_ref()).map(|shown| shown.layer)
    }

    /// Whether a packet is one of those that are shown, or were; `None`: that was too long ago. What isn't may have got a number, if it came
    /// late.
    pub fn shows(&self, media: &Media) -> Option<bool> {
        let of_it =
            |shown: &&Shown| (shown.layer, shown.epoch) == (media.layer, media.epoch) && shown.first <= media.index;
        let shown = [&self.current, &self.before].into_iter().flatten().find(of_it)?;
        Some(shown.is_judged(media).unwrap_or_else(|| shown.at(media).need(media)))
    }

    /// Whether a packet is the last of its picture that is shown; the publisher's own bears the marker.
    pub fn ends_picture(&self, media: &Media) -> bool {
        let last = |shown: &Shown| media.meta.end && media.meta.spatial == shown.at(media).spatial;
        media.marker || self.kind == Kind::Video && self.current.as_ref().is_some_and(last)
    }

    fn target(&self) -> Option<(u8, Layers)> {
        let limits = self.limits();
        let layer = self.live.best(limits.layer).filter(|_| !limits.paused)?;
        let spatial = self.spatials.best(limits.spatial).unwrap_or(0);
        Some((layer, Layers { spatial, temporal: limits.temporal }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rtp::media::tests::media;

    fn selector(max_spatial: u8) -> Selector {
        let live = LayerSet::default().with(0).with(1).with(2);
        Selector::new(Kind::Video, SubscriptionSettings { paused: false, max_spatial, ..Default::default() }, live)
    }

    fn packet(layer: u8, keyframe: bool, live: LayerSet) -> Media {
        let mut m = media(layer, 7);
        m.meta.keyframe = keyframe;
        m.live = live;
        m
    }

    fn feed(s: &mut Selector, layer: u8, keyframe: bool) -> Verdict {
        let packet = packet(layer, keyframe, LayerSet(7));
        let verdict = s.judge(&packet);
        if verdict == Verdict::Switch {
            s.switched(&packet);
        }
        verdict
    }

    #[test]
    fn a_cap_and_the_subscribers_own_wish_count_both_and_the_wish_comes_back() {
        let settings = |paused, max_spatial| SubscriptionSettings { paused, max_spatial, ..Default::default() };
        let mut s = selector(1);
        assert_eq!(feed(&mut s, 1, true), Verdict::Switch);
        assert!(!s.cap(settings(false, 1), false), "it has no more anyway");
        assert!(!s.is_capped());
        assert!(s.cap(settings(false, 0), false));
        assert_eq!((s.keyframe_wanted(), s.is_capped()), (Some(0), true));
        assert_eq!(feed(&mut s, 0, true), Verdict::Switch);
        assert!(s.is_missed(&packet(1, false, LayerSet(7))) && !s.is_missed(&packet(2, false, LayerSet(7))));
        assert!(s.cap(settings(true, 0), false));
        assert_eq!((feed(&mut s, 0, true), s.is_missed(&packet(1, false, LayerSet(7)))), (Verdict::Drop, true));
        s.set(settings(true, 2));
        assert!(!s.is_capped(), "who wants nothing misses nothing");
        s.set(settings(false, 2));
        assert!(s.cap(settings(false, 2), false));
        assert_eq!((s.keyframe_wanted(), s.is_capped()), (Some(2), false));
    }

    #[test]
    fn sound_has_no_pictures_that_end() {
        let (live, settings) = (LayerSet::default().with(0), SubscriptionSettings::default());
        for (kind, ends) in [(Kind::Audio, false), (Kind::Video, true)] {
            let mut s = Selector::new(kind, settings, live);
            let mut last = packet(0, true, live);
            last.meta.end = true;
            assert_eq!(s.judge(&last), Verdict::Switch);
            s.switched(&last);
            assert_eq!(s.ends_picture(&last), ends);
        }
    }

    #[test]
    fn an_urgent_cap_ends_a_layer_at_once() {
        let mut s = selector(2);
        assert_eq!(feed(&mut s, 2, true), Verdict::Switch);
        assert!(s.cap(SubscriptionSettings { paused: false, max_spatial: 0, ..Default::default() }, true));
        assert_eq!((feed(&mut s, 2, false), s.keyframe_wanted()), (Verdict::Drop, Some(0)));
        assert_eq!((feed(&mut s, 0, true), feed(&mut s, 0, false)), (Verdict::Switch, Verdict::Forward));
    }

    #[test]
    fn it_switches_only_at_a_key_frame_and_shows_the_old_layer_meanwhile() {
        let mut s = selector(2);
        assert_eq!(s.keyframe_wanted(), Some(2));
        assert_eq!(feed(&mut s, 2, false), Verdict::Drop);
        assert_eq!(feed(&mut s, 1, true), Verdict::Drop, "not the layer that is wanted");
        assert_eq!(feed(&mut s, 2, true), Verdict::Switch);
        assert_eq!((feed(&mut s, 2, false), s.keyframe_wanted()), (Verdict::Forward, None));
        s.set(SubscriptionSettings { paused: false, max_spatial: 0, ..Default::default() });
        assert_eq!(s.keyframe_wanted(), Some(0));
        assert_eq!((feed(&mut s, 0, false), feed(&mut s, 2, false)), (Verdict::Drop, Verdict::Forward));
        assert_eq!((feed(&mut s, 0, true), feed(&mut s, 2, false)), (Verdict::Switch, Verdict::Drop));
    }

    #[test]
    fn a_layer_that_stops_is_replaced_by_the_next_lower_and_comes_back() {
        let mut s = selector(2);
        feed(&mut s, 2, true);
        let without = LayerSet(0b011);
        assert_eq!(s.judge(&packet(1, false, without)), Verdict::Drop);
        assert_eq!(s.keyframe_wanted(), Some(1));
        let key = packet(1, true, without);
        assert_eq!(s.judge(&key), Verdict::Switch);
        s.switched(&key);
        assert_eq!(feed(&mut s, 2, false), Verdict::Drop);
        assert_eq!(s.keyframe_wanted(), Some(2));
        assert_eq!(feed(&mut s, 2, true), Verdict::Switch);
    }

    #[test]
    fn a_break_and_a_pause_need_a_key_frame() {
        let mut s = selector(0);
        feed(&mut s, 0, true);
        let mut broken = packet(0, false, LayerSet(7));
        broken.epoch += 1;
        assert_eq!(s.judge(&broken), Verdict::Drop);
        assert_eq!(s.keyframe_wanted(), Some(0));
        feed(&mut s, 0, true);
        s.set(SubscriptionSettings { paused: true, max_spatial: 0, ..Default::default() });
        assert_eq!((feed(&mut s, 0, true), s.keyframe_wanted()), (Verdict::Drop, None));
        s.set(SubscriptionSettings { paused: false, max_spatial: 0, ..Default::default() });
        assert_eq!((feed(&mut s, 0, false), s.keyframe_wanted()), (Verdict::Drop, Some(0)));
    }

    #[test]
    fn what_is_asked_for_again_is_shown_if_it_was_then() {
        let mut s = selector(0);
        let spatial = |index, spatial, keyframe| {
            let mut packet = packet(0, keyframe, LayerSet(1));
            (packet.index, packet.meta.spatial, packet.meta.spatials) = (index, spatial, LayerSet(7));
            packet
        };
        let low = spatial(1, 0, true);
        assert_eq!(s.judge(&low), Verdict::Switch);
        s.switched(&low);
        // It is paused for a moment, and may be large then.
        s.fit(Fit::NONE, true);
        s.fit(Fit::default(), true);
        s.set(SubscriptionSettings { paused: false, max_spatial: 2, ..Default::default() });
        let high = spatial(10, 0, true);
        assert_eq!(s.judge(&high), Verdict::Switch);
        s.switched(&high);
        let shows = |index, layer| s.shows(&spatial(index, layer, false));
        assert_eq!([shows(2, 0), shows(2, 2), shows(11, 2)], [Some(true), Some(false), Some(true)]);
        assert_eq!(shows(0, 2), None, "nobody knows");
    }

    #[test]
    fn audio_starts_anywhere_and_never_waits() {
        let mut s = Selector::new(Kind::Audio, SubscriptionSettings::default(), LayerSet::default());
        assert_eq!(feed(&mut s, 0, false), Verdict::Drop, "layer 2 of the test's set is preferred");
        let only = packet(0, false, LayerSet(1));
        assert_eq!((s.judge(&only), s.keyframe_wanted()), (Verdict::Switch, None));
    }
}
