//! The linked fields of a service that need no allocator: addresses as one and as a list, families and their policy.

use serde_json::json;

use super::type_of;
use crate::object::field::{Error, ErrorList, Path};
use crate::object::{Value, meta, names};

/// The family of the cluster's services.
pub const PRIMARY: &str = "IPv4";

const DUAL: &str = "RequireDualStack";
const PREFER_DUAL: &str = "PreferDualStack";
const SINGLE: &str = "SingleStack";

/// The strings in a list of the specification.
fn texts<'a>(service: &'a Value, field: &str) -> Vec<&'a str> {
    meta::list_at(service, &["spec", field]).iter().filter_map(Value::as_str).collect()
}

fn address(service: &Value) -> &str {
    meta::str_at(service, &["spec", "clusterIP"])
}

fn policy(service: &Value) -> Option<&str> {
    meta::get(service, &["spec", "ipFamilyPolicy"]).and_then(Value::as_str)
}

fn same(one: &Value, other: &Value, field: &str) -> bool {
    texts(one, field) == texts(other, field)
}

fn selectorless(service: &Value) -> bool {
    meta::get(service, &["spec", "selector"]).and_then(Value::as_object).is_none_or(|selector| selector.is_empty())
}

/// Whether services of a type have an address, even if it is `None`.
pub fn has_address(service: &Value) -> bool {
    type_of(service) != "ExternalName"
}

/// `normalizeClusterIPs`: the list of addresses follows the single one where only that was given or changed.
pub fn normalize(service: &mut Value, old: Option<&Value>) {
    let first = address(service).to_owned();
    let Some(old) = old else {
        if !first.is_empty() && texts(service, "clusterIPs").is_empty() {
            meta::set(service, &["spec", "clusterIPs"], json!([first]));
        }
        return;
    };
    let before = address(old);
    let listed = texts(old, "clusterIPs");
    if !listed.is_empty() && texts(service, "clusterIPs").is_empty() && first == before {
        meta::set(service, &["spec", "clusterIPs"], json!(listed));
    }
    if first == before || !same(service, old, "clusterIPs") {
        return;
    }
    if first.is_empty() {
        meta::remove(service, &["spec", "clusterIPs"]);
    } else {
        meta::set(service, &["spec", "clusterIPs"], json!([first]));
    }
}

/// The part of `patchAllocatedValues` about addresses: an update that does not speak of them keeps them.
pub fn keep_addresses(service: &mut Value, old: &Value) {
    if !has_address(old) || !has_address(service) {
        return;
    }
    if address(service).is_empty() && !address(old).is_empty() {
        meta::set(service, &["spec", "clusterIP"], address(old));
    }
    let listed = texts(old, "clusterIPs");
    if texts(service, "clusterIPs").is_empty() && !listed.is_empty() {
        meta::set(service, &["spec", "clusterIPs"], json!(listed));
    }
}

/// `isMatchingPreferDualStackClusterIPFields`: a service that prefers two families and asks for no change keeps what
/// it has, whatever the cluster has now.
pub fn prefers_what_it_has(service: &Value, old: Option<&Value>) -> bool {
    let Some(old) = old else { return false };
    type_of(service) == type_of(old)
        && has_address(service)
        && policy(service) == Some(PREFER_DUAL)
        && policy(old).is_none_or(|policy| policy == PREFER_DUAL)
        && same(service, old, "clusterIPs")
        && same(service, old, "ipFamilies")
}

/// `initIPFamilyFields` of a cluster with one family: settles the families and their policy.
///
/// # Errors
///
/// What cannot be had, or contradicts itself.
pub fn settle(service: &mut Value, old: Option<&Value>) -> Result<(), ErrorList> {
    if !has_address(service) || prefers_what_it_has(service, old) {
        return Ok(());
    }
    let headless = address(service) == "None" && selectorless(service);
    if policy(service).is_none() {
        let usual = if headless { DUAL } else { SINGLE };
        let chosen = old.and_then(policy).unwrap_or(usual).to_owned();
        meta::set(service, &["spec", "ipFamilyPolicy"], chosen);
    }
    refuse(crate::kinds::rules::service::addresses(service))?;
    refuse(against_policy(service, old).into_iter().chain(infer_families(service)).collect())?;
    if headless {
        complete_headless(service);
        return Ok(());
    }
    refuse(not_configured(service))?;
    if texts(service, "ipFamilies").is_empty() {
        meta::set(service, &["spec", "ipFamilies"], json!([PRIMARY]));
    }
    Ok(())
}

fn refuse(errors: ErrorList) -> Result<(), ErrorList> {
    if errors.is_empty() { Ok(()) } else { Err(errors) }
}

fn policy_error(service: &Value, why: &str) -> Error {
    Error::invalid(&Path::new("spec").child("ipFamilyPolicy"), policy(service).unwrap_or_default(), why)
}

