//! Rules of the group storage.

use std::collections::BTreeSet;

use super::value::Fields;
use super::{Context, GENERIC, MetaCheck, Rules, check, internal, quantity};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, meta, names};

const GROUP: &str = "storage.k8s.io";
/// Most parameters of a class.
const MAX_PARAMETERS: usize = 512;
/// Most bytes of all parameters of a class.
const MAX_PARAMETER_BYTES: usize = 256 * 1024;
/// Most bytes of attachment metadata.
const MAX_METADATA_BYTES: usize = 256 * 1024;
/// Most bytes of the message of a volume error.
const MAX_MESSAGE_BYTES: usize = 1024;
/// Longest name of a CSI driver.
const MAX_DRIVER_NAME: usize = 63;
/// Longest id of a node on the part of a CSI driver.
const MAX_NODE_ID: usize = 256;

const ROW: Rules = Rules { group: GROUP, ..GENERIC };

pub const RULES: &[Rules] = &[
    Rules { kind: "StorageClass", validate_create: class, validate_update: class_update, ..ROW },
    Rules {
        kind: "CSIDriver",
        prepare_update: driver_generation,
        validate_create: driver,
        validate_update: driver_update,
        allow_unconditional_update: false,
        ..ROW
    },
    Rules {
        kind: "CSINode",
        // The internal version knows no empty list of drivers.
        convert: |node| {
            if node.at("spec").list("drivers").is_empty() {
                meta::set(node, &["spec", "drivers"], Value::Null);
            }
        },
        update_meta: &[MetaCheck::Create],
        validate_create: node,
        validate_update: node_update,
        allow_unconditional_update: false,
        ..ROW
    },
    Rules {
        kind: "CSIStorageCapacity",
        validate_create: |object| capacity(object, false),
        validate_update: capacity_update,
        allow_unconditional_update: false,
        ..ROW
    },
    Rules {
        kind: "VolumeAttachment",
        update_meta: &[MetaCheck::Create],
        prepare_create: |object, _| drop(meta::remove(object, &["status"])),
        prepare_update: |object, old, _| super::generic::copy(object, old, "status"),
        validate_create: attachment_create,
        validate_update: attachment_update,
        validate_status_update: |new, _| attachment(new),
        allow_unconditional_update: false,
        ..ROW
    },
    Rules {
        kind: "VolumeAttributesClass",
        validate_create: attributes_class,
        validate_update: attributes_class_update,
        allow_unconditional_update: false,
        ..ROW
    },
];

fn class(class: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    provisioner(&mut errors, class, "provisioner");
    parameters(&mut errors, class, true);
    let policy = class.text("reclaimPolicy");
    if !policy.is_empty() {
        check::one_of(&mut errors, &Path::new("reclaimPolicy"), policy, &["Delete", "Retain"]);
    }
    let path = Path::new("volumeBindingMode");
    match class.opt_text("volumeBindingMode") {
        None => errors.push(Error::required(&path, "")),
        Some(mode) => check::one_of(&mut errors, &path, mode, &["Immediate", "WaitForFirstConsumer"]),
    }
    topologies(&mut errors, class.list("allowedTopologies"));
    errors
}

fn provisioner(errors: &mut ErrorList, class: &Value, field: &str) {
    let name = class.text(field).to_lowercase();
    check::required(errors, &Path::new(field), &name);
    if !name.is_empty() {
        check::qualified_name(errors, &Path::new(field), &name);
    }
}

fn parameters(errors: &mut ErrorList, class: &Value, may_be_empty: bool) {
    let path = Path::new("parameters");
    let entries = class.text_entries("parameters");
    if entries.len() > MAX_PARAMETERS {
        errors.push(Error::too_long(&path, MAX_PARAMETERS));
        return;
    }
    if entries.iter().any(|(key, _)| key.is_empty()) {
        errors.push(Error::invalid(&path, "", "field can not be empty."));
    }
    if entries.iter().map(|(key, value)| key.len() + value.len()).sum::<usize>() > MAX_PARAMETER_BYTES {
        errors.push(Error::too_long(&path, MAX_PARAMETER_BYTES));
    }
    if entries.is_empty() && !may_be_empty {
        errors.push(Error::required(&path, "must contain at least one key/value pair"));
    }
}

fn topologies(errors: &mut ErrorList, terms: &[Value]) {
    let mut seen: Vec<Vec<(&str, BTreeSet<&str>)>> = Vec::new();
    for (i, term) in terms.iter().enumerate() {
        let path = Path::new("allowedTopologies").index(i).child("matchLabelExpressions");
        let mut keys: Vec<(&str, BTreeSet<&str>)> = Vec::new();
        for (j, expression) in term.list("matchLabelExpressions").iter().enumerate() {
            let path = path.index(j);
            let values = expression.texts("values");
            if values.is_empty() {
                errors.push(Error::required(&path.child("values"), ""));
            }
            let mut set = BTreeSet::new();
            for (k, value) in values.into_iter().enumerate() {
                if !set.insert(value) {
                    errors.push(Error::duplicate(&path.child("values").index(k), value));
                }
            }
            let key = expression.text("key");
            check::qualified_name(errors, &path.child("key"), key);
            if keys.iter().any(|(known, _)| *known == key) {
                errors.push(Error::duplicate(&path.child("key"), key));
            } else {
                keys.push((key, set));
            }
        }
        keys.sort();
        if seen.contains(&keys) {
            errors.push(Error::duplicate(&path, ""));
        }
        seen.push(keys);
    }
}

