//! Checks of CEL expressions before they are stored: syntax, the variables they may use, the type of literals.

use cel::Program;
use cel::common::ast::{EntryExpr, Expr, IdedEntryExpr, LiteralValue};

use crate::object::field::{Error, ErrorList, Path};

/// Variables that every expression of an admission policy or webhook may use.
const VARIABLES: [&str; 5] = ["object", "oldObject", "request", "namespaceObject", "variables"];

/// Words of CEL that cannot be names.
const RESERVED: [&str; 4] = ["true", "false", "null", "in"];

/// What an expression may use besides.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    /// Whether there are parameters.
    pub params: bool,
    /// Whether authorization can be asked about.
    pub authorizer: bool,
    /// Names below `variables`.
    pub variables: &'a [String],
}

impl Scope<'_> {
    fn declares(&self, name: &str) -> bool {
        match name {
            "params" => self.params,
            "authorizer" => self.authorizer,
            "variables" => !self.variables.is_empty(),
            _ => VARIABLES.contains(&name) || is_type(name),
        }
    }
}

/// Names of types, which are values as well.
fn is_type(name: &str) -> bool {
    matches!(name, "bool" | "int" | "uint" | "double" | "string" | "bytes" | "list" | "map" | "null_type" | "type")
}

/// Whether a text can be the name of a variable.
pub fn is_identifier(text: &str) -> bool {
    let mut bytes = text.bytes();
    let first = bytes.next().is_some_and(|b| b.is_ascii_alphabetic() || b == b'_');
    first && bytes.all(|b| b.is_ascii_alphanumeric() || b == b'_') && !RESERVED.contains(&text)
}

/// Compiles an expression and adds what is wrong with it. `types` are those that it may come out as, any when empty.
pub fn check(errors: &mut ErrorList, path: &Path, text: &str, scope: Scope<'_>, types: &[&str]) {
    let program = match Program::compile(text) {
        Ok(program) => program,
        Err(found) => {
            let found = found.to_string().replace("\n| ", "\n | ");
            errors.push(Error::invalid(path, text, format!("compilation failed: {found}")));
            return;
        }
    };
    let mut unknown = Vec::new();
    undeclared_names(&program.expression().expr, &mut Vec::new(), scope, &mut unknown);
    let mut unknown: Vec<(usize, &str)> = unknown.into_iter().map(|name| (position(text, name), name)).collect();
    unknown.sort_unstable();
    unknown.dedup();
    if !unknown.is_empty() {
        let shown: Vec<String> = unknown.into_iter().map(|(at, name)| undeclared(text, at, name)).collect();
        errors.push(Error::invalid(path, text, format!("compilation failed: {}", shown.join("\n"))));
        return;
    }
    if let Some(type_) = type_of(&program.expression().expr)
        && !types.is_empty()
        && !types.contains(&type_)
    {
        let wanted = match types {
            [one] => (*one).to_owned(),
            many => format!("one of [{}]", many.join(" ")),
        };
        errors.push(Error::invalid(path, text, format!("must evaluate to {wanted} but got {type_}")));
    }
}

