//! From characters to tokens, as libyaml and its Go port do it for YAML 1.1.
//!
//! Where the words of an error or the reading of odd input depend on how the reference looks ahead, the same
//! look-ahead is kept: simple keys are found late (within one line and 1024 characters) and their tokens are put
//! in front of what was read since.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::error::{Error, Position};
use super::input::Fault;

/// How deep flow collections and indentation may nest.
pub(super) const MAX_DEPTH: usize = 10_000;

/// A place in the input; line and column from 0, in characters.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Mark {
    /// Characters before.
    pub(super) index: usize,
    pub(super) line: usize,
    pub(super) column: usize,
}

impl From<Mark> for Position {
    fn from(mark: Mark) -> Position {
        Position { line: mark.line + 1, column: mark.column + 1 }
    }
}

/// What a token says.
#[derive(Debug, Clone)]
pub(super) enum TokenKind<'a> {
    StreamEnd,
    Version { major: u8, minor: u8 },
    TagDirective(Box<TagDirective>),
    DocumentStart,
    DocumentEnd,
    BlockSequenceStart,
    BlockMappingStart,
    BlockEnd,
    FlowSequenceStart,
    FlowSequenceEnd,
    FlowMappingStart,
    FlowMappingEnd,
    BlockEntry,
    FlowEntry,
    Key,
    Value,
    Alias(&'a str),
    Anchor(&'a str),
    Tag(Box<Tag>),
    Scalar { value: Cow<'a, str>, plain: bool },
}

/// A tag as written.
#[derive(Debug, Clone)]
pub(super) struct Tag {
    pub(super) handle: String,
    pub(super) suffix: String,
}

/// A `%TAG` line.
#[derive(Debug, Clone)]
pub(super) struct TagDirective {
    pub(super) handle: String,
    pub(super) prefix: String,
}

/// A token and where it starts and ends.
#[derive(Debug, Clone)]
pub(super) struct Token<'a> {
    pub(super) kind: TokenKind<'a>,
    pub(super) start: Mark,
    pub(super) end: Mark,
}

/// A place where a key without `?` may have begun.
#[derive(Debug, Clone, Copy)]
struct SimpleKey {
    possible: bool,
    required: bool,
    token_number: usize,
    mark: Mark,
}

/// The scanner; [`Scanner::peek`] and [`Scanner::skip`] give its tokens.
pub(super) struct Scanner<'a> {
    pub(super) text: &'a str,
    pub(super) fault: Option<Fault>,
    /// Offset of the next byte.
    pub(super) at: usize,
    pub(super) mark: Mark,
    pub(super) flow_level: usize,
    pub(super) indent: isize,
    pub(super) simple_key_allowed: bool,
    indents: Vec<isize>,
    tokens: VecDeque<Token<'a>>,
    /// Tokens given away.
    parsed: usize,
    available: bool,
    simple_keys: Vec<SimpleKey>,
    /// Token numbers of possible simple keys with their places in `simple_keys`, rising.
    keys_by_token: Vec<(usize, usize)>,
}

