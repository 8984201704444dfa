//! What expressions cost: while they run, and at most before they do.
//!
//! A unit is about the time of one simple operation. The estimates decide which rules a definition may have, so they
//! follow the reference server's arithmetic step by step.

use std::collections::HashMap;

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::check::{Checked, namespaced};
use super::decl::Decl;
use super::library::Overload;
use super::types::Type;
use super::value::{Opaque, Value};

/// Making a list.
pub const LIST: u64 = 10;
/// Making a map.
pub const MAP: u64 = 30;
/// Making a structure.
pub const STRUCTURE: u64 = 40;
/// Going over one byte of a text.
const TRAVERSAL: f64 = 0.1;
/// One byte of a regular expression.
const REGEX: f64 = 0.25;
/// One question to the authorizer.
const CHECK: u64 = 350_000;
/// The longest pattern behind a named format.
const FORMAT_PATTERN: f64 = 128.0;

#[expect(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "estimates")]
fn scaled(size: u64, factor: f64) -> u64 {
    let cost = (size as f64 * factor).ceil();
    if cost >= u64::MAX as f64 { u64::MAX } else { cost as u64 }
}

/// What a call cost that was made with these arguments.
pub fn of_call(name: &str, args: &[Value], result: Option<&Value>) -> u64 {
    let size = |at: usize| args.get(at).map_or(0, Value::size);
    let traversed = |at: usize, factor: f64| scaled(size(at), factor * TRAVERSAL);
    let matched = |text: u64, pattern: u64| scaled(text.saturating_add(1), TRAVERSAL) * scaled(pattern, REGEX);
    match name {
        "check" => CHECK,
        "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" => args.first().map_or(1, traversal),
        "url"
        | "lowerAscii"
        | "upperAscii"
        | "substring"
        | "trim"
        | "jsonpatch.escapeKey"
        | "cidr"
        | "isIP"
        | "isCIDR"
        | "quantity"
        | "isQuantity"
        | "semver"
        | "isSemver"
        | "format"
        | "strings.quote" => traversed(0, 1.0),
        "ip" if matches!(args.first(), Some(Value::String(_))) => traversed(0, 1.0),
        "replace" | "split" | "ip.isCanonical" => traversed(0, 2.0),
        "join" => result.map_or(1, |result| scaled(result.size(), 2.0 * TRAVERSAL)),
        "find" | "findAll" | "matches" => matched(size(0), size(1)),
        "validate" => matched(size(1), FORMAT_PATTERN as u64),
        "contains" => traversed(0, 1.0) * traversed(1, 1.0),
        "startsWith" | "endsWith" => traversed(1, 1.0),
        "containsIP" | "containsCIDR" => traversed(0, 2.0) + traversed(1, 1.0),
        "sets.contains" | "sets.intersects" => size(0).saturating_mul(size(1)),
        "sets.equivalent" => size(0).saturating_mul(size(1)).saturating_mul(2),
        operators::IN if matches!(args.get(1), Some(Value::List(..))) => size(1),
        operators::ADD => match args.first() {
            Some(Value::String(_) | Value::Bytes(_)) => scaled(size(0) + size(1), TRAVERSAL),
            _ => 1,
        },
        operators::EQUALS | operators::NOT_EQUALS => compared(args),
        operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS => compared(args),
        _ => 1,
    }
}

fn compared(args: &[Value]) -> u64 {
    match args {
        [Value::Opaque(Opaque::Quantity(_) | Opaque::Ip(_) | Opaque::Cidr(..)), _] => 1,
        [a, b] => scaled(a.size().min(b.size()), TRAVERSAL),
        _ => 1,
    }
}

fn traversal(value: &Value) -> u64 {
    match value {
        Value::String(text) => scaled(text.len() as u64, TRAVERSAL),
        Value::Bytes(bytes) => scaled(bytes.len() as u64, TRAVERSAL),
        Value::List(items, _) => items.iter().map(traversal).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| traversal(&key.value()) + traversal(value)).sum(),
        _ => 1,
    }
}

/// A range of sizes or costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Range {
    min: u64,
    max: u64,
}

const ZERO: Range = Range { min: 0, max: 0 };
const ONE: Range = Range { min: 1, max: 1 };
const UNKNOWN: Range = Range { min: 0, max: u64::MAX };

