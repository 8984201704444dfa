//! The types of a kubeconfig's fields as Go's decoder checks them, for its words where one is wrong.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::object::{Value, json};

/// What a field holds.
#[derive(Clone, Copy)]
enum Type {
    Text,
    Bool,
    /// Bytes in base64.
    Bytes,
    Texts,
    /// A struct of [`STRUCTS`].
    Struct(&'static str),
    /// A list of them.
    List(&'static str),
}

use Type::{Bool, Bytes, List, Struct, Text, Texts};

/// The structs with their fields. Those that take anything are left out.
const STRUCTS: [(&str, &[(&str, Type)]); 10] = [
    (
        "Config",
        &[
            ("kind", Text),
            ("apiVersion", Text),
            ("preferences", Struct("Preferences")),
            ("clusters", List("NamedCluster")),
            ("users", List("NamedAuthInfo")),
            ("contexts", List("NamedContext")),
            ("current-context", Text),
        ],
    ),
    ("Preferences", &[("colors", Bool)]),
    ("NamedCluster", &[("name", Text), ("cluster", Struct("Cluster"))]),
    ("NamedAuthInfo", &[("name", Text), ("user", Struct("AuthInfo"))]),
    ("NamedContext", &[("name", Text), ("context", Struct("Context"))]),
    (
        "Cluster",
        &[
            ("server", Text),
            ("tls-server-name", Text),
            ("insecure-skip-tls-verify", Bool),
            ("certificate-authority", Text),
            ("certificate-authority-data", Bytes),
            ("proxy-url", Text),
            ("disable-compression", Bool),
        ],
    ),
    (
        "AuthInfo",
        &[
            ("client-certificate", Text),
            ("client-certificate-data", Bytes),
            ("client-key", Text),
            ("client-key-data", Bytes),
            ("token", Text),
            ("tokenFile", Text),
            ("as", Text),
            ("as-uid", Text),
            ("as-groups", Texts),
            ("username", Text),
            ("password", Text),
            ("auth-provider", Struct("AuthProviderConfig")),
            ("exec", Struct("ExecConfig")),
        ],
    ),
    ("Context", &[("cluster", Text), ("user", Text), ("namespace", Text)]),
    ("AuthProviderConfig", &[("name", Text)]),
    (
        "ExecConfig",
        &[
            ("command", Text),
            ("args", Texts),
            ("apiVersion", Text),
            ("installHint", Text),
            ("provideClusterInfo", Bool),
            ("interactiveMode", Text),
        ],
    ),
];

/// Checks the types of a kubeconfig's fields, and drops those that are null, which Go takes for not given.
///
/// # Errors
/// The first field of another type, in the words of Go's decoder.
pub fn check(config: &mut Value) -> Result<(), String> {
    structure("Config", "", config)
}

fn structure(name: &'static str, path: &str, value: &mut Value) -> Result<(), String> {
    let known = STRUCTS.iter().find(|(known, _)| *known == name).map_or(&[][..], |(_, fields)| fields);
    let Some(map) = value.as_object_mut() else { return Ok(()) };
    for (key, type_) in known {
        if map.get(*key).is_some_and(Value::is_null) {
            map.remove(*key);
        }
        let Some(value) = map.get_mut(*key) else { continue };
        let path = if path.is_empty() { (*key).to_owned() } else { format!("{path}.{key}") };
        field(name, &path, *type_, value)?;
    }
    Ok(())
}

fn field(holder: &str, path: &str, type_: Type, value: &mut Value) -> Result<(), String> {
    let refused = |found: &Value, wanted: &str| {
        let found = json::type_name(found);
        Err(format!("json: cannot unmarshal {found} into Go struct field {holder}.{path} of type {wanted}"))
    };
    match (type_, value) {
        (Text, Value::String(_)) | (Bool, Value::Bool(_)) => Ok(()),
        (Text, other) => refused(other, "string"),
        (Bool, other) => refused(other, "bool"),
        (Bytes, Value::String(text)) => check_base64(text),
        (Bytes, other) => refused(other, "[]uint8"),
        (Texts, Value::Array(items)) => match items.iter().find(|item| !item.is_string()) {
            Some(item) => refused(item, "string"),
            None => Ok(()),
        },
        (Texts, other) => refused(other, "[]string"),
        (Struct(name), value @ Value::Object(_)) => structure(name, path, value),
        (Struct(name), other) => refused(other, &format!("v1.{name}")),
        (List(name), Value::Array(items)) => {
            for item in items {
                if !item.is_object() {
                    return refused(item, &format!("v1.{name}"));
                }
                structure(name, path, item)?;
            }
            Ok(())
        }
        (List(name), other) => refused(other, &format!("[]v1.{name}")),
    }
}

/// Go's words name the first byte that is wrong; line ends count for nothing.
fn check_base64(text: &str) -> Result<(), String> {
    let bare: String = text.chars().filter(|c| !matches!(c, '\r' | '\n')).collect();
    match STANDARD.decode(&bare) {
        Ok(_) => Ok(()),
        Err(base64::DecodeError::InvalidByte(at, _) | base64::DecodeError::InvalidLastSymbol(at, _)) => {
            Err(format!("illegal base64 data at input byte {at}"))
        }
        Err(_) => Err(format!("illegal base64 data at input byte {}", bare.len() / 4 * 4)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn wrong_types_are_told_as_go_tells_them() {
        let refusal = |mut value: Value| check(&mut value).expect_err("a wrong type");
        assert_eq!(
            refusal(json!({"contexts": [{"name": "a", "context": {"namespace": false}}]})),
            "json: cannot unmarshal bool into Go struct field Context.contexts.context.namespace of type string"
        );
        assert_eq!(
            refusal(json!({"clusters": {}})),
            "json: cannot unmarshal object into Go struct field Config.clusters of type []v1.NamedCluster"
        );
        let wrong = json!({"clusters": [{"name": "a", "cluster": {"certificate-authority-data": "!!!"}}]});
        assert_eq!(refusal(wrong), "illegal base64 data at input byte 0");
        let mut fine = json!({"users": [{"name": "a", "user": {"token": null, "exec": null}}]});
        assert_eq!(check(&mut fine), Ok(()));
        assert_eq!(fine, json!({"users": [{"name": "a", "user": {}}]}));
    }
}
