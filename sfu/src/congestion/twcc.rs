//! Transport-wide congestion control feedback for a publisher (draft-holmer-rmcat-transport-wide-cc-extensions-01): which of its
//! packets came, and when. The publisher's bandwidth estimation lives on it.

use crate::id::Ssrc;
use crate::rtp::rtcp_write;
use crate::rtp::seq::Extender;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Senders estimate best with 50 to 250 ms; browsers send every 100.
const INTERVAL: Duration = Duration::from_millis(100);
/// So many packets are reported before the interval ends, which keeps feedback of fast senders in one datagram.
const PACKETS: usize = 200;
/// Arrivals remembered, reported ones too: a late packet makes us report those around it again.
const REMEMBERED: usize = 1_024;
/// A jump forward beyond this is a restart, not loss.
const MAX_JUMP: u64 = 2_000;
/// Received packets in one feedback (at most 2 bytes each) ...
const MAX_RECEIVED: usize = 300;
/// ... and statuses (at most 2 bytes for 7): together below 1,000 bytes.
const MAX_STATUSES: usize = 1_000;
/// Unit of arrival times.
const TICK: Duration = Duration::from_micros(250);
/// Ticks in a unit of the reference time (64 ms).
const TICKS_PER_REFERENCE: i64 = 256;

/// Records one transport's arrivals. Its input is [`Recorder::record`]; at [`Recorder::poll_timeout`] call [`Recorder::poll`]
/// until it returns false.
#[derive(Debug)]
pub struct Recorder {
    created: Instant,
    extender: Extender,
    /// Extended transport sequence number and arrival in ticks, ascending by number.
    arrivals: VecDeque<(u64, i64)>,
    /// First number that the next feedback reports.
    base: u64,
    /// Arrivals not reported yet.
    pending: usize,
    deadline: Option<Instant>,
    count: u8,
}

impl Recorder {
    /// Nothing came yet.
    pub fn new(now: Instant) -> Self {
        Self {
            created: now,
            extender: Extender::default(),
            arrivals: VecDeque::new(),
            base: 0,
            pending: 0,
            deadline: None,
            count: 0,
        }
    }

    /// Notes a packet by its transport-wide sequence number: when it came, not when there was time for it.
    pub fn record(&mut self, came: Instant, seq: u16) {
        let highest = self.extender.highest();
        let number = self.extender.extend(seq);
        if highest.is_none_or(|highest| number > highest + MAX_JUMP) {
            self.arrivals.clear();
            self.pending = 0;
            self.base = number;
        }
        let newest = self.arrivals.back().is_none_or(|(last, _)| *last < number);
        let at = if newest { self.arrivals.len() } else { self.arrivals.partition_point(|(other, _)| *other < number) };
        let duplicate = self.arrivals.get(at).is_some_and(|(other, _)| *other == number);
        let forgotten = at == 0 && number < self.base && highest.is_some_and(|h| number + MAX_JUMP < h);
        if duplicate || forgotten {
            return;
        }
        let tick = (came.saturating_duration_since(self.created).as_nanos() / TICK.as_nanos()) as i64;
        self.arrivals.insert(at, (number, tick));
        self.base = self.base.min(number);
        self.pending += 1;
        if self.arrivals.len() > REMEMBERED {
            self.arrivals.pop_front();
            self.base = self.base.max(self.arrivals.front().map_or(0, |(number, _)| *number));
        }
        let due = if self.pending >= PACKETS { came } else { came + INTERVAL };
        self.deadline = Some(self.deadline.map_or(due, |at| at.min(due)));
    }

    /// When the next feedback is due; may lie in the past.
    pub fn poll_timeout(&self) -> Option<Instant> {
        self.deadline
    }

    /// Appends one feedback packet if one is due. `from` is our SSRC, `media` any of the publisher's.
    pub fn poll(&mut self, now: Instant, from: Ssrc, media: Ssrc, buf: &mut Vec<u8>) -> bool {
        if self.deadline.is_none_or(|at| at > now) {
            return false;
        }
        self.deadline = None;
        let first = self.arrivals.partition_point(|(number, _)| *number < self.base);
        let Some(&(_, first_tick)) = self.arrivals.get(first) else {
            self.pending = 0;
            return false;
        };
        let reference = first_tick.div_euclid(TICKS_PER_REFERENCE);
        let mut feedback = Feedback { next: self.base, tick: reference * TICKS_PER_REFERENCE, ..Feedback::default() };
        let rest = self.arrivals.range(first..);
        let taken = rest.take_while(|(number, tick)| feedback.push(*number, *tick)).count();
        self.pending = self.arrivals.len() - first - taken;
        if self.pending > 0 {
            self.deadline = Some(now);
        }
        feedback.write(from, media, self.base, reference, self.count, buf);
        self.count = self.count.wrapping_add(1);
        self.base = feedback.next;
        true
    }
}

