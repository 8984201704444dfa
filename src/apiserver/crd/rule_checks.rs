//! The rules of a definition's schema, compiled: what is wrong with them, and what they may cost.

use std::sync::Arc;

use crate::expressions::decl::LARGEST_REQUEST;
use crate::expressions::{Environment, Type};
use crate::object::field::{Error, ErrorKind, ErrorList, Path};

use super::props::{Props, Rule};
use super::typed;

/// What one rule may cost at most.
const RULE_LIMIT: u64 = 10_000_000;
/// What all rules of a schema may cost together.
const SCHEMA_LIMIT: u64 = 100_000_000;
/// How many of the most expensive rules are named.
const NAMED: usize = 4;

/// How many values of a schema one object can hold.
#[derive(Clone, Copy, Debug)]
pub enum Cardinality {
    /// So many at most.
    AtMost(u64),
    /// As many as fit.
    Unbounded,
}

impl Cardinality {
    /// How many values there are below those of a schema.
    pub fn below(self, schema: &Props) -> Self {
        let Self::AtMost(count) = self else { return self };
        let limit = |limit: Option<i64>| limit.map(|limit| u64::try_from(limit).unwrap_or_default());
        let factor = match schema.type_.as_str() {
            "object" if schema.additional_properties.is_some() => limit(schema.max_properties),
            "array" => limit(schema.max_items),
            _ => Some(1),
        };
        factor.map_or(Self::Unbounded, |factor| Self::AtMost(count.saturating_mul(factor)))
    }
}

/// The compiled rules of a schema, so far.
pub struct RuleChecks {
    /// What is wrong with them.
    pub errors: ErrorList,
    /// Whether each is held to its limit; one that was there before is not.
    limited: bool,
    total: u64,
    expensive: Vec<(u64, Path)>,
}

fn too_expensive(what: &str, cost: u64, limit: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a factor that people read")]
    let factor = cost as f64 / limit as f64;
    let shown = match factor {
        100.0.. if factor > 100.0 => "more than 100x".to_owned(),
        ..1.5 => format!("{factor:.6}x"),
        _ => format!("{factor:.1}x"),
    };
    format!(
        "{what} exceeds budget by factor of {shown} (try simplifying the rule, or adding maxItems, maxProperties, and \
         maxLength where arrays, maps, and strings are declared)"
    )
}

/// A rule as messages show it.
fn shown(rule: &Rule) -> String {
    let optional = |text: Option<String>| text.unwrap_or_else(|| "null".into());
    let json = |text: &str| crate::object::json::to_compact(&text.into());
    format!(
        "{{\"Rule\":{},\"Message\":{},\"MessageExpression\":{},\"Reason\":{},\"FieldPath\":{},\"OptionalOldSelf\":{}}}",
        json(&rule.rule),
        json(&rule.message),
        json(&rule.message_expression),
        optional(rule.reason.as_deref().map(json)),
        json(&rule.field_path),
        optional(rule.optional_old_self.map(|flag| flag.to_string())),
    )
}

fn refused(path: &Path, rule: &Rule, why: String) -> Error {
    let mut error = Error::without_value(ErrorKind::Invalid, path, why);
    error.shown = Some(shown(rule));
    error
}

impl RuleChecks {
    /// Nothing so far.
    pub fn new(limited: bool) -> Self {
        Self { errors: ErrorList::new(), limited, total: 0, expensive: Vec::new() }
    }

