//! Where in the files the fields stand that are wrong: what is found before anything is sent, and what the server
//! refuses. kubectl knows no places, so under its name errors stay as they are.

use super::context::Context;
use super::error::{Error, Result};
use super::targets::Found;
use crate::kinds::decode::{Problem, ProblemKind, decode};
use crate::resource::Target;

/// The problems of an object's fields that strict validation refuses, as far as the built-in types tell.
fn problems(target: &Target) -> Vec<Problem> {
    match decode(&target.kind.gvk(), target.object.clone()) {
        Ok(decoded) => decoded.strict,
        Err(problem) => vec![problem],
    }
}

/// `FILE:LINE:COLUMN: what stands there`, with the near misses.
fn hint(target: &Target, problem: &Problem) -> Option<String> {
    let place = target.place(&problem.path)?;
    let meant = match &problem.kind {
        ProblemKind::Unknown { suggestions } if !suggestions.is_empty() => {
            let names: Vec<String> = suggestions.iter().map(|name| format!("\"{name}\"")).collect();
            format!(", did you mean {}?", names.join(" or "))
        }
        _ => String::new(),
    };
    Some(format!("{place}: {}{meant}", problem.message))
}

/// Refuses an object whose fields cannot be, before anything is sent. What only the server knows passes.
///
/// # Errors
/// Unknown fields, or values of a wrong type, under strict validation.
pub fn check_fields(cx: &Context, target: &Target, validation: &str) -> Result<()> {
    if cx.program.exact || validation != "Strict" {
        return Ok(());
    }
    let problems = problems(target);
    let messages: Vec<&str> = problems.iter().map(|problem| problem.message.as_str()).collect();
    let text = match messages.as_slice() {
        [] => return Ok(()),
        [one] => (*one).to_owned(),
        many => format!("[{}]", many.join(", ")),
    };
    let error = Error::new(format!(
        "error validating \"{}\": error validating data: {text}; if you choose to ignore these errors, turn validation \
         off with --validate=false",
        target.source
    ));
    Err(problems.iter().filter_map(|problem| hint(target, problem)).fold(error, Error::with_hint))
}

/// Moves the objects whose fields cannot be from the targets to the errors.
pub fn check_all(cx: &Context, found: &mut Found, validation: &str) {
    let targets = std::mem::take(&mut found.targets);
    for target in targets {
        match check_fields(cx, &target, validation) {
            Ok(()) => found.targets.push(target),
            Err(error) => found.errors.push(error),
        }
    }
}

/// The server's refusal of an object, with the places of the fields that it names.
pub fn placed(error: Error, target: &Target) -> Error {
    let Some(status) = error.as_status() else { return error };
    let hints: Vec<String> = if status.message.contains("strict decoding error: ") {
        problems(target).iter().filter_map(|problem| hint(target, problem)).collect()
    } else {
        let causes = status.details.iter().flat_map(|details| &details.causes);
        let named = causes.filter(|cause| !cause.field.is_empty());
        named.filter_map(|cause| Some(format!("{}: {}", target.place(&cause.field)?, cause.field))).collect()
    };
    let mut seen = Vec::new();
    for hint in hints {
        if !seen.contains(&hint) {
            seen.push(hint);
        }
    }
    seen.into_iter().fold(error, Error::with_hint)
}