/// The contents of one feedback packet.
#[derive(Default)]
struct Feedback {
    /// The number whose status comes next.
    next: u64,
    /// Arrival of the last received packet.
    tick: i64,
    /// 0 not received, 1 received with a small delta, 2 with a large one.
    statuses: Vec<u8>,
    deltas: Vec<u8>,
    received: usize,
}

impl Feedback {
    /// Adds an arrival, with those missing before it. False if there is no room: it belongs in the next packet.
    fn push(&mut self, number: u64, tick: i64) -> bool {
        let missing = number.saturating_sub(self.next) as usize;
        let Ok(delta) = i16::try_from(tick - self.tick) else { return false };
        // What doesn't fit an empty packet would fit none; jumps are bounded, so it is sent whatever its length.
        let full = self.received >= MAX_RECEIVED || self.statuses.len() + missing >= MAX_STATUSES;
        if full && self.received > 0 {
            return false;
        }
        self.statuses.resize(self.statuses.len() + missing, 0);
        match u8::try_from(delta) {
            Ok(small) => {
                self.statuses.push(1);
                self.deltas.push(small);
            }
            Err(_) => {
                self.statuses.push(2);
                self.deltas.extend_from_slice(&delta.to_be_bytes());
            }
        }
        self.received += 1;
        self.tick = tick;
        self.next = number + 1;
        true
    }

    fn write(&self, from: Ssrc, media: Ssrc, base: u64, reference: i64, count: u8, buf: &mut Vec<u8>) {
        let start = buf.len();
        rtcp_write::transport_feedback(buf, from, media);
        buf.extend_from_slice(&(base as u16).to_be_bytes());
        buf.extend_from_slice(&(self.statuses.len() as u16).to_be_bytes());
        let [_, a, b, c] = (reference as u32).to_be_bytes();
        buf.extend_from_slice(&[a, b, c, count]);
        let mut rest = &self.statuses[..];
        while !rest.is_empty() {
            let (chunk, taken) = chunk(rest);
            buf.extend_from_slice(&chunk.to_be_bytes());
            rest = rest.get(taken..).unwrap_or_default();
        }
        buf.extend_from_slice(&self.deltas);
        let padded = start + (buf.len() - start).next_multiple_of(4);
        buf.resize(padded, 0);
        rtcp_write::set_words(buf, start, ((padded - start) / 4 - 1) as u16);
    }
}

