//! The table that a server makes of objects: the columns of each kind and the cells of one object.
//!
//! Columns are data (`data/columns.json`); cells come from one function per kind, registered by family of kinds in
//! [`ROWS`]. A kind without a row of its own gets the columns `Name` and `Created At`; custom resources bring theirs
//! along ([`custom`]). Cells are always those of a wide table: who prints hides columns by their priority.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::OnceLock;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::object::{GroupKind, Value, meta};

pub mod custom;
pub mod text;

mod access;
mod autoscaling;
mod core;
mod extend;
mod network;
mod pod;
mod storage;
mod workloads;

pub use self::core::node_roles;
pub use access::signing_request_status;
pub use network::{join_host_port, load_balancer};
pub use storage::is_default_class;

/// One column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Heading as the server sends it; printers show it in upper case.
    pub name: String,
    /// OpenAPI type of the cells, such as `string`, `integer`, `date`.
    pub type_: String,
    /// OpenAPI format; `name` marks the column that holds the object's name.
    pub format: String,
    /// 0 for the columns that are always shown, above for wide output.
    pub priority: i32,
    /// What the column shows, for people.
    pub description: String,
}

impl Column {
    /// The column as an entry of a table's `columnDefinitions`.
    pub fn to_value(&self) -> Value {
        json!({
            "name": self.name,
            "type": self.type_,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        })
    }
}

/// What a cell is made from: the object and the present time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Row<'a> {
    object: &'a Value,
    now: DateTime<Utc>,
}

impl<'a> Row<'a> {
    fn get(&self, path: &[&str]) -> Option<&'a Value> {
        meta::get(self.object, path).filter(|value| !value.is_null())
    }

    fn text(&self, path: &[&str]) -> &'a str {
        meta::str_at(self.object, path)
    }

    fn text_or(&self, path: &[&str], otherwise: &str) -> String {
        self.get(path).and_then(Value::as_str).unwrap_or(otherwise).to_owned()
    }

    fn int(&self, path: &[&str]) -> i64 {
        meta::int_at(self.object, path).unwrap_or_default()
    }

    fn flag(&self, path: &[&str]) -> bool {
        meta::bool_at(self.object, path)
    }

    fn list(&self, path: &[&str]) -> &'a [Value] {
        meta::list_at(self.object, path)
    }

    fn name(&self) -> Value {
        json!(meta::name(self.object))
    }

    /// Time since the timestamp at `path`, `<unknown>` when there is none.
    fn since(&self, path: &[&str]) -> String {
        text::since(self.text(path), self.now)
    }

    fn age(&self) -> Value {
        json!(self.since(&["metadata", "creationTimestamp"]))
    }

    fn deleted(&self) -> bool {
        meta::deletion_timestamp(self.object).is_some()
    }
}

/// Which fields of an object are needed, as a tree of names; lists are passed through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Needed(&'static [(&'static str, Needed)]);

impl Needed {
    /// The whole value.
    pub const ALL: Self = Self(&[]);

    /// These fields, of each what is said beside it.
    pub const fn only(fields: &'static [(&'static str, Self)]) -> Self {
        Self(fields)
    }

    /// Whether the whole value is needed.
    pub fn is_all(self) -> bool {
        self.0.is_empty()
    }

    /// What is needed of a field, if anything.
    pub fn field(self, name: &str) -> Option<(&'static str, Self)> {
        self.0.iter().find(|(known, _)| *known == name).copied()
    }
}