fn class_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    for field in ["parameters", "provisioner", "reclaimPolicy", "volumeBindingMode"] {
        check::immutable(&mut errors, &Path::new(field), new.at(field), old.at(field));
    }
    errors
}

fn attributes_class(class: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    provisioner(&mut errors, class, "driverName");
    parameters(&mut errors, class, false);
    errors
}

fn attributes_class_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    for field in ["driverName", "parameters"] {
        if new.at(field) != old.at(field) {
            errors.push(Error::forbidden(&Path::new(field), format!("updates to {field} are forbidden.")));
        }
    }
    errors.extend(attributes_class(new));
    errors
}

/// What of a driver makes a new generation when it changes.
fn driver_generation(new: &mut Value, old: &Value, _: &Context) {
    let changed = ["tokenRequests", "requiresRepublish", "seLinuxMount", "nodeAllocatableUpdatePeriodSeconds"]
        .iter()
        .any(|field| new.at("spec").at(field) != old.at("spec").at(field));
    if changed {
        meta::set(new, &["metadata", "generation"], meta::generation(old) + 1);
    }
}

fn driver(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec");
    for (field, title) in [
        ("attachRequired", "attachedRequired"),
        ("podInfoOnMount", "podInfoOnMount"),
        ("storageCapacity", "storageCapacity"),
    ] {
        if !spec.has(field) {
            errors.push(Error::required(&path.child(title), ""));
        }
    }
    if let Some(policy) = spec.opt_text("fsGroupPolicy") {
        let supported = ["File", "None", "ReadWriteOnceWithFSType"];
        check::one_of(&mut errors, &path.child("fsGroupPolicy"), policy, &supported);
    }
    token_requests(&mut errors, &path.child("tokenRequests"), spec.list("tokenRequests"));
    for mode in spec.texts("volumeLifecycleModes") {
        check::one_of(&mut errors, &path.child("volumeLifecycleModes"), mode, &["Persistent", "Ephemeral"]);
    }
    if !spec.has("seLinuxMount") {
        errors.push(Error::required(&path.child("seLinuxMount"), ""));
    }
    let period = "nodeAllocatableUpdatePeriodSeconds";
    if let Some(seconds) = spec.opt_int(period).filter(|seconds| *seconds < 10) {
        errors.push(Error::invalid(&path.child(period), seconds, "must be greater than or equal to 10 seconds"));
    }
    errors
}

fn token_requests(errors: &mut ErrorList, path: &Path, requests: &[Value]) {
    let mut audiences = BTreeSet::new();
    for (i, request) in requests.iter().enumerate() {
        let path = path.index(i);
        if !audiences.insert(request.text("audience")) {
            errors.push(Error::duplicate(&path.child("audience"), request.text("audience")));
            continue;
        }
        let at = path.child("expirationSeconds");
        match request.opt_int("expirationSeconds") {
            Some(seconds) if seconds < 600 => {
                errors.push(Error::invalid(&at, seconds, "may not specify a duration less than 10 minutes"));
            }
            Some(seconds) if seconds > 1 << 32 => {
                errors.push(Error::invalid(&at, seconds, "may not specify a duration larger than 2^32 seconds"));
            }
            _ => {}
        }
    }
}

fn driver_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = driver(new);
    for (field, title) in [("attachRequired", "attachedRequired"), ("volumeLifecycleModes", "volumeLifecycleModes")] {
        let path = Path::new("spec").child(title);
        check::immutable(&mut errors, &path, new.at("spec").at(field), old.at("spec").at(field));
    }
    errors
}

/// The name of a CSI driver.
fn driver_name(errors: &mut ErrorList, path: &Path, name: &str) {
    check::required(errors, path, name);
    if name.len() > MAX_DRIVER_NAME {
        errors.push(Error::too_long(path, MAX_DRIVER_NAME));
    }
    check::messages(errors, path, name, names::is_dns1123_subdomain(&name.to_lowercase()));
}

fn node(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("spec").child("drivers");
    let mut seen = BTreeSet::new();
    for (i, driver) in object.at("spec").list("drivers").iter().enumerate() {
        let path = path.index(i);
        let name = driver.text("name");
        driver_name(&mut errors, &path.child("name"), name);
        let id = driver.text("nodeID");
        check::required(&mut errors, &path.child("nodeID"), id);
        if id.len() > MAX_NODE_ID {
            let message = format!("must be {MAX_NODE_ID} characters or less");
            errors.push(Error::invalid(&path.child("nodeID"), id, message));
        }
        let count = driver.at("allocatable").int("count");
        check::non_negative(&mut errors, &path.child("allocatable").child("count"), count);
        if !seen.insert(name) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
        let mut keys = BTreeSet::new();
        for key in driver.texts("topologyKeys") {
            check::required(&mut errors, &path, key);
            if !keys.insert(key) {
                errors.push(Error::duplicate(&path, key));
            }
            check::qualified_name(&mut errors, &path, key);
        }
    }
    errors
}

