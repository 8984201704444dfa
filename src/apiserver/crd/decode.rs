//! Bodies of custom resources.

use crate::apiserver::decode::{self, Decoded};
use crate::apiserver::negotiate::Encoding;
use crate::apiserver::registry::Resource;
use crate::kinds::decode::{self as kinds_decode, Node};
use crate::object::field::{Error, Path};
use crate::object::go::quote;
use crate::object::{Status, Value, meta};

use super::props::Props;
use super::prune;

const OBJECT_META: &str = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/// Reads a body.
///
/// # Errors
///
/// 400 in the reference server's words.
pub fn body(resource: &Resource, schema: &Props, body: &[u8], encoding: Encoding) -> Result<Decoded, Status> {
    let kind = &resource.kind.kind;
    if encoding == Encoding::Protobuf {
        let why = "the body of the request was in an unknown format - accepted media types include: application/json, \
                   application/yaml";
        return Err(Status::failure(415, "UnsupportedMediaType", why));
    }
    let parsed = decode::parse(body, encoding).map_err(|why| decode::unrecognized(kind, &why, body))?;
    let found = match &parsed.value {
        Value::Object(_) | Value::Null => None,
        Value::Array(_) => Some("array"),
        Value::String(_) => Some("string"),
        Value::Number(_) => Some("number"),
        Value::Bool(_) => Some("bool"),
    };
    if let Some(found) = found {
        let why = format!(
            "couldn't get version/kind; json parse error: json: cannot unmarshal {found} into Go value of type struct \
             {{ APIVersion string \"json:\\\"apiVersion,omitempty\\\"\"; Kind string \"json:\\\"kind,omitempty\\\"\" }}"
        );
        return Err(decode::unrecognized(kind, &why, body));
    }
    if meta::kind(&parsed.value).is_empty() {
        let text = match encoding {
            Encoding::Json => String::from_utf8_lossy(body).into_owned(),
            Encoding::Yaml | Encoding::Protobuf => crate::object::json::to_compact(&parsed.value),
        };
        let why = format!("Object 'Kind' is missing in '{text}'");
        return Err(decode::unrecognized(kind, &why, body));
    }
    let mut strict = parsed.strict;
    duplicates(&parsed.node, "", &mut strict);
    let mut decoded = value(resource, schema, parsed.value)?;
    strict.append(&mut decoded.strict);
    Ok(Decoded { object: decoded.object, strict, empties: Vec::new() })
}

/// Fields that stand more than once.
fn duplicates(node: &Node, path: &str, strict: &mut Vec<String>) {
    match node {
        Node::Object(fields) => {
            let mut seen = std::collections::HashSet::new();
            for (name, value) in fields {
                let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let text = format!("duplicate field {}", quote(&at));
                if !seen.insert(name.as_str()) && !strict.contains(&text) {
                    strict.push(text);
                }
                duplicates(value, &at, strict);
            }
        }
        Node::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| duplicates(item, &format!("{path}[{at}]"), strict));
        }
        _ => {}
    }
}

/// Reads a value that came out of a patch, or of a body.
///
/// # Errors
///
/// 400 in the reference server's words.
pub fn value(resource: &Resource, schema: &Props, mut value: Value) -> Result<Decoded, Status> {
    let expected = resource.kind.api_version();
    let found = meta::api_version(&value);
    if found != expected {
        return Err(Status::bad_request(format!(
            "the API version in the data ({found}) does not match the expected API version ({expected})"
        )));
    }
    if meta::kind(&value) != resource.kind.kind {
        let mut kind = resource.kind.group_kind();
        meta::kind(&value).clone_into(&mut kind.kind);
        let why = format!("must be {}", resource.kind.kind);
        let error = Error::invalid(&Path::new("kind"), &*kind.kind, why);
        return Err(Status::invalid(&kind, meta::name(&value), &vec![error]));
    }
    let refused = |why: &str| {
        let sent = resource.kind.gvk();
        decode::refused(&sent, &sent.kind, why)
    };
    let mut strict: Vec<String> = Vec::new();
    coerce_metadata(&mut value, "metadata", &mut strict).map_err(|why| refused(&why))?;
    embedded(&mut value, schema, "", &mut strict).map_err(|why| refused(&why))?;
    let pruned = prune::prune(&mut value, schema);
    let unknown = pruned.into_iter().map(|path| format!("unknown field {}", quote(&path)));
    // Unknown fields of the metadata come in their alphabetic place.
    let mut all: Vec<String> = strict.into_iter().chain(unknown).collect();
    all.sort();
    Ok(Decoded { object: value, strict: all, empties: Vec::new() })
}

/// Brings `metadata` into the form of its Go type.
fn coerce_metadata(object: &mut Value, path: &str, strict: &mut Vec<String>) -> Result<(), String> {
    let Some(map) = object.as_object_mut() else { return Ok(()) };
    let Some(metadata) = map.remove("metadata") else { return Ok(()) };
    if metadata.is_null() {
        map.insert("metadata".into(), Value::Object(Default::default()));
        return Ok(());
    }
    let decoded =
        kinds_decode::decode_definition(OBJECT_META, Node::from(metadata)).map_err(|problem| problem.message)?;
    strict.extend(decoded.strict.into_iter().map(|problem| {
        let what = if problem.kind == kinds_decode::ProblemKind::Duplicate { "duplicate" } else { "unknown" };
        format!("{what} field {}", quote(&format!("{path}.{}", problem.path)))
    }));
    map.insert("metadata".into(), decoded.object);
    Ok(())
}

/// The metadata of objects inside the object.
fn embedded(value: &mut Value, schema: &Props, path: &str, strict: &mut Vec<String>) -> Result<(), String> {
    let join = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
    if schema.embedded_resource {
        coerce_metadata(value, &join("metadata"), strict)?;
    }
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                if let Some(field) = schema.field(name) {
                    embedded(value, field, &join(name), strict)?;
                }
            }
        }
        Value::Array(items) => {
            if let Some(schema) = schema.item() {
                for (at, item) in items.iter_mut().enumerate() {
                    embedded(item, schema, &format!("{path}[{at}]"), strict)?;
                }
            }
        }
        _ => {}
    }
    Ok(())
}
