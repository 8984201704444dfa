//! PATCH: JSON patch, merge patch, strategic merge patch, server-side apply.

use serde_json::json;

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::negotiate::Encoding;
use crate::apiserver::options::WriteOptions;
use crate::apiserver::{decode, respond};
use crate::object::{GroupVersionKind, Status, Value, meta};
use crate::patch::apply::PatchType;
use crate::patch::{PatchSchema, json_merge, strategic};

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

fn unsupported(request: &Request) -> Status {
    let types: &[&str] = if request.resource.custom {
        &["application/json-patch+json", "application/merge-patch+json", "application/apply-patch+yaml"]
    } else {
        &[
            "application/json-patch+json",
            "application/merge-patch+json",
            "application/strategic-merge-patch+json",
            "application/apply-patch+yaml",
        ]
    };
    Status::failure(
        415,
        "UnsupportedMediaType",
        format!(
            "the body of the request was in an unknown format - accepted media types include: {}",
            types.join(", ")
        ),
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
        return Err(unsupported(request));
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
        let mut object = read_back(request, &options, patched, &patch)?;
        check_identity(request, &mut object)?;
        resource.strategy.default(resource, &mut object);
        Ok(object)
    })
    .await?;
    respond::object(request, if updated.created { 201 } else { 200 }, &updated.object)
}

/// Reads what a patch made as an object.
fn read_back(request: &Request, options: &WriteOptions, patched: Value, patch: &Patch) -> Result<Value, Status> {
    let gvk = request.resource.kind.gvk();
    let sent = meta::gvk(&patched);
    if sent != gvk {
        decode::check_kind(&patched, &gvk, b"")?;
    }
    let decoded = request.resource.strategy.decode_value(&request.resource, patched)?;
    let mut strict = patch.strict.clone();
    strict.extend(decoded.strict);
    options.report(request, strict)?;
    Ok(decoded.object)
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
    kind: PatchType,
    value: Value,
    strict: Vec<String>,
}

impl Patch {
    /// Reads the patch in a request's body.
    ///
    /// # Errors
    ///
    /// 400 and 413.
    pub fn parse(request: &Request, kind: PatchType) -> Result<Self, Status> {
        let parsed = decode::parse(&request.body, Encoding::Json).map_err(|why| {
            Status::bad_request(why.trim_start_matches("couldn't get version/kind; json parse error: "))
        })?;
        let operations = parsed.value.as_array().map_or(0, Vec::len);
        if kind == PatchType::Json && operations > MAX_OPERATIONS {
            let message = format!(
                "Request entity too large: The allowed maximum operations in a JSON patch is {MAX_OPERATIONS}, got {operations}"
            );
            return Err(Status::failure(413, "RequestEntityTooLarge", message));
        }
        Ok(Self { kind, value: parsed.value, strict: parsed.strict })
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
        match self.kind {
            PatchType::Json => self.json_patch(request, old),
            PatchType::Merge => {
                let mut patched = old.clone();
                json_merge::apply(&mut patched, self.value.clone()).map_err(|e| Status::bad_request(e.to_string()))?;
                Ok(patched)
            }
            PatchType::Strategic | PatchType::Apply => self.strategic(request, old, gvk),
        }
    }

    fn json_patch(&self, request: &Request, old: &Value) -> Result<Value, Status> {
        let operations: json_patch::Patch = serde_json::from_value(self.value.clone())
            .map_err(|e| Status::bad_request(format!("error decoding patch: {e}")))?;
        let mut patched = old.clone();
        json_patch::patch(&mut patched, &operations).map_err(|e| {
            let name = &request.info.name;
            let mut status = Status::invalid(&request.resource.kind.group_kind(), name, &Vec::new());
            status.message = format!("the server rejected our request due to an error in our request: {e}");
            status
        })?;
        Ok(patched)
    }

    fn strategic(&self, request: &Request, old: &Value, gvk: &GroupVersionKind) -> Result<Value, Status> {
        let unsupported = || Status::failure(500, "", "strategic merge patch format is not supported");
        let schema = PatchSchema::of_kind(request.resource.schemas(), gvk);
        strategic::apply(old.clone(), self.value.clone(), schema.ok_or_else(unsupported)?)
            .map_err(|e| Status::failure(500, "", e.to_string()))
    }
}

/// The options of a patch for admission.
pub fn admission_options(options: &WriteOptions) -> Value {
    json!({"kind": "PatchOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": options.field_manager})
}
