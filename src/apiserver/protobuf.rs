//! Reads bodies of `application/vnd.kubernetes.protobuf`, which kubectl's typed commands and many clients send.
//!
//! Field numbers and types are data (`data/protobuf.txt`, one message per line: `name:type:number`, with `*` for repeated
//! fields and `%` for maps; `s` text, `b` boolean, `i` integer, `d` double, `B` bytes, else another message). A body
//! becomes the JSON that the same object has, and goes on as JSON does. Answers are JSON; clients that send protobuf
//! accept that too.

use std::collections::HashMap;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, SecondsFormat};

use crate::kinds::Schemas;
use crate::object::duration::GoDuration;
use crate::object::{GroupVersion, Map, Value, meta};

/// What every body begins with, before the `runtime.Unknown` around the object.
const MAGIC: &[u8] = b"k8s\0";

/// How deep messages may stand in one another.
const DEPTH: usize = 64;

/// Why a body cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProtobufError {
    /// It does not begin as every body does.
    #[error("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")]
    Prefix,
    /// It ends in the middle of something, or says something impossible.
    #[error("unexpected EOF")]
    Malformed,
    /// It is of a kind without a known form.
    #[error("no kind {0:?} is registered for protobuf")]
    Kind(String),
    /// Messages stand too deep in one another.
    #[error("exceeded max depth of {DEPTH}")]
    Depth,
}

type Result<T> = std::result::Result<T, ProtobufError>;

/// A field of a message.
struct Field {
    name: &'static str,
    kind: Kind,
    shape: Shape,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Bool,
    Integer,
    Double,
    Bytes,
    Message(&'static str),
}

#[derive(Clone, Copy, PartialEq)]
enum Shape {
    Single,
    Repeated,
    Map,
}

type Fields = HashMap<u64, Field>;

fn messages() -> &'static HashMap<&'static str, Fields> {
    static MESSAGES: OnceLock<HashMap<&'static str, Fields>> = OnceLock::new();
    MESSAGES.get_or_init(|| include_str!("data/protobuf.txt").lines().filter_map(message_line).collect())
}

fn message_line(line: &'static str) -> Option<(&'static str, Fields)> {
    let mut words = line.split(' ');
    let name = words.next()?;
    Some((name, words.filter_map(field_word).collect()))
}

fn field_word(word: &'static str) -> Option<(u64, Field)> {
    let mut parts = word.split(':');
    let (name, type_, number) = (parts.next()?, parts.next()?, parts.next()?.parse().ok()?);
    let (shape, type_) = match type_.split_at_checked(1)? {
        ("*", rest) => (Shape::Repeated, rest),
        ("%", rest) => (Shape::Map, rest),
        _ => (Shape::Single, type_),
    };
    let kind = match type_ {
        "s" => Kind::Text,
        "b" => Kind::Bool,
        "i" => Kind::Integer,
        "d" => Kind::Double,
        "B" => Kind::Bytes,
        message => Kind::Message(message),
    };
    Some((number, Field { name, kind, shape }))
}

/// One value on the wire.
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(&'a [u8]),
}

/// Reads fields one after another.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    fn varint(&mut self) -> Result<u64> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let (byte, rest) = self.rest.split_first().ok_or(ProtobufError::Malformed)?;
            self.rest = rest;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(ProtobufError::Malformed)
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self.rest.split_at_checked(count).ok_or(ProtobufError::Malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    /// The next field's number and value; `None` at the end.
    fn next(&mut self) -> Result<Option<(u64, Wire<'a>)>> {
        if self.rest.is_empty() {
            return Ok(None);
        }
        let tag = self.varint()?;
        let value = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => {
                let bytes = self.take(8)?.try_into().map_err(|_| ProtobufError::Malformed)?;
                Wire::Fixed64(u64::from_le_bytes(bytes))
            }
            2 => {
                let length = usize::try_from(self.varint()?).map_err(|_| ProtobufError::Malformed)?;
                Wire::Bytes(self.take(length)?)
            }
            5 => {
                self.take(4)?;
                Wire::Fixed32
            }
            _ => return Err(ProtobufError::Malformed),
        };
        Ok(Some((tag >> 3, value)))
    }
}

