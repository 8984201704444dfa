//! Runs expressions, and counts what they cost.

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr, SelectExpr, StructExpr,
    operators,
};

use super::Variables;
use super::check::{namespaced, qualified};
use super::cost::{LIST, MAP, STRUCTURE};
use super::value::{ListKind, Value};
use super::{cost, functions, library};

/// Why an expression came to no value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// Something that the expression does cannot be done.
    #[error("{0}")]
    Wrong(String),
    /// It costs more than it may.
    #[error("operation cancelled: actual cost limit exceeded")]
    TooExpensive,
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self::Wrong(text)
    }
}

impl From<&str> for Failure {
    fn from(text: &str) -> Self {
        Self::Wrong(text.to_owned())
    }
}

/// What an expression comes to.
pub type Outcome = Result<Value, Failure>;

/// What operations say of values that they are not for.
pub const NO_OVERLOAD: &str = "no such overload";

/// A run.
pub struct Machine<'a> {
    variables: &'a Variables,
    locals: Vec<(&'a str, Outcome)>,
    cost: u64,
    limit: u64,
}

impl<'a> Machine<'a> {
    /// A run that may cost so much.
    pub fn new(variables: &'a Variables, limit: u64) -> Self {
        Self { variables, locals: Vec::new(), cost: 0, limit }
    }

    /// What it has cost so far.
    pub fn cost(&self) -> u64 {
        self.cost
    }

    fn charge(&mut self, cost: u64) -> Result<(), Failure> {
        self.cost = self.cost.saturating_add(cost);
        if self.cost > self.limit { Err(Failure::TooExpensive) } else { Ok(()) }
    }

    /// What an expression comes to.
    pub fn run(&mut self, node: &'a IdedExpr) -> Outcome {
        match &node.expr {
            Expr::Literal(literal) => Ok(literal_value(literal)),
            Expr::Ident(name) => {
                self.charge(1)?;
                self.variable(name)
            }
            Expr::Select(select) => self.select(node, select),
            Expr::Call(call) => self.call(call),
            Expr::List(list) => self.list(list),
            Expr::Map(map) => self.map(map),
            Expr::Struct(structure) => self.structure(structure),
            Expr::Comprehension(all) => self.comprehension(all),
            Expr::Unspecified => Err(NO_OVERLOAD.into()),
        }
    }

    fn variable(&self, name: &str) -> Outcome {
        if let Some((_, value)) = self.locals.iter().rev().find(|(known, _)| *known == name) {
            return value.clone();
        }
        if let Some(value) = self.variables.get(name) {
            return value;
        }
        match library::named_type(name) {
            Some(_) => Ok(Value::Type(canonical(name).into())),
            None => Err(Failure::Wrong(format!("no such attribute(s): {name}"))),
        }
    }

    /// Whether an expression begins with a variable, and so names no type.
    fn is_variable(&self, node: &IdedExpr) -> bool {
        match &node.expr {
            Expr::Ident(name) => self.locals.iter().any(|(known, _)| known == name) || self.variables.contains(name),
            Expr::Select(select) => self.is_variable(&select.operand),
            _ => true,
        }
    }

    fn select(&mut self, node: &'a IdedExpr, select: &'a SelectExpr) -> Outcome {
        if !select.test
            && !self.is_variable(node)
            && let Some(name) = qualified(node)
            && library::named_type(&name).is_some()
        {
            return Ok(Value::Type(canonical(&name).into()));
        }
        if !select.test
            && let Expr::Ident(root) = &select.operand.expr
            && self.variables.dotted.contains(root)
            && let Some(value) = self.variables.get(&format!("{root}.{}", select.field))
        {
            self.charge(1)?;
            return value;
        }
        let operand = self.run(&select.operand)?;
        if select.test {
            return has(&operand, &select.field);
        }
        self.charge(1)?;
        match operand {
            // A field of what may not be there may not be there either.
            Value::Optional(inner) => Ok(Value::optional(inner.and_then(|inner| inner.field(&select.field)))),
            other => field(&other, &select.field),
        }
    }

