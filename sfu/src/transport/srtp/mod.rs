//! SRTP and SRTCP framing in both directions: packet indexes, replay windows, and where header, payload and trailer lie.
//!
//! State per source comes into being only after a packet of that source authenticated, so forged packets cost no memory.

mod sources;
mod suite;
mod window;

pub use suite::Profile;

use super::{OpenError, SealError};
use rtc_crypto::{CryptoError, RTCCrypto};
use rustc_hash::FxHashMap;
use sources::Sources;
use suite::{KEY_LEN, PacketId, Stream, Suite};
use window::Window;

/// Sources one peer may send from. 100 simulcast tracks have 600 with their retransmissions; a hostile peer gets 150 KiB of us.
const MAX_SOURCES: usize = 1024;
/// RFC 3711 section 3.4.
const MAX_RTCP_INDEX: u64 = (1 << 31) - 1;
/// RFC 3711 section 3.3.1: 32 bits of ROC, 16 of sequence number.
const MAX_RTP_INDEX: u64 = (1 << 48) - 1;
/// The first packet of a compound up to the SSRC: what SRTCP leaves clear.
const RTCP_CLEAR: usize = 8;
/// E flag and index at the end of SRTCP.
const RTCP_WORD: usize = 4;
const ENCRYPTED: u32 = 1 << 31;

/// Both directions of one DTLS server, from the keying material it exported (RFC 5764 section 4.2).
///
/// # Errors
/// If the material is not [`Profile::keying_material_len`] long, or the provider lacks a cipher.
pub fn contexts(crypto: &dyn RTCCrypto, profile: Profile, material: &[u8]) -> Result<(Inbound, Outbound), CryptoError> {
    let short = CryptoError::InvalidKeyLength { expected: profile.keying_material_len(), actual: material.len() };
    if material.len() != profile.keying_material_len() {
        return Err(short);
    }
    let (keys, salts) = material.split_at(2 * KEY_LEN);
    let (Some((client_key, rest)), (client_salt, server_salt)) =
        (keys.split_first_chunk::<KEY_LEN>(), salts.split_at(profile.salt_len()))
    else {
        return Err(short);
    };
    let Some(server_key) = rest.first_chunk::<KEY_LEN>() else { return Err(short) };
    Ok((
        Inbound::new(crypto, profile, client_key, client_salt)?,
        Outbound::new(crypto, profile, server_key, server_salt)?,
    ))
}

/// What we send. Each SSRC has its own index, which goes on over wraps of the sequence number.
pub struct Outbound {
    profile: Profile,
    rtp: Suite,
    rtcp: Suite,
    /// A window and not just a counter: sealing two packets with one index would give the key away, so it is refused. Only our
    /// own SSRCs are here; they are never forgotten, for the same reason.
    rtp_windows: Sources,
    /// One counter serves all our SSRCs: the index need only be unique for each.
    rtcp_index: u64,
}

