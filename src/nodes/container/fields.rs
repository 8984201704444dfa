//! Fields of a pod and amounts of its containers, as environment variables and downward volumes show them.

use crate::object::quantity::{self, Quantity};
use crate::object::{Value, go::quote, meta};

/// The text of a field of a pod (`fieldRef`); `None` for one that is not offered.
pub fn field(pod: &Value, path: &str) -> Option<String> {
    let addresses = |list: &str| {
        let all = meta::list_at(pod, &["status", list]).iter().map(|one| meta::str_at(one, &["ip"]));
        all.collect::<Vec<_>>().join(",")
    };
    let keyed = |prefix: &str| path.strip_prefix(prefix)?.strip_prefix("['")?.strip_suffix("']");
    if let Some(key) = keyed("metadata.labels") {
        return Some(meta::label(pod, key).unwrap_or_default().to_owned());
    }
    if let Some(key) = keyed("metadata.annotations") {
        return Some(meta::annotation(pod, key).unwrap_or_default().to_owned());
    }
    Some(match path {
        "metadata.name" => meta::name(pod).to_owned(),
        "metadata.namespace" => meta::namespace(pod).to_owned(),
        "metadata.uid" => meta::uid(pod).to_owned(),
        "metadata.labels" => lines(meta::labels(pod)),
        "metadata.annotations" => lines(meta::annotations(pod)),
        "spec.nodeName" | "spec.serviceAccountName" | "status.hostIP" | "status.podIP" => {
            meta::str_at(pod, &path.split('.').collect::<Vec<_>>()).to_owned()
        }
        "status.hostIPs" => addresses("hostIPs"),
        "status.podIPs" => addresses("podIPs"),
        _ => return None,
    })
}

/// Labels or annotations, one quoted pair a line, sorted.
fn lines<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> String {
    let mut lines: Vec<String> = pairs.map(|(key, value)| format!("{key}={}", quote(value))).collect();
    lines.sort();
    lines.join("\n")
}

/// An amount of a container (`resourceFieldRef`) in units of its divisor, rounded up. A limit that is not set is what
/// the node can give.
pub fn amount(container: &Value, node: &Value, reference: &Value) -> Option<String> {
    let (list, resource) = meta::str_at(reference, &["resource"]).split_once('.')?;
    let own = meta::get(container, &["resources", list, resource]);
    let of_node = || meta::get(node, &["status", "allocatable", resource]).filter(|_| list == "limits");
    let amount = match own.or_else(of_node) {
        Some(value) => quantity::from_value(value).ok()?,
        None => Quantity::zero(),
    };
    let divisor = reference.get("divisor").and_then(|value| quantity::from_value(value).ok());
    let divisor =
        divisor.filter(|divisor| !divisor.is_zero()).unwrap_or_else(|| Quantity::from_i64(1, amount.format()));
    let rounded = if resource == "cpu" {
        div_up(amount.milli_value(), divisor.milli_value())
    } else {
        div_up(amount.value(), divisor.value())
    };
    Some(rounded.to_string())
}

fn div_up(amount: i64, by: i64) -> i64 {
    if by <= 0 { amount } else { amount / by + i64::from(amount % by > 0) }
}
