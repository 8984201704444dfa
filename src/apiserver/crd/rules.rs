//! Rules of schemas (`x-kubernetes-validations`) over objects.

use crate::apiserver::cel::{CelValue, Expression, Variables, from_json};
use crate::object::Value;
use crate::object::field::{Error, ErrorKind, ErrorList, Path};

use super::props::{Props, Rule};
use super::validate::same_keys;

/// What an error of the evaluator says when it lacks a function.
const UNKNOWN: &str = "Undeclared";

/// Judges an object and all that it holds; rules that cannot be judged here are named in `warnings`.
pub fn check(
    errors: &mut ErrorList,
    warnings: &mut Vec<String>,
    path: &Path,
    value: &Value,
    old: Option<&Value>,
    schema: &Props,
) {
    if value.is_null() {
        return;
    }
    for rule in &schema.validations {
        judge(errors, warnings, path, value, old, schema, rule);
    }
    for part in &schema.all_of {
        check(errors, warnings, path, value, old, part);
    }
    match value {
        Value::Object(map) => {
            let old = old.filter(|_| schema.map_type.as_deref() != Some("atomic"));
            for (name, value) in map {
                let before = old.and_then(|old| old.get(name));
                if let Some(field) = schema.properties.get(name) {
                    check(errors, warnings, &path.child(name), value, before, field);
                } else if let Some(values) = schema.values() {
                    check(errors, warnings, &path.key(name), value, before, values);
                }
            }
        }
        Value::Array(items) => {
            let Some(item_schema) = schema.item() else { return };
            let old = old.and_then(Value::as_array).filter(|_| schema.is_list_map());
            for (at, item) in items.iter().enumerate() {
                let same = |other: &&Value| same_keys(item, other, &schema.list_map_keys);
                let before = old.and_then(|old| old.iter().find(same));
                check(errors, warnings, &path.index(at), item, before, item_schema);
            }
        }
        _ => {}
    }
}

fn judge(
    errors: &mut ErrorList,
    warnings: &mut Vec<String>,
    path: &Path,
    value: &Value,
    old: Option<&Value>,
    schema: &Props,
    rule: &Rule,
) {
    let transition = rule.rule.contains("oldSelf");
    if transition && old.is_none() && rule.optional_old_self != Some(true) {
        return;
    }
    if !transition && old == Some(value) {
        return;
    }
    let shown = rule.rule.trim();
    let Ok(expression) = Expression::compile(&rule.rule) else { return };
    let mut variables = Variables::default();
    variables.set("self", from_json(value));
    if let Some(old) = old {
        variables.set("oldSelf", from_json(old));
    }
    let type_ = schema.type_.as_str();
    match expression.evaluate(&variables) {
        Ok(CelValue::Bool(true)) => {}
        Ok(CelValue::Bool(false)) => {
            let said = Expression::compile(&rule.message_expression).ok().and_then(|e| e.evaluate(&variables).ok());
            let detail = match said {
                Some(CelValue::String(text)) if !text.trim().is_empty() => text.trim().to_owned(),
                _ if !rule.message.is_empty() => rule.message.trim().to_owned(),
                _ => format!("failed rule: {shown}"),
            };
            errors.push(refusal(path, value, type_, rule, detail));
        }
        Ok(_) => errors.push(Error::invalid(path, type_, format!("no such overload evaluating rule: {shown}"))),
        Err(why) if why.contains(UNKNOWN) => warnings.push(format!("validation rule not checked: {shown}: {why}")),
        Err(why) => errors.push(Error::invalid(path, type_, format!("{why} evaluating rule: {shown}"))),
    }
}

fn refusal(path: &Path, value: &Value, type_: &str, rule: &Rule, detail: String) -> Error {
    let field = rule.field_path.trim_start_matches('.');
    let at = if field.is_empty() { path.clone() } else { path.child(field) };
    match rule.reason.as_deref() {
        Some("FieldValueRequired") => return Error::required(&at, detail),
        Some("FieldValueForbidden") => return Error::forbidden(&at, detail),
        _ => {}
    }
    let kind =
        if rule.reason.as_deref() == Some("FieldValueDuplicate") { ErrorKind::Duplicate } else { ErrorKind::Invalid };
    if matches!(type_, "object" | "array") {
        Error::without_value(kind, &at, detail)
    } else {
        Error::with_value(kind, &at, value, detail)
    }
}
