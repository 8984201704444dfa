//! Role-based access control over the stored roles and bindings.

use std::ops::Bound;

use crate::apiserver::mirror::{Items, Mirror};
use crate::apiserver::store::{Entry, Store};
use crate::object::{Value, go, meta};

use super::rule::Rule;
use super::{Attributes, Decision, UserInfo};

/// Where cluster-wide roles are kept.
const CLUSTER_ROLES: &str = "/registry/clusterroles/";
/// Where the roles of namespaces are kept.
const ROLES: &str = "/registry/roles/";
/// Where cluster-wide bindings are kept.
const CLUSTER_BINDINGS: &str = "/registry/clusterrolebindings/";
/// Where the bindings of namespaces are kept.
const BINDINGS: &str = "/registry/rolebindings/";

/// The role that a binding names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleRef {
    /// `Role` or `ClusterRole`.
    pub kind: String,
    /// Name.
    pub name: String,
}

/// Someone whom a binding names.
struct Subject {
    kind: String,
    name: String,
    namespace: String,
}

impl Subject {
    fn of(value: &Value) -> Self {
        let text = |field| meta::str_at(value, &[field]).to_owned();
        Self { kind: text("kind"), name: text("name"), namespace: text("namespace") }
    }

    fn is(&self, user: &UserInfo, namespace: &str) -> bool {
        match self.kind.as_str() {
            "User" => user.name == self.name,
            "Group" => user.in_group(&self.name),
            "ServiceAccount" => {
                let own = self.namespace(namespace);
                let name = user.name.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
                !own.is_empty() && name == Some((own, &self.name))
            }
            _ => false,
        }
    }

    fn namespace<'a>(&'a self, binding: &'a str) -> &'a str {
        if self.namespace.is_empty() { binding } else { &self.namespace }
    }

    fn describe(&self, namespace: &str) -> String {
        match self.kind.as_str() {
            "ServiceAccount" => {
                format!("{} {}", self.kind, go::quote(&format!("{}/{}", self.name, self.namespace(namespace))))
            }
            _ => format!("{} {}", self.kind, go::quote(&self.name)),
        }
    }
}

struct Binding {
    name: String,
    namespace: String,
    role: RoleRef,
    subjects: Vec<Subject>,
}

impl Binding {
    fn of(entry: &Entry) -> Self {
        let object = entry.object("", "");
        let role = |field| meta::str_at(&object, &["roleRef", field]).to_owned();
        Self {
            name: meta::name(&object).to_owned(),
            namespace: meta::namespace(&object).to_owned(),
            role: RoleRef { kind: role("kind"), name: role("name") },
            subjects: meta::list_at(&object, &["subjects"]).iter().map(Subject::of).collect(),
        }
    }

    fn describe(&self, subject: &Subject) -> String {
        let (kind, name) = match self.namespace.as_str() {
            "" => ("ClusterRoleBinding", self.name.clone()),
            namespace => ("RoleBinding", format!("{}/{namespace}", self.name)),
        };
        format!(
            "{kind} {} of {} {} to {}",
            go::quote(&name),
            self.role.kind,
            go::quote(&self.role.name),
            subject.describe(&self.namespace)
        )
    }
}

/// What looks at the bindings of a user with the rules of their roles; true ends the walk.
type Visitor<'a> = &'a mut dyn FnMut(&Binding, &Subject, Result<&[Rule], NoRole>) -> bool;

/// The rules of all roles, ready to be asked.
pub struct Rbac {
    roles: Mirror<Vec<Rule>>,
    cluster_bindings: Mirror<Binding>,
    bindings: Mirror<Binding>,
}

impl Default for Rbac {
    fn default() -> Self {
        Self {
            roles: Mirror::new(&[CLUSTER_ROLES, ROLES], |entry| Rule::list(&entry.object("", ""))),
            cluster_bindings: Mirror::new(&[CLUSTER_BINDINGS], Binding::of),
            bindings: Mirror::new(&[BINDINGS], Binding::of),
        }
    }
}

