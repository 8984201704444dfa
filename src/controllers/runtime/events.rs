//! Records events as client-go does: what happens again counts up, many alike are told together, and an object that
//! causes too many is not heard for a while. Programs that write `events.k8s.io` (the scheduler) count in a series.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::json;

use super::{Action, PatchType, Resource};
use crate::object::meta::str_at;
use crate::object::{Value, meta};

/// How many different events are remembered for counting.
const REMEMBERED: usize = 4096;
/// From so many different messages of one reason on they are told together.
const ALIKE: usize = 10;
/// Messages are alike while they follow each other within this time.
const ALIKE_WITHIN: TimeDelta = TimeDelta::seconds(600);
/// So many events of one program about one object are written at once; later ones as time goes by.
const BURST: f64 = 25.0;
/// How long until one more event may be written.
const REFILL: TimeDelta = TimeDelta::seconds(300);

/// What has been recorded already.
#[derive(Default)]
pub(super) struct Recorder {
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// Name and count by what makes an event the same.
    seen: HashMap<String, (String, u64)>,
    /// The messages of one reason about one object.
    alike: HashMap<String, Alike>,
    /// What each object may still cause.
    allowed: HashMap<String, Allowance>,
    /// How many events there have been, so that two of one instant get different names.
    recorded: i64,
}

struct Alike {
    messages: BTreeSet<String>,
    last: DateTime<Utc>,
}

struct Allowance {
    left: f64,
    at: DateTime<Utc>,
}

/// What an event says.
pub(super) struct Event<'a> {
    pub component: &'a str,
    /// The action of an event in the newer form; `None` for the form with a source.
    pub action: Option<&'static str>,
    pub regarding: &'a Value,
    pub type_: &'a str,
    pub reason: &'a str,
    pub message: &'a str,
}

impl Recorder {
    /// Goes on counting where an earlier process of the same program stopped.
    pub fn learn(&self, component: &str, events: &[Arc<Value>]) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events.iter().filter(|event| str_at(event, &["reportingComponent"]) == component) {
            let [type_, reason, action] = ["type", "reason", "action"].map(|field| str_at(event, &[field]));
            let uid = str_at(event, &["involvedObject", "uid"]);
            let key = match action {
                "" => {
                    let name = str_at(event, &["involvedObject", "name"]);
                    [component, uid, name, type_, reason, str_at(event, &["message"])].join("\u{0}")
                }
                action => [component, action, type_, reason, uid].join("\u{0}"),
            };
            let count = meta::int_at(event, &["count"]).or_else(|| meta::int_at(event, &["series", "count"]));
            let count = count.and_then(|count| u64::try_from(count).ok()).unwrap_or(1).max(1);
            state.seen.insert(key, (meta::name(event).to_owned(), count));
        }
    }

    /// The write that records `event` now, if there is to be one.
    pub fn record(&self, event: &Event<'_>, now: DateTime<Utc>) -> Option<Action> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget_some();
        match event.action {
            Some(action) => state.in_series(event, action, now),
            None => state.counted(event, now),
        }
    }
}

/// The namespace that events about an object are kept in.
fn namespace_of(regarding: &Value) -> &str {
    match meta::namespace(regarding) {
        "" => "default",
        namespace => namespace,
    }
}

impl State {
    fn forget_some(&mut self) {
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        if self.alike.len() >= REMEMBERED {
            self.alike.clear();
        }
        if self.allowed.len() >= REMEMBERED {
            self.allowed.clear();
        }
    }

    fn name(&mut self, event: &Event<'_>, now: DateTime<Utc>) -> String {
        self.recorded += 1;
        let nanos = now.timestamp_nanos_opt().unwrap_or_default();
        format!("{}.{:016x}", meta::name(event.regarding), nanos.wrapping_add(self.recorded))
    }

