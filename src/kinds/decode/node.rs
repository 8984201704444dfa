//! JSON text as it stands: order and repetition of keys kept, numbers as written.

use serde_json::Value;

/// A parsed JSON value that still knows the order and repetition of its keys.
#[derive(Clone, Debug, PartialEq)]
pub enum Node {
    /// `null`
    Null,
    /// `true`, `false`
    Bool(bool),
    /// A number as written.
    Number(String),
    /// Text, unescaped.
    Text(String),
    /// A list.
    Array(Vec<Node>),
    /// Keys and values in order.
    Object(Vec<(String, Node)>),
}

/// Text that is not JSON, in the words of Go's `encoding/json`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SyntaxError {
    /// What is wrong: `invalid character 'x' looking for beginning of value`.
    pub message: String,
    /// Bytes read before the error.
    pub offset: usize,
}

/// Deepest nesting that is read. Go stops at 10000; no API type nests nearly as deep, and reading recurses.
const MAX_DEPTH: usize = 500;

impl Node {
    /// Parses one JSON text.
    ///
    /// # Errors
    ///
    /// The first syntax error, in Go's words.
    pub fn parse(text: &[u8]) -> Result<Self, SyntaxError> {
        let mut parser = Parser { text, at: 0 };
        let node = parser.value(0)?;
        match parser.peek_token() {
            None => Ok(node),
            Some(c) => Err(parser.invalid(c, "after top-level value")),
        }
    }
}

impl Node {
    /// Whether anything in it is an empty list or map.
    pub fn has_empty(&self) -> bool {
        match self {
            Self::Array(items) => items.is_empty() || items.iter().any(Self::has_empty),
            Self::Object(fields) => fields.is_empty() || fields.iter().any(|(_, inner)| inner.has_empty()),
            _ => false,
        }
    }
}

impl From<Value> for Node {
    fn from(value: Value) -> Self {
        match value {
            Value::Null => Self::Null,
            Value::Bool(b) => Self::Bool(b),
            Value::Number(n) => Self::Number(crate::object::json::number_text(&n)),
            Value::String(text) => Self::Text(text),
            Value::Array(items) => Self::Array(items.into_iter().map(Self::from).collect()),
            Value::Object(map) => Self::Object(map.into_iter().map(|(k, v)| (k, Self::from(v))).collect()),
        }
    }
}

impl Node {
    /// The value as a tree of maps; of repeated keys the last wins.
    pub fn into_value(self) -> Value {
        match self {
            Self::Null => Value::Null,
            Self::Bool(b) => Value::Bool(b),
            Self::Number(text) => number_value(&text),
            Self::Text(text) => Value::String(text),
            Self::Array(items) => Value::Array(items.into_iter().map(Self::into_value).collect()),
            Self::Object(fields) => Value::Object(fields.into_iter().map(|(k, v)| (k, v.into_value())).collect()),
        }
    }
}

