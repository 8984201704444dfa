//! The usual explanation: kind, field, description, fields.

use std::collections::BTreeSet;

use super::schema::{Definitions, all_of, name_of, part, reference, requires, text};
use super::wrap::{indent, wrap};
use crate::object::Value;

/// Widest line of a description, without its indentation.
const WIDTH: usize = 76;
/// How many values of an enumeration a list of fields shows.
const ENUM_LIMIT: usize = 4;

/// What is to be explained.
pub struct Explanation<'a> {
    /// Where references lead.
    pub definitions: &'a Definitions,
    /// Whether fields of fields are shown.
    pub recursive: bool,
    /// How deep; 0 for all the way.
    pub max_depth: usize,
}

/// References that have been followed on the way.
type History = BTreeSet<String>;

impl Explanation<'_> {
    /// Explains the field that `path` leads to from `schema`; empty when it leads nowhere.
    pub fn explain(&self, schema: &Value, path: &[String]) -> String {
        self.output(schema, path, &History::new())
    }

    fn resolved(&self, schema: &Value) -> std::rc::Rc<Value> {
        self.definitions.resolve(schema).unwrap_or_else(|| std::rc::Rc::new(schema.clone()))
    }

    fn output(&self, schema: &Value, path: &[String], history: &History) -> String {
        let resolved = self.resolved(schema);
        let Some((first, rest)) = path.split_first() else { return self.page(&resolved) };
        let mut history = history.clone();
        if let Some(reference) = reference(schema)
            && !history.insert(reference.to_owned())
        {
            return String::new();
        }
        if let Some(field) = resolved.get("properties").and_then(|fields| fields.get(first)) {
            let mut out = String::new();
            if rest.is_empty() {
                out = format!("FIELD: {first} <{}>\n{}\n\n", self.type_of(field), long_enum(field));
            }
            let below = self.output(field, rest, &History::new());
            return if below.is_empty() { below } else { out + &below };
        }
        if let Some(items) = part(&resolved, "items") {
            return self.output(items, path, &history);
        }
        if let Some(values) = part(&resolved, "additionalProperties") {
            return self.output(values, path, &history);
        }
        let outputs = all_of(&resolved).iter().map(|schema| self.output(schema, path, &history));
        outputs.into_iter().find(|output| !output.is_empty()).unwrap_or_default()
    }

    /// Description and fields.
    fn page(&self, schema: &Value) -> String {
        let mut description = String::new();
        self.describe(schema, &mut description);
        if description.is_empty() {
            description.push_str("<empty>");
        }
        let mut out = format!("DESCRIPTION:\n{}\n", indent(&wrap(&description, WIDTH), 4));
        if let Some(docs) = part(schema, "externalDocs") {
            out.push_str(&format!("\nEXTERNAL DOCS:\n{}", external_docs(docs, 4, WIDTH)));
        }
        let mut fields = String::new();
        self.fields(schema, 1, &History::new(), &mut fields);
        if !fields.is_empty() {
            out.push_str(&format!("FIELDS:\n{fields}"));
        }
        out
    }

    /// The descriptions of a schema and of what it is made of.
    fn describe(&self, schema: &Value, out: &mut String) {
        let schema = self.resolved(schema);
        let own = text(&schema, "description");
        if !own.is_empty() {
            out.push_str(&format!("{own}\n"));
        }
        let parts = [part(&schema, "items"), part(&schema, "additionalProperties")];
        for part in all_of(&schema).iter().chain(parts.into_iter().flatten()) {
            self.describe(part, out);
        }
    }

    fn fields(&self, schema: &Value, level: usize, history: &History, out: &mut String) {
        let mut history = history.clone();
        if let Some(reference) = reference(schema)
            && !history.insert(reference.to_owned())
        {
            return;
        }
        let schema = self.resolved(schema);
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            self.field(name, field, requires(&schema, name), level, out);
            if self.recursive && (self.max_depth == 0 || level < self.max_depth) {
                self.fields(field, level + 1, &history, out);
            }
        }
        let parts = [part(&schema, "items"), part(&schema, "additionalProperties")];
        for part in all_of(&schema).iter().chain(parts.into_iter().flatten()) {
            self.fields(part, level, &history, out);
        }
    }

    fn field(&self, name: &str, field: &Value, required: bool, level: usize, out: &mut String) {
        let by = level * 2;
        let required = if required { " -required-" } else { "" };
        out.push_str(&format!("{:by$}{name}\t<{}>{required}{}\n", "", self.type_of(field), short_enum(field, by)));
        if self.recursive {
            return;
        }
        let description = match text(field, "description") {
            "" => "<no description>",
            description => description,
        };
        out.push_str(&format!("{}\n", indent(&wrap(description, 78 - by), by + 2)));
        if let Some(docs) = part(field, "externalDocs") {
            let docs = external_docs(docs, by + 4, WIDTH - by);
            out.push_str(&format!("\n{}\n{docs}", indent("EXTERNAL DOCS:", by + 2)));
        }
        out.push('\n');
    }

    /// The type in short: `string`, `[]Container`, `map[string]string`.
    fn type_of(&self, schema: &Value) -> String {
        if let Some(items) = part(schema, "items") {
            return format!("[]{}", self.type_of(items));
        }
        if let Some(values) = part(schema, "additionalProperties") {
            return format!("map[string]{}", self.type_of(values));
        }
        if let [only] = all_of(schema)
            && part(schema, "properties").is_none()
        {
            return self.type_of(only);
        }
        if let Some(reference) = reference(schema) {
            let resolved = self.definitions.resolve(schema);
            return match resolved.as_deref().map_or("", |schema| text(schema, "type")) {
                "" | "object" => name_of(reference).rsplit('.').next().unwrap_or("Object").to_owned(),
                primitive => primitive.to_owned(),
            };
        }
        match text(schema, "type") {
            "" | "object" => "Object".to_owned(),
            primitive => primitive.to_owned(),
        }
    }
}