    /// The form with a source and a count (`record.EventCorrelator`).
    fn counted(&mut self, event: &Event<'_>, now: DateTime<Utc>) -> Option<Action> {
        let uid = meta::uid(event.regarding);
        let group = [event.component, uid, meta::name(event.regarding), event.type_, event.reason].join("\u{0}");
        let (key, message) = match self.joins_others(&group, event.message, now) {
            true => (group, format!("(combined from similar events): {}", event.message)),
            false => (format!("{group}\u{0}{}", event.message), event.message.to_owned()),
        };
        let object = [event.component, uid, meta::name(event.regarding)].join("\u{0}");
        if !self.takes_allowance(object, now) {
            return None;
        }
        let resource = Resource::new("", "v1", "events");
        let namespace = namespace_of(event.regarding).to_owned();
        let time = now.to_rfc3339_opts(SecondsFormat::Secs, true);
        if let Some((name, count)) = self.seen.get_mut(&key) {
            *count += 1;
            let patch = json!({"count": count, "lastTimestamp": time, "message": message});
            return Some(patched(resource, namespace, name.clone(), patch));
        }
        let name = self.name(event, now);
        self.seen.insert(key, (name.clone(), 1));
        let object = json!({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": reference(event.regarding),
            "type": event.type_,
            "reason": event.reason,
            "message": message,
            "source": {"component": event.component},
            "reportingComponent": event.component,
            "firstTimestamp": time,
            "lastTimestamp": time,
            "count": 1,
        });
        Some(Action::Create { resource, object })
    }

    /// Whether there have been so many messages like this one that they are told together.
    fn joins_others(&mut self, group: &str, message: &str, now: DateTime<Utc>) -> bool {
        let alike =
            self.alike.entry(group.to_owned()).or_insert_with(|| Alike { messages: BTreeSet::new(), last: now });
        if now - alike.last > ALIKE_WITHIN {
            alike.messages.clear();
        }
        alike.last = now;
        alike.messages.insert(message.to_owned());
        if alike.messages.len() < ALIKE {
            return false;
        }
        alike.messages.pop_first();
        true
    }

    fn takes_allowance(&mut self, object: String, now: DateTime<Utc>) -> bool {
        let allowance = self.allowed.entry(object).or_insert(Allowance { left: BURST, at: now });
        let passed = (now - allowance.at).num_milliseconds().max(0);
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of hours fit a double exactly")]
        let refilled = passed as f64 / REFILL.num_milliseconds() as f64;
        allowance.left = (allowance.left + refilled).min(BURST);
        allowance.at = now;
        let allowed = allowance.left >= 1.0;
        if allowed {
            allowance.left -= 1.0;
        }
        allowed
    }

    /// The form of `events.k8s.io`: the first of its kind, whatever its note, begins a series that the second opens.
    fn in_series(&mut self, event: &Event<'_>, action: &str, now: DateTime<Utc>) -> Option<Action> {
        let resource = Resource::new("events.k8s.io", "v1", "events");
        let namespace = namespace_of(event.regarding).to_owned();
        let key = [event.component, action, event.type_, event.reason, meta::uid(event.regarding)].join("\u{0}");
        let time = now.to_rfc3339_opts(SecondsFormat::Micros, true);
        if let Some((name, count)) = self.seen.get_mut(&key) {
            *count += 1;
            // Later ones are counted in memory only.
            let patch = json!({"series": {"count": count, "lastObservedTime": time}});
            return (*count == 2).then(|| patched(resource, namespace, name.clone(), patch));
        }
        let name = self.name(event, now);
        self.seen.insert(key, (name.clone(), 1));
        let object = json!({
            "apiVersion": "events.k8s.io/v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "regarding": reference(event.regarding),
            "type": event.type_,
            "reason": event.reason,
            "action": action,
            "note": event.message,
            "eventTime": time,
            "reportingController": event.component,
            "reportingInstance": format!("{}-knarr", event.component),
        });
        Some(Action::Create { resource, object })
    }
}

