//! What the fields of built-in definitions mean.
//!
//! The texts are those of the Kubernetes API; the build script gathers them into one compressed file, which is unpacked
//! when something first asks for it.

use std::collections::{BTreeMap, HashMap};
use std::io::Read;
use std::sync::OnceLock;

use super::Schemas;
use crate::object::Value;

static PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/descriptions.gz"));

/// What every object's version and kind mean.
const TYPE_META: [&str; 2] = ["apiVersion", "kind"];

/// The texts of a definition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Descriptions {
    /// What the type itself is; empty when nothing is said.
    pub own: String,
    /// What its fields mean, by name.
    pub fields: BTreeMap<String, String>,
}

/// The bodies by the name of the definition.
fn index() -> &'static HashMap<&'static str, &'static str> {
    static TEXT: OnceLock<String> = OnceLock::new();
    static INDEX: OnceLock<HashMap<&'static str, &'static str>> = OnceLock::new();
    INDEX.get_or_init(|| {
        let text = TEXT.get_or_init(|| {
            let mut text = String::new();
            // The file is part of the program: what cannot be unpacked is a build without descriptions.
            let _ = flate2::read::GzDecoder::new(PACKED).read_to_string(&mut text);
            text
        });
        let entry = |line: &'static str| line.strip_prefix('"')?.strip_suffix(',')?.split_once("\": ");
        text.lines().filter_map(entry).collect()
    })
}

/// The texts of a built-in definition, such as `io.k8s.api.core.v1.PodSpec`; lists have them like any other kind.
pub fn of(name: &str) -> Descriptions {
    if let Some(fields) = index().get(name).and_then(|body| serde_json::from_str(body).ok()) {
        let mut fields: BTreeMap<String, String> = fields;
        return Descriptions { own: fields.remove("").unwrap_or_default(), fields };
    }
    match name.strip_suffix("List").filter(|item| index().contains_key(item)) {
        Some(item) => of_list(item),
        None => Descriptions::default(),
    }
}

fn of_list(item: &str) -> Descriptions {
    let kind = item.rsplit('.').next().unwrap_or(item);
    let mut fields = of(item).fields;
    fields.retain(|name, _| TYPE_META.contains(&name.as_str()));
    let metadata = of("io.k8s.apimachinery.pkg.apis.meta.v1.Status").fields.remove("metadata").unwrap_or_default();
    fields.insert("metadata".into(), metadata);
    fields.insert("items".into(), format!("The {kind} objects of the list."));
    Descriptions { own: format!("{kind}List is a list of {kind} objects."), fields }
}

/// The text of a field with the values that it may have, as documents show it; nothing when neither is known.
pub fn of_field(texts: &Descriptions, name: &str, values: &[Value]) -> Option<String> {
    let mut text = texts.fields.get(name).cloned().unwrap_or_default();
    if !values.is_empty() {
        text.push_str("\n\nPossible enum values:");
        values.iter().for_each(|value| text.push_str(&format!("\n - `{value}`")));
    }
    (!text.is_empty()).then_some(text)
}

/// A built-in definition as JSON, with its texts; `None` for names that are no built-in definition.
pub fn described(name: &str) -> Option<Value> {
    let mut schema: Value = serde_json::from_str(Schemas::builtin().text(name)?).ok()?;
    let texts = of(name);
    if !texts.own.is_empty() {
        schema["description"] = texts.own.as_str().into();
    }
    for (name, field) in schema.get_mut("properties").and_then(Value::as_object_mut).into_iter().flatten() {
        let values = field.get("enum").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        if let Some(text) = of_field(&texts, name, values) {
            field["description"] = text.into();
        }
    }
    Some(schema)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_every_field_is_described() {
        let (mut with, mut without) = (0, Vec::new());
        for name in Schemas::builtin().names() {
            let texts = of(name);
            let schema = Schemas::builtin().definition(name).expect("named").schema();
            for field in schema.properties.keys() {
                match texts.fields.contains_key(field) {
                    true => with += 1,
                    false => without.push(format!("{name}.{field}")),
                }
            }
        }
        assert!(without.len() * 50 < with, "{with} with, {} without: {without:?}", without.len());
    }

    #[test]
    fn definitions_carry_their_texts() {
        let pod = described("io.k8s.api.core.v1.PodList").expect("a definition");
        assert!(pod["properties"]["items"]["description"].as_str().is_some_and(|text| text.contains("Pod")));
        let policy = described("io.k8s.api.core.v1.PodSpec").expect("a definition");
        let text = policy["properties"]["restartPolicy"]["description"].as_str().unwrap_or_default();
        assert!(
            text.ends_with("\n\nPossible enum values:\n - `\"Always\"`\n - `\"Never\"`\n - `\"OnFailure\"`"),
            "{text}"
        );
        assert_eq!(described("io.k8s.api.core.v1.Nothing"), None);
    }
}
