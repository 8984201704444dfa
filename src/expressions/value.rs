//! Values while expressions run.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use chrono::{DateTime, FixedOffset};
use serde_json::json;

use super::authorizer::Authorization;
use crate::object::Value as Json;
use crate::object::duration;
use crate::object::quantity::Quantity;

/// How lists of a schema are compared and added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ListKind {
    /// As they stand.
    #[default]
    Plain,
    /// As a set: order does not count, and what is there is not added again.
    Set,
    /// As a map by these fields of the items.
    Keys(Arc<Vec<String>>),
}

/// A key of a map. Whole numbers are the same key however they are written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum Key {
    Bool(bool),
    Int(i128),
    String(Arc<str>),
}

/// A value of a library's type.
#[derive(Clone, Debug)]
pub enum Opaque {
    /// An address.
    Ip(IpAddr),
    /// A network: its address as written, and the length of its prefix.
    Cidr(IpAddr, u8),
    /// A URL, in its parts.
    Url(Arc<super::network::Url>),
    /// A quantity.
    Quantity(Quantity),
    /// A version.
    Semver(super::semver::Version),
    /// A named format.
    Format(&'static str),
    /// Something about what a user may do.
    Authorization(Arc<Authorization>),
}

/// A value.
#[derive(Clone, Debug)]
#[expect(missing_docs, reason = "the names are those of the language")]
pub enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Double(f64),
    String(Arc<str>),
    Bytes(Arc<[u8]>),
    List(Arc<Vec<Value>>, ListKind),
    Map(Arc<BTreeMap<Key, Value>>),
    /// A structure that the expression made: its name and fields.
    Made(Arc<str>, Arc<BTreeMap<String, Value>>),
    /// In nanoseconds.
    Duration(i64),
    Timestamp(DateTime<FixedOffset>),
    Optional(Option<Arc<Value>>),
    /// The name of a type.
    Type(Arc<str>),
    Opaque(Opaque),
}

impl Value {
    /// A text.
    pub fn text(text: impl AsRef<str>) -> Self {
        Self::String(Arc::from(text.as_ref()))
    }

    /// A list.
    pub fn list(items: Vec<Self>) -> Self {
        Self::List(Arc::new(items), ListKind::Plain)
    }

    /// An optional value.
    pub fn optional(value: Option<Self>) -> Self {
        Self::Optional(value.map(Arc::new))
    }

    /// A map of named values.
    pub fn named(entries: impl IntoIterator<Item = (String, Self)>) -> Self {
        Self::Map(Arc::new(entries.into_iter().map(|(name, value)| (Key::String(name.into()), value)).collect()))
    }

    /// A JSON value for expressions; whole numbers are integers.
    pub fn from_json(value: &Json) -> Self {
        match value {
            Json::Null => Self::Null,
            Json::Bool(flag) => Self::Bool(*flag),
            Json::Number(number) => match (number.as_i64(), number.as_u64()) {
                (Some(integer), _) => Self::Int(integer),
                (None, Some(integer)) => Self::Uint(integer),
                _ => Self::Double(number.as_f64().unwrap_or_default()),
            },
            Json::String(text) => Self::text(text),
            Json::Array(items) => Self::list(items.iter().map(Self::from_json).collect()),
            Json::Object(map) => Self::named(map.iter().map(|(name, value)| (name.clone(), Self::from_json(value)))),
        }
    }

    /// The value as JSON.
    ///
    /// # Errors
    ///
    /// When it has no form in JSON.
    pub fn to_json(&self) -> Result<Json, String> {
        Ok(match self {
            Self::Null => Json::Null,
            Self::Bool(flag) => json!(flag),
            Self::Int(number) => json!(number),
            Self::Uint(number) => json!(number),
            Self::Double(number) => json!(number),
            Self::String(text) => json!(**text),
            Self::Bytes(bytes) => json!(base64::engine::general_purpose::STANDARD.encode(bytes)),
            Self::List(items, _) => Json::Array(items.iter().map(Self::to_json).collect::<Result<_, _>>()?),
            Self::Map(map) => {
                let mut object = serde_json::Map::new();
                for (key, value) in map.iter() {
                    object.insert(key.text(), value.to_json()?);
                }
                Json::Object(object)
            }
            Self::Made(_, fields) => {
                let mut object = serde_json::Map::new();
                for (name, value) in fields.iter() {
                    object.insert(name.clone(), value.to_json()?);
                }
                Json::Object(object)
            }
            Self::Duration(nanos) => json!(duration::GoDuration(*nanos).to_string()),
            Self::Timestamp(time) => json!(timestamp_text(time)),
            Self::Optional(Some(value)) => value.to_json()?,
            Self::Optional(None) => Json::Null,
            Self::Opaque(Opaque::Quantity(quantity)) => json!(quantity.to_string()),
            Self::Opaque(Opaque::Ip(ip)) => json!(ip.to_string()),
            Self::Opaque(Opaque::Cidr(ip, bits)) => json!(format!("{ip}/{bits}")),
            other => return Err(format!("type conversion error from '{}' to JSON", other.type_name())),
        })
    }

