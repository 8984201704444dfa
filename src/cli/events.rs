//! `events`: what has happened, oldest first.

use clap::Parser;
use serde_json::json;

use super::args::{OutputArgs, Printer};
use super::context::Context;
use super::error::{Error, Result};
use super::targets::PAGE;
use super::verb::Run;
use crate::client::{EventKind, ListOptions, Request};
use crate::describe;
use crate::kinds::Kind;
use crate::object::selector::escape_field_value;
use crate::object::time::{self, Time};
use crate::object::{Value, meta};
use crate::output::table::escape_terminal;
use crate::output::tabwriter::TabWriter;
use crate::resource;

/// List events, oldest first.
///
/// With --for only those about one object, with --watch also those to come.
#[derive(Parser)]
pub struct EventsArgs {
    #[arg(hide = true)]
    words: Vec<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// How many objects to fetch with one request; 0 for all
    #[arg(long, value_name = "NUMBER", default_value_t = PAGE)]
    chunk_size: i64,
    /// Only events about this object
    #[arg(long = "for", value_name = "TYPE/NAME", default_value = "")]
    object: String,
    /// No line with the columns' names
    #[arg(long)]
    no_headers: bool,
    #[command(flatten)]
    output: OutputArgs,
    /// Only events of these types: Normal, Warning
    #[arg(long, value_name = "TYPE", value_delimiter = ',')]
    types: Vec<String>,
    /// After what there is, print events as they come
    #[arg(short, long)]
    watch: bool,
}

impl Run for EventsArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let (namespace, _) = cx.namespace()?;
        let fields = self.fields(cx).await?;
        cx.client()?;
        let mut out = Output::new(&self)?;
        if self.types.iter().any(|type_| !matches!(type_.to_lowercase().as_str(), "normal" | "warning")) {
            return Err(Error::new("valid --types are Normal or Warning"));
        }
        let path = match self.all_namespaces {
            true => "/api/v1/events".to_owned(),
            false => format!("/api/v1/namespaces/{namespace}/events"),
        };
        let options = ListOptions { fields, limit: self.chunk_size, ..ListOptions::default() };
        if self.watch {
            return self.follow(cx, &path, &options, &mut out).await;
        }
        let options = ListOptions { about: "events".into(), ..options };
        let mut list = cx.client()?.list(&path, &options, "application/json").await?;
        let items = list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default();
        let mut events: Vec<Value> = items.into_iter().filter(|event| self.wants(event)).map(as_event).collect();
        if events.is_empty() {
            let place = if self.all_namespaces { String::new() } else { format!(" in {namespace} namespace") };
            return cx.err_line(format!("No events found{place}."));
        }
        events.sort_by_key(time_of);
        out.list(events, cx)
    }
}

impl EventsArgs {
    /// The field selector for the object that the events are about.
    async fn fields(&self, cx: &Context) -> Result<String> {
        if self.object.is_empty() {
            return Ok(String::new());
        }
        let (kind, name) = match self.object.split('/').collect::<Vec<_>>().as_slice() {
            [_] => return Err(Error::new("--for must be in resource/name form")),
            [word, name] => {
                let word = word.to_lowercase();
                let kind = cx.mapper()?.resource(&word).await.map_err(|error| unknown(cx, &word, error))?;
                (kind, (*name).to_owned())
            }
            _ => return Err(Error::new("arguments in resource/name form may not have more than one slash")),
        };
        Ok(about(&kind, &name))
    }

    fn wants(&self, event: &Value) -> bool {
        let own = meta::str_at(event, &["type"]);
        self.types.is_empty() || self.types.iter().any(|type_| type_.eq_ignore_ascii_case(own))
    }

    /// Prints events as they come, until the server or the user ends it.
    async fn follow(&self, cx: &Context, path: &str, options: &ListOptions, out: &mut Output) -> Result<()> {
        let request = Request::get(path).list_options(options).query("watch", "true").on("events", "");
        let mut watch = cx.client()?.watch(request).await?;
        while let Ok(Some(event)) = watch.next().await {
            let told = matches!(event.kind, EventKind::Added | EventKind::Modified);
            if told && self.wants(&event.object) {
                out.one(as_event(event.object), cx)?;
                cx.streams.flush()?;
            }
        }
        Ok(())
    }
}

/// A resource type that the server does not have is told without a heading, and with its group.
fn unknown(cx: &Context, word: &str, error: resource::Error) -> Error {
    match error {
        resource::Error::Fact(_) => {
            let (name, group) = word.split_once('.').unwrap_or((word, ""));
            Error::plain(Error::no_resource(name, group, "").text())
        }
        error => cx.explain(error),
    }
}

