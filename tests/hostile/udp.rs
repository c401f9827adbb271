//! Random and forged datagrams to every UDP port, from strangers and from the very address of a participant.

use crate::scene::{Scene, beside_a_call};
use rand::rngs::StdRng;
use rand::{Rng, RngCore, SeedableRng};
use rtc::stun::attributes::{ATTR_PRIORITY, ATTR_USE_CANDIDATE, ATTR_USERNAME};
use rtc::stun::fingerprint::FINGERPRINT;
use rtc::stun::integrity::MessageIntegrity;
use rtc::stun::message::{BINDING_REQUEST, Message, Setter, TransactionId};
use rtc::stun::textattrs::TextAttribute;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use tokio::net::UdpSocket;

/// Seed of what is random here: a run can be repeated.
const SEED: u64 = 20_250_101;
/// Strangers.
const SOCKETS: usize = 4;
/// Datagrams in one burst, and the time from one to the next: 8,000 a second leave the call room in the kernel's buffer.
const BURST: usize = 16;
const PERIOD: Duration = Duration::from_millis(2);

/// A source of hostile datagrams of every kind that the server tells apart.
pub struct Datagrams {
    rng: StdRng,
    server_ufrag: String,
    client_ufrag: String,
}

impl Datagrams {
    pub fn new(scene: &Scene) -> Self {
        let (server_ufrag, client_ufrag) = scene.ufrags();
        Self { rng: StdRng::seed_from_u64(SEED), server_ufrag, client_ufrag }
    }

