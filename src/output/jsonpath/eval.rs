//! Walks data along the nodes of a template.

use std::cmp::Ordering;

use super::JsonPathError;
use super::parser::{Bound, Comparison, Node};
use crate::object::{Value, go, json};

/// Most values that one template may visit, so that a chain of `..` cannot run for ever.
const MAX_STEPS: usize = 20_000_000;

/// One result: a value of the data, or something that the template itself says.
#[derive(Clone, Copy, Debug)]
pub enum Found<'a> {
    /// A value of the data.
    Json(&'a Value),
    /// Text of the template.
    Text(&'a str),
    /// An integer of the template.
    Int(i64),
    /// A fraction of the template.
    Float(f64),
    /// A truth value of the template.
    Bool(bool),
    /// One byte of a text: what a wildcard finds in a text.
    Byte(u8),
    /// Nothing: the data inside of a range over null.
    Nothing,
}

impl<'a> Found<'a> {
    /// The value as JSON.
    pub fn to_value(&self) -> Value {
        match self {
            Self::Json(value) => (*value).clone(),
            Self::Text(text) => Value::from(*text),
            Self::Int(number) => Value::from(*number),
            Self::Float(number) => Value::from(*number),
            Self::Bool(truth) => Value::from(*truth),
            Self::Byte(byte) => Value::from(*byte),
            Self::Nothing => Value::Null,
        }
    }

    /// Appends the value as JSONPath output shows it: texts bare, lists and maps as compact JSON, null as `null`.
    pub fn write_text(&self, out: &mut String) {
        match self {
            Self::Json(Value::Null) => out.push_str("null"),
            Self::Json(value @ (Value::Array(_) | Value::Object(_))) => out.push_str(&json::to_compact(value)),
            other => other.write_go(out),
        }
    }

    /// Appends the value as Go's `%v` shows it.
    pub fn write_go(&self, out: &mut String) {
        match self {
            Self::Json(value) => go::write_value(out, value),
            Self::Text(text) => out.push_str(text),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Float(number) => out.push_str(&go::float(*number)),
            Self::Bool(truth) => out.push_str(if *truth { "true" } else { "false" }),
            Self::Byte(byte) => out.push_str(&byte.to_string()),
            Self::Nothing => out.push_str("<no value>"),
        }
    }

    fn is_null(&self) -> bool {
        matches!(self, Self::Json(Value::Null))
    }

    /// Go's name of the value's type.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Json(Value::Null) | Self::Nothing => "<nil>",
            Self::Json(Value::Bool(_)) | Self::Bool(_) => "bool",
            Self::Json(Value::Number(number)) if number.is_i64() => "int64",
            Self::Json(Value::Number(_)) | Self::Float(_) => "float64",
            Self::Json(Value::String(_)) | Self::Text(_) => "string",
            Self::Json(Value::Array(_)) => "[]interface {}",
            Self::Json(Value::Object(_)) => "map[string]interface {}",
            Self::Int(_) => "int",
            Self::Byte(_) => "uint8",
        }
    }

    fn text(&self) -> Option<&'a str> {
        match self {
            Self::Json(Value::String(text)) => Some(text),
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    fn items(&self) -> Option<&'a [Value]> {
        match self {
            Self::Json(Value::Array(items)) => Some(items),
            _ => None,
        }
    }

    /// What a wildcard finds: items, values, or the bytes of a text.
    fn children(&self, out: &mut Vec<Found<'a>>) {
        match self {
            Self::Json(Value::Array(items)) => out.extend(items.iter().map(Found::Json)),
            Self::Json(Value::Object(map)) => out.extend(map.values().map(Found::Json)),
            other => out.extend(other.text().unwrap_or_default().bytes().map(Found::Byte)),
        }
    }
}

fn fail<T>(message: impl Into<String>) -> Result<T, JsonPathError> {
    Err(JsonPathError(message.into()))
}

pub(super) fn find<'a>(
    nodes: &'a [Node],
    data: &'a Value,
    allow_missing_keys: bool,
) -> Result<Vec<Vec<Found<'a>>>, JsonPathError> {
    let mut walk = Walk { nodes, allow_missing_keys, begin: 0, inside: 0, end: 0, last_end: None, steps: 0 };
    let mut results = Vec::new();
    walk.run(0, Found::Json(data), &mut results)?;
    Ok(results)
}

type Values<'a> = Vec<Found<'a>>;

/// The state of one run: how many ranges were opened, are being walked, and were closed.
struct Walk<'a> {
    nodes: &'a [Node],
    allow_missing_keys: bool,
    begin: usize,
    inside: usize,
    end: usize,
    /// The node of the `end` met last.
    last_end: Option<usize>,
    steps: usize,
}

