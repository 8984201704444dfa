//! The core group's kinds that have no file of their own.

use std::collections::BTreeSet;

use base64::Engine;
use serde_json::json;

use super::pod::resources;
use super::pod::scheduling::TAINT_EFFECTS;
use super::value::Fields;
use super::{GENERIC, MetaCheck, NameRule, Rules, StatusSplit, check, internal, object_meta, quantity};
use crate::kinds::decode::Node;
use crate::object::field::{Error, ErrorKind, ErrorList, Path};
use crate::object::quantity::Quantity;
use crate::object::{Value, meta, names};

/// Most bytes that a secret or a config map holds.
const DATA_LIMIT: usize = 1024 * 1024;
const FROZEN: &str = "field is immutable when `immutable` is set";

/// The rows of this file.
pub const RULES: &[Rules] = &[
    Rules {
        kind: "ConfigMap",
        update_meta: &[MetaCheck::Update, MetaCheck::Create],
        validate_create: config_map,
        validate_update: |new, old| frozen(new, old, &["data", "binaryData"], config_map),
        ..GENERIC
    },
    Rules {
        kind: "Secret",
        update_meta: &[MetaCheck::Update, MetaCheck::Create],
        convert: merge_string_data,
        warnings: |secret, _| key_pair_warning(secret).into_iter().collect(),
        prepare_update: |new, old, _| {
            // Clients that left the type out have always kept what it was.
            if new.text("type").is_empty() {
                meta::set(new, &["type"], old.text("type"));
            }
        },
        validate_create: secret,
        validate_update: |new, old| {
            let mut errors = ErrorList::new();
            check::immutable(&mut errors, &Path::new("type"), new.at("type"), old.at("type"));
            errors.extend(frozen(new, old, &["data"], secret));
            errors
        },
        ..GENERIC
    },
    Rules { kind: "ServiceAccount", update_meta: &[MetaCheck::Update, MetaCheck::Create], ..GENERIC },
    Rules {
        kind: "Namespace",
        name: NameRule::DnsLabel,
        update_meta: &[MetaCheck::Create, MetaCheck::Update],
        prepare_create: |namespace, _| {
            meta::set(namespace, &["status"], json!({"phase": "Active"}));
            let mut finalizers = namespace.at("spec").list("finalizers").to_vec();
            if !finalizers.contains(&json!("kubernetes")) {
                finalizers.push(json!("kubernetes"));
            }
            meta::set(namespace, &["spec", "finalizers"], Value::Array(finalizers));
        },
        prepare_update: |new, old, _| match old.at("spec").some("finalizers") {
            Some(finalizers) => meta::set(new, &["spec", "finalizers"], finalizers.clone()),
            None => drop(meta::remove(new, &["spec", "finalizers"])),
        },
        validate_create: namespace,
        validate_update: |new, _| namespace(new),
        validate_status_update: namespace_status,
        canonicalize: |namespace| {
            // The label was set by defaulting where the name was known then; a generated name is only known now.
            let name = meta::name(namespace).to_owned();
            meta::set(namespace, &["metadata", "labels", "kubernetes.io/metadata.name"], name);
        },
        status: StatusSplit::Status,
        ..GENERIC
    },
    Rules {
        kind: "Node",
        update_meta: &[MetaCheck::Create, MetaCheck::Update],
        convert: |node| {
            // Internally there is only the list of pod networks, the first of which is the single one.
            let one = node.at("spec").text("podCIDR").to_owned();
            let list = node.at("spec").texts("podCIDRs").into_iter().map(str::to_owned).collect::<Vec<_>>();
            match list.first() {
                None if !one.is_empty() => meta::set(node, &["spec", "podCIDRs"], json!([one])),
                Some(first) if one.is_empty() => meta::set(node, &["spec", "podCIDR"], first.as_str()),
                Some(first) if *first != one => meta::set(node, &["spec", "podCIDRs"], json!([one])),
                _ => {}
            }
        },
        prepare_update: |new, old, _| meta::set(new, &["status"], old.at("status").clone()),
        prepare_status_update: |new, old, _| super::generic::copy(new, old, "spec"),
        validate_create: node,
        validate_update: node_update,
        validate_status_update: node_update,
        ..GENERIC
    },
    Rules {
        kind: "ResourceQuota",
        prepare_create: |quota, _| drop(meta::remove(quota, &["status"])),
        validate_create: quota,
        validate_update: |new, old| {
            let mut errors = quota(new);
            let set = |object: &Value| {
                object.at("spec").texts("scopes").into_iter().map(str::to_owned).collect::<BTreeSet<_>>()
            };
            if set(new) != set(old) {
                let shown = new.at("spec").at("scopes").clone();
                errors.push(Error::invalid(&Path::new("spec").child("scopes"), shown, check::IMMUTABLE));
            }
            errors
        },
        validate_status_update: |new, _| {
            let mut errors = ErrorList::new();
            for list in ["hard", "used"] {
                amounts(&mut errors, &Path::new("status").child(list), new.at("status").at(list));
            }
            errors
        },
        status: StatusSplit::Status,
        ..GENERIC
    },
    Rules {
        kind: "LimitRange",
        update_meta: &[MetaCheck::Create],
        validate_create: limit_range,
        validate_update: |new, _| limit_range(new),
        allow_create_on_update: true,
        ..GENERIC
    },
    Rules {
        kind: "Event",
        name: NameRule::DnsSubdomain,
        allow_create_on_update: true,
        validate_create: event,
        ..GENERIC
    },
];

