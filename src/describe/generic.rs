//! The description of kinds that have none of their own: every field, with words made of field names.

use super::{Subject, Writer, events, text};
use crate::object::{Map, Value, go, meta};

/// Paths that the heading shows or nobody wants to see.
const SKIPPED: [&str; 5] =
    [".metadata.managedFields", ".metadata.name", ".metadata.namespace", ".metadata.labels", ".metadata.annotations"];

const ACRONYMS: [&str; 4] = ["API", "URL", "UID", "GUID"];

pub(super) fn describe(subject: &Subject<'_>, w: &mut Writer) -> Result<(), super::Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    w.field(0, "Namespace", meta::namespace(object));
    text::labels(w, object);
    text::object_annotations(w, object);
    if let Some(map) = object.as_object() {
        fields(w, 0, map, "");
    }
    events::describe(subject, w);
    Ok(())
}

fn fields(w: &mut Writer, level: usize, map: &Map<String, Value>, prefix: &str) {
    for (name, value) in map {
        let path = format!("{prefix}.{name}");
        if SKIPPED.contains(&path.as_str()) {
            continue;
        }
        match value {
            Value::Object(inner) => {
                w.line(level, format_args!("{}:", label_for(name)));
                fields(w, level + 1, inner, &path);
            }
            Value::Array(items) => {
                w.line(level, format_args!("{}:", label_for(name)));
                for item in items {
                    match item {
                        Value::Object(inner) => fields(w, level + 1, inner, &path),
                        other => w.line(level + 1, go::text(other)),
                    }
                }
            }
            other => w.field(level, &label_for(name), go::text(other)),
        }
    }
}

/// Words for a field name in camel case; a name with other characters than letters and `-` stays.
fn label_for(field: &str) -> String {
    if field.chars().any(|c| !c.is_alphabetic() && c != '-') {
        return field.to_owned();
    }
    let parts = camel_words(field);
    let mut merged: Vec<String> = Vec::new();
    let mut rest = parts.iter().peekable();
    while let Some(part) = rest.next() {
        // `URLs` is split before the last capital: two capitals and more belong to the word that follows them.
        let capitals = part.len() >= 2 && part.chars().all(|c| !c.is_alphabetic() || c.is_uppercase());
        match rest.peek() {
            Some(next) if capitals && next.starts_with(char::is_uppercase) => {
                merged.push(format!("{part}{next}"));
                rest.next();
            }
            _ => merged.push(part.clone()),
        }
    }
    let words = merged.into_iter().map(|part| {
        let upper = part.to_uppercase();
        if ACRONYMS.contains(&upper.as_str()) {
            upper
        } else if part.to_lowercase() == part {
            capitalized(&part)
        } else {
            part
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}

#[derive(PartialEq, Clone, Copy)]
enum Class {
    Lower,
    Upper,
    Other,
}

fn class(c: char) -> Class {
    if c.is_lowercase() {
        Class::Lower
    } else if c.is_uppercase() {
        Class::Upper
    } else {
        Class::Other
    }
}

/// Splits `camelCaseURLPath` into `camel`, `Case`, `URL`, `Path`.
fn camel_words(text: &str) -> Vec<String> {
    let mut runs: Vec<(Class, String)> = Vec::new();
    for c in text.chars() {
        match runs.last_mut() {
            Some((last, run)) if *last == class(c) => run.push(c),
            _ => runs.push((class(c), c.to_string())),
        }
    }
    for at in 1..runs.len() {
        let (before, after) = runs.split_at_mut(at);
        if let (Some((Class::Upper, upper)), Some((Class::Lower, lower))) = (before.last_mut(), after.first_mut())
            && let Some(last) = upper.pop()
        {
            lower.insert(0, last);
        }
    }
    runs.into_iter().map(|(_, run)| run).filter(|run| !run.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::label_for;

    #[test]
    fn field_names_become_words() {
        for (field, label) in [
            ("apiVersion", "API Version"),
            ("urlPath", "URL Path"),
            ("podCIDR", "Pod CIDR"),
            ("simpleName", "Simple Name"),
            ("uid", "UID"),
            ("my-key", "My - Key"),
            ("openAPIV3Schema", "openAPIV3Schema"),
            ("nonResourceURLs", "Non Resource URLs"),
            ("a.b/c", "a.b/c"),
        ] {
            assert_eq!(label_for(field), label);
        }
    }
}
