//! Reads templates into nodes.

use super::JsonPathError;

/// Deepest nesting of filters and unions in one template.
const MAX_DEPTH: usize = 32;

/// A bound of a slice expression.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Bound {
    pub value: i64,
    pub known: bool,
    /// Whether an end was not written but follows from the index.
    pub derived: bool,
}

/// Comparison in a filter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Comparison {
    Exists,
    Operator(String),
}

/// One part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    List(Vec<Node>),
    Field(String),
    Identifier(String),
    Array([Bound; 3]),
    Filter { left: Vec<Node>, right: Vec<Node>, comparison: Comparison },
    Int(i64),
    Float(f64),
    Bool(bool),
    Wildcard,
    Recursive,
    Union(Vec<Vec<Node>>),
}

fn fail<T>(message: impl Into<String>) -> Result<T, JsonPathError> {
    Err(JsonPathError(message.into()))
}

pub(super) fn parse(template: &str) -> Result<Vec<Node>, JsonPathError> {
    parse_at(template, 0)
}

fn parse_at(template: &str, depth: usize) -> Result<Vec<Node>, JsonPathError> {
    if depth > MAX_DEPTH {
        return fail("expression is nested too deeply");
    }
    let mut nodes = Vec::new();
    let mut rest = template;
    loop {
        let (text, action) = match rest.split_once('{') {
            None => (rest, None),
            Some((text, action)) => (text, Some(action)),
        };
        if !text.is_empty() {
            nodes.push(Node::Text(text.to_owned()));
        }
        let Some(action) = action else { return Ok(nodes) };
        let mut parser = Action { input: action, pos: 0, depth, nodes: Vec::new() };
        parser.parse()?;
        nodes.push(Node::List(parser.nodes));
        rest = &action[parser.pos..];
    }
}

/// Reads `text` as the inside of one action.
fn parse_action(text: &str, depth: usize) -> Result<Vec<Node>, JsonPathError> {
    match parse_at(&format!("{{{text}}}"), depth + 1)?.into_iter().next() {
        Some(Node::List(nodes)) => Ok(nodes),
        _ => Ok(Vec::new()),
    }
}

/// The inside of one action, from behind its opening brace.
struct Action<'a> {
    input: &'a str,
    pos: usize,
    depth: usize,
    nodes: Vec<Node>,
}

fn is_end_of_line(c: char) -> bool {
    c == '\r' || c == '\n'
}

fn is_terminator(c: char) -> bool {
    is_end_of_line(c) || matches!(c, ' ' | '\t' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}')
}

fn is_word(c: char) -> bool {
    c == '_' || c.is_alphanumeric()
}

/// A character as Go's `%#U` shows it.
fn show(c: char) -> String {
    let code = format!("U+{:04X}", c as u32);
    if c.is_control() || (c.is_whitespace() && c != ' ') { code } else { format!("{code} '{c}'") }
}

