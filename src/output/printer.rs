//! The output formats as one registry: which there are, what `-o` chooses, and printing objects in each of them.
//!
//! The list of formats in kubectl's error for an unknown one is computed from [`FORMATS`], so that a new format is one
//! row here and one arm in [`Form`].

use super::custom_columns::{CustomColumns, CustomColumnsError};
use super::gofmt;
use super::gotemplate::{GoTemplate, TemplateError};
use super::jsonpath::{self, JsonPath, JsonPathError};
use crate::kinds::go_json;
use crate::manifest;
use crate::object::{Map, Value, go, json, meta};

/// Formats that belong together: a command offers some families.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// Whole objects as JSON or YAML.
    Data,
    /// `kind/name`.
    Name,
    /// JSONPath and Go templates.
    Template,
    /// Columns of one's own.
    Columns,
    /// Tables with more columns.
    Wide,
}

/// The families of most commands.
pub const STANDARD: &[Family] = &[Family::Data, Family::Name, Family::Template];
/// The families of `get`.
pub const GET: &[Family] = &[Family::Data, Family::Name, Family::Template, Family::Columns, Family::Wide];
/// The families of commands that print no resources.
pub const DATA: &[Family] = &[Family::Data];

/// What a format prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Json,
    Yaml,
    Kyaml,
    Name,
    Wide,
    JsonPath,
    JsonPathAsJson,
    JsonPathFile,
    Template,
    TemplateFile,
    Columns,
    ColumnsFile,
}

/// All formats, sorted.
const FORMATS: &[(&str, Family, Kind)] = &[
    ("custom-columns", Family::Columns, Kind::Columns),
    ("custom-columns-file", Family::Columns, Kind::ColumnsFile),
    ("go-template", Family::Template, Kind::Template),
    ("go-template-file", Family::Template, Kind::TemplateFile),
    ("json", Family::Data, Kind::Json),
    ("jsonpath", Family::Template, Kind::JsonPath),
    ("jsonpath-as-json", Family::Template, Kind::JsonPathAsJson),
    ("jsonpath-file", Family::Template, Kind::JsonPathFile),
    ("kyaml", Family::Data, Kind::Kyaml),
    ("name", Family::Name, Kind::Name),
    ("template", Family::Template, Kind::Template),
    ("templatefile", Family::Template, Kind::TemplateFile),
    ("wide", Family::Wide, Kind::Wide),
    ("yaml", Family::Data, Kind::Yaml),
];

/// The names of the formats of some families, sorted.
pub fn formats(families: &[Family]) -> Vec<&'static str> {
    FORMATS.iter().filter(|(_, family, _)| families.contains(family)).map(|(name, ..)| *name).collect()
}

/// Why a format cannot be used, or an object not be printed; the texts are kubectl's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PrinterError {
    /// No such format.
    #[error(
        "unable to match a printer suitable for the output format {}, allowed formats are: {}",
        go::quote(.format), .allowed.join(",")
    )]
    Unknown {
        /// The format as typed.
        format: String,
        /// The formats that there are.
        allowed: Vec<&'static str>,
    },
    /// A format that needs a template has none.
    #[error("template format specified but no template given")]
    NoTemplate,
    /// The template's file cannot be read.
    #[error("error reading {what}{path}, {why}{}", if .what.starts_with("--") { "" } else { "\n" })]
    File {
        /// `--template ` or `template `.
        what: &'static str,
        /// The file.
        path: String,
        /// Such as `open a.txt: no such file or directory`.
        why: String,
    },
    /// The JSONPath template cannot be read.
    #[error("error parsing jsonpath {template}, {error}")]
    JsonPath {
        /// The template.
        template: String,
        /// What is wrong.
        error: JsonPathError,
    },
    /// The Go template cannot be read.
    #[error("error parsing template {template}, {error}")]
    Template {
        /// The template.
        template: String,
        /// What is wrong.
        error: TemplateError,
    },
    /// Custom columns cannot be read or printed.
    #[error("{0}")]
    Columns(#[from] CustomColumnsError),
    /// The JSONPath template does not fit the object; the text ends with line breaks, as kubectl's.
    #[error(
        "error executing jsonpath {}: Error executing template: {error}. Printing more information for debugging the \
         template:\n\ttemplate was:\n\t\t{template}\n\tobject given to jsonpath engine was:\n\t\t{object}\n\n\n",
        go::quote(.template)
    )]
    JsonPathExecution {
        /// The template.
        template: String,
        /// What does not fit.
        error: JsonPathError,
        /// The object in Go's syntax.
        object: String,
    },
    /// The Go template does not fit the object.
    #[error("{0}")]
    TemplateExecution(#[from] TemplateError),
    /// The object says neither what it is nor of which version.
    #[error("missing apiVersion or kind; try GetObjectKind().SetGroupVersionKind() if you know the type")]
    NoKind,
}

