//! Reading JSON as Go's `encoding/json` does, with its error texts.

use serde_json::{Map, Number, Value};

use super::error::{Error, Position};
use super::scanner::MAX_DEPTH;
use crate::object::go::quote;

/// How a text fails to be JSON.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// The text ends inside a value.
    UnexpectedEnd,
    /// The text holds only white space.
    Nothing,
    /// A character that cannot stand there, at this offset.
    Syntax { at: usize, problem: String },
}

/// What may come next.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// Finds the end of the JSON value that begins at or behind `from`, without building it.
pub(super) fn value_end(text: &[u8], from: usize) -> Result<usize, Fault> {
    let mut at = from;
    // Open collections; true for an object.
    let mut open: Vec<bool> = Vec::new();
    let mut expect = Expect::Value;
    loop {
        at += text[at..].iter().take_while(|byte| is_space(**byte)).count();
        let Some(&byte) = text.get(at) else {
            let nothing = open.is_empty() && expect == Expect::Value;
            return Err(if nothing { Fault::Nothing } else { Fault::UnexpectedEnd });
        };
        match (expect, byte) {
            (Expect::ValueOrEnd, b']') | (Expect::KeyOrEnd, b'}') => {
                open.pop();
                at += 1;
                expect = Expect::CommaOrEnd;
            }
            (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => {
                open.push(byte == b'{');
                if open.len() > MAX_DEPTH {
                    return Err(unexpected(text, at, "exceeded max depth"));
                }
                at += 1;
                expect = if byte == b'{' { Expect::KeyOrEnd } else { Expect::ValueOrEnd };
                continue;
            }
            (Expect::Value | Expect::ValueOrEnd, _) => {
                at = scalar_end(text, at)?;
                expect = Expect::CommaOrEnd;
            }
            (Expect::Key | Expect::KeyOrEnd, b'"') => {
                at = string_end(text, at)?;
                expect = Expect::Colon;
                continue;
            }
            (Expect::Key | Expect::KeyOrEnd, _) => {
                return Err(unexpected(text, at, "looking for beginning of object key string"));
            }
            (Expect::Colon, b':') => {
                at += 1;
                expect = Expect::Value;
                continue;
            }
            (Expect::Colon, _) => return Err(unexpected(text, at, "after object key")),
            (Expect::CommaOrEnd, _) => {
                let in_object = open.last() == Some(&true);
                match (in_object, byte) {
                    (true, b',') => expect = Expect::Key,
                    (false, b',') => expect = Expect::Value,
                    (true, b'}') | (false, b']') => {
                        open.pop();
                    }
                    (true, _) => return Err(unexpected(text, at, "after object key:value pair")),
                    (false, _) => return Err(unexpected(text, at, "after array element")),
                }
                at += 1;
            }
        }
        if open.is_empty() {
            return Ok(at);
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}

fn unexpected(text: &[u8], at: usize, context: &str) -> Fault {
    let shown = match text.get(at) {
        None => return Fault::UnexpectedEnd,
        Some(b'\'') => "\\'".to_owned(),
        Some(b'"') => "\"".to_owned(),
        Some(&byte) => quote(&char::from(byte).to_string()).trim_matches('"').to_owned(),
    };
    Fault::Syntax { at, problem: format!("invalid character '{shown}' {context}") }
}

fn scalar_end(text: &[u8], at: usize) -> Result<usize, Fault> {
    match text.get(at) {
        Some(b'"') => string_end(text, at),
        Some(b't') => literal_end(text, at, "true"),
        Some(b'f') => literal_end(text, at, "false"),
        Some(b'n') => literal_end(text, at, "null"),
        Some(b'-' | b'0'..=b'9') => number_end(text, at),
        _ => Err(unexpected(text, at, "looking for beginning of value")),
    }
}

fn literal_end(text: &[u8], at: usize, literal: &str) -> Result<usize, Fault> {
    for (i, want) in literal.bytes().enumerate().skip(1) {
        if text.get(at + i) != Some(&want) {
            let context = format!("in literal {literal} (expecting '{}')", char::from(want));
            return Err(unexpected(text, at + i, &context));
        }
    }
    Ok(at + literal.len())
}

fn number_end(text: &[u8], mut at: usize) -> Result<usize, Fault> {
    let digits = |from: usize| text[from.min(text.len())..].iter().take_while(|b| b.is_ascii_digit()).count();
    at += usize::from(text.get(at) == Some(&b'-'));
    match digits(at) {
        0 => return Err(unexpected(text, at, "in numeric literal")),
        _ if text.get(at) == Some(&b'0') => at += 1,
        count => at += count,
    }
    if text.get(at) == Some(&b'.') {
        at += 1;
        match digits(at) {
            0 => return Err(unexpected(text, at, "after decimal point in numeric literal")),
            count => at += count,
        }
    }
    if matches!(text.get(at), Some(b'e' | b'E')) {
        at += 1;
        at += usize::from(matches!(text.get(at), Some(b'+' | b'-')));
        match digits(at) {
            0 => return Err(unexpected(text, at, "in exponent of numeric literal")),
            count => at += count,
        }
    }
    Ok(at)
}

fn string_end(text: &[u8], mut at: usize) -> Result<usize, Fault> {
    at += 1;
    loop {
        let Some(length) = text[at..].iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) else {
            return Err(Fault::UnexpectedEnd);
        };
        at += length;
        match text[at] {
            b'"' => return Ok(at + 1),
            b'\\' => at = escape_end(text, at + 1)?,
            _ => return Err(unexpected(text, at, "in string literal")),
        }
    }
}

fn escape_end(text: &[u8], at: usize) -> Result<usize, Fault> {
    match text.get(at) {
        Some(b'b' | b'f' | b'n' | b'r' | b't' | b'\\' | b'/' | b'"') => Ok(at + 1),
        Some(b'u') => {
            for i in at + 1..at + 5 {
                if !text.get(i).is_some_and(u8::is_ascii_hexdigit) {
                    return Err(unexpected(text, i, "in \\u hexadecimal character escape"));
                }
            }
            Ok(at + 5)
        }
        _ => Err(unexpected(text, at, "in string escape code")),
    }
}

/// Builds a value of a text that [`value_end`] accepted, with at most `levels` levels.
///
/// Numbers are `i64` or `u64` if written as such, else `f64`; a key given twice keeps its last value.
pub(super) fn build(text: &[u8], levels: usize) -> Result<Value, Error> {
    Builder { text, at: 0 }.value(levels, levels)
}

struct Builder<'a> {
    text: &'a [u8],
    at: usize,
}

impl Builder<'_> {
    /// The next character that is no space; 0 at the end.
    fn peek(&mut self) -> u8 {
        self.at += self.text[self.at..].iter().take_while(|byte| is_space(**byte)).count();
        self.text.get(self.at).copied().unwrap_or(0)
    }

    /// Passes `byte` if it comes next.
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == byte;
        self.at += usize::from(found && byte != 0);
        found
    }

    fn error<T>(&self, problem: String) -> Result<T, Error> {
        Err(Error::Json { problem, offset: None, at: position(self.text, self.at) })
    }

    fn value(&mut self, left: usize, levels: usize) -> Result<Value, Error> {
        if left == 0 {
            return self.error(format!("exceeded max depth of {levels}"));
        }
        match self.peek() {
            b'{' => self.object(left, levels),
            b'[' => self.array(left, levels),
            b'"' => Ok(Value::String(self.string()?)),
            b't' => Ok(self.literal("true", Value::Bool(true))),
            b'f' => Ok(self.literal("false", Value::Bool(false))),
            b'n' => Ok(self.literal("null", Value::Null)),
            _ => self.number(),
        }
    }

    fn literal(&mut self, text: &str, value: Value) -> Value {
        self.at += text.len();
        value
    }

    fn object(&mut self, left: usize, levels: usize) -> Result<Value, Error> {
        let mut map = Map::new();
        self.eat(b'{');
        while !self.eat(b'}') && self.at < self.text.len() {
            self.eat(b',');
            self.peek();
            let key = self.string()?;
            self.eat(b':');
            let value = self.value(left - 1, levels)?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    fn array(&mut self, left: usize, levels: usize) -> Result<Value, Error> {
        let mut items = Vec::new();
        self.eat(b'[');
        while !self.eat(b']') && self.at < self.text.len() {
            self.eat(b',');
            items.push(self.value(left - 1, levels)?);
        }
        Ok(Value::Array(items))
    }

    fn number(&mut self) -> Result<Value, Error> {
        let start = self.at;
        let end = number_end(self.text, start).unwrap_or(self.text.len());
        let text = String::from_utf8_lossy(&self.text[start..end]);
        self.at = end;
        if let Ok(int) = text.parse::<i64>() {
            return Ok(int.into());
        }
        if let Ok(uint) = text.parse::<u64>() {
            return Ok(uint.into());
        }
        match text.parse::<f64>().ok().and_then(Number::from_f64) {
            Some(number) => Ok(Value::Number(number)),
            None => {
                self.at = start;
                self.error(format!("strconv.ParseFloat: parsing \"{text}\": value out of range"))
            }
        }
    }

    fn string(&mut self) -> Result<String, Error> {
        let start = self.at;
        let end = string_end(self.text, start).unwrap_or(self.text.len());
        self.at = end;
        let inner = self.text.get(start + 1..end.saturating_sub(1)).unwrap_or_default();
        Ok(match std::str::from_utf8(inner) {
            Ok(text) if !inner.contains(&b'\\') => text.to_owned(),
            _ => unescape(inner),
        })
    }
}

/// A string's text: what is no UTF-8 and no whole surrogate pair becomes U+FFFD.
fn unescape(inner: &[u8]) -> String {
    let mut out = String::with_capacity(inner.len());
    let mut rest = inner;
    while let Some(at) = rest.iter().position(|byte| *byte == b'\\') {
        push_lossy(&mut out, &rest[..at]);
        let escape = rest.get(at + 1).copied().unwrap_or(b'\\');
        rest = rest.get(at + 2..).unwrap_or_default();
        out.push(match escape {
            b'b' => '\x08',
            b'f' => '\x0c',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => unescape_unit(&mut rest),
            other => char::from(other),
        });
    }
    push_lossy(&mut out, rest);
    out
}

fn unescape_unit(rest: &mut &[u8]) -> char {
    let unit = |digits: Option<&[u8]>| {
        digits.and_then(|digits| std::str::from_utf8(digits).ok()).and_then(|hex| u16::from_str_radix(hex, 16).ok())
    };
    let first = unit(rest.get(..4)).unwrap_or(0xfffd);
    *rest = rest.get(4..).unwrap_or_default();
    if rest.starts_with(b"\\u")
        && let Some(second) = unit(rest.get(2..6))
        && let Some(Ok(c)) = char::decode_utf16([first, second]).next()
        && c as u32 > 0xffff
    {
        *rest = rest.get(6..).unwrap_or_default();
        return c;
    }
    char::from_u32(u32::from(first)).unwrap_or(char::REPLACEMENT_CHARACTER)
}

fn push_lossy(out: &mut String, bytes: &[u8]) {
    for chunk in bytes.utf8_chunks() {
        out.push_str(chunk.valid());
        out.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
}

/// The place of the byte `at`.
pub(super) fn position(text: &[u8], at: usize) -> Position {
    let before = &text[..at.min(text.len())];
    let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |newline| newline + 1);
    Position { line, column: String::from_utf8_lossy(&before[start..]).chars().count() + 1 }
}

/// Reads a text that is one JSON value, as `json.Unmarshal` does.
pub(super) fn read(text: &[u8], levels: usize) -> Result<Value, Error> {
    let end = value_end(text, 0).map_err(|fault| match fault {
        Fault::Syntax { at, problem } => Error::Json { problem, offset: Some(at + 1), at: position(text, at) },
        Fault::UnexpectedEnd | Fault::Nothing => Error::Json {
            problem: "unexpected end of JSON input".to_owned(),
            offset: None,
            at: position(text, text.len()),
        },
    })?;
    if let Some(behind) = text[end..].iter().position(|byte| !is_space(*byte))
        && let Fault::Syntax { at, problem } = unexpected(text, end + behind, "after top-level value")
    {
        return Err(Error::Json { problem, offset: Some(at + 1), at: position(text, at) });
    }
    build(&text[..end], levels)
}
