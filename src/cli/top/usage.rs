//! Amounts of resources, and lines of aligned columns.

use std::cmp::Ordering;

use super::SortBy;
use crate::object::quantity::{Format, Quantity, from_value};
use crate::object::{Value, meta};
use crate::output::tabwriter::TabWriter;

/// What is measured, in the order of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measured {
    /// Processors, in thousandths.
    Cpu,
    /// Memory, in MiB.
    Memory,
    /// Swapped-out memory, in MiB.
    Swap,
}

impl Measured {
    /// Processors and memory; swap where it is asked for.
    pub fn columns(swap: bool) -> &'static [Self] {
        if swap { &[Self::Cpu, Self::Memory, Self::Swap] } else { &[Self::Cpu, Self::Memory] }
    }

    /// The name in lists of resources.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::Swap => "swap",
        }
    }

    /// The heading of the amount.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Cpu => "CPU(cores)",
            Self::Memory => "MEMORY(bytes)",
            Self::Swap => "SWAP(bytes)",
        }
    }

    /// The heading of the share of what there is.
    pub fn share_heading(self) -> &'static str {
        match self {
            Self::Cpu => "CPU(%)",
            Self::Memory => "MEMORY(%)",
            Self::Swap => "SWAP(%)",
        }
    }

    fn text(self, amount: &Quantity) -> String {
        match self {
            Self::Cpu => format!("{}m", amount.milli_value()),
            Self::Memory | Self::Swap => format!("{}Mi", amount.value() / (1024 * 1024)),
        }
    }
}

/// Amounts by resource; one that is missing or malformed counts as none.
#[derive(Clone, Debug, Default)]
pub struct Usage {
    amounts: Vec<(&'static str, Quantity)>,
}

impl Usage {
    /// The amounts of a list of resources, those that are there.
    pub fn of(list: Option<&Value>) -> Self {
        let amount = |measured: &Measured| {
            let value = list?.get(measured.name())?;
            Some((measured.name(), from_value(value).ok()?))
        };
        Self { amounts: Measured::columns(true).iter().filter_map(amount).collect() }
    }

    /// The amounts of the containers of a pod's measurements together.
    pub fn of_pod(pod: &Value) -> Self {
        let mut whole = Self::default();
        for container in meta::list_at(pod, &["containers"]) {
            whole.add(&Self::of(container.get("usage")));
        }
        whole
    }

    /// Adds other amounts.
    pub fn add(&mut self, other: &Self) {
        for (name, amount) in &other.amounts {
            match self.amounts.iter_mut().find(|(known, _)| known == name) {
                Some((_, sum)) => sum.add(amount),
                None => self.amounts.push((name, amount.clone())),
            }
        }
    }

    /// Sets one amount in bytes.
    pub fn set_bytes(&mut self, measured: Measured, bytes: i64) {
        self.amounts.retain(|(name, _)| *name != measured.name());
        self.amounts.push((measured.name(), Quantity::from_i64(bytes, Format::BinarySI)));
    }

    fn get(&self, measured: Measured) -> Option<&Quantity> {
        self.amounts.iter().find(|(name, _)| *name == measured.name()).map(|(_, amount)| amount)
    }

    /// The amount as it is shown.
    pub fn text(&self, measured: Measured) -> String {
        self.get(measured).map_or_else(|| measured.text(&Quantity::zero()), |amount| measured.text(amount))
    }

    /// The share of `available` in whole percents, where there is such a resource.
    pub fn share(&self, measured: Measured, available: &Self) -> Option<String> {
        let available = available.get(measured)?.milli_value();
        let used = self.get(measured).map_or(0, Quantity::milli_value);
        if available == 0 {
            return Some("0%".into());
        }
        #[expect(clippy::cast_precision_loss, reason = "as Go converts them")]
        let fraction = used as f64 / available as f64 * 100.0;
        #[expect(clippy::cast_possible_truncation, reason = "cut as Go cuts it")]
        Some(format!("{}%", fraction as i64))
    }

    /// How two of them stand in a table: the larger amount first; by name nothing is decided here.
    pub fn order(&self, other: &Self, by: SortBy) -> Ordering {
        let cpu = |usage: &Self| usage.get(Measured::Cpu).map_or(0, Quantity::milli_value);
        let memory = |usage: &Self| usage.get(Measured::Memory).map_or(0, Quantity::value);
        match by {
            SortBy::Name => Ordering::Equal,
            SortBy::Cpu => cpu(other).cmp(&cpu(self)),
            SortBy::Memory => memory(other).cmp(&memory(self)),
        }
    }
}

/// Lines of cells; every cell has an end, the last one, too.
pub struct Lines {
    writer: TabWriter,
}

impl Lines {
    /// No lines yet.
    pub fn new() -> Self {
        Self { writer: TabWriter::for_tables() }
    }

    /// Adds a line.
    pub fn add<'a>(&mut self, cells: impl IntoIterator<Item = &'a str>) {
        let out = self.writer.buffer();
        for cell in cells {
            out.push_str(cell);
            out.push('\t');
        }
        out.push('\n');
    }

    /// The lines, aligned.
    pub fn text(mut self) -> String {
        let mut text = String::new();
        self.writer.flush(&mut text);
        text
    }
}
