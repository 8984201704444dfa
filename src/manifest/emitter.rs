//! Writing YAML as kubectl does: block style, lists not indented under their keys, keys in their natural order,
//! quotes only where the text would read as something else, long lines folded at 80 columns.

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::go_text;
use super::scalar::{Resolved, resolve};
use super::scanner::break_width;

const WIDTH: usize = 80;
const INDENT: usize = 2;

/// How a float is written.
pub(super) type FloatText = fn(&Number) -> String;

/// Writes one document, with a newline at its end.
pub(super) fn emit(value: &Value, float: FloatText) -> String {
    let mut emitter = Emitter { out: String::new(), column: 0, whitespace: true, indention: true, indent: None, float };
    emitter.node(value, Place::Root);
    emitter.write_indent();
    emitter.out
}

/// Where a node stands.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Root,
    Item,
    /// A key in front of a `:` on its line.
    SimpleKey,
    /// A key behind a `?`.
    ComplexKey,
    Value,
}

struct Emitter {
    out: String,
    /// Characters in the current line.
    column: usize,
    /// Whether the last character was a space.
    whitespace: bool,
    /// Whether the line holds only indentation and indicators so far.
    indention: bool,
    /// None outside of all collections.
    indent: Option<usize>,
    float: FloatText,
}

impl Emitter {
    fn node(&mut self, value: &Value, place: Place) {
        match value {
            Value::Null => self.plain_word("null"),
            Value::Bool(true) => self.plain_word("true"),
            Value::Bool(false) => self.plain_word("false"),
            Value::Number(number) if number.is_f64() => self.plain_word(&(self.float)(number)),
            Value::Number(number) => self.plain_word(&number.to_string()),
            Value::String(text) => self.string(text, place),
            Value::Array(items) if items.is_empty() => self.indicator("[]", true, false),
            Value::Array(items) => self.sequence(items, place),
            Value::Object(map) if map.is_empty() => self.indicator("{}", true, false),
            Value::Object(map) => self.mapping(map),
        }
    }

    fn sequence(&mut self, items: &[Value], place: Place) {
        let outer = self.indent;
        let under_key = place == Place::Value && !self.indention;
        self.indent = match outer {
            None => Some(0),
            Some(indent) if under_key => Some(indent),
            Some(indent) => Some(indent + INDENT),
        };
        for item in items {
            self.write_indent();
            self.indicator("-", true, true);
            self.node(item, Place::Item);
        }
        self.indent = outer;
    }

    fn mapping(&mut self, map: &Map<String, Value>) {
        let outer = self.indent;
        self.indent = Some(outer.map_or(0, |indent| indent + INDENT));
        let pairs: Vec<(&String, &Value)> = map.iter().collect();
        for (key, value) in merge_sort(pairs, &|a, b| natural_order(a.0, b.0)) {
            self.write_indent();
            if key.len() <= 128 && !analyze(key).multiline {
                self.string(key, Place::SimpleKey);
                self.indicator(":", false, false);
            } else {
                self.indicator("?", true, true);
                self.string(key, Place::ComplexKey);
                self.write_indent();
                self.indicator(":", true, true);
            }
            self.node(value, Place::Value);
        }
        self.indent = outer;
    }

    fn string(&mut self, text: &str, place: Place) {
        let outer = self.indent;
        self.indent = Some(outer.map_or(INDENT, |indent| indent + INDENT));
        let foldable = place != Place::SimpleKey;
        match choose_style(text, place) {
            Style::Plain => self.plain(text, foldable),
            Style::SingleQuoted => self.single_quoted(text, foldable),
            Style::DoubleQuoted => self.double_quoted(text, foldable),
            Style::Literal => self.literal(text),
        }
        self.indent = outer;
    }

    fn put(&mut self, c: char) {
        self.out.push(c);
        self.column += 1;
    }

    fn put_str(&mut self, text: &str) {
        self.out.push_str(text);
        self.column += text.chars().count();
    }

    fn put_break(&mut self) {
        self.out.push('\n');
        self.column = 0;
    }

