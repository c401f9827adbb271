//! A room's roster in pages that are encoded once: whoever comes, comes back or fell behind is given the same bytes, and a
//! change costs its page anew, not the whole room.

use crate::session::SessionKey;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Participants on one page. It bounds what a socket has to buffer, and keeps, for its longest frame.
pub(super) const PER_PAGE: usize = 50;

/// See the module.
#[derive(Default)]
pub(super) struct Pages {
    pages: BTreeMap<usize, Page>,
    at: HashMap<SessionKey, usize>,
    /// Pages with room for more.
    open: BTreeSet<usize>,
}

#[derive(Default)]
struct Page {
    members: BTreeSet<SessionKey>,
    /// As it is sent; none since its last change.
    frame: Option<Bytes>,
}

impl Pages {
    /// A participant is here, or another than before.
    pub fn touch(&mut self, key: SessionKey) {
        let number = *self.at.entry(key).or_insert_with(|| {
            let fresh = || self.pages.last_key_value().map_or(0, |(last, _)| last + 1);
            self.open.first().copied().unwrap_or_else(fresh)
        });
        let page = self.pages.entry(number).or_default();
        page.members.insert(key);
        page.frame = None;
        self.mark(number);
    }

    /// A participant is gone.
    pub fn remove(&mut self, key: SessionKey) {
        let Some(number) = self.at.remove(&key) else { return };
        if let Some(page) = self.pages.get_mut(&number) {
            page.members.remove(&key);
            page.frame = None;
            if page.members.is_empty() {
                self.pages.remove(&number);
            }
        }
        self.mark(number);
    }

    fn mark(&mut self, number: usize) {
        match self.pages.get(&number) {
            Some(page) if page.members.len() < PER_PAGE => self.open.insert(number),
            _ => self.open.remove(&number),
        };
    }

    /// Who is on the first page.
    pub fn first(&self) -> impl Iterator<Item = SessionKey> {
        self.pages.values().next().into_iter().flat_map(|page| page.members.iter().copied())
    }

    /// The pages from the `skip`th on, each as one frame. `encode` makes those that changed.
    pub fn frames(&mut self, skip: usize, encode: impl Fn(&BTreeSet<SessionKey>) -> Bytes) -> Vec<Bytes> {
        let pages = self.pages.values_mut().skip(skip);
        pages.map(|page| page.frame.get_or_insert_with(|| encode(&page.members)).clone()).collect()
    }

    /// How many are listed.
    pub fn len(&self) -> usize {
        self.at.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn a_change_costs_one_page() {
        let mut pages = Pages::default();
        (0..1000).map(SessionKey).for_each(|key| pages.touch(key));
        let made = Cell::new(0);
        let read = |pages: &mut Pages| {
            made.set(0);
            let frames = pages.frames(0, |members| {
                made.set(made.get() + 1);
                Bytes::from(vec![0; members.len()])
            });
            (frames.len(), frames.iter().map(Bytes::len).sum::<usize>(), made.get())
        };
        assert_eq!(read(&mut pages), (20, 1000, 20));
        assert_eq!(read(&mut pages), (20, 1000, 0), "the same bytes for everybody");
        pages.touch(SessionKey(3));
        assert_eq!(read(&mut pages), (20, 1000, 1));
        pages.remove(SessionKey(3));
        pages.touch(SessionKey(1000));
        assert_eq!(read(&mut pages), (20, 1000, 1), "a newcomer takes the free place");
        (0..=1000).map(SessionKey).for_each(|key| pages.remove(key));
        assert_eq!((read(&mut pages), pages.len()), ((0, 0, 0), 0));
        assert!(pages.open.is_empty());
    }
}
