//! The dump of a pod template that Kubernetes hashes for the names of replica sets: every field of the Go structs in
//! the order of their declaration, the unset ones included, with the names of their types (`dump.ForHash`).

use serde_json::{Map, Value};

use super::go_types::{GoKind, GoStruct, GoType};
use crate::object::hash::{fnv1a, safe_encode};

const TEMPLATE: &str = "io.k8s.api.core.v1.PodTemplateSpec";

/// Structs that embed another one whose fields are their own in JSON: struct, embedded struct, its first and last field.
const EMBEDDED: [(&str, &str, &str, &str); 9] = [
    ("Volume", "VolumeSource", "hostPath", "image"),
    ("Probe", "ProbeHandler", "exec", "grpc"),
    ("ConfigMapKeySelector", "LocalObjectReference", "name", "name"),
    ("SecretKeySelector", "LocalObjectReference", "name", "name"),
    ("ConfigMapEnvSource", "LocalObjectReference", "name", "name"),
    ("SecretEnvSource", "LocalObjectReference", "name", "name"),
    ("ConfigMapVolumeSource", "LocalObjectReference", "name", "name"),
    ("ConfigMapProjection", "LocalObjectReference", "name", "name"),
    ("SecretProjection", "LocalObjectReference", "name", "name"),
];

/// Suffixes of quantities: text, power of ten or of two, name of the format.
const SUFFIXES: [(&str, i32, bool); 15] = [
    ("Ki", 10, true),
    ("Mi", 20, true),
    ("Gi", 30, true),
    ("Ti", 40, true),
    ("Pi", 50, true),
    ("Ei", 60, true),
    ("n", -9, false),
    ("u", -6, false),
    ("m", -3, false),
    ("k", 3, false),
    ("M", 6, false),
    ("G", 9, false),
    ("T", 12, false),
    ("P", 15, false),
    ("E", 18, false),
];

/// The hash of a pod template, for the names of replica sets and the labels `pod-template-hash` and, of daemon sets,
/// `controller-revision-hash` (`controller.ComputeHash`).
pub fn pod_template_hash(template: &Value, collision_count: Option<i32>) -> String {
    let text = dump(template);
    let count = collision_count.map(|count| i64::from(count.cast_unsigned()).to_le_bytes());
    let tail = count.as_ref().map_or(&[][..], |bytes| bytes);
    safe_encode(&fnv1a(&[text.as_bytes(), tail]).to_string())
}

fn dump(template: &Value) -> String {
    let mut out = String::new();
    write(&mut out, Some(template), &GoType::of_definition(TEMPLATE), true);
    out
}

/// Writes a value of a type; the type's name goes before it unless it follows from the place.
fn write(out: &mut String, value: Option<&Value>, type_: &GoType, named: bool) {
    let value = value.filter(|value| !value.is_null());
    match (named, type_.is_pointer(), value) {
        (true, ..) => out.push_str(&format!("({})", type_.text)),
        (false, true, Some(_)) => out.push_str("<*>"),
        _ => {}
    }
    if type_.is_pointer() && value.is_none() {
        return out.push_str("<nil>");
    }
    match type_.kind() {
        GoKind::Bool => out.push_str(if value.and_then(Value::as_bool).unwrap_or_default() { "true" } else { "false" }),
        GoKind::Int { .. } | GoKind::Float => out.push_str(&value.map_or_else(|| "0".to_owned(), Value::to_string)),
        GoKind::Text => out.push_str(value.and_then(Value::as_str).unwrap_or_default()),
        GoKind::List(item) => write_list(out, value, item),
        GoKind::Map(item) => write_map(out, value, item),
        GoKind::Struct(of) => write_struct(out, value, of),
        GoKind::Quantity => write_quantity(out, value),
        GoKind::IntOrString => write_int_or_string(out, value),
        GoKind::Time | GoKind::MicroTime => {
            out.push_str("{Time:(time.Time){wall:(uint64)0 ext:(int64)0 loc:(*time.Location)<nil>}}");
        }
        GoKind::Duration => out.push_str("{Duration:(time.Duration)0}"),
        GoKind::Bytes | GoKind::Any => out.push_str("<nil>"),
        GoKind::Empty => out.push_str("{}"),
    }
}

fn write_list(out: &mut String, value: Option<&Value>, item: &GoType) {
    let Some(Value::Array(items)) = value else { return out.push_str("<nil>") };
    out.push('[');
    for (at, inner) in items.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        write(out, Some(inner), item, false);
    }
    out.push(']');
}

