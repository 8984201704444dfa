//! Texts that several describers share: label lists, taints, times, Go's formats of values.

use std::fmt::Display;

use chrono::{DateTime, Utc};

use super::{Settings, Writer};
use crate::kinds::columns::text as cells;
use crate::object::{Map, Value, meta};

/// Annotations longer than this many bytes go on lines of their own, which are cut there.
const MAX_ANNOTATION: usize = 140;

/// The value at `path`, none when null.
pub fn present<'a>(object: &'a Value, path: &[&str]) -> Option<&'a Value> {
    meta::get(object, path).filter(|value| !value.is_null())
}

/// `text`, or `otherwise` in place of the empty text.
pub fn or<'a>(text: &'a str, otherwise: &'a str) -> &'a str {
    if text.is_empty() { otherwise } else { text }
}

/// The texts of a list of texts.
pub fn texts<'a>(object: &'a Value, path: &[&str]) -> Vec<&'a str> {
    meta::list_at(object, path).iter().filter_map(Value::as_str).collect()
}

/// `True` or `False`.
pub fn flag(value: bool) -> &'static str {
    if value { "True" } else { "False" }
}

/// `True`, `False` or `<unset>`.
pub fn optional_flag(value: Option<&Value>) -> &'static str {
    value.and_then(Value::as_bool).map_or("<unset>", flag)
}

/// A number, or `<unset>`.
pub fn optional_number(value: Option<&Value>) -> String {
    value.map_or_else(|| "<unset>".to_owned(), Value::to_string)
}

/// A timestamp in the form of RFC 1123 with a numeric zone; Go's zero time when there is none.
pub fn time(object: &Value, path: &[&str], settings: &Settings) -> String {
    match cells::parse_time(meta::str_at(object, path)) {
        Some(time) => (settings.zone)(time).format("%a, %d %b %Y %H:%M:%S %z").to_string(),
        None => "Mon, 01 Jan 0001 00:00:00 +0000".to_owned(),
    }
}

/// Time since a timestamp in few words.
pub fn since(object: &Value, path: &[&str], now: DateTime<Utc>) -> String {
    cells::since(meta::str_at(object, path), now)
}

/// A map of texts over several lines, `<none>` when empty.
pub fn map_lines(w: &mut Writer, indent: &str, title: &str, map: Option<&Map<String, Value>>) {
    let lines = meta::texts(map).map(|(key, value)| format!("{key}={value}"));
    lines_below(w, indent, title, lines);
}

/// The labels of an object.
pub fn labels(w: &mut Writer, object: &Value) {
    map_lines(w, "", "Labels", meta::map_at(object, &["metadata", "labels"]));
}

/// A title and a tab, then one line each, all but the first below the tab.
pub fn lines_below(w: &mut Writer, indent: &str, title: &str, lines: impl IntoIterator<Item = impl Display>) {
    w.put(0, format_args!("{indent}{title}:\t"));
    let mut any = false;
    for line in lines {
        if any {
            w.put(0, format_args!("{indent}\t"));
        }
        w.raw(format_args!("{line}\n"));
        any = true;
    }
    if !any {
        w.raw("<none>\n");
    }
}

/// The annotations of an object but for the one that holds the last applied manifest.
pub fn annotations(w: &mut Writer, title: &str, map: Option<&Map<String, Value>>) {
    w.put(0, format_args!("{title}:\t"));
    let mut any = false;
    for (key, value) in meta::texts(map).filter(|(key, _)| *key != meta::LAST_APPLIED) {
        if any {
            w.raw("\t");
        }
        any = true;
        let value = value.strip_suffix('\n').unwrap_or(value);
        if value.len() + key.len() + 2 <= MAX_ANNOTATION && !value.contains('\n') {
            w.raw(format_args!("{key}: {value}\n"));
            continue;
        }
        w.raw(format_args!("{key}:\n"));
        for line in value.split('\n') {
            w.raw(format_args!("\t  {}\n", shorten(line, MAX_ANNOTATION - 2)));
        }
    }
    if !any {
        w.raw("<none>\n");
    }
}

