//! Reading JSON text without what nobody asked for: it is skipped, not built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Map, Value};

/// What is being read; `metadata.managedFields`, which is half of a small object, is left out everywhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// An object.
    Object,
    /// Of an object, its metadata alone.
    ObjectMetadata,
    /// A list of objects.
    List,
    /// An event of a watch.
    Event,
    /// The metadata of an object.
    Metadata,
    /// The items of a list.
    Items,
}

impl Part {
    /// Reads the part from a JSON text.
    ///
    /// # Errors
    ///
    /// Text that is not JSON, or not of that shape.
    pub fn read(self, json: &[u8]) -> serde_json::Result<Value> {
        let mut deserializer = serde_json::Deserializer::from_slice(json);
        let value = self.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }
}

impl<'de> DeserializeSeed<'de> for Part {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if *self == Self::Items { "a list" } else { "an object" })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        if self == Self::Items {
            return Err(A::Error::custom("an object in place of a list"));
        }
        let mut map = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let inner = match (self, key.as_str()) {
                (Self::Object | Self::ObjectMetadata, "metadata") => Some(Self::Metadata),
                (Self::List, "items") => Some(Self::Items),
                (Self::Event, "object") => Some(Self::Object),
                (Self::ObjectMetadata, _) | (Self::Metadata, "managedFields") => {
                    access.next_value::<IgnoredAny>()?;
                    continue;
                }
                _ => None,
            };
            let value = match inner {
                Some(part) => access.next_value_seed(part)?,
                None => access.next_value()?,
            };
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        if self != Self::Items {
            return Err(A::Error::custom("a list in place of an object"));
        }
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(Self::Object)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    /// Go writes null for what is not there.
    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ownership_is_left_out() {
        let object = json!({"data": {"metadata": {"a": 1}}, "metadata": {"managedFields": [{}], "name": "x"}});
        let expected = json!({"data": {"metadata": {"a": 1}}, "metadata": {"name": "x"}});
        let read = |part: Part, value: &Value| part.read(value.to_string().as_bytes()).expect("well formed");
        assert_eq!(read(Part::Object, &object), expected);
        assert_eq!(read(Part::ObjectMetadata, &object), json!({"metadata": {"name": "x"}}));
        let list = json!({"kind": "List", "metadata": {}, "items": [object]});
        assert_eq!(read(Part::List, &list), json!({"kind": "List", "metadata": {}, "items": [expected]}));
        assert_eq!(read(Part::List, &json!({"items": null})), json!({"items": null}));
        let event = json!({"type": "ADDED", "object": object});
        assert_eq!(read(Part::Event, &event), json!({"type": "ADDED", "object": expected}));
        for malformed in ["[]", "{", "{} {}", "{\"metadata\":[1]}"] {
            assert!(Part::Object.read(malformed.as_bytes()).is_err(), "{malformed}");
        }
    }
}
