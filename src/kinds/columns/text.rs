//! Texts that cells and descriptions share: ages, label maps, selectors, containers, access modes.

use chrono::{DateTime, Utc};

use crate::object::{Map, Value, meta};

/// Time between an RFC 3339 timestamp and `now` in few words; `<unknown>` for an absent or malformed timestamp.
pub fn since(timestamp: &str, now: DateTime<Utc>) -> String {
    match parse_time(timestamp) {
        Some(time) => human(now - time),
        None => "<unknown>".to_owned(),
    }
}

/// A length of time in few words: `45s`, `3h12m`, `5y40d` (`duration.HumanDuration`).
pub fn human(d: chrono::Duration) -> String {
    let seconds = d.num_seconds();
    let (minutes, hours) = (d.num_minutes(), d.num_hours());
    let (days, years) = (hours / 24, hours / 24 / 365);
    match () {
        () if seconds < -1 => "<invalid>".into(),
        () if seconds < 0 => "0s".into(),
        () if seconds < 120 => format!("{seconds}s"),
        () if minutes < 10 && seconds % 60 == 0 => format!("{minutes}m"),
        () if minutes < 10 => format!("{minutes}m{}s", seconds % 60),
        () if minutes < 180 => format!("{minutes}m"),
        () if hours < 8 && minutes % 60 == 0 => format!("{hours}h"),
        () if hours < 8 => format!("{hours}h{}m", minutes % 60),
        () if hours < 48 => format!("{hours}h"),
        () if hours < 192 && hours % 24 == 0 => format!("{days}d"),
        () if hours < 192 => format!("{days}d{}h", hours % 24),
        () if hours < 24 * 365 * 2 => format!("{days}d"),
        () if hours < 24 * 365 * 8 && days % 365 == 0 => format!("{years}y"),
        () if hours < 24 * 365 * 8 => format!("{years}y{}d", days % 365),
        () => format!("{years}y"),
    }
}

/// Reads an RFC 3339 timestamp.
pub fn parse_time(timestamp: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(timestamp).ok().map(|time| time.with_timezone(&Utc))
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

/// A label selector (`matchLabels`, `matchExpressions`) in the form of `labels.Selector.String()`; `None` when an
/// expression is invalid, empty for one that selects everything or nothing.
pub fn selector(selector: Option<&Value>) -> Option<String> {
    let Some(selector) = selector.filter(|s| !s.is_null()) else { return Some(String::new()) };
    let mut parts: Vec<(&str, String)> = meta::texts(meta::map_at(selector, &["matchLabels"]))
        .map(|(key, value)| (key, format!("{key}={value}")))
        .collect();
    for expression in meta::list_at(selector, &["matchExpressions"]) {
        let key = meta::str_at(expression, &["key"]);
        let mut values: Vec<&str> = meta::list_at(expression, &["values"]).iter().filter_map(Value::as_str).collect();
        values.sort_unstable();
        let text = match meta::str_at(expression, &["operator"]) {
            "In" => format!("{key} in ({})", values.join(",")),
            "NotIn" => format!("{key} notin ({})", values.join(",")),
            "Exists" => key.to_owned(),
            "DoesNotExist" => format!("!{key}"),
            _ => return None,
        };
        parts.push((key, text));
    }
    parts.sort_by(|a, b| a.0.cmp(b.0));
    Some(parts.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join(","))
}

/// A label selector for people (`metav1.FormatLabelSelector`): `<none>` when empty, `<error>` when invalid.
pub fn selector_or_none(value: Option<&Value>) -> String {
    match selector(value) {
        Some(text) => or_none(text),
        None => "<error>".to_owned(),
    }
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

/// A quantity as the object has it, `0` when absent.
pub fn quantity(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "0".to_owned(),
        Some(value) => value.as_str().map_or_else(|| value.to_string(), str::to_owned),
    }
}

/// An integer or a percentage as text (`IntOrString.String()`).
pub fn int_or_string(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// At most `max` items joined with commas, and how many more there are; `<unset>` when there is none.
pub fn first_of(items: &[String], max: usize) -> String {
    let shown = items.iter().take(max).map(String::as_str).collect::<Vec<_>>().join(",");
    if items.len() > max {
        return format!("{shown} + {} more...", items.len() - max);
    }
    if shown.is_empty() { "<unset>".to_owned() } else { shown }
}