/// The annotations of an object.
pub fn object_annotations(w: &mut Writer, object: &Value) {
    annotations(w, "Annotations", meta::map_at(object, &["metadata", "annotations"]));
}

/// `text` cut after `max` bytes, with dots in place of the rest.
pub fn shorten(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let end = (0..=max).rev().find(|&at| text.is_char_boundary(at)).unwrap_or_default();
    format!("{}...", text.get(..end).unwrap_or_default())
}

/// Attributes of a CSI volume, at level two.
pub fn attributes(w: &mut Writer, title: &str, map: Option<&Map<String, Value>>) {
    w.put(2, format_args!("{title}:\t"));
    let mut any = false;
    for (key, value) in meta::texts(map) {
        if any {
            w.put(2, "");
            w.put(2, "\t");
        }
        any = true;
        w.put(2, format_args!("{}\n", shorten(&format!("{key}={value}"), MAX_ANNOTATION)));
    }
    if !any {
        w.raw("<none>\n");
    }
}

/// The tolerations of a pod, by key.
pub fn tolerations(w: &mut Writer, title: &str, list: &[Value]) {
    let mut sorted: Vec<&Value> = list.iter().collect();
    sorted.sort_by_key(|toleration| meta::str_at(toleration, &["key"]));
    lines_below(w, "", title, sorted.into_iter().map(toleration));
}

fn toleration(toleration: &Value) -> String {
    let part = |name: &str| meta::str_at(toleration, &[name]);
    let mut text = part("key").to_owned();
    if !part("value").is_empty() {
        text = format!("{text}={}", part("value"));
    }
    if !part("effect").is_empty() {
        text = format!("{text}:{}", part("effect"));
    }
    if part("operator") == "Exists" && part("value").is_empty() {
        text.push_str(if part("key").is_empty() && part("effect").is_empty() { "op=Exists" } else { " op=Exists" });
    }
    if let Some(seconds) = meta::int_at(toleration, &["tolerationSeconds"]) {
        text = format!("{text} for {seconds}s");
    }
    text
}

/// A pointer to a reference struct as Go prints it: `&SecretReference{Name:a,Namespace:b,}`, `<nil>` when absent.
pub fn go_reference(value: Option<&Value>, name: &str, fields: &[(&str, &str)]) -> String {
    let Some(value) = value.filter(|v| !v.is_null()) else { return "<nil>".to_owned() };
    let parts: String =
        fields.iter().map(|(title, field)| format!("{title}:{},", meta::str_at(value, &[field]))).collect();
    format!("&{name}{{{parts}}}")
}

/// `Kind/name` of the controller that owns the object.
pub fn controlled_by(w: &mut Writer, object: &Value) {
    if let Some(owner) = meta::controller_of(object) {
        w.field(0, "Controlled By", format_args!("{}/{}", meta::kind(owner), meta::str_at(owner, &["name"])));
    }
}

/// Conditions as a table, at level one; `columns` are titles with the fields below them.
pub fn conditions(w: &mut Writer, list: &[Value], row: impl Fn(&Value) -> String) {
    for condition in list {
        w.line(1, row(condition));
    }
}

/// Type, status and reason of the conditions of a workload.
pub fn reason_conditions(w: &mut Writer, object: &Value) {
    let list = meta::list_at(object, &["status", "conditions"]);
    if list.is_empty() {
        return;
    }
    w.line(0, "Conditions:\n  Type\tStatus\tReason");
    w.line(1, "----\t------\t------");
    conditions(w, list, |c| {
        let part = |name: &str| meta::str_at(c, &[name]);
        format!("{} \t{}\t{}", part("type"), part("status"), part("reason"))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn tolerations_of_everything_stand_without_a_blank() {
        assert_eq!(toleration(&json!({"operator": "Exists"})), "op=Exists");
        assert_eq!(
            toleration(&json!({"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 5})),
            "a:NoExecute op=Exists for 5s"
        );
    }
}
