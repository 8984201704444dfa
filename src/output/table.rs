//! Tables as `kubectl get` prints them, from a `meta.k8s.io/v1` `Table` or from columns and rows.

use std::borrow::Cow;

use super::tabwriter::TabWriter;
use crate::object::{Value, go, meta};

/// The definition of one column.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Column {
    /// Heading; printed in upper case.
    pub name: String,
    /// Type of the cells, such as `string` or `integer`.
    pub type_: String,
    /// `name` for the column that holds the object's name, mostly empty.
    pub format: String,
    /// 0 for columns that always show; others need `-o wide`.
    pub priority: i64,
}

impl Column {
    /// A column of text that always shows.
    pub fn text(name: &str) -> Self {
        Self { name: name.to_owned(), type_: "string".to_owned(), ..Self::default() }
    }
}

/// One row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Row {
    /// One value per column.
    pub cells: Vec<Value>,
    /// The object, or its metadata alone; null when unknown.
    pub object: Value,
}

/// Columns and rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Table {
    /// Columns; empty in watch events that repeat the columns of the one before.
    pub columns: Vec<Column>,
    /// Rows.
    pub rows: Vec<Row>,
}

impl Table {
    /// Reads a `Table` that a server sent; `None` when `value` is something else.
    pub fn from_value(value: &Value) -> Option<Self> {
        if meta::kind(value) != "Table" || !meta::api_version(value).starts_with("meta.k8s.io/") {
            return None;
        }
        let column = |c: &Value| Column {
            name: meta::str_at(c, &["name"]).to_owned(),
            type_: meta::str_at(c, &["type"]).to_owned(),
            format: meta::str_at(c, &["format"]).to_owned(),
            priority: meta::int_at(c, &["priority"]).unwrap_or_default(),
        };
        let row = |r: &Value| Row {
            cells: meta::list_at(r, &["cells"]).to_vec(),
            object: meta::get(r, &["object"]).cloned().unwrap_or_default(),
        };
        Some(Self {
            columns: meta::list_at(value, &["columnDefinitions"]).iter().map(column).collect(),
            rows: meta::list_at(value, &["rows"]).iter().map(row).collect(),
        })
    }
}

/// What the table shows besides its columns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Also columns with a priority other than 0.
    pub wide: bool,
    /// No heading.
    pub no_headers: bool,
    /// A last column with all labels.
    pub show_labels: bool,
    /// One column for each of these labels.
    pub label_columns: Vec<String>,
    /// Kind and group (`deployment.apps`) that stand before the name, or empty for none.
    pub with_kind: String,
    /// A first column with the namespace.
    pub with_namespace: bool,
}

/// Prints a table; nothing at all when it has no rows.
pub fn print(table: &Table, options: &Options) -> String {
    let mut out = String::new();
    let mut printer = Printer::new(options.clone());
    printer.add(table, None);
    printer.flush(&mut out);
    out
}

/// Prints tables as they come: watch events, or several tables under one heading. Columns never get narrower.
pub struct Printer {
    options: Options,
    writer: TabWriter,
    columns: Vec<Column>,
    printed_headers: bool,
}

impl Printer {
    /// A printer that has printed nothing so far.
    pub fn new(options: Options) -> Self {
        Self { options, writer: TabWriter::for_tables(), columns: Vec::new(), printed_headers: false }
    }

    /// Adds a table; `event` (`ADDED`, `MODIFIED`, ...) goes into a first column when given. The heading is printed
    /// before the first row and again when the columns change.
    pub fn add(&mut self, table: &Table, event: Option<&str>) {
        let same = table.columns.is_empty() || table.columns == self.columns;
        let no_headers = self.options.no_headers || (self.printed_headers && same);
        if !same {
            self.columns.clone_from(&table.columns);
            self.printed_headers = false;
        }
        if table.rows.is_empty() {
            return;
        }
        self.printed_headers = true;
        if !no_headers {
            self.headers(event.is_some());
        }
        let name = match self.options.with_kind.as_str() {
            "" => None,
            _ => self.columns.iter().position(|c| c.format == "name" && c.type_ == "string"),
        };
        for row in &table.rows {
            self.row(row, event, name);
        }
    }

    /// Appends what was added since the last call, aligned.
    pub fn flush(&mut self, out: &mut String) {
        self.writer.flush(out);
    }

    fn headers(&mut self, event: bool) {
        let wide = self.options.wide;
        let shown = self.columns.iter().filter(|c| wide || c.priority == 0).map(|c| c.name.to_uppercase());
        let mut names: Vec<String> = Vec::with_capacity(self.columns.len() + 3);
        names.extend(event.then(|| "EVENT".to_owned()));
        names.extend(self.options.with_namespace.then(|| "NAMESPACE".to_owned()));
        names.extend(shown);
        names.extend(self.options.label_columns.iter().map(|label| label_header(label)));
        names.extend(self.options.show_labels.then(|| "LABELS".to_owned()));
        let out = self.writer.buffer();
        out.push_str(&names.join("\t"));
        out.push('\n');
    }

