//! Checks of CEL expressions before they are stored: syntax, names, types.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::expressions::types::Structure;
use crate::expressions::{Environment, Type};
use crate::object::field::{Error, ErrorList, Path};

/// Words of CEL that cannot be names.
const RESERVED: [&str; 4] = ["true", "false", "null", "in"];

/// What an expression may use besides the objects and the request.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Whether there are parameters.
    pub params: bool,
    /// Whether authorization can be asked about.
    pub authorizer: bool,
    /// Names below `variables`.
    pub variables: &'a [String],
}

fn structure(name: &str, fields: &[(&str, Type)]) -> Type {
    let fields: BTreeMap<String, Type> =
        fields.iter().map(|(name, type_)| ((*name).to_owned(), type_.clone())).collect();
    Type::Structure(Arc::new(Structure { name: name.to_owned(), fields: Some(fields) }))
}

/// `request` as expressions see it.
fn request() -> Type {
    let texts = |name: &str, fields: [&str; 3]| structure(name, &fields.map(|field| (field, Type::String)));
    let kind = texts("kubernetes.GroupVersionKind", ["group", "version", "kind"]);
    let resource = texts("kubernetes.GroupVersionResource", ["group", "version", "resource"]);
    let user = [
        ("username", Type::String),
        ("uid", Type::String),
        ("groups", Type::list(Type::String)),
        ("extra", Type::map(Type::list(Type::String))),
    ];
    let fields = [
        ("kind", kind.clone()),
        ("resource", resource.clone()),
        ("subResource", Type::String),
        ("requestKind", kind),
        ("requestResource", resource),
        ("requestSubResource", Type::String),
        ("name", Type::String),
        ("namespace", Type::String),
        ("operation", Type::String),
        ("userInfo", structure("kubernetes.UserInfo", &user)),
        ("dryRun", Type::Bool),
        ("options", Type::Dyn),
    ];
    structure("kubernetes.AdmissionRequest", &fields)
}

/// `namespaceObject` as expressions see it.
fn namespace() -> Type {
    let texts = Type::map(Type::String);
    let metadata = [
        ("name", Type::String),
        ("generateName", Type::String),
        ("namespace", Type::String),
        ("labels", texts.clone()),
        ("annotations", texts),
        ("UID", Type::String),
        ("creationTimestamp", Type::Timestamp),
        ("deletionGracePeriodSeconds", Type::Int),
        ("deletionTimestamp", Type::Timestamp),
        ("generation", Type::Int),
        ("resourceVersion", Type::String),
        ("finalizers", Type::list(Type::String)),
    ];
    let fields = [
        ("metadata", structure("kubernetes.NamespaceMetadata", &metadata)),
        ("spec", structure("kubernetes.NamespaceSpec", &[("finalizers", Type::list(Type::String))])),
        ("status", structure("kubernetes.NamespaceStatus", &[("phase", Type::String)])),
    ];
    structure("kubernetes.Namespace", &fields)
}

impl Scope<'_> {
    fn environment(&self) -> Environment {
        let mut all = Environment::default()
            .with("object", Type::Dyn)
            .with("oldObject", Type::Dyn)
            .with("request", request())
            .with("namespaceObject", namespace());
        if self.params {
            all = all.with("params", Type::Dyn);
        }
        if self.authorizer {
            all = all
                .with("authorizer", Type::Opaque("kubernetes.authorization.Authorizer"))
                .with("authorizer.requestResource", Type::Opaque("kubernetes.authorization.ResourceCheck"));
        }
        if !self.variables.is_empty() {
            let fields: Vec<(&str, Type)> = self.variables.iter().map(|name| (name.as_str(), Type::Dyn)).collect();
            all = all.with("variables", structure("kubernetes.variables", &fields));
        }
        all
    }
}

/// Whether a text can be the name of a variable.
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') && !RESERVED.contains(&text)
}

/// Compiles an expression and adds what is wrong with it. `types` are those that it may come out as, any when empty.
pub fn check(errors: &mut ErrorList, path: &Path, text: &str, scope: Scope<'_>, types: &[&str]) {
    check_in(errors, path, text, &scope.environment(), types);
}

/// The same for the expression of a mutation, which makes structures.
pub fn check_mutation(errors: &mut ErrorList, path: &Path, text: &str, scope: Scope<'_>, type_: &str) {
    check_in(errors, path, text, &scope.environment().with_structures(), &[type_]);
}

fn check_in(errors: &mut ErrorList, path: &Path, text: &str, environment: &Environment, types: &[&str]) {
    let compiled = match environment.compile(text) {
        Ok(compiled) => compiled,
        Err(why) => {
            errors.push(Error::invalid(path, text, format!("compilation failed: {why}")));
            return;
        }
    };
    let found = match compiled.result {
        Type::Null => "null_type".to_owned(),
        other => other.to_string(),
    };
    if types.is_empty() || types.contains(&found.as_str()) {
        return;
    }
    let wanted = match types {
        [one] => (*one).to_owned(),
        many => format!("one of [{}]", many.join(" ")),
    };
    errors.push(Error::invalid(path, text, format!("must evaluate to {wanted} but got {found}")));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, types: &[&str]) -> Vec<String> {
        let mut errors = ErrorList::new();
        let scope = Scope { params: false, authorizer: true, variables: &[] };
        check(&mut errors, &Path::new("e"), text, scope, types);
        errors.into_iter().map(|error| error.detail).collect()
    }

    #[test]
    fn names_and_types_are_checked() {
        assert!(problems("object.spec.replicas <= 5", &["bool"]).is_empty());
        assert!(problems("object.items.all(x, x > 1)", &["bool"]).is_empty());
        assert_eq!(problems("1", &["bool"]), ["must evaluate to bool but got int"]);
        assert_eq!(problems("5", &["string", "null_type"]), ["must evaluate to one of [string null_type] but got int"]);
        assert_eq!(
            problems("true &&\n params.x == 1", &["bool"]),
            [
                "compilation failed: ERROR: <input>:2:2: undeclared reference to 'params' (in container '')\n |  params.x == 1\n | .^"
            ]
        );
    }

    #[test]
    fn syntax_errors_show_the_place() {
        let found = problems("nope(", &["bool"]);
        assert!(found[0].starts_with("compilation failed: ERROR: <input>:1:6: Syntax error: "), "{found:?}");
        assert!(found[0].ends_with("\n | nope(\n | .....^"), "{found:?}");
    }
}
