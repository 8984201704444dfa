//! Custom resource definitions, and the resources that they make.
//!
//! | module | holds |
//! |---|---|
//! | [`props`] | the schema language of definitions |
//! | [`definition`] | the strategy of definitions |
//! | [`check`], [`structural`], [`schema_rules`], [`rule_checks`], [`defaults`] | what a definition may say |
//! | [`typed`], [`rules`] | the rules of schemas, and what they see |
//! | [`register`] | names, conditions, the resources served now, the end of a definition |
//! | [`resource`] | the strategy of custom resources |
//! | [`prune`], [`validate`], [`lists`], [`formats`] | what is done to their objects |

mod check;
mod decode;
mod defaults;
pub mod definition;
mod formats;
mod lists;
pub mod props;
mod prune;
mod register;
mod resource;
pub mod route;
mod rule_checks;
mod rules;
mod schema_rules;
mod structural;
mod typed;
mod validate;

pub use register::{Definitions, restore};
pub use resource::ScalePaths;
