//! The paths of a document in protobuf (`openapi.v3.Document`), for clients that look up which parameters an operation
//! takes. Schemas are served as JSON only.

use crate::object::{Map, Value, json as go_json, meta};

/// Writes the fields of one message.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.0.push((number & 0x7f) as u8 | 0x80);
            number >>= 7;
        }
        self.0.push(number as u8);
    }

    fn bytes(&mut self, field: u64, bytes: &[u8]) {
        const LENGTH_DELIMITED: u64 = 2;
        self.varint(field << 3 | LENGTH_DELIMITED);
        self.varint(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn text(&mut self, field: u64, text: &str) {
        if !text.is_empty() {
            self.bytes(field, text.as_bytes());
        }
    }

    fn flag(&mut self, field: u64, set: bool) {
        if set {
            self.varint(field << 3);
            self.varint(1);
        }
    }

    fn message(&mut self, field: u64, message: &Self) {
        self.bytes(field, &message.0);
    }
}

/// Operations of a path with their field numbers in `PathItem`.
const METHODS: [(&str, u64); 7] =
    [("get", 4), ("put", 5), ("post", 6), ("delete", 7), ("options", 8), ("head", 9), ("patch", 10)];

/// The head of a document of version 2 (`openapi.v2.Document`).
///
/// kubectl reads it for kinds that no document of version 3 has, such as `List`, and leaves the fields of kinds that it
/// does not find in it to the server.
pub fn swagger(value: &Value) -> Vec<u8> {
    let mut document = Message::default();
    document.text(1, meta::str_at(value, &["swagger"]));
    let mut info = Message::default();
    info.text(1, meta::str_at(value, &["info", "title"]));
    info.text(2, meta::str_at(value, &["info", "version"]));
    document.message(2, &info);
    document.0
}

/// A document without its schemas.
pub fn document(value: &Value) -> Vec<u8> {
    let mut document = Message::default();
    document.text(1, meta::str_at(value, &["openapi"]));
    let mut info = Message::default();
    info.text(1, meta::str_at(value, &["info", "title"]));
    info.text(6, meta::str_at(value, &["info", "version"]));
    document.message(2, &info);
    let mut paths = Message::default();
    for (name, item) in meta::map_at(value, &["paths"]).into_iter().flatten() {
        let mut named = Message::default();
        named.text(1, name);
        named.message(2, &path_item(item));
        paths.message(1, &named);
    }
    document.message(4, &paths);
    document.0
}

fn path_item(item: &Value) -> Message {
    let mut message = Message::default();
    for (method, field) in METHODS {
        if let Some(operation) = item.get(method) {
            message.message(field, &self::operation(operation));
        }
    }
    parameters(&mut message, 13, item);
    message
}

fn operation(value: &Value) -> Message {
    let mut message = Message::default();
    for tag in meta::list_at(value, &["tags"]).iter().filter_map(Value::as_str) {
        message.text(1, tag);
    }
    message.text(5, meta::str_at(value, &["operationId"]));
    parameters(&mut message, 6, value);
    let empty = Map::new();
    let extensions = value.as_object().unwrap_or(&empty).iter().filter(|(name, _)| name.starts_with("x-"));
    for (name, extension) in extensions {
        let mut any = Message::default();
        // Flow style: JSON is YAML.
        any.text(2, &go_json::to_compact(extension));
        let mut named = Message::default();
        named.text(1, name);
        named.message(2, &any);
        message.message(13, &named);
    }
    message
}

fn parameters(message: &mut Message, field: u64, of: &Value) {
    for value in meta::list_at(of, &["parameters"]) {
        let mut parameter = Message::default();
        parameter.text(1, meta::str_at(value, &["name"]));
        parameter.text(2, meta::str_at(value, &["in"]));
        parameter.flag(4, meta::bool_at(value, &["required"]));
        let mut either = Message::default();
        either.message(1, &parameter);
        message.message(field, &either);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn a_document_is_written_in_field_order() {
        let bytes = super::document(&json!({"openapi": "3.0.0", "paths": {"/a": {"get": {"operationId": "x"}}}}));
        assert_eq!(bytes, b"\n\x053.0.0\x12\0\x22\x0d\n\x0b\n\x02/a\x12\x05\x22\x03\x2a\x01x");
    }
}
