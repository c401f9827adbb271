//! Which layer a subscriber is shown: the highest the publisher sends that is wanted, changed only at a key frame. It looks at
//! [`FrameMeta`](crate::rtp::FrameMeta) alone, never at payload.

use crate::params::{Kind, SubscriptionSettings};
use crate::rtp::{LayerSet, Media};

/// What to do with a packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verdict {
    /// It goes on with what is shown.
    Forward,
    /// It starts what shall be shown from now on, if the subscriber can take it; then call [`Selector::switched`].
    Switch,
    /// It isn't shown.
    Drop,
}

/// Owns the choice; its inputs are packets and settings.
#[derive(Debug)]
pub(super) struct Selector {
    kind: Kind,
    /// What the subscriber wants, and what it may have.
    wanted: SubscriptionSettings,
    cap: SubscriptionSettings,
    /// What there is room for on the way to it.
    room: SubscriptionSettings,
    /// All three together.
    settings: SubscriptionSettings,
    live: LayerSet,
    /// Layer and epoch shown.
    current: Option<(u8, u32)>,
}

impl Selector {
    /// Nothing is shown yet.
    pub fn new(kind: Kind, settings: SubscriptionSettings, live: LayerSet) -> Self {
        let free = SubscriptionSettings::default();
        Self { kind, wanted: settings, cap: free, room: free, settings, live, current: None }
    }

    /// Changes what is wanted.
    pub fn set(&mut self, settings: SubscriptionSettings) {
        self.wanted = settings;
        self.combine();
    }

    /// Changes what may be had; true if that changes what is shown. If it is urgent, a layer that is too high ends now.
    pub fn cap(&mut self, cap: SubscriptionSettings, urgent: bool) -> bool {
        let before = self.settings;
        self.cap = cap;
        self.combine();
        if urgent && self.shown().is_some_and(|layer| layer > self.settings.max_spatial) {
            self.current = None;
        }
        self.settings != before
    }

    /// Changes what there is room for; true if that changes what is shown. If it is urgent, a layer that is too high ends now.
    pub fn fit(&mut self, room: SubscriptionSettings, urgent: bool) -> bool {
        let before = self.settings;
        self.room = room;
        self.combine();
        if urgent && self.shown().is_some_and(|layer| layer > self.settings.max_spatial) {
            self.current = None;
        }
        self.settings != before
    }

    /// The layer to be shown if there is room for it, and all that the publisher sends.
    pub fn demand(&self) -> Option<(u8, LayerSet)> {
        let most = self.wanted.max_spatial.min(self.cap.max_spatial);
        let wanted = !self.wanted.paused && !self.cap.paused;
        self.live.best(most).filter(|_| wanted).map(|top| (top, self.live))
    }

    /// The priority that the subscriber gave it; 0: none.
    pub fn priority(&self) -> u8 {
        self.wanted.priority
    }

    /// Something is wanted that may not be had.
    pub fn is_capped(&self) -> bool {
        let most = self.wanted.max_spatial.min(self.cap.max_spatial);
        let lower = self.live.best(self.wanted.max_spatial) != self.live.best(most);
        !self.wanted.paused && (self.cap.paused || lower)
    }

    /// Whether this packet is one of those.
    pub fn is_missed(&self, media: &Media) -> bool {
        self.settings != self.wanted && self.is_capped() && self.live.best(self.wanted.max_spatial) == Some(media.layer)
    }

    fn combine(&mut self) {
        let (wanted, cap, room) = (self.wanted, self.cap, self.room);
        self.settings = SubscriptionSettings {
            paused: wanted.paused || cap.paused || room.paused,
            max_spatial: wanted.max_spatial.min(cap.max_spatial).min(room.max_spatial),
            priority: wanted.priority,
        };
        if self.settings.paused {
            // Frames will be missed: going on needs a key frame.
            self.current = None;
        }
    }

    /// Nothing is sent while paused.
    pub fn paused(&self) -> bool {
        self.settings.paused
    }

    /// Judges a packet.
    pub fn judge(&mut self, media: &Media) -> Verdict {
        self.live = media.live;
        if self.settings.paused {
            return Verdict::Drop;
        }
        if let Some((layer, epoch)) = self.current
            && layer == media.layer
        {
            if epoch == media.epoch {
                return Verdict::Forward;
            }
            // Decoding can't go on over the break.
            self.current = None;
        }
        let may_start = media.meta.keyframe || self.kind == Kind::Audio;
        // A packet without payload is padding that came late: it starts nothing.
        if may_start && !media.payload.is_empty() && self.target() == Some(media.layer) {
            return Verdict::Switch;
        }
        Verdict::Drop
    }

    /// The packet that was judged [`Verdict::Switch`] is shown.
    pub fn switched(&mut self, media: &Media) {
        self.current = Some((media.layer, media.epoch));
    }

    /// The layer that waits for a key frame, if one does.
    pub fn keyframe_wanted(&self) -> Option<u8> {
        let target = self.target().filter(|_| self.kind == Kind::Video)?;
        self.current.is_none_or(|(layer, _)| layer != target).then_some(target)
    }

    /// The layer whose key frame mends the picture.
    pub fn shown_or_wanted(&self) -> Option<u8> {
        self.current.map(|(layer, _)| layer).or_else(|| self.target())
    }

    /// The layer shown.
    pub fn shown(&self) -> Option<u8> {
        self.current.map(|(layer, _)| layer)
    }

    fn target(&self) -> Option<u8> {
        if self.settings.paused { None } else { self.live.best(self.settings.max_spatial) }
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
    fn audio_starts_anywhere_and_never_waits() {
        let mut s = Selector::new(Kind::Audio, SubscriptionSettings::default(), LayerSet::default());
        assert_eq!(feed(&mut s, 0, false), Verdict::Drop, "layer 2 of the test's set is preferred");
        let only = packet(0, false, LayerSet(1));
        assert_eq!((s.judge(&only), s.keyframe_wanted()), (Verdict::Switch, None));
    }
}
