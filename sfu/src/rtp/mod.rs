//! RTP on the wire.

pub mod av1;
pub mod dependency;
pub mod extension;
pub mod frame;
pub mod h264;
pub mod media;
pub mod packet;
pub mod picture;
pub mod red;
pub mod rtcp;
pub mod rtcp_write;
pub mod seq;
pub mod vp8;
pub mod vp9;
pub mod write;

pub use extension::{AudioLevel, Extensions};
pub use frame::FrameMeta;
pub use media::{Clock, LayerSet, Media};
pub use packet::{Header, Packet, PacketError};
pub use write::Outgoing;
