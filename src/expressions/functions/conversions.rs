//! Conversions between types, and sizes.

use base64::Engine;

use super::times;
use crate::expressions::eval::Outcome;
use crate::expressions::value::{Opaque, Value, timestamp_text};
use crate::object::duration::GoDuration;
use crate::object::go;

/// Whether a text is base64.
pub(super) fn is_base64(text: &str) -> bool {
    base64::engine::general_purpose::STANDARD.decode(text).is_ok()
}

fn syntax(function: &str, text: &str) -> String {
    format!("strconv.{function}: parsing {}: invalid syntax", go::quote(text))
}

const INT_RANGE: &str = "integer overflow";
const UINT_RANGE: &str = "unsigned integer overflow";

pub(super) fn call(name: &str, args: &[Value]) -> Option<Outcome> {
    let [value] = args else { return None };
    match name {
        "size" => size(value).map(Ok),
        "dyn" => Some(Ok(value.clone())),
        "type" => Some(Ok(Value::Type(value.type_name().into()))),
        "bool" => match value {
            Value::Bool(_) => Some(Ok(value.clone())),
            Value::String(text) => Some(match &**text {
                "1" | "t" | "T" | "true" | "TRUE" | "True" => Ok(Value::Bool(true)),
                "0" | "f" | "F" | "false" | "FALSE" | "False" => Ok(Value::Bool(false)),
                other => Err(syntax("ParseBool", other).into()),
            }),
            _ => None,
        },
        "bytes" => match value {
            Value::Bytes(_) => Some(Ok(value.clone())),
            Value::String(text) => Some(Ok(Value::Bytes(text.as_bytes().into()))),
            _ => None,
        },
        "int" => to_int(value),
        "uint" => to_uint(value),
        "double" => to_double(value),
        "string" => to_string(value),
        "duration" => match value {
            Value::Duration(_) => Some(Ok(value.clone())),
            Value::Int(seconds) => {
                Some(seconds.checked_mul(1_000_000_000).map(Value::Duration).ok_or_else(|| "duration overflow".into()))
            }
            Value::String(text) => {
                Some(GoDuration::parse(text).map(|nanos| Value::Duration(nanos.0)).map_err(|e| e.to_string().into()))
            }
            _ => None,
        },
        "timestamp" => match value {
            Value::Timestamp(_) => Some(Ok(value.clone())),
            Value::Int(seconds) => Some(
                chrono::DateTime::from_timestamp(*seconds, 0)
                    .map(|time| Value::Timestamp(time.fixed_offset()))
                    .ok_or_else(|| "timestamp overflow".into()),
            ),
            Value::String(text) => Some(times::parse(text).map(Value::Timestamp).ok_or_else(|| {
                let shown = go::quote(text);
                let layout = go::quote("2006-01-02T15:04:05Z07:00");
                format!("parsing time {shown} as {layout}: cannot parse {shown} as \"2006\"").into()
            })),
            _ => None,
        },
        _ => None,
    }
}

fn size(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) | Value::Bytes(_) | Value::List(..) | Value::Map(_) => {
            Some(Value::Int(i64::try_from(value.size()).unwrap_or(i64::MAX)))
        }
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, reason = "the range is checked before")]
fn to_int(value: &Value) -> Option<Outcome> {
    Some(match value {
        Value::Int(_) => Ok(value.clone()),
        Value::Uint(number) => i64::try_from(*number).map(Value::Int).map_err(|_| INT_RANGE.into()),
        Value::Double(number) if number.abs() < 9.223_372_036_854_775e18 => Ok(Value::Int(*number as i64)),
        Value::Double(_) => Err(INT_RANGE.into()),
        Value::Duration(nanos) => Ok(Value::Int(nanos / 1_000_000_000)),
        Value::Timestamp(time) => Ok(Value::Int(time.timestamp())),
        Value::String(text) => {
            let number = text.parse().map(Value::Int);
            number.map_err(|_| syntax("ParseInt", text).into())
        }
        _ => return None,
    })
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the range is checked before")]
fn to_uint(value: &Value) -> Option<Outcome> {
    Some(match value {
        Value::Uint(_) => Ok(value.clone()),
        Value::Int(number) => u64::try_from(*number).map(Value::Uint).map_err(|_| UINT_RANGE.into()),
        Value::Double(number) if (0.0..1.844_674_407_370_955e19).contains(number) => Ok(Value::Uint(*number as u64)),
        Value::Double(_) => Err(UINT_RANGE.into()),
        Value::String(text) => {
            let number = text.parse().map(Value::Uint);
            number.map_err(|_| syntax("ParseUint", text).into())
        }
        _ => return None,
    })
}

#[expect(clippy::cast_precision_loss, reason = "the language has it so")]
fn to_double(value: &Value) -> Option<Outcome> {
    Some(match value {
        Value::Double(_) => Ok(value.clone()),
        Value::Int(number) => Ok(Value::Double(*number as f64)),
        Value::Uint(number) => Ok(Value::Double(*number as f64)),
        Value::String(text) => {
            let number = text.parse().map(Value::Double);
            number.map_err(|_| syntax("ParseFloat", text).into())
        }
        _ => return None,
    })
}

/// A duration in seconds, as texts show it.
pub(super) fn duration_text(nanos: i64) -> String {
    let (whole, rest) = (nanos / 1_000_000_000, (nanos % 1_000_000_000).unsigned_abs());
    let sign = if nanos < 0 && whole == 0 { "-" } else { "" };
    let digits = format!("{rest:09}");
    let digits = digits.trim_end_matches('0');
    if digits.is_empty() { format!("{whole}s") } else { format!("{sign}{whole}.{digits}s") }
}

fn to_string(value: &Value) -> Option<Outcome> {
    Some(Ok(match value {
        Value::String(_) => value.clone(),
        Value::Bool(flag) => Value::text(flag.to_string()),
        Value::Int(number) => Value::text(number.to_string()),
        Value::Uint(number) => Value::text(number.to_string()),
        Value::Double(number) => Value::text(go::float(*number)),
        Value::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::text(text),
            Err(_) => return Some(Err("invalid UTF-8 in bytes, cannot convert to string".into())),
        },
        Value::Duration(nanos) => Value::text(duration_text(*nanos)),
        Value::Timestamp(time) => Value::text(timestamp_text(time)),
        Value::Opaque(Opaque::Ip(ip)) => Value::text(ip.to_string()),
        Value::Opaque(Opaque::Cidr(ip, bits)) => Value::text(format!("{ip}/{bits}")),
        _ => return None,
    }))
}
