//! `-o` and what goes with it.

use std::cell::{Cell, RefCell};

use clap::Args;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::manifest;
use crate::object::field::quote;
use crate::object::{Value, json, meta};
use crate::output::custom_columns::CustomColumns;
use crate::output::gofmt;
use crate::output::jsonpath::{JsonPath, Options};

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
    JsonPath {
        text: String,
        path: JsonPath,
        options: Options,
    },
    Columns(RefCell<CustomColumns>),
}

/// How a format's argument is used.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Template {
    JsonPath,
    JsonPathAsJson,
    JsonPathFile,
    Columns,
    ColumnsFile,
}

/// Formats that take an argument: after `=`, or from `--template`.
const TEMPLATES: [(&str, Template); 5] = [
    ("jsonpath", Template::JsonPath),
    ("jsonpath-as-json", Template::JsonPathAsJson),
    ("jsonpath-file", Template::JsonPathFile),
    ("custom-columns", Template::Columns),
    ("custom-columns-file", Template::ColumnsFile),
];

impl Template {
    fn is_columns(self) -> bool {
        matches!(self, Self::Columns | Self::ColumnsFile)
    }
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

    fn printer_of(&self, operation: &str, allowed: &[&str], no_headers: bool) -> Result<Printer> {
        let form = match self.format().to_lowercase().as_str() {
            "" if self.template.is_none() => Form::Result(operation.to_owned()),
            "name" => Form::Name,
            "json" => Form::Json,
            "yaml" => Form::Yaml,
            "kyaml" => Form::Kyaml,
            _ => self.template_form(allowed, no_headers)?,
        };
        Ok(Printer { form, managed_fields: self.show_managed_fields, printed: Cell::new(0) })
    }

    fn template_form(&self, allowed: &[&str], no_headers: bool) -> Result<Form> {
        let format = if self.format().is_empty() { "go-template" } else { self.format() };
        let (name, inline) = format.split_once('=').map_or((format, None), |(name, text)| (name, Some(text)));
        let known = TEMPLATES.iter().find(|(known, _)| *known == name && allowed.contains(known));
        let Some((_, kind)) = known else { return Err(unknown_format(format, allowed)) };
        let given = self.template.as_deref().filter(|text| !text.is_empty());
        let text = given.or(inline).unwrap_or_default();
        if text.is_empty() {
            let what = if kind.is_columns() {
                "custom-columns format specified but no custom columns given"
            } else {
                "template format specified but no template given"
            };
            return Err(Error::new(what));
        }
        self.parse_template(*kind, text, no_headers)
    }

    fn parse_template(&self, kind: Template, text: &str, no_headers: bool) -> Result<Form> {
        let read = |flag: &str| {
            std::fs::read_to_string(text).map_err(|error| {
                let why = crate::cli::error::path_error("open", text, &error).text();
                Error::new(format!("error reading {flag}{text}, {why}\n"))
            })
        };
        let columns = |columns: std::result::Result<CustomColumns, _>| match columns {
            Ok(columns) => Ok(Form::Columns(RefCell::new(columns))),
            Err(error) => {
                let error: crate::output::custom_columns::CustomColumnsError = error;
                Err(Error::new(error.to_string()))
            }
        };
        match kind {
            Template::Columns => columns(CustomColumns::from_spec(text, no_headers)),
            Template::ColumnsFile => columns(CustomColumns::from_template(&read("template ")?)),
            Template::JsonPath | Template::JsonPathAsJson | Template::JsonPathFile => {
                let text = if kind == Template::JsonPathFile { read("--template ")? } else { text.to_owned() };
                let path = JsonPath::parse(&text)
                    .map_err(|error| Error::new(format!("error parsing jsonpath {text}, {error}\n")))?;
                let options = Options {
                    allow_missing_keys: self.allow_missing_template_keys,
                    json_output: kind == Template::JsonPathAsJson,
                };
                Ok(Form::JsonPath { text, path, options })
            }
        }
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
            Form::Kyaml => cx.out(&manifest::to_kyaml(&self.stripped(object))),
            Form::JsonPath { text, path, options } => {
                let mut out = String::new();
                let done = path.execute(object, *options, &mut out);
                cx.out(&out)?;
                done.map_err(|error| {
                    Error::new(format!(
                        "error executing jsonpath {}: Error executing template: {error}. Printing more information for \
                         debugging the template:\n\ttemplate was:\n\t\t{text}\n\tobject given to jsonpath engine \
                         was:\n\t\t{}\n\n\n",
                        quote(text),
                        go_syntax(object)
                    ))
                })
            }
            Form::Columns(columns) => {
                let mut columns = columns.borrow_mut();
                let added = columns.add(object);
                let mut out = String::new();
                columns.flush(&mut out);
                cx.out(&out)?;
                added.map_err(|error| Error::new(error.to_string()))
            }
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

/// The object as Go's `%#v` prints it.
fn go_syntax(object: &Value) -> String {
    let mut text = String::new();
    gofmt::write_syntax(&mut text, &object.into());
    text
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
