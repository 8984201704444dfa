//! Expressions in CEL with the functions that Kubernetes gives them.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, IdedExpr, LiteralValue, MapEntryExpr, MapExpr};
use cel::{Context, Env, Program};

use crate::object::Value;

/// A value while expressions run.
pub type CelValue = cel::Value;

fn environment() -> &'static Arc<Env> {
    static ENVIRONMENT: OnceLock<Arc<Env>> = OnceLock::new();
    ENVIRONMENT.get_or_init(|| {
        let mut env = Env::stdlib().with_optional_support(true);
        for extension in [cel::extensions::strings, cel::extensions::lists, cel::extensions::math] {
            // An extension that the library holds already is there all the same.
            let _ = env.add_extension(extension);
        }
        Arc::new(env)
    })
}

/// A compiled expression.
pub struct Expression {
    body: IdedExpr,
}

impl Expression {
    /// Compiles an expression.
    ///
    /// # Errors
    ///
    /// The compiler's text.
    pub fn compile(text: &str) -> Result<Self, String> {
        let program: Program = environment().compile(text).map_err(|e| e.to_string())?;
        Ok(Self { body: program.expression().clone() })
    }

    /// Compiles an expression whose structures (`Object{spec: Object.spec{}}`, `JSONPatch{op: "add"}`) are to be maps.
    ///
    /// # Errors
    ///
    /// The compiler's text.
    pub fn compile_with_structures(text: &str) -> Result<Self, String> {
        let mut expression = Self::compile(text)?;
        structures_to_maps(&mut expression.body);
        Ok(expression)
    }

    /// Evaluates the expression with these variables.
    ///
    /// # Errors
    ///
    /// What went wrong.
    pub fn evaluate(&self, variables: &Variables) -> Result<CelValue, String> {
        let mut context = Context::with_env(environment().clone());
        for (name, value) in &variables.0 {
            context.add_variable_from_value(name.clone(), value.clone());
        }
        context.resolve(&self.body).map_err(|e| e.to_string())
    }
}

/// Named values that expressions see.
#[derive(Clone, Default)]
pub struct Variables(Vec<(String, CelValue)>);

impl Variables {
    /// Adds a variable, or replaces it.
    pub fn set(&mut self, name: &str, value: CelValue) {
        self.0.retain(|(known, _)| known != name);
        self.0.push((name.to_owned(), value));
    }
}

/// A JSON value for expressions: whole numbers are integers.
pub fn from_json(value: &Value) -> CelValue {
    match value {
        Value::Null => CelValue::Null,
        Value::Bool(flag) => CelValue::Bool(*flag),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => CelValue::Int(integer),
            None => CelValue::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => CelValue::String(Arc::new(text.clone())),
        Value::Array(items) => CelValue::List(Arc::new(items.iter().map(from_json).collect())),
        Value::Object(map) => map_of(map.iter().map(|(name, value)| (name.clone(), from_json(value)))),
    }
}

/// A map of named values.
pub fn map_of(entries: impl Iterator<Item = (String, CelValue)>) -> CelValue {
    let map: HashMap<cel::objects::Key, CelValue> =
        entries.map(|(name, value)| (cel::objects::Key::String(Arc::new(name)), value)).collect();
    CelValue::Map(cel::objects::Map { map: Arc::new(map) })
}

/// The result of an expression as JSON.
///
/// # Errors
///
/// When the value has no form in JSON.
pub fn to_json(value: &CelValue) -> Result<Value, String> {
    value.json().map_err(|e| e.to_string())
}

fn structures_to_maps(node: &mut IdedExpr) {
    match &mut node.expr {
        Expr::Struct(structure) => {
            let mut entries: Vec<IdedEntryExpr> = Vec::new();
            for entry in std::mem::take(&mut structure.entries) {
                let EntryExpr::StructField(mut field) = entry.expr else { continue };
                structures_to_maps(&mut field.value);
                let key = IdedExpr { id: entry.id, expr: Expr::Literal(LiteralValue::String(field.field.into())) };
                let pair = MapEntryExpr { key, value: field.value, optional: field.optional };
                entries.push(IdedEntryExpr { id: entry.id, expr: EntryExpr::MapEntry(pair) });
            }
            node.expr = Expr::Map(MapExpr { entries });
        }
        Expr::Call(call) => {
            call.target.iter_mut().for_each(|target| structures_to_maps(target));
            call.args.iter_mut().for_each(structures_to_maps);
        }
        Expr::List(list) => list.elements.iter_mut().for_each(structures_to_maps),
        Expr::Map(map) => {
            for entry in &mut map.entries {
                if let EntryExpr::MapEntry(pair) = &mut entry.expr {
                    structures_to_maps(&mut pair.key);
                    structures_to_maps(&mut pair.value);
                }
            }
        }
        Expr::Select(select) => structures_to_maps(&mut select.operand),
        Expr::Comprehension(comprehension) => {
            for part in [
                &mut comprehension.iter_range,
                &mut comprehension.accu_init,
                &mut comprehension.loop_cond,
                &mut comprehension.loop_step,
                &mut comprehension.result,
            ] {
                structures_to_maps(part);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn objects_are_seen_and_structures_made() {
        let mut variables = Variables::default();
        variables.set("object", from_json(&json!({"spec": {"replicas": 3}, "metadata": {"name": "a"}})));
        let run = |text: &str| Expression::compile_with_structures(text).and_then(|e| e.evaluate(&variables));
        assert_eq!(run("object.spec.replicas > 2 && object.metadata.name.startsWith('a')"), Ok(CelValue::Bool(true)));
        let made = run("Object{metadata: Object.metadata{labels: {\"x\": object.metadata.name}}}");
        assert_eq!(made.and_then(|made| to_json(&made)), Ok(json!({"metadata": {"labels": {"x": "a"}}})));
        assert!(run("object.nothing == 1").is_err());
    }
}