    fn row(&mut self, row: &Row, event: Option<&str>, name: Option<usize>) {
        let options = &self.options;
        let out = self.writer.buffer();
        let mut first = true;
        let mut cell = |out: &mut String, write: &mut dyn FnMut(&mut String)| {
            if !std::mem::take(&mut first) {
                out.push('\t');
            }
            write(out);
        };
        if let Some(event) = event {
            cell(out, &mut |out| out.push_str(&format!("{event:<8}")));
        }
        if options.with_namespace {
            cell(out, &mut |out| write_cell(out, &Cow::Borrowed(meta::namespace(&row.object))));
        }
        for (i, column) in self.columns.iter().enumerate() {
            if !options.wide && column.priority != 0 {
                continue;
            }
            // A row that is too short ends early, unless further columns follow the table's own.
            let Some(value) = row.cells.get(i) else { continue };
            cell(out, &mut |out| {
                if name == Some(i) {
                    out.push_str(&options.with_kind.to_lowercase());
                    out.push('/');
                }
                write_cell(out, &cell_text(value));
            });
        }
        for label in &options.label_columns {
            cell(out, &mut |out| write_cell(out, &Cow::Borrowed(meta::label(&row.object, label).unwrap_or_default())));
        }
        if options.show_labels {
            cell(out, &mut |out| write_cell(out, &Cow::Owned(format_labels(&row.object))));
        }
        out.push('\n');
    }
}

/// A cell's value as Go prints it; null is empty.
fn cell_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        Value::Null => Cow::Borrowed(""),
        other => go::text(other),
    }
}

/// Writes text up to the first line break, with what could steer a terminal made visible.
fn write_cell(out: &mut String, text: &str) {
    let cut = text.find(['\u{c}', '\n', '\r']);
    escape_terminal(out, &text[..cut.unwrap_or(text.len())]);
    if cut.is_some() {
        out.push_str("...");
    }
}

/// Appends `text` with escape characters and carriage returns made visible (`WriteEscaped`).
pub fn escape_terminal(out: &mut String, text: &str) {
    if !text.contains(['\u{1b}', '\r']) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '\u{1b}' => out.push_str("^["),
            '\r' => out.push_str("\\r"),
            c => out.push(c),
        }
    }
}

/// The heading of a label's column: the part after the last slash, in upper case.
fn label_header(label: &str) -> String {
    label.rsplit('/').next().unwrap_or(label).to_uppercase()
}

/// All labels as `a=b,c=d` in the order of these texts, or `<none>`.
pub fn format_labels(object: &Value) -> String {
    let mut labels: Vec<String> = meta::labels(object).map(|(key, value)| format!("{key}={value}")).collect();
    labels.sort_unstable();
    if labels.is_empty() { "<none>".to_owned() } else { labels.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn table() -> Table {
        let name = Column { format: "name".to_owned(), ..Column::text("Name") };
        let wide = Column { priority: 1, ..Column::text("Image") };
        let object = json!({"metadata": {"namespace": "prod", "labels": {"a": "1", "a-b": "2", "x.io/tier": "t"}}});
        let row = |name: &str| Row { cells: vec![json!(name), json!(3), json!("i\nj")], object: object.clone() };
        Table { columns: vec![name, Column::text("Data"), wide], rows: vec![row("web"), row("database")] }
    }

    #[test]
    fn decorations() {
        assert_eq!(print(&table(), &Options::default()), "NAME       DATA\nweb        3\ndatabase   3\n");
        let options = Options {
            wide: true,
            show_labels: true,
            label_columns: vec!["x.io/tier".to_owned()],
            with_kind: "Pod".to_owned(),
            with_namespace: true,
            ..Options::default()
        };
        assert_eq!(
            print(&table(), &options),
            "NAMESPACE   NAME           DATA   IMAGE   TIER   LABELS\n\
             prod        pod/web        3      i...    t      a-b=2,a=1,x.io/tier=t\n\
             prod        pod/database   3      i...    t      a-b=2,a=1,x.io/tier=t\n"
        );
    }

    #[test]
    fn watch_events_share_one_heading() {
        let mut printer = Printer::new(Options::default());
        let mut out = String::new();
        printer.add(&table(), Some("ADDED"));
        printer.add(&Table { columns: Vec::new(), rows: table().rows }, Some("DELETED"));
        printer.flush(&mut out);
        assert_eq!(out.matches("NAME").count(), 1);
        assert!(out.contains("\nADDED      web        3\n") && out.ends_with("\nDELETED    database   3\n"));
    }
}
