//! Dynamic resources: claims and their templates, classes of devices, slices of what drivers offer.

use std::collections::BTreeSet;

use super::value::Fields;
use super::{GENERIC, MetaCheck, Rules, StatusSplit, check, internal};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::{Value, names};

/// Most requests, constraints, configurations and selectors of a claim.
const MAX_ENTRIES: usize = 32;
/// Most alternatives of one request.
const MAX_ALTERNATIVES: usize = 8;
/// Most devices of a slice.
const MAX_DEVICES: usize = 128;

const ROW: Rules = Rules { group: "resource.k8s.io", update_meta: &[MetaCheck::Update], ..GENERIC };

/// The rows of this file.
pub const RULES: &[Rules] = &[
    Rules {
        kind: "ResourceClaim",
        validate_create: |object| claim(&Path::new("spec"), object.at("spec")),
        validate_update: |new, old| spec_kept(new, old, "resource.v1.ResourceClaimSpec"),
        status: StatusSplit::Status,
        ..ROW
    },
    Rules {
        kind: "ResourceClaimTemplate",
        validate_create: |object| claim(&Path::new("spec").child("spec"), object.at("spec").at("spec")),
        validate_update: |new, old| spec_kept(new, old, "resource.v1.ResourceClaimTemplateSpec"),
        ..ROW
    },
    Rules {
        kind: "DeviceClass",
        validate_create: |object| class(object.at("spec")),
        validate_update: |new, _| class(new.at("spec")),
        generation: true,
        ..ROW
    },
    Rules {
        kind: "ResourceSlice",
        validate_create: |object| slice(object.at("spec")),
        validate_update: |new, old| {
            let mut errors = slice(new.at("spec"));
            let (now, before) = (new.at("spec"), old.at("spec"));
            let path = Path::new("spec");
            check::immutable(&mut errors, &path.child("driver"), now.at("driver"), before.at("driver"));
            let (now, before) = (now.at("pool").at("name"), before.at("pool").at("name"));
            check::immutable(&mut errors, &path.child("pool").child("name"), now, before);
            check::immutable(
                &mut errors,
                &path.child("nodeName"),
                new.at("spec").at("nodeName"),
                old.at("spec").at("nodeName"),
            );
            errors
        },
        generation: true,
        ..ROW
    },
];

fn spec_kept(new: &Value, old: &Value, type_: &str) -> ErrorList {
    if new.at("spec") == old.at("spec") {
        return ErrorList::new();
    }
    let text = internal::show(type_, new.at("spec"));
    vec![check::shown(ErrorKind::Invalid, &Path::new("spec"), text, check::IMMUTABLE)]
}

/// Entries of a list: not too many, each valid, no name twice.
fn set(
    errors: &mut ErrorList,
    path: &Path,
    entries: &[Value],
    most: usize,
    entry: impl Fn(&mut ErrorList, &Path, &Value),
) {
    let mut seen = BTreeSet::new();
    for (i, value) in entries.iter().enumerate() {
        let path = path.index(i);
        if i >= most {
            continue;
        }
        entry(errors, &path, value);
        if let Some(name) = value.opt_text("name").filter(|name| !seen.insert(*name)) {
            errors.push(Error::duplicate(&path.child("name"), name));
        }
    }
    if entries.len() > most {
        errors.push(Error::too_many(path, entries.len(), most));
    }
}

/// `validateResourceClaimSpec`.
fn claim(path: &Path, spec: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let (path, devices) = (path.child("devices"), spec.at("devices"));
    set(&mut errors, &path.child("requests"), devices.list("requests"), MAX_ENTRIES, request);
    let known: BTreeSet<String> = request_names(devices.list("requests"));
    let refers = |errors: &mut ErrorList, path: &Path, value: &Value| {
        set_of_names(errors, &path.child("requests"), &value.texts("requests"), &known);
    };
    set(&mut errors, &path.child("constraints"), devices.list("constraints"), MAX_ENTRIES, |errors, path, value| {
        refers(errors, path, value);
        constraint(errors, path, value);
    });
    set(&mut errors, &path.child("config"), devices.list("config"), MAX_ENTRIES, |errors, path, value| {
        refers(errors, path, value);
        configuration(errors, path, value);
    });
    errors
}

/// Names by which constraints may refer to requests: their own, and `request/alternative`.
fn request_names(requests: &[Value]) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for request in requests {
        let name = request.text("name");
        known.insert(name.to_owned());
        known.extend(request.list("firstAvailable").iter().map(|other| format!("{name}/{}", other.text("name"))));
    }
    known
}

fn set_of_names(errors: &mut ErrorList, path: &Path, given: &[&str], known: &BTreeSet<String>) {
    let mut seen = BTreeSet::new();
    for (i, name) in given.iter().enumerate() {
        let path = path.index(i);
        let before = errors.len();
        for part in name.split('/') {
            check::dns_label(errors, &path, part);
        }
        if errors.len() == before && !known.contains(*name) {
            let message = "must be the name of a request in the claim or the name of a request and a subrequest \
                           separated by '/'";
            errors.push(Error::invalid(&path, *name, message));
        }
        if !seen.insert(name) {
            errors.push(Error::duplicate(&path, *name));
        }
    }
}

