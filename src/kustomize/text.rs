//! Nodes as YAML with their own order of fields, for texts that hold YAML themselves.

use super::node::{Node, Tag};
use crate::manifest::{self, PlainValue};
use crate::object::Value;

/// A node as YAML; fields keep their order.
pub(super) fn to_yaml(node: &Node) -> String {
    let mut out = String::new();
    match node {
        Node::Scalar(_) => {
            out.push_str(&scalar(node, 0));
            out.push('\n');
        }
        Node::List(items) if items.is_empty() => out.push_str("[]\n"),
        Node::Map(fields) if fields.is_empty() => out.push_str("{}\n"),
        _ => write(node, 0, &mut out),
    }
    out
}

fn write(node: &Node, indent: usize, out: &mut String) {
    let pad = " ".repeat(indent);
    match node {
        Node::Map(fields) => {
            for (at, (key, value)) in fields.iter().enumerate() {
                if at > 0 {
                    out.push_str(&pad);
                }
                out.push_str(&scalar(&Node::text(key.clone()), indent));
                out.push(':');
                match value {
                    Node::Map(inner) if !inner.is_empty() => {
                        out.push('\n');
                        out.push_str(&" ".repeat(indent + 2));
                        write(value, indent + 2, out);
                    }
                    Node::List(inner) if !inner.is_empty() => {
                        out.push('\n');
                        out.push_str(&pad);
                        write(value, indent, out);
                    }
                    _ => write_leaf(value, indent, out),
                }
            }
        }
        Node::List(items) => {
            for (at, item) in items.iter().enumerate() {
                if at > 0 {
                    out.push_str(&pad);
                }
                out.push('-');
                match item {
                    Node::Map(inner) if !inner.is_empty() => {
                        out.push(' ');
                        write(item, indent + 2, out);
                    }
                    Node::List(inner) if !inner.is_empty() => {
                        out.push(' ');
                        write(item, indent + 2, out);
                    }
                    _ => write_leaf(item, indent, out),
                }
            }
        }
        Node::Scalar(_) => write_leaf(node, indent, out),
    }
}

fn write_leaf(node: &Node, indent: usize, out: &mut String) {
    let text = match node {
        Node::Map(_) => "{}".to_owned(),
        Node::List(_) => "[]".to_owned(),
        Node::Scalar(_) => scalar(node, indent),
    };
    if !text.is_empty() {
        out.push(' ');
    }
    out.push_str(&text);
    out.push('\n');
}

/// A text as it is written; quotes stay.
fn scalar(node: &Node, indent: usize) -> String {
    let Node::Scalar(scalar) = node else { return String::new() };
    if !matches!(scalar.tag, Tag::Text | Tag::Open) {
        return match scalar.explicit_tag() {
            Some(tag) => format!("{tag} {}", scalar.text),
            None => scalar.text.clone(),
        };
    }
    if scalar.quoted && !scalar.text.contains('\n') {
        return crate::object::json::to_compact(&Value::String(scalar.text.clone()));
    }
    if scalar.tag == Tag::Open && !scalar.text.is_empty() && !scalar.text.contains('\n') {
        return scalar.text.clone();
    }
    // Words of YAML 1.1 such as `yes` stand without quotes here.
    if manifest::needs_quotes(&scalar.text) && manifest::resolve_plain(&scalar.text) == PlainValue::Text {
        return scalar.text.clone();
    }
    let written = manifest::to_yaml(&Value::String(scalar.text.clone()));
    written.trim_end_matches('\n').replace('\n', &format!("\n{}", " ".repeat(indent)))
}

/// What is wrong with keys that a map holds twice, with their lines in the object's YAML; none if there are none.
pub(super) fn repeated_keys(node: &Node) -> Option<String> {
    let mut faults = Vec::new();
    note_keys(node, &mut 1, &mut faults);
    if faults.is_empty() {
        return None;
    }
    Some(format!("map[string]interface {{}}(nil): yaml: unmarshal errors:\n  {}", faults.join("\n  ")))
}

/// Walks over a node that begins in `line`, and leaves behind it.
fn note_keys(node: &Node, line: &mut usize, faults: &mut Vec<String>) {
    match node {
        Node::Map(fields) if !fields.is_empty() => {
            let mut seen = std::collections::HashMap::new();
            for (key, value) in fields {
                match seen.get(key.as_str()) {
                    Some(first) => {
                        faults.push(format!("line {line}: mapping key {key:?} already defined at line {first}"));
                    }
                    None => drop(seen.insert(key.as_str(), *line)),
                }
                if !matches!(value, Node::Scalar(_)) && !value.is_empty() {
                    *line += 1;
                }
                note_keys(value, line, faults);
            }
        }
        Node::List(items) if !items.is_empty() => items.iter().for_each(|item| note_keys(item, line, faults)),
        other => *line += to_yaml(other).lines().count().max(1),
    }
}
