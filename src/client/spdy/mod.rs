//! The part of SPDY/3.1 that `portforward.k8s.io` needs: streams with headers, data and resets over one connection.
//!
//! Nothing here does I/O: bytes go in and come out. There is no flow control, as neither side of Kubernetes has any.

mod dictionary;

use bytes::{Buf, Bytes, BytesMut};
use flate2::{Decompress, FlushDecompress, Status};

/// Headers of a stream; names in small letters.
pub type Headers = Vec<(String, String)>;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// A stream begins.
    Open {
        /// The stream; odd when the client opened it.
        stream: u32,
        /// What it is for.
        headers: Headers,
        /// Whether its opener will send nothing.
        fin: bool,
    },
    /// A stream was accepted.
    Reply {
        /// The stream.
        stream: u32,
        /// What the other side says of it.
        headers: Headers,
    },
    /// A stream ends at once in both directions.
    Reset {
        /// The stream.
        stream: u32,
        /// Why.
        status: u32,
    },
    /// A question whether the other side is there, to be answered with the same.
    Ping(u32),
    /// The connection takes no more streams.
    GoAway,
    /// Bytes of a stream.
    Data {
        /// The stream.
        stream: u32,
        /// The bytes.
        bytes: Bytes,
        /// Whether they are the last ones.
        fin: bool,
    },
    /// Something that does not matter here: settings, windows, credentials.
    Other(u16),
}

