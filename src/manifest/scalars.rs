//! Scanning of scalars: plain, quoted, literal and folded.

use std::borrow::Cow;

use super::scanner::{Mark, Result, Scanner, Token, TokenKind, stops};

/// Where a plain scalar may end.
static PLAIN_STOPS: [bool; 256] = stops(b" \t\n\r:,?[]{}");
/// Where something may happen in a quoted scalar.
static QUOTED_STOPS: [bool; 256] = stops(b" \t\n\r'\"\\");

/// Line breaks and blanks between two pieces of a flow scalar, not yet known to matter.
#[derive(Default)]
struct Gap<'a> {
    leading_blanks: bool,
    leading_break: &'a str,
    trailing_breaks: String,
    /// Range of the blanks in the text.
    blanks: (usize, usize),
}

impl<'a> Gap<'a> {
    /// What the gap folds to.
    fn fold(&mut self, out: &mut String, text: &'a str) {
        if !self.leading_blanks {
            out.push_str(&text[self.blanks.0..self.blanks.1]);
        } else if self.leading_break != "\n" {
            out.push_str(self.leading_break);
            out.push_str(&self.trailing_breaks);
        } else if self.trailing_breaks.is_empty() {
            out.push(' ');
        } else {
            out.push_str(&self.trailing_breaks);
        }
        self.leading_blanks = false;
        self.leading_break = "";
        self.trailing_breaks.clear();
        self.blanks = (0, 0);
    }
}

/// Text that stays a piece of the input as long as it can.
struct Collected<'a> {
    text: &'a str,
    from: usize,
    to: usize,
    owned: Option<String>,
}

impl<'a> Collected<'a> {
    fn new(text: &'a str, at: usize) -> Collected<'a> {
        Collected { text, from: at, to: at, owned: None }
    }

    fn owned(&mut self) -> &mut String {
        let (text, from, to) = (self.text, self.from, self.to);
        self.owned.get_or_insert_with(|| text[from..to].to_owned())
    }

    /// Adds a piece of the input.
    fn add(&mut self, from: usize, to: usize) {
        if self.owned.is_none() && self.from == self.to {
            (self.from, self.to) = (from, to);
        } else if self.owned.is_none() && self.to == from {
            self.to = to;
        } else if from < to {
            let text = self.text;
            self.owned().push_str(&text[from..to]);
        }
    }

    fn finish(self) -> Cow<'a, str> {
        match self.owned {
            Some(owned) => Cow::Owned(owned),
            None => Cow::Borrowed(&self.text[self.from..self.to]),
        }
    }
}