    /// Writes a break of the text itself.
    fn write_break(&mut self, text: &str) {
        self.out.push_str(text);
        self.column = 0;
    }

    fn write_indent(&mut self) {
        let indent = self.indent.unwrap_or(0);
        if !self.indention || self.column > indent || (self.column == indent && !self.whitespace) {
            self.put_break();
        }
        while self.column < indent {
            self.put(' ');
        }
        self.whitespace = true;
        self.indention = true;
    }

    fn indicator(&mut self, text: &str, spaced: bool, indention: bool) {
        if spaced && !self.whitespace {
            self.put(' ');
        }
        self.put_str(text);
        self.whitespace = false;
        self.indention = self.indention && indention;
    }

    fn plain_word(&mut self, word: &str) {
        if !self.whitespace {
            self.put(' ');
        }
        self.put_str(word);
        self.whitespace = false;
        self.indention = false;
    }

    /// Plain text; it holds no line breaks.
    fn plain(&mut self, text: &str, foldable: bool) {
        if !self.whitespace {
            self.put(' ');
        }
        let mut after_space = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            if c == ' ' && foldable && !after_space && self.column > WIDTH && chars.peek() != Some(&' ') {
                self.write_indent();
            } else {
                self.put(c);
            }
            after_space = c == ' ';
            self.indention = c == ' ' && self.indention;
        }
        self.whitespace = false;
        self.indention = false;
    }

    fn single_quoted(&mut self, text: &str, foldable: bool) {
        self.indicator("'", true, false);
        let (mut spaces, mut breaks) = (false, false);
        let bytes = text.as_bytes();
        for (at, c) in text.char_indices() {
            if c == ' ' {
                let inside = at > 0 && at + 1 < bytes.len();
                if foldable && !spaces && self.column > WIDTH && inside && bytes.get(at + 1) != Some(&b' ') {
                    self.write_indent();
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else if break_width(bytes, at) > 0 {
                if !breaks && c == '\n' {
                    self.put_break();
                }
                self.write_break(c.encode_utf8(&mut [0; 4]));
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                if c == '\'' {
                    self.put('\'');
                }
                self.put(c);
                self.indention = false;
                (spaces, breaks) = (false, false);
            }
        }
        self.indicator("'", false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn double_quoted(&mut self, text: &str, foldable: bool) {
        self.indicator("\"", true, false);
        let mut spaces = false;
        let bytes = text.as_bytes();
        for (at, c) in text.char_indices() {
            if c == ' ' {
                let inside = at > 0 && at + 1 < bytes.len();
                if foldable && !spaces && self.column > WIDTH && inside {
                    self.write_indent();
                    if bytes.get(at + 1) == Some(&b' ') {
                        self.put('\\');
                    }
                } else {
                    self.put(' ');
                }
                spaces = true;
            } else {
                if !is_printable(c) || break_width(bytes, at) > 0 || c == '"' || c == '\\' {
                    self.put_str(&escape(c));
                } else {
                    self.put(c);
                }
                spaces = false;
            }
        }
        self.indicator("\"", false, false);
        self.whitespace = false;
        self.indention = false;
    }

    fn literal(&mut self, text: &str) {
        self.indicator("|", true, false);
        let bytes = text.as_bytes();
        if bytes.first() == Some(&b' ') || break_width(bytes, 0) > 0 {
            self.indicator("2", false, false);
        }
        self.put_str(chomping_hint(text));
        self.put_break();
        self.indention = true;
        self.whitespace = true;
        let mut breaks = true;
        for (at, c) in text.char_indices() {
            if break_width(bytes, at) > 0 {
                self.write_break(c.encode_utf8(&mut [0; 4]));
                self.indention = true;
                breaks = true;
            } else {
                if breaks {
                    self.write_indent();
                }
                self.put(c);
                self.indention = false;
                breaks = false;
            }
        }
    }
}

/// `-` for no break at the end, `+` for several or nothing else, none for one.
fn chomping_hint(text: &str) -> &'static str {
    let is_break = |c: char| matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}');
    let mut backwards = text.chars().rev();
    match (backwards.next(), backwards.next()) {
        (Some(last), before) if is_break(last) => {
            if before.is_none_or(is_break) {
                "+"
            } else {
                ""
            }
        }
        _ => "-",
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Style {
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

fn choose_style(text: &str, place: Place) -> Style {
    let allowed = analyze(text);
    let simple_key = place == Place::SimpleKey;
    let wished = if text.contains('\n') {
        Style::Literal
    } else if matches!(resolve(text), Resolved::Text(_)) && !is_base_60(text) {
        Style::Plain
    } else {
        Style::DoubleQuoted
    };
    let style = if simple_key && allowed.multiline { Style::DoubleQuoted } else { wished };
    match style {
        Style::Plain if allowed.plain => Style::Plain,
        Style::Plain | Style::SingleQuoted if allowed.single_quoted => Style::SingleQuoted,
        Style::Literal if allowed.literal && !simple_key => Style::Literal,
        _ => Style::DoubleQuoted,
    }
}

/// YAML 1.1 numbers to the base of 60, like `1:30`: no number here, but quoted for other readers.
pub(super) fn is_base_60(text: &str) -> bool {
    let text = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (text, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'_');
    let mut parts = text.split(':');
    let first = parts.next().is_some_and(|part| part.starts_with(|c: char| c.is_ascii_digit()) && digits(part));
    let mut rest = parts.peekable();
    first
        && digits(fraction)
        && rest.peek().is_some()
        && rest.all(|part| match part.as_bytes() {
            [b'0'..=b'9'] => true,
            [tens, ones] => (b'0'..=b'5').contains(tens) && ones.is_ascii_digit(),
            _ => false,
        })
}

/// Which styles can hold a text.
struct Allowed {
    multiline: bool,
    plain: bool,
    single_quoted: bool,
    literal: bool,
}

fn analyze(text: &str) -> Allowed {
    let bytes = text.as_bytes();
    if bytes.is_empty() {
        return Allowed { multiline: false, plain: true, single_quoted: true, literal: false };
    }
    let mut indicators = text.starts_with("---") || text.starts_with("...");
    let mut special = false;
    let (mut line_breaks, mut break_at_edge) = (false, false);
    let (mut leading_space, mut trailing_space) = (false, false);
    let (mut break_space, mut space_break) = (false, false);
    let (mut after_space, mut after_break, mut after_white) = (false, false, true);
    for (at, c) in text.char_indices() {
        let next = at + c.len_utf8();
        let before_white = matches!(bytes.get(next), None | Some(b' ' | b'\t'));
        indicators |= match c {
            ',' | '[' | ']' | '{' | '}' | '&' | '*' | '!' | '|' | '>' | '\'' | '"' | '%' | '@' | '`' => at == 0,
            '?' | '-' => at == 0 && before_white,
            ':' => before_white,
            '#' => after_white,
            _ => false,
        };
        special |= !is_printable(c);
        let is_break = break_width(bytes, at) > 0;
        if c == ' ' {
            leading_space |= at == 0;
            trailing_space |= next == bytes.len();
            break_space |= after_break;
        } else if is_break {
            line_breaks = true;
            break_at_edge |= at == 0 || next == bytes.len();
            space_break |= after_space;
        }
        after_space = c == ' ';
        after_break = is_break;
        after_white = is_break || matches!(c, ' ' | '\t' | '\0');
    }
    let edges = leading_space || trailing_space || break_at_edge;
    let hard = space_break || special;
    Allowed {
        multiline: line_breaks,
        plain: !(edges || break_space || hard || line_breaks || indicators),
        single_quoted: !(break_space || hard),
        literal: !(trailing_space || hard),
    }
}

/// What the reference writes as it is; nothing beyond the basic plane.
fn is_printable(c: char) -> bool {
    matches!(c, '\n' | ' '..='~' | '\u{a0}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}')
}

fn escape(c: char) -> String {
    let short = match c {
        '\0' => '0',
        '\x07' => 'a',
        '\x08' => 'b',
        '\t' => 't',
        '\n' => 'n',
        '\x0b' => 'v',
        '\x0c' => 'f',
        '\r' => 'r',
        '\x1b' => 'e',
        '"' | '\\' => c,
        '\u{85}' => 'N',
        '\u{a0}' => '_',
        '\u{2028}' => 'L',
        '\u{2029}' => 'P',
        _ => {
            return match c as u32 {
                code @ 0..=0xff => format!("\\x{code:02X}"),
                code @ 0..=0xffff => format!("\\u{code:04X}"),
                code => format!("\\U{code:08X}"),
            };
        }
    };
    format!("\\{short}")
}

/// The order of keys: numbers in them by value, letters behind all else.
fn natural_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() && b.is_ascii() && !a.bytes().chain(b.bytes()).any(|byte| byte.is_ascii_digit()) {
        // Without digits, the rule needs only the first difference.
        let difference = a.bytes().zip(b.bytes()).find(|(x, y)| x != y);
        return match difference {
            Some((x, y)) if x.is_ascii_alphabetic() != y.is_ascii_alphabetic() => {
                if y.is_ascii_alphabetic() {
                    Ordering::Less
                } else {
                    Ordering::Greater
                }
            }
            Some((x, y)) => x.cmp(&y),
            None => a.len().cmp(&b.len()),
        };
    }
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let Some(at) = a.iter().zip(&b).position(|(x, y)| x != y) else { return a.len().cmp(&b.len()) };
    match (a[at].is_alphabetic(), b[at].is_alphabetic()) {
        (true, true) => return a[at].cmp(&b[at]),
        (false, true) => return Ordering::Less,
        (true, false) => return Ordering::Greater,
        (false, false) => {}
    }
    // A zero inside a longer number is a digit like others, not a leading zero.
    let mut start = 0i64;
    if a[at] == '0' || b[at] == '0' {
        let digits_before = a[..at].iter().rev().take_while(|c| is_digit(**c));
        start = i64::from(digits_before.into_iter().any(|c| *c != '0'));
    }
    let (a_number, a_end) = number_at(&a, at, start);
    let (b_number, b_end) = number_at(&b, at, start);
    a_number.cmp(&b_number).then(a_end.cmp(&b_end)).then(a[at].cmp(&b[at]))
}

fn is_digit(c: char) -> bool {
    c.is_ascii_digit() || (!c.is_ascii() && c.is_numeric())
}

fn number_at(text: &[char], from: usize, start: i64) -> (i64, usize) {
    let mut number = start;
    let mut at = from;
    while let Some(&c) = text.get(at).filter(|c| is_digit(**c)) {
        number = number.wrapping_mul(10).wrapping_add(i64::from(c as u32) - i64::from('0' as u32));
        at += 1;
    }
    (number, at)
}

/// Sorts by an order that need not be consistent, as that of the reference is not; `slice::sort_by` may panic then.
fn merge_sort<T: Copy>(items: Vec<T>, order: &impl Fn(&T, &T) -> Ordering) -> Vec<T> {
    if items.windows(2).all(|pair| order(&pair[0], &pair[1]) != Ordering::Greater) {
        return items;
    }
    let right = merge_sort(items[items.len() / 2..].to_vec(), order);
    let left = merge_sort(items[..items.len() / 2].to_vec(), order);
    let mut merged = Vec::with_capacity(items.len());
    let (mut left, mut right) = (left.into_iter().peekable(), right.into_iter().peekable());
    while let (Some(a), Some(b)) = (left.peek(), right.peek()) {
        let next = if order(a, b) == Ordering::Greater { right.next() } else { left.next() };
        merged.extend(next);
    }
    merged.extend(left);
    merged.extend(right);
    merged
}

/// A float that came from YAML text.
pub(super) fn float_as_read(number: &Number) -> String {
    number.as_f64().map_or_else(|| number.to_string(), go_text::float)
}

/// A float of an object: as if the object went through JSON text, where whole numbers have no fraction.
pub(super) fn float_through_json(number: &Number) -> String {
    let text = crate::object::json::number_text(number);
    if text.parse::<i64>().is_ok() || text.parse::<u64>().is_ok() { text } else { float_as_read(number) }
}