impl<'a> Action<'a> {
    fn rest(&self) -> &'a str {
        &self.input[self.pos..]
    }

    /// Takes the longest start of the rest whose characters pass `keep`.
    fn take_while(&mut self, keep: impl Fn(char) -> bool) -> &'a str {
        let rest = self.rest();
        let end = rest.find(|c| !keep(c)).unwrap_or(rest.len());
        self.pos += end;
        &rest[..end]
    }

    /// Reads up to and over the closing brace.
    fn parse(&mut self) -> Result<(), JsonPathError> {
        loop {
            let rest = self.rest();
            if rest.starts_with('}') {
                self.pos += 1;
                return Ok(());
            }
            if rest.starts_with("[?(") {
                self.filter()?;
                continue;
            }
            if rest.starts_with("..") {
                self.recursive()?;
                continue;
            }
            match rest.chars().next() {
                None => return fail("unclosed action"),
                Some(c) if is_end_of_line(c) => return fail("unclosed action"),
                Some(' ' | '@' | '$') => self.pos += 1,
                Some('[') => self.array()?,
                Some(quote @ ('"' | '\'')) => self.quote(quote)?,
                Some('.') => {
                    self.pos += 1;
                    self.field();
                }
                Some(c) if c == '+' || c == '-' || c.is_numeric() => self.number()?,
                Some(c) if is_word(c) => self.identifier(),
                Some(c) => return fail(format!("unrecognized character in action: {}", show(c))),
            }
        }
    }

    fn identifier(&mut self) {
        let node = match self.take_while(|c| !is_terminator(c)) {
            "true" => Node::Bool(true),
            "false" => Node::Bool(false),
            name => Node::Identifier(name.to_owned()),
        };
        self.nodes.push(node);
    }

    fn recursive(&mut self) -> Result<(), JsonPathError> {
        if matches!(self.nodes.last(), Some(Node::Recursive)) {
            return fail("invalid multiple recursive descent");
        }
        self.pos += 2;
        self.nodes.push(Node::Recursive);
        if self.rest().starts_with(is_word) {
            self.field();
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), JsonPathError> {
        let start = self.pos;
        if self.rest().starts_with(['+', '-']) {
            self.pos += 1;
        }
        self.take_while(|c| c == '.' || c.is_numeric());
        let text = &self.input[start..self.pos];
        let node = match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(number), _) => Node::Int(number),
            (_, Ok(number)) if number.is_finite() => Node::Float(number),
            _ => return fail(format!("cannot parse number {text}")),
        };
        self.nodes.push(node);
        Ok(())
    }

    /// A field's name after its point; a backslash takes away the meaning of the next character.
    fn field(&mut self) {
        let mut name = String::new();
        let mut chars = self.rest().char_indices().peekable();
        let mut end = self.rest().len();
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                // All backslashes vanish, an escaped one too.
                name.extend(chars.next().map(|(_, c)| c).filter(|c| *c != '\\'));
            } else if is_terminator(c) {
                end = at;
                break;
            } else {
                name.push(c);
            }
        }
        let written = &self.rest()[..end];
        self.nodes.push(if written == "*" { Node::Wildcard } else { Node::Field(name) });
        self.pos += end;
    }

    fn array(&mut self) -> Result<(), JsonPathError> {
        let rest = self.rest();
        let Some(end) = rest.find([']', '\n']).filter(|end| rest[*end..].starts_with(']')) else {
            return fail("unterminated array");
        };
        self.pos += end + 1;
        let text = match &rest[1..end] {
            "*" => ":",
            text => text,
        };
        if text.contains(',') {
            let parts = text.split(',').map(|part| parse_action(&format!("[{}]", part.trim_matches(' ')), self.depth));
            let union: Vec<Vec<Node>> = parts.collect::<Result<_, _>>()?;
            self.nodes.push(Node::Union(union));
            return Ok(());
        }
        let key = text.strip_prefix('\'').and_then(|t| t.strip_suffix('\'')).filter(|key| !key.contains('\''));
        if let Some(key) = key {
            let nodes = parse_action(&format!(".{key}"), self.depth)?;
            self.nodes.extend(nodes);
            return Ok(());
        }
        self.nodes.push(Node::Array(bounds(text)?));
        Ok(())
    }

    fn filter(&mut self) -> Result<(), JsonPathError> {
        let start = self.pos + "[?(".len();
        let (mut begin, mut end) = (false, false);
        let mut pair = '\0';
        let mut close = None;
        for (at, c) in self.input[start..].char_indices() {
            match c {
                '\n' => break,
                '"' | '\'' if !begin => (begin, pair) = (true, c),
                '"' | '\'' if c == pair && !self.input[..start + at].ends_with('\\') => end = true,
                ')' if begin == end => {
                    close = Some(start + at);
                    break;
                }
                _ => {}
            }
        }
        let Some(close) = close else { return fail("unterminated filter") };
        let text = &self.input[start..close];
        if !self.input[close + 1..].starts_with(']') {
            return fail("unclosed array expect ]");
        }
        self.pos = close + 2;
        let node = match split_comparison(text) {
            None => Node::Filter {
                left: parse_action(text, self.depth)?,
                right: Vec::new(),
                comparison: Comparison::Exists,
            },
            Some((left, operator, right)) => Node::Filter {
                left: parse_action(left, self.depth)?,
                right: parse_action(right, self.depth)?,
                comparison: Comparison::Operator(operator.to_owned()),
            },
        };
        self.nodes.push(node);
        Ok(())
    }

    fn quote(&mut self, quote: char) -> Result<(), JsonPathError> {
        let rest = self.rest();
        let mut end = None;
        for (at, c) in rest.char_indices().skip(1) {
            if c == '\n' {
                break;
            }
            if c == quote && !rest[..at].ends_with('\\') {
                end = Some(at);
                break;
            }
        }
        let Some(end) = end else { return fail("unterminated quoted string") };
        self.pos += end + 1;
        match unquote(&rest[1..end], quote) {
            Some(text) => self.nodes.push(Node::Text(text)),
            None => return fail(format!("unquote string {} error invalid syntax", &rest[..=end])),
        }
        Ok(())
    }
}