/// What a user asked for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// `-o`, or empty.
    pub output: &'a str,
    /// `--template`, or empty.
    pub template: &'a str,
    /// `--allow-missing-template-keys`.
    pub allow_missing_keys: bool,
    /// `--show-managed-fields`.
    pub show_managed_fields: bool,
    /// `--no-headers`, for custom columns.
    pub no_headers: bool,
    /// What was done, such as `created (dry run)`, for the message that stands where no format is asked for.
    pub operation: &'a str,
    /// The formats that the command offers.
    pub families: &'static [Family],
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            output: "",
            template: "",
            allow_missing_keys: true,
            show_managed_fields: false,
            no_headers: false,
            operation: "",
            families: STANDARD,
        }
    }
}

impl<'a> Request<'a> {
    /// The format with its argument; `--template` alone means a Go template.
    fn choose(&self) -> Result<Option<(Kind, &'a str)>, PrinterError> {
        let format = match (self.output, self.template) {
            ("", "") => return Ok(None),
            ("", _) => "go-template",
            (format, _) => format,
        };
        let offered =
            |name: &str| FORMATS.iter().find(|(known, family, _)| *known == name && self.families.contains(family));
        let lower = format.to_lowercase();
        if let Some((_, Family::Data | Family::Name, kind)) = offered(&lower) {
            return Ok(Some((*kind, "")));
        }
        // An argument after the format counts only where --template gives none.
        let (name, argument) = match format.split_once('=') {
            Some((name, argument)) if self.template.is_empty() => (name, argument),
            _ => (format, self.template),
        };
        match offered(name) {
            Some((_, Family::Template | Family::Columns, kind)) => Ok(Some((*kind, argument))),
            Some((_, Family::Wide, kind)) if name == format => Ok(Some((*kind, ""))),
            _ => Err(PrinterError::Unknown { format: self.output.to_owned(), allowed: formats(self.families) }),
        }
    }

    /// Makes the printer; `read` gives the content of a file, or the text of the failure.
    ///
    /// # Errors
    /// An unknown format, a missing template, or one that cannot be read.
    pub fn printer(&self, read: impl Fn(&str) -> Result<String, String>) -> Result<Printer, PrinterError> {
        let form = match self.choose()? {
            None => Form::Operation(self.operation.to_owned()),
            Some((kind, argument)) => self.form(kind, argument, read)?,
        };
        Ok(Printer { form, show_managed_fields: self.show_managed_fields, printed: 0 })
    }

    fn form(
        &self,
        kind: Kind,
        argument: &str,
        read: impl Fn(&str) -> Result<String, String>,
    ) -> Result<Form, PrinterError> {
        let file = |what: &'static str| {
            read(argument).map_err(|why| PrinterError::File { what, path: argument.to_owned(), why })
        };
        if matches!(
            kind,
            Kind::JsonPath | Kind::JsonPathAsJson | Kind::JsonPathFile | Kind::Template | Kind::TemplateFile
        ) && argument.is_empty()
        {
            return Err(PrinterError::NoTemplate);
        }
        Ok(match kind {
            Kind::Json => Form::Json,
            Kind::Yaml => Form::Yaml,
            Kind::Kyaml => Form::Kyaml,
            Kind::Name => Form::Name,
            Kind::Wide => Form::Operation(self.operation.to_owned()),
            Kind::JsonPath | Kind::JsonPathAsJson => self.json_path(argument.to_owned(), kind)?,
            Kind::JsonPathFile => self.json_path(file("--template ")?, kind)?,
            Kind::Template => self.go_template(argument.to_owned())?,
            Kind::TemplateFile => self.go_template(file("--template ")?)?,
            Kind::ColumnsFile if !argument.is_empty() => {
                Form::Columns(Box::new(CustomColumns::from_template(&file("template ")?)?))
            }
            Kind::Columns | Kind::ColumnsFile => {
                Form::Columns(Box::new(CustomColumns::from_spec(argument, self.no_headers)?))
            }
        })
    }

    fn json_path(&self, template: String, kind: Kind) -> Result<Form, PrinterError> {
        let options = jsonpath::Options {
            allow_missing_keys: self.allow_missing_keys,
            json_output: kind == Kind::JsonPathAsJson,
        };
        match JsonPath::parse(&template) {
            Ok(path) => Ok(Form::JsonPath { template, path, options }),
            Err(error) => Err(PrinterError::JsonPath { template, error }),
        }
    }

    fn go_template(&self, template: String) -> Result<Form, PrinterError> {
        match GoTemplate::parse(&template) {
            Ok(parsed) => Ok(Form::Template(parsed.allow_missing_keys(self.allow_missing_keys))),
            Err(error) => Err(PrinterError::Template { template, error }),
        }
    }
}

