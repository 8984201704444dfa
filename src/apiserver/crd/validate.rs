//! Validation of values against schemas, with the texts and the order of kube-openapi's validator.

use regex::Regex;

use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::go::quote;
use crate::object::{Map, Value};

use super::formats;
use super::props::{Additional, Items, Props};

/// One failure before it is a field error: its text is what tells two failures apart.
#[derive(Clone, Debug)]
struct Failure {
    name: String,
    what: What,
    value: Value,
    text: String,
}

#[derive(Clone, Debug)]
enum What {
    Required,
    Enum(Vec<Value>),
    TooLong(i64),
    TooMany(i64, i64),
    Type,
    Other,
    /// Speaks of no field of its own.
    Composite,
}

impl Failure {
    fn new(name: &str, what: What, value: impl Into<Value>, text: String) -> Self {
        Self { name: name.to_owned(), what, value: value.into(), text }
    }

    fn composite(text: String) -> Self {
        Self::new("", What::Composite, "", text)
    }

    fn into_error(self, path: &Path) -> Error {
        let name = self.name.strip_prefix('.').unwrap_or(&self.name);
        let at = if name.is_empty() { path.clone() } else { path.child(name) };
        match self.what {
            What::Required => Error::required(&at, ""),
            What::Enum(values) => {
                let shown: Vec<String> = values
                    .iter()
                    .map(|value| value.as_str().map_or_else(|| crate::object::json::to_compact(value), str::to_owned))
                    .collect();
                Error::not_supported(&at, self.value, &shown)
            }
            What::TooLong(max) => Error::too_long(&at, usize::try_from(max).unwrap_or_default()),
            What::TooMany(actual, max) => Error::too_many(
                &at,
                usize::try_from(actual).unwrap_or_default(),
                usize::try_from(max).unwrap_or_default(),
            ),
            What::Type => Error::with_value(ErrorKind::TypeInvalid, &at, &self.value, self.text),
            What::Other => Error::invalid(&at, self.value, self.text),
            What::Composite => Error::invalid(path, "", self.text),
        }
    }
}

/// The outcome of one validator: failures, each text once, and how much matched.
#[derive(Default)]
struct Outcome {
    failures: Vec<Failure>,
    matches: usize,
}

impl Outcome {
    fn add(&mut self, failure: Failure) {
        let same = |known: &Failure| known.text == failure.text;
        if !self.failures.iter().any(same) {
            self.failures.push(failure);
        }
    }

    fn merge(&mut self, other: Self) {
        other.failures.into_iter().for_each(|failure| self.add(failure));
        self.matches += other.matches;
    }

    fn valid(&self) -> bool {
        self.failures.is_empty()
    }
}

/// Validates a value. With an old value, failures of what has not changed are let pass.
pub fn validate(errors: &mut ErrorList, path: &Path, value: &Value, old: Option<&Value>, schema: &Props) {
    let outcome = node(schema, "", value, old);
    errors.extend(outcome.failures.into_iter().map(|failure| failure.into_error(path)));
}

fn node(schema: &Props, path: &str, value: &Value, old: Option<&Value>) -> Outcome {
    let mut outcome = plain(schema, path, value, old);
    if !outcome.valid() && old == Some(value) {
        outcome.failures.clear();
    }
    outcome
}

fn types(schema: &Props) -> Vec<&str> {
    if schema.int_or_string {
        vec!["integer", "string"]
    } else if schema.type_.is_empty() {
        Vec::new()
    } else {
        vec![&schema.type_]
    }
}

fn format<'a>(schema: &'a Props, types: &[&str]) -> &'a str {
    let type_ = if let [one] = types { one } else { "" };
    if formats::supported(type_, &schema.format) { &schema.format } else { "" }
}

