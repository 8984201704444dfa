//! Expressions of the Common Expression Language with what Kubernetes adds to it.
//!
//! The text is parsed by the `cel` crate. Types, functions, evaluation and costs are made here, for the reference
//! server's own types, its messages, and its limits belong to each of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use cel::Env;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, SourceInfo};

pub mod authorizer;
mod check;
mod cost;
pub mod decl;
pub mod eval;
mod functions;
mod library;
mod macros;
pub mod network;
pub mod semver;
pub mod types;
pub mod value;

pub use decl::Decl;
pub use eval::{Failure, Outcome};
pub use types::Type;
pub use value::Value;

/// What one expression may cost.
pub const CALL_LIMIT: u64 = 1_000_000;
/// What all expressions about one object may cost.
pub const BUDGET: u64 = 10_000_000;

/// How many parsed expressions are kept.
const KEPT: usize = 2_000;

fn language() -> &'static Env {
    static LANGUAGE: OnceLock<Env> = OnceLock::new();
    LANGUAGE.get_or_init(|| {
        let mut env = Env::default().with_optional_support(true);
        macros::add(&mut env);
        env
    })
}

/// The names that an expression may use, with their types.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    variables: HashMap<String, Type>,
    decls: HashMap<String, Arc<Decl>>,
    structures: bool,
}

impl Environment {
    /// Adds a variable.
    #[must_use]
    pub fn with(mut self, name: &str, type_: Type) -> Self {
        self.variables.insert(name.to_owned(), type_);
        self
    }

    /// Adds a variable that a schema declares.
    #[must_use]
    pub fn declared(mut self, name: &str, decl: &Arc<Decl>) -> Self {
        self.decls.insert(name.to_owned(), decl.clone());
        self.with(name, decl.type_.clone())
    }

    /// Lets expressions make the structures of mutations (`Object{}`, `JSONPatch{}`).
    #[must_use]
    pub fn with_structures(mut self) -> Self {
        self.structures = true;
        self
    }

    /// Compiles an expression and checks its types.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the reference compiler prints it, after `compilation failed: `.
    pub fn compile(&self, text: &str) -> Result<Compiled, String> {
        let (node, source) = parse(text)?;
        let checked = check::check(self, &node, &source)?;
        let max_cost = cost::estimate(&node, &checked, &self.decls);
        Ok(Compiled { result: checked.type_of(&node), max_cost, names: names_of(&node) })
    }
}

fn parse(text: &str) -> Result<(IdedExpr, SourceInfo), String> {
    let parsed = language().parser().parse_with_source_info(text);
    parsed.map_err(|errors| errors.to_string().replace("\n| ", "\n | "))
}

/// What is known of an expression that was compiled.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The type of what it gives.
    pub result: Type,
    /// What it costs at most.
    pub max_cost: u64,
    names: BTreeSet<String>,
}

impl Compiled {
    /// Whether the expression uses a variable.
    pub fn uses(&self, name: &str) -> bool {
        self.names.contains(name)
    }
}

/// An expression that can be run.
#[derive(Debug)]
pub struct Program {
    node: IdedExpr,
    names: BTreeSet<String>,
}

/// What a run came to, and what it cost.
#[derive(Debug)]
pub struct Ran {
    /// The value.
    pub outcome: Outcome,
    /// What it cost.
    pub cost: u64,
}

impl Program {
    /// Parses an expression; one that was parsed before is kept.
    ///
    /// # Errors
    ///
    /// What is wrong with its syntax.
    pub fn of(text: &str) -> Result<Arc<Self>, String> {
        static KNOWN: OnceLock<Mutex<HashMap<String, Arc<Program>>>> = OnceLock::new();
        let known = KNOWN.get_or_init(Mutex::default);
        if let Some(program) = known.lock().unwrap_or_else(PoisonError::into_inner).get(text) {
            return Ok(program.clone());
        }
        let (node, _) = parse(text)?;
        let names = names_of(&node);
        let program = Arc::new(Self { node, names });
        let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= KEPT {
            known.clear();
        }
        known.insert(text.to_owned(), program.clone());
        Ok(program)
    }

    /// Whether the expression uses a variable.
    pub fn uses(&self, name: &str) -> bool {
        self.names.contains(name)
    }

    /// Runs the expression; it ends when it has cost [`CALL_LIMIT`].
    pub fn run(&self, variables: &Variables) -> Ran {
        let mut machine = eval::Machine::new(variables, CALL_LIMIT);
        let outcome = machine.run(&self.node);
        Ran { outcome, cost: machine.cost() }
    }
}

/// Named values that expressions see.
#[derive(Clone, Default)]
pub struct Variables {
    values: HashMap<String, Value>,
    /// The first parts of names that have two, such as `authorizer.requestResource`.
    dotted: BTreeSet<String>,
}

impl Variables {
    /// Adds a variable, or replaces it.
    pub fn set(&mut self, name: &str, value: Value) {
        if let Some((first, _)) = name.split_once('.') {
            self.dotted.insert(first.to_owned());
        }
        self.values.insert(name.to_owned(), value);
    }

    fn get(&self, name: &str) -> Option<Outcome> {
        self.values.get(name).cloned().map(Ok)
    }

    fn contains(&self, name: &str) -> bool {
        self.values.contains_key(name)
    }
}

fn names_of(node: &IdedExpr) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    collect(node, &mut names);
    names
}

fn collect(node: &IdedExpr, names: &mut BTreeSet<String>) {
    match &node.expr {
        Expr::Ident(name) => drop(names.insert(name.clone())),
        Expr::Select(select) => collect(&select.operand, names),
        Expr::Call(call) => {
            call.target.iter().map(AsRef::as_ref).chain(&call.args).for_each(|part| collect(part, names))
        }
        Expr::List(list) => list.elements.iter().for_each(|item| collect(item, names)),
        Expr::Map(map) => map.entries.iter().for_each(|entry| collect_entry(&entry.expr, names)),
        Expr::Struct(made) => made.entries.iter().for_each(|entry| collect_entry(&entry.expr, names)),
        Expr::Comprehension(all) => {
            for part in [&all.iter_range, &all.accu_init, &all.loop_cond, &all.loop_step, &all.result] {
                collect(part, names);
            }
        }
        Expr::Literal(_) | Expr::Unspecified => {}
    }
}

fn collect_entry(entry: &EntryExpr, names: &mut BTreeSet<String>) {
    match entry {
        EntryExpr::MapEntry(entry) => {
            collect(&entry.key, names);
            collect(&entry.value, names);
        }
        EntryExpr::StructField(field) => collect(&field.value, names),
    }
}

#[cfg(test)]
mod tests;
