//! Requests, limits and the names of resources.

use std::collections::BTreeSet;

use super::Options;
use crate::kinds::rules::value::Fields;
use crate::kinds::rules::{check, quantity};
use crate::object::field::{Error, ErrorList, Path};
use crate::object::quantity::Quantity;
use crate::object::{Value, names};

/// How the name of a resource is checked.
pub type NameCheck = fn(&mut ErrorList, &Path, &str);

/// Resources without a prefix that mean something anywhere.
fn is_standard(name: &str) -> bool {
    is_standard_quota(name) || is_standard_container(name) || name == "storage"
}

fn is_standard_container(name: &str) -> bool {
    matches!(name, "cpu" | "memory" | "ephemeral-storage") || quantity::is_huge_page(name)
}

/// Resources without a prefix that a quota may limit.
pub fn is_standard_quota(name: &str) -> bool {
    matches!(
        name,
        "cpu"
            | "memory"
            | "ephemeral-storage"
            | "requests.cpu"
            | "requests.memory"
            | "requests.storage"
            | "requests.ephemeral-storage"
            | "limits.cpu"
            | "limits.memory"
            | "limits.ephemeral-storage"
            | "pods"
            | "resourcequotas"
            | "services"
            | "replicationcontrollers"
            | "secrets"
            | "persistentvolumeclaims"
            | "configmaps"
            | "services.nodeports"
            | "services.loadbalancers"
    ) || quantity::is_huge_page(name)
        || name.starts_with("requests.hugepages-")
}

/// Resources that only come in whole numbers.
fn is_integer(name: &str) -> bool {
    matches!(
        name,
        "pods"
            | "services"
            | "replicationcontrollers"
            | "resourcequotas"
            | "secrets"
            | "configmaps"
            | "persistentvolumeclaims"
            | "services.nodeports"
            | "services.loadbalancers"
    ) || is_extended(name)
}

fn is_extended(name: &str) -> bool {
    !quantity::is_native(name)
        && !name.starts_with("requests.")
        && names::is_qualified_name(&format!("requests.{name}")).is_empty()
}

/// A resource as such: standard, or with a domain.
pub fn any_name(errors: &mut ErrorList, path: &Path, name: &str) {
    let messages = names::is_qualified_name(name);
    let fine = messages.is_empty();
    check::messages(errors, path, name, messages);
    if fine && !name.contains('/') && !is_standard(name) {
        errors.push(Error::invalid(path, name, "must be a standard resource type or fully qualified"));
    }
}

/// A resource of a container.
pub fn container_name(errors: &mut ErrorList, path: &Path, name: &str) {
    any_name(errors, path, name);
    if !name.contains('/') {
        if !is_standard_container(name) {
            errors.push(Error::invalid(path, name, "must be a standard resource for containers"));
        }
    } else if !quantity::is_native(name) && !is_extended(name) {
        errors.push(Error::invalid(path, name, "doesn't follow extended resource name standard"));
    }
}

/// A resource of a pod as a whole.
pub fn pod_name(errors: &mut ErrorList, path: &Path, name: &str) {
    let before = errors.len();
    any_name(errors, path, name);
    if errors.len() == before && !quantity::is_pod_level(name) {
        errors.push(Error::not_supported(path, name, &["cpu", "hugepages-", "memory"]));
    }
}

/// A resource in a quota.
pub fn quota_name(errors: &mut ErrorList, path: &Path, name: &str) {
    any_name(errors, path, name);
    if !name.contains('/') && !is_standard_quota(name) {
        errors.push(Error::invalid(path, name, "must be a standard resource for quota"));
    }
}

/// A quantity of a resource: not negative, whole where the resource is counted.
pub fn amount(errors: &mut ErrorList, path: &Path, name: &str, quantity: &Quantity) {
    if quantity.sign() < 0 {
        errors.push(Error::invalid(path, check::quantity(quantity), check::NOT_NEGATIVE));
    }
    if is_integer(name) && quantity.milli_value() % 1000 != 0 {
        errors.push(Error::invalid(path, check::quantity(quantity), "must be an integer"));
    }
}

fn huge_page(errors: &mut ErrorList, path: &Path, name: &str, quantity: &Quantity, options: &Options) {
    let size = name.strip_prefix("hugepages-").and_then(|size| Quantity::parse(size).ok());
    let whole = size.is_some_and(|size| {
        size.value() > 0 && quantity.value() % size.value() == 0 && quantity.milli_value() % 1000 == 0
    });
    if !whole && !options.any_huge_pages {
        let message = format!("{quantity} is not positive integer multiple of {name}");
        errors.push(Error::invalid(path, check::quantity(quantity), message));
    }
}

