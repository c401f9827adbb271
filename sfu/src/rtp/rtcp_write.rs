//! Writers of RTCP packets; each appends one whole packet, callers put compounds together.

use super::rtcp::{PSFB, RR, RTPFB, ReportBlock, SDES, SR, SenderReport};
use crate::id::Ssrc;

/// Report blocks that fit one report: five bits count them.
pub const MAX_BLOCKS: usize = 31;

/// Appends a sender report without report blocks, and an SDES with the canonical name (RFC 3550 sections 6.4.1 and 6.5).
/// `cname` is cut at 255 bytes.
pub fn sender_report(report: &SenderReport, cname: &str, buf: &mut Vec<u8>) {
    header(buf, 0, SR, 6);
    word(buf, report.ssrc.0);
    buf.extend_from_slice(&report.ntp.to_be_bytes());
    word(buf, report.rtp);
    word(buf, report.packets);
    word(buf, report.octets);

    let cname = cname.as_bytes();
    let cname = cname.get(..255).unwrap_or(cname);
    // Chunk: SSRC, item type, length, text, at least one null, to the next word.
    let words = 1 + (2 + cname.len() + 1).div_ceil(4);
    header(buf, 1, SDES, words as u16);
    let end = buf.len() + 4 * words;
    word(buf, report.ssrc.0);
    buf.extend_from_slice(&[1, cname.len() as u8]);
    buf.extend_from_slice(cname);
    buf.resize(end, 0);
}

/// Appends a receiver report (RFC 3550 section 6.4.2); blocks beyond [`MAX_BLOCKS`] are left out.
pub fn receiver_report(from: Ssrc, blocks: &[ReportBlock], buf: &mut Vec<u8>) {
    let blocks = blocks.get(..MAX_BLOCKS).unwrap_or(blocks);
    header(buf, blocks.len() as u8, RR, 1 + 6 * blocks.len() as u16);
    word(buf, from.0);
    for block in blocks {
        word(buf, block.ssrc.0);
        let lost = block.cumulative_lost.clamp(-0x80_0000, 0x7f_ffff) as u32 & 0xff_ffff;
        word(buf, u32::from(block.fraction_lost) << 24 | lost);
        word(buf, block.highest);
        word(buf, block.jitter);
        word(buf, block.lsr);
        word(buf, block.dlsr);
    }
}

/// Appends a generic NACK (RFC 4585 section 6.2.1) for sequence numbers in ascending order, if there are any.
pub fn nack(from: Ssrc, media: Ssrc, missing: impl IntoIterator<Item = u16>, buf: &mut Vec<u8>) {
    let start = buf.len();
    feedback(buf, 1, RTPFB, from, media);
    let mut pair: Option<(u16, u16)> = None;
    let mut words = 2u16;
    let mut put = |buf: &mut Vec<u8>, (pid, mask): (u16, u16)| {
        word(buf, u32::from(pid) << 16 | u32::from(mask));
        words += 1;
    };
    for seq in missing {
        if let Some((pid, mask)) = &mut pair {
            let ahead = seq.wrapping_sub(*pid);
            if (1..=16).contains(&ahead) {
                *mask |= 1 << (ahead - 1);
                continue;
            }
            put(buf, (*pid, *mask));
        }
        pair = Some((seq, 0));
    }
    match pair {
        Some(last) => put(buf, last),
        None => return buf.truncate(start),
    }
    set_words(buf, start, words);
}

/// Appends a picture loss indication (RFC 4585 section 6.3.1).
pub fn pli(from: Ssrc, media: Ssrc, buf: &mut Vec<u8>) {
    feedback(buf, 1, PSFB, from, media);
}

/// Appends a receiver-estimated maximum bitrate (draft-alvestrand-rmcat-remb-03 section 2.2) of `bits` per second for what is sent on `media`;
/// rounded down to 18 binary digits.
pub fn remb(from: Ssrc, media: &[Ssrc], bits: u64, buf: &mut Vec<u8>) {
    let start = buf.len();
    feedback(buf, 15, PSFB, from, Ssrc(0));
    buf.extend_from_slice(b"REMB");
    let media = media.get(..MAX_BLOCKS).unwrap_or(media);
    let exponent = (u64::BITS - bits.leading_zeros()).saturating_sub(18);
    word(buf, (media.len() as u32) << 24 | exponent << 18 | (bits >> exponent) as u32);
    media.iter().for_each(|ssrc| word(buf, ssrc.0));
    set_words(buf, start, 4 + media.len() as u16);
}

