//! Policy rules at work: which requests they allow, and how messages and reviews show them.

use std::collections::HashSet;

use serde_json::json;

use crate::object::Value;
pub use crate::object::policy::Rule;
use crate::object::policy::{has, has_or_all, missing};

use super::Attributes;

impl Rule {
    /// Whether the rule allows a request.
    pub fn allows(&self, attributes: &Attributes) -> bool {
        if !has_or_all(&self.verbs, &attributes.verb) {
            return false;
        }
        if !attributes.is_resource() {
            return self.urls.iter().any(|url| url_matches(url, &attributes.path));
        }
        has_or_all(&self.groups, &attributes.group)
            && self.allows_resource(&attributes.resource, &attributes.subresource)
            && (self.names.is_empty() || has(&self.names, &attributes.name))
    }

    fn allows_resource(&self, resource: &str, subresource: &str) -> bool {
        self.resources.iter().any(|allowed| {
            if allowed == "*" {
                return true;
            }
            match allowed.split_once('/') {
                None => subresource.is_empty() && allowed == resource,
                Some((of, sub)) => !subresource.is_empty() && sub == subresource && (of == "*" || of == resource),
            }
        })
    }

    /// The rule as a short text, as messages about escalation show it (`CompactString`).
    fn compact(&self) -> String {
        let parts: Vec<String> = [
            ("APIGroups", &self.groups),
            ("Resources", &self.resources),
            ("NonResourceURLs", &self.urls),
            ("ResourceNames", &self.names),
            ("Verbs", &self.verbs),
        ]
        .into_iter()
        .filter(|(_, list)| !list.is_empty())
        .map(|(name, list)| {
            let quoted: Vec<String> = list.iter().map(|text| crate::object::go::quote(text)).collect();
            format!("{name}:[{}]", quoted.join(" "))
        })
        .collect();
        format!("{{{}}}", parts.join(", "))
    }

    /// The rule as `ResourceRule` or `NonResourceRule` of a rules review.
    pub fn reviewed(&self) -> (Option<Value>, Option<Value>) {
        let resources = (!self.resources.is_empty()).then(|| {
            let mut rule = json!({"verbs": self.verbs, "apiGroups": self.groups, "resources": self.resources});
            if !self.names.is_empty() {
                rule["resourceNames"] = json!(self.names);
            }
            rule
        });
        let urls = (!self.urls.is_empty()).then(|| json!({"verbs": self.verbs, "nonResourceURLs": self.urls}));
        (resources, urls)
    }
}

fn url_matches(allowed: &str, path: &str) -> bool {
    allowed == "*"
        || allowed == path
        || allowed.strip_suffix('*').is_some_and(|start| path.starts_with(start.trim_end_matches('*')))
}

/// The pieces of `wanted` that `owned` does not cover, put together again and in the form of messages, sorted
/// (`validation.Covers`, `CompactRules`).
pub fn uncovered(owned: &[Rule], wanted: &[Rule]) -> Vec<String> {
    let mut texts: Vec<String> = compacted(missing(owned, wanted)).iter().map(Rule::compact).collect();
    texts.sort();
    let mut seen = HashSet::new();
    texts.retain(|text| seen.insert(text.clone()));
    texts
}

/// Pieces about the same single resource (and the same single name) become one rule with all their verbs.
fn compacted(pieces: Vec<Rule>) -> Vec<Rule> {
    let mut rules: Vec<Rule> = Vec::new();
    for piece in pieces {
        let same = rules.iter_mut().find(|rule| {
            piece.urls.is_empty()
                && rule.groups == piece.groups
                && rule.resources == piece.resources
                && rule.names == piece.names
                && rule.urls.is_empty()
        });
        match same {
            Some(rule) => {
                let fresh: Vec<String> = piece.verbs.into_iter().filter(|verb| !has(&rule.verbs, verb)).collect();
                rule.verbs.extend(fresh);
            }
            None => rules.push(piece),
        }
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(value: Value) -> Rule {
        Rule::of(&value)
    }

    fn asked(verb: &str, group: &str, resource: &str, subresource: &str, name: &str) -> Attributes {
        Attributes {
            verb: verb.into(),
            group: group.into(),
            resource: resource.into(),
            subresource: subresource.into(),
            name: name.into(),
            resource_request: true,
            ..Attributes::default()
        }
    }

    #[test]
    fn rules_allow_what_they_say() {
        let scale = rule(json!({"verbs": ["*"], "apiGroups": ["apps"], "resources": ["deployments/scale"]}));
        assert!(scale.allows(&asked("update", "apps", "deployments", "scale", "x")));
        assert!(!scale.allows(&asked("get", "apps", "deployments", "", "x")));
        let status = rule(json!({"verbs": ["get"], "apiGroups": ["*"], "resources": ["*/status"]}));
        assert!(status.allows(&asked("get", "", "pods", "status", "x")));
        assert!(!status.allows(&asked("get", "", "pods", "log", "x")));
        let named = rule(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]}));
        assert!(named.allows(&asked("get", "", "pods", "", "a")));
        assert!(!named.allows(&asked("list", "", "pods", "", "")));
        let url = rule(json!({"verbs": ["get"], "nonResourceURLs": ["/foo/*", "/bar"]}));
        let path = |path: &str| Attributes { verb: "get".into(), path: path.into(), ..Attributes::default() };
        assert!(url.allows(&path("/foo/x")) && url.allows(&path("/bar")) && !url.allows(&path("/bar/x")));
    }

    #[test]
    fn what_is_not_covered_is_named() {
        let owned = [rule(json!({"verbs": ["get"], "apiGroups": [""], "resources": ["pods"]}))];
        let wanted =
            [rule(json!({"verbs": ["get", "list", "watch"], "apiGroups": [""], "resources": ["pods", "secrets"]}))];
        assert_eq!(
            uncovered(&owned, &wanted),
            [
                "{APIGroups:[\"\"], Resources:[\"pods\"], Verbs:[\"list\" \"watch\"]}",
                "{APIGroups:[\"\"], Resources:[\"secrets\"], Verbs:[\"get\" \"list\" \"watch\"]}",
            ]
        );
        assert!(
            uncovered(&[rule(json!({"verbs": ["*"], "apiGroups": ["*"], "resources": ["*"]}))], &wanted).is_empty()
        );
    }
}
