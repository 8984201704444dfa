//! `describe`: a generic describer and one file per family of kinds.