    /// What the value's type is called.
    pub fn type_name(&self) -> &str {
        match self {
            Self::Null => "null_type",
            Self::Bool(_) => "bool",
            Self::Int(_) => "int",
            Self::Uint(_) => "uint",
            Self::Double(_) => "double",
            Self::String(_) => "string",
            Self::Bytes(_) => "bytes",
            Self::List(..) => "list",
            Self::Map(_) => "map",
            Self::Made(name, _) => name,
            Self::Duration(_) => "google.protobuf.Duration",
            Self::Timestamp(_) => "google.protobuf.Timestamp",
            Self::Optional(_) => "optional_type",
            Self::Type(_) => "type",
            Self::Opaque(opaque) => match opaque {
                Opaque::Ip(_) => "net.IP",
                Opaque::Cidr(..) => "net.CIDR",
                Opaque::Url(_) => "kubernetes.URL",
                Opaque::Quantity(_) => "kubernetes.Quantity",
                Opaque::Semver(_) => "kubernetes.Semver",
                Opaque::Format(_) => "kubernetes.NamedFormat",
                Opaque::Authorization(what) => what.type_name(),
            },
        }
    }

    /// How large the value is for what an operation on it costs.
    pub fn size(&self) -> u64 {
        match self {
            Self::String(text) => text.chars().count() as u64,
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::List(items, _) => items.len() as u64,
            Self::Map(map) => map.len() as u64,
            Self::Opaque(Opaque::Ip(ip) | Opaque::Cidr(ip, _)) => {
                if ip.is_ipv4() {
                    4
                } else {
                    16
                }
            }
            _ => 1,
        }
    }

    /// Whether the value is what its type starts with.
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Null => true,
            Self::Bool(flag) => !flag,
            Self::Int(number) | Self::Duration(number) => *number == 0,
            Self::Uint(number) => *number == 0,
            Self::Double(number) => *number == 0.0,
            Self::String(text) => text.is_empty(),
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::List(items, _) => items.is_empty(),
            Self::Map(map) => map.is_empty(),
            Self::Made(_, fields) => fields.is_empty(),
            Self::Optional(value) => value.is_none(),
            Self::Timestamp(_) | Self::Type(_) | Self::Opaque(_) => false,
        }
    }

    /// The value as a key of a map; `None` for what cannot be one.
    pub fn as_key(&self) -> Option<Key> {
        Some(match self {
            Self::Bool(flag) => Key::Bool(*flag),
            Self::Int(number) => Key::Int((*number).into()),
            Self::Uint(number) => Key::Int((*number).into()),
            #[expect(clippy::cast_possible_truncation, reason = "the number is whole")]
            Self::Double(number) if number.fract() == 0.0 => Key::Int(*number as i128),
            Self::String(text) => Key::String(text.clone()),
            _ => return None,
        })
    }

    /// The field of that name; `None` when there is none, or nothing that has fields.
    pub fn field(&self, name: &str) -> Option<Self> {
        match self {
            Self::Map(map) => map.get(&Key::String(name.into())).cloned(),
            Self::Made(_, fields) => fields.get(name).cloned(),
            _ => None,
        }
    }

    /// Whether two values are the same; numbers are compared across their types.
    pub fn equals(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Null, Self::Null) => true,
            (Self::Bool(a), Self::Bool(b)) => a == b,
            (Self::String(a), Self::String(b)) | (Self::Type(a), Self::Type(b)) => a == b,
            (Self::Bytes(a), Self::Bytes(b)) => a == b,
            (Self::List(a, kind), Self::List(b, _)) => lists_equal(a, b, kind),
            (Self::Map(a), Self::Map(b)) => {
                a.len() == b.len() && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| value.equals(other)))
            }
            (Self::Made(name_a, a), Self::Made(name_b, b)) => {
                let same = |(name, value): (&String, &Self)| b.get(name).is_some_and(|other| value.equals(other));
                name_a == name_b && a.len() == b.len() && a.iter().all(same)
            }
            (Self::Duration(a), Self::Duration(b)) => a == b,
            (Self::Timestamp(a), Self::Timestamp(b)) => a == b,
            (Self::Optional(a), Self::Optional(b)) => match (a, b) {
                (Some(a), Some(b)) => a.equals(b),
                (None, None) => true,
                _ => false,
            },
            (Self::Opaque(a), Self::Opaque(b)) => match (a, b) {
                (Opaque::Ip(a), Opaque::Ip(b)) => a == b,
                (Opaque::Cidr(a, x), Opaque::Cidr(b, y)) => a == b && x == y,
                (Opaque::Url(a), Opaque::Url(b)) => a == b,
                (Opaque::Quantity(a), Opaque::Quantity(b)) => a == b,
                (Opaque::Semver(a), Opaque::Semver(b)) => a == b,
                (Opaque::Format(a), Opaque::Format(b)) => a == b,
                (Opaque::Authorization(a), Opaque::Authorization(b)) => Arc::ptr_eq(a, b),
                _ => false,
            },
            _ => self.number_order(other) == Some(Ordering::Equal),
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "numbers of different types are compared as the language has it")]
    fn number_order(&self, other: &Self) -> Option<Ordering> {
        let whole = |value: &Self| match value {
            Self::Int(number) => Some(i128::from(*number)),
            Self::Uint(number) => Some(i128::from(*number)),
            _ => None,
        };
        let real = |value: &Self| match value {
            Self::Double(number) => Some(*number),
            other => whole(other).map(|number| number as f64),
        };
        match (whole(self), whole(other)) {
            (Some(a), Some(b)) => Some(a.cmp(&b)),
            _ => real(self)?.partial_cmp(&real(other)?),
        }
    }

    /// How two values are ordered; `None` when their types have no order.
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Bool(a), Self::Bool(b)) => Some(a.cmp(b)),
            (Self::String(a), Self::String(b)) => Some(a.cmp(b)),
            (Self::Bytes(a), Self::Bytes(b)) => Some(a.cmp(b)),
            (Self::Duration(a), Self::Duration(b)) => Some(a.cmp(b)),
            (Self::Timestamp(a), Self::Timestamp(b)) => Some(a.cmp(b)),
            _ => self.number_order(other),
        }
    }
}

