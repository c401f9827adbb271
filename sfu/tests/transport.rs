//! One transport against a client made of the same crates that clients are made of, in memory and in virtual time.

#![allow(clippy::unwrap_used, reason = "a test's own steps may fail it")]

mod client;

use bytes::Bytes;
use client::{Call, Options, SHA1};
use ramai_sfu::api::DisconnectReason;
use ramai_sfu::params::{DataChannel, Fingerprint};
use ramai_sfu::transport::{OpenError, SendDataError, TransportEvent};
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn rtp(seq: u16) -> Vec<u8> {
    let mut packet = vec![0x90, 111];
    packet.extend(seq.to_be_bytes());
    packet.extend([0, 0, 0, 1, 0, 0, 0, 77, 0xbe, 0xde, 0, 1, 0x10, 42, 0, 0]);
    packet.extend([seq as u8; 90]);
    packet
}

const REPORT: [u8; 8] = [0x80, 201, 0, 1, 0, 0, 0, 77];

/// Packets of both kinds pass unharmed both ways.
fn media_flows(call: &mut Call, seq: u16) {
    let mut sealed = call.client.seal_rtp(&rtp(seq));
    let len = call.server.open_rtp(call.now, &mut sealed).unwrap();
    assert_eq!(sealed[..len], rtp(seq));
    let mut sealed = call.client.seal_rtcp(&REPORT);
    let len = call.server.open_rtcp(call.now, &mut sealed).unwrap();
    assert_eq!(sealed[..len], REPORT);

    let mut buf = rtp(seq);
    call.server.seal_rtp(&mut buf, 0).unwrap();
    assert_eq!(call.client.open_rtp(&buf), rtp(seq));
    let mut buf = REPORT.to_vec();
    call.server.seal_rtcp(&mut buf, 0).unwrap();
    assert_eq!(call.client.open_rtcp(&buf), REPORT);
}

#[test]
fn a_client_connects_and_media_flows_both_ways() {
    let mut call = Call::new(Options::default());
    assert!(call.run_until_connected(2 * SECOND));
    assert_eq!(call.server.selected_path(), Some(call.client.path()));
    media_flows(&mut call, 1);
    assert_eq!(*call.server.counters(), Default::default());
}

#[test]
fn all_of_forty_connect_though_every_fifth_datagram_is_lost() {
    for seed in 0..40 {
        let mut call = Call::new(Options { loss: 0.18, seed, ..Options::default() });
        assert!(call.run_until_connected(15 * SECOND), "seed {seed}");
        media_flows(&mut call, 1);
    }
}

#[test]
fn a_hello_in_many_datagrams_is_read_whole_also_over_a_bad_line() {
    for (seed, mtu) in [(1, 40), (2, 60), (3, 90)] {
        let profiles = vec![SHA1, client::GCM];
        let mut call = Call::new(Options { mtu, profiles, loss: 0.05, seed, ..Options::default() });
        assert!(call.run_until_connected(15 * SECOND), "mtu {mtu}");
        assert_eq!(call.client.profile(), client::GCM);
        media_flows(&mut call, 1);
    }
}

#[test]
fn a_client_without_gcm_falls_back_to_sha1() {
    let mut call = Call::new(Options { profiles: vec![SHA1], ..Options::default() });
    assert!(call.run_until_connected(2 * SECOND));
    assert_eq!(call.client.profile(), SHA1);
    media_flows(&mut call, 65_535);
    media_flows(&mut call, 0);
}

#[test]
fn gcm_is_negotiated_though_the_client_prefers_sha1() {
    let mut call = Call::new(Options { profiles: vec![SHA1, client::GCM], ..Options::default() });
    assert!(call.run_until_connected(2 * SECOND));
    assert_eq!(call.client.profile(), client::GCM);
}

#[test]
fn a_certificate_that_the_sdp_does_not_name_is_refused() {
    let mut call = Call::new(Options { fingerprint: Some(Fingerprint([7; 32])), ..Options::default() });
    call.run(5 * SECOND);
    assert!(call.saw(&TransportEvent::Disconnected(DisconnectReason::Fingerprint)));
    assert!(!call.saw(&TransportEvent::Connected));
    assert_eq!(call.server.open_rtp(call.now, &mut rtp(1)), Err(OpenError::NotReady));
}

