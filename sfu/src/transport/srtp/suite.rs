//! The two SRTP cipher suites, as they work on one packet whose index is known: AEAD_AES_128_GCM (RFC 7714) and
//! AES_CM_128_HMAC_SHA1_80 (RFC 3711). Nonces live on the stack; nothing here allocates once the keys are set up.

use rtc_crypto::{
    AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, CryptoError, HmacAlgorithm, Mac, RTCCrypto, StreamCipher,
    StreamCipherAlgorithm, constant_time_eq,
};

/// A negotiated SRTP protection profile (RFC 5764 section 4.1.2, RFC 7714 section 14.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Profile {
    /// SRTP_AEAD_AES_128_GCM, what browsers get: a third of the other's cost.
    Gcm,
    /// SRTP_AES128_CM_HMAC_SHA1_80, for clients without GCM.
    Cm,
}

pub(super) const KEY_LEN: usize = 16;
const GCM_TAG: usize = 16;
const SHA1_TAG: usize = 10;

impl Profile {
    /// Length of the master salt in bytes.
    pub(super) const fn salt_len(self) -> usize {
        match self {
            Profile::Gcm => 12,
            Profile::Cm => 14,
        }
    }

    /// Bytes of keying material to export from DTLS: two keys and two salts (RFC 5764 section 4.2).
    pub const fn keying_material_len(self) -> usize {
        2 * (KEY_LEN + self.salt_len())
    }

    /// Length of the authentication tag in bytes.
    pub(super) const fn tag_len(self) -> usize {
        match self {
            Profile::Gcm => GCM_TAG,
            Profile::Cm => SHA1_TAG,
        }
    }
}

/// RTP or RTCP: each has its own session keys and its own way to lay the trailer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stream {
    Rtp,
    Rtcp,
}

/// What identifies one packet to the ciphers.
#[derive(Clone, Copy)]
pub(super) struct PacketId {
    pub ssrc: u32,
    /// 48 bits for RTP (ROC and sequence number), 31 bits for RTCP.
    pub index: u64,
}

/// The keyed ciphers of one stream in one direction.
pub(super) enum Suite {
    Gcm { aead: Box<dyn AeadCipher>, salt: [u8; 12], stream: Stream },
    Cm { cipher: Box<dyn StreamCipher>, mac: Box<dyn Mac>, salt: [u8; 14] },
}

impl Suite {
    /// Derives session keys from master key and salt (RFC 3711 section 4.3, for GCM RFC 7714 section 11; key derivation rate 0).
    pub(super) fn derive(
        crypto: &dyn RTCCrypto,
        profile: Profile,
        stream: Stream,
        key: &[u8; KEY_LEN],
        salt: &[u8],
    ) -> Result<Self, CryptoError> {
        let first_label = match stream {
            Stream::Rtp => 0,
            Stream::Rtcp => 3,
        };
        let session_key: [u8; KEY_LEN] = prf(crypto, key, salt, first_label)?;
        match profile {
            Profile::Gcm => Self::gcm(crypto, stream, &session_key, prf(crypto, key, salt, first_label + 2)?),
            Profile::Cm => {
                let auth_key: [u8; 20] = prf(crypto, key, salt, first_label + 1)?;
                Ok(Suite::Cm {
                    cipher: crypto.new_stream_cipher(StreamCipherAlgorithm::Aes128Ctr, &session_key)?,
                    mac: crypto.new_hmac(HmacAlgorithm::Sha1, &auth_key)?,
                    salt: prf(crypto, key, salt, first_label + 2)?,
                })
            }
        }
    }

    /// GCM with session key and salt given: the RFC's test vectors start here.
    pub(super) fn gcm(
        crypto: &dyn RTCCrypto,
        stream: Stream,
        session_key: &[u8; KEY_LEN],
        salt: [u8; 12],
    ) -> Result<Self, CryptoError> {
        Ok(Suite::Gcm { aead: crypto.new_aead(AeadAlgorithm::Aes128Gcm, session_key)?, salt, stream })
    }

