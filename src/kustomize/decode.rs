//! Values held against declared types, with the words of Go's `encoding/json`: fields match in any case of letters,
//! and the first fault in the order of keys is told.

use super::Error;
use crate::object::{Map, Value, json};

/// What a field may hold.
#[derive(Debug)]
pub(super) enum Type {
    Text,
    Flag,
    /// A whole number; Go's name of the type.
    Whole(&'static str),
    Any,
    TextMap,
    AnyMap,
    List(&'static Type),
    Struct(&'static Struct),
    /// A text with a name of its own.
    Named(&'static str),
}

/// A struct with its fields by name.
#[derive(Debug)]
pub(super) struct Struct {
    pub name: &'static str,
    /// Package of the type, as messages name it.
    pub package: &'static str,
    pub fields: &'static [(&'static str, Type)],
    /// Fields of structs that are embedded.
    pub embedded: &'static [&'static Struct],
}

impl Struct {
    fn field(&'static self, key: &str) -> Option<&'static (&'static str, Type)> {
        self.find(&|name| name == key).or_else(|| self.find(&|name| name.eq_ignore_ascii_case(key)))
    }

    fn find(&'static self, is: &dyn Fn(&str) -> bool) -> Option<&'static (&'static str, Type)> {
        let own = self.fields.iter().find(|(name, _)| is(name));
        own.or_else(|| self.embedded.iter().find_map(|inner| inner.find(is)))
    }
}

impl Type {
    fn go_name(&self) -> String {
        match self {
            Self::Text => "string".into(),
            Self::Flag => "bool".into(),
            Self::Whole(name) | Self::Named(name) => (*name).into(),
            Self::Any => "interface {}".into(),
            Self::TextMap => "map[string]string".into(),
            Self::AnyMap => "map[string]interface {}".into(),
            Self::List(item) => format!("[]{}", item.go_name()),
            Self::Struct(of) => format!("{}.{}", of.package, of.name),
        }
    }
}

struct Decoder {
    strict: bool,
    fault: Option<String>,
    path: Vec<&'static str>,
    owner: &'static str,
}

/// The value with its fields under their declared names and without nulls.
///
/// # Errors
/// A field is unknown or holds what it must not.
pub(super) fn checked(value: Value, of: &'static Struct) -> Result<Value, Error> {
    decode(value, of, true)
}

/// The same, for callers who do not mind unknown fields; those are left out.
///
/// # Errors
/// A field holds what it must not.
pub(super) fn lenient(value: Value, of: &'static Struct) -> Result<Value, Error> {
    decode(value, of, false)
}

fn decode(value: Value, of: &'static Struct, strict: bool) -> Result<Value, Error> {
    let mut decoder = Decoder { strict, fault: None, path: Vec::new(), owner: "" };
    let decoded = decoder.structure(value, of);
    match decoder.fault {
        Some(fault) => Err(Error::Fact(fault)),
        None => Ok(decoded.unwrap_or_else(|| Value::Object(Map::new()))),
    }
}

impl Decoder {
    fn fail(&mut self, found: &str, wanted: &str) {
        let place = match self.owner {
            "" => format!("Go value of type {wanted}"),
            owner => format!("Go struct field {owner}.{} of type {wanted}", self.path.join(".")),
        };
        self.fault.get_or_insert_with(|| format!("json: cannot unmarshal {found} into {place}"));
    }

    fn structure(&mut self, value: Value, of: &'static Struct) -> Option<Value> {
        let map = match value {
            Value::Object(map) => map,
            Value::Null => return None,
            other => {
                self.fail(json::type_name(&other), &format!("{}.{}", of.package, of.name));
                return None;
            }
        };
        let mut out = Map::new();
        let outer = self.owner;
        for (key, value) in map {
            let Some((name, kind)) = of.field(&key) else {
                if self.strict {
                    self.fault.get_or_insert_with(|| format!("json: unknown field {}", go_quoted(&key)));
                }
                continue;
            };
            self.owner = of.name;
            self.path.push(name);
            if let Some(value) = self.value(value, kind) {
                out.insert((*name).to_owned(), value);
            }
            self.path.pop();
            self.owner = outer;
        }
        Some(Value::Object(out))
    }

    fn value(&mut self, value: Value, kind: &'static Type) -> Option<Value> {
        let fits = match (kind, &value) {
            (_, Value::Null) => return None,
            (Type::Struct(of), _) => return self.structure(value, of),
            (Type::List(item), Value::Array(_)) => return self.list(value, item),
            (Type::TextMap, Value::Object(_)) => return self.text_map(value),
            (Type::Text | Type::Named(_), Value::String(_))
            | (Type::Flag, Value::Bool(_))
            | (Type::Any, _)
            | (Type::AnyMap, Value::Object(_)) => true,
            (Type::Whole(_), Value::Number(number)) if number.is_i64() => true,
            (Type::Whole(name), Value::Number(number)) => {
                self.fail(&format!("number {}", crate::object::json::number_text(number)), name);
                return None;
            }
            _ => false,
        };
        if fits {
            return Some(value);
        }
        self.fail(json::type_name(&value), &kind.go_name());
        None
    }

    fn list(&mut self, value: Value, item: &'static Type) -> Option<Value> {
        let Value::Array(items) = value else { return None };
        let zero = || match item {
            Type::Struct(_) | Type::TextMap | Type::AnyMap => Value::Object(Map::new()),
            _ => Value::String(String::new()),
        };
        Some(Value::Array(items.into_iter().map(|value| self.value(value, item).unwrap_or_else(zero)).collect()))
    }

    fn text_map(&mut self, value: Value) -> Option<Value> {
        let Value::Object(map) = value else { return None };
        let mut out = Map::new();
        for (key, value) in map {
            match value {
                Value::Null => {
                    out.insert(key, Value::String(String::new()));
                }
                Value::String(text) => {
                    out.insert(key, Value::String(text));
                }
                other => self.fail(json::type_name(&other), "string"),
            }
        }
        Some(Value::Object(out))
    }
}

/// A text as Go's `%q` prints it.
pub(super) fn go_quoted(text: &str) -> String {
    let mut out = String::from("\"");
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if c.is_control() => out.push_str(&format!("\\x{:02x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}
