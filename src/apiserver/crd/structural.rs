//! Structural schemas: every field that a schema says something about is also described outside of its junctors.

use std::sync::OnceLock;

use regex::Regex;
use serde_json::json;

use crate::object::field::{Error, ErrorList, Path};

use super::props::{Additional, Items, Props};

#[derive(Clone, Copy, PartialEq)]
enum Level {
    Root,
    Item,
    Field,
}

/// Whether a schema says anything that no structural schema can hold; such schemas are refused in other words.
pub fn is_convertible(schema: &Props) -> bool {
    !schema.any(&|schema| {
        !schema.id.is_empty()
            || !schema.schema.is_empty()
            || schema.reference.is_some()
            || schema.additional_items.is_some()
            || !schema.pattern_properties.is_empty()
            || !schema.definitions.is_empty()
            || schema.dependencies.is_some()
            || matches!(schema.items, Some(Items::Many(_)))
    })
}

/// The failures of a schema, sorted by their text.
pub fn validate(path: &Path, schema: &Props) -> ErrorList {
    let mut errors = ErrorList::new();
    invariants(&mut errors, path, schema, Level::Root);
    junctor_completeness(&mut errors, schema, Some(schema), path, path);
    errors.sort_by_key(ToString::to_string);
    errors
}

fn invariants(errors: &mut ErrorList, path: &Path, schema: &Props, level: Level) {
    if schema.type_ == "array" && schema.item().is_none() {
        errors.push(Error::required(&path.child("items"), "must be specified"));
    }
    if let Some(item) = schema.item() {
        invariants(errors, &path.child("items"), item, Level::Item);
    }
    for (name, field) in &schema.properties {
        invariants(errors, &path.child("properties").key(name), field, Level::Field);
    }
    let additional = path.child("additionalProperties");
    if schema.additional_properties.is_some() && level == Level::Root {
        errors.push(Error::forbidden(&additional, "must not be used at the root"));
    }
    if let Some(values) = schema.values() {
        invariants(errors, &additional, values, Level::Field);
    }
    extensions(errors, path, schema);
    let (any, all) = integer_or_string(schema);
    junctors(errors, path, schema, any, all);
    typed(errors, path, schema, level);
    metadata(errors, path, schema, level);
    if schema.embedded_resource && !schema.preserves() && schema.properties.is_empty() {
        errors.push(Error::required(
            &path.child("properties"),
            "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
        ));
    }
}

fn extensions(errors: &mut ErrorList, path: &Path, schema: &Props) {
    let why = "must be false if x-kubernetes-int-or-string is true";
    if schema.int_or_string && schema.preserves() {
        errors.push(Error::invalid(&path.child("x-kubernetes-preserve-unknown-fields"), true, why));
    }
    if schema.int_or_string && schema.embedded_resource {
        errors.push(Error::invalid(&path.child("x-kubernetes-embedded-resource"), true, why));
    }
}

fn typed(errors: &mut ErrorList, path: &Path, schema: &Props, level: Level) {
    let type_ = path.child("type");
    if schema.embedded_resource && schema.type_ != "object" {
        let why = "must be object if x-kubernetes-embedded-resource is true";
        if schema.type_.is_empty() {
            errors.push(Error::required(&type_, why));
        } else {
            errors.push(Error::invalid(&type_, &*schema.type_, why));
        }
    } else if schema.type_.is_empty() && !schema.int_or_string && !schema.preserves() {
        let where_ = match level {
            Level::Root => "at the root",
            Level::Item => "for specified array items",
            Level::Field => "for specified object fields",
        };
        errors.push(Error::required(&type_, format!("must not be empty {where_}")));
    }
    if schema.embedded_resource && schema.additional_properties.is_some() {
        let why = "must not be used if x-kubernetes-embedded-resource is set";
        errors.push(Error::forbidden(&path.child("additionalProperties"), why));
    }
    if level == Level::Root && !schema.type_.is_empty() && schema.type_ != "object" {
        errors.push(Error::invalid(&type_, &*schema.type_, "must be object at the root"));
    }
}

