//! Files with several documents: YAML separated by `---` lines, or JSON values one behind the other.

use std::borrow::Cow;

use serde_json::Value;

use super::decode::{Decoded, decode};
use super::error::{DuplicateKey, Error, Position};
use super::json;
use super::positions::{Located, locate};
use super::tree::{limit_height, with_tree};
use super::{DEEP, json_text};

/// How far into a text the reference looks for the `{` of a JSON stream.
const GUESS_SIZE: usize = 4096;

/// How a document was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// YAML, which may be a YAML file that holds JSON.
    Yaml,
    /// A value of a JSON stream.
    Json,
}

/// One document of a text.
#[derive(Debug, Clone)]
pub struct Document {
    /// Its value; never null.
    pub value: Value,
    /// Its place among the documents of the text, from 0; empty ones are not counted.
    pub index: usize,
    /// Where its text begins in the whole text.
    pub start: Position,
    /// How it was written.
    pub format: Format,
    text: String,
    /// Whether a `!!binary` text had bytes replaced.
    mended: bool,
}

impl Document {
    /// The document's own text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The document as JSON text: that of a JSON stream as written, else compact.
    pub fn json(&self) -> Cow<'_, str> {
        match self.format {
            Format::Json => Cow::Borrowed(self.text.trim_matches([' ', '\t', '\r', '\n'])),
            Format::Yaml => Cow::Owned(json_text(&self.value, self.mended)),
        }
    }

    /// The places of all its fields, counted in the whole text. They are found by reading the text again, as they
    /// are needed only for messages.
    pub fn positions(&self) -> Located {
        let found = with_tree(self.text.as_bytes(), |tree| {
            limit_height(tree, DEEP)?;
            Ok(locate(tree))
        });
        let mut located = found.unwrap_or_else(|_| Located::leaf(Position { line: 1, column: 1 }));
        located.shift(&|at| in_whole(self.start, at));
        located
    }

    /// Where the field with this path begins, counted in the whole text; see [`Located::find`].
    pub fn position(&self, path: &str) -> Option<Position> {
        self.positions().find(path).map(Located::start)
    }

    /// The keys that the document gives more than once, with places counted in the whole text.
    pub fn duplicate_keys(&self) -> Vec<DuplicateKey> {
        let strict = with_tree(self.text.as_bytes(), |tree| {
            limit_height(tree, DEEP)?;
            decode(tree, true)
        });
        match strict {
            Err(Error::Duplicates(keys)) => {
                keys.into_iter().map(|key| DuplicateKey { at: in_whole(self.start, key.at), ..key }).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// A place of a part that begins at `start`, counted in the whole.
fn in_whole(start: Position, at: Position) -> Position {
    let column = if at.line == 1 { at.column + start.column - 1 } else { at.column };
    Position { line: at.line + start.line - 1, column }
}

/// Why a text's documents could not all be read. The error's text is the one that `kubectl` puts behind
/// `error parsing FILE: `.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{text}")]
pub struct StreamError {
    text: String,
    /// Place of the document among those of the text, from 0.
    pub index: usize,
    /// What is wrong; its places are counted in the document.
    pub cause: Box<Error>,
    start: Position,
}

impl StreamError {
    /// Where the fault is, counted in the whole text.
    pub fn position(&self) -> Position {
        in_whole(self.start, self.cause.position())
    }
}

/// A piece of a YAML text between separators.
#[derive(Debug, Clone, PartialEq)]
pub struct Piece<'a> {
    /// The text, lines ended by LF.
    pub text: Cow<'a, [u8]>,
    /// The line that it begins in, from 1.
    pub first_line: usize,
}

/// Splits a text at `---` lines, as the YAML reader of Kubernetes does: a separator in front of any text stays with
/// the document behind it, and behind the dashes only a comment may stand.
///
/// An error ([`Error::Separator`]) ends the pieces.
pub fn split(text: &[u8]) -> Pieces<'_> {
    Pieces { text, at: 0, line: 1, failed: false }
}

/// See [`split`].
pub struct Pieces<'a> {
    text: &'a [u8],
    at: usize,
    line: usize,
    failed: bool,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        let (start, first_line) = (self.at, self.line);
        while !self.failed && self.at < self.text.len() {
            let line_start = self.at;
            let rest = &self.text[line_start..];
            let length = memchr::memchr(b'\n', rest).map_or(rest.len(), |newline| newline + 1);
            self.at += length;
            self.line += 1;
            let Some(behind) = rest[..length].strip_prefix(b"---") else { continue };
            let behind = String::from_utf8_lossy(behind);
            let behind = behind.trim();
            if !behind.is_empty() && !behind.starts_with('#') {
                self.failed = true;
                let at = Position { line: self.line - 1, column: 1 };
                return Some(Err(Error::Separator { text: behind.to_owned(), at }));
            }
            if line_start > start {
                return Some(Ok(piece(&self.text[start..line_start], first_line)));
            }
        }
        (!self.failed && self.at > start).then(|| Ok(piece(&self.text[start..self.at], first_line)))
    }
}

fn piece(text: &[u8], first_line: usize) -> Piece<'_> {
    let has_cr = memchr::memchr(b'\r', text).is_some();
    if !has_cr && text.ends_with(b"\n") {
        return Piece { text: Cow::Borrowed(text), first_line };
    }
    let mut owned = Vec::with_capacity(text.len() + 1);
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").map(|line| line.strip_suffix(b"\r").unwrap_or(line)).unwrap_or(line);
        owned.extend_from_slice(line);
        owned.push(b'\n');
    }
    Piece { text: Cow::Owned(owned), first_line }
}

