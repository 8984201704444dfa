//! Tables as the server makes them.

use std::sync::Arc;

use serde_json::json;

use crate::kinds::columns;
use crate::object::{GroupKind, Status, Value, json as go_json, meta};

use super::context::Request;
use super::store::{Entry, Fields};

/// What a table's rows carry of their objects.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Include {
    None,
    Metadata,
    Object,
}

fn include(request: &Request) -> Result<Include, Status> {
    match request.query.get("includeObject").unwrap_or_default() {
        "" | "Metadata" => Ok(Include::Metadata),
        "None" => Ok(Include::None),
        "Object" => Ok(Include::Object),
        other => {
            let path = crate::object::field::Path::new("includeObject");
            let error =
                crate::object::field::Error::invalid(&path, other, "must be 'Metadata', 'Object', 'None', or empty");
            Err(Status::bad_request(format!("Unable to convert to Table as requested: {error}")))
        }
    }
}

/// The head of a table: columns.
fn definitions(request: &Request) -> Vec<Value> {
    match scale_of(request) {
        Some(Scale::Custom) => scale_columns().iter().map(columns::Column::to_value).collect(),
        Some(Scale::BuiltIn) => columns::of(&scale_kind()).iter().map(columns::Column::to_value).collect(),
        None => request.resource.strategy.table_columns(&request.resource),
    }
}

/// Whose scale a table shows; the two have columns of their own.
enum Scale {
    Custom,
    BuiltIn,
}

fn scale_of(request: &Request) -> Option<Scale> {
    let kind = if request.resource.custom { Scale::Custom } else { Scale::BuiltIn };
    (request.info.subresource == "scale").then_some(kind)
}

fn scale_kind() -> GroupKind {
    GroupKind { group: "autoscaling".into(), kind: "Scale".into() }
}

fn scale_columns() -> [columns::Column; 4] {
    let column = |name: &str, type_: &str| columns::Column {
        name: name.into(),
        type_: type_.into(),
        format: String::new(),
        priority: 0,
        description: columns::describe_column(name).into(),
    };
    let name = columns::custom::name_column().clone();
    [name, column("Desired", "integer"), column("Available", "integer"), column("Age", "date")]
}

fn scale_cells(object: &Value, now: chrono::DateTime<chrono::Utc>) -> Vec<Value> {
    let replicas = |part: &str| meta::int_at(object, &[part, "replicas"]).unwrap_or_default();
    let created = meta::str_at(object, &["metadata", "creationTimestamp"]);
    vec![
        meta::name(object).into(),
        replicas("spec").into(),
        replicas("status").into(),
        columns::text::since(created, now).into(),
    ]
}

fn cells(request: &Request, object: &Value) -> Vec<Value> {
    let now = request.core.now();
    match scale_of(request) {
        Some(Scale::Custom) => scale_cells(object, now),
        Some(Scale::BuiltIn) => columns::cells(&scale_kind(), object, now),
        None => request.resource.strategy.table_cells(&request.resource, object, now),
    }
}

fn row(request: &Request, object: &Value, include: Include, version: &str) -> Value {
    let cells = cells(request, object);
    let mut row = json!({"cells": cells});
    let conditions = columns::row_conditions(&request.resource.kind.group_kind(), object);
    if !conditions.is_empty() {
        row["conditions"] = Value::Array(conditions);
    }
    match include {
        Include::Metadata => row["object"] = super::respond::metadata_only(object, version),
        Include::Object => row["object"] = object.clone(),
        Include::None => row["object"] = Value::Null,
    }
    row
}

/// Whether the rows stand in another order than the objects of a list.
pub fn is_sorted(request: &Request) -> bool {
    columns::list_order(&request.resource.kind.group_kind()).is_some()
}

/// Writes the rows of a large table as JSON, one by one, from what is stored.
pub struct Rows {
    request: Arc<Request>,
    version: String,
    include: Include,
    kind: GroupKind,
    /// What the cells are made of.
    fields: Fields,
    /// One row's text, kept for its memory.
    text: String,
}

impl Rows {
    /// Rows of a table that a request asks for.
    ///
    /// # Errors
    ///
    /// 400 for an unknown `includeObject`.
    pub fn of(request: Arc<Request>, version: &str) -> Result<Self, Status> {
        let (include, kind) = (include(&request)?, request.resource.kind.group_kind());
        let fields = match scale_of(&request) {
            None => columns::needed(&kind).map_or(Fields::Unmanaged, Fields::Only),
            Some(_) => Fields::Unmanaged,
        };
        Ok(Self { request, version: version.to_owned(), include, kind, fields, text: String::new() })
    }

    /// The table's text up to the first row; `]}` must follow the last.
    pub fn head(&self, list_meta: &Value) -> String {
        let definitions = Value::Array(definitions(&self.request));
        let mut head = format!("{{\"kind\":\"Table\",\"apiVersion\":\"meta.k8s.io/{}\",\"metadata\":", self.version);
        go_json::write_compact(&mut head, list_meta);
        head.push_str(",\"columnDefinitions\":");
        go_json::write_compact(&mut head, &definitions);
        head.push_str(",\"rows\":[");
        head
    }

    /// Appends the row of a stored object.
    pub fn write(&mut self, out: &mut Vec<u8>, entry: &Entry) {
        let resource = &self.request.resource;
        self.text.clear();
        if self.include == Include::Object {
            let object = resource.shown(resource.stored_object(entry));
            go_json::write_compact(&mut self.text, &row(&self.request, &object, self.include, &self.version));
            out.extend_from_slice(self.text.as_bytes());
            return;
        }
        let object = resource.shown_part(entry, self.fields);
        self.text.push_str("{\"cells\":");
        go_json::write_compact(&mut self.text, &Value::Array(cells(&self.request, &object)));
        let conditions = columns::row_conditions(&self.kind, &object);
        if !conditions.is_empty() {
            self.text.push_str(",\"conditions\":");
            go_json::write_compact(&mut self.text, &Value::Array(conditions));
        }
        self.text.push_str(",\"object\":");
        out.extend_from_slice(self.text.as_bytes());
        match self.include {
            Include::Metadata => super::respond::write_metadata(out, &self.request, entry, &self.version),
            _ => out.extend_from_slice(b"null"),
        }
        out.push(b'}');
    }
}

/// A table of objects, which are in the resource's form.
///
/// # Errors
///
/// 400 for an unknown `includeObject`.
pub fn of_objects(request: &Request, version: &str, objects: &[Value], list_meta: &Value) -> Result<Value, Status> {
    let include = include(request)?;
    let mut sorted: Vec<&Value> = objects.iter().collect();
    if let Some(order) = columns::list_order(&request.resource.kind.group_kind()) {
        sorted.sort_by(|a, b| order(a, b));
    }
    let rows: Vec<Value> = sorted.into_iter().map(|object| row(request, object, include, version)).collect();
    Ok(json!({
        "kind": "Table",
        "apiVersion": format!("meta.k8s.io/{version}"),
        "metadata": list_meta,
        "columnDefinitions": definitions(request),
        "rows": rows,
    }))
}

/// A table of one object for a watch; the columns are there in the first one only.
///
/// # Errors
///
/// 400 for an unknown `includeObject`.
pub fn of_event(request: &Request, version: &str, object: &Value, first: bool) -> Result<Value, Status> {
    let list_meta = json!({"resourceVersion": meta::resource_version(object)});
    let mut table = of_objects(request, version, std::slice::from_ref(object), &list_meta)?;
    if !first {
        table["columnDefinitions"] = Value::Null;
    }
    Ok(table)
}