impl<'a> Walk<'a> {
    /// Walks the nodes from `start` on until the `end` of the current range.
    fn run(&mut self, start: usize, data: Found<'a>, out: &mut Vec<Values<'a>>) -> Result<(), JsonPathError> {
        let current = [data];
        let mut at = start;
        while let Some(node) = self.nodes.get(at) {
            let results = self.walk(&current, node)?;
            if self.end > 0 && self.end <= self.inside {
                self.end -= 1;
                self.last_end = Some(at);
                return Ok(());
            }
            if self.begin > 0 {
                self.begin -= 1;
                self.inside += 1;
                self.range(at + 1, results, out)?;
                self.inside -= 1;
                if let Some(end) = self.last_end.filter(|end| *end > at) {
                    at = end;
                }
            } else {
                out.push(results);
            }
            at += 1;
        }
        Ok(())
    }

    /// Walks the body of a range once per value; with no values once in vain, to find its end.
    fn range(&mut self, body: usize, values: Values<'a>, out: &mut Vec<Values<'a>>) -> Result<(), JsonPathError> {
        if self.inside > 64 {
            return fail("ranges are nested too deeply");
        }
        if values.is_empty() {
            return self.run(body, Found::Nothing, &mut Vec::new());
        }
        for value in values {
            let value = if value.is_null() { Found::Nothing } else { value };
            self.run(body, value, out)?;
        }
        Ok(())
    }

    fn count(&mut self, values: usize) -> Result<(), JsonPathError> {
        self.steps += values + 1;
        if self.steps > MAX_STEPS { fail("expression visits too many values") } else { Ok(()) }
    }

    fn walk(&mut self, input: &[Found<'a>], node: &'a Node) -> Result<Values<'a>, JsonPathError> {
        self.count(input.len())?;
        let literal = |found: Found<'a>| Ok(vec![found; input.len()]);
        match node {
            Node::Text(text) => Ok(vec![Found::Text(text)]),
            Node::List(nodes) => self.list(input, nodes),
            Node::Field(name) => self.field(input, name),
            Node::Identifier(name) => self.identifier(input, name),
            Node::Array(bounds) => array(input, *bounds),
            Node::Filter { left, right, comparison } => self.filter(input, left, right, comparison),
            Node::Int(number) => literal(Found::Int(*number)),
            Node::Float(number) => literal(Found::Float(*number)),
            Node::Bool(truth) => literal(Found::Bool(*truth)),
            Node::Wildcard => {
                let mut out = Vec::new();
                input.iter().for_each(|value| value.children(&mut out));
                Ok(out)
            }
            Node::Recursive => {
                let mut out = Vec::new();
                self.recursive(input, &mut out)?;
                Ok(out)
            }
            Node::Union(lists) => {
                let mut out = Vec::new();
                for nodes in lists {
                    out.extend(self.list(input, nodes)?);
                }
                Ok(out)
            }
        }
    }

    fn list(&mut self, input: &[Found<'a>], nodes: &'a [Node]) -> Result<Values<'a>, JsonPathError> {
        let Some((first, rest)) = nodes.split_first() else { return Ok(input.to_vec()) };
        let mut current = self.walk(input, first)?;
        for node in rest {
            current = self.walk(&current, node)?;
        }
        Ok(current)
    }

    fn identifier(&mut self, input: &[Found<'a>], name: &str) -> Result<Values<'a>, JsonPathError> {
        match name {
            "range" => {
                self.begin += 1;
                Ok(input.to_vec())
            }
            "end" if self.inside > 0 => {
                self.end += 1;
                Ok(Vec::new())
            }
            "end" => fail("not in range, nothing to end"),
            _ => fail(format!("unrecognized identifier {name}")),
        }
    }

    fn field(&mut self, input: &[Found<'a>], name: &str) -> Result<Values<'a>, JsonPathError> {
        let value = |found: &Found<'a>| match found {
            Found::Json(Value::Object(map)) => map.get(name).map(Found::Json),
            _ => None,
        };
        let results: Values<'a> = input.iter().filter_map(value).collect();
        if results.is_empty() && !input.is_empty() && !self.allow_missing_keys {
            return fail(format!("{name} is not found"));
        }
        Ok(results)
    }

    /// Everything below, each value that has children before them.
    fn recursive(&mut self, input: &[Found<'a>], out: &mut Values<'a>) -> Result<(), JsonPathError> {
        self.count(input.len())?;
        for value in input {
            let mut children = Vec::new();
            value.children(&mut children);
            if !children.is_empty() {
                out.push(*value);
                self.recursive(&children, out)?;
            }
        }
        Ok(())
    }

    fn filter(
        &mut self,
        input: &[Found<'a>],
        left: &'a [Node],
        right: &'a [Node],
        comparison: &Comparison,
    ) -> Result<Values<'a>, JsonPathError> {
        let mut results = Vec::new();
        for value in input {
            let Some(items) = value.items() else {
                let mut shown = String::new();
                match value {
                    Found::Nothing => shown.push_str("<invalid reflect.Value>"),
                    value => value.write_go(&mut shown),
                }
                return fail(format!("{shown} is not array or slice and cannot be filtered"));
            };
            for item in items {
                let item = Found::Json(item);
                let lefts = self.list(&[item], left);
                let Comparison::Operator(operator) = comparison else {
                    // What fails on a value that is there counts as there; only a missing field does not.
                    let missing = |error: JsonPathError| error.to_string().ends_with(" is not found");
                    if lefts.map_or_else(|error| !missing(error), |lefts| !lefts.is_empty()) {
                        results.push(item);
                    }
                    continue;
                };
                let Some(left) = single(&lefts?)? else { continue };
                let rights = self.list(&[item], right)?;
                let Some(right) = single(&rights)? else { continue };
                if compare(operator, &left, &right)? {
                    results.push(item);
                }
            }
        }
        Ok(results)
    }
}

/// The one value of a side of a comparison, if there is any.
fn single<'a>(values: &[Found<'a>]) -> Result<Option<Found<'a>>, JsonPathError> {
    match values {
        [] => Ok(None),
        [one] => Ok(Some(*one)),
        _ => fail("can only compare one element at a time"),
    }
}

fn array<'a>(input: &[Found<'a>], bounds: [Bound; 3]) -> Result<Values<'a>, JsonPathError> {
    let mut results = Vec::new();
    for value in input {
        if value.is_null() {
            continue;
        }
        let Some(items) = value.items() else {
            return fail(format!("{} is not array or slice", value.type_name()));
        };
        let length = items.len() as i64;
        let [start, end, step] = bounds;
        let mut from = if start.known { start.value } else { 0 };
        if from < 0 {
            from = from.saturating_add(length);
        }
        let mut to = if end.known { end.value } else { length };
        if to < 0 || (to == 0 && end.derived) {
            to = to.saturating_add(length);
        }
        if from == to {
            return Ok(results);
        }
        if from >= length || from < 0 {
            return fail(format!("array index out of bounds: index {from}, length {length}"));
        }
        if to > length || to < 0 {
            return fail(format!("array index out of bounds: index {}, length {length}", to - 1));
        }
        if from > to {
            return fail(format!("starting index {from} is greater than ending index {to}"));
        }
        if step.known && step.value <= 0 {
            return fail("step must be > 0");
        }
        let step = if step.known { usize::try_from(step.value).unwrap_or(usize::MAX) } else { 1 };
        results.extend(items[from as usize..to as usize].iter().step_by(step).map(Found::Json));
    }
    Ok(results)
}

