//! Bodies: from bytes to an object in normal form, with the errors of the reference server.

use bytes::Bytes;

use crate::kinds::decode::{self as kinds_decode, Empty, Node};
use crate::manifest;
use crate::object::{GroupVersion, GroupVersionKind, Status, Value, go, meta};

use super::negotiate::Encoding;
use super::registry::Resource;

/// An object that was read, in its resource's own form.
#[derive(Clone, Debug, Default)]
pub struct Decoded {
    /// The object, not defaulted.
    pub object: Value,
    /// What strict decoding objects to: `unknown field "spec.foo"`.
    pub strict: Vec<String>,
    /// Empty lists and maps that were sent and that the object does not show.
    pub empties: Vec<Empty>,
}

/// A body that was parsed, before it is held against a type.
pub struct Parsed {
    /// Any JSON value, with the order and repetition of its keys.
    pub node: Node,
    /// The same as a tree of maps.
    pub value: Value,
    /// What the parser itself objects to under strict decoding: repeated keys in YAML.
    pub strict: Vec<String>,
}

/// The refusal of a body whose kind is not known (`transformDecodeError` without a kind).
pub fn unrecognized(kind: &str, why: &str, body: &[u8]) -> Status {
    Status::bad_request(format!(
        "the object provided is unrecognized (must be of type {kind}): {why} ({})",
        summary(body)
    ))
}

/// The refusal of a body whose kind is known.
pub fn refused(sent: &GroupVersionKind, expected: &str, why: &str) -> Status {
    Status::bad_request(format!(
        "{} in version {} cannot be handled as a {expected}: {why}",
        sent.kind,
        go::quote(&sent.version)
    ))
}