impl Range {
    fn fixed(size: u64) -> Self {
        Self { min: size, max: size }
    }

    fn plus(self, other: Self) -> Self {
        Self { min: self.min.saturating_add(other.min), max: self.max.saturating_add(other.max) }
    }

    fn times(self, other: Self) -> Self {
        Self { min: self.min.saturating_mul(other.min), max: self.max.saturating_mul(other.max) }
    }

    fn scaled(self, factor: f64) -> Self {
        Self { min: scaled(self.min, factor), max: scaled(self.max, factor) }
    }

    fn or(self, other: Self) -> Self {
        Self { min: self.min.min(other.min), max: self.max.max(other.max) }
    }
}

/// Where a value comes from: the steps from a variable on.
type Origin = Vec<String>;

#[derive(Clone)]
struct Local {
    origin: Option<Origin>,
    size: Option<Range>,
    entries: Option<Range>,
}

/// What an expression costs at most.
pub fn estimate(node: &IdedExpr, checked: &Checked, decls: &HashMap<String, std::sync::Arc<Decl>>) -> u64 {
    let mut coster = Coster {
        checked,
        decls,
        origins: HashMap::new(),
        sizes: HashMap::new(),
        entries: HashMap::new(),
        locals: Vec::new(),
    };
    coster.cost(node).max
}

struct Coster<'a> {
    checked: &'a Checked,
    decls: &'a HashMap<String, std::sync::Arc<Decl>>,
    origins: HashMap<u64, Origin>,
    sizes: HashMap<u64, Range>,
    /// The sizes of what lists and maps hold.
    entries: HashMap<u64, Range>,
    locals: Vec<(&'a str, Local)>,
}

impl<'a> Coster<'a> {
    fn local(&self, name: &str) -> Option<&Local> {
        self.locals.iter().rev().find(|(known, _)| *known == name).map(|(_, local)| local)
    }

    fn origin(&self, node: &IdedExpr) -> Option<Origin> {
        self.origins.get(&node.id).filter(|origin| !origin.first().is_some_and(|name| name.starts_with('@'))).cloned()
    }

    fn step(&mut self, node: &IdedExpr, from: &IdedExpr, step: &str) {
        if let Some(mut origin) = self.origin(from) {
            origin.push(step.to_owned());
            self.origins.insert(node.id, origin);
        }
    }

    fn declared(&self, origin: &Origin) -> Option<Range> {
        let (root, steps) = origin.split_first()?;
        let mut at = self.decls.get(root)?;
        for step in steps {
            at = match step.as_str() {
                "@items" | "@values" => at.element.as_ref()?,
                "@keys" => return Some(Range { min: 0, max: 0 }),
                name => at.fields.get(name)?,
            };
        }
        Some(Range { min: 0, max: at.max })
    }

    fn size(&mut self, node: &IdedExpr) -> Option<Range> {
        if let Some(known) = self.sizes.get(&node.id) {
            return Some(*known);
        }
        let literal = match &node.expr {
            Expr::Literal(LiteralValue::String(text)) => Some(text.inner().chars().count() as u64),
            Expr::Literal(LiteralValue::Bytes(bytes)) => Some(bytes.inner().len() as u64),
            Expr::Literal(_) => Some(1),
            Expr::List(list) => Some(list.elements.len() as u64),
            Expr::Map(map) => Some(map.entries.len() as u64),
            _ => None,
        };
        if let Some(size) = literal {
            return Some(Range::fixed(size));
        }
        if let Some(size) = self.origin(node).and_then(|origin| self.declared(&origin)) {
            return Some(size);
        }
        if let Expr::Ident(name) = &node.expr
            && let Some(size) = self.local(name).and_then(|local| local.size)
        {
            return Some(size);
        }
        match self.checked.type_of(node) {
            Type::Bool | Type::Int | Type::Uint | Type::Double | Type::Duration | Type::Timestamp | Type::Null => {
                Some(ONE)
            }
            _ => None,
        }
    }

    fn known_size(&mut self, node: &IdedExpr) -> Range {
        self.size(node).unwrap_or(UNKNOWN)
    }