    /// Compiles the rules of a schema.
    pub fn check(
        &mut self,
        schema: &Props,
        path: &Path,
        resource: bool,
        cardinality: Cardinality,
        uncorrelated: Option<&Path>,
    ) {
        if schema.validations.is_empty() {
            return;
        }
        let path = path.child("x-kubernetes-validations");
        let Some(decl) = typed::decl(schema, resource).map(Arc::new) else {
            let why = "internal error: failed to construct type information for x-kubernetes-validations rules: unable \
                       to convert structural schema to CEL declarations";
            self.errors.push(Error::without_value(ErrorKind::Internal, &path, why));
            return;
        };
        let count = match cardinality {
            Cardinality::AtMost(count) => count,
            Cardinality::Unbounded => LARGEST_REQUEST / (decl.min_size + 1),
        };
        let environment = Environment::default().declared("self", &decl).declared("oldSelf", &decl);
        let optional = environment.clone().with("oldSelf", Type::optional(decl.type_.clone()));
        for (at, rule) in schema.validations.iter().enumerate() {
            let environment = if rule.optional_old_self == Some(true) { &optional } else { &environment };
            self.rule(rule, &path.index(at), environment, count, uncorrelated);
        }
    }

    fn rule(&mut self, rule: &Rule, path: &Path, environment: &Environment, count: u64, uncorrelated: Option<&Path>) {
        let at = path.child("rule");
        if rule.rule.trim().is_empty() {
            return;
        }
        let compiled = match environment.compile(&rule.rule) {
            Ok(compiled) => compiled,
            Err(why) => {
                self.errors.push(refused(&at, rule, format!("compilation failed: {why}")));
                return self.old_self(rule, path, false, None);
            }
        };
        if compiled.result != Type::Bool {
            self.errors.push(refused(&at, rule, "cel expression must evaluate to a bool".into()));
            return self.old_self(rule, path, false, None);
        }
        let message = match rule.message_expression.as_str() {
            "" => None,
            text => Some(environment.compile(text)),
        };
        let cost = compiled.max_cost.saturating_mul(count);
        if self.limited && cost > RULE_LIMIT {
            self.errors.push(Error::forbidden(&at, too_expensive("estimated rule cost", cost, RULE_LIMIT)));
        }
        self.observe(&at, cost);
        let at = path.child("messageExpression");
        match message {
            None => {}
            Some(Err(why)) => {
                self.errors.push(refused(&at, rule, format!("messageExpression compilation failed: {why}")));
            }
            Some(Ok(compiled)) if compiled.result != Type::String => {
                self.errors.push(refused(&at, rule, "messageExpression must evaluate to a string".into()));
            }
            Some(Ok(compiled)) => {
                let cost = compiled.max_cost;
                if self.limited && cost > RULE_LIMIT {
                    let why = too_expensive("estimated messageExpression cost", cost, RULE_LIMIT);
                    self.errors.push(Error::forbidden(&at, why));
                }
                self.observe(&at, cost);
            }
        }
        self.old_self(rule, path, compiled.uses("oldSelf"), uncorrelated);
    }

    fn old_self(&mut self, rule: &Rule, path: &Path, used: bool, uncorrelated: Option<&Path>) {
        if !used {
            if let Some(flag) = rule.optional_old_self {
                let why = "may not be set if oldSelf is not used in rule";
                self.errors.push(Error::invalid(&path.child("optionalOldSelf"), flag, why));
            }
        } else if let Some(within) = uncorrelated {
            let why = format!(
                "oldSelf cannot be used on the uncorrelatable portion of the schema within {}",
                within.as_str()
            );
            self.errors.push(Error::invalid(&path.child("rule"), &*rule.rule, why));
        }
    }

    fn observe(&mut self, path: &Path, cost: u64) {
        self.total = self.total.saturating_add(cost);
        if cost < SCHEMA_LIMIT / 100 {
            return;
        }
        self.expensive.push((cost, path.clone()));
        self.expensive.sort_by_key(|(cost, _)| std::cmp::Reverse(*cost));
        self.expensive.truncate(NAMED);
    }

    /// What is wrong with the cost of all rules together.
    pub fn total(&self, errors: &mut ErrorList, path: &Path) {
        if self.total <= SCHEMA_LIMIT {
            return;
        }
        for (_, at) in &self.expensive {
            errors.push(Error::forbidden(
                at,
                "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
            ));
        }
        let what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
        errors.push(Error::forbidden(path, too_expensive(what, self.total, SCHEMA_LIMIT)));
    }
}
