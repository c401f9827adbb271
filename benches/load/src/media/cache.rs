//! What a publisher keeps to answer NACKs with.

/// Packets kept: two seconds of the largest layer.
const SIZE: usize = 512;

/// One packet that was sent, without its header.
#[derive(Clone, Debug)]
pub struct Sent {
    /// Its sequence number.
    pub seq: u16,
    /// Its timestamp.
    pub ts: u32,
    /// Its marker bit.
    pub marker: bool,
    /// Its dependency descriptor.
    pub descriptor: Vec<u8>,
    /// Its payload.
    pub payload: Vec<u8>,
}

/// A ring by sequence number.
#[derive(Debug)]
pub struct Cache {
    ring: Vec<Option<Sent>>,
}

impl Default for Cache {
    fn default() -> Self {
        Self { ring: vec![None; SIZE] }
    }
}

impl Cache {
    /// Keeps a packet in the place of the one [`SIZE`] before it, whose buffers it takes over.
    pub fn put(&mut self, seq: u16, ts: u32, marker: bool, descriptor: &[u8], payload: &[u8]) {
        let Some(place) = self.ring.get_mut(usize::from(seq) % SIZE) else { return };
        let mut buffers = place.take().map(|old| (old.descriptor, old.payload)).unwrap_or_default();
        buffers.0.clear();
        buffers.0.extend_from_slice(descriptor);
        buffers.1.clear();
        buffers.1.extend_from_slice(payload);
        *place = Some(Sent { seq, ts, marker, descriptor: buffers.0, payload: buffers.1 });
    }

    /// The packet with this number, if it is still here.
    pub fn get(&self, seq: u16) -> Option<&Sent> {
        self.ring.get(usize::from(seq) % SIZE)?.as_ref().filter(|sent| sent.seq == seq)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_ones_make_place() {
        let mut cache = Cache::default();
        for seq in 0..600u16 {
            cache.put(seq, seq.into(), false, &[], &[seq as u8]);
        }
        assert!(cache.get(87).is_none());
        assert_eq!(cache.get(88).unwrap().payload, [88]);
        assert_eq!(cache.get(599).unwrap().ts, 599);
    }
}