fn node_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = node(new);
    let fixed = |driver: &Value| {
        let mut driver = driver.clone();
        meta::remove(&mut driver, &["allocatable"]);
        driver
    };
    let path = Path::new("spec").child("drivers");
    for before in old.at("spec").list("drivers") {
        let same = |driver: &&Value| driver.text("name") == before.text("name");
        for after in new.at("spec").list("drivers").iter().filter(same) {
            let (before, after) = (fixed(before), fixed(after));
            if before != after {
                let shown = internal::show("storage.v1.CSINodeDriver", &after);
                errors.push(check::shown(ErrorKind::Invalid, &path, shown, check::IMMUTABLE));
            }
        }
    }
    errors
}

fn capacity(object: &Value, any_values: bool) -> ErrorList {
    let mut errors = ErrorList::new();
    let topology = object.at("nodeTopology");
    check::label_selector_with(&mut errors, &Path::new("nodeTopology"), topology, any_values);
    check::dns_subdomain(&mut errors, &Path::new("storageClassName"), object.text("storageClassName"));
    if let Some(amount) = object.some("capacity").map(quantity::of)
        && amount.sign() < 0
    {
        errors.push(Error::invalid(&Path::new("capacity"), check::quantity(&amount), check::NOT_NEGATIVE));
    }
    errors
}

fn capacity_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    for field in ["nodeTopology", "storageClassName"] {
        check::immutable(&mut errors, &Path::new(field), new.at(field), old.at(field));
    }
    errors
}

fn attachment(object: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let spec = object.at("spec");
    let path = Path::new("spec");
    check::required(&mut errors, &path.child("attacher"), spec.text("attacher"));
    let source = spec.at("source");
    let at = path.child("source");
    let one = "must specify exactly one of inlineVolumeSpec and persistentVolumeName";
    match (source.has("inlineVolumeSpec"), source.opt_text("persistentVolumeName")) {
        (false, None) => errors.push(Error::required(&at, one)),
        (true, Some(_)) => errors.push(Error::forbidden(&at, one)),
        (false, Some("")) => {
            let message = "must specify non empty persistentVolumeName";
            errors.push(Error::required(&at.child("persistentVolumeName"), message));
        }
        _ => {}
    }
    check::dns_subdomain(&mut errors, &path.child("nodeName"), spec.text("nodeName"));
    let status = object.at("status");
    let path = Path::new("status");
    let bytes: usize = status.text_entries("attachmentMetadata").iter().map(|(k, v)| k.len() + v.len()).sum();
    if bytes > MAX_METADATA_BYTES {
        errors.push(Error::too_long(&path.child("attachmentMetadata"), MAX_METADATA_BYTES));
    }
    for field in ["attachError", "detachError"] {
        let error = status.at(field);
        if error.text("message").len() > MAX_MESSAGE_BYTES {
            errors.push(Error::too_long(&path.child(field).child("message"), MAX_METADATA_BYTES));
        }
        if let Some(code) = error.opt_int("errorCode").filter(|code| *code < 0) {
            let message = names::inclusive_range_error(0, i64::from(i32::MAX));
            errors.push(Error::invalid(&path.child(field).child("errorCode"), code, message));
        }
    }
    errors
}

fn attachment_create(object: &Value) -> ErrorList {
    let mut errors = attachment(object);
    let spec = object.at("spec");
    driver_name(&mut errors, &Path::new("spec.attacher"), spec.text("attacher"));
    if let Some(name) = spec.at("source").opt_text("persistentVolumeName") {
        check::dns_subdomain(&mut errors, &Path::new("spec.source.persistentVolumeName"), name);
    }
    errors
}

fn attachment_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = attachment(new);
    if new.at("spec") != old.at("spec") {
        let shown = internal::show("storage.v1.VolumeAttachmentSpec", new.at("spec"));
        errors.push(check::shown(ErrorKind::Invalid, &Path::new("spec"), shown, check::IMMUTABLE));
    }
    errors
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    #[test]
    fn topologies_must_differ() {
        let class = json!({
            "provisioner": "p", "reclaimPolicy": "Delete", "volumeBindingMode": "Immediate",
            "allowedTopologies": [
                {"matchLabelExpressions": [{"key": "zone", "values": ["a", "a"]}]},
                {"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]},
            ],
        });
        let fields: Vec<String> = super::class(&class).iter().map(|error| error.field.to_string()).collect();
        assert_eq!(
            fields,
            ["allowedTopologies[0].matchLabelExpressions[0].values[1]", "allowedTopologies[1].matchLabelExpressions"]
        );
    }
}