/// Starts a feedback packet with two words; more are announced with [`set_words`].
pub(crate) fn feedback(buf: &mut Vec<u8>, format: u8, kind: u8, from: Ssrc, media: Ssrc) {
    header(buf, format, kind, 2);
    word(buf, from.0);
    word(buf, media.0);
}

/// Starts a transport-wide feedback packet.
pub(crate) fn transport_feedback(buf: &mut Vec<u8>, from: Ssrc, media: Ssrc) {
    feedback(buf, 15, RTPFB, from, media);
}

/// Sets the length of the packet at `start`, in words after the first.
pub(crate) fn set_words(buf: &mut [u8], start: usize, words: u16) {
    if let Some(field) = buf.get_mut(start + 2..start + 4) {
        field.copy_from_slice(&words.to_be_bytes());
    }
}

fn header(buf: &mut Vec<u8>, count: u8, kind: u8, words: u16) {
    let [a, b] = words.to_be_bytes();
    buf.extend_from_slice(&[0x80 | count, kind, a, b]);
}

fn word(buf: &mut Vec<u8>, value: u32) {
    buf.extend_from_slice(&value.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::rtcp::{Rtcp, parse};
    use super::*;
    use rtc_rtcp::packet::unmarshal;
    use rtc_rtcp::payload_feedbacks::receiver_estimated_maximum_bitrate::ReceiverEstimatedMaximumBitrate;

    #[test]
    fn what_we_write_we_read_and_others_read() {
        let report = SenderReport { ssrc: Ssrc(5), ntp: 0x0102_0304_0506_0708, rtp: 9, packets: 10, octets: 11 };
        let block = ReportBlock {
            ssrc: Ssrc(7),
            fraction_lost: 3,
            cumulative_lost: -4,
            highest: 5,
            jitter: 6,
            lsr: 7,
            dlsr: 8,
        };
        let missing = [65_530, 65_531, 3, 30];
        let mut buf = Vec::new();
        sender_report(&report, "ana", &mut buf);
        receiver_report(Ssrc(1), &[block], &mut buf);
        nack(Ssrc(1), Ssrc(2), missing, &mut buf);
        pli(Ssrc(1), Ssrc(2), &mut buf);
        nack(Ssrc(1), Ssrc(2), [], &mut buf);
        remb(Ssrc(1), &[Ssrc(2), Ssrc(3)], 1_234_567_890, &mut buf);

        let ours: Vec<_> = parse(&buf).collect();
        assert!(matches!(ours[0], Rtcp::SenderReport(r, _) if r == report));
        assert!(matches!(ours[1], Rtcp::ReceiverReport(b) if b.eq([block])));
        assert!(matches!(ours[2], Rtcp::Nack { media: Ssrc(2), missing: m } if m.eq(missing)));
        assert_eq!(ours[3], Rtcp::Pli { media: Ssrc(2) });
        // 18 digits of 31.
        assert_eq!(ours[4], Rtcp::Remb(1_234_567_890 >> 13 << 13));
        assert_eq!(ours.len(), 5);

        let theirs = unmarshal(&mut &buf[..]).unwrap();
        assert_eq!(theirs.len(), 6, "SR, SDES, RR, NACK, PLI, REMB");
        let remb = theirs[5].as_any();
        let remb = remb.downcast_ref::<ReceiverEstimatedMaximumBitrate>().unwrap();
        assert_eq!((remb.bitrate as u64 >> 13, &remb.ssrcs[..]), (1_234_567_890 >> 13, &[2, 3][..]));
        let sdes = theirs[1].as_any().downcast_ref::<rtc_rtcp::source_description::SourceDescription>().unwrap();
        assert_eq!(&sdes.chunks[0].items[0].text[..], b"ana");
    }
}
