//! `create role`, `clusterrole`, `rolebinding`, `clusterrolebinding`.

use std::collections::BTreeMap;
use std::sync::Arc;

use clap::Parser;
use serde_json::{Map, Value, json};

use super::generated::GeneratedArgs;
use crate::cli::args::SubjectFlags;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::client;
use crate::kinds::Kinds;

const RBAC: &str = "rbac.authorization.k8s.io";
const RBAC_VERSION: &str = "rbac.authorization.k8s.io/v1";

const RESOURCE_VERBS: [&str; 14] = [
    "*",
    "get",
    "delete",
    "list",
    "create",
    "update",
    "patch",
    "watch",
    "proxy",
    "deletecollection",
    "use",
    "bind",
    "escalate",
    "impersonate",
];
const URL_VERBS: [&str; 8] = ["*", "get", "put", "post", "head", "options", "delete", "patch"];

/// Verbs that only some resources know, with those resources: name and group.
const SPECIAL_VERBS: [(&str, &[(&str, &str)]); 4] = [
    ("use", &[("podsecuritypolicies", "policy"), ("podsecuritypolicies", "extensions")]),
    ("bind", &[("roles", RBAC), ("clusterroles", RBAC)]),
    ("escalate", &[("roles", RBAC), ("clusterroles", RBAC)]),
    ("impersonate", &[("users", ""), ("serviceaccounts", ""), ("groups", ""), ("userextras", "authentication.k8s.io")]),
];

/// What a rule is made of.
#[derive(clap::Args, Clone, Debug, Default)]
struct RuleArgs {
    /// Verb that is allowed; may be repeated
    #[arg(long, value_name = "VERB", value_delimiter = ',')]
    verb: Vec<String>,
    /// Resource, as RESOURCE[.GROUP][/SUBRESOURCE]; may be repeated
    #[arg(long, value_name = "RESOURCE", value_delimiter = ',')]
    resource: Vec<String>,
    /// Name of an object that alone is meant; may be repeated
    #[arg(long, value_name = "NAME")]
    resource_name: Vec<String>,
}

/// A resource as typed, and what the server calls it.
struct Resource {
    name: String,
    group: String,
    subresource: String,
    found: Option<(String, String)>,
}

impl Resource {
    fn parse(text: &str, kinds: &Kinds) -> Self {
        let (path, subresource) = text.split_once('/').unwrap_or((text, ""));
        let (name, group) = path.split_once('.').unwrap_or((path, ""));
        let found = client::resource(kinds, path).map(|kind| (kind.plural.clone(), kind.group.clone()));
        Self { name: name.into(), group: group.into(), subresource: subresource.into(), found }
    }

    /// Name and group: the server's, else as typed.
    fn named(&self) -> (&str, &str) {
        match &self.found {
            Some((name, group)) => (name, group),
            None => (&self.name, &self.group),
        }
    }
}

fn unique(values: &[String]) -> Vec<String> {
    let mut seen = Vec::new();
    for value in values {
        if !seen.contains(value) {
            seen.push(value.clone());
        }
    }
    seen
}

/// A rule in the making.
struct Rule {
    verbs: Vec<String>,
    resources: Vec<Resource>,
    names: Vec<String>,
}

impl RuleArgs {
    async fn rule(&self, cx: &Context) -> Result<Rule> {
        let all = self.verb.iter().any(|verb| verb == "*");
        let verbs = if all { vec!["*".to_owned()] } else { unique(&self.verb) };
        let mut resources = Vec::new();
        if !self.resource.is_empty() {
            let kinds = kinds(cx).await?;
            for text in &self.resource {
                let resource = Resource::parse(text, &kinds);
                if text == "*" {
                    resources = vec![resource];
                    break;
                }
                resources.push(resource);
            }
        }
        Ok(Rule { verbs, resources, names: unique(&self.resource_name) })
    }

    fn is_empty(&self) -> bool {
        self.verb.is_empty() && self.resource.is_empty() && self.resource_name.is_empty()
    }
}

/// What the server serves; the built-in kinds where no server answers and texts need not be kubectl's.
async fn kinds(cx: &Context) -> Result<Arc<Kinds>> {
    match cx.mapper()?.kinds().await {
        Ok(kinds) => Ok(kinds),
        Err(_) if !cx.program.exact => Ok(Arc::new(Kinds::builtin().clone())),
        Err(error) => Err(cx.explain(error)),
    }
}