/// Reads a body: the object as JSON, with the kind and version that the envelope names.
///
/// # Errors
/// [`ProtobufError`].
pub fn decode(body: &[u8]) -> Result<Value> {
    let envelope = body.strip_prefix(MAGIC).ok_or(ProtobufError::Prefix)?;
    let unknown = message("runtime.Unknown", envelope, 0)?;
    let (api_version, kind) =
        (meta::str_at(&unknown, &["typeMeta", "apiVersion"]), meta::str_at(&unknown, &["typeMeta", "kind"]));
    let raw = STANDARD.decode(meta::str_at(&unknown, &["raw"])).unwrap_or_default();
    let mut object = message(name_of(api_version, kind)?, &raw, 0)?;
    if let Value::Object(map) = &mut object {
        map.insert("apiVersion".into(), api_version.into());
        map.insert("kind".into(), kind.into());
    }
    Ok(object)
}

/// The message of a kind: that of its group's package, else one that all groups share (`DeleteOptions`).
fn name_of(api_version: &str, kind: &str) -> Result<&'static str> {
    let gv = GroupVersion::parse(api_version).unwrap_or_default();
    let package = match gv.group.split('.').next() {
        None | Some("") => "core",
        Some(first) => first,
    };
    let own = format!("{package}.{}.{kind}", gv.version);
    let shared = format!("meta.v1.{kind}");
    let found = messages().get_key_value(own.as_str()).or_else(|| messages().get_key_value(shared.as_str()));
    found.map(|(name, _)| *name).ok_or_else(|| ProtobufError::Kind(kind.to_owned()))
}

/// The JSON form of a message.
fn message(name: &'static str, bytes: &[u8], depth: usize) -> Result<Value> {
    if depth > DEPTH {
        return Err(ProtobufError::Depth);
    }
    let mut map = Map::new();
    let Some(fields) = messages().get(name) else { return Ok(Value::Object(map)) };
    let mut reader = Reader { rest: bytes };
    while let Some((number, wire)) = reader.next()? {
        // A field of a newer version.
        let Some(field) = fields.get(&number) else { continue };
        match field.shape {
            Shape::Map => {
                let Wire::Bytes(entry) = wire else { return Err(ProtobufError::Malformed) };
                let (key, value) = map_entry(field.kind, entry, depth)?;
                match map.entry(field.name).or_insert_with(|| Value::Object(Map::new())) {
                    Value::Object(entries) => drop(entries.insert(key, value)),
                    _ => return Err(ProtobufError::Malformed),
                }
            }
            Shape::Repeated => {
                let value = scalar(field.kind, wire, depth)?;
                match map.entry(field.name).or_insert_with(|| Value::Array(Vec::new())) {
                    Value::Array(items) => items.push(value),
                    _ => return Err(ProtobufError::Malformed),
                }
            }
            Shape::Single => {
                let value = scalar(field.kind, wire, depth)?;
                match value {
                    // Go embeds such structs, so JSON has their fields in place.
                    Value::Object(inner) if is_embedded(name, field) => map.extend(inner),
                    value => drop(map.insert(field.name.into(), value)),
                }
            }
        }
    }
    Ok(special(name, map))
}

/// Whether JSON has the fields of a message in place of the field: its schema does not know the field by name.
fn is_embedded(message: &str, field: &Field) -> bool {
    let definition = match message.strip_prefix("meta.") {
        Some(rest) => format!("io.k8s.apimachinery.pkg.apis.meta.{rest}"),
        None => format!("io.k8s.api.{message}"),
    };
    let schema = Schemas::builtin().definition(&definition);
    schema.is_some_and(|schema| !schema.schema().properties.is_empty() && schema.declared(field.name).is_none())
}

fn map_entry(kind: Kind, entry: &[u8], depth: usize) -> Result<(String, Value)> {
    let (mut key, mut value) = (String::new(), None);
    let mut reader = Reader { rest: entry };
    while let Some((number, wire)) = reader.next()? {
        match (number, wire) {
            (1, Wire::Bytes(text)) => key = String::from_utf8_lossy(text).into_owned(),
            (2, wire) => value = Some(scalar(kind, wire, depth)?),
            _ => {}
        }
    }
    let empty = || match kind {
        Kind::Message(_) => Value::Object(Map::new()),
        _ => Value::String(String::new()),
    };
    Ok((key, value.unwrap_or_else(empty)))
}

fn scalar(kind: Kind, wire: Wire<'_>, depth: usize) -> Result<Value> {
    match (kind, wire) {
        (Kind::Text, Wire::Bytes(bytes)) => Ok(String::from_utf8_lossy(bytes).into_owned().into()),
        (Kind::Bytes, Wire::Bytes(bytes)) => Ok(STANDARD.encode(bytes).into()),
        (Kind::Bool, Wire::Varint(value)) => Ok((value != 0).into()),
        // Negative numbers are sign-extended to 64 bits.
        (Kind::Integer, Wire::Varint(value)) => Ok(value.cast_signed().into()),
        (Kind::Double, Wire::Fixed64(bits)) => Ok(f64::from_bits(bits).into()),
        (Kind::Message(name), Wire::Bytes(bytes)) => message(name, bytes, depth + 1),
        _ => Err(ProtobufError::Malformed),
    }
}