/// Collects the names that neither the scope nor a surrounding macro declares.
fn undeclared_names<'a>(expr: &'a Expr, bound: &mut Vec<&'a str>, scope: Scope<'_>, unknown: &mut Vec<&'a str>) {
    let mut inner = |exprs: &[&'a Expr], bound: &mut Vec<&'a str>| {
        for expr in exprs {
            undeclared_names(expr, bound, scope, unknown);
        }
    };
    let values = |entries: &'a [IdedEntryExpr]| -> Vec<&'a Expr> {
        let parts = |entry: &'a IdedEntryExpr| match &entry.expr {
            EntryExpr::StructField(field) => vec![&field.value.expr],
            EntryExpr::MapEntry(entry) => vec![&entry.key.expr, &entry.value.expr],
        };
        entries.iter().flat_map(parts).collect()
    };
    match expr {
        Expr::Ident(name) => {
            if !name.starts_with('@') && !bound.contains(&name.as_str()) && !scope.declares(name) {
                unknown.push(name);
            }
        }
        Expr::Call(call) => {
            let parts: Vec<&Expr> =
                call.target.iter().map(|t| &t.expr).chain(call.args.iter().map(|a| &a.expr)).collect();
            inner(&parts, bound);
        }
        Expr::Comprehension(all) => {
            inner(&[&all.iter_range.expr, &all.accu_init.expr], bound);
            let depth = bound.len();
            bound.extend([all.iter_var.as_str(), all.accu_var.as_str()]);
            bound.extend(all.iter_var2.as_deref());
            inner(&[&all.loop_cond.expr, &all.loop_step.expr, &all.result.expr], bound);
            bound.truncate(depth);
        }
        Expr::List(list) => inner(&list.elements.iter().map(|e| &e.expr).collect::<Vec<_>>(), bound),
        Expr::Map(map) => inner(&values(&map.entries), bound),
        Expr::Struct(made) => inner(&values(&made.entries), bound),
        Expr::Select(select) => inner(&[&select.operand.expr], bound),
        Expr::Literal(_) | Expr::Unspecified => {}
    }
}

/// Where a name first stands as a word of its own, in bytes.
fn position(text: &str, name: &str) -> usize {
    let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    let found = text.match_indices(name).find(|(at, _)| {
        let before = text.get(..*at).and_then(|text| text.chars().next_back());
        let after = text.get(at + name.len()..).and_then(|text| text.chars().next());
        !word(before) && before != Some('.') && !word(after)
    });
    found.map(|(at, _)| at).unwrap_or_default()
}

/// The compiler's words for an unknown name, with the line and a mark below it.
fn undeclared(text: &str, at: usize, name: &str) -> String {
    let before = text.get(..at).unwrap_or_default();
    let line = before.matches('\n').count();
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count();
    let source = text.split('\n').nth(line).unwrap_or_default();
    let dots = ".".repeat(column);
    format!(
        "ERROR: <input>:{}:{}: undeclared reference to '{name}' (in container '')\n | {source}\n | {dots}^",
        line + 1,
        column + 1
    )
}

/// The type of an expression as far as its outermost form tells.
fn type_of(expression: &Expr) -> Option<&'static str> {
    Some(match expression {
        Expr::Literal(literal) => match literal {
            LiteralValue::Boolean(_) => "bool",
            LiteralValue::Bytes(_) => "bytes",
            LiteralValue::Double(_) => "double",
            LiteralValue::Int(_) => "int",
            LiteralValue::Null => "null_type",
            LiteralValue::String(_) => "string",
            LiteralValue::UInt(_) => "uint",
        },
        // Objects have no declared type here, so neither have their fields.
        Expr::Select(select) if !select.test => "dyn",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(text: &str, types: &[&str]) -> Vec<String> {
        let mut errors = ErrorList::new();
        let scope = Scope { params: false, authorizer: true, variables: &[] };
        check(&mut errors, &Path::new("e"), text, scope, types);
        errors.into_iter().map(|error| error.detail).collect()
    }

    #[test]
    fn names_and_types_are_checked() {
        assert!(problems("object.spec.replicas <= 5", &["bool"]).is_empty());
        assert!(problems("object.items.all(x, x > 1)", &["bool"]).is_empty());
        assert_eq!(problems("1", &["bool"]), ["must evaluate to bool but got int"]);
        assert_eq!(problems("5", &["string", "null_type"]), ["must evaluate to one of [string null_type] but got int"]);
        assert_eq!(
            problems("true &&\n params.x == 1", &["bool"]),
            [
                "compilation failed: ERROR: <input>:2:2: undeclared reference to 'params' (in container '')\n |  params.x == 1\n | .^"
            ]
        );
    }

    #[test]
    fn syntax_errors_show_the_place() {
        let found = problems("nope(", &["bool"]);
        assert!(found[0].starts_with("compilation failed: ERROR: <input>:1:6: Syntax error: "), "{found:?}");
        assert!(found[0].ends_with("\n | nope(\n | .....^"), "{found:?}");
    }
}