fn about(kind: &Kind, name: &str) -> String {
    let (version, name) = (escape_field_value(&kind.api_version()), escape_field_value(name));
    format!("involvedObject.kind={},involvedObject.apiVersion={version},involvedObject.name={name}", kind.kind)
}

/// An event of a list with its kind.
fn as_event(mut event: Value) -> Value {
    if let Some(fields) = event.as_object_mut() {
        fields.entry("kind").or_insert_with(|| "Event".into());
        fields.entry("apiVersion").or_insert_with(|| "v1".into());
    }
    event
}

/// When an event was last seen.
fn time_of(event: &Value) -> Option<Time> {
    let at = |path: &[&str]| time::from_value(meta::get(event, path));
    match event.get("series") {
        Some(Value::Object(_)) => at(&["series", "lastObservedTime"]),
        _ => at(&["lastTimestamp"]).or_else(|| at(&["eventTime"])),
    }
}

/// Prints events as a table or as objects, in aligned columns either way.
struct Output {
    printer: Option<Printer>,
    writer: TabWriter,
    by_name: bool,
    headings: bool,
    with_namespace: bool,
}

impl Output {
    fn new(args: &EventsArgs) -> Result<Self> {
        let printer = match args.output.format() {
            "" => None,
            _ => Some(args.output.printer("events")?),
        };
        let (headings, with_namespace) = (!args.no_headers, args.all_namespaces);
        let by_name = args.output.format() == "name";
        Ok(Self { printer, writer: TabWriter::for_tables(), by_name, headings, with_namespace })
    }

    fn list(&mut self, events: Vec<Value>, cx: &Context) -> Result<()> {
        if self.by_name {
            // The printer of names refuses lists, and what a printer refuses is not told.
            return Ok(());
        }
        if self.printer.is_some() {
            let list = json!({"kind": "EventList", "apiVersion": "v1", "metadata": {}, "items": events});
            return self.object(&list, cx);
        }
        for event in &events {
            self.row(event, cx);
        }
        self.flush(cx)
    }

    fn one(&mut self, event: Value, cx: &Context) -> Result<()> {
        if self.printer.is_some() {
            return self.object(&event, cx);
        }
        self.row(&event, cx);
        self.flush(cx)
    }

    /// What a template says of an object that does not fit it is not told, as with kubectl.
    fn object(&mut self, object: &Value, cx: &Context) -> Result<()> {
        if let Some(printer) = &self.printer {
            printer.append_typed(object, self.writer.buffer()).ok();
        }
        self.flush(cx)
    }

    fn row(&mut self, event: &Value, cx: &Context) {
        let out = self.writer.buffer();
        if std::mem::take(&mut self.headings) {
            out.push_str(if self.with_namespace { "NAMESPACE\t" } else { "" });
            out.push_str("LAST SEEN\tTYPE\tREASON\tOBJECT\tMESSAGE\n");
        }
        if self.with_namespace {
            out.push_str(meta::namespace(event));
            out.push('\t');
        }
        out.push_str(&describe::interval(event, cx.now()));
        let cells: [(char, &[&str]); 5] = [
            ('\t', &["type"]),
            ('\t', &["reason"]),
            ('\t', &["involvedObject", "kind"]),
            ('/', &["involvedObject", "name"]),
            ('\t', &["message"]),
        ];
        for (before, path) in cells {
            out.push(before);
            let text = meta::str_at(event, path);
            escape_terminal(out, if path == ["message"] { text.trim() } else { text });
        }
        out.push('\n');
    }

    fn flush(&mut self, cx: &Context) -> Result<()> {
        let mut text = String::new();
        self.writer.flush(&mut text);
        cx.out(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_time_counts() {
        let event = |text: &str| serde_json::from_str::<Value>(text).expect("JSON");
        let seen = |text: &str| time_of(&event(text)).map(time::format);
        let (first, last) = ("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z");
        assert_eq!(seen(&format!(r#"{{"eventTime":"{first}","lastTimestamp":"{last}"}}"#)), Some(last.into()));
        assert_eq!(seen(&format!(r#"{{"eventTime":"{first}","lastTimestamp":null}}"#)), Some(first.into()));
        let series = format!(r#"{{"lastTimestamp":"{last}","series":{{"lastObservedTime":"{first}"}}}}"#);
        assert_eq!(seen(&series), Some(first.into()));
        assert_eq!(seen("{}"), None);
    }
}