/// `resources` of a container or a pod.
pub fn requirements(
    errors: &mut ErrorList,
    path: &Path,
    requirements: &Value,
    name_check: NameCheck,
    claims: &BTreeSet<&str>,
    options: &Options,
) {
    let (limits_path, requests_path) = (path.child("limits"), path.child("requests"));
    let limits = quantity::list(requirements.at("limits"));
    let requests = quantity::list(requirements.at("requests"));
    for (name, amount_of) in &limits {
        let path = limits_path.key(name);
        name_check(errors, &path, name);
        amount(errors, &path, name, amount_of);
        if quantity::is_huge_page(name) {
            huge_page(errors, &path, name, amount_of, options);
        }
    }
    for (name, request) in &requests {
        let path = requests_path.key(name);
        name_check(errors, &path, name);
        amount(errors, &path, name, request);
        let overcommit = quantity::overcommit_allowed(name);
        let message = match limits.get(name) {
            Some(limit) if request != limit && !overcommit => Some(format!("must be equal to {name} limit of {limit}")),
            Some(limit) if request > limit => Some(format!("must be less than or equal to {name} limit of {limit}")),
            Some(_) => None,
            None => {
                if !overcommit {
                    let message = "Limit must be set for non overcommitable resources";
                    errors.push(Error::required(&limits_path, message));
                }
                None
            }
        };
        if let Some(message) = message {
            errors.push(Error::invalid(&requests_path, check::quantity(request), message));
        }
        if quantity::is_huge_page(name) {
            huge_page(errors, &path, name, request, options);
        }
    }
    let all = || limits.keys().chain(requests.keys());
    if all().any(|name| quantity::is_huge_page(name)) && !all().any(|name| matches!(name.as_str(), "cpu" | "memory")) {
        errors.push(Error::forbidden(path, "HugePages require cpu or memory"));
    }
    claim_names(errors, &path.child("claims"), requirements, claims);
}

fn claim_names(errors: &mut ErrorList, path: &Path, requirements: &Value, claims: &BTreeSet<&str>) {
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for (i, claim) in requirements.list("claims").iter().enumerate() {
        let at = path.index(i);
        let (name, request) = (claim.text("name"), claim.text("request"));
        if name.is_empty() {
            errors.push(Error::required(&at, ""));
            continue;
        }
        if seen.contains(name) {
            errors.push(Error::duplicate(&at, name));
        } else {
            let key = if request.is_empty() { name.to_owned() } else { format!("{name}/{request}") };
            if !request.is_empty() {
                check::dns_label(errors, &at.child("request"), request);
            }
            if seen.contains(&key) {
                errors.push(Error::duplicate(&at, key.as_str()));
            } else if request.is_empty() {
                let taken = seen.iter().filter(|known| known.split_once('/').is_some_and(|(own, _)| own == name));
                errors.extend(taken.map(|_| Error::duplicate(&at, name)));
            }
            seen.insert(key);
        }
        if !claims.contains(name) {
            let mut error = Error::not_found(&at, name);
            "must be one of the names in pod.spec.resourceClaims".clone_into(&mut error.detail);
            if claims.is_empty() {
                error.detail.push_str(" which is empty");
            } else {
                let names: Vec<&str> = claims.iter().copied().collect();
                error.detail.push_str(&format!(": {}", names.join(", ")));
            }
            errors.push(error);
        }
    }
}

/// `resources` of a pod as a whole, against those of its containers.
pub fn pod_level(errors: &mut ErrorList, path: &Path, spec: &Value, claims: &BTreeSet<&str>, options: &Options) {
    let Some(resources) = spec.some("resources") else { return };
    if resources.has("claims") {
        let message = "claims cannot be set for Resources at pod-level";
        errors.push(Error::forbidden(&path.child("claims"), message));
    }
    requirements(errors, path, resources, pod_name, claims, options);
    let requests = quantity::list(resources.at("requests"));
    for (name, sum) in quantity::aggregate(spec, "requests") {
        let own = requests.get(&name).cloned().unwrap_or_else(Quantity::zero);
        if sum > own {
            let message = format!("must be greater than or equal to aggregate container requests of {sum}");
            errors.push(Error::invalid(&path.child("requests").key(&name), check::quantity(&own), message));
        }
    }
    let limits = quantity::list(resources.at("limits"));
    for (i, container) in spec.list("containers").iter().enumerate() {
        for (name, limit) in quantity::list(container.at("resources").at("limits")) {
            if let Some(whole) = limits.get(&name).filter(|whole| limit > **whole) {
                let path = path.child("containers").index(i).key(&name).child("limits");
                let message = format!("must be less than or equal to pod limits of {whole}");
                errors.push(Error::invalid(&path, check::quantity(&limit), message));
            }
        }
    }
}