/// Cuts `left OPERATOR right` at the first run of operator characters; both sides must hold something.
fn split_comparison(text: &str) -> Option<(&str, &str, &str)> {
    let is_operator = |c: char| matches!(c, '!' | '<' | '>' | '=');
    let start = text.find(is_operator).filter(|start| *start > 0)?;
    let mut end = text[start..].find(|c| !is_operator(c)).map_or(text.len(), |n| start + n);
    if end == text.len() {
        // The right side takes the last operator character when nothing else is left.
        end = Some(end - 1).filter(|end| *end > start)?;
    }
    Some((&text[..start], &text[start..end], &text[end..]))
}

/// `start:end:step`, each of them optional.
fn bounds(text: &str) -> Result<[Bound; 3], JsonPathError> {
    let parts: Vec<&str> = text.split(':').collect();
    let digits = |part: &&str| part.strip_prefix('-').unwrap_or(part).bytes().all(|b| b.is_ascii_digit());
    if parts.len() > 3 || !parts.iter().all(digits) {
        return fail(format!("invalid array index {text}"));
    }
    let mut bounds = [Bound::default(); 3];
    for (bound, part) in bounds.iter_mut().zip(&parts).filter(|(_, part)| !part.is_empty()) {
        bound.known = true;
        bound.value = part.parse().map_err(|_| JsonPathError(format!("array index {part} is not a number")))?;
    }
    if parts.len() == 1 {
        bounds[1] = Bound { value: bounds[0].value.wrapping_add(1), known: true, derived: true };
    }
    Ok(bounds)
}

/// Undoes the escapes of Go's quoted text; `None` when one is wrong.
pub(in crate::output) fn unquote(text: &str, quote: char) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut out = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            out.extend(c.encode_utf8(&mut [0; 4]).bytes());
            continue;
        }
        match chars.next()? {
            'a' => out.push(7),
            'b' => out.push(8),
            'f' => out.push(12),
            'n' => out.push(b'\n'),
            'r' => out.push(b'\r'),
            't' => out.push(b'\t'),
            'v' => out.push(11),
            '\\' => out.push(b'\\'),
            c if c == quote => out.push(c as u8),
            'x' => out.push(u8::try_from(digits(&mut chars, 0, 2, 16)?).ok()?),
            'u' => out.extend(char::from_u32(digits(&mut chars, 0, 4, 16)?)?.encode_utf8(&mut [0; 4]).bytes()),
            'U' => out.extend(char::from_u32(digits(&mut chars, 0, 8, 16)?)?.encode_utf8(&mut [0; 4]).bytes()),
            c => out.push(u8::try_from(digits(&mut chars, c.to_digit(8)?, 2, 8)?).ok()?),
        }
    }
    Some(String::from_utf8_lossy(&out).into_owned())
}

/// Reads `count` more digits onto `start`.
fn digits(chars: &mut std::str::Chars<'_>, start: u32, count: usize, radix: u32) -> Option<u32> {
    let mut value = start;
    for _ in 0..count {
        value = value.checked_mul(radix)?.checked_add(chars.next()?.to_digit(radix)?)?;
    }
    Some(value)
}
