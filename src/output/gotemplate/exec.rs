//! Executes templates.

use std::borrow::Cow;
use std::fmt::Display;

use super::ast::{Command, Control, Node, Number, Operand, Pipe, show_template};
use super::funcs::{self, Parameter};
use super::parser::NAME;
use super::{GoTemplate, TemplateError};
use crate::object::{Value, go};
use crate::output::gofmt::{self, GoValue};

/// Go allows 100,000 templates within templates, whose stack would not fit ours.
const MAX_DEPTH: usize = 100;
/// Nodes and arguments that one execution may visit, so that templates which call themselves end.
const MAX_STEPS: usize = 20_000_000;

/// A value as an execution sees it.
#[derive(Clone, Debug)]
pub(super) enum Val<'a> {
    /// No value at all: Go's zero `reflect.Value`.
    Invalid,
    /// A value that came out of a list or a map: its static type is `interface {}`, and it may be null.
    Interface(GoValue<'a>),
    /// A value of a known type.
    Plain(GoValue<'a>),
}

impl<'a> Val<'a> {
    /// The value inside of an interface; null is no value.
    pub(super) fn unwrapped(self) -> Self {
        match self {
            Self::Interface(GoValue::Nil) => Self::Invalid,
            Self::Interface(value) => Self::Plain(value),
            other => other,
        }
    }

    /// The value for Go's `fmt`: no value is nil there.
    pub(super) fn printable(self) -> GoValue<'a> {
        match self {
            Self::Invalid => GoValue::Nil,
            Self::Interface(value) | Self::Plain(value) => value,
        }
    }

    pub(super) fn as_go(&self) -> Option<&GoValue<'a>> {
        match self {
            Self::Invalid => None,
            Self::Interface(value) | Self::Plain(value) => Some(value),
        }
    }

    /// Whether an `if` takes the value for true.
    pub(super) fn truth(&self) -> bool {
        match self.as_go() {
            None | Some(GoValue::Nil) => false,
            Some(GoValue::Bool(truth)) => *truth,
            Some(GoValue::Int(n) | GoValue::Int64(n)) => *n != 0,
            Some(GoValue::Byte(n)) => *n != 0,
            Some(GoValue::Float(n)) => *n != 0.0,
            Some(GoValue::Text(text)) => !text.is_empty(),
            Some(GoValue::List(items)) => !items.is_empty(),
            Some(GoValue::Map(map)) => !map.is_empty(),
        }
    }

    /// The static type.
    fn type_name(&self) -> &'static str {
        match self {
            Self::Invalid => "<nil>",
            Self::Interface(_) => "interface {}",
            Self::Plain(value) => value.type_name(),
        }
    }

    pub(super) fn of(value: &'a Value) -> Self {
        Self::Interface(value.into())
    }
}

/// Why walking stops.
enum Stop {
    Error(TemplateError),
    Break,
    Continue,
}

impl From<TemplateError> for Stop {
    fn from(error: TemplateError) -> Self {
        Self::Error(error)
    }
}

type Result<T, E = TemplateError> = std::result::Result<T, E>;

