//! Reading DTLS from the outside (RFC 6347): which datagrams may reach the state machine, and what a ClientHello offers.
//!
//! The state machine answers some unauthenticated nonsense with a fatal alert and believes other: who can fake the peer's
//! address could end the connection. So only what a peer sends in earnest gets through here.

use super::super::srtp::Profile;

const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;
/// No message of a WebRTC handshake comes near; a certificate chain is 1 KiB.
const MAX_MESSAGE: usize = 16 * 1024;
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// One fragment of a handshake message.
#[derive(Clone, Copy, Debug)]
struct Fragment<'a> {
    kind: u8,
    message_seq: u16,
    message_len: usize,
    offset: usize,
    body: &'a [u8],
}

/// What a datagram holds, if it may pass.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Summary {
    /// Its first handshake message is a ClientHello; with its message sequence number.
    pub client_hello: Option<u16>,
    /// Its first handshake message is a ServerHello.
    pub server_hello: bool,
    /// Fragments of handshake messages, encrypted ones counted by record.
    pub handshake_fragments: usize,
}

/// Looks through a datagram; `None` if it must be dropped.
pub(super) fn inspect(datagram: &[u8]) -> Option<Summary> {
    let mut summary = Summary::default();
    let mut rest = datagram;
    while !rest.is_empty() {
        let (content, epoch, body, tail) = split_record(rest)?;
        rest = tail;
        match (content, epoch) {
            // Records of the cipher suite in force are authenticated by it. ChangeCipherSpec is not, and a forged one of a later
            // epoch would switch the peer's epoch away under it.
            (ALERT | APPLICATION_DATA, 1..) => {}
            (HANDSHAKE, 1..) => summary.handshake_fragments += 1,
            (CHANGE_CIPHER_SPEC, 0) if body == [1] => {}
            // Fatal ones in the clear are how a client refuses our hello.
            (ALERT, 0) if matches!(body, [2, _] | [1, 0]) => {}
            (HANDSHAKE, 0) => {
                for fragment in fragments(body) {
                    let fragment = fragment?;
                    if summary.handshake_fragments == 0 {
                        summary.client_hello = (fragment.kind == CLIENT_HELLO).then_some(fragment.message_seq);
                        summary.server_hello = fragment.kind == SERVER_HELLO;
                    }
                    summary.handshake_fragments += 1;
                }
            }
            _ => return None,
        }
    }
    (!datagram.is_empty()).then_some(summary)
}

/// The first record: content type, epoch, body, and what follows.
fn split_record(bytes: &[u8]) -> Option<(u8, u16, &[u8], &[u8])> {
    let [content, major, _, e0, e1, _, _, _, _, _, _, l0, l1]: &[u8; RECORD_HEADER] = bytes.first_chunk()?;
    let (body, tail) = bytes.get(RECORD_HEADER..)?.split_at_checked(usize::from(u16::from_be_bytes([*l0, *l1])))?;
    (*major == 0xfe).then_some((*content, u16::from_be_bytes([*e0, *e1]), body, tail))
}

/// The fragments in one handshake record in the clear. What is no sound fragment, or no fragment at all, is a last `None`.
fn fragments(body: &[u8]) -> impl Iterator<Item = Option<Fragment<'_>>> {
    let mut rest = Some(body);
    std::iter::from_fn(move || {
        let (fragment, tail) = split_fragment(rest?).unzip();
        rest = tail.filter(|tail| !tail.is_empty());
        Some(fragment)
    })
}

fn split_fragment(bytes: &[u8]) -> Option<(Fragment<'_>, &[u8])> {
    let [kind, a0, a1, a2, s0, s1, b0, b1, b2, c0, c1, c2]: &[u8; MESSAGE_HEADER] = bytes.first_chunk()?;
    let long = |a: &u8, b: &u8, c: &u8| u32::from_be_bytes([0, *a, *b, *c]) as usize;
    let (message_len, offset, len) = (long(a0, a1, a2), long(b0, b1, b2), long(c0, c1, c2));
    let (body, tail) = bytes.get(MESSAGE_HEADER..)?.split_at_checked(len)?;
    let sound = message_len <= MAX_MESSAGE && offset + len <= message_len && (len > 0 || message_len == 0);
    let fragment = Fragment { kind: *kind, message_seq: u16::from_be_bytes([*s0, *s1]), message_len, offset, body };
    sound.then_some((fragment, tail))
}

/// Puts a ClientHello together that comes in several datagrams, as that of today's browsers does. The state machine gets it
/// only whole: each part of it alone would make it answer.
#[derive(Default)]
pub(super) struct HelloBuffer {
    message_seq: u16,
    datagrams: Vec<Vec<u8>>,
}