/// What was given as text joins what was given as base64, and wins.
fn merge_string_data(secret: &mut Value) {
    let Some(Value::Object(texts)) = meta::remove(secret, &["stringData"]) else { return };
    for (key, text) in texts {
        let data = base64::engine::general_purpose::STANDARD.encode(text.as_str().unwrap_or_default());
        meta::map_mut(secret, &["data"]).insert(key, json!(data));
    }
}

fn frozen(new: &Value, old: &Value, fields: &[&str], rest: fn(&Value) -> ErrorList) -> ErrorList {
    let mut errors = ErrorList::new();
    if old.flag("immutable") {
        if !new.flag("immutable") {
            errors.push(Error::forbidden(&Path::new("immutable"), FROZEN));
        }
        for field in fields {
            let empty = |value: &Value| value.at(field).as_object().is_none_or(crate::object::Map::is_empty);
            if new.at(field) != old.at(field) && !(empty(new) && empty(old)) {
                errors.push(Error::forbidden(&Path::new(field), FROZEN));
            }
        }
    }
    errors.extend(rest(new));
    errors
}

fn bytes(value: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(value.as_str().unwrap_or_default()).unwrap_or_default()
}

fn keys(errors: &mut ErrorList, path: &Path, object: &Value, field: &str) {
    for (key, _) in object.entries(field) {
        check::messages(errors, &path.key(key), key, names::is_config_map_key(key));
    }
}

fn config_map(map: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("data");
    let mut size = 0;
    for (key, value) in map.text_entries("data") {
        check::messages(&mut errors, &path.key(key), key, names::is_config_map_key(key));
        if map.at("binaryData").get(key).is_some() {
            errors.push(Error::invalid(&path.key(key), key, "duplicate of key present in binaryData"));
        }
        size += value.len();
    }
    keys(&mut errors, &Path::new("binaryData"), map, "binaryData");
    size += map.entries("binaryData").into_iter().map(|(_, value)| bytes(value).len()).sum::<usize>();
    if size > DATA_LIMIT {
        errors.push(Error::too_long(&Path::unnamed(), DATA_LIMIT));
    }
    errors
}

fn secret(secret: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("data");
    keys(&mut errors, &path, secret, "data");
    let size: usize = secret.entries("data").into_iter().map(|(_, value)| bytes(value).len()).sum();
    if size > DATA_LIMIT {
        errors.push(Error::too_long(&path, DATA_LIMIT));
    }
    let data = secret.at("data");
    let mut need = |keys: &[&str]| {
        for key in keys.iter().filter(|key| data.get(**key).is_none()) {
            errors.push(Error::required(&path.key(key), ""));
        }
    };
    match secret.text("type") {
        "kubernetes.io/service-account-token" => {
            const ACCOUNT: &str = "kubernetes.io/service-account.name";
            if secret.at("metadata").at("annotations").text(ACCOUNT).is_empty() {
                let path = Path::new("metadata").child("annotations").key(ACCOUNT);
                errors.push(Error::required(&path, ""));
            }
        }
        "kubernetes.io/dockercfg" => docker_config(&mut errors, &path, data, ".dockercfg"),
        "kubernetes.io/dockerconfigjson" => docker_config(&mut errors, &path, data, ".dockerconfigjson"),
        "kubernetes.io/basic-auth" if data.get("username").is_none() && data.get("password").is_none() => {
            need(&["username", "password"]);
        }
        "kubernetes.io/ssh-auth" if data.text("ssh-privatekey").is_empty() => {
            errors.push(Error::required(&path.key("ssh-privatekey"), ""));
        }
        "kubernetes.io/tls" => need(&["tls.crt", "tls.key"]),
        _ => {}
    }
    errors
}