#[test]
fn an_endpoint_that_never_comes_times_out() {
    let mut call = Call::new(Options::default());
    call.client.silent = true;
    call.run(ramai_sfu::CONNECT_TIMEOUT - SECOND);
    assert!(call.events.is_empty());
    call.run(2 * SECOND);
    assert_eq!(call.events, [TransportEvent::Disconnected(DisconnectReason::Timeout)]);
    assert_eq!(call.server.poll_timeout(), None);
}

#[test]
fn a_peer_that_falls_silent_times_out_but_not_one_that_only_sends_media() {
    let mut call = Call::new(Options::default());
    assert!(call.run_until_connected(2 * SECOND));
    call.client.silent = true;
    call.run(ramai_sfu::ICE_TIMEOUT - SECOND);
    media_flows(&mut call, 1);
    call.run(ramai_sfu::ICE_TIMEOUT - SECOND);
    assert!(call.server.is_connected());
    call.run(2 * SECOND);
    assert!(call.saw(&TransportEvent::Disconnected(DisconnectReason::Timeout)));
}

#[test]
fn a_close_notify_from_the_peer_closes() {
    let mut call = Call::new(Options::default());
    assert!(call.run_until_connected(2 * SECOND));
    call.client.close(call.now);
    call.run(SECOND);
    assert!(call.saw(&TransportEvent::Disconnected(DisconnectReason::Closed)));
}

#[test]
fn our_close_reaches_the_peer_and_leaves_no_event() {
    let mut call = Call::new(Options::default());
    assert!(call.run_until_connected(2 * SECOND));
    call.events.clear();
    call.server.close(call.now);
    call.run(SECOND);
    assert!(call.client.was_closed);
    assert!(call.events.is_empty());
    assert_eq!(call.server.poll_timeout(), None);
}

#[test]
fn after_an_ice_restart_the_new_credentials_serve_and_media_goes_on() {
    let mut call = Call::new(Options::default());
    assert!(call.run_until_connected(2 * SECOND));
    call.restart_ice();
    call.run(6 * SECOND);
    assert_eq!(call.server.counters().stun_unauthenticated, 0);
    media_flows(&mut call, 1);
    call.client.use_old_credentials();
    call.run(3 * SECOND);
    assert!(call.server.counters().stun_unauthenticated > 0);
}

#[test]
fn a_peer_whose_nat_gives_it_a_new_port_stays_connected() {
    let mut call = Call::new(Options::default());
    assert!(call.run_until_connected(2 * SECOND));
    call.client.address.set_port(40_404);
    call.run(10 * SECOND);
    assert_eq!(call.server.selected_path(), Some(call.client.path()));
    assert!(call.saw(&TransportEvent::Validated(call.client.address)));
    media_flows(&mut call, 1);
    assert!(call.server.is_connected());
}

#[test]
fn a_client_that_nominates_only_after_the_handshake_connects() {
    let mut call = Call::new(Options { nominates: false, ..Options::default() });
    assert!(call.run_until_connected(2 * SECOND));
    media_flows(&mut call, 1);
}

fn message(len: usize) -> Bytes {
    (0..len).map(|n| (n * 7 + n / 256) as u8).collect()
}

#[test]
fn messages_pass_both_ways_on_channels_that_the_client_opens() {
    let mut call = Call::new(Options { opens: DataChannel::ALL.to_vec(), ..Options::default() });
    // Right behind the OPEN, before its answer.
    call.client.say_at_once = Some((DataChannel::Reliable, message(5)));
    assert!(call.run_until_connected(2 * SECOND));
    call.run(SECOND);
    for channel in DataChannel::ALL {
        assert!(call.saw(&TransportEvent::ChannelOpen(channel)));
        for len in [1, 100_000, 0] {
            call.client.send(call.now, channel, &message(len));
            call.server.send_data(call.now, channel, &message(len)).unwrap();
            call.run(5 * SECOND);
            assert!(call.saw(&TransportEvent::Data(channel, message(len))), "{channel:?} {len}");
            assert!(call.client.received.contains(&(channel, message(len))), "{channel:?} {len}");
        }
    }
    assert!(call.saw(&TransportEvent::Data(DataChannel::Reliable, message(5))));
    let too_long = call.server.send_data(call.now, DataChannel::Reliable, &message(256 * 1024 + 1));
    assert_eq!(too_long, Err(SendDataError::Size));
    assert_eq!(call.server.counters().sctp_dropped + call.server.counters().data_dropped, 0);
}