    fn both(&mut self, left: &'a IdedExpr, right: &'a IdedExpr, decisive: bool) -> Outcome {
        let as_bool = |outcome: Outcome| match outcome {
            Ok(Value::Bool(flag)) => Ok(flag),
            Ok(_) => Err(Failure::Wrong(NO_OVERLOAD.into())),
            Err(failure) => Err(failure),
        };
        let first = as_bool(self.run(left));
        if first == Ok(decisive) || first == Err(Failure::TooExpensive) {
            return first.map(Value::Bool);
        }
        let second = as_bool(self.run(right));
        match (first, second) {
            (_, Err(Failure::TooExpensive)) => Err(Failure::TooExpensive),
            (_, Ok(flag)) if flag == decisive => Ok(Value::Bool(decisive)),
            (Err(failure), _) | (_, Err(failure)) => Err(failure),
            (Ok(_), Ok(_)) => Ok(Value::Bool(!decisive)),
        }
    }

    fn call(&mut self, call: &'a CallExpr) -> Outcome {
        match (call.func_name.as_str(), call.args.as_slice()) {
            (operators::LOGICAL_AND, [left, right]) => return self.both(left, right, false),
            (operators::LOGICAL_OR, [left, right]) => return self.both(left, right, true),
            (operators::CONDITIONAL, [condition, then, otherwise]) => {
                return match self.run(condition)? {
                    Value::Bool(true) => self.run(then),
                    Value::Bool(false) => self.run(otherwise),
                    _ => Err(NO_OVERLOAD.into()),
                };
            }
            (operators::NOT_STRICTLY_FALSE, [condition]) => {
                return match self.run(condition) {
                    Err(Failure::TooExpensive) => Err(Failure::TooExpensive),
                    outcome => Ok(Value::Bool(!matches!(outcome, Ok(Value::Bool(false))))),
                };
            }
            (operators::OPT_SELECT, [operand, name]) => {
                let operand = self.run(operand)?;
                self.charge(1)?;
                let Expr::Literal(LiteralValue::String(name)) = &name.expr else { return Err(NO_OVERLOAD.into()) };
                let operand = match operand {
                    Value::Optional(None) => return Ok(Value::Optional(None)),
                    Value::Optional(Some(inner)) => (*inner).clone(),
                    other => other,
                };
                return Ok(Value::optional(operand.field(name.inner())));
            }
            _ => {}
        }
        let name = namespaced(call);
        let mut args = Vec::with_capacity(call.args.len() + 1);
        if name.is_none()
            && let Some(target) = &call.target
        {
            args.push(self.run(target)?);
        }
        for arg in &call.args {
            args.push(self.run(arg)?);
        }
        let name = name.as_deref().unwrap_or(&call.func_name);
        let result = functions::call(name, &args);
        self.charge(cost::of_call(name, &args, result.as_ref().ok()))?;
        result
    }

    fn list(&mut self, list: &'a ListExpr) -> Outcome {
        let mut items = Vec::with_capacity(list.elements.len());
        for (at, item) in list.elements.iter().enumerate() {
            let value = self.run(item)?;
            match value {
                Value::Optional(inner) if list.optional_indices.contains(&at) => {
                    items.extend(inner.map(|inner| (*inner).clone()));
                }
                value => items.push(value),
            }
        }
        self.charge(LIST)?;
        Ok(Value::list(items))
    }

