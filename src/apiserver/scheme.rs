//! Which kinds the reference server's scheme knows beyond those that it serves.

use crate::kinds::Kinds;
use crate::object::GroupVersionKind;

/// Group versions that are no longer served, with the kinds that are still registered there.
const OLD: &[(&str, &str, &[&str])] = &[
    ("apps", "v1beta1", &["ControllerRevision", "Deployment", "StatefulSet"]),
    ("apps", "v1beta2", &["ControllerRevision", "DaemonSet", "Deployment", "ReplicaSet", "StatefulSet"]),
    ("extensions", "v1beta1", &["DaemonSet", "Deployment", "Ingress", "NetworkPolicy", "ReplicaSet"]),
    ("batch", "v1beta1", &["CronJob"]),
    ("networking.k8s.io", "v1beta1", &["IPAddress", "Ingress", "IngressClass", "ServiceCIDR"]),
    ("policy", "v1beta1", &["PodDisruptionBudget"]),
    ("rbac.authorization.k8s.io", "v1beta1", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
    ("rbac.authorization.k8s.io", "v1alpha1", &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"]),
    ("storage.k8s.io", "v1beta1", &["CSIDriver", "CSINode", "CSIStorageCapacity", "StorageClass", "VolumeAttachment"]),
    ("scheduling.k8s.io", "v1beta1", &["PriorityClass"]),
    ("scheduling.k8s.io", "v1alpha1", &["PriorityClass"]),
    ("coordination.k8s.io", "v1beta1", &["Lease"]),
    ("discovery.k8s.io", "v1beta1", &["EndpointSlice"]),
    ("events.k8s.io", "v1beta1", &["Event"]),
    ("certificates.k8s.io", "v1beta1", &["CertificateSigningRequest"]),
    ("autoscaling", "v2beta1", &["HorizontalPodAutoscaler"]),
    ("autoscaling", "v2beta2", &["HorizontalPodAutoscaler"]),
    ("admissionregistration.k8s.io", "v1beta1", &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]),
];

/// Whether the scheme has such a kind, lists included.
pub fn is_registered(gvk: &GroupVersionKind) -> bool {
    let kinds = Kinds::builtin();
    let item = GroupVersionKind { kind: gvk.kind.trim_end_matches("List").to_owned(), ..gvk.clone() };
    kinds.by_gvk(gvk).is_some()
        || kinds.by_gvk(&item).is_some()
        || crate::kinds::Schemas::builtin().of_kind(gvk).is_some()
        || OLD.iter().any(|(group, version, kinds)| {
            *group == gvk.group && *version == gvk.version && kinds.contains(&item.kind.as_str())
        })
}

/// The Go package of a kind's internal type. Old groups share the package of the group that took their kinds over.
pub fn internal_package(gvk: &GroupVersionKind) -> &str {
    match (gvk.group.as_str(), gvk.kind.as_str()) {
        ("", _) | ("events.k8s.io", _) => "core",
        ("extensions", "Ingress" | "NetworkPolicy") => "networking",
        ("extensions", _) => "apps",
        ("internal.apiserver.k8s.io", _) => "apiserverinternal",
        ("flowcontrol.apiserver.k8s.io", _) => "flowcontrol",
        (group, _) => group.split('.').next().unwrap_or(group),
    }
}
