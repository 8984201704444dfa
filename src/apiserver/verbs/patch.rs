//! PATCH: JSON patch, merge patch, strategic merge patch, server-side apply.

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::decode::Decoded;
use crate::apiserver::options::{FieldValidation, WriteOptions};
use crate::apiserver::{decode, respond};
use crate::kinds::decode::{Node, put_back};
use crate::kinds::go_json;
use crate::object::field::{Error, Path};
use crate::object::{GroupKind, GroupVersionKind, Status, Value, go, json, meta};
use crate::patch::apply::PatchType;
use crate::patch::json_patch::JsonPatch;
use crate::patch::{PatchError, PatchSchema, json_merge, strategic};

use super::update::{self, Plan};

/// Operations that a JSON patch may have at most.
const MAX_OPERATIONS: usize = 10_000;

fn media_type(request: &Request) -> String {
    request.header(&http::header::CONTENT_TYPE).split(';').next().unwrap_or_default().trim().to_owned()
}

/// Whether the request is an apply patch.
pub fn is_apply(request: &Request) -> bool {
    PatchType::from_content_type(&media_type(request)) == Some(PatchType::Apply)
}

/// The patch type of a request.
///
/// # Errors
///
/// 415 for types that the resource does not take.
pub fn patch_type(request: &Request) -> Result<PatchType, Status> {
    let found = PatchType::from_content_type(&media_type(request));
    match found {
        Some(PatchType::Strategic) if request.resource.custom => Err(unsupported(request)),
        Some(patch_type) => Ok(patch_type),
        None => Err(unsupported(request)),
    }
}

/// 415 for a media type that no patch has; for strategic patches of custom resources with the types that they take.
fn unsupported(request: &Request) -> Status {
    if PatchType::from_content_type(&media_type(request)).is_none() {
        let message = "415: Unsupported Media Type";
        return Status::failure(415, "UnsupportedMediaType", message).with_details(Default::default());
    }
    let types = "application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml";
    Status::failure(
        415,
        "UnsupportedMediaType",
        format!("the body of the request was in an unknown format - accepted media types include: {types}"),
    )
}

/// Answers a PATCH of an object or of a subresource that shows the whole object.
///
/// # Errors
///
/// 400, 403, 404, 409, 415, 422.
pub async fn patch(request: &Request) -> Answer {
    let patch_type = patch_type(request)?;
    let options = WriteOptions::of(request, "PatchOptions")?;
    if patch_type == PatchType::Apply {
        return super::apply::apply(request, &options).await;
    }
    let patch = Patch::parse(request, patch_type)?;
    let subresource = request.info.subresource.clone();
    let plan = Plan {
        options: &options,
        options_kind: "PatchOptions",
        subresource: &subresource,
        create: false,
        owns_fields: false,
        is_patch: true,
    };
    let resource = &request.resource;
    let updated = update::change(request, &plan, &|old| {
        let old = old.ok_or_else(|| request.not_found())?;
        let patched = patch.apply(request, old)?;
        let decoded = read_back(request, &options, patched, &|| patch.shown(old), &patch)?;
        let mut object = decoded.object;
        check_identity(request, &mut object)?;
        resource.strategy.default(resource, &mut object);
        put_back(&mut object, &decoded.empties);
        Ok(object)
    })
    .await?;
    respond::shown(request, if updated.created { 201 } else { 200 }, &updated.object)
}

/// Reads what a patch made as an object; `shown` is what messages show of it.
fn read_back(
    request: &Request,
    options: &WriteOptions,
    patched: Value,
    shown: &dyn Fn() -> String,
    patch: &Patch,
) -> Result<Decoded, Status> {
    let gvk = request.resource.kind.gvk();
    let mut patched = patched;
    if !request.resource.custom && meta::gvk(&patched) != gvk {
        if patch.is_strategic() {
            // The outcome goes into the type of the object, whatever it says of itself.
            meta::set(&mut patched, &["apiVersion"], gvk.api_version());
            meta::set(&mut patched, &["kind"], &*gvk.kind);
        } else {
            other_kind(&patched, &gvk, shown)?;
        }
    }
    let decoded = request.resource.strategy.decode_value(&request.resource, patched).map_err(|status| {
        let why = bare(&status.message);
        let unstructured = patch.is_strategic().then(|| as_unstructured(why)).flatten();
        refused_patch(&shown(), unstructured.as_deref().unwrap_or(why))
    })?;
    let mut decoded = decoded;
    let mut strict = patch.strict.clone();
    strict.append(&mut decoded.strict);
    if !strict.is_empty() && options.field_validation == FieldValidation::Strict {
        return Err(refused_patch(&shown(), &format!("strict decoding error: {}", strict.join(", "))));
    }
    options.report(request, strict)?;
    Ok(decoded)
}

