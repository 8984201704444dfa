//! `api-resources` and `api-versions`: what the server serves.

use std::sync::Arc;

use clap::Parser;

use super::args::unknown_format;
use super::context::Context;
use super::error::{Error, Result};
use super::verb::Run;
use crate::kinds::{Kind, Kinds};
use crate::object::Value;
use crate::output::tabwriter;

/// List the resource types that the server serves.
#[derive(Parser)]
pub struct ApiResourcesArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    /// Only of this API group; empty for the core group
    #[arg(long, value_name = "GROUP")]
    api_group: Option<String>,
    /// Do not ask the server when the cache knows
    #[arg(long)]
    cached: bool,
    /// Only of all these categories
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    categories: Vec<String>,
    /// Only with namespaces, or without
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    namespaced: Option<bool>,
    /// No heading
    #[arg(long)]
    no_headers: bool,
    /// wide, name, json, yaml or kyaml
    #[arg(short, long, value_name = "FORMAT")]
    output: Option<String>,
    /// Sort by name or kind
    #[arg(long, value_name = "FIELD")]
    sort_by: Option<String>,
    /// Only with all these verbs
    #[arg(long, value_name = "VERB", value_delimiter = ',')]
    verbs: Vec<String>,
    /// Keep managedFields; there are none
    #[arg(long, hide = true)]
    show_managed_fields: bool,
}

impl ApiResourcesArgs {
    fn wants(&self, kind: &Kind) -> bool {
        !kind.verbs.is_empty()
            && self.api_group.as_ref().is_none_or(|group| kind.group == *group)
            && self.namespaced.is_none_or(|namespaced| kind.namespaced == namespaced)
            && self.verbs.iter().all(|verb| kind.has_verb(verb))
            && self.categories.iter().all(|category| kind.categories.contains(category))
    }

    fn table(&self, kinds: &[Arc<Kind>], wide: bool) -> String {
        let mut text = String::new();
        if !self.no_headers {
            text.push_str("NAME\tSHORTNAMES\tAPIVERSION\tNAMESPACED\tKIND");
            text.push_str(if wide { "\tVERBS\tCATEGORIES\n" } else { "\n" });
        }
        for kind in kinds {
            text.push_str(&format!(
                "{}\t{}\t{}\t{}\t{}",
                kind.plural,
                kind.short_names.join(","),
                kind.api_version(),
                kind.namespaced,
                kind.kind
            ));
            if wide {
                text.push_str(&format!("\t{}\t{}", kind.verbs.join(","), kind.categories.join(",")));
            }
            text.push('\n');
        }
        tabwriter::align(&text)
    }
}

/// The kinds of each group, in its preferred version where that has them, by group and plural.
pub fn preferred(known: &Kinds) -> Vec<Arc<Kind>> {
    let mut kinds: Vec<Arc<Kind>> = Vec::new();
    for group in known.groups() {
        let of = |kind: &&Arc<Kind>| kind.group == group.group && kind.version == group.preferred;
        kinds.extend(known.rows().iter().filter(of).cloned());
        // What the preferred version lacks counts in the version that has it.
        for kind in known.rows().iter().filter(|kind| kind.group == group.group) {
            if !kinds.iter().any(|listed| listed.group == kind.group && listed.plural == kind.plural) {
                kinds.push(Arc::clone(kind));
            }
        }
    }
    kinds.sort_by(|a, b| a.group.cmp(&b.group).then_with(|| a.plural.cmp(&b.plural)));
    kinds
}

/// The list as an `APIResourceList`.
fn list_of(kinds: &[Arc<Kind>]) -> Value {
    let resource = |kind: &Arc<Kind>| {
        let mut resource = serde_json::json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": kind.namespaced,
            "version": kind.version,
            "kind": kind.kind,
            "verbs": kind.verbs,
        });
        let more = [("shortNames", &kind.short_names), ("categories", &kind.categories)];
        for (field, values) in more.into_iter().filter(|(_, values)| !values.is_empty()) {
            resource[field] = serde_json::json!(values);
        }
        if !kind.group.is_empty() {
            resource["group"] = serde_json::json!(kind.group);
        }
        resource
    };
    serde_json::json!({
        "apiVersion": "v1", "kind": "APIResourceList", "groupVersion": "",
        "resources": kinds.iter().map(resource).collect::<Vec<_>>(),
    })
}

impl Run for ApiResourcesArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if !self.words.is_empty() {
            return Err(cx.usage(format!("unexpected arguments: [{}]", self.words.join(" "))));
        }
        let sort_by = self.sort_by.as_deref().unwrap_or_default();
        if !matches!(sort_by, "" | "name" | "kind") {
            return Err(Error::new("--sort-by accepts only name or kind"));
        }
        let format = self.output.as_deref().unwrap_or_default();
        if !matches!(format, "" | "wide" | "name" | "json" | "yaml" | "kyaml") {
            return Err(unknown_format(format, &["json", "kyaml", "name", "wide", "yaml"]));
        }
        let mapper = cx.mapper()?;
        let known = if self.cached { mapper.kinds().await } else { mapper.refresh().await };
        let known = known.map_err(|error| cx.explain(error))?;
        let mut kinds = preferred(&known);
        kinds.retain(|kind| self.wants(kind));
        match sort_by {
            "name" => kinds.sort_by(|a, b| a.plural.cmp(&b.plural)),
            "kind" => kinds.sort_by(|a, b| a.kind.cmp(&b.kind).then_with(|| a.plural.cmp(&b.plural))),
            _ => {}
        }
        match format {
            "name" => kinds.iter().try_for_each(|kind| cx.line(kind.group_resource())),
            "json" => cx.line(crate::object::json::to_indented(&list_of(&kinds), "    ")),
            "yaml" => cx.out(&crate::manifest::to_yaml(&list_of(&kinds))),
            "kyaml" => cx.out(&crate::manifest::to_kyaml(&list_of(&kinds))),
            format => cx.out(&self.table(&kinds, format == "wide")),
        }
    }
}

/// List the API versions that the server serves.
#[derive(Parser)]
pub struct ApiVersionsArgs {
    #[arg(hide = true)]
    words: Vec<String>,
}

impl Run for ApiVersionsArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if !self.words.is_empty() {
            return Err(cx.usage(format!("unexpected arguments: [{}]", self.words.join(" "))));
        }
        let known = cx.mapper()?.refresh().await.map_err(|error| {
            let error = cx.explain(error);
            if error.is_request() {
                return Error::new(format!("couldn't get available api versions from server: {}", error.text()));
            }
            error
        })?;
        let mut versions: Vec<String> = known.rows().iter().map(|kind| kind.api_version()).collect();
        versions.sort();
        versions.dedup();
        versions.iter().try_for_each(|version| cx.line(version))
    }
}
