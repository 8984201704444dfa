//! `describe`, for an object that is alone in its cluster and without events.

use chrono::{TimeZone, Utc};
use knarr::describe::{Related, Settings, describe, requests};
use knarr::object::{Status, Value};

use super::{Set, same};

/// Sets of this engine.
pub const SETS: &[Set] = &[Set { name: "describe", at_least: 100.0, known: &[], check }];

fn check(case: &Value) -> Result<(), String> {
    let now = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).single().ok_or("no time")?;
    let settings = Settings { show_events: false, ..Settings::new(now) };
    let mut related = Related::new();
    for request in requests(&case["object"], &settings) {
        // The recorded cluster refused single objects with a bare text.
        let missing = || Status::failure(404, "NotFound", "not found");
        let answer = if request.name.is_some() { Err(missing()) } else { Ok(Vec::new()) };
        related.insert(request, answer);
    }
    let got = describe(&case["object"], &related, &settings).map_err(|e| e.to_string())?;
    same(&got.as_str(), &case["want"].as_str().unwrap_or_default())
}