fn plain(schema: &Props, path: &str, value: &Value, old: Option<&Value>) -> Outcome {
    let mut outcome = Outcome::default();
    let types = types(schema);
    let format = format(schema, &types);
    if value.is_null() {
        outcome.merge(type_of(schema, &types, format, path, value));
        outcome.merge(one_of_values(schema, path, value));
        return outcome;
    }
    if !types.is_empty() || !format.is_empty() {
        outcome.merge(type_of(schema, &types, format, path, value));
        outcome.matches += 1;
    }
    outcome.merge(junctors(schema, path, value));
    outcome.matches += 1;
    match value {
        Value::String(text) => {
            outcome.merge(string(schema, path, text));
            outcome.matches += 1;
            if formats::is_string(format) {
                if !formats::check(format, text) {
                    outcome.add(type_failure(path, format, text));
                }
                outcome.matches += 1;
            }
        }
        Value::Number(_) => {
            outcome.merge(number(schema, &types, path, value));
            outcome.matches += 1;
        }
        Value::Array(items) => {
            outcome.merge(list(schema, path, items, old));
            outcome.matches += 1;
        }
        _ => {}
    }
    outcome.merge(one_of_values(schema, path, value));
    outcome.matches += 1;
    if let Value::Object(map) = value {
        outcome.merge(object(schema, path, map, old));
        outcome.matches += 1;
    }
    outcome.matches += 1;
    outcome
}

fn type_failure(path: &str, wanted: &str, found: &str) -> Failure {
    Failure::new(path, What::Type, found, format!("{path} in body must be of type {wanted}: {}", quote(found)))
}

fn is_whole(value: &Value) -> bool {
    value.as_f64().is_some_and(whole)
}

/// `swag.IsFloat64AJSONInteger`: whole, within rounding, and small enough to be exact.
fn whole(number: f64) -> bool {
    const LARGEST: f64 = 9_007_199_254_740_991.0;
    if !number.is_finite() || number.abs() > LARGEST {
        return false;
    }
    if number == number.trunc() {
        return true;
    }
    let (trunc, diff) = (number.trunc(), (number - number.trunc()).abs());
    if trunc == 0.0 {
        return diff < 1e-9 * f64::MIN_POSITIVE;
    }
    diff / (number.abs() + trunc.abs()).min(f64::MAX) < 1e-9
}

fn type_of(schema: &Props, types: &[&str], format: &str, path: &str, value: &Value) -> Outcome {
    let mut outcome = Outcome { matches: 1, ..Outcome::default() };
    let fail = |wanted: &str, found: &str| Outcome { failures: vec![type_failure(path, wanted, found)], matches: 0 };
    let (found, found_format) = match value {
        Value::Null => {
            return if types.is_empty() || types.contains(&"null") || schema.nullable {
                outcome
            } else {
                fail(&types.join(","), "null")
            };
        }
        Value::Bool(_) => ("boolean", ""),
        Value::String(_) => ("string", ""),
        Value::Number(number) if number.is_f64() => ("number", "float64"),
        Value::Number(_) => ("integer", "int64"),
        Value::Array(_) => ("array", ""),
        Value::Object(_) => ("object", ""),
    };
    let float_as_integer = found == "number" && is_whole(value) && types.contains(&"integer");
    let integer_as_float = found == "integer" && types.contains(&"number");
    let textual = matches!(value, Value::String(_) | Value::Array(_));
    let fits = types.contains(&found) || float_as_integer || integer_as_float;
    if !(textual || format.is_empty() || fits || found_format == format) {
        return fail(format, found_format);
    }
    let numeric = types.contains(&"number") || types.contains(&"integer");
    if !numeric && !format.is_empty() && textual {
        return outcome;
    }
    if !fits {
        return fail(&types.join(","), found);
    }
    outcome.matches = 1;
    outcome
}

fn same(value: &Value, allowed: &Value) -> bool {
    match (value, allowed) {
        (Value::Number(a), Value::Number(b)) if a.is_f64() != b.is_f64() => a.as_f64() == b.as_f64(),
        _ => value == allowed,
    }
}

