//! `metadata.managedFields`: who owns which fields of an object since when.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, SubsecRound as _, Utc};

use super::codec::ParseError;
use super::set::FieldSet;
use crate::object::{Map, Value, go, json, meta};

/// How a manager came to its fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// Server-side apply.
    Apply,
    /// Any other write.
    Update,
}

impl Operation {
    fn as_str(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// Why `managedFields` cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// An entry is no object, or has a field of a wrong type.
    #[error("malformed managed fields entry {0}")]
    Malformed(usize),
    /// Neither `Apply` nor `Update`.
    #[error("operation must be `Apply` or `Update`")]
    Operation,
    /// No `apiVersion`.
    #[error("apiVersion must not be empty")]
    ApiVersion,
    /// No `fieldsType`.
    #[error("missing fieldsType in managed fields entry {0}")]
    MissingFieldsType(usize),
    /// A `fieldsType` other than `FieldsV1`.
    #[error("invalid fieldsType {} in managed fields entry {index}", go::quote(found))]
    FieldsType {
        /// Place of the entry.
        index: usize,
        /// What it says.
        found: String,
    },
    /// The set cannot be read.
    #[error("error decoding versioned set from managed fields entry {index}: error decoding set: {source}")]
    Set {
        /// Place of the entry.
        index: usize,
        /// What is wrong.
        source: ParseError,
    },
}

/// What tells managers apart: name, operation, subresource, and for updates the version.
///
/// Ordered by the text of the identifier in the reference, in which conflicts are listed and old entries folded.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ManagerId {
    text: String,
    pub(super) manager: String,
    pub(super) operation: Operation,
    pub(super) api_version: String,
    pub(super) subresource: String,
}

impl ManagerId {
    /// The identifier of a manager; appliers are the same whatever version they use.
    pub fn new(manager: &str, operation: Operation, api_version: &str, subresource: &str) -> Self {
        let api_version = if operation == Operation::Apply { "" } else { api_version };
        let parts = [
            ("manager", manager),
            ("operation", operation.as_str()),
            ("apiVersion", api_version),
            ("subresource", subresource),
        ];
        let mut text = String::from("{");
        for (name, value) in parts.iter().filter(|(_, value)| !value.is_empty()) {
            if text.len() > 1 {
                text.push(',');
            }
            json::write_string(&mut text, name);
            text.push(':');
            json::write_string(&mut text, value);
        }
        text.push('}');
        Self {
            text,
            manager: manager.into(),
            operation,
            api_version: api_version.into(),
            subresource: subresource.into(),
        }
    }
}

impl std::fmt::Display for ManagerId {
    /// As conflicts name a manager: `"x" with subresource "status" using apps/v1`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&go::quote(&self.manager))?;
        if !self.subresource.is_empty() {
            write!(f, " with subresource {}", go::quote(&self.subresource))?;
        }
        if self.operation == Operation::Update {
            write!(f, " using {}", self.api_version)?;
        }
        Ok(())
    }
}

/// The fields of one manager, in the version in which it wrote them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owned {
    /// The fields.
    pub set: Arc<FieldSet>,
    /// The version of the object that the fields are named in.
    pub api_version: String,
    /// Whether the fields were applied.
    pub applied: bool,
}

impl Owned {
    pub(super) fn with(&self, set: FieldSet) -> Self {
        Self { set: set.into(), ..self.clone() }
    }
}

/// The owners of an object's fields.
#[derive(Clone, Debug, Default)]
pub struct Managed {
    /// The fields of each manager.
    pub(super) owners: BTreeMap<ManagerId, Owned>,
    /// When each manager last changed its fields, as far as known.
    pub(super) times: BTreeMap<ManagerId, DateTime<Utc>>,
}

impl Managed {
    /// Reads the `managedFields` of an object; none when it has none.
    ///
    /// # Errors
    ///
    /// The first entry that cannot be read.
    pub fn of_object(object: &Value) -> Result<Self, DecodeError> {
        Self::decode(meta::list_at(object, &["metadata", "managedFields"]))
    }

    /// Reads a list of entries.
    ///
    /// # Errors
    ///
    /// The first entry that cannot be read.
    pub fn decode(entries: &[Value]) -> Result<Self, DecodeError> {
        let mut managed = Self::default();
        for (index, entry) in entries.iter().enumerate() {
            managed.decode_entry(index, entry)?;
        }
        Ok(managed)
    }