    fn entry_size(&self, node: &IdedExpr) -> Option<Range> {
        if let Expr::Ident(name) = &node.expr
            && let Some(local) = self.local(name)
        {
            return local.entries;
        }
        self.entries.get(&node.id).copied()
    }

    fn cost(&mut self, node: &'a IdedExpr) -> Range {
        match &node.expr {
            Expr::Literal(_) | Expr::Unspecified => ZERO,
            Expr::Ident(name) => {
                let origin = match self.local(name) {
                    Some(local) => local.origin.clone(),
                    None => Some(vec![name.clone()]),
                };
                if let Some(origin) = origin {
                    self.origins.insert(node.id, origin);
                }
                ONE
            }
            Expr::Select(select) => {
                let mut sum = self.cost(&select.operand);
                if select.test {
                    return sum;
                }
                if matches!(self.checked.type_of(&select.operand), Type::Map(..) | Type::Structure(_)) {
                    sum = sum.plus(ONE);
                }
                self.step(node, &select.operand, &select.field);
                sum
            }
            Expr::Call(call) => self.call(node, call),
            Expr::List(list) => {
                let mut sum = Range::fixed(LIST);
                let mut entries: Option<Range> = None;
                for item in &list.elements {
                    sum = sum.plus(self.cost(item));
                    let size = self.known_size(item);
                    entries = Some(entries.map_or(size, |entries| entries.or(size)));
                }
                self.entries.insert(node.id, entries.unwrap_or(ZERO));
                sum
            }
            Expr::Map(map) => {
                let mut sum = Range::fixed(MAP);
                let mut entries: Option<Range> = None;
                for entry in &map.entries {
                    let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
                    sum = sum.plus(self.cost(&entry.key)).plus(self.cost(&entry.value));
                    let size = self.known_size(&entry.value);
                    entries = Some(entries.map_or(size, |entries| entries.or(size)));
                }
                self.entries.insert(node.id, entries.unwrap_or(ZERO));
                sum
            }
            Expr::Struct(structure) => {
                let mut sum = Range::fixed(STRUCTURE);
                for entry in &structure.entries {
                    let EntryExpr::StructField(field) = &entry.expr else { continue };
                    sum = sum.plus(self.cost(&field.value));
                }
                sum
            }
            Expr::Comprehension(all) => self.comprehension(node, all),
        }
    }

    fn call(&mut self, node: &'a IdedExpr, call: &'a CallExpr) -> Range {
        let name = namespaced(call);
        let mut costs: Vec<Range> = call.args.iter().map(|arg| self.cost(arg)).collect();
        if call.func_name == "dyn"
            && let [arg] = call.args.as_slice()
        {
            if let Some(size) = self.size(arg) {
                self.sizes.insert(node.id, size);
            }
            return ONE.plus(costs.first().copied().unwrap_or(ZERO));
        }
        let Some(forms) = self.checked.forms.get(&node.id) else {
            if call.func_name == operators::OPT_SELECT {
                return costs.into_iter().fold(ONE, Range::plus);
            }
            return ZERO;
        };
        let mut nodes: Vec<&'a IdedExpr> = call.args.iter().collect();
        if name.is_none()
            && let Some(target) = call.target.as_deref()
        {
            costs.insert(0, self.cost(target));
            nodes.insert(0, target);
        }
        let name = name.unwrap_or_else(|| call.func_name.clone());
        match name.as_str() {
            operators::LOGICAL_AND | operators::LOGICAL_OR => {
                let all = costs.iter().copied().fold(ZERO, Range::plus);
                return Range { min: costs.first().map_or(0, |first| first.min), max: all.max };
            }
            operators::CONDITIONAL => {
                if let ([condition, then, otherwise], [_, a, b]) = (costs.as_slice(), nodes.as_slice()) {
                    let size = self.known_size(a).or(self.known_size(b));
                    self.sizes.insert(node.id, size);
                    return condition.plus(then.or(*otherwise));
                }
            }
            _ => {}
        }
        let mut own: Option<Range> = None;
        let mut result: Option<Range> = None;
        for form in forms {
            let (cost, size) = self.form(&name, form, &nodes);
            own = Some(own.map_or(cost, |own| own.or(cost)));
            if let Some(size) = size {
                result = Some(result.map_or(size, |result| result.or(size)));
            }
        }
        if matches!(name.as_str(), operators::INDEX | operators::OPT_INDEX)
            && let Some(of) = nodes.first()
        {
            result = self.entry_size(of);
            let step = if matches!(self.checked.type_of(of), Type::List(_)) { "@items" } else { "@values" };
            self.step(node, of, step);
        }
        if let Some(size) = result.or_else(|| self.size(node)) {
            self.sizes.insert(node.id, size);
        }
        costs.into_iter().fold(own.unwrap_or(ONE), Range::plus)
    }