/// The beginning of a body as messages show it.
fn summary(body: &[u8]) -> String {
    const MAX: usize = 30;
    let cut = &body[..body.len().min(MAX)];
    let more = if body.len() > MAX { " ..." } else { "" };
    match body.first() {
        None => "<empty>".to_owned(),
        Some(b'{') => format!("{}{more}", String::from_utf8_lossy(cut)),
        Some(_) => format!("{}{more}", cut.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

/// Parses a body.
///
/// # Errors
///
/// The parser's text.
pub fn parse(body: &[u8], encoding: Encoding) -> Result<Parsed, String> {
    match encoding {
        Encoding::Json => {
            let node = Node::parse(body).map_err(|e| format!("couldn't get version/kind; json parse error: {e}"))?;
            Ok(Parsed { value: node.clone().into_value(), node, strict: Vec::new() })
        }
        Encoding::Protobuf => {
            let value = super::protobuf::decode(body).map_err(|e| e.to_string())?;
            Ok(Parsed { node: Node::from(value.clone()), value, strict: Vec::new() })
        }
        Encoding::Yaml => {
            let value = manifest::yaml_to_value(body, false).map_err(|e| e.to_string())?;
            let strict = manifest::yaml_to_value(body, true).err().map(|e| yaml_text(&e.to_string()));
            Ok(Parsed { node: Node::from(value.clone()), value, strict: strict.into_iter().collect() })
        }
    }
}

/// What the YAML reader itself says, without the words of the conversion to JSON.
pub fn yaml_text(text: &str) -> String {
    text.trim_start_matches("error converting YAML to JSON: ").to_owned()
}

/// Whether a body can tell its kind and version: an object, in which they are texts.
///
/// # Errors
///
/// The text of the reader that looks for them (`json.SimpleMetaFactory`).
pub fn check_type_meta(node: &Node) -> Result<(), String> {
    const TYPE: &str =
        r#"struct { APIVersion string "json:\"apiVersion,omitempty\""; Kind string "json:\"kind,omitempty\"" }"#;
    let refuse = |found: &str, place: String| {
        Err(format!("couldn't get version/kind; json parse error: json: cannot unmarshal {found} into {place}"))
    };
    match node {
        Node::Null => Ok(()),
        Node::Object(fields) => {
            let wrong = fields.iter().find_map(|(key, value)| {
                let named = matches!(key.as_str(), "apiVersion" | "kind");
                go_kind(value).filter(|found| named && *found != "string").map(|found| (key, found))
            });
            match wrong {
                Some((key, found)) => refuse(found, format!("Go struct field .{key} of type string")),
                None => Ok(()),
            }
        }
        other => refuse(go_kind(other).unwrap_or("value"), format!("Go value of type {TYPE}")),
    }
}

/// What Go's JSON reader calls a value; nothing for null.
fn go_kind(node: &Node) -> Option<&'static str> {
    match node {
        Node::Null => None,
        Node::Bool(_) => Some("bool"),
        Node::Number(_) => Some("number"),
        Node::Text(_) => Some("string"),
        Node::Array(_) => Some("array"),
        Node::Object(_) => Some("object"),
    }
}

/// The kind that an object says it is, filled up from the one that is expected.
fn sent_kind(value: &Value, expected: &GroupVersionKind) -> Result<GroupVersionKind, String> {
    let api_version = meta::api_version(value);
    let Some(gv) = GroupVersion::parse(api_version) else {
        return Err(format!("unexpected GroupVersion string: {api_version}"));
    };
    let kind = match meta::kind(value) {
        "" => &expected.kind,
        kind => kind,
    };
    let gv = if gv == GroupVersion::default() { expected.group_version() } else { gv };
    Ok(gv.with_kind(kind))
}

/// Checks that an object is of the expected kind.
///
/// # Errors
///
/// 400 with the reference server's text.
pub fn check_kind(value: &Value, expected: &GroupVersionKind, body: &[u8]) -> Result<(), Status> {
    let sent = sent_kind(value, expected).map_err(|why| unrecognized(&expected.kind, &why, body))?;
    if sent == *expected {
        return Ok(());
    }
    if !super::scheme::is_registered(&sent) {
        let why = format!(
            "no kind {} is registered for version {} in scheme \"k8s.io/kubernetes/pkg/api/legacyscheme/scheme.go:30\"",
            go::quote(&sent.kind),
            go::quote(&sent.api_version())
        );
        return Err(refused(&sent, &expected.kind, &why));
    }
    if sent.kind != expected.kind || super::scheme::internal_package(&sent) != super::scheme::internal_package(expected)
    {
        let why = format!(
            "converting ({}.{}) to ({}.{}): unknown conversion",
            sent.version,
            sent.kind,
            super::scheme::internal_package(expected),
            expected.kind
        );
        return Err(refused(&sent, &expected.kind, &why));
    }
    Err(Status::bad_request(format!(
        "the API version in the data ({}) does not match the expected API version ({})",
        sent.api_version(),
        expected.api_version()
    )))
}

/// What a body says of its kind and version, and nothing else of it; of repeated fields the last.
fn type_meta(node: &Node) -> Value {
    let Node::Object(fields) = node else { return Value::Null };
    let told = fields.iter().filter_map(|(key, value)| match (key.as_str(), value) {
        ("apiVersion" | "kind", Node::Text(text)) => Some((key.clone(), Value::from(text.as_str()))),
        ("apiVersion" | "kind", _) => Some((key.clone(), Value::Null)),
        _ => None,
    });
    Value::Object(told.collect())
}

/// Reads a body as an object of a built-in resource.
///
/// # Errors
///
/// 400 with the reference server's text.
pub fn builtin(resource: &Resource, body: &Bytes, encoding: Encoding) -> Result<Decoded, Status> {
    of_kind(&resource.kind.gvk(), body, encoding)
}

/// Reads a body as an object of a built-in kind.
///
/// # Errors
///
/// 400 with the reference server's text.
pub fn of_kind(gvk: &GroupVersionKind, body: &Bytes, encoding: Encoding) -> Result<Decoded, Status> {
    if encoding == Encoding::Json {
        // Read with its repeated fields, which strict decoding objects to.
        let node = Node::parse(body).map_err(|error| {
            let why = format!("couldn't get version/kind; json parse error: {error}");
            unrecognized(&gvk.kind, &why, body)
        })?;
        check_type_meta(&node).map_err(|why| unrecognized(&gvk.kind, &why, body))?;
        check_kind(&type_meta(&node), gvk, body)?;
        return node_of_kind(gvk, node);
    }
    let parsed = parse(body, encoding).map_err(|why| unrecognized(&gvk.kind, &why, body))?;
    check_type_meta(&parsed.node).map_err(|why| unrecognized(&gvk.kind, &why, body))?;
    check_kind(&parsed.value, gvk, body)?;
    let mut decoded = node_of_kind(gvk, parsed.node)?;
    decoded.strict.splice(..0, parsed.strict);
    Ok(decoded)
}

/// Reads a value as an object of a built-in resource.
///
/// # Errors
///
/// 400 for a value of a wrong type.
pub fn builtin_value(resource: &Resource, value: Value) -> Result<Decoded, Status> {
    value_of_kind(&resource.kind.gvk(), value)
}

/// Reads a value as an object of a built-in kind.
///
/// # Errors
///
/// 400 for a value of a wrong type.
pub fn value_of_kind(gvk: &GroupVersionKind, value: Value) -> Result<Decoded, Status> {
    node_of_kind(gvk, Node::from(value))
}

fn node_of_kind(gvk: &GroupVersionKind, node: Node) -> Result<Decoded, Status> {
    let sent = node.has_empty().then(|| node.clone().into_value());
    let decoded = kinds_decode::decode(gvk, node).map_err(|problem| refused(gvk, &gvk.kind, &problem.message))?;
    let empties = sent.map(|sent| kinds_decode::empties(gvk, &sent)).unwrap_or_default();
    let strict = decoded.strict.into_iter().map(|problem| problem.message).collect();
    let mut object = decoded.object;
    meta::set(&mut object, &["apiVersion"], gvk.api_version());
    meta::set(&mut object, &["kind"], &*gvk.kind);
    Ok(Decoded { object, strict, empties })
}
