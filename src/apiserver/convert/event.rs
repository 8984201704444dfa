//! Events of the core group and of `events.k8s.io`: the same objects with some fields named differently.

use crate::object::{Map, Value};

/// Field names in `events.k8s.io/v1` and in `v1`.
const NAMES: &[(&str, &str)] = &[
    ("note", "message"),
    ("regarding", "involvedObject"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
    ("reportingController", "reportingComponent"),
];

fn rename(object: &mut Value, names: impl Iterator<Item = (&'static str, &'static str)>) {
    let Some(map) = object.as_object_mut() else { return };
    let renamed: Map<String, Value> = names.filter_map(|(from, to)| Some((to.to_owned(), map.remove(from)?))).collect();
    map.extend(renamed);
}

/// `events.k8s.io/v1` to `v1`.
pub fn to_core(object: &mut Value) {
    rename(object, NAMES.iter().copied());
    fill(object, &[("involvedObject", Value::Object(Map::new())), ("source", Value::Object(Map::new()))]);
    texts(object, &["reportingComponent", "reportingInstance"], true);
}

/// `v1` to `events.k8s.io/v1`.
pub fn from_core(object: &mut Value) {
    rename(object, NAMES.iter().map(|(new, old)| (*old, *new)));
    texts(object, &["reportingController", "reportingInstance"], false);
}

/// Structs and times that the core form always shows.
fn fill(object: &mut Value, fields: &[(&str, Value)]) {
    let Some(map) = object.as_object_mut() else { return };
    for (name, value) in fields {
        map.entry((*name).to_owned()).or_insert_with(|| value.clone());
    }
    for name in ["eventTime", "firstTimestamp", "lastTimestamp"] {
        map.entry(name).or_insert(Value::Null);
    }
}

/// The core form always shows its texts, the other one leaves empty ones out.
fn texts(object: &mut Value, names: &[&str], shown: bool) {
    let Some(map) = object.as_object_mut() else { return };
    for name in names {
        if shown {
            map.entry((*name).to_owned()).or_insert_with(|| Value::String(String::new()));
        } else if map.get(*name).and_then(Value::as_str) == Some("") {
            map.remove(*name);
        }
    }
}