/// Messages whose JSON is not a map of their fields.
fn special(name: &str, map: Map<String, Value>) -> Value {
    let number = |field: &str| map.get(field).and_then(Value::as_i64).unwrap_or_default();
    let text = |field: &str| map.get(field).and_then(Value::as_str).unwrap_or_default().to_owned();
    match name {
        "api.resource.Quantity" => text("string").into(),
        "util.intstr.IntOrString" if number("type") == 1 => text("strVal").into(),
        "util.intstr.IntOrString" => number("intVal").into(),
        "meta.v1.Time" => time(&map, number("seconds"), 0, SecondsFormat::Secs),
        "meta.v1.MicroTime" => time(&map, number("seconds"), number("nanos"), SecondsFormat::Micros),
        "meta.v1.Duration" => GoDuration(number("duration")).to_string().into(),
        "runtime.RawExtension" => embedded_json(&text("raw")),
        "meta.v1.FieldsV1" => embedded_json(&text("Raw")),
        // Go has these as lists.
        _ if name.ends_with(".ExtraValue") || name.ends_with(".Verbs") => {
            map.get("items").cloned().unwrap_or_else(|| Value::Array(Vec::new()))
        }
        _ => Value::Object(map),
    }
}

/// A time; an empty message is Go's zero time, which JSON has as null.
fn time(map: &Map<String, Value>, seconds: i64, nanos: i64, precision: SecondsFormat) -> Value {
    if map.is_empty() {
        return Value::Null;
    }
    let nanos = u32::try_from(nanos).unwrap_or_default();
    DateTime::from_timestamp(seconds, nanos).map_or(Value::Null, |time| time.to_rfc3339_opts(precision, true).into())
}

/// JSON that stands in a message as bytes.
fn embedded_json(base64: &str) -> Value {
    STANDARD.decode(base64).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        let mut out = vec![number << 3 | 2, u8::try_from(bytes.len()).expect("short")];
        out.extend_from_slice(bytes);
        out
    }

    fn body(api_version: &str, kind: &str, raw: &[u8]) -> Vec<u8> {
        let type_meta = [field(1, api_version.as_bytes()), field(2, kind.as_bytes())].concat();
        [MAGIC.to_vec(), field(1, &type_meta), field(2, raw)].concat()
    }

    #[test]
    fn names_of_fields_are_those_of_json() {
        let words = include_str!("data/protobuf.txt").lines().flat_map(|line| line.split(' ').skip(1));
        let go_names: Vec<&str> =
            words.filter(|word| word.chars().take(2).any(|letter| letter.is_ascii_uppercase())).collect();
        // `DaemonEndpoint.Port` has that name in JSON, too; raw extensions are taken apart.
        assert_eq!(go_names, ["Port:i:1", "Raw:B:1"]);
    }

    #[test]
    fn objects_become_their_json() {
        let metadata = [field(1, b"web"), field(8, &[])].concat();
        let entry = [field(1, b"a"), field(2, b"b")].concat();
        let raw = [field(1, &metadata), field(2, &entry)].concat();
        let expected = json!({"apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "web", "creationTimestamp": null}, "data": {"a": "b"}});
        assert_eq!(decode(&body("v1", "ConfigMap", &raw)), Ok(expected));
    }

    #[test]
    fn embedded_structs_and_unions_stand_in_place() {
        let port = [vec![8, 1], field(3, b"http")].concat();
        let get = field(2, &port);
        let probe = [field(1, &field(2, &get)), vec![2 << 3, 5]].concat();
        let container = [field(1, b"c"), field(11, &probe)].concat();
        let raw = field(2, &field(2, &container));
        let pod = decode(&body("v1", "Pod", &raw)).expect("a pod");
        assert_eq!(
            pod["spec"]["containers"][0],
            json!({"name": "c", "readinessProbe": {"httpGet": {"port": "http"}, "initialDelaySeconds": 5}})
        );
    }

    #[test]
    fn broken_bodies_are_refused() {
        assert_eq!(decode(b"{}"), Err(ProtobufError::Prefix));
        let whole = body("v1", "ConfigMap", &field(1, &field(1, b"web")));
        for length in 4..whole.len() {
            // Cut anywhere, it must be an error or an object, never a panic.
            let _ = decode(&whole[..length]);
        }
        assert!(matches!(decode(&body("v1", "Nope", b"")), Err(ProtobufError::Kind(_))));
    }
}
