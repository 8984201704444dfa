//! Nobody gives away permissions that they do not have: roles and bindings are checked when they are written
//! (`policybased` storage of the RBAC API group).

use futures_util::future::BoxFuture;
use serde_json::json;

use crate::object::{Status, Value, go, meta};

use super::rbac::RoleRef;
use super::rule::{Rule, uncovered};
use super::{Attributes as Asked, MASTERS, UserInfo};
use crate::apiserver::admission::{Attributes, Operation, Plugin};
use crate::apiserver::core::Core;

const GROUP: &str = "rbac.authorization.k8s.io";

/// The check, which stands last among the plugins that change objects: it must see the object as it is stored.
pub struct EscalationCheck;

impl Plugin for EscalationCheck {
    fn name(&self) -> &'static str {
        "RBACEscalation"
    }

    fn admit<'a>(&'a self, core: &'a Core, attributes: &'a mut Attributes) -> BoxFuture<'a, Result<(), Status>> {
        Box::pin(std::future::ready(check(core, attributes)))
    }
}

fn check(core: &Core, attributes: &Attributes) -> Result<(), Status> {
    let writes = matches!(attributes.operation, Operation::Create | Operation::Update);
    if !writes || attributes.resource.group() != GROUP || attributes.user.in_group(MASTERS) {
        return Ok(());
    }
    let Some(object) = &attributes.object else { return Ok(()) };
    if attributes.old.as_ref().is_some_and(|old| only_collected(object, old)) {
        return Ok(());
    }
    match attributes.resource.plural() {
        "roles" | "clusterroles" => check_role(core, attributes, object),
        _ => check_binding(core, attributes, object),
    }
}

/// Whether nothing changes but what garbage collection needs: owners and finalizers.
fn only_collected(object: &Value, old: &Value) -> bool {
    let strip = |value: &Value| {
        let mut value = value.clone();
        for name in ["ownerReferences", "finalizers", "managedFields", "resourceVersion"] {
            meta::remove(&mut value, &["metadata", name]);
        }
        value
    };
    let collected = |value: &Value, name| meta::get(value, &["metadata", name]).cloned();
    let changes = ["ownerReferences", "finalizers"].iter().any(|name| collected(object, name) != collected(old, name));
    changes && strip(object) == strip(old)
}

/// Whether the user has a permission on the role itself that makes the check superfluous.
fn may(core: &Core, attributes: &Attributes, verb: &str, resource: &str, name: &str) -> bool {
    let asked = Asked {
        verb: verb.into(),
        group: GROUP.into(),
        version: "*".into(),
        resource: resource.into(),
        namespace: attributes.namespace.clone(),
        name: name.into(),
        resource_request: true,
        ..Asked::default()
    };
    core.auth.decide(core, &attributes.user, &asked).allowed
}

fn check_role(core: &Core, attributes: &Attributes, role: &Value) -> Result<(), Status> {
    let name = if attributes.operation == Operation::Create { meta::name(role) } else { &attributes.name };
    if may(core, attributes, "escalate", attributes.resource.plural(), name) {
        return Ok(());
    }
    confirm(core, attributes, &Rule::list(role)).map_err(|why| refusal(attributes, role, &why))?;
    let aggregates = !meta::list_at(role, &["aggregationRule", "clusterRoleSelectors"]).is_empty();
    if aggregates && confirm(core, attributes, &everything()).is_err() {
        let why = "must have cluster-admin privileges to use the aggregationRule";
        return Err(refusal(attributes, role, why));
    }
    Ok(())
}

fn check_binding(core: &Core, attributes: &Attributes, binding: &Value) -> Result<(), Status> {
    let part = |field| meta::str_at(binding, &["roleRef", field]).to_owned();
    let role = RoleRef { kind: part("kind"), name: part("name") };
    let resource = match role.kind.as_str() {
        "ClusterRole" => "clusterroles",
        "Role" => "roles",
        _ => "",
    };
    if !resource.is_empty() && may(core, attributes, "bind", resource, &role.name) {
        return Ok(());
    }
    let rules = core.auth.rbac().rules_of(&core.store, &role, &attributes.namespace).map_err(|_| {
        let what = if role.kind == "ClusterRole" { "clusterrole" } else { "role" };
        Status::not_found(GROUP, what, &role.name)
    })?;
    confirm(core, attributes, &rules).map_err(|why| refusal(attributes, binding, &why))
}

fn everything() -> Vec<Rule> {
    let all = json!({"rules": [
        {"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]},
        {"verbs": ["*"], "nonResourceURLs": ["*"]},
    ]});
    Rule::list(&all)
}

fn refusal(attributes: &Attributes, object: &Value, why: &str) -> Status {
    Status::forbidden(GROUP, attributes.resource.plural(), meta::name(object), why)
}

/// Whether the user's own rules cover `rules`; what is missing otherwise.
fn confirm(core: &Core, attributes: &Attributes, rules: &[Rule]) -> Result<(), String> {
    let user: &UserInfo = &attributes.user;
    let (owned, missing_roles) = core.auth.rbac().rules_for(&core.store, user, &attributes.namespace);
    let missing = uncovered(&owned, rules);
    if missing.is_empty() {
        return Ok(());
    }
    let groups: Vec<String> = user.groups.iter().map(|group| go::quote(group)).collect();
    let mut why = format!(
        "user {} (groups=[{}]) is attempting to grant RBAC permissions not currently held:\n{}",
        go::quote(&user.name),
        groups.join(" "),
        missing.join("\n")
    );
    if !missing_roles.is_empty() {
        why.push_str(&format!("; resolution errors: [{}]", missing_roles.join(" ")));
    }
    Err(why)
}
