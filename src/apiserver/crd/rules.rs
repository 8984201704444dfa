//! Rules of schemas (`x-kubernetes-validations`) over objects.

use crate::expressions::{self, Failure, Program, Variables};
use crate::object::Value;
use crate::object::field::{Error, ErrorKind, ErrorList, Path};

use super::props::{Props, Rule};
use super::typed;
use super::validate::same_keys;

/// The longest text that an expression may make for a message, in bytes.
const LONGEST_MESSAGE: usize = 5 * 1024;
const NO_BUDGET: &str = "validation failed due to running out of cost budget, no further validation rules will be run";

/// A value in the object that is judged.
#[derive(Clone, Copy)]
struct Place<'a> {
    value: &'a Value,
    /// What it was before, where that can be told.
    old: Option<&'a Value>,
    /// Whether the nearest value around it that can be told has not changed.
    same_around: bool,
    /// Whether it is a whole resource.
    resource: bool,
}

impl<'a> Place<'a> {
    /// Whether what is wrong here was wrong before, too.
    fn is_unchanged(self) -> bool {
        self.old.map_or(self.same_around, |old| old == self.value)
    }

    fn inner(self, value: &'a Value, old: Option<&'a Value>, schema: &Props) -> Self {
        Self { value, old, same_around: self.is_unchanged(), resource: schema.embedded_resource }
    }
}

/// No further rule is to be judged.
struct Stop;

struct Judge<'e> {
    errors: &'e mut ErrorList,
    warnings: Vec<String>,
    budget: u64,
}

/// Judges an object and all that it holds. Gives warnings: what is wrong where nothing has changed.
pub fn check(errors: &mut ErrorList, path: &Path, value: &Value, old: Option<&Value>, schema: &Props) -> Vec<String> {
    let mut judge = Judge { errors, warnings: Vec::new(), budget: expressions::BUDGET };
    let place = Place { value, old, same_around: false, resource: true };
    // Whether all rules were judged does not change what is wrong.
    let _ = judge.node(path, place, schema);
    judge.warnings
}

