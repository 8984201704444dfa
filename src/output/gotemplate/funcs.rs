//! The functions that templates can call: Go's own and those of kubectl.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt::Write;

use base64::Engine;

use super::exec::Val;
use crate::output::gofmt::{self, GoValue};

/// What a parameter takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parameter {
    Any,
    Text,
}

/// Values to a value; the text is that of the first argument, for messages.
type Run = for<'a> fn(Vec<Val<'a>>, &str) -> Result<Val<'a>, String>;

/// One function.
pub(super) struct Function {
    name: &'static str,
    pub fixed: &'static [Parameter],
    pub variadic: bool,
    pub run: Run,
}

const ANY: &[Parameter] = &[Parameter::Any];
const TWO: &[Parameter] = &[Parameter::Any, Parameter::Any];
const TEXT: &[Parameter] = &[Parameter::Text];

const fn function(name: &'static str, fixed: &'static [Parameter], variadic: bool, run: Run) -> Function {
    Function { name, fixed, variadic, run }
}

const FUNCTIONS: &[Function] = &[
    function("and", ANY, true, |_, _| Ok(Val::Invalid)),
    function("base64decode", TEXT, false, |args, _| base64_decode(args)),
    function("call", ANY, true, call),
    function("eq", ANY, true, |args, _| equal(&args).map(boolean)),
    function("exists", ANY, true, |args, _| Ok(boolean(exists_in(args)))),
    function("ge", TWO, false, |args, _| less(&args).map(|less| boolean(!less))),
    function("gt", TWO, false, |args, _| less_or_equal(&args).map(|le| boolean(!le))),
    function("html", &[], true, |args, _| Ok(text(escape_html(&joined(args))))),
    function("index", ANY, true, |args, _| index(args)),
    function("js", &[], true, |args, _| Ok(text(escape_js(&joined(args))))),
    function("le", TWO, false, |args, _| less_or_equal(&args).map(boolean)),
    function("len", ANY, false, |args, _| length(args)),
    function("lt", TWO, false, |args, _| less(&args).map(boolean)),
    function("ne", TWO, false, |args, _| equal(&args).map(|equal| boolean(!equal))),
    function("not", ANY, false, |args, _| Ok(boolean(!args.first().is_some_and(Val::truth)))),
    function("or", ANY, true, |_, _| Ok(Val::Invalid)),
    function("print", &[], true, |args, _| Ok(text(gofmt::sprint(&printables(args))))),
    function("printf", TEXT, true, |args, _| Ok(printf(args))),
    function("println", &[], true, |args, _| Ok(text(gofmt::sprintln(&printables(args))))),
    function("slice", ANY, true, |args, _| slice(args)),
    function("urlquery", &[], true, |args, _| Ok(text(escape_query(&joined(args))))),
];

pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

pub(super) fn exists(name: &str) -> bool {
    find(name).is_some()
}

fn boolean<'a>(truth: bool) -> Val<'a> {
    Val::Plain(GoValue::Bool(truth))
}

fn text<'a>(text: String) -> Val<'a> {
    Val::Plain(GoValue::Text(Cow::Owned(text)))
}

fn printables(args: Vec<Val<'_>>) -> Vec<GoValue<'_>> {
    args.into_iter().map(Val::printable).collect()
}

/// The arguments as one text, as `fmt.Sprint` joins them; nothing shows as in an action.
fn joined(args: Vec<Val<'_>>) -> String {
    let nothing = |value| match value {
        GoValue::Nil => GoValue::Text(Cow::Borrowed("<no value>")),
        value => value,
    };
    let args: Vec<GoValue<'_>> = printables(args).into_iter().map(nothing).collect();
    gofmt::sprint(&args)
}

fn printf<'a>(args: Vec<Val<'a>>) -> Val<'a> {
    let values = printables(args);
    match values.split_first() {
        Some((GoValue::Text(format), rest)) => text(gofmt::printf(format, rest)),
        _ => text(String::new()),
    }
}