/// A ClientHello of 8 datagrams would be 9 KiB.
const MAX_HELLO_DATAGRAMS: usize = 8;

impl HelloBuffer {
    /// Takes in a datagram whose summary says ClientHello. Returns all its datagrams once it is whole, and forgets them.
    pub(super) fn push(&mut self, message_seq: u16, datagram: &[u8]) -> Option<Vec<Vec<u8>>> {
        let is_new_message = message_seq != self.message_seq;
        if is_new_message || self.datagrams.len() >= MAX_HELLO_DATAGRAMS {
            self.datagrams.clear();
            self.message_seq = message_seq;
        }
        // A repeated part (with a new record number) takes the place of the old.
        let offset = first_offset(datagram);
        match self.datagrams.iter_mut().find(|old| first_offset(old) == offset) {
            Some(old) => *old = datagram.to_vec(),
            None => self.datagrams.push(datagram.to_vec()),
        }
        self.message()?;
        Some(std::mem::take(&mut self.datagrams))
    }

    /// The message's body, if all of it is there.
    fn message(&self) -> Option<Vec<u8>> {
        message(&self.datagrams, self.message_seq)
    }
}

fn first_offset(datagram: &[u8]) -> Option<usize> {
    let (_, _, body, _) = split_record(datagram)?;
    split_fragment(body).map(|(fragment, _)| fragment.offset)
}

/// The body of the ClientHello with this sequence number, if the datagrams have all of it.
fn message(datagrams: &[Vec<u8>], message_seq: u16) -> Option<Vec<u8>> {
    let mut parts: Vec<Fragment<'_>> = Vec::new();
    for datagram in datagrams {
        let mut rest: &[u8] = datagram;
        while let Some((content, 0, body, tail)) = split_record(rest) {
            rest = tail;
            if content == HANDSHAKE {
                let found = fragments(body).flatten();
                parts.extend(found.filter(|f| f.kind == CLIENT_HELLO && f.message_seq == message_seq));
            }
        }
    }
    parts.sort_by_key(|part| part.offset);
    let len = parts.first()?.message_len;
    let mut message: Vec<u8> = Vec::with_capacity(len);
    for part in parts {
        let known = message.len().checked_sub(part.offset)?;
        message.extend_from_slice(part.body.get(known..).unwrap_or_default());
    }
    (message.len() == len).then_some(message)
}

/// The profile to negotiate with a client, by the `use_srtp` extension of its whole ClientHello (RFC 5764 section 4.1.1).
///
/// The state machine would take the client's first choice, and Chromium's is the expensive one; so it is offered one only.
/// Without `use_srtp`, GCM: the handshake will end without a profile and be refused then.
pub(super) fn choose_profile(datagrams: &[Vec<u8>], message_seq: u16) -> Profile {
    const GCM: [u8; 2] = [0x00, 0x07];
    const CM: [u8; 2] = [0x00, 0x01];
    let message = message(datagrams, message_seq).unwrap_or_default();
    let offered = use_srtp(&message).unwrap_or_default();
    let offers = |profile: [u8; 2]| offered.chunks_exact(2).any(|chunk| chunk == profile);
    if !offers(GCM) && offers(CM) { Profile::Cm } else { Profile::Gcm }
}

/// The profiles in the `use_srtp` extension of a ClientHello body, two bytes each.
fn use_srtp(hello: &[u8]) -> Option<&[u8]> {
    const USE_SRTP: [u8; 2] = [0, 14];
    let rest = hello.get(2 + 32..)?; // version, random
    let (_session_id, rest) = split_short(rest)?;
    let (_cookie, rest) = split_short(rest)?;
    let (_cipher_suites, rest) = split_long(rest)?;
    let (_compression, rest) = split_short(rest)?;
    let (mut extensions, _) = split_long(rest)?;
    while let Some((kind, rest)) = extensions.split_first_chunk::<2>() {
        let (body, rest) = split_long(rest)?;
        if *kind == USE_SRTP {
            return split_long(body).map(|(profiles, _mki)| profiles);
        }
        extensions = rest;
    }
    None
}

/// A vector with one byte of length, and what follows.
fn split_short(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first()?;
    rest.split_at_checked(usize::from(*len))
}

