//! Texts that cells and descriptions share: ages, label maps, selectors, containers, access modes.

use chrono::{DateTime, Duration, Utc};

use crate::object::{Map, Value, duration, intstr, meta, quantity, selector, time};

/// Time between an RFC 3339 timestamp and `now` in few words; `<unknown>` for an absent or malformed timestamp.
pub fn since(timestamp: &str, now: DateTime<Utc>) -> String {
    time::age(Some(timestamp), now)
}

/// A length of time in few words: `45s`, `3h12m`, `5y40d`.
pub fn human(length: Duration) -> String {
    let nanoseconds = length.num_nanoseconds();
    duration::human(duration::GoDuration(nanoseconds.unwrap_or(if length < Duration::zero() {
        i64::MIN
    } else {
        i64::MAX
    })))
}

/// Reads an RFC 3339 timestamp.
pub fn parse_time(timestamp: &str) -> Option<DateTime<Utc>> {
    time::parse(timestamp).ok()
}

/// A map of labels as `a=b,c=d`, `<none>` when empty.
pub fn labels(map: Option<&Map<String, Value>>) -> String {
    let pairs: Vec<String> = meta::texts(map).map(|(key, value)| format!("{key}={value}")).collect();
    or_none(pairs.join(","))
}

/// `text`, or `<none>` in place of the empty text.
pub fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

/// A label selector for people: `<none>` when empty, `<error>` when invalid.
pub fn selector_or_none(value: Option<&Value>) -> String {
    selector::format_struct(value.unwrap_or(&Value::Null))
}

/// Names and images of a pod spec's containers, each joined with commas.
pub fn containers(pod_spec: Option<&Value>) -> (String, String) {
    let list = pod_spec.map(|spec| meta::list_at(spec, &["containers"])).unwrap_or_default();
    let join = |field: &str| list.iter().map(|c| meta::str_at(c, &[field])).collect::<Vec<_>>().join(",");
    (join("name"), join("image"))
}

/// Access modes of a volume in their short form and fixed order: `RWO,ROX`.
pub fn access_modes(modes: &[Value]) -> String {
    const SHORT: [(&str, &str); 4] =
        [("ReadWriteOnce", "RWO"), ("ReadOnlyMany", "ROX"), ("ReadWriteMany", "RWX"), ("ReadWriteOncePod", "RWOP")];
    let named = SHORT.iter().filter(|(long, _)| modes.iter().any(|mode| mode.as_str() == Some(long)));
    named.map(|(_, short)| *short).collect::<Vec<_>>().join(",")
}

/// The storage class of a volume or claim: the beta annotation before the field.
pub fn storage_class(object: &Value) -> &str {
    meta::annotation(object, "volume.beta.kubernetes.io/storage-class")
        .unwrap_or_else(|| meta::str_at(object, &["spec", "storageClassName"]))
}

/// A quantity in canonical form, `0` when absent; what is no quantity stays as it is.
pub fn quantity(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "0".to_owned(),
        Some(value) => quantity::from_value(value).map_or_else(|_| intstr::to_text(value), |q| q.to_string()),
    }
}

/// At most `max` items joined with commas, and how many more there are; `<unset>` when there is none.
pub fn first_of(items: &[String], max: usize) -> String {
    let shown = items.iter().take(max).map(String::as_str).collect::<Vec<_>>().join(",");
    if items.len() > max {
        return format!("{shown} + {} more...", items.len() - max);
    }
    if shown.is_empty() { "<unset>".to_owned() } else { shown }
}
