//! Macros over keys and values: `m.all(k, v, …)`, `l.transformMap(i, v, …)` and the like.

use cel::Env;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr, operators};
use cel::parser::{Macro, MacroExprHelper, ParseError};

const RESULT: &str = "@result";
const INSERT: &str = "cel.@mapInsert";

/// What is gathered in a loop.
#[derive(Clone, Copy)]
enum Gather {
    All,
    Exists,
    One,
    List,
    Map,
    Entries,
}

/// Adds the macros to a language.
pub fn add(env: &mut Env) {
    let macros = [
        ("all", Gather::All, &[3][..]),
        ("exists", Gather::Exists, &[3]),
        ("existsOne", Gather::One, &[3]),
        ("exists_one", Gather::One, &[3]),
        ("transformList", Gather::List, &[3, 4]),
        ("transformMap", Gather::Map, &[3, 4]),
        ("transformMapEntry", Gather::Entries, &[3, 4]),
    ];
    for (name, gather, counts) in macros {
        for count in counts {
            let expander =
                move |helper: &mut MacroExprHelper<'_>, target: &mut Option<IdedExpr>, args: &mut Vec<IdedExpr>| {
                    expand(gather, helper, target, args)
                };
            // One that is there already is there all the same.
            let _ = env.add_macro(Macro::receiver(name, *count, expander));
        }
    }
}

fn call(helper: &mut MacroExprHelper<'_>, name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    helper.next_expr(Expr::Call(CallExpr { func_name: name.to_owned(), target: None, args }))
}

fn flag(helper: &mut MacroExprHelper<'_>, flag: bool) -> IdedExpr {
    helper.next_expr(Expr::Literal(LiteralValue::Boolean(flag.into())))
}

fn number(helper: &mut MacroExprHelper<'_>, number: i64) -> IdedExpr {
    helper.next_expr(Expr::Literal(LiteralValue::Int(number.into())))
}

fn name_of(helper: &mut MacroExprHelper<'_>, node: &IdedExpr) -> Result<String, ParseError> {
    match &node.expr {
        Expr::Ident(name) => Ok(name.clone()),
        _ => Err(helper.new_error(node.id, "argument must be a simple name")),
    }
}

fn expand(
    gather: Gather,
    helper: &mut MacroExprHelper<'_>,
    target: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
) -> Result<Option<IdedExpr>, ParseError> {
    let [first, second, ..] = args.as_slice() else { return Ok(None) };
    let (first, second) = (name_of(helper, first)?, name_of(helper, second)?);
    if first == second {
        let id = args.get(1).map_or(0, |arg| arg.id);
        return Err(helper.new_error(id, format!("duplicate variable name: {first}")));
    }
    let Some(range) = target.take() else { return Ok(None) };
    let body = args.pop().unwrap_or_default();
    let filter = if args.len() > 2 { args.pop() } else { None };
    let accumulated = |helper: &mut MacroExprHelper<'_>| helper.next_expr(Expr::Ident(RESULT.to_owned()));
    let sum = accumulated(helper);
    let (init, condition, step, result) = match gather {
        Gather::All => {
            let going = accumulated(helper);
            let going = call(helper, operators::NOT_STRICTLY_FALSE, vec![going]);
            (flag(helper, true), going, call(helper, operators::LOGICAL_AND, vec![sum, body]), accumulated(helper))
        }
        Gather::Exists => {
            let found = accumulated(helper);
            let missing = call(helper, operators::LOGICAL_NOT, vec![found]);
            let going = call(helper, operators::NOT_STRICTLY_FALSE, vec![missing]);
            (flag(helper, false), going, call(helper, operators::LOGICAL_OR, vec![sum, body]), accumulated(helper))
        }
        Gather::One => {
            let (one, same) = (number(helper, 1), accumulated(helper));
            let more = call(helper, operators::ADD, vec![sum, one]);
            let step = call(helper, operators::CONDITIONAL, vec![body, more, same]);
            let (count, one) = (accumulated(helper), number(helper, 1));
            (number(helper, 0), flag(helper, true), step, call(helper, operators::EQUALS, vec![count, one]))
        }
        Gather::List => {
            let item = helper.next_expr(Expr::List(ListExpr::new(vec![body])));
            let init = helper.next_expr(Expr::List(ListExpr::new(Vec::new())));
            (init, flag(helper, true), call(helper, operators::ADD, vec![sum, item]), accumulated(helper))
        }
        Gather::Map => {
            let key = helper.next_expr(Expr::Ident(first.clone()));
            let init = helper.next_expr(Expr::Map(MapExpr::default()));
            (init, flag(helper, true), call(helper, INSERT, vec![sum, key, body]), accumulated(helper))
        }
        Gather::Entries => {
            let init = helper.next_expr(Expr::Map(MapExpr::default()));
            (init, flag(helper, true), call(helper, INSERT, vec![sum, body]), accumulated(helper))
        }
    };
    let step = match filter {
        Some(filter) => {
            let same = accumulated(helper);
            call(helper, operators::CONDITIONAL, vec![filter, step, same])
        }
        None => step,
    };
    Ok(Some(helper.next_expr(Expr::Comprehension(Box::new(ComprehensionExpr {
        iter_range: range,
        iter_var: first,
        iter_var2: Some(second),
        accu_var: RESULT.to_owned(),
        accu_init: init,
        loop_cond: condition,
        loop_step: step,
        result,
    })))))
}
