//! Bounded parsing of compound RTCP (RFC 3550 section 6, RFC 4585, RFC 5104, REMB, transport-wide feedback): an iterator that
//! borrows, allocates nothing and stops at the first lie about a length.

use crate::id::Ssrc;

pub(super) const SR: u8 = 200;
pub(super) const RR: u8 = 201;
pub(super) const SDES: u8 = 202;
const BYE: u8 = 203;
pub(super) const RTPFB: u8 = 205;
pub(super) const PSFB: u8 = 206;

/// One packet of a compound, so far as we act on it.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum Rtcp<'a> {
    /// Sender report, with what the sender received itself.
    SenderReport(SenderReport, Blocks<'a>),
    /// Receiver report.
    ReceiverReport(Blocks<'a>),
    /// Generic NACK (RFC 4585 section 6.2.1).
    Nack {
        /// The stream with holes.
        media: Ssrc,
        /// The missing sequence numbers.
        missing: Missing<'a>,
    },
    /// Picture loss indication (RFC 4585 section 6.3.1).
    Pli {
        /// The stream that needs a keyframe.
        media: Ssrc,
    },
    /// Full intra request (RFC 5104 section 4.3.1); the first entry, browsers send no other.
    Fir {
        /// The stream that needs a keyframe.
        media: Ssrc,
        /// Command number; a repetition has the same.
        seq: u8,
    },
    /// Transport-wide congestion control feedback, raw (draft-holmer-rmcat-transport-wide-cc-extensions-01).
    TransportCc(&'a [u8]),
    /// Receiver-estimated maximum bitrate (draft-alvestrand-rmcat-remb-03), in bits per second.
    Remb(u64),
    /// Goodbye; the first source, or none.
    Bye(Option<Ssrc>),
}

/// The sender's part of a sender report.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SenderReport {
    /// Who.
    pub ssrc: Ssrc,
    /// Wall clock, NTP format.
    pub ntp: u64,
    /// RTP timestamp of the same moment.
    pub rtp: u32,
    /// Packets sent.
    pub packets: u32,
    /// Payload bytes sent.
    pub octets: u32,
}

/// One report block (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReportBlock {
    /// About whom.
    pub ssrc: Ssrc,
    /// Share lost since the last report, in 1/256.
    pub fraction_lost: u8,
    /// Packets lost in all, 24 bits signed; duplicates make it negative.
    pub cumulative_lost: i32,
    /// Highest extended sequence number.
    pub highest: u32,
    /// Jitter in timestamp units.
    pub jitter: u32,
    /// Middle 32 bits of the last sender report's NTP time, 0 if none came.
    pub lsr: u32,
    /// Time since that came, in 1/65536 s.
    pub dlsr: u32,
}

/// Report blocks of one report.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Blocks<'a>(&'a [u8]);

impl Iterator for Blocks<'_> {
    type Item = ReportBlock;

    fn next(&mut self) -> Option<ReportBlock> {
        let (block, rest) = self.0.split_at_checked(24)?;
        self.0 = rest;
        let lost = u32_at(block, 4)?;
        Some(ReportBlock {
            ssrc: Ssrc(u32_at(block, 0)?),
            fraction_lost: (lost >> 24) as u8,
            cumulative_lost: (lost << 8) as i32 >> 8,
            highest: u32_at(block, 8)?,
            jitter: u32_at(block, 12)?,
            lsr: u32_at(block, 16)?,
            dlsr: u32_at(block, 20)?,
        })
    }
}

/// The sequence numbers of a NACK, as they come; at most 17 for each 4 bytes.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct Missing<'a> {
    fci: &'a [u8],
    pid: u16,
    /// Bit n: `pid + n` is yet to be yielded.
    mask: u32,
}

impl Iterator for Missing<'_> {
    type Item = u16;

    fn next(&mut self) -> Option<u16> {
        if self.mask == 0 {
            let (&[p0, p1, b0, b1], rest) = self.fci.split_first_chunk::<4>()?;
            self.fci = rest;
            self.pid = u16::from_be_bytes([p0, p1]);
            self.mask = u32::from(u16::from_be_bytes([b0, b1])) << 1 | 1;
        }
        let n = self.mask.trailing_zeros();
        self.mask &= self.mask - 1;
        Some(self.pid.wrapping_add(n as u16))
    }
}

/// The packets of a compound; what we don't act on is skipped.
pub fn parse(compound: &[u8]) -> Compound<'_> {
    Compound { rest: compound }
}

/// See [`parse`].
#[derive(Clone, Debug)]
pub struct Compound<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Compound<'a> {
    type Item = Rtcp<'a>;

    fn next(&mut self) -> Option<Rtcp<'a>> {
        loop {
            let &[first, kind, l0, l1, ..] = self.rest else { return None };
            let len = 4 * (1 + usize::from(u16::from_be_bytes([l0, l1])));
            if first >> 6 != 2 {
                return None;
            }
            let (packet, rest) = self.rest.split_at_checked(len)?;
            self.rest = rest;
            let padding = if first & 0x20 != 0 { usize::from(*packet.last()?) } else { 0 };
            let body = packet.get(4..len.checked_sub(padding)?)?;
            if let Some(parsed) = one(kind, first & 0x1f, body, packet) {
                return Some(parsed);
            }
        }
    }
}

