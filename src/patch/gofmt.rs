//! JSON values as Go's interfaces: their types, comparison and `%s`, on which results and error texts depend.

use super::PatchError;
use crate::object::{Value, go};

/// Go's name of the type that a JSON value is decoded into.
pub(crate) fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "%!s(<nil>)",
        Value::Bool(_) => "bool",
        Value::Number(n) if n.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => go::LIST_TYPE,
        Value::Object(_) => go::MAP_TYPE,
    }
}

/// Whether Go decodes both values into the same type.
pub(crate) fn same_type(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.is_i64() == b.is_i64(),
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// Go's `==` on two interface values, which panics for maps and slices.
pub(crate) fn equal(a: &Value, b: &Value) -> Result<bool, PatchError> {
    match (a, b) {
        (Value::Object(_), Value::Object(_)) => {
            Err(PatchError::Runtime("comparing uncomparable type map[string]interface {}"))
        }
        (Value::Array(_), Value::Array(_)) => Err(PatchError::Runtime("comparing uncomparable type []interface {}")),
        _ => Ok(a == b),
    }
}

/// Fails as Go does when a map or a slice is used as the key of a map.
pub(crate) fn hashable(value: &Value) -> Result<(), PatchError> {
    match value {
        Value::Object(_) => Err(PatchError::Runtime("hash of unhashable type map[string]interface {}")),
        Value::Array(_) => Err(PatchError::Runtime("hash of unhashable type []interface {}")),
        _ => Ok(()),
    }
}

/// `%s` of a value: what is no text shows its type (`%!s(int64=5)`).
pub(crate) fn string_verb(value: &Value) -> String {
    let mut out = String::new();
    write_string_verb(&mut out, value);
    out
}

fn write_string_verb(out: &mut String, value: &Value) {
    match value {
        Value::String(text) => out.push_str(text),
        Value::Array(items) => go::write_list(out, items, write_string_verb),
        Value::Object(map) => go::write_map(out, map, write_string_verb),
        Value::Null => out.push_str(type_name(value)),
        Value::Bool(_) | Value::Number(_) => {
            out.push_str(&format!("%!s({}={})", type_name(value), go::text(value)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_text_verb_names_the_types_of_other_values() {
        assert_eq!(string_verb(&json!(5)), "%!s(int64=5)");
        assert_eq!(string_verb(&json!([true, "a"])), "[%!s(bool=true) a]");
    }
}
