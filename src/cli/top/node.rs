//! `top node`.

use std::collections::{BTreeMap, BTreeSet};

use clap::Parser;

use super::usage::{Lines, Measured, Usage};
use super::{METRICS, SortBy, check_available};
use crate::cli::context::Context;
use crate::cli::error::{Error, Result};
use crate::cli::verb::Run;
use crate::client::Request;
use crate::object::selector::LabelSelector;
use crate::object::{Value, meta};

const UNKNOWN: &str = "<unknown>";

/// Show what nodes use of processors and memory.
#[derive(Parser)]
pub struct NodeArgs {
    /// The node; all without
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// No line with the columns' names
    #[arg(long)]
    no_headers: bool,
    /// Only nodes whose labels match
    #[arg(short = 'l', long, value_name = "SELECTOR", default_value = "")]
    selector: String,
    /// Shares of all that a node has, not of what pods may have
    #[arg(long)]
    show_capacity: bool,
    /// Show swapped-out memory, too
    #[arg(long)]
    show_swap: bool,
    /// Sort by cpu or memory, the largest first
    #[arg(long, value_name = "FIELD", default_value = "")]
    sort_by: String,
    /// Accepted, without effect
    #[arg(long, hide = true, default_value_t = true, num_args = 0..=1, require_equals = true,
          default_missing_value = "true", action = clap::ArgAction::Set)]
    use_protocol_buffers: bool,
}

impl Run for NodeArgs {
    async fn run(self, cx: &Context) -> Result<()> {
        let name = match self.names.as_slice() {
            [] => "",
            [name] => name,
            _ => return Err(cx.usage("node [NAME | -l label]")),
        };
        cx.client()?;
        let sort_by = SortBy::parse(&self.sort_by)?;
        if !name.is_empty() && !self.selector.is_empty() {
            return Err(Error::new("only one of NAME or --selector can be provided"));
        }
        LabelSelector::parse(&self.selector).map_err(|error| Error::new(error.to_string()))?;
        check_available(cx).await?;
        let metrics = self.fetch(cx, &format!("{METRICS}/nodes"), "nodes.metrics.k8s.io", name).await?;
        if metrics.is_empty() {
            return Err(Error::new("metrics not available yet"));
        }
        let nodes = self.fetch(cx, "/api/v1/nodes", "nodes", name).await?;
        cx.out(&self.table(metrics, &nodes, sort_by))
    }
}

impl NodeArgs {
    async fn fetch(&self, cx: &Context, path: &str, about: &str, name: &str) -> Result<Vec<Value>> {
        if !name.is_empty() {
            return Ok(vec![cx.json(Request::get(format!("{path}/{name}")).on(about, name)).await?]);
        }
        let mut list = cx.json(Request::get(path).query_some("labelSelector", &self.selector).on(about, "")).await?;
        Ok(list.get_mut("items").and_then(Value::as_array_mut).map(std::mem::take).unwrap_or_default())
    }

    fn table(&self, mut metrics: Vec<Value>, nodes: &[Value], sort_by: SortBy) -> String {
        let columns = Measured::columns(self.show_swap);
        let mut lines = Lines::new();
        if !self.no_headers {
            let shown = columns.iter().flat_map(|column| [column.heading(), column.share_heading()]);
            lines.add(std::iter::once("NAME").chain(shown));
        }
        let usage = |node: &Value| Usage::of(node.get("usage"));
        metrics.sort_by(|a, b| match sort_by {
            SortBy::Name => meta::name(a).cmp(meta::name(b)),
            by => usage(a).order(&usage(b), by),
        });
        let without_swap: BTreeSet<&str> =
            nodes.iter().filter(|node| swap_of(node).is_none()).map(meta::name).collect();
        let mut available: BTreeMap<&str, Usage> =
            nodes.iter().map(|node| (meta::name(node), self.available(node))).collect();
        for node in &metrics {
            let name = meta::name(node);
            let there = available.remove(name).unwrap_or_default();
            let used = usage(node);
            let mut cells = vec![name.to_owned()];
            for column in columns {
                if *column == Measured::Swap && without_swap.contains(name) {
                    cells.extend([UNKNOWN.to_owned(), UNKNOWN.to_owned()]);
                    continue;
                }
                cells.push(used.text(*column));
                cells.extend(used.share(*column, &there));
            }
            lines.add(cells.iter().map(String::as_str));
        }
        // Nodes that nothing was measured of.
        for name in available.keys() {
            lines.add(std::iter::once(*name).chain(columns.iter().flat_map(|_| [UNKNOWN, UNKNOWN])));
        }
        lines.text()
    }

    /// What there is on a node to be used.
    fn available(&self, node: &Value) -> Usage {
        let field = if self.show_capacity { "capacity" } else { "allocatable" };
        let mut available = Usage::of(meta::get(node, &["status", field]));
        if let Some(bytes) = swap_of(node) {
            available.set_bytes(Measured::Swap, bytes);
        }
        available
    }
}

fn swap_of(node: &Value) -> Option<i64> {
    meta::int_at(node, &["status", "nodeInfo", "swap", "capacity"])
}
