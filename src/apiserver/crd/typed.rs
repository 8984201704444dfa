//! Schemas as the rules of a definition see them: types, limits, and values.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;

use crate::expressions::decl::{Decl, LARGEST_REQUEST, escape};
use crate::expressions::value::ListKind;
use crate::expressions::{Type, Value};
use crate::object::Value as Json;
use crate::object::duration::GoDuration;

use super::props::Props;

/// Fields that every resource has, whatever its schema says: their names, and those of the fields inside.
const RESOURCE: [(&str, &[&str]); 3] = [("apiVersion", &[]), ("kind", &[]), ("metadata", &["generateName", "name"])];
/// What rules call the type of the schema that they stand in.
const SELF: &str = "selfType";

/// The declaration of a schema; `None` for what rules cannot see. `resource` tells whether it is a whole resource.
pub fn decl(schema: &Props, resource: bool) -> Option<Decl> {
    named(schema, resource, SELF)
}

fn size(limit: i64) -> u64 {
    u64::try_from(limit).unwrap_or_default()
}

fn named(schema: &Props, resource: bool, name: &str) -> Option<Decl> {
    let text = LARGEST_REQUEST - 2;
    if schema.int_or_string {
        return Some(Decl::simple(Type::Dyn, 1, schema.max_length.map_or(text, |max| size(max) * 4)));
    }
    if resource {
        return structure(schema, true, name);
    }
    Some(match schema.type_.as_str() {
        "array" => {
            let item = schema.item()?;
            Decl::list(named(item, item.embedded_resource, &format!("{name}.@idx"))?, schema.max_items.map(size))
        }
        "object" => match schema.values() {
            Some(values) => {
                let of = named(values, values.embedded_resource, &format!("{name}.@elem"))?;
                Decl::map(of, schema.max_properties.map(size))
            }
            None => return structure(schema, false, name),
        },
        "string" => match schema.format.as_str() {
            "byte" => Decl::simple(Type::Bytes, 2, schema.max_length.map_or(text, size)),
            "duration" => Decl::simple(Type::Duration, 3, 32),
            "date" => Decl::simple(Type::Timestamp, 12, 12),
            "date-time" => Decl::simple(Type::Timestamp, 21, 32),
            _ => {
                let longest = schema.enum_.iter().filter_map(Json::as_str).map(|text| text.len() as u64).max();
                let max = match schema.max_length {
                    Some(max) => size(max) * 4,
                    None if schema.enum_.is_empty() => text,
                    None => longest.unwrap_or_default(),
                };
                Decl::simple(Type::String, 2, max)
            }
        },
        "boolean" => Decl::simple(Type::Bool, 4, 0),
        "number" => Decl::simple(Type::Double, 1, 0),
        "integer" => Decl::simple(Type::Int, 1, 0),
        _ => return None,
    })
}

fn structure(schema: &Props, resource: bool, name: &str) -> Option<Decl> {
    let mut fields: BTreeMap<String, Arc<Decl>> = BTreeMap::new();
    let mut min_size = 2;
    for (field, inner) in &schema.properties {
        let Some(escaped) = escape(field) else { continue };
        let Some(decl) = named(inner, inner.embedded_resource, &format!("{name}.{escaped}")) else { continue };
        if schema.required.contains(field) && inner.default.is_none() {
            min_size += field.len() as u64 + decl.min_size + 4;
        }
        fields.insert(escaped, decl.into());
    }
    if resource {
        let text = || Arc::new(Decl::simple(Type::String, 2, LARGEST_REQUEST - 2));
        for (field, inner) in RESOURCE {
            let decl = match inner {
                [] => text(),
                names => {
                    let inner = names.iter().map(|name| ((*name).to_owned(), text())).collect();
                    Arc::new(Decl::structure(format!("{name}.{field}"), inner, 2))
                }
            };
            fields.insert(field.to_owned(), decl);
        }
    }
    Some(Decl::structure(name.to_owned(), fields, min_size))
}

/// A value as rules see it: of objects the fields that the schema describes, of texts with a format what they stand for.
pub fn value(of: &Json, schema: &Props, resource: bool) -> Value {
    if schema.int_or_string {
        return Value::from_json(of);
    }
    match of {
        Json::Array(items) => {
            let Some(item) = schema.item() else { return Value::from_json(of) };
            let items = items.iter().map(|value| self::value(value, item, item.embedded_resource)).collect();
            let kind = match schema.list_type.as_deref() {
                Some("set") => ListKind::Set,
                Some("map") => ListKind::Keys(Arc::new(schema.list_map_keys.clone())),
                _ => ListKind::Plain,
            };
            Value::List(Arc::new(items), kind)
        }
        Json::Object(map) => {
            if let Some(values) = schema.values() {
                let entry = |(name, value): (&String, &Json)| {
                    (name.clone(), self::value(value, values, values.embedded_resource))
                };
                return Value::named(map.iter().map(entry));
            }
            let seen = |(name, value): (&String, &Json)| {
                let escaped = escape(name)?;
                let own = RESOURCE.iter().find(|(field, _)| resource && field == name);
                if let Some((_, inner)) = own {
                    let Json::Object(map) = value else { return Some((escaped, Value::from_json(value))) };
                    let kept = map.iter().filter(|(name, _)| inner.contains(&name.as_str()));
                    return Some((
                        escaped,
                        Value::named(kept.map(|(name, value)| (name.clone(), Value::from_json(value)))),
                    ));
                }
                let field = schema.properties.get(name)?;
                named(field, field.embedded_resource, "")?;
                Some((escaped, self::value(value, field, field.embedded_resource)))
            };
            Value::named(map.iter().filter_map(seen))
        }
        Json::Number(number) if schema.type_ == "number" => Value::Double(number.as_f64().unwrap_or_default()),
        Json::String(text) => formatted(text, &schema.format).unwrap_or_else(|| Value::text(text)),
        other => Value::from_json(other),
    }
}

fn formatted(text: &str, format: &str) -> Option<Value> {
    match format {
        "byte" => base64::engine::general_purpose::STANDARD.decode(text).ok().map(|bytes| Value::Bytes(bytes.into())),
        "duration" => GoDuration::parse(text).ok().map(|nanos| Value::Duration(nanos.0)),
        "date-time" => chrono::DateTime::parse_from_rfc3339(text).ok().map(Value::Timestamp),
        "date" => {
            let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
            Some(Value::Timestamp(day.and_hms_opt(0, 0, 0)?.and_utc().fixed_offset()))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rules_see_what_is_described() {
        let schema = json!({"type": "object", "properties": {
            "a-b": {"type": "string", "format": "duration"},
            "open": {"type": "object", "x-kubernetes-preserve-unknown-fields": true},
            "any": {"x-kubernetes-preserve-unknown-fields": true},
            "n": {"type": "number"},
        }});
        let schema = Props::from_value(&schema).expect("a schema");
        let object = json!({"a-b": "1h", "open": {"x": 1}, "any": 1, "n": 1, "metadata": {"name": "x", "labels": {}}});
        let seen = value(&object, &schema, true).to_json().expect("a value");
        assert_eq!(seen, json!({"a__dash__b": "1h0m0s", "open": {}, "n": 1.0, "metadata": {"name": "x"}}));
        let decl = decl(&schema, true).expect("a declaration");
        assert_eq!(
            decl.fields.keys().collect::<Vec<_>>(),
            ["a__dash__b", "apiVersion", "kind", "metadata", "n", "open"]
        );
    }
}