fn request(errors: &mut ErrorList, path: &Path, request: &Value) {
    name(errors, &path.child("name"), request.text("name"));
    let alternatives = request.list("firstAvailable");
    if !alternatives.is_empty() {
        let path = path.child("firstAvailable");
        set(errors, &path, alternatives, MAX_ALTERNATIVES, |errors, path, alternative| {
            name(errors, &path.child("name"), alternative.text("name"));
            exact(errors, path, alternative);
        });
    }
    if let Some(exactly) = request.some("exactly") {
        exact(errors, &path.child("exactly"), exactly);
    }
    let message = "exactly one of `exactly` or `firstAvailable` is required";
    match (alternatives.is_empty(), request.has("exactly")) {
        (true, false) => errors.push(Error::required(path, message)),
        (false, true) => {
            errors.push(Error::invalid(path, Value::Null, format!("{message}, but multiple fields are set")));
        }
        _ => {}
    }
}

fn name(errors: &mut ErrorList, path: &Path, value: &str) {
    if value.is_empty() {
        errors.push(Error::required(path, ""));
    } else {
        check::dns_label(errors, path, value);
    }
}

fn exact(errors: &mut ErrorList, path: &Path, request: &Value) {
    let class = request.text("deviceClassName");
    let class_path = path.child("deviceClassName");
    if class.is_empty() {
        errors.push(Error::required(&class_path, ""));
    } else {
        check::dns_subdomain(errors, &class_path, class);
    }
    selectors(errors, path, request);
    let (mode, count) = (request.text("allocationMode"), request.int("count"));
    match mode {
        "All" if count != 0 => {
            let message = "must not be specified when allocationMode is 'All'";
            errors.push(Error::invalid(&path.child("count"), count, message));
        }
        "ExactCount" if count <= 0 => errors.push(Error::invalid(&path.child("count"), count, check::POSITIVE)),
        "All" | "ExactCount" => {}
        other => errors.push(Error::not_supported(&path.child("allocationMode"), other, &["All", "ExactCount"])),
    }
    set(errors, &path.child("tolerations"), request.list("tolerations"), MAX_ENTRIES, toleration);
}

fn selectors(errors: &mut ErrorList, path: &Path, of: &Value) {
    set(errors, &path.child("selectors"), of.list("selectors"), MAX_ENTRIES, |errors, path, selector| {
        let path = path.child("cel");
        match selector.some("cel") {
            None => errors.push(Error::required(&path, "")),
            Some(cel) if cel.text("expression").is_empty() => {
                errors.push(Error::required(&path.child("expression"), ""));
            }
            Some(_) => {}
        }
    });
}

fn toleration(errors: &mut ErrorList, path: &Path, toleration: &Value) {
    let (key, operator, value) = (toleration.text("key"), toleration.text("operator"), toleration.text("value"));
    if !key.is_empty() {
        check::qualified_name(errors, &path.child("key"), key);
    }
    match operator {
        "Exists" if !value.is_empty() => {
            errors.push(Error::invalid(&path.child("value"), value, "must be empty for operator `Exists`"));
        }
        "Exists" => {}
        "Equal" => check::messages(errors, &path.child("value"), value, names::is_valid_label_value(value)),
        "" => errors.push(Error::required(&path.child("operator"), "")),
        other => errors.push(Error::not_supported(&path.child("operator"), other, &["Equal", "Exists"])),
    }
    match toleration.text("effect") {
        "" | "NoSchedule" | "NoExecute" | "None" => {}
        other => {
            let effects = ["NoExecute", "NoSchedule", "None"];
            errors.push(Error::not_supported(&path.child("effect"), other, &effects));
        }
    }
}

fn constraint(errors: &mut ErrorList, path: &Path, constraint: &Value) {
    let attribute = ["matchAttribute", "distinctAttribute"].into_iter().find(|field| constraint.has(field));
    match attribute {
        None => errors.push(Error::required(path, "exactly one of: `matchAttribute`, `distinctAttribute`")),
        Some(field) => qualified(errors, &path.child(field), constraint.text(field)),
    }
}

/// `domain/identifier`.
fn qualified(errors: &mut ErrorList, path: &Path, value: &str) {
    match value.split_once('/') {
        _ if value.is_empty() => errors.push(Error::required(path, "")),
        None => errors.push(Error::invalid(path, value, "must include a domain")),
        Some((domain, id)) => {
            if domain.is_empty() {
                errors.push(Error::required(path, "the domain must not be empty"));
            } else {
                check::dns_subdomain(errors, path, domain);
            }
            if id.is_empty() {
                errors.push(Error::required(path, "the name must not be empty"));
            } else {
                check::messages(errors, path, id, names::is_c_identifier(id));
            }
        }
    }
}