/// Fails for an outcome of another kind: it is read as what it says it is first.
fn other_kind(patched: &Value, gvk: &GroupVersionKind, shown: &dyn Fn() -> String) -> Result<(), Status> {
    if decode::check_kind(patched, gvk, &[]).is_ok() {
        return Ok(());
    }
    let shown = shown();
    let Err(status) = decode::check_kind(patched, gvk, shown.as_bytes()) else { return Ok(()) };
    let unreadable = decode::value_of_kind(&meta::gvk(patched), patched.clone()).err();
    Err(refused_patch(&shown, bare(&unreadable.unwrap_or(status).message)))
}

/// What Go's conversion of unstructured content says where its JSON decoder would say `why`: strategic patches go
/// through the former.
fn as_unstructured(why: &str) -> Option<String> {
    let (found, rest) = why.strip_prefix("json: cannot unmarshal ")?.split_once(" into ")?;
    let (_, type_) = rest.rsplit_once(" of type ")?;
    let found = match found.split(' ').next()? {
        "object" => "map",
        "array" => "slice",
        "number" if found.contains('.') => "float64",
        "number" => "int64",
        other => other,
    };
    // Go converts whole numbers to text (as code points) and to each other, which JSON's rules then forbid.
    let forbidden = (found == "int64" && type_ == "string")
        || (found == "float64" && (type_.starts_with("int") || type_.starts_with("uint")));
    Some(if forbidden {
        format!("cannot convert {found} to {type_}")
    } else if type_.starts_with("[]") {
        format!("cannot restore slice from {found}")
    } else if type_.starts_with("map[") {
        format!("cannot restore map from {found}")
    } else if matches!(found, "map" | "slice") || !type_.contains('.') {
        format!("unrecognized type: {}", if type_.contains('.') { "string" } else { type_ })
    } else {
        format!("cannot restore struct from: {found}")
    })
}

/// A decoder's message without what the decoder of bodies puts before it.
pub fn bare(message: &str) -> &str {
    message
        .split_once("cannot be handled as a ")
        .and_then(|(_, rest)| rest.split_once(": "))
        .map_or(message, |(_, why)| why)
}

/// 422 for a patch whose outcome is no object of the kind; it names neither kind nor object.
pub fn refused_patch(shown: &str, why: &str) -> Status {
    let error = Error::invalid(&Path::new("patch"), shown, why);
    Status::invalid(&GroupKind::default(), "", &vec![error])
}

/// A patch does not move an object.
fn check_identity(request: &Request, object: &mut Value) -> Result<(), Status> {
    super::create::check_namespace(request, object)?;
    let name = meta::name(object);
    if name != request.info.name && !name.is_empty() {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.info.name
        )));
    }
    update::check_name(request, object)
}

/// A patch that was read.
pub struct Patch {
    kind: Content,
    /// What strict decoding objects to in the patch itself.
    strict: Vec<String>,
}

enum Content {
    Json(JsonPatch),
    Merge(Value),
    Strategic(Value),
}

impl Patch {
    /// Reads the patch in a request's body.
    ///
    /// # Errors
    ///
    /// 400 and 413.
    pub fn parse(request: &Request, kind: PatchType) -> Result<Self, Status> {
        let text = String::from_utf8_lossy(&request.body);
        let strict = Node::parse(&request.body).map(|node| repetitions(&node, kind)).unwrap_or_default();
        let kind = match kind {
            PatchType::Json => {
                let patch = JsonPatch::decode(&text).map_err(|e| {
                    // The server reads the list into a type of its own before the library sees it.
                    let why = e.to_string().replace("type jsonpatch.Patch", "type []handlers.jsonPatchOp");
                    Status::bad_request(format!("error decoding patch: {why}"))
                })?;
                if patch.len() > MAX_OPERATIONS {
                    return Err(too_many_operations(patch.len()));
                }
                Content::Json(patch)
            }
            PatchType::Merge => Content::Merge(
                document(&text).map_err(|why| Status::bad_request(format!("error decoding patch: {why}")))?,
            ),
            PatchType::Strategic | PatchType::Apply => {
                Content::Strategic(document(&text).map_err(Status::bad_request)?)
            }
        };
        Ok(Self { kind, strict })
    }

    fn is_strategic(&self) -> bool {
        matches!(self.kind, Content::Strategic(_))
    }

