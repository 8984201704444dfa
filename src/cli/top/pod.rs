//! `top pod`.

use clap::Parser;

use super::usage::{Lines, Measured, Usage};
use super::{METRICS, SortBy, check_available};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::client::Request;
use crate::object::duration::GoDuration;
use crate::object::selector::{FieldSelector, LabelSelector};
use crate::object::{Value, meta, time};

/// How long after its creation a pod may be without measurements, in seconds.
const CREATION_DELAY: i64 = 120;

/// Show what pods use of processors and memory.
#[derive(Parser)]
pub struct PodArgs {
    /// The pod; all without
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// In all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// A line for each container
    #[arg(long)]
    containers: bool,
    /// Only pods whose fields match
    #[arg(long, value_name = "SELECTOR", default_value = "")]
    field_selector: String,
    /// No line with the columns' names
    #[arg(long)]
    no_headers: bool,
    /// Only pods whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "")]
    selector: String,
    /// Show swapped-out memory, too
    #[arg(long)]
    show_swap: bool,
    /// Sort by cpu or memory, the largest first
    #[arg(long, value_name = "FIELD", default_value = "")]
    sort_by: String,
    /// Show the sum below
    #[arg(long)]
    sum: bool,
    /// Accepted, without effect
    #[arg(long, hide = true, default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    use_protocol_buffers: bool,
}

impl Run for PodArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let name = match self.names.as_slice() {
            [] => "",
            [name] => name,
            _ => return Err(cx.usage("pod [NAME | -l label]")),
        };
        let (namespace, _) = cx.namespace()?;
        cx.client()?;
        let sort_by = SortBy::parse(&self.sort_by)?;
        let selects = !self.selector.is_empty() || !self.field_selector.is_empty();
        if selects && !name.is_empty() {
            return Err(Error::new("only one of NAME or selector can be provided"));
        }
        LabelSelector::parse(&self.selector).map_err(|error| Error::new(error.to_string()))?;
        FieldSelector::parse(&self.field_selector).map_err(|error| Error::new(error.to_string()))?;
        check_available(cx).await?;
        let place = if self.all_namespaces { String::new() } else { format!("/namespaces/{namespace}") };
        let metrics = self.fetch(cx, &format!("{METRICS}{place}/pods"), "pods.metrics.k8s.io", name).await?;
        if metrics.is_empty() {
            self.explain_nothing(cx, &namespace, name).await?;
            let place = if self.all_namespaces { String::new() } else { format!(" in {namespace} namespace.") };
            return cx.err_line(format!("No resources found{place}"));
        }
        cx.out(&self.table(metrics, sort_by))
    }
}

impl PodArgs {
    async fn fetch(&self, cx: &Context, path: &str, about: &str, name: &str) -> Result<Vec<Value>> {
        if !name.is_empty() {
            return Ok(vec![cx.json(Request::get(format!("{path}/{name}")).on(about, name)).await?]);
        }
        let request = Request::get(path)
            .query_some("fieldSelector", &self.field_selector)
            .query_some("labelSelector", &self.selector);
        let mut list = cx.json(request.on(about, "")).await?;
        Ok(list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default())
    }

    /// Fails unless there are no pods: they are too young to be measured, or something is wrong.
    async fn explain_nothing(&self, cx: &Context, namespace: &str, name: &str) -> Result<()> {
        let pods = self.fetch(cx, &format!("/api/v1/namespaces/{namespace}/pods"), "pods", name).await?;
        if pods.is_empty() {
            return Ok(());
        }
        for pod in &pods {
            let created = time::from_value(meta::get(pod, &["metadata", "creationTimestamp"]));
            let age = created.map_or(GoDuration(i64::MAX), |created| time::since(created, cx.now()));
            if age > GoDuration::from_secs(CREATION_DELAY) {
                return Err(Error::new(format!(
                    "Metrics not available for pod {}/{}, age: {age}",
                    meta::namespace(pod),
                    meta::name(pod)
                )));
            }
        }
        Err(Error::new("metrics not available yet"))
    }

    fn table(&self, mut metrics: Vec<Value>, sort_by: SortBy) -> String {
        let columns = Measured::columns(self.show_swap);
        let mut lines = Lines::new();
        let mut headings = Vec::new();
        headings.extend(self.all_namespaces.then_some("NAMESPACE"));
        headings.extend(self.containers.then_some("POD"));
        headings.push("NAME");
        headings.extend(columns.iter().map(|column| column.heading()));
        // Without headings kubectl's sum stands as if only the columns of every table were there.
        let width = if self.no_headers { columns.len() + 1 } else { headings.len() };
        if !self.no_headers {
            lines.add(headings);
        }
        metrics.sort_by(|a, b| match sort_by {
            SortBy::Name if self.all_namespaces => {
                (meta::namespace(a), meta::name(a)).cmp(&(meta::namespace(b), meta::name(b)))
            }
            SortBy::Name => meta::name(a).cmp(meta::name(b)),
            by => Usage::of_pod(a).order(&Usage::of_pod(b), by),
        });
        for pod in &metrics {
            self.pod(&mut lines, columns, pod, sort_by);
        }
        if self.sum {
            let mut sum = Usage::default();
            metrics.iter().for_each(|pod| sum.add(&Usage::of_pod(pod)));
            let blank = |cells: usize| std::iter::repeat_n("", cells);
            lines.add(blank(width - 2).chain(["________", "________"]));
            let amounts: Vec<String> = columns.iter().map(|column| sum.text(*column)).collect();
            // The name of the last line is blank, too.
            lines.add(blank(width - 2).chain(amounts.iter().map(String::as_str)));
        }
        lines.text()
    }

    fn pod(&self, lines: &mut Lines, columns: &[Measured], pod: &Value, sort_by: SortBy) {
        let mut line = |before: &[&str], name: &str, usage: &Usage| {
            let amounts: Vec<String> = columns.iter().map(|column| usage.text(*column)).collect();
            let cells = before.iter().copied().chain([name]).chain(amounts.iter().map(String::as_str));
            lines.add(cells.collect::<Vec<_>>());
        };
        let mut before = Vec::new();
        before.extend(self.all_namespaces.then(|| meta::namespace(pod)));
        if !self.containers {
            return line(&before, meta::name(pod), &Usage::of_pod(pod));
        }
        before.push(meta::name(pod));
        let mut containers: Vec<(&str, Usage)> = meta::list_at(pod, &["containers"])
            .iter()
            .map(|container| (meta::str_at(container, &["name"]), Usage::of(container.get("usage"))))
            .collect();
        containers.sort_by(|a, b| match sort_by {
            SortBy::Name => a.0.cmp(b.0),
            by => a.1.order(&b.1, by),
        });
        for (name, usage) in &containers {
            line(&before, name, usage);
        }
    }
}
