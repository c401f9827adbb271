//! Reads transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01 section 3.1): which of our packets a receiver
//! got, and when. Bounded, allocates nothing.

/// Unit of arrival times, in microseconds.
const TICK: i64 = 250;
/// Ticks in a unit of the reference time (64 ms).
const TICKS_PER_REFERENCE: i64 = 256;
/// Statuses in one feedback: more than browsers report, fewer than what a hostile count could make us loop over.
const MAX_STATUSES: u16 = 8_192;

/// One packet's fate, as the receiver tells it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// Transport-wide sequence number.
    pub number: u16,
    /// When it came, in microseconds of the receiver's clock modulo 2^24 reference units; `None` if it didn't.
    pub at: Option<i64>,
}

/// The feedback makes no sense: it ends early, or claims too much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("malformed transport-wide feedback")]
pub struct Malformed;

/// Passes the status of every packet in `packet` (a whole RTCP packet, header included) to `each`, in order.
///
/// # Errors
/// If it is cut short. What came before the cut was passed on: a receiver that lies about one number could lie about all.
pub fn read(packet: &[u8], mut each: impl FnMut(Arrival)) -> Result<(), Malformed> {
    let head: &[u8; 20] = packet.first_chunk().ok_or(Malformed)?;
    let &[.., b0, b1, c0, c1, r0, r1, r2, _] = head;
    let (base, count) = (u16::from_be_bytes([b0, b1]), u16::from_be_bytes([c0, c1]));
    if count > MAX_STATUSES {
        return Err(Malformed);
    }
    // 24 bits, signed.
    let reference = i64::from(i32::from_be_bytes([r0, r1, r2, 0]) >> 8);
    let chunks_at = packet.get(20..).ok_or(Malformed)?;
    let mut deltas = chunks_at.get(2 * chunk_count(chunks_at, count)?..).ok_or(Malformed)?;
    let mut tick = reference * TICKS_PER_REFERENCE;
    let (mut number, mut left) = (base, count);
    for chunk in chunks_at.as_chunks::<2>().0 {
        if left == 0 {
            break;
        }
        for symbol in Chunk(u16::from_be_bytes(*chunk)).symbols(left) {
            let at = match symbol {
                1 => {
                    let (&delta, rest) = deltas.split_first().ok_or(Malformed)?;
                    deltas = rest;
                    tick += i64::from(delta);
                    Some(tick * TICK)
                }
                2 => {
                    let (&delta, rest) = deltas.split_first_chunk::<2>().ok_or(Malformed)?;
                    deltas = rest;
                    tick += i64::from(i16::from_be_bytes(delta));
                    Some(tick * TICK)
                }
                _ => None,
            };
            each(Arrival { number, at });
            number = number.wrapping_add(1);
            left -= 1;
        }
    }
    if left == 0 { Ok(()) } else { Err(Malformed) }
}

/// How many chunks it takes to tell `count` statuses.
fn chunk_count(bytes: &[u8], count: u16) -> Result<usize, Malformed> {
    let (mut chunks, mut left) = (0, count);
    for chunk in bytes.as_chunks::<2>().0 {
        if left == 0 {
            break;
        }
        left -= Chunk(u16::from_be_bytes(*chunk)).len().min(left);
        chunks += 1;
    }
    if left == 0 { Ok(chunks) } else { Err(Malformed) }
}

/// A status chunk (section 3.1.3 and 3.1.4).
#[derive(Clone, Copy)]
struct Chunk(u16);

impl Chunk {
    fn len(self) -> u16 {
        match (self.0 >> 15, self.0 >> 14 & 1) {
            // A run of nothing tells nothing: taken as over, so that it can't hold us up.
            (0, _) => self.0 & 0x1fff,
            (_, 0) => 14,
            _ => 7,
        }
    }

