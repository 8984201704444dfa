//! The check of an object's metadata that comes before anything is sent.

use crate::object::json::to_compact;
use crate::object::{Value, json};

/// Fields of `ObjectMeta` that are text.
const TEXTS: [&str; 6] = ["name", "generateName", "namespace", "selfLink", "uid", "resourceVersion"];
/// Fields of `ObjectMeta` that map text to text.
const MAPS: [&str; 2] = ["labels", "annotations"];

fn wrong(value: &Value, field: &str, wanted: &str) -> String {
    // Go names the struct that the field is declared in.
    let of = if field.is_empty() { "metadataOnlyObject" } else { "ObjectMeta" };
    format!(
        "json: cannot unmarshal {} into Go struct field {of}.metadata{field} of type {wanted}",
        json::type_name(value)
    )
}

/// Checks kind and metadata as kubectl's decoder does.
///
/// # Errors
/// A kind that is missing, or metadata of another type, in Go's words.
pub fn check(object: &Value) -> Result<(), String> {
    let Value::Object(fields) = object else {
        return Err(format!(
            "json: cannot unmarshal {} into Go value of type unstructured.detector",
            json::type_name(object)
        ));
    };
    match fields.get("kind") {
        Some(Value::String(kind)) if !kind.is_empty() => {}
        None | Some(Value::Null | Value::String(_)) => {
            return Err(format!("Object 'Kind' is missing in '{}'", to_compact(object)));
        }
        Some(other) => {
            return Err(format!(
                "json: cannot unmarshal {} into Go struct field .kind of type string",
                json::type_name(other)
            ));
        }
    }
    let metadata = match fields.get("metadata") {
        None | Some(Value::Null) => return Ok(()),
        Some(Value::Object(metadata)) => metadata,
        Some(other) => return Err(wrong(other, "", "v1.ObjectMeta")),
    };
    for field in TEXTS {
        if let Some(value) = metadata.get(field).filter(|value| !value.is_string() && !value.is_null()) {
            return Err(wrong(value, &format!(".{field}"), "string"));
        }
    }
    for field in MAPS {
        match metadata.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => {
                if let Some(value) = map.values().find(|value| !value.is_string() && !value.is_null()) {
                    return Err(wrong(value, &format!(".{field}"), "string"));
                }
            }
            Some(other) => return Err(wrong(other, &format!(".{field}"), "map[string]string")),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn refusals_are_gos() {
        assert_eq!(check(&json!({"kind": "A", "metadata": {"labels": {"a": "b"}}})), Ok(()));
        assert_eq!(
            check(&json!({"kind": "A", "metadata": {"labels": {"a": 1}}})).unwrap_err(),
            "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"
        );
        assert_eq!(
            check(&json!({"kind": "A", "metadata": "x"})).unwrap_err(),
            "json: cannot unmarshal string into Go struct field metadataOnlyObject.metadata of type v1.ObjectMeta"
        );
        assert_eq!(check(&json!({"a": 1})).unwrap_err(), "Object 'Kind' is missing in '{\"a\":1}'");
    }
}
