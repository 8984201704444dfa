//! Records events: the first of its kind is created, the same again counts up (as client-go's event correlator does).

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::json;

use super::{Action, PatchType, Resource};
use crate::object::{Value, meta};

/// How many different events are remembered for counting.
const REMEMBERED: usize = 4096;

/// What has been recorded already: name and count by what makes an event the same.
#[derive(Default)]
pub(super) struct Recorder {
    seen: Mutex<HashMap<String, (String, u64)>>,
}

/// What an event says.
pub(super) struct Event<'a> {
    pub component: &'a str,
    pub regarding: &'a Value,
    pub type_: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
}

impl Recorder {
    /// The write that records `event` now.
    pub fn record(&self, event: &Event<'_>, now: DateTime<Utc>) -> Action {
        let resource = Resource::new("", "v1", "events");
        let namespace = match meta::namespace(event.regarding) {
            "" => "default",
            namespace => namespace,
        };
        let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        let uid = meta::uid(event.regarding);
        let same = [event.component, uid, event.type_, event.reason, event.message].join("\u{0}");
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= REMEMBERED {
            seen.clear();
        }
        if let Some((name, count)) = seen.get_mut(&same) {
            *count += 1;
            return Action::Patch {
                resource,
                namespace: namespace.to_owned(),
                name: name.clone(),
                subresource: None,
                patch_type: PatchType::Merge,
                patch: json!({"count": count, "lastTimestamp": time}),
            };
        }
        let nanos = now.timestamp_nanos_opt().unwrap_or_default();
        // One reason and message differ from another of the same instant by the number of events so far.
        let name = format!("{}.{:016x}", meta::name(event.regarding), nanos.wrapping_add(seen.len() as i64));
        seen.insert(same, (name.clone(), 1));
        Action::Create { resource, object: object(event, namespace, &name, &time) }
    }
}

fn object(event: &Event<'_>, namespace: &str, name: &str, time: &str) -> Value {
    let regarding = event.regarding;
    let mut involved = json!({
        "kind": meta::kind(regarding),
        "apiVersion": meta::api_version(regarding),
        "name": meta::name(regarding),
        "uid": meta::uid(regarding),
        "resourceVersion": meta::resource_version(regarding),
    });
    if !meta::namespace(regarding).is_empty() {
        involved["namespace"] = json!(meta::namespace(regarding));
    }
    json!({
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": namespace},
        "involvedObject": involved,
        "type": event.type_,
        "reason": event.reason,
        "message": event.message,
        "source": {"component": event.component},
        "reportingComponent": event.component,
        "firstTimestamp": time,
        "lastTimestamp": time,
        "count": 1,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_event_counts_up() {
        let recorder = Recorder::default();
        let pod = json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "n", "uid": "u"}});
        let event = |message| Event { component: "c", regarding: &pod, type_: "Normal", reason: "R", message };
        let now = Utc::now();
        let Action::Create { object, .. } = recorder.record(&event("m"), now) else { panic!("first is created") };
        assert_eq!(object["count"], 1);
        let Action::Patch { name, patch, .. } = recorder.record(&event("m"), now) else { panic!("then patched") };
        assert_eq!((name.as_str(), &patch["count"]), (meta::name(&object), &json!(2)));
        assert!(matches!(recorder.record(&event("other"), now), Action::Create { .. }));
    }
}