enum Form {
    /// `configmap/a created`.
    Operation(String),
    Name,
    Json,
    Yaml,
    Kyaml,
    JsonPath {
        template: String,
        path: JsonPath,
        options: jsonpath::Options,
    },
    Template(GoTemplate),
    Columns(Box<CustomColumns>),
}

/// Prints objects in the chosen format.
pub struct Printer {
    form: Form,
    show_managed_fields: bool,
    printed: usize,
}

impl Printer {
    /// Whether it tells what was done instead of printing objects.
    pub fn tells_results(&self) -> bool {
        matches!(self.form, Form::Operation(_))
    }

    /// Appends the printed object to `out`. What is there after an error belongs on standard output, too.
    ///
    /// # Errors
    /// When a template does not fit the object, or the object has no kind.
    pub fn print(&mut self, object: &Value, out: &mut String) -> Result<(), PrinterError> {
        let first = self.printed == 0;
        self.printed += 1;
        match &mut self.form {
            Form::Operation(operation) => write_names(out, object, operation),
            Form::Name => write_names(out, object, ""),
            Form::JsonPath { template, path, options } => {
                return path.execute(object, *options, out).map_err(|error| {
                    let mut shown = String::new();
                    gofmt::write_syntax(&mut shown, &object.into());
                    PrinterError::JsonPathExecution { template: template.clone(), error, object: shown }
                });
            }
            Form::Template(template) => return Ok(template.execute(object, out)?),
            Form::Columns(columns) => {
                let added = columns.add(object);
                columns.flush(out);
                return Ok(added?);
            }
            Form::Json | Form::Yaml | Form::Kyaml => self.print_data(object, first, out)?,
        }
        Ok(())
    }

    /// Appends an object that a typed client of Go would hold: its JSON has the fields in the order of the structs.
    ///
    /// # Errors
    /// As [`Printer::print`].
    pub fn print_typed(&mut self, object: &Value, out: &mut String) -> Result<(), PrinterError> {
        if !matches!(self.form, Form::Json | Form::Kyaml) {
            return self.print(object, out);
        }
        self.printed += 1;
        let mut object = object.clone();
        if !self.show_managed_fields {
            strip_managed_fields(&mut object);
        }
        if matches!(self.form, Form::Kyaml) {
            let layout = go_json::Declared::of(&object).map(Declared);
            out.push_str(&manifest::to_kyaml_in(&object, layout.as_ref()));
            return Ok(());
        }
        out.push_str(&go_json::to_json(&object, Some("    ")));
        out.push('\n');
        Ok(())
    }

    fn print_data(&self, object: &Value, first: bool, out: &mut String) -> Result<(), PrinterError> {
        let event = is_event(object);
        if !event && meta::kind(object).is_empty() && meta::api_version(object).is_empty() {
            return Err(PrinterError::NoKind);
        }
        let mut object = object.clone();
        // Of a watch event kubectl keeps everything.
        if !self.show_managed_fields && !event {
            strip_managed_fields(&mut object);
        }
        match self.form {
            Form::Json if event => {
                let (kind, inner) = (json::to_compact(&object["type"]), json::to_compact(&object["object"]));
                out.push_str(&format!("{{\"type\":{kind},\"object\":{inner}}}\n"));
            }
            Form::Json => {
                out.push_str(&json::to_indented(&object, "    "));
                out.push('\n');
            }
            Form::Kyaml => out.push_str(&manifest::to_kyaml(&object)),
            _ => {
                if !first {
                    out.push_str("---\n");
                }
                out.push_str(&manifest::to_yaml(&object));
            }
        }
        Ok(())
    }
}