impl Rule {
    fn warn_of_verbs(&self, cx: &Context) -> Result<()> {
        let odd = self.verbs.iter().filter(|verb| !RESOURCE_VERBS.contains(&verb.as_str()));
        odd.into_iter().try_for_each(|verb| cx.err_line(format!("Warning: '{verb}' is not a standard resource verb")))
    }

    fn check_resources(&self) -> Result<()> {
        for resource in &self.resources {
            if resource.name.is_empty() {
                return Err(Error::new("resource must be specified if apiGroup/subresource specified"));
            }
            if resource.name == "*" {
                return Ok(());
            }
            let (name, group) = resource.named();
            let mut known = resource.found.is_some();
            for verb in &self.verbs {
                let Some((_, allowed)) = SPECIAL_VERBS.iter().find(|(special, _)| special == verb) else { continue };
                if !allowed.contains(&(name, group)) {
                    return Err(Error::new(format!("can not perform '{verb}' on '{name}' in group '{group}'")));
                }
                known = true;
            }
            if !known {
                return Err(Error::plain(Error::no_resource(&resource.name, &resource.group, "").text()));
            }
        }
        Ok(())
    }

    /// One rule per API group, in the order of their names.
    fn rules(&self) -> Vec<Value> {
        let mut groups: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for resource in &self.resources {
            let (name, group) = resource.named();
            let name = match resource.subresource.as_str() {
                "" => name.to_owned(),
                subresource => format!("{name}/{subresource}"),
            };
            let names = groups.entry(group).or_default();
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let rule = |(group, resources): (&str, Vec<String>)| json!({"verbs": self.verbs, "apiGroups": [group], "resources": resources, "resourceNames": self.names});
        groups.into_iter().map(rule).collect()
    }
}

/// Create a role with one rule.
#[derive(Parser)]
pub struct RoleArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    #[command(flatten)]
    rule: RuleArgs,
}

impl Run for RoleArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        let rule = self.rule.rule(cx).await?;
        making.check_name()?;
        if rule.verbs.is_empty() {
            return Err(Error::new("at least one verb must be specified"));
        }
        rule.warn_of_verbs(cx)?;
        if rule.resources.is_empty() {
            return Err(Error::new("at least one resource must be specified"));
        }
        rule.check_resources()?;
        let mut object = making.object(RBAC_VERSION, "Role")?;
        object["rules"] = rule.rules().into();
        making.finish(object, "").await
    }
}

/// Create a cluster role with one rule, or one that gathers others.
#[derive(Parser)]
pub struct ClusterRoleArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    #[command(flatten)]
    rule: RuleArgs,
    /// URL that is no resource; may be repeated
    #[arg(long, value_name = "URL", value_delimiter = ',')]
    non_resource_url: Vec<String>,
    /// Labels of the cluster roles to gather, as KEY=VALUE
    #[arg(long, value_name = "LABELS", value_delimiter = ',')]
    aggregation_rule: Vec<String>,
}

fn check_urls(verbs: &[String], urls: &[String]) -> Result<()> {
    if urls.is_empty() {
        return Ok(());
    }
    if let Some(verb) = verbs.iter().find(|verb| !URL_VERBS.contains(&verb.as_str())) {
        return Err(Error::new(format!("invalid verb: '{verb}' for nonResourceURL")));
    }
    for url in urls.iter().filter(|url| *url != "*") {
        if !url.starts_with('/') {
            return Err(Error::new("nonResourceURL should start with /"));
        }
        if url.strip_suffix('*').unwrap_or(url).contains('*') {
            return Err(Error::new("nonResourceURL only supports wildcard matches when '*' is at the end"));
        }
    }
    Ok(())
}

impl ClusterRoleArgs {
    /// The labels of the cluster roles to gather.
    fn aggregation(&self, cx: &Context) -> Result<Map<String, Value>> {
        let mut labels = Map::new();
        for pair in &self.aggregation_rule {
            let (key, value) = pair.split_once('=').ok_or_else(|| {
                Error::new(format!(
                    "invalid argument \"{}\" for \"--aggregation-rule\" flag: malformed pair, expect string=string\nSee '{} --help' for usage.",
                    self.aggregation_rule.join(","),
                    cx.command_path
                ))
            })?;
            labels.insert(key.trim().to_owned(), value.trim().into());
        }
        Ok(labels)
    }
}