impl Key {
    /// The key as a value.
    pub fn value(&self) -> Value {
        match self {
            Self::Bool(flag) => Value::Bool(*flag),
            Self::Int(number) => match i64::try_from(*number) {
                Ok(number) => Value::Int(number),
                Err(_) => Value::Uint(u64::try_from(*number).unwrap_or_default()),
            },
            Self::String(text) => Value::String(text.clone()),
        }
    }

    /// The key as messages and JSON show it.
    pub fn text(&self) -> String {
        match self {
            Self::Bool(flag) => flag.to_string(),
            Self::Int(number) => number.to_string(),
            Self::String(text) => text.to_string(),
        }
    }
}

/// A point in time as texts show it.
pub fn timestamp_text(time: &DateTime<FixedOffset>) -> String {
    time.to_utc().to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

fn contains(items: &[Value], item: &Value) -> bool {
    items.iter().any(|other| other.equals(item))
}

fn lists_equal(a: &[Value], b: &[Value], kind: &ListKind) -> bool {
    if a.len() != b.len() {
        return false;
    }
    match kind {
        ListKind::Plain => a.iter().zip(b).all(|(a, b)| a.equals(b)),
        ListKind::Set | ListKind::Keys(_) => {
            a.iter().all(|item| contains(b, item)) && b.iter().all(|item| contains(a, item))
        }
    }
}

fn same_keys(a: &Value, b: &Value, keys: &[String]) -> bool {
    keys.iter().all(|key| match (a.field(key), b.field(key)) {
        (Some(a), Some(b)) => a.equals(&b),
        (None, None) => true,
        _ => false,
    })
}

/// One list after the other, as the kind of the first one has it.
pub fn added(a: &[Value], b: &[Value], kind: &ListKind) -> Vec<Value> {
    let mut all = a.to_vec();
    for item in b {
        match kind {
            ListKind::Plain => all.push(item.clone()),
            ListKind::Set if contains(&all, item) => {}
            ListKind::Set => all.push(item.clone()),
            ListKind::Keys(keys) => match all.iter_mut().find(|other| same_keys(other, item, keys)) {
                Some(same) => *same = item.clone(),
                None => all.push(item.clone()),
            },
        }
    }
    all
}