pub(super) type Result<T> = std::result::Result<T, Error>;

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str, fault: Option<Fault>) -> Scanner<'a> {
        let mark = Mark::default();
        Scanner {
            text,
            fault,
            at: 0,
            mark,
            flow_level: 0,
            indent: -1,
            simple_key_allowed: true,
            indents: Vec::new(),
            tokens: VecDeque::with_capacity(16),
            // The stream's start counts as the first token.
            parsed: 1,
            available: false,
            simple_keys: vec![SimpleKey { possible: false, required: false, token_number: 0, mark }],
            keys_by_token: Vec::new(),
        }
    }

    /// The next token.
    #[inline]
    pub(super) fn peek(&mut self) -> Result<&Token<'a>> {
        if !self.available {
            self.fetch_more()?;
        }
        if self.tokens.is_empty() {
            // Behind the end there is always the end.
            self.push(TokenKind::StreamEnd, self.mark);
        }
        Ok(&self.tokens[0])
    }

    /// Takes the token that [`Scanner::peek`] showed.
    pub(super) fn take(&mut self) -> Result<Token<'a>> {
        self.peek()?;
        self.available = false;
        self.parsed += 1;
        let end = self.mark;
        Ok(self.tokens.pop_front().unwrap_or(Token { kind: TokenKind::StreamEnd, start: end, end }))
    }

    /// The byte `ahead` of the next one, 0 behind the end.
    #[inline]
    pub(super) fn byte(&self, ahead: usize) -> u8 {
        self.text.as_bytes().get(self.at + ahead).copied().unwrap_or(0)
    }

    /// Fails if the reference would by now have read the input's fault to see `count` more characters.
    #[inline]
    pub(super) fn need(&self, count: usize) -> Result<()> {
        if self.fault.is_some() { self.need_before_fault(count) } else { Ok(()) }
    }

    #[cold]
    fn need_before_fault(&self, count: usize) -> Result<()> {
        match &self.fault {
            Some(fault) if self.text[self.at..].chars().take(count).count() < count => Err(Error::Syntax {
                problem: fault.problem.to_owned(),
                line: 0,
                begin: 0,
                at: Position { line: fault.line + 1, column: fault.column + 1 },
            }),
            _ => Ok(()),
        }
    }

    /// Passes ASCII up to a byte that `stops` names. With a fault ahead it passes nothing, as then every single
    /// character needs a check.
    #[inline]
    pub(super) fn skip_run(&mut self, stops: &[bool; 256]) {
        if self.fault.is_none() {
            let rest = &self.text.as_bytes()[self.at..];
            let length = rest.iter().position(|byte| stops[usize::from(*byte)]).unwrap_or(rest.len());
            self.skip_ascii(length);
        }
    }

    /// Passes one character that is no line break.
    #[inline]
    pub(super) fn skip(&mut self) {
        self.at = (self.at + char_width(self.byte(0))).min(self.text.len());
        self.mark.index += 1;
        self.mark.column += 1;
    }

    /// Passes `count` bytes of ASCII.
    pub(super) fn skip_ascii(&mut self, count: usize) {
        self.at += count;
        self.mark.index += count;
        self.mark.column += count;
    }

    /// Length of the line break at the next byte, 0 if there is none; CR LF counts as one break.
    #[inline]
    pub(super) fn break_width(&self) -> usize {
        break_width(self.text.as_bytes(), self.at)
    }

    #[inline]
    pub(super) fn is_blank(&self, ahead: usize) -> bool {
        matches!(self.byte(ahead), b' ' | b'\t')
    }

    /// A break or the end.
    #[inline]
    pub(super) fn is_breakz(&self, ahead: usize) -> bool {
        self.byte(ahead) == 0 || break_width(self.text.as_bytes(), self.at + ahead) > 0
    }

    #[inline]
    pub(super) fn is_blankz(&self, ahead: usize) -> bool {
        self.is_blank(ahead) || self.is_breakz(ahead)
    }

    /// Passes a line break, and returns what it stands for: LS and PS for themselves, all others for LF.
    pub(super) fn take_break(&mut self) -> &'a str {
        let width = self.break_width();
        let taken = &self.text[self.at..self.at + width];
        self.mark.index += if taken == "\r\n" { 2 } else { 1 };
        self.at += width;
        self.mark.column = 0;
        self.mark.line += 1;
        if width == 3 { taken } else { "\n" }
    }

    /// Whether a line begins here with `---` or `...`.
    pub(super) fn at_document_indicator(&self) -> Option<TokenKind<'a>> {
        if self.mark.column != 0 || !self.is_blankz(3) {
            return None;
        }
        match self.text.as_bytes().get(self.at..self.at + 3) {
            Some(b"---") => Some(TokenKind::DocumentStart),
            Some(b"...") => Some(TokenKind::DocumentEnd),
            _ => None,
        }
    }

    /// A scanner's error at the current place.
    pub(super) fn error<T>(&self, problem: impl Into<String>) -> Result<T> {
        self.error_since(self.mark, problem)
    }

    /// An error in something that began at `start`.
    pub(super) fn error_since<T>(&self, start: Mark, problem: impl Into<String>) -> Result<T> {
        // The reference counts lines from 0 here, adds one, and shows none for the first.
        let shown = |line: usize| if line == 0 { 0 } else { line + 1 };
        let line = shown(self.mark.line);
        let begin = if start.line == 0 { line } else { shown(start.line) };
        Err(Error::Syntax { problem: problem.into(), line, begin, at: self.mark.into() })
    }

    fn push(&mut self, kind: TokenKind<'a>, start: Mark) {
        let end = self.mark;
        self.tokens.push_back(Token { kind, start, end });
    }

    /// Puts a token in front of those from number `number` on; at the end if that one is gone already.
    fn insert(&mut self, number: usize, kind: TokenKind<'a>, mark: Mark) {
        let token = Token { kind, start: mark, end: mark };
        match number.checked_sub(self.parsed) {
            Some(place) if place <= self.tokens.len() => self.tokens.insert(place, token),
            _ => self.tokens.push_back(token),
        }
    }

    fn next_token_number(&self) -> usize {
        self.parsed + self.tokens.len()
    }

    /// Reads on until the first token is sure to stay the first.
    fn fetch_more(&mut self) -> Result<()> {
        loop {
            if !self.tokens.is_empty() {
                let Ok(place) = self.keys_by_token.binary_search_by_key(&self.parsed, |(token, _)| *token) else {
                    break;
                };
                if !self.simple_key_is_valid(self.keys_by_token[place].1)? {
                    break;
                }
            }
            self.fetch_next()?;
        }
        self.available = true;
        Ok(())
    }

    fn fetch_next(&mut self) -> Result<()> {
        self.need(1)?;
        self.skip_to_next_token()?;
        self.unroll_indent(self.mark.column as isize);
        self.need(4)?;
        if self.at >= self.text.len() {
            return self.fetch_stream_end();
        }
        if self.mark.column == 0 && self.byte(0) == b'%' {
            return self.fetch_directive();
        }
        if let Some(kind) = self.at_document_indicator() {
            return self.fetch_document_indicator(kind);
        }
        let in_flow = self.flow_level > 0;
        match self.byte(0) {
            b'[' => self.fetch_flow_start(TokenKind::FlowSequenceStart),
            b'{' => self.fetch_flow_start(TokenKind::FlowMappingStart),
            b']' => self.fetch_flow_end(TokenKind::FlowSequenceEnd),
            b'}' => self.fetch_flow_end(TokenKind::FlowMappingEnd),
            b',' => self.fetch_flow_entry(),
            b'-' if self.is_blankz(1) => self.fetch_block_entry(),
            b'?' if in_flow || self.is_blankz(1) => self.fetch_key(),
            b':' if in_flow || self.is_blankz(1) => self.fetch_value(),
            b'*' => self.fetch_simple(Scanner::scan_alias),
            b'&' => self.fetch_simple(Scanner::scan_anchor),
            b'!' => self.fetch_simple(Scanner::scan_tag),
            b'|' if !in_flow => self.fetch_block_scalar(true),
            b'>' if !in_flow => self.fetch_block_scalar(false),
            b'\'' => self.fetch_simple(|scanner| scanner.scan_quoted(true)),
            b'"' => self.fetch_simple(|scanner| scanner.scan_quoted(false)),
            b'\t' | b'#' | b'|' | b'>' | b'%' | b'@' | b'`' => {
                self.error("found character that cannot start any token")
            }
            _ => self.fetch_simple(Scanner::scan_plain),
        }
    }

    fn skip_to_next_token(&mut self) -> Result<()> {
        loop {
            self.need(1)?;
            if self.at == 0 && self.text.starts_with('\u{feff}') {
                self.skip();
            }
            while self.byte(0) == b' ' || (self.byte(0) == b'\t' && (self.flow_level > 0 || !self.simple_key_allowed)) {
                self.skip_ascii(1);
                self.need(1)?;
            }
            if self.byte(0) == b'#' {
                self.skip_comment()?;
            }
            if self.break_width() == 0 {
                return Ok(());
            }
            self.need(2)?;
            self.take_break();
            if self.flow_level == 0 {
                self.simple_key_allowed = true;
            }
        }
    }

    /// Passes everything up to the end of the line.
    pub(super) fn skip_comment(&mut self) -> Result<()> {
        self.skip_run(&LINE_STOPS);
        while !self.is_breakz(0) {
            self.skip();
            self.need(1)?;
            self.skip_run(&LINE_STOPS);
        }
        Ok(())
    }

    fn simple_key_is_valid(&mut self, place: usize) -> Result<bool> {
        let Some(key) = self.simple_keys.get(place).copied() else { return Ok(false) };
        if !key.possible {
            return Ok(false);
        }
        if key.mark.line < self.mark.line || key.mark.index + 1024 < self.mark.index {
            if key.required {
                return self.error_since(key.mark, "could not find expected ':'");
            }
            self.simple_keys[place].possible = false;
            return Ok(false);
        }
        Ok(true)
    }

    /// Notes that a simple key may begin here.
    fn save_simple_key(&mut self) -> Result<()> {
        if !self.simple_key_allowed {
            return Ok(());
        }
        let required = self.flow_level == 0 && self.indent == self.mark.column as isize;
        self.remove_simple_key()?;
        let token_number = self.next_token_number();
        let place = self.simple_keys.len() - 1;
        self.simple_keys[place] = SimpleKey { possible: true, required, token_number, mark: self.mark };
        match self.keys_by_token.last_mut() {
            Some(last) if last.0 == token_number => last.1 = place,
            _ => self.keys_by_token.push((token_number, place)),
        }
        Ok(())
    }

    /// Gives up the possible simple key of this flow level.
    fn remove_simple_key(&mut self) -> Result<()> {
        let Some(key) = self.simple_keys.last_mut().filter(|key| key.possible) else { return Ok(()) };
        if key.required {
            let start = key.mark;
            return self.error_since(start, "could not find expected ':'");
        }
        key.possible = false;
        let number = key.token_number;
        self.forget_token(number);
        Ok(())
    }

    fn forget_token(&mut self, number: usize) {
        if let Ok(place) = self.keys_by_token.binary_search_by_key(&number, |(token, _)| *token) {
            self.keys_by_token.remove(place);
        }
    }

    /// Opens a level of indentation in block context, with its token in front of token `number` or at the end.
    fn roll_indent(&mut self, number: Option<usize>, kind: TokenKind<'a>, mark: Mark) -> Result<()> {
        let column = mark.column as isize;
        if self.flow_level > 0 || self.indent >= column {
            return Ok(());
        }
        self.indents.push(self.indent);
        self.indent = column;
        if self.indents.len() > MAX_DEPTH {
            return self.error(format!("exceeded max depth of {MAX_DEPTH}"));
        }
        self.insert(number.unwrap_or(usize::MAX), kind, mark);
        Ok(())
    }

    fn unroll_indent(&mut self, column: isize) {
        while self.flow_level == 0 && self.indent > column {
            self.push(TokenKind::BlockEnd, self.mark);
            self.indent = self.indents.pop().unwrap_or(-1);
        }
    }

    fn fetch_stream_end(&mut self) -> Result<()> {
        if self.mark.column != 0 {
            self.mark.column = 0;
            self.mark.line += 1;
        }
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.push(TokenKind::StreamEnd, self.mark);
        Ok(())
    }

    fn fetch_directive(&mut self) -> Result<()> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        let token = self.scan_directive()?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_document_indicator(&mut self, kind: TokenKind<'a>) -> Result<()> {
        self.unroll_indent(-1);
        self.remove_simple_key()?;
        self.simple_key_allowed = false;
        self.fetch_indicator(kind, 3);
        Ok(())
    }

    fn fetch_indicator(&mut self, kind: TokenKind<'a>, width: usize) {
        let start = self.mark;
        self.skip_ascii(width);
        self.push(kind, start);
    }

    fn fetch_flow_start(&mut self, kind: TokenKind<'a>) -> Result<()> {
        self.save_simple_key()?;
        let token_number = self.next_token_number();
        self.simple_keys.push(SimpleKey { possible: false, required: false, token_number, mark: self.mark });
        self.flow_level += 1;
        if self.flow_level > MAX_DEPTH {
            return self.error(format!("exceeded max depth of {MAX_DEPTH}"));
        }
        self.simple_key_allowed = true;
        self.fetch_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_end(&mut self, kind: TokenKind<'a>) -> Result<()> {
        self.remove_simple_key()?;
        if self.flow_level > 0 {
            self.flow_level -= 1;
            if let Some(key) = self.simple_keys.pop() {
                // The number may by now be that of the collection's own start: the reference forgets it just so.
                self.forget_token(key.token_number);
            }
        }
        self.simple_key_allowed = false;
        self.fetch_indicator(kind, 1);
        Ok(())
    }

    fn fetch_flow_entry(&mut self) -> Result<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.fetch_indicator(TokenKind::FlowEntry, 1);
        Ok(())
    }

    fn fetch_block_entry(&mut self) -> Result<()> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.error("block sequence entries are not allowed in this context");
            }
            self.roll_indent(None, TokenKind::BlockSequenceStart, self.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        self.fetch_indicator(TokenKind::BlockEntry, 1);
        Ok(())
    }

    fn fetch_key(&mut self) -> Result<()> {
        if self.flow_level == 0 {
            if !self.simple_key_allowed {
                return self.error("mapping keys are not allowed in this context");
            }
            self.roll_indent(None, TokenKind::BlockMappingStart, self.mark)?;
        }
        self.remove_simple_key()?;
        self.simple_key_allowed = self.flow_level == 0;
        self.fetch_indicator(TokenKind::Key, 1);
        Ok(())
    }

    fn fetch_value(&mut self) -> Result<()> {
        let place = self.simple_keys.len() - 1;
        if self.simple_key_is_valid(place)? {
            let key = self.simple_keys[place];
            self.insert(key.token_number, TokenKind::Key, key.mark);
            self.roll_indent(Some(key.token_number), TokenKind::BlockMappingStart, key.mark)?;
            self.simple_keys[place].possible = false;
            self.forget_token(key.token_number);
            self.simple_key_allowed = false;
        } else {
            if self.flow_level == 0 {
                if !self.simple_key_allowed {
                    return self.error("mapping values are not allowed in this context");
                }
                self.roll_indent(None, TokenKind::BlockMappingStart, self.mark)?;
            }
            self.simple_key_allowed = self.flow_level == 0;
        }
        self.fetch_indicator(TokenKind::Value, 1);
        Ok(())
    }

    /// A token that may begin a simple key.
    fn fetch_simple(&mut self, scan: impl FnOnce(&mut Self) -> Result<Token<'a>>) -> Result<()> {
        self.save_simple_key()?;
        self.simple_key_allowed = false;
        let token = scan(self)?;
        self.tokens.push_back(token);
        Ok(())
    }

    fn fetch_block_scalar(&mut self, literal: bool) -> Result<()> {
        self.remove_simple_key()?;
        self.simple_key_allowed = true;
        let token = self.scan_block_scalar(literal)?;
        self.tokens.push_back(token);
        Ok(())
    }
}

/// Length in bytes of the character that starts with `byte`.
pub(super) fn char_width(byte: u8) -> usize {
    match byte {
        0..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
    }
}

/// Length of the line break at `at`: LF, CR, CR LF, NEL, LS or PS; 0 if there is none.
pub(super) fn break_width(bytes: &[u8], at: usize) -> usize {
    match bytes.get(at) {
        Some(b'\n') => 1,
        Some(b'\r') => 1 + usize::from(bytes.get(at + 1) == Some(&b'\n')),
        Some(0xc2) if bytes.get(at + 1) == Some(&0x85) => 2,
        Some(0xe2) if bytes.get(at + 1) == Some(&0x80) && matches!(bytes.get(at + 2), Some(0xa8 | 0xa9)) => 3,
        _ => 0,
    }
}

/// A table of the bytes in `named` and of all that are not ASCII.
pub(super) const fn stops(named: &[u8]) -> [bool; 256] {
    let mut table = [false; 256];
    let mut i = 0;
    while i < named.len() {
        table[named[i] as usize] = true;
        i += 1;
    }
    let mut byte = 0x80;
    while byte < 256 {
        table[byte] = true;
        byte += 1;
    }
    table
}

static LINE_STOPS: [bool; 256] = stops(b"\n\r");
