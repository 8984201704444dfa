//! What is to be done about a role or a binding: the object as it has to be, and what it lacked.

use crate::object::policy::{Rule, missing};
use crate::object::{Value, meta};
use serde_json::json;

/// An object that says `false` here is left alone.
const AUTO_UPDATE: &str = "rbac.authorization.kubernetes.io/autoupdate";

/// The write that is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// None.
    None,
    /// It does not exist.
    Create,
    /// It lacks something.
    Update,
    /// It is bound to another role, which cannot be changed.
    Recreate,
}

/// What came of comparing an object with what is expected of it.
#[derive(Debug)]
pub struct Outcome {
    /// The object as it has to be.
    pub object: Value,
    /// How it gets so.
    pub operation: Operation,
    /// Whether the object must be left alone.
    pub protected: bool,
    /// `rules` or `subjects`.
    parts: &'static str,
    /// What was missing, in Go's form.
    missing: Vec<String>,
    /// What is there beyond.
    extra: Vec<String>,
}

/// Whether the object binds subjects to a role.
pub fn is_binding(object: &Value) -> bool {
    meta::kind(object).ends_with("Binding")
}

impl Outcome {
    /// Compares; `remove` takes away what the existing object has beyond the expected one.
    pub fn of(existing: Option<&Value>, expected: &Value, remove: bool) -> Self {
        let binding = is_binding(expected);
        let parts = if binding { "subjects" } else { "rules" };
        let mut outcome = Self {
            object: expected.clone(),
            operation: Operation::Create,
            protected: false,
            parts,
            missing: Vec::new(),
            extra: Vec::new(),
        };
        let Some(existing) = existing else {
            outcome.missing = meta::list_at(expected, &[parts])
                .iter()
                .map(|part| if binding { Subject::of(part).text() } else { rule_text(&Rule::of(part)) })
                .collect();
            return outcome;
        };
        outcome.protected = meta::annotation(existing, AUTO_UPDATE) == Some("false");
        if binding && role_ref(existing) != role_ref(expected) {
            outcome.operation = Operation::Recreate;
            return outcome;
        }
        outcome.object = existing.clone();
        outcome.operation = Operation::None;
        for field in ["annotations", "labels"] {
            outcome.merge(existing, expected, field);
        }
        if binding {
            outcome.subjects(existing, expected, remove);
        } else {
            outcome.rules(existing, expected, remove);
            outcome.aggregation(existing, expected, remove);
        }
        outcome
    }

    fn set(&mut self, field: &str, value: Value) {
        self.object[field] = value;
        self.operation = Operation::Update;
    }

    /// Adds the expected labels or annotations that the object does not have; those it has stay as they are.
    fn merge(&mut self, existing: &Value, expected: &Value, field: &str) {
        let path = ["metadata", field];
        let Some(expected) = meta::map_at(expected, &path) else { return };
        let mut merged = expected.clone();
        let known = meta::map_at(existing, &path);
        merged.extend(known.into_iter().flatten().map(|(key, value)| (key.clone(), value.clone())));
        if known != Some(&merged) && !merged.is_empty() {
            meta::set(&mut self.object, &path, merged);
            self.operation = Operation::Update;
        }
    }

    fn rules(&mut self, existing: &Value, expected: &Value, remove: bool) {
        let (owned, wanted) = (Rule::list(existing), Rule::list(expected));
        let aggregated = |role: &Value| selectors(role).is_some();
        // What an aggregated role allows comes from other roles.
        let extra = match aggregated(expected) && aggregated(existing) {
            true => Vec::new(),
            false => missing(&wanted, &owned),
        };
        let lacking = missing(&owned, &wanted);
        self.missing = lacking.iter().map(rule_text).collect();
        self.extra = extra.iter().map(rule_text).collect();
        if !remove && !lacking.is_empty() {
            let mut rules = meta::list_at(existing, &["rules"]).to_vec();
            rules.extend(lacking.iter().map(rule_value));
            self.set("rules", rules.into());
        } else if remove && !(lacking.is_empty() && extra.is_empty()) {
            self.set("rules", expected.get("rules").cloned().unwrap_or_default());
        }
    }

