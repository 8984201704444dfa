//! The table of kinds: one row per served resource, with everything that differs between kinds as data.
//!
//! Built-in rows come from `data/resources.json`; custom resource definitions build the same [`Kind`] at run time.
//! Nothing outside this module and the registrations of strategies and describers matches on a kind's name: what a
//! command needs to know of a kind is a field of its row.

pub mod columns;
pub mod decode;
pub mod descriptions;
pub mod go_dump;
pub mod go_json;
pub mod go_types;
pub mod rules;
pub mod schema;
pub mod table;
pub mod version;

pub use schema::{Schema, SchemaNode, Schemas};
pub use table::{Kind, Kinds, Subresource};