/// A number: 64-bit integers keep their digits, everything else is a float.
pub(super) fn number_value(text: &str) -> Value {
    if let Ok(integer) = text.parse::<i64>() {
        return integer.into();
    }
    text.parse::<f64>().ok().and_then(serde_json::Number::from_f64).map_or(Value::Null, Value::Number)
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

type Parsed<T> = Result<T, SyntaxError>;

impl Parser<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    fn peek_token(&mut self) -> Option<u8> {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\r' | b'\n')) {
            self.at += 1;
        }
        self.peek()
    }

    fn error(&self, message: impl Into<String>) -> SyntaxError {
        SyntaxError { message: message.into(), offset: self.at }
    }

    fn end(&self) -> SyntaxError {
        self.error("unexpected end of JSON input")
    }

    fn invalid(&self, c: u8, context: &str) -> SyntaxError {
        self.error(format!("invalid character {} {context}", quoted_char(c)))
    }

    fn value(&mut self, depth: usize) -> Parsed<Node> {
        if depth > MAX_DEPTH {
            return Err(self.error("exceeded max depth"));
        }
        match self.peek_token() {
            None => Err(self.end()),
            Some(b'{') => self.object(depth),
            Some(b'[') => self.array(depth),
            Some(b'"') => self.string().map(Node::Text),
            Some(b't') => self.literal("true").map(|()| Node::Bool(true)),
            Some(b'f') => self.literal("false").map(|()| Node::Bool(false)),
            Some(b'n') => self.literal("null").map(|()| Node::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(c) => Err(self.invalid(c, "looking for beginning of value")),
        }
    }

    fn literal(&mut self, word: &str) -> Parsed<()> {
        for want in word.bytes() {
            match self.peek() {
                None => return Err(self.end()),
                Some(c) if c == want => self.at += 1,
                Some(c) => {
                    return Err(self.invalid(c, &format!("in literal {word} (expecting {})", quoted_char(want))));
                }
            }
        }
        Ok(())
    }

    fn digits(&mut self, context: &str) -> Parsed<()> {
        match self.peek() {
            None => return Err(self.end()),
            Some(b'0'..=b'9') => {}
            Some(c) => return Err(self.invalid(c, context)),
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Parsed<Node> {
        let start = self.at;
        if self.peek() == Some(b'-') {
            self.at += 1;
        }
        if self.peek() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits("in numeric literal")?;
        }
        if self.peek() == Some(b'.') {
            self.at += 1;
            self.digits("after decimal point in numeric literal")?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits("in exponent of numeric literal")?;
        }
        Ok(Node::Number(String::from_utf8_lossy(&self.text[start..self.at]).into_owned()))
    }

    fn string(&mut self) -> Parsed<String> {
        self.at += 1;
        let mut bytes = Vec::new();
        loop {
            // Most texts hold nothing that is escaped: they are copied as a whole.
            let rest = self.text.get(self.at..).unwrap_or_default();
            let plain = rest.iter().position(|c| matches!(c, b'"' | b'\\' | 0..0x20)).unwrap_or(rest.len());
            bytes.extend_from_slice(rest.get(..plain).unwrap_or_default());
            self.at += plain;
            match self.peek() {
                None => return Err(self.end()),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(match String::from_utf8(bytes) {
                        Ok(text) => text,
                        Err(wrong) => String::from_utf8_lossy(wrong.as_bytes()).into_owned(),
                    });
                }
                Some(b'\\') => {
                    self.at += 1;
                    let c = self.escape()?;
                    bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                }
                Some(c) => return Err(self.invalid(c, "in string literal")),
            }
        }
    }

    fn escape(&mut self) -> Parsed<char> {
        let Some(c) = self.peek() else { return Err(self.end()) };
        let plain = match c {
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'"' | b'\\' | b'/' => c as char,
            b'u' => {
                self.at += 1;
                return self.unicode();
            }
            _ => return Err(self.invalid(c, "in string escape code")),
        };
        self.at += 1;
        Ok(plain)
    }

    fn hex4(&mut self) -> Parsed<u32> {
        let mut code = 0;
        for _ in 0..4 {
            let Some(c) = self.peek() else { return Err(self.end()) };
            let Some(digit) = (c as char).to_digit(16) else {
                return Err(self.invalid(c, "in \\u hexadecimal character escape"));
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }

    /// The character of a `\u` escape; a lone surrogate is the replacement character.
    fn unicode(&mut self) -> Parsed<char> {
        let first = self.hex4()?;
        if (0xd800..0xdc00).contains(&first) && self.text.get(self.at..self.at + 2) == Some(b"\\u") {
            let back = self.at;
            self.at += 2;
            let second = self.hex4()?;
            if (0xdc00..0xe000).contains(&second) {
                let code = 0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00);
                return Ok(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            self.at = back;
        }
        Ok(char::from_u32(first).unwrap_or(char::REPLACEMENT_CHARACTER))
    }

    fn array(&mut self, depth: usize) -> Parsed<Node> {
        self.at += 1;
        let mut items = Vec::new();
        if self.peek_token() == Some(b']') {
            self.at += 1;
            return Ok(Node::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            match self.peek_token() {
                None => return Err(self.end()),
                Some(b',') => self.at += 1,
                Some(b']') => {
                    self.at += 1;
                    return Ok(Node::Array(items));
                }
                Some(c) => return Err(self.invalid(c, "after array element")),
            }
        }
    }

    fn object(&mut self, depth: usize) -> Parsed<Node> {
        self.at += 1;
        let mut fields = Vec::new();
        if self.peek_token() == Some(b'}') {
            self.at += 1;
            return Ok(Node::Object(fields));
        }
        loop {
            let key = match self.peek_token() {
                None => return Err(self.end()),
                Some(b'"') => self.string()?,
                Some(c) => return Err(self.invalid(c, "looking for beginning of object key string")),
            };
            match self.peek_token() {
                None => return Err(self.end()),
                Some(b':') => self.at += 1,
                Some(c) => return Err(self.invalid(c, "after object key")),
            }
            fields.push((key, self.value(depth + 1)?));
            match self.peek_token() {
                None => return Err(self.end()),
                Some(b',') => self.at += 1,
                Some(b'}') => {
                    self.at += 1;
                    return Ok(Node::Object(fields));
                }
                Some(c) => return Err(self.invalid(c, "after object key:value pair")),
            }
        }
    }
}

/// A byte as Go's syntax errors quote it.
fn quoted_char(c: u8) -> String {
    match c {
        b'\'' => r"'\''".to_owned(),
        b'"' => "'\"'".to_owned(),
        b'\\' => r"'\\'".to_owned(),
        b'\n' => r"'\n'".to_owned(),
        b'\r' => r"'\r'".to_owned(),
        b'\t' => r"'\t'".to_owned(),
        0x07 => r"'\a'".to_owned(),
        0x08 => r"'\b'".to_owned(),
        0x0b => r"'\v'".to_owned(),
        0x0c => r"'\f'".to_owned(),
        c if c < 0x20 || c == 0x7f => format!("'\\x{c:02x}'"),
        c => format!("'{}'", c as char),
    }
}