/// The documents of a text as `kubectl -f` reads them; empty and null ones are left out.
///
/// A text that begins with `{` is read as a stream of JSON values; if it turns out not to be one before the second
/// value, the rest is read as YAML. An error ends the documents.
pub fn documents(text: &[u8]) -> Documents<'_> {
    let head = String::from_utf8_lossy(&text[..text.len().min(GUESS_SIZE)]);
    let reader = if head.trim_start().starts_with('{') {
        Reader::Json { at: 0, read: 0 }
    } else {
        Reader::Yaml { pieces: split(text), first_fault: None }
    };
    Documents { text, reader, index: 0 }
}

/// See [`documents`].
pub struct Documents<'a> {
    text: &'a [u8],
    reader: Reader<'a>,
    index: usize,
}

enum Reader<'a> {
    /// A stream of JSON values: the offset of the next one, and how many were read.
    Json {
        at: usize,
        read: usize,
    },
    /// YAML; if it was taken for JSON first, the reason why it is not, which then is the error to report.
    Yaml {
        pieces: Pieces<'a>,
        first_fault: Option<StreamError>,
    },
    Ended,
}

impl Iterator for Documents<'_> {
    type Item = Result<Document, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let next = match self.reader {
                Reader::Json { at, read } => self.next_json(at, read),
                Reader::Yaml { .. } => self.next_yaml(),
                Reader::Ended => return None,
            };
            match next {
                Ok(Some(document)) if document.value.is_null() => {}
                Ok(Some(document)) => {
                    self.index += 1;
                    return Some(Ok(document));
                }
                // A reader that found no more may have handed over to another.
                Ok(None) => {}
                Err(error) => {
                    self.reader = Reader::Ended;
                    return Some(Err(error));
                }
            }
        }
    }
}

type Next = Result<Option<Document>, StreamError>;

impl<'a> Documents<'a> {
    fn error(&self, text: String, cause: Error, start: Position) -> StreamError {
        StreamError { text, index: self.index, cause: Box::new(cause), start }
    }

    fn next_json(&mut self, at: usize, read: usize) -> Next {
        let whole = Position { line: 1, column: 1 };
        let (problem, offset, fault_at) = match json::value_end(self.text, at) {
            Ok(end) => {
                self.reader = Reader::Json { at: end, read: read + 1 };
                let text = &self.text[at..end];
                let start = json::position(self.text, at);
                let value = json::build(text, DEEP).map_err(|cause| self.error(cause.to_string(), cause, start))?;
                let text = String::from_utf8_lossy(text).into_owned();
                return Ok(Some(Document {
                    value,
                    index: self.index,
                    start,
                    format: Format::Json,
                    text,
                    mended: false,
                }));
            }
            Err(json::Fault::Nothing) => {
                self.reader = Reader::Ended;
                return Ok(None);
            }
            Err(json::Fault::UnexpectedEnd) => ("unexpected EOF".to_owned(), None, self.text.len()),
            Err(json::Fault::Syntax { at, problem }) => (problem, Some(at + 1), at),
        };
        let text = match offset {
            // After two values, the stream surely is JSON; the reference then says less.
            Some(offset) if read <= 1 => format!("json: offset {offset}: {problem}"),
            _ => problem.clone(),
        };
        let cause = Error::Json { problem, offset, at: json::position(self.text, fault_at) };
        let fault = self.error(text, cause, whole);
        match behind_white_space(&self.text[at..]) {
            Some(skipped) if read <= 1 => {
                let from = at + skipped;
                let line = json::position(self.text, from).line;
                let pieces = Pieces { text: self.text, at: from, line, failed: false };
                self.reader = Reader::Yaml { pieces, first_fault: Some(fault) };
                Ok(None)
            }
            _ => Err(fault),
        }
    }

    fn next_yaml(&mut self) -> Next {
        let Reader::Yaml { pieces, first_fault } = &mut self.reader else { return Ok(None) };
        let Some(next) = pieces.next() else {
            self.reader = Reader::Ended;
            return Ok(None);
        };
        let first_fault = first_fault.take();
        let fault = match next {
            Ok(piece) => match self.read_yaml(piece) {
                Ok(document) => return Ok(Some(document)),
                Err(fault) => fault,
            },
            Err(cause) => self.error(cause.to_string(), cause, Position { line: 1, column: 1 }),
        };
        Err(first_fault.unwrap_or(fault))
    }

    fn read_yaml(&self, piece: Piece<'_>) -> Result<Document, StreamError> {
        let start = Position { line: piece.first_line, column: 1 };
        match super::read_yaml(&piece.text, false) {
            Ok(Decoded { value, mended }) => {
                let text = String::from_utf8_lossy(&piece.text).into_owned();
                Ok(Document { value, index: self.index, start, format: Format::Yaml, text, mended })
            }
            Err(cause) => Err(self.error(format!("error converting YAML to JSON: {cause}"), cause, start)),
        }
    }
}

/// White space in front of the YAML behind a JSON value, up to and with a line break. The reference looks at four
/// bytes at once, and gives up when there are fewer.
fn behind_white_space(text: &[u8]) -> Option<usize> {
    let mut skipped = 0;
    loop {
        let window = text.get(skipped..skipped + 4)?;
        let chunk = window.utf8_chunks().next()?;
        let first = chunk.valid().chars().next().filter(|c| *c != char::REPLACEMENT_CHARACTER)?;
        if !first.is_whitespace() {
            return Some(skipped);
        }
        skipped += first.len_utf8();
        if first == '\n' {
            return Some(skipped);
        }
    }
}