/// The cells of one kind, by group and kind.
type RowOf = (&'static str, &'static str, fn(&Row<'_>) -> Vec<Value>);

const ROWS: &[&[RowOf]] = &[
    core::ROWS,
    pod::ROWS,
    workloads::ROWS,
    autoscaling::ROWS,
    network::ROWS,
    storage::ROWS,
    access::ROWS,
    extend::ROWS,
];

#[derive(Debug, Default)]
struct Table {
    columns: Vec<Column>,
    cells: Option<fn(&Row<'_>) -> Vec<Value>>,
}

fn tables() -> &'static HashMap<GroupKind, Table> {
    static TABLES: OnceLock<HashMap<GroupKind, Table>> = OnceLock::new();
    TABLES.get_or_init(|| {
        let data: HashMap<String, Vec<(String, String, String, i32)>> =
            serde_json::from_str(include_str!("../data/columns.json"))
                .unwrap_or_else(|e| unreachable!("data/columns.json is part of the program and well formed: {e}"));
        let mut tables: HashMap<GroupKind, Table> = HashMap::new();
        for (key, columns) in data {
            let (group, kind) = key.rsplit_once('/').unwrap_or(("", &key));
            let columns = columns.into_iter().map(|(name, type_, format, priority)| Column {
                description: describe_column(&name).to_owned(),
                name,
                type_,
                format,
                priority,
            });
            let columns = columns.collect();
            tables.insert(GroupKind { group: group.into(), kind: kind.into() }, Table { columns, cells: None });
        }
        for (group, kind, cells) in ROWS.iter().copied().flatten() {
            let key = GroupKind { group: (*group).to_owned(), kind: (*kind).to_owned() };
            tables.entry(key).or_default().cells = Some(*cells);
        }
        tables
    })
}

/// The words that explain the columns which many kinds share.
pub fn describe_column(name: &str) -> &'static str {
    match name {
        "Name" => "Name of the object, unique within its namespace.",
        "Age" => "Time since the object was created.",
        "Created At" => "Time at which the object was created.",
        "Containers" => "Names of the containers in the pod template.",
        "Images" => "Images of the containers in the pod template.",
        "Selector" => "Label selector of the pods that belong to the object.",
        "Status" => "Summary of the object's state.",
        "Ready" => "How much of what is wanted is ready.",
        _ => "",
    }
}

fn default_columns() -> &'static [Column] {
    static DEFAULT: OnceLock<[Column; 2]> = OnceLock::new();
    DEFAULT.get_or_init(|| {
        [("Name", "string", "name"), ("Created At", "date", "")].map(|(name, type_, format)| Column {
            name: name.to_owned(),
            type_: type_.to_owned(),
            format: format.to_owned(),
            priority: 0,
            description: describe_column(name).to_owned(),
        })
    })
}

/// The columns of a kind, whatever its version; `Name` and `Created At` for kinds that have none of their own.
pub fn of(kind: &GroupKind) -> &'static [Column] {
    match tables().get(kind) {
        Some(table) if table.cells.is_some() => &table.columns,
        _ => default_columns(),
    }
}

/// The cells of one object, in the order of [`of`]. Ages are reckoned from `now`.
///
/// Any served version of the kind will do. An object that lacks fields is shown as Go's zero values are.
pub fn cells(kind: &GroupKind, object: &Value, now: DateTime<Utc>) -> Vec<Value> {
    let row = Row { object, now };
    match tables().get(kind).and_then(|table| table.cells) {
        Some(cells) => cells(&row),
        None => vec![row.name(), json!(row.text(&["metadata", "creationTimestamp"]))],
    }
}

/// The fields that [`cells`] and [`row_conditions`] of a kind look at, where they are told: of which there are many
/// objects, it pays to read no others.
pub fn needed(kind: &GroupKind) -> Option<Needed> {
    (kind.group.is_empty() && kind.kind == "Pod").then_some(pod::NEEDED)
}

/// The `conditions` of an object's row: pods that ended are marked `Completed`; empty for everything else.
pub fn row_conditions(kind: &GroupKind, object: &Value) -> Vec<Value> {
    if kind.group.is_empty() && kind.kind == "Pod" { pod::row_conditions(object) } else { Vec::new() }
}

/// The order in which a table lists the objects of a kind, where it is not the order of the list.
///
/// Flow schemas stand in the order in which they are matched.
pub fn list_order(kind: &GroupKind) -> Option<fn(&Value, &Value) -> Ordering> {
    (kind.group == "flowcontrol.apiserver.k8s.io" && kind.kind == "FlowSchema")
        .then_some(extend::flow_schema_order as fn(&Value, &Value) -> Ordering)
}

#[cfg(test)]
mod tests;