/// The second address and family go with a policy of one family, and only with it.
fn against_policy(service: &mut Value, old: Option<&Value>) -> ErrorList {
    let mut errors = ErrorList::new();
    let single = policy(service) == Some(SINGLE);
    let fields = [("clusterIPs", "cluster IP", "cluster IPs"), ("ipFamilies", "IP family", "IP families")];
    for (field, one, _) in fields {
        let Some(old) = old else { continue };
        let now = texts(service, field);
        if single && same(service, old, field) && now.len() > 1 {
            let first = json!(now.first());
            meta::set(service, &["spec", field], json!([first]));
        } else if !single && !now.is_empty() && now.len() < texts(old, field).len() {
            errors.push(policy_error(service, &format!("must be 'SingleStack' to release the secondary {one}")));
        }
    }
    for (field, _, several) in fields.iter().filter(|_| single) {
        if texts(service, field).len() == 2 {
            let why = format!("must be 'RequireDualStack' or 'PreferDualStack' when multiple {several} are specified");
            errors.push(policy_error(service, &why));
        }
    }
    errors
}

/// Families that are not named follow from the addresses.
fn infer_families(service: &mut Value) -> ErrorList {
    let mut errors = ErrorList::new();
    let addresses: Vec<String> = texts(service, "clusterIPs").into_iter().map(str::to_owned).collect();
    let mut families: Vec<String> = texts(service, "ipFamilies").into_iter().map(str::to_owned).collect();
    let named = families.len();
    for (i, address) in addresses.iter().enumerate().take_while(|(_, address)| *address != "None").skip(named) {
        let six = names::parse_ip_sloppy(address).is_some_and(|address| address.is_ipv6());
        if six {
            let path = Path::new("spec").child("clusterIPs").index(i);
            errors.push(Error::invalid(&path, json!(addresses), "IPv6 is not configured on this cluster"));
        } else {
            families.push(PRIMARY.to_owned());
        }
    }
    if families.len() > named {
        meta::set(service, &["spec", "ipFamilies"], json!(families));
    }
    errors
}

/// A service without address and selector may name families that the cluster does not have.
fn complete_headless(service: &mut Value) {
    let families = texts(service, "ipFamilies");
    let first = families.first().copied().unwrap_or(PRIMARY);
    let settled = match families.len() {
        0 | 1 if policy(service) != Some(SINGLE) => json!([first, if first == PRIMARY { "IPv6" } else { PRIMARY }]),
        0 => json!([first]),
        _ => return,
    };
    meta::set(service, &["spec", "ipFamilies"], settled);
}

fn not_configured(service: &Value) -> ErrorList {
    let mut errors = ErrorList::new();
    if policy(service) == Some(DUAL) {
        errors.push(policy_error(service, "this cluster is not configured for dual-stack services"));
    }
    let path = Path::new("spec").child("ipFamilies");
    for (i, family) in texts(service, "ipFamilies").into_iter().enumerate().filter(|(_, family)| *family != PRIMARY) {
        errors.push(Error::invalid(&path.index(i), family, "not configured on this cluster"));
    }
    errors
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(spec: Value, old: Option<Value>) -> Result<Value, Vec<String>> {
        let mut service = json!({ "spec": spec });
        let old = old.map(|spec| json!({ "spec": spec }));
        if let Some(old) = &old {
            keep_addresses(&mut service, old);
        }
        normalize(&mut service, old.as_ref());
        settle(&mut service, old.as_ref())
            .map_err(|errors| errors.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        Ok(service["spec"].take())
    }

    #[test]
    fn a_new_service_gets_the_family_of_the_cluster() {
        let spec = settled(json!({"type": "ClusterIP", "selector": {"a": "b"}, "clusterIP": "None"}), None);
        let expected = json!({"type": "ClusterIP", "selector": {"a": "b"}, "clusterIP": "None", "clusterIPs": ["None"],
            "ipFamilies": ["IPv4"], "ipFamilyPolicy": "SingleStack"});
        assert_eq!(spec, Ok(expected));
    }

    #[test]
    fn without_address_and_selector_both_families_are_named() {
        let spec = settled(json!({"clusterIP": "None", "ipFamilies": ["IPv6"]}), None).unwrap_or_default();
        assert_eq!(spec["ipFamilies"], json!(["IPv6", "IPv4"]));
        assert_eq!(spec["ipFamilyPolicy"], "RequireDualStack");
    }

    #[test]
    fn a_family_that_the_cluster_lacks_is_refused() {
        let errors = settled(json!({"ipFamilies": ["IPv6"], "ipFamilyPolicy": "RequireDualStack"}), None);
        let expected = [
            "spec.ipFamilyPolicy: Invalid value: \"RequireDualStack\": this cluster is not configured for dual-stack services",
            "spec.ipFamilies[0]: Invalid value: \"IPv6\": not configured on this cluster",
        ];
        assert_eq!(errors, Err(expected.map(str::to_owned).to_vec()));
    }

    #[test]
    fn an_update_keeps_addresses_that_it_does_not_name() {
        let old = json!({"clusterIP": "10.0.0.5", "clusterIPs": ["10.0.0.5"], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack"});
        assert_eq!(settled(json!({}), Some(old.clone())), Ok(old));
    }

    #[test]
    fn the_list_follows_an_address_that_was_changed_alone() {
        let old = json!({"clusterIP": "10.0.0.5", "clusterIPs": ["10.0.0.5"], "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack"});
        let mut new = old.clone();
        new["clusterIP"] = json!("None");
        let spec = settled(new, Some(old)).unwrap_or_default();
        assert_eq!(spec["clusterIPs"], json!(["None"]));
    }
}