/// The rules of a role that could not be found; its text is the one of messages.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}.rbac.authorization.k8s.io {name} not found", name = go::quote(.1))]
pub struct NoRole(&'static str, String);

fn rules_of<'a>(roles: &'a Items<Vec<Rule>>, role: &RoleRef, namespace: &str) -> Result<&'a [Rule], NoRole> {
    let (key, what) = match role.kind.as_str() {
        "ClusterRole" => (format!("{CLUSTER_ROLES}{}", role.name), "clusterrole"),
        _ => (format!("{ROLES}{namespace}/{}", role.name), "role"),
    };
    roles.get(key.as_str()).map(|rules| rules.as_slice()).ok_or_else(|| NoRole(what, role.name.clone()))
}

impl Rbac {
    /// The rules of a role.
    ///
    /// # Errors
    ///
    /// When there is no such role.
    pub fn rules_of(&self, store: &Store, role: &RoleRef, namespace: &str) -> Result<Vec<Rule>, NoRole> {
        rules_of(&self.roles.items(store), role, namespace).map(<[Rule]>::to_vec)
    }

    /// Walks through all that applies to a user in a namespace (cluster-wide only for the empty one), until `visit`
    /// returns true.
    fn visit(&self, store: &Store, user: &UserInfo, namespace: &str, visit: Visitor<'_>) {
        let roles = self.roles.items(store);
        for binding in self.cluster_bindings.items(store).values() {
            let Some(subject) = binding.subjects.iter().find(|subject| subject.is(user, "")) else { continue };
            if visit(binding, subject, rules_of(&roles, &binding.role, "")) {
                return;
            }
        }
        if namespace.is_empty() {
            return;
        }
        let start = format!("{BINDINGS}{namespace}/");
        let items = self.bindings.items(store);
        let own = items
            .range::<str, _>((Bound::Included(start.as_str()), Bound::Unbounded))
            .take_while(|(key, _)| key.starts_with(&start));
        for (_, binding) in own {
            let Some(subject) = binding.subjects.iter().find(|s| s.is(user, &binding.namespace)) else { continue };
            if visit(binding, subject, rules_of(&roles, &binding.role, &binding.namespace)) {
                return;
            }
        }
    }

    /// Decides.
    pub fn decide(&self, store: &Store, user: &UserInfo, attributes: &Attributes) -> Decision {
        let mut allowed = None;
        let mut missing: Vec<String> = Vec::new();
        self.visit(store, user, &attributes.namespace, &mut |binding, subject, rules| match rules {
            Ok(rules) if rules.iter().any(|rule| rule.allows(attributes)) => {
                allowed = Some(format!("RBAC: allowed by {}", binding.describe(subject)));
                true
            }
            Ok(_) => false,
            Err(none) => {
                let text = none.to_string();
                if !missing.contains(&text) {
                    missing.push(text);
                }
                false
            }
        });
        match (allowed, missing.as_slice()) {
            (Some(reason), _) => Decision { allowed: true, reason },
            (None, []) => Decision::default(),
            (None, [one]) => Decision { allowed: false, reason: format!("RBAC: {one}") },
            (None, all) => Decision { allowed: false, reason: format!("RBAC: [{}]", all.join(", ")) },
        }
    }

    /// All rules that apply to a user in a namespace, and what was missing.
    pub fn rules_for(&self, store: &Store, user: &UserInfo, namespace: &str) -> (Vec<Rule>, Vec<String>) {
        let (mut all, mut missing) = (Vec::new(), Vec::new());
        self.visit(store, user, namespace, &mut |_, _, rules| {
            match rules {
                Ok(rules) => all.extend_from_slice(rules),
                Err(none) => missing.push(none.to_string()),
            }
            false
        });
        (all, missing)
    }
}
