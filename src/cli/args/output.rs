//! `-o` and what goes with it.

use std::cell::Cell;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::manifest;
use crate::object::{Value, json, meta};

/// How results are printed.
#[derive(Args, Clone, Debug, Default)]
pub struct OutputArgs {
    /// json, yaml, kyaml, name, jsonpath=…, go-template=…, …
    #[arg(short, long, value_name = "FORMAT")]
    pub output: Option<String>,
    /// Template text or file for the formats that take one
    #[arg(long, value_name = "TEMPLATE")]
    pub template: Option<String>,
    /// Ignore fields that a template names but the object lacks
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true,
          action = clap::ArgAction::Set)]
    pub allow_missing_template_keys: bool,
    /// Keep managedFields in JSON and YAML
    #[arg(long)]
    pub show_managed_fields: bool,
}

/// Formats that every command with `-o` has, sorted.
const COMMON: [&str; 11] = [
    "go-template",
    "go-template-file",
    "json",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "kyaml",
    "name",
    "template",
    "templatefile",
    "yaml",
];

/// Formats of `get`, sorted.
const WITH_COLUMNS: [&str; 14] = [
    "custom-columns",
    "custom-columns-file",
    "go-template",
    "go-template-file",
    "json",
    "jsonpath",
    "jsonpath-as-json",
    "jsonpath-file",
    "kyaml",
    "name",
    "template",
    "templatefile",
    "wide",
    "yaml",
];

enum Form {
    /// `configmap/a created`.
    Result(String),
    Name,
    Json,
    Yaml,
    Kyaml,
}

/// Prints objects in the chosen format.
pub struct Printer {
    form: Form,
    managed_fields: bool,
    printed: Cell<usize>,
}

impl OutputArgs {
    /// The format as typed, or empty.
    pub fn format(&self) -> &str {
        self.output.as_deref().unwrap_or_default()
    }

    /// A printer; without a format it tells what was done: `operation`, such as `created (dry run)`.
    ///
    /// # Errors
    /// A format that is none, or needs an argument that is not there.
    pub fn printer(&self, operation: &str) -> Result<Printer> {
        self.printer_of(operation, &COMMON, false)
    }

    /// A printer that also knows columns of one's own.
    ///
    /// # Errors
    /// As [`OutputArgs::printer`].
    pub fn printer_with_columns(&self, operation: &str, no_headers: bool) -> Result<Printer> {
        self.printer_of(operation, &WITH_COLUMNS, no_headers)
    }

    fn printer_of(&self, operation: &str, allowed: &[&str], _no_headers: bool) -> Result<Printer> {
        let form = match self.format().to_lowercase().as_str() {
            "" => Form::Result(operation.to_owned()),
            "name" => Form::Name,
            "json" => Form::Json,
            "yaml" => Form::Yaml,
            "kyaml" => Form::Kyaml,
            _ => return Err(unknown_format(self.format(), allowed)),
        };
        Ok(Printer { form, managed_fields: self.show_managed_fields, printed: Cell::new(0) })
    }
}

/// The refusal of a format.
pub fn unknown_format(format: &str, allowed: &[&str]) -> Error {
    Error::new(format!(
        "unable to match a printer suitable for the output format \"{format}\", allowed formats are: {}",
        allowed.join(",")
    ))
}

impl Printer {
    /// Whether it tells results instead of printing objects.
    pub fn tells_results(&self) -> bool {
        matches!(self.form, Form::Result(_))
    }

    /// Prints one object.
    ///
    /// # Errors
    /// Standard output cannot be written.
    pub fn print(&self, cx: &Context, object: &Value) -> Result<()> {
        let first = self.printed.replace(self.printed.get() + 1) == 0;
        match &self.form {
            Form::Result(operation) => cx.line(format!("{} {operation}", name_of(object))),
            Form::Name => match object.get("items").and_then(Value::as_array) {
                Some(items) => items.iter().try_for_each(|item| cx.line(name_of(item))),
                None => cx.line(name_of(object)),
            },
            Form::Json => cx.line(json::to_indented(&self.stripped(object), "    ")),
            Form::Yaml => {
                if !first {
                    cx.line("---")?;
                }
                cx.out(&manifest::to_yaml(&self.stripped(object)))
            }
            Form::Kyaml => cx.out(&manifest::to_yaml(&self.stripped(object))),
        }
    }

    /// The object without managed fields, unless they are wanted; lists lose those of their items.
    fn stripped(&self, object: &Value) -> Value {
        let mut object = object.clone();
        if !self.managed_fields {
            strip_managed_fields(&mut object);
        }
        object
    }
}

/// Takes `managedFields` off an object, or off the items of a list.
pub fn strip_managed_fields(object: &mut Value) {
    meta::remove(object, &["metadata", "managedFields"]);
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(strip_managed_fields);
    }
}

/// `deployment.apps/web`.
pub fn name_of(object: &Value) -> String {
    let gvk = meta::gvk(object);
    let kind = if gvk.kind.is_empty() { "<unknown>".to_owned() } else { gvk.kind.to_lowercase() };
    let name = match meta::name(object) {
        "" => "<unknown>",
        name => name,
    };
    if gvk.group.is_empty() { format!("{kind}/{name}") } else { format!("{kind}.{}/{name}", gvk.group) }
}
