//! `get`: objects as tables, as data, or as they change.

mod sort;
mod watch;

use clap::Parser;

use super::args::{FileArgs, OutputArgs};
use super::context::Context;
use super::error::{Error, Result};
use super::targets::{self, Found};
use super::verb::Run;
use crate::client::Request;
use crate::kinds::columns;
use crate::object::{Value, meta, time};
use crate::output::table::{self, Options, Table};
use crate::resource::{Plan, Selection, Target};
use sort::Sorter;

/// The forms of an answer that suit a table.
const TABLE: &str =
    "application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json";

/// Display one or many resources.
///
/// Prints a table of the most important fields, or the objects themselves with -o.
#[derive(Parser)]
pub struct GetArgs {
    /// Types and names: TYPE, TYPE NAME…, TYPE/NAME…, TYPE,TYPE…
    #[arg(value_name = "TYPE[/NAME]")]
    resources: Vec<String>,
    #[command(flatten)]
    files: FileArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// From all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Objects per request of a long list; 0 asks for all at once
    #[arg(long, value_name = "COUNT", default_value_t = targets::PAGE)]
    chunk_size: i64,
    /// Only objects whose fields match (metadata.name=a,status.phase!=Running)
    #[arg(long, value_name = "SELECTOR")]
    field_selector: Option<String>,
    /// Only objects whose labels match (a=b,c!=d,e in (f,g))
    #[arg(short = 'l', long, value_name = "SELECTOR")]
    selector: Option<String>,
    /// Say nothing of objects that do not exist
    #[arg(long)]
    ignore_not_found: bool,
    /// Add a column for each of these labels
    #[arg(short = 'L', long, value_name = "LABEL", value_delimiter = ',')]
    label_columns: Vec<String>,
    /// No heading above tables
    #[arg(long)]
    no_headers: bool,
    /// With --watch, print what happened to each object
    #[arg(long)]
    output_watch_events: bool,
    /// Read this path of the server, and print the answer as it is
    #[arg(long, value_name = "PATH")]
    raw: Option<String>,
    /// Have the server choose the columns
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "true", default_value_t = true,
          action = clap::ArgAction::Set)]
    server_print: bool,
    /// Name the kind of each object
    #[arg(long)]
    show_kind: bool,
    /// Add a column with all labels
    #[arg(long)]
    show_labels: bool,
    /// Sort by this field (.metadata.name)
    #[arg(long, value_name = "JSONPATH")]
    sort_by: Option<String>,
    /// Read this subresource instead of the object
    #[arg(long, value_name = "NAME")]
    subresource: Option<String>,
    /// After what there is, print changes as they come
    #[arg(short, long)]
    watch: bool,
    /// Print changes only
    #[arg(long)]
    watch_only: bool,
}

impl GetArgs {
    /// The field to sort by, if any.
    fn sort_by(&self) -> Option<&str> {
        self.sort_by.as_deref().filter(|field| !field.is_empty())
    }

    /// Whether a table is printed.
    fn is_table(&self) -> bool {
        matches!(self.output.format(), "wide") || (self.output.format().is_empty() && self.output.template.is_none())
    }

    /// The path to read as it is, if one was given.
    fn raw(&self) -> Option<&str> {
        self.raw.as_deref().filter(|path| !path.is_empty())
    }

    fn watches(&self) -> bool {
        self.watch || self.watch_only
    }

    fn check(&self, cx: &Context) -> Result<()> {
        let format = self.output.format();
        if let Some(path) = self.raw() {
            if !self.resources.is_empty() {
                return Err(Error::new("arguments may not be passed when --raw is specified"));
            }
            if self.watches() || self.selector.is_some() {
                return Err(Error::new(
                    "--raw may not be specified with other flags that filter the server request or alter the output",
                ));
            }
            if !format.is_empty() {
                return Err(Error::new("--raw and --output are mutually exclusive"));
            }
            super::create::check_path(path)?;
        }
        if self.show_labels && !matches!(format, "" | "wide") {
            return Err(Error::new(format!("--show-labels option cannot be used with {format} printer")));
        }
        if !self.label_columns.is_empty() && format.starts_with("custom-columns") {
            return Err(Error::new(format!("--label-columns option cannot be used with {format} printer")));
        }
        if self.output_watch_events && !self.watches() {
            return Err(Error::new("--output-watch-events option can only be used with --watch or --watch-only"));
        }
        if self.raw().is_none() && !self.watches() && self.resources.is_empty() && self.files.is_empty() {
            let program = &cx.program.name;
            cx.err(&format!(
                "You must specify the type of resource to get. Use \"{program} api-resources\" for a complete list of \
                 supported resources.\n\n"
            ))?;
            return Err(cx.usage(format!(
                "Required resource not specified.\nUse \"{program} explain <resource>\" for a detailed description of \
                 that resource (e.g. {program} explain pods)."
            )));
        }
        if !self.is_table() {
            // A format that is none is told before anything is asked of the server.
            self.output.printer_with_columns("", self.no_headers)?;
        }
        Ok(())
    }