/// Fields in the order of Go's structs.
struct Declared(go_json::Declared);

impl manifest::Layout for Declared {
    fn fields<'a>(&self, map: &'a Map<String, Value>) -> Vec<(&'a str, &'a Value, Option<Self>)> {
        let fields = self.0.fields(map).into_iter();
        fields.map(|(key, value, below)| (key, value, below.map(Self))).collect()
    }

    fn items(&self) -> Option<Self> {
        self.0.items().map(Self)
    }
}

/// Whether this is an event of a watch with its object: `{type, object}`.
fn is_event(object: &Value) -> bool {
    object.as_object().is_some_and(|map| map.len() == 2 && map.contains_key("type") && map.contains_key("object"))
}

/// One line per object, or per item of a list, with what was done.
fn write_names(out: &mut String, object: &Value, operation: &str) {
    let object = if is_event(object) { &object["object"] } else { object };
    if let Some(items) = object.get("items").and_then(Value::as_array) {
        return items.iter().for_each(|item| write_names(out, item, operation));
    }
    out.push_str(&name_of(object));
    if !operation.is_empty() {
        out.push(' ');
        out.push_str(operation);
    }
    out.push('\n');
}

/// `deployment.apps/web`: kind and group in lower case, and the name.
pub fn name_of(object: &Value) -> String {
    let gvk = meta::gvk(object);
    let kind = if gvk.kind.is_empty() { "<unknown>".to_owned() } else { gvk.kind.to_lowercase() };
    let name = match meta::name(object) {
        "" => "<unknown>",
        name => name,
    };
    if gvk.group.is_empty() { format!("{kind}/{name}") } else { format!("{kind}.{}/{name}", gvk.group) }
}

/// Takes `managedFields` off an object, or off the items of a list.
pub fn strip_managed_fields(object: &mut Value) {
    meta::remove(object, &["metadata", "managedFields"]);
    if let Some(items) = object.get_mut("items").and_then(Value::as_array_mut) {
        items.iter_mut().for_each(strip_managed_fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn run(request: Request<'_>) -> String {
        let object = json!({"apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {"name": "web", "managedFields": [{"manager": "x"}]}});
        let read = |path: &str| match path {
            "t" => Ok("{{.kind}}".to_owned()),
            other => Err(format!("open {other}: no such file or directory")),
        };
        let mut out = String::new();
        match request.printer(read).and_then(|mut printer| printer.print(&object, &mut out)) {
            Ok(()) => out,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn formats_print() {
        for (output, want) in [
            ("", "deployment.apps/web created\n"),
            ("NAME", "deployment.apps/web\n"),
            ("yaml", "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  name: web\n"),
            ("jsonpath={.metadata.name}", "web"),
            ("jsonpath-as-json={.kind}", "[\n    \"Deployment\"\n]\n"),
            ("go-template-file=t", "Deployment"),
            ("jsonpath", "template format specified but no template given"),
            ("templatefile=x", "error reading --template x, open x: no such file or directory"),
        ] {
            assert_eq!(run(Request { output, operation: "created", ..Request::default() }), want, "{output}");
        }
        assert_eq!(run(Request { template: "{{.kind}}", ..Request::default() }), "Deployment");
        let request = Request { output: "custom-columns=N:.metadata.name", families: GET, ..Request::default() };
        assert_eq!(run(request), "N\nweb\n");
        let request = Request { output: "custom-columns-file=x", families: GET, ..Request::default() };
        assert_eq!(run(request), "error reading template x, open x: no such file or directory\n");
    }

    #[test]
    fn unknown_formats_list_those_of_the_command() {
        assert_eq!(
            run(Request { output: "wide", families: DATA, ..Request::default() }),
            "unable to match a printer suitable for the output format \"wide\", allowed formats are: json,kyaml,yaml"
        );
        assert!(run(Request { output: "json=x", families: GET, ..Request::default() }).ends_with(
            "custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,\
             jsonpath-file,kyaml,name,template,templatefile,wide,yaml"
        ));
    }
}
