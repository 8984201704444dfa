//! Preparation of the groups whose validation is the generic one.

use super::{GENERIC, MetaCheck, NameRule, Rules, StatusSplit};
use crate::object::Value;
use crate::object::meta;

const ADMISSION: &str = "admissionregistration.k8s.io";
const RBAC: &str = "rbac.authorization.k8s.io";

/// A kind with a spec whose changes are counted.
const fn counted(group: &'static str, kind: &'static str, status: StatusSplit) -> Rules {
    Rules { group, kind, status, generation: true, ..GENERIC }
}

/// A kind of the RBAC group: names are path segments, and PUT may create.
const fn access(kind: &'static str) -> Rules {
    Rules {
        group: RBAC,
        kind,
        name: NameRule::PathSegment,
        update_meta: &[MetaCheck::Create, MetaCheck::Update],
        allow_create_on_update: true,
        ..GENERIC
    }
}

/// The rows of this file.
pub const RULES: &[Rules] = &[
    Rules {
        allow_unconditional_update: false,
        ..counted(ADMISSION, "ValidatingWebhookConfiguration", StatusSplit::None)
    },
    Rules {
        allow_unconditional_update: false,
        ..counted(ADMISSION, "MutatingWebhookConfiguration", StatusSplit::None)
    },
    Rules { allow_unconditional_update: false, ..counted(ADMISSION, "ValidatingAdmissionPolicy", StatusSplit::Status) },
    Rules {
        allow_unconditional_update: false,
        ..counted(ADMISSION, "ValidatingAdmissionPolicyBinding", StatusSplit::None)
    },
    Rules { allow_unconditional_update: false, ..counted(ADMISSION, "MutatingAdmissionPolicy", StatusSplit::None) },
    Rules {
        allow_unconditional_update: false,
        ..counted(ADMISSION, "MutatingAdmissionPolicyBinding", StatusSplit::None)
    },
    counted("networking.k8s.io", "Ingress", StatusSplit::Status),
    counted("networking.k8s.io", "IngressClass", StatusSplit::None),
    counted("networking.k8s.io", "NetworkPolicy", StatusSplit::None),
    Rules { allow_unconditional_update: false, ..counted("policy", "PodDisruptionBudget", StatusSplit::Status) },
    counted("flowcontrol.apiserver.k8s.io", "FlowSchema", StatusSplit::Status),
    counted("flowcontrol.apiserver.k8s.io", "PriorityLevelConfiguration", StatusSplit::Status),
    counted("scheduling.k8s.io", "PriorityClass", StatusSplit::None),
    Rules { allow_create_on_update: true, ..counted("discovery.k8s.io", "EndpointSlice", StatusSplit::None) },
    Rules {
        group: "autoscaling",
        kind: "HorizontalPodAutoscaler",
        convert: autoscaler_target,
        status: StatusSplit::Status,
        ..GENERIC
    },
    access("Role"),
    access("RoleBinding"),
    access("ClusterRole"),
    access("ClusterRoleBinding"),
];

/// The older version shows the processor target that the newer one fills in when there is no metric at all.
fn autoscaler_target(autoscaler: &mut Value) {
    const TARGET: [&str; 2] = ["spec", "targetCPUUtilizationPercentage"];
    const METRICS: &str = "autoscaling.alpha.kubernetes.io/metrics";
    let older = meta::api_version(autoscaler) == "autoscaling/v1";
    if older && meta::int_at(autoscaler, &TARGET).is_none() && meta::annotation(autoscaler, METRICS).is_none() {
        meta::set(autoscaler, &TARGET, 80);
    }
}
