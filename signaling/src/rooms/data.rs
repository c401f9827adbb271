//! Data messages: stamped with who sent them, within bounds, to whom they are for.

use super::room::Room;
use crate::session::{Context, Session, SessionKey};
use bytes::Bytes;
use livekit_protocol as proto;
use prost::Message;
use proto::data_packet::Value;
use ramai_sfu::api::{Command, MAX_DATA_MESSAGE};
use ramai_sfu::id::TransportId;
use ramai_sfu::params::DataChannel;
use std::collections::{BTreeSet, HashSet};
use std::time::Instant;

/// Seconds' worth of its rate that one participant may send at once.
const BURST: f64 = 2.0;
/// What a message costs at least, so that many small ones count too.
const LEAST: usize = 2048;

/// How much one participant may still send.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// Bytes in a second.
    rate: f64,
    left: f64,
    at: Instant,
    dropped: u64,
}

impl Budget {
    /// A full one.
    pub fn new(rate: u32, now: Instant) -> Self {
        let rate = f64::from(rate);
        Self { rate, left: BURST * rate, at: now, dropped: 0 }
    }

    /// Takes `bytes` out of it, if there is so much.
    fn take(&mut self, bytes: usize, now: Instant) -> bool {
        let gained = now.duration_since(self.at).as_secs_f64() * self.rate;
        self.left = (self.left + gained).min(BURST * self.rate);
        self.at = now;
        let cost = bytes.max(LEAST) as f64;
        let fits = self.left >= cost;
        if fits {
            self.left -= cost;
        } else {
            self.dropped += 1;
        }
        fits
    }
}

impl Room {
    /// A message from `key` over `channel`.
    pub fn handle_data(&mut self, key: SessionKey, channel: DataChannel, payload: &Bytes, cx: &mut Context<'_>) {
        let Some(session) = self.sessions.get_mut(&key) else { return };
        if !session.grants.publish_data() {
            cx.counts.turned_away("data_not_allowed");
        }
        if !session.grants.publish_data() || channel == DataChannel::Track || payload.len() > MAX_DATA_MESSAGE {
            tracing::debug!(participant = session.info.identity, ?channel, "data message refused");
            return;
        }
        if !session.data_budget.take(payload.len(), cx.now) {
            if session.data_budget.dropped.is_power_of_two() {
                tracing::warn!(
                    participant = session.info.identity,
                    dropped = session.data_budget.dropped,
                    "data messages dropped: too much in too short a time"
                );
            }
            return;
        }
        let Ok(mut packet) = proto::DataPacket::decode(payload.as_ref()) else {
            tracing::debug!(participant = session.info.identity, "data message is no DataPacket");
            return;
        };
        packet.participant_sid = session.info.sid.clone();
        packet.participant_identity = session.info.identity.clone();
        if channel == DataChannel::Reliable {
            session.last_sequence = session.last_sequence.max(packet.sequence);
        }
        let (identities, sids) = address(&mut packet);
        let to = self.addressees(&identities, &sids, Some(key));
        send(to, channel, &packet, cx);
    }

    /// Where a message goes that is for these, or for everybody if it names nobody, but never to `but`.
    pub(super) fn addressees(
        &self,
        identities: &[String],
        sids: &[String],
        but: Option<SessionKey>,
    ) -> Vec<TransportId> {
        if sids.is_empty() && !identities.is_empty() {
            let named: BTreeSet<SessionKey> = identities.iter().filter_map(|name| self.by_identity(name)).collect();
            let named = named.into_iter().filter(|named| Some(*named) != but);
            return named.filter_map(|key| self.sessions.get(&key)?.data_transport()).collect();
        }
        let (identities, sids): (HashSet<&String>, HashSet<&String>) =
            (identities.iter().collect(), sids.iter().collect());
        let fits =
            |s: &&Session| sids.is_empty() || identities.contains(&s.info.identity) || sids.contains(&s.info.sid);
        let others = self.sessions.values().filter(|s| Some(s.key) != but);
        others.filter(fits).filter_map(Session::data_transport).collect()
    }
}

/// Sends a packet, if it is for anybody. What we add to it may make it longer than what can be sent.
pub(super) fn send(to: Vec<TransportId>, channel: DataChannel, packet: &proto::DataPacket, cx: &mut Context<'_>) {
    let payload = Bytes::from(packet.encode_to_vec());
    if !to.is_empty() && payload.len() <= MAX_DATA_MESSAGE {
        cx.command(Command::SendData { to: to.into(), channel, payload });
    }
}

/// For whom a packet is: identities and SIDs; neither is everybody. Older clients say it inside the user packet.
fn address(packet: &mut proto::DataPacket) -> (Vec<String>, Vec<String>) {
    let mut identities = packet.destination_identities.clone();
    let mut sids = Vec::new();
    if let Some(Value::User(user)) = &mut packet.value {
        user.participant_sid = packet.participant_sid.clone();
        user.participant_identity = packet.participant_identity.clone();
        identities.extend(user.destination_identities.iter().cloned());
        sids.clone_from(&user.destination_sids);
    }
    (identities, sids)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_flood_is_cut_and_recovers() {
        let now = Instant::now();
        let mut budget = Budget::new(1024 * 1024, now);
        let accepted = (0..100_000).filter(|_| budget.take(10, now)).count();
        assert_eq!(accepted, 2 * 1024 * 1024 / LEAST);
        assert!(!budget.take(10, now));
        assert!(budget.take(10, now + Duration::from_secs(1)));
    }
}
