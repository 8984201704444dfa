//! `resource.Quantity`: fixed-point numbers with the suffixes of Kubernetes (`100m`, `1536Mi`, `12e6`).
//!
//! Small numbers are an `i64` with a decimal exponent, all others a big integer with one, and which of the two it is
//! shows in a few results ([`Quantity::as_i64`], [`Quantity::value`] beyond 64 bits), so both follow the Go library.

use std::cmp::Ordering;
use std::fmt;

use num_bigint::{BigInt, Sign};

/// Exponent of the smallest unit that a parsed quantity keeps; anything smaller is rounded up to it.
const NANO: i32 = -9;
/// Decimal digits that always fit an `i64`.
const MAX_INT64_FACTORS: i64 = 18;
/// Exponents beyond this take part in arithmetic as this one: exact results would need gigabytes.
const EXPONENT_LIMIT: i32 = 20_000;

/// Which family of suffixes a quantity was written with and is printed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// `12e6`.
    DecimalExponent,
    /// `12Mi`.
    BinarySI,
    /// `12M`.
    #[default]
    DecimalSI,
}

impl Format {
    /// The name of the format in Go.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DecimalExponent => "DecimalExponent",
            Self::BinarySI => "BinarySI",
            Self::DecimalSI => "DecimalSI",
        }
    }
}

/// Why a text is no quantity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// Not a number followed by a suffix.
    #[error("quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'")]
    Format,
    /// The number cannot be read.
    #[error("unable to parse numeric part of quantity")]
    Numeric,
    /// The suffix is none of the known ones.
    #[error("unable to parse quantity's suffix")]
    Suffix,
}

/// `mantissa * 10^exponent`.
#[derive(Clone, Debug)]
enum Amount {
    Small { mantissa: i64, exponent: i32 },
    Big { mantissa: BigInt, exponent: i32 },
}

/// A parsed quantity. Equality and order are those of the number: `1k == 1000`.
#[derive(Clone, Debug)]
pub struct Quantity {
    amount: Amount,
    format: Format,
    /// The text as written, when that counts as canonical.
    text: Option<String>,
}

/// The parts of a quantity's text.
struct Parts<'a> {
    positive: bool,
    /// Sign, digits and point.
    value: &'a str,
    numerator: &'a str,
    denominator: &'a str,
    suffix: &'a str,
}

/// Cuts `text` at the first byte from `start` on that `keep` refuses.
fn span(text: &str, start: usize, keep: impl Fn(u8) -> bool) -> usize {
    text.bytes().skip(start).position(|b| !keep(b)).map_or(text.len(), |n| start + n)
}

fn split(text: &str) -> Result<Parts<'_>, ParseError> {
    let bytes = text.as_bytes();
    let positive = bytes.first() != Some(&b'-');
    let sign = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let digits = span(text, sign, |b| b == b'0');
    if digits == text.len() {
        return Ok(Parts { positive, value: "0", numerator: "0", denominator: "", suffix: "" });
    }
    let mut end = span(text, digits, |b| b.is_ascii_digit());
    let numerator = if end == digits { "0" } else { &text[digits..end] };
    let mut denominator = "";
    if end < text.len() && bytes[end] == b'.' {
        let start = end + 1;
        end = span(text, start, |b| b.is_ascii_digit());
        denominator = &text[start..end];
    }
    let letters = span(text, end, |b| b"eEinumkKMGTP".contains(&b));
    let sign = letters + usize::from(matches!(bytes.get(letters), Some(b'-' | b'+')));
    if span(text, sign, |b| b.is_ascii_digit()) != text.len() {
        return Err(ParseError::Format);
    }
    Ok(Parts { positive, value: &text[..end], numerator, denominator, suffix: &text[end..] })
}

/// The suffixes with an exponent of ten.
const DECIMAL: &[(&str, i32)] =
    &[("n", -9), ("u", -6), ("m", -3), ("", 0), ("k", 3), ("M", 6), ("G", 9), ("T", 12), ("P", 15), ("E", 18)];
/// The suffixes with an exponent of two.
const BINARY: &[(&str, i32)] = &[("Ki", 10), ("Mi", 20), ("Gi", 30), ("Ti", 40), ("Pi", 50), ("Ei", 60)];

fn interpret(suffix: &str) -> Option<(Format, i32)> {
    let find = |table: &[(&str, i32)]| table.iter().find(|(s, _)| *s == suffix).map(|(_, e)| *e);
    if let Some(exponent) = find(DECIMAL) {
        return Some((Format::DecimalSI, exponent));
    }
    if let Some(exponent) = find(BINARY) {
        return Some((Format::BinarySI, exponent));
    }
    let digits = suffix.strip_prefix(['e', 'E'])?;
    // Go narrows the 64-bit exponent to 32 bits without a check.
    digits.parse::<i64>().ok().map(|exponent| (Format::DecimalExponent, exponent as i32))
}