impl<'a> Scanner<'a> {
    pub(super) fn scan_plain(&mut self) -> Result<Token<'a>> {
        let start = self.mark;
        let mut end = start;
        let indent = self.indent + 1;
        let mut value = Collected::new(self.text, self.at);
        let mut gap = Gap::default();
        loop {
            self.need(4)?;
            if self.at_document_indicator().is_some() || self.byte(0) == b'#' {
                break;
            }
            let from = self.at;
            self.skip_plain_run()?;
            if self.at > from {
                if gap.leading_blanks {
                    gap.fold(value.owned(), self.text);
                } else if gap.blanks.1 > gap.blanks.0 {
                    let (blanks_from, blanks_to) = std::mem::take(&mut gap.blanks);
                    value.add(blanks_from, blanks_to);
                }
                value.add(from, self.at);
                end = self.mark;
            }
            if !self.is_blank(0) && self.break_width() == 0 {
                break;
            }
            self.skip_plain_gap(&mut gap, indent)?;
            if self.flow_level == 0 && (self.mark.column as isize) < indent {
                break;
            }
        }
        if gap.leading_blanks {
            self.simple_key_allowed = true;
        }
        let value = value.finish();
        Ok(Token { kind: TokenKind::Scalar { value, plain: true }, start, end })
    }

    /// Passes the characters of a plain scalar up to a blank, a break or an indicator that ends it.
    fn skip_plain_run(&mut self) -> Result<()> {
        let bytes = self.text.as_bytes();
        self.skip_run(&PLAIN_STOPS);
        while let Some(&byte) = bytes.get(self.at) {
            let ends = match byte {
                b' ' | b'\t' | b'\n' | b'\r' => true,
                b':' => self.is_blankz(1),
                b',' | b'?' | b'[' | b']' | b'{' | b'}' => self.flow_level > 0,
                0xc2 | 0xe2 => self.break_width() > 0,
                _ => false,
            };
            if ends {
                return Ok(());
            }
            self.skip();
            self.need(2)?;
            self.skip_run(&PLAIN_STOPS);
        }
        Ok(())
    }

    fn skip_plain_gap(&mut self, gap: &mut Gap<'a>, indent: isize) -> Result<()> {
        self.need(1)?;
        loop {
            if self.is_blank(0) {
                let outside = (self.mark.column as isize) < indent;
                if gap.leading_blanks && outside && self.byte(0) == b'\t' {
                    return self.error("found a tab character that violates indentation");
                }
                self.note_blank(gap);
            } else if self.break_width() > 0 {
                self.note_break(gap)?;
            } else {
                return Ok(());
            }
            self.need(1)?;
        }
    }

    fn note_blank(&mut self, gap: &mut Gap<'a>) {
        if !gap.leading_blanks {
            if gap.blanks.0 == gap.blanks.1 {
                gap.blanks.0 = self.at;
            }
            gap.blanks.1 = self.at + 1;
        }
        self.skip_ascii(1);
    }

    fn note_break(&mut self, gap: &mut Gap<'a>) -> Result<()> {
        self.need(2)?;
        let text = self.take_break();
        if gap.leading_blanks {
            gap.trailing_breaks.push_str(text);
        } else {
            gap.blanks = (0, 0);
            gap.leading_break = text;
            gap.leading_blanks = true;
        }
        Ok(())
    }

    pub(super) fn scan_quoted(&mut self, single: bool) -> Result<Token<'a>> {
        let start = self.mark;
        self.skip_ascii(1);
        let quote = if single { b'\'' } else { b'"' };
        let mut value = Collected::new(self.text, self.at);
        let mut gap = Gap::default();
        loop {
            self.need(4)?;
            if self.at_document_indicator().is_some() {
                return self.error_since(start, "found unexpected document indicator");
            }
            if self.at >= self.text.len() {
                return self.error_since(start, "found unexpected end of stream");
            }
            // An escaped line break hides the break and the blanks behind it.
            gap.leading_blanks = self.scan_quoted_run(&mut value, single)?;
            if self.byte(0) == quote {
                break;
            }
            self.skip_quoted_gap(&mut gap)?;
            if gap.leading_blanks {
                if gap.leading_break.is_empty() {
                    value.owned().push_str(&gap.trailing_breaks);
                    gap = Gap::default();
                } else {
                    gap.fold(value.owned(), self.text);
                }
            } else {
                let (from, to) = std::mem::take(&mut gap.blanks);
                value.add(from, to);
            }
        }
        self.skip_ascii(1);
        let value = value.finish();
        Ok(Token { kind: TokenKind::Scalar { value, plain: false }, start, end: self.mark })
    }

    /// Reads up to a blank, a break or the closing quote; true if it ended with an escaped line break.
    fn scan_quoted_run(&mut self, value: &mut Collected<'a>, single: bool) -> Result<bool> {
        let bytes = self.text.as_bytes();
        let mut from = self.at;
        self.skip_run(&QUOTED_STOPS);
        while let Some(&byte) = bytes.get(self.at) {
            match byte {
                b' ' | b'\t' | b'\n' | b'\r' => break,
                0xc2 | 0xe2 if self.break_width() > 0 => break,
                b'\'' if single => {
                    if self.byte(1) != b'\'' {
                        break;
                    }
                    value.add(from, self.at);
                    value.owned().push('\'');
                    self.skip_ascii(2);
                    from = self.at;
                }
                b'"' if !single => break,
                b'\\' if !single => {
                    value.add(from, self.at);
                    if super::scanner::break_width(bytes, self.at + 1) > 0 {
                        self.need(3)?;
                        self.skip_ascii(1);
                        self.take_break();
                        return Ok(true);
                    }
                    let c = self.scan_escape()?;
                    value.owned().push(c);
                    from = self.at;
                }
                _ => self.skip(),
            }
            self.need(2)?;
            self.skip_run(&QUOTED_STOPS);
        }
        value.add(from, self.at);
        Ok(false)
    }

    fn skip_quoted_gap(&mut self, gap: &mut Gap<'a>) -> Result<()> {
        loop {
            if self.is_blank(0) {
                self.note_blank(gap);
            } else if self.break_width() > 0 {
                self.note_break(gap)?;
            } else {
                return Ok(());
            }
            self.need(1)?;
        }
    }

    /// Reads a backslash and what it escapes.
    fn scan_escape(&mut self) -> Result<char> {
        let (c, digits) = match self.byte(1) {
            b'0' => ('\0', 0),
            b'a' => ('\x07', 0),
            b'b' => ('\x08', 0),
            b't' | b'\t' => ('\t', 0),
            b'n' => ('\n', 0),
            b'v' => ('\x0b', 0),
            b'f' => ('\x0c', 0),
            b'r' => ('\r', 0),
            b'e' => ('\x1b', 0),
            c @ (b' ' | b'"' | b'\'' | b'\\') => (char::from(c), 0),
            b'N' => ('\u{85}', 0),
            b'_' => ('\u{a0}', 0),
            b'L' => ('\u{2028}', 0),
            b'P' => ('\u{2029}', 0),
            b'x' => ('\0', 2),
            b'u' => ('\0', 4),
            b'U' => ('\0', 8),
            _ => return self.error("found unknown escape character"),
        };
        self.skip_ascii(2);
        if digits == 0 {
            return Ok(c);
        }
        self.need(digits)?;
        let code = self.text.as_bytes().get(self.at..self.at + digits).filter(|d| d.iter().all(u8::is_ascii_hexdigit));
        let Some(code) = code.and_then(|digits| std::str::from_utf8(digits).ok()) else {
            return self.error("did not find expected hexdecimal number");
        };
        match u32::from_str_radix(code, 16).ok().and_then(char::from_u32) {
            Some(c) => {
                self.skip_ascii(digits);
                Ok(c)
            }
            None => self.error("found invalid Unicode character escape code"),
        }
    }

    pub(super) fn scan_block_scalar(&mut self, literal: bool) -> Result<Token<'a>> {
        let start = self.mark;
        let (chomping, increment) = self.scan_block_header()?;
        let mut end = self.mark;
        let mut indent = match increment {
            0 => 0,
            more => self.indent.max(0) as usize + more,
        };
        let mut value = String::new();
        let mut leading_break = "";
        let mut breaks = String::new();
        let mut leading_blank = false;
        self.scan_block_breaks(&mut indent, &mut breaks, &mut end)?;
        self.need(1)?;
        while self.mark.column == indent && self.at < self.text.len() {
            let blank = self.is_blank(0);
            if !literal && leading_break == "\n" && !leading_blank && !blank {
                if breaks.is_empty() {
                    value.push(' ');
                }
            } else {
                value.push_str(leading_break);
            }
            value.push_str(&breaks);
            breaks.clear();
            leading_blank = blank;
            let from = self.at;
            self.skip_comment()?;
            value.push_str(&self.text[from..self.at]);
            self.need(2)?;
            leading_break = if self.break_width() > 0 { self.take_break() } else { "" };
            self.scan_block_breaks(&mut indent, &mut breaks, &mut end)?;
        }
        if chomping != Chomping::Strip {
            value.push_str(leading_break);
        }
        if chomping == Chomping::Keep {
            value.push_str(&breaks);
        }
        Ok(Token { kind: TokenKind::Scalar { value: Cow::Owned(value), plain: false }, start, end })
    }

    /// Reads `|` or `>`, the hints behind it and the rest of the line.
    fn scan_block_header(&mut self) -> Result<(Chomping, usize)> {
        self.skip_ascii(1);
        self.need(1)?;
        let mut chomping = self.scan_chomping();
        let mut increment = 0;
        if self.byte(0).is_ascii_digit() {
            if self.byte(0) == b'0' {
                return self.error("found an indentation indicator equal to 0");
            }
            increment = usize::from(self.byte(0) - b'0');
            self.skip_ascii(1);
            if chomping.is_none() {
                chomping = self.scan_chomping();
            }
        }
        while self.is_blank(0) {
            self.skip_ascii(1);
            self.need(1)?;
        }
        if self.byte(0) == b'#' {
            self.skip_comment()?;
        }
        if !self.is_breakz(0) {
            return self.error("did not find expected comment or line break");
        }
        if self.break_width() > 0 {
            self.need(2)?;
            self.take_break();
        }
        Ok((chomping.unwrap_or(Chomping::Clip), increment))
    }

    fn scan_chomping(&mut self) -> Option<Chomping> {
        let chomping = match self.byte(0) {
            b'+' => Chomping::Keep,
            b'-' => Chomping::Strip,
            _ => return None,
        };
        self.skip_ascii(1);
        Some(chomping)
    }

    /// Passes indentation and empty lines; finds the indentation if `indent` is 0.
    fn scan_block_breaks(&mut self, indent: &mut usize, breaks: &mut String, end: &mut Mark) -> Result<()> {
        *end = self.mark;
        let mut widest = 0;
        loop {
            self.need(1)?;
            while (*indent == 0 || self.mark.column < *indent) && self.byte(0) == b' ' {
                self.skip_ascii(1);
                self.need(1)?;
            }
            widest = widest.max(self.mark.column);
            if (*indent == 0 || self.mark.column < *indent) && self.byte(0) == b'\t' {
                return self.error("found a tab character where an indentation space is expected");
            }
            if self.break_width() == 0 {
                break;
            }
            self.need(2)?;
            breaks.push_str(self.take_break());
            *end = self.mark;
        }
        if *indent == 0 {
            *indent = widest.max((self.indent + 1) as usize).max(1);
        }
        Ok(())
    }
}

/// What becomes of the breaks at the end of a block scalar.
#[derive(Clone, Copy, PartialEq)]
enum Chomping {
    Strip,
    Clip,
    Keep,
}