fn external_docs(docs: &Value, by: usize, width: usize) -> String {
    let mut out = String::new();
    if !text(docs, "description").is_empty() {
        out.push_str(&format!("{}\n", indent(&wrap(text(docs, "description"), width), by)));
    }
    if !text(docs, "url").is_empty() {
        out.push_str(&format!("{}\n", indent(&format!("URL: {}", text(docs, "url")), by)));
    }
    out
}

/// The values of an enumeration; the empty text is shown as such.
fn values(schema: &Value) -> Vec<String> {
    let shown = |value: &Value| match value {
        Value::String(text) if text.is_empty() => "\"\"".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    schema.get("enum").and_then(Value::as_array).into_iter().flatten().map(shown).collect()
}

fn long_enum(schema: &Value) -> String {
    let values = values(schema);
    if values.is_empty() {
        return String::new();
    }
    format!("ENUM:{}", values.iter().map(|value| format!("\n    {value}")).collect::<String>())
}

fn short_enum(schema: &Value, by: usize) -> String {
    let values = values(schema);
    if values.is_empty() {
        return String::new();
    }
    let more = if values.len() > ENUM_LIMIT { ", ...." } else { "" };
    let shown: Vec<&str> = values.iter().take(ENUM_LIMIT).map(String::as_str).collect();
    format!("\n{:by$}enum: {}{more}", "", shown.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn definitions() -> Definitions {
        Definitions::of_document(json!({"components": {"schemas": {
            "x.Node": {"type": "object", "description": "A node.", "required": ["name"], "properties": {
                "name": {"type": "string", "description": "Its name.", "enum": ["a", "", "c", "d", "e"]},
                "next": {"allOf": [{"$ref": "#/components/schemas/x.Node"}], "description": "The next one."},
                "all": {"type": "array", "items": {"$ref": "#/components/schemas/x.Node"}},
                "labels": {"type": "object", "additionalProperties": {"type": "string"}},
            }},
        }}}))
    }

    fn explain(path: &[&str], recursive: bool) -> String {
        let definitions = definitions();
        let explanation = Explanation { definitions: &definitions, recursive, max_depth: 0 };
        let path: Vec<String> = path.iter().map(ToString::to_string).collect();
        explanation.explain(&json!({"$ref": "#/components/schemas/x.Node"}), &path)
    }

    #[test]
    fn fields_are_listed() {
        assert_eq!(
            explain(&[], false),
            "DESCRIPTION:\n    A node.\n    \nFIELDS:\n  all\t<[]Node>\n    <no description>\n\n  labels\t<map[string]string>\n    \
             <no description>\n\n  name\t<string> -required-\n  enum: a, \"\", c, d, ....\n    Its name.\n\n  next\t<Node>\n    \
             The next one.\n\n"
        );
    }

    #[test]
    fn cycles_end() {
        let recursive = explain(&[], true);
        assert_eq!(recursive.matches("next\t<Node>").count(), 3, "{recursive}");
    }

    #[test]
    fn paths_lead_through_lists_and_references() {
        let name = explain(&["all", "next", "name"], false);
        assert!(
            name.starts_with("FIELD: name <string>\nENUM:\n    a\n    \"\"\n    c\n    d\n    e\n\nDESCRIPTION:\n"),
            "{name}"
        );
        assert_eq!(explain(&["all", "nosuch"], false), "");
        assert_eq!(explain(&["name", "nosuch"], false), "");
    }
}
