//! What `--for` may say, and whether an object is so.

use crate::cli::error::{Error, Result};
use crate::object::go;
use crate::object::go::quote;
use crate::object::{Value, meta};
use crate::output::jsonpath::{Found, JsonPath, relaxed};

/// Something that is waited for.
#[derive(Debug)]
pub enum Condition {
    /// The object is there.
    Create,
    /// The object is gone.
    Delete,
    /// The object is in a state.
    State(State),
}

/// A state of an object.
#[derive(Debug)]
pub enum State {
    /// A condition of its status has a value, whatever the letters' case.
    Status {
        /// The condition's type.
        name: String,
        /// `true`, `False` …
        value: String,
    },
    /// An expression finds one value; this one, where it is given.
    Field {
        /// The expression.
        path: JsonPath,
        /// The value in Go's form; `None` for any.
        value: Option<String>,
    },
}

impl Condition {
    /// Reads all of `--for`.
    ///
    /// # Errors
    /// Words that say nothing known, no words at all.
    pub fn all(words: &[String]) -> Result<Vec<Self>> {
        if words.is_empty() {
            return Err(Error::new("unrecognized condition: []"));
        }
        words.iter().map(|word| Self::parse(word)).collect()
    }

    fn parse(word: &str) -> Result<Self> {
        if word.eq_ignore_ascii_case("delete") {
            return Ok(Self::Delete);
        }
        if word.eq_ignore_ascii_case("create") {
            return Ok(Self::Create);
        }
        if let Some(condition) = word.strip_prefix("condition=") {
            let (name, value) = condition.split_once('=').unwrap_or((condition, "true"));
            return Ok(Self::State(State::Status { name: name.to_owned(), value: value.to_owned() }));
        }
        match word.strip_prefix("jsonpath=") {
            Some(expression) => field(expression).map(Self::State),
            None => Err(Error::new(format!("unrecognized condition: {}", quote(word)))),
        }
    }

    /// Whether creation is waited for.
    pub fn is_create(&self) -> bool {
        matches!(self, Self::Create)
    }

    /// Whether deletion is waited for.
    pub fn is_delete(&self) -> bool {
        matches!(self, Self::Delete)
    }
}

/// `{.status.phase}=Running`, the value being optional.
fn field(text: &str) -> Result<State> {
    let parts = split(text);
    let (path, value) = match parts.as_slice() {
        [path] => (path, None),
        [path, value] => (path, Some(value)),
        _ => {
            return Err(Error::new(
                "jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or \
                 --for=jsonpath='{.status.readyReplicas}'",
            ));
        }
    };
    let explain = |error: crate::output::jsonpath::JsonPathError| Error::new(error.to_string());
    let path = relaxed(path).map_err(explain)?;
    let value = value.map(|value| value.trim_matches(['\'', '"']).to_owned());
    if value.as_ref().is_some_and(String::is_empty) {
        return Err(Error::new(
            "jsonpath wait has to have a value after equal sign, like --for=jsonpath='{.status.readyReplicas}'=3",
        ));
    }
    if path.is_empty() {
        return Err(Error::new("jsonpath expression cannot be empty"));
    }
    Ok(State::Field { path: JsonPath::parse(&path).map_err(explain)?, value })
}

/// The parts between single equals signs; two of them in a row belong to an expression.
fn split(text: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter == '=' && letters.next_if_eq(&'=').is_none() {
            parts.push(String::new());
        } else if let Some(part) = parts.last_mut() {
            part.extend(std::iter::repeat_n(letter, if letter == '=' { 2 } else { 1 }));
        }
    }
    parts
}

impl State {
    /// Whether the object is so.
    ///
    /// # Errors
    /// The object's fields are not of the form that the state is about.
    pub fn holds(&self, object: &Value) -> Result<bool> {
        match self {
            Self::Status { name, value } => status(object, name, value),
            Self::Field { path, value } => {
                let found = path.find(object, true).map_err(|error| Error::new(error.to_string()))?;
                fits(&found, value.as_deref())
            }
        }
    }
}

