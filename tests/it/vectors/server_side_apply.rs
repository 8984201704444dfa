//! Server-side apply: sequences of applies and updates by several managers on one object.

use std::sync::OnceLock;

use chrono::DateTime;
use knarr::kinds::decode::{Empty, decode, empties};
use knarr::kinds::rules::{self, default_object};
use knarr::kinds::schema::Additional;
use knarr::kinds::{Schema, SchemaNode, Schemas};
use knarr::object::{GroupVersion, GroupVersionKind, meta};
use knarr::patch::ssa::{self, Empties, Options};
use serde_json::{Value, json};
use std::sync::Arc;

use super::{Set, same};

pub const SETS: &[Set] = &[Set { name: "server_side_apply", at_least: 100.0, known: &[], check }];

/// The definitions without defaults and with quantities as texts: the cases were made from the OpenAPI v2 document.
fn schemas() -> &'static Schemas {
    static SCHEMAS: OnceLock<Schemas> = OnceLock::new();
    SCHEMAS.get_or_init(|| {
        let builtin = Schemas::builtin();
        let definitions = builtin
            .names()
            .filter_map(|name| Some((name.to_owned(), without_defaults(builtin.definition(name)?.schema()))));
        Schemas::from_definitions(definitions)
    })
}

fn without_defaults(schema: &Schema) -> Schema {
    let mut schema = schema.clone();
    schema.default = None;
    for field in schema.properties.values_mut() {
        *field = Arc::new(without_defaults(field));
    }
    if let Some(items) = &mut schema.items {
        *items = Arc::new(without_defaults(items));
    }
    if let Some(Additional::Schema(values)) = &mut schema.additional_properties {
        *values = Arc::new(without_defaults(values));
    }
    schema
}

/// One object that a case works on.
struct Subject<'a> {
    kind: GroupVersionKind,
    schema: SchemaNode<'a>,
    empty: Value,
    live: Option<Value>,
    /// The empty containers that the live object has in memory, because it never goes through storage.
    empties: Vec<Empty>,
    /// Whether objects go through the real scheme: decoded and defaulted.
    scheme: bool,
}

impl Subject<'_> {
    /// The object as the scheme's types hold it.
    fn decoded(&self, object: Value) -> Value {
        if !self.scheme {
            return object;
        }
        let fallback = object.clone();
        decode(&self.kind, object).map_or(fallback, |decoded| decoded.object)
    }

    /// The object as the server holds it; its `managedFields` stay as they are, because an empty list means something.
    fn defaulted(&self, mut object: Value) -> Value {
        if !self.scheme {
            return object;
        }
        let managed = meta::remove(&mut object, &["metadata", "managedFields"]);
        let mut object = self.decoded(object);
        default_object(&mut object);
        (rules::of(&self.kind.group_kind()).convert)(&mut object);
        if let Some(managed) = managed {
            meta::set(&mut object, &["metadata", "managedFields"], managed);
        }
        object
    }

    fn empties_of(&self, object: &Value) -> Vec<Empty> {
        if self.scheme { empties(&self.kind, object) } else { Vec::new() }
    }

    fn step(&mut self, step: &Value) -> Result<Value, ssa::Error> {
        let sent = self.empties_of(&step["object"]);
        let options = Options {
            manager: step["manager"].as_str().unwrap_or_default(),
            force: step["force"].as_bool().unwrap_or_default(),
            subresource: "",
            kind: &self.kind,
            schema: Some(self.schema),
            empty: &self.empty,
            reset_fields: &[],
            empties: Empties::default(),
            versions: None,
            now: DateTime::default(),
        };
        let live = self.live.as_ref();
        let (object, empties) = match step["op"].as_str() {
            Some("apply") => {
                let merged = ssa::apply(live, &step["object"], &options)?;
                let empties = self.empties_of(&merged);
                (self.defaulted(merged), empties)
            }
            _ => {
                let options = Options { empties: Empties { live: &self.empties, new: &sent }, ..options };
                (ssa::try_update(live, &self.defaulted(step["object"].clone()), &options)?, sent)
            }
        };
        self.live = Some(object.clone());
        self.empties = empties;
        Ok(object)
    }
}

fn outcome(result: &Result<Value, ssa::Error>) -> Value {
    match result {
        Ok(object) => {
            let mut object = object.clone();
            let mut managed = meta::remove(&mut object, &["metadata", "managedFields"]).unwrap_or_else(|| json!([]));
            for entry in managed.as_array_mut().into_iter().flatten() {
                meta::remove(entry, &["time"]);
            }
            json!({"object": object, "managedFields": managed})
        }
        Err(error) => {
            let status = error.to_status();
            if status.reason.is_empty() {
                return json!({"error": {"message": status.message}});
            }
            let mut causes = status.details.map(|details| details.causes).unwrap_or_default();
            causes.sort_by(|a, b| (&a.message, &a.field).cmp(&(&b.message, &b.field)));
            json!({"error": {
                "message": status.message, "reason": status.reason, "code": status.code, "causes": causes,
            }})
        }
    }
}

fn check(case: &Value) -> Result<(), String> {
    let (api_version, kind) = (meta::api_version(case), meta::kind(case));
    let kind = GroupVersion::parse(api_version).ok_or("bad apiVersion")?.with_kind(kind);
    let schema = schemas().of_kind(&kind).ok_or("no schema")?;
    let empty = json!({"apiVersion": api_version, "kind": kind.kind});
    let scheme = case["mode"] == "server";
    let mut subject = Subject { kind, schema, empty, live: None, empties: Vec::new(), scheme };
    subject.empty = subject.decoded(subject.empty.clone());
    let steps = case["steps"].as_array().ok_or("no steps")?;
    for (number, step) in steps.iter().enumerate() {
        let result = subject.step(step);
        same(&outcome(&result).to_string(), &case["want"][number].to_string())
            .map_err(|why| format!("step {number}: {why}"))?;
    }
    Ok(())
}