    fn map(&mut self, map: &'a MapExpr) -> Outcome {
        let mut all = BTreeMap::new();
        for entry in &map.entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let key = self.run(&entry.key)?;
            let value = self.run(&entry.value)?;
            let key = key.as_key().ok_or_else(|| format!("unsupported key type: {}", key.type_name()))?;
            let value = match value {
                Value::Optional(None) if entry.optional => continue,
                Value::Optional(Some(inner)) if entry.optional => (*inner).clone(),
                value => value,
            };
            if all.contains_key(&key) {
                return Err(format!("Failed with repeated key: {}", key.text()).into());
            }
            all.insert(key, value);
        }
        self.charge(MAP)?;
        Ok(Value::Map(Arc::new(all)))
    }

    fn structure(&mut self, structure: &'a StructExpr) -> Outcome {
        let mut fields = BTreeMap::new();
        for entry in &structure.entries {
            let EntryExpr::StructField(field) = &entry.expr else { continue };
            match self.run(&field.value)? {
                Value::Optional(inner) if field.optional => {
                    inner.map(|inner| fields.insert(field.field.clone(), (*inner).clone()));
                }
                value => drop(fields.insert(field.field.clone(), value)),
            }
        }
        self.charge(STRUCTURE)?;
        Ok(Value::Made(structure.type_name.as_str().into(), Arc::new(fields)))
    }

    fn comprehension(&mut self, all: &'a ComprehensionExpr) -> Outcome {
        let range = self.run(&all.iter_range)?;
        let start = self.run(&all.accu_init);
        let depth = self.locals.len();
        self.locals.push((&all.accu_var, start));
        let outcome = self.fold(all, &range);
        let result = outcome.and_then(|()| self.run(&all.result));
        self.locals.truncate(depth);
        result
    }

    fn fold(&mut self, all: &'a ComprehensionExpr, range: &Value) -> Result<(), Failure> {
        match range {
            Value::List(items, _) => {
                for (at, item) in items.iter().enumerate() {
                    let index = Value::Int(i64::try_from(at).unwrap_or(i64::MAX));
                    let first = if all.iter_var2.is_some() { index } else { item.clone() };
                    if !self.turn(all, first, item)? {
                        break;
                    }
                }
            }
            Value::Map(map) => {
                for (key, value) in map.iter() {
                    if !self.turn(all, key.value(), value)? {
                        break;
                    }
                }
            }
            _ => return Err(NO_OVERLOAD.into()),
        }
        Ok(())
    }

    /// One turn of a loop; whether it was taken.
    fn turn(&mut self, all: &'a ComprehensionExpr, first: Value, second: &Value) -> Result<bool, Failure> {
        let depth = self.locals.len();
        self.locals.push((&all.iter_var, Ok(first)));
        if let Some(name) = &all.iter_var2 {
            self.locals.push((name, Ok(second.clone())));
        }
        let goes_on = matches!(self.run(&all.loop_cond), Ok(Value::Bool(true)));
        let step = if goes_on { Some(self.run(&all.loop_step)) } else { None };
        self.locals.truncate(depth);
        if self.cost > self.limit {
            return Err(Failure::TooExpensive);
        }
        if let (Some(step), Some(accumulator)) = (step, self.locals.last_mut()) {
            accumulator.1 = step;
        }
        Ok(goes_on)
    }
}

fn canonical(name: &str) -> &str {
    match name {
        "duration" => "google.protobuf.Duration",
        "timestamp" => "google.protobuf.Timestamp",
        other => other,
    }
}

fn has(operand: &Value, name: &str) -> Outcome {
    match operand {
        Value::Map(_) | Value::Made(..) => Ok(Value::Bool(operand.field(name).is_some())),
        Value::Optional(inner) => Ok(Value::Bool(inner.as_ref().is_some_and(|inner| inner.field(name).is_some()))),
        _ => Err(NO_OVERLOAD.into()),
    }
}

fn field(operand: &Value, name: &str) -> Outcome {
    match operand {
        Value::Map(_) | Value::Made(..) => operand.field(name).ok_or_else(|| format!("no such key: {name}").into()),
        _ => Err(NO_OVERLOAD.into()),
    }
}

fn literal_value(literal: &LiteralValue) -> Value {
    match literal {
        LiteralValue::Boolean(flag) => Value::Bool(*flag.inner()),
        LiteralValue::Bytes(bytes) => Value::Bytes(bytes.inner().into()),
        LiteralValue::Double(number) => Value::Double(*number.inner()),
        LiteralValue::Int(number) => Value::Int(*number.inner()),
        LiteralValue::Null => Value::Null,
        LiteralValue::String(text) => Value::text(text.inner()),
        LiteralValue::UInt(number) => Value::Uint(*number.inner()),
    }
}

/// An item of a list or a map; `None` when it is not there.
pub fn item(of: &Value, index: &Value) -> Result<Option<Value>, Failure> {
    match of {
        Value::List(items, _) => {
            let Some(super::value::Key::Int(at)) = index.as_key() else { return Err(NO_OVERLOAD.into()) };
            Ok(usize::try_from(at).ok().and_then(|at| items.get(at)).cloned())
        }
        Value::Map(map) => {
            let key = index.as_key().ok_or_else(|| Failure::Wrong(NO_OVERLOAD.into()))?;
            Ok(map.get(&key).cloned())
        }
        _ => Err(NO_OVERLOAD.into()),
    }
}

/// The kind of a list, for what is made of it.
pub fn kind_of(value: &Value) -> ListKind {
    match value {
        Value::List(_, kind) => kind.clone(),
        _ => ListKind::Plain,
    }
}