fn configuration(errors: &mut ErrorList, path: &Path, configuration: &Value) {
    let Some(opaque) = configuration.some("opaque") else {
        errors.push(Error::required(&path.child("opaque"), ""));
        return;
    };
    let path = path.child("opaque");
    driver(errors, &path.child("driver"), opaque.text("driver"));
    let parameters = path.child("parameters");
    match opaque.some("parameters") {
        None => errors.push(Error::required(&parameters, "")),
        Some(Value::Object(_)) => {}
        Some(other) => {
            let text = crate::object::json::to_compact(other);
            errors.push(Error::invalid(&parameters, text, "must be a valid JSON object"));
        }
    }
}

fn driver(errors: &mut ErrorList, path: &Path, name: &str) {
    if name.is_empty() {
        errors.push(Error::required(path, ""));
        return;
    }
    if name.len() > 63 {
        errors.push(Error::too_long(path, 63));
    }
    check::messages(errors, path, name, names::is_dns1123_subdomain(&name.to_lowercase()));
}

fn class(spec: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("spec");
    selectors(&mut errors, &path, spec);
    set(&mut errors, &path.child("config"), spec.list("config"), MAX_ENTRIES, configuration);
    errors
}

fn slice(spec: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("spec");
    driver(&mut errors, &path.child("driver"), spec.text("driver"));
    pool(&mut errors, &path.child("pool"), spec.at("pool"));
    let choices = ["nodeName", "nodeSelector", "allNodes", "perDeviceNodeSelection"];
    let given: Vec<&str> = choices.into_iter().filter(|field| spec.has(field)).collect();
    if spec.opt_text("nodeName") == Some("") {
        errors.push(Error::invalid(&path.child("nodeName"), "", "must be either unset or set to a non-empty string"));
    } else if let Some(node) = spec.opt_text("nodeName") {
        check::dns_subdomain(&mut errors, &path.child("nodeName"), node);
    }
    let message = "exactly one of `nodeName`, `nodeSelector`, `allNodes`, `perDeviceNodeSelection` is required";
    match given.as_slice() {
        [] => errors.push(Error::required(&path, message)),
        [_] => {}
        several => {
            let shown = format!("{{{}}}", several.join(", "));
            errors.push(Error::invalid(&path, shown, format!("{message}, but multiple fields are set")));
        }
    }
    set(&mut errors, &path.child("devices"), spec.list("devices"), MAX_DEVICES, |errors, path, device| {
        name(errors, &path.child("name"), device.text("name"));
    });
    errors
}

fn pool(errors: &mut ErrorList, path: &Path, pool: &Value) {
    let name = pool.text("name");
    let name_path = path.child("name");
    if name.is_empty() {
        errors.push(Error::required(&name_path, ""));
    } else {
        if name.len() > 253 {
            errors.push(Error::too_long(&name_path, 253));
        }
        for part in name.split('/') {
            check::dns_subdomain(errors, &name_path, part);
        }
    }
    if pool.int("resourceSliceCount") <= 0 {
        let count = pool.int("resourceSliceCount");
        errors.push(Error::invalid(&path.child("resourceSliceCount"), count, check::POSITIVE));
    }
    check::non_negative(errors, &path.child("generation"), pool.int("generation"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn requests_are_exact_or_have_alternatives() {
        let spec = json!({"devices": {"requests": [{"name": "a"}, {"name": "a", "exactly": {
            "deviceClassName": "gpu", "allocationMode": "ExactCount"}}], "constraints": [
            {"requests": ["b"], "matchAttribute": "x"}]}});
        let found: Vec<String> = claim(&Path::new("spec"), &spec).iter().map(ToString::to_string).collect();
        let expected = [
            "spec.devices.requests[0]: Required value: exactly one of `exactly` or `firstAvailable` is required",
            "spec.devices.requests[1].exactly.count: Invalid value: 0: must be greater than zero",
            "spec.devices.requests[1].name: Duplicate value: \"a\"",
            "spec.devices.constraints[0].requests[0]: Invalid value: \"b\": must be the name of a request in the claim \
             or the name of a request and a subrequest separated by '/'",
            "spec.devices.constraints[0].matchAttribute: Invalid value: \"x\": must include a domain",
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn a_claim_never_changes() {
        let old = json!({"spec": {"devices": {"requests": [{"name": "a"}]}}});
        let new = json!({"spec": {"devices": {"requests": []}}});
        let found: Vec<String> =
            spec_kept(&new, &old, "resource.v1.ResourceClaimSpec").iter().map(ToString::to_string).collect();
        let shown = "{\"Devices\":{\"Requests\":[],\"Constraints\":null,\"Config\":null}}";
        assert_eq!(found, [format!("spec: Invalid value: {shown}: field is immutable")]);
    }
}
