//! `fmt.Sprint`, `fmt.Sprintln` and `fmt.Sprintf`.

use super::{GoValue, write, write_syntax};
use crate::object::go;

/// Widths and precisions beyond this are refused, as Go does.
const MAX_WIDTH: i64 = 1_000_000;
/// Padding beyond this is left out, so that one short template cannot fill the memory.
const PAD_LIMIT: usize = 10_000;

/// `fmt.Sprint`: operands one after another, with a blank between two that are both no text.
pub fn sprint(args: &[GoValue<'_>]) -> String {
    let mut out = String::new();
    let mut previous_text = true;
    for (i, arg) in args.iter().enumerate() {
        let text = matches!(arg, GoValue::Text(_));
        if i > 0 && !text && !previous_text {
            out.push(' ');
        }
        write(&mut out, arg);
        previous_text = text;
    }
    out
}

/// `fmt.Sprintln`: operands with blanks between them and a line break.
pub fn sprintln(args: &[GoValue<'_>]) -> String {
    let mut out = String::new();
    for (i, arg) in args.iter().enumerate() {
        if i > 0 {
            out.push(' ');
        }
        write(&mut out, arg);
    }
    out.push('\n');
    out
}

/// Flags, width and precision of one verb.
#[derive(Clone, Copy, Default)]
struct Spec {
    plus: bool,
    minus: bool,
    sharp: bool,
    space: bool,
    zero: bool,
    width: Option<usize>,
    precision: Option<usize>,
}

struct Reader<'f, 'a> {
    chars: std::iter::Peekable<std::str::Chars<'f>>,
    args: &'a [GoValue<'a>],
    used: usize,
}

/// `fmt.Sprintf`, without explicit argument indexes; mistakes show in the result as Go shows them.
pub fn printf(format: &str, args: &[GoValue<'_>]) -> String {
    let mut out = String::new();
    let mut reader = Reader { chars: format.chars().peekable(), args, used: 0 };
    while let Some(c) = reader.chars.next() {
        if c != '%' {
            out.push(c);
            continue;
        }
        let spec = reader.spec(&mut out);
        match reader.chars.next() {
            None => out.push_str("%!(NOVERB)"),
            Some('%') => out.push('%'),
            Some(verb) => match args.get(reader.used) {
                None => out.push_str(&format!("%!{verb}(MISSING)")),
                Some(arg) => {
                    reader.used += 1;
                    write_verb(&mut out, arg, verb, spec);
                }
            },
        }
    }
    if let Some(extra) = args.get(reader.used..).filter(|extra| !extra.is_empty()) {
        let shown: Vec<String> = extra.iter().map(typed).collect();
        out.push_str(&format!("%!(EXTRA {})", shown.join(", ")));
    }
    out
}

/// `type=value`, or `<nil>`.
fn typed(arg: &GoValue<'_>) -> String {
    let mut out = String::new();
    if !matches!(arg, GoValue::Nil) {
        out.push_str(arg.type_name());
        out.push('=');
    }
    write(&mut out, arg);
    out
}

impl Reader<'_, '_> {
    fn spec(&mut self, out: &mut String) -> Spec {
        let mut spec = Spec::default();
        while let Some(c) = self.chars.peek() {
            match c {
                '+' => spec.plus = true,
                '-' => spec.minus = true,
                '#' => spec.sharp = true,
                ' ' => spec.space = true,
                '0' => spec.zero = true,
                _ => break,
            }
            self.chars.next();
        }
        match self.number("%!(BADWIDTH)", out) {
            Some(width) => {
                spec.minus |= width < 0;
                spec.width = usize::try_from(width.unsigned_abs()).ok();
            }
            None => spec.width = None,
        }
        if self.chars.peek() == Some(&'.') {
            self.chars.next();
            let precision = self.number("%!(BADPREC)", out).unwrap_or_default();
            spec.precision = usize::try_from(precision).ok();
        }
        spec.zero &= !spec.minus;
        spec
    }

    /// A number in the format, or the next argument where a star stands.
    fn number(&mut self, bad: &str, out: &mut String) -> Option<i64> {
        if self.chars.peek() == Some(&'*') {
            self.chars.next();
            let number = match self.args.get(self.used) {
                Some(GoValue::Int(n) | GoValue::Int64(n)) if n.abs() <= MAX_WIDTH => Some(*n),
                _ => None,
            };
            self.used += 1;
            if number.is_none() {
                out.push_str(bad);
            }
            return number;
        }
        let mut number = None;
        while let Some(digit) = self.chars.peek().and_then(|c| c.to_digit(10)) {
            self.chars.next();
            number = Some((number.unwrap_or(0) * 10 + i64::from(digit)).min(MAX_WIDTH));
        }
        number
    }
}

fn pad(out: &mut String, text: &str, spec: Spec) {
    let missing = spec.width.unwrap_or(0).saturating_sub(text.chars().count()).min(PAD_LIMIT);
    let fill = |c| std::iter::repeat_n(c, missing);
    if spec.minus {
        out.push_str(text);
        out.extend(fill(' '));
    } else {
        out.extend(fill(if spec.zero { '0' } else { ' ' }));
        out.push_str(text);
    }
}

/// Pads a number; zeros go between the sign and the digits.
fn pad_number(out: &mut String, text: &str, spec: Spec) {
    let sign = if text.starts_with(['-', '+', ' ']) { 1 } else { 0 };
    if !spec.zero || spec.width.is_none() || sign == 0 {
        return pad(out, text, spec);
    }
    let (sign, digits) = text.split_at(sign);
    out.push_str(sign);
    pad(out, digits, Spec { width: spec.width.map(|w| w.saturating_sub(1)), ..spec });
}

fn write_verb(out: &mut String, arg: &GoValue<'_>, verb: char, spec: Spec) {
    if verb == 'T' {
        return pad(out, arg.type_name(), spec);
    }
    match arg {
        GoValue::List(items) if !(verb == 'v' && spec.sharp) => {
            go::write_list(out, items, |out, item| write_verb(out, &item.into(), verb, spec));
        }
        GoValue::Map(map) if !(verb == 'v' && spec.sharp) => {
            go::write_map(out, map, |out, item| write_verb(out, &item.into(), verb, spec));
        }
        GoValue::Nil if verb == 'v' => pad(out, "<nil>", spec),
        arg => {
            if !write_scalar(out, arg, verb, spec) {
                out.push_str(&format!("%!{verb}({})", typed(arg)));
            }
        }
    }
}

/// Writes a value that the verb fits; false when it does not.
fn write_scalar(out: &mut String, arg: &GoValue<'_>, verb: char, spec: Spec) -> bool {
    if verb == 'v' && spec.sharp {
        let mut text = String::new();
        write_syntax(&mut text, arg);
        pad(out, &text, spec);
        return true;
    }
    match arg {
        GoValue::Bool(truth) if matches!(verb, 'v' | 't') => pad(out, if *truth { "true" } else { "false" }, spec),
        GoValue::Int(n) | GoValue::Int64(n) => return write_integer(out, *n, verb, spec),
        GoValue::Byte(n) => return write_integer(out, i64::from(*n), verb, spec),
        GoValue::Float(n) => return write_float(out, *n, verb, spec),
        GoValue::Text(text) => return write_text(out, text, verb, spec),
        _ => return false,
    }
    true
}

fn write_integer(out: &mut String, number: i64, verb: char, spec: Spec) -> bool {
    let magnitude = number.unsigned_abs();
    let (prefix, digits) = match verb {
        'v' | 'd' => ("", magnitude.to_string()),
        'b' => ("0b", format!("{magnitude:b}")),
        'o' => ("0", format!("{magnitude:o}")),
        'O' => return write_prefixed(out, number < 0, "0o", &format!("{magnitude:o}"), spec),
        'x' => ("0x", format!("{magnitude:x}")),
        'X' => ("0X", format!("{magnitude:X}")),
        'c' | 'q' => {
            let c = u32::try_from(number).ok().and_then(char::from_u32).unwrap_or('\u{fffd}');
            let text = if verb == 'c' { c.to_string() } else { quote_char(c) };
            pad(out, &text, spec);
            return true;
        }
        'U' => {
            pad(out, &format!("U+{number:04X}"), spec);
            return true;
        }
        _ => return false,
    };
    write_prefixed(out, number < 0, if spec.sharp { prefix } else { "" }, &digits, spec)
}

fn quote_char(c: char) -> String {
    match c {
        '\'' => "'\\''".to_owned(),
        '"' => "'\"'".to_owned(),
        c => {
            let quoted = go::quote(&c.to_string());
            format!("'{}'", quoted.trim_matches('"'))
        }
    }
}

fn write_prefixed(out: &mut String, negative: bool, prefix: &str, digits: &str, spec: Spec) -> bool {
    let sign = match (negative, spec.plus, spec.space) {
        (true, ..) => "-",
        (_, true, _) => "+",
        (_, _, true) => " ",
        _ => "",
    };
    let width = spec.precision.unwrap_or(0).min(PAD_LIMIT);
    let text = format!("{sign}{prefix}{digits:0>width$}");
    // A precision makes zeros as fill meaningless.
    pad_number(out, &text, Spec { zero: spec.zero && spec.precision.is_none(), ..spec });
    true
}

fn write_float(out: &mut String, number: f64, verb: char, spec: Spec) -> bool {
    let precision = spec.precision.map(|p| p.min(1000));
    let text = match verb {
        'v' | 'g' | 'G' => match precision {
            None => go::float(number),
            Some(precision) => significant(number, precision),
        },
        'f' | 'F' => format!("{number:.*}", precision.unwrap_or(6)),
        'e' | 'E' => exponent(number, precision.unwrap_or(6)),
        _ => return false,
    };
    let text = if verb.is_ascii_uppercase() { text.to_uppercase() } else { text };
    let text = match (text.starts_with(['-', '+']), spec.plus, spec.space) {
        (false, true, _) => format!("+{text}"),
        (false, false, true) => format!(" {text}"),
        _ => text,
    };
    pad_number(out, &text, spec);
    true
}

/// A float in exponent form with `precision` digits behind the point and two digits of exponent at least.
fn exponent(number: f64, precision: usize) -> String {
    let text = format!("{number:.precision$e}");
    let Some((mantissa, exponent)) = text.split_once('e') else { return go::float(number) };
    go::exponent_text(mantissa, exponent.parse().unwrap_or_default())
}

/// `%.Ng`: that many significant digits, trailing zeros left out.
fn significant(number: f64, precision: usize) -> String {
    let precision = precision.max(1);
    let scientific = format!("{number:.*e}", precision - 1);
    let power = scientific.split_once('e').and_then(|(_, e)| e.parse::<i64>().ok()).unwrap_or_default();
    let trim = |text: &str| match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text.to_owned(),
    };
    if power < -4 || power >= precision as i64 {
        let text = exponent(number, precision - 1);
        return match text.split_once('e') {
            Some((mantissa, exponent)) => format!("{}e{exponent}", trim(mantissa)),
            None => text,
        };
    }
    let decimals = usize::try_from(precision as i64 - 1 - power).unwrap_or_default();
    trim(&format!("{number:.decimals$}"))
}

fn write_text(out: &mut String, text: &str, verb: char, spec: Spec) -> bool {
    let cut = match spec.precision {
        Some(precision) => text.char_indices().nth(precision).map_or(text, |(end, _)| &text[..end]),
        None => text,
    };
    let hex = |upper: bool| {
        let bytes = text.as_bytes().iter().take(spec.precision.unwrap_or(usize::MAX));
        bytes.map(|b| if upper { format!("{b:02X}") } else { format!("{b:02x}") }).collect::<String>()
    };
    match verb {
        'v' | 's' => pad(out, cut, spec),
        'q' if spec.sharp && !cut.contains('`') => pad(out, &format!("`{cut}`"), spec),
        'q' => pad(out, &go::quote(cut), spec),
        'x' => pad(out, &hex(false), spec),
        'X' => pad(out, &hex(true), spec),
        _ => return false,
    }
    true
}
