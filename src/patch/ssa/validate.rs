//! Checks that a value fits its type.

use super::set::{FieldSet, PathElement};
use super::typed::{List, Map, Scalar, Shape, Type};
use super::value;
use crate::object::Value;
use crate::patch::gofmt;

/// What is wrong with a value, with the path within it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    path: String,
    message: String,
}

/// Checks `value` against `ty`; `allow_duplicates` lets lists have several items of the same key.
///
/// # Errors
///
/// The text of all problems, in the reference's words.
pub fn validate(value: &Value, ty: Type<'_>, allow_duplicates: bool) -> Result<(), String> {
    let mut walker = Walker { allow_duplicates, problems: Vec::new() };
    walker.visit(value, ty);
    let lines: Vec<String> = walker.problems.iter().map(Problem::text).collect();
    match lines.as_slice() {
        [] => Ok(()),
        [only] => Err(only.clone()),
        several => Err(format!("errors:\n  {}", several.join("\n  "))),
    }
}

impl Problem {
    fn text(&self) -> String {
        if self.path.is_empty() { self.message.clone() } else { format!("{}: {}", self.path, self.message) }
    }
}

struct Walker {
    allow_duplicates: bool,
    problems: Vec<Problem>,
}

impl Walker {
    fn report(&mut self, message: impl Into<String>) {
        self.problems.push(Problem { path: String::new(), message: message.into() });
    }

    /// Runs `visit` and puts `element` before the paths of the problems that it finds.
    fn below(&mut self, element: impl FnOnce() -> String, visit: impl FnOnce(&mut Self)) {
        let start = self.problems.len();
        visit(self);
        if let Some(found) = self.problems.get_mut(start..).filter(|found| !found.is_empty()) {
            let element = element();
            for problem in found {
                problem.path.insert_str(0, &element);
            }
        }
    }

    fn visit(&mut self, value: &Value, ty: Type<'_>) {
        match ty.shape(Some(value)) {
            Shape::Map(map) => self.map(value, map),
            Shape::List(list) => self.list(value, list),
            Shape::Scalar(scalar) => self.scalar(value, scalar),
            Shape::Invalid => self.report("schema error: invalid atom: inlined"),
        }
    }

    fn scalar(&mut self, value: &Value, scalar: Scalar) {
        match (scalar, value) {
            (_, Value::Null)
            | (Scalar::Numeric | Scalar::Untyped, Value::Number(_))
            | (Scalar::String | Scalar::Untyped, Value::String(_))
            | (Scalar::Boolean | Scalar::Untyped, Value::Bool(_)) => (),
            (Scalar::Numeric, _) => {
                self.report(format!("expected numeric (int or float), got {}", gofmt::type_name(value)));
            }
            (Scalar::String, _) => self.report(format!("expected string, got {}", value::wrapped_syntax(value))),
            (Scalar::Boolean, _) => self.report(format!("expected boolean, got {}", value::wrapped(value))),
            (Scalar::Untyped, _) => self.report(format!("expected any scalar, got {}", value::wrapped(value))),
        }
    }

    fn map(&mut self, value: &Value, map: Map<'_>) {
        let fields = match value {
            Value::Object(fields) => fields,
            Value::Null => return,
            _ => return self.report(format!("expected map, got {}", value::wrapped(value))),
        };
        for (name, item) in fields {
            let ty = map.field(name);
            let path = || format!(".{name}");
            if matches!(ty, Type::Undeclared) {
                self.below(path, |walker| walker.report("field not declared in schema"));
                return;
            }
            self.below(path, |walker| walker.visit(item, ty));
        }
    }

    fn list(&mut self, value: &Value, list: List<'_>) {
        let items = match value {
            Value::Array(items) => items,
            Value::Null => return,
            _ => return self.report(format!("expected list, got {}", value::wrapped(value))),
        };
        if list.atomic {
            for (index, item) in items.iter().enumerate() {
                self.below(|| format!("[{index}]"), |walker| walker.visit(item, list.item));
            }
            return;
        }
        let mut seen = FieldSet::default();
        for (index, item) in items.iter().enumerate() {
            let element: PathElement = match list.element(item) {
                Ok(element) => element,
                Err(why) => return self.report(format!("element {index}: {why}")),
            };
            if seen.has_member(&element) && !self.allow_duplicates {
                self.report(format!("duplicate entries for key {element}"));
            }
            self.below(|| element.to_string(), |walker| walker.visit(item, list.item));
            seen.insert_member(element);
        }
    }
}
