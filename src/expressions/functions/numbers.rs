//! Arithmetic.

use cel::common::ast::operators;

use crate::expressions::eval::Outcome;
use crate::expressions::value::{Value, added};

const OVERFLOW: &str = "integer overflow";
const UNSIGNED: &str = "unsigned integer overflow";
const DURATION: &str = "duration overflow";

pub(super) fn call(name: &str, args: &[Value]) -> Option<Outcome> {
    match args {
        [Value::Int(number)] if name == operators::NEGATE => {
            Some(number.checked_neg().map(Value::Int).ok_or_else(|| OVERFLOW.into()))
        }
        [Value::Double(number)] if name == operators::NEGATE => Some(Ok(Value::Double(-number))),
        [Value::Int(a), Value::Int(b)] => ints(name, *a, *b),
        [Value::Uint(a), Value::Uint(b)] => uints(name, *a, *b),
        [Value::Double(a), Value::Double(b)] => doubles(name, *a, *b),
        [Value::String(a), Value::String(b)] if name == operators::ADD => Some(Ok(Value::text(format!("{a}{b}")))),
        [Value::Bytes(a), Value::Bytes(b)] if name == operators::ADD => {
            Some(Ok(Value::Bytes(a.iter().chain(b.iter()).copied().collect())))
        }
        [Value::List(a, kind), Value::List(b, _)] if name == operators::ADD => {
            Some(Ok(Value::List(added(a, b, kind).into(), kind.clone())))
        }
        [Value::Duration(a), Value::Duration(b)] => {
            let sum = match name {
                operators::ADD => a.checked_add(*b),
                operators::SUBSTRACT => a.checked_sub(*b),
                _ => return None,
            };
            Some(sum.map(Value::Duration).ok_or_else(|| DURATION.into()))
        }
        [Value::Timestamp(time), Value::Duration(nanos)] | [Value::Duration(nanos), Value::Timestamp(time)] => {
            let by = chrono::Duration::nanoseconds(*nanos);
            let moved = match name {
                operators::ADD => time.checked_add_signed(by),
                operators::SUBSTRACT => time.checked_sub_signed(by),
                _ => return None,
            };
            Some(moved.map(Value::Timestamp).ok_or_else(|| "timestamp overflow".into()))
        }
        [Value::Timestamp(a), Value::Timestamp(b)] if name == operators::SUBSTRACT => {
            let between = a.signed_duration_since(b).num_nanoseconds();
            Some(between.map(Value::Duration).ok_or_else(|| DURATION.into()))
        }
        _ => None,
    }
}

/// Arithmetic of whole numbers, whose results must fit: `$name` is the function for `$type`.
macro_rules! whole_numbers {
    ($name:ident, $type:ty, $value:path, $overflow:expr) => {
        fn $name(name: &str, a: $type, b: $type) -> Option<Outcome> {
            let outcome = match name {
                operators::DIVIDE if b == 0 => return Some(Err("division by zero".into())),
                operators::MODULO if b == 0 => return Some(Err("modulus by zero".into())),
                operators::ADD => a.checked_add(b),
                operators::SUBSTRACT => a.checked_sub(b),
                operators::MULTIPLY => a.checked_mul(b),
                operators::DIVIDE => a.checked_div(b),
                operators::MODULO => a.checked_rem(b),
                _ => return None,
            };
            Some(outcome.map($value).ok_or_else(|| $overflow.into()))
        }
    };
}

whole_numbers!(ints, i64, Value::Int, OVERFLOW);
whole_numbers!(uints, u64, Value::Uint, UNSIGNED);

fn doubles(name: &str, a: f64, b: f64) -> Option<Outcome> {
    Some(Ok(Value::Double(match name {
        operators::ADD => a + b,
        operators::SUBSTRACT => a - b,
        operators::MULTIPLY => a * b,
        operators::DIVIDE => a / b,
        _ => return None,
    })))
}
