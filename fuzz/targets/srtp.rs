//! SRTP and SRTCP framing (RFC 3711, RFC 7714) in both profiles: strangers' bytes never open, what we seal does, and opens as
//! what it was.
#![no_main]

use libfuzzer_sys::fuzz_target;
use ramai_fuzz::datagrams;
use ramai_sfu::transport::srtp::{Inbound, Outbound, Profile, contexts};

fuzz_target!(|input: &[u8]| {
    let Some((profile, input)) = input.split_first() else { return };
    let profile = if profile & 1 == 0 { Profile::Gcm } else { Profile::Cm };
    let provider = rtc_crypto::default_provider().expect("there is a provider");
    // Equal bytes make equal keys for both directions: what goes out can come in.
    let material = vec![0x5a; profile.keying_material_len()];
    let (mut inbound, mut outbound) =
        contexts(provider.crypto(), profile, &material).expect("the provider has the ciphers");
    for packet in datagrams(input) {
        let Some((&[kind, flip], packet)) = packet.split_first_chunk() else { continue };
        if kind & 1 == 0 {
            assert!(inbound.open_rtp(&mut packet.to_vec()).is_err(), "a packet without the key opened");
            assert!(inbound.open_rtcp(&mut packet.to_vec()).is_err(), "a packet without the key opened");
        } else {
            round_trip(&mut inbound, &mut outbound, packet, kind & 2 != 0, usize::from(flip));
        }
    }
});

fn round_trip(inbound: &mut Inbound, outbound: &mut Outbound, packet: &[u8], rtcp: bool, flip: usize) {
    // Never first in the buffer, as in a batch.
    let mut buf = [&[0xff; 3], packet].concat();
    let sealed = if rtcp { outbound.seal_rtcp(&mut buf, 3) } else { outbound.seal_rtp(&mut buf, 3) };
    if sealed.is_err() {
        return;
    }
    assert_eq!(&buf[..3], [0xff; 3]);
    let mut open = |packet: &mut [u8]| if rtcp { inbound.open_rtcp(packet) } else { inbound.open_rtp(packet) };
    let mut tampered = buf[3..].to_vec();
    let at = flip % tampered.len();
    tampered[at] ^= 1;
    assert!(open(&mut tampered).is_err(), "byte {at} isn't protected");
    let mut wire = buf[3..].to_vec();
    let len = open(&mut wire).expect("what we seal opens");
    assert_eq!(&wire[..len], packet);
    assert!(open(&mut buf[3..].to_vec()).is_err(), "it opened twice");
}
