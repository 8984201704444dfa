//! Why arguments or files do not lead to objects.

use crate::client;

/// Why arguments or files do not lead to objects. Texts are kubectl's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One fact, in its whole text.
    #[error("{0}")]
    Fact(String),
    /// What the server serves is not known, for it gave no answer; `lookups` counts who asked.
    #[error("couldn't get current server API group list")]
    Discovery {
        /// Why.
        #[source]
        source: client::Error,
        /// How often kubectl would have asked.
        lookups: usize,
    },
    /// A request failed.
    #[error(transparent)]
    Client(#[from] client::Error),
    /// Several failures.
    #[error("[{}]", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "))]
    Many(Vec<Error>),
}

impl Error {
    /// One fact.
    pub fn fact(text: impl Into<String>) -> Self {
        Self::Fact(text.into())
    }

    /// Nothing, one or many failures.
    ///
    /// # Errors
    /// There was one at least.
    pub fn all(mut errors: Vec<Self>) -> Result<(), Self> {
        if errors.len() > 1 {
            return Err(Self::Many(errors));
        }
        errors.pop().map_or(Ok(()), Err)
    }
}
