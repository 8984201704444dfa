//! `auth can-i`.

use clap::Parser;
use serde_json::{Value, json};

use super::who_am_i::bracketed;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::client::{self, Request};
use crate::object::meta;
use crate::output::tabwriter::TabWriter;

/// Ask the server whether you may do something.
#[derive(Parser)]
pub struct CanIArgs {
    /// Verb, and TYPE, TYPE/NAME or a URL
    #[arg(value_name = "VERB TYPE[/NAME]")]
    words: Vec<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Say nothing, only set the exit code
    #[arg(short = 'q', long)]
    quiet: bool,
    /// A part of the objects, such as log
    #[arg(long, value_name = "NAME", default_value = "")]
    subresource: String,
    /// List all that you may do
    #[arg(long)]
    list: bool,
    /// No headings
    #[arg(long)]
    no_headers: bool,
}

const RESOURCE_VERBS: [&str; 15] = [
    "get",
    "list",
    "watch",
    "create",
    "update",
    "patch",
    "delete",
    "deletecollection",
    "use",
    "bind",
    "impersonate",
    "*",
    "approve",
    "sign",
    "escalate",
];
const URL_VERBS: [&str; 8] = ["get", "put", "post", "head", "options", "delete", "patch", "*"];
const GROUP: &str = "/apis/authorization.k8s.io/v1";

fn warn(cx: &Context, text: &str) -> Result<()> {
    cx.err(&format!("Warning: {text}\n\n"))
}

/// What is asked about: resource and group as the server calls them, and whether it lives in namespaces.
struct Resource {
    name: String,
    group: String,
    namespaced: bool,
}

/// The resource that an argument names; one that the server does not have is warned of and taken as typed.
async fn resource(cx: &Context, argument: &str) -> Result<Resource> {
    let as_typed = Resource { name: argument.to_owned(), group: String::new(), namespaced: true };
    if argument == "*" {
        return Ok(as_typed);
    }
    let lower = argument.to_lowercase();
    let found = cx.mapper()?.find(|kinds| client::resource(kinds, &lower).cloned()).await;
    if let Some(kind) = found.map_err(|error| cx.explain(error))? {
        return Ok(Resource { name: kind.plural.clone(), group: kind.group.clone(), namespaced: kind.namespaced });
    }
    let (name, group) = client::split_argument(&lower);
    if !matches!(lower.as_str(), "users" | "groups") {
        let within = if group.is_empty() { String::new() } else { format!(" in group '{group}'") };
        warn(cx, &format!("the server doesn't have a resource type '{name}'{within}"))?;
    }
    Ok(as_typed)
}

impl CanIArgs {
    fn check_list(&self) -> Result<()> {
        if !self.words.is_empty() {
            return Err(Error::new("list option must be specified with no arguments"));
        }
        if self.quiet || self.all_namespaces || !self.subresource.is_empty() {
            return Err(Error::new(
                "list option can't be specified with neither quiet, all-namespaces nor subresource options",
            ));
        }
        Ok(())
    }

    /// The attributes of the request that is asked about.
    async fn attributes(&self, cx: &Context, verb: &str, what: &str) -> Result<Value> {
        if what.starts_with('/') {
            if !self.subresource.is_empty() {
                return Err(Error::new("--subresource can not be used with NonResourceURL"));
            }
            if !URL_VERBS.contains(&verb) {
                warn(cx, &format!("verb '{verb}' is not a known verb"))?;
            }
            return Ok(json!({"nonResourceAttributes": {"verb": verb, "path": what}}));
        }
        let (argument, name) = what.split_once('/').unwrap_or((what, ""));
        let resource = resource(cx, argument).await?;
        let namespace = if self.all_namespaces { String::new() } else { cx.namespace()?.0 };
        if !self.all_namespaces {
            if !resource.namespaced {
                let within = match resource.group.as_str() {
                    "" => String::new(),
                    group => format!(" in group '{group}'"),
                };
                warn(cx, &format!("resource '{}' is not namespace scoped{within}", resource.name))?;
            }
            if !RESOURCE_VERBS.contains(&verb) {
                warn(cx, &format!("verb '{verb}' is not a known verb"))?;
            }
        }
        let attributes = [
            ("namespace", namespace.as_str()),
            ("verb", verb),
            ("group", &resource.group),
            ("resource", &resource.name),
            ("subresource", &self.subresource),
            ("name", name),
        ];
        let given = attributes.into_iter().filter(|(_, value)| !value.is_empty());
        let given: serde_json::Map<String, Value> = given.map(|(key, value)| (key.to_owned(), value.into())).collect();
        Ok(json!({"resourceAttributes": given}))
    }