fn suffix_text(format: Format, exponent: i32) -> String {
    let find = |table: &[(&str, i32)]| table.iter().find(|(_, e)| *e == exponent).map_or("", |(s, _)| *s).to_owned();
    match format {
        Format::DecimalSI => find(DECIMAL),
        Format::BinarySI => find(BINARY),
        Format::DecimalExponent if exponent == 0 => String::new(),
        Format::DecimalExponent => format!("e{exponent}"),
    }
}

fn pow10(exponent: i64) -> BigInt {
    BigInt::from(10).pow(u32::try_from(exponent.clamp(0, i64::from(EXPONENT_LIMIT))).unwrap_or_default())
}

/// `mantissa * 10^exponent` as a multiple of `10^to`, rounded away from zero; the flag says whether it was exact.
fn rescale(mantissa: &BigInt, exponent: i32, to: i32) -> (BigInt, bool) {
    let shift = i64::from(exponent) - i64::from(to);
    if shift >= 0 {
        return (mantissa * pow10(shift), true);
    }
    let divisor = pow10(-shift);
    let quotient = mantissa / &divisor;
    if &quotient * &divisor == *mantissa {
        return (quotient, true);
    }
    (if mantissa.sign() == Sign::Minus { quotient - 1 } else { quotient + 1 }, false)
}

/// Divides by `factor` as often as it goes without a rest.
fn remove_factors(mut mantissa: BigInt, factor: u32) -> (BigInt, i32) {
    let mut times = 0;
    if mantissa.sign() == Sign::NoSign {
        return (mantissa, 0);
    }
    loop {
        let quotient = &mantissa / factor;
        if &quotient * factor != mantissa {
            return (mantissa, times);
        }
        mantissa = quotient;
        times += 1;
    }
}

/// The low 64 bits in two's complement, as `big.Int.Int64` gives them.
fn low_bits(number: &BigInt) -> i64 {
    let low = number.iter_u64_digits().next().unwrap_or_default() as i64;
    if number.sign() == Sign::Minus { low.wrapping_neg() } else { low }
}

fn scale_up(mantissa: i64, times: i64) -> Option<i64> {
    if mantissa == 0 {
        return Some(0);
    }
    10_i64.checked_pow(u32::try_from(times).ok()?).and_then(|factor| mantissa.checked_mul(factor))
}

/// What Go's library makes of a product that does not fit: wrapped around for the powers of ten that it multiplies by
/// in one step, zero for all others.
fn overflowed(mantissa: i64, times: i64) -> i64 {
    match times {
        1 | 2 | 3 | 6 | 9 if mantissa != i64::MIN => mantissa.wrapping_mul(10_i64.pow(times as u32)),
        _ => 0,
    }
}

