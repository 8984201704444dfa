//! Defaults of the remaining groups.

use serde_json::json;

use super::Default;
use crate::kinds::rules::value::{map_in, set_default};
use crate::object::{Map, Value};

/// The group of roles and of users and groups.
const RBAC: &str = "rbac.authorization.k8s.io";

/// The rows of this file.
pub const DEFAULTS: &[Default] = &[
    Default { of: "admissionregistration.v1.ValidatingWebhook", set: webhook },
    Default {
        of: "admissionregistration.v1.MutatingWebhook",
        set: |map| {
            webhook(map);
            set_default(map, "reinvocationPolicy", "Never");
        },
    },
    Default { of: "admissionregistration.v1.RuleWithOperations", set: |map| set_default(map, "scope", "*") },
    Default { of: "admissionregistration.v1.NamedRuleWithOperations", set: |map| set_default(map, "scope", "*") },
    Default { of: "admissionregistration.v1.ServiceReference", set: https_port },
    Default {
        of: "admissionregistration.v1.ValidatingAdmissionPolicySpec",
        set: |map| set_default(map, "failurePolicy", "Fail"),
    },
    Default {
        of: "admissionregistration.v1.MutatingAdmissionPolicySpec",
        set: |map| set_default(map, "failurePolicy", "Fail"),
    },
    Default { of: "admissionregistration.v1.MatchResources", set: match_resources },
    Default { of: "authentication.v1.TokenRequestSpec", set: |map| set_default(map, "expirationSeconds", 3600) },
    Default {
        of: "discovery.v1.EndpointPort",
        set: |map| {
            set_null(map, "name", "");
            set_null(map, "protocol", "TCP");
        },
    },
    Default { of: "flowcontrol.v1.FlowSchemaSpec", set: |map| set_zero(map, "matchingPrecedence", 1000) },
    Default {
        of: "flowcontrol.v1.ExemptPriorityLevelConfiguration",
        set: |map| {
            set_null(map, "nominalConcurrencyShares", 0);
            set_null(map, "lendablePercent", 0);
        },
    },
    Default {
        of: "flowcontrol.v1.LimitedPriorityLevelConfiguration",
        set: |map| {
            set_null(map, "nominalConcurrencyShares", 30);
            set_null(map, "lendablePercent", 0);
        },
    },
    Default {
        of: "flowcontrol.v1.QueuingConfiguration",
        set: |map| {
            set_zero(map, "handSize", 8);
            set_zero(map, "queues", 64);
            set_zero(map, "queueLengthLimit", 50);
        },
    },
    Default { of: "networking.v1.NetworkPolicy", set: network_policy },
    Default { of: "networking.v1.NetworkPolicyPort", set: |map| set_null(map, "protocol", "TCP") },
    Default { of: "networking.v1.IngressClassParametersReference", set: |map| set_null(map, "scope", "Cluster") },
    Default { of: "rbac.v1.ClusterRoleBinding", set: binding },
    Default { of: "rbac.v1.RoleBinding", set: binding },
    Default { of: "rbac.v1.Subject", set: subject },
    Default { of: "resource.v1.ExactDeviceRequest", set: device_request },
    Default { of: "resource.v1.DeviceSubRequest", set: device_request },
    Default { of: "scheduling.v1.PriorityClass", set: |map| set_null(map, "preemptionPolicy", "PreemptLowerPriority") },
    Default {
        of: "storage.v1.StorageClass",
        set: |map| {
            set_null(map, "reclaimPolicy", "Delete");
            set_null(map, "volumeBindingMode", "Immediate");
        },
    },
    Default { of: "storage.v1.CSIDriver", set: csi_driver },
    Default { of: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition", set: crd },
    Default { of: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.ServiceReference", set: https_port },
    Default { of: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.ServiceReference", set: https_port },
];

fn set_null(map: &mut Map<String, Value>, name: &str, value: impl Into<Value>) {
    if map.get(name).is_none_or(Value::is_null) {
        map.insert(name.to_owned(), value.into());
    }
}

fn set_zero(map: &mut Map<String, Value>, name: &str, value: i64) {
    if map.get(name).and_then(Value::as_i64).unwrap_or_default() == 0 {
        map.insert(name.to_owned(), value.into());
    }
}

fn https_port(map: &mut Map<String, Value>) {
    set_null(map, "port", 443);
}

fn webhook(map: &mut Map<String, Value>) {
    set_null(map, "failurePolicy", "Fail");
    set_null(map, "timeoutSeconds", 10);
    match_resources(map);
}

fn match_resources(map: &mut Map<String, Value>) {
    set_null(map, "matchPolicy", "Equivalent");
    set_null(map, "namespaceSelector", json!({}));
    set_null(map, "objectSelector", json!({}));
}

fn network_policy(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    if spec.get("policyTypes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        let egress = spec.get("egress").and_then(Value::as_array).is_some_and(|rules| !rules.is_empty());
        let types = if egress { json!(["Ingress", "Egress"]) } else { json!(["Ingress"]) };
        spec.insert("policyTypes".into(), types);
    }
}

fn binding(map: &mut Map<String, Value>) {
    set_default(map_in(map, "roleRef"), "apiGroup", RBAC);
}

fn subject(map: &mut Map<String, Value>) {
    if matches!(map.get("kind").and_then(Value::as_str), Some("User" | "Group")) {
        set_default(map, "apiGroup", RBAC);
    }
}

fn device_request(map: &mut Map<String, Value>) {
    set_default(map, "allocationMode", "ExactCount");
    if map.get("allocationMode") == Some(&json!("ExactCount")) {
        set_zero(map, "count", 1);
    }
}

fn csi_driver(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    set_null(spec, "attachRequired", true);
    set_null(spec, "podInfoOnMount", false);
    set_null(spec, "storageCapacity", false);
    set_null(spec, "fsGroupPolicy", "ReadWriteOnceWithFSType");
    set_null(spec, "requiresRepublish", false);
    set_null(spec, "seLinuxMount", false);
    if spec.get("volumeLifecycleModes").and_then(Value::as_array).is_none_or(Vec::is_empty) {
        spec.insert("volumeLifecycleModes".into(), json!(["Persistent"]));
    }
}

fn crd(map: &mut Map<String, Value>) {
    let spec = map_in(map, "spec");
    set_null(spec, "conversion", json!({"strategy": "None"}));
    let names = map_in(spec, "names");
    let kind = names.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    set_default(names, "singular", kind.to_lowercase());
    if !kind.is_empty() {
        set_default(names, "listKind", format!("{kind}List"));
    }
}