    async fn ask(&self, cx: &Context) -> Result<()> {
        let [verb, what] = self.words.as_slice() else {
            return Err(Error::new(format!(
                "you must specify two arguments: verb resource or verb resource/resourceName.\nSee '{} -h' for help and \
                 examples.",
                cx.command_path
            )));
        };
        let spec = self.attributes(cx, verb, what).await?;
        if self.no_headers {
            return Err(Error::new("--no-headers cannot be set without --list specified"));
        }
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview",
            "metadata": {}, "spec": spec, "status": {"allowed": false}});
        let request = Request::post(format!("{GROUP}/selfsubjectaccessreviews"), &review);
        let answer = cx.json(request.on("selfsubjectaccessreviews.authorization.k8s.io", "")).await?;
        let status = |field: &str| meta::str_at(&answer, &["status", field]).to_owned();
        let allowed = meta::bool_at(&answer, &["status", "allowed"]);
        if !self.quiet {
            let mut text = if allowed { "yes" } else { "no" }.to_owned();
            let reasons = [status("reason"), status("evaluationError")];
            for reason in reasons.iter().filter(|reason| !allowed && !reason.is_empty()) {
                text.push_str(&format!(" - {reason}"));
            }
            cx.line(text)?;
        }
        if allowed { Ok(()) } else { Err(Error::silent(1)) }
    }

    async fn list(&self, cx: &Context) -> Result<()> {
        let (namespace, _) = cx.namespace()?;
        let review = json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectRulesReview",
            "metadata": {}, "spec": {"namespace": namespace},
            "status": {"resourceRules": null, "nonResourceRules": null, "incomplete": false}});
        let request = Request::post(format!("{GROUP}/selfsubjectrulesreviews"), &review);
        let answer = cx.json(request.on("selfsubjectrulesreviews.authorization.k8s.io", "")).await?;
        if meta::bool_at(&answer, &["status", "incomplete"]) {
            let why = meta::str_at(&answer, &["status", "evaluationError"]);
            cx.err_line(format!("Warning: the list may be incomplete: {why}"))?;
        }
        let mut writer = TabWriter::for_tables();
        if !self.no_headers {
            writer.buffer().push_str("Resources\tNon-Resource URLs\tResource Names\tVerbs\n");
        }
        for rule in rules(&answer["status"]) {
            writer.buffer().push_str(&rule.row());
        }
        let mut out = String::new();
        writer.flush(&mut out);
        cx.out(&out)
    }
}

/// What may be done with one resource, or one URL.
#[derive(Clone, Debug, Default, PartialEq)]
struct Rule {
    verbs: Vec<Value>,
    group: Option<String>,
    resource: Option<String>,
    name: Option<String>,
    url: Option<String>,
}

fn one(value: &Option<String>) -> String {
    format!("[{}]", value.as_deref().unwrap_or_default())
}

impl Rule {
    fn row(&self) -> String {
        let resource = self.resource.as_deref().unwrap_or_default();
        let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
        let mut what = resource.to_owned();
        if let Some(group) = self.group.as_deref().filter(|group| !group.is_empty()) {
            what.push_str(&format!(".{group}"));
        }
        if !subresource.is_empty() {
            what.push_str(&format!("/{subresource}"));
        }
        format!("{what}\t{}\t{}\t{}\n", one(&self.url), one(&self.name), bracketed(&self.verbs))
    }

    /// The text by which Go's clients sort rules.
    fn order(&self) -> String {
        format!(
            "&PolicyRule{{Verbs:{},APIGroups:{},Resources:{},ResourceNames:{},NonResourceURLs:{},}}",
            bracketed(&self.verbs),
            one(&self.group),
            one(&self.resource),
            one(&self.name),
            one(&self.url)
        )
    }
}

/// The rules of a review: one per resource with all its verbs, and one per URL and verb, sorted.
fn rules(status: &Value) -> Vec<Rule> {
    let texts = |rule: &Value, field: &str| -> Vec<String> {
        meta::list_at(rule, &[field]).iter().filter_map(Value::as_str).map(str::to_owned).collect()
    };
    let mut rules: Vec<Rule> = Vec::new();
    for given in meta::list_at(status, &["resourceRules"]) {
        let mut resource_names: Vec<Option<String>> = texts(given, "resourceNames").into_iter().map(Some).collect();
        if resource_names.is_empty() {
            resource_names.push(None);
        }
        for group in texts(given, "apiGroups") {
            for resource in texts(given, "resources") {
                for verb in meta::list_at(given, &["verbs"]) {
                    for name in &resource_names {
                        let same = |rule: &&mut Rule| {
                            rule.group.as_ref() == Some(&group)
                                && rule.resource.as_ref() == Some(&resource)
                                && rule.name == *name
                        };
                        match rules.iter_mut().find(same) {
                            Some(rule) if rule.verbs.contains(verb) => {}
                            Some(rule) => rule.verbs.push(verb.clone()),
                            None => rules.push(Rule {
                                verbs: vec![verb.clone()],
                                group: Some(group.clone()),
                                resource: Some(resource.clone()),
                                name: name.clone(),
                                url: None,
                            }),
                        }
                    }
                }
            }
        }
    }
    for given in meta::list_at(status, &["nonResourceRules"]) {
        for url in texts(given, "nonResourceURLs") {
            for verb in meta::list_at(given, &["verbs"]) {
                rules.push(Rule { verbs: vec![verb.clone()], url: Some(url.clone()), ..Rule::default() });
            }
        }
    }
    rules.sort_by_key(Rule::order);
    rules
}

impl Run for CanIArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if self.list {
            self.check_list()?;
            return self.list(cx).await;
        }
        self.ask(cx).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_of_one_resource_become_one() {
        let status = json!({"resourceRules": [
            {"verbs": ["get"], "apiGroups": [""], "resources": ["pods", "pods/log"]},
            {"verbs": ["list", "get"], "apiGroups": [""], "resources": ["pods"]}],
            "nonResourceRules": [{"verbs": ["get"], "nonResourceURLs": ["/api"]}]});
        let rows: Vec<String> = rules(&status).iter().map(Rule::row).collect();
        assert_eq!(rows, ["pods\t[]\t[]\t[get list]\n", "\t[/api]\t[]\t[get]\n", "pods/log\t[]\t[]\t[get]\n"]);
    }
}
