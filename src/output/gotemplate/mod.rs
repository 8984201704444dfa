//! Go templates (`text/template`) with kubectl's functions and kubectl's debugging text.
//!
//! No crate follows Go closely enough: gtmpl and its kin lack newer actions (`break`, `else with`), have neither Go's
//! error texts nor its `printf`, and know nothing of the types that Go sees in the data.

mod ast;
mod exec;
mod funcs;
mod lexer;
mod parser;
#[cfg(test)]
mod tests;

use std::borrow::Cow;

use crate::object::{Value, go, json};

/// Why a template cannot be read or executed; the texts are Go's, with the template's name `output`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TemplateError(String);

/// A parsed template, to be used any number of times.
#[derive(Clone, Debug)]
pub struct GoTemplate {
    text: String,
    templates: parser::Templates,
    allow_missing_keys: bool,
}

impl GoTemplate {
    /// Reads a template; missing keys are allowed, as they are by default in kubectl.
    ///
    /// # Errors
    /// With the text of Go's parser.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        Ok(Self { text: text.to_owned(), templates: parser::parse(text)?, allow_missing_keys: true })
    }

    /// Says whether a key that a map does not have is an error.
    #[must_use]
    pub fn allow_missing_keys(mut self, allow: bool) -> Self {
        self.allow_missing_keys = allow;
        self
    }

    /// Executes the template and appends what it prints to `out`.
    ///
    /// # Errors
    /// When it does not fit the data. What was printed until then stays, followed by kubectl's debugging text.
    pub fn execute(&self, data: &Value, out: &mut String) -> Result<(), TemplateError> {
        let data = &*through_json(data);
        let Err(TemplateError(error)) = exec::execute(self, data, out) else { return Ok(()) };
        out.push_str(&format!(
            "Error executing template: {error}. Printing more information for debugging the template:\n\
             \ttemplate was:\n\t\t{}\n\traw data was:\n\t\t{}\n\tobject given to template engine was:\n\t\t{}\n\n",
            self.text,
            json::to_compact(data),
            go::text(data)
        ));
        Err(TemplateError(format!("error executing template {}: {error}", go::quote(&self.text))))
    }
}

/// The data as it is after kubectl wrote it as JSON and read it again: fractions without a fraction become integers.
fn through_json(data: &Value) -> Cow<'_, Value> {
    if !has_whole_float(data) {
        return Cow::Borrowed(data);
    }
    let mut data = data.clone();
    make_integers(&mut data);
    Cow::Owned(data)
}

/// The integer as which a float is written in JSON, if it is.
fn whole_float(value: &Value) -> Option<i64> {
    let float = value.as_f64().filter(|_| value.is_f64())?;
    let whole = float as i64;
    (float.fract() == 0.0 && float.abs() < i64::MAX as f64).then_some(whole)
}

fn has_whole_float(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_whole_float),
        Value::Object(map) => map.values().any(has_whole_float),
        value => whole_float(value).is_some(),
    }
}

fn make_integers(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(make_integers),
        Value::Object(map) => map.values_mut().for_each(make_integers),
        value => {
            if let Some(whole) = whole_float(value) {
                *value = whole.into();
            }
        }
    }
}
