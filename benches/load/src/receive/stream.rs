//! One received SSRC: its numbers, its frames, what its stamps tell, and what to ask its sender for.

use super::account::{Account, Arrival, Counts};
use super::frames::{Frames, Part, Seen};
use crate::media::MS;
use crate::media::stamp::Stamp;
use ramai_sfu::id::Ssrc;
use ramai_sfu::rtp::rtcp::{ReportBlock, SenderReport};
use ramai_sfu::rtp::rtcp_write;

/// A viewer asks for a key frame at most so often.
const PLI_INTERVAL: u64 = 500 * MS;

/// A packet's header as far as it concerns its stream.
#[derive(Clone, Copy, Debug)]
pub struct Meta {
    /// When it came, nanoseconds of wall-clock time.
    pub at: u64,
    /// Sequence number; of a retransmission the original one.
    pub seq: u16,
    /// Timestamp.
    pub ts: u32,
    /// Marker bit.
    pub marker: bool,
    /// It came as a retransmission.
    pub again: bool,
}

/// Numbers are compared modulo 2^32.
const HALF: u32 = 1 << 31;

/// What was found by looking into packets.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, serde::Serialize)]
pub struct Checked {
    /// Packets that were decrypted and had a sound stamp.
    pub packets: u64,
    /// Packets without a sound stamp.
    pub damaged: u64,
    /// Packets that are missing although sequence numbers have no gap: lost before the server numbered them. Whole frames of
    /// upper layers may be left out on purpose and don't count.
    pub skipped: u64,
    /// The same of audio: a server that forwards the loudest microphones leaves out the others.
    pub unheard: u64,
    /// The publisher's packet once more under a new number.
    pub repeated: u64,
    /// Changes of the simulcast layer.
    pub layer_switches: u64,
}

impl std::ops::AddAssign for Checked {
    fn add_assign(&mut self, other: Self) {
        self.packets += other.packets;
        self.damaged += other.damaged;
        self.skipped += other.skipped;
        self.unheard += other.unheard;
        self.repeated += other.repeated;
        self.layer_switches += other.layer_switches;
    }
}

/// See the module.
#[derive(Debug)]
pub struct Stream {
    ssrc: u32,
    /// Video, or else audio.
    pub video: bool,
    /// Its packets are decrypted.
    pub checked: bool,
    /// It is still negotiated.
    pub announced: bool,
    /// Who publishes it, by the first stamp seen.
    pub publisher: Option<u32>,
    account: Account,
    frames: Frames,
    seen: Checked,
    /// The packet before, in order: its index and stamp.
    before: Option<(u64, Stamp)>,
    /// Number of the last packet of the lowest temporal layer, if all since then are known.
    base: Option<u32>,
    /// Timestamp units from packet to packet that the line added (RFC 3550 section 6.4.1), times 16.
    jitter: u64,
    transit: Option<u32>,
    report: Option<(u64, u64)>,
    /// Expected and received at the last report.
    reported: (u64, u64),
    pli_at: u64,
    needs_key: bool,
}

impl Stream {
    /// Nothing came yet.
    pub fn new(ssrc: u32, video: bool, checked: bool) -> Self {
        Self {
            ssrc,
            video,
            checked,
            announced: false,
            publisher: None,
            account: Account::default(),
            frames: Frames::default(),
            seen: Checked::default(),
            before: None,
            base: None,
            jitter: 0,
            transit: None,
            report: None,
            reported: (0, 0),
            pli_at: 0,
            needs_key: false,
        }
    }

    /// Whether the next packet should be decrypted: all of checked streams, and the first of others, to know whose it is.
    pub fn wants_open(&self) -> bool {
        self.checked || self.publisher.is_none()
    }

