//! The explanation as it was before OpenAPI v3 (`--output=plaintext-openapiv2`).

use std::collections::BTreeSet;
use std::rc::Rc;

use super::schema::{Definitions, all_of, part, reference, requires, text};
use super::wrap::fill;
use crate::object::{GroupVersionKind, Value};

/// Widest line.
const WIDTH: usize = 80;

/// What is to be explained.
pub struct Explanation<'a> {
    /// Where references lead.
    pub definitions: &'a Definitions,
    /// Whether fields of fields are shown.
    pub recursive: bool,
    /// How deep; 0 for all the way.
    pub max_depth: usize,
}

/// One step from a field to what holds its fields.
enum Step {
    Reference(Rc<Value>),
    Below(Rc<Value>),
    Object,
    Other,
}

impl Explanation<'_> {
    /// Explains the field that `path` leads to.
    ///
    /// # Errors
    /// The name of the field that does not exist.
    pub fn explain(&self, gvk: &GroupVersionKind, schema: &Rc<Value>, path: &[String]) -> Result<String, String> {
        let (field, found) = self.lookup(schema, path)?;
        let mut descriptions = Vec::new();
        let mut current = found.clone();
        loop {
            let own = text(&current, "description").to_owned();
            match self.step(&current) {
                Step::Reference(next) | Step::Below(next) => {
                    descriptions.push(own);
                    current = next;
                }
                Step::Object | Step::Other => {
                    descriptions.push(own);
                    break;
                }
            }
        }
        let version = gvk.api_version();
        let mut out = format!("KIND:     {}\nVERSION:  {version}\n\n", gvk.kind);
        let is_object = matches!(self.step(&current), Step::Object);
        if let Some(name) = field {
            let heading = if is_object { "RESOURCE:" } else { "FIELD:   " };
            out.push_str(&format!("{heading} {name} <{}>\n\n", self.type_of(&found)));
        }
        out.push_str("DESCRIPTION:\n");
        let written: Vec<String> =
            descriptions.into_iter().filter(|text| !text.is_empty()).map(|text| paragraph(&text, 5)).collect();
        out.push_str(&if written.is_empty() { "     <empty>\n".to_owned() } else { written.join("\n") });
        if is_object {
            out.push_str("\nFIELDS:\n");
            self.fields(&current, 3, 1, &mut BTreeSet::new(), &mut out);
        }
        Ok(out)
    }

    /// The field at the end of the path and its name.
    fn lookup<'p>(&self, schema: &Rc<Value>, path: &'p [String]) -> Result<(Option<&'p str>, Rc<Value>), String> {
        let mut current = Rc::clone(schema);
        let mut name = None;
        for part in path {
            loop {
                match self.step(&current) {
                    Step::Reference(next) | Step::Below(next) => current = next,
                    Step::Object => break,
                    Step::Other => return Ok((path.last().map(String::as_str), current)),
                }
            }
            let field = current.get("properties").and_then(|fields| fields.get(part)).cloned();
            current = Rc::new(field.ok_or_else(|| part.clone())?);
            name = Some(part.as_str());
        }
        Ok((name, current))
    }

    fn step(&self, schema: &Value) -> Step {
        if reference(schema).is_some() {
            return self.definitions.resolve(schema).map_or(Step::Other, Step::Reference);
        }
        if let [only] = all_of(schema) {
            return self.definitions.resolve(only).map_or(Step::Other, Step::Reference);
        }
        if let Some(below) = part(schema, "items").or_else(|| part(schema, "additionalProperties")) {
            return Step::Below(Rc::new(below.clone()));
        }
        if part(schema, "properties").is_some() { Step::Object } else { Step::Other }
    }

    fn type_of(&self, schema: &Value) -> String {
        if let Some(items) = part(schema, "items") {
            return format!("[]{}", self.type_of(items));
        }
        if let Some(values) = part(schema, "additionalProperties") {
            return format!("map[string]{}", self.type_of(values));
        }
        if let Step::Reference(next) = self.step(schema) {
            return self.type_of(&next);
        }
        match text(schema, "type") {
            "object" => "Object".to_owned(),
            // What may be one or the other is text to older clients.
            "" if schema.get("oneOf").is_some() => "string".to_owned(),
            other => other.to_owned(),
        }
    }

    fn fields(&self, schema: &Value, by: usize, depth: usize, seen: &mut BTreeSet<String>, out: &mut String) {
        for (name, field) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            let required = if !self.recursive && requires(schema, name) { " -required-" } else { "" };
            out.push_str(&format!("{:by$}{name}\t<{}>{required}\n", "", self.type_of(field)));
            if !self.recursive {
                out.push_str(&format!("{}\n", paragraph(text(field, "description"), by + 2)));
            } else if self.max_depth == 0 || depth < self.max_depth {
                self.below(field, by + 3, depth + 1, seen, out);
            }
        }
    }

    /// The fields of a field, unless its definition is on the way to it.
    fn below(&self, field: &Value, by: usize, depth: usize, seen: &mut BTreeSet<String>, out: &mut String) {
        let name = reference(field).or_else(|| all_of(field).first().and_then(reference)).map(str::to_owned);
        match self.step(field) {
            Step::Reference(next) => {
                let name = name.unwrap_or_default();
                if seen.insert(name.clone()) {
                    self.below(&next, by, depth, seen, out);
                    seen.remove(&name);
                }
            }
            Step::Below(next) => self.below(&next, by, depth, seen, out),
            Step::Object => self.fields(field, by, depth, seen, out),
            Step::Other => {}
        }
    }
}

/// A description as lines; without one there is no line.
fn paragraph(text: &str, by: usize) -> String {
    let lines = fill(text, WIDTH - by);
    lines.iter().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("{:by$}{line}\n", "") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pages_have_their_older_form() {
        let definitions = Definitions::of_document(json!({"components": {"schemas": {
            "Spec": {"type": "object", "description": "Spec of it.", "required": ["size"], "properties": {
                "size": {"type": "integer", "description": "How much."}}},
        }}}));
        let schema = Rc::new(json!({"type": "object", "properties": {
            "spec": {"allOf": [{"$ref": "#/components/schemas/Spec"}], "description": "The spec."}}}));
        let gvk = GroupVersionKind::new("g", "v1", "K");
        let explain = |path: &[&str], recursive: bool| {
            let path: Vec<String> = path.iter().map(ToString::to_string).collect();
            Explanation { definitions: &definitions, recursive, max_depth: 0 }.explain(&gvk, &schema, &path)
        };
        assert_eq!(
            explain(&["spec"], false).as_deref(),
            Ok(
                "KIND:     K\nVERSION:  g/v1\n\nRESOURCE: spec <Object>\n\nDESCRIPTION:\n     The spec.\n\n     Spec of it.\n\n\
                FIELDS:\n   size\t<integer> -required-\n     How much.\n\n"
            )
        );
        assert_eq!(
            explain(&["spec", "size"], false).as_deref(),
            Ok("KIND:     K\nVERSION:  g/v1\n\nFIELD:    size <integer>\n\nDESCRIPTION:\n     How much.\n")
        );
        assert!(
            explain(&[], true).is_ok_and(|text| text.ends_with("FIELDS:\n   spec\t<Object>\n      size\t<integer>\n"))
        );
        assert_eq!(explain(&["spec", "nosuch"], false), Err("nosuch".to_owned()));
    }
}