/// What a peer sent is not SPDY.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed SPDY frame: {0}")]
pub struct Malformed(&'static str);

/// The status of a reset with which an end that lost interest closes a stream (CANCEL).
pub const CANCEL: u32 = 5;
const VERSION: u16 = 3;
const FIN: u8 = 1;
/// The largest frame that is taken.
const MOST: usize = 1 << 20;
/// The largest header block that is unpacked.
const MOST_HEADERS: usize = 64 << 10;
/// How many bytes of data one frame is given.
const DATA: usize = 32 << 10;

mod kind {
    pub const OPEN: u16 = 1;
    pub const REPLY: u16 = 2;
    pub const RESET: u16 = 3;
    pub const PING: u16 = 6;
    pub const GO_AWAY: u16 = 7;
}

/// Writes frames.
#[derive(Debug, Default)]
pub struct Encoder {
    headers_begun: bool,
}

impl Encoder {
    /// Appends a frame to `out`.
    pub fn write(&mut self, frame: &Frame, out: &mut BytesMut) {
        match frame {
            Frame::Open { stream, headers, fin } => {
                let mut body = BytesMut::new();
                body.extend_from_slice(&stream.to_be_bytes());
                // No associated stream, the highest priority, no slot.
                body.extend_from_slice(&[0; 6]);
                self.block(headers, &mut body);
                control(kind::OPEN, u8::from(*fin), &body, out);
            }
            Frame::Reply { stream, headers } => {
                let mut body = BytesMut::new();
                body.extend_from_slice(&stream.to_be_bytes());
                self.block(headers, &mut body);
                control(kind::REPLY, 0, &body, out);
            }
            Frame::Reset { stream, status } => {
                let body = [stream.to_be_bytes(), status.to_be_bytes()].concat();
                control(kind::RESET, 0, &body, out);
            }
            Frame::Ping(id) => control(kind::PING, 0, &id.to_be_bytes(), out),
            Frame::GoAway => control(kind::GO_AWAY, 0, &[0; 8], out),
            Frame::Data { stream, bytes, fin } => data(*stream, bytes, *fin, out),
            Frame::Other(_) => {}
        }
    }

    /// A header block. It is packed as literal blocks of deflate: the few headers of a stream are not worth more.
    fn block(&mut self, headers: &Headers, out: &mut BytesMut) {
        if !std::mem::replace(&mut self.headers_begun, true) {
            // zlib with a preset dictionary, which is named by its checksum.
            out.extend_from_slice(&[0x78, 0xbb]);
            out.extend_from_slice(&dictionary::checksum(&dictionary::text()).to_be_bytes());
        }
        let mut plain = Vec::new();
        let number = |count: usize, plain: &mut Vec<u8>| {
            plain.extend_from_slice(&u32::try_from(count).unwrap_or_default().to_be_bytes());
        };
        number(headers.len(), &mut plain);
        for text in headers.iter().flat_map(|(name, value)| [name, value]) {
            number(text.len(), &mut plain);
            plain.extend_from_slice(text.as_bytes());
        }
        for part in plain.chunks(usize::from(u16::MAX)) {
            out.extend_from_slice(&literal(part));
        }
        // What a flush ends with: Go's reader gives nothing out before it.
        out.extend_from_slice(&literal(&[]));
    }
}

/// The head of a literal block of deflate that is not the last one, and the block.
fn literal(part: &[u8]) -> Vec<u8> {
    let length = u16::try_from(part.len()).unwrap_or_default();
    let mut block = vec![0];
    block.extend_from_slice(&length.to_le_bytes());
    block.extend_from_slice(&(!length).to_le_bytes());
    block.extend_from_slice(part);
    block
}

fn control(kind: u16, flags: u8, body: &[u8], out: &mut BytesMut) {
    out.extend_from_slice(&(0x8000 | VERSION).to_be_bytes());
    out.extend_from_slice(&kind.to_be_bytes());
    let length = u32::try_from(body.len()).unwrap_or_default();
    out.extend_from_slice(&(u32::from(flags) << 24 | length & 0x00ff_ffff).to_be_bytes());
    out.extend_from_slice(body);
}

fn data(stream: u32, bytes: &[u8], fin: bool, out: &mut BytesMut) {
    let parts: Vec<&[u8]> = if bytes.is_empty() { vec![bytes] } else { bytes.chunks(DATA).collect() };
    for (position, part) in parts.iter().enumerate() {
        let flags = u8::from(fin && position + 1 == parts.len());
        let length = u32::try_from(part.len()).unwrap_or_default();
        out.extend_from_slice(&(stream & 0x7fff_ffff).to_be_bytes());
        out.extend_from_slice(&(u32::from(flags) << 24 | length).to_be_bytes());
        out.extend_from_slice(part);
    }
}

/// Reads frames from bytes that come in any pieces.
#[derive(Debug)]
pub struct Decoder {
    buffer: BytesMut,
    inflate: Option<Decompress>,
}

impl Default for Decoder {
    fn default() -> Self {
        Self { buffer: BytesMut::new(), inflate: None }
    }
}

impl Decoder {
    /// Takes bytes as they came.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame that is there as a whole.
    ///
    /// # Errors
    /// The bytes are no SPDY/3.
    pub fn read(&mut self) -> Result<Option<Frame>, Malformed> {
        let Some(head) = self.buffer.first_chunk::<8>().copied() else { return Ok(None) };
        let [a, b, c, d, flags, l0, l1, l2] = head;
        let length = usize::try_from(u32::from_be_bytes([0, l0, l1, l2])).unwrap_or(MOST);
        if length > MOST {
            return Err(Malformed("it is too long"));
        }
        if self.buffer.len() < 8 + length {
            return Ok(None);
        }
        self.buffer.advance(8);
        let body = self.buffer.split_to(length).freeze();
        if a & 0x80 == 0 {
            let stream = u32::from_be_bytes([a, b, c, d]);
            return Ok(Some(Frame::Data { stream, bytes: body, fin: flags & FIN != 0 }));
        }
        if u16::from_be_bytes([a & 0x7f, b]) != VERSION {
            return Err(Malformed("its version is not 3"));
        }
        self.control(u16::from_be_bytes([c, d]), flags, body).map(Some)
    }

    fn control(&mut self, kind: u16, flags: u8, mut body: Bytes) -> Result<Frame, Malformed> {
        let least = match kind {
            kind::OPEN => 10,
            kind::REPLY | kind::PING => 4,
            kind::RESET => 8,
            _ => 0,
        };
        if body.len() < least {
            return Err(Malformed("it is too short"));
        }
        Ok(match kind {
            kind::OPEN => {
                let stream = body.get_u32() & 0x7fff_ffff;
                body.advance(6);
                Frame::Open { stream, headers: self.headers(&body)?, fin: flags & FIN != 0 }
            }
            kind::REPLY => {
                let stream = body.get_u32() & 0x7fff_ffff;
                Frame::Reply { stream, headers: self.headers(&body)? }
            }
            kind::RESET => Frame::Reset { stream: body.get_u32() & 0x7fff_ffff, status: body.get_u32() },
            kind::PING => Frame::Ping(body.get_u32()),
            kind::GO_AWAY => Frame::GoAway,
            // Headers that come late still belong to the one packed stream of all headers.
            8 if body.len() > 4 => {
                body.advance(4);
                self.headers(&body)?;
                Frame::Other(kind)
            }
            _ => Frame::Other(kind),
        })
    }

    fn headers(&mut self, packed: &[u8]) -> Result<Headers, Malformed> {
        let mut plain = self.unpack(packed)?.freeze();
        let mut headers = Vec::new();
        for _ in 0..number(&mut plain)? {
            let name = text(&mut plain)?;
            let value = text(&mut plain)?;
            headers.push((name, value));
        }
        Ok(headers)
    }

    fn unpack(&mut self, mut packed: &[u8]) -> Result<BytesMut, Malformed> {
        let broken = Malformed("its headers do not unpack");
        let inflate = match &mut self.inflate {
            Some(inflate) => inflate,
            none => {
                // The preset dictionary is what has been unpacked before the first byte.
                let [_, flags, rest @ ..] = packed else { return Err(broken) };
                packed = if flags & 0x20 == 0 { rest } else { rest.get(4..).ok_or(broken.clone())? };
                let mut inflate = Decompress::new(false);
                let primer = literal(&dictionary::text());
                let mut sink = [0; 2048];
                inflate.decompress(&primer, &mut sink, FlushDecompress::Sync).map_err(|_| broken.clone())?;
                none.insert(inflate)
            }
        };
        let mut plain = BytesMut::new();
        let mut chunk = [0; 4096];
        loop {
            let (before_in, before_out) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(packed, &mut chunk, FlushDecompress::Sync).map_err(|_| broken.clone())?;
            let taken = usize::try_from(inflate.total_in() - before_in).unwrap_or_default();
            let made = usize::try_from(inflate.total_out() - before_out).unwrap_or_default();
            plain.extend_from_slice(chunk.get(..made).unwrap_or_default());
            packed = packed.get(taken..).unwrap_or_default();
            if plain.len() > MOST_HEADERS {
                return Err(Malformed("its headers are too long"));
            }
            if matches!(status, Status::StreamEnd) || (taken == 0 && made == 0) || (packed.is_empty() && made < 4096) {
                return Ok(plain);
            }
        }
    }
}

fn number(plain: &mut Bytes) -> Result<usize, Malformed> {
    if plain.len() < 4 {
        return Err(Malformed("its headers break off"));
    }
    usize::try_from(plain.get_u32()).map_err(|_| Malformed("its headers are too long"))
}

fn text(plain: &mut Bytes) -> Result<String, Malformed> {
    let length = number(plain)?;
    if plain.len() < length {
        return Err(Malformed("its headers break off"));
    }
    Ok(String::from_utf8_lossy(&plain.split_to(length)).into_owned())
}

/// The first value of a header, or the empty text.
pub fn header<'a>(headers: &'a Headers, name: &str) -> &'a str {
    headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Headers {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn all(decoder: &mut Decoder) -> Vec<Frame> {
        std::iter::from_fn(|| decoder.read().expect("well formed")).collect()
    }

    #[test]
    fn frames_survive_being_cut_anywhere() {
        let frames = vec![
            Frame::Open { stream: 1, headers: headers(&[("streamtype", "error"), ("port", "80")]), fin: true },
            Frame::Open { stream: 3, headers: headers(&[("streamtype", "data"), ("port", "80")]), fin: false },
            Frame::Reply { stream: 1, headers: Vec::new() },
            Frame::Data { stream: 3, bytes: Bytes::from_static(b"GET /"), fin: false },
            Frame::Ping(7),
            Frame::Data { stream: 3, bytes: Bytes::new(), fin: true },
            Frame::Reset { stream: 3, status: CANCEL },
            Frame::GoAway,
        ];
        let (mut encoder, mut bytes) = (Encoder::default(), BytesMut::new());
        frames.iter().for_each(|frame| encoder.write(frame, &mut bytes));
        let (mut decoder, mut read) = (Decoder::default(), Vec::new());
        for byte in bytes {
            decoder.feed(&[byte]);
            read.extend(all(&mut decoder));
        }
        assert_eq!(read, frames);
    }

    #[test]
    fn packed_headers_of_other_programs_are_read() {
        // Packed blocks that refer to one another and to the dictionary, each ended by a flush, as zlib writes them.
        let block = |name: &str, value: &str| {
            let mut plain = 1_u32.to_be_bytes().to_vec();
            for text in [name, value] {
                plain.extend_from_slice(&u32::try_from(text.len()).expect("short").to_be_bytes());
                plain.extend_from_slice(text.as_bytes());
            }
            plain
        };
        let mut deflate = flate2::write::DeflateEncoder::new(Vec::new(), flate2::Compression::best());
        let mut decoder = Decoder::default();
        for (number, value) in [(1_u32, "a value a value a value"), (3, "a value a value")] {
            deflate.write_all(&block("content-type", value)).expect("memory");
            deflate.flush().expect("memory");
            let packed = std::mem::take(deflate.get_mut());
            let mut body = number.to_be_bytes().to_vec();
            body.extend_from_slice(&[0; 6]);
            if number == 1 {
                body.extend_from_slice(&[0x78, 0xf9, 0xe3, 0xc6, 0xa7, 0xc2]);
            }
            body.extend_from_slice(&packed);
            let mut frame = BytesMut::new();
            control(kind::OPEN, 0, &body, &mut frame);
            decoder.feed(&frame);
            let expected = headers(&[("content-type", value)]);
            assert_eq!(all(&mut decoder), vec![Frame::Open { stream: number, headers: expected, fin: false }]);
        }
    }

    #[test]
    fn headers_packed_against_the_dictionary_are_read() {
        // Two header blocks as zlib makes them with the dictionary at its best level.
        let blocks: [&[u8]; 2] = [
            b"\x78\xf9\xe3\xc6\xa7\xc2\x02\x25\x3a\x70\x3a\x2b\x29\x4a\x4d\xcc\x85\x16\x25\xac\xa9\xa0\x80\x86\x14\
              \xcb\x45\xa0\x24\xcc\x64\x61\x00\x24\x39\x8b\x20\x91\x98\x09\x4a\xdc\x8c\x06\x00\x00\x00\x00\xff\xff",
            b"\xc2\xaa\x15\x54\x0a\x25\x12\xd2\x09\x00\x00\x00\xff\xff",
        ];
        let mut decoder = Decoder::default();
        for (kind, block) in ["error", "data"].into_iter().zip(blocks) {
            let mut frame = BytesMut::new();
            control(kind::OPEN, 0, &[&[0, 0, 0, 1, 0, 0, 0, 0, 0, 0], block].concat(), &mut frame);
            decoder.feed(&frame);
            let expected = headers(&[("streamtype", kind), ("port", "80"), ("requestid", "0")]);
            assert_eq!(all(&mut decoder), [Frame::Open { stream: 1, headers: expected, fin: false }]);
        }
    }

    #[test]
    fn what_is_no_spdy_is_refused() {
        for bytes in
            [&b"\x80\x02\x00\x01\x00\x00\x00\x00"[..], b"\x80\x03\x00\x01\x00\x00\x00\x00", b"\0\0\0\x01\0\xff\xff\xff"]
        {
            let mut decoder = Decoder::default();
            decoder.feed(bytes);
            assert!(decoder.read().is_err(), "{bytes:?}");
        }
    }
}