    fn aggregation(&mut self, existing: &Value, expected: &Value, remove: bool) {
        let (Some(wanted), owned) = (selectors(expected), selectors(existing)) else {
            if selectors(existing).is_some() {
                meta::remove(&mut self.object, &["aggregationRule"]);
                self.operation = Operation::Update;
            }
            return;
        };
        let lacking: Vec<Value> =
            wanted.iter().filter(|one| !owned.unwrap_or_default().contains(one)).cloned().collect();
        let extra = owned.unwrap_or_default().iter().any(|one| !wanted.contains(one));
        if !remove && !lacking.is_empty() {
            let mut all = owned.unwrap_or_default().to_vec();
            all.extend(lacking);
            self.set("aggregationRule", json!({"clusterRoleSelectors": all}));
        } else if remove && (extra || !lacking.is_empty()) {
            self.set("aggregationRule", expected["aggregationRule"].clone());
        }
    }

    fn subjects(&mut self, existing: &Value, expected: &Value, remove: bool) {
        let subjects =
            |object: &Value| -> Vec<Subject> { meta::list_at(object, &["subjects"]).iter().map(Subject::of).collect() };
        let (owned, wanted) = (subjects(existing), subjects(expected));
        let (lacking, extra) = (only(&wanted, &owned), only(&owned, &wanted));
        self.missing = lacking.iter().map(Subject::text).collect();
        self.extra = extra.iter().map(Subject::text).collect();
        if !remove && !lacking.is_empty() {
            let mut all = meta::list_at(existing, &["subjects"]).to_vec();
            all.extend(lacking.iter().map(Subject::value));
            self.set("subjects", all.into());
        } else if remove && !(lacking.is_empty() && extra.is_empty()) {
            self.set("subjects", expected.get("subjects").cloned().unwrap_or_default());
        }
    }

    /// What is told of it besides the object.
    pub fn report(&self, removed: bool) -> String {
        let operation = match self.operation {
            Operation::None => return String::new(),
            Operation::Create => "create",
            Operation::Update => "update",
            Operation::Recreate => "recreate",
        };
        let caveat =
            if self.protected { format!(", but object opted out ({AUTO_UPDATE}: false)") } else { String::new() };
        let mut text = format!("\treconciliation required {operation}{caveat}\n");
        let mut list = |heading: String, items: &[String]| {
            if !items.is_empty() {
                text.push_str(&format!("\t{heading}:\n"));
                items.iter().for_each(|item| text.push_str(&format!("\t\t{item}\n")));
            }
        };
        list(format!("missing {} added", self.parts), &self.missing);
        if removed {
            list(format!("extra {} removed", self.parts), &self.extra);
        }
        text
    }
}

/// The selectors of the roles that a role gathers; `None` when it gathers none.
fn selectors(role: &Value) -> Option<&[Value]> {
    let rule = role.get("aggregationRule").filter(|rule| !rule.is_null())?;
    Some(meta::list_at(rule, &["clusterRoleSelectors"]))
}

fn role_ref(binding: &Value) -> [&str; 3] {
    ["apiGroup", "kind", "name"].map(|field| meta::str_at(binding, &["roleRef", field]))
}

fn rule_text(rule: &Rule) -> String {
    let list = |texts: &[String]| texts.join(" ");
    format!(
        "{{Verbs:[{}] APIGroups:[{}] Resources:[{}] ResourceNames:[{}] NonResourceURLs:[{}]}}",
        list(&rule.verbs),
        list(&rule.groups),
        list(&rule.resources),
        list(&rule.names),
        list(&rule.urls)
    )
}

fn rule_value(rule: &Rule) -> Value {
    let mut value = json!({"verbs": rule.verbs});
    for (field, texts) in [
        ("apiGroups", &rule.groups),
        ("resources", &rule.resources),
        ("resourceNames", &rule.names),
        ("nonResourceURLs", &rule.urls),
    ] {
        if !texts.is_empty() {
            value[field] = json!(texts);
        }
    }
    value
}

/// Whom a binding is about.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Subject([String; 4]);

impl Subject {
    const FIELDS: [(&'static str, &'static str); 4] =
        [("kind", "Kind"), ("apiGroup", "APIGroup"), ("name", "Name"), ("namespace", "Namespace")];

    fn of(value: &Value) -> Self {
        Self(Self::FIELDS.map(|(field, _)| meta::str_at(value, &[field]).to_owned()))
    }