    /// Takes in a packet. `stamp` is what stood in it if it was decrypted: `Some(None)` is a damaged one.
    pub fn packet(&mut self, meta: Meta, stamp: Option<Option<Stamp>>) -> Arrival {
        let (index, arrival) = self.account.received(meta.at, meta.seq, meta.again);
        if matches!(arrival, Arrival::Duplicate | Arrival::Ancient) {
            return arrival;
        }
        match stamp {
            Some(Some(stamp)) => self.stamped(index, stamp),
            Some(None) => self.seen.damaged += 1,
            None => {}
        }
        if !meta.again {
            self.measure_jitter(&meta);
        }
        if self.video {
            let first = |s: Stamp| s.key && s.start && s.spatial == 0;
            let key_start = self.checked.then(|| stamp.flatten().is_some_and(first));
            self.frames.packet(index, Part { last: meta.marker, key_start, at: meta.at });
        }
        arrival
    }

    /// Notes a sender report, for the round trip.
    pub fn sender_report(&mut self, now: u64, report: &SenderReport) {
        self.report = Some((report.ntp, now));
    }

    /// Appends NACK and PLI to `buf` where they are due; `ask` must be empty and has the numbers asked for afterwards.
    pub fn poll(&mut self, now: u64, from: Ssrc, ask: &mut Vec<u16>, buf: &mut Vec<u8>) {
        if self.account.has_holes() {
            let gave_up = self.account.poll(now, ask);
            if !self.video {
                // Nobody waits for speech to be sent again.
                ask.clear();
            }
            rtcp_write::nack(from, Ssrc(self.ssrc), ask.iter().copied(), buf);
            if gave_up && self.video {
                self.frames.skip(now);
                self.needs_key = true;
            }
        }
        if self.needs_key && now >= self.pli_at + PLI_INTERVAL {
            (self.needs_key, self.pli_at) = (false, now);
            rtcp_write::pli(from, Ssrc(self.ssrc), buf);
        }
    }

    /// Whether [`Stream::poll`] may have something.
    pub fn needs_poll(&self) -> bool {
        self.needs_key || self.account.has_holes()
    }

    /// The block about it in a receiver report.
    pub fn report_block(&mut self, now: u64) -> ReportBlock {
        let counts = self.account.counts(true);
        let (expected, received) = (counts.expected - self.reported.0, counts.received - self.reported.1);
        self.reported = (counts.expected, counts.received);
        let lost = expected.saturating_sub(received);
        let since = |at: u64| ((u128::from(now.saturating_sub(at)) << 16) / 1_000_000_000) as u32;
        ReportBlock {
            ssrc: Ssrc(self.ssrc),
            fraction_lost: ((lost << 8).checked_div(expected).unwrap_or(0)).min(255) as u8,
            cumulative_lost: counts.lost.min(0x7f_ffff) as i32,
            highest: self.account.highest() as u32,
            jitter: (self.jitter / 16) as u32,
            lsr: self.report.map_or(0, |(ntp, _)| (ntp >> 16) as u32),
            dlsr: self.report.map_or(0, |(_, at)| since(at)),
        }
    }

    /// What was counted.
    pub fn counts(&self, final_: bool) -> Counts {
        self.account.counts(final_)
    }

    /// What was seen; `alive` says that its publisher still sends.
    pub fn frames(&self, now: u64, alive: bool) -> Seen {
        self.frames.seen(now, alive && self.announced)
    }

    /// The measured time begins.
    pub fn restart(&mut self) {
        self.frames.restart();
    }

    /// Whether a whole frame came.
    pub fn has_frame(&self) -> bool {
        self.frames.has_frame()
    }

    /// What was found inside.
    pub fn checked(&self) -> Checked {
        self.seen
    }

    fn stamped(&mut self, index: u64, stamp: Stamp) {
        self.publisher = Some(stamp.publisher);
        self.seen.packets += 1;
        if let Some((last, before)) = self.before {
            if index < last {
                return;
            }
            // Only neighbours tell: between others, packets may still be on their way.
            if before.publisher != stamp.publisher {
                // A speaker slot is another's now.
                self.base = None;
            } else if before.layer != stamp.layer || index != last + 1 {
                self.seen.layer_switches += u64::from(before.layer != stamp.layer);
                self.base = None;
            } else {
                self.compare(before, stamp);
            }
        }
        if stamp.temporal == 0 {
            self.base = Some(stamp.packet);
        }
        self.before = Some((index, stamp));
    }

