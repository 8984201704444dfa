//! Server-side apply.

use crate::apiserver::context::{Answer, Request};
use crate::apiserver::managed::{self, Writer};
use crate::apiserver::options::{FieldValidation, WriteOptions};
use crate::apiserver::{decode, respond};
use crate::manifest;
use crate::object::{Status, Value, meta};

use super::create;
use super::update::{self, Plan};

/// Answers an apply patch.
///
/// # Errors
///
/// 400, 403, 404, 409, 422, 500.
pub async fn apply(request: &Request, options: &WriteOptions) -> Answer {
    let resource = &request.resource;
    let config = read_config(request, options)?;
    let subresource = request.info.subresource.clone();
    let plan = Plan {
        options,
        options_kind: "PatchOptions",
        subresource: &subresource,
        create: subresource.is_empty(),
        owns_fields: true,
        is_patch: true,
    };
    let writer = Writer::of(request, options);
    let updated = update::change(request, &plan, &|old| {
        check_config(request, &config)?;
        let applied = managed::apply(request, old, &config, &writer, options.force)?;
        let mut object = settle(request, options, applied)?;
        create::check_namespace(request, &object)?;
        update::check_name(request, &mut object)?;
        resource.strategy.default(resource, &mut object);
        Ok(object)
    })
    .await?;
    respond::shown(request, if updated.created { 201 } else { 200 }, &updated.object)
}

/// Reads the configuration in the body.
///
/// # Errors
///
/// 400 for what is no YAML, or has repeated keys where that is refused.
pub fn read_config(request: &Request, options: &WriteOptions) -> Result<Value, Status> {
    let config = manifest::yaml_to_value(&request.body, false)
        .map_err(|e| Status::bad_request(format!("error decoding YAML: error converting YAML to JSON: {e}")))?;
    report_repetitions(request, options)?;
    Ok(config)
}

/// What strict reading of the configuration objects to: repeated keys.
fn report_repetitions(request: &Request, options: &WriteOptions) -> Result<(), Status> {
    if options.field_validation == FieldValidation::Ignore {
        return Ok(());
    }
    let Err(problem) = manifest::yaml_to_value(&request.body, true) else { return Ok(()) };
    if options.field_validation == FieldValidation::Strict {
        return Err(Status::bad_request(format!("error strict decoding YAML: {problem}")));
    }
    options.report(request, vec![decode::yaml_text(&problem.to_string())])
}

/// Brings what apply made into normal form again.
fn settle(request: &Request, options: &WriteOptions, applied: Value) -> Result<Value, Status> {
    let decoded = request.resource.strategy.decode_value(&request.resource, applied)?;
    options.report(request, decoded.strict)?;
    Ok(decoded.object)
}

/// The configuration speaks of the object in the path.
///
/// # Errors
///
/// 400.
pub fn check_config(request: &Request, config: &Value) -> Result<(), Status> {
    if !config.is_object() {
        return Err(Status::bad_request("invalid object type: /, Kind="));
    }
    let name = meta::name(config).to_owned();
    if !name.is_empty() && name != request.info.name {
        return Err(Status::bad_request(format!(
            "the name of the object ({name}) does not match the name on the URL ({})",
            request.info.name
        )));
    }
    Ok(())
}
