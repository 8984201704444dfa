//! Which nodes a pod may be on: selectors, affinities, taints and tolerations.

use crate::object::meta::{get, list_at, str_at};
use crate::object::{Value, meta};

/// Whether a node has the labels of `nodeSelector` and satisfies the required node affinity.
pub fn node_matches(pod: &Value, node: &Value) -> bool {
    let selector = meta::texts(meta::map_at(pod, &["spec", "nodeSelector"]));
    let required = get(pod, &["spec", "affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"]);
    let mut selector = selector;
    selector.all(|(key, value)| meta::label(node, key) == Some(value))
        && required.is_none_or(|r| list_at(r, &["nodeSelectorTerms"]).iter().any(|term| term_matches(term, node)))
}

/// Whether a node satisfies one term: all its expressions; an empty term matches nothing.
pub fn term_matches(term: &Value, node: &Value) -> bool {
    let expressions = list_at(term, &["matchExpressions"]);
    let fields = list_at(term, &["matchFields"]);
    let by_label = |e: &Value| expression_matches(e, meta::label(node, str_at(e, &["key"])));
    let by_field = |e: &Value| expression_matches(e, Some(meta::name(node)));
    !(expressions.is_empty() && fields.is_empty()) && expressions.iter().all(by_label) && fields.iter().all(by_field)
}

fn expression_matches(expression: &Value, found: Option<&str>) -> bool {
    let values = list_at(expression, &["values"]);
    let among = |found: &str| values.iter().any(|value| value == found);
    let number = |text: &str| text.parse::<i64>().ok();
    let limit = || values.first().and_then(Value::as_str).and_then(number);
    match str_at(expression, &["operator"]) {
        "In" => found.is_some_and(among),
        "NotIn" => !found.is_some_and(among),
        "Exists" => found.is_some(),
        "DoesNotExist" => found.is_none(),
        "Gt" => found.and_then(number).zip(limit()).is_some_and(|(found, limit)| found > limit),
        "Lt" => found.and_then(number).zip(limit()).is_some_and(|(found, limit)| found < limit),
        _ => false,
    }
}

/// Whether a toleration of the pod matches a taint.
pub fn is_tolerated(pod: &Value, taint: &Value) -> bool {
    list_at(pod, &["spec", "tolerations"]).iter().any(|toleration| tolerates(toleration, taint))
}

/// Whether a toleration matches a taint.
pub fn tolerates(toleration: &Value, taint: &Value) -> bool {
    let (effect, key) = (str_at(toleration, &["effect"]), str_at(toleration, &["key"]));
    let value = str_at(toleration, &["value"]) == str_at(taint, &["value"]);
    (effect.is_empty() || effect == str_at(taint, &["effect"]))
        && (key.is_empty() || key == str_at(taint, &["key"]))
        && match str_at(toleration, &["operator"]) {
            "Exists" => true,
            _ => value && !key.is_empty(),
        }
}