/// What is wrong with the pair of a TLS secret, in the words of Go's `tls.X509KeyPair`.
fn key_pair_warning(secret: &Value) -> Option<String> {
    if secret.text("type") != "kubernetes.io/tls" {
        return None;
    }
    let blocks = |name: &str| -> Vec<String> {
        let text = bytes(secret.at("data").at(name));
        x509_parser::pem::Pem::iter_from_buffer(&text).flatten().map(|block| block.label).collect()
    };
    let problem = |input: &str, labels: &[String], wanted: &str, fits: fn(&str) -> bool| match labels {
        [] => Some(format!("tls: failed to find any PEM data in {input} input")),
        labels if labels.iter().any(|label| fits(label)) => None,
        labels => Some(format!(
            "tls: failed to find {wanted} in {input} input after skipping PEM blocks of the following types: [{}]",
            labels.join(" ")
        )),
    };
    let certificates = blocks("tls.crt");
    problem("certificate", &certificates, "\"CERTIFICATE\" PEM block", |label| label == "CERTIFICATE").or_else(|| {
        let is_key = |label: &str| label == "PRIVATE KEY" || label.ends_with(" PRIVATE KEY");
        problem("key", &blocks("tls.key"), "PEM block with type ending in \"PRIVATE KEY\"", is_key)
    })
}

fn docker_config(errors: &mut ErrorList, path: &Path, data: &Value, key: &str) {
    let path = path.key(key);
    let Some(value) = data.get(key) else {
        errors.push(Error::required(&path, ""));
        return;
    };
    let message = match Node::parse(&bytes(value)) {
        Ok(Node::Object(_) | Node::Null) => return,
        Ok(other) => {
            let what = match other {
                Node::Array(_) => "array",
                Node::Text(_) => "string",
                Node::Number(_) => "number",
                _ => "bool",
            };
            format!("json: cannot unmarshal {what} into Go value of type map[string]interface {{}}")
        }
        Err(error) => error.message,
    };
    errors.push(Error::invalid(&path, "<secret contents redacted>", message));
}

fn namespace(namespace: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("spec").child("finalizers");
    for finalizer in namespace.at("spec").texts("finalizers") {
        check::qualified_name(&mut errors, &path, finalizer);
        object_meta::standard_finalizer(&mut errors, &path, finalizer);
    }
    errors
}

fn namespace_status(new: &Value, _: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let phase = new.at("status").text("phase");
    let (wanted, state) = match meta::deletion_timestamp(new) {
        None => ("Active", "empty"),
        Some(_) => ("Terminating", "not empty"),
    };
    if phase != wanted {
        let message = format!("may only be '{wanted}' if `deletionTimestamp` is {state}");
        errors.push(Error::invalid(&Path::new("status").child("Phase"), phase, message));
    }
    errors
}

fn taints(errors: &mut ErrorList, node: &Value) {
    let mut seen = BTreeSet::new();
    for (i, taint) in node.at("spec").list("taints").iter().enumerate() {
        let path = Path::new("metadata").child("taints").index(i);
        let [key, value, effect] = ["key", "value", "effect"].map(|field| taint.text(field));
        check::qualified_name(errors, &path.child("key"), key);
        let messages = names::is_valid_label_value(value);
        if !messages.is_empty() {
            errors.push(Error::invalid(&path.child("value"), value, messages.join(";")));
        }
        check::required_one_of(errors, &path.child("effect"), effect, TAINT_EFFECTS);
        if !seen.insert((effect, key)) {
            let text = internal::show("core.v1.Taint", taint);
            let message = "taints must be unique by key and effect pair";
            errors.push(check::shown(ErrorKind::Duplicate, &path, text, message));
        }
    }
}