impl Quantity {
    /// Reads a quantity.
    ///
    /// # Errors
    /// [`ParseError`], with the texts of apimachinery.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.is_empty() {
            return Err(ParseError::Format);
        }
        if text == "0" {
            return Ok(Self::zero());
        }
        let parts = split(text)?;
        let (format, exponent) = interpret(parts.suffix).ok_or(ParseError::Suffix)?;
        match Self::parse_small(text, &parts, format, exponent)? {
            Some(quantity) => Ok(quantity),
            None => Self::parse_big(&parts, format, exponent),
        }
    }

    /// Zero without a suffix.
    pub fn zero() -> Self {
        Self {
            amount: Amount::Small { mantissa: 0, exponent: 0 },
            format: Format::DecimalSI,
            text: Some("0".to_owned()),
        }
    }

    /// `value` in the given format.
    pub fn from_i64(value: i64, format: Format) -> Self {
        Self { amount: Amount::Small { mantissa: value, exponent: 0 }, format, text: None }
    }

    /// `milli / 1000` in the given format.
    pub fn from_milli(milli: i64, format: Format) -> Self {
        Self { amount: Amount::Small { mantissa: milli, exponent: -3 }, format, text: None }
    }

    fn parse_small(text: &str, parts: &Parts<'_>, format: Format, exponent: i32) -> Result<Option<Self>, ParseError> {
        let (numerator, denominator) = (parts.numerator.len() as i64, parts.denominator.len() as i64);
        let (mut scale, factor, precision) = match format {
            Format::DecimalExponent | Format::DecimalSI => {
                (i64::from(exponent), 1, MAX_INT64_FACTORS - numerator - denominator)
            }
            // 2^20 has about six decimal digits, hence three tenths of the exponent.
            Format::BinarySI if denominator == 0 => {
                (0, 1_i64 << exponent, 15 - numerator - i64::from(exponent * 3 / 10) - 1)
            }
            Format::BinarySI => (0, 1, -1),
        };
        scale -= denominator;
        if precision < 0 || scale < i64::from(NANO) {
            return Ok(None);
        }
        let digits = format!("{}{}", parts.numerator, parts.denominator);
        let value: i64 = digits.parse().map_err(|_| ParseError::Numeric)?;
        let Some(product) = value.checked_mul(factor) else { return Ok(None) };
        let canonical = match format {
            Format::BinarySI => exponent % 10 == 0 && value & 7 != 0,
            _ => scale % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0'),
        };
        Ok(Some(Self {
            amount: Amount::Small { mantissa: if parts.positive { product } else { -product }, exponent: scale as i32 },
            format,
            text: canonical.then(|| text.to_owned()),
        }))
    }

    fn parse_big(parts: &Parts<'_>, mut format: Format, exponent: i32) -> Result<Self, ParseError> {
        let digits: String = parts.value.chars().filter(char::is_ascii_digit).collect();
        let mut mantissa: BigInt = digits.parse().map_err(|_| ParseError::Numeric)?;
        let mut scale = -i32::try_from(parts.denominator.len()).map_err(|_| ParseError::Numeric)?;
        match format {
            Format::BinarySI => mantissa <<= exponent,
            _ => scale = scale.saturating_add(exponent),
        }
        // A wish for very little is a wish for something: rounded up to the smallest unit.
        if mantissa.sign() != Sign::NoSign && scale <= EXPONENT_LIMIT {
            (mantissa, scale) = (rescale(&mantissa, scale, NANO).0, NANO);
        }
        let compare = |other: i64| compare((&mantissa, scale), (&BigInt::from(other), 0));
        if format == Format::BinarySI {
            if compare(i64::MAX) == Ordering::Greater {
                (mantissa, scale) = (BigInt::from(i64::MAX), 0);
            } else if compare(1) == Ordering::Less && compare(0) == Ordering::Greater {
                format = Format::DecimalSI;
            }
        }
        let mantissa = if parts.positive { mantissa } else { -mantissa };
        Ok(Self { amount: Amount::Big { mantissa, exponent: scale }, format, text: None })
    }

    /// The format in which the quantity is printed.
    pub fn format(&self) -> Format {
        self.format
    }

    fn big(&self) -> (BigInt, i32) {
        match &self.amount {
            Amount::Small { mantissa, exponent } => (BigInt::from(*mantissa), *exponent),
            Amount::Big { mantissa, exponent } => (mantissa.clone(), *exponent),
        }
    }

    /// -1, 0 or 1.
    pub fn sign(&self) -> i32 {
        match &self.amount {
            Amount::Small { mantissa, .. } => mantissa.signum() as i32,
            Amount::Big { mantissa, .. } => match mantissa.sign() {
                Sign::Minus => -1,
                Sign::NoSign => 0,
                Sign::Plus => 1,
            },
        }
    }

    /// Whether this is zero.
    pub fn is_zero(&self) -> bool {
        self.sign() == 0
    }

    /// The number when it is held as a whole `i64` (`AsInt64`): `None` also for fractions that happen to be whole.
    pub fn as_i64(&self) -> Option<i64> {
        match self.amount {
            Amount::Small { mantissa, exponent } if exponent >= 0 => scale_up(mantissa, i64::from(exponent)),
            _ => None,
        }
    }

    /// The number rounded up to whole units; beyond 64 bits the result is that of the Go library, not the number.
    pub fn value(&self) -> i64 {
        self.scaled_value(0)
    }

    /// The number in thousandths, rounded up; the same limits as [`Self::value`] hold.
    pub fn milli_value(&self) -> i64 {
        self.scaled_value(-3)
    }

    /// The number as a multiple of `10^scale`, rounded up.
    pub fn scaled_value(&self, scale: i32) -> i64 {
        match &self.amount {
            Amount::Small { mantissa, exponent } if *exponent < scale => {
                let (rounded, _) = rescale(&BigInt::from(*mantissa), *exponent, scale);
                low_bits(&rounded)
            }
            Amount::Small { mantissa, exponent } => {
                let times = i64::from(*exponent) - i64::from(scale);
                scale_up(*mantissa, times).unwrap_or_else(|| overflowed(*mantissa, times))
            }
            Amount::Big { mantissa, exponent } => scaled_big(mantissa, i64::from(scale) - i64::from(*exponent)),
        }
    }

    /// The number as a float, with the rounding of `AsApproximateFloat64`.
    pub fn as_f64(&self) -> f64 {
        let (base, exponent) = match &self.amount {
            Amount::Small { mantissa, exponent } => (*mantissa as f64, *exponent),
            Amount::Big { mantissa, exponent } => (mantissa.to_string().parse().unwrap_or(f64::INFINITY), *exponent),
        };
        if exponent == 0 {
            return base;
        }
        // The power of ten must be the nearest float, which `powi` does not promise.
        base * format!("1e{exponent}").parse::<f64>().unwrap_or(f64::INFINITY)
    }

    /// Adds `other`; zero takes over the format of what is added.
    pub fn add(&mut self, other: &Self) {
        self.combine(other, false);
    }

    /// Subtracts `other`; zero takes over the format of what is subtracted.
    pub fn sub(&mut self, other: &Self) {
        self.combine(other, true);
    }

    fn combine(&mut self, other: &Self, subtract: bool) {
        self.text = None;
        if self.is_zero() {
            self.format = other.format;
        }
        if let Some(sum) = self.combine_small(other, subtract) {
            self.amount = sum;
            return;
        }
        let ((a, a_exponent), (b, b_exponent)) = (self.big(), other.big());
        let exponent = a_exponent.min(b_exponent);
        // What is smaller by tens of thousands of digits does not count.
        if i64::from(a_exponent.max(b_exponent)) - i64::from(exponent) > i64::from(EXPONENT_LIMIT) {
            if compare_magnitude((&a, a_exponent), (&b, b_exponent)) == Ordering::Less {
                self.amount = Amount::Big { mantissa: if subtract { -b } else { b }, exponent: b_exponent };
            }
            return;
        }
        let (a, b) = (rescale(&a, a_exponent, exponent).0, rescale(&b, b_exponent, exponent).0);
        self.amount = Amount::Big { mantissa: if subtract { a - b } else { a + b }, exponent };
    }

    fn combine_small(&self, other: &Self, subtract: bool) -> Option<Amount> {
        let (Amount::Small { mantissa: a, exponent: ae }, Amount::Small { mantissa: b, exponent: be }) =
            (&self.amount, &other.amount)
        else {
            return None;
        };
        let b = if subtract { b.wrapping_neg() } else { *b };
        if b == 0 {
            return Some(self.amount.clone());
        }
        if *a == 0 {
            return Some(Amount::Small { mantissa: b, exponent: *be });
        }
        let exponent = *ae.min(be);
        let a = scale_up(*a, i64::from(*ae) - i64::from(exponent))?;
        let b = scale_up(b, i64::from(*be) - i64::from(exponent))?;
        Some(Amount::Small { mantissa: a.checked_add(b)?, exponent })
    }

    /// Compares with a whole number.
    pub fn cmp_i64(&self, other: i64) -> Ordering {
        self.cmp(&Self::from_i64(other, Format::DecimalSI))
    }

    /// Writes the canonical text, rounding nothing away.
    fn canonical(&self) -> String {
        if self.is_zero() {
            return "0".to_owned();
        }
        let (mantissa, exponent) = self.big();
        let mut format = self.format;
        if format == Format::BinarySI {
            let (whole, exact) = rescale(&mantissa, exponent, 0);
            let small = self.cmp_i64(-1024) == Ordering::Greater && self.cmp_i64(1024) == Ordering::Less;
            if exact && !small {
                let (mantissa, times) = remove_factors(whole, 1024);
                return format!("{mantissa}{}", suffix_text(Format::BinarySI, times * 10));
            }
            format = Format::DecimalSI;
        }
        let (mut mantissa, times) = remove_factors(mantissa, 10);
        let mut exponent = exponent.wrapping_add(times);
        while exponent % 3 != 0 {
            mantissa *= 10;
            exponent = exponent.wrapping_sub(1);
        }
        format!("{mantissa}{}", suffix_text(format, exponent))
    }
}