/// The chunk that covers most of the next statuses, and how many (section 3.1.1).
fn chunk(statuses: &[u8]) -> (u16, usize) {
    let first = statuses.first().copied().unwrap_or(0);
    let run = statuses.iter().take_while(|s| **s == first).take(0x1fff).count();
    let bits = statuses.iter().take(14).take_while(|s| **s < 2).count();
    if run >= 14 || run == statuses.len() || (run >= 7 && bits < 14) {
        return (u16::from(first) << 13 | run as u16, run);
    }
    let one_bit = bits == 14 || bits == statuses.len();
    let (symbols, width, head) = if one_bit { (14, 1, 0x8000) } else { (7, 2, 0xc000) };
    let taken = statuses.len().min(symbols);
    let vector = statuses
        .iter()
        .take(taken)
        .enumerate()
        .fold(head, |chunk, (i, status)| chunk | u16::from(*status) << (14 - width * (i + 1)));
    (vector, taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rtc_rtcp::packet::unmarshal;
    use rtc_rtcp::transport_feedbacks::transport_layer_cc::{PacketStatusChunk, TransportLayerCc};
    use std::collections::BTreeMap;

    const MS: Duration = Duration::from_millis(1);

    /// What a sender reads out of a feedback: number to arrival in microseconds, or none.
    fn decode(buf: &[u8]) -> BTreeMap<u16, Option<i64>> {
        let packets = unmarshal(&mut &buf[..]).unwrap();
        assert_eq!(packets.len(), 1);
        let cc = packets[0].as_any().downcast_ref::<TransportLayerCc>().unwrap();
        let mut symbols = Vec::new();
        for chunk in &cc.packet_chunks {
            match chunk {
                PacketStatusChunk::RunLengthChunk(c) => {
                    symbols.extend(std::iter::repeat_n(c.packet_status_symbol as u16, c.run_length.into()));
                }
                PacketStatusChunk::StatusVectorChunk(c) => symbols.extend(c.symbol_list.iter().map(|s| *s as u16)),
            }
        }
        symbols.truncate(cc.packet_status_count.into());
        assert_eq!(symbols.len(), usize::from(cc.packet_status_count));
        let mut time = i64::from(cc.reference_time) * 64_000;
        let mut deltas = cc.recv_deltas.iter();
        let statuses = symbols.into_iter().enumerate().map(|(i, symbol)| {
            let at = (symbol != 0).then(|| {
                time += deltas.next().unwrap().delta;
                time
            });
            (cc.base_sequence_number.wrapping_add(i as u16), at)
        });
        statuses.collect()
    }

    #[test]
    fn a_sender_reads_what_came_and_when() {
        let start = crate::test_epoch();
        let mut recorder = Recorder::new(start);
        for (seq, ms) in [(65_534u16, 70), (65_535, 75), (2, 90), (1, 91), (3, 160)] {
            recorder.record(start + ms * MS, seq);
        }
        let mut buf = Vec::new();
        assert!(!recorder.poll(start + 169 * MS, Ssrc(1), Ssrc(2), &mut buf), "not yet");
        assert!(recorder.poll(start + 170 * MS, Ssrc(1), Ssrc(2), &mut buf));
        let read = decode(&buf);
        let expected = [(65_534, 70), (65_535, 75), (1, 91), (2, 90), (3, 160)];
        assert_eq!(read.len(), 6);
        assert_eq!(read[&0], None);
        for (seq, ms) in expected {
            assert_eq!(read[&seq], Some(ms * 1_000), "{seq}");
        }
        assert_eq!(recorder.poll_timeout(), None);
    }

    #[test]
    fn a_late_packet_is_reported_with_those_around_it() {
        let start = crate::test_epoch();
        let mut recorder = Recorder::new(start);
        let mut buf = Vec::new();
        for seq in [10, 12, 13] {
            recorder.record(start, seq);
        }
        assert!(recorder.poll(start + INTERVAL, Ssrc(1), Ssrc(2), &mut buf));
        assert_eq!(decode(&buf)[&11], None);
        buf.clear();
        recorder.record(start + 150 * MS, 11);
        recorder.record(start + 151 * MS, 14);
        assert!(recorder.poll(start + 300 * MS, Ssrc(1), Ssrc(2), &mut buf));
        let read = decode(&buf);
        assert_eq!(read.keys().copied().collect::<Vec<_>>(), [11, 12, 13, 14]);
        assert!(read.values().all(Option::is_some));
    }

    #[test]
    fn random_arrivals_survive_the_round_trip() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(3);
        let start = crate::test_epoch();
        let mut recorder = Recorder::new(start);
        let mut now = start;
        let mut seq = 65_000u16;
        let mut sent = BTreeMap::new();
        let mut reported = BTreeMap::new();
        for _ in 0..20_000 {
            now += Duration::from_micros(rng.random_range(0..1_500));
            if rng.random_ratio(1, 1_000) {
                now += Duration::from_secs(rng.random_range(0..20));
            }
            seq = seq.wrapping_add(1);
            if rng.random_ratio(4, 5) {
                recorder.record(now, seq);
                sent.insert(seq, (now - start).as_micros() as i64 / 250 * 250);
            } else {
                sent.remove(&seq);
            }
            let mut buf = Vec::new();
            while recorder.poll(now, Ssrc(1), Ssrc(2), &mut buf) {
                assert!(buf.len() < 1_000 && buf.len() % 4 == 0);
                for (seq, at) in decode(&buf) {
                    assert_eq!(at, sent.get(&seq).copied(), "{seq}");
                    reported.insert(seq, at);
                }
                buf.clear();
            }
        }
        assert!(reported.len() > 19_000);
    }

    #[test]
    fn wild_numbers_stay_bounded() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(4);
        let start = crate::test_epoch();
        let mut recorder = Recorder::new(start);
        for n in 0..100_000 {
            let now = start + n * MS;
            recorder.record(now, rng.random());
            assert!(recorder.arrivals.len() <= REMEMBERED);
            let mut buf = Vec::new();
            while recorder.poll(now, Ssrc(1), Ssrc(2), &mut buf) {
                decode(&buf);
                assert!(buf.len() < 1_200);
                buf.clear();
            }
        }
    }
}