    fn decode_entry(&mut self, index: usize, entry: &Value) -> Result<(), DecodeError> {
        let entry = entry.as_object().ok_or(DecodeError::Malformed(index))?;
        let text = |name: &str| match entry.get(name) {
            None | Some(Value::Null) => Ok(""),
            Some(Value::String(text)) => Ok(text.as_str()),
            Some(_) => Err(DecodeError::Malformed(index)),
        };
        let operation = match text("operation")? {
            "Apply" => Operation::Apply,
            "Update" => Operation::Update,
            _ => return Err(DecodeError::Operation),
        };
        let api_version = text("apiVersion")?;
        if api_version.is_empty() {
            return Err(DecodeError::ApiVersion);
        }
        match text("fieldsType")? {
            "FieldsV1" => (),
            "" => return Err(DecodeError::MissingFieldsType(index)),
            found => return Err(DecodeError::FieldsType { index, found: found.into() }),
        }
        let id = ManagerId::new(text("manager")?, operation, api_version, text("subresource")?);
        let fields = entry.get("fieldsV1").unwrap_or(&Value::Null);
        let set = FieldSet::from_value(fields).map_err(|source| DecodeError::Set { index, source })?;
        match text("time")? {
            "" => {
                self.times.remove(&id);
            }
            time => {
                let time = DateTime::parse_from_rfc3339(time).map_err(|_| DecodeError::Malformed(index))?;
                self.times.insert(id.clone(), time.with_timezone(&Utc));
            }
        }
        let owned = Owned { set: set.into(), api_version: api_version.into(), applied: operation == Operation::Apply };
        self.owners.insert(id, owned);
        Ok(())
    }

    /// The entries in the order in which the server shows them: operation, time, manager, version, subresource.
    pub fn encode(&self) -> Vec<Value> {
        let mut entries: Vec<(&ManagerId, &Owned)> = self.owners.iter().collect();
        entries.sort_by_cached_key(|(id, owned)| {
            let operation = if owned.applied { Operation::Apply } else { id.operation };
            (operation, self.seconds(id), &id.manager, &owned.api_version, &id.subresource)
        });
        entries.into_iter().map(|(id, owned)| self.encode_entry(id, owned)).collect()
    }

    fn encode_entry(&self, id: &ManagerId, owned: &Owned) -> Value {
        let operation = if owned.applied { Operation::Apply } else { id.operation };
        let time = self.times.get(id).map(|time| time.format("%Y-%m-%dT%H:%M:%SZ").to_string());
        let parts = [
            ("manager", id.manager.as_str()),
            ("operation", operation.as_str()),
            ("apiVersion", &owned.api_version),
            ("time", time.as_deref().unwrap_or_default()),
            ("fieldsType", "FieldsV1"),
            ("subresource", &id.subresource),
        ];
        let mut entry: Map<String, Value> = parts
            .into_iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (name.into(), value.into()))
            .collect();
        entry.insert("fieldsV1".into(), owned.set.to_value());
        Value::Object(entry)
    }

    /// Writes the entries into an object, whose `managedFields` goes when nobody owns anything.
    pub fn store(&self, object: &mut Value) {
        let entries = self.encode();
        if entries.is_empty() {
            meta::remove(object, &["metadata", "managedFields"]);
        } else {
            meta::set(object, &["metadata", "managedFields"], entries);
        }
    }

    pub(super) fn touch(&mut self, id: ManagerId, now: DateTime<Utc>) {
        self.times.insert(id, now.trunc_subsecs(0));
    }

    fn seconds(&self, id: &ManagerId) -> i64 {
        self.times.get(id).map_or(0, DateTime::timestamp)
    }

    /// Folds the oldest entries of updates into one `ancient-changes` entry per version, until at most `most` are left
    /// or nothing more can be folded.
    pub(super) fn cap_updates(&mut self, most: usize) {
        let mut updaters: Vec<ManagerId> =
            self.owners.iter().filter(|(_, owned)| !owned.applied).map(|(id, _)| id.clone()).collect();
        let mut count = updaters.len();
        if count <= most {
            return;
        }
        updaters.sort_by_key(|id| self.seconds(id));
        let mut first_of_version: BTreeMap<String, ManagerId> = BTreeMap::new();
        for id in updaters {
            if count <= most {
                return;
            }
            let Some(owned) = self.owners.get(&id).cloned() else { continue };
            let Some(first) = first_of_version.get(&owned.api_version) else {
                first_of_version.insert(owned.api_version, id);
                continue;
            };
            let bucket = ManagerId::new("ancient-changes", Operation::Update, &owned.api_version, "");
            if !self.owners.contains_key(&bucket)
                && let Some(moved) = self.owners.remove(first)
            {
                self.owners.insert(bucket.clone(), moved);
            }
            if let Some(folded) = self.owners.get_mut(&bucket) {
                *folded = owned.with(owned.set.union(&folded.set));
            }
            self.owners.remove(&id);
            count -= 1;
            match self.times.get(&id).copied() {
                Some(time) => self.times.insert(bucket, time),
                None => self.times.remove(&bucket),
            };
        }
    }
}