impl Outbound {
    fn new(crypto: &dyn RTCCrypto, profile: Profile, key: &[u8; KEY_LEN], salt: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            profile,
            rtp: Suite::derive(crypto, profile, Stream::Rtp, key, salt)?,
            rtcp: Suite::derive(crypto, profile, Stream::Rtcp, key, salt)?,
            rtp_windows: Sources::default(),
            rtcp_index: 0,
        })
    }

    /// Reads what [`Self::seal_rtp`] will need for a packet of this SSRC.
    pub fn warm(&self, ssrc: u32) -> u64 {
        self.rtp_windows.get(ssrc).map_or(0, Window::highest)
    }

    /// Seals the RTP packet `buf[start..]` in place and appends the tag (RFC 3711 section 3.1, RFC 7714 section 8).
    pub fn seal_rtp(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), SealError> {
        let header = RtpHeader::parse(buf.get(start..).unwrap_or_default()).ok_or(SealError::Malformed)?;
        let window = self.rtp_windows.get_mut(header.ssrc);
        let index = match &window {
            Some(window) => match window.estimate(header.seq) {
                Some(index) if index > MAX_RTP_INDEX => return Err(SealError::Exhausted),
                Some(index) if window.is_new(index) => index,
                _ => return Err(SealError::Reused),
            },
            None => u64::from(header.seq),
        };
        let (plain_end, tag_len) = (buf.len(), self.profile.tag_len());
        buf.resize(plain_end + tag_len, 0);
        let sealed = buf
            .get_mut(start..)
            .and_then(|packet| packet.split_at_mut_checked(plain_end - start))
            .and_then(|(packet, tag)| Some((packet.split_at_mut_checked(header.len)?, tag)))
            .is_some_and(|((clear, payload), tag)| {
                self.rtp.seal(PacketId { ssrc: header.ssrc, index }, clear, payload, roc(index), tag).is_ok()
            });
        if !sealed {
            buf.truncate(plain_end);
            return Err(SealError::Exhausted);
        }
        match window {
            Some(window) => window.accept(index),
            None => self.rtp_windows.start(header.ssrc, index),
        }
        Ok(())
    }

    /// Seals the compound RTCP packet `buf[start..]` in place and appends tag and index (RFC 3711 section 3.4, RFC 7714 section 9).
    pub fn seal_rtcp(&mut self, buf: &mut Vec<u8>, start: usize) -> Result<(), SealError> {
        let ssrc = rtcp_ssrc(buf.get(start..).unwrap_or_default()).ok_or(SealError::Malformed)?;
        if self.rtcp_index >= MAX_RTCP_INDEX {
            return Err(SealError::Exhausted);
        }
        let index = self.rtcp_index + 1;
        let word = (ENCRYPTED | index as u32).to_be_bytes();
        let (plain_end, tag_len) = (buf.len(), self.profile.tag_len());
        buf.resize(plain_end + tag_len + RTCP_WORD, 0);
        let sealed = buf
            .get_mut(start..)
            .and_then(|packet| packet.split_at_mut_checked(plain_end - start))
            .and_then(|(packet, trailer)| Some((packet.split_at_mut_checked(RTCP_CLEAR)?, trailer)))
            .is_some_and(|((clear, payload), trailer)| {
                // GCM: tag, then word. SHA-1: word, then tag.
                let (tag, place) = match self.profile {
                    Profile::Gcm => trailer.split_at_mut(tag_len),
                    Profile::Cm => {
                        let (place, tag) = trailer.split_at_mut(RTCP_WORD);
                        (tag, place)
                    }
                };
                place.copy_from_slice(&word);
                self.rtcp.seal(PacketId { ssrc, index }, clear, payload, word, tag).is_ok()
            });
        if !sealed {
            buf.truncate(plain_end);
            return Err(SealError::Exhausted);
        }
        self.rtcp_index = index;
        Ok(())
    }
}

/// What the peer sends.
pub struct Inbound {
    profile: Profile,
    rtp: Suite,
    rtcp: Suite,
    /// Fx is fine: who could choose colliding SSRCs has authenticated, and there are at most [`MAX_SOURCES`].
    rtp_windows: FxHashMap<u32, Window>,
    rtcp_windows: FxHashMap<u32, Window>,
}

impl Inbound {
    fn new(crypto: &dyn RTCCrypto, profile: Profile, key: &[u8; KEY_LEN], salt: &[u8]) -> Result<Self, CryptoError> {
        Ok(Self {
            profile,
            rtp: Suite::derive(crypto, profile, Stream::Rtp, key, salt)?,
            rtcp: Suite::derive(crypto, profile, Stream::Rtcp, key, salt)?,
            rtp_windows: FxHashMap::default(),
            rtcp_windows: FxHashMap::default(),
        })
    }

    /// Opens one SRTP packet in place; returns the length of the plain packet. On an error its bytes are spoiled.
    pub fn open_rtp(&mut self, packet: &mut [u8]) -> Result<usize, OpenError> {
        let header = RtpHeader::parse(packet).ok_or(OpenError::Malformed)?;
        let plain_len = packet.len().checked_sub(self.profile.tag_len()).ok_or(OpenError::Malformed)?;
        let index = match self.rtp_windows.get(&header.ssrc) {
            Some(window) => match window.estimate(header.seq) {
                Some(index) if index <= MAX_RTP_INDEX && window.is_new(index) => index,
                _ => return Err(OpenError::Replayed),
            },
            None => u64::from(header.seq),
        };
        let (packet, tag) = packet.split_at_mut_checked(plain_len).ok_or(OpenError::Malformed)?;
        let (clear, payload) = packet.split_at_mut_checked(header.len).ok_or(OpenError::Malformed)?;
        self.rtp
            .open(PacketId { ssrc: header.ssrc, index }, clear, payload, roc(index), tag)
            .map_err(|_| OpenError::Unauthenticated)?;
        remember(&mut self.rtp_windows, header.ssrc, index)?;
        Ok(plain_len)
    }

