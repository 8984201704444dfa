//! Roles and role bindings.

use super::text::{self};
use super::{Describer, Error, Subject, Writer};
use crate::object::{Value, go, meta};

const GROUP: &str = "rbac.authorization.k8s.io";

pub(super) const TABLE: &[Describer] = &[
    Describer::new(GROUP, "ClusterRole", role).eventless(),
    Describer::new(GROUP, "ClusterRoleBinding", binding).eventless(),
    Describer::new(GROUP, "Role", role).eventless(),
    Describer::new(GROUP, "RoleBinding", binding).eventless(),
];

/// A rule taken apart: one resource of one group with at most one name, or one URL.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Rule {
    resource: Option<(String, String)>,
    name: Option<String>,
    url: Option<String>,
    verbs: Vec<String>,
}

fn bracketed(item: Option<&str>) -> String {
    format!("[{}]", item.unwrap_or_default())
}

impl Rule {
    /// The text by which Go orders rules.
    fn order(&self) -> String {
        let part = |text: Option<&String>| bracketed(text.map(String::as_str));
        format!(
            "&PolicyRule{{Verbs:[{}],APIGroups:{},Resources:{},ResourceNames:{},NonResourceURLs:{},}}",
            self.verbs.join(" "),
            part(self.resource.as_ref().map(|(group, _)| group)),
            part(self.resource.as_ref().map(|(_, resource)| resource)),
            part(self.name.as_ref()),
            part(self.url.as_ref())
        )
    }

    /// `deployments.apps/scale`: the group stands before the subresource.
    fn resource_text(&self) -> String {
        let Some((group, resource)) = &self.resource else { return String::new() };
        let (base, sub) = resource.split_once('/').map_or((resource.as_str(), None), |(base, sub)| (base, Some(sub)));
        let group = if group.is_empty() { String::new() } else { format!(".{group}") };
        format!("{base}{group}{}", sub.map(|sub| format!("/{sub}")).unwrap_or_default())
    }
}

/// Takes rules apart and puts together again those that differ only in their verbs.
fn compact(rules: &[Value]) -> Vec<Rule> {
    let mut whole: Vec<Rule> = Vec::new();
    let mut add = |rule: Rule, verb: &str| {
        let same = whole.iter_mut().find(|known| {
            rule.url.is_none() && known.resource == rule.resource && known.name == rule.name && known.url.is_none()
        });
        match same {
            Some(known) if known.verbs.iter().any(|v| v == verb) => {}
            Some(known) => known.verbs.push(verb.to_owned()),
            None => whole.push(Rule { verbs: vec![verb.to_owned()], ..rule }),
        }
    };
    for rule in rules {
        let list = |field: &str| text::texts(rule, &[field]);
        let names: Vec<Option<&str>> = match list("resourceNames") {
            names if names.is_empty() => vec![None],
            names => names.into_iter().map(Some).collect(),
        };
        for group in list("apiGroups") {
            for resource in list("resources") {
                for verb in list("verbs") {
                    for name in &names {
                        let resource = Some((group.to_owned(), resource.to_owned()));
                        add(Rule { resource, name: name.map(str::to_owned), ..Rule::default() }, verb);
                    }
                }
            }
        }
        for url in list("nonResourceURLs") {
            for verb in list("verbs") {
                add(Rule { url: Some(url.to_owned()), ..Rule::default() }, verb);
            }
        }
    }
    whole.sort_by_key(Rule::order);
    whole
}

fn role(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    text::labels(w, object);
    text::object_annotations(w, object);
    w.line(0, "PolicyRule:");
    w.line(1, "Resources\tNon-Resource URLs\tResource Names\tVerbs");
    w.line(1, "---------\t-----------------\t--------------\t-----");
    for rule in compact(meta::list_at(object, &["rules"])) {
        let (url, name) = (bracketed(rule.url.as_deref()), bracketed(rule.name.as_deref()));
        let verbs: Vec<Value> = rule.verbs.iter().map(|verb| Value::from(verb.as_str())).collect();
        w.line(1, format_args!("{}\t{url}\t{name}\t{}", rule.resource_text(), go::list_text(&verbs)));
    }
    Ok(())
}

fn binding(subject: &Subject<'_>, w: &mut Writer) -> Result<(), Error> {
    let object = subject.object;
    w.field(0, "Name", meta::name(object));
    text::labels(w, object);
    text::object_annotations(w, object);
    w.line(0, "Role:");
    w.field(1, "Kind", meta::str_at(object, &["roleRef", "kind"]));
    w.field(1, "Name", meta::str_at(object, &["roleRef", "name"]));
    w.line(0, "Subjects:");
    w.line(1, "Kind\tName\tNamespace");
    w.line(1, "----\t----\t---------");
    for subject in meta::list_at(object, &["subjects"]) {
        let part = |field: &str| meta::str_at(subject, &[field]);
        w.line(1, format_args!("{}\t{}\t{}", part("kind"), part("name"), part("namespace")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn rules_are_put_together_by_resource() {
        let rules = [
            json!({"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["get"]}),
            json!({"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["update", "get"]}),
            json!({"nonResourceURLs": ["/healthz"], "verbs": ["get", "head"]}),
        ];
        let shown: Vec<(String, Vec<String>)> =
            compact(&rules).into_iter().map(|rule| (rule.resource_text(), rule.verbs)).collect();
        assert_eq!(
            shown,
            [
                ("deployments.apps/scale".to_owned(), vec!["get".to_owned(), "update".to_owned()]),
                (String::new(), vec!["get".to_owned()]),
                (String::new(), vec!["head".to_owned()]),
            ]
        );
    }
}
