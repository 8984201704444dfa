//! The order in which objects are applied: in parallel where that is safe.

use std::collections::HashSet;

use crate::resource::Target;

/// Kinds that others may need: nothing runs beside them.
const FIRST: [(&str, &str); 12] = [
    ("", "Namespace"),
    ("", "LimitRange"),
    ("", "ResourceQuota"),
    ("", "ServiceAccount"),
    ("", "PersistentVolume"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("apiregistration.k8s.io", "APIService"),
    ("scheduling.k8s.io", "PriorityClass"),
    ("storage.k8s.io", "StorageClass"),
    ("node.k8s.io", "RuntimeClass"),
    ("admissionregistration.k8s.io", "ValidatingAdmissionPolicy"),
    ("rbac.authorization.k8s.io", "ClusterRole"),
];

/// Runs of objects that do not mind each other, in order.
pub fn waves(targets: Vec<Target>) -> Vec<Vec<Target>> {
    let mut waves: Vec<Vec<Target>> = Vec::new();
    let mut open = false;
    // The objects of the last wave.
    let mut seen = HashSet::new();
    for target in targets {
        let alone = FIRST.iter().any(|(group, kind)| target.kind.group == *group && target.kind.kind == *kind);
        let place = (target.kind.gvr(), target.namespace.clone(), target.name.clone());
        let joins = open && !alone && (target.name.is_empty() || !seen.contains(&place));
        match waves.last_mut() {
            Some(wave) if joins => wave.push(target),
            _ => {
                seen.clear();
                waves.push(vec![target]);
            }
        }
        seen.insert(place);
        open = !alone;
    }
    waves
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::Kinds;
    use crate::object::GroupVersionKind;

    #[test]
    fn namespaces_run_alone_and_objects_never_twice_at_once() {
        let target = |kind: &str, name: &str| {
            let kind = Kinds::builtin().by_gvk(&GroupVersionKind::new("", "v1", kind)).expect("built in");
            Target::named(std::sync::Arc::clone(kind), "n", name)
        };
        let targets = vec![
            target("ConfigMap", "a"),
            target("ConfigMap", "b"),
            target("Namespace", "n"),
            target("ConfigMap", "a"),
            target("ConfigMap", "a"),
        ];
        let sizes: Vec<usize> = waves(targets).iter().map(Vec::len).collect();
        assert_eq!(sizes, [2, 1, 1, 1]);
    }
}