    /// Opens one compound SRTCP packet in place; returns the length of the plain packet. On an error its bytes are spoiled.
    pub fn open_rtcp(&mut self, packet: &mut [u8]) -> Result<usize, OpenError> {
        let ssrc = rtcp_ssrc(packet).ok_or(OpenError::Malformed)?;
        let tag_len = self.profile.tag_len();
        let plain_len = packet.len().checked_sub(tag_len + RTCP_WORD).ok_or(OpenError::Malformed)?;
        let (packet, trailer) = packet.split_at_mut_checked(plain_len).ok_or(OpenError::Malformed)?;
        let (clear, payload) = packet.split_at_mut_checked(RTCP_CLEAR).ok_or(OpenError::Malformed)?;
        let (tag, word) = match self.profile {
            Profile::Gcm => trailer.split_at(tag_len),
            Profile::Cm => {
                let (word, tag) = trailer.split_at(RTCP_WORD);
                (tag, word)
            }
        };
        let word: [u8; RTCP_WORD] = word.try_into().map_err(|_| OpenError::Malformed)?;
        let value = u32::from_be_bytes(word);
        // We negotiate encryption of RTCP, so a packet that claims to be plain isn't the peer's.
        if value & ENCRYPTED == 0 {
            return Err(OpenError::Malformed);
        }
        let index = u64::from(value & !ENCRYPTED);
        if self.rtcp_windows.get(&ssrc).is_some_and(|window| !window.is_new(index)) {
            return Err(OpenError::Replayed);
        }
        self.rtcp.open(PacketId { ssrc, index }, clear, payload, word, tag).map_err(|_| OpenError::Unauthenticated)?;
        remember(&mut self.rtcp_windows, ssrc, index)?;
        Ok(plain_len)
    }
}

/// Remembers the index of an authenticated packet.
fn remember(windows: &mut FxHashMap<u32, Window>, ssrc: u32, index: u64) -> Result<(), OpenError> {
    if let Some(window) = windows.get_mut(&ssrc) {
        window.accept(index);
    } else if windows.len() < MAX_SOURCES {
        windows.insert(ssrc, Window::starting_at(index));
    } else {
        return Err(OpenError::TooManySources);
    }
    Ok(())
}

/// The roll-over counter, which AES_CM authenticates behind the packet.
fn roc(index: u64) -> [u8; 4] {
    ((index >> 16) as u32).to_be_bytes()
}

/// What the framing needs of an RTP header (RFC 3550 section 5.1).
struct RtpHeader {
    ssrc: u32,
    seq: u16,
    /// With CSRCs and extensions: what stays clear.
    len: usize,
}

impl RtpHeader {
    /// `None` if the version is wrong or the header runs over the end.
    fn parse(packet: &[u8]) -> Option<Self> {
        let fixed: &[u8; 12] = packet.first_chunk()?;
        let [first, _, s0, s1, _, _, _, _, ssrc @ ..] = *fixed;
        if first >> 6 != 2 {
            return None;
        }
        let mut len = 12 + 4 * usize::from(first & 0x0f);
        if first & 0x10 != 0 {
            let words = packet.get(len + 2..len + 4)?;
            len += 4 + 4 * usize::from(u16::from_be_bytes([*words.first()?, *words.last()?]));
        }
        (len <= packet.len()).then_some(Self { ssrc: u32::from_be_bytes(ssrc), seq: u16::from_be_bytes([s0, s1]), len })
    }
}

/// The SSRC of the first packet of an RTCP compound, if there is one of version 2.
fn rtcp_ssrc(packet: &[u8]) -> Option<u32> {
    let [first, _, _, _, ssrc @ ..]: &[u8; RTCP_CLEAR] = packet.first_chunk()?;
    (first >> 6 == 2).then_some(u32::from_be_bytes(*ssrc))
}

#[cfg(test)]
mod tests;