fn node_amounts(errors: &mut ErrorList, node: &Value) {
    for list in ["capacity", "allocatable"] {
        for (name, amount) in quantity::list(node.at("status").at(list)) {
            let path = Path::new("status").child(list).child(&name);
            resources::amount(errors, &path, &name, &amount);
        }
    }
}

fn node(node: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    taints(e, node);
    node_amounts(e, node);
    let path = Path::new("spec").child("podCIDRs");
    let networks = node.at("spec").texts("podCIDRs");
    for (i, network) in networks.iter().enumerate() {
        check::cidr(e, &path.index(i), network);
    }
    if networks.len() > 1 {
        let parsed: Vec<bool> =
            networks.iter().filter_map(|n| names::parse_cidr_sloppy(n)).map(|(ip, _)| ip.is_ipv6()).collect();
        if parsed.len() != networks.len() {
            let bad = networks.iter().find(|n| names::parse_cidr_sloppy(n).is_none()).copied().unwrap_or_default();
            let message = format!(
                "invalid PodCIDRs. failed to check with dual stack with error:invalid CIDR[0]: <nil> (invalid CIDR address: {bad})"
            );
            e.push(Error::without_value(ErrorKind::Internal, &path, message));
        }
        let dual = parsed.len() == networks.len() && parsed.iter().any(|six| *six) && parsed.iter().any(|six| !*six);
        if !dual || networks.len() > 2 {
            e.push(Error::invalid(&path, json!(networks), "may specify no more than one CIDR for each IP family"));
        }
        let mut seen = BTreeSet::new();
        for (i, network) in networks.iter().enumerate() {
            if !seen.insert(network) {
                e.push(Error::duplicate(&path.index(i), *network));
            }
        }
    }
    errors
}

fn node_update(new: &Value, old: &Value) -> ErrorList {
    let mut errors = node(new);
    let e = &mut errors;
    node_amounts(e, new);
    let addresses = new.at("status").list("addresses");
    for (i, address) in addresses.iter().enumerate() {
        if addresses.iter().take(i).any(|earlier| earlier == address) {
            let text = internal::show("core.v1.NodeAddress", address);
            let path = Path::new("status").child("addresses").index(i);
            e.push(check::shown(ErrorKind::Duplicate, &path, text, ""));
        }
    }
    let (now, before) = (new.at("spec"), old.at("spec"));
    let path = Path::new("spec");
    if !before.list("podCIDRs").is_empty() && now.list("podCIDRs") != before.list("podCIDRs") {
        let message = "node updates may not change podCIDR except from \"\" to valid";
        e.push(Error::forbidden(&path.child("podCIDRs"), message));
    }
    let provider = before.text("providerID");
    if !provider.is_empty() && now.text("providerID") != provider {
        let message = "node updates may not change providerID except from \"\" to valid";
        e.push(Error::forbidden(&path.child("providerID"), message));
    }
    taints(e, new);
    if now.text("externalID") != before.text("externalID") {
        e.push(Error::forbidden(&path.child("externalID"), "may not be updated"));
    }
    errors
}

fn amounts(errors: &mut ErrorList, path: &Path, list: &Value) {
    for (name, amount) in quantity::list(list) {
        let path = path.key(&name);
        resources::quota_name(errors, &path, &name);
        resources::amount(errors, &path, &name, &amount);
    }
}

const SCOPES: &[&str] = &[
    "Terminating",
    "NotTerminating",
    "BestEffort",
    "NotBestEffort",
    "PriorityClass",
    "CrossNamespacePodAffinity",
    "VolumeAttributesClass",
];

fn scope_fits(scope: &str, resource: &str) -> bool {
    match scope {
        "Terminating" | "NotTerminating" | "NotBestEffort" | "PriorityClass" | "CrossNamespacePodAffinity" => matches!(
            resource,
            "pods" | "cpu" | "memory" | "requests.cpu" | "requests.memory" | "limits.cpu" | "limits.memory"
        ),
        "BestEffort" => resource == "pods",
        "VolumeAttributesClass" => matches!(resource, "persistentvolumeclaims" | "requests.storage"),
        _ => true,
    }
}