fn one_of_values(schema: &Props, path: &str, value: &Value) -> Outcome {
    let mut outcome = Outcome::default();
    if !schema.enum_.is_empty() && !schema.enum_.iter().any(|allowed| same(value, allowed)) {
        let text = format!(
            "{path} in body should be one of {}",
            crate::object::json::to_compact(&Value::Array(schema.enum_.clone()))
        );
        outcome.add(Failure::new(path, What::Enum(schema.enum_.clone()), value.clone(), text));
    }
    outcome
}

fn string(schema: &Props, path: &str, text: &str) -> Outcome {
    let length = i64::try_from(text.chars().count()).unwrap_or(i64::MAX);
    let mut outcome = Outcome::default();
    if let Some(max) = schema.max_length.filter(|max| length > *max) {
        let message = format!("{path} in body should be at most {max} chars long");
        outcome.add(Failure::new(path, What::TooLong(max), text, message));
    } else if let Some(min) = schema.min_length.filter(|min| length < *min) {
        let message = format!("{path} in body should be at least {min} chars long");
        outcome.add(Failure::new(path, What::Other, text, message));
    } else if !schema.pattern.is_empty() && !matches(&schema.pattern, text) {
        outcome.add(Failure::new(path, What::Other, text, format!("{path} in body should match '{}'", schema.pattern)));
    }
    outcome
}

/// Whether a text matches a pattern; one that does not compile matches nothing.
pub(super) fn matches(pattern: &str, text: &str) -> bool {
    use std::collections::HashMap;
    use std::sync::{Mutex, OnceLock, PoisonError};
    const MOST: usize = 1000;
    static KNOWN: OnceLock<Mutex<HashMap<String, Option<Regex>>>> = OnceLock::new();
    let mut known = KNOWN.get_or_init(Mutex::default).lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST {
        known.clear();
    }
    let regex = known.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
    regex.as_ref().is_some_and(|regex| regex.is_match(text))
}

fn range(value: &Value, types: &[&str], format: &str, prefix: &str, path: &str) -> Option<Failure> {
    let [type_] = types else { return None };
    let fits = match (*type_, format) {
        ("integer", "int32") => value.as_i64().or_else(|| whole_i64(value)).is_some_and(|n| i32::try_from(n).is_ok()),
        ("integer", _) => value.as_i64().or_else(|| whole_i64(value)).is_some(),
        ("number", "float") => value.as_f64().is_some_and(|n| n.abs() <= f64::from(f32::MAX)),
        _ => true,
    };
    let kind = if format.is_empty() { "(default format)".to_owned() } else { format!("with format {format}") };
    (!fits).then(|| Failure::composite(format!("{prefix} value must be of type {type_} {kind} in {path}")))
}

/// A float whose text is that of an integer.
fn whole_i64(value: &Value) -> Option<i64> {
    const LIMIT: f64 = 9_223_372_036_854_775_808.0;
    let number = value.as_f64()?;
    (number == number.trunc() && number.abs() < LIMIT).then_some(number as i64)
}

/// One bound that a number breaks.
fn bound(path: &str, value: &Value, words: &str, limit: f64) -> Failure {
    Failure::new(path, What::Other, value.clone(), format!("{path} in body should be {words} {limit}"))
}