/// `scaledValue` of Go's library for a number with `drop` more decimal places than wanted, with its overflows.
fn scaled_big(mantissa: &BigInt, drop: i64) -> i64 {
    if drop == 0 {
        return low_bits(mantissa);
    }
    if drop < 0 {
        // Powers of ten beyond 64 bits become the lowest integer when Go converts them from a float.
        let factor = u32::try_from(-drop).ok().and_then(|n| 10_i64.checked_pow(n)).unwrap_or(i64::MIN);
        return low_bits(mantissa).wrapping_mul(factor);
    }
    if *mantissa < BigInt::from(i64::MAX) && drop < 19 {
        let divisor = 10_i64.pow(drop as u32);
        let bits = low_bits(mantissa);
        return bits / divisor + i64::from(bits % divisor != 0);
    }
    let divisor = pow10(drop);
    let mut quotient = mantissa / &divisor;
    let exact = &quotient * &divisor == *mantissa;
    if !exact && mantissa.sign() == Sign::Minus {
        quotient -= 1;
    }
    low_bits(&quotient).wrapping_add(i64::from(!exact))
}

/// Compares two numbers of the form `mantissa * 10^exponent`.
fn compare(a: (&BigInt, i32), b: (&BigInt, i32)) -> Ordering {
    let order = |sign: Sign| match sign {
        Sign::Minus => -1,
        Sign::NoSign => 0,
        Sign::Plus => 1,
    };
    let signs = order(a.0.sign()).cmp(&order(b.0.sign()));
    if signs != Ordering::Equal || a.0.sign() == Sign::NoSign {
        return signs;
    }
    let magnitude = compare_magnitude(a, b);
    if a.0.sign() == Sign::Minus { magnitude.reverse() } else { magnitude }
}

