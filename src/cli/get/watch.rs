//! `get --watch`.

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::json;

use super::{GetArgs, TABLE, to_table, version_of};
use crate::cli::args::Printer;
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::targets;
use crate::client::EventKind;
use crate::kinds::Kind;
use crate::object::Value;
use crate::output::table;
use crate::resource::{Plan, Query, Selection, Target};

/// Where events go.
enum Output {
    Table(Box<table::Printer>, Target),
    Objects(Printer),
}

/// Prints what there is, then what changes, until the server or the user ends it.
pub async fn run(args: &GetArgs, cx: &Context, selection: &Selection, plan: Plan) -> Result<()> {
    if args.sort_by().is_some() {
        let what = if args.watch {
            "--watch requested, --sort-by will be ignored for watch events received"
        } else {
            "--watch-only requested, --sort-by will be ignored"
        };
        cx.err_line(format!("warning: {what}"))?;
    }
    let (query, single) = query_of(args, cx, selection, plan).await?;
    let mut output = output_of(args, &query.kind, &query.namespace)?;
    let client = cx.client()?;
    let accept = if args.is_table() { TABLE } else { "application/json" };
    let first = match &single {
        Some(target) => match targets::get(client, target, "", accept, &[]).await {
            Err(error) if args.ignore_not_found && error.is_not_found() => return Ok(()),
            got => got?,
        },
        None => query.list(client, args.chunk_size, accept, false).await?,
    };
    let version = version_of(&first).to_owned();
    if !args.watch_only {
        output.print_first(args, cx, &query, first)?;
    }
    let mut watch = client.watch(query.watch(&version).accept(accept)).await?;
    cx.streams.flush()?;
    while let Some(event) = watch.next().await? {
        if event.kind == EventKind::Bookmark {
            continue;
        }
        output.print(args, cx, &event.name, event.object)?;
        cx.streams.flush()?;
    }
    Ok(())
}

/// The one thing that is watched: a query, perhaps for one name.
async fn query_of(args: &GetArgs, cx: &Context, selection: &Selection, plan: Plan) -> Result<(Query, Option<Target>)> {
    let (mut targets, mut queries) = match plan {
        Plan::Queries(queries) => (Vec::new(), queries),
        Plan::Names { targets, .. } if targets.len() > 1 => return Err(several(args, cx, targets, true).await),
        Plan::Names { targets, .. } => (targets, Vec::new()),
        Plan::Documents { documents, .. } => {
            let sources: HashSet<&str> = documents.iter().flatten().map(|document| document.source.as_str()).collect();
            let names = sources.len() > 1;
            let found = targets::of_documents(cx, selection, documents, false).await;
            Error::many(found.errors)?;
            if found.targets.len() > 1 {
                return Err(several(args, cx, found.targets, names).await);
            }
            (found.targets, Vec::new())
        }
    };
    if let Some(query) = queries.pop() {
        return Ok((query, None));
    }
    let target = targets.pop().ok_or_else(|| Error::silent(1))?;
    let query = Query::of_target(&target);
    Ok((query, Some(target)))
}

/// Several things cannot be watched, but are printed before that is told.
async fn several(args: &GetArgs, cx: &Context, targets: Vec<Target>, names: bool) -> Error {
    match print_several(args, cx, targets).await {
        Err(error) => error,
        Ok(_) if names => Error::new("you may only watch a single resource or type of resource at a time"),
        Ok(count) => Error::new(format!(
            "watch is only supported on individual resources and resource collections - {count} resources were found"
        )),
    }
}

async fn print_several(args: &GetArgs, cx: &Context, targets: Vec<Target>) -> Result<usize> {
    let accept = if args.is_table() { TABLE } else { "application/json" };
    let (targets, errors) = targets::get_all(cx.client()?, targets, "", accept, &[]).await;
    Error::many(errors)?;
    let Some(first) = targets.first().filter(|_| !args.watch_only) else { return Ok(targets.len()) };
    let mut output = output_of(args, &first.kind, &first.namespace)?;
    let count = targets.len();
    for target in targets {
        output.print(args, cx, "ADDED", target.object)?;
    }
    Ok(count)
}

fn output_of(args: &GetArgs, kind: &Arc<Kind>, namespace: &str) -> Result<Output> {
    if !args.is_table() {
        return Ok(Output::Objects(args.output.printer_with_columns("", args.no_headers)?));
    }
    let with_kind = if args.show_kind { kind.printed_name() } else { String::new() };
    let options = args.options(&with_kind, args.all_namespaces && kind.namespaced);
    let about = Target::named(Arc::clone(kind), namespace, "");
    Ok(Output::Table(Box::new(table::Printer::new(options)), about))
}

impl Output {
    /// Prints what there was when the watch began.
    fn print_first(&mut self, args: &GetArgs, cx: &Context, query: &Query, mut first: Value) -> Result<()> {
        if matches!(self, Self::Table(..)) || first.get("items").is_none() {
            return self.print(args, cx, "ADDED", first);
        }
        for target in targets::of_list(query, &mut first) {
            self.print(args, cx, "ADDED", target.object)?;
        }
        Ok(())
    }

    fn print(&mut self, args: &GetArgs, cx: &Context, event: &str, object: Value) -> Result<()> {
        match self {
            Self::Table(printer, about) => {
                about.object = object;
                let table = to_table(cx, about);
                if !table.rows.is_empty() {
                    printer.add(&table, args.output_watch_events.then_some(event));
                }
                let mut text = String::new();
                printer.flush(&mut text);
                cx.out(&text)
            }
            Self::Objects(printer) if args.output_watch_events && args.output.format() != "name" => {
                printer.print(cx, &json!({"type": event, "object": object}))
            }
            Self::Objects(printer) => printer.print(cx, &object),
        }
    }
}
