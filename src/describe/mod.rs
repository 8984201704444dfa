//! `describe`: an object and what belongs to it, as text for people.
//!
//! Describing is pure. [`requests`] says what has to be read beside the object, the caller reads it into a
//! [`Related`], and [`describe`] makes the text. One file per family of kinds registers its describers in [`TABLE`];
//! kinds without one are described field by field.

use std::fmt;

use chrono::{DateTime, FixedOffset, Utc};

use crate::object::{GroupKind, Status, Value, meta};

mod access;
mod autoscaling;
mod batch;
mod certificate;
mod config;
mod container;
mod events;
mod fetch;
mod generic;
mod network;
mod network_policy;
mod node;
mod pod;
mod related;
mod resources;
mod storage;
mod text;
mod volume;
mod workload;
mod writer;

pub use events::interval;
pub use fetch::fetch;
pub use related::{Related, Request};
pub use writer::Writer;

/// What the caller chooses.
#[derive(Clone, Copy)]
pub struct Settings {
    /// Whether the description ends with the object's events.
    pub show_events: bool,
    /// How many objects to ask for at a time, 0 for all at once.
    pub chunk_size: i64,
    /// The present time.
    pub now: DateTime<Utc>,
    /// Brings a time into the reader's zone.
    pub zone: fn(DateTime<Utc>) -> DateTime<FixedOffset>,
}

impl Settings {
    /// Settings as without any flag, with times in UTC.
    pub fn new(now: DateTime<Utc>) -> Self {
        Self { show_events: true, chunk_size: 500, now, zone: |time| time.fixed_offset() }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("show_events", &self.show_events)
            .field("chunk_size", &self.chunk_size)
            .field("now", &self.now)
            .finish_non_exhaustive()
    }
}

/// Why an object could not be described.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The server refused something that the description cannot do without.
    #[error(transparent)]
    Status(#[from] Status),
    /// The object holds something unreadable.
    #[error("{0}")]
    Malformed(String),
}

/// What a describer works on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject<'a> {
    object: &'a Value,
    related: &'a Related,
    settings: &'a Settings,
}

/// How one kind is described.
struct Describer {
    group: &'static str,
    kind: &'static str,
    /// What to read beside the object and its events.
    requests: fn(&Value) -> Vec<Request>,
    /// Writes the description.
    describe: fn(&Subject<'_>, &mut Writer) -> Result<(), Error>,
    /// Whether the describer shows events at all.
    events: bool,
}

impl Describer {
    /// A describer that needs nothing but the object and its events.
    const fn new(
        group: &'static str,
        kind: &'static str,
        describe: fn(&Subject<'_>, &mut Writer) -> Result<(), Error>,
    ) -> Self {
        Self { group, kind, requests: |_| Vec::new(), describe, events: true }
    }

    /// The same with more to read.
    const fn reads(mut self, requests: fn(&Value) -> Vec<Request>) -> Self {
        self.requests = requests;
        self
    }

    /// The same without events.
    const fn eventless(mut self) -> Self {
        self.events = false;
        self
    }
}

const TABLE: &[&[Describer]] = &[
    access::TABLE,
    autoscaling::TABLE,
    batch::TABLE,
    certificate::TABLE,
    config::TABLE,
    network::TABLE,
    network_policy::TABLE,
    node::TABLE,
    pod::TABLE,
    storage::TABLE,
    workload::TABLE,
];

fn describer(kind: &GroupKind) -> Option<&'static Describer> {
    TABLE.iter().copied().flatten().find(|d| d.group == kind.group && d.kind == kind.kind)
}

/// The version in which an object is to be read before it is described, where that is not the preferred one's matter.
pub fn version_of(kind: &GroupKind) -> Option<&'static str> {
    match (kind.group.as_str(), kind.kind.as_str()) {
        ("autoscaling", "HorizontalPodAutoscaler") => Some("v2"),
        _ => describer(kind).map(|_| "v1"),
    }
}

/// What has to be read to describe an object as kubectl does, events included when they are wanted.
pub fn requests(object: &Value, settings: &Settings) -> Vec<Request> {
    let found = describer(&meta::gvk(object).group_kind());
    let mut requests = found.map(|d| (d.requests)(object)).unwrap_or_default();
    if settings.show_events && found.is_none_or(|d| d.events) {
        requests.extend(events::requests(object));
    }
    requests
}

/// Describes a pod template as histories of roll-outs show it: columns are left to their tabs.
pub fn pod_template(template: &Value, settings: &Settings) -> String {
    let mut writer = Writer::new();
    pod::template(&mut writer, Some(template), settings);
    writer.unaligned()
}

/// Describes an object, with kubectl's text.
///
/// # Errors
/// [`Error`] when something indispensable could not be read.
pub fn describe(object: &Value, related: &Related, settings: &Settings) -> Result<String, Error> {
    let subject = Subject { object, related, settings };
    let mut writer = Writer::new();
    match describer(&meta::gvk(object).group_kind()) {
        Some(found) => (found.describe)(&subject, &mut writer)?,
        None => generic::describe(&subject, &mut writer)?,
    }
    Ok(writer.finish())
}