fn number(schema: &Props, types: &[&str], path: &str, value: &Value) -> Outcome {
    let mut outcome = Outcome { matches: 1, ..Outcome::default() };
    let format = match types {
        ["integer"] if matches!(schema.format.as_str(), "int32" | "int64") => schema.format.as_str(),
        ["number"] if matches!(schema.format.as_str(), "float" | "double") => schema.format.as_str(),
        _ => "",
    };
    let float = value.as_f64().unwrap_or_default();
    if let Some(failure) = range(value, types, format, "Checked", path) {
        outcome.add(failure);
    }
    if let Some(factor) = schema.multiple_of {
        let limit = Value::from(factor);
        let native = range(&limit, types, format, "MultipleOf", path);
        let integer = value.as_i64().filter(|_| native.is_none() && !value.is_f64());
        native.into_iter().for_each(|failure| outcome.add(failure));
        if let Some(failure) = multiple(path, value, float, integer, factor) {
            outcome.add(failure);
        }
    }
    let cut = |limit: f64, native: bool| if native && !value.is_f64() { limit.trunc() } else { limit };
    if let Some(min) = schema.minimum {
        let odd = range(&Value::from(min), types, format, "Minimum boundary", path);
        let min = cut(min, odd.is_none());
        odd.into_iter().for_each(|failure| outcome.add(failure));
        if schema.exclusive_minimum && float <= min {
            outcome.add(bound(path, value, "greater than", min));
        } else if !schema.exclusive_minimum && float < min {
            outcome.add(bound(path, value, "greater than or equal to", min));
        }
    }
    if let Some(max) = schema.maximum {
        let odd = range(&Value::from(max), types, format, "Maximum boundary", path);
        let max = cut(max, odd.is_none());
        odd.into_iter().for_each(|failure| outcome.add(failure));
        if schema.exclusive_maximum && float >= max {
            outcome.add(bound(path, value, "less than", max));
        } else if !schema.exclusive_maximum && float > max {
            outcome.add(bound(path, value, "less than or equal to", max));
        }
    }
    outcome
}

fn multiple(path: &str, value: &Value, float: f64, integer: Option<i64>, factor: f64) -> Option<Failure> {
    let factor = if integer.is_some() { factor.trunc() } else { factor };
    if factor <= 0.0 {
        let text = format!("factor MultipleOf declared for {path} must be positive: {factor}");
        return Some(Failure::new(path, What::Other, factor, text));
    }
    let fits = match integer {
        Some(integer) => integer % (factor as i64) == 0,
        None => whole(if factor < 1.0 { 1.0 / factor * float } else { float / factor }),
    };
    (!fits).then(|| {
        Failure::new(path, What::Other, value.clone(), format!("{path} in body should be a multiple of {factor}"))
    })
}

fn list(schema: &Props, path: &str, items: &[Value], old: Option<&Value>) -> Outcome {
    let mut outcome = Outcome { matches: 1, ..Outcome::default() };
    let size = i64::try_from(items.len()).unwrap_or(i64::MAX);
    let old = old.and_then(Value::as_array).filter(|_| schema.is_list_map());
    for (at, item) in items.iter().enumerate() {
        let schema_of_item = match &schema.items {
            Some(Items::One(one)) => Some(one.as_ref()),
            Some(Items::Many(many)) => many.get(at),
            None => None,
        };
        if let Some(schema_of_item) = schema_of_item {
            let before = old.and_then(|old| old.iter().find(|other| same_keys(item, other, &schema.list_map_keys)));
            outcome.merge(node(schema_of_item, &format!("{path}[{at}]"), item, before));
        }
    }
    if let Some(min) = schema.min_items.filter(|min| size < *min) {
        let text = format!("{path} in body should have at least {min} items");
        outcome.add(Failure::new(path, What::Other, size, text));
    }
    if let Some(max) = schema.max_items.filter(|max| size > *max) {
        let text = format!("{path} in body should have at most {max} items");
        outcome.add(Failure::new(path, What::TooMany(size, max), size, text));
    }
    if schema.unique_items && items.iter().enumerate().any(|(at, item)| items.iter().take(at).any(|i| i == item)) {
        outcome.add(Failure::new(path, What::Other, "", format!("{path} in body shouldn't contain duplicates")));
    }
    outcome
}

/// Whether two items of a list that is a map have the same keys.
pub(super) fn same_keys(a: &Value, b: &Value, keys: &[String]) -> bool {
    a.is_object() && b.is_object() && keys.iter().all(|key| a.get(key) == b.get(key))
}

