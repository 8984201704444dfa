//! Policy rules of roles: what they say, and whether some of them cover others.

use super::{Value, meta};

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

/// Whether a list holds the text.
pub fn has(list: &[String], text: &str) -> bool {
    list.iter().any(|item| item == text)
}

/// Whether a list holds the text, or `*`.
pub fn has_or_all(list: &[String], text: &str) -> bool {
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
}

fn url_covers(owned: &str, wanted: &str) -> bool {
    owned.strip_suffix('*').is_some_and(|start| wanted.starts_with(start.trim_end_matches('*')))
}

/// The pieces of `wanted` that `owned` does not cover, in order (`validation.Covers`).
pub fn missing(owned: &[Rule], wanted: &[Rule]) -> Vec<Rule> {
    wanted.iter().flat_map(Rule::pieces).filter(|piece| !owned.iter().any(|rule| rule.covers(piece))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pieces_that_are_not_covered() {
        let rules = |value: Value| Rule::list(&json!({"rules": value}));
        let owned = rules(json!([
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "*/status"]},
            {"verbs": ["*"], "nonResourceURLs": ["/healthz/*"]},
        ]));
        let wanted = rules(json!([
            {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]},
            {"verbs": ["get"], "apiGroups": [""], "resources": ["nodes/status"]},
            {"verbs": ["get"], "nonResourceURLs": ["/healthz/x", "/metrics"]},
        ]));
        let missing = missing(&owned, &wanted);
        let expected = rules(json!([
            {"verbs": ["list"], "apiGroups": [""], "resources": ["pods"], "resourceNames": ["a"]},
            {"verbs": ["get"], "nonResourceURLs": ["/metrics"]},
        ]));
        assert_eq!(missing, expected);
    }
}