    /// What messages show of the patch of `old`: the outcome, in which only what the patch touched has its keys
    /// sorted, or, of a strategic patch, the patch.
    pub fn shown(&self, old: &Value) -> String {
        let document = || go_json::to_json(old, None);
        let outcome = match &self.kind {
            Content::Strategic(patch) => return go::text(patch).into_owned(),
            Content::Json(patch) => patch.apply_text(&document()),
            Content::Merge(patch) => json_merge::apply_text(&document(), &json::to_compact(patch)),
        };
        outcome.unwrap_or_default()
    }

    /// Applies the patch to an object in the resource's form.
    ///
    /// # Errors
    ///
    /// 400, 422, 500, in the reference server's words.
    pub fn apply(&self, request: &Request, old: &Value) -> Result<Value, Status> {
        self.apply_as(request, old, &request.resource.kind.gvk())
    }

    /// As [`Patch::apply`], to an object of another kind, such as a scale.
    ///
    /// # Errors
    ///
    /// As [`Patch::apply`].
    pub fn apply_as(&self, request: &Request, old: &Value, gvk: &GroupVersionKind) -> Result<Value, Status> {
        let mut patched = old.clone();
        match &self.kind {
            Content::Json(patch) => {
                patch.apply(&mut patched).map_err(|_| generic_invalid())?;
                Ok(patched)
            }
            Content::Merge(patch) => {
                json_merge::apply(&mut patched, patch.clone()).map_err(|e| Status::bad_request(e.to_string()))?;
                Ok(patched)
            }
            Content::Strategic(patch) => {
                let unsupported = || strategic_failure(&PatchError::Unsupported);
                let schema = PatchSchema::of_kind(request.resource.schemas(), gvk).ok_or_else(unsupported)?;
                strategic::apply(patched, patch.clone(), schema).map_err(|e| strategic_failure(&e))
            }
        }
    }
}

/// What strict decoding objects to in the text of a patch: repeated keys, and unknown ones in operations.
fn repetitions(node: &Node, kind: PatchType) -> Vec<String> {
    let mut found = Vec::new();
    let Node::Array(operations) = node else {
        repeated(node, "", &mut found);
        return found;
    };
    if kind != PatchType::Json {
        return found;
    }
    for (i, operation) in operations.iter().enumerate() {
        let Node::Object(fields) = operation else { continue };
        for (at, (key, _)) in fields.iter().enumerate() {
            if fields.iter().take(at).any(|(earlier, _)| earlier == key) {
                found.push(format!("json patch duplicate field \"[{i}].{key}\""));
            } else if !["op", "from", "path", "value"].contains(&key.as_str()) {
                found.push(format!("json patch unknown field \"[{i}].{key}\""));
            }
        }
    }
    found
}

fn repeated(node: &Node, path: &str, found: &mut Vec<String>) {
    match node {
        Node::Object(fields) => {
            for (at, (key, value)) in fields.iter().enumerate() {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                if fields.iter().take(at).any(|(earlier, _)| earlier == key) {
                    found.push(format!("duplicate field \"{path}\""));
                }
                repeated(value, &path, found);
            }
        }
        Node::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                repeated(item, &format!("{path}[{i}]"), found);
            }
        }
        _ => {}
    }
}

/// A patch that is an object.
fn document(text: &str) -> Result<Value, String> {
    let value = crate::manifest::json_to_value(text).map_err(|e| e.to_string())?;
    let found = match &value {
        Value::Object(_) | Value::Null => return Ok(value),
        Value::Array(_) => "array",
        Value::String(_) => "string",
        Value::Number(_) => "number",
        Value::Bool(_) => "bool",
    };
    Err(format!("json: cannot unmarshal {found} into Go value of type map[string]interface {{}}"))
}

fn too_many_operations(count: usize) -> Status {
    let message = format!(
        "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {count}"
    );
    Status::failure(413, "RequestEntityTooLarge", message)
}

/// What the server makes of a strategic patch that does not apply (`interpretStrategicMergePatchError`).
fn strategic_failure(error: &PatchError) -> Status {
    match error {
        PatchError::BadDocument
        | PatchError::PrimitiveListFormat
        | PatchError::RetainKeysFormat
        | PatchError::ElementOrderFormat
        | PatchError::Unsupported => Status::bad_request(error.to_string()),
        PatchError::ListOfLists => generic_invalid(),
        PatchError::Runtime(_) => Status::internal(error),
        _ => Status::failure(500, "", error.to_string()),
    }
}

/// What the server says of a patch that does not apply (`NewGenericServerResponse` with 422).
fn generic_invalid() -> Status {
    let message = "the server rejected our request due to an error in our request";
    Status::failure(422, "Invalid", message).with_details(Default::default())
}

/// The options of a patch for admission.
pub fn admission_options(options: &WriteOptions) -> Value {
    serde_json::json!({"kind": "PatchOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": options.field_manager})
}
