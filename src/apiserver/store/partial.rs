//! Reading a part of a stored object: what nobody asked for is skipped, not built.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::kinds::columns::Needed;
use crate::object::partial::Part;
use crate::object::{Map, Value};

/// Which fields of an object are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fields {
    /// All but `metadata.managedFields`.
    Unmanaged,
    /// `metadata` alone, without `managedFields`.
    Metadata,
    /// These alone.
    Only(Needed),
}

/// Reads these fields of `json`; text that is not a JSON object reads as an empty one.
pub(super) fn read(json: &[u8], fields: Fields) -> Value {
    let mut deserializer = serde_json::Deserializer::from_slice(json);
    let read = match fields {
        Fields::Unmanaged => Part::Object.deserialize(&mut deserializer),
        Fields::Metadata => Part::ObjectMetadata.deserialize(&mut deserializer),
        Fields::Only(needed) => Only(needed).deserialize(&mut deserializer),
    };
    read.ok().filter(Value::is_object).unwrap_or_else(|| Value::Object(Map::new()))
}

/// A value of which only the needed fields are read. Lists are read item by item.
#[derive(Clone, Copy)]
struct Only(Needed);

impl<'de> DeserializeSeed<'de> for Only {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        if self.0.is_all() { Value::deserialize(deserializer) } else { deserializer.deserialize_any(self) }
    }
}

impl<'de> Visitor<'de> for Only {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(known) = access.next_key_seed(Name(self.0))? {
            match known {
                Some((name, needed)) => drop(map.insert(name.to_owned(), access.next_value_seed(Only(needed))?)),
                None => drop(access.next_value::<IgnoredAny>()?),
            }
        }
        Ok(Value::Object(map))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Value::Array(items))
    }

    fn visit_bool<E>(self, set: bool) -> Result<Value, E> {
        Ok(set.into())
    }

    fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
        Ok(number.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

/// A field's name, looked up among the needed ones without being kept.
struct Name(Needed);

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Option<(&'static str, Needed)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Name {
    type Value = Option<(&'static str, Needed)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a field's name")
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.field(name))
    }
}

/// The text of `metadata` as it stands in `json`, if it is there. What comes after it is not looked at.
pub(super) fn metadata_text(json: &[u8]) -> Option<&str> {
    let mut found = None;
    // Reading ends with a failure as soon as the text is found.
    let _ = serde_json::Deserializer::from_slice(json).deserialize_map(MetadataText(&mut found));
    found
}

struct MetadataText<'a, 'de>(&'a mut Option<&'de str>);

impl<'de> Visitor<'de> for MetadataText<'_, 'de> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        const METADATA: Needed = Needed::only(&[("metadata", Needed::ALL)]);
        while let Some(known) = access.next_key_seed(Name(METADATA))? {
            if known.is_some() {
                *self.0 = Some(access.next_value::<&serde_json::value::RawValue>()?.get());
                return Err(serde::de::Error::custom("the rest is not wanted"));
            }
            access.next_value::<IgnoredAny>()?;
        }
        Ok(())
    }
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
        const SOME: Needed = Needed::only(&[
            ("metadata", Needed::only(&[("name", Needed::ALL)])),
            ("spec", Needed::only(&[("items", Needed::only(&[("a", Needed::ALL)]))])),
        ]);
        let text = br#"{"metadata":{"labels":{"a":"b"},"name":"x"},"spec":{"items":[{"a":[1.5,{}],"b":2},null,true]}}"#;
        let expected = json!({"metadata": {"name": "x"}, "spec": {"items": [{"a": [1.5, {}]}, null, true]}});
        assert_eq!(read(text, Fields::Only(SOME)), expected);
        assert_eq!(read(b"[]", Fields::Only(SOME)), json!({}));
    }

    #[test]
    fn metadata_is_taken_as_it_stands() {
        assert_eq!(metadata_text(TEXT), Some(r#"{"labels":{"a":"b"},"managedFields":[{}],"name":"x"}"#));
        assert_eq!(metadata_text(b"{}"), None);
    }
}
