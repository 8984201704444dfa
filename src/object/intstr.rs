//! `intstr.IntOrString`: a number or a percentage, such as `maxSurge: 25%`.

use super::{Value, go};

/// Why a value cannot be scaled; the texts are those of apimachinery.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntOrStringError {
    /// Text without a percent sign.
    #[error("invalid value for IntOrString: invalid type: string is not a percentage")]
    NoPercentage,
    /// Text with a percent sign after something that is no number.
    #[error("invalid value for IntOrString: invalid value {}: strconv.Atoi: parsing {}: {}", go::quote(.text), go::quote(.number), .why)]
    NoNumber {
        /// The whole text.
        text: String,
        /// What stands before the percent sign.
        number: String,
        /// `invalid syntax` or `value out of range`.
        why: &'static str,
    },
    /// Neither a number nor text.
    #[error("invalid value for IntOrString: invalid type: neither int nor percentage")]
    Type,
}

/// Go's `strconv.Atoi`; the error is its last part.
///
/// # Errors
/// `invalid syntax` or `value out of range`.
pub fn atoi(text: &str) -> Result<i64, &'static str> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err("invalid syntax");
    }
    text.parse().map_err(|_| "value out of range")
}

/// The number that `value` stands for: itself, or a percentage of `total` rounded up or down
/// (`GetScaledValueFromIntOrPercent`).
///
/// # Errors
/// [`IntOrStringError`].
pub fn scaled(value: &Value, total: i64, round_up: bool) -> Result<i64, IntOrStringError> {
    let text = match value {
        Value::Number(number) => return number.as_i64().ok_or(IntOrStringError::Type),
        Value::String(text) => text,
        _ => return Err(IntOrStringError::Type),
    };
    let number = text.strip_suffix('%').ok_or(IntOrStringError::NoPercentage)?;
    let percent = atoi(number).map_err(|why| IntOrStringError::NoNumber {
        text: text.clone(),
        number: number.to_owned(),
        why,
    })?;
    let exact = percent as f64 * total as f64 / 100.0;
    Ok(if round_up { exact.ceil() } else { exact.floor() } as i64)
}

/// The value as text: `25%` or `3`.
pub fn to_text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => super::json::to_compact(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn percentages_round_as_asked() {
        assert_eq!(scaled(&json!("25%"), 10, true), Ok(3));
        assert_eq!(scaled(&json!("25%"), 10, false), Ok(2));
        assert_eq!(scaled(&json!(7), 10, false), Ok(7));
        assert_eq!(scaled(&json!("7"), 10, false), Err(IntOrStringError::NoPercentage));
    }
}
