//! Macros: `has(a.b)`, those over values (`l.all(v, …)`), those over keys and values (`m.all(k, v, …)`), and those that
//! name a value.
//!
//! Those of the language itself are among them: the crate that parses has them only together with its own evaluator.

use cel::Env;
use cel::common::ast::{CallExpr, ComprehensionExpr, Expr, IdedExpr, ListExpr, LiteralValue, MapExpr, operators};
use cel::parser::{Macro, MacroExprHelper, ParseError};

const RESULT: &str = "@result";
const INSERT: &str = "cel.@mapInsert";
const SORT_INPUT: &str = "@__sortBy_input__";
const OPTIONAL: &str = "@target";
const SORT_BY_KEYS: &str = "@sortByAssociatedKeys";

/// What is gathered in a loop.
#[derive(Clone, Copy)]
enum Gather {
    All,
    Exists,
    One,
    List,
    Kept,
    Map,
    Entries,
}

/// Adds the macros to a language.
pub fn add(env: &mut Env) {
    // The name, how many variables come first, and how many arguments there may be.
    let loops = [
        ("all", Gather::All, 1, &[2][..]),
        ("exists", Gather::Exists, 1, &[2]),
        ("existsOne", Gather::One, 1, &[2]),
        ("exists_one", Gather::One, 1, &[2]),
        ("map", Gather::List, 1, &[2, 3]),
        ("filter", Gather::Kept, 1, &[2]),
        ("all", Gather::All, 2, &[3]),
        ("exists", Gather::Exists, 2, &[3]),
        ("existsOne", Gather::One, 2, &[3]),
        ("exists_one", Gather::One, 2, &[3]),
        ("transformList", Gather::List, 2, &[3, 4]),
        ("transformMap", Gather::Map, 2, &[3, 4]),
        ("transformMapEntry", Gather::Entries, 2, &[3, 4]),
    ];
    for (name, gather, variables, counts) in loops {
        for count in counts {
            let expander =
                move |helper: &mut MacroExprHelper<'_>, target: &mut Option<IdedExpr>, args: &mut Vec<IdedExpr>| {
                    expand(gather, variables, helper, target, args)
                };
            // One that is there already is there all the same.
            let _ = env.add_macro(Macro::receiver(name, *count, expander));
        }
    }
    let _ = env.add_macro(Macro::global("has", 1, has));
    let _ = env.add_macro(Macro::receiver("sortBy", 2, sort_by));
    for (name, wraps) in [("optMap", true), ("optFlatMap", false)] {
        let expander = move |helper: &mut MacroExprHelper<'_>,
                             target: &mut Option<IdedExpr>,
                             args: &mut Vec<IdedExpr>| { opt_map(wraps, helper, target, args) };
        let _ = env.add_macro(Macro::receiver(name, 2, expander));
    }
}

/// `has(a.b)`: the selection of a field, as a question.
fn has(
    helper: &mut MacroExprHelper<'_>,
    _: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
) -> Result<Option<IdedExpr>, ParseError> {
    let node = args.pop().unwrap_or_default();
    match node.expr {
        Expr::Select(mut select) => {
            select.test = true;
            Ok(Some(helper.next_expr(Expr::Select(select))))
        }
        _ => Err(helper.new_error(node.id, "invalid argument to has() macro")),
    }
}

/// `list.sortBy(v, key)`: the list is named, so that it is made once, and sorted by the list of its keys.
fn sort_by(
    helper: &mut MacroExprHelper<'_>,
    target: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
) -> Result<Option<IdedExpr>, ParseError> {
    let Some(list) = target.take() else { return Ok(None) };
    if matches!(list.expr, Expr::Literal(_) | Expr::Map(_) | Expr::Struct(_)) {
        let message = "sortBy can only be applied to a list, identifier, comprehension, call or select expression";
        return Err(helper.new_error(list.id, message));
    }
    let input = |helper: &mut MacroExprHelper<'_>| helper.next_expr(Expr::Ident(SORT_INPUT.to_owned()));
    let mut named = Some(input(helper));
    let Some(keys) = expand(Gather::List, 1, helper, &mut named, args)? else { return Ok(None) };
    let receiver = input(helper);
    let sorted = member(helper, receiver, SORT_BY_KEYS, vec![keys]);
    Ok(Some(bind(helper, SORT_INPUT, list, sorted)))
}