#[test]
fn messages_pass_both_ways_on_channels_that_we_open() {
    let ours = vec![DataChannel::Reliable, DataChannel::Lossy];
    let mut call = Call::new(Options { we_open: ours.clone(), ..Options::default() });
    assert!(call.run_until_connected(2 * SECOND));
    call.run(SECOND);
    for channel in ours {
        assert!(call.saw(&TransportEvent::ChannelOpen(channel)));
        call.server.send_data(call.now, channel, &message(1000)).unwrap();
        call.client.send(call.now, channel, &message(999));
        call.run(SECOND);
        assert!(call.client.received.contains(&(channel, message(1000))));
        assert!(call.saw(&TransportEvent::Data(channel, message(999))));
    }
    assert_eq!(call.server.send_data(call.now, DataChannel::Track, &message(1)), Err(SendDataError::NoChannel));
}

#[test]
fn reliable_messages_arrive_in_order_over_a_bad_line() {
    let opens = vec![DataChannel::Reliable];
    let mut call = Call::new(Options { opens, loss: 0.1, seed: 5, ..Options::default() });
    assert!(call.run_until_connected(10 * SECOND));
    call.run(10 * SECOND);
    for len in 1..50 {
        call.client.send(call.now, DataChannel::Reliable, &message(len));
        call.server.send_data(call.now, DataChannel::Reliable, &message(len)).unwrap();
    }
    call.run(60 * SECOND);
    let sent: Vec<_> = (1..50).map(|len| (DataChannel::Reliable, message(len))).collect();
    assert_eq!(call.client.received, sent);
    assert_eq!(call.data(), sent);
}

#[test]
fn a_lossy_channel_that_is_full_drops_and_a_reliable_one_fails() {
    let mut call = Call::new(Options { opens: DataChannel::ALL.to_vec(), ..Options::default() });
    assert!(call.run_until_connected(2 * SECOND));
    call.run(SECOND);
    call.client.silent = true;
    let flood = |call: &mut Call, channel| {
        (0..100).find_map(|_| call.server.send_data(call.now, channel, &message(100_000)).err())
    };
    assert_eq!(flood(&mut call, DataChannel::Lossy), Some(SendDataError::Congested));
    assert_eq!(flood(&mut call, DataChannel::Reliable), Some(SendDataError::Failed));
    assert_eq!(call.server.send_data(call.now, DataChannel::Reliable, &message(1)), Err(SendDataError::NoChannel));
}

#[test]
fn noise_and_forgeries_beside_a_call_are_counted_and_change_nothing() {
    let mut call = Call::new(Options::default());
    assert!(call.run_until_connected(2 * SECOND));
    let mut forged = rtp(1);
    forged.extend([0; 16]);
    assert_eq!(call.server.open_rtp(call.now, &mut forged), Err(OpenError::Unauthenticated));
    call.server.handle_stun(call.now, call.client.path(), &[0, 1, 0, 0]);
    // Forged in the clear from the peer's own address: an alert, a change of ciphers, a hello.
    for datagram in [
        &[21, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 2, 2, 40][..],
        &[20, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 1, 1],
        &[22, 0xfe, 0xfd, 0, 0, 0, 0, 0, 0, 0, 99, 0, 13, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0],
        &[23, 0xfe, 0xfd, 0, 1, 0, 0, 0, 0, 0, 99, 0, 4, 1, 2, 3, 4],
        &[255; 100],
    ] {
        call.server.handle_dtls(call.now, call.client.path(), datagram);
    }
    call.run(3 * SECOND);
    media_flows(&mut call, 2);
    assert!(call.server.is_connected());
    assert!(call.server.counters().dtls_dropped >= 3);
    call.client.close(call.now);
    call.run(SECOND);
    assert!(call.saw(&TransportEvent::Disconnected(DisconnectReason::Closed)), "DTLS still works");
}