fn one<'a>(kind: u8, count: u8, body: &'a [u8], packet: &'a [u8]) -> Option<Rtcp<'a>> {
    let blocks = |from: usize| Some(Blocks(body.get(from..from + 24 * usize::from(count))?));
    match (kind, count) {
        (SR, _) => {
            let ntp = u64::from(u32_at(body, 4)?) << 32 | u64::from(u32_at(body, 8)?);
            let report = SenderReport {
                ssrc: Ssrc(u32_at(body, 0)?),
                ntp,
                rtp: u32_at(body, 12)?,
                packets: u32_at(body, 16)?,
                octets: u32_at(body, 20)?,
            };
            Some(Rtcp::SenderReport(report, blocks(24)?))
        }
        (RR, _) => Some(Rtcp::ReceiverReport(blocks(4)?)),
        (BYE, _) => Some(Rtcp::Bye(if count == 0 { None } else { u32_at(body, 0).map(Ssrc) })),
        (RTPFB, 1) => {
            let missing = Missing { fci: body.get(8..)?, pid: 0, mask: 0 };
            Some(Rtcp::Nack { media: Ssrc(u32_at(body, 4)?), missing })
        }
        (RTPFB, 15) => Some(Rtcp::TransportCc(packet)),
        (PSFB, 1) => Some(Rtcp::Pli { media: Ssrc(u32_at(body, 4)?) }),
        (PSFB, 4) => Some(Rtcp::Fir { media: Ssrc(u32_at(body, 8)?), seq: *body.get(12)? }),
        (PSFB, 15) if body.get(8..12)? == b"REMB" => {
            let field = u32_at(body, 12)?;
            let (exponent, mantissa) = (field >> 18 & 0x3f, u64::from(field & 0x3_ffff));
            let bitrate = u128::from(mantissa) << exponent;
            Some(Rtcp::Remb(u64::try_from(bitrate).unwrap_or(u64::MAX)))
        }
        _ => None,
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    let &[a, b, c, d] = bytes.get(at..at + 4)? else { return None };
    Some(u32::from_be_bytes([a, b, c, d]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};

    #[test]
    fn a_compound_yields_what_we_act_on_and_skips_the_rest() {
        let mut raw = vec![0x80, 202, 0, 1, 0, 0, 0, 9]; // SDES
        raw.extend([0x80, 207, 0, 1, 0, 0, 0, 9]); // XR
        raw.extend([0x81, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, 5]); // PLI
        raw.extend([0x81, 205, 0, 3, 0, 0, 0, 9, 0, 0, 0, 5, 0xff, 0xff, 0x80, 0x01]); // NACK over the wrap
        raw.extend([0x8f, 206, 0, 5, 0, 0, 0, 9, 0, 0, 0, 0, b'R', b'E', b'M', b'B', 1, 0x0b, 0xff, 0xff, 0, 0, 0, 5]);
        raw.extend([0x81, 203, 0, 1, 0, 0, 0, 9]); // BYE
        let all: Vec<_> = parse(&raw).collect();
        assert_eq!(all[0], Rtcp::Pli { media: Ssrc(5) });
        let Rtcp::Nack { media, missing } = all[1] else { panic!("{all:?}") };
        assert_eq!((media, missing.collect::<Vec<_>>()), (Ssrc(5), vec![65_535, 0, 15]));
        assert_eq!(all[2], Rtcp::Remb(0x3_ffff << 2));
        assert_eq!(all[3], Rtcp::Bye(Some(Ssrc(9))));
        assert_eq!(all.len(), 4);
    }

    #[test]
    fn report_blocks_with_negative_loss() {
        let mut raw = vec![0x81, 201, 0, 7, 0, 0, 0, 9];
        raw.extend([0, 0, 0, 5, 64, 0xff, 0xff, 0xfe, 0, 1, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0, 6]);
        let Some(Rtcp::ReceiverReport(mut blocks)) = parse(&raw).next() else { panic!() };
        let block = blocks.next().unwrap();
        assert_eq!((block.ssrc, block.fraction_lost, block.cumulative_lost), (Ssrc(5), 64, -2));
        assert_eq!((block.highest, block.jitter, block.lsr, block.dlsr), (0x1_0002, 3, 4, 6));
        assert_eq!(blocks.next(), None);
    }

    #[test]
    fn lies_about_length_end_the_compound() {
        assert_eq!(parse(&[0x81, 206, 0, 9, 0, 0, 0, 9]).count(), 0);
        assert_eq!(parse(&[0x9f, 201, 0, 1, 0, 0, 0, 9]).count(), 0, "31 blocks that aren't there");
        assert_eq!(parse(&[0xa1, 206, 0, 2, 0, 0, 0, 9, 0, 0, 0, 200]).count(), 0, "padding beyond the packet");
    }

    #[test]
    fn random_bytes_never_panic() {
        let mut rng = rand_chacha::ChaCha8Rng::seed_from_u64(2);
        for _ in 0..50_000 {
            let mut raw = vec![0; rng.random_range(0..64)];
            rng.fill(&mut raw[..]);
            if let [a, b, c, d, ..] = &mut raw[..] {
                (*a, *b, *c, *d) = (0x80 | *a & 0x3f, rng.random_range(200..208), 0, *d & 0x0f);
            }
            for packet in parse(&raw) {
                match packet {
                    Rtcp::SenderReport(_, blocks) | Rtcp::ReceiverReport(blocks) => drop(blocks.count()),
                    Rtcp::Nack { missing, .. } => assert!(missing.count() <= raw.len() / 4 * 17),
                    _ => {}
                }
            }
        }
    }
}