/// What is being evaluated, for messages.
#[derive(Clone, Copy)]
enum At<'a> {
    Nothing,
    Operand(&'a Operand),
    Pipe(&'a Pipe),
    Command(&'a Command),
    Template(&'a str, Option<&'a Pipe>, usize),
}

struct State<'a, 'o> {
    template: &'a GoTemplate,
    out: &'o mut String,
    /// Name of the template that is executed.
    name: &'a str,
    at: At<'a>,
    variables: Vec<(&'a str, Val<'a>)>,
    depth: usize,
    steps: usize,
}

pub(super) fn execute(template: &GoTemplate, data: &Value, out: &mut String) -> Result<()> {
    let dot = Val::Plain(data.into());
    let mut state =
        State { template, out, name: NAME, at: At::Nothing, variables: vec![("$", dot.clone())], depth: 0, steps: 0 };
    let root = template.templates.get(NAME).map_or(&[][..], Vec::as_slice);
    match state.walk(&dot, root) {
        Err(Stop::Error(error)) => Err(error),
        _ => Ok(()),
    }
}

impl<'a> State<'a, '_> {
    fn fail<T>(&self, message: impl Display) -> Result<T> {
        let (pos, context) = match self.at {
            At::Nothing => return Err(TemplateError(format!("template: {}: {message}", self.name))),
            At::Operand(operand) => (operand.pos(), operand.to_string()),
            At::Pipe(pipe) => (pipe.pos, pipe.to_string()),
            At::Command(command) => (command.pos, command.to_string()),
            At::Template(name, pipe, pos) => (pos, show_template(name, pipe)),
        };
        let before = self.template.text.get(..pos).unwrap_or_default();
        let line = 1 + before.matches('\n').count();
        let column = before.rfind('\n').map_or(pos, |end| pos - end - 1);
        let name = go::quote(self.name);
        Err(TemplateError(format!("template: {NAME}:{line}:{column}: executing {name} at <{context}>: {message}")))
    }

    fn count(&mut self) -> Result<()> {
        self.steps += 1;
        if self.steps > MAX_STEPS { self.fail("exceeded the number of steps of one execution") } else { Ok(()) }
    }

    fn walk(&mut self, dot: &Val<'a>, nodes: &'a [Node]) -> Result<(), Stop> {
        nodes.iter().try_for_each(|node| self.walk_node(dot, node))
    }

    fn walk_node(&mut self, dot: &Val<'a>, node: &'a Node) -> Result<(), Stop> {
        self.count()?;
        match node {
            Node::Text(text) => self.out.push_str(text),
            // Variables that an action declares live on until the enclosing end.
            Node::Action(pipe) => {
                let value = self.pipeline(dot, pipe)?;
                if pipe.variables.is_empty() {
                    self.print(&value);
                }
            }
            Node::Break => return Err(Stop::Break),
            Node::Continue => return Err(Stop::Continue),
            Node::Template { pos, name, pipe } => self.call_template(dot, name, pipe.as_ref(), *pos)?,
            Node::Branch { control, pipe, body, otherwise } => {
                let mark = self.variables.len();
                let outcome = match control {
                    Control::Range => self.range(dot, pipe, body, otherwise.as_deref()),
                    _ => self.branch(dot, *control, pipe, body, otherwise.as_deref()),
                };
                self.variables.truncate(mark);
                return outcome;
            }
        }
        Ok(())
    }

    fn print(&mut self, value: &Val<'a>) {
        match value {
            Val::Invalid => self.out.push_str("<no value>"),
            Val::Interface(value) | Val::Plain(value) => gofmt::write(self.out, value),
        }
    }

    fn branch(
        &mut self,
        dot: &Val<'a>,
        control: Control,
        pipe: &'a Pipe,
        body: &'a [Node],
        otherwise: Option<&'a [Node]>,
    ) -> Result<(), Stop> {
        let value = self.pipeline(dot, pipe)?;
        if !value.truth() {
            return otherwise.map_or(Ok(()), |nodes| self.walk(dot, nodes));
        }
        self.walk(if control == Control::With { &value } else { dot }, body)
    }

    fn range(
        &mut self,
        dot: &Val<'a>,
        pipe: &'a Pipe,
        body: &'a [Node],
        otherwise: Option<&'a [Node]>,
    ) -> Result<(), Stop> {
        let value = self.pipeline(dot, pipe)?;
        let int = |n: usize| Val::Plain(GoValue::Int(n as i64));
        let mut empty = true;
        let mut each = |state: &mut Self, index: Val<'a>, item: Val<'a>| {
            empty = false;
            state.iteration(pipe, body, index, item)
        };
        let outcome = match value.as_go() {
            None | Some(GoValue::Nil) => Ok(()),
            Some(GoValue::List(items)) => {
                items.iter().enumerate().try_for_each(|(i, item)| each(self, int(i), Val::of(item)))
            }
            Some(GoValue::Map(map)) => map
                .iter()
                .try_for_each(|(key, item)| each(self, Val::Plain(GoValue::Text(Cow::Borrowed(key))), Val::of(item))),
            Some(GoValue::Int(n) | GoValue::Int64(n)) => {
                if pipe.variables.len() > 1 {
                    let message = format!("can't use {n} to iterate over more than one variable");
                    return Err(self.fail::<()>(message).err().map_or(Stop::Break, Stop::Error));
                }
                let wide = matches!(value.as_go(), Some(GoValue::Int64(_)));
                let number = |n| if wide { GoValue::Int64(n) } else { GoValue::Int(n) };
                (0..*n).try_for_each(|i| each(self, Val::Invalid, Val::Plain(number(i))))
            }
            Some(other) => {
                let mut shown = String::new();
                gofmt::write(&mut shown, other);
                return Ok(self.fail(format!("range can't iterate over {shown}"))?);
            }
        };
        match outcome {
            Ok(()) if empty => otherwise.map_or(Ok(()), |nodes| self.walk(dot, nodes)),
            Err(Stop::Break) => Ok(()),
            outcome => outcome,
        }
    }

    fn iteration(&mut self, pipe: &'a Pipe, body: &'a [Node], index: Val<'a>, item: Val<'a>) -> Result<(), Stop> {
        let mark = self.variables.len();
        let values = match pipe.variables.as_slice() {
            [] => vec![],
            [one] => vec![(one, item.clone())],
            [first, second, ..] => vec![(first, index), (second, item.clone())],
        };
        for (name, value) in values {
            self.set_variable(name, value)?;
        }
        let outcome = self.walk(&item, body);
        self.variables.truncate(mark);
        match outcome {
            Err(Stop::Continue) => Ok(()),
            outcome => outcome,
        }
    }

    fn call_template(&mut self, dot: &Val<'a>, name: &'a str, pipe: Option<&'a Pipe>, pos: usize) -> Result<(), Stop> {
        self.at = At::Template(name, pipe, pos);
        let Some(nodes) = self.template.templates.get(name) else {
            return Ok(self.fail(format!("template {} not defined", go::quote(name)))?);
        };
        if self.depth >= MAX_DEPTH {
            return Ok(self.fail("exceeded maximum template depth (100000)")?);
        }
        let dot = match pipe {
            Some(pipe) => self.pipeline(dot, pipe)?,
            None => Val::Invalid,
        };
        // Templates see no variables of those that call them.
        let variables = std::mem::replace(&mut self.variables, vec![("$", dot.clone())]);
        let caller = std::mem::replace(&mut self.name, name);
        self.depth += 1;
        let outcome = self.walk(&dot, nodes);
        self.depth -= 1;
        self.name = caller;
        self.variables = variables;
        outcome
    }

    fn set_variable(&mut self, name: &str, value: Val<'a>) -> Result<()> {
        match self.variables.iter_mut().rev().find(|(known, _)| *known == name) {
            Some((_, slot)) => {
                *slot = value;
                Ok(())
            }
            None => self.fail(format!("undefined variable: {name}")),
        }
    }

    fn pipeline(&mut self, dot: &Val<'a>, pipe: &'a Pipe) -> Result<Val<'a>> {
        self.at = At::Pipe(pipe);
        let mut value = None;
        for command in &pipe.commands {
            value = Some(self.command(dot, command, value)?.unwrapped());
        }
        let value = value.unwrap_or(Val::Invalid);
        for name in &pipe.variables {
            if pipe.assign {
                self.set_variable(name, value.clone())?;
            } else {
                self.variables.push((name, value.clone()));
            }
        }
        Ok(value)
    }

    /// Refuses arguments to what is no function.
    fn no_arguments(&self, args: &[Operand], last: Option<&Val<'a>>) -> Result<()> {
        match args.first() {
            Some(first) if args.len() > 1 || last.is_some() => {
                self.fail(format!("can't give argument to non-function {first}"))
            }
            _ => Ok(()),
        }
    }

    /// Evaluates a command; `last` is the value of the command before it, its last argument.
    fn command(&mut self, dot: &Val<'a>, command: &'a Command, last: Option<Val<'a>>) -> Result<Val<'a>> {
        self.count()?;
        let args = command.args.as_slice();
        let Some(first) = args.first() else { return Ok(Val::Invalid) };
        match first {
            Operand::Field { .. } | Operand::Chain { .. } | Operand::Variable { .. } => {
                self.fields(dot, first, args, last)
            }
            Operand::Function { name, .. } => {
                self.at = At::Operand(first);
                self.call(dot, name, At::Command(command), &args[1..], last)
            }
            Operand::Pipe(pipe) => {
                self.no_arguments(args, last.as_ref())?;
                self.pipeline(dot, pipe)
            }
            literal => {
                self.at = At::Operand(literal);
                self.no_arguments(args, last.as_ref())?;
                match literal {
                    Operand::Nil { .. } => self.fail("nil is not a command"),
                    literal => self.literal(dot, literal),
                }
            }
        }
    }

    fn literal(&mut self, dot: &Val<'a>, operand: &'a Operand) -> Result<Val<'a>> {
        Ok(match operand {
            Operand::Dot { .. } => dot.clone(),
            Operand::Bool { truth, .. } => Val::Plain(GoValue::Bool(*truth)),
            Operand::Text { text, .. } => Val::Plain(GoValue::Text(Cow::Borrowed(text))),
            Operand::Number { number, .. } => Val::Plain(self.constant(number)?),
            _ => Val::Invalid,
        })
    }

    fn constant(&self, number: &Number) -> Result<GoValue<'a>> {
        match number.int {
            _ if number.fraction => Ok(GoValue::Float(number.float)),
            Some(int) if !number.overflow => Ok(GoValue::Int(int)),
            _ => self.fail(format!("{} overflows int", number.text)),
        }
    }

    /// Evaluates an operand with fields; only the last field could take arguments, were it a method.
    fn fields(
        &mut self,
        dot: &Val<'a>,
        operand: &'a Operand,
        args: &'a [Operand],
        last: Option<Val<'a>>,
    ) -> Result<Val<'a>> {
        self.at = At::Operand(operand);
        let (mut value, names) = match operand {
            Operand::Field { names, .. } => (dot.clone(), names.as_slice()),
            Operand::Chain { operand: inner, names, .. } => {
                if matches!(inner.as_ref(), Operand::Nil { .. }) {
                    return self.fail(format!("indirection through explicit nil in {operand}"));
                }
                (self.operand(dot, inner)?, names.as_slice())
            }
            Operand::Variable { names, .. } => match names.split_first() {
                Some((name, fields)) => {
                    let known = self.variables.iter().rev().find(|(known, _)| *known == name.as_str());
                    let Some((_, value)) = known else { return self.fail(format!("undefined variable: {name}")) };
                    if fields.is_empty() {
                        self.no_arguments(args, last.as_ref())?;
                    }
                    (value.clone(), fields)
                }
                None => return Ok(Val::Invalid),
            },
            _ => return Ok(Val::Invalid),
        };
        for (i, name) in names.iter().enumerate() {
            let arguments = i + 1 == names.len() && (args.len() > 1 || last.is_some());
            value = self.field(value, name, arguments)?;
        }
        Ok(value)
    }

    fn field(&self, receiver: Val<'a>, name: &str, arguments: bool) -> Result<Val<'a>> {
        let type_name = receiver.type_name();
        match receiver {
            Val::Invalid if self.template.allow_missing_keys => Ok(Val::Invalid),
            Val::Invalid => self.fail(format!("nil data; no entry for key {}", go::quote(name))),
            Val::Interface(GoValue::Nil) => self.fail(format!("nil pointer evaluating {type_name}.{name}")),
            Val::Interface(GoValue::Map(map)) | Val::Plain(GoValue::Map(map)) => {
                if arguments {
                    return self.fail(format!("{name} is not a method but has arguments"));
                }
                match map.get(name) {
                    Some(value) => Ok(Val::of(value)),
                    None if self.template.allow_missing_keys => Ok(Val::Invalid),
                    None => self.fail(format!("map has no entry for key {}", go::quote(name))),
                }
            }
            _ => self.fail(format!("can't evaluate field {name} in type {type_name}")),
        }
    }

    /// Evaluates an operand that stands as an argument.
    fn operand(&mut self, dot: &Val<'a>, operand: &'a Operand) -> Result<Val<'a>> {
        self.count()?;
        self.at = At::Operand(operand);
        match operand {
            Operand::Field { .. } | Operand::Chain { .. } | Operand::Variable { .. } => {
                self.fields(dot, operand, &[], None)
            }
            Operand::Pipe(pipe) => self.pipeline(dot, pipe),
            Operand::Function { name, .. } => self.call(dot, name, At::Operand(operand), &[], None),
            Operand::Nil { .. } => Ok(Val::Interface(GoValue::Nil)),
            literal => self.literal(dot, literal),
        }
    }

    /// An argument for a parameter of the given type.
    fn argument(&mut self, dot: &Val<'a>, operand: &'a Operand, parameter: Parameter) -> Result<Val<'a>> {
        if parameter == Parameter::Text {
            self.at = At::Operand(operand);
            match operand {
                Operand::Nil { .. } => return self.fail("cannot assign nil to string"),
                Operand::Bool { .. } | Operand::Number { .. } => {
                    return self.fail(format!("expected string; found {operand}"));
                }
                _ => {}
            }
        }
        let value = self.operand(dot, operand)?;
        self.checked(value, parameter)
    }

    fn checked(&self, value: Val<'a>, parameter: Parameter) -> Result<Val<'a>> {
        if parameter == Parameter::Any {
            return Ok(value);
        }
        match value {
            Val::Invalid => self.fail("invalid value; expected string"),
            Val::Interface(GoValue::Text(text)) | Val::Plain(GoValue::Text(text)) => {
                Ok(Val::Plain(GoValue::Text(text)))
            }
            Val::Interface(GoValue::Nil) => self.fail("wrong type for value; expected string; got interface {}"),
            Val::Interface(other) | Val::Plain(other) => {
                self.fail(format!("wrong type for value; expected string; got {}", other.type_name()))
            }
        }
    }

    fn call(
        &mut self,
        dot: &Val<'a>,
        name: &'a str,
        node: At<'a>,
        args: &'a [Operand],
        last: Option<Val<'a>>,
    ) -> Result<Val<'a>> {
        let Some(function) = funcs::find(name) else {
            return self.fail(format!("{} is not a defined function", go::quote(name)));
        };
        let given = args.len() + usize::from(last.is_some());
        let fixed = function.fixed.len();
        if function.variadic && given < fixed {
            return self.fail(format!("wrong number of args for {name}: want at least {fixed} got {}", args.len()));
        }
        if !function.variadic && given != fixed {
            return self.fail(format!("wrong number of args for {name}: want {fixed} got {given}"));
        }
        let parameter = |i: usize| function.fixed.get(i).copied().unwrap_or(Parameter::Any);
        // `and` and `or` evaluate no more arguments than they need.
        let stop = match name {
            "and" => Some(false),
            "or" => Some(true),
            _ => None,
        };
        let mut values = Vec::with_capacity(given);
        for (i, arg) in args.iter().enumerate() {
            let value = self.argument(dot, arg, parameter(i))?;
            if stop == Some(value.truth()) {
                return Ok(value);
            }
            values.push(value);
        }
        if let Some(last) = last {
            let value = self.checked(last, parameter(args.len()))?;
            values.push(value);
        }
        if stop.is_some() {
            return Ok(values.pop().unwrap_or(Val::Invalid));
        }
        let callee = args.first().map(Operand::to_string).unwrap_or_default();
        match (function.run)(values, &callee) {
            Ok(value) => Ok(value),
            Err(error) => {
                self.at = node;
                self.fail(format!("error calling {name}: {error}"))
            }
        }
    }
}
