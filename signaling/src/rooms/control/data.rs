//! Messages from the server itself, over the data channels of participants.

use super::{Fault, Order};
use crate::rooms::room::Room;
use crate::rooms::{Rooms, data};
use crate::session::Context;
use livekit_protocol as proto;
use prost::Message;
use proto::data_packet::{Kind, Value};
use ramai_sfu::api::MAX_DATA_MESSAGE;
use ramai_sfu::id::TransportId;
use ramai_sfu::params::DataChannel;

/// Largest order to send data: room's name apart, it is what is sent.
const MAX_ORDER: usize = MAX_DATA_MESSAGE - 1024;

impl Rooms {
    /// Sends data to some or all of a room.
    pub fn send_data(&mut self, order: &Order, wish: proto::SendDataRequest) -> Result<proto::SendDataResponse, Fault> {
        // Addressees are named twice in the message: in the packet, and in what older clients read.
        let names: usize = wish.destination_identities.iter().map(|name| name.len() + 4).sum();
        if wish.encoded_len() + names > MAX_ORDER {
            return Err(Fault::Invalid("the data, with its topic and addressees, is longer than 255 KiB"));
        }
        let kind = wish.kind();
        self.order(order, &wish.room, |room, cx| {
            let packet = proto::UserPacket {
                payload: wish.data,
                topic: wish.topic,
                nonce: wish.nonce,
                destination_identities: wish.destination_identities,
                destination_sids: wish.destination_sids,
                ..Default::default()
            };
            room.say(kind, packet, cx);
            Ok(proto::SendDataResponse {})
        })
    }
}

impl Room {
    /// Sends a message of the server's own to those it names, or to everybody.
    pub(in crate::rooms) fn say(&self, kind: Kind, packet: proto::UserPacket, cx: &mut Context<'_>) {
        let to = self.addressees(&packet.destination_identities, &packet.destination_sids, None);
        self.say_to(to, kind, packet, cx);
    }

    /// Sends a message of the server's own on these wires.
    pub(in crate::rooms) fn say_to(
        &self,
        to: Vec<TransportId>,
        kind: Kind,
        packet: proto::UserPacket,
        cx: &mut Context<'_>,
    ) {
        let channel = if kind == Kind::Lossy { DataChannel::Lossy } else { DataChannel::Reliable };
        let mut message = proto::DataPacket {
            destination_identities: packet.destination_identities.clone(),
            value: Some(Value::User(packet)),
            ..Default::default()
        };
        message.set_kind(kind);
        data::send(to, channel, &message, cx);
    }
}
