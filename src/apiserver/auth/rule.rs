//! Policy rules: what they allow, and whether some of them cover others.

use std::collections::HashSet;

use serde_json::json;

use crate::object::{Value, meta};

use super::Attributes;

/// One rule of a role.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rule {
    /// Verbs, `*` for all.
    pub verbs: Vec<String>,
    /// API groups, `*` for all.
    pub groups: Vec<String>,
    /// Resources with their subresource (`pods/log`), `*` for all, `*/scale` for a subresource of all.
    pub resources: Vec<String>,
    /// Names of objects; empty for all.
    pub names: Vec<String>,
    /// Paths that are no resource, the last `*` standing for any ending.
    pub urls: Vec<String>,
}

fn has(list: &[String], text: &str) -> bool {
    list.iter().any(|item| item == text)
}

fn has_or_all(list: &[String], text: &str) -> bool {
    list.iter().any(|item| item == text || item == "*")
}

impl Rule {
    /// Reads a `PolicyRule`.
    pub fn of(value: &Value) -> Self {
        let texts = |field: &str| -> Vec<String> {
            meta::list_at(value, &[field]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            verbs: texts("verbs"),
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            urls: texts("nonResourceURLs"),
        }
    }

    /// Reads the `rules` of a role.
    pub fn list(role: &Value) -> Vec<Self> {
        meta::list_at(role, &["rules"]).iter().map(Self::of).collect()
    }

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

    /// The rule in pieces of one verb, and one resource in one group or one URL each, in which covering is decided.
    fn pieces(&self) -> Vec<Self> {
        let one = |text: &String| vec![text.clone()];
        let mut pieces = Vec::new();
        for group in &self.groups {
            for resource in &self.resources {
                for verb in &self.verbs {
                    let piece = |names| Self {
                        verbs: one(verb),
                        groups: one(group),
                        resources: one(resource),
                        names,
                        urls: Vec::new(),
                    };
                    if self.names.is_empty() {
                        pieces.push(piece(Vec::new()));
                    }
                    pieces.extend(self.names.iter().map(|name| piece(one(name))));
                }
            }
        }
        for url in &self.urls {
            pieces.extend(self.verbs.iter().map(|verb| Self { verbs: one(verb), urls: one(url), ..Self::default() }));
        }
        pieces
    }

    /// Whether the rule allows all that a piece does.
    fn covers(&self, piece: &Self) -> bool {
        let all = |wanted: &[String], owned: &[String]| has(owned, "*") || wanted.iter().all(|w| has(owned, w));
        let names = if piece.names.is_empty() {
            self.names.is_empty()
        } else {
            self.names.is_empty() || piece.names.iter().all(|name| has(&self.names, name))
        };
        all(&piece.verbs, &self.verbs)
            && all(&piece.groups, &self.groups)
            && self.covers_resources(&piece.resources)
            && names
            && piece
                .urls
                .iter()
                .all(|url| has_or_all(&self.urls, url) || self.urls.iter().any(|owned| url_covers(owned, url)))
    }

    fn covers_resources(&self, wanted: &[String]) -> bool {
        if has(&self.resources, "*") {
            return true;
        }
        wanted.iter().all(|resource| {
            let of_all = resource.split_once('/').map(|(_, sub)| format!("*/{sub}"));
            has(&self.resources, resource) || of_all.is_some_and(|of_all| has(&self.resources, &of_all))
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

fn url_covers(owned: &str, wanted: &str) -> bool {
    owned.strip_suffix('*').is_some_and(|start| wanted.starts_with(start.trim_end_matches('*')))
}

/// The pieces of `wanted` that `owned` does not cover, put together again and in the form of messages, sorted
/// (`validation.Covers`, `CompactRules`).
pub fn uncovered(owned: &[Rule], wanted: &[Rule]) -> Vec<String> {
    let missing: Vec<Rule> =
        wanted.iter().flat_map(Rule::pieces).filter(|piece| !owned.iter().any(|rule| rule.covers(piece))).collect();
    let mut texts: Vec<String> = compacted(missing).iter().map(Rule::compact).collect();
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