    fn options(&self, with_kind: &str, with_namespace: bool) -> Options {
        Options {
            wide: self.output.format() == "wide",
            no_headers: self.no_headers,
            show_labels: self.show_labels,
            label_columns: self.label_columns.clone(),
            with_kind: with_kind.to_owned(),
            with_namespace,
        }
    }
}

impl Run for GetArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        self.check(cx)?;
        if let Some(path) = self.raw() {
            let answer = cx.call(Request::get(path)).await?;
            return cx.out(&String::from_utf8_lossy(&answer.body));
        }
        let selection = Selection {
            labels: self.selector.clone().unwrap_or_default(),
            fields: self.field_selector.clone().unwrap_or_default(),
            all_namespaces: self.all_namespaces,
            types_mean_all: true,
            single_type: self.watches(),
            subresource: self.subresource.clone().unwrap_or_default(),
            ..cx.selection(self.resources.clone(), self.files.options())?
        };
        let plan = cx.plan(&selection).await?;
        if self.watches() {
            return watch::run(&self, cx, &selection, plan).await;
        }
        if self.is_table() { self.tables(cx, &selection, plan).await } else { self.objects(cx, &selection, plan).await }
    }
}

impl GetArgs {
    fn forgiven(&self, errors: Vec<Error>) -> Vec<Error> {
        errors.into_iter().filter(|error| !(self.ignore_not_found && error.is_not_found())).collect()
    }

    /// Objects as data: one alone, several as a list.
    async fn objects(&self, cx: &Context, selection: &Selection, plan: Plan) -> Result<()> {
        let Found { mut targets, errors, single } = targets::fetch(cx, selection, plan).await?;
        let errors = self.forgiven(errors);
        if single && !errors.is_empty() {
            return Error::many(errors);
        }
        if targets.is_empty() && self.ignore_not_found {
            return Error::many(errors);
        }
        if let Some(field) = self.sort_by() {
            Sorter::strict(cx, field)?.objects(&mut targets)?;
        }
        let printer = self.output.printer_with_columns("", self.no_headers)?;
        let mut objects: Vec<Value> = targets.into_iter().map(|target| target.object).collect();
        let object = match (single, objects.len()) {
            (true, 1) => objects.swap_remove(0),
            _ => serde_json::json!({
                "apiVersion": "v1", "kind": "List", "metadata": {"resourceVersion": ""}, "items": objects,
            }),
        };
        printer.print(cx, &object)?;
        Error::many(errors)
    }

    /// Everything as Tables of the server, with the kind of each.
    async fn fetch_tables(&self, cx: &Context, selection: &Selection, plan: Plan) -> Result<(Vec<Target>, Vec<Error>)> {
        let client = cx.client()?;
        let accept = if self.server_print { TABLE } else { "application/json" };
        // Sorting by a field needs the whole object with each row.
        let whole = self.sort_by().is_some();
        let query: &[(&str, &str)] = if whole { &[("includeObject", "Object")] } else { &[] };
        let found = match plan {
            Plan::Queries(queries) => {
                let limit = if whole { 0 } else { self.chunk_size };
                let lists = targets::list_all(client, &queries, limit, accept, whole).await;
                let (mut found, mut errors) = (Vec::new(), Vec::new());
                for (query, list) in queries.iter().zip(lists) {
                    match list {
                        Ok(mut list) if !self.server_print => found.extend(targets::of_list(query, &mut list)),
                        Ok(list) => {
                            let mut target = Target::named(std::sync::Arc::clone(&query.kind), &query.namespace, "");
                            target.object = list;
                            found.push(target);
                        }
                        Err(error) => errors.push(error.into()),
                    }
                }
                return Ok((found, errors));
            }
            Plan::Names { targets, .. } => targets,
            Plan::Documents { documents, .. } => {
                let found = targets::latest_of_documents(cx, selection, documents, accept, query).await?;
                return Ok((found.targets, found.errors));
            }
        };
        Ok(targets::get_all(client, found, &selection.subresource, accept, query).await)
    }

