//! `explain`: the fields of a kind.

mod older;
mod plaintext;
mod schema;
mod wrap;

use std::sync::Arc;

use clap::Parser;

use super::context::Context;
use super::error::{Error, Result};
use super::verb::Run;
use crate::client::{self, Request};
use crate::kinds::{Kind, Kinds, Schemas};
use crate::object::go::quote;
use crate::resource;
use schema::Definitions;

/// Explain a kind and its fields.
///
/// TYPE.FIELD.FIELD goes to a field of a field.
#[derive(Parser)]
pub struct ExplainArgs {
    /// The type, and the path of a field: TYPE[.FIELD…]
    #[arg(value_name = "TYPE")]
    words: Vec<String>,
    /// Explain this version of the API
    #[arg(long, value_name = "GROUP/VERSION", default_value = "")]
    api_version: String,
    /// How deep --recursive goes; 0 for all the way
    #[arg(long, value_name = "LEVELS", default_value_t = 0)]
    max_depth: i64,
    /// plaintext or plaintext-openapiv2
    #[arg(short, long, value_name = "FORMAT", default_value = "plaintext")]
    output: String,
    /// Show the fields of fields
    #[arg(short = 'R', long)]
    recursive: bool,
}

impl ExplainArgs {
    fn check(&self, cx: &Context) -> Result<(&str, usize)> {
        let word = match self.words.as_slice() {
            [] => {
                return Err(Error::new(format!(
                    "You must specify the type of resource to explain. Use \"{} api-resources\" for a complete list of \
                     supported resources.",
                    cx.program.name
                )));
            }
            [word] => word,
            _ => return Err(Error::new("We accept only this format: explain RESOURCE")),
        };
        if self.max_depth > 0 && !self.recursive {
            return Err(Error::new("--max-depth requires --recursive"));
        }
        let depth = usize::try_from(self.max_depth).map_err(|_| Error::new("--max-depth must be non-negative"))?;
        Ok((word, depth))
    }

    /// The kind in the version that is asked for.
    fn in_version(&self, kinds: &Kinds, kind: Arc<Kind>) -> Result<Arc<Kind>> {
        if self.api_version.is_empty() {
            return Ok(kind);
        }
        let (group, version) = self.api_version.split_once('/').unwrap_or(("", &self.api_version));
        if version.contains('/') {
            return Err(Error::new(format!("unexpected GroupVersion string: {}", self.api_version)));
        }
        let mut gvr = kind.gvr();
        (gvr.group, gvr.version) = (group.to_owned(), version.to_owned());
        if let Some(found) = kinds.by_gvr(&gvr) {
            return Ok(found.clone());
        }
        let mut rows = kinds.rows().iter();
        let served = rows.any(|row| row.group == gvr.group && row.version == gvr.version);
        let why = match self.output.as_str() {
            "plaintext-openapiv2" => {
                let gvk = gvr.group_version().with_kind(&kind.kind);
                format!("couldn't find resource for {}", quote(&gvk.to_string()))
            }
            _ if served => format!("GVR ({gvr}) not found in OpenAPI schema"),
            _ => format!("couldn't find resource for {}", quote(&gvr.to_string())),
        };
        Err(Error::new(why))
    }
}

impl Run for ExplainArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let (word, max_depth) = self.check(cx)?;
        let mut parts = word.trim_end_matches('.').split('.').map(str::to_owned);
        let resource = parts.next().unwrap_or_default();
        let mut path: Vec<String> = parts.collect();
        if resource.is_empty() && !word.is_empty() {
            return Err(Error::new("invalid jsonpath syntax, first node must be field node"));
        }
        let (kinds, kind) = kind_of(cx, &resource).await?;
        // A whole name with its group may stand before the fields.
        let whole = kind.group_resource();
        if self.api_version.is_empty()
            && let Some(rest) = word.strip_prefix(whole.as_str())
        {
            path = rest.split('.').filter(|part| !part.is_empty()).map(str::to_owned).collect();
        }
        let kind = self.in_version(&kinds, kind)?;
        let definitions = definitions(cx, &kind).await?;
        let gvk = kind.gvk();
        let missing = || Error::new(format!("GVK {gvk} not found in OpenAPI schema"));
        let schema = definitions.of_kind(&gvk).ok_or_else(missing)?;
        match self.output.as_str() {
            "plaintext" => {
                let group = if gvk.group.is_empty() { String::new() } else { format!("GROUP:      {}\n", gvk.group) };
                cx.out(&format!("{group}KIND:       {}\nVERSION:    {}\n\n", gvk.kind, gvk.version))?;
                let recursive = self.recursive;
                let explanation = plaintext::Explanation { definitions: &definitions, recursive, max_depth };
                match explanation.explain(&schema, &path).as_str() {
                    "" => Err(no_field(path.last().map(String::as_str).unwrap_or_default())),
                    text => cx.line(text),
                }
            }
            "plaintext-openapiv2" => {
                let recursive = self.recursive;
                let explanation = older::Explanation { definitions: &definitions, recursive, max_depth };
                cx.out(&explanation.explain(&gvk, &schema, &path).map_err(|field| no_field(&field))?)
            }
            other => Err(Error::new(format!("unrecognized format: {other}"))),
        }
    }
}

fn no_field(name: &str) -> Error {
    Error::new(format!("field {} does not exist", quote(name)))
}

/// The kind that a word names, and all kinds there are; without a server the built-in ones, except under kubectl's
/// name, where a server is always asked.
async fn kind_of(cx: &Context, word: &str) -> Result<(Arc<Kinds>, Arc<Kind>)> {
    let mapper = cx.mapper()?;
    match mapper.resource(word).await {
        Ok(kind) => Ok((mapper.kinds().await.map_err(|error| cx.explain(error))?, kind)),
        Err(resource::Error::Discovery { source: client::Error::Transport { .. }, .. }) if !cx.program.exact => {
            let kinds = Kinds::builtin();
            let kind = client::resource(kinds, word).cloned();
            let kind = kind.ok_or_else(|| Error::no_resource(word, "", ""))?;
            Ok((Arc::new(kinds.clone()), kind))
        }
        Err(resource::Error::Fact(_)) => Err(Error::plain(Error::no_resource(word, "", "").text())),
        Err(error) => Err(cx.explain(error)),
    }
}

/// The schemas of the kind's group and version: the server's, or the built-in ones where it has none.
async fn definitions(cx: &Context, kind: &Kind) -> Result<Definitions> {
    let builtin = Schemas::builtin().name_of_kind(&kind.gvk()).is_some();
    let version = if kind.group.is_empty() {
        format!("api/{}", kind.version)
    } else {
        format!("apis/{}/{}", kind.group, kind.version)
    };
    let missing = || Error::new(format!("couldn't find resource for {}", quote(&kind.gvr().to_string())));
    let paths = match cx.json(Request::get("/openapi/v3")).await {
        Ok(paths) => paths,
        Err(error) if builtin && !(cx.program.exact && error.is_request()) => return Ok(Definitions::builtin()),
        Err(error) => return Err(error),
    };
    let url = paths["paths"][version.as_str()]["serverRelativeURL"].as_str();
    let url = match url {
        Some(url) => url,
        None if builtin => return Ok(Definitions::builtin()),
        None => return Err(missing()),
    };
    match cx.json(Request::get(url)).await {
        Ok(document) => Ok(Definitions::of_document(document)),
        Err(error) => {
            let text = error.text();
            Err(Error::new(format!("failed to fetch openapi schema for {version}: {text}")))
        }
    }
}
