//! Where a client's WebSocket frames end (RFC 6455 section 5.2), so that nothing is read beyond the end of one: between messages no
//! byte of the next is in any buffer then.

/// The shortest header that a client may send: two bytes and the mask.
const SHORTEST: usize = 6;
/// And the longest: with a length of eight bytes.
const LONGEST: usize = SHORTEST + 8;

/// Follows a stream of frames; checks nothing of them.
#[derive(Debug, Default)]
pub struct Boundary {
    /// The header at hand, of which so much is known.
    header: [u8; LONGEST],
    known: usize,
    /// Bytes of the payload that are to come.
    left: u64,
    /// The message goes on in another frame.
    fragments: bool,
}

impl Boundary {
    /// How many bytes may be read without reading beyond the end of the frame; never 0.
    pub fn allowed(&self) -> usize {
        match self.left {
            0 => self.length() - self.known,
            left => usize::try_from(left).unwrap_or(usize::MAX),
        }
    }

    /// These bytes were read.
    pub fn read(&mut self, mut bytes: &[u8]) {
        while let [first, rest @ ..] = bytes {
            if self.left > 0 {
                let taken = bytes.len().min(self.allowed());
                self.left -= taken as u64;
                bytes = bytes.get(taken..).unwrap_or_default();
            } else {
                self.header_byte(*first);
                bytes = rest;
            }
        }
    }

    /// Whether all messages that began have ended.
    pub fn is_between_messages(&self) -> bool {
        self.known == 0 && self.left == 0 && !self.fragments
    }

    fn header_byte(&mut self, byte: u8) {
        if let Some(place) = self.header.get_mut(self.known) {
            *place = byte;
        }
        self.known += 1;
        if self.known < self.length() {
            return;
        }
        let [first, second, a, b, c, d, e, f, g, h, ..] = self.header;
        self.left = match second & 0x7f {
            127 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            126 => u16::from_be_bytes([a, b]).into(),
            short => short.into(),
        };
        // Opcodes from 8 on are of control frames, which may come between the fragments of a message.
        if first & 0x0f < 8 {
            self.fragments = first & 0x80 == 0;
        }
        self.known = 0;
    }

    /// Of the header at hand, as far as is known.
    fn length(&self) -> usize {
        match self.header {
            [_, second, ..] if self.known >= 2 && second & 0x7f == 126 => SHORTEST + 2,
            [_, second, ..] if self.known >= 2 && second & 0x7f == 127 => LONGEST,
            _ => SHORTEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MASK: [u8; 4] = [1, 2, 3, 4];
    const FIN: u8 = 0x80;
    const BINARY: u8 = 2;
    const PING: u8 = 9;

    fn frame(first: u8, length: usize) -> Vec<u8> {
        let mut frame = vec![first];
        match length {
            0..=125 => frame.push(0x80 | length as u8),
            126..=0xffff => {
                frame.push(0x80 | 126);
                frame.extend((length as u16).to_be_bytes());
            }
            _ => {
                frame.push(0x80 | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(MASK);
        frame.extend(vec![0; length]);
        frame
    }

    /// Reads as much as is allowed each time, but at most `chunk`; the lengths read at which no message was under way.
    fn read(stream: &[u8], chunk: usize) -> Vec<usize> {
        let (mut boundary, mut at, mut between) = (Boundary::default(), 0, Vec::new());
        while at < stream.len() {
            let allowed = boundary.allowed();
            assert!(allowed > 0);
            let end = (at + allowed.min(chunk)).min(stream.len());
            boundary.read(&stream[at..end]);
            at = end;
            if boundary.is_between_messages() {
                between.push(at);
            }
        }
        between
    }

    #[test]
    fn reading_stops_at_the_end_of_each_message_whatever_its_length() {
        for chunk in [1, 3, 7, 4096, usize::MAX] {
            let (mut stream, mut ends) = (Vec::new(), Vec::new());
            for length in [0, 1, 125, 126, 300, 0xffff, 0x1_0000, 5] {
                stream.extend(frame(FIN | BINARY, length));
                ends.push(stream.len());
            }
            assert_eq!(read(&stream, chunk), ends, "in chunks of {chunk}");
        }
    }

    #[test]
    fn a_message_in_fragments_ends_with_the_last_and_a_ping_between_them_ends_none() {
        let mut stream = frame(BINARY, 200);
        stream.extend(frame(FIN | PING, 4));
        stream.extend(frame(0, 200));
        stream.extend(frame(FIN, 10));
        let end = stream.len();
        stream.extend(frame(FIN | PING, 0));
        assert_eq!(read(&stream, usize::MAX), [end, stream.len()]);
    }

    #[test]
    fn any_bytes_are_followed() {
        let noise: Vec<u8> = (0..10_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        read(&noise, 512);
        // A length beyond all measure.
        let mut boundary = Boundary::default();
        boundary.read(&[0x82, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4, 5]);
        assert!(!boundary.is_between_messages() && boundary.allowed() > 1 << 40);
    }
}
