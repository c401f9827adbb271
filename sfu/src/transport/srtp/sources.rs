//! The windows of what we send, one for each of our SSRCs, so that no index is ever sealed twice.

use super::window::Window;
use rustc_hash::FxHashMap;
use smallvec::SmallVec;

/// Kept beside the keys: a camera and a microphone with their retransmissions. A packet to one of many subscribers finds its window
/// in memory that the seal touches anyway.
const NEAR: usize = 4;

/// Windows by SSRC. They are never forgotten.
#[derive(Default)]
pub(super) struct Sources {
    near: SmallVec<[(u32, Window); NEAR]>,
    far: FxHashMap<u32, Window>,
}

impl Sources {
    /// The window of an SSRC that has sealed something.
    pub(super) fn get_mut(&mut self, ssrc: u32) -> Option<&mut Window> {
        match self.near.iter().position(|(near, _)| *near == ssrc) {
            Some(at) => self.near.get_mut(at).map(|(_, window)| window),
            None => self.far.get_mut(&ssrc),
        }
    }

    /// The window of an SSRC, only to be looked at.
    pub(super) fn get(&self, ssrc: u32) -> Option<&Window> {
        self.near.iter().find(|(near, _)| *near == ssrc).map(|(_, window)| window).or_else(|| self.far.get(&ssrc))
    }

    /// Remembers the first index of an SSRC that has no window yet.
    pub(super) fn start(&mut self, ssrc: u32, index: u64) {
        let window = Window::starting_at(index);
        if self.near.len() < NEAR {
            self.near.push((ssrc, window));
        } else {
            self.far.insert(ssrc, window);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_source_keeps_its_own_window() {
        let mut sources = Sources::default();
        for ssrc in 0..100 {
            assert!(sources.get_mut(ssrc).is_none());
            sources.start(ssrc, 1_000 + u64::from(ssrc));
        }
        for ssrc in 0..100 {
            let index = 1_000 + u64::from(ssrc);
            let window = sources.get_mut(ssrc).unwrap();
            assert!(!window.is_new(index) && window.is_new(index + 1));
            window.accept(index + 1);
            assert!(!sources.get_mut(ssrc).unwrap().is_new(index + 1));
        }
    }
}
