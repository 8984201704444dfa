//! `describe`: objects and what belongs to them, as text for people.

use chrono::Local;
use clap::Parser;
use futures_util::StreamExt;
use futures_util::stream;

use super::args::FileArgs;
use super::context::Context;
use super::error::{Error, Result};
use super::targets::{self, PAGE, PARALLEL};
use super::verb::Run;
use crate::client::Request;
use crate::describe::{self, Settings};
use crate::object::{GroupVersionKind, Value, meta};
use crate::resource::{Plan, Selection, Target};

/// Describe objects and what belongs to them.
///
/// A name that no object has stands for all objects whose names begin with it.
#[derive(Parser)]
pub struct DescribeArgs {
    /// Types and names: TYPE, TYPE NAME…, TYPE/NAME…
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    /// From all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Objects per request of a long list; 0 asks for all at once
    #[arg(long, value_name = "COUNT", default_value_t = PAGE)]
    chunk_size: i64,
    /// Only objects whose labels match (a=b,c!=d,e in (f,g))
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Show the events of each object; by default only when one object is described
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    show_events: Option<bool>,
}

impl Run for DescribeArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        if self.resources.is_empty() && self.files.is_empty() {
            return Err(Error::new(format!(
                "You must specify the type of resource to describe. Use \"{} api-resources\" for a complete list of \
                 supported resources.",
                cx.program.name
            )));
        }
        let mut selection = Selection {
            labels: self.selector.clone().unwrap_or_default(),
            all_namespaces: self.all_namespaces,
            types_mean_all: true,
            ..cx.selection(self.resources.clone(), self.files.options())?
        };
        selection.enforce_namespace &= !self.all_namespaces;
        let plan = cx.plan(&selection).await?;
        let found = targets::fetch(cx, &selection, plan).await?;
        let show_events = self.show_events.unwrap_or(found.errors.is_empty() && found.targets.len() <= 1);
        let mut errors = found.errors;
        if let ([kind, prefix], true) = (self.resources.as_slice(), errors.iter().any(Error::is_not_found)) {
            let original = errors.swap_remove(0);
            return self.matching(cx, kind, prefix, original).await;
        }
        if found.targets.is_empty() && errors.is_empty() {
            let place =
                if self.all_namespaces { String::new() } else { format!(" in {} namespace.", selection.namespace) };
            return cx.err_line(format!("No resources found{place}"));
        }
        let settings = self.settings(cx, show_events);
        let mut described = stream::iter(&found.targets).map(|target| text(cx, target, &settings)).buffered(PARALLEL);
        let mut first = true;
        while let Some(described) = described.next().await {
            match described {
                Ok(text) => {
                    cx.out(if first { "" } else { "\n\n" })?;
                    cx.out(&text)?;
                    first = false;
                }
                Err(error) if errors.iter().any(|known| known.text() == error.text()) => {}
                Err(error) => errors.push(error),
            }
        }
        Error::many(errors)
    }
}

impl DescribeArgs {
    fn settings(&self, cx: &Context, show_events: bool) -> Settings {
        let zone = |time: chrono::DateTime<chrono::Utc>| time.with_timezone(&Local).fixed_offset();
        Settings { show_events, chunk_size: self.chunk_size, now: cx.now(), zone }
    }

    /// Describes the objects whose names begin with `prefix`; `original` is the failure when there are none.
    async fn matching(&self, cx: &Context, kind: &str, prefix: &str, original: Error) -> Result<()> {
        let selection = Selection {
            types_mean_all: true,
            single_type: true,
            ..cx.selection(vec![kind.to_owned()], crate::resource::FileOptions::default())?
        };
        let plan = cx.plan(&selection).await?;
        let Plan::Queries(_) = plan else { return Err(original) };
        let found = targets::fetch(cx, &selection, plan).await?;
        Error::many(found.errors)?;
        let settings = self.settings(cx, self.show_events.unwrap_or(false));
        let matching: Vec<&Target> = found.targets.iter().filter(|target| target.name.starts_with(prefix)).collect();
        if matching.is_empty() {
            return Err(original);
        }
        let mut described = stream::iter(matching).map(|target| text(cx, target, &settings)).buffered(PARALLEL);
        while let Some(text) = described.next().await {
            cx.line(text?)?;
        }
        Ok(())
    }
}

/// The object in the version that its describer reads.
async fn in_version(cx: &Context, target: &Target) -> Result<Value> {
    let kind = &target.kind;
    let Some(version) = describe::version_of(&kind.group_kind()).filter(|version| *version != kind.version) else {
        return Ok(target.object.clone());
    };
    let wanted = GroupVersionKind::new(&*kind.group, version, &*kind.kind);
    let Some(kind) = cx.mapper()?.kind(&wanted).await.map_err(|error| cx.explain(error))? else {
        return Ok(target.object.clone());
    };
    let other = Target::named(kind, meta::namespace(&target.object), &target.name);
    cx.json(other.about(Request::get(other.path("")))).await
}

async fn text(cx: &Context, target: &Target, settings: &Settings) -> Result<String> {
    let object = in_version(cx, target).await?;
    let related = describe::fetch(cx.client()?, &object, settings).await?;
    describe::describe(&object, &related, settings).map_err(|error| match error {
        describe::Error::Status(status) => Error::status(status),
        describe::Error::Malformed(text) => Error::new(text),
    })
}