/// No data is a function, so this only words the refusal.
fn call<'a>(args: Vec<Val<'a>>, callee: &str) -> Result<Val<'a>, String> {
    match args.into_iter().next().map(Val::unwrapped) {
        Some(Val::Plain(value)) => Err(format!("non-function {callee} of type {}", value.type_name())),
        _ => Err("call of nil".to_owned()),
    }
}

fn base64_decode<'a>(args: Vec<Val<'a>>) -> Result<Val<'a>, String> {
    let Some(Val::Plain(GoValue::Text(encoded))) = args.into_iter().next() else { return Ok(Val::Invalid) };
    // Line breaks are skipped, as Go does.
    let plain: String = encoded.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    match base64::engine::general_purpose::STANDARD.decode(&plain) {
        Ok(bytes) => Ok(text(String::from_utf8_lossy(&bytes).into_owned())),
        Err(_) => {
            let position = corrupt_position(encoded.as_bytes());
            Err(format!("base64 decode failed: illegal base64 data at input byte {position}"))
        }
    }
}

/// Where Go's decoder finds the input corrupt.
fn corrupt_position(input: &[u8]) -> usize {
    let is_digit = |b: u8| b.is_ascii_alphanumeric() || b == b'+' || b == b'/';
    let skip = |b: u8| b == b'\n' || b == b'\r';
    let (mut at, mut filled) = (0, 0);
    while let Some(&b) = input.get(at) {
        at += 1;
        if skip(b) {
            continue;
        }
        if is_digit(b) {
            filled = (filled + 1) % 4;
            continue;
        }
        if b != b'=' || filled < 2 {
            return at - 1;
        }
        if filled == 2 {
            while input.get(at).is_some_and(|b| skip(*b)) {
                at += 1;
            }
            match input.get(at) {
                None => return input.len(),
                Some(b'=') => at += 1,
                Some(_) => return at - 1,
            }
        }
        while input.get(at).is_some_and(|b| skip(*b)) {
            at += 1;
        }
        return at;
    }
    // The last quantum is incomplete.
    at - filled
}

/// The number of a list index.
fn index_number(index: Val<'_>, limit: usize) -> Result<usize, String> {
    let number = match index.unwrapped() {
        Val::Plain(GoValue::Int(n) | GoValue::Int64(n)) => n,
        Val::Plain(GoValue::Byte(n)) => i64::from(n),
        Val::Plain(other) => return Err(format!("cannot index slice/array with type {}", other.type_name())),
        _ => return Err("cannot index slice/array with nil".to_owned()),
    };
    match usize::try_from(number) {
        Ok(n) if n <= limit => Ok(n),
        _ => Err(format!("index out of range: {number}")),
    }
}