impl Run for ClusterRoleArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let aggregation = self.aggregation(cx)?;
        let making = self.common.begin(cx, &self.words)?;
        let urls = unique(&self.non_resource_url);
        let rule = self.rule.rule(cx).await?;
        making.check_name()?;
        let mut object = making.object(RBAC_VERSION, "ClusterRole")?;
        if !aggregation.is_empty() {
            if !urls.is_empty() || !self.rule.is_empty() {
                return Err(Error::new(
                    "aggregation rule must be specified without nonResourceURLs, verbs, resources or resourceNames",
                ));
            }
            object["aggregationRule"] = json!({"clusterRoleSelectors": [{"matchLabels": aggregation}]});
            return making.finish(object, "").await;
        }
        if rule.verbs.is_empty() {
            return Err(Error::new("at least one verb must be specified"));
        }
        if rule.resources.is_empty() && urls.is_empty() {
            return Err(Error::new("one of resource or nonResourceURL must be specified"));
        }
        if !rule.resources.is_empty() {
            rule.warn_of_verbs(cx)?;
            rule.check_resources()?;
        }
        check_urls(&rule.verbs, &urls)?;
        let mut rules = rule.rules();
        if !urls.is_empty() {
            rules.push(json!({"verbs": rule.verbs, "nonResourceURLs": urls}));
        }
        object["rules"] = rules.into();
        making.finish(object, "").await
    }
}

fn subjects(who: &SubjectFlags) -> Result<Vec<Value>> {
    let named = |kind: &'static str| move |name: &String| json!({"kind": kind, "apiGroup": RBAC, "name": name});
    let mut subjects: Vec<Value> = who.users.iter().map(named("User")).collect();
    subjects.extend(who.groups.iter().map(named("Group")));
    for account in &who.accounts {
        let parts: Vec<&str> = account.split(':').collect();
        let ([namespace, name], false) = (parts.as_slice(), parts.contains(&"")) else {
            return Err(Error::new("serviceaccount must be <namespace>:<name>"));
        };
        subjects.push(json!({"kind": "ServiceAccount", "namespace": namespace, "name": name}));
    }
    Ok(subjects)
}

/// Create a binding of a role, or of a cluster role within a namespace.
#[derive(Parser)]
pub struct RoleBindingArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// The cluster role
    #[arg(long, value_name = "NAME", default_value = "")]
    clusterrole: String,
    /// The role
    #[arg(long, value_name = "NAME", default_value = "")]
    role: String,
    #[command(flatten)]
    subjects: SubjectFlags,
}

impl Run for RoleBindingArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        making.check_name()?;
        let (kind, name) = match (self.clusterrole.as_str(), self.role.as_str()) {
            ("", role) if !role.is_empty() => ("Role", role),
            (role, "") if !role.is_empty() => ("ClusterRole", role),
            _ => return Err(Error::new("exactly one of clusterrole or role must be specified")),
        };
        let mut object = making.object(RBAC_VERSION, "RoleBinding")?;
        object["roleRef"] = json!({"apiGroup": RBAC, "kind": kind, "name": name});
        object["subjects"] = subjects(&self.subjects)?.into();
        making.finish(object, "failed to create rolebinding: ").await
    }
}

/// Create a binding of a cluster role in the whole cluster.
#[derive(Parser)]
pub struct ClusterRoleBindingArgs {
    /// Name
    #[arg(hide = true)]
    words: Vec<String>,
    #[command(flatten)]
    common: GeneratedArgs,
    /// The cluster role
    #[arg(long, value_name = "NAME", required = true)]
    clusterrole: String,
    #[command(flatten)]
    subjects: SubjectFlags,
}

impl Run for ClusterRoleBindingArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let making = self.common.begin(cx, &self.words)?;
        let mut object = making.object(RBAC_VERSION, "ClusterRoleBinding")?;
        object["roleRef"] = json!({"apiGroup": RBAC, "kind": "ClusterRole", "name": self.clusterrole});
        object["subjects"] = subjects(&self.subjects)?.into();
        making.finish(object, "failed to create clusterrolebinding: ").await
    }
}