    /// Encrypts `payload` in place. `clear` is what is authenticated only; `trailer` what SHA-1 authenticates behind the payload
    /// (the ROC, or the SRTCP index).
    pub(super) fn seal(
        &mut self,
        id: PacketId,
        clear: &[u8],
        payload: &mut [u8],
        trailer: [u8; 4],
        tag: &mut [u8],
    ) -> Result<(), CryptoError> {
        match self {
            Suite::Gcm { aead, salt, stream } => {
                let nonce = gcm_nonce(salt, id);
                match stream {
                    Stream::Rtp => aead.seal_in_place(&nonce, clear, payload, tag),
                    Stream::Rtcp => aead.seal_in_place(&nonce, &rtcp_aad(clear, trailer)?, payload, tag),
                }
            }
            Suite::Cm { cipher, mac, salt } => {
                cipher.apply_keystream(&cm_iv(salt, id), payload)?;
                let mut digest = [0; 20];
                mac.sign(&[clear, payload, &trailer], &mut digest)?;
                tag.copy_from_slice(&digest[..SHA1_TAG]);
                Ok(())
            }
        }
    }

    /// Authenticates all and decrypts `payload` in place; the counterpart of [`Self::seal`].
    pub(super) fn open(
        &mut self,
        id: PacketId,
        clear: &[u8],
        payload: &mut [u8],
        trailer: [u8; 4],
        tag: &[u8],
    ) -> Result<(), CryptoError> {
        match self {
            Suite::Gcm { aead, salt, stream } => {
                let nonce = gcm_nonce(salt, id);
                match stream {
                    Stream::Rtp => aead.open_in_place(&nonce, clear, payload, tag),
                    Stream::Rtcp => aead.open_in_place(&nonce, &rtcp_aad(clear, trailer)?, payload, tag),
                }
            }
            Suite::Cm { cipher, mac, salt } => {
                let mut digest = [0; 20];
                mac.sign(&[clear, payload, &trailer], &mut digest)?;
                if !constant_time_eq(&digest[..SHA1_TAG], tag) {
                    return Err(CryptoError::AuthenticationFailed);
                }
                cipher.apply_keystream(&cm_iv(salt, id), payload)
            }
        }
    }
}

/// RFC 7714 section 9.2: the header's first eight bytes, then the word of E flag and index.
fn rtcp_aad(clear: &[u8], trailer: [u8; 4]) -> Result<[u8; 12], CryptoError> {
    let mut aad = [0; 12];
    let (header, word) = aad.split_at_mut(8);
    header.copy_from_slice(clear.get(..8).ok_or(CryptoError::AuthenticationFailed)?);
    word.copy_from_slice(&trailer);
    Ok(aad)
}

/// RFC 7714 section 8.1 (RTP: two zero bytes, SSRC, ROC, sequence number) and 9.1 (RTCP: the index in the last four bytes).
/// Both are the 48-bit index behind the SSRC.
fn gcm_nonce(salt: &[u8; 12], id: PacketId) -> [u8; 12] {
    let plain = u128::from(id.ssrc) << 48 | u128::from(id.index & 0xffff_ffff_ffff);
    let mut nonce = [0; 12];
    for ((n, s), p) in nonce.iter_mut().zip(salt).zip(&plain.to_be_bytes()[4..]) {
        *n = s ^ p;
    }
    nonce
}

/// RFC 3711 section 4.1.1: salt * 2^16 xor SSRC * 2^64 xor index * 2^16.
fn cm_iv(salt: &[u8; 14], id: PacketId) -> [u8; 16] {
    let mut wide = [0; 16];
    wide[..14].copy_from_slice(salt);
    let iv = u128::from_be_bytes(wide) ^ u128::from(id.ssrc) << 64 ^ u128::from(id.index & 0xffff_ffff_ffff) << 16;
    iv.to_be_bytes()
}

/// The AES-CM key stream of RFC 3711 section 4.3.3: `N` bytes for `label`.
fn prf<const N: usize>(
    crypto: &dyn RTCCrypto,
    key: &[u8; KEY_LEN],
    salt: &[u8],
    label: u8,
) -> Result<[u8; N], CryptoError> {
    let mut input = [0; 16];
    for (byte, salt) in input.iter_mut().take(14).zip(salt) {
        *byte = *salt;
    }
    input[7] ^= label;
    let mut out = [0; N];
    for (counter, chunk) in (0_u8..).zip(out.chunks_mut(16)) {
        let mut block = input;
        block[15] = counter;
        crypto.block_encrypt(BlockCipherAlgorithm::Aes128, key, &mut block)?;
        for (byte, stream) in chunk.iter_mut().zip(block) {
            *byte = stream;
        }
    }
    Ok(out)
}
