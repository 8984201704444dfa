//! Why a pod fits nowhere, in kube-scheduler's words.

use std::collections::BTreeMap;

use super::filter::Refusal;

/// The refusals of one node; none when it fits.
pub(super) type Verdict = Vec<Refusal>;

/// How many nodes refused for which reason.
pub(super) fn explain(total: usize, reasons: impl Iterator<Item = String>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for reason in reasons {
        *counts.entry(reason).or_default() += 1;
    }
    let mut parts: Vec<String> = counts.into_iter().map(|(reason, count)| format!("{count} {reason}")).collect();
    parts.sort();
    format!("0/{total} nodes are available: {}.", parts.join(", "))
}

/// The outcome of the steps after filtering: no claims of devices to free, and what preemption came to.
pub(super) fn outlook(preemption: &str) -> String {
    format!("no new claims to deallocate, preemption: {preemption}")
}

/// The end of the message for a pod that no node can take whatever goes.
pub(super) fn hopeless(total: usize) -> String {
    let reasons = std::iter::repeat_n("Preemption is not helpful for scheduling".to_owned(), total);
    outlook(&explain(total, reasons))
}
