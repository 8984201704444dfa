//! Deletes certificate signing requests that nobody needs any more.

use chrono::{DateTime, TimeDelta, Utc};

use super::csr::{self, certificate_end};
use super::pods;
use super::runtime::{Action, Controller, Key, Watch, World};
use crate::object::Value;
use crate::object::meta::{list_at, str_at};

/// The certificate cleaner controller.
#[derive(Default)]
pub struct CertificateCleaner;

/// How long a request stays after it was decided.
const DECIDED: TimeDelta = TimeDelta::hours(1);
/// How long a request stays that waits for a decision or, after it was approved, for its certificate.
const WAITING: TimeDelta = TimeDelta::hours(24);

impl Controller for CertificateCleaner {
    fn name(&self) -> &'static str {
        "certificatesigningrequest-cleaner"
    }

    fn watches(&self) -> Vec<Watch> {
        vec![Watch::own(csr::requests())]
    }

    fn reconcile(&self, world: &World<'_>, key: &Key) -> Vec<Action> {
        let Some(request) = world.cache.get(&csr::requests(), key) else { return Vec::new() };
        let Some(end) = end(&request) else { return Vec::new() };
        match (end - world.now).to_std() {
            Ok(left) if !left.is_zero() => vec![Action::RequeueAfter(left)],
            _ => vec![Action::delete(&csr::requests(), &request)],
        }
    }
}

/// When a request has served its purpose.
fn end(request: &Value) -> Option<DateTime<Utc>> {
    let conditions = list_at(request, &["status", "conditions"]);
    if conditions.is_empty() {
        return pods::time_at(request, &["metadata", "creationTimestamp"]).map(|made| made + WAITING);
    }
    let issued = !str_at(request, &["status", "certificate"]).is_empty();
    let ends = conditions.iter().flat_map(|condition| {
        let updated = pods::time_at(condition, &["lastUpdateTime"]);
        match str_at(condition, &["type"]) {
            "Approved" if issued => [updated.map(|time| time + DECIDED), certificate_end(request)],
            "Approved" => [updated.map(|time| time + WAITING), None],
            "Denied" | "Failed" => [updated.map(|time| time + DECIDED), None],
            _ => [None, None],
        }
    });
    ends.flatten().min()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_end_by_their_state() {
        let hours = |conditions: Value, certificate: &str| {
            let request = json!({"metadata": {"creationTimestamp": "2026-01-01T00:00:00Z"},
                "status": {"conditions": conditions, "certificate": certificate}});
            end(&request)
                .map(|end| (end - "2026-01-01T00:00:00Z".parse::<DateTime<Utc>>().expect("a time")).num_hours())
        };
        let is = |type_: &str| json!([{"type": type_, "lastUpdateTime": "2026-01-01T02:00:00Z"}]);
        assert_eq!(hours(json!([]), ""), Some(24));
        assert_eq!(hours(is("Denied"), ""), Some(3));
        assert_eq!(hours(is("Failed"), ""), Some(3));
        assert_eq!(hours(is("Approved"), ""), Some(26));
        assert_eq!(hours(is("Approved"), "bm90IFBFTQ=="), Some(3));
        assert_eq!(hours(is("Other"), ""), None);
    }
}