    /// Tables in the order of `--sort-by`, those of one kind among themselves.
    fn sorted(&self, cx: &Context, found: &mut Vec<Target>) -> Result<()> {
        let Some(field) = self.sort_by() else { return Ok(()) };
        let tables = found.iter().any(|target| Table::from_value(&target.object).is_some());
        if tables && (!cx.program.exact || found.len() < 2) {
            return Ok(());
        }
        // kubectl looks for the field in the tables themselves when there are several.
        let sorter = Sorter::lenient(cx, field)?;
        if found.len() < 2 { Ok(()) } else { sorter.objects(found) }
    }

    /// The rows of one kind, sorted. kubectl prints nothing of a table that it cannot sort, and does not say why.
    fn sort_rows(&self, cx: &Context, tables: &mut Vec<Table>) -> Result<()> {
        let Some(field) = self.sort_by() else { return Ok(()) };
        if !cx.program.exact {
            let mut all = std::mem::take(tables).into_iter();
            let Some(mut whole) = all.next() else { return Ok(()) };
            whole.rows.extend(all.flat_map(|table| table.rows));
            Sorter::lenient(cx, field)?.rows(&mut whole.rows)?;
            tables.push(whole);
            return Ok(());
        }
        for table in tables {
            match Sorter::lenient(cx, field).and_then(|sorter| sorter.table(table)) {
                Err(error) if error.text().is_empty() => return Err(error),
                Err(_) => table.rows.clear(),
                Ok(()) => (),
            }
        }
        Ok(())
    }

    async fn tables(&self, cx: &Context, selection: &Selection, plan: Plan) -> Result<()> {
        let (mut found, errors) = self.fetch_tables(cx, selection, plan).await?;
        let errors = self.forgiven(errors);
        let several = found.iter().any(|target| target.kind.gvk() != found[0].kind.gvk());
        self.sorted(cx, &mut found)?;
        let mut all_namespaced = !self.all_namespaces;
        let mut written = false;
        let mut rest = found.into_iter().peekable();
        while let Some(first) = rest.next() {
            let kind = std::sync::Arc::clone(&first.kind);
            all_namespaced &= kind.namespaced;
            // Neighbours of one kind share a heading.
            let mut tables = vec![to_table(cx, &first)];
            while let Some(next) = rest.next_if(|next| next.kind.gvr() == kind.gvr()) {
                tables.push(to_table(cx, &next));
            }
            self.sort_rows(cx, &mut tables)?;
            let with_kind = if several || self.show_kind { kind.printed_name() } else { String::new() };
            let mut printer = table::Printer::new(self.options(&with_kind, self.all_namespaces && kind.namespaced));
            for table in tables.iter().filter(|table| !table.rows.is_empty()) {
                printer.add(table, None);
            }
            let mut text = String::new();
            printer.flush(&mut text);
            if !text.is_empty() {
                if written && !self.no_headers {
                    cx.out("\n")?;
                }
                cx.out(&text)?;
                written = true;
            }
        }
        if !written && !self.ignore_not_found && errors.is_empty() {
            let place = if all_namespaced { format!(" in {} namespace.", selection.namespace) } else { String::new() };
            cx.err_line(format!("No resources found{place}"))?;
        }
        Error::many(errors)
    }
}

/// The Table of a server's answer. Of another answer kubectl shows names and ages alone; knarr knows the columns of
/// built-in kinds.
fn to_table(cx: &Context, target: &Target) -> Table {
    if let Some(table) = Table::from_value(&target.object) {
        return table;
    }
    let items = match target.object.get("items").and_then(Value::as_array) {
        Some(items) => items.as_slice(),
        None => std::slice::from_ref(&target.object),
    };
    let now = cx.now();
    if cx.program.exact {
        return Table {
            columns: vec![
                table::Column { format: "name".into(), ..table::Column::text("Name") },
                table::Column::text("Age"),
            ],
            rows: items.iter().map(|object| name_and_age(object, now)).collect(),
        };
    }
    let group_kind = target.kind.group_kind();
    let row = |object: &Value| table::Row { cells: columns::cells(&group_kind, object, now), object: object.clone() };
    let column = |column: &columns::Column| table::Column {
        name: column.name.to_owned(),
        type_: column.type_.to_owned(),
        format: column.format.to_owned(),
        priority: column.priority.into(),
    };
    Table { columns: columns::of(&group_kind).iter().map(column).collect(), rows: items.iter().map(row).collect() }
}

fn name_and_age(object: &Value, now: time::Time) -> table::Row {
    let age = time::age(object.pointer("/metadata/creationTimestamp").and_then(Value::as_str), now);
    table::Row { cells: vec![meta::name(object).into(), age.into()], object: object.clone() }
}

/// The version that a watch goes on from.
fn version_of(object: &Value) -> &str {
    meta::resource_version(object)
}
