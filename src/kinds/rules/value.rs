//! Reading typed fields of unstructured objects: a null field is an absent one, a value of another type reads as the
//! zero value, as after decoding.

use crate::object::{Map, Value, meta};

/// What stands in place of an absent value.
static NULL: Value = Value::Null;

/// Reading helpers for one value.
pub trait Fields {
    /// The field, [`Value::Null`] when absent.
    fn at(&self, name: &str) -> &Value;
    /// The field unless absent or null: what is a non-nil pointer in Go.
    fn some(&self, name: &str) -> Option<&Value>;
    /// Whether the field is present and not null.
    fn has(&self, name: &str) -> bool {
        self.some(name).is_some()
    }
    /// The text in the field, empty when absent.
    fn text(&self, name: &str) -> &str;
    /// The text in the field if there is one, even an empty one.
    fn opt_text(&self, name: &str) -> Option<&str>;
    /// The integer in the field if there is one.
    fn opt_int(&self, name: &str) -> Option<i64>;
    /// The integer in the field, 0 when absent.
    fn int(&self, name: &str) -> i64 {
        self.opt_int(name).unwrap_or_default()
    }
    /// The boolean in the field if there is one.
    fn opt_bool(&self, name: &str) -> Option<bool>;
    /// The boolean in the field, false when absent.
    fn flag(&self, name: &str) -> bool {
        self.opt_bool(name).unwrap_or_default()
    }
    /// The items of the list in the field.
    fn list(&self, name: &str) -> &[Value];
    /// The texts of the list in the field.
    fn texts(&self, name: &str) -> Vec<&str> {
        self.list(name).iter().map(|item| item.as_str().unwrap_or_default()).collect()
    }
    /// The entries of the map in the field, in key order.
    fn entries(&self, name: &str) -> Vec<(&str, &Value)>;
    /// The entries of a map of texts, in key order.
    fn text_entries(&self, name: &str) -> Vec<(&str, &str)> {
        self.entries(name).into_iter().map(|(key, value)| (key, value.as_str().unwrap_or_default())).collect()
    }
}

impl Fields for Value {
    fn at(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&NULL)
    }

    fn some(&self, name: &str) -> Option<&Value> {
        self.get(name).filter(|value| !value.is_null())
    }

    fn text(&self, name: &str) -> &str {
        self.opt_text(name).unwrap_or_default()
    }

    fn opt_text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Self::as_str)
    }

    fn opt_int(&self, name: &str) -> Option<i64> {
        self.get(name).and_then(Self::as_i64)
    }

    fn opt_bool(&self, name: &str) -> Option<bool> {
        self.get(name).and_then(Self::as_bool)
    }

    fn list(&self, name: &str) -> &[Value] {
        meta::list_at(self, &[name])
    }

    fn entries(&self, name: &str) -> Vec<(&str, &Value)> {
        meta::map_at(self, &[name]).into_iter().flatten().map(|(key, value)| (key.as_str(), value)).collect()
    }
}

/// Sets a field that is absent, null, or holds the zero text.
pub fn set_default(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if map.get(name).is_none_or(|found| found.is_null() || found.as_str() == Some("")) {
        map.insert(name.to_owned(), value.into());
    }
}

/// The map in a field, made when absent.
pub fn map_in<'a>(map: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    let value = map.entry(name.to_owned()).or_insert(Value::Null);
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    match value {
        Value::Object(inner) => inner,
        _ => unreachable!("just made a map"),
    }
}