    /// Two packets in a row of one simulcast layer. Whole frames of the layers within it may be left out on purpose: to a narrow line
    /// fewer frames go, or smaller pictures. Parts of frames may not, nor frames that the others build on.
    fn compare(&mut self, before: Stamp, stamp: Stamp) {
        if before.spatial != stamp.spatial {
            self.seen.skipped += u64::from(!before.end) + u64::from(!stamp.start);
            self.base = None;
            return;
        }
        let last = match stamp.temporal {
            same if same == before.temporal => Some(before.packet),
            0 => self.base,
            _ => None,
        };
        // The lowest frames' parts are counted by their numbers.
        let upper = u64::from(before.temporal > 0 && !before.end) + u64::from(stamp.temporal > 0 && !stamp.start);
        self.seen.skipped += if before.temporal == stamp.temporal { 0 } else { upper };
        match last.map(|last| stamp.packet.wrapping_sub(last)) {
            None => {}
            Some(step @ 1..HALF) if !self.video => self.seen.unheard += u64::from(step - 1),
            Some(step @ 1..HALF) => self.seen.skipped += u64::from(step - 1),
            Some(_) => self.seen.repeated += 1,
        }
    }

    fn measure_jitter(&mut self, meta: &Meta) {
        let clock: u128 = if self.video { 90_000 } else { 48_000 };
        let arrival = (u128::from(meta.at) * clock / 1_000_000_000) as u32;
        let transit = arrival.wrapping_sub(meta.ts);
        if let Some(last) = self.transit.replace(transit) {
            let difference = u64::from((transit.wrapping_sub(last) as i32).unsigned_abs());
            self.jitter = self.jitter + difference - (self.jitter + 8) / 16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ramai_sfu::rtp::rtcp::{Rtcp, parse};

    fn meta(seq: u16, at: u64) -> Meta {
        Meta { at, seq, ts: 0, marker: true, again: false }
    }

    fn stamp(layer: u8, packet: u32) -> Option<Option<Stamp>> {
        Some(Some(Stamp {
            publisher: 4,
            video: true,
            layer,
            packet,
            key: packet == 0,
            start: true,
            ..Stamp::default()
        }))
    }

    #[test]
    fn what_a_server_lost_before_numbering_is_found_in_the_stamps() {
        let mut stream = Stream::new(1, true, true);
        for (seq, packet) in [(1, 0), (2, 1), (3, 5), (4, 6), (5, 6)] {
            stream.packet(meta(seq, 0), stamp(0, packet));
        }
        let seen = stream.checked();
        assert_eq!((seen.skipped, seen.repeated, seen.layer_switches), (3, 1, 0));
        assert_eq!(stream.counts(true).lost, 0, "its sequence numbers know nothing of it");
        assert_eq!(stream.publisher, Some(4));
    }

    #[test]
    fn spatial_layers_are_counted_each_for_itself_and_torn_frames_are_found() {
        let part = |spatial, packet, start, end| {
            Some(Some(Stamp { publisher: 4, video: true, spatial, packet, start, end, ..Stamp::default() }))
        };
        let mut stream = Stream::new(1, true, true);
        let whole = [part(0, 0, true, true), part(1, 0, true, false), part(1, 1, false, true), part(0, 1, true, true)];
        for (seq, stamp) in whole.into_iter().enumerate() {
            stream.packet(meta(seq as u16, 0), stamp);
        }
        assert_eq!(stream.checked().skipped, 0);
        stream.packet(meta(4, 0), part(1, 3, false, true));
        assert_eq!(stream.checked().skipped, 1, "the frame's first packet");
    }

    #[test]
    fn fewer_frames_are_no_loss_but_those_that_others_build_on_are() {
        let part = |temporal, packet, start, end| {
            Some(Some(Stamp { publisher: 4, video: true, temporal, packet, start, end, ..Stamp::default() }))
        };
        let mut stream = Stream::new(1, true, true);
        // 0 2 1 2, then without the uppermost, then without both.
        let fewer = [(0, 0), (2, 0), (1, 0), (2, 1), (0, 1), (1, 1), (0, 2), (0, 3), (2, 8), (1, 4), (2, 9), (0, 4)];
        for (seq, (temporal, packet)) in fewer.into_iter().enumerate() {
            stream.packet(meta(seq as u16, 0), part(temporal, packet, true, true));
        }
        assert_eq!((stream.checked().skipped, stream.checked().repeated), (0, 0));
        stream.packet(meta(12, 0), part(2, 11, false, true));
        assert_eq!(stream.checked().skipped, 1, "half a frame");
        stream.packet(meta(13, 0), part(0, 6, true, true));
        assert_eq!(stream.checked().skipped, 2, "one of the lowest");
    }

    #[test]
    fn a_microphone_that_was_not_among_the_loudest_is_told_from_loss() {
        let mut stream = Stream::new(1, false, true);
        let speak =
            |publisher, packet| Some(Some(Stamp { publisher, packet, start: true, end: true, ..Stamp::default() }));
        for (seq, stamp) in
            [(10, speak(4, 100)), (11, speak(4, 101)), (12, speak(4, 151)), (13, speak(9, 7)), (14, speak(9, 8))]
        {
            stream.packet(meta(seq, u64::from(seq) * 20 * MS), stamp);
        }
        let seen = stream.checked();
        assert_eq!((seen.unheard, seen.skipped, seen.repeated), (49, 0, 0), "and a slot that changes hands is neither");
    }

    #[test]
    fn a_layer_switch_is_no_loss() {
        let mut stream = Stream::new(1, true, true);
        for (seq, layer, packet) in [(1, 0, 50), (2, 0, 51), (3, 2, 900), (4, 2, 901), (5, 0, 70)] {
            stream.packet(meta(seq, 0), stamp(layer, packet));
        }
        let seen = stream.checked();
        assert_eq!((seen.skipped, seen.repeated, seen.layer_switches), (0, 0, 2));
    }

    #[test]
    fn a_hole_is_asked_for_and_then_a_key_frame() {
        let mut stream = Stream::new(9, true, false);
        stream.packet(meta(1, 0), None);
        stream.packet(meta(3, 0), None);
        let (mut ask, mut wire) = (Vec::new(), Vec::new());
        stream.poll(10 * MS, Ssrc(1), &mut ask, &mut wire);
        assert!(matches!(parse(&wire).next(), Some(Rtcp::Nack { media: Ssrc(9), missing }) if missing.eq([2])));
        wire.clear();
        ask.clear();
        stream.poll(2_000 * MS, Ssrc(1), &mut ask, &mut wire);
        assert_eq!(parse(&wire).collect::<Vec<_>>(), [Rtcp::Pli { media: Ssrc(9) }]);
    }

    #[test]
    fn report_blocks_tell_loss_since_the_last() {
        let mut stream = Stream::new(9, true, false);
        for seq in (0..100).filter(|s| *s != 50) {
            stream.packet(meta(seq, 0), None);
        }
        stream.sender_report(0, &SenderReport { ssrc: Ssrc(9), ntp: 0x1_2345_6789, rtp: 0, packets: 0, octets: 0 });
        let block = stream.report_block(500 * MS);
        assert_eq!((block.fraction_lost, block.cumulative_lost), (2, 1));
        assert_eq!((block.lsr, block.dlsr), (0x1_2345, 1 << 15));
        assert_eq!(stream.report_block(0).fraction_lost, 0);
    }
}