fn quota(quota: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let e = &mut errors;
    let (path, spec) = (Path::new("spec"), quota.at("spec"));
    amounts(e, &path.child("hard"), spec.at("hard"));
    let resources: Vec<&str> = spec.entries("hard").into_iter().map(|(name, _)| name).collect();
    let unfit = |scope: &str| {
        resources.iter().filter(|name| resources::is_standard_quota(name) && !scope_fits(scope, name)).count()
    };
    let scopes = spec.texts("scopes");
    let scopes_path = path.child("scopes");
    for scope in &scopes {
        if !SCOPES.contains(scope) {
            e.push(Error::invalid(&scopes_path, json!(scopes), "unsupported scope"));
        }
        for _ in 0..unfit(scope) {
            e.push(Error::invalid(&scopes_path, json!(scopes), "unsupported scope applied to resource"));
        }
    }
    conflicting_scopes(e, &scopes_path, &scopes, &json!(scopes));
    if let Some(selector) = spec.some("scopeSelector") {
        scope_selector(e, &path.child("scopeSelector").child("matchExpressions"), selector, spec, &unfit);
    }
    for list in ["hard", "used"] {
        amounts(e, &Path::new("status").child(list), quota.at("status").at(list));
    }
    errors
}

fn conflicting_scopes(errors: &mut ErrorList, path: &Path, scopes: &[&str], shown: &Value) {
    for pair in [["BestEffort", "NotBestEffort"], ["Terminating", "NotTerminating"]] {
        if pair.iter().all(|scope| scopes.contains(scope)) {
            errors.push(Error::invalid(path, shown.clone(), "conflicting scopes"));
        }
    }
}

fn scope_selector(errors: &mut ErrorList, path: &Path, selector: &Value, spec: &Value, unfit: &dyn Fn(&str) -> usize) {
    const EXISTS_ONLY: &str = "must be 'Exists' when scope is any of ResourceQuotaScopeTerminating, \
        ResourceQuotaScopeNotTerminating, ResourceQuotaScopeBestEffort, ResourceQuotaScopeNotBestEffort or \
        ResourceQuotaScopeCrossNamespacePodAffinity";
    let mut seen = Vec::new();
    for expression in selector.list("matchExpressions") {
        let (scope, operator) = (expression.text("scopeName"), expression.text("operator"));
        if !SCOPES.contains(&scope) {
            errors.push(Error::invalid(&path.child("scopeName"), scope, "unsupported scope"));
        }
        for _ in 0..unfit(scope) {
            let text = internal::show("core.v1.ScopeSelector", selector);
            errors.push(check::shown(ErrorKind::Invalid, path, text, "unsupported scope applied to resource"));
        }
        let plain = !matches!(scope, "PriorityClass" | "VolumeAttributesClass") && SCOPES.contains(&scope);
        if plain && operator != "Exists" {
            errors.push(Error::invalid(&path.child("operator"), operator, EXISTS_ONLY));
        }
        let values = expression.list("values");
        match operator {
            "In" | "NotIn" if values.is_empty() => errors.push(Error::required(
                &path.child("values"),
                "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector",
            )),
            "Exists" | "DoesNotExist" if !values.is_empty() => errors.push(Error::invalid(
                &path.child("values"),
                Value::Array(values.to_vec()),
                "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector",
            )),
            "In" | "NotIn" | "Exists" | "DoesNotExist" => {}
            other => errors.push(Error::invalid(&path.child("operator"), other, "not a valid selector operator")),
        }
        seen.push(scope);
    }
    conflicting_scopes(errors, path, &seen, spec.at("scopes"));
}

fn limit_range(range: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let path = Path::new("spec").child("limits");
    let mut seen = BTreeSet::new();
    for (i, limit) in range.at("spec").list("limits").iter().enumerate() {
        let path = path.index(i);
        let type_ = limit.text("type");
        let messages = names::is_qualified_name(type_);
        let fine = messages.is_empty();
        check::messages(&mut errors, &path.child("type"), type_, messages);
        if fine && !type_.contains('/') && !matches!(type_, "Pod" | "Container" | "PersistentVolumeClaim") {
            let message = "must be a standard limit type or fully qualified";
            errors.push(Error::invalid(&path.child("type"), type_, message));
        }
        if !seen.insert(type_) {
            errors.push(Error::duplicate(&path.child("type"), type_));
        }
        limit_item(&mut errors, &path, limit);
    }
    errors
}

