//! Custom columns: `-o custom-columns=NAME:.metadata.name` and its form in a file.

use super::jsonpath::{self, JsonPath, JsonPathError};
use super::table;
use super::tabwriter::TabWriter;
use crate::object::{Value, meta};

/// Why columns cannot be read or printed; the texts are kubectl's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustomColumnsError {
    /// Nothing after `custom-columns=`.
    #[error("custom-columns format specified but no custom columns given")]
    Empty,
    /// A column without a colon.
    #[error("unexpected custom-columns spec: {0}, expected <header>:<json-path-expr>")]
    Spec(String),
    /// The file lacks one of its two lines.
    #[error(
        "invalid template, missing {0} line. Expected format is one line of space separated headers, one line of \
         space separated column specs."
    )]
    MissingLine(&'static str),
    /// The two lines of the file do not fit.
    #[error("number of headers ({headers}) and field specifications ({specs}) don't match")]
    Mismatch {
        /// Words in the first line.
        headers: usize,
        /// Words in the second line.
        specs: usize,
    },
    /// A path that cannot be read, or does not fit an object.
    #[error("{0}")]
    Path(#[from] JsonPathError),
}

struct Column {
    header: String,
    spec: String,
}

/// Prints objects as rows of custom columns.
pub struct CustomColumns {
    columns: Vec<Column>,
    paths: Option<Vec<JsonPath>>,
    no_headers: bool,
    /// Whether the objects printed last came as a list: a change repeats the headers.
    last_was_list: Option<bool>,
    writer: TabWriter,
}

impl CustomColumns {
    /// Reads `HEADER:path,HEADER:path`.
    ///
    /// # Errors
    /// [`CustomColumnsError`]; paths are only checked roughly here and fully when the first object is printed.
    pub fn from_spec(spec: &str, no_headers: bool) -> Result<Self, CustomColumnsError> {
        if spec.is_empty() {
            return Err(CustomColumnsError::Empty);
        }
        let column = |part: &str| {
            let (header, path) = part.split_once(':').ok_or_else(|| CustomColumnsError::Spec(part.to_owned()))?;
            Ok(Column { header: header.to_owned(), spec: jsonpath::relaxed(path)? })
        };
        let columns: Result<_, CustomColumnsError> = spec.split(',').map(column).collect();
        Ok(Self::new(columns?, no_headers))
    }

    /// Reads the content of a file: a line of headers and a line of paths.
    ///
    /// # Errors
    /// [`CustomColumnsError`].
    pub fn from_template(text: &str) -> Result<Self, CustomColumnsError> {
        let mut lines = text.lines();
        let mut words = |name| {
            let line = lines.next().ok_or(CustomColumnsError::MissingLine(name))?;
            Ok::<_, CustomColumnsError>(line.split_whitespace().collect::<Vec<_>>())
        };
        let (headers, specs) = (words("header")?, words("spec")?);
        if headers.len() != specs.len() {
            return Err(CustomColumnsError::Mismatch { headers: headers.len(), specs: specs.len() });
        }
        let column =
            |(header, path): (&str, &str)| Ok(Column { header: header.to_owned(), spec: jsonpath::relaxed(path)? });
        let columns: Result<_, CustomColumnsError> = headers.into_iter().zip(specs).map(column).collect();
        Ok(Self::new(columns?, false))
    }

    fn new(columns: Vec<Column>, no_headers: bool) -> Self {
        Self { columns, paths: None, no_headers, last_was_list: None, writer: TabWriter::for_tables() }
    }

    /// Adds an object, or the items of a list.
    ///
    /// # Errors
    /// When a path cannot be read or does not fit; rows before it stay added.
    pub fn add(&mut self, object: &Value) -> Result<(), CustomColumnsError> {
        let items = list_items(object);
        if !self.no_headers && self.last_was_list != Some(items.is_some()) {
            let headers: Vec<&str> = self.columns.iter().map(|c| c.header.as_str()).collect();
            let line = headers.join("\t");
            self.writer.buffer().push_str(&line);
            self.writer.buffer().push('\n');
            self.last_was_list = Some(items.is_some());
        }
        let paths = match self.paths.take() {
            Some(paths) => paths,
            None => self.columns.iter().map(|c| JsonPath::parse(&c.spec)).collect::<Result<_, _>>()?,
        };
        let out = self.writer.buffer();
        let objects = items.unwrap_or(std::slice::from_ref(object));
        let outcome = objects.iter().try_for_each(|object| write_row(out, &paths, object));
        self.paths = Some(paths);
        Ok(outcome?)
    }

    /// Appends what was added since the last call, aligned.
    pub fn flush(&mut self, out: &mut String) {
        self.writer.flush(out);
    }
}

/// The items when `object` is a list.
fn list_items(object: &Value) -> Option<&[Value]> {
    let items = object.get("items")?.as_array()?;
    meta::kind(object).ends_with("List").then_some(items)
}

fn write_row(out: &mut String, paths: &[JsonPath], object: &Value) -> Result<(), JsonPathError> {
    let start = out.len();
    for (i, path) in paths.iter().enumerate() {
        let results = match path.find(object, true) {
            Ok(results) => results,
            Err(error) => {
                out.truncate(start);
                return Err(error);
            }
        };
        if i > 0 {
            out.push('\t');
        }
        if results.first().is_none_or(Vec::is_empty) {
            out.push_str("<none>");
        }
        let mut text = String::new();
        for (n, found) in results.iter().flatten().enumerate() {
            text.clear();
            found.write_go(&mut text);
            if n > 0 || results.first().is_some_and(Vec::is_empty) {
                out.push(',');
            }
            table::escape_terminal(out, &text);
        }
    }
    out.push('\n');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rows_under_one_header() {
        let Ok(mut printer) = CustomColumns::from_spec("NAME:.metadata.name,N:{.n[*]}", false) else { panic!("valid") };
        let mut out = String::new();
        for object in [json!({"metadata": {"name": "a-long-name"}, "n": [1, 2]}), json!({"metadata": {"name": "b"}})] {
            assert_eq!(printer.add(&object), Ok(()));
        }
        printer.flush(&mut out);
        assert_eq!(out, "NAME          N\na-long-name   1,2\nb             <none>\n");
    }

    #[test]
    fn errors() {
        let text = |result: Result<CustomColumns, CustomColumnsError>| result.err().map(|e| e.to_string());
        assert_eq!(
            text(CustomColumns::from_spec("NAME", false)).as_deref(),
            Some("unexpected custom-columns spec: NAME, expected <header>:<json-path-expr>")
        );
        assert_eq!(
            text(CustomColumns::from_template("A B\n.a\n")).as_deref(),
            Some("number of headers (2) and field specifications (1) don't match")
        );
    }
}
