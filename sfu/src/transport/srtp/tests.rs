//! SRTP framing against the RFC's vectors and against `rtc-srtp`.

use super::*;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rtc_srtp::context::Context;
use rtc_srtp::option::{srtcp_replay_protection, srtp_replay_protection};
use rtc_srtp::protection_profile::ProtectionProfile;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

const KEY: [u8; 16] = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];
const SALT: [u8; 12] = *b"Quid pro quo";

/// Contexts whose session keys are the RFC's.
fn rfc_contexts() -> (Inbound, Outbound) {
    let provider = rtc_crypto::default_provider().unwrap();
    let suite = |stream| Suite::gcm(provider.crypto(), stream, &KEY, SALT).unwrap();
    let (mut inbound, mut outbound) = contexts(provider.crypto(), Profile::Gcm, &[0; 56]).unwrap();
    (inbound.rtp, inbound.rtcp) = (suite(Stream::Rtp), suite(Stream::Rtcp));
    (outbound.rtp, outbound.rtcp) = (suite(Stream::Rtp), suite(Stream::Rtcp));
    (inbound, outbound)
}

/// RFC 7714 section 16.1.
#[test]
fn srtp_vector_of_rfc_7714() {
    let plain = hex("8040f17b 8041f8d3 5501a0b2 47616c6c 69612065 7374206f 6d6e6973 20646976
         69736120 696e2070 61727465 73207472 6573");
    let sealed = hex("8040f17b 8041f8d3 5501a0b2 f24de3a3 fb34de6c acba861c 9d7e4bca be633bd5
         0d294e6f 42a5f47a 51c7d19b 36de3adf 8833899d 7f27beb1 6a9152cf 765ee439 0cce");
    let (mut inbound, mut outbound) = rfc_contexts();
    let mut packet = b"before".to_vec();
    packet.extend(&plain);
    outbound.seal_rtp(&mut packet, 6).unwrap();
    assert_eq!(packet[6..], sealed);
    let len = inbound.open_rtp(&mut packet[6..]).unwrap();
    assert_eq!(packet[6..6 + len], plain);
}

/// RFC 7714 section 17.1.
#[test]
fn srtcp_vector_of_rfc_7714() {
    let plain = hex("81c8000d 4d617273 4e545031 4e545032 52545020 0000042a 0000e930 4c756e61
         deadbeef deadbeef deadbeef deadbeef deadbeef");
    let sealed = hex("81c8000d 4d617273 63e94885 dcdab67c a727d766 2f6b7e99 7ff5c0f7 6c06f32d
         c676a5f1 730d6fda 4ce09b46 86303ded 0bb9275b c84aa458 96cf4d2f c5abf872 45d9eade 800005d4");
    let (mut inbound, mut outbound) = rfc_contexts();
    outbound.rtcp_index = 0x5d3;
    let mut packet = plain.clone();
    outbound.seal_rtcp(&mut packet, 0).unwrap();
    assert_eq!(packet, sealed);
    let len = inbound.open_rtcp(&mut packet).unwrap();
    assert_eq!(packet[..len], plain);
    assert_eq!(inbound.open_rtcp(&mut sealed.clone()), Err(OpenError::Replayed));
}

/// Our two contexts and the peer's two, of `rtc-srtp`.
struct Pair {
    inbound: Inbound,
    outbound: Outbound,
    peer_out: Context,
    peer_in: Context,
}

fn pair(profile: Profile) -> Pair {
    let provider = rtc_crypto::default_provider().unwrap();
    let crypto = provider.crypto();
    let material: Vec<u8> = (0..profile.keying_material_len()).map(|n| (n * 37 + 11) as u8).collect();
    let (inbound, outbound) = contexts(crypto, profile, &material).unwrap();
    let theirs = match profile {
        Profile::Gcm => ProtectionProfile::AeadAes128Gcm,
        Profile::Cm => ProtectionProfile::Aes128CmHmacSha1_80,
    };
    let (keys, salts) = material.split_at(32);
    let salt = profile.salt_len();
    let context = |key, salt| {
        let replay = (Some(srtp_replay_protection(64)), Some(srtcp_replay_protection(64)));
        Context::new(key, salt, theirs, replay.0, replay.1, crypto).unwrap()
    };
    Pair {
        inbound,
        outbound,
        peer_out: context(&keys[..16], &salts[..salt]),
        peer_in: context(&keys[16..], &salts[salt..]),
    }
}

fn rtp(rng: &mut ChaCha8Rng, ssrc: u32, seq: u16) -> Vec<u8> {
    let csrcs = rng.random_range(0..16_u8);
    let extension = rng.random_bool(0.5);
    let mut packet = vec![0x80 | u8::from(extension) << 4 | csrcs, 96];
    packet.extend(seq.to_be_bytes());
    packet.extend(rng.random::<u32>().to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet.extend((0..4 * csrcs).map(|n| n ^ 0x5a));
    if extension {
        packet.extend([0xbe, 0xde, 0, 2, 0x10, 0xff, 0x31, 1, 2, 0, 0, 0]);
    }
    let len = rng.random_range(0..1200);
    packet.extend((0..len).map(|_| rng.random::<u8>()));
    packet
}

#[test]
fn rtp_equals_rtc_srtp_both_ways_over_wraps_and_reorder() {
    for profile in [Profile::Gcm, Profile::Cm] {
        let mut rng = ChaCha8Rng::seed_from_u64(7);
        let mut pair = pair(profile);
        // Over two wraps, in swapped pairs: also the two around each wrap.
        let mut at: u32 = 40_000;
        while at < 3 * 65_536 {
            for n in [at + 1, at] {
                let plain = rtp(&mut rng, 0xabcd_0001, n as u16);
                let mut ours = plain.clone();
                pair.outbound.seal_rtp(&mut ours, 0).unwrap();
                assert_eq!(pair.peer_in.decrypt_rtp(&ours).unwrap(), plain, "{profile:?} {n}");
                let mut theirs = pair.peer_out.encrypt_rtp(&plain).unwrap();
                let len = pair.inbound.open_rtp(&mut theirs).unwrap();
                assert_eq!(theirs[..len], plain, "{profile:?} {n}");
            }
            // Dense around wraps, sparse elsewhere, but never so far that the index is ambiguous.
            at += if (at + 64) % 65_536 < 128 { 2 } else { 62 };
        }
    }
}

#[test]
fn rtcp_equals_rtc_srtp_both_ways() {
    for profile in [Profile::Gcm, Profile::Cm] {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut pair = pair(profile);
        for n in 0..200_usize {
            let mut plain = vec![0x80, 201, 0, 1, 1, 2, 3, 4];
            plain.extend((0..n).map(|_| rng.random::<u8>()));
            let mut ours = plain.clone();
            pair.outbound.seal_rtcp(&mut ours, 0).unwrap();
            assert_eq!(pair.peer_in.decrypt_rtcp(&ours).unwrap(), plain, "{profile:?} {n}");
            let mut theirs = pair.peer_out.encrypt_rtcp(&plain).unwrap();
            let len = pair.inbound.open_rtcp(&mut theirs).unwrap();
            assert_eq!(theirs[..len], plain, "{profile:?} {n}");
        }
    }
}

#[test]
fn a_replayed_packet_is_refused_and_a_reused_index_never_sealed() {
    for profile in [Profile::Gcm, Profile::Cm] {
        let mut rng = ChaCha8Rng::seed_from_u64(9);
        let mut pair = pair(profile);
        let plain = rtp(&mut rng, 5, 1000);
        let sealed = pair.peer_out.encrypt_rtp(&plain).unwrap();
        assert!(pair.inbound.open_rtp(&mut sealed.to_vec()).is_ok());
        assert_eq!(pair.inbound.open_rtp(&mut sealed.to_vec()), Err(OpenError::Replayed));
        let mut first = plain.clone();
        pair.outbound.seal_rtp(&mut first, 0).unwrap();
        let mut second = plain.clone();
        assert_eq!(pair.outbound.seal_rtp(&mut second, 0), Err(SealError::Reused));
        assert_eq!(second, plain);
    }
}

#[test]
fn forged_sources_leave_no_state_and_authentic_ones_are_bounded() {
    for profile in [Profile::Gcm, Profile::Cm] {
        let mut rng = ChaCha8Rng::seed_from_u64(10);
        let mut pair = pair(profile);
        for ssrc in 0..3_000 {
            let mut forged = rtp(&mut rng, ssrc, 1);
            forged.extend([0; 16]);
            assert_eq!(pair.inbound.open_rtp(&mut forged), Err(OpenError::Unauthenticated));
            let mut forged = vec![0x80, 200, 0, 6, 0, 0, (ssrc >> 8) as u8, ssrc as u8];
            forged.extend([0x80; 40]);
            assert_eq!(pair.inbound.open_rtcp(&mut forged), Err(OpenError::Unauthenticated));
        }
        assert_eq!((pair.inbound.rtp_windows.capacity(), pair.inbound.rtcp_windows.capacity()), (0, 0));
        for ssrc in 0..=MAX_SOURCES as u32 {
            let mut sealed = pair.peer_out.encrypt_rtp(&rtp(&mut rng, ssrc, 1)).unwrap();
            let opened = pair.inbound.open_rtp(&mut sealed);
            assert_eq!(opened.err(), (ssrc == MAX_SOURCES as u32).then_some(OpenError::TooManySources));
        }
    }
}

#[test]
fn a_forged_packet_of_a_known_source_moves_nothing() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut pair = pair(Profile::Gcm);
    let mut first = pair.peer_out.encrypt_rtp(&rtp(&mut rng, 1, 100)).unwrap();
    pair.inbound.open_rtp(&mut first).unwrap();
    let mut forged = rtp(&mut rng, 1, 20_000);
    forged.extend([0; 16]);
    assert_eq!(pair.inbound.open_rtp(&mut forged), Err(OpenError::Unauthenticated));
    let mut next = pair.peer_out.encrypt_rtp(&rtp(&mut rng, 1, 101)).unwrap();
    assert!(pair.inbound.open_rtp(&mut next).is_ok());
}

#[test]
fn garbage_and_truncated_packets_never_panic() {
    for profile in [Profile::Gcm, Profile::Cm] {
        let mut rng = ChaCha8Rng::seed_from_u64(12);
        let mut pair = pair(profile);
        let whole = pair.peer_out.encrypt_rtp(&rtp(&mut rng, 1, 1)).unwrap();
        for len in 0..whole.len() {
            assert!(pair.inbound.open_rtp(&mut whole[..len].to_vec()).is_err());
            assert!(pair.inbound.open_rtcp(&mut whole[..len].to_vec()).is_err());
        }
        for _ in 0..5_000 {
            let len = rng.random_range(0..80);
            let mut packet: Vec<u8> = (0..len).map(|_| rng.random()).collect();
            if let Some(first) = packet.first_mut() {
                *first = *first & 0x3f | 0x80;
            }
            assert!(pair.inbound.open_rtp(&mut packet.clone()).is_err());
            assert!(pair.inbound.open_rtcp(&mut packet.clone()).is_err());
            let before = packet.clone();
            if pair.outbound.seal_rtp(&mut packet, 0).is_err() {
                assert_eq!(packet, before);
            }
        }
    }
}
