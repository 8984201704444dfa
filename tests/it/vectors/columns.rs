//! Tables of the server: columns, cells and the printed text.

use chrono::{DateTime, Duration, SecondsFormat, TimeZone, Utc};
use knarr::kinds::{columns, rules};
use knarr::object::{Value, meta};
use serde_json::json;

use super::{Set, same};

/// Sets of this engine.
pub const SETS: &[Set] = &[Set { name: "table_print", at_least: 75.0, known: &[], check: table_print }];

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
    same(&Value::from(shown), &case["want"]["columns"])?;
    let row = columns::cells(&kind, &object, now);
    same(&json!([row]), &case["want"]["rows"])
}