fn object(schema: &Props, path: &str, map: &Map<String, Value>, old: Option<&Value>) -> Outcome {
    let mut outcome = Outcome::default();
    let size = i64::try_from(map.len()).unwrap_or(i64::MAX);
    let old = old.filter(|_| schema.map_type.as_deref() != Some("atomic"));
    if let Some(min) = schema.min_properties.filter(|min| size < *min) {
        let text = format!("{path} in body should have at least {min} properties");
        outcome.add(Failure::new(path, What::Other, size, text));
    }
    if let Some(max) = schema.max_properties.filter(|max| size > *max) {
        let text = format!("{path} in body should have at most {max} properties");
        outcome.add(Failure::new(path, What::TooMany(size, max), size, text));
    }
    for (name, value) in map.iter().filter(|(name, _)| !schema.properties.contains_key(*name)) {
        match &schema.additional_properties {
            Some(Additional::Allowed(false)) => {
                let text = format!("{path}.{name} in body is a forbidden property");
                outcome.add(Failure::new(path, What::Other, name.as_str(), text));
            }
            Some(Additional::Schema(values)) => {
                outcome.merge(node(values, &format!("{path}.{name}"), value, old.and_then(|old| old.get(name))));
            }
            _ => {}
        }
    }
    for (name, field) in &schema.properties {
        if let Some(value) = map.get(name) {
            let at = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            outcome.merge(node(field, &at, value, old.and_then(|old| old.get(name))));
        }
    }
    for name in schema.required.iter().filter(|name| !map.contains_key(*name)) {
        let at = format!("{path}.{name}");
        let text = format!("{at} in body is required");
        outcome.add(Failure::new(&at, What::Required, "", text));
    }
    outcome
}

/// The outcome with the most matches, the first of several.
fn best(failed: Vec<Outcome>) -> Option<Outcome> {
    failed.into_iter().reduce(|best, other| if other.matches > best.matches { other } else { best })
}

fn junctors(schema: &Props, path: &str, value: &Value) -> Outcome {
    let mut outcome = Outcome { matches: 1, ..Outcome::default() };
    let shown = quote(path);
    let run = |schema: &Props| plain(schema, path, value, None);
    if !schema.any_of.is_empty() {
        let mut failed = Vec::new();
        let found = schema.any_of.iter().map(run).find_map(|result| {
            if result.valid() {
                return Some(result);
            }
            failed.push(result);
            None
        });
        if found.is_none() {
            outcome.add(Failure::composite(format!("{shown} must validate at least one schema (anyOf)")));
        }
        found.or_else(|| best(failed)).into_iter().for_each(|result| outcome.merge(result));
    }
    if !schema.one_of.is_empty() {
        let (valid, failed): (Vec<Outcome>, Vec<Outcome>) = schema.one_of.iter().map(run).partition(Outcome::valid);
        let found = match valid.len() {
            1 => None,
            0 => Some("Found none valid".to_owned()),
            many => Some(format!("Found {many} valid alternatives")),
        };
        match found {
            None => valid.into_iter().for_each(|result| outcome.merge(result)),
            Some(found) => {
                outcome
                    .add(Failure::composite(format!("{shown} must validate one and only one schema (oneOf). {found}")));
                if valid.is_empty() {
                    best(failed).into_iter().for_each(|result| outcome.merge(result));
                }
            }
        }
    }
    if !schema.all_of.is_empty() {
        let mut valid = 0;
        for result in schema.all_of.iter().map(run) {
            valid += usize::from(result.valid());
            outcome.merge(result);
        }
        if valid != schema.all_of.len() {
            let more = if valid == 0 { ". None validated" } else { "" };
            outcome.add(Failure::composite(format!("{shown} must validate all the schemas (allOf){more}")));
        }
    }
    if schema.not.as_deref().is_some_and(|not| run(not).valid()) {
        outcome.add(Failure::composite(format!("{shown} must not validate the schema (not)")));
    }
    outcome
}