/// `o.optMap(v, f)`, and `o.optFlatMap(v, f)`, whose `f` gives an optional itself: `f` of what the optional holds.
fn opt_map(
    wraps: bool,
    helper: &mut MacroExprHelper<'_>,
    target: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
) -> Result<Option<IdedExpr>, ParseError> {
    let (Some(target), Some(mapping), Some(variable)) = (target.take(), args.pop(), args.pop()) else {
        return Ok(None);
    };
    let variable = name_of(helper, &variable)?;
    // What is no mere name is given one, so that it is made once.
    let (name, made) = match &target.expr {
        Expr::Ident(name) => (name.clone(), None),
        _ => (OPTIONAL.to_owned(), Some(target)),
    };
    let named = |helper: &mut MacroExprHelper<'_>, name: &str| helper.next_expr(Expr::Ident(name.to_owned()));
    let (asked, opened) = (named(helper, &name), named(helper, &name));
    let (asked, value) = (member(helper, asked, "hasValue", vec![]), member(helper, opened, "value", vec![]));
    let mut some = bind(helper, &variable, value, mapping);
    if wraps {
        let library = named(helper, "optional");
        some = member(helper, library, "of", vec![some]);
    }
    let library = named(helper, "optional");
    let none = member(helper, library, "none", vec![]);
    let result = call(helper, operators::CONDITIONAL, vec![asked, some, none]);
    Ok(Some(match made {
        Some(target) => bind(helper, OPTIONAL, target, result),
        None => result,
    }))
}

fn member(helper: &mut MacroExprHelper<'_>, target: IdedExpr, name: &str, args: Vec<IdedExpr>) -> IdedExpr {
    helper.next_expr(Expr::Call(CallExpr { func_name: name.to_owned(), target: Some(Box::new(target)), args }))
}

/// `result` with a variable in it that stands for `init`: the sum of a loop over nothing.
fn bind(helper: &mut MacroExprHelper<'_>, variable: &str, init: IdedExpr, result: IdedExpr) -> IdedExpr {
    let once = ComprehensionExpr {
        iter_range: helper.next_expr(list_of(Vec::new())),
        iter_var: "#unused".to_owned(),
        iter_var2: None,
        accu_var: variable.to_owned(),
        accu_init: init,
        loop_cond: flag(helper, false),
        loop_step: helper.next_expr(Expr::Ident(variable.to_owned())),
        result,
    };
    helper.next_expr(Expr::Comprehension(Box::new(once)))
}

fn list_of(items: Vec<IdedExpr>) -> Expr {
    Expr::List(ListExpr::new(items))
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
    variables: usize,
    helper: &mut MacroExprHelper<'_>,
    target: &mut Option<IdedExpr>,
    args: &mut Vec<IdedExpr>,
) -> Result<Option<IdedExpr>, ParseError> {
    let (first, second) = match args.as_slice() {
        [first, ..] if variables == 1 => (name_of(helper, first)?, None),
        [first, second, ..] => (name_of(helper, first)?, Some((name_of(helper, second)?, second.id))),
        _ => return Ok(None),
    };
    if let Some((_, id)) = second.as_ref().filter(|(second, _)| *second == first) {
        return Err(helper.new_error(*id, format!("duplicate variable name: {first}")));
    }
    let Some(range) = target.take() else { return Ok(None) };
    let body = args.pop().unwrap_or_default();
    let filter = if args.len() > variables { args.pop() } else { None };
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
            let item = helper.next_expr(list_of(vec![body]));
            let init = helper.next_expr(list_of(Vec::new()));
            (init, flag(helper, true), call(helper, operators::ADD, vec![sum, item]), accumulated(helper))
        }
        Gather::Kept => {
            let item = helper.next_expr(Expr::Ident(first.clone()));
            let item = helper.next_expr(list_of(vec![item]));
            let (init, same) = (helper.next_expr(list_of(Vec::new())), accumulated(helper));
            let more = call(helper, operators::ADD, vec![sum, item]);
            let step = call(helper, operators::CONDITIONAL, vec![body, more, same]);
            (init, flag(helper, true), step, accumulated(helper))
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
        iter_var2: second.map(|(second, _)| second),
        accu_var: RESULT.to_owned(),
        accu_init: init,
        loop_cond: condition,
        loop_step: step,
        result,
    })))))
}
