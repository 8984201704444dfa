//! Lists, sets and maps.

use std::sync::Arc;

use cel::common::ast::operators;

use super::numbers;
use crate::expressions::eval::{NO_OVERLOAD, Outcome, kind_of};
use crate::expressions::value::{ListKind, Value};

fn int(number: usize) -> Value {
    Value::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(super) fn call(name: &str, args: &[Value]) -> Option<Outcome> {
    match (name, args) {
        ("lists.range", [Value::Int(end)]) => Some(Ok(Value::list((0..*end).map(Value::Int).collect()))),
        ("cel.@mapInsert", [Value::Map(map), rest @ ..]) => Some(inserted(map, rest)),
        (_, [Value::List(items, kind)]) => of_one(name, items, kind),
        (_, [Value::List(a, _), Value::List(b, _)]) => of_two(name, a, b),
        ("indexOf", [Value::List(items, _), wanted]) => {
            Some(Ok(items.iter().position(|item| item.equals(wanted)).map_or(Value::Int(-1), int)))
        }
        ("lastIndexOf", [Value::List(items, _), wanted]) => {
            Some(Ok(items.iter().rposition(|item| item.equals(wanted)).map_or(Value::Int(-1), int)))
        }
        ("flatten", [Value::List(items, _), Value::Int(depth)]) => Some(match depth {
            0.. => {
                let mut out = Vec::new();
                flatten(items, *depth, &mut out);
                Ok(Value::list(out))
            }
            _ => Err("level must be non-negative".into()),
        }),
        ("slice", [Value::List(items, _), Value::Int(from), Value::Int(to)]) => Some(slice(items, *from, *to)),
        _ => None,
    }
}

fn inserted(map: &Arc<std::collections::BTreeMap<crate::expressions::value::Key, Value>>, rest: &[Value]) -> Outcome {
    let mut all = (**map).clone();
    let mut insert = |key: crate::expressions::value::Key, value: Value| match all.insert(key.clone(), value) {
        Some(_) => Err(format!("insert failed: key {} already exists", key.text())),
        None => Ok(()),
    };
    match rest {
        [Value::Map(more)] => more.iter().try_for_each(|(key, value)| insert(key.clone(), value.clone()))?,
        [key, value] => insert(key.as_key().ok_or(NO_OVERLOAD)?, value.clone())?,
        _ => return Err(NO_OVERLOAD.into()),
    }
    Ok(Value::Map(Arc::new(all)))
}

fn flatten(items: &[Value], depth: i64, out: &mut Vec<Value>) {
    for item in items {
        match item {
            Value::List(inner, _) if depth > 0 => flatten(inner, depth - 1, out),
            other => out.push(other.clone()),
        }
    }
}

fn slice(items: &[Value], from: i64, to: i64) -> Outcome {
    if from < 0 || to < 0 {
        return Err(format!("cannot slice({from}, {to}), negative indexes not supported").into());
    }
    if from > to {
        return Err(format!("cannot slice({from}, {to}), start index must be less than or equal to end index").into());
    }
    let range = usize::try_from(from).ok().zip(usize::try_from(to).ok());
    let part = range.and_then(|(from, to)| items.get(from..to));
    let beyond = || format!("cannot slice({from}, {to}), list is length {}", items.len());
    part.map(|part| Value::list(part.to_vec())).ok_or_else(|| beyond().into())
}

/// The items in their order; fails where two have none.
fn sorted(items: &[Value], keys: &[Value]) -> Outcome {
    let mut order: Vec<usize> = (0..items.len()).collect();
    let mut comparable = items.len() == keys.len();
    order.sort_by(|a, b| {
        let found = keys.get(*a).zip(keys.get(*b)).and_then(|(a, b)| a.order(b));
        comparable &= found.is_some();
        found.unwrap_or(std::cmp::Ordering::Equal)
    });
    if !comparable {
        return Err("list elements must have the same type".into());
    }
    Ok(Value::list(order.into_iter().filter_map(|at| items.get(at).cloned()).collect()))
}

fn of_one(name: &str, items: &Arc<Vec<Value>>, kind: &ListKind) -> Option<Outcome> {
    let extreme = |wins: fn(std::cmp::Ordering) -> bool| {
        let mut all = items.iter();
        let Some(first) = all.next() else { return Err(format!("{name} called on empty list").into()) };
        let mut best = first;
        for item in all {
            let order = item.order(best).ok_or(NO_OVERLOAD)?;
            if wins(order) {
                best = item;
            }
        }
        Ok(best.clone())
    };
    Some(match name {
        "isSorted" => {
            let in_order = items.windows(2).all(|pair| match pair {
                [a, b] => a.order(b).is_some_and(std::cmp::Ordering::is_le),
                _ => true,
            });
            Ok(Value::Bool(in_order))
        }
        "sum" => {
            let mut all = items.iter();
            let first = all.next().cloned().unwrap_or(Value::Int(0));
            let add = |sum: Value, item: &Value| {
                numbers::call(operators::ADD, &[sum, item.clone()]).unwrap_or_else(|| Err(NO_OVERLOAD.into()))
            };
            all.try_fold(first, add)
        }
        "max" => extreme(std::cmp::Ordering::is_gt),
        "min" => extreme(std::cmp::Ordering::is_lt),
        "flatten" => {
            let mut out = Vec::new();
            flatten(items, 1, &mut out);
            Ok(Value::list(out))
        }
        "sort" => sorted(items, items),
        "reverse" => Ok(Value::List(items.iter().rev().cloned().collect::<Vec<_>>().into(), kind.clone())),
        "distinct" => {
            let mut seen: Vec<Value> = Vec::new();
            for item in items.iter() {
                if !seen.iter().any(|other| other.equals(item)) {
                    seen.push(item.clone());
                }
            }
            Ok(Value::list(seen))
        }
        "first" => Ok(Value::optional(items.first().cloned())),
        "last" => Ok(Value::optional(items.last().cloned())),
        "join" => super::strings::join(items, ""),
        _ => return None,
    })
}

fn of_two(name: &str, a: &Arc<Vec<Value>>, b: &Arc<Vec<Value>>) -> Option<Outcome> {
    let within = |item: &Value, items: &[Value]| items.iter().any(|other| other.equals(item));
    let holds = |a: &[Value], b: &[Value]| b.iter().all(|item| within(item, a));
    Some(Ok(Value::Bool(match name {
        "sets.contains" => holds(a, b),
        "sets.equivalent" => holds(a, b) && holds(b, a),
        "sets.intersects" => a.iter().any(|item| within(item, b)),
        "@sortByAssociatedKeys" => return Some(sorted(a, b)),
        "indexOf" | "lastIndexOf" => {
            let wanted = Value::List(b.clone(), ListKind::Plain);
            let same = |item: &Value| kind_of(item) == ListKind::Plain && item.equals(&wanted);
            let found = if name == "indexOf" { a.iter().position(same) } else { a.iter().rposition(same) };
            return Some(Ok(found.map_or(Value::Int(-1), int)));
        }
        _ => return None,
    })))
}
