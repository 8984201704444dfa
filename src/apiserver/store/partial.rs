//! Reading a part of a stored object: what nobody asked for is skipped, not built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::object::{Map, Value};

/// Which fields of an object are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// All but `metadata.managedFields`.
    Unmanaged,
    /// `metadata` alone, without `managedFields`.
    Metadata,
}

/// Reads these fields of `json`; text that is not a JSON object reads as an empty one.
pub(super) fn read(json: &[u8], fields: Fields) -> Value {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    Value::Object(Level::Object(fields).deserialize(&mut deserializer).unwrap_or_default())
}

/// The map that is being read.
#[derive(Clone, Copy)]
enum Level {
    Object(Fields),
    Metadata,
}

impl<'de> DeserializeSeed<'de> for Level {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Level {
    type Value = Map<String, Value>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            match (self, key.as_str()) {
                (Self::Object(_), "metadata") => {
                    map.insert(key, Value::Object(access.next_value_seed(Self::Metadata)?));
                }
                (Self::Object(Fields::Metadata), _) | (Self::Metadata, "managedFields") => {
                    access.next_value::<IgnoredAny>()?;
                }
                _ => drop(map.insert(key, access.next_value()?)),
            }
        }
        Ok(map)
    }
}

/// The text of `metadata` as it stands in `json`, if it is there.
pub(super) fn metadata_text(json: &[u8]) -> Option<&str> {
    #[derive(serde::Deserialize)]
    struct Object<'a> {
        #[serde(borrow)]
        metadata: &'a serde_json::value::RawValue,
    }
    serde_json::from_slice::<Object<'_>>(json).ok().map(|object| object.metadata.get())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const TEXT: &[u8] =
        br#"{"data":{"metadata":{"a":1}},"metadata":{"labels":{"a":"b"},"managedFields":[{}],"name":"x"},"spec":{}}"#;

    #[test]
    fn what_is_not_asked_for_is_left_out() {
        let metadata = json!({"labels": {"a": "b"}, "name": "x"});
        let unmanaged = json!({"data": {"metadata": {"a": 1}}, "metadata": metadata, "spec": {}});
        assert_eq!(read(TEXT, Fields::Unmanaged), unmanaged);
        assert_eq!(read(TEXT, Fields::Metadata), json!({"metadata": metadata}));
        assert_eq!(read(b"[]", Fields::Metadata), json!({}));
    }

    #[test]
    fn metadata_is_taken_as_it_stands() {
        assert_eq!(metadata_text(TEXT), Some(r#"{"labels":{"a":"b"},"managedFields":[{}],"name":"x"}"#));
        assert_eq!(metadata_text(b"{}"), None);
    }
}