    fn text(&self) -> String {
        let fields = Self::FIELDS.iter().zip(&self.0).map(|((_, name), text)| format!("{name}:{text}"));
        format!("{{{}}}", fields.collect::<Vec<_>>().join(" "))
    }

    fn value(&self) -> Value {
        let fields = Self::FIELDS.iter().zip(&self.0).filter(|(_, text)| !text.is_empty());
        fields.map(|((field, _), text)| ((*field).to_owned(), Value::from(text.as_str()))).collect()
    }
}

/// The subjects of the first list that are not in the second, each once.
fn only(list: &[Subject], other: &[Subject]) -> Vec<Subject> {
    let mut only: Vec<Subject> = Vec::new();
    for subject in list {
        if !other.contains(subject) && !only.contains(subject) {
            only.push(subject.clone());
        }
    }
    only
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(rules: Value) -> Value {
        json!({"kind": "ClusterRole", "metadata": {"name": "r"}, "rules": rules})
    }

    #[test]
    fn rules_are_added_or_taken_away() {
        let existing = role(json!([{"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "nodes"]}]));
        let expected = role(json!([{"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}]));
        let added = Outcome::of(Some(&existing), &expected, false);
        assert_eq!(
            added.report(false),
            "\treconciliation required update\n\tmissing rules added:\n\t\t{Verbs:[list] APIGroups:[] \
             Resources:[pods] ResourceNames:[] NonResourceURLs:[]}\n"
        );
        assert_eq!(meta::list_at(&added.object, &["rules"]).len(), 2);
        let removed = Outcome::of(Some(&existing), &expected, true);
        assert_eq!(removed.object["rules"], expected["rules"]);
        assert!(removed.report(true).contains("extra rules removed:\n\t\t{Verbs:[get] APIGroups:[] Resources:[nodes]"));
        assert_eq!(Outcome::of(Some(&existing), &existing, true).operation, Operation::None);
    }

    #[test]
    fn what_opted_out_is_told_but_not_written() {
        let mut existing = role(json!([]));
        meta::set(&mut existing, &["metadata", "annotations"], json!({(AUTO_UPDATE): "false"}));
        let mut expected = role(json!([]));
        meta::set(&mut expected, &["metadata", "labels"], json!({"a": "b"}));
        let outcome = Outcome::of(Some(&existing), &expected, false);
        assert!(outcome.protected);
        assert_eq!(
            outcome.report(false),
            format!("\treconciliation required update, but object opted out ({AUTO_UPDATE}: false)\n")
        );
    }

    #[test]
    fn aggregation_is_compared_by_selectors() {
        let aggregated = |labels: &[&str]| {
            let selectors: Vec<Value> = labels.iter().map(|label| json!({"matchLabels": {(*label): "x"}})).collect();
            json!({"kind": "ClusterRole", "aggregationRule": {"clusterRoleSelectors": selectors}, "metadata": {}})
        };
        let union = Outcome::of(Some(&aggregated(&["a"])), &aggregated(&["b"]), false);
        assert_eq!(union.object["aggregationRule"], aggregated(&["a", "b"])["aggregationRule"]);
        let exact = Outcome::of(Some(&aggregated(&["a", "b"])), &aggregated(&["b"]), true);
        assert_eq!(exact.object["aggregationRule"], aggregated(&["b"])["aggregationRule"]);
        let none = Outcome::of(Some(&aggregated(&["a"])), &role(json!([])), false);
        assert_eq!(none.object.get("aggregationRule"), None);
        assert_eq!(none.operation, Operation::Update);
    }

    #[test]
    fn bindings_to_another_role_are_made_anew() {
        let binding = |role: &str, user: &str| {
            json!({"kind": "RoleBinding", "metadata": {}, "roleRef": {"name": role},
                "subjects": [{"kind": "User", "name": user}]})
        };
        let outcome = Outcome::of(Some(&binding("a", "x")), &binding("b", "x"), false);
        assert_eq!(outcome.report(false), "\treconciliation required recreate\n");
        let outcome = Outcome::of(Some(&binding("a", "x")), &binding("a", "y"), true);
        assert_eq!(
            outcome.report(true),
            "\treconciliation required update\n\tmissing subjects added:\n\t\t{Kind:User APIGroup: Name:y \
             Namespace:}\n\textra subjects removed:\n\t\t{Kind:User APIGroup: Name:x Namespace:}\n"
        );
    }
}
