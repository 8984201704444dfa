//! The nodes of a parsed template, and how error messages show them.

use std::fmt::{self, Display};

use crate::object::go;

/// A number as written, with the values that it can stand for.
#[derive(Clone, Debug)]
pub(super) struct Number {
    pub text: String,
    pub int: Option<i64>,
    /// A whole number beyond `int`.
    pub overflow: bool,
    pub float: f64,
    /// Whether it is written as a fraction.
    pub fraction: bool,
}

/// One operand. Positions are byte offsets in the template.
#[derive(Clone, Debug)]
pub(super) enum Operand {
    Field {
        pos: usize,
        names: Vec<String>,
    },
    Chain {
        pos: usize,
        operand: Box<Operand>,
        names: Vec<String>,
    },
    /// The first name is the variable, with its dollar sign.
    Variable {
        pos: usize,
        names: Vec<String>,
    },
    Dot {
        pos: usize,
    },
    Nil {
        pos: usize,
    },
    Bool {
        pos: usize,
        truth: bool,
    },
    Number {
        pos: usize,
        number: Number,
    },
    Text {
        pos: usize,
        quoted: String,
        text: String,
    },
    Function {
        pos: usize,
        name: String,
    },
    Pipe(Pipe),
}

/// A function call or a single operand.
#[derive(Clone, Debug)]
pub(super) struct Command {
    pub pos: usize,
    pub args: Vec<Operand>,
}

/// Commands that pass on their value, and the variables that take it.
#[derive(Clone, Debug)]
pub(super) struct Pipe {
    pub pos: usize,
    pub variables: Vec<String>,
    pub assign: bool,
    pub commands: Vec<Command>,
}

/// Which control structure a branch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Control {
    If,
    With,
    Range,
}

/// One part of a template.
#[derive(Clone, Debug)]
pub(super) enum Node {
    Text(String),
    Action(Pipe),
    Branch { control: Control, pipe: Pipe, body: Vec<Node>, otherwise: Option<Vec<Node>> },
    Template { pos: usize, name: String, pipe: Option<Pipe> },
    Break,
    Continue,
}

impl Operand {
    pub(super) fn pos(&self) -> usize {
        match self {
            Self::Field { pos, .. }
            | Self::Chain { pos, .. }
            | Self::Variable { pos, .. }
            | Self::Dot { pos }
            | Self::Nil { pos }
            | Self::Bool { pos, .. }
            | Self::Number { pos, .. }
            | Self::Text { pos, .. }
            | Self::Function { pos, .. } => *pos,
            Self::Pipe(pipe) => pipe.pos,
        }
    }

    /// Whether the operand alone cannot be called: it may only begin a pipeline.
    pub(super) fn is_literal(&self) -> bool {
        matches!(
            self,
            Self::Bool { .. } | Self::Dot { .. } | Self::Nil { .. } | Self::Number { .. } | Self::Text { .. }
        )
    }
}

fn write_names(f: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    names.iter().try_for_each(|name| write!(f, ".{name}"))
}

impl Display for Operand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field { names, .. } => write_names(f, names),
            Self::Chain { operand, names, .. } => {
                match operand.as_ref() {
                    Self::Pipe(pipe) => write!(f, "({pipe})")?,
                    other => write!(f, "{other}")?,
                }
                write_names(f, names)
            }
            Self::Variable { names, .. } => f.write_str(&names.join(".")),
            Self::Dot { .. } => f.write_str("."),
            Self::Nil { .. } => f.write_str("nil"),
            Self::Bool { truth, .. } => write!(f, "{truth}"),
            Self::Number { number, .. } => f.write_str(&number.text),
            Self::Text { quoted, .. } => f.write_str(quoted),
            Self::Function { name, .. } => f.write_str(name),
            Self::Pipe(pipe) => write!(f, "{pipe}"),
        }
    }
}

impl Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, arg) in self.args.iter().enumerate() {
            if i > 0 {
                f.write_str(" ")?;
            }
            match arg {
                Operand::Pipe(pipe) => write!(f, "({pipe})")?,
                arg => write!(f, "{arg}")?,
            }
        }
        Ok(())
    }
}

impl Display for Pipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.variables.is_empty() {
            write!(f, "{} {} ", self.variables.join(", "), if self.assign { "=" } else { ":=" })?;
        }
        for (i, command) in self.commands.iter().enumerate() {
            write!(f, "{}{command}", if i > 0 { " | " } else { "" })?;
        }
        Ok(())
    }
}

/// A `template` action as messages show it.
pub(super) fn show_template(name: &str, pipe: Option<&Pipe>) -> String {
    match pipe {
        Some(pipe) => format!("{{{{template {} {pipe}}}}}", go::quote(name)),
        None => format!("{{{{template {}}}}}", go::quote(name)),
    }
}