/// Compares two numbers without their signs.
fn compare_magnitude(a: (&BigInt, i32), b: (&BigInt, i32)) -> Ordering {
    // Zero has no digits, so it is less than whatever has some.
    let digits = |n: &BigInt, e: i32| match n.sign() {
        Sign::NoSign => i64::MIN,
        _ => n.magnitude().to_string().len() as i64 + i64::from(e),
    };
    digits(a.0, a.1).cmp(&digits(b.0, b.1)).then_with(|| {
        let exponent = a.1.min(b.1);
        rescale(a.0, a.1, exponent).0.magnitude().cmp(rescale(b.0, b.1, exponent).0.magnitude())
    })
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.text {
            Some(text) => f.write_str(text),
            None => f.write_str(&self.canonical()),
        }
    }
}

impl std::str::FromStr for Quantity {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        Self::parse(text)
    }
}

impl PartialEq for Quantity {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Quantity {}

impl PartialOrd for Quantity {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Quantity {
    fn cmp(&self, other: &Self) -> Ordering {
        match (&self.amount, &other.amount) {
            (Amount::Small { mantissa: a, exponent: ae }, Amount::Small { mantissa: b, exponent: be }) if ae == be => {
                a.cmp(b)
            }
            _ => {
                let ((a, ae), (b, be)) = (self.big(), other.big());
                compare((&a, ae), (&b, be))
            }
        }
    }
}

/// Reads the quantity that a JSON value of an object's field stands for: text, with white space around it as
/// `UnmarshalJSON` allows, or a number.
///
/// # Errors
/// [`ParseError`] when it is neither.
pub fn from_value(value: &super::Value) -> Result<Quantity, ParseError> {
    match value {
        super::Value::String(text) => Quantity::parse(text.trim()),
        super::Value::Number(number) => Quantity::parse(&super::json::number_text(number)),
        _ => Err(ParseError::Format),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(input: &str) -> String {
        Quantity::parse(input).map_or_else(|e| e.to_string(), |q| q.to_string())
    }

    #[test]
    fn prints_the_canonical_form() {
        for (input, want) in [
            ("1.5", "1500m"),
            ("1.5Gi", "1536Mi"),
            ("1024Ki", "1Mi"),
            ("0.1n", "1n"),
            ("1000k", "1M"),
            ("1e19", "10e18"),
            ("99999999999999999999", "99999999999999999999"),
            ("16Ei", "9223372036854775807"),
            ("-1.5Gi", "-1536Mi"),
            ("1e", "unable to parse quantity's suffix"),
        ] {
            assert_eq!(text(input), want, "{input}");
        }
    }

    #[test]
    fn huge_exponents_stay_cheap() {
        let (a, b) = (Quantity::parse("1e2147483000"), Quantity::parse("1e-2147483000"));
        let (Ok(mut a), Ok(b)) = (a, b) else { panic!("both parse") };
        assert_eq!(a.cmp(&b), Ordering::Greater);
        a.add(&b);
        let (Ok(mut sum), Ok(zero)) = (Quantity::parse("4Gi"), Quantity::parse("0e-99999999")) else {
            panic!("both parse")
        };
        sum.add(&zero);
        assert_eq!(sum.to_string(), "4Gi");
        assert!(!a.to_string().is_empty());
        let _ = (a.value(), a.milli_value(), a.as_f64());
    }
}
