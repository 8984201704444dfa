//! Types of an expression's parts, and what is wrong with them.

use std::collections::HashMap;
use std::sync::Arc;

use cel::common::ast::{
    CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue, SelectExpr, SourceInfo,
    StructExpr, operators,
};

use super::Environment;
use super::library::{self, OPEN_TYPES, Overload};
use super::types::{Bindings, Structure, Type, is_less_specific};

/// What is known of an expression once it is checked.
#[derive(Debug, Default)]
pub struct Checked {
    /// The type of each part.
    pub types: HashMap<u64, Type>,
    /// The forms of functions that calls may come to.
    pub forms: HashMap<u64, Vec<&'static Overload>>,
}

impl Checked {
    /// The type of a part.
    pub fn type_of(&self, node: &IdedExpr) -> Type {
        self.types.get(&node.id).cloned().unwrap_or(Type::Dyn)
    }
}

/// An error and the place that it is about, as an offset.
struct Problem {
    at: usize,
    text: String,
}

struct Checker<'a> {
    environment: &'a Environment,
    source: &'a SourceInfo,
    scopes: Vec<(String, Type)>,
    bindings: Bindings,
    open: u32,
    checked: Checked,
    problems: Vec<Problem>,
}

/// Checks an expression.
///
/// # Errors
///
/// All that is wrong, as the compiler prints it.
pub fn check(environment: &Environment, node: &IdedExpr, source: &SourceInfo) -> Result<Checked, String> {
    let mut checker = Checker {
        environment,
        source,
        scopes: Vec::new(),
        bindings: Bindings::default(),
        open: 0,
        checked: Checked::default(),
        problems: Vec::new(),
    };
    checker.visit(node);
    if checker.problems.is_empty() {
        let bindings = checker.bindings;
        checker.checked.types.values_mut().for_each(|type_| *type_ = bindings.substitute(type_, true));
        return Ok(checker.checked);
    }
    checker.problems.sort_by_key(|problem| problem.at);
    let shown: Vec<String> =
        checker.problems.iter().map(|problem| shown(&source.source, problem.at, &problem.text)).collect();
    Err(shown.join("\n"))
}

/// An error with its line, and a mark below it.
fn shown(source: &str, at: usize, text: &str) -> String {
    let before: String = source.chars().take(at).collect();
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let snippet = source.split('\n').nth(line).unwrap_or_default().replace('\t', " ");
    let wide = |c: char| c.len_utf8() > 1;
    let dots: String = snippet.chars().take(column).map(|c| if wide(c) { '\u{ff0e}' } else { '.' }).collect();
    let mark = if snippet.chars().nth(column).is_some_and(wide) { '\u{ff3e}' } else { '^' };
    format!("ERROR: <input>:{}:{}: {text}\n | {snippet}\n | {dots}{mark}", line + 1, column + 1)
}

/// The dotted name that an expression spells.
pub fn qualified(node: &IdedExpr) -> Option<String> {
    match &node.expr {
        Expr::Ident(name) => Some(name.clone()),
        Expr::Select(select) if !select.test => Some(format!("{}.{}", qualified(&select.operand)?, select.field)),
        _ => None,
    }
}

/// The function that a call on something comes to when that something is only the first part of its name.
pub fn namespaced(call: &CallExpr) -> Option<String> {
    let name = format!("{}.{}", qualified(call.target.as_deref()?)?, call.func_name);
    library::overloads(&name).map(|_| name)
}

fn literal_type(literal: &LiteralValue) -> Type {
    match literal {
        LiteralValue::Boolean(_) => Type::Bool,
        LiteralValue::Bytes(_) => Type::Bytes,
        LiteralValue::Double(_) => Type::Double,
        LiteralValue::Int(_) => Type::Int,
        LiteralValue::Null => Type::Null,
        LiteralValue::String(_) => Type::String,
        LiteralValue::UInt(_) => Type::Uint,
    }
}

