//! Tables of the server: columns, cells and the printed text.

use chrono::{DateTime, Duration, SecondsFormat, TimeZone, Utc};
use knarr::kinds::{columns, rules};
use knarr::object::{Value, meta};
use knarr::output::table::{self, Options, Table};
use serde_json::json;

use super::{Set, same};

/// Sets of this engine.
pub const SETS: &[Set] = &[Set { name: "table_print", at_least: 100.0, known: &[], check: table_print }];

fn table_print(case: &Value) -> Result<(), String> {
    let mut object = case["object"].clone();
    rules::default_object(&mut object);
    let now: DateTime<Utc> = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single().ok_or("no time")?;
    if let Some(age) = case["age_seconds"].as_i64() {
        let created = (now - Duration::seconds(age)).to_rfc3339_opts(SecondsFormat::Secs, true);
        meta::set(&mut object, &["metadata", "creationTimestamp"], created);
    }
    let kind = meta::gvk(&object).group_kind();
    let shown: Vec<Value> = columns::of(&kind)
        .iter()
        .map(|c| json!({"name": c.name, "type": c.type_, "format": c.format, "priority": c.priority}))
        .collect();
    same(&Value::from(shown.clone()), &case["want"]["columns"])?;
    let row = columns::cells(&kind, &object, now);
    same(&json!([&row]), &case["want"]["rows"])?;
    let table = json!({"apiVersion": "meta.k8s.io/v1", "kind": "Table", "columnDefinitions": shown, "rows": [{"cells": row, "object": object}]});
    let table = Table::from_value(&table).ok_or("no table")?;
    let plain = Options::default();
    let labels = || vec!["app".to_owned(), "tier".to_owned()];
    let printed_kind = kind.to_string().to_lowercase();
    for (name, options) in [
        ("get", plain.clone()),
        ("get_wide", Options { wide: true, ..plain.clone() }),
        ("get_all_namespaces", Options { with_namespace: true, ..plain.clone() }),
        ("get_show_labels", Options { show_labels: true, ..plain.clone() }),
        ("get_label_columns_app_tier", Options { label_columns: labels(), ..plain.clone() }),
        ("get_no_headers", Options { no_headers: true, ..plain.clone() }),
        ("get_show_kind", Options { with_kind: printed_kind, ..plain }),
    ] {
        if let Some(want) = case["want"][name].as_str() {
            same(&table::print(&table, &options).as_str(), &want).map_err(|why| format!("{name}: {why}"))?;
        }
    }
    Ok(())
}