impl Judge<'_> {
    fn node(&mut self, path: &Path, place: Place<'_>, schema: &Props) -> Result<(), Stop> {
        if place.value.is_null() {
            return Ok(());
        }
        self.rules(path, place, schema, &schema.validations)?;
        for part in &schema.all_of {
            self.part(path, place, schema, part)?;
        }
        match place.value {
            Value::Object(map) => {
                let old = place.old.filter(|_| schema.map_type.as_deref() != Some("atomic"));
                for (name, value) in map {
                    let before = old.and_then(|old| old.get(name));
                    if let Some(field) = schema.properties.get(name) {
                        self.node(&path.child(name), place.inner(value, before, field), field)?;
                    } else if let Some(values) = schema.values() {
                        self.node(&path.key(name), place.inner(value, before, values), values)?;
                    }
                }
            }
            Value::Array(items) => {
                let Some(item_schema) = schema.item() else { return Ok(()) };
                let old = place.old.and_then(Value::as_array).filter(|_| schema.is_list_map());
                for (at, item) in items.iter().enumerate() {
                    let same = |other: &&Value| same_keys(item, other, &schema.list_map_keys);
                    let before = old.and_then(|old| old.iter().find(same));
                    self.node(&path.index(at), place.inner(item, before, item_schema), item_schema)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Judges the rules of a part of `allOf`, whose types are those of the schema around it.
    fn part(&mut self, path: &Path, place: Place<'_>, spine: &Props, part: &Props) -> Result<(), Stop> {
        self.rules(path, Place { old: place.old, ..place }, spine, &part.validations)?;
        let Value::Object(map) = place.value else { return Ok(()) };
        for (name, value) in map {
            if let (Some(field), Some(part)) = (spine.properties.get(name), part.properties.get(name)) {
                let before = place.old.and_then(|old| old.get(name));
                self.part(&path.child(name), place.inner(value, before, field), field, part)?;
            }
        }
        Ok(())
    }

    fn rules(&mut self, path: &Path, place: Place<'_>, schema: &Props, rules: &[Rule]) -> Result<(), Stop> {
        if rules.is_empty() {
            return Ok(());
        }
        let type_ = schema.type_.as_str();
        let mut variables = Variables::default();
        variables.set("self", typed::value(place.value, schema, place.resource));
        let old = place.old.map(|old| typed::value(old, schema, place.resource));
        if let Some(old) = &old {
            variables.set("oldSelf", old.clone());
        }
        for rule in rules {
            if self.budget == 0 {
                self.errors.push(Error::invalid(path, type_, NO_BUDGET));
                return Err(Stop);
            }
            let optional = rule.optional_old_self == Some(true);
            let Ok(program) = Program::of(&rule.rule) else { continue };
            let transition = program.uses("oldSelf");
            if transition && old.is_none() && !optional {
                continue;
            }
            let mut own = variables.clone();
            if optional {
                own.set("oldSelf", expressions::Value::optional(old.clone()));
            }
            let ran = program.run(&own);
            self.pay(path, type_, ran.cost)?;
            match ran.outcome {
                Ok(expressions::Value::Bool(true)) => {}
                Ok(_) => self.refuse(path, place, schema, rule, transition, &variables)?,
                Err(failure) => self.fail(path, type_, rule, &failure)?,
            }
        }
        Ok(())
    }

    fn pay(&mut self, path: &Path, type_: &str, cost: u64) -> Result<(), Stop> {
        // An expression that costs too much by itself is told about by itself.
        match self.budget.checked_sub(cost.min(expressions::CALL_LIMIT)) {
            Some(rest) => self.budget = rest,
            None => {
                self.errors.push(Error::invalid(path, type_, NO_BUDGET));
                return Err(Stop);
            }
        }
        Ok(())
    }

    fn fail(&mut self, path: &Path, type_: &str, rule: &Rule, failure: &Failure) -> Result<(), Stop> {
        let said = if rule.message.is_empty() { rule.rule.trim() } else { rule.message.trim() };
        let text = failure.to_string();
        let (why, stop) = match failure {
            Failure::TooExpensive => {
                let why = format!(
                    "'{text}': no further validation rules will be run due to call cost exceeds limit for rule: {said}"
                );
                (why, true)
            }
            Failure::Wrong(_) if text.starts_with("no such overload") => {
                let why = format!(
                    "'{text}': call arguments did not match a supported operator, function or macro signature for \
                     rule: {said}"
                );
                (why, false)
            }
            Failure::Wrong(_) => (format!("{text} evaluating rule: {said}"), false),
        };
        self.errors.push(Error::invalid(path, type_, why));
        if stop { Err(Stop) } else { Ok(()) }
    }

    fn refuse(
        &mut self,
        path: &Path,
        place: Place<'_>,
        schema: &Props,
        rule: &Rule,
        transition: bool,
        variables: &Variables,
    ) -> Result<(), Stop> {
        let made = match rule.message_expression.as_str() {
            "" => None,
            text => self.message(path, &schema.type_, text, variables)?,
        };
        let detail = match made {
            Some(text) => text,
            None if !rule.message.is_empty() => rule.message.trim().to_owned(),
            None => format!("failed rule: {}", rule.rule.trim()),
        };
        let error = refusal(path, place.value, &schema.type_, rule, detail);
        if !transition && place.is_unchanged() {
            self.warnings.push(error.to_string());
        } else {
            self.errors.push(error);
        }
        Ok(())
    }

    /// What an expression makes of a refusal; nothing when it makes no message of one line.
    fn message(&mut self, path: &Path, type_: &str, text: &str, variables: &Variables) -> Result<Option<String>, Stop> {
        let Ok(program) = Program::of(text) else { return Ok(None) };
        let ran = program.run(variables);
        let Some(rest) = self.budget.checked_sub(ran.cost) else {
            let why = "messageExpression evaluation failed due to running out of cost budget, no further validation \
                       rules will be run";
            self.errors.push(Error::invalid(path, type_, why));
            return Err(Stop);
        };
        self.budget = rest;
        let Ok(expressions::Value::String(text)) = ran.outcome else { return Ok(None) };
        let text = text.trim();
        let usable = !text.is_empty() && text.len() <= LONGEST_MESSAGE && !text.contains(['\n', '\r']);
        Ok(usable.then(|| text.to_owned()))
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