fn metadata(errors: &mut ErrorList, path: &Path, schema: &Props, level: Level) {
    let checked = level == Level::Root || schema.embedded_resource;
    let at = |name: &str| path.child("properties").key(name);
    for name in ["kind", "apiVersion"] {
        if let Some(field) = schema.properties.get(name).filter(|field| checked && field.type_ != "string") {
            errors.push(Error::invalid(&at(name).child("type"), &*field.type_, "must be string"));
        }
    }
    let Some(metadata) = schema.properties.get("metadata") else { return };
    if checked && metadata.type_ != "object" {
        errors.push(Error::invalid(&at("metadata").child("type"), &*metadata.type_, "must be object"));
    }
    if level != Level::Root {
        return;
    }
    let mut rest = metadata.clone();
    if !rest.properties.is_empty() && rest.properties.keys().all(|name| name == "name" || name == "generateName") {
        rest.properties.clear();
    }
    rest.type_.clear();
    rest.default = None;
    if rest != Props::default() {
        errors.push(Error::forbidden(
            &at("metadata"),
            "must not specify anything other than name and generateName, but metadata is implicitly specified",
        ));
    }
}

fn pattern() -> &'static [Props; 2] {
    static PATTERN: OnceLock<[Props; 2]> = OnceLock::new();
    PATTERN.get_or_init(|| {
        ["integer", "string"].map(|type_| Props::from_value(&json!({"type": type_})).unwrap_or_default())
    })
}

/// Whether a schema is one of integers or strings in its junctors: in `anyOf`, in the first of `allOf`.
fn integer_or_string(schema: &Props) -> (bool, bool) {
    let any = schema.any_of.as_slice() == pattern().as_slice();
    (any, schema.all_of.first().is_some_and(|first| first.any_of.as_slice() == pattern().as_slice()))
}

fn junctors(errors: &mut ErrorList, path: &Path, schema: &Props, skip_any: bool, skip_first_all: bool) {
    if !skip_any {
        for (at, inner) in schema.any_of.iter().enumerate() {
            nested(errors, &path.child("anyOf").index(at), inner, false);
        }
    }
    for (at, inner) in schema.all_of.iter().enumerate() {
        nested(errors, &path.child("allOf").index(at), inner, skip_first_all && at == 0);
    }
    for (at, inner) in schema.one_of.iter().enumerate() {
        nested(errors, &path.child("oneOf").index(at), inner, false);
    }
    if let Some(inner) = &schema.not {
        nested(errors, &path.child("not"), inner, false);
    }
    if let Err(problem) = Regex::new(&schema.pattern) {
        let why =
            format!("must be a valid regular expression, but isn't: {}", go_regex_error(&schema.pattern, &problem));
        errors.push(Error::invalid(&path.child("pattern"), &*schema.pattern, why));
    }
}

/// What Go's `regexp` says of the commonest mistakes; of others what the parser here says.
pub(super) fn go_regex_error(pattern: &str, problem: &regex::Error) -> String {
    let text = problem.to_string();
    let said = text.lines().last().unwrap_or_default().trim_start_matches("error: ");
    let known = [
        ("unclosed character class", "missing closing ]", pattern.rfind('[').map_or(pattern, |at| &pattern[at..])),
        ("unclosed group", "missing closing )", pattern),
        ("unopened group", "unexpected )", pattern),
        ("repetition operator missing expression", "missing argument to repetition operator", first_operator(pattern)),
        ("unrecognized escape sequence", "invalid escape sequence", first_escape(pattern)),
        ("incomplete escape sequence", "trailing backslash at end of expression", ""),
        ("look-around", "invalid or unsupported Perl syntax", look_around(pattern)),
    ];
    match known.into_iter().find(|(own, _, _)| said.contains(own)) {
        Some((_, go, part)) => format!("error parsing regexp: {go}: `{part}`"),
        None => format!("error parsing regexp: {said}"),
    }
}