fn write_map(out: &mut String, value: Option<&Value>, item: &GoType) {
    let Some(Value::Object(map)) = value else { return out.push_str("<nil>") };
    let mut entries: Vec<(&String, &Value)> = map.iter().collect();
    entries.sort_by(|a, b| a.0.cmp(b.0));
    out.push_str("map[");
    for (at, (key, inner)) in entries.into_iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        out.push_str(key);
        out.push(':');
        write(out, Some(inner), item, false);
    }
    out.push(']');
}

fn write_struct(out: &mut String, value: Option<&Value>, of: &'static GoStruct) {
    let empty = Map::new();
    let map = value.and_then(Value::as_object).unwrap_or(&empty);
    let embedded = EMBEDDED.iter().find(|(name, ..)| *name == of.name());
    out.push('{');
    for (at, field) in of.fields.iter().enumerate() {
        if at > 0 {
            out.push(' ');
        }
        if let Some((_, name, ..)) = embedded.filter(|(_, _, first, _)| *first == field.json) {
            out.push_str(&format!("{name}:(v1.{name}){{"));
        }
        out.push_str(&field.go_name());
        out.push(':');
        write(out, map.get(field.json), GoType::of_field(of, field), true);
        if embedded.is_some_and(|(.., last)| *last == field.json) {
            out.push('}');
        }
    }
    out.push('}');
}

/// A quantity as the short way of Go's parser leaves it.
#[derive(Default)]
struct Amount {
    number: i64,
    /// Power of ten.
    scale: i32,
    format: &'static str,
    /// Whether the text is the one that Go would write, so that it is kept.
    is_canonical: bool,
}

fn amount_of(text: &str) -> Option<Amount> {
    if text == "0" {
        return Some(Amount { format: "DecimalSI", is_canonical: true, ..Amount::default() });
    }
    let (digits, shift, binary) = match SUFFIXES.iter().find(|(suffix, ..)| text.ends_with(suffix)) {
        Some((suffix, power, binary)) => (text.strip_suffix(suffix)?, *power, *binary),
        None => (text, 0, false),
    };
    let (digits, shift, format) = match digits.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse().ok()?, "DecimalExponent"),
        None => (digits, shift, if binary { "BinarySI" } else { "DecimalSI" }),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let digits = format!("{}{part}", whole.trim_start_matches('0'));
    let number: i64 = digits.parse().ok()?;
    if binary {
        let is_canonical = number & 7 != 0;
        let number = number.checked_mul(1_i64.checked_shl(u32::try_from(shift).ok()?)?)?;
        return Some(Amount { number, scale: 0, format, is_canonical });
    }
    let scale = shift - i32::try_from(part.len()).ok()?;
    let is_canonical = scale % 3 == 0 && !digits.ends_with("000") && !digits.starts_with('0');
    Some(Amount { number, scale, format, is_canonical })
}

fn write_quantity(out: &mut String, value: Option<&Value>) {
    let text = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned)).unwrap_or_default();
    let Amount { number, scale, format, is_canonical } = amount_of(&text).unwrap_or_default();
    let kept = if is_canonical { text.as_str() } else { "" };
    out.push_str(&format!(
        "{{i:(resource.int64Amount){{value:(int64){number} scale:(resource.Scale){scale}}} \
         d:(resource.infDecAmount){{Dec:(*inf.Dec)<nil>}} s:(string){kept} Format:(resource.Format){format}}}"
    ));
}

fn write_int_or_string(out: &mut String, value: Option<&Value>) {
    let (type_, number, text) = match value {
        Some(Value::String(text)) => (1, 0, text.as_str()),
        Some(number) => (0, number.as_i64().unwrap_or_default(), ""),
        None => (0, 0, ""),
    };
    out.push_str(&format!("{{Type:(intstr.Type){type_} IntVal:(int32){number} StrVal:(string){text}}}"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn templates_hash_as_in_kubernetes() {
        assert_eq!(pod_template_hash(&json!({}), None), "85748b7f68");
        let plain = json!({"metadata": {"labels": {"app": "a"}},
            "spec": {"containers": [{"image": "a/b:c", "name": "c"}]}});
        assert_eq!(pod_template_hash(&plain, Some(3)), "79499dcfcd");
    }

    #[test]
    fn fields_are_written_with_their_types() {
        let text = dump(&json!({"spec": {"volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1Gi"}}]}}));
        assert!(text.starts_with("(v1.PodTemplateSpec){ObjectMeta:(v1.ObjectMeta){Name:(string) "), "{text}");
        assert!(
            text.contains("Volumes:([]v1.Volume)[{Name:(string)v VolumeSource:(v1.VolumeSource){HostPath:"),
            "{text}"
        );
        assert!(text.contains("value:(int64)1073741824 scale:(resource.Scale)0}"), "{text}");
    }
}
