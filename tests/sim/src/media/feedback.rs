//! Reads transport-wide feedback (draft-holmer-rmcat-transport-wide-cc-extensions-01, section 3.1).

/// One packet's fate: its number, and when it arrived on the receiver's clock in microseconds, or that it didn't.
pub type Fate = (u16, Option<i64>);

/// All fates in a feedback packet, RTCP header included; as many as are whole.
pub fn read(packet: &[u8]) -> Vec<Fate> {
    let word = |at: usize| packet.get(at..at + 2).map(|b| u16::from_be_bytes([b[0], b[1]]));
    let (Some(base), Some(count), Some(&[a, b, c, _])) = (word(12), word(14), packet.get(16..20)) else {
        return Vec::new();
    };
    let mut clock = i64::from(i32::from_be_bytes([a, b, c, 0]) >> 8) * 64_000;
    let (mut symbols, mut at) = (Vec::new(), 20);
    while symbols.len() < usize::from(count) {
        let Some(chunk) = word(at) else { break };
        at += 2;
        match chunk >> 14 {
            0 | 1 => symbols.extend(std::iter::repeat_n(chunk >> 13 & 3, usize::from(chunk & 0x1fff))),
            2 => symbols.extend((0..14).rev().map(|bit| chunk >> bit & 1)),
            _ => symbols.extend((0..7).rev().map(|pair| chunk >> (2 * pair) & 3)),
        }
    }
    symbols.truncate(count.into());
    let mut fates = Vec::with_capacity(symbols.len());
    for (n, symbol) in symbols.into_iter().enumerate() {
        let number = base.wrapping_add(n as u16);
        let delta = match symbol {
            0 => None,
            1 => packet.get(at).map(|delta| i64::from(*delta)),
            _ => word(at).map(|delta| i64::from(delta as i16)),
        };
        at += usize::from(symbol.min(2));
        clock += delta.unwrap_or(0) * 250;
        fates.push((number, delta.map(|_| clock)));
    }
    fates
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MS;
    use ramai_sfu::congestion::twcc::Recorder;
    use ramai_sfu::id::Ssrc;
    use std::time::Instant;

    #[test]
    fn what_the_server_records_is_read() {
        let start = Instant::now();
        let mut recorder = Recorder::new(start);
        let came = [(65_530u16, 10u32), (65_531, 12), (2, 300), (1, 290), (3, 301), (4, 302), (30, 340)];
        for (seq, ms) in came {
            recorder.record(start + ms * MS, seq);
        }
        let mut buf = Vec::new();
        assert!(recorder.poll(start + 1_000 * MS, Ssrc(1), Ssrc(2), &mut buf));
        let fates = read(&buf);
        assert_eq!(fates.len(), 37);
        for (seq, at) in fates {
            let expected = came.iter().find(|(other, _)| *other == seq).map(|(_, ms)| i64::from(*ms) * 1_000);
            assert_eq!(at, expected, "{seq}");
        }
    }
}