fn patched(resource: Resource, namespace: String, name: String, patch: Value) -> Action {
    Action::Patch { resource, namespace, name, subresource: None, patch_type: PatchType::Merge, patch }
}

fn reference(regarding: &Value) -> Value {
    let mut reference = json!({
        "kind": meta::kind(regarding),
        "apiVersion": meta::api_version(regarding),
        "name": meta::name(regarding),
        "uid": meta::uid(regarding),
        "resourceVersion": meta::resource_version(regarding),
    });
    if !meta::namespace(regarding).is_empty() {
        reference["namespace"] = json!(meta::namespace(regarding));
    }
    reference
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pod() -> Value {
        json!({"kind": "Pod", "apiVersion": "v1", "metadata": {"name": "a", "namespace": "n", "uid": "u"}})
    }

    fn event<'a>(pod: &'a Value, message: &'a str, action: Option<&'static str>) -> Event<'a> {
        Event { component: "c", action, regarding: pod, type_: "Normal", reason: "R", message }
    }

    #[test]
    fn the_same_event_counts_up() {
        let (recorder, pod, now) = (Recorder::default(), pod(), Utc::now());
        let Some(Action::Create { object, .. }) = recorder.record(&event(&pod, "m", None), now) else {
            panic!("first is created")
        };
        assert_eq!(object["count"], 1);
        let Some(Action::Patch { name, patch, .. }) = recorder.record(&event(&pod, "m", None), now) else {
            panic!("then patched")
        };
        assert_eq!((name.as_str(), &patch["count"]), (meta::name(&object), &json!(2)));
        assert!(matches!(recorder.record(&event(&pod, "other", None), now), Some(Action::Create { .. })));
    }

    #[test]
    fn counting_goes_on_after_a_restart() {
        let (pod, now) = (pod(), Utc::now());
        let Some(Action::Create { object, .. }) = Recorder::default().record(&event(&pod, "m", None), now) else {
            panic!("first is created")
        };
        let later = Recorder::default();
        later.learn("c", &[Arc::new(object)]);
        let again = later.record(&event(&pod, "m", None), now);
        assert!(matches!(again, Some(Action::Patch { patch, .. }) if patch["count"] == 2));
    }

    #[test]
    fn many_alike_are_told_together_and_too_many_not_at_all() {
        let (recorder, pod, now) = (Recorder::default(), pod(), Utc::now());
        let messages: Vec<String> = (0..30).map(|n| format!("m{n}")).collect();
        let written: Vec<Option<Action>> =
            messages.iter().map(|message| recorder.record(&event(&pod, message, None), now)).collect();
        assert!(written[..9].iter().all(|action| matches!(action, Some(Action::Create { .. }))));
        let Some(Action::Create { object, .. }) = &written[9] else { panic!("the tenth begins the combined one") };
        assert_eq!(object["message"], "(combined from similar events): m9");
        assert!(matches!(&written[10], Some(Action::Patch { patch, .. }) if patch["count"] == 2));
        assert!(written[24].is_some() && written[25].is_none(), "25 at most");
        assert!(recorder.record(&event(&pod, "later", None), now + REFILL).is_some());
    }

    #[test]
    fn a_series_is_opened_by_the_second() {
        let (recorder, pod, now) = (Recorder::default(), pod(), Utc::now());
        let Some(Action::Create { object, .. }) = recorder.record(&event(&pod, "m", Some("Scheduling")), now) else {
            panic!("first is created")
        };
        assert_eq!((&object["action"], object.get("count")), (&json!("Scheduling"), None));
        let second = recorder.record(&event(&pod, "other words", Some("Scheduling")), now);
        assert!(matches!(&second, Some(Action::Patch { patch, .. }) if patch["series"]["count"] == 2));
        assert_eq!(recorder.record(&event(&pod, "m", Some("Scheduling")), now), None);
    }
}
