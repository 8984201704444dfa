//! The events at the end of a description.

use super::related::{self, Request};
use super::{Subject, Writer, text};
use crate::kinds::columns::text::{parse_time, since};
use crate::object::time::Time;
use crate::object::{Value, meta};

/// The annotation of a mirror pod with the uid under which the kubelet reports.
const MIRROR_POD: &str = "kubernetes.io/config.mirror";

/// The requests for an object's events.
///
/// Pods are searched whatever the kind in the event says, static ones under the uid of their mirror. The kubelet
/// reports on its node with the node's name as uid, so nodes are searched twice.
pub(super) fn requests(object: &Value) -> Vec<Request> {
    let (kind, uid) = (meta::kind(object), meta::uid(object));
    match (meta::gvk(object).group.as_str(), kind) {
        ("", "Pod") => vec![related::events(object, "", meta::annotation(object, MIRROR_POD).unwrap_or(uid))],
        ("", "Node") => {
            vec![related::events(object, kind, uid), related::events(object, kind, meta::name(object))]
        }
        _ => vec![related::events(object, kind, uid)],
    }
}

/// Writes the events of an object; nothing when they are not wanted.
pub(super) fn describe(subject: &Subject<'_>, w: &mut Writer) {
    if !subject.settings.show_events {
        return;
    }
    let found = requests(subject.object);
    let mut events: Vec<&Value> =
        found.iter().filter_map(|request| subject.related.list(request).ok()).flatten().collect();
    if events.is_empty() {
        w.line(0, "Events:\t<none>");
        return;
    }
    w.flush();
    events.sort_by_key(|event| parse_time(meta::str_at(event, &["lastTimestamp"])));
    w.line(0, "Events:\n  Type\tReason\tAge\tFrom\tMessage");
    w.line(1, "----\t------\t----\t----\t-------");
    for event in events {
        let part = |name: &str| meta::str_at(event, &[name]);
        let source = match meta::str_at(event, &["source", "component"]) {
            "" => part("reportingComponent"),
            component => component,
        };
        let mut message = part("message").trim().to_owned();
        let path = meta::str_at(event, &["involvedObject", "fieldPath"]);
        if !path.is_empty() {
            message = format!("{path}: {message}");
        }
        let interval = interval(event, subject.settings.now);
        w.line(1, format_args!("{}\t{}\t{interval}\t{source}\t{message}", part("type"), part("reason")));
    }
}

/// How long ago an event was, and how often over how long: `3s`, `3s (x4 over 2m)`.
pub fn interval(event: &Value, now: Time) -> String {
    let age = |path: &[&str]| since(meta::str_at(event, path), now);
    let first =
        if text::present(event, &["eventTime"]).is_some() { age(&["eventTime"]) } else { age(&["firstTimestamp"]) };
    let count = meta::int_at(event, &["count"]).unwrap_or_default();
    if text::present(event, &["series"]).is_some() {
        let count = meta::int_at(event, &["series", "count"]).unwrap_or_default();
        format!("{} (x{count} over {first})", age(&["series", "lastObservedTime"]))
    } else if count > 1 {
        format!("{} (x{count} over {first})", age(&["lastTimestamp"]))
    } else {
        first
    }
}