fn index(args: Vec<Val<'_>>) -> Result<Val<'_>, String> {
    let mut args = args.into_iter();
    let mut item = args.next().map_or(Val::Invalid, Val::unwrapped);
    if matches!(item, Val::Invalid) {
        return Err("index of untyped nil".to_owned());
    }
    for index in args {
        item = match item.unwrapped() {
            Val::Plain(GoValue::List(items)) => match items.get(index_number(index, items.len())?) {
                Some(item) => Val::of(item),
                None => return Err("reflect: slice index out of range".to_owned()),
            },
            Val::Plain(GoValue::Text(text)) => match text.as_bytes().get(index_number(index, text.len())?) {
                Some(byte) => Val::Plain(GoValue::Byte(*byte)),
                None => return Err("reflect: string index out of range".to_owned()),
            },
            Val::Plain(GoValue::Map(map)) => match index.unwrapped() {
                Val::Plain(GoValue::Text(key)) => map.get(key.as_ref()).map_or(Val::Interface(GoValue::Nil), Val::of),
                Val::Plain(other) => return Err(format!("value has type {}; should be string", other.type_name())),
                _ => return Err("value is nil; should be of type string".to_owned()),
            },
            Val::Plain(other) => return Err(format!("can't index item of type {}", other.type_name())),
            _ => return Err("index of nil pointer".to_owned()),
        };
    }
    Ok(item)
}

/// kubectl's `exists`: whether `index` would find something that is not null.
fn exists_in(args: Vec<Val<'_>>) -> bool {
    let mut args = args.into_iter();
    let mut item = args.next().map_or(Val::Invalid, Val::unwrapped);
    for index in args {
        item = match (item.unwrapped(), index.unwrapped()) {
            (Val::Plain(GoValue::Map(map)), Val::Plain(GoValue::Text(key))) => {
                map.get(key.as_ref()).map_or(Val::Interface(GoValue::Nil), Val::of)
            }
            (Val::Plain(GoValue::Map(map)), Val::Invalid) => map.get("").map_or(Val::Interface(GoValue::Nil), Val::of),
            (Val::Plain(GoValue::List(items)), Val::Plain(GoValue::Int(n) | GoValue::Int64(n))) => {
                match usize::try_from(n).ok().and_then(|n| items.get(n)) {
                    Some(item) => Val::of(item),
                    None => return false,
                }
            }
            (Val::Plain(GoValue::Text(text)), Val::Plain(GoValue::Int(n) | GoValue::Int64(n))) => {
                match usize::try_from(n).ok().and_then(|n| text.as_bytes().get(n).copied()) {
                    Some(byte) => Val::Plain(GoValue::Byte(byte)),
                    None => return false,
                }
            }
            _ => return false,
        };
    }
    !matches!(item, Val::Interface(GoValue::Nil))
}

fn length(args: Vec<Val<'_>>) -> Result<Val<'_>, String> {
    let length = match args.first().and_then(Val::as_go) {
        Some(GoValue::List(items)) => items.len(),
        Some(GoValue::Map(map)) => map.len(),
        Some(GoValue::Text(text)) => text.len(),
        Some(GoValue::Nil) => return Err("len of nil pointer".to_owned()),
        Some(other) => return Err(format!("len of type {}", other.type_name())),
        None => return Err("reflect: call of reflect.Value.Type on zero Value".to_owned()),
    };
    Ok(Val::Plain(GoValue::Int(length as i64)))
}

fn slice(args: Vec<Val<'_>>) -> Result<Val<'_>, String> {
    let mut args = args.into_iter();
    let item = match args.next().map(Val::unwrapped) {
        Some(Val::Plain(item)) => item,
        _ => return Err("slice of untyped nil".to_owned()),
    };
    let indexes: Vec<Val<'_>> = args.collect();
    if indexes.len() > 3 {
        return Err(format!("too many slice indexes: {}", indexes.len()));
    }
    let length = match &item {
        GoValue::Text(_) if indexes.len() == 3 => return Err("cannot 3-index slice a string".to_owned()),
        GoValue::Text(text) => text.len(),
        GoValue::List(items) => items.len(),
        other => return Err(format!("can't slice item of type {}", other.type_name())),
    };
    let mut bounds = [0, length, length];
    for (bound, index) in bounds.iter_mut().zip(indexes) {
        *bound = index_number(index, length)?;
    }
    let [from, to, capacity] = bounds;
    if from > to {
        return Err(format!("invalid slice index: {from} > {to}"));
    }
    if to > capacity {
        return Err(format!("invalid slice index: {to} > {capacity}"));
    }
    Ok(Val::Plain(match item {
        GoValue::List(items) => GoValue::List(items.get(from..to).unwrap_or_default()),
        GoValue::Text(text) => {
            let bytes = text.as_bytes().get(from..to).unwrap_or_default();
            GoValue::Text(Cow::Owned(String::from_utf8_lossy(bytes).into_owned()))
        }
        other => other,
    }))
}

/// How two values of Go's basic kinds relate; `None` when their kinds do not fit.
fn order(left: &GoValue<'_>, right: &GoValue<'_>) -> Option<Option<Ordering>> {
    let int = |value: &GoValue<'_>| match value {
        GoValue::Int(n) | GoValue::Int64(n) => Some(*n),
        GoValue::Byte(n) => Some(i64::from(*n)),
        _ => None,
    };
    match (left, right) {
        (GoValue::Bool(a), GoValue::Bool(b)) => Some(Some(a.cmp(b))),
        (GoValue::Float(a), GoValue::Float(b)) => Some(a.partial_cmp(b)),
        (GoValue::Text(a), GoValue::Text(b)) => Some(Some(a.cmp(b))),
        (a, b) => Some(Some(int(a)?.cmp(&int(b)?))),
    }
}

fn is_basic(value: &GoValue<'_>) -> bool {
    !matches!(value, GoValue::Nil | GoValue::List(_) | GoValue::Map(_))
}

fn equal(args: &[Val<'_>]) -> Result<bool, String> {
    let Some((first, others)) = args.split_first() else { return Ok(false) };
    if others.is_empty() {
        return Err("missing argument for comparison".to_owned());
    }
    for other in others {
        if equal_pair(&first.clone().unwrapped(), &other.clone().unwrapped())? {
            return Ok(true);
        }
    }
    Ok(false)
}

fn equal_pair(left: &Val<'_>, right: &Val<'_>) -> Result<bool, String> {
    let (left, right) = match (left.as_go(), right.as_go()) {
        (None, None) => return Ok(true),
        // Lists and maps from JSON are never nil, and basic values neither.
        (None, _) | (_, None) => return Ok(false),
        (Some(left), Some(right)) => (left, right),
    };
    if let Some(order) = order(left, right) {
        return Ok(order == Some(Ordering::Equal));
    }
    let (left_type, right_type) = (left.type_name(), right.type_name());
    if is_basic(left) || is_basic(right) {
        return Err(format!("incompatible types for comparison: {left_type} and {right_type}"));
    }
    let (left_text, right_text) = (as_text(left), gofmt::printf("%v", std::slice::from_ref(right)));
    if left_type != right_type {
        return Err(format!("non-comparable types {left_text}: {left_type}, {right_type}: {right_text}"));
    }
    Err(format!("non-comparable type {}: {right_type}", as_text(right)))
}

fn as_text(value: &GoValue<'_>) -> String {
    gofmt::printf("%s", std::slice::from_ref(value))
}

/// Both arguments of a comparison by order.
fn ordered(args: &[Val<'_>]) -> Result<Option<Ordering>, String> {
    let invalid = || "invalid type for comparison".to_owned();
    let [left, right] = args else { return Err(invalid()) };
    let (left, right) = (left.clone().unwrapped(), right.clone().unwrapped());
    let basic = |value: &Val<'_>| value.as_go().is_some_and(is_basic);
    if !basic(&left) || !basic(&right) {
        return Err(invalid());
    }
    let pair = left.as_go().zip(right.as_go());
    match pair.and_then(|(left, right)| order(left, right)) {
        Some(_) if matches!(left.as_go(), Some(GoValue::Bool(_))) => Err(invalid()),
        Some(order) => Ok(order),
        None => Err("incompatible types for comparison".to_owned()),
    }
}

fn less(args: &[Val<'_>]) -> Result<bool, String> {
    Ok(ordered(args)? == Some(Ordering::Less))
}

fn less_or_equal(args: &[Val<'_>]) -> Result<bool, String> {
    Ok(matches!(ordered(args)?, Some(Ordering::Less | Ordering::Equal)))
}

fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\0' => out.push('\u{fffd}'),
            '"' => out.push_str("&#34;"),
            '\'' => out.push_str("&#39;"),
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
    }
    out
}

fn escape_js(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\'' => out.push_str("\\'"),
            '"' => out.push_str("\\\""),
            '<' | '>' | '&' | '=' => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c if c.is_control() || (!c.is_ascii() && c.is_whitespace()) => {
                let _ = write!(out, "\\u{:04X}", c as u32);
            }
            c => out.push(c),
        }
    }
    out
}

fn escape_query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for b in text.bytes() {
        match b {
            b' ' => out.push('+'),
            b if b.is_ascii_alphanumeric() || b"-_.~".contains(&b) => out.push(char::from(b)),
            b => {
                let _ = write!(out, "%{b:02X}");
            }
        }
    }
    out
}