fn limit_item(errors: &mut ErrorList, path: &Path, limit: &Value) {
    let type_ = limit.text("type");
    let name_check: resources::NameCheck =
        if matches!(type_, "Pod" | "Container") { resources::container_name } else { resources::any_name };
    let mut keys = BTreeSet::new();
    let mut read = |errors: &mut ErrorList, field: &str| {
        let list = quantity::list(limit.at(field));
        for name in list.keys() {
            name_check(errors, &path.child(field).key(name), name);
            keys.insert(name.clone());
        }
        list
    };
    let max = read(errors, "max");
    let min = read(errors, "min");
    let (mut defaults, mut requests) = (quantity::Resources::new(), quantity::Resources::new());
    if type_ == "Pod" {
        for field in ["default", "defaultRequest"] {
            if !limit.entries(field).is_empty() {
                errors.push(Error::forbidden(&path.child(field), "may not be specified when `type` is 'Pod'"));
            }
        }
    } else {
        defaults = read(errors, "default");
        requests = read(errors, "defaultRequest");
    }
    if type_ == "PersistentVolumeClaim" && !min.contains_key("storage") && !max.contains_key("storage") {
        let message = "either minimum or maximum storage value is required, but neither was provided";
        errors.push(Error::required(&path.child("limits"), message));
    }
    let ratios = read(errors, "maxLimitRequestRatio");
    for key in &keys {
        let found = [&min, &max, &defaults, &requests, &ratios].map(|list| list.get(key));
        limit_order(errors, path, key, found);
    }
}

/// The bounds of one resource must not cross.
fn limit_order(errors: &mut ErrorList, path: &Path, key: &str, found: [Option<&Quantity>; 5]) {
    let [min, max, default, request, ratio] = found;
    let mut order = |low: Option<&Quantity>, high: Option<&Quantity>, field: &str, show_low: bool, words: [&str; 2]| {
        if let (Some(low), Some(high)) = (low, high)
            && low > high
        {
            let shown = check::quantity(if show_low { low } else { high });
            let message = format!("{} {low} is greater than {} {high}", words[0], words[1]);
            errors.push(Error::invalid(&path.child(field).key(key), shown, message));
        }
    };
    order(min, max, "min", true, ["min value", "max value"]);
    order(min, request, "defaultRequest", false, ["min value", "default request value"]);
    order(request, max, "defaultRequest", true, ["default request value", "max value"]);
    order(request, default, "defaultRequest", true, ["default request value", "default limit value"]);
    order(min, default, "default", true, ["min value", "default value"]);
    order(default, max, "default", false, ["default value", "max value"]);
    if let Some(ratio) = ratio {
        limit_ratio(errors, &path.child("maxLimitRequestRatio").key(key), ratio, min, max);
    }
    if let (Some(default), Some(request)) = (default, request)
        && default != request
        && !quantity::overcommit_allowed(key)
    {
        let message = format!("default value {default} must equal to defaultRequest value {request} in {key}");
        errors.push(Error::invalid(&path.child("defaultRequest").key(key), check::quantity(request), message));
    }
}

fn limit_ratio(errors: &mut ErrorList, path: &Path, ratio: &Quantity, min: Option<&Quantity>, max: Option<&Quantity>) {
    if ratio.cmp_i64(1).is_lt() {
        errors.push(Error::invalid(path, check::quantity(ratio), format!("ratio {ratio} is less than 1")));
    }
    if let (Some(min), Some(max)) = (min, max) {
        let limit = max.as_f64() / min.as_f64();
        if ratio.as_f64() > limit {
            let message = format!("ratio {ratio} is greater than max/min = {limit:.6}");
            errors.push(Error::invalid(path, check::quantity(ratio), message));
        }
    }
}

/// Events stand in the namespace of what they are about; those with an `eventTime` say who reports what.
fn event(event: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let (namespace, about) = (meta::namespace(event), event.at("involvedObject").text("namespace"));
    let path = Path::new("involvedObject").child("namespace");
    if event.has("eventTime") {
        if about.is_empty() && !matches!(namespace, "default" | "kube-system") {
            errors.push(Error::invalid(&path, about, "does not match event.namespace"));
        }
        super::cluster::reported(&mut errors, event, "reportingComponent");
    } else if namespace != about && !(about.is_empty() && namespace == "default") {
        let message = if about.is_empty() { "not a valid event namespace" } else { "does not match event.namespace" };
        errors.push(Error::invalid(&path, about, message));
    }
    errors
}