/// Letters without their case.
fn folded(text: &str) -> String {
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

fn status(object: &Value, name: &str, value: &str) -> Result<bool> {
    let name = folded(name);
    for condition in conditions(object)? {
        let text = |field: &str| condition.get(field).and_then(Value::as_str);
        let (Some(type_), Some(state)) = (text("type"), text("status")) else { continue };
        if folded(type_) != name {
            continue;
        }
        // A condition of an older specification says nothing of this one.
        let generation = meta::int_at(object, &["metadata", "generation"]);
        let observed = meta::int_at(condition, &["observedGeneration"])
            .or_else(|| meta::int_at(object, &["status", "observedGeneration"]));
        if let (Some(generation), Some(observed)) = (generation, observed)
            && observed < generation
        {
            return Ok(false);
        }
        return Ok(folded(state) == folded(value));
    }
    Ok(false)
}

/// The list of conditions in an object's status; a field of another form is an error in the words of apimachinery.
fn conditions(object: &Value) -> Result<&[Value]> {
    let wrong = |field: &str, value: &Value, expected: &str| {
        let mut shown = String::new();
        go::write_value(&mut shown, value);
        let type_ = Found::Json(value).type_name();
        Error::new(format!("{field} accessor error: {shown} is of the type {type_}, expected {expected}"))
    };
    match object.get("status") {
        None | Some(Value::Null) => Ok(&[]),
        Some(Value::Object(status)) => match status.get("conditions") {
            None => Ok(&[]),
            Some(Value::Array(conditions)) => Ok(conditions),
            Some(other) => Err(wrong(".status.conditions", other, "[]interface {}")),
        },
        Some(other) => Err(wrong(".status", other, "map[string]interface {}")),
    }
}

fn fits(found: &[Vec<Found<'_>>], value: Option<&str>) -> Result<bool> {
    let Some(first) = found.first().filter(|first| !first.is_empty()) else { return Ok(false) };
    if found.len() > 1 {
        return Err(Error::new("given jsonpath expression matches more than one list"));
    }
    let [one] = first.as_slice() else {
        return Err(Error::new("given jsonpath expression matches more than one value"));
    };
    let Some(value) = value else { return Ok(true) };
    if matches!(one, Found::Json(Value::Object(_) | Value::Array(_))) {
        return Err(Error::new("jsonpath leads to a nested object or list which is not supported"));
    }
    let mut shown = String::new();
    one.write_go(&mut shown);
    Ok(shown.trim() == value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn holds(word: &str, object: &Value) -> Result<bool, String> {
        match Condition::parse(word).map_err(|error| error.text())? {
            Condition::State(state) => state.holds(object).map_err(|error| error.text()),
            other => Err(format!("{other:?}")),
        }
    }

    #[test]
    fn conditions_of_a_status() {
        let object = json!({"metadata": {"generation": 2}, "status": {"conditions": [
            {"type": "Ready", "status": "True"},
            {"type": "Old", "status": "True", "observedGeneration": 1},
            {"type": "Phase", "status": "Half"},
        ]}});
        for (word, expected) in [
            ("condition=ready", true),
            ("condition=Ready=TRUE", true),
            ("condition=Ready=false", false),
            ("condition=Old", false),
            ("condition=phase=half", true),
            ("condition=None", false),
            ("condition=", false),
        ] {
            assert_eq!(holds(word, &object), Ok(expected), "{word}");
        }
        let odd = json!({"status": {"conditions": "x"}});
        let told = ".status.conditions accessor error: x is of the type string, expected []interface {}";
        assert_eq!(holds("condition=Ready", &odd), Err(told.into()));
    }

    #[test]
    fn fields_by_expression() {
        let object = json!({"status": {"phase": "Running", "n": 3, "list": [{"a": 1}, {"a": 2}], "none": null}});
        for (word, expected) in [
            ("jsonpath={.status.phase}=Running", Ok(true)),
            ("jsonpath=.status.phase='Running'", Ok(true)),
            ("jsonpath=status.phase=Pending", Ok(false)),
            ("jsonpath={.status.n}=3", Ok(true)),
            ("jsonpath={.status.n}", Ok(true)),
            ("jsonpath={.status.nosuch}", Ok(false)),
            ("jsonpath={.status.none}=<nil>", Ok(true)),
            ("jsonpath={.status.list[?(@.a==2)].a}=2", Ok(true)),
            ("jsonpath={.status.list[*].a}=2", Err("given jsonpath expression matches more than one value")),
            ("jsonpath={.status.list}=2", Err("jsonpath leads to a nested object or list which is not supported")),
            ("jsonpath=", Err("jsonpath expression cannot be empty")),
        ] {
            assert_eq!(holds(word, &object), expected.map_err(str::to_owned), "{word}");
        }
        let told = holds("jsonpath={.a}=b=c", &object).err().unwrap_or_default();
        assert!(told.starts_with("jsonpath wait format must be"), "{told}");
    }

    #[test]
    fn expressions_are_cut_at_single_equals_signs() {
        assert_eq!(split("a.b.c====d.e.f===g.h.i==="), ["a.b.c====d.e.f==", "g.h.i==", ""]);
        assert_eq!(split(""), [""]);
    }
}
