use chrono::TimeZone as _;
use serde_json::json;

use super::*;
use crate::kinds::Schemas;

fn at(second: u32) -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, second).single().unwrap_or_default()
}

#[test]
fn placeholder() {
    let _ = (at(1), json!({}), Schemas::builtin());
}