    /// The next one.
    pub fn next(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..10) {
            0 => self.noise(0..=255),
            1 => self.noise(0..=3),
            2 => self.stun_with_lying_lengths(),
            3 => self.stun_of_a_stranger(),
            4 => self.stun_with_wrong_password(),
            5 => self.truncated_stun(),
            6 => self.dtls_hello(),
            7 => self.dtls_record(),
            8 => self.rtp(),
            _ => self.rtcp(),
        }
    }

    fn bytes(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.rng.fill_bytes(&mut bytes);
        bytes
    }

    fn noise(&mut self, first: std::ops::RangeInclusive<u8>) -> Vec<u8> {
        let len = self.rng.random_range(0..1400);
        let mut bytes = self.bytes(len);
        if let Some(byte) = bytes.first_mut() {
            *byte = self.rng.random_range(first);
        }
        bytes
    }

    /// A check that would be perfect, were it for somebody the server knows, with a password it knows.
    fn stun(&mut self, username: &str, password: &str) -> Vec<u8> {
        let provider = rtc::crypto::default_provider().expect("there is a crypto provider");
        let mut message = Message::new();
        message.build(&[Box::new(BINDING_REQUEST), Box::new(TransactionId(self.rng.random()))]).expect("well-formed");
        TextAttribute::new(ATTR_USERNAME, username.to_owned()).add_to(&mut message).expect("short enough");
        message.add(ATTR_PRIORITY, &[110, 0, 1, 255]);
        message.add(ATTR_USE_CANDIDATE, &[]);
        MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), provider.crypto())
            .add_to(&mut message)
            .expect("comes before the fingerprint");
        FINGERPRINT.add_to(&mut message).expect("comes last");
        message.raw
    }

    fn stun_of_a_stranger(&mut self) -> Vec<u8> {
        let ufrag = self.rng.random::<u64>();
        self.stun(&format!("{ufrag:016x}:abcd"), "a-password-of-22-chars")
    }

    fn stun_with_wrong_password(&mut self) -> Vec<u8> {
        self.stun(&format!("{}:{}", self.server_ufrag, self.client_ufrag), "not-the-password-at-all")
    }

    fn truncated_stun(&mut self) -> Vec<u8> {
        let mut bytes = self.stun_with_wrong_password();
        bytes.truncate(self.rng.random_range(0..bytes.len()));
        bytes
    }

    /// A right header and cookie; message and attribute lengths say anything.
    fn stun_with_lying_lengths(&mut self) -> Vec<u8> {
        let mut bytes = self.stun_with_wrong_password();
        for at in [2, 22] {
            let lie: u16 = self.rng.random();
            bytes[at..at + 2].copy_from_slice(&lie.to_be_bytes());
        }
        bytes
    }

    /// A ClientHello, or another handshake message, whose lengths, fragment offset and content are made up.
    fn dtls_hello(&mut self) -> Vec<u8> {
        let mut handshake = vec![if self.rng.random() { 1 } else { self.rng.random_range(0..25) }];
        handshake.extend(self.bytes(11));
        if self.rng.random() {
            // Whole and in place, so that the content is looked at.
            handshake[1..12].copy_from_slice(&[0, 0, 200, 0, 0, 0, 0, 0, 0, 0, 200]);
        }
        handshake.extend([0xfe, 0xfd]);
        handshake.extend(self.bytes(198));
        self.record(22, &handshake)
    }

    /// Fatal alerts and close_notify in the clear, ChangeCipherSpec, application data, unknown types.
    fn dtls_record(&mut self) -> Vec<u8> {
        match self.rng.random_range(0..5) {
            0 => self.record(21, &[2, 40]),
            1 => self.record(21, &[1, 0]),
            2 => self.record(20, &[1]),
            3 => {
                let content = self.bytes(100);
                self.record(23, &content)
            }
            _ => self.noise(20..=63),
        }
    }

    fn record(&mut self, content_type: u8, content: &[u8]) -> Vec<u8> {
        let epoch: u16 = self.rng.random_range(0..2);
        let sequence = self.rng.random_range(0..1u64 << 32).to_be_bytes();
        let mut record = vec![content_type, 0xfe, 0xfd];
        record.extend(epoch.to_be_bytes());
        record.extend(&sequence[2..]);
        // One in four lies about its length.
        let len = if self.rng.random_ratio(1, 4) { self.rng.random() } else { content.len() as u16 };
        record.extend(len.to_be_bytes());
        record.extend(content);
        record
    }

    /// Headers that claim sources, extensions and padding that aren't there.
    fn rtp(&mut self) -> Vec<u8> {
        let len = self.rng.random_range(2..1200);
        let mut bytes = self.bytes(len);
        bytes[0] = 0x80 | self.rng.random_range(0..0x40);
        bytes[1] = [96, 111, 111 | 0x80, 127][self.rng.random_range(0..4)];
        bytes
    }

    /// Reports and feedback, alone and compound, of lengths that lie.
    fn rtcp(&mut self) -> Vec<u8> {
        let len = self.rng.random_range(2..400);
        let mut bytes = self.bytes(len);
        bytes[0] = 0x80 | self.rng.random_range(0..0x40);
        bytes[1] = self.rng.random_range(200..208);
        bytes
    }
}

/// Sends `count` datagrams from strangers' addresses to every port, at a bounded rate.
pub async fn flood(datagrams: &mut Datagrams, ports: &[SocketAddr], count: usize) {
    let mut sockets = Vec::new();
    for _ in 0..SOCKETS {
        sockets.push(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket"));
    }
    let mut clock = tokio::time::interval(PERIOD);
    for _ in 0..count.div_ceil(BURST) {
        clock.tick().await;
        for i in 0..BURST {
            for port in ports {
                // The kernel may refuse when its own queue is full: then that one isn't sent.
                let _ = sockets[i % SOCKETS].send_to(&datagrams.next(), port).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_datagrams_are_dropped() {
    beside_a_call(async |scene| {
        flood(&mut Datagrams::new(scene), &scene.server.media(), 12_000).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn datagrams_forged_from_a_participants_own_address_do_not_end_the_call() {
    beside_a_call(async |scene| {
        let mut datagrams = Datagrams::new(scene);
        let mut clock = tokio::time::interval(PERIOD);
        for _ in 0..1000 {
            clock.tick().await;
            for port in scene.server.media() {
                scene.ana.inject(port, datagrams.next()).await;
            }
        }
    })
    .await;
}
