//! Environment variables, resolved in the kubelet's order.

use std::collections::BTreeMap;

use base64::Engine as _;

use super::{Surroundings, fields};
use crate::object::{Value, meta};

type Variables = Vec<(String, String)>;

const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// The text of a Secret's key.
pub fn secret_bytes(secret: &Value, key: &str) -> Option<Vec<u8>> {
    let encoded = meta::get(secret, &["data", key])?.as_str()?;
    base64::engine::general_purpose::STANDARD.decode(encoded).ok()
}

/// The bytes of a ConfigMap's key.
pub fn config_bytes(config: &Value, key: &str) -> Option<Vec<u8>> {
    if let Some(text) = meta::get(config, &["data", key]).and_then(Value::as_str) {
        return Some(text.as_bytes().to_vec());
    }
    let encoded = meta::get(config, &["binaryData", key])?.as_str()?;
    base64::engine::general_purpose::STANDARD.decode(encoded).ok()
}

fn set(variables: &mut Variables, name: &str, value: String) {
    match variables.iter_mut().find(|(known, _)| known == name) {
        Some((_, known)) => *known = value,
        None => variables.push((name.to_owned(), value)),
    }
}

/// All variables of a container.
pub fn of(pod: &Value, container: &Value, around: &Surroundings, hostname: &str) -> Variables {
    let mut variables = vec![("PATH".to_owned(), PATH.to_owned()), ("HOSTNAME".to_owned(), hostname.to_owned())];
    if meta::bool_at(container, &["tty"]) {
        variables.push(("TERM".into(), "xterm".into()));
    }
    let services = of_services(pod, container, around);
    for source in meta::list_at(container, &["envFrom"]) {
        for (name, value) in of_source(source, around) {
            set(&mut variables, &name, value);
        }
    }
    for variable in meta::list_at(container, &["env"]) {
        // A value may refer to what stands before it, and to the services.
        let known: Variables =
            services.iter().map(|(name, value)| (name.clone(), value.clone())).chain(variables.clone()).collect();
        if let Some(value) = value(pod, container, variable, around, &known) {
            set(&mut variables, meta::str_at(variable, &["name"]), value);
        }
    }
    for (name, value) in services {
        if !variables.iter().any(|(known, _)| *known == name) {
            variables.push((name, value));
        }
    }
    if !variables.iter().any(|(known, _)| known == "HOME") {
        variables.push(("HOME".into(), "/root".into()));
    }
    variables
}

/// All keys of a ConfigMap or Secret, with the prefix of the source.
fn of_source(source: &Value, around: &Surroundings) -> Variables {
    let prefix = meta::str_at(source, &["prefix"]);
    let keys = |object: &Value| -> Vec<String> {
        meta::map_at(object, &["data"]).into_iter().flat_map(|data| data.keys().cloned()).collect()
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let config = around.config_maps.get(meta::str_at(source, &["configMapRef", "name"]));
    let secret = around.secrets.get(meta::str_at(source, &["secretRef", "name"]));
    let of_config = config.into_iter().flat_map(|config| {
        keys(config)
            .into_iter()
            .filter_map(move |key| Some((format!("{prefix}{key}"), text(config_bytes(config, &key)?))))
    });
    let of_secret = secret.into_iter().flat_map(|secret| {
        keys(secret)
            .into_iter()
            .filter_map(move |key| Some((format!("{prefix}{key}"), text(secret_bytes(secret, &key)?))))
    });
    of_config.chain(of_secret).collect()
}

fn value(
    pod: &Value,
    container: &Value,
    variable: &Value,
    around: &Surroundings,
    known: &[(String, String)],
) -> Option<String> {
    let Some(source) = variable.get("valueFrom").filter(|source| !source.is_null()) else {
        return Some(expand(meta::str_at(variable, &["value"]), known));
    };
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    if let Some(reference) = source.get("configMapKeyRef") {
        let config = around.config_maps.get(meta::str_at(reference, &["name"]))?;
        return config_bytes(config, meta::str_at(reference, &["key"])).map(text);
    }
    if let Some(reference) = source.get("secretKeyRef") {
        let secret = around.secrets.get(meta::str_at(reference, &["name"]))?;
        return secret_bytes(secret, meta::str_at(reference, &["key"])).map(text);
    }
    if let Some(reference) = source.get("fieldRef") {
        return fields::field(pod, meta::str_at(reference, &["fieldPath"]));
    }
    let reference = source.get("resourceFieldRef")?;
    let of = match meta::str_at(reference, &["containerName"]) {
        "" => container,
        other => super::spec(pod, other)?,
    };
    fields::amount(of, &around.node, reference)
}

/// Replaces `$(NAME)` by the value of a known variable; `$$` stands for one dollar sign, unknown names stay.
pub fn expand(text: &str, known: &[(String, String)]) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find('$') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix('$') {
            out.push('$');
            rest = after;
        } else if let Some((name, after)) = rest.strip_prefix('(').and_then(|inner| inner.split_once(')')) {
            match known.iter().rev().find(|(known, _)| known == name) {
                Some((_, value)) => out.push_str(value),
                None => out.push_str(&format!("$({name})")),
            }
            rest = after;
        } else {
            out.push('$');
        }
    }
    out.push_str(rest);
    out
}

/// The variables of the services that stood when the container began.
fn of_services(pod: &Value, container: &Value, around: &Surroundings) -> BTreeMap<String, String> {
    let since = super::running_since(pod, meta::str_at(container, &["name"]));
    let links = meta::get(pod, &["spec", "enableServiceLinks"]).and_then(Value::as_bool).unwrap_or(true);
    let mut variables = BTreeMap::new();
    for service in &around.services {
        let address = meta::str_at(service, &["spec", "clusterIP"]);
        let is_master = meta::name(service) == "kubernetes" && meta::namespace(service) == "default";
        let made = meta::str_at(service, &["metadata", "creationTimestamp"]).parse::<chrono::DateTime<chrono::Utc>>();
        let late = since.zip(made.ok()).is_some_and(|(since, made)| made > since);
        if matches!(address, "" | "None") || (!links && !is_master) || late {
            continue;
        }
        of_service(service, address, &mut variables);
    }
    variables
}

fn of_service(service: &Value, address: &str, variables: &mut BTreeMap<String, String>) {
    let prefix = meta::name(service).to_uppercase().replace('-', "_");
    variables.insert(format!("{prefix}_SERVICE_HOST"), address.to_owned());
    for (position, port) in meta::list_at(service, &["spec", "ports"]).iter().enumerate() {
        let number = meta::int_at(port, &["port"]).unwrap_or_default();
        let protocol = match meta::str_at(port, &["protocol"]) {
            "" => "TCP",
            protocol => protocol,
        };
        let small = protocol.to_lowercase();
        let url = format!("{small}://{address}:{number}");
        if position == 0 {
            variables.insert(format!("{prefix}_SERVICE_PORT"), number.to_string());
            variables.insert(format!("{prefix}_PORT"), url.clone());
        }
        let name = meta::str_at(port, &["name"]);
        if !name.is_empty() {
            let name = name.to_uppercase().replace('-', "_");
            variables.insert(format!("{prefix}_SERVICE_PORT_{name}"), number.to_string());
        }
        let one = format!("{prefix}_PORT_{number}_{protocol}");
        variables.insert(one.clone(), url);
        variables.insert(format!("{one}_PROTO"), small);
        variables.insert(format!("{one}_PORT"), number.to_string());
        variables.insert(format!("{one}_ADDR"), address.to_owned());
    }
}
