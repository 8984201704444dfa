//! Why a build fails.

/// Why a build fails. Texts are kustomize's.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// One fact, in its whole text.
    #[error("{0}")]
    Fact(String),
    /// A server that should hold a file answered otherwise; whatever else the path could mean is not tried.
    #[error("{0}")]
    Http(String),
}

impl Error {
    /// One fact.
    pub fn fact(text: impl Into<String>) -> Self {
        Self::Fact(text.into())
    }

    /// The same failure with its place in front.
    #[must_use]
    pub(super) fn within(self, place: impl std::fmt::Display) -> Self {
        match self {
            Self::Fact(text) => Self::Fact(format!("{place}: {text}")),
            Self::Http(text) => Self::Http(format!("{place}: {text}")),
        }
    }

    /// Whether a file was found to be no YAML.
    pub(super) fn is_malformed(&self) -> bool {
        self.to_string().contains("MalformedYAMLError")
    }
}

impl From<crate::manifest::Error> for Error {
    fn from(error: crate::manifest::Error) -> Self {
        Self::Fact(error.to_string())
    }
}
