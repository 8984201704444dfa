//! Tables of custom resources: `additionalPrinterColumns` of a definition's version.
//!
//! JSONPath lives in a module above this one, so the cell functions take what a path found.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Column, text};
use crate::object::{Value, meta};

/// A column of a custom resource with the path of its cells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomColumn {
    /// Heading, type, format, priority.
    pub column: Column,
    /// JSONPath without braces, such as `.spec.size`.
    pub json_path: String,
}

/// What a simple JSONPath found first in an object.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The value itself.
    pub value: Value,
    /// The value as a JSONPath printer writes it.
    pub printed: String,
}

/// The columns after `Name`, from the `additionalPrinterColumns` of a version; without any, the age.
pub fn columns(printer_columns: &[Value]) -> Vec<CustomColumn> {
    if printer_columns.is_empty() {
        return vec![CustomColumn {
            column: Column {
                name: "Age".into(),
                type_: "date".into(),
                format: String::new(),
                priority: 0,
                description: super::describe_column("Age").into(),
            },
            json_path: ".metadata.creationTimestamp".into(),
        }];
    }
    printer_columns.iter().map(column).collect()
}

fn column(definition: &Value) -> CustomColumn {
    let part = |field: &str| meta::str_at(definition, &[field]).to_owned();
    let json_path = part("jsonPath");
    let description = match part("description") {
        none if none.is_empty() => format!("Custom resource definition column (in JSONPath format): {json_path}"),
        given => given,
    };
    let priority = meta::int_at(definition, &["priority"]).unwrap_or_default();
    CustomColumn {
        column: Column {
            name: part("name"),
            type_: part("type"),
            format: part("format"),
            priority: i32::try_from(priority).unwrap_or_default(),
            description,
        },
        json_path,
    }
}

/// The column that stands before the others.
pub fn name_column() -> &'static Column {
    &super::default_columns()[0]
}

/// One cell: null when the path found nothing or something that does not fit the column's type.
pub fn cell(column: &CustomColumn, found: Option<Found>, now: DateTime<Utc>) -> Value {
    let Some(Found { value, printed }) = found else { return Value::Null };
    match (column.column.type_.as_str(), &value) {
        ("string", _) => json!(printed),
        ("integer", Value::Number(number)) => match number.as_i64() {
            Some(integer) => json!(integer),
            // Go converts a float to an integer by cutting off its fraction.
            None => number.as_f64().map_or(Value::Null, |float| json!(float.trunc() as i64)),
        },
        ("number", Value::Number(_)) | ("boolean", Value::Bool(_)) => value,
        ("date", Value::String(timestamp)) => match text::parse_time(timestamp) {
            Some(_) => json!(text::since(timestamp, now)),
            None => json!("<invalid>"),
        },
        _ => Value::Null,
    }
}
