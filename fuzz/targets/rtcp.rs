//! Compound RTCP (RFC 3550, RFC 4585, RFC 5104): reading ends, yields no more than the bytes can hold, and what we write back
//! reads the same.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ramai_sfu::id::Ssrc;
use ramai_sfu::rtp::rtcp::{self, Rtcp};
use ramai_sfu::rtp::rtcp_write;

fuzz_target!(|input: &[u8]| {
    let mut work = 0;
    for packet in rtcp::parse(input) {
        work += 1;
        match packet {
            Rtcp::SenderReport(report, blocks) => {
                work += blocks.count();
                let mut buf = Vec::new();
                rtcp_write::sender_report(&report, "cname", &mut buf);
                let again = rtcp::parse(&buf).next();
                assert!(matches!(again, Some(Rtcp::SenderReport(again, _)) if again == report), "{again:?}");
            }
            Rtcp::ReceiverReport(blocks) => {
                let blocks: Vec<_> = blocks.collect();
                work += blocks.len();
                let mut buf = Vec::new();
                rtcp_write::receiver_report(Ssrc(1), &blocks, &mut buf);
                let Some(Rtcp::ReceiverReport(again)) = rtcp::parse(&buf).next() else { panic!("not a report") };
                let written = &blocks[..blocks.len().min(rtcp_write::MAX_BLOCKS)];
                assert_eq!(again.collect::<Vec<_>>(), written);
            }
            Rtcp::Nack { media, missing } => {
                let mut seqs: Vec<u16> = missing.collect();
                work += seqs.len();
                seqs.sort_unstable();
                seqs.dedup();
                let mut buf = Vec::new();
                rtcp_write::nack(Ssrc(1), media, seqs.iter().copied(), &mut buf);
                let mut again: Vec<u16> = rtcp::parse(&buf)
                    .flat_map(|packet| match packet {
                        Rtcp::Nack { missing, .. } => missing.collect(),
                        _ => Vec::new(),
                    })
                    .collect();
                again.sort_unstable();
                assert_eq!(again, seqs);
            }
            _ => {}
        }
    }
    // A NACK names 17 packets in 4 bytes; nothing is denser.
    assert!(work <= 17 * (input.len() / 4 + 1), "{work} items out of {} bytes", input.len());
});