/// A value that can be compared, of one of Go's basic kinds.
enum Basic<'a> {
    Bool(bool),
    Int(i64),
    Unsigned(u64),
    Float(f64),
    Text(&'a str),
}

fn basic<'a>(found: &Found<'a>) -> Result<Basic<'a>, JsonPathError> {
    Ok(match found {
        Found::Json(Value::Bool(truth)) => Basic::Bool(*truth),
        Found::Bool(truth) => Basic::Bool(*truth),
        Found::Json(Value::Number(number)) => match number.as_i64() {
            Some(integer) => Basic::Int(integer),
            None => Basic::Float(number.as_f64().unwrap_or_default()),
        },
        Found::Int(number) => Basic::Int(*number),
        Found::Float(number) => Basic::Float(*number),
        Found::Byte(byte) => Basic::Unsigned(u64::from(*byte)),
        other => match other.text() {
            Some(text) => Basic::Text(text),
            None => return fail("invalid type for comparison"),
        },
    })
}

/// Compares values of one kind; `None` as order means that neither is less.
fn order(left: &Basic<'_>, right: &Basic<'_>) -> Result<Option<Ordering>, JsonPathError> {
    match (left, right) {
        (Basic::Bool(a), Basic::Bool(b)) => Ok(Some(a.cmp(b))),
        (Basic::Int(a), Basic::Int(b)) => Ok(Some(a.cmp(b))),
        (Basic::Unsigned(a), Basic::Unsigned(b)) => Ok(Some(a.cmp(b))),
        (Basic::Int(a), Basic::Unsigned(b)) => Ok(Some(i128::from(*a).cmp(&i128::from(*b)))),
        (Basic::Unsigned(a), Basic::Int(b)) => Ok(Some(i128::from(*a).cmp(&i128::from(*b)))),
        (Basic::Float(a), Basic::Float(b)) => Ok(a.partial_cmp(b)),
        (Basic::Text(a), Basic::Text(b)) => Ok(Some(a.cmp(b))),
        _ => fail("incompatible types for comparison"),
    }
}

fn compare(operator: &str, left: &Found<'_>, right: &Found<'_>) -> Result<bool, JsonPathError> {
    let test: fn(Option<Ordering>) -> bool = match operator {
        "==" => |o| o == Some(Ordering::Equal),
        "!=" => |o| o != Some(Ordering::Equal),
        "<" => |o| o == Some(Ordering::Less),
        "<=" => |o| matches!(o, Some(Ordering::Less | Ordering::Equal)),
        ">" => |o| !matches!(o, Some(Ordering::Less | Ordering::Equal)),
        ">=" => |o| o != Some(Ordering::Less),
        _ => return fail(format!("unrecognized filter operator {operator}")),
    };
    let (left, right) = (basic(left)?, basic(right)?);
    let order = order(&left, &right)?;
    // Truth values are equal or not, none is less.
    if matches!(left, Basic::Bool(_)) && !matches!(operator, "==" | "!=") {
        return fail("invalid type for comparison");
    }
    Ok(test(order))
}
