//! What a job's policies say: which failures of pods count, and when enough indexes have succeeded.

use super::indexes::Indexes;
use super::{completions, has_backoff_per_index};
use crate::controllers::pods;
use crate::object::meta::{get, int_at, list_at, str_at};
use crate::object::{Value, meta};

/// What a rule of the pod failure policy asks for a failed pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// No rule matches, or one that says so: the failure counts.
    Count,
    /// As if the pod had never been.
    Ignore,
    /// The pod's index fails for good.
    FailIndex,
    /// The whole job fails, with this message.
    FailJob(String),
}

/// The verdict of the first rule of `spec.podFailurePolicy` that matches the pod.
pub(super) fn judge(job: &Value, pod: &Value) -> Verdict {
    let rules = list_at(job, &["spec", "podFailurePolicy", "rules"]);
    for (at, rule) in rules.iter().enumerate() {
        let action = str_at(rule, &["action"]);
        if action == "FailIndex" && !has_backoff_per_index(job) {
            continue;
        }
        let Some(what) = exit_code_match(rule, pod).or_else(|| condition_match(rule, pod)) else { continue };
        return match action {
            "Ignore" => Verdict::Ignore,
            "FailIndex" => Verdict::FailIndex,
            "FailJob" => Verdict::FailJob(format!("{what} matching FailJob rule at index {at}")),
            _ => Verdict::Count,
        };
    }
    Verdict::Count
}

fn exit_code_match(rule: &Value, pod: &Value) -> Option<String> {
    let wanted = get(rule, &["onExitCodes"]).filter(|wanted| !wanted.is_null())?;
    let name = str_at(wanted, &["containerName"]);
    let values = list_at(wanted, &["values"]);
    let matches = |code: i64| match str_at(wanted, &["operator"]) {
        "In" => values.iter().any(|value| value.as_i64() == Some(code)),
        _ => values.iter().all(|value| value.as_i64() != Some(code)),
    };
    let statuses = ["initContainerStatuses", "containerStatuses"].map(|field| list_at(pod, &["status", field]));
    statuses.into_iter().flatten().find_map(|status| {
        let code = int_at(status, &["state", "terminated", "exitCode"]).filter(|code| *code != 0)?;
        let container = str_at(status, &["name"]);
        ((name.is_empty() || name == container) && matches(code)).then(|| {
            let (namespace, pod) = (meta::namespace(pod), meta::name(pod));
            format!("Container {container} for pod {namespace}/{pod} failed with exit code {code}")
        })
    })
}

fn condition_match(rule: &Value, pod: &Value) -> Option<String> {
    list_at(rule, &["onPodConditions"]).iter().find_map(|pattern| {
        let type_ = str_at(pattern, &["type"]);
        let status = match str_at(pattern, &["status"]) {
            "" => "True",
            status => status,
        };
        let found = pods::condition(pod, type_).filter(|c| str_at(c, &["status"]) == status);
        found.map(|_| format!("Pod {}/{} has condition {type_}", meta::namespace(pod), meta::name(pod)))
    })
}

/// The message of the first rule of `spec.successPolicy` that the succeeded indexes meet.
pub(super) fn success(job: &Value, succeeded: &Indexes) -> Option<String> {
    let rules = list_at(job, &["spec", "successPolicy", "rules"]);
    let met = rules.iter().position(|rule| {
        let count = int_at(rule, &["succeededCount"]);
        let (have, need) = match get(rule, &["succeededIndexes"]).and_then(Value::as_str) {
            Some(wanted) => {
                let wanted = Indexes::parse(wanted, completions(job).unwrap_or_default());
                (succeeded.common(&wanted), count.unwrap_or(wanted.total()))
            }
            None => match count {
                Some(count) => (succeeded.total(), count),
                None => return false,
            },
        };
        have >= need
    })?;
    Some(format!("Matched rules at index {met}"))
}