    fn symbols(self, most: u16) -> impl Iterator<Item = u8> {
        (0..self.len().min(most)).map(move |i| {
            let symbol = match (self.0 >> 15, self.0 >> 14 & 1) {
                (0, _) => self.0 >> 13 & 3,
                (_, 0) => self.0 >> (13 - i) & 1,
                _ => self.0 >> (12 - 2 * i) & 3,
            };
            symbol as u8
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::congestion::twcc::Recorder;
    use crate::id::Ssrc;
    use rand::{Rng, SeedableRng};
    use std::time::Duration;

    fn all(packet: &[u8]) -> Result<Vec<Arrival>, Malformed> {
        let mut arrivals = Vec::new();
        read(packet, |arrival| arrivals.push(arrival)).map(|()| arrivals)
    }

    /// What our own recorder writes for arrivals at these milliseconds.
    fn written(arrivals: &[(u16, u64)]) -> Vec<u8> {
        let start = crate::test_epoch();
        let mut recorder = Recorder::new(start);
        for (number, ms) in arrivals {
            recorder.record(start + Duration::from_millis(*ms), *number);
        }
        let mut buf = Vec::new();
        assert!(recorder.poll(start + Duration::from_secs(5), Ssrc(1), Ssrc(2), &mut buf));
        buf
    }

    #[test]
    fn what_the_recorder_writes_is_read_back_over_the_wrap_and_with_holes() {
        let raw = written(&[(65_534, 100), (65_535, 101), (1, 130), (2, 500), (40, 501)]);
        let read = all(&raw).unwrap();
        let came: Vec<_> = read.iter().filter_map(|a| a.at.map(|at| (a.number, at / 1_000))).collect();
        assert_eq!(came, [(65_534, 100), (65_535, 101), (1, 130), (2, 500), (40, 501)]);
        assert_eq!(read.len(), 43, "from 65534 to 40 without a gap");
        assert_eq!(read[2], Arrival { number: 0, at: None });
    }

    #[test]
    fn the_drafts_vector_chunks_are_understood() {
        // One-bit vector: 10110000000000 (14 symbols), small deltas of 1, 2 and 3 ticks; reference time 2.
        let mut raw = vec![0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0, 14, 0, 0, 2, 0];
        raw.extend([0b1010_1100, 0, 1, 2, 3, 0]);
        let came: Vec<_> = all(&raw).unwrap().into_iter().filter(|a| a.at.is_some()).collect();
        let at = |ticks: i64| Some((512 + ticks) * 250);
        assert_eq!(
            came,
            [Arrival { number: 7, at: at(1) }, Arrival { number: 9, at: at(3) }, Arrival { number: 10, at: at(6) }]
        );
    }

    #[test]
    fn a_feedback_that_is_cut_short_is_an_error_at_every_length() {
        let raw = written(&[(1, 0), (2, 1), (5, 400), (6, 401)]);
        let whole = all(&raw).unwrap().len();
        // Padding to a word may be cut without harm.
        for end in 0..raw.len() - 3 {
            assert!(all(&raw[..end]).is_err() || all(&raw[..end]).unwrap().len() == whole, "{end}");
        }
    }

    #[test]
    fn claims_beyond_reason_and_empty_runs_end() {
        let mut raw = vec![0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0xff, 0xff, 0, 0, 2, 0];
        raw.extend([0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff, 0x1f, 0xff]);
        assert_eq!(all(&raw), Err(Malformed));
        let mut raw = vec![0x8f, 205, 0, 5, 0, 0, 0, 1, 0, 0, 0, 2, 0, 7, 0, 2, 0, 0, 2, 0];
        raw.extend([0; 40]);
        assert_eq!(all(&raw), Err(Malformed));
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(5);
        for _ in 0..50_000 {
            let mut raw = vec![0; rng.random_range(0..80)];
            rng.fill(&mut raw[..]);
            let mut count = 0;
            _ = read(&raw, |_| count += 1);
            assert!(count <= usize::from(MAX_STATUSES));
        }
    }
}