/// A vector with two bytes of length, and what follows.
fn split_long(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = bytes.split_first_chunk::<2>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*len)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(content: u8, epoch: u16, body: &[u8]) -> Vec<u8> {
        let mut out = vec![content, 0xfe, 0xfd];
        out.extend(epoch.to_be_bytes());
        out.extend([0; 6]);
        out.extend((body.len() as u16).to_be_bytes());
        out.extend(body);
        out
    }

    fn fragment(kind: u8, seq: u16, message: &[u8], range: std::ops::Range<usize>) -> Vec<u8> {
        let long = |n: usize| (n as u32).to_be_bytes()[1..].to_vec();
        let mut out = vec![kind];
        out.extend(long(message.len()));
        out.extend(seq.to_be_bytes());
        out.extend(long(range.start));
        out.extend(long(range.len()));
        out.extend(&message[range]);
        out
    }

    fn hello(profiles: &[u16]) -> Vec<u8> {
        let mut body = vec![0xfe, 0xfd];
        body.extend([7; 32]);
        body.extend([0, 0, 0, 2, 0xc0, 0x2b, 1, 0]);
        let mut srtp = ((2 * profiles.len()) as u16).to_be_bytes().to_vec();
        srtp.extend(profiles.iter().flat_map(|p| p.to_be_bytes()));
        srtp.push(0);
        let mut extensions = vec![0, 23, 0, 0, 0, 14];
        extensions.extend((srtp.len() as u16).to_be_bytes());
        extensions.extend(srtp);
        body.extend((extensions.len() as u16).to_be_bytes());
        body.extend(extensions);
        body
    }

    fn offer(profiles: &[u16]) -> Profile {
        let body = hello(profiles);
        choose_profile(&[record(HANDSHAKE, 0, &fragment(CLIENT_HELLO, 0, &body, 0..body.len()))], 0)
    }

    #[test]
    fn gcm_is_taken_wherever_it_stands_and_sha1_only_without_it() {
        assert_eq!(offer(&[1, 8, 7]), Profile::Gcm);
        assert_eq!(offer(&[7]), Profile::Gcm);
        assert_eq!(offer(&[2, 1]), Profile::Cm);
        assert_eq!(offer(&[]), Profile::Gcm);
    }

    #[test]
    fn a_hello_in_parts_is_passed_on_whole_in_any_order_and_with_repeats() {
        let body = hello(&[1, 7]);
        let cut = body.len() - 5;
        let first = record(HANDSHAKE, 0, &fragment(CLIENT_HELLO, 0, &body, 0..cut));
        let second = record(HANDSHAKE, 0, &fragment(CLIENT_HELLO, 0, &body, cut..body.len()));
        let mut buffer = HelloBuffer::default();
        assert_eq!(inspect(&second).unwrap().client_hello, Some(0));
        assert!(buffer.push(0, &second).is_none());
        assert!(buffer.push(0, &second).is_none());
        let whole = buffer.push(0, &first).unwrap();
        assert_eq!(whole.len(), 2);
        assert_eq!(choose_profile(&whole, 0), Profile::Gcm);
        assert!(buffer.datagrams.is_empty());
    }

    #[test]
    fn the_buffer_stays_small_whatever_comes() {
        let body = vec![0; 4000];
        let mut buffer = HelloBuffer::default();
        for at in 0..1000 {
            let part = record(HANDSHAKE, 0, &fragment(CLIENT_HELLO, 0, &body, 3 * at..3 * at + 1));
            assert!(buffer.push(0, &part).is_none());
            assert!(buffer.datagrams.len() <= MAX_HELLO_DATAGRAMS);
        }
    }

    #[test]
    fn only_what_a_peer_sends_in_earnest_passes() {
        let finished = record(HANDSHAKE, 1, &[0; 40]);
        let switch = record(CHANGE_CIPHER_SPEC, 0, &[1]);
        assert_eq!(inspect(&[switch, finished].concat()).unwrap().handshake_fragments, 1);
        assert!(inspect(&record(APPLICATION_DATA, 1, &[0; 40])).is_some());
        for dropped in [
            vec![],
            vec![HANDSHAKE],
            record(APPLICATION_DATA, 0, b"plain"),
            record(CHANGE_CIPHER_SPEC, 1, &[1]),
            record(CHANGE_CIPHER_SPEC, 0, &[2]),
            record(ALERT, 0, &[2]),
            record(ALERT, 0, &[1, 90]),
            record(24, 1, &[1]),
            record(HANDSHAKE, 0, &[]),
            record(HANDSHAKE, 0, &fragment(CLIENT_HELLO, 0, &[0; MAX_MESSAGE + 1], 0..1)),
            record(HANDSHAKE, 0, &fragment(CLIENT_HELLO, 0, &[0; 9], 3..3)),
            record(HANDSHAKE, 0, &fragment(CLIENT_HELLO, 0, &[0; 9], 0..9)[..20]),
        ] {
            assert_eq!(inspect(&dropped), None, "{dropped:?}");
        }
    }
}
