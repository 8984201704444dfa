//! `-o` and what goes with it.

use std::cell::RefCell;

use clap::Args;

use crate::cli::context::Context;
use crate::cli::error::{Error, Result, path_error};
use crate::object::Value;
use crate::output::printer::{self, Family, PrinterError, Request};
pub use crate::output::printer::{name_of, strip_managed_fields};

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

/// Prints objects in the chosen format to standard output.
pub struct Printer(RefCell<printer::Printer>);

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
        self.printer_of(operation, printer::STANDARD, false)
    }

    /// A printer that also knows columns of one's own.
    ///
    /// # Errors
    /// As [`OutputArgs::printer`].
    pub fn printer_with_columns(&self, operation: &str, no_headers: bool) -> Result<Printer> {
        self.printer_of(operation, printer::GET, no_headers)
    }

    fn printer_of(&self, operation: &str, families: &'static [Family], no_headers: bool) -> Result<Printer> {
        let request = Request {
            output: self.format(),
            template: self.template.as_deref().unwrap_or_default(),
            allow_missing_keys: self.allow_missing_template_keys,
            show_managed_fields: self.show_managed_fields,
            no_headers,
            operation,
            families,
        };
        let read = |path: &str| std::fs::read_to_string(path).map_err(|error| path_error("open", path, &error).text());
        let printer = request.printer(read).map_err(|error| Error::new(error.to_string()))?;
        Ok(Printer(RefCell::new(printer)))
    }
}

/// The refusal of a format.
pub fn unknown_format(format: &str, allowed: &[&'static str]) -> Error {
    let error = PrinterError::Unknown { format: format.to_owned(), allowed: allowed.to_vec() };
    Error::new(error.to_string())
}

impl Printer {
    /// Whether it tells results instead of printing objects.
    pub fn tells_results(&self) -> bool {
        self.0.borrow().tells_results()
    }

    /// One object as it is printed.
    ///
    /// # Errors
    /// A template that does not fit.
    pub fn text(&self, object: &Value) -> Result<String> {
        let mut out = String::new();
        self.0.borrow_mut().print(object, &mut out).map_err(|error| Error::new(error.to_string()))?;
        Ok(out)
    }

    /// Prints one object.
    ///
    /// # Errors
    /// A template that does not fit, or standard output that cannot be written.
    pub fn print(&self, cx: &Context, object: &Value) -> Result<()> {
        let mut out = String::new();
        let printed = self.0.borrow_mut().print(object, &mut out);
        cx.out(&out)?;
        printed.map_err(|error| Error::new(error.to_string()))
    }

    /// Prints one object of a built-in kind as a typed client would: JSON in the order of Go's structs.
    ///
    /// # Errors
    /// As [`Printer::print`].
    pub fn print_typed(&self, cx: &Context, object: &Value) -> Result<()> {
        let mut out = String::new();
        let printed = self.append_typed(object, &mut out);
        cx.out(&out)?;
        printed
    }

    /// The same into a text; what stands there after a failure belongs on standard output, too.
    ///
    /// # Errors
    /// A template that does not fit.
    pub fn append_typed(&self, object: &Value, out: &mut String) -> Result<()> {
        self.0.borrow_mut().print_typed(object, out).map_err(|error| Error::new(error.to_string()))
    }
}