fn first_operator(pattern: &str) -> &str {
    pattern.find(['*', '+', '?']).and_then(|at| pattern.get(at..=at)).unwrap_or(pattern)
}

fn first_escape(pattern: &str) -> &str {
    pattern.find('\\').and_then(|at| pattern.get(at..at + 2)).unwrap_or(pattern)
}

fn look_around(pattern: &str) -> &str {
    pattern.find("(?").and_then(|at| pattern.get(at..(at + 3).min(pattern.len()))).unwrap_or(pattern)
}

/// What a schema in a junctor may not say.
fn nested(errors: &mut ErrorList, path: &Path, schema: &Props, skip_any: bool) {
    junctors(errors, path, schema, skip_any, false);
    if let Some(item) = schema.item() {
        nested(errors, &path.child("items"), item, false);
    }
    for (name, field) in &schema.properties {
        nested(errors, &path.child("properties").key(name), field, false);
    }
    let empty = "must be empty to be structural";
    let undefined = "must be undefined to be structural";
    let not_true = "must be false to be structural";
    let additional = match &schema.additional_properties {
        None => false,
        Some(Additional::Allowed(_) | Additional::Schema(_)) => true,
    };
    let checks = [
        (!schema.type_.is_empty(), "type", empty),
        (additional, "additionalProperties", undefined),
        (schema.default.is_some(), "default", undefined),
        (!schema.title.is_empty(), "title", empty),
        (!schema.description.is_empty(), "description", empty),
        (schema.nullable, "nullable", not_true),
        (schema.preserves(), "x-kubernetes-preserve-unknown-fields", not_true),
        (schema.embedded_resource, "x-kubernetes-embedded-resource", not_true),
        (schema.int_or_string, "x-kubernetes-int-or-string", not_true),
        (!schema.list_map_keys.is_empty(), "x-kubernetes-list-map-keys", empty),
        (schema.list_type.is_some(), "x-kubernetes-list-type", undefined),
        (schema.map_type.is_some(), "x-kubernetes-map-type", undefined),
        (!schema.validations.is_empty(), "x-kubernetes-validations", empty),
    ];
    for (wrong, field, why) in checks {
        if wrong {
            errors.push(Error::forbidden(&path.child(field), why));
        }
    }
    if schema.properties.contains_key("metadata") {
        let at = path.child("properties").key("metadata");
        errors.push(Error::forbidden(&at, "must not be specified in a nested context"));
    }
}

fn junctor_completeness(errors: &mut ErrorList, schema: &Props, outer: Option<&Props>, at: &Path, said: &Path) {
    if let Some(inner) = &schema.not {
        completeness(errors, inner, outer, at, &said.child("not"));
    }
    let lists = [("allOf", &schema.all_of), ("anyOf", &schema.any_of), ("oneOf", &schema.one_of)];
    for (name, list) in lists {
        for (index, inner) in list.iter().enumerate() {
            completeness(errors, inner, outer, at, &said.child(name).index(index));
        }
    }
}

/// Fields and items of a schema in a junctor stand outside of it too.
fn completeness(errors: &mut ErrorList, schema: &Props, outer: Option<&Props>, at: &Path, said: &Path) {
    let missing = |at: &Path, said: &Path| Error::required(at, format!("because it is defined in {said}"));
    let Some(outer) = outer else {
        errors.push(missing(at, said));
        return;
    };
    junctor_completeness(errors, schema, Some(outer), at, said);
    if let Some(item) = schema.item() {
        completeness(errors, item, outer.item(), &at.child("items"), &said.child("items"));
    }
    for (name, field) in &schema.properties {
        let (at, said) = (at.child("properties").key(name), said.child("properties").key(name));
        match outer.properties.get(name) {
            Some(outer) => completeness(errors, field, Some(outer), &at, &said),
            None => errors.push(missing(&at, &said)),
        }
    }
}