    /// The size of what a list holds.
    fn item_size(&mut self, node: &IdedExpr) -> Range {
        if let Some(size) = self.entry_size(node) {
            return size;
        }
        let declared = self.origin(node).and_then(|mut origin| {
            origin.push("@items".into());
            self.declared(&origin)
        });
        declared.unwrap_or(UNKNOWN)
    }

    /// What one form of a function costs by itself, and how large its result is.
    fn form(&mut self, name: &str, form: &Overload, nodes: &[&'a IdedExpr]) -> (Range, Option<Range>) {
        let sizes: Vec<Range> = nodes.iter().map(|node| self.known_size(node)).collect();
        let size = |at: usize| sizes.get(at).copied().unwrap_or(ZERO);
        let textual = matches!(form.args.first(), Some(Type::String | Type::Bytes));
        let pattern = |text: Range, pattern: Range| text.plus(ONE).scaled(TRAVERSAL).times(pattern.scaled(REGEX));
        let of_list = matches!(form.args.first(), Some(Type::List(_)));
        match name {
            "check" => (Range::fixed(CHECK), None),
            "isSorted" | "sum" | "max" | "min" | "indexOf" | "lastIndexOf" if of_list => {
                let mut each = ONE;
                if let Some(node) = nodes.first()
                    && let Type::List(of) = self.checked.type_of(node)
                    && matches!(*of, Type::String | Type::Bytes)
                {
                    each = each.plus(self.item_size(node).scaled(TRAVERSAL));
                }
                (size(0).times(each), None)
            }
            "indexOf" | "lastIndexOf" => (size(0).scaled(TRAVERSAL), None),
            "url" | "jsonpatch.escapeKey" | "lowerAscii" | "upperAscii" | "substring" | "trim" => {
                (size(0).scaled(TRAVERSAL), Some(size(0)))
            }
            "format" => (size(0).scaled(TRAVERSAL), None),
            "replace" => (size(0).scaled(2.0 * TRAVERSAL), Some(replaced(size(0), size(1), size(2)))),
            "split" => (size(0).scaled(2.0 * TRAVERSAL), Some(Range { min: 0, max: size(0).max })),
            "join" => {
                let items = nodes.first().map_or(UNKNOWN, |node| self.item_size(node));
                let mut all = size(0).times(items);
                if sizes.len() > 1 {
                    let gaps = Range { min: size(0).min.saturating_sub(1), max: size(0).max.saturating_sub(1) };
                    all = all.plus(size(1).times(gaps));
                }
                (all.scaled(TRAVERSAL), Some(all))
            }
            "find" | "findAll" => (pattern(size(0), size(1)), Some(Range { min: 0, max: size(0).max })),
            "matches" => (pattern(size(0), size(1)), None),
            "ip" if !textual => (ONE, None),
            "cidr" | "isIP" | "isCIDR" | "ip" | "quantity" | "isQuantity" | "semver" | "isSemver" => {
                (size(0).scaled(TRAVERSAL), None)
            }
            "ip.isCanonical" => (size(0).scaled(2.0 * TRAVERSAL), None),
            "containsIP" | "containsCIDR" => {
                let address = Range { min: 4, max: 16 };
                let mut cost = address.plus(address).scaled(TRAVERSAL);
                if name == "containsCIDR" {
                    cost = cost.plus(address.scaled(TRAVERSAL)).plus(ONE);
                }
                if form.args.get(1) == Some(&Type::String) {
                    cost = cost.plus(size(1).scaled(TRAVERSAL));
                }
                (cost, None)
            }
            "validate" => (size(1).scaled(TRAVERSAL).scaled(FORMAT_PATTERN * REGEX), None),
            "bytes" if textual => {
                (size(0).scaled(TRAVERSAL), Some(Range { min: size(0).min, max: size(0).max.saturating_mul(4) }))
            }
            "string" if form.args.first() == Some(&Type::Bytes) => {
                (size(0).scaled(TRAVERSAL), Some(Range { min: size(0).min / 4, max: size(0).max }))
            }
            "strings.quote" => {
                let size = size(0);
                let max = size.max.saturating_mul(2).saturating_add(2);
                (size.scaled(TRAVERSAL), Some(Range { min: size.min.saturating_add(2), max }))
            }
            "startsWith" | "endsWith" => (size(1).scaled(TRAVERSAL), None),
            "contains" if textual => (size(0).scaled(TRAVERSAL).times(size(1).scaled(TRAVERSAL)), None),
            "sets.contains" | "sets.intersects" => (size(0).times(size(1)).plus(ONE), None),
            "sets.equivalent" => (size(0).times(size(1)).times(Range::fixed(2)).plus(ONE), None),
            operators::IN if matches!(form.args.get(1), Some(Type::List(_))) => (size(1), None),
            operators::ADD if of_list => (ONE, Some(size(0).plus(size(1)))),
            operators::ADD if textual => {
                let all = size(0).plus(size(1));
                (all.scaled(TRAVERSAL), Some(all))
            }
            operators::EQUALS | operators::NOT_EQUALS => (compare(size(0), size(1)), None),
            operators::LESS | operators::LESS_EQUALS | operators::GREATER | operators::GREATER_EQUALS if textual => {
                (compare(size(0), size(1)), None)
            }
            _ => (ONE, None),
        }
    }

    fn comprehension(&mut self, node: &'a IdedExpr, all: &'a ComprehensionExpr) -> Range {
        let mut sum = self.cost(&all.iter_range).plus(self.cost(&all.accu_init));
        let accumulator = Local {
            origin: self.origin(&all.accu_init),
            size: self.size(&all.accu_init),
            entries: self.entry_size(&all.accu_init),
        };
        let depth = self.locals.len();
        self.locals.push((&all.accu_var, accumulator));
        let of_list = matches!(self.checked.type_of(&all.iter_range), Type::List(_));
        let entries = self.entry_size(&all.iter_range);
        let origin = |step: &str, coster: &Self| {
            coster.origin(&all.iter_range).map(|mut origin| {
                origin.push(step.to_owned());
                origin
            })
        };
        let items = if of_list { "@items" } else { "@values" };
        let values = Local { origin: origin(items, self), size: entries, entries: None };
        let keys = Local {
            origin: if of_list { None } else { origin("@keys", self) },
            size: of_list.then_some(ONE),
            entries: None,
        };
        match &all.iter_var2 {
            Some(second) => {
                self.locals.push((&all.iter_var, keys));
                self.locals.push((second, values));
            }
            None => self.locals.push((&all.iter_var, if of_list { values } else { keys })),
        }
        let each = self.cost(&all.loop_cond).plus(self.cost(&all.loop_step));
        let step_entries = self.entry_size(&all.loop_step);
        self.locals.truncate(depth + 1);
        sum = sum.plus(self.cost(&all.result));
        self.locals.truncate(depth);
        let count = self.known_size(&all.iter_range);
        sum = sum.plus(count.times(each));
        match &all.accu_init.expr {
            Expr::List(_) | Expr::Map(_) => {
                self.sizes.insert(node.id, count);
                if let Some(entries) = step_entries {
                    self.entries.insert(node.id, entries);
                }
            }
            _ => {
                if let Some(size) = self.size(&all.accu_init) {
                    self.sizes.insert(node.id, size);
                }
            }
        }
        sum
    }
}

fn compare(a: Range, b: Range) -> Range {
    let max = a.max.min(b.max);
    Range { min: u64::from(max > 0), max }.scaled(TRAVERSAL)
}

/// How large a text can become by replacing parts of it.
fn replaced(text: Range, from: Range, to: Range) -> Range {
    let max = if from.min == 0 {
        text.max.saturating_add(1).saturating_mul(to.max).saturating_add(text.max)
    } else if to.max <= from.min {
        text.max
    } else {
        text.max.div_ceil(from.min).saturating_mul(to.max)
    };
    Range { min: 0, max }
}