impl Checker<'_> {
    fn problem(&mut self, id: u64, text: String) {
        let at = self.source.offset_for(id).map_or(0, |(start, _)| start as usize);
        self.problems.push(Problem { at, text });
    }

    fn fresh(&mut self) -> Type {
        self.open += 1;
        Type::Param(self.open + OPEN_TYPES)
    }

    fn visit(&mut self, node: &IdedExpr) -> Type {
        let type_ = match &node.expr {
            Expr::Literal(literal) => literal_type(literal),
            Expr::Ident(name) => self.ident(node, name),
            Expr::Select(select) => self.select(node, select),
            Expr::Call(call) => self.call(node, call),
            Expr::List(list) => {
                let mut of: Option<Type> = None;
                for (at, item) in list.elements.iter().enumerate() {
                    let mut type_ = self.visit(item);
                    if list.optional_indices.contains(&at) {
                        type_ = self.unwrapped(item, &type_);
                    }
                    of = Some(self.joined(item, of, type_));
                }
                Type::list(of.unwrap_or_else(|| self.fresh()))
            }
            Expr::Map(map) => self.map(&map.entries),
            Expr::Struct(structure) => self.structure(node, structure),
            Expr::Comprehension(all) => self.comprehension(all),
            Expr::Unspecified => Type::Error,
        };
        self.checked.types.insert(node.id, type_.clone());
        type_
    }

    fn unwrapped(&mut self, node: &IdedExpr, type_: &Type) -> Type {
        let (inner, optional) = type_.unwrapped();
        if !optional && !inner.is_any() {
            self.mismatch(node, &Type::optional(inner.clone()), &inner);
        }
        inner
    }

    fn mismatch(&mut self, node: &IdedExpr, expected: &Type, found: &Type) {
        self.problem(node.id, format!("expected type '{expected}' but found '{found}'"));
    }

    fn variable(&self, name: &str) -> Option<Type> {
        let local = self.scopes.iter().rev().find(|(known, _)| known == name).map(|(_, type_)| type_.clone());
        let known = local.or_else(|| self.environment.variables.get(name).cloned());
        known.or_else(|| library::named_type(name).map(|type_| Type::Type(Some(type_.into()))))
    }

    fn undeclared(&mut self, id: u64, name: &str) -> Type {
        self.problem(id, format!("undeclared reference to '{name}' (in container '')"));
        Type::Error
    }

    fn ident(&mut self, node: &IdedExpr, name: &str) -> Type {
        self.variable(name).unwrap_or_else(|| self.undeclared(node.id, name))
    }

    fn select(&mut self, node: &IdedExpr, select: &SelectExpr) -> Type {
        if !select.test
            && let Some(named) = qualified(node).and_then(|name| library::named_type(&name))
        {
            return Type::Type(Some(named.into()));
        }
        if !select.test
            && let Some(type_) = qualified(node).and_then(|name| self.environment.variables.get(&name))
        {
            return type_.clone();
        }
        let type_ = self.field(node, &select.operand, &select.field, false);
        if select.test { Type::Bool } else { self.bindings.substitute(&type_, false) }
    }

    fn field(&mut self, node: &IdedExpr, operand: &IdedExpr, field: &str, optional: bool) -> Type {
        let type_ = self.visit(operand);
        let type_ = self.bindings.substitute(&type_, false);
        let (target, was_optional) = type_.unwrapped();
        let found = match &target {
            Type::Map(_, value) => (**value).clone(),
            Type::Structure(structure) => match structure.fields.as_ref() {
                None => Type::Dyn,
                Some(fields) => match fields.get(field) {
                    Some(type_) => type_.clone(),
                    None => {
                        self.problem(node.id, format!("undefined field '{field}'"));
                        Type::Error
                    }
                },
            },
            Type::Param(_) => {
                self.bindings.assignable(&Type::Dyn, &target);
                Type::Dyn
            }
            Type::Opaque(_) => {
                self.problem(node.id, format!("undefined field '{field}'"));
                Type::Error
            }
            other => {
                if !other.is_any() {
                    self.problem(node.id, format!("type '{other}' does not support field selection"));
                }
                Type::Dyn
            }
        };
        if optional || was_optional { Type::optional(found) } else { found }
    }

    fn call(&mut self, node: &IdedExpr, call: &CallExpr) -> Type {
        if call.func_name == operators::OPT_SELECT
            && let [operand, field] = call.args.as_slice()
        {
            let Expr::Literal(LiteralValue::String(name)) = &field.expr else { return Type::Error };
            let type_ = self.field(node, operand, name.inner(), true);
            return self.bindings.substitute(&type_, false);
        }
        let mut types: Vec<Type> = call.args.iter().map(|arg| self.visit(arg)).collect();
        if let Some(name) = namespaced(call) {
            return self.resolve(node, &name, false, call, &types);
        }
        if let Some(target) = &call.target {
            types.insert(0, self.visit(target));
        }
        self.resolve(node, &call.func_name, call.target.is_some(), call, &types)
    }

    fn resolve(&mut self, node: &IdedExpr, name: &str, member: bool, call: &CallExpr, types: &[Type]) -> Type {
        let Some(forms) = library::overloads(name) else { return self.undeclared(node.id, name) };
        if matches!(name, operators::LOGICAL_AND | operators::LOGICAL_OR) {
            let mut right = true;
            for (arg, type_) in call.args.iter().zip(types) {
                if !self.bindings.assignable(type_, &Type::Bool) {
                    let found = self.bindings.substitute(type_, false);
                    self.mismatch(arg, &Type::Bool, &found);
                    right = false;
                }
            }
            self.checked.forms.insert(node.id, forms.iter().collect());
            return if right { Type::Bool } else { Type::Error };
        }
        let mut result: Option<Type> = None;
        let mut fitting = Vec::new();
        for form in forms.iter().filter(|form| form.member == member) {
            let mut renamed = Bindings::default();
            for number in 0..OPEN_TYPES {
                let fresh = self.fresh();
                renamed.assignable(&fresh, &Type::Param(number));
            }
            let wanted: Vec<Type> = form.args.iter().map(|type_| renamed.substitute(type_, false)).collect();
            if !self.bindings.all_assignable(types, &wanted) {
                continue;
            }
            fitting.push(form);
            let gives = self.bindings.substitute(&renamed.substitute(&form.result, false), false);
            result = Some(match result {
                None => gives,
                Some(Type::Dyn) => Type::Dyn,
                Some(before) if before == gives => before,
                Some(_) => Type::Dyn,
            });
        }
        if let Some(result) = result {
            self.checked.forms.insert(node.id, fitting);
            return result;
        }
        let shown: Vec<String> = types.iter().map(|type_| self.bindings.substitute(type_, true).to_string()).collect();
        let signature = match shown.split_first() {
            Some((target, rest)) if member => format!("{target}.({})", rest.join(", ")),
            _ => format!("({})", shown.join(", ")),
        };
        self.problem(node.id, format!("found no matching overload for '{name}' applied to '{signature}'"));
        Type::Error
    }

    fn joined(&mut self, node: &IdedExpr, before: Option<Type>, now: Type) -> Type {
        let Some(before) = before else { return now };
        if self.bindings.assignable(&before, &now) {
            return if is_less_specific(&before, &now) { before } else { now };
        }
        let (expected, found) = (self.bindings.substitute(&before, false), self.bindings.substitute(&now, false));
        self.mismatch(node, &expected, &found);
        Type::Error
    }

    fn map(&mut self, entries: &[IdedEntryExpr]) -> Type {
        let (mut keys, mut values) = (None, None);
        for entry in entries {
            let EntryExpr::MapEntry(entry) = &entry.expr else { continue };
            let key = self.visit(&entry.key);
            keys = Some(self.joined(&entry.key, keys, key));
            let mut value = self.visit(&entry.value);
            if entry.optional {
                value = self.unwrapped(&entry.value, &value);
            }
            values = Some(self.joined(&entry.value, values, value));
        }
        let key = keys.unwrap_or_else(|| self.fresh());
        let value = values.unwrap_or_else(|| self.fresh());
        Type::Map(key.into(), value.into())
    }

    fn structure(&mut self, node: &IdedExpr, structure: &StructExpr) -> Type {
        let known = self.environment.structures.then(|| structure_type(&structure.type_name)).flatten();
        for entry in &structure.entries {
            let EntryExpr::StructField(field) = &entry.expr else { continue };
            let type_ = self.visit(&field.value);
            let type_ = if field.optional { self.unwrapped(&field.value, &type_) } else { type_ };
            let Some(fields) = known.as_ref().and_then(|known| known.fields.as_ref()) else { continue };
            match fields.get(&field.field) {
                None => self.problem(entry.id, format!("undefined field '{}'", field.field)),
                Some(wanted) if !self.bindings.assignable(wanted, &type_) => {
                    let found = self.bindings.substitute(&type_, false);
                    let text = format!(
                        "expected type of field '{}' is '{wanted}' but provided type is '{found}'",
                        field.field
                    );
                    self.problem(entry.id, text);
                }
                Some(_) => {}
            }
        }
        match known {
            Some(known) => Type::Structure(Arc::new(known)),
            None => self.undeclared(node.id, &structure.type_name),
        }
    }

    fn comprehension(&mut self, all: &ComprehensionExpr) -> Type {
        let range = self.visit(&all.iter_range);
        let range = self.bindings.substitute(&range, false);
        let accumulated = self.visit(&all.accu_init);
        let two = all.iter_var2.is_some();
        let (first, second) = match &range {
            Type::List(of) if two => (Type::Int, (**of).clone()),
            Type::List(of) => ((**of).clone(), Type::Dyn),
            Type::Map(key, value) => ((**key).clone(), (**value).clone()),
            Type::Dyn | Type::Error | Type::Param(_) => {
                self.bindings.assignable(&Type::Dyn, &range);
                (Type::Dyn, Type::Dyn)
            }
            other => {
                let text = format!(
                    "expression of type '{other}' cannot be range of a comprehension (must be list, map, or dynamic)"
                );
                self.problem(all.iter_range.id, text);
                (Type::Error, Type::Error)
            }
        };
        let depth = self.scopes.len();
        self.scopes.push((all.accu_var.clone(), accumulated.clone()));
        self.scopes.push((all.iter_var.clone(), first));
        if let Some(name) = &all.iter_var2 {
            self.scopes.push((name.clone(), second));
        }
        let condition = self.visit(&all.loop_cond);
        if !self.bindings.assignable(&Type::Bool, &condition) {
            self.mismatch(&all.loop_cond, &Type::Bool, &condition);
        }
        let step = self.visit(&all.loop_step);
        if !self.bindings.assignable(&accumulated, &step) {
            let (expected, found) =
                (self.bindings.substitute(&accumulated, false), self.bindings.substitute(&step, false));
            self.mismatch(&all.loop_step, &expected, &found);
        }
        self.scopes.truncate(depth + 1);
        let result = self.visit(&all.result);
        self.scopes.truncate(depth);
        self.bindings.substitute(&result, false)
    }
}

/// The structures that expressions of mutations may make: `Object`, those of its fields, and `JSONPatch`.
fn structure_type(name: &str) -> Option<Structure> {
    let fields = match name {
        "JSONPatch" => {
            let text = ["op", "path", "from"].map(|field| (field.to_owned(), Type::String));
            Some(text.into_iter().chain([("value".to_owned(), Type::Dyn)]).collect())
        }
        _ if name == "Object" || name.starts_with("Object.") => None,
        _ => return None,
    };
    Some(Structure { name: name.to_owned(), fields })
}
