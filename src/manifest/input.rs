//! From bytes to characters: byte order marks, UTF-16, and the characters that YAML refuses.

use std::borrow::Cow;

/// The text as far as it can be read, and why it cannot be read further.
pub(super) struct Input<'a> {
    /// The readable part, without a byte order mark.
    pub(super) text: Cow<'a, str>,
    /// What is wrong behind it.
    pub(super) fault: Option<Fault>,
}

/// A character that YAML refuses.
pub(super) struct Fault {
    /// What is wrong with it.
    pub(super) problem: &'static str,
    /// Line from 0.
    pub(super) line: usize,
    /// Column from 0.
    pub(super) column: usize,
}

/// The reference reads its input in pieces of this many bytes and checks a piece as a whole, so that a fault
/// hides what is wrong earlier in its piece, but nothing in the pieces before.
const PIECE: usize = 512;

/// Decodes `bytes`: UTF-16 when a byte order mark says so, else UTF-8.
pub(super) fn read(bytes: &[u8]) -> Input<'_> {
    match bytes {
        [0xff, 0xfe, rest @ ..] => read_utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => read_utf16(rest, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => read_utf8(rest, 3),
        _ => read_utf8(bytes, 0),
    }
}

/// `skipped` is the length of the byte order mark, which counts in the first piece.
fn read_utf8(bytes: &[u8], skipped: usize) -> Input<'_> {
    let (text, broken) = match std::str::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            let (good, bad) = bytes.split_at(error.valid_up_to());
            (std::str::from_utf8(good).unwrap_or_default(), Some(utf8_problem(bad)))
        }
    };
    let (end, problem) = match first_refused(text) {
        Some(at) => (at, "control characters are not allowed"),
        None => match broken {
            Some(problem) => (text.len(), problem),
            None => return Input { text: Cow::Borrowed(text), fault: None },
        },
    };
    let start = if problem == INCOMPLETE { end } else { piece_start(text, end, skipped) };
    let fault = fault_after(&text[..end], problem);
    Input { text: Cow::Borrowed(&text[..start]), fault: Some(fault) }
}

const INCOMPLETE: &str = "incomplete UTF-8 octet sequence";

/// Where the piece begins that holds the byte `at`.
fn piece_start(text: &str, at: usize, skipped: usize) -> usize {
    let mut start = 0;
    let mut next = PIECE - skipped;
    while next <= at {
        // A character that does not fit belongs to the next piece.
        start = text.floor_char_boundary(next);
        next = start + PIECE;
    }
    start
}

fn fault_after(text: &str, problem: &'static str) -> Fault {
    let line = text.matches('\n').count();
    let column = text.rsplit('\n').next().map_or(0, |last| last.chars().count());
    Fault { problem, line, column }
}

/// The problem with bytes that are not UTF-8.
fn utf8_problem(bytes: &[u8]) -> &'static str {
    let (width, low) = match bytes.first().copied().unwrap_or_default() {
        0xc0..=0xdf => (2, 0x80),
        0xe0..=0xef => (3, 0x800),
        0xf0..=0xf7 => (4, 0x10000),
        _ => return "invalid leading UTF-8 octet",
    };
    let Some(bytes) = bytes.get(..width) else { return INCOMPLETE };
    let mut code = u32::from(bytes[0]) & (0x7f >> width);
    for byte in &bytes[1..] {
        if byte & 0xc0 != 0x80 {
            return "invalid trailing UTF-8 octet";
        }
        code = code << 6 | u32::from(byte & 0x3f);
    }
    if code < low { "invalid length of a UTF-8 sequence" } else { "invalid Unicode character" }
}

/// The offset of the first character that YAML does not allow.
fn first_refused(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut from = 0;
    loop {
        let at = from + bytes[from..].iter().position(|&byte| SUSPECT[usize::from(byte)])?;
        let refused = match bytes[at] {
            0xc2 => bytes.get(at + 1).is_some_and(|&next| next < 0xa0 && next != 0x85),
            0xef => bytes.get(at + 1) == Some(&0xbf) && bytes.get(at + 2).is_some_and(|&last| last >= 0xbe),
            _ => true,
        };
        if refused {
            return Some(at);
        }
        from = at + 1;
    }
}

/// Bytes that are refused or start a character that may be.
static SUSPECT: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < 0x20 {
        table[byte] = !matches!(byte as u8, b'\t' | b'\n' | b'\r');
        byte += 1;
    }
    table[0x7f] = true;
    table[0xc2] = true;
    table[0xef] = true;
    table
};

fn read_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Input<'static> {
    let (text, broken) = decode_utf16(bytes, unit);
    let fault = match first_refused(&text) {
        Some(at) => Some((at, "control characters are not allowed")),
        None => broken.map(|problem| (text.len(), problem)),
    };
    let Some((end, problem)) = fault else { return Input { text: Cow::Owned(text), fault: None } };
    // The pieces hold half as many characters.
    let start = text.char_indices().map(|(at, _)| at).take_while(|at| *at <= end).step_by(PIECE / 2).last();
    let fault = fault_after(&text[..end], problem);
    Input { text: Cow::Owned(text[..start.unwrap_or(0)].to_owned()), fault: Some(fault) }
}

/// The text up to the first broken character, and what is wrong with that.
fn decode_utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> (String, Option<&'static str>) {
    let mut text = String::with_capacity(bytes.len() / 2);
    let mut units = bytes.chunks(2).map(|pair| <[u8; 2]>::try_from(pair).ok().map(unit));
    while let Some(next) = units.next() {
        let Some(first) = next else { return (text, Some("incomplete UTF-16 character")) };
        let c = match first {
            0xdc00..=0xdfff => return (text, Some("unexpected low surrogate area")),
            0xd800..=0xdbff => match units.next() {
                Some(Some(second)) => match char::decode_utf16([first, second]).next() {
                    Some(Ok(c)) => c,
                    _ => return (text, Some("expected low surrogate area")),
                },
                _ => return (text, Some("incomplete UTF-16 surrogate pair")),
            },
            unit => char::from_u32(u32::from(unit)).unwrap_or(char::REPLACEMENT_CHARACTER),
        };
        text.push(c);
    }
    (text, None)
}
